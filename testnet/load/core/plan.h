/* When requests are meant to start: fixed before the first is sent, by a seed or a trace. The load
 * is open: arrivals do not wait for answers, and latency is counted from these times, so a server
 * that stalls is charged for every request that it kept from being sent (Tene's "coordinated
 * omission"). Pure. */
#ifndef TESTNET_LOAD_CORE_PLAN_H
#define TESTNET_LOAD_CORE_PLAN_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/rng.h"

#define PLAN_TRACE_MAX 10000000

enum plan_kind {
    PLAN_CONSTANT, /* evenly spaced */
    PLAN_POISSON,  /* exponential gaps */
    PLAN_BURSTS,   /* Poisson during on_us, silence during off_us; the mean rate stays */
    PLAN_TRACE,
};

struct plan_arrival {
    uint64_t at_us;                        /* from the start */
    uint32_t prompt_tokens, output_tokens; /* a trace's own; 0: not said */
};

struct plan_cfg {
    enum plan_kind kind;
    double rate; /* requests a second; not for a trace */
    uint64_t duration_us;
    uint64_t on_us, off_us;
    uint64_t seed;
};

struct plan {
    struct plan_cfg cfg;
    struct rng rng;
    double clock_us; /* of the last arrival; with bursts: counting time that is on, alone */
    struct plan_arrival *trace;
    size_t trace_count, trace_next;
};

void plan_init(struct plan *p, const struct plan_cfg *cfg);
void plan_fini(struct plan *p);
/* Reads a trace: a line is "OFFSET_MS [PROMPT_TOKENS [OUTPUT_TOKENS]]", not before the line above;
 * empty ones and those that begin with # are left out. INVALID: *ret_line says where. LIMIT,
 * NO_MEMORY. */
MUST_CHECK enum err plan_read_trace(struct plan *p, struct bytes text, size_t *ret_line);
/* The next arrival; false: there are no more. */
bool plan_next(struct plan *p, struct plan_arrival *ret_arrival);

#endif
