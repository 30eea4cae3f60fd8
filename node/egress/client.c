/* Pooled HTTP/1.1 client, see client.h. Users: backend_call.c (requests) and probe.c (health,
 * inventory).
 *
 * Happy path: take an idle connection or connect; write head and body, paced by the socket; parse
 * the answer; put the connection back. Failure modes: connect refused or timed out; reset or EOF
 * before any byte (replaced once when the connection was reused); reset, EOF or garbage in the
 * middle; an answer that ends before the request was sent (the connection is not reused); cancelled
 * by the user, also from inside its callbacks. */
#include "node/egress/client.h"

#include <stdlib.h>

#define WRITE_PIECE                                                                                \
    (128 *                                                                                         \
     1024) /* body bytes offered to the socket at once; what it refuses is copied, so bounded */

struct client_conn {
    struct list node; /* client's idle or busy */
    struct client *client;
    struct client_call *call;
    struct io_stream *stream;
    struct http_parser *parser;
    struct io_idle idle;    /* while pooled */
    struct io_idle connect; /* while connecting */
    struct body_cursor cursor;
    bool is_open;
    bool is_pooled;
    bool is_reused;
    bool has_answer;  /* a byte of it came */
    bool is_sent;     /* the whole request */
    bool is_complete; /* the answer ended in this feed */
    bool may_be_reused;
    bool is_feeding; /* inside http_parser_feed: destroy later */
    bool is_doomed;
};

void client_init(struct client *c, struct io_loop *loop, const struct io_addr *addr)
{
    *c = (struct client){.loop = loop, .addr = *addr};
    list_init(&c->idle);
    list_init(&c->busy);
    io_idle_list_init(&c->idle_timeouts, loop, CLIENT_IDLE_TIMEOUT_MS);
    io_idle_list_init(&c->connect_timeouts, loop, CLIENT_CONNECT_TIMEOUT_MS);
}

static void conn_destroy(struct client_conn *conn)
{
    io_stream_close(conn->stream);
    conn->stream = NULL;
    io_idle_stop(&conn->idle);
    io_idle_stop(&conn->connect);
    if (conn->is_feeding) {
        conn->is_doomed = true;
        return;
    }
    list_remove(&conn->node);
    http_parser_destroy(conn->parser);
    free(conn);
}

void client_fini(struct client *c)
{
    CHECK(list_is_empty(&c->busy));
    while (!list_is_empty(&c->idle))
        conn_destroy(LIST_ENTRY(c->idle.next, struct client_conn, node));
    c->idle_count = 0;
    io_idle_list_fini(&c->idle_timeouts);
    io_idle_list_fini(&c->connect_timeouts);
}

static void conn_leave_pool(struct client_conn *conn)
{
    list_remove(&conn->node);
    conn->is_pooled = false;
    conn->client->idle_count--;
    io_idle_stop(&conn->idle);
}

static void on_pool_timeout(struct io_idle *idle)
{
    struct client_conn *conn = LIST_ENTRY(idle, struct client_conn, idle);
    conn_leave_pool(conn);
    conn_destroy(conn);
}

static void conn_pool(struct client_conn *conn)
{
    struct client *c = conn->client;
    if (c->idle_count >= CLIENT_IDLE_MAX) {
        conn_destroy(conn);
        return;
    }
    list_remove(&conn->node);
    list_push_front(&c->idle, &conn->node);
    c->idle_count++;
    conn->is_pooled = true;
    http_parser_reset(conn->parser, false);
    io_stream_read(conn->stream); /* to learn that the server closes it */
    io_idle_touch(&c->idle_timeouts, &conn->idle, on_pool_timeout);
}

static void write_more(struct client_conn *conn)
{
    while (!conn->is_sent && io_stream_queued(conn->stream) == 0) {
        struct bytes parts[IO_PARTS_MAX];
        size_t count = body_next(&conn->cursor, parts, IO_PARTS_MAX, WRITE_PIECE);
        conn->is_sent = body_cursor_at_end(&conn->cursor);
        if (count > 0)
            io_stream_write(conn->stream, parts, count);
    }
}

static void write_request(struct client_conn *conn)
{
    struct client_call *call = conn->call;
    struct bytes parts[IO_PARTS_MAX];
    size_t count = 0;
    parts[count++] = call->head;
    conn->cursor = (struct body_cursor){0};
    if (call->body) {
        body_cursor_init(call->body, &conn->cursor);
        count += body_next(&conn->cursor, parts + 1, IO_PARTS_MAX - 1, WRITE_PIECE);
    }
    conn->is_sent = body_cursor_at_end(&conn->cursor);
    io_stream_write(conn->stream, parts, count);
    write_more(conn);
}

static enum err connect_new(struct client *c, struct client_call *call,
                            struct client_conn **ret_conn);

/* The connection failed under a call. */
static void conn_fail(struct client_conn *conn, enum err e)
{
    struct client_call *call = conn->call;
    struct client *c = conn->client;
    bool begun = conn->has_answer;
    bool again = conn->is_reused && !begun;
    conn->call = NULL;
    if (!call) { /* pooled, or cancelled */
        if (conn->is_pooled)
            conn_leave_pool(conn);
        conn_destroy(conn);
        return;
    }
    call->conn = NULL;
    conn_destroy(conn);
    if (again && connect_new(c, call, &call->conn) == ERR_OK)
        return;
    call->ops->on_fail(call, e, begun);
}

static void on_connect_timeout(struct io_idle *idle)
{
    conn_fail(LIST_ENTRY(idle, struct client_conn, connect), ERR_TIMEOUT);
}

static void on_open(void *owner, enum err e)
{
    struct client_conn *conn = owner;
    io_idle_stop(&conn->connect);
    if (e != ERR_OK) {
        conn_fail(conn, e);
        return;
    }
    conn->is_open = true;
    io_stream_read(conn->stream);
    write_request(conn);
}

/* After the parser returned: what the answer's end or an error means for connection and call. */
static void settle(struct client_conn *conn, enum err e, bool leftover)
{
    if (conn->is_doomed) {
        conn_destroy(conn);
        return;
    }
    if (e != ERR_OK) {
        if (conn->call)
            conn->call->detail = http_parser_detail(conn->parser);
        conn_fail(conn, e);
        return;
    }
    if (!conn->is_complete)
        return;
    struct client_call *call = conn->call;
    conn->call = NULL;
    if (call)
        call->conn = NULL;
    if (conn->may_be_reused && conn->is_sent && !leftover)
        conn_pool(conn);
    else
        conn_destroy(conn);
    if (call)
        call->ops->on_end(call);
}

static void on_read(void *owner, struct bytes data)
{
    struct client_conn *conn = owner;
    if (!conn->call) { /* bytes nobody asked for */
        conn_fail(conn, ERR_PROTOCOL);
        return;
    }
    conn->has_answer = true;
    conn->is_feeding = true;
    size_t used = 0;
    enum err e = http_parser_feed(conn->parser, data, &used);
    conn->is_feeding = false;
    settle(conn, e, used < data.size);
}

static void on_eof(void *owner)
{
    struct client_conn *conn = owner;
    if (!conn->call) {
        conn_fail(conn, ERR_EOF);
        return;
    }
    conn->is_feeding = true;
    enum err e = http_parser_eof(conn->parser);
    conn->is_feeding = false;
    conn->may_be_reused = false;
    settle(conn, e == ERR_OK && !conn->is_complete ? ERR_EOF : e, false);
}

static void on_drain(void *owner)
{
    struct client_conn *conn = owner;
    if (conn->call && conn->is_open)
        write_more(conn);
}

static void on_stream_fail(void *owner, enum err e)
{
    conn_fail(owner, e);
}

static const struct io_stream_ops stream_ops = {on_open, on_read, on_eof, on_drain, on_stream_fail};

static enum err on_head(void *owner, const struct http_head *head)
{
    struct client_conn *conn = owner;
    conn->may_be_reused = head->keep_alive;
    conn->call->ops->on_head(conn->call, head);
    return conn->is_doomed ? ERR_CANCELLED : ERR_OK;
}

static enum err on_body(void *owner, struct bytes data)
{
    struct client_conn *conn = owner;
    conn->call->ops->on_data(conn->call, data);
    return conn->is_doomed ? ERR_CANCELLED : ERR_OK;
}

static enum err on_end(void *owner)
{
    ((struct client_conn *)owner)->is_complete = true;
    return ERR_OK;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_end};

static enum err connect_new(struct client *c, struct client_call *call,
                            struct client_conn **ret_conn)
{
    struct client_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return ERR_NO_MEMORY;
    struct http_parser_cfg cfg = {.kind = HTTP_PARSE_RESPONSE, .head_max = CLIENT_ANSWER_HEAD_MAX};
    enum err e = http_parser_create(&cfg, &parser_ops, conn, &conn->parser);
    if (e == ERR_OK)
        e = io_connect(c->loop, &c->addr, &stream_ops, conn, &conn->stream);
    if (e != ERR_OK) {
        http_parser_destroy(conn->parser);
        free(conn);
        return e;
    }
    conn->client = c;
    conn->call = call;
    list_push_back(&c->busy, &conn->node);
    http_parser_reset(conn->parser, call->is_head);
    io_idle_touch(&c->connect_timeouts, &conn->connect, on_connect_timeout);
    *ret_conn = conn;
    return ERR_OK;
}

enum err client_start(struct client *c, struct client_call *call)
{
    call->client = c;
    call->conn = NULL;
    if (list_is_empty(&c->idle))
        return connect_new(c, call, &call->conn);
    struct client_conn *conn = LIST_ENTRY(c->idle.next, struct client_conn, node);
    conn_leave_pool(conn);
    list_push_back(&c->busy, &conn->node);
    conn->call = call;
    conn->is_reused = true;
    conn->has_answer = conn->is_complete = conn->may_be_reused = false;
    http_parser_reset(conn->parser, call->is_head);
    call->conn = conn;
    write_request(conn);
    return ERR_OK;
}

void client_cancel(struct client_call *call)
{
    struct client_conn *conn = call->conn;
    if (!conn)
        return;
    call->conn = NULL;
    conn->call = NULL;
    conn_destroy(conn);
}

void client_pause(struct client_call *call)
{
    if (call->conn && call->conn->stream)
        io_stream_pause(call->conn->stream);
}

void client_resume(struct client_call *call)
{
    if (call->conn && call->conn->stream)
        io_stream_read(call->conn->stream);
}
