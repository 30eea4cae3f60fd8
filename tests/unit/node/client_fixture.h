/* The HTTP client and a scripted server on one loop. */
#ifndef TESTS_UNIT_NODE_CLIENT_FIXTURE_H
#define TESTS_UNIT_NODE_CLIENT_FIXTURE_H

#include "client_server.h"

/* --- the caller */

static inline struct call *of_call(struct client_call *call)
{
    return LIST_ENTRY(call, struct call, call);
}

static inline void on_head(struct client_call *call, const struct http_head *head)
{
    struct call *c = of_call(call);
    c->heads++;
    c->status = head->status;
    if (c->in_head)
        c->in_head(c);
}

static inline void on_data(struct client_call *call, struct bytes data)
{
    struct call *c = of_call(call);
    c->pieces++;
    assert_int_equal(buf_append(&c->body, data), ERR_OK);
    if (c->in_data)
        c->in_data(c);
}

static inline void on_end(struct client_call *call)
{
    struct call *c = of_call(call);
    assert_null(call->conn);
    c->ends++;
    if (c->in_end)
        c->in_end(c);
}

static inline void on_fail(struct client_call *call, enum err e, bool begun)
{
    struct call *c = of_call(call);
    assert_null(call->conn);
    c->fails++;
    c->fail_err = e;
    c->begun = begun;
}

static const struct client_ops ops = {on_head, on_data, on_end, on_fail};

static inline struct call *start(struct world *w, int index)
{
    struct call *c = &w->calls[index];
    buf_fini(&c->body);
    void (*in_head)(struct call *) = c->in_head;
    void (*in_data)(struct call *) = c->in_data;
    void (*in_end)(struct call *) = c->in_end;
    *c = (struct call){.call = {.ops = &ops, .head = BYTES(GET)},
                       .w = w,
                       .in_head = in_head,
                       .in_data = in_data,
                       .in_end = in_end};
    buf_init(&c->body, 64 << 20);
    assert_int_equal(client_start(&w->client, &c->call), ERR_OK);
    return c;
}

static inline bool is_over(const struct call *c)
{
    return c->ends + c->fails > 0;
}

static inline struct call *run(struct world *w, int index)
{
    struct call *c = start(w, index);
    RUN_UNTIL(w->loop, is_over(c));
    assert_int_equal(c->ends + c->fails, 1);
    return c;
}

static inline void assert_hello(const struct call *c)
{
    assert_int_equal(c->ends, 1);
    assert_int_equal(c->status, 200);
    assert_true(bytes_equal(buf_bytes(&c->body), BYTES("hello")));
}

static inline void assert_failed(const struct call *c, enum err e, bool begun)
{
    assert_int_equal(c->fails, 1);
    assert_int_equal(c->ends, 0);
    assert_int_equal(c->fail_err, e);
    assert_int_equal(c->begun, begun);
}

static inline int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct io_addr addr = loopback(0);
    assert_non_null(w);
    w->fds_before = count_fds();
    assert_int_equal(io_loop_create(&w->loop), ERR_OK);
    assert_int_equal(io_listen(w->loop, &addr, on_accept, w, &w->listener), ERR_OK);
    io_listener_addr(w->listener, &addr);
    client_init(&w->client, w->loop, &addr);
    body_pool_init(&w->pool, 64 << 20);
    body_init(&w->body, &w->pool, 32 << 20);
    w->on_request = answer_hello;
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    client_fini(&w->client);
    for (int i = 0; i < w->accepted; i++) {
        io_stream_close(w->conns[i].stream);
        buf_fini(&w->conns[i].in);
    }
    for (int i = 0; i < CONNS_MAX; i++)
        buf_fini(&w->calls[i].body);
    if (w->listener)
        io_listener_close(w->listener);
    body_clear(&w->body);
    body_pool_fini(&w->pool);
    io_loop_destroy(w->loop);
    assert_int_equal(count_fds(), w->fds_before);
    free(w);
    return 0;
}

static inline struct call *start_upload(struct world *w, size_t size)
{
    static char head[100];
    struct call *c = &w->calls[0];
    uint8_t *data = calloc(1, size);
    assert_int_equal(body_append(&w->body, bytes_of(data, size)), ERR_OK);
    free(data);
    snprintf(head, sizeof head, "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: %zu\r\n\r\n", size);
    *c = (struct call){.call = {.ops = &ops, .head = bytes_from_str(head), .body = &w->body},
                       .w = w};
    buf_init(&c->body, 1 << 20);
    assert_int_equal(client_start(&w->client, &c->call), ERR_OK);
    return c;
}

#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
