/* Random worlds against a naive reading of the rules: nobody whom a hard rule forbids is ever
 * chosen or held in reserve, whatever facts are missing, absurd or told by liars.
 *
 * GV_WORLDS=1000000 runs that many; a failure prints the world's seed. */
#include "decide_fixture.h"

#define WORLDS 3000
#define CANDIDATES_MAX 40

/* --- conditions, each with its naive meaning: 1 true, 0 false, -1 a fact is not known */

struct condition {
    const char *source;
    int (*means)(const struct policy_request *r, const struct policy_candidate *c);
};

static int eu(const struct policy_request *r, const struct policy_candidate *c)
{
    (void)r;
    return c->facts.region.size == 0 ? -1 : bytes_equal(c->facts.region, BYTES("eu"));
}

static int not_cloud(const struct policy_request *r, const struct policy_candidate *c)
{
    (void)r;
    return c->facts.tier == POLICY_TIER_UNKNOWN ? -1 : c->facts.tier != POLICY_CLOUD;
}

static int cool(const struct policy_request *r, const struct policy_candidate *c)
{
    double load = c->live.gpu_load;
    (void)r;
    return !(load >= 0 && load <= 1) ? -1 : load < 0.8;
}

static int near(const struct policy_request *r, const struct policy_candidate *c)
{
    double rtt_us = c->live.rtt_us;
    (void)r;
    return !(rtt_us >= 0) || isinf(rtt_us) ? -1 : rtt_us < 50e3;
}

static int at_home(const struct policy_request *r, const struct policy_candidate *c)
{
    if (c->facts.region.size == 0 || r->region.size == 0)
        return -1;
    return bytes_equal(c->facts.region, r->region);
}

static int cheap_or_short(const struct policy_request *r, const struct policy_candidate *c)
{
    double price = c->facts.price_output;
    int cheap = !(price >= 0) || isinf(price) ? -1 : price < 0.01;
    int brief = r->output_tokens < 0 ? -1 : r->output_tokens < 50;
    return cheap == 1 || brief == 1 ? 1 : cheap < 0 || brief < 0 ? -1 : 0;
}

static int queue_or_unknown(const struct policy_request *r, const struct policy_candidate *c)
{
    (void)r;
    return c->live.queued < 0 || c->live.queued < 3;
}

static const struct condition conditions[] = {
    {"node.region == 'eu'", eu},
    {"node.tier != 'cloud'", not_cloud},
    {"backend.gpu.load < 0.8", cool},
    {"link.rtt < duration('50ms')", near},
    {"node.region == request.region", at_home},
    {"price.output < 0.01 || request.output_tokens < 50", cheap_or_short},
    {"!has(backend.queued) || backend.queued < 3", queue_or_unknown},
};
#define CONDITIONS (sizeof conditions / sizeof conditions[0])

/* --- worlds */

struct naive {
    const struct condition *require[3];
    size_t require_count;
    const struct condition *where[4]; /* NULL: all */
};

static double some_real(struct rng *rng, double max)
{
    switch (rng_below(rng, 8)) {
    case 0: return NAN;
    case 1: return -1;
    case 2: return 0;
    case 3: return rng_chance(rng, 0.5) ? INFINITY : 1e300;
    default: return rng_unit(rng) * max;
    }
}

static int64_t some_count(struct rng *rng, uint64_t max)
{
    return rng_chance(rng, 0.2) ? -1 : (int64_t)rng_below(rng, max);
}

static void fill(struct decide_world *w, struct rng *rng, struct policy_candidate *c)
{
    static const char *const regions[] = {"eu", "us", ""};
    static const uint8_t verdicts[] = {POLICY_SPARE,       POLICY_SPARE,   POLICY_SPARE,
                                       POLICY_TRIED,       POLICY_BREAKER, POLICY_BUSY,
                                       POLICY_UNREACHABLE, POLICY_DOUBTFUL};
    c->facts.region = bytes_from_str(regions[rng_below(rng, 3)]);
    c->facts.tier = (enum policy_tier)rng_below(rng, POLICY_TIERS);
    c->facts.price_input = some_real(rng, 0.1);
    c->facts.price_output = some_real(rng, 0.1);
    c->facts.egress_price = some_real(rng, 0.1);
    c->facts.spot = rng_chance(rng, 0.3);
    c->facts.local = rng_chance(rng, 0.1);
    c->barred = rng_chance(rng, 0.1) ? ERR_RESIDENCY : ERR_OK;
    c->live.age_ms = some_count(rng, 100000);
    c->live.inflight = some_count(rng, 100);
    c->live.queued = some_count(rng, 6);
    c->live.slots = some_count(rng, 16);
    c->live.own_inflight = some_count(rng, 10);
    c->live.gpu_load = some_real(rng, 1.2);
    c->live.error_rate = some_real(rng, 1);
    c->live.rtt_us = some_real(rng, 100e3);
    c->live.loss = some_real(rng, 1);
    c->live.first_us = some_real(rng, 1e6);
    c->live.prefill_us = some_real(rng, 1000);
    c->live.decode_us = some_real(rng, 50e3);
    c->live.health = some_real(rng, 1);
    c->live.weight = some_real(rng, 1);
    c->live.warm = (int64_t)rng_below(rng, 3) - 1;
    c->live.reclaim_per_hour = some_real(rng, 1);
    w->verdicts[c - w->items] = verdicts[rng_below(rng, sizeof verdicts)];
}

/* Programs are compiled once and lent to the rules of all worlds. */
static struct policy_predicate predicates[CONDITIONS];

static const struct condition *some_condition(struct rng *rng, struct policy_predicate *ret)
{
    size_t i = (size_t)rng_below(rng, CONDITIONS);
    *ret = predicates[i];
    return &conditions[i];
}

static void make(struct decide_world *w, struct rng *rng, struct naive *naive)
{
    static const char *const presets[] = {"latency-first", "cost-optimized", "availability-first"};
    struct policy_rule *rule = &w->rule;
    w->m.count = w->l.count = 0;
    policy_pools_clear(&w->m);
    policy_pools_clear(&w->l);
    use_preset(w, presets[rng_below(rng, 3)]);
    rule->require_count = (size_t)rng_below(rng, 3);
    rule->step_count = (size_t)rng_below(rng, 4);
    rule->last_resort = rng_chance(rng, 0.5);
    for (size_t i = 0; i < rule->require_count; i++)
        naive->require[i] = some_condition(rng, &rule->require[i]);
    for (size_t i = 0; i < rule->step_count; i++) {
        rule->steps[i] = (struct policy_step){.name = BYTES("s")};
        naive->where[i] = rng_chance(rng, 0.2) ? NULL : some_condition(rng, &rule->steps[i].where);
    }
    w->first_step = (size_t)rng_below(rng, rule->step_count + 1);
    w->cost_left_usd = rng_chance(rng, 0.3) ? rng_unit(rng) * 0.01 : NAN;
    w->request.region = bytes_from_str(rng_chance(rng, 0.3) ? "" : "eu");
    w->request.output_tokens = some_count(rng, 100);
    w->request.input_tokens = some_count(rng, 10000);
    w->request.deadline_ms = rng_chance(rng, 0.5) ? -1 : (int64_t)rng_below(rng, 10000);
    size_t count = 1 + (size_t)rng_below(rng, CANDIDATES_MAX);
    for (size_t i = 0; i < count; i++)
        fill(w, rng, add_candidate(w));
}

/* --- the naive reading */

static bool is_true(const struct condition *condition, const struct decide_world *w,
                    const struct policy_candidate *c)
{
    return !condition || condition->means(&w->request, c) == 1;
}

static bool is_cheap_enough(const struct decide_world *w, const struct policy_candidate *c)
{
    struct policy_score s;
    policy_score(&w->strategy.weights, &w->request, c, &s);
    return isnan(w->cost_left_usd) || s.cost_usd <= w->cost_left_usd;
}

/* May it serve at this step, whatever its score? */
static bool may(const struct decide_world *w, const struct naive *naive,
                const struct policy_candidate *c, size_t step)
{
    uint8_t verdict = w->verdicts[c - w->items];
    bool ok = c->barred == ERR_OK && (verdict == POLICY_SPARE || verdict == POLICY_DOUBTFUL) &&
              is_cheap_enough(w, c);
    for (size_t i = 0; i < w->rule.require_count; i++)
        ok = ok && is_true(naive->require[i], w, c);
    return ok && (step >= w->rule.step_count || is_true(naive->where[step], w, c));
}

static bool has_somebody(const struct decide_world *w, const struct naive *naive, size_t from,
                         size_t end, bool is_quick)
{
    for (size_t step = from; step < end; step++)
        for (size_t i = 0; i < w->m.count; i++) {
            const struct policy_candidate *c = &w->items[i];
            struct policy_score s;
            policy_score(&w->strategy.weights, &w->request, c, &s);
            bool quick = w->verdicts[i] == POLICY_SPARE &&
                         (w->request.deadline_ms < 0 ||
                          s.answer_us <= (double)w->request.deadline_ms * 1000);
            if (may(w, naive, c, step) && (!is_quick || quick))
                return true;
        }
    return false;
}

#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return #cond;                                                                          \
    } while (0)

/* NULL, or what does not hold. */
static const char *check(const struct decide_world *w, const struct naive *naive)
{
    const struct policy_plan *plan = &w->plan;
    size_t end = w->rule.step_count + (w->rule.step_count == 0 || w->rule.last_resort);
    REQUIRE(plan->good <= plan->count && plan->count <= POLICY_LOOKED_MAX);
    REQUIRE((plan->good > 0) == has_somebody(w, naive, w->first_step, end, false));
    for (size_t i = 0; i < plan->good; i++) {
        const struct policy_look *look = &plan->looks[i];
        REQUIRE(look->step >= w->first_step && look->step < end);
        REQUIRE(look->step == plan->looks[0].step);
        REQUIRE(may(w, naive, look->candidate, look->step));
        REQUIRE(!isnan(look->score));
        for (size_t k = 0; k < i; k++)
            REQUIRE(look->candidate != plan->looks[k].candidate);
    }
    /* Whoever can be asked and is quick enough at an earlier step goes before. */
    if (plan->good > 0)
        REQUIRE(!has_somebody(w, naive, w->first_step, plan->looks[0].step, true));
    for (size_t i = plan->good; i < plan->count; i++)
        REQUIRE(plan->looks[i].verdict != POLICY_CHOSEN && plan->looks[i].verdict != POLICY_SPARE);
    return NULL;
}

static const char *check_again(const struct decide_world *w, const struct policy_plan *first)
{
    REQUIRE(first->good == w->plan.good);
    for (size_t i = 0; i < first->good; i++)
        REQUIRE(first->looks[i].candidate == w->plan.looks[i].candidate);
    return NULL;
}

static void no_world_has_a_forbidden_choice(void **state)
{
    struct decide_world *w = *state;
    const char *given = getenv("GV_WORLDS");
    uint64_t worlds = given ? strtoull(given, NULL, 10) : WORLDS;
    for (size_t i = 0; i < CONDITIONS; i++)
        compile(conditions[i].source, &predicates[i]);
    for (uint64_t seed = 1; seed <= worlds; seed++) {
        struct naive naive = {{NULL}, 0, {NULL}};
        struct policy_plan first;
        struct rng rng, before;
        rng_init(&rng, seed);
        make(w, &rng, &naive);
        rng_init(&w->rng, seed);
        before = w->rng;
        assert_int_equal(decide(w), ERR_OK);
        const char *wrong = check(w, &naive);
        first = w->plan;
        w->rng = before; /* the same world and seed, the same plan */
        policy_pools_clear(&w->m);
        assert_int_equal(decide(w), ERR_OK);
        wrong = wrong ? wrong : check_again(w, &first);
        if (wrong)
            fail_msg("world %llu: %s", (unsigned long long)seed, wrong);
    }
    for (size_t i = 0; i < CONDITIONS; i++)
        policy_cel_program_destroy(predicates[i].program);
    w->rule.require_count = w->rule.step_count = 0; /* what they lent is given back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {DECIDE_TEST(no_world_has_a_forbidden_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
