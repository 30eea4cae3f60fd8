/* What the tests of the simulated io share: a world of two hosts and a stream between them. Ends by
 * proving that nothing is left open. */
#ifndef TESTS_UNIT_NODE_SIM_TEST_IO_PAIR_H
#define TESTS_UNIT_NODE_SIM_TEST_IO_PAIR_H

#include "tests/sim/io/world.h"
#include "tests/unit/node/sim_test_io_peer.h"

#define MS 1000ull
#define SECOND 1000000ull

struct pair {
    struct sim_world *world;
    struct io_loop *a, *b; /* "a" connects to "b" */
    struct io_listener *listener;
    struct io_addr addr;
    struct peer client, server;
    int accepts;
};

static inline void pair_on_accept(void *owner, struct io_stream *stream)
{
    struct pair *w = owner;
    w->accepts++;
    if (w->server.stream) {
        io_stream_close(stream);
        return;
    }
    w->server.stream = stream;
    io_stream_set(stream, &peer_ops, &w->server);
    io_stream_read(stream);
}

static inline void pair_listen(struct pair *w)
{
    sim_host_ip(w->world, "b", &w->addr);
    w->addr.port = 80;
    assert_int_equal(io_listen(w->b, &w->addr, pair_on_accept, w, &w->listener), ERR_OK);
}

static inline void pair_connect(struct pair *w)
{
    enum err e = io_connect(w->a, &w->addr, &peer_ops, &w->client, &w->client.stream);
    assert_int_equal(e, ERR_OK);
    io_stream_read(w->client.stream);
}

static inline void run_for(struct pair *w, uint64_t us)
{
    sim_world_run_until(w->world, sim_world_now_us(w->world) + us);
}

static inline struct pair *pair_create(const struct sim_config *config)
{
    struct pair *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(sim_world_create(config, &w->world), ERR_OK);
    assert_int_equal(sim_host_create(w->world, "a", NULL, &w->a), ERR_OK);
    assert_int_equal(sim_host_create(w->world, "b", NULL, &w->b), ERR_OK);
    buf_init(&w->client.in, 64 << 20);
    buf_init(&w->server.in, 64 << 20);
    return w;
}

static inline void pair_destroy(struct pair *w)
{
    peer_close(&w->client);
    peer_close(&w->server);
    if (w->listener)
        io_listener_close(w->listener);
    assert_int_equal(sim_world_leaks(w->world, true), 0);
    sim_world_destroy(w->world);
    buf_fini(&w->client.in);
    buf_fini(&w->server.in);
    free(w);
}

static inline int pair_setup(void **state)
{
    struct sim_config config;
    sim_config_init(&config, 1);
    *state = pair_create(&config);
    return 0;
}

static inline int pair_teardown(void **state)
{
    pair_destroy(*state);
    return 0;
}

/* Both ends open and reading. */
static inline void pair_open(struct pair *w)
{
    pair_listen(w);
    pair_connect(w);
    run_for(w, SECOND);
    assert_int_equal(w->client.opens, 1);
    assert_int_equal(w->client.open_err, ERR_OK);
    assert_non_null(w->server.stream);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

#endif
