/* A pair of connected streams that record what happens to them, on a loop of their own. Its end
 * proves that no descriptor is left. */
#ifndef TESTS_UNIT_NODE_TEST_IO_FIXTURE_H
#define TESTS_UNIT_NODE_TEST_IO_FIXTURE_H

#include "test_io_loop.h"

enum peer_event { PEER_OPEN, PEER_READ, PEER_EOF, PEER_DRAIN, PEER_FAIL, PEER_EVENT_COUNT };

/* One end of a connection; `hook`, when set, is called after an event was recorded. */
struct peer {
    struct io_stream *stream;
    struct buf in;
    int count[PEER_EVENT_COUNT];
    enum err open_err;
    enum err fail_err;
    void (*hook)(struct peer *peer, enum peer_event event);
    void *ctx;
};

struct world {
    struct io_loop *loop;
    struct io_listener *listener;
    struct io_addr addr;
    struct peer server;
    struct peer client;
    int fds_before;
};

static inline void peer_note(struct peer *p, enum peer_event event)
{
    p->count[event]++;
    if (p->hook)
        p->hook(p, event);
}

static inline void peer_on_open(void *owner, enum err e)
{
    struct peer *p = owner;
    p->open_err = e;
    peer_note(p, PEER_OPEN);
}

static inline void peer_on_read(void *owner, struct bytes data)
{
    struct peer *p = owner;
    assert_true(data.size > 0 && data.size <= IO_READ_SIZE);
    assert_int_equal(buf_append(&p->in, data), ERR_OK);
    peer_note(p, PEER_READ);
}

static inline void peer_on_eof(void *owner)
{
    peer_note(owner, PEER_EOF);
}

static inline void peer_on_drain(void *owner)
{
    struct peer *p = owner;
    assert_int_equal(io_stream_queued(p->stream), 0);
    peer_note(p, PEER_DRAIN);
}

static inline void peer_on_fail(void *owner, enum err e)
{
    struct peer *p = owner;
    p->fail_err = e;
    peer_note(p, PEER_FAIL);
}

static const struct io_stream_ops peer_ops = {peer_on_open, peer_on_read, peer_on_eof,
                                              peer_on_drain, peer_on_fail};

static inline void peer_close(struct peer *p)
{
    io_stream_close(p->stream);
    p->stream = NULL;
}

static inline void peer_send(struct peer *p, const char *text)
{
    struct bytes part = bytes_from_str(text);
    io_stream_write(p->stream, &part, 1);
}

static inline void world_on_accept(void *owner, struct io_stream *stream)
{
    struct world *w = owner;
    assert_null(w->server.stream);
    w->server.stream = stream;
    io_stream_set(stream, &peer_ops, &w->server);
    io_stream_read(stream);
}

static inline int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->fds_before = count_fds();
    assert_int_equal(io_loop_create(&w->loop), ERR_OK);
    buf_init(&w->server.in, 64 << 20);
    buf_init(&w->client.in, 64 << 20);
    *state = w;
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    peer_close(&w->client);
    peer_close(&w->server);
    if (w->listener)
        io_listener_close(w->listener);
    io_loop_destroy(w->loop);
    buf_fini(&w->server.in);
    buf_fini(&w->client.in);
    assert_int_equal(count_fds(), w->fds_before);
    free(w);
    return 0;
}

static inline void world_listen(struct world *w, const struct io_addr *addr)
{
    assert_int_equal(io_listen(w->loop, addr, world_on_accept, w, &w->listener), ERR_OK);
    io_listener_addr(w->listener, &w->addr);
}

static inline void world_connect(struct world *w)
{
    enum err e = io_connect(w->loop, &w->addr, &peer_ops, &w->client, &w->client.stream);
    assert_int_equal(e, ERR_OK);
    io_stream_read(w->client.stream);
}

/* Both ends open, both reading. */
static inline void world_pair(struct world *w)
{
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    world_connect(w);
    RUN_UNTIL(w->loop, w->client.count[PEER_OPEN] && w->server.stream);
    assert_int_equal(w->client.open_err, ERR_OK);
}

static inline bool peer_has(const struct peer *p, const char *text)
{
    return bytes_equal(buf_bytes(&p->in), bytes_from_str(text));
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
