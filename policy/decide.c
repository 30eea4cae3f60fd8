/* The decision; see decide.h. Called for every attempt of every request, so nothing here is
 * proportional to the candidates but the last look when a sample found nobody. */
#include "policy/health.h"
#include "policy/pool.h"

#include <math.h>

#define WHOLE_MAX 16 /* a pool this small is looked at whole */
#define GOOD_MAX POLICY_LOOKED_MAX
#define MANY 2       /* a sample with so many good ones asks no hints */
#define DRAWS_MAX 24 /* to find POLICY_SAMPLE_MAX distinct ones */
#define HOME 0.1     /* of a prompt: who holds so much more of it than the next best draws it */
#define BAND 0.05    /* an own candidate this close to the best saves the hop */
/* How strongly a better score draws: what load changes is old, and seen by others too, so that not
 * all run to the same; what no load changes draws more. */
#define SHARE_LOAD 3
#define SHARE_STEADY 16
#define SHARE_MIN 1e-6 /* who is far worse is tried once in a million times */

static const char *const names[] = {
    [POLICY_CHOSEN] = "chosen",
    [POLICY_SPARE] = "spare",
    [POLICY_WORSE] = "worse",
    [POLICY_REQUIRE_FAILED] = "require_failed",
    [POLICY_STEP_FAILED] = "step_failed",
    [POLICY_BARRED] = "barred",
    [POLICY_TRIED] = "tried",
    [POLICY_BREAKER] = "breaker",
    [POLICY_BUSY] = "busy",
    [POLICY_DRAINING] = "draining",
    [POLICY_UNREACHABLE] = "unreachable",
    [POLICY_DOUBTFUL] = "doubtful",
    [POLICY_TOO_DEAR] = "too_dear",
    [POLICY_TOO_SLOW] = "too_slow",
};

const char *policy_verdict_name(enum policy_verdict v)
{
    return v < POLICY_VERDICTS ? names[v] : "";
}

struct run {
    const struct policy_ask *ask;
    struct policy_plan *plan;
    struct policy_values request;
    struct policy_wanted request_filled;
    size_t step;
    struct policy_look good[GOOD_MAX]; /* of this step */
    size_t good_count;
};

/* --- conditions */

static bool holds_now(struct run *run, const struct policy_predicate *p,
                      const struct policy_candidate *c)
{
    struct policy_values facts_static, facts_live;
    const struct cel_value *facts[POLICY_GROUPS] = {run->request.slots, facts_static.slots,
                                                    facts_live.slots};
    if (!p->program)
        return true;
    struct policy_wanted missing = {p->reads[POLICY_REQUEST].bits & ~run->request_filled.bits};
    if (missing.bits) {
        policy_facts_fill(POLICY_REQUEST, run->ask->request, missing, &run->request);
        run->request_filled.bits |= missing.bits;
    }
    policy_facts_fill(POLICY_STATIC, &c->facts, p->reads[POLICY_STATIC], &facts_static);
    policy_facts_fill(POLICY_LIVE, &c->live, p->reads[POLICY_LIVE], &facts_live);
    return policy_holds(p, ~p->static_parts, run->ask->vm, facts);
}

static enum policy_verdict judge(struct run *run, const struct policy_candidate *c)
{
    const struct policy_rule *rule = run->ask->rule;
    for (size_t i = 0; i < rule->require_count; i++)
        if (!holds_now(run, &rule->require[i], c))
            return POLICY_REQUIRE_FAILED;
    if (run->step < rule->step_count && !holds_now(run, &rule->steps[run->step].where, c))
        return POLICY_STEP_FAILED;
    return POLICY_SPARE;
}

bool policy_allows(const struct policy_rule *rule, struct cel_vm *vm,
                   const struct policy_request *request, const struct policy_candidate *c)
{
    struct policy_values values[POLICY_GROUPS];
    const struct cel_value *facts[POLICY_GROUPS] = {values[0].slots, values[1].slots,
                                                    values[2].slots};
    const void *from[POLICY_GROUPS] = {request, &c->facts, &c->live};
    for (size_t i = 0; i < rule->require_count; i++) {
        const struct policy_predicate *p = &rule->require[i];
        for (int g = 0; g < POLICY_GROUPS; g++)
            policy_facts_fill((enum policy_group)g, from[g], p->reads[g], &values[g]);
        if (!policy_holds(p, POLICY_ALL_PARTS, vm, facts))
            return false;
    }
    return true;
}

/* --- looking at one */

/* Better than nobody. */
static bool is_fallback(const struct policy_look *look)
{
    return look->verdict == POLICY_TOO_SLOW || look->verdict == POLICY_DOUBTFUL;
}

/* Without room those that could still be needed take the place of others. */
static void keep(struct policy_plan *plan, const struct policy_look *look)
{
    if (plan->count < POLICY_LOOKED_MAX) {
        plan->looks[plan->count++] = *look;
        return;
    }
    plan->cut = true;
    for (size_t i = 0; is_fallback(look) && i < plan->count; i++)
        if (!is_fallback(&plan->looks[i])) {
            plan->looks[i] = *look;
            return;
        }
}

static bool is_over_money(const struct policy_ask *ask, const struct policy_score *s)
{
    return !isnan(ask->cost_left_usd) && !(s->cost_usd <= ask->cost_left_usd);
}

static bool is_over_time(const struct policy_ask *ask, const struct policy_score *s)
{
    return ask->request->deadline_ms >= 0 &&
           s->answer_us > (double)ask->request->deadline_ms * 1000;
}

static enum policy_verdict weigh(struct run *run, enum policy_verdict v, struct policy_look *look)
{
    struct policy_score s;
    const struct policy_ask *ask = run->ask;
    policy_score(policy_weights_of(ask->rule, run->step), ask->request, look->candidate, &s);
    look->score = s.score;
    look->answer_us = s.answer_us;
    look->cost_usd = s.cost_usd;
    look->failure = s.failure;
    look->steady = s.steady;
    if (is_over_money(ask, &s))
        return POLICY_TOO_DEAR;
    return v == POLICY_SPARE && is_over_time(ask, &s) ? POLICY_TOO_SLOW : v;
}

static void look_at(struct run *run, struct policy_candidate *c)
{
    struct policy_look look = {.candidate = c,
                               .step = (uint16_t)run->step,
                               .score = NAN,
                               .answer_us = NAN,
                               .cost_usd = NAN,
                               .failure = NAN};
    enum policy_verdict v = run->ask->ops->refresh(run->ask->ctx, c);
    if (v == POLICY_SPARE || v == POLICY_DOUBTFUL) {
        enum policy_verdict rules = judge(run, c);
        v = rules == POLICY_SPARE ? weigh(run, v, &look) : rules;
    }
    look.verdict = (uint8_t)v;
    if (v == POLICY_SPARE && run->good_count < GOOD_MAX) {
        run->good[run->good_count++] = look;
        return;
    }
    keep(run->plan, &look);
}

/* --- sampling */

/* Every octave of ranks is as likely as another: near the best most, but everybody now and then.
 * Those that are equal when idle are equally likely. */
static uint32_t draw_rank(struct rng *rng, const struct policy_pool *pool)
{
    double rank = exp(rng_unit(rng) * log1p((double)pool->count)) - 1;
    const struct policy_rank *r = &pool->ranks[rank < pool->count ? (uint32_t)rank : 0];
    return r->first + (uint32_t)rng_below(rng, r->end - r->first);
}

struct seen { /* ranks that were looked at */
    uint32_t ranks[POLICY_SAMPLE_MAX + POLICY_HINTS_MAX];
    size_t count;
};

static bool was_seen(const struct seen *seen, uint32_t rank)
{
    for (size_t i = 0; i < seen->count; i++)
        if (seen->ranks[i] == rank)
            return true;
    return false;
}

static void look_at_rank(struct run *run, const struct policy_pool *pool,
                         struct policy_candidates *candidates, uint32_t rank, struct seen *seen)
{
    if (was_seen(seen, rank))
        return;
    seen->ranks[seen->count++] = rank;
    look_at(run, &candidates->items[pool->ranks[rank].index]);
}

/* A sample found nobody: all the others, until a few are found. Who they are is remembered, so that
 * the next decision need not search again. */
static void search(struct run *run, struct policy_pool *pool, struct policy_candidates *candidates,
                   const struct seen *seen)
{
    pool->hint_count = 0;
    for (uint32_t rank = 0; rank < pool->count && pool->hint_count < POLICY_HINTS_MAX; rank++) {
        size_t before = run->good_count;
        if (was_seen(seen, rank))
            continue;
        look_at(run, &candidates->items[pool->ranks[rank].index]);
        if (run->good_count > before)
            pool->hints[pool->hint_count++] = rank;
    }
}

static void look_at_pool(struct run *run, struct policy_pool *pool,
                         struct policy_candidates *candidates)
{
    struct seen seen = {.count = 0};
    if (pool->count <= WHOLE_MAX) {
        for (uint32_t rank = 0; rank < pool->count; rank++)
            look_at(run, &candidates->items[pool->ranks[rank].index]);
        return;
    }
    run->plan->cut = true;
    for (int i = 0; i < DRAWS_MAX && seen.count < POLICY_SAMPLE_MAX; i++)
        look_at_rank(run, pool, candidates, draw_rank(run->ask->rng, pool), &seen);
    bool is_enough = run->good_count >= MANY;
    for (uint32_t i = 0; !is_enough && i < pool->hint_count; i++)
        look_at_rank(run, pool, candidates, pool->hints[i], &seen);
    if (run->good_count == 0)
        search(run, pool, candidates, &seen);
}

/* --- choosing */

static void swap(struct policy_look *a, struct policy_look *b)
{
    struct policy_look t = *a;
    *a = *b;
    *b = t;
}

static void sort_good(struct run *run)
{
    for (size_t i = 1; i < run->good_count; i++)
        for (size_t k = i; k > 0 && run->good[k].score < run->good[k - 1].score; k--)
            swap(&run->good[k], &run->good[k - 1]);
}

static double share_or(double value, double otherwise)
{
    return value >= 0 && value <= 1 ? value : otherwise;
}

static double weight_of(const struct run *run, size_t index)
{
    return share_or(run->good[index].candidate->live.weight, 1);
}

/* Of the requests, against 1 of the best. */
static double share_of(const struct run *run, size_t index)
{
    const struct policy_look *best = &run->good[0], *look = &run->good[index];
    double power = SHARE_LOAD + (SHARE_STEADY - SHARE_LOAD) * best->steady;
    double better = look->score > 0 ? best->score / look->score : 1;
    double health = share_or(look->candidate->live.health, POLICY_HEALTH_UNKNOWN);
    return fmax(pow(better, power) * health, SHARE_MIN);
}

/* Who comes back from trouble gets its part of an equal share, whatever is still thought of it:
 * otherwise nobody would find out that it is well. */
static size_t try_out(struct run *run)
{
    for (size_t i = 0; i < run->good_count; i++) {
        double weight = weight_of(run, i);
        if (weight < 1 && rng_chance(run->ask->rng, weight / (double)run->good_count))
            return i;
    }
    return SIZE_MAX;
}

/* When it is due, in virtual time from the newest choice of its model: a share after its own last
 * one. Those that were never chosen begin anywhere within theirs. */
static double due_of(struct run *run, const struct policy_look *look)
{
    double turn = look->candidate->live.turn, wait = 1 / look->share;
    return isnan(turn) ? wait * rng_unit(run->ask->rng) : turn + wait;
}

/* The best one holds much more of the prompt than the next best. What draws it is of this request
 * alone, so others with the same old facts do not run after it, and its queue was counted: no need
 * to spread. What both hold, as a common beginning that many have, decides nothing. */
static bool is_at_home(const struct run *run)
{
    double held = run->good[0].candidate->live.cached_tokens;
    double next = run->good_count > 1 ? run->good[1].candidate->live.cached_tokens : held;
    double all = (double)run->ask->request->input_tokens; /* negative: not known */
    return weight_of(run, 0) >= 1 && all > 0 && held - next > HOME * all;
}

/* An own one that is as good as the best: it saves the hop, and its load is known exactly. Else the
 * best if it holds the prompt, else whose turn it is. */
static size_t choose(struct run *run)
{
    double bound = run->good[0].score * (1 + BAND), first = INFINITY;
    size_t whole = 0, chosen = 0;
    for (size_t i = 0; i < run->good_count; i++) {
        run->good[i].share = share_of(run, i);
        whole += weight_of(run, i) >= 1;
    }
    bool is_home = is_at_home(run);
    size_t tried = try_out(run);
    if (tried != SIZE_MAX)
        return tried;
    for (size_t i = 0; i < run->good_count; i++) {
        const struct policy_look *look = &run->good[i];
        if (whole > 0 && weight_of(run, i) < 1)
            continue;
        if (look->candidate->facts.local && look->score <= bound)
            return i;
        if (is_home && i == 0)
            return 0;
        double due = due_of(run, look);
        if (due < first) {
            first = due;
            chosen = i;
        }
    }
    return chosen;
}

static double hedge_after_us(const struct policy_rule *rule, const struct policy_candidate *c)
{
    double p = rule->limits.hedge_percentile;
    double p50 = c->live.ttft_p50_us, p99 = c->live.ttft_p99_us;
    if (rule->limits.hedge_after_ms >= 0)
        return (double)rule->limits.hedge_after_ms * 1000;
    if (!(p > 0 && p < 1) || !(p50 >= 0) || !(p99 >= p50))
        return NAN;
    /* A tail that falls exponentially through both. */
    double share = log(2 * (1 - fmin(fmax(p, 0.5), 0.99))) / log(2 * (1 - 0.99));
    return p50 + (p99 - p50) * share;
}

/* This very look; why an earlier step left it is worth to be told. */
static bool is_good(const struct run *run, const struct policy_look *look)
{
    for (size_t i = 0; i < run->good_count; i++)
        if (run->good[i].candidate == look->candidate && run->good[i].step == look->step)
            return true;
    return false;
}

/* The chosen one first, the spares after it, then whatever else was looked at. */
static void write_plan(struct run *run, size_t chosen)
{
    struct policy_plan *plan = run->plan;
    struct policy_look looks[POLICY_LOOKED_MAX];
    size_t count = 0;
    run->good[chosen].verdict = POLICY_CHOSEN;
    looks[count++] = run->good[chosen];
    for (size_t i = 0; i < run->good_count && count < POLICY_LOOKED_MAX; i++)
        if (i != chosen)
            looks[count++] = run->good[i];
    plan->good = count;
    for (size_t i = 0; i < plan->count && count < POLICY_LOOKED_MAX; i++)
        if (!is_good(run, &plan->looks[i]))
            looks[count++] = plan->looks[i];
    memcpy(plan->looks, looks, count * sizeof looks[0]);
    plan->count = count;
    plan->model = looks[0].candidate->facts.model;
    plan->hedge_after_us = hedge_after_us(run->ask->rule, looks[0].candidate);
}

/* --- steps */

static void note_left(struct run *run, const struct policy_pool *pool,
                      struct policy_candidates *candidates)
{
    for (uint32_t i = 0; i < pool->left_count; i++) {
        const struct policy_look look = {.candidate = &candidates->items[pool->left[i].index],
                                         .step = (uint16_t)run->step,
                                         .verdict = pool->left[i].verdict,
                                         .score = NAN,
                                         .answer_us = NAN,
                                         .cost_usd = NAN,
                                         .failure = NAN};
        keep(run->plan, &look);
    }
}

static enum err try_model(struct run *run, struct bytes model, bool *is_found)
{
    struct policy_candidates *candidates = run->ask->ops->find(run->ask->ctx, model);
    if (!candidates)
        return ERR_OK;
    *is_found = true;
    struct policy_pool *pool = policy_pool_get(run->ask, candidates, run->step);
    if (!pool)
        return ERR_NO_MEMORY;
    look_at_pool(run, pool, candidates);
    note_left(run, pool, candidates);
    return ERR_OK;
}

/* The models of a step are tried in their order: the first that has somebody. */
static enum err try_step(struct run *run, bool *is_found)
{
    const struct policy_rule *rule = run->ask->rule;
    const struct policy_step *step = run->step < rule->step_count ? &rule->steps[run->step] : NULL;
    if (!step || step->model_count == 0)
        return try_model(run, run->ask->model, is_found);
    for (size_t i = 0; i < step->model_count && run->good_count == 0; i++)
        if (!run->ask->keep_model || bytes_equal(step->models[i], run->ask->model))
            TRY(try_model(run, step->models[i], is_found));
    return ERR_OK;
}

/* The verdict that says most: what the rules forbid before what is only so now. */
static enum policy_verdict reason_for_none(const struct policy_plan *plan)
{
    static const uint8_t order[] = {POLICY_TOO_DEAR,    POLICY_BREAKER,       POLICY_BUSY,
                                    POLICY_DRAINING,    POLICY_TRIED,         POLICY_UNREACHABLE,
                                    POLICY_STEP_FAILED, POLICY_REQUIRE_FAILED};
    for (size_t k = 0; k < sizeof order; k++)
        for (size_t i = 0; i < plan->count; i++)
            if (plan->looks[i].verdict == order[k])
                return (enum policy_verdict)order[k];
    return POLICY_BARRED;
}

/* Better than nobody: of the earliest step that has any. */
static void take_back(struct run *run, enum policy_verdict verdict)
{
    const struct policy_plan *plan = run->plan;
    uint16_t step = UINT16_MAX;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->looks[i].verdict == verdict && plan->looks[i].step < step)
            step = plan->looks[i].step;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->looks[i].verdict == verdict && plan->looks[i].step == step)
            run->good[run->good_count++] = plan->looks[i];
}

static void finish(struct run *run)
{
    if (run->good_count == 0)
        take_back(run, POLICY_TOO_SLOW);
    if (run->good_count == 0)
        take_back(run, POLICY_DOUBTFUL);
    if (run->good_count == 0) {
        run->plan->none = reason_for_none(run->plan);
        return;
    }
    sort_good(run);
    write_plan(run, choose(run));
}

enum err policy_decide(const struct policy_ask *ask, struct policy_plan *ret_plan)
{
    struct run run = {.ask = ask, .plan = ret_plan};
    const struct policy_rule *rule = ask->rule;
    size_t end = rule->step_count + (rule->step_count == 0 || rule->last_resort);
    bool is_found = ask->first_step >= end; /* it was, by an earlier attempt */
    ret_plan->rule = rule;
    ret_plan->count = ret_plan->good = 0;
    ret_plan->cut = false;
    ret_plan->model = ask->model;
    ret_plan->hedge_after_us = NAN;
    ret_plan->none = POLICY_BARRED;
    for (run.step = ask->first_step; run.step < end && run.good_count == 0; run.step++) {
        enum err e = try_step(&run, &is_found);
        if (e != ERR_OK)
            return e;
    }
    if (!is_found)
        return ERR_NOT_FOUND;
    finish(&run);
    return ERR_OK;
}
