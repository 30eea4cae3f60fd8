/* Two limits on doing things again.
 *
 * The *retry budget* of a node keeps retries and hedges a fraction of its traffic, so that trouble
 * is not multiplied (Finagle's RetryBudget): within any window, retries are at most a share of the
 * requests in it, plus a floor for quiet times.
 *
 * The *spend* of one request is the deadline, the money and the attempts that its retries, hedges
 * and cascades share. Every attempt is paid for, also one that failed or lost; money is reserved
 * when an attempt starts, so that attempts that run side by side cannot spend the same. */
#ifndef POLICY_BUDGET_H
#define POLICY_BUDGET_H

#include "base/err.h"
#include "policy/window.h"

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

#define POLICY_SPEND_UNLIMITED UINT64_MAX

struct policy_spend_cfg {
    uint64_t deadline_ms;   /* no attempt starts then or later */
    uint64_t micro_usd_max; /* POLICY_SPEND_UNLIMITED */
    uint32_t attempts_max;  /* retries, hedges and cascades included; at least 1 */
    uint32_t parallel_max;  /* at the same time: 2 allows one hedge; at least 1 */
};

struct policy_spend { /* the caller's storage */
    struct policy_spend_cfg cfg;
    uint64_t spent_micro_usd;    /* by attempts that ended; stops at UINT64_MAX */
    uint64_t reserved_micro_usd; /* for those that run */
    uint32_t attempts;           /* started so far */
    uint32_t running;
};

void policy_spend_init(struct policy_spend *s, struct policy_spend_cfg cfg);
/* May an attempt that is expected to cost this start now? DEADLINE, PRICE_CEILING, or LIMIT: enough
 * were tried, or run. A first attempt obeys, too. */
MUST_CHECK enum err policy_spend_may(const struct policy_spend *s, uint64_t micro_usd,
                                     uint64_t now_ms);
/* The same, and it starts: its cost is reserved. On failure nothing changes. */
MUST_CHECK enum err policy_spend_start(struct policy_spend *s, uint64_t micro_usd, uint64_t now_ms);
/* An attempt ended that was started with reserved_micro_usd; what it did cost is spent, more or
 * less. */
void policy_spend_end(struct policy_spend *s, uint64_t reserved_micro_usd, uint64_t cost_micro_usd);
/* 0 when it is over. */
uint64_t policy_spend_left_ms(const struct policy_spend *s, uint64_t now_ms);
uint64_t policy_spend_left_micro_usd(const struct policy_spend *s);

#endif
