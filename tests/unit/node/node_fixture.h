/* A whole node on a loop, a scripted engine behind it and raw clients before it, all in one thread.
 * Its end proves that no descriptor is left. */
#ifndef TESTS_UNIT_NODE_NODE_FIXTURE_H
#define TESTS_UNIT_NODE_NODE_FIXTURE_H

#include "node_client.h"

static inline void world_on_ready(void *owner)
{
    ((struct world *)owner)->is_ready = true;
}

static inline void world_on_drained(void *owner)
{
    ((struct world *)owner)->is_drained = true;
}

static inline uint64_t world_wall_ms(void *ctx)
{
    (void)ctx;
    return FIXTURE_NOW_MS;
}

static inline void world_log(void *ctx, struct bytes line)
{
    (void)ctx;
    (void)line;
}

/* Everything but the node: change w->config, then start_node. */
static inline int node_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct io_addr addr = loopback(0);
    struct fixture f;
    assert_non_null(w);
    w->fds_before = count_fds();
    assert_int_equal(crypto_init(), ERR_OK);
    fixture_init(&f, 1);
    fixture_identity(&f, 50, "edge-1", TIER_EDGE, "eu-west", &w->identity);
    assert_int_equal(io_loop_create(&w->loop), ERR_OK);
    assert_int_equal(io_listen(w->loop, &addr, engine_on_accept, w, &w->listener), ERR_OK);
    io_listener_addr(w->listener, &addr);
    config_defaults(&w->config);
    FIXTURE_SET(w->config.name, "edge-1");
    FIXTURE_SET(w->config.listen_http, "127.0.0.1:0");
    FIXTURE_SET(w->config.listen_mesh, "127.0.0.1:0");
    struct config_backend *b = &w->config.backends[w->config.backend_count++];
    FIXTURE_SET(b->name, "engine");
    FIXTURE_SET(b->host, "127.0.0.1");
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u", addr.port);
    b->port = addr.port;
    b->kind = BACKEND_OPENAI;
    b->concurrency = 4;
    w->log = (struct log){.level = LOG_ERROR, .wall_ms = world_wall_ms, .sink = world_log};
    w->on_chat = engine_answer;
    *state = w;
    return 0;
}

static inline void start_node(struct world *w)
{
    struct buf message;
    struct node_cfg cfg = {.loop = w->loop,
                           .config = &w->config,
                           .identity = &w->identity,
                           .log = &w->log,
                           .seed = 1,
                           .boot_ms = FIXTURE_NOW_MS,
                           .version = "0.1.0",
                           .on_ready = world_on_ready,
                           .on_drained = world_on_drained,
                           .owner = w};
    buf_init(&message, 1000);
    assert_int_equal(node_open(&cfg, &message, &w->node), ERR_OK);
    buf_fini(&message);
    assert_int_equal(io_addr_parse(bytes_from_str(node_http_addr(w->node)), &w->http), ERR_OK);
    RUN_UNTIL(w->loop, w->is_ready);
}

static inline int node_teardown(void **state)
{
    struct world *w = *state;
    node_close(w->node);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        io_stream_close(w->clients[i].stream);
        buf_fini(&w->clients[i].in);
    }
    for (int i = 0; i < w->engine_accepted; i++) {
        io_stream_close(w->engine[i].stream);
        buf_fini(&w->engine[i].in);
    }
    if (w->listener)
        io_listener_close(w->listener);
    io_loop_destroy(w->loop);
    assert_int_equal(count_fds(), w->fds_before);
    free(w);
    return 0;
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, node_setup, node_teardown)

#endif
