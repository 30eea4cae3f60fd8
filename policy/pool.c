/* See pool.h. Building one is O(candidates), once per POLICY_POOL_AGE_MS at most; using it is
 * not. */
#include "policy/pool.h"

#include <math.h>
#include <stdlib.h>

#define TIE 0.05 /* scores this close are the same: chance orders them, differently on each node */

const struct policy_weights *policy_weights_of(const struct policy_rule *rule, size_t step)
{
    const struct policy_strategy *own = step < rule->step_count ? rule->steps[step].strategy : NULL;
    return own ? &own->weights : &rule->strategy->weights;
}

void policy_pools_clear(struct policy_candidates *c)
{
    while (c->pools) {
        struct policy_pool *next = c->pools->next;
        free(c->pools);
        c->pools = next;
    }
}

/* --- what passes */

static bool holds_static(const struct policy_predicate *p, const struct policy_candidate *c,
                         struct cel_vm *vm)
{
    struct policy_values values;
    const struct cel_value *facts[POLICY_GROUPS] = {NULL, values.slots, NULL};
    if (!p->program || p->static_parts == 0)
        return true;
    policy_facts_fill(POLICY_STATIC, &c->facts, p->reads[POLICY_STATIC], &values);
    return policy_holds(p, p->static_parts, vm, facts);
}

static enum policy_verdict judge(const struct policy_ask *ask, size_t step,
                                 const struct policy_candidate *c)
{
    const struct policy_rule *rule = ask->rule;
    if (c->barred != ERR_OK)
        return POLICY_BARRED;
    for (size_t i = 0; i < rule->require_count; i++)
        if (!holds_static(&rule->require[i], c, ask->vm))
            return POLICY_REQUIRE_FAILED;
    if (step < rule->step_count && !holds_static(&rule->steps[step].where, c, ask->vm))
        return POLICY_STEP_FAILED;
    return POLICY_SPARE;
}

/* --- order */

struct ranked {
    uint32_t index;
    int32_t bucket;
    uint64_t chance;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return x->chance < y->chance ? -1 : x->chance > y->chance;
}

/* As if it had nothing to do: what it has changes while the pool is used. */
static int32_t idle_bucket(const struct policy_ask *ask, size_t step, struct policy_candidate *c)
{
    struct policy_score s;
    (void)ask->ops->refresh(ask->ctx, c);
    struct policy_candidate idle = *c;
    idle.live.age_ms = 0;
    idle.live.inflight = idle.live.queued = idle.live.own_inflight = 0;
    idle.live.cached_tokens = 0;
    policy_score(policy_weights_of(ask->rule, step), ask->request, &idle, &s);
    return (int32_t)floor(log(fmax(s.score, 1e-9)) / log1p(TIE));
}

static size_t rank_all(const struct policy_ask *ask, struct policy_candidates *candidates,
                       size_t step, struct ranked *ranked, struct policy_pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < candidates->count; i++) {
        struct policy_candidate *c = &candidates->items[i];
        enum policy_verdict v = judge(ask, step, c);
        if (v == POLICY_SPARE)
            ranked[count++] =
                (struct ranked){(uint32_t)i, idle_bucket(ask, step, c), rng_next(ask->rng)};
        else if (pool->left_count < POLICY_LEFT_MAX)
            pool->left[pool->left_count++] = (struct policy_left){(uint32_t)i, (uint8_t)v};
    }
    qsort(ranked, count, sizeof *ranked, by_rank);
    return count;
}

static void write_ranks(struct policy_pool *pool, const struct ranked *ranked)
{
    for (uint32_t first = 0, end; first < pool->count; first = end) {
        end = first + 1;
        while (end < pool->count && ranked[end].bucket == ranked[first].bucket)
            end++;
        for (uint32_t i = first; i < end; i++)
            pool->ranks[i] = (struct policy_rank){ranked[i].index, first, end};
    }
}

static struct policy_pool *make(const struct policy_ask *ask, struct policy_candidates *candidates,
                                size_t step)
{
    struct ranked *ranked = malloc((candidates->count + 1) * sizeof *ranked);
    struct policy_pool *pool = malloc(sizeof *pool + candidates->count * sizeof pool->ranks[0]);
    if (!ranked || !pool) {
        free(ranked);
        free(pool);
        return NULL;
    }
    *pool = (struct policy_pool){.rule = ask->rule, .step = step, .made_ms = ask->request->now_ms};
    pool->count = (uint32_t)rank_all(ask, candidates, step, ranked, pool);
    write_ranks(pool, ranked);
    free(ranked);
    return pool;
}

/* --- the cache */

/* Takes it out of the list, where it is there and young enough; counts the others. */
static struct policy_pool *take(struct policy_candidates *c, const struct policy_rule *rule,
                                size_t step, uint64_t now_ms)
{
    size_t count = 0;
    for (struct policy_pool **at = &c->pools; *at; at = &(*at)->next) {
        struct policy_pool *pool = *at;
        bool is_it = pool->rule == rule && pool->step == step;
        if (!is_it && ++count < POLICY_POOLS_MAX)
            continue;
        *at = pool->next;
        if (is_it && now_ms - pool->made_ms < POLICY_POOL_AGE_MS)
            return pool;
        free(pool);
        return NULL;
    }
    return NULL;
}

struct policy_pool *policy_pool_get(const struct policy_ask *ask,
                                    struct policy_candidates *candidates, size_t step)
{
    struct policy_pool *pool = take(candidates, ask->rule, step, ask->request->now_ms);
    if (!pool)
        pool = make(ask, candidates, step);
    if (!pool)
        return NULL;
    pool->next = candidates->pools;
    candidates->pools = pool;
    return pool;
}
