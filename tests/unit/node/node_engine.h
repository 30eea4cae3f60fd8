/* The scripted engine behind a whole node under test, and what its tests share. */
#ifndef TESTS_UNIT_NODE_NODE_ENGINE_H
#define TESTS_UNIT_NODE_NODE_ENGINE_H

#include "test_io_loop.h"

#include "node/node.h"
#include "tests/support/trust_fixture.h"

#define ENGINE_CONNS_MAX 64
#define CLIENTS_MAX 8

#define CHAT_BODY "{\"model\":\"m\",\"messages\":[]}"
#define CHAT "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n\r\n" CHAT_BODY
#define LIVEZ "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"

struct engine_conn {
    struct world *w;
    struct io_stream *stream; /* NULL: ended */
    struct buf in;            /* from the request at hand on */
    char request[4096];       /* the last whole one */
};

struct client {
    struct world *w;
    struct io_stream *stream;
    struct buf in;
    bool saw_eof;
    bool saw_fail;
};

struct world {
    struct io_loop *loop;
    struct config config;
    struct identity identity;
    struct log log;
    struct node *node;
    struct io_addr http;
    bool is_ready;
    bool is_drained;
    struct io_listener *listener; /* the engine's */
    struct engine_conn engine[ENGINE_CONNS_MAX];
    int engine_accepted;
    int engine_chats;               /* inference requests seen */
    struct engine_conn *asked[256]; /* who asked them, in order */
    char chat[4096];                /* the last of them */
    void (*on_chat)(struct engine_conn *conn);
    struct client clients[CLIENTS_MAX];
    int fds_before;
};

/* --- the engine: lists two models, and does with inference requests what the test says */

static inline void engine_say(struct engine_conn *conn, const char *text)
{
    struct bytes part = bytes_from_str(text);
    if (conn->stream)
        io_stream_write(conn->stream, &part, 1);
}

static inline void engine_hang_up(struct engine_conn *conn)
{
    io_stream_close(conn->stream);
    conn->stream = NULL;
}

static inline void engine_answer(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nX-Engine: e\r\n"
                     "content-length: 8\r\n\r\n{\"a\":1}\n");
}

static inline void engine_take(struct engine_conn *conn)
{
    static const char models[] = "{\"data\":[{\"id\":\"m\"},{\"id\":\"qwen2.5-0.5b\"}]}";
    char text[200];
    struct world *w = conn->w;
    if (strncmp(conn->request, "GET /v1/models ", 15) == 0) {
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n%s",
                 sizeof models - 1, models);
        engine_say(conn, text);
    } else if (strncmp(conn->request, "GET ", 4) == 0) {
        engine_say(conn, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    } else {
        assert_true((size_t)w->engine_chats < sizeof w->asked / sizeof w->asked[0]);
        w->asked[w->engine_chats++] = conn;
        memcpy(w->chat, conn->request, sizeof w->chat);
        if (w->on_chat)
            w->on_chat(conn);
    }
}

static inline void engine_on_read(void *owner, struct bytes data)
{
    struct engine_conn *conn = owner;
    assert_int_equal(buf_append(&conn->in, data), ERR_OK);
    while (conn->stream && conn->in.size > 0) {
        bytes_to_str(buf_bytes(&conn->in), conn->request, sizeof conn->request);
        const char *end = strstr(conn->request, "\r\n\r\n");
        const char *length = strstr(conn->request, "content-length: ");
        if (!end)
            return;
        size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
        size_t size = (size_t)(end + 4 - conn->request) + body;
        if (conn->in.size < size)
            return;
        if (size < sizeof conn->request)
            conn->request[size] = '\0';
        buf_consume(&conn->in, size);
        engine_take(conn);
    }
}

static inline void engine_on_eof(void *owner)
{
    engine_hang_up(owner);
}

static inline void engine_on_fail(void *owner, enum err e)
{
    (void)e;
    engine_hang_up(owner);
}

static const struct io_stream_ops engine_ops = {NULL, engine_on_read, engine_on_eof, NULL,
                                                engine_on_fail};

static inline void engine_on_accept(void *owner, struct io_stream *stream)
{
    struct world *w = owner;
    assert_true(w->engine_accepted < ENGINE_CONNS_MAX);
    struct engine_conn *conn = &w->engine[w->engine_accepted++];
    conn->w = w;
    conn->stream = stream;
    buf_init(&conn->in, 64 << 20);
    io_stream_set(stream, &engine_ops, conn);
    io_stream_read(stream);
}

#endif
