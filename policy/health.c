/* The score, the median and the panic threshold behind health.h. The n-th smallest of an array is
 * found by halving the range of possible values, which needs neither memory nor an order. */
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

/* --- the n-th smallest */

/* Numbers in the order of doubles; what is not a number comes last. */
static uint64_t key_of(double value)
{
    uint64_t bits;
    if (isnan(value))
        return UINT64_MAX;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* `is_in` says which values count; NULL: those that are known latencies. */
static bool counts(const double *values, const bool *is_in, size_t i)
{
    return is_in ? is_in[i] : is_known(values[i]);
}

/* Key of the n-th smallest, from 0, of those that count: bit by bit the largest that has no more
 * than n below it. */
static uint64_t nth_key(const double *values, const bool *is_in, size_t count, size_t n)
{
    uint64_t key = 0;
    for (int bit = 63; bit >= 0; bit--) {
        uint64_t trial = key | UINT64_C(1) << bit;
        size_t below = 0;
        for (size_t i = 0; i < count; i++)
            below += counts(values, is_in, i) && key_of(values[i]) < trial;
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
    uint64_t bits = nth_key(latencies_us, NULL, count, (known - 1) / 2) & ~(UINT64_C(1) << 63);
    double median;
    memcpy(&median, &bits, sizeof median);
    return median;
}

/* --- panic */

static size_t admit(bool *is_ejected, const double *badness, size_t count, size_t wanted)
{
    uint64_t last = nth_key(badness, is_ejected, count, wanted - 1);
    size_t admitted = 0;
    for (size_t i = 0; i < count; i++)
        if (is_ejected[i] && key_of(badness[i]) < last) {
            is_ejected[i] = false;
            admitted++;
        }
    for (size_t i = 0; i < count && admitted < wanted; i++)
        if (is_ejected[i] && key_of(badness[i]) == last) {
            is_ejected[i] = false;
            admitted++;
        }
    return admitted;
}

size_t policy_panic(bool *is_ejected, const double *badness, size_t count, double share_max)
{
    double share = share_max >= 0 ? fmin(share_max, 1) : 0;
    size_t allowed = (size_t)(share * (double)count);
    size_t ejected = 0;
    for (size_t i = 0; i < count; i++)
        ejected += is_ejected[i];
    return ejected > allowed ? admit(is_ejected, badness, count, ejected - allowed) : 0;
}
