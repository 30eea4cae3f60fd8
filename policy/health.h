/* How well a deployment does, as one number from 0 to 1 by which its share of requests moves
 * smoothly, long before a breaker trips. A weighted geometric mean: one part at 0 makes the whole
 * 0, where a sum would let the others cover it.
 *
 *     latency   1 up to the peers' median, then the inverse of how many times slower
 *     errors    the share of good calls, to the fourth power; few calls weigh little
 *     model     1 loaded, 0.25 to be loaded first
 *
 * What is not known counts as 0.7: neither good, nor so bad that it would never become known.
 * Pure; any input gives a number from 0 to 1. */
#ifndef POLICY_HEALTH_H
#define POLICY_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_HEALTH_UNKNOWN 0.7
#define POLICY_HEALTH_COLD 0.25 /* of a model that has to be loaded */

enum policy_warmth { POLICY_WARMTH_UNKNOWN, POLICY_COLD, POLICY_WARM };

struct policy_health_facts {
    double latency_us;       /* a percentile of its own; 0, negative or NaN: not known */
    double peers_latency_us; /* the same percentile's median over healthy peers; as above */
    uint64_t calls;          /* that succeeded or failed lately */
    uint64_t errors;         /* of these; more than calls counts as calls */
    enum policy_warmth model;
};

struct policy_health_weights { /* relative to each other; negative or not finite: 0 */
    double latency;            /* 1 */
    double errors;             /* 1 */
    double model;              /* 0.5 */
};
extern const struct policy_health_weights policy_health_defaults;

/* weights: NULL for the defaults. All weights 0: 1. */
double policy_health_score(const struct policy_health_facts *facts,
                           const struct policy_health_weights *weights);
/* The (lower) median of those that are known, as above; 0 when none is. Linear in count. */
double policy_health_median(const double *latencies_us, size_t count);

#endif
