/* Attempts of an exchange, see attempt.h: started by the pipeline or by the hedge's timer, told of
 * by egress.
 *
 * Happy path: one starts, its head comes, the others (if any) are cancelled, its answer is relayed.
 * Failure modes: it fails while another runs (only noted) or alone (back to the pipeline); an event
 * stream ends between its head and its first octet (as if the head had not come); its head cannot
 * be passed on; the exchange ends first (all are cancelled). */
#include "node/ingress/attempt.h"

#include "base/state.h"
#include "node/egress/backend.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/routing/asked.h"

#include <math.h>

static const struct state_row rows[] = {
    [ATTEMPT_WAITING] = {"waiting", STATE_BIT(ATTEMPT_HOLDING) | STATE_BIT(ATTEMPT_WON) |
                                        STATE_BIT(ATTEMPT_OVER)},
    [ATTEMPT_HOLDING] = {"holding", STATE_BIT(ATTEMPT_WON) | STATE_BIT(ATTEMPT_OVER)},
    [ATTEMPT_WON] = {"won", STATE_BIT(ATTEMPT_OVER)},
    [ATTEMPT_OVER] = {"over", 0},
};
static const struct state_table states = {"attempt", rows, 4};

static void set_state(struct attempt *a, enum attempt_state state)
{
    const struct lane *lane = a->x->lane;
    if (lane->trace)
        TRACE(lane->trace, lane->config->name, "attempt", LOG_STR("id", a->x->request_id),
              LOG_UINT("number", (uint64_t)(a - a->x->attempts) + 1),
              LOG_BOOL("hedge", a->is_hedge), LOG_STR("from", state_name(&states, a->state)),
              LOG_STR("to", state_name(&states, (int)state)), LOG_ERR(a->failure));
    state_move(&states, &a->state, (int)state);
}

static const char *backend_name(const struct attempt *a)
{
    return a->choice.candidate.backend ? a->choice.candidate.backend->cfg.name : "";
}

static const char *peer_name(const struct attempt *a)
{
    return a->choice.candidate.peer ? a->choice.candidate.peer->name : "";
}

/* Once for each hedge, however it ends. */
static void count_hedge(const struct attempt *a, enum metrics_hedge outcome)
{
    struct lane *lane = a->x->lane;
    if (!a->is_hedge)
        return;
    lane->metrics.hedges[outcome]++;
    LOG(lane->log, lane_level(lane, LANE_LINES_ATTEMPTS, LOG_INFO), "hedge",
        LOG_STR("id", a->x->request_id), LOG_STR("outcome", metrics_hedge_name(outcome)),
        LOG_STR("backend", backend_name(a)), LOG_STR("peer", peer_name(a)),
        LOG_UINT("us", io_now_us(lane->loop) - a->started_us));
}

/* --- what is learned of it */

#define STREAM_BYTES_PER_TOKEN 200 /* an event each */
#define TEXT_BYTES_PER_TOKEN 4

/* By its size: engines say it exactly only in a part of the answer that is passed on unread. */
static uint32_t output_tokens(const struct exchange *x)
{
    bool is_stream = x->scan.stream_kind == SCAN_TRUE;
    uint64_t tokens = x->answer_bytes / (is_stream ? STREAM_BYTES_PER_TOKEN : TEXT_BYTES_PER_TOKEN);
    return tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX;
}

static void learn(struct attempt *a, enum policy_outcome outcome, uint64_t retry_after_ms,
                  bool is_beaten)
{
    const struct exchange *x = a->x;
    struct lane *lane = x->lane;
    uint64_t taken_us = io_now_us(lane->loop) - a->started_us;
    const struct deployment_end end = {
        .outcome = outcome,
        .is_beaten = is_beaten,
        .retry_after_ms = retry_after_ms,
        .first_byte_us = a->first_byte_us ? a->first_byte_us : taken_us,
        .decode_us = a->first_byte_us ? taken_us - a->first_byte_us : 0,
        .is_stream = x->scan.stream_kind == SCAN_TRUE,
        .input_tokens = (uint32_t)fmax(0, (double)asked_input_tokens(x) - a->choice.cached_tokens),
        .output_tokens = outcome == POLICY_CALL_SUCCESS ? output_tokens(x) : 0,
    };
    if (deployments_end(&a->use, &end, io_now_ms(lane->loop), &lane->rng))
        mesh_facts_changed(lane->mesh);
}

/* An answer that could not be given to somebody else: its status tells how the backend does. */
static enum policy_outcome outcome_of_status(int status)
{
    return status == 429   ? POLICY_CALL_BUSY
           : status >= 500 ? POLICY_CALL_FAILURE
                           : POLICY_CALL_SUCCESS;
}

/* --- starting */

bool attempt_failure_costs(enum err failure)
{
    switch (failure) {
    case ERR_OK:
    case ERR_LINK_LOST:
    case ERR_REFUSED:
    case ERR_UNREACHABLE:
    case ERR_DRAINING:
    case ERR_EPOCH_BEHIND:
    case ERR_HOP_LIMIT:
    case ERR_MODEL_NOT_FOUND:
    case ERR_RESIDENCY:
    case ERR_CLOCK_SKEW:
    case ERR_NOT_ALLOWED: return false;
    default: return true;
    }
}

bool attempt_may_start(const struct exchange *x)
{
    uint32_t most = x->terms.attempts_max ? x->terms.attempts_max : EXCHANGE_ATTEMPTS_MAX;
    return x->attempt_count < EXCHANGE_ATTEMPTS_MAX && x->attempt_count < most &&
           exchange_remaining_ms(x) > 0;
}

static void on_hedge(struct io_timer *timer);

static void await_hedge(struct attempt *newest)
{
    struct exchange *x = newest->x;
    if (newest->choice.hedge_after_ms > 0)
        io_timer_start(x->lane->loop, &x->hedge, newest->choice.hedge_after_ms, on_hedge);
}

/* Those that run take long. That no hedge can be made, for want of budget or of another candidate,
 * is no failure: they still run, and as long again later there may be. */
static void on_hedge(struct io_timer *timer)
{
    struct exchange *x = LIST_ENTRY(timer, struct exchange, hedge);
    if (!attempt_may_start(x))
        return;
    struct attempt *a = &x->attempts[x->attempt_count];
    bool is_possible = choose(x->lane, x, &a->choice) == ERR_OK &&
                       policy_retry_take(&x->lane->retries, io_now_ms(x->lane->loop));
    if (!is_possible) {
        await_hedge(a - 1);
    } else if (attempt_start(x, true) != ERR_OK) {
        count_hedge(a, METRICS_HEDGE_FAILED);
        await_hedge(a - 1);
    }
}

enum err attempt_start(struct exchange *x, bool is_hedge)
{
    struct attempt *a = &x->attempts[x->attempt_count++];
    struct choice choice = a->choice;
    memset(a, 0, offsetof(struct attempt, call));
    a->x = x;
    a->choice = choice;
    a->is_hedge = is_hedge;
    a->started_us = io_now_us(x->lane->loop);
    enum err e = terms_follow(x, &choice);
    prefix_give(x, &choice);
    deployments_begin(choice.candidate.deployment, choice.load, io_now_ms(x->lane->loop), &a->use);
    if (e == ERR_OK)
        e = choice.candidate.backend ? backend_call_start(a, choice.candidate.backend)
                                     : peer_call_start(a, choice.candidate.peer);
    if (e != ERR_OK) {
        a->failure = e;
        learn(a, deployments_outcome(e), 0, false);
        set_state(a, ATTEMPT_OVER);
        return e;
    }
    await_hedge(a);
    return ERR_OK;
}

/* --- ending */

bool attempt_any_runs(const struct exchange *x)
{
    for (uint32_t i = 0; i < x->attempt_count; i++)
        if (x->attempts[i].state != ATTEMPT_OVER)
            return true;
    return false;
}

static void stop_others(struct exchange *x, const struct attempt *winner)
{
    io_timer_stop(&x->hedge);
    for (uint32_t i = 0; i < x->attempt_count; i++) {
        struct attempt *a = &x->attempts[i];
        const struct attempt_ops *ops = a->ops;
        if (a == winner || a->state == ATTEMPT_OVER)
            continue;
        if (!attempt_has_won(a))
            count_hedge(a, METRICS_HEDGE_LOST);
        set_state(a, ATTEMPT_OVER);
        learn(a, POLICY_CALL_CANCELLED, 0, winner && winner->started_us > a->started_us);
        a->ops = NULL;
        ops->cancel(a);
    }
}

void attempt_stop_all(struct exchange *x)
{
    stop_others(x, NULL);
}

bool attempt_is_dispensable(struct attempt *a, enum err reason)
{
    const struct exchange *x = a->x;
    if (x->state != EXCHANGE_WAITING)
        return false;
    for (uint32_t i = 0; i < x->attempt_count; i++)
        if (&x->attempts[i] != a && x->attempts[i].state != ATTEMPT_OVER)
            return true;
    a->failure = reason; /* which may let it be asked again */
    bool has_other = attempt_may_start(x) && choose_has_other(x->lane, x);
    a->failure = ERR_OK;
    return has_other;
}

static void note_failure(struct attempt *a, enum err reason, uint64_t retry_after_ms)
{
    struct exchange *x = a->x;
    a->failure = x->last_failure = reason;
    x->last_detail = a->detail;
    x->lane->metrics.failures[reason]++;
    if (retry_after_ms > x->retry_after_ms)
        x->retry_after_ms = retry_after_ms;
    LOG(x->lane->log, lane_level(x->lane, LANE_LINES_ATTEMPTS, LOG_INFO), "attempt_failed",
        LOG_STR("id", x->request_id), LOG_UINT("attempt", (uint64_t)(a - x->attempts) + 1),
        LOG_STR("backend", backend_name(a)), LOG_STR("peer", peer_name(a)), LOG_ERR(reason));
    count_hedge(a, METRICS_HEDGE_FAILED);
}

void attempt_failed(struct attempt *a, enum err reason, uint64_t retry_after_ms)
{
    struct exchange *x = a->x;
    a->ops = NULL;
    note_failure(a, reason, retry_after_ms);
    /* How long a full queue has no room for this one says little of others, more important ones. */
    learn(a, deployments_outcome(reason), reason == ERR_OVERLOADED ? 0 : retry_after_ms, false);
    set_state(a, ATTEMPT_OVER);
    if (attempt_any_runs(x))
        return;
    io_timer_stop(&x->hedge);
    exchange_retry(x, reason);
}

/* --- the answer */

static bool is_event_stream(const struct http_head *head)
{
    const struct http_field *type = http_find(head, HTTP_CONTENT_TYPE);
    return head->status == 200 && head->content_length != 0 && type &&
           bytes_starts_with(type->value, BYTES("text/event-stream"));
}

/* Engines send the head of a stream when they begin to think. While nothing follows, another can
 * still take over. */
static bool hold(struct attempt *a, const struct http_head *head)
{
    struct arena *arena = &a->x->arena;
    size_t size = 0;
    for (size_t i = 0; i < head->field_count; i++)
        size += head->fields[i].name.size + head->fields[i].value.size;
    if (size > ATTEMPT_HELD_MAX)
        return false;
    struct http_head *copy = arena_alloc(arena, sizeof *copy);
    struct http_field *fields = arena_alloc(arena, head->field_count * sizeof *fields);
    if (!copy || !fields)
        return false;
    *copy = *head;
    copy->fields = fields;
    copy->reason = bytes_of(NULL, 0); /* no sink passes it on */
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *f = &head->fields[i];
        fields[i] =
            (struct http_field){f->id, arena_copy(arena, f->name), arena_copy(arena, f->value)};
        if (!fields[i].name.data || (f->value.size > 0 && !fields[i].value.data))
            return false;
    }
    a->held = copy;
    set_state(a, ATTEMPT_HOLDING);
    return true;
}

static enum err win(struct attempt *a, const struct http_head *head)
{
    struct exchange *x = a->x;
    x->executor = a->executor;
    x->answer_path = a->answer_path;
    enum err e = exchange_head(x, head);
    if (e != ERR_OK) {
        a->detail = "its answer's header is too large to pass on";
        return e;
    }
    x->winner = a;
    set_state(a, ATTEMPT_WON);
    bool is_failure = head->status == 429 || head->status >= 500; /* nobody else is left */
    count_hedge(a, is_failure ? METRICS_HEDGE_FAILED : METRICS_HEDGE_WON);
    stop_others(x, a);
    return ERR_OK;
}

enum err attempt_head(struct attempt *a, const struct http_head *head)
{
    if (a->first_byte_us == 0)
        a->first_byte_us = io_now_us(a->x->lane->loop) - a->started_us;
    if (is_event_stream(head) && hold(a, head))
        return ERR_OK;
    return win(a, head);
}

enum err attempt_data(struct attempt *a, struct bytes data)
{
    if (a->state == ATTEMPT_HOLDING) {
        a->first_byte_us = io_now_us(a->x->lane->loop) - a->started_us;
        TRY(win(a, a->held));
    }
    exchange_data(a->x, data);
    return ERR_OK;
}

static void take_over(struct attempt *a)
{
    struct exchange *x = a->x;
    a->ops = NULL;
    set_state(a, ATTEMPT_OVER);
    x->below = a->below;
    memcpy(x->below_leaf, a->below_leaf, sizeof x->below_leaf);
}

void attempt_end(struct attempt *a)
{
    if (a->state == ATTEMPT_HOLDING && win(a, a->held) != ERR_OK) {
        attempt_failed(a, ERR_PROTOCOL, 0);
        return;
    }
    /* x->retry_after_ms is of others, which failed before it. */
    learn(a, outcome_of_status(a->x->status), 0, false);
    take_over(a);
    exchange_finish(a->x);
}

void attempt_broken(struct attempt *a, enum err reason)
{
    learn(a, deployments_outcome(reason), 0, false);
    take_over(a);
    exchange_fail(a->x, reason, NULL);
}
