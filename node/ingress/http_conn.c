/* Bytes of a client connection: parsing, time-outs, pipelining, disappearing. Answers are in
 * http_sink.c, its last moments in linger.c.
 *
 * Happy path: head → exchange, body → exchange, end → pipeline or local answer; the sink calls
 * http_conn_answered; the next request follows. Failure modes: malformed or ambiguous framing,
 * limits, slow heads and bodies (408 when something came, else a silent end), the client gone at
 * any moment, more bytes than the pipeline buffer while one runs. */
#include "node/http/via.h"
#include "node/ingress/answer.h"
#include "node/ingress/auth.h"
#include "node/ingress/http_conn_impl.h"
#include "node/ingress/linger.h"
#include "node/ingress/remote.h"
#include "node/lane.h"

#include <stdlib.h>

static void feed(struct http_conn *conn, struct bytes data);
static enum err refuse(struct http_conn *conn, enum err reason, const char *detail);

/* Its place in connection_count goes with the stream. */
static void end_stream(struct http_conn *conn, bool gracefully)
{
    struct io_stream *stream = conn->stream;
    conn->stream = NULL;
    if (!stream)
        return;
    if (gracefully) {
        linger(conn->lane, stream, conn->has_ended);
        return;
    }
    io_stream_close(stream);
    conn->lane->connection_count--;
}

static void destroy(struct http_conn *conn, bool gracefully)
{
    struct exchange *x = conn->x;
    conn->x = NULL;
    if (x && http_sink_is_complete(conn))
        exchange_detach(x);
    else if (x)
        exchange_abandon(x, ERR_CLIENT_GONE);
    end_stream(conn, gracefully);
    io_idle_stop(&conn->idle);
    io_task_cancel(&conn->flush);
    io_task_cancel(&conn->next);
    conn->is_doomed = true;
    if (conn->is_feeding)
        return;
    list_remove(&conn->node);
    http_parser_destroy(conn->parser);
    buf_fini(&conn->rest);
    buf_fini(&conn->out);
    free(conn);
}

void http_conn_destroy(struct http_conn *conn)
{
    destroy(conn, false);
}
void http_conn_destroy_gracefully(struct http_conn *conn)
{
    destroy(conn, true);
}

/* --- time-outs */

static void on_idle(struct io_idle *idle)
{
    http_conn_destroy_gracefully(LIST_ENTRY(idle, struct http_conn, idle));
}

static void on_slow(struct io_idle *idle)
{
    struct http_conn *conn = LIST_ENTRY(idle, struct http_conn, idle);
    if (conn->x && conn->arrived >= BODY_STEP) {
        conn->arrived = 0;
        io_idle_touch(&conn->lane->header_timeouts, idle, on_slow);
        return;
    }
    if (conn->x) {
        exchange_fail(conn->x, ERR_REQUEST_TIMEOUT, NULL);
        return;
    }
    if (conn->parser && http_parser_is_busy(conn->parser))
        (void)refuse(conn, ERR_REQUEST_TIMEOUT, NULL);
    else
        http_conn_destroy_gracefully(conn);
}

static void wait_for_request(struct http_conn *conn)
{
    io_idle_stop(&conn->idle);
    io_idle_touch(&conn->lane->idle_timeouts, &conn->idle, on_idle);
}

static void wait_for_rest(struct http_conn *conn)
{
    conn->arrived = 0;
    io_idle_stop(&conn->idle);
    io_idle_touch(&conn->lane->header_timeouts, &conn->idle, on_slow);
}

/* --- a request's head */

/* From the lane's generator: unique enough to find a request by; what must not repeat is the
 * envelope's number. */
static void make_id(struct lane *lane, char ret_text[ID_TEXT_SIZE])
{
    struct id id;
    uint64_t words[2] = {rng_next(&lane->rng), rng_next(&lane->rng)};
    memcpy(id.bytes, words, sizeof id.bytes);
    id_to_text(&id, ret_text);
}

static void set_request_id(struct exchange *x)
{
    const struct http_field *f = http_find(&x->head, HTTP_X_REQUEST_ID);
    bool sane = f && f->value.size > 0 && f->value.size <= REQUEST_ID_MAX;
    for (size_t i = 0; sane && i < f->value.size; i++)
        sane = f->value.data[i] > 0x20 && f->value.data[i] < 0x7F;
    if (sane) {
        bytes_to_str(f->value, x->request_id, sizeof x->request_id);
        return;
    }
    make_id(x->lane, x->request_id);
}

static enum err check_request(struct exchange *x, enum api_face face)
{
    const struct http_head *head = &x->head;
    x->has_looped = face == API_CLIENT && http_via_names(head, &x->lane->identity->mesh);
    if (x->has_looped) {
        x->last_detail = "this mesh itself sent the request: the URL of one of its backends leads "
                         "back to it";
        return ERR_BACKEND_FAILED;
    }
    if (!x->endpoint)
        return ERR_NO_SUCH_PATH;
    enum http_method m = head->method == HTTP_HEAD ? HTTP_GET : head->method;
    if (m != HTTP_OPTIONS && !(x->endpoint->methods & 1u << m))
        return ERR_METHOD_NOT_ALLOWED;
    if (!head->expect_continue && http_find(head, HTTP_EXPECT))
        return ERR_EXPECTATION_FAILED;
    if (head->content_length > 0 &&
        (uint64_t)head->content_length > x->lane->config->limits.body_bytes)
        return ERR_BODY_TOO_LARGE;
    bool asks_who = face == API_CLIENT && x->endpoint->needs_key && m != HTTP_OPTIONS;
    return asks_who ? auth_client(x) : ERR_OK;
}

static bool is_options_star(const struct http_head *head)
{
    return head->method == HTTP_OPTIONS && bytes_equal(head->target, BYTES("*"));
}

static void answer_options(struct exchange *x)
{
    struct http_field allow = {
        HTTP_ALLOW, BYTES("allow"),
        bytes_from_str(x->endpoint ? x->endpoint->allow : "GET, HEAD, POST, OPTIONS")};
    struct http_head head = {
        .status = 204, .content_length = -1, .fields = &allow, .field_count = 1};
    if (exchange_head(x, &head) == ERR_OK)
        exchange_finish(x);
    else
        exchange_fail(x, ERR_NO_MEMORY, NULL);
}

/* No exchange could be made: a few bytes, and the end. */
static enum err refuse(struct http_conn *conn, enum err reason, const char *detail)
{
    struct buf *out = &conn->lane->scratch;
    struct buf body;
    char id[ID_TEXT_SIZE];
    buf_init(&body, 4096);
    buf_clear(out);
    make_id(conn->lane, id);
    unsigned wait_s = answer_retry_after_s(reason);
    enum err e = answer_error_json(reason, detail, &body);
    if (e == ERR_OK)
        e = http_write_status_line(out, answer_status(reason));
    if (e == ERR_OK && wait_s)
        e = http_write_field_decimal(out, BYTES("retry-after"), wait_s);
    if (e == ERR_OK)
        e = http_write_field(out, BYTES("x-request-id"), bytes_from_str(id));
    if (e == ERR_OK)
        e = buf_printf(
            out,
            "content-type: application/json\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n",
            body.size);
    if (e == ERR_OK && !conn->is_head)
        e = buf_append(out, buf_bytes(&body));
    buf_fini(&body);
    struct bytes all = buf_bytes(out);
    if (e == ERR_OK)
        io_stream_write(conn->stream, &all, 1);
    conn->lane->metrics.failures[reason]++;
    metrics_request(&conn->lane->metrics, NULL, answer_status(reason));
    http_conn_destroy_gracefully(conn);
    return ERR_CANCELLED;
}

static enum err on_head(void *owner, const struct http_head *head)
{
    struct http_conn *conn = owner;
    struct exchange *x;
    conn->keep_alive = head->keep_alive;
    conn->is_old = head->minor_version == 0;
    conn->is_head = head->method == HTTP_HEAD;
    conn->has_answer = false;
    conn->tail[0] = conn->tail[1] = 0;
    enum err e = exchange_create(conn->lane, api_find(head->target, conn->face), NULL,
                                 &http_sink_ops, conn, &x);
    if (e != ERR_OK)
        return refuse(conn, e, NULL);
    conn->x = x;
    x->head = *head;
    set_request_id(x);
    bool has_body = head->chunked || head->content_length > 0;
    conn->is_complete = !has_body; /* known already: an early answer then spares the connection */
    e = is_options_star(head) ? ERR_OK : check_request(x, conn->face);
    if (e != ERR_OK) {
        exchange_fail(x, e, NULL);
        return conn->is_doomed ? ERR_CANCELLED : ERR_OK;
    }
    conn->is_complete = false;
    if (head->expect_continue && has_body) {
        struct bytes go_on = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
        io_stream_write(conn->stream, &go_on, 1);
    }
    return ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct http_conn *conn = owner;
    if (!conn->x)
        return ERR_CANCELLED;
    conn->arrived += data.size;
    enum err e = exchange_body(conn->x, data);
    if (e == ERR_OK)
        return ERR_OK;
    exchange_fail(conn->x, e, NULL);
    return ERR_CANCELLED;
}

static enum err on_end(void *owner)
{
    ((struct http_conn *)owner)->is_complete = true;
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

/* --- bytes */

static void run_request(struct http_conn *conn)
{
    struct exchange *x = conn->x;
    io_idle_stop(&conn->idle);
    if (!x)
        return; /* answered at its head */
    if (x->head.method == HTTP_OPTIONS) {
        answer_options(x);
    } else if (x->endpoint->kind == API_INFER) {
        exchange_submit(x);
    } else {
        const char *why = NULL;
        bool is_far = conn->face == API_CLIENT && (x->endpoint->faces & API_SIGNED);
        enum err e = is_far ? remote_admit(x, &why) : ERR_OK;
        if (e == ERR_OK)
            e = x->endpoint->answer(x, api_path(x->head.target));
        if (e != ERR_OK)
            exchange_fail(x, e, why);
    }
}

static void keep_rest(struct http_conn *conn, struct bytes data)
{
    if (data.size == 0)
        return;
    if (buf_append(&conn->rest, data) != ERR_OK) {
        http_conn_destroy(conn);
        return;
    }
    if (conn->rest.size >= HTTP_CONN_REST_MAX)
        io_stream_pause(conn->stream);
}

static enum err make_parser(struct http_conn *conn)
{
    struct http_parser_cfg cfg = {.kind = HTTP_PARSE_REQUEST,
                                  .head_max = conn->lane->config->limits.header_bytes,
                                  .target_max = 8192};
    TRY(http_parser_create(&cfg, &parser_ops, conn, &conn->parser));
    http_parser_reset(conn->parser, false);
    return ERR_OK;
}

/* One message, or a part of one. Returns what was not used. */
static struct bytes feed_message(struct http_conn *conn, struct bytes data)
{
    size_t used = 0;
    if (!http_parser_is_busy(conn->parser))
        wait_for_rest(conn);
    enum err e = http_parser_feed(conn->parser, data, &used);
    if (conn->is_doomed)
        return bytes_of(NULL, 0);
    if (e != ERR_OK) {
        if (conn->x)
            exchange_fail(conn->x, e, http_parser_detail(conn->parser));
        else
            (void)refuse(conn, e, http_parser_detail(conn->parser));
        if (!conn->is_doomed) /* answered; what follows cannot be told apart */
            http_conn_destroy_gracefully(conn);
        return bytes_of(NULL, 0);
    }
    if (conn->is_complete)
        run_request(conn);
    return bytes_skip(data, used);
}

static void feed(struct http_conn *conn, struct bytes data)
{
    if (!conn->parser && make_parser(conn) != ERR_OK) {
        http_conn_destroy(conn);
        return;
    }
    conn->is_feeding = true;
    while (data.size > 0 && !conn->is_doomed) {
        if (conn->is_complete) {
            /* The last one still runs, or its answer is not taken yet: no room for another's. */
            if (conn->x || io_stream_queued(conn->stream) > 0) {
                keep_rest(conn, data);
                break;
            }
            conn->is_complete = conn->is_head = false;
            http_parser_reset(conn->parser, false);
        }
        data = feed_message(conn, data);
    }
    conn->is_feeding = false;
    if (conn->is_doomed) {
        destroy(conn, false);
        return;
    }
    if (conn->rest.size < HTTP_CONN_REST_MAX)
        io_stream_read(conn->stream);
    if (conn->is_complete && !conn->x)
        wait_for_request(conn);
}

/* The request was answered while (or after) it was fed. */
void http_conn_answered(struct http_conn *conn)
{
    conn->x = NULL;
    if (!conn->keep_alive) {
        http_conn_destroy_gracefully(conn);
        return;
    }
    if (conn->is_feeding)
        return;
    if (conn->rest.size > 0)
        io_task_post(conn->lane->loop, &conn->next);
    else
        wait_for_request(conn);
}

static void on_next(struct io_task *task)
{
    struct http_conn *conn = LIST_ENTRY(task, struct http_conn, next);
    struct buf rest = conn->rest;
    buf_init(&conn->rest, rest.size_max);
    feed(conn, buf_bytes(&rest)); /* may be the end of conn */
    buf_fini(&rest);
}

static void on_read(void *owner, struct bytes data)
{
    struct http_conn *conn = owner;
    if (conn->rest.size > 0)
        keep_rest(conn, data);
    else
        feed(conn, data);
}

static void on_eof(void *owner)
{
    struct http_conn *conn = owner;
    conn->has_ended = true;
    http_conn_destroy_gracefully(conn);
}

static void on_drain(void *owner)
{
    struct http_conn *conn = owner;
    if (conn->x)
        exchange_drained(conn->x);
    else if (conn->rest.size > 0)
        io_task_post(conn->lane->loop, &conn->next);
}

static void on_fail(void *owner, enum err e)
{
    (void)e;
    http_conn_destroy(owner);
}

static const struct io_stream_ops stream_ops = {NULL, on_read, on_eof, on_drain, on_fail};

/* --- beginning and ending */

/* Clients never lock the CLI out. */
static bool has_place(const struct lane *lane, enum api_face face)
{
    return lane->connection_count < lane->config->limits.connections || face == API_CONTROL;
}

void http_conn_on_accept(void *owner, struct io_stream *stream)
{
    struct listener *l = owner;
    struct lane *lane = l->lane;
    struct http_conn *conn = has_place(lane, l->face) ? calloc(1, sizeof *conn) : NULL;
    if (!conn) {
        lane->metrics.connections_refused++;
        io_stream_close(stream);
        return;
    }
    conn->lane = lane;
    conn->face = l->face;
    conn->stream = stream;
    buf_init(&conn->rest, HTTP_CONN_REST_MAX + IO_READ_SIZE);
    buf_init(&conn->out, CLIENT_ANSWER_HEAD_MAX + 1024);
    io_task_init(&conn->flush, http_sink_flush);
    io_task_init(&conn->next, on_next);
    list_push_back(&lane->connections, &conn->node);
    lane->connection_count++;
    lane->metrics.connections++;
    io_stream_set(stream, &stream_ops, conn);
    io_idle_touch(&lane->header_timeouts, &conn->idle, on_slow);
    io_stream_read(stream);
}

size_t http_conn_count_clients(const struct lane *lane)
{
    size_t count = 0;
    LIST_EACH(it, &lane->connections)
    count += LIST_ENTRY(it, struct http_conn, node)->face == API_CLIENT;
    return count;
}

void http_conn_drain_all(struct lane *lane)
{
    LIST_EACH_SAFE(it, tmp, &lane->connections)
    {
        struct http_conn *conn = LIST_ENTRY(it, struct http_conn, node);
        conn->keep_alive = false;
        if (!conn->x && conn->face == API_CLIENT &&
            !(conn->parser && http_parser_is_busy(conn->parser)))
            http_conn_destroy_gracefully(conn);
    }
}

void http_conn_close_all(struct lane *lane)
{
    LIST_EACH_SAFE(it, tmp, &lane->connections)
    http_conn_destroy(LIST_ENTRY(it, struct http_conn, node));
    linger_close_all(lane);
}
