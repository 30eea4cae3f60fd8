/* Two nodes in a simulated world: an edge that clients ask, and a rack that it dials. Each has the
 * engines that its test gives it. Its end proves that nothing is left. */
#ifndef TESTS_UNIT_NODE_HOP_WORLD_H
#define TESTS_UNIT_NODE_HOP_WORLD_H

#include "tests/unit/node/hop_client.h"

/* --- the two nodes */

static inline uint64_t wall_ms(void *ctx)
{
    return io_wall_ms(((struct side *)ctx)->loop);
}

static inline uint64_t trace_us(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline void no_log(void *ctx, struct bytes line)
{
    (void)ctx;
    (void)line;
}

static inline void on_close_rack(struct io_task *task)
{
    struct world *w = LIST_ENTRY(task, struct world, close_rack);
    node_close(w->rack.node);
    w->rack.node = NULL;
}

/* The rack's exchange is done and its receipt about to be posted for signing: the task posted here
 * runs before the signer's. */
static inline void on_rack_trace(void *ctx, struct bytes line)
{
    struct world *w = LIST_ENTRY(ctx, struct world, rack);
    char text[512];
    bytes_to_str(line, text, sizeof text);
    if (w->closes_rack_when_done && strstr(text, "\"exchange\"") && strstr(text, "\"to\":\"done\""))
        io_task_post(w->rack.loop, &w->close_rack);
}

static inline void on_ready(void *owner)
{
    ((struct side *)owner)->is_ready = true;
}

static inline void side_init(struct world *w, struct side *s, uint8_t number, const char *name,
                             enum tier tier)
{
    struct fixture f;
    fixture_init(&f, 1);
    fixture_identity(&f, number, name, tier, "eu-west", &s->identity);
    assert_int_equal(sim_host_create(w->sim, name, NULL, &s->loop), ERR_OK);
    s->log = (struct log){.level = LOG_ERROR, .wall_ms = wall_ms, .sink = no_log, .ctx = s};
    s->trace = (struct trace){.now_us = trace_us, .sink = no_log, .ctx = s};
    config_defaults(&s->config);
    FIXTURE_SET(s->config.name, name);
    FIXTURE_SET(s->config.region, "eu-west");
    s->config.tier = tier;
    FIXTURE_SET(s->config.listen_http, "127.0.0.1:7380");
    FIXTURE_SET(s->config.listen_mesh, "0.0.0.0:7300");
}

static inline void side_open(struct side *s)
{
    struct buf message;
    struct node_cfg cfg = {.loop = s->loop,
                           .config = &s->config,
                           .identity = &s->identity,
                           .log = &s->log,
                           .trace = &s->trace,
                           .seed = 1,
                           .boot_ms = FIXTURE_NOW_MS,
                           .hedge_after_ms = s->hedge_after_ms,
                           .control_path = HOP_CONTROL,
                           .version = "0.1.0",
                           .allow_insecure_http = true,
                           .on_ready = on_ready,
                           .owner = s};
    buf_init(&message, 1000);
    assert_int_equal(node_open(&cfg, &message, &s->node), ERR_OK);
    buf_fini(&message);
}

static inline void add_engine(struct world *w, struct side *s, struct io_listener **ret_listener)
{
    struct io_addr addr;
    struct config_backend *b = &s->config.backends[s->config.backend_count++];
    FIXTURE_SET(b->name, "engine");
    FIXTURE_SET(b->host, "127.0.0.1");
    FIXTURE_SET(b->url, "http://127.0.0.1:8081");
    b->port = 8081;
    b->kind = BACKEND_OPENAI;
    b->concurrency = 2;
    assert_int_equal(io_addr_parse(BYTES("127.0.0.1:8081"), &addr), ERR_OK);
    assert_int_equal(io_listen(s->loop, &addr, engine_on_accept, w, ret_listener), ERR_OK);
}

/* Everything but the nodes: change their configurations, then open_nodes. */
static inline struct world *make_world(bool edge_has_one)
{
    struct world *w = calloc(1, sizeof *w);
    struct sim_config config;
    struct io_addr ip;
    assert_non_null(w);
    assert_int_equal(crypto_init(), ERR_OK);
    sim_config_init(&config, 1);
    config.wall_ms = FIXTURE_NOW_MS;
    crypto_seed_for_simulation(1);
    assert_int_equal(sim_world_create(&config, &w->sim), ERR_OK);
    side_init(w, &w->rack, 51, "rack", TIER_REGIONAL);
    side_init(w, &w->edge, 50, "edge", TIER_EDGE);
    w->rack.trace.sink = on_rack_trace;
    w->on_chat = answer;
    io_task_init(&w->close_rack, on_close_rack);
    buf_init(&w->client.in, 64 << 20);
    w->client.w = w;
    add_engine(w, &w->rack, &w->engines[0]);
    if (edge_has_one)
        add_engine(w, &w->edge, &w->engines[1]);
    sim_host_ip(w->sim, "rack", &ip);
    snprintf(w->edge.config.peers[w->edge.config.peer_count++], CONFIG_TEXT_MAX, "%u.%u.%u.%u:7300",
             ip.ip[0], ip.ip[1], ip.ip[2], ip.ip[3]);
    return w;
}

static inline void open_nodes(struct world *w)
{
    side_open(&w->rack);
    UNTIL(w, w->rack.is_ready);
    side_open(&w->edge);
    UNTIL(w, w->edge.is_ready);
}

/* For tests that change a configuration first. */
static inline int setup_closed(void **state)
{
    *state = make_world(false);
    return 0;
}

static inline int setup_two_closed(void **state)
{
    *state = make_world(true);
    return 0;
}

static inline int setup(void **state)
{
    *state = make_world(false);
    open_nodes(*state);
    return 0;
}

static inline int setup_two_engines(void **state)
{
    *state = make_world(true);
    open_nodes(*state);
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    node_close(w->edge.node);
    node_close(w->rack.node);
    hang_up(&w->client);
    for (int i = 0; i < w->accepted; i++) {
        hang_up(&w->conns[i]);
        buf_fini(&w->conns[i].in);
    }
    for (int i = 0; i < 2; i++)
        if (w->engines[i])
            io_listener_close(w->engines[i]);
    run_for(w, 10 * SECOND);
    assert_int_equal(sim_world_leaks(w->sim, true), 0);
    sim_world_destroy(w->sim);
    buf_fini(&w->client.in);
    free(w);
    return 0;
}

#endif
