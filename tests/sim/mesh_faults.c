/* Faults: what may go wrong in a town, when, for how long, and its healing. Each keeps the picture
 * (mesh_calm.h) true, so that verdicts know what was disturbed. */
#include "tests/sim/mesh_town.h"

#include <stdlib.h>

#define CLOCK_OFF_MAX_MS 140000 /* two nodes: below the 5 minutes that are tolerated */

enum fault_kind {
    FAULT_CRASH,
    FAULT_PAUSE,
    FAULT_DRAIN,
    FAULT_PARTITION,
    FAULT_ONE_WAY,
    FAULT_SLOW_PATH,
    FAULT_LINK_RESET,
    FAULT_ENGINE,
    FAULT_ENGINE_PATH,
    FAULT_ENGINE_RESET,
    FAULT_USER_RESET,
    FAULT_CLOCK,
    FAULT_FDS,
    FAULT_NO_UDP,
    FAULT_KINDS
};

static const char *const kind_names[FAULT_KINDS] = {
    "crash",  "pause",       "drain",        "partition",  "one_way", "slow_path", "link_reset",
    "engine", "engine_path", "engine_reset", "user_reset", "clock",   "fds",       "no_udp"};

struct fault {
    struct town *town;
    enum fault_kind kind;
    uint64_t length_us;
    size_t host_a, host_b;
    size_t engine;
    bool (*begin)(struct fault *f);
    void (*end)(struct fault *f);
};

static const char *name_of(const struct fault *f, size_t host, char ret_name[SIM_NAME_SIZE])
{
    return town_host_name(f->town, host, ret_name);
}

/* --- nodes */

static bool is_steady(const struct town_node *n)
{
    return n->node && !n->up.faults && !n->runs.faults && !n->stays.faults;
}

static struct town_node *node_of(const struct fault *f)
{
    return &f->town->nodes[f->host_a];
}

static bool begin_crash(struct fault *f)
{
    if (!is_steady(node_of(f)))
        return false;
    town_node_crash(node_of(f), (enum sim_crash)rng_below(&f->town->rng, 3));
    return true;
}

static void end_crash(struct fault *f)
{
    f->town->stats.restarts++;
    town_node_start(node_of(f));
}

static bool begin_pause(struct fault *f)
{
    if (!is_steady(node_of(f)))
        return false;
    calm_break(&node_of(f)->runs);
    sim_host_pause(f->town->world, node_of(f)->name);
    return true;
}

static void end_pause(struct fault *f)
{
    sim_host_resume(f->town->world, node_of(f)->name);
    calm_mend(&node_of(f)->runs, town_now_us(f->town));
}

static bool begin_drain(struct fault *f)
{
    if (!is_steady(node_of(f)))
        return false;
    town_node_drain(node_of(f));
    return true;
}

static bool begin_clock(struct fault *f)
{
    struct town_node *n = node_of(f);
    int64_t ms = (int64_t)rng_below(&f->town->rng, 2 * CLOCK_OFF_MAX_MS) - CLOCK_OFF_MAX_MS;
    sim_host_step_clock(f->town->world, n->name, ms - n->clock_ms);
    n->clock_ms = ms;
    return true;
}

/* Nothing new can be opened; what is open goes on. */
static bool begin_fds(struct fault *f)
{
    if (node_of(f)->opens.faults)
        return false;
    calm_break(&node_of(f)->opens);
    sim_host_limit_fds(f->town->world, node_of(f)->name, 0);
    return true;
}

static void end_fds(struct fault *f)
{
    sim_host_limit_fds(f->town->world, node_of(f)->name, SIZE_MAX);
    calm_mend(&node_of(f)->opens, town_now_us(f->town));
}

/* --- paths */

static bool take_path(struct fault *f)
{
    struct calm *c = town_path(f->town, f->host_a, f->host_b);
    if (c->faults)
        return false;
    calm_break(c);
    return true;
}

/* Retries had pauses as long as the fault. */
static void give_path(struct fault *f)
{
    calm_mend(town_path(f->town, f->host_a, f->host_b), town_now_us(f->town) + f->length_us);
}

static bool begin_partition(struct fault *f)
{
    char a[SIM_NAME_SIZE], b[SIM_NAME_SIZE];
    if (!take_path(f))
        return false;
    name_of(f, f->host_a, a);
    name_of(f, f->host_b, b);
    sim_link_block(f->town->world, a, b);
    if (f->kind != FAULT_ONE_WAY)
        sim_link_block(f->town->world, b, a);
    return true;
}

static void end_partition(struct fault *f)
{
    char a[SIM_NAME_SIZE], b[SIM_NAME_SIZE];
    name_of(f, f->host_a, a);
    name_of(f, f->host_b, b);
    sim_link_heal(f->town->world, a, b);
    sim_link_heal(f->town->world, b, a);
    give_path(f);
}

static void set_path(struct fault *f, const struct sim_link *link)
{
    char a[SIM_NAME_SIZE], b[SIM_NAME_SIZE];
    name_of(f, f->host_a, a);
    name_of(f, f->host_b, b);
    sim_link_set(f->town->world, a, b, link);
    sim_link_set(f->town->world, b, a, link);
}

static bool begin_slow(struct fault *f)
{
    struct rng *rng = &f->town->rng;
    struct sim_link link = {.latency_min_us = 10000,
                            .latency_max_us = 200000,
                            .jitter_us = 50000,
                            .loss = rng_chance(rng, 0.5) ? 0.03 : 0,
                            .bytes_per_s =
                                rng_chance(rng, 0.5) ? rng_between(rng, 300000, 3000000) : 0};
    if (!take_path(f))
        return false;
    set_path(f, &link);
    return true;
}

static void end_slow(struct fault *f)
{
    set_path(f, &f->town->sim.link);
    give_path(f);
}

static bool begin_reset(struct fault *f)
{
    char a[SIM_NAME_SIZE], b[SIM_NAME_SIZE];
    if (!take_path(f))
        return false;
    sim_streams_reset(f->town->world, name_of(f, f->host_a, a), name_of(f, f->host_b, b), 1,
                      rng_chance(&f->town->rng, 0.5) ? SIM_RESET_BOTH : SIM_RESET_FIRST);
    f->length_us = 0;
    give_path(f);
    return true;
}

/* Nobody may notice: links are there. */
static bool begin_no_udp(struct fault *f)
{
    struct sim_link link = f->town->sim.link;
    if (town_path(f->town, f->host_a, f->host_b)->faults)
        return false;
    link.datagram_loss = 1;
    set_path(f, &link);
    return true;
}

static void end_no_udp(struct fault *f)
{
    if (!town_path(f->town, f->host_a, f->host_b)->faults)
        set_path(f, &f->town->sim.link);
}

/* --- engines */

static bool begin_engine(struct fault *f)
{
    struct engine *e = &f->town->engines[f->engine];
    if (e->well.faults)
        return false;
    calm_break(&e->well);
    engine_set_mode(e, (enum engine_mode)rng_between(&f->town->rng, 1, ENGINE_MODES - 1));
    return true;
}

static void end_engine(struct fault *f)
{
    struct engine *e = &f->town->engines[f->engine];
    engine_set_mode(e, ENGINE_WELL);
    calm_mend(&e->well, town_now_us(f->town));
}

/* --- when */

static void on_end(void *ctx)
{
    struct fault *f = ctx;
    TRACE(&f->town->trace, NULL, "fault_ends", LOG_STR("kind", kind_names[f->kind]));
    f->end(f);
    free(f);
}

static void on_begin(void *ctx)
{
    struct fault *f = ctx;
    struct town *t = f->town;
    char a[SIM_NAME_SIZE], b[SIM_NAME_SIZE];
    if (!f->begin(f)) {
        free(f);
        return;
    }
    t->had_faults = true;
    t->stats.faults++;
    TRACE(&t->trace, NULL, "fault_begins", LOG_STR("kind", kind_names[f->kind]),
          LOG_STR("a", name_of(f, f->host_a, a)), LOG_STR("b", name_of(f, f->host_b, b)),
          LOG_UINT("length_us", f->end ? f->length_us : 0));
    if (f->end)
        sim_world_at(t->world, town_now_us(t) + f->length_us, on_end, f);
    else
        free(f);
}

/* Whom it strikes; false: there is nobody of that sort. */
static bool aim(struct fault *f)
{
    struct town *t = f->town;
    f->host_a = (size_t)rng_below(&t->rng, t->node_count);
    f->host_b = (size_t)rng_below(&t->rng, t->node_count);
    f->engine = (size_t)rng_below(&t->rng, t->engine_count);
    if (f->kind == FAULT_ENGINE_PATH || f->kind == FAULT_ENGINE_RESET) {
        f->host_a = t->engines[f->engine].node;
        f->host_b = town_host_of_engine(t, f->engine);
    } else if (f->kind == FAULT_ENGINE) {
        f->host_b = town_host_of_engine(t, f->engine);
    } else if (f->kind == FAULT_USER_RESET) {
        f->host_b = town_host_of_user(t, (size_t)rng_below(&t->rng, t->user_count));
    }
    bool needs_link =
        (f->kind >= FAULT_PARTITION && f->kind <= FAULT_LINK_RESET) || f->kind == FAULT_NO_UDP;
    return !needs_link || f->host_a != f->host_b;
}

static void plan_one(struct town *t, enum fault_kind kind, uint64_t at_us)
{
    static const struct {
        bool (*begin)(struct fault *f);
        void (*end)(struct fault *f);
    } rows[FAULT_KINDS] = {
        [FAULT_CRASH] = {begin_crash, end_crash},
        [FAULT_PAUSE] = {begin_pause, end_pause},
        [FAULT_DRAIN] = {begin_drain, NULL},
        [FAULT_PARTITION] = {begin_partition, end_partition},
        [FAULT_ONE_WAY] = {begin_partition, end_partition},
        [FAULT_SLOW_PATH] = {begin_slow, end_slow},
        [FAULT_LINK_RESET] = {begin_reset, NULL},
        [FAULT_ENGINE] = {begin_engine, end_engine},
        [FAULT_ENGINE_PATH] = {begin_partition, end_partition},
        [FAULT_ENGINE_RESET] = {begin_reset, NULL},
        [FAULT_USER_RESET] = {begin_reset, NULL},
        [FAULT_CLOCK] = {begin_clock, NULL},
        [FAULT_FDS] = {begin_fds, end_fds},
        [FAULT_NO_UDP] = {begin_no_udp, end_no_udp},
    };
    struct fault *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    *f = (struct fault){.town = t, .kind = kind, .begin = rows[kind].begin, .end = rows[kind].end};
    /* Every order of magnitude from 30 ms to 6 s; some take longer than a request may. */
    uint64_t scale_us = UINT64_C(30) * TOWN_MS << rng_below(&t->rng, 8);
    if (rng_chance(&t->rng, 0.08))
        scale_us = 20 * TOWN_SECOND;
    f->length_us = scale_us + rng_below(&t->rng, scale_us / 2);
    if (aim(f))
        sim_world_at(t->world, at_us, on_begin, f);
    else
        free(f);
}

void town_plan_faults(struct town *t, uint64_t from_us, uint64_t until_us)
{
    unsigned kinds = 0;
    size_t count = (size_t)rng_between(&t->rng, 1, 12);
    bool all = rng_chance(&t->rng, 0.5);
    if (t->options.is_calm || t->seed % 8 == 0)
        return;
    for (size_t i = 0; i < 3; i++)
        kinds |= 1u << rng_below(&t->rng, FAULT_KINDS);
    while (count > 0) {
        enum fault_kind kind = (enum fault_kind)rng_below(&t->rng, FAULT_KINDS);
        if (!all && !(kinds >> kind & 1))
            continue;
        plan_one(t, kind, rng_between(&t->rng, from_us, until_us));
        count--;
    }
}
