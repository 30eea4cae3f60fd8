/* Life of an exchange: creation, relaying what comes, failing, giving everything back. The stages
 * before the first byte are in pipeline.c, its attempts in attempt.c, accounts and receipts in
 * finish.c. */
#include "node/ingress/exchange.h"

#include "base/state.h"
#include "node/admin/admin.h"
#include "node/http/via.h"
#include "node/ingress/answer.h"
#include "node/lane.h"

#include <stdlib.h>

static const struct state_row rows[] = {
    [EXCHANGE_ARRIVING] = {"arriving", STATE_BIT(EXCHANGE_ROUTING) | STATE_BIT(EXCHANGE_RELAYING) |
                                           STATE_BIT(EXCHANGE_DONE)},
    [EXCHANGE_ROUTING] = {"routing", STATE_BIT(EXCHANGE_WAITING) | STATE_BIT(EXCHANGE_RELAYING) |
                                         STATE_BIT(EXCHANGE_DONE)},
    [EXCHANGE_WAITING] = {"waiting", STATE_BIT(EXCHANGE_ROUTING) | STATE_BIT(EXCHANGE_RELAYING) |
                                         STATE_BIT(EXCHANGE_DONE)},
    [EXCHANGE_RELAYING] = {"relaying", STATE_BIT(EXCHANGE_DONE)},
    [EXCHANGE_DONE] = {"done", 0},
};
static const struct state_table states = {"exchange", rows, 5};

void exchange_set_state(struct exchange *x, enum exchange_state state)
{
    if (x->lane->trace)
        TRACE(x->lane->trace, x->lane->config->name, "exchange", LOG_STR("id", x->request_id),
              LOG_UINT("hop", x->hop), LOG_STR("from", state_name(&states, x->state)),
              LOG_STR("to", state_name(&states, (int)state)), LOG_ERR(x->failure));
    state_move(&states, &x->state, (int)state);
}

static void on_deadline(struct io_timer *timer)
{
    struct exchange *x = LIST_ENTRY(timer, struct exchange, deadline);
    exchange_fail(x, x->state == EXCHANGE_ARRIVING ? ERR_REQUEST_TIMEOUT : ERR_DEADLINE, NULL);
}

static struct exchange *take(struct lane *lane)
{
    struct list *node = list_pop_front(&lane->idle_exchanges);
    if (node) {
        lane->idle_exchange_count--;
        return LIST_ENTRY(node, struct exchange, node);
    }
    struct exchange *x = aligned_alloc(_Alignof(struct exchange), sizeof *x);
    if (x)
        arena_init(&x->arena, EXCHANGE_ARENA_MAX);
    return x;
}

static bool is_infer(const struct api_endpoint *endpoint)
{
    return endpoint && endpoint->kind == API_INFER;
}

/* Local answers take no time, so they need no place. */
static enum err take_place(struct lane *lane, const struct api_endpoint *endpoint,
                           const struct peer *from)
{
    uint32_t places = lane->config->limits.inflight;
    if (!is_infer(endpoint))
        return ERR_OK;
    if (lane->exchange_count >= places)
        return ERR_OVERLOADED;
    if (from && !shares_take(&lane->shares, from, (places + 1) / 2))
        return ERR_OVERLOADED;
    lane->exchange_count++;
    return ERR_OK;
}

static void give_place(struct lane *lane, const struct api_endpoint *endpoint,
                       const struct peer *from)
{
    if (!is_infer(endpoint))
        return;
    lane->exchange_count--;
    if (from)
        shares_give(&lane->shares, from);
}

enum err exchange_create(struct lane *lane, const struct api_endpoint *endpoint, struct peer *from,
                         const struct sink_ops *sink, void *sink_owner, struct exchange **ret_x)
{
    TRY(take_place(lane, endpoint, from));
    struct exchange *x = take(lane);
    if (!x) {
        give_place(lane, endpoint, from);
        return ERR_NO_MEMORY;
    }
    struct arena arena = x->arena;
    memset(x, 0, offsetof(struct exchange, record));
    x->arena = arena;
    x->arena.size_max = EXCHANGE_ARENA_MAX + 6 * lane->config->limits.header_bytes;
    x->request_id[0] = '\0';
    x->lane = lane;
    x->endpoint = endpoint;
    x->from = from;
    x->sink = sink;
    x->sink_owner = sink_owner;
    list_init(&x->signing.node);
    body_init(&x->body, &lane->bodies, lane->config->limits.body_bytes);
    scan_init(&x->scan);
    x->started_us = io_now_us(lane->loop);
    x->started_wall_ms = io_wall_ms(lane->loop);
    x->origin = lane->identity->node;
    x->deadline_ms = io_now_ms(lane->loop) + lane->config->limits.request_timeout_ms;
    io_timer_start(lane->loop, &x->deadline, lane->config->limits.request_timeout_ms, on_deadline);
    list_push_back(&lane->exchanges, &x->node);
    *ret_x = x;
    return ERR_OK;
}

void exchange_release(struct exchange *x)
{
    struct lane *lane = x->lane;
    CHECK(!x->call_ops && !attempt_any_runs(x));
    io_timer_stop(&x->hedge);
    io_timer_stop(&x->deadline);
    signer_cancel(&x->signing);
    body_clear(&x->body);
    arena_reset(&x->arena);
    list_remove(&x->node);
    give_place(lane, x->endpoint, x->from);
    if (lane->idle_exchange_count < LANE_IDLE_EXCHANGES_MAX) {
        list_push_front(&lane->idle_exchanges, &x->node);
        lane->idle_exchange_count++;
    } else {
        arena_fini(&x->arena);
        free(x);
    }
    if (lane->state == LANE_DRAINING && lane->on_exchange_done)
        lane->on_exchange_done(lane->owner);
}

enum err exchange_body(struct exchange *x, struct bytes data)
{
    x->lane->metrics.body_bytes_in += data.size;
    TRY(body_append(&x->body, data));
    return x->endpoint && x->endpoint->kind == API_INFER ? scan_feed(&x->scan, data) : ERR_OK;
}

static void cancel_work(struct exchange *x)
{
    const struct call_ops *ops = x->call_ops;
    x->call_ops = NULL;
    if (ops)
        ops->cancel(x);
    attempt_stop_all(x);
}

void exchange_abandon(struct exchange *x, enum err reason)
{
    cancel_work(x);
    if (x->state != EXCHANGE_DONE) /* then its receipt only waits to be signed */
        exchange_account(x, reason);
    exchange_release(x);
}

static enum err nobody_begin(struct exchange *x, const struct http_head *answer)
{
    (void)x;
    (void)answer;
    return ERR_OK;
}

static void nobody_data(struct exchange *x, struct bytes data)
{
    (void)x;
    (void)data;
}

static void nobody_end(struct exchange *x, struct bytes receipts)
{
    (void)x;
    (void)receipts;
}

static void nobody_abort(struct exchange *x, enum err reason)
{
    (void)x;
    (void)reason;
}

static size_t nobody_queued(const struct exchange *x)
{
    (void)x;
    return 0;
}

static const struct sink_ops nobody = {nobody_begin, nobody_data, nobody_end, nobody_abort,
                                       nobody_queued};

void exchange_detach(struct exchange *x)
{
    if (x->state != EXCHANGE_RELAYING) {
        exchange_abandon(x, ERR_CLIENT_GONE);
        return;
    }
    x->sink = &nobody;
    x->sink_owner = NULL;
    io_timer_start(x->lane->loop, &x->deadline, EXCHANGE_DETACHED_MS, on_deadline);
    exchange_drained(x);
}

/* --- answers made here */

/* Where no error answer can be given any more, or none at all. */
static void break_off(struct exchange *x, enum err reason)
{
    x->sink->abort(x, reason);
    exchange_account(x, reason);
    exchange_release(x);
}

static void send_whole(struct exchange *x, int status, struct http_field *fields, size_t count,
                       struct bytes body)
{
    struct http_head head = {.status = status,
                             .content_length = (int64_t)body.size,
                             .fields = fields,
                             .field_count = count,
                             .minor_version = 1};
    exchange_set_state(x, EXCHANGE_RELAYING);
    x->status = status;
    x->first_byte_us = io_now_us(x->lane->loop);
    enum err e = x->sink->begin(x, &head);
    if (e != ERR_OK) {
        break_off(x, e);
        return;
    }
    digest_init(&x->answer_hash);
    if (body.size > 0) {
        x->answer_bytes += body.size;
        digest_update(&x->answer_hash, body);
        x->sink->data(x, body);
    }
    exchange_finish(x);
}

void exchange_answer(struct exchange *x, int status, const char *content_type, struct bytes body)
{
    struct http_field field = {HTTP_CONTENT_TYPE, BYTES("content-type"),
                               bytes_from_str(content_type ? content_type : "")};
    send_whole(x, status, &field, content_type ? 1 : 0, body);
}

#define ERROR_FIELDS_MAX 5

struct error_texts {
    char retry_after[24];
    char via[HTTP_VIA_SIZE];
};

static void fill_error_fields(struct exchange *x, enum err reason, struct error_texts *texts,
                              struct http_field fields[ERROR_FIELDS_MAX], size_t *ret_count)
{
    size_t n = 0;
    fields[n++] =
        (struct http_field){HTTP_CONTENT_TYPE, BYTES("content-type"), BYTES("application/json")};
    unsigned wait_s = answer_retry_after_s(reason);
    if (wait_s && x->retry_after_ms > wait_s * 1000ull)
        wait_s = (unsigned)((x->retry_after_ms + 999) / 1000);
    if (wait_s) {
        struct buf text;
        buf_init(&text, 20);
        bool ok = buf_append_decimal(&text, wait_s) == ERR_OK;
        bytes_to_str(ok ? buf_bytes(&text) : BYTES("1"), texts->retry_after,
                     sizeof texts->retry_after);
        buf_fini(&text);
        fields[n++] = (struct http_field){HTTP_RETRY_AFTER, BYTES("retry-after"),
                                          bytes_from_str(texts->retry_after)};
    }
    if (x->has_looped) { /* by this the sender's probe knows us */
        http_via_text(&x->lane->identity->mesh, texts->via);
        fields[n++] = (struct http_field){HTTP_VIA, BYTES("via"), bytes_from_str(texts->via)};
    }
    if (reason == ERR_METHOD_NOT_ALLOWED && x->endpoint)
        fields[n++] =
            (struct http_field){HTTP_ALLOW, BYTES("allow"), bytes_from_str(x->endpoint->allow)};
    if (x->from)
        fields[n++] = (struct http_field){HTTP_GRAPEVINE_REASON, BYTES("grapevine-reason"),
                                          bytes_from_str(err_word(reason))};
    *ret_count = n;
}

/* What helps the client to mend it. */
static void describe(struct exchange *x, enum err reason, char *ret_text, size_t size)
{
    char names[EXCHANGE_DETAIL_MAX / 2] = "";
    struct admin_view view = {.identity = x->lane->identity,
                              .mesh = x->lane->mesh,
                              .self = x->lane->facts(x->lane->owner)};
    struct buf out;
    buf_init(&out, size - 1);
    enum err e = ERR_OK;
    if (reason == ERR_MODEL_NOT_FOUND) {
        admin_near_models(&view, exchange_model(x), names, sizeof names);
        e = buf_printf(&out, "'%.80s'%s%s", x->scan.model, *names ? "; served are: " : "", names);
    } else if ((reason == ERR_INVALID_JSON || reason == ERR_INVALID_REQUEST ||
                reason == ERR_MISSING_MODEL) &&
               x->scan.detail) {
        e = reason == ERR_MISSING_MODEL ? buf_append_str(&out, x->scan.detail)
                                        : buf_printf(&out, "%s (byte %llu)", x->scan.detail,
                                                     (unsigned long long)x->scan.offset);
    } else if (reason == ERR_BODY_TOO_LARGE) {
        e = buf_printf(&out, "limits.body is %llu bytes",
                       (unsigned long long)x->lane->config->limits.body_bytes);
    } else if (reason == ERR_BACKEND_FAILED && x->last_detail) {
        e = buf_append_str(&out, x->last_detail);
    }
    bytes_to_str(e == ERR_OK ? buf_bytes(&out) : bytes_of(NULL, 0), ret_text, size);
    buf_fini(&out);
}

void exchange_fail(struct exchange *x, enum err reason, const char *detail)
{
    cancel_work(x);
    x->failure = reason;
    if (x->state == EXCHANGE_RELAYING) {
        break_off(x, reason);
        return;
    }
    char text[EXCHANGE_DETAIL_MAX] = "";
    struct error_texts texts;
    struct http_field fields[ERROR_FIELDS_MAX];
    size_t count = 0;
    struct buf body;
    buf_init(&body, 4096);
    if (!detail)
        describe(x, reason, text, sizeof text);
    if (answer_error_json(reason, detail ? detail : text, &body) != ERR_OK)
        buf_clear(&body);
    fill_error_fields(x, reason, &texts, fields, &count);
    send_whole(x, answer_status(reason), fields, count, buf_bytes(&body));
    buf_fini(&body);
}

/* --- what comes, from egress or from here */

enum err exchange_head(struct exchange *x, const struct http_head *answer)
{
    enum err e = x->sink->begin(x, answer);
    if (e != ERR_OK) {
        x->executor = NULL; /* whoever it was, its answer is not the one that is given */
        return e;
    }
    exchange_set_state(x, EXCHANGE_RELAYING);
    x->status = answer->status;
    x->first_byte_us = io_now_us(x->lane->loop);
    digest_init(&x->answer_hash);
    return ERR_OK;
}

void exchange_data(struct exchange *x, struct bytes data)
{
    x->answer_bytes += data.size;
    digest_update(&x->answer_hash, data);
    x->sink->data(x, data);
    if (!x->is_paused && x->sink->queued(x) > 0) {
        x->is_paused = true;
        if (x->winner)
            x->winner->ops->pause(x->winner);
        else
            x->call_ops->pause(x);
    }
}

void exchange_drained(struct exchange *x)
{
    if (!x->is_paused)
        return;
    x->is_paused = false;
    if (x->winner && x->winner->ops)
        x->winner->ops->resume(x->winner);
    else if (x->call_ops)
        x->call_ops->resume(x);
}

void exchange_end(struct exchange *x)
{
    x->call_ops = NULL;
    exchange_finish(x);
}

void exchange_broken(struct exchange *x, enum err reason)
{
    x->call_ops = NULL;
    exchange_fail(x, reason, NULL);
}

/* --- queries */

struct bytes exchange_model(const struct exchange *x)
{
    return bytes_of(x->scan.model, x->scan.model_size);
}

uint64_t exchange_remaining_ms(const struct exchange *x)
{
    uint64_t now_ms = io_now_ms(x->lane->loop);
    return x->deadline_ms > now_ms ? x->deadline_ms - now_ms : 0;
}

void exchange_limit_time(struct exchange *x, uint64_t deadline_ms)
{
    if (deadline_ms >= x->deadline_ms)
        return;
    x->deadline_ms = deadline_ms;
    io_timer_start(x->lane->loop, &x->deadline, exchange_remaining_ms(x), x->deadline.on_fire);
}

const uint8_t *exchange_body_hash(struct exchange *x)
{
    if (!x->has_body_hash)
        body_hash(&x->body, x->body_hash);
    x->has_body_hash = true;
    return x->body_hash;
}
