/* A pool: the candidates that pass what seldom changes of a rule and one of its steps, in the order
 * of what they would score when idle. Cached beside the candidates, by rule and step. Only
 * decide.c's. */
#ifndef POLICY_POOL_H
#define POLICY_POOL_H

#include "policy/decide.h"

#define POLICY_POOLS_MAX 512 /* of one model; the one that was used longest ago makes room */
#define POLICY_LEFT_MAX 8    /* of those that do not pass, kept for explain */

#define POLICY_HINTS_MAX 8 /* of a long search, for the next one */

struct policy_rank {
    uint32_t index;      /* of the candidate */
    uint32_t first, end; /* ranks of those that are as good when idle */
};

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
    uint32_t hint_count;
    uint32_t hints[POLICY_HINTS_MAX]; /* ranks that could be used when a sample had found nobody */
    struct policy_left left[POLICY_LEFT_MAX];
    struct policy_rank ranks[]; /* `count`, best first */
};

/* NULL: no memory. */
struct policy_pool *policy_pool_get(const struct policy_ask *ask,
                                    struct policy_candidates *candidates, size_t step);
/* Of a step, or of the rule where the step has none. */
const struct policy_weights *policy_weights_of(const struct policy_rule *rule, size_t step);

#endif
