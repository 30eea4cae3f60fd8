/* One attempt at a local backend.
 *
 * Happy path: take a place (or wait in the backend's queue), write the request, relay the answer,
 * give the place back. Failure modes: no connection, a broken one before or in the middle of the
 * answer, 429 and 5xx (tried elsewhere while that is possible, else relayed as they are), cancelled
 * (the connection is closed, so the engine stops working). */
#include "node/egress/calls.h"

#include "node/egress/backend.h"
#include "node/egress/forward.h"
#include "node/http/via.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"

static struct exchange *of_call(struct client_call *c)
{
    return LIST_ENTRY(c, struct exchange, call.backend.client);
}

uint64_t forward_retry_after_ms(const struct http_head *answer)
{
    const struct http_field *f = http_find(answer, HTTP_RETRY_AFTER);
    uint64_t seconds = 0;
    if (!f || !bytes_to_u64(f->value, &seconds))
        return 0;
    return seconds > 86400 ? 86400000 : seconds * 1000;
}

/* The attempt is over: the place is free. Ends with the exchange possibly gone. */
static void attempt_failed(struct exchange *x, enum err e, uint64_t retry_after_ms)
{
    struct backend *b = x->call.backend.backend;
    x->call_ops = NULL; /* first: what the failure tells about the backend may end other attempts */
    backend_note_failure(b, e);
    backend_leave(b);
    exchange_attempt_failed(x, e, retry_after_ms);
}

static void refuse_answer(struct exchange *x, const char *detail)
{
    client_cancel(&x->call.backend.client);
    x->last_detail = detail;
    attempt_failed(x, ERR_PROTOCOL, 0);
}

static void on_head(struct client_call *call, const struct http_head *head)
{
    struct exchange *x = of_call(call);
    /* No link could carry it. Judged alike wherever the client is. */
    if (head->field_count + HTTP_FIELDS_OWN > HTTP_FIELDS_MAX) {
        refuse_answer(x, "its answer has too many header fields");
        return;
    }
    struct backend *b = x->call.backend.backend;
    if (head->status == 429 || head->status >= 500) {
        uint64_t retry_after_ms = forward_retry_after_ms(head);
        if (head->status == 429 || head->status == 503)
            backend_note_busy(b, retry_after_ms);
        if (exchange_may_retry(x)) {
            client_cancel(call);
            attempt_failed(x, head->status == 429 ? ERR_BACKEND_BUSY : ERR_BACKEND_FAILED,
                           retry_after_ms);
            return;
        }
    }
    x->executor = x->lane->config->name;
    x->answer_path = bytes_from_str(x->lane->config->name);
    if (exchange_head(x, head) != ERR_OK)
        refuse_answer(x, "its answer's header is too large to pass on");
}

static void on_data(struct client_call *call, struct bytes data)
{
    exchange_data(of_call(call), data);
}

static void on_end(struct client_call *call)
{
    struct exchange *x = of_call(call);
    struct backend *b = x->call.backend.backend;
    b->served++;
    exchange_end(x);
    backend_leave(b);
}

static void on_fail(struct client_call *call, enum err e, bool begun)
{
    struct exchange *x = of_call(call);
    struct backend *b = x->call.backend.backend;
    (void)begun;
    if (x->state != EXCHANGE_RELAYING) {
        x->last_detail = call->detail;
        attempt_failed(x, e == ERR_LIMIT || e == ERR_HEADER_TOO_LARGE ? ERR_PROTOCOL : e, 0);
        return;
    }
    backend_note_failure(b, e);
    exchange_broken(x, ERR_BACKEND_FAILED);
    backend_leave(b);
}

static const struct client_ops client_ops = {on_head, on_data, on_end, on_fail};

static void cancel(struct exchange *x)
{
    struct backend_call *call = &x->call.backend;
    if (call->is_waiting) {
        backend_leave_queue(call->backend, x);
        return;
    }
    client_cancel(&call->client);
    backend_leave(call->backend);
}

static void pause_call(struct exchange *x)
{
    client_pause(&x->call.backend.client);
}
static void resume_call(struct exchange *x)
{
    client_resume(&x->call.backend.client);
}

static const struct call_ops call_ops = {cancel, pause_call, resume_call};

static size_t head_bound(const struct exchange *x, const struct backend *b)
{
    size_t size = 160 + HTTP_VIA_SIZE + strlen(b->cfg.prefix) + strlen(b->cfg.host) +
                  x->head.target.size + REQUEST_ID_MAX;
    for (size_t i = 0; i < x->head.field_count; i++)
        size += x->head.fields[i].name.size + x->head.fields[i].value.size + 4;
    return size;
}

/* The head as it goes to the engine, in the exchange's arena: it may be sent twice (see client.h).
 */
static enum err build_head(struct exchange *x, struct bytes *ret_head)
{
    const struct backend *b = x->call.backend.backend;
    char via[HTTP_VIA_SIZE];
    size_t bound = head_bound(x, b);
    struct buf out = {.data = arena_alloc(&x->arena, bound), .capacity = bound, .size_max = bound};
    if (!out.data)
        return ERR_NO_MEMORY;
    TRY(buf_append(&out, http_method_text(x->head.method)));
    TRY(buf_append_byte(&out, ' '));
    TRY(buf_append_str(&out, b->cfg.prefix));
    TRY(buf_append(&out, x->head.target));
    TRY(buf_append_str(&out, " HTTP/1.1\r\nhost: "));
    TRY(buf_append_str(&out, b->cfg.host));
    TRY(buf_append_byte(&out, ':'));
    TRY(buf_append_decimal(&out, b->cfg.port));
    TRY(buf_append_str(&out, "\r\n"));
    for (size_t i = 0; i < x->head.field_count; i++)
        if (!forward_drops(&x->head, &x->head.fields[i]))
            TRY(http_write_field(&out, x->head.fields[i].name, x->head.fields[i].value));
    TRY(http_write_field(&out, BYTES("x-request-id"), bytes_from_str(x->request_id)));
    http_via_text(&x->lane->identity->mesh, via);
    TRY(http_write_field(&out, BYTES("via"), bytes_from_str(via)));
    TRY(http_write_field_decimal(&out, BYTES("content-length"), x->body.size));
    TRY(buf_append_str(&out, "\r\n"));
    *ret_head = buf_bytes(&out);
    return ERR_OK;
}

static enum err begin(struct exchange *x)
{
    struct backend_call *call = &x->call.backend;
    call->is_waiting = false;
    call->client = (struct client_call){.ops = &client_ops, .body = &x->body};
    TRY(build_head(x, &call->client.head));
    return client_start(&call->backend->client, &call->client);
}

void backend_call_begin(struct exchange *x)
{
    enum err e = begin(x);
    if (e != ERR_OK)
        attempt_failed(x, e, 0);
}

enum err backend_call_start(struct exchange *x, struct backend *b)
{
    x->call.backend = (struct backend_call){.backend = b};
    if (!backend_try_enter(b)) {
        TRY(backend_wait(b, x));
        x->call.backend.is_waiting = true;
        x->call_ops = &call_ops;
        return ERR_OK;
    }
    enum err e = begin(x);
    if (e != ERR_OK) {
        backend_leave(b);
        return e;
    }
    x->call_ops = &call_ops;
    return ERR_OK;
}

static struct exchange *next_without_answer(struct backend *b)
{
    LIST_EACH(it, &b->lane->exchanges)
    {
        struct exchange *x = LIST_ENTRY(it, struct exchange, node);
        if (x->call_ops == &call_ops && x->call.backend.backend == b &&
            x->state == EXCHANGE_WAITING)
            return x;
    }
    return NULL;
}

void backend_call_fail_all(struct backend *b, enum err reason)
{
    /* From the start each time: an attempt that fails may end others. Each exchange comes here once
     * per backend, for what was tried is not chosen again. */
    for (struct exchange *x; (x = next_without_answer(b));) {
        cancel(x);
        exchange_attempt_failed(x, reason, 0);
    }
}
