/* The breaker behind breaker.h: its states, and how own calls move it. What others report is in
 * breaker_report.c. */
#include "policy/breaker.h"

#include "policy/breaker_impl.h"

#include <math.h>
#include <string.h>

#define WEIGHT_MIN 0.1

enum { CALLS, ERRORS, SLOW }; /* kinds of the window */

const struct policy_breaker_cfg policy_breaker_defaults = {
    .failures_max = 5,
    .window_ms = 10000,
    .calls_min = 20,
    .error_rate_max = 0.5,
    .slow_rate_max = 0.8,
    .slow_ms = 30000,
    .open_ms = 1000,
    .open_ms_max = 60000,
    .open_jitter = 0.3,
    .probes_max = 2,
    .probes_needed = 3,
    .ramp_ms = 20000,
    .busy_ms = 1000,
    .busy_ms_max = 60000,
    .witnesses_min = 3,
    .witness_ms = 10000,
};

static const struct state_row rows[] = {
    [POLICY_CLOSED] = {"closed", STATE_BIT(POLICY_OPEN)},
    [POLICY_OPEN] = {"open", STATE_BIT(POLICY_HALF_OPEN)},
    [POLICY_HALF_OPEN] = {"half_open", STATE_BIT(POLICY_OPEN) | STATE_BIT(POLICY_CLOSED)},
};
static const struct state_table states = {"breaker", rows, 3};

static const char *const trip_names[] = {
    [POLICY_TRIP_NONE] = "none",
    [POLICY_TRIP_FAILURES] = "consecutive_failures",
    [POLICY_TRIP_ERROR_RATE] = "error_rate",
    [POLICY_TRIP_SLOW_RATE] = "slow_rate",
    [POLICY_TRIP_PROBE] = "probe_failed",
    [POLICY_TRIP_WITNESSES] = "witnesses",
};

const char *policy_breaker_state_name(int state)
{
    return state_name(&states, state);
}

const char *policy_trip_name(enum policy_trip trip)
{
    return (size_t)trip < sizeof trip_names / sizeof trip_names[0] ? trip_names[trip] : "?";
}

void policy_breaker_init(struct policy_breaker *b, const struct policy_breaker_cfg *cfg)
{
    CHECK(cfg->window_ms >= POLICY_WINDOW_SLOTS && cfg->failures_max > 0);
    CHECK(cfg->probes_max > 0 && cfg->probes_needed > 0);
    CHECK(cfg->witnesses_min > 0 && cfg->witnesses_min <= POLICY_BREAKER_WITNESSES_MAX);
    memset(b, 0, sizeof *b);
    b->cfg = cfg;
}

/* --- time */

static uint64_t since(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static uint64_t later(uint64_t now_ms, uint64_t by_ms)
{
    return by_ms < UINT64_MAX - now_ms ? now_ms + by_ms : UINT64_MAX;
}

static uint64_t open_for_ms(const struct policy_breaker *b, struct rng *rng)
{
    uint64_t max_ms = b->cfg->open_ms_max;
    uint64_t for_ms = b->cfg->open_ms < max_ms ? b->cfg->open_ms : max_ms;
    for (uint32_t i = 0; i < b->trips && for_ms < max_ms; i++)
        for_ms = for_ms <= max_ms / 2 ? for_ms * 2 : max_ms;
    double jitter = fmin(fmax(b->cfg->open_jitter, 0), 1);
    return for_ms - (uint64_t)((double)for_ms * jitter * rng_unit(rng));
}

/* --- moves */

static void move(struct policy_breaker *b, enum policy_breaker_state next, uint64_t now_ms)
{
    state_move(&states, &b->state, (int)next);
    b->moves++;
    b->moved_ms = now_ms;
    b->failures = 0;
    b->probes_good = 0;
    policy_window_init(&b->window);
}

bool policy_breaker_is_ramping(const struct policy_breaker *b, uint64_t now_ms)
{
    return b->state == POLICY_CLOSED && b->trip != POLICY_TRIP_NONE &&
           since(b->moved_ms, now_ms) < b->cfg->ramp_ms;
}

void policy_breaker_trip(struct policy_breaker *b, enum policy_trip why, uint64_t now_ms,
                         struct rng *rng)
{
    if (b->state == POLICY_CLOSED && !policy_breaker_is_ramping(b, now_ms))
        b->trips = 0;
    b->open_until_ms = later(now_ms, open_for_ms(b, rng));
    b->trips += b->trips < UINT32_MAX;
    b->trip = why;
    memset(b->reports, 0, sizeof b->reports);
    move(b, POLICY_OPEN, now_ms);
}

/* --- calls */

bool policy_breaker_admits(const struct policy_breaker *b, uint64_t now_ms)
{
    if (now_ms < b->busy_until_ms || (b->state == POLICY_OPEN && now_ms < b->open_until_ms))
        return false;
    return b->state == POLICY_CLOSED || b->probes_inflight < b->cfg->probes_max;
}

struct policy_call policy_breaker_begin(struct policy_breaker *b, uint64_t now_ms)
{
    bool is_admitted = policy_breaker_admits(b, now_ms);
    if (is_admitted && b->state == POLICY_OPEN)
        move(b, POLICY_HALF_OPEN, now_ms);
    struct policy_call call = {b->moves, is_admitted && b->state == POLICY_HALF_OPEN};
    b->probes_inflight += call.is_probe;
    return call;
}

static void note_busy(struct policy_breaker *b, uint64_t retry_after_ms, uint64_t now_ms)
{
    uint64_t asked_ms = retry_after_ms ? retry_after_ms : b->cfg->busy_ms;
    uint64_t for_ms = asked_ms < b->cfg->busy_ms_max ? asked_ms : b->cfg->busy_ms_max;
    uint64_t until_ms = later(now_ms, for_ms);
    if (until_ms > b->busy_until_ms)
        b->busy_until_ms = until_ms;
}

static bool is_over(uint64_t part, uint64_t whole, double share_max)
{
    return part > 0 && (double)part >= share_max * (double)whole;
}

static enum policy_trip judge(const struct policy_breaker *b, uint64_t now_ms)
{
    if (b->failures >= b->cfg->failures_max)
        return POLICY_TRIP_FAILURES;
    struct policy_breaker_rates rates = policy_breaker_rates(b, now_ms);
    if (rates.calls < b->cfg->calls_min)
        return POLICY_TRIP_NONE;
    if (is_over(rates.errors, rates.calls, b->cfg->error_rate_max))
        return POLICY_TRIP_ERROR_RATE;
    return is_over(rates.slow, rates.calls, b->cfg->slow_rate_max) ? POLICY_TRIP_SLOW_RATE
                                                                   : POLICY_TRIP_NONE;
}

static void end_closed(struct policy_breaker *b, bool is_failure, bool is_slow, uint64_t now_ms,
                       struct rng *rng)
{
    uint32_t slot_ms = b->cfg->window_ms / POLICY_WINDOW_SLOTS;
    policy_window_add(&b->window, slot_ms, CALLS, now_ms);
    if (is_failure)
        policy_window_add(&b->window, slot_ms, ERRORS, now_ms);
    else if (is_slow)
        policy_window_add(&b->window, slot_ms, SLOW, now_ms);
    b->failures = is_failure ? b->failures + 1 : 0;
    enum policy_trip why = judge(b, now_ms);
    if (why != POLICY_TRIP_NONE)
        policy_breaker_trip(b, why, now_ms, rng);
}

static void end_probe(struct policy_breaker *b, bool is_good, uint64_t now_ms, struct rng *rng)
{
    if (!is_good)
        policy_breaker_trip(b, POLICY_TRIP_PROBE, now_ms, rng);
    else if (++b->probes_good >= b->cfg->probes_needed)
        move(b, POLICY_CLOSED, now_ms);
}

void policy_breaker_end(struct policy_breaker *b, struct policy_call call,
                        enum policy_outcome outcome, uint64_t latency_ms, uint64_t retry_after_ms,
                        uint64_t now_ms, struct rng *rng)
{
    CHECK(!call.is_probe || b->probes_inflight > 0);
    b->probes_inflight -= call.is_probe;
    if (outcome == POLICY_CALL_BUSY)
        note_busy(b, retry_after_ms, now_ms);
    bool is_failure = outcome == POLICY_CALL_FAILURE;
    if ((outcome != POLICY_CALL_SUCCESS && !is_failure) || call.moves != b->moves)
        return;
    bool is_slow = b->cfg->slow_ms > 0 && latency_ms > b->cfg->slow_ms;
    if (b->state == POLICY_CLOSED)
        end_closed(b, is_failure, is_slow, now_ms, rng);
    else if (call.is_probe)
        end_probe(b, !is_failure && !is_slow, now_ms, rng);
}

/* --- queries */

double policy_breaker_weight(const struct policy_breaker *b, uint64_t now_ms)
{
    if (!policy_breaker_admits(b, now_ms))
        return 0;
    if (b->state != POLICY_CLOSED)
        return WEIGHT_MIN;
    if (!policy_breaker_is_ramping(b, now_ms))
        return 1;
    double done = (double)since(b->moved_ms, now_ms) / (double)b->cfg->ramp_ms;
    return WEIGHT_MIN + (1 - WEIGHT_MIN) * done;
}

uint64_t policy_breaker_not_before_ms(const struct policy_breaker *b, uint64_t now_ms)
{
    uint64_t open_ms = b->state == POLICY_OPEN ? b->open_until_ms : 0;
    uint64_t until_ms = open_ms > b->busy_until_ms ? open_ms : b->busy_until_ms;
    return until_ms > now_ms ? until_ms : 0;
}

struct policy_breaker_rates policy_breaker_rates(const struct policy_breaker *b, uint64_t now_ms)
{
    struct policy_window_sums sums =
        policy_window_sum(&b->window, b->cfg->window_ms / POLICY_WINDOW_SLOTS, now_ms);
    return (struct policy_breaker_rates){sums.kinds[CALLS], sums.kinds[ERRORS], sums.kinds[SLOW]};
}
