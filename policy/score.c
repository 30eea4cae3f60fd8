/* What a candidate would cost a request: expected time to the answer, money, chance of failing, and
 * the one number that a strategy's weights make of them. Called by decide.c and pool.c.
 *
 * What is not known counts as the worst that is plausible, never as nothing; what cannot be (said
 * by who lies or errs) is cut to what can. Old reports fade towards half load, never towards idle,
 * and requests that were sent from here count in full. */
#include "policy/decide.h"
#include "policy/estimate.h"

#include <math.h>

#define AGE_MS 2000.0 /* a report this old counts a quarter, half load the rest */
#define SLOTS_UNKNOWN 1
#define TOKENS_MAX 1e7
#define INPUT_UNKNOWN 512 /* tokens */
#define FIRST_UNKNOWN_US 300e3
#define PREFILL_UNKNOWN_US 500
#define DECODE_UNKNOWN_US 30e3
#define RTT_UNKNOWN_US 50e3
#define COLD_US 20e6 /* to load a model first */
#define LATE_SURE 4  /* attempts that run count as much as what was expected */
#define TIME_MAX_US 86400e6
#define ERROR_UNKNOWN 0.02
#define PRICE_UNKNOWN 0.1 /* USD per 1,000 tokens */
#define PRICE_MAX 1e6
#define BYTES_PER_TOKEN 250 /* of a streamed answer; whole ones are a fraction of it */
#define GIB 1073741824.0
#define HOUR_US 3600e6
#define TIE_LOAD 0.05 /* of those that cost the same the less busy one is better */
#define TIE_LOAD_MAX 4
#define BEYOND 1e6 /* score of what is over a soft bound: only among its like */

/* NAN and what is below 0: not known. */
static double known(double value, double otherwise, double max)
{
    return value >= 0 ? fmin(value, max) : otherwise;
}

double policy_trust(int64_t age_ms)
{
    return age_ms < 0 ? 0 : pow(AGE_MS / (AGE_MS + (double)age_ms), 2);
}

/* --- time */

/* Requests per slot once this one is there. */
static double occupancy(const struct policy_live *l, double slots)
{
    double trust = policy_trust(l->age_ms);
    bool is_known = l->inflight >= 0 || l->queued >= 0;
    double reported = is_known ? known((double)l->inflight, 0, TOKENS_MAX) +
                                     known((double)l->queued, 0, TOKENS_MAX)
                               : slots;
    /* What was sent from here since the report is not in it. */
    double own = known((double)l->own_inflight, 0, TOKENS_MAX);
    double others = fmax(0, reported - known((double)l->own_reported, 0, TOKENS_MAX));
    double faded = trust * others + (1 - trust) * slots / 2;
    return (faded + own + 1) / slots;
}

static double tokens_in(const struct policy_request *r)
{
    return known((double)r->input_tokens, INPUT_UNKNOWN, TOKENS_MAX);
}

/* One whose model is not loaded holds nothing. */
static double tokens_cached(const struct policy_request *r, const struct policy_live *l)
{
    return l->warm == 0 ? 0 : fmin(tokens_in(r), known(l->cached_tokens, 0, TOKENS_MAX));
}

static double tokens_out(const struct policy_request *r, const struct policy_live *l)
{
    double likely = known(l->output_tokens, POLICY_OUTPUT_UNKNOWN, TOKENS_MAX);
    return fmin(known((double)r->output_tokens, TOKENS_MAX, TOKENS_MAX), likely);
}

/* Attempts from here that should have ended long ago tell more than any report: as much as is known
 * of all answers by those that run, where it is more than was expected. */
static double lateness(const struct policy_live *l, double expected_us)
{
    double running = known((double)l->running, 0, TOKENS_MAX);
    double elapsed_us = known(l->elapsed_us, 0, TIME_MAX_US);
    double seen_us = (running * elapsed_us + LATE_SURE * expected_us) / (running + LATE_SURE);
    return fmax(expected_us, seen_us);
}

static double answer_us(const struct policy_request *r, const struct policy_live *l, double load,
                        double slots)
{
    double ttft_us = known(l->ttft_p50_us, FIRST_UNKNOWN_US, TIME_MAX_US);
    double first_us = known(l->first_us, ttft_us, TIME_MAX_US);
    double token_us = known(l->prefill_us, PREFILL_UNKNOWN_US, TIME_MAX_US);
    double prefill_us = token_us * tokens_in(r);
    double saved_us = token_us * tokens_cached(r, l);
    double decode_us = known(l->decode_us, DECODE_UNKNOWN_US, TIME_MAX_US) * tokens_out(r, l);
    double slowness = policy_estimate_slowness(load);
    double service_us = slowness * (first_us + prefill_us + decode_us);
    double waiting = fmax(0, load - 1) * slots; /* requests ahead that have no slot */
    double cold_us = l->warm == 0 ? COLD_US : 0;
    /* What it holds shortens this request alone, not those ahead of it. */
    double expected_us = waiting * service_us / slots + cold_us + service_us - slowness * saved_us;
    return fmin(known(l->rtt_us, RTT_UNKNOWN_US, TIME_MAX_US) + lateness(l, expected_us),
                TIME_MAX_US);
}

/* --- failing */

static double failure_of(const struct policy_live *l, double load, double time_us)
{
    double spot = fmin(1, known(l->reclaim_per_hour, 0, 1e3) * time_us / HOUR_US);
    double overload = fmin(0.5, 0.1 * fmax(0, load - 1));
    double succeeds = (1 - known(l->error_rate, ERROR_UNKNOWN, 1)) *
                      (1 - known(l->loss, 0, 1) / 2) * (1 - spot) * (1 - overload) *
                      (l->warm == 0 ? 0.98 : 1);
    return 1 - succeeds;
}

/* --- money */

static double egress_bytes(const struct policy_request *r, const struct policy_live *l)
{
    return tokens_out(r, l) * (r->stream ? BYTES_PER_TOKEN : BYTES_PER_TOKEN / 50.0);
}

/* NAN: its prices are not known. Doing it again is paid for again. */
static double cost_usd(const struct policy_request *r, const struct policy_candidate *c,
                       double failure)
{
    const struct policy_static *f = &c->facts;
    const struct policy_live *l = &c->live;
    bool is_known = f->price_input >= 0 && f->price_output >= 0;
    if (!is_known)
        return NAN;
    double once = (tokens_in(r) * fmin(f->price_input, PRICE_MAX) +
                   tokens_out(r, l) * fmin(f->price_output, PRICE_MAX)) /
                      1000 +
                  known(f->price_request, 0, PRICE_MAX) +
                  egress_bytes(r, l) / GIB * known(f->egress_price, 0, PRICE_MAX);
    return once * (1 + failure);
}

void policy_score(const struct policy_weights *w, const struct policy_request *r,
                  const struct policy_candidate *c, struct policy_score *ret_score)
{
    const struct policy_live *l = &c->live;
    double slots = l->slots > 0 ? fmin((double)l->slots, TOKENS_MAX) : SLOTS_UNKNOWN;
    double load = occupancy(l, slots);
    struct policy_score s = {.answer_us = answer_us(r, l, load, slots)};
    s.failure = failure_of(l, load, s.answer_us);
    s.cost_usd = cost_usd(r, c, s.failure);
    double paid_usd =
        known(s.cost_usd, (tokens_in(r) + tokens_out(r, l)) * PRICE_UNKNOWN / 1000, PRICE_MAX);
    s.score =
        w->latency * s.answer_us / 1e6 + w->cost * paid_usd * 1000 + w->failure * s.failure * 100;
    s.score *= 1 + TIE_LOAD * fmin(load, TIE_LOAD_MAX);
    s.steady = s.score > 0 ? w->cost * paid_usd * 1000 / s.score : 0;
    if (w->latency_max_ms >= 0 && s.answer_us > (double)w->latency_max_ms * 1000)
        s.score += BEYOND;
    if (paid_usd > w->cost_max_usd)
        s.score += BEYOND;
    *ret_score = s;
}
