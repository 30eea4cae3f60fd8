/* Requests over a hop, in a simulated world: its parts, and the scripted engines. The raw client is
 * in hop_client.h, the nodes are in hop_world.h. */
#ifndef TESTS_UNIT_NODE_HOP_ENGINE_H
#define TESTS_UNIT_NODE_HOP_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/io/stream.h"
#include "node/node.h"
#include "tests/sim/io/world.h"
#include "tests/support/trust_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define CHAT                                                                                       \
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n\r\n"                  \
    "{\"model\":\"m\",\"messages\":[]}"

#define STREAM_HEAD                                                                                \
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
#define STREAM_BODY "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"

#define HOP_CONTROL "/control.sock" /* on each host */

/* One end of a connection: the client's, or the engine's. */
struct end {
    struct world *w;
    struct io_stream *stream; /* NULL: ended */
    struct buf in;
    bool is_over;
};

struct side {
    struct io_loop *loop;
    struct config config;
    struct identity identity;
    struct log log;
    struct trace trace;
    struct node *node;
    bool is_ready;
    uint64_t hedge_after_ms;
};

struct world {
    struct sim_world *sim;
    struct side edge, rack;
    struct io_listener *engines[2]; /* the rack's, and where there is one the edge's */
    struct end conns[16];           /* the engine's */
    int accepted;
    int chats;
    struct end *chat[16]; /* who was asked, in that order */
    struct end *asked;
    void (*on_chat)(struct end *conn);
    struct end client;
    struct io_task close_rack;
    bool closes_rack_when_done;
};

static inline void say(struct end *end, const char *text)
{
    struct bytes part = bytes_from_str(text);
    io_stream_write(end->stream, &part, 1);
}

static inline void hang_up(struct end *end)
{
    io_stream_close(end->stream);
    end->stream = NULL;
}

/* --- the engine */

static inline void answer(struct end *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\nX-Engine: e\r\ncontent-length: 8\r\n\r\n{\"a\":1}\n");
}

static inline void hold(struct end *conn)
{
    (void)conn;
}

static inline void take(struct end *conn, const char *request)
{
    if (strncmp(request, "GET /v1/models ", 15) == 0) {
        say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"data\":[{\"id\":\"m\"}]}");
    } else if (strncmp(request, "GET /metrics ", 13) == 0) {
        say(conn, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    } else {
        assert_true(conn->w->chats < 16);
        conn->w->chat[conn->w->chats++] = conn;
        conn->w->asked = conn;
        conn->w->on_chat(conn);
    }
}

static inline void engine_on_read(void *owner, struct bytes data)
{
    struct end *conn = owner;
    char text[4096];
    assert_int_equal(buf_append(&conn->in, data), ERR_OK);
    while (conn->stream && conn->in.size > 0) {
        bytes_to_str(buf_bytes(&conn->in), text, sizeof text);
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "content-length: ");
        size_t size = end ? (size_t)(end + 4 - text) + (length ? strtoul(length + 16, NULL, 10) : 0)
                          : SIZE_MAX;
        if (conn->in.size < size)
            return;
        buf_consume(&conn->in, size);
        take(conn, text);
    }
}

static inline void engine_on_eof(void *owner)
{
    hang_up(owner);
}

static inline void engine_on_fail(void *owner, enum err e)
{
    (void)e;
    hang_up(owner);
}

static const struct io_stream_ops engine_ops = {NULL, engine_on_read, engine_on_eof, NULL,
                                                engine_on_fail};

static inline void engine_on_accept(void *owner, struct io_stream *stream)
{
    struct world *w = owner;
    assert_true(w->accepted < 16);
    struct end *conn = &w->conns[w->accepted++];
    *conn = (struct end){.w = w, .stream = stream};
    buf_init(&conn->in, 1 << 20);
    io_stream_set(stream, &engine_ops, conn);
    io_stream_read(stream);
}

#endif
