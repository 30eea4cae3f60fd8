/* One attempt at a local backend.
 *
 * Happy path: take a place (or wait in the backend's queue), write the request, relay the answer,
 * give the place back. Failure modes: no room in the queue, no connection, a broken one before or
 * in the middle of the answer, 429 and 5xx (tried elsewhere while that is possible, else relayed as
 * they are), cancelled (the connection is closed, so the engine stops working). */
#include "node/egress/calls.h"

#include "node/egress/backend.h"
#include "node/egress/forward.h"
#include "node/http/via.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"

static struct attempt *of_call(struct client_call *c)
{
    return LIST_ENTRY(c, struct attempt, call.backend.client);
}

uint64_t forward_retry_after_ms(const struct http_head *answer)
{
    const struct http_field *f = http_find(answer, HTTP_RETRY_AFTER);
    uint64_t seconds = 0;
    if (!f || !bytes_to_u64(f->value, &seconds))
        return 0;
    return seconds > 86400 ? 86400000 : seconds * 1000;
}

/* It is over: the place is free. Ends with the exchange possibly gone. */
static void call_failed(struct attempt *a, enum err e, uint64_t retry_after_ms)
{
    struct backend *b = a->call.backend.backend;
    a->ops = NULL; /* first: what the failure tells about the backend may end other attempts */
    backend_note_failure(b, e);
    backend_leave(b);
    attempt_failed(a, e, retry_after_ms);
}

/* Its answer cannot be passed on. */
static void refuse_answer(struct attempt *a)
{
    client_cancel(&a->call.backend.client);
    call_failed(a, ERR_PROTOCOL, 0);
}

static void on_head(struct client_call *call, const struct http_head *head)
{
    struct attempt *a = of_call(call);
    /* No link could carry it. Judged alike wherever the client is. */
    if (head->field_count + HTTP_FIELDS_OWN > HTTP_FIELDS_MAX) {
        a->detail = "its answer has too many header fields";
        refuse_answer(a);
        return;
    }
    struct backend *b = a->call.backend.backend;
    if (head->status == 429 || head->status >= 500) {
        uint64_t retry_after_ms = forward_retry_after_ms(head);
        enum err e = head->status == 429 ? ERR_BACKEND_BUSY : ERR_BACKEND_FAILED;
        if (head->status == 429 || head->status == 503)
            backend_note_busy(b, retry_after_ms);
        if (attempt_is_dispensable(a, e)) {
            client_cancel(call);
            call_failed(a, e, retry_after_ms);
            return;
        }
    }
    a->executor = b->lane->config->name;
    a->answer_path = bytes_from_str(a->executor);
    if (attempt_head(a, head) != ERR_OK)
        refuse_answer(a);
}

static void on_data(struct client_call *call, struct bytes data)
{
    struct attempt *a = of_call(call);
    if (attempt_data(a, data) != ERR_OK)
        refuse_answer(a);
}

static void on_end(struct client_call *call)
{
    struct attempt *a = of_call(call);
    struct backend *b = a->call.backend.backend;
    b->served++;
    attempt_end(a);
    backend_leave(b);
}

static void on_fail(struct client_call *call, enum err e, bool begun)
{
    struct attempt *a = of_call(call);
    struct backend *b = a->call.backend.backend;
    (void)begun;
    if (!attempt_has_won(a)) {
        a->detail = call->detail;
        call_failed(a, e == ERR_LIMIT || e == ERR_HEADER_TOO_LARGE ? ERR_PROTOCOL : e, 0);
        return;
    }
    backend_note_failure(b, e);
    attempt_broken(a, ERR_BACKEND_FAILED);
    backend_leave(b);
}

static const struct client_ops client_ops = {on_head, on_data, on_end, on_fail};

static void cancel(struct attempt *a)
{
    struct backend_call *call = &a->call.backend;
    if (call->is_waiting) {
        backend_leave_queue(call->backend, a);
        return;
    }
    client_cancel(&call->client);
    backend_leave(call->backend);
}

static void pause_call(struct attempt *a)
{
    client_pause(&a->call.backend.client);
}
static void resume_call(struct attempt *a)
{
    client_resume(&a->call.backend.client);
}

static const struct attempt_ops ops = {cancel, pause_call, resume_call};

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
static enum err build_head(struct exchange *x, const struct backend *b, struct bytes *ret_head)
{
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

static enum err begin(struct attempt *a)
{
    struct backend_call *call = &a->call.backend;
    call->is_waiting = false;
    call->client = (struct client_call){.ops = &client_ops, .body = &a->x->body};
    TRY(build_head(a->x, call->backend, &call->client.head));
    return client_start(&call->backend->client, &call->client);
}

void backend_call_begin(struct attempt *a)
{
    enum err e = begin(a);
    if (e != ERR_OK)
        call_failed(a, e, 0);
}

void backend_call_shed(struct attempt *a)
{
    a->call.backend.is_waiting = false;
    attempt_failed(a, ERR_OVERLOADED, a->call.backend.retry_after_ms);
}

enum err backend_call_start(struct attempt *a, struct backend *b)
{
    a->call.backend = (struct backend_call){.backend = b};
    if (!backend_try_enter(b)) {
        a->call.backend.is_waiting = true;
        a->ops = &ops;
        backend_wait(b, a);
        return ERR_OK;
    }
    enum err e = begin(a);
    if (e != ERR_OK) {
        backend_leave(b);
        return e;
    }
    a->ops = &ops;
    return ERR_OK;
}

static bool is_at(const struct attempt *a, const struct backend *b)
{
    return a->ops == &ops && a->call.backend.backend == b && attempt_is_open(a);
}

static struct attempt *next_without_answer(struct backend *b)
{
    LIST_EACH(it, &b->lane->exchanges)
    {
        struct exchange *x = LIST_ENTRY(it, struct exchange, node);
        for (uint32_t i = 0; i < x->attempt_count; i++)
            if (is_at(&x->attempts[i], b))
                return &x->attempts[i];
    }
    return NULL;
}

void backend_call_fail_all(struct backend *b, enum err reason)
{
    /* From the start each time: an attempt that fails may end others. Each exchange comes here once
     * per backend, for what was tried is not chosen again. */
    for (struct attempt *a; (a = next_without_answer(b));) {
        a->ops = NULL;
        cancel(a);
        attempt_failed(a, reason, 0);
    }
}
