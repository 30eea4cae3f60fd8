/* The *retry budget* of a node keeps retries and hedges a fraction of its traffic, so that trouble
 * is not multiplied (Finagle's RetryBudget): within any window, retries are at most a share of the
 * requests in it, plus a floor for quiet times. */
#ifndef POLICY_BUDGET_H
#define POLICY_BUDGET_H

#include "policy/window.h"

#include <stdbool.h>
#include <stdint.h>

#define POLICY_RETRY_WINDOW_MS 10000

struct policy_retry_cfg {
    uint32_t permille;  /* of requests, 200 */
    uint32_t per_s_min; /* allowed on top, however few requests there are, 3 */
};
extern const struct policy_retry_cfg policy_retry_defaults;

struct policy_retry { /* the caller's storage */
    struct policy_retry_cfg cfg;
    struct policy_window window;
};

void policy_retry_init(struct policy_retry *r, struct policy_retry_cfg cfg);
/* A request came (not a retry of one). */
void policy_retry_note_request(struct policy_retry *r, uint64_t now_ms);
/* Takes one retry or hedge out of the budget. False: none is left, do not retry. */
bool policy_retry_take(struct policy_retry *r, uint64_t now_ms);

#endif
