/* A pool: the candidates that pass what seldom changes of a rule and one of its steps, in the order
 * of what they would score when idle. Cached beside the candidates, by rule and step. Inside policy/:
 * decide.c only. */
#ifndef POLICY_POOL_H
#define POLICY_POOL_H

#include "policy/decide.h"

#define POLICY_POOLS_MAX 512 /* of one model; the one that was used longest ago makes room */
#define POLICY_LEFT_MAX 8    /* of those that do not pass, kept for explain */

struct policy_left {
    uint32_t index;
    uint8_t verdict;
};

struct policy_pool {
    struct policy_pool *next; /* most recently used first */
    const struct policy_rule *rule;
    size_t step; /* step_count: the last resort */
    uint64_t made_ms;
    uint32_t count; /* that pass */
    uint32_t left_count;
    struct policy_left left[POLICY_LEFT_MAX];
    uint32_t ranks[]; /* `count` indices of candidates, best first */
};

/* NULL: no memory. */
const struct policy_pool *policy_pool_get(const struct policy_ask *ask,
                                          struct policy_candidates *candidates, size_t step);
/* Of a step, or of the rule where the step has none. */
const struct policy_weights *policy_weights_of(const struct policy_rule *rule, size_t step);

#endif
