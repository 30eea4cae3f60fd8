/* What witnesses report to a breaker. They are signed, but signers may lie: so several distinct
 * ones are needed, a report ends with its time or with the trip that it led to, and what was
 * experienced here, by probes or by enough calls, outranks all of them. */
#include "policy/breaker_impl.h"

static bool is_live(const struct policy_breaker *b, const struct policy_report *r, uint64_t now_ms)
{
    return r->made_ms > 0 && (now_ms <= r->made_ms || now_ms - r->made_ms < b->cfg->witness_ms);
}

/* That of the same witness, else an empty one, else the oldest. */
static struct policy_report *place_for(struct policy_breaker *b, const struct id *witness)
{
    struct policy_report *oldest = &b->reports[0];
    for (size_t i = 0; i < POLICY_BREAKER_WITNESSES_MAX; i++) {
        struct policy_report *r = &b->reports[i];
        if (id_equal(&r->witness, witness))
            return r;
        if (r->made_ms < oldest->made_ms)
            oldest = r;
    }
    return oldest;
}

static bool is_well_by_own_calls(const struct policy_breaker *b, uint64_t now_ms)
{
    struct policy_breaker_rates rates = policy_breaker_rates(b, now_ms);
    double calls = (double)rates.calls;
    return rates.calls >= b->cfg->calls_min &&
           (double)rates.errors < b->cfg->error_rate_max * calls / 2 &&
           (double)rates.slow < b->cfg->slow_rate_max * calls / 2;
}

void policy_breaker_report(struct policy_breaker *b, const struct id *witness, uint64_t made_ms,
                           uint64_t now_ms, struct rng *rng)
{
    struct policy_report report = {*witness, made_ms < now_ms ? made_ms : now_ms};
    bool is_of_now = b->trip == POLICY_TRIP_NONE || report.made_ms > b->moved_ms;
    if (b->state != POLICY_CLOSED || policy_breaker_is_ramping(b, now_ms) || !is_of_now ||
        !is_live(b, &report, now_ms))
        return;
    struct policy_report *place = place_for(b, witness);
    if (report.made_ms > place->made_ms)
        *place = report;
    uint32_t live = 0;
    for (size_t i = 0; i < POLICY_BREAKER_WITNESSES_MAX; i++)
        live += is_live(b, &b->reports[i], now_ms);
    if (live >= b->cfg->witnesses_min && !is_well_by_own_calls(b, now_ms))
        policy_breaker_trip(b, POLICY_TRIP_WITNESSES, now_ms, rng);
}
