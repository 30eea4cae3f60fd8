/* The score and the median behind health.h. The n-th smallest of an array is found by halving the
 * range of possible values, which needs neither memory nor an order. */
#include "policy/health.h"

#include <math.h>
#include <string.h>

#define CALLS_UNKNOWN 4.0 /* calls that are assumed beside those seen, with UNKNOWN's error rate */

const struct policy_health_weights policy_health_defaults = {1, 1, 0.5};

static bool is_known(double latency_us)
{
    return isfinite(latency_us) && latency_us > 0;
}

static double latency_part(const struct policy_health_facts *facts)
{
    if (!is_known(facts->latency_us) || !is_known(facts->peers_latency_us))
        return POLICY_HEALTH_UNKNOWN;
    return fmin(facts->peers_latency_us / facts->latency_us, 1);
}

static double errors_part(const struct policy_health_facts *facts)
{
    uint64_t errors = facts->errors < facts->calls ? facts->errors : facts->calls;
    double assumed = CALLS_UNKNOWN * sqrt(sqrt(POLICY_HEALTH_UNKNOWN));
    double good =
        ((double)(facts->calls - errors) + assumed) / ((double)facts->calls + CALLS_UNKNOWN);
    return good * good * good * good;
}

static double model_part(const struct policy_health_facts *facts)
{
    return facts->model == POLICY_WARM   ? 1
           : facts->model == POLICY_COLD ? POLICY_HEALTH_COLD
                                         : POLICY_HEALTH_UNKNOWN;
}

double policy_health_score(const struct policy_health_facts *facts,
                           const struct policy_health_weights *weights)
{
    const struct policy_health_weights *w = weights ? weights : &policy_health_defaults;
    const double wanted[] = {w->latency, w->errors, w->model};
    const double parts[] = {latency_part(facts), errors_part(facts), model_part(facts)};
    double sum = 0;
    double score = 1;
    for (size_t i = 0; i < 3; i++)
        sum += isfinite(wanted[i]) ? fmax(wanted[i], 0) : 0;
    for (size_t i = 0; i < 3; i++)
        if (isfinite(wanted[i]) && wanted[i] > 0)
            score *= pow(parts[i], wanted[i] / sum);
    return score;
}

/* --- the median */

/* In the order of the latencies, which are positive. */
static uint64_t key_of(double latency_us)
{
    uint64_t bits;
    memcpy(&bits, &latency_us, sizeof bits);
    return bits;
}

/* The n-th smallest key, from 0, of the known latencies: bit by bit the largest that has no more
 * than n below it. */
static uint64_t nth_key(const double *latencies_us, size_t count, size_t n)
{
    uint64_t key = 0;
    for (int bit = 62; bit >= 0; bit--) {
        uint64_t trial = key | UINT64_C(1) << bit;
        size_t below = 0;
        for (size_t i = 0; i < count; i++)
            below += is_known(latencies_us[i]) && key_of(latencies_us[i]) < trial;
        if (below <= n)
            key = trial;
    }
    return key;
}

double policy_health_median(const double *latencies_us, size_t count)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += is_known(latencies_us[i]);
    if (known == 0)
        return 0;
    uint64_t bits = nth_key(latencies_us, count, (known - 1) / 2);
    double median;
    memcpy(&median, &bits, sizeof median);
    return median;
}
