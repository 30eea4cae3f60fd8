/* See conn.h. Unlike the product's client this one repeats nothing by itself: a connection that
 * turns out to be dead is a failure to be counted.
 *
 * Happy path: an idle connection or a new one; one write; the answer through the parser; back to
 * the idle ones. Failure modes: refused, reset, ended too early, no HTTP, no answer in time. */
#include "testnet/load/conn.h"

#include <stdlib.h>

struct load_conn {
    struct list node; /* the target's idle or busy ones */
    struct load_target *target;
    struct load_call *call;
    struct io_stream *stream;
    struct http_parser *parser;
    struct io_idle idle;
    bool is_open, has_begun, is_complete, may_be_reused;
    bool is_feeding, is_doomed;
};

void load_target_init(struct load_target *t, struct io_loop *loop, const struct io_addr *addr,
                      uint64_t timeout_ms, uint32_t open_max)
{
    *t = (struct load_target){.loop = loop, .addr = *addr, .open_max = open_max};
    io_addr_to_text(addr, t->host);
    list_init(&t->idle);
    list_init(&t->busy);
    list_init(&t->waiting);
    io_idle_list_init(&t->idle_timeouts, loop, CONN_IDLE_MS);
    io_idle_list_init(&t->timeouts, loop, timeout_ms);
}

static void destroy(struct load_conn *conn)
{
    io_stream_close(conn->stream);
    conn->stream = NULL;
    io_idle_stop(&conn->idle);
    conn->is_doomed = true;
    if (conn->is_feeding)
        return;
    list_remove(&conn->node);
    conn->target->open_count--;
    http_parser_destroy(conn->parser);
    free(conn);
}

void load_target_fini(struct load_target *t)
{
    CHECK(list_is_empty(&t->busy));
    while (!list_is_empty(&t->idle))
        destroy(LIST_ENTRY(t->idle.next, struct load_conn, node));
    io_idle_list_fini(&t->idle_timeouts);
    io_idle_list_fini(&t->timeouts);
}

static bool has_room(const struct load_target *t)
{
    return !list_is_empty(&t->idle) || t->open_max == 0 || t->open_count < t->open_max;
}

static enum err start(struct load_target *t, struct load_call *call);

/* A connection is free again, or may be opened. */
static void start_waiting(struct load_target *t)
{
    while (!list_is_empty(&t->waiting) && has_room(t)) {
        struct load_call *call = LIST_ENTRY(list_pop_front(&t->waiting), struct load_call, node);
        enum err e = start(t, call);
        if (e != ERR_OK)
            call->ops->on_fail(call, e, false);
    }
}

static void on_idle(struct io_idle *idle)
{
    destroy(LIST_ENTRY(idle, struct load_conn, idle));
}

static void fail(struct load_conn *conn, enum err e)
{
    struct load_call *call = conn->call;
    struct load_target *t = conn->target;
    bool has_begun = conn->has_begun;
    conn->call = NULL;
    destroy(conn);
    if (!call)
        return;
    call->conn = NULL;
    start_waiting(t);
    call->ops->on_fail(call, e, has_begun);
}

static void on_timeout(struct io_idle *idle)
{
    fail(LIST_ENTRY(idle, struct load_conn, idle), ERR_TIMEOUT);
}

static void send_request(struct load_conn *conn)
{
    struct bytes parts[] = {conn->call->head, conn->call->body};
    io_stream_write(conn->stream, parts, conn->call->body.size ? 2 : 1);
}

static void on_open(void *owner, enum err e)
{
    struct load_conn *conn = owner;
    if (e != ERR_OK) {
        fail(conn, e);
        return;
    }
    conn->is_open = true;
    io_stream_read(conn->stream);
    send_request(conn);
}

static enum err on_head(void *owner, const struct http_head *head)
{
    struct load_conn *conn = owner;
    conn->may_be_reused = head->keep_alive;
    conn->call->ops->on_head(conn->call, head);
    return conn->is_doomed ? ERR_CANCELLED : ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct load_conn *conn = owner;
    conn->call->ops->on_data(conn->call, data);
    return conn->is_doomed ? ERR_CANCELLED : ERR_OK;
}

static enum err on_end(void *owner)
{
    ((struct load_conn *)owner)->is_complete = true;
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

/* After the parser returned. */
static void settle(struct load_conn *conn, enum err e, bool has_more)
{
    if (conn->is_doomed) {
        destroy(conn);
        return;
    }
    if (e != ERR_OK) {
        fail(conn, e);
        return;
    }
    if (!conn->is_complete)
        return;
    struct load_call *call = conn->call;
    struct load_target *t = conn->target;
    conn->call = NULL;
    call->conn = NULL;
    if (conn->may_be_reused && !has_more) {
        list_remove(&conn->node);
        list_push_front(&t->idle, &conn->node);
        io_idle_stop(&conn->idle);
        io_idle_touch(&t->idle_timeouts, &conn->idle, on_idle);
    } else {
        destroy(conn);
    }
    start_waiting(t);
    call->ops->on_end(call);
}

static void on_read(void *owner, struct bytes data)
{
    struct load_conn *conn = owner;
    size_t used = 0;
    if (!conn->call) { /* bytes nobody asked for */
        fail(conn, ERR_PROTOCOL);
        return;
    }
    conn->has_begun = conn->is_feeding = true;
    enum err e = http_parser_feed(conn->parser, data, &used);
    conn->is_feeding = false;
    settle(conn, e, used < data.size);
}

static void on_eof(void *owner)
{
    struct load_conn *conn = owner;
    if (!conn->call) {
        destroy(conn);
        return;
    }
    conn->is_feeding = true;
    enum err e = http_parser_eof(conn->parser);
    conn->is_feeding = false;
    conn->may_be_reused = false;
    settle(conn, e == ERR_OK && !conn->is_complete ? ERR_EOF : e, false);
}

static void on_stream_fail(void *owner, enum err e)
{
    fail(owner, e);
}

static const struct io_stream_ops stream_ops = {on_open, on_read, on_eof, NULL, on_stream_fail};

static enum err connect_new(struct load_target *t, struct load_conn **ret_conn)
{
    struct http_parser_cfg cfg = {.kind = HTTP_PARSE_RESPONSE, .head_max = 64 * 1024};
    struct load_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return ERR_NO_MEMORY;
    enum err e = http_parser_create(&cfg, &parser_ops, conn, &conn->parser);
    if (e == ERR_OK)
        e = io_connect(t->loop, &t->addr, &stream_ops, conn, &conn->stream);
    if (e != ERR_OK) {
        http_parser_destroy(conn->parser);
        free(conn);
        return e;
    }
    conn->target = t;
    list_init(&conn->node);
    t->connection_count++;
    t->open_count++;
    *ret_conn = conn;
    return ERR_OK;
}

static enum err start(struct load_target *t, struct load_call *call)
{
    struct load_conn *conn;
    struct list *node = list_pop_front(&t->idle);
    if (node)
        conn = LIST_ENTRY(node, struct load_conn, node);
    else
        TRY(connect_new(t, &conn));
    io_idle_stop(&conn->idle);
    io_idle_touch(&t->timeouts, &conn->idle, on_timeout);
    list_push_back(&t->busy, &conn->node);
    http_parser_reset(conn->parser, false);
    conn->has_begun = conn->is_complete = conn->may_be_reused = false;
    conn->call = call;
    call->conn = conn;
    if (conn->is_open)
        send_request(conn);
    return ERR_OK;
}

enum err load_call_start(struct load_target *t, struct load_call *call)
{
    call->target = t;
    call->conn = NULL;
    if (has_room(t))
        return start(t, call);
    list_push_back(&t->waiting, &call->node);
    return ERR_OK;
}

void load_call_cancel(struct load_call *call)
{
    struct load_conn *conn = call->conn;
    list_remove(&call->node);
    if (!conn)
        return;
    call->conn = NULL;
    conn->call = NULL;
    destroy(conn);
}
