/* The scripted server that the HTTP client's tests talk to, and what they share with it. */
#ifndef TESTS_UNIT_NODE_CLIENT_SERVER_H
#define TESTS_UNIT_NODE_CLIENT_SERVER_H

#include "test_io_loop.h"

#include "node/egress/client.h"

#define CONNS_MAX 300

struct conn {
    struct world *w;
    struct io_stream *stream; /* NULL: ended */
    struct buf in;
    int requests; /* complete ones seen */
    bool saw_eof;
};

struct call {
    struct client_call call;
    struct world *w;
    struct buf body;
    int status;
    int heads, ends, fails, pieces;
    enum err fail_err;
    bool begun;
    void (*in_head)(struct call *c);
    void (*in_data)(struct call *c);
    void (*in_end)(struct call *c);
};

struct world {
    struct io_loop *loop;
    struct io_listener *listener;
    struct client client;
    struct conn conns[CONNS_MAX];
    int accepted;
    /* What the server does with each whole request; NULL: nothing. */
    void (*on_request)(struct conn *conn);
    void (*on_bytes)(struct conn *conn); /* instead of waiting for whole ones */
    struct body_pool pool;
    struct body body;
    struct call calls[CONNS_MAX];
    int fds_before;
};

#define GET "GET /x HTTP/1.1\r\nhost: a\r\n\r\n"

/* --- the server */

static inline void say(struct conn *conn, const char *text)
{
    struct bytes part = bytes_from_str(text);
    io_stream_write(conn->stream, &part, 1);
}

static inline void hang_up(struct conn *conn)
{
    io_stream_close(conn->stream);
    conn->stream = NULL;
}

static inline void end_orderly(struct conn *conn)
{
    io_stream_close_gracefully(conn->stream, 1000);
    conn->stream = NULL;
}

static inline void answer_hello(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
}

/* Requests here have no body or one of content-length; their size is all that matters. */
static inline size_t whole_request(const struct buf *in)
{
    char text[512];
    bytes_to_str(buf_bytes(in), text, sizeof text);
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "content-length: ");
    if (!end)
        return 0;
    size_t size = (size_t)(end + 4 - text) + (length ? strtoul(length + 16, NULL, 10) : 0);
    return in->size >= size ? size : 0;
}

static inline void server_on_read(void *owner, struct bytes data)
{
    struct conn *conn = owner;
    assert_int_equal(buf_append(&conn->in, data), ERR_OK);
    if (conn->w->on_bytes) {
        conn->w->on_bytes(conn);
        return;
    }
    for (size_t size; conn->stream && (size = whole_request(&conn->in)) > 0;) {
        buf_consume(&conn->in, size);
        conn->requests++;
        if (conn->w->on_request)
            conn->w->on_request(conn);
    }
}

static inline void server_on_eof(void *owner)
{
    struct conn *conn = owner;
    conn->saw_eof = true;
    hang_up(conn);
}

static inline void server_on_fail(void *owner, enum err e)
{
    server_on_eof(owner);
}

static const struct io_stream_ops server_ops = {NULL, server_on_read, server_on_eof, NULL,
                                                server_on_fail};

static inline void on_accept(void *owner, struct io_stream *stream)
{
    struct world *w = owner;
    assert_true(w->accepted < CONNS_MAX);
    struct conn *conn = &w->conns[w->accepted++];
    conn->w = w;
    conn->stream = stream;
    buf_init(&conn->in, 64 << 20);
    io_stream_set(stream, &server_ops, conn);
    io_stream_read(stream);
}

static inline void answer_in_chunks(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n");
    say(conn, "0\r\ntrailer: x\r\n\r\n");
}

static inline void refuse_early(struct conn *conn)
{
    io_stream_pause(conn->stream);
    say(conn, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno");
}

#endif
