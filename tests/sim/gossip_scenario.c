/* One seed of a scenario: everybody starts and comes to see the same; a busy time with faults; all
 * is healed; everybody must see the same again. The table says what is special about each. */
#include "tests/sim/gossip_world.h"

#include <inttypes.h>
#include <stdlib.h>

#define BIT(fault) (1u << SWARM_FAULT_##fault)
#define CUTS (BIT(CUT_ONE) | BIT(CUT_GROUP) | BIT(CUT_REGION) | BIT(CUT_ONE_WAY))
#define RESTARTS (BIT(RESTART) | BIT(FORGET) | BIT(PERSIST))
#define ALL_FAULTS ((1u << SWARM_FAULTS) - 1)
#define SAMPLE_US (500 * SWARM_MS)
#define START_LIMIT_US (60 * SWARM_SECOND)
#define HEAL_LIMIT_US (120 * SWARM_SECOND)
#define FORGET_LIMIT_US (30 * SWARM_SECOND)
#define DAMP_US (20 * SWARM_SECOND) /* after all see the same, before the first fault */
#define LOSSY ((CUTS & ~BIT(CUT_REGION)) | BIT(UDP) | BIT(MOVE) | BIT(REUSE) | BIT(TWIN)) /* home */

struct scenario {
    const char *name;
    size_t nodes, regions;
    uint64_t seconds;
    double loss, tail;
    uint32_t faults;         /* bits of enum swarm_fault_type */
    uint64_t every_ms;       /* between faults, about */
    uint64_t min_ms, max_ms; /* of their lengths */
    size_t mtu;              /* longer datagrams are lost */
    bool all_at_once, rolls, all_restart, has_liar, is_mixed, is_plain;
    size_t dialers; /* in a hundred, that only dial out */
};

static const struct scenario scenarios[] = {
    {.name = "calm", .nodes = 20, .regions = 1, .seconds = 60},
    {.name = "kill",
     .nodes = 30,
     .regions = 1,
     .seconds = 90,
     .faults = BIT(KILL) | BIT(POWER),
     .every_ms = 15000},
    {.name = "pause",
     .nodes = 30,
     .regions = 1,
     .seconds = 120,
     .tail = 0.01,
     .faults = BIT(PAUSE),
     .every_ms = 1500,
     .min_ms = 200,
     .max_ms = 25000},
    {.name = "loss",
     .nodes = 25,
     .regions = 2,
     .seconds = 120,
     .loss = 0.3,
     .tail = 0.02,
     .faults = BIT(KILL),
     .every_ms = 30000},
    {.name = "partition",
     .nodes = 20,
     .regions = 2,
     .seconds = 240,
     .loss = 0.01,
     .faults = CUTS,
     .every_ms = 40000,
     .min_ms = 5000,
     .max_ms = 120000},
    {.name = "regions",
     .nodes = 18,
     .regions = 3,
     .seconds = 180,
     .faults = BIT(CUT_REGION) | BIT(KILL),
     .every_ms = 30000,
     .min_ms = 5000,
     .max_ms = 60000},
    {.name = "storm",
     .nodes = 40,
     .regions = 2,
     .seconds = 120,
     .loss = 0.1,
     .tail = 0.05,
     .faults = ALL_FAULTS,
     .every_ms = 2000,
     .min_ms = 500,
     .max_ms = 30000,
     .all_at_once = true},
    {.name = "rolling", .nodes = 24, .regions = 2, .seconds = 120, .rolls = true},
    {.name = "restarts", .nodes = 24, .regions = 2, .seconds = 120, .all_restart = true},
    {.name = "hours", /* of partition */
     .nodes = 10,
     .regions = 2,
     .seconds = 7500,
     .faults = BIT(CUT_GROUP) | BIT(CUT_REGION),
     .every_ms = 4000000,
     .min_ms = 7200000,
     .max_ms = 7200000},
    {.name = "keys",
     .nodes = 15,
     .regions = 1,
     .seconds = 180,
     .faults = BIT(EXPIRE) | BIT(REKEY) | BIT(RESTART),
     .every_ms = 12000,
     .min_ms = 20000,
     .max_ms = 60000},
    {.name = "addresses",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = BIT(REUSE) | BIT(MOVE),
     .every_ms = 5000,
     .min_ms = 100,
     .max_ms = 20000},
    {.name = "narrow",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = BIT(KILL) | BIT(RESTART),
     .every_ms = 10000,
     .min_ms = 1000,
     .max_ms = 20000,
     .mtu = 800},
    {.name = "churn",
     .nodes = 24,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = RESTARTS | BIT(LEAVE) | BIT(MOVE),
     .every_ms = 3000,
     .min_ms = 100,
     .max_ms = 20000},
    {.name = "flap",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = BIT(FLAP) | BIT(CUT_ONE) | BIT(CUT_ONE_WAY),
     .every_ms = 4000,
     .min_ms = 200,
     .max_ms = 3000},
    {.name = "clocks",
     .nodes = 15,
     .regions = 1,
     .seconds = 120,
     .faults = BIT(CLOCK),
     .every_ms = 5000,
     .min_ms = 1000,
     .max_ms = 60000},
    {.name = "dialonly",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = BIT(KILL) | BIT(RESTART),
     .every_ms = 20000,
     .min_ms = 1000,
     .max_ms = 8000,
     .dialers = 30},
    {.name = "blocked",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = BIT(UDP) | BIT(KILL),
     .every_ms = 8000,
     .min_ms = 20000,
     .max_ms = 90000},
    {.name = "twin",
     .nodes = 12,
     .regions = 1,
     .seconds = 120,
     .faults = BIT(TWIN),
     .every_ms = 30000,
     .min_ms = 5000,
     .max_ms = 20000},
    {.name = "liar",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .loss = 0.02,
     .faults = BIT(KILL) | BIT(RESTART),
     .every_ms = 20000,
     .min_ms = 1000,
     .max_ms = 8000,
     .has_liar = true},
    {.name = "mixed",
     .nodes = 20,
     .regions = 2,
     .seconds = 120,
     .every_ms = 5000,
     .min_ms = 200,
     .max_ms = 40000,
     .is_mixed = true},
    {.name = "bench", .nodes = 1000, .regions = 5, .seconds = 60, .is_plain = true},
};

struct play {
    struct swarm *swarm;
    struct scenario plan;
    uint64_t busy_until_us;
    uint64_t faults_left;
};

static const struct scenario *find(const char *name)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

bool swarm_scenario_exists(const char *name)
{
    return find(name) != NULL;
}

/* A world of its own for each seed. */
static void mix(struct scenario *p, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed ^ UINT64_C(0x6d69786564));
    p->nodes = 3 + rng_below(&rng, rng_chance(&rng, 0.2) ? 60 : 25);
    p->regions = 1 + rng_below(&rng, p->nodes / 6 + 1 < 4 ? p->nodes / 6 + 1 : 4);
    p->loss = rng_chance(&rng, 0.5) ? 0 : rng_unit(&rng) * 0.3;
    p->tail = rng_chance(&rng, 0.5) ? 0 : rng_unit(&rng) * 0.05;
    p->faults = ALL_FAULTS & (uint32_t)rng_next(&rng);
    p->every_ms = 1000 + rng_below(&rng, 15000);
    p->max_ms = 500 + rng_below(&rng, 60000);
    p->min_ms = p->max_ms / 20;
    p->all_at_once = rng_chance(&rng, 0.3);
    p->dialers = rng_chance(&rng, 0.3) ? rng_below(&rng, 40) : 0;
    p->has_liar = p->nodes >= 6 && rng_chance(&rng, 0.2);
    p->seconds = 30 + rng_below(&rng, 120);
    p->mtu = rng_chance(&rng, 0.2) ? 600 + rng_below(&rng, 800) : 0;
    p->all_restart = rng_chance(&rng, 0.1);
}

static void plan_by(struct scenario *p, const struct swarm_options *o)
{
    if (p->is_mixed)
        mix(p, o->seed);
    if (o->nodes)
        p->nodes = o->nodes;
    if (o->regions)
        p->regions = o->regions;
    if (o->loss >= 0)
        p->loss = o->loss;
    if (o->seconds)
        p->seconds = o->seconds;
}

/* --- calls */

static void start_one(struct swarm *s, uint64_t node)
{
    s->starts_pending--;
    swarm_node_start(&s->nodes[node]);
}

static void start_all(struct swarm *s, const struct scenario *p)
{
    uint64_t spread_us = p->all_at_once ? 100 * SWARM_MS : 5 * SWARM_SECOND;
    for (size_t i = 0; i < s->identity_count; i++) {
        bool may_dial = i >= SWARM_CONTACTS + s->region_count * 3;
        s->nodes[i].only_dials = may_dial && rng_below(&s->rng, 100) < p->dialers;
        s->starts_pending++;
        swarm_at(s, s->now_us + rng_below(&s->rng, spread_us), start_one, i);
    }
    if (p->has_liar) {
        s->liar = s->identity_count - 1;
        s->nodes[s->liar].is_liar = true;
        s->nodes[s->liar].only_dials = false;
    }
}

static void sample(struct swarm *s, uint64_t number)
{
    if (s->is_over)
        return;
    if (number % 20 == 0)
        swarm_links_sweep(s);
    swarm_check_bounds(s);
    swarm_at(s, s->now_us + SAMPLE_US, sample, number + 1);
}

static void next_fault(struct swarm *s, uint64_t play)
{
    struct play *p = (struct play *)(uintptr_t)play;
    if (s->now_us >= p->busy_until_us || p->faults_left == 0 || s->is_over)
        return;
    enum swarm_fault_type type;
    do
        type = (enum swarm_fault_type)rng_below(&s->rng, SWARM_FAULTS);
    while (!(p->plan.faults >> type & 1));
    uint64_t for_ms = rng_between(&s->rng, p->plan.min_ms, p->plan.max_ms);
    if (rng_chance(&s->rng, 0.5)) /* the short ones are as many as the long ones */
        for_ms = rng_between(&s->rng, p->plan.min_ms,
                             p->plan.min_ms + (p->plan.max_ms - p->plan.min_ms) / 8);
    p->faults_left--;
    swarm_fault(s, type, for_ms * SWARM_MS + SWARM_MS);
    uint64_t wait_us = p->plan.every_ms * SWARM_MS;
    swarm_at(s, s->now_us + wait_us / 2 + rng_below(&s->rng, wait_us), next_fault, play);
}

static void roll(struct swarm *s, uint64_t node)
{
    struct swarm_node *n = &s->nodes[node];
    if (s->is_over || node >= s->identity_count)
        return;
    if (n->gossip) {
        swarm_node_kill(n, false);
        s->starts_pending++;
        swarm_at(s, s->now_us + 200 * SWARM_MS + rng_below(&s->rng, 3 * SWARM_SECOND), start_one,
                 node);
    }
    swarm_at(s, s->now_us + 2 * SWARM_SECOND, roll, node + 1);
}

static void restart_all(struct swarm *s, uint64_t argument)
{
    (void)argument;
    for (size_t i = 0; i < s->identity_count && !s->is_over; i++) {
        if (!s->nodes[i].gossip || s->nodes[i].is_silent)
            continue;
        swarm_node_kill(&s->nodes[i], false);
        s->starts_pending++;
        swarm_at(s, s->now_us + rng_below(&s->rng, 100 * SWARM_MS), start_one, i);
    }
}

/* --- phases */

static bool run_until_equal(struct swarm *s, uint64_t limit_us, const char *invariant)
{
    char why[160] = "";
    uint64_t from_us = s->now_us;
    do {
        swarm_run_until(s, s->now_us + SAMPLE_US / 2);
        if (s->starts_pending == 0 && s->failures == 0 && swarm_is_equal(s, why, sizeof why)) {
            histogram_add(&s->stats.converged, (s->now_us - from_us) / 1000);
            return true;
        }
    } while (s->failures == 0 && s->now_us < from_us + limit_us);
    if (s->failures == 0)
        swarm_fail(s, invariant, "%s", why);
    return false;
}

/* Who is alive abroad and no gateway goes after 10 s, and is looked for each 10 s. */
static void run_until_forgotten(struct swarm *s)
{
    char why[160] = "";
    uint64_t until_us = s->now_us + FORGET_LIMIT_US;
    while (s->failures == 0 && !swarm_strangers_are_forgotten(s, why, sizeof why)) {
        if (s->now_us >= until_us)
            swarm_fail(s, "strangers_are_forgotten", "%s", why);
        swarm_run_until(s, s->now_us + SWARM_SECOND);
    }
}

static void measure_from(struct swarm *s)
{
    s->is_measuring = true;
    s->stats.measured_us = s->stats.node_us = s->now_us;
}

static void measure_until(struct swarm *s)
{
    size_t running = 0;
    for (size_t i = 0; i < s->identity_count; i++)
        running += s->nodes[i].gossip != NULL;
    s->is_measuring = false;
    s->stats.measured_us = s->now_us - s->stats.measured_us;
    s->stats.node_us = s->stats.measured_us * running; /* where few die that is near enough */
}

/* One region without faults: a probe and an ack each second, and as many again of others'; the load
 * once to each column of the grid, and as a relay to one column. */
static void check_costs(struct swarm *s)
{
    uint64_t columns = 1;
    while (columns * columns < s->identity_count)
        columns++;
    uint64_t limit = (4 + 4 * columns) * (s->stats.node_us / SWARM_SECOND);
    if (s->failures == 0 && s->stats.datagrams > limit)
        swarm_fail(s, "talk_is_cheap", "%" PRIu64 " datagrams, %" PRIu64 " would do",
                   s->stats.datagrams, limit);
}

static void busy(struct play *p)
{
    struct swarm *s = p->swarm;
    const struct swarm_options *o = &s->options;
    p->busy_until_us = s->now_us + p->plan.seconds * SWARM_SECOND;
    p->faults_left = o->steps ? o->steps : UINT64_MAX;
    s->checks_bounds = true;
    measure_from(s);
    if (p->plan.faults)
        swarm_at(s, s->now_us + SWARM_SECOND, next_fault, (uint64_t)(uintptr_t)p);
    if (p->plan.rolls)
        swarm_at(s, s->now_us + SWARM_SECOND, roll, 0);
    if (p->plan.all_restart)
        swarm_at(s, s->now_us + p->plan.seconds * SWARM_SECOND / 3, restart_all, 0);
    if (p->plan.has_liar)
        swarm_liar_begin(s, p->busy_until_us);
    swarm_run_until(s, p->busy_until_us);
    measure_until(s);
    if (s->loses_nothing && p->plan.regions == 1 && !p->plan.faults && !p->plan.rolls &&
        !p->plan.all_restart)
        check_costs(s);
}

static void live(struct play *p)
{
    struct swarm *s = p->swarm;
    s->loss = p->plan.loss;
    s->tail = p->plan.tail;
    s->mtu = p->plan.mtu;
    /* Who only dials is reached over its links alone: what breaks with one is lost. */
    uint32_t lossy = LOSSY | (p->plan.dialers ? BIT(FLAP) : 0);
    s->loses_nothing =
        p->plan.loss == 0 && p->plan.mtu == 0 && !(p->plan.faults & lossy) && !p->plan.has_liar;
    start_all(s, &p->plan);
    sample(s, 1);
    if (!run_until_equal(s, START_LIMIT_US + (p->plan.loss > 0) * START_LIMIT_US,
                         "the_swarm_comes_up"))
        return;
    if (!p->plan.is_plain)
        swarm_run_until(s, s->now_us + DAMP_US);
    busy(p);
    if (s->failures || p->plan.is_plain)
        return;
    swarm_heal(s);
    if (run_until_equal(s, HEAL_LIMIT_US, "the_swarm_heals") && !p->plan.has_liar)
        run_until_forgotten(s);
}

unsigned swarm_live(const struct swarm_options *options, struct swarm_stats *ret_stats)
{
    struct play p = {.plan = *find(options->scenario)};
    plan_by(&p.plan, options);
    struct swarm *s = p.swarm = swarm_create(options, p.plan.nodes, p.plan.regions);
    s->scenario = options->scenario;
    s->duplicate = 0.005;
    s->tail_us = 300 * SWARM_MS;
    TRACE(&s->trace, NULL, "world", LOG_UINT("seed", options->seed),
          LOG_STR("scenario", options->scenario), LOG_UINT("nodes", p.plan.nodes),
          LOG_UINT("regions", p.plan.regions), LOG_UINT("loss_percent", p.plan.loss * 100),
          LOG_UINT("mtu", p.plan.mtu), LOG_UINT("faults", p.plan.faults));
    live(&p);
    s->is_over = true;
    s->stats.seeds = 1;
    s->stats.simulated_us = s->now_us;
    s->stats.digest = s->digest;
    swarm_stats_settle(&s->stats);
    swarm_stats_add(ret_stats, &s->stats);
    unsigned failures = s->failures;
    swarm_destroy(s);
    return failures;
}
