/* Circuit breaker, one for each deployment and one for each link: who fails or crawls gets no more
 * requests, then a few, then gradually all of them.
 *
 *            consecutive failures, error rate, slow rate; or witnesses
 *     closed ────────────────────────────────────────────────────────> open <────────┐
 *        ^                                                               │ its time   │ a probe
 *        └──────────── enough probes went well ──────── half_open <──────┘ is over    │ fails or
 *      (weight grows from 0.1 to 1)                         └─────────────────────────┘ crawls
 *
 * Open lasts open_ms, twice as long each time, jittered down, capped; it begins anew once closed
 * has been at full weight. Own evidence acts at once. Reports of others act only together: several
 * distinct witnesses, each heard lately, and no own calls that say it is well.
 * 429, and 503 with Retry-After, is *busy*: no failure, but not asked again before its time. What
 * the caller gave up, and errors of our own, say nothing about the other side. */
#ifndef POLICY_BREAKER_H
#define POLICY_BREAKER_H

#include "base/id.h"
#include "base/rng.h"
#include "policy/window.h"

#define POLICY_BREAKER_WITNESSES_MAX 8 /* the oldest report makes room */

struct policy_breaker_cfg {
    uint32_t failures_max;  /* in a row, 5 */
    uint32_t window_ms;     /* of the rates, 10000; in tenths */
    uint32_t calls_min;     /* in the window before a rate means anything, 20 */
    double error_rate_max;  /* 0..1, 0.5 */
    double slow_rate_max;   /* 0..1, 0.8 */
    uint64_t slow_ms;       /* a good call that took longer is slow, 30000; 0: none is */
    uint64_t open_ms;       /* 1000 */
    uint64_t open_ms_max;   /* 60000 */
    double open_jitter;     /* share of it that chance may take off, 0.3 */
    uint32_t probes_max;    /* at the same time while half open, 2 */
    uint32_t probes_needed; /* good ones before it closes, 3 */
    uint64_t ramp_ms;       /* from the least weight to 1, 20000 */
    uint64_t busy_ms;       /* when no Retry-After says, 1000 */
    uint64_t busy_ms_max;   /* a longer Retry-After is cut to this, 60000 */
    uint32_t witnesses_min; /* distinct ones, 3; at most POLICY_BREAKER_WITNESSES_MAX */
    uint64_t witness_ms;    /* a report counts this long after it was made, 10000 */
};
extern const struct policy_breaker_cfg policy_breaker_defaults;

enum policy_breaker_state { POLICY_CLOSED, POLICY_OPEN, POLICY_HALF_OPEN };

enum policy_outcome {
    POLICY_CALL_SUCCESS,   /* also the client's own mistakes: 4xx but 429 */
    POLICY_CALL_FAILURE,   /* 5xx, reset, refused, timed out */
    POLICY_CALL_BUSY,      /* 429, or 503 with Retry-After */
    POLICY_CALL_CANCELLED, /* given up by the caller, or lost against a hedge */
    POLICY_CALL_OWN_ERROR, /* we are at fault: no memory, no descriptors */
};

enum policy_trip { /* why it opened last */
                   POLICY_TRIP_NONE,
                   POLICY_TRIP_FAILURES,
                   POLICY_TRIP_ERROR_RATE,
                   POLICY_TRIP_SLOW_RATE,
                   POLICY_TRIP_PROBE,
                   POLICY_TRIP_WITNESSES,
};

struct policy_report {
    struct id witness;
    uint64_t made_ms; /* 0: an empty place */
};

struct policy_breaker { /* the caller's storage */
    const struct policy_breaker_cfg *cfg;
    int state; /* enum policy_breaker_state */
    enum policy_trip trip;
    uint32_t moves;           /* of state; a call that began before the last one decides nothing */
    uint32_t trips;           /* in a row: the exponent of the time it stays open */
    uint32_t failures;        /* in a row */
    uint32_t probes_inflight; /* of any move */
    uint32_t probes_good;
    uint64_t moved_ms;
    uint64_t open_until_ms;
    uint64_t busy_until_ms;
    struct policy_window window;
    struct policy_report reports[POLICY_BREAKER_WITNESSES_MAX];
};

struct policy_call { /* kept by whoever began it, handed back once */
    uint32_t moves;
    bool is_probe;
};

struct policy_breaker_rates {
    uint64_t calls; /* that succeeded or failed within the window */
    uint64_t errors;
    uint64_t slow;
};

/* cfg is borrowed for the breaker's life. */
void policy_breaker_init(struct policy_breaker *b, const struct policy_breaker_cfg *cfg);
/* May a call begin now? No while it is open or busy, nor half open beyond its probes. */
bool policy_breaker_admits(const struct policy_breaker *b, uint64_t now_ms);
/* A call begins. One that is not admitted, because nobody better is left, is no probe, and its end
 * closes nothing. */
struct policy_call policy_breaker_begin(struct policy_breaker *b, uint64_t now_ms);
/* Exactly once for each begin, when the outcome is known. latency_ms: to the first byte.
 * retry_after_ms: of BUSY, 0 when the answer did not say. */
void policy_breaker_end(struct policy_breaker *b, struct policy_call call,
                        enum policy_outcome outcome, uint64_t latency_ms, uint64_t retry_after_ms,
                        uint64_t now_ms, struct rng *rng);
/* `witness` says, under a signature that was verified, that it failed there at made_ms (of this
 * clock; the future counts as now). */
void policy_breaker_report(struct policy_breaker *b, const struct id *witness, uint64_t made_ms,
                           uint64_t now_ms, struct rng *rng);
/* Its share of what it would get: 0 while it admits nothing, 0.1 half open, then rising to 1. */
double policy_breaker_weight(const struct policy_breaker *b, uint64_t now_ms);
/* When it may admit again; 0: it may now, or when a probe ends. For Retry-After and timers. */
uint64_t policy_breaker_not_before_ms(const struct policy_breaker *b, uint64_t now_ms);
struct policy_breaker_rates policy_breaker_rates(const struct policy_breaker *b, uint64_t now_ms);
const char *policy_breaker_state_name(int state); /* "half_open" */
const char *policy_trip_name(enum policy_trip trip);

#endif
