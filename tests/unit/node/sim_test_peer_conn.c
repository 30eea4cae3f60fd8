/* Requests over a hop, in a simulated world: an edge without an engine, a rack with one. What
 * passes, what is cancelled, what a lost node leaves behind. */
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
};

struct world {
    struct sim_world *sim;
    struct side edge, rack;
    struct io_listener *engines[2]; /* the rack's, and where there is one the edge's */
    struct end conns[16];           /* the engine's */
    int accepted;
    int chats;
    struct end *asked;
    void (*on_chat)(struct end *conn);
    struct end client;
    struct io_task close_rack;
    bool closes_rack_when_done;
};

static void say(struct end *end, const char *text)
{
    struct bytes part = bytes_from_str(text);
    io_stream_write(end->stream, &part, 1);
}

static void hang_up(struct end *end)
{
    io_stream_close(end->stream);
    end->stream = NULL;
}

/* --- the engine */

static void answer(struct end *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\nX-Engine: e\r\ncontent-length: 8\r\n\r\n{\"a\":1}\n");
}

static void hold(struct end *conn)
{
    (void)conn;
}

static void take(struct end *conn, const char *request)
{
    if (strncmp(request, "GET /v1/models ", 15) == 0) {
        say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"data\":[{\"id\":\"m\"}]}");
    } else {
        conn->w->chats++;
        conn->w->asked = conn;
        conn->w->on_chat(conn);
    }
}

static void engine_on_read(void *owner, struct bytes data)
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

static void engine_on_eof(void *owner)
{
    hang_up(owner);
}

static void engine_on_fail(void *owner, enum err e)
{
    (void)e;
    hang_up(owner);
}

static const struct io_stream_ops engine_ops = {NULL, engine_on_read, engine_on_eof, NULL,
                                                engine_on_fail};

static void engine_on_accept(void *owner, struct io_stream *stream)
{
    struct world *w = owner;
    assert_true(w->accepted < 16);
    struct end *conn = &w->conns[w->accepted++];
    *conn = (struct end){.w = w, .stream = stream};
    buf_init(&conn->in, 1 << 20);
    io_stream_set(stream, &engine_ops, conn);
    io_stream_read(stream);
}

/* --- the client */

static void client_on_read(void *owner, struct bytes data)
{
    assert_int_equal(buf_append(&((struct end *)owner)->in, data), ERR_OK);
}

static void client_on_eof(void *owner)
{
    ((struct end *)owner)->is_over = true;
}

static void client_on_fail(void *owner, enum err e)
{
    (void)e;
    ((struct end *)owner)->is_over = true;
}

static const struct io_stream_ops client_ops = {NULL, client_on_read, client_on_eof, NULL,
                                                client_on_fail};

static bool got(struct world *w, const char *text)
{
    struct bytes all = buf_bytes(&w->client.in);
    size_t size = strlen(text);
    for (; all.size >= size; all = bytes_skip(all, 1))
        if (memcmp(all.data, text, size) == 0)
            return true;
    return false;
}

#define UNTIL(w, cond)                                                                             \
    do {                                                                                           \
        uint64_t give_up_us_ = sim_world_now_us((w)->sim) + 60 * SECOND;                           \
        while (!(cond)) {                                                                          \
            if (sim_world_now_us((w)->sim) > give_up_us_)                                          \
                fail_msg("never came true: %s", #cond);                                            \
            sim_world_run_until((w)->sim, sim_world_now_us((w)->sim) + MS);                        \
        }                                                                                          \
    } while (0)

static void run_for(struct world *w, uint64_t us)
{
    sim_world_run_until(w->sim, sim_world_now_us(w->sim) + us);
}

/* Sends one request from the edge's own host. */
static void ask(struct world *w, const char *request)
{
    struct io_addr addr;
    hang_up(&w->client);
    buf_clear(&w->client.in);
    w->client.is_over = false;
    assert_int_equal(io_addr_parse(bytes_from_str(node_http_addr(w->edge.node)), &addr), ERR_OK);
    assert_int_equal(io_connect(w->edge.loop, &addr, &client_ops, &w->client, &w->client.stream),
                     ERR_OK);
    io_stream_read(w->client.stream);
    say(&w->client, request);
}

/* --- the two nodes */

static uint64_t wall_ms(void *ctx)
{
    return io_wall_ms(((struct side *)ctx)->loop);
}

static uint64_t trace_us(void *ctx)
{
    (void)ctx;
    return 0;
}

static void no_log(void *ctx, struct bytes line)
{
    (void)ctx;
    (void)line;
}

static void on_close_rack(struct io_task *task)
{
    struct world *w = LIST_ENTRY(task, struct world, close_rack);
    node_close(w->rack.node);
    w->rack.node = NULL;
}

/* The rack's exchange is done and its receipt about to be posted for signing: the task posted here
 * runs before the signer's. */
static void on_rack_trace(void *ctx, struct bytes line)
{
    struct world *w = LIST_ENTRY(ctx, struct world, rack);
    char text[512];
    bytes_to_str(line, text, sizeof text);
    if (w->closes_rack_when_done && strstr(text, "\"exchange\"") && strstr(text, "\"to\":\"done\""))
        io_task_post(w->rack.loop, &w->close_rack);
}

static void on_ready(void *owner)
{
    ((struct side *)owner)->is_ready = true;
}

static void side_init(struct world *w, struct side *s, uint8_t number, const char *name,
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

static void side_open(struct side *s)
{
    struct buf message;
    struct node_cfg cfg = {.loop = s->loop,
                           .config = &s->config,
                           .identity = &s->identity,
                           .log = &s->log,
                           .trace = &s->trace,
                           .seed = 1,
                           .boot_ms = FIXTURE_NOW_MS,
                           .version = "0.1.0",
                           .on_ready = on_ready,
                           .owner = s};
    buf_init(&message, 1000);
    assert_int_equal(node_open(&cfg, &message, &s->node), ERR_OK);
    buf_fini(&message);
}

static void add_engine(struct world *w, struct side *s, struct io_listener **ret_listener)
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

static int setup_engines(void **state, bool edge_has_one)
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
    side_open(&w->rack);
    UNTIL(w, w->rack.is_ready);
    side_open(&w->edge);
    UNTIL(w, w->edge.is_ready);
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return setup_engines(state, false);
}

static int setup_two_engines(void **state)
{
    return setup_engines(state, true);
}

static int teardown(void **state)
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

/* --- tests */

static void a_request_is_answered_over_a_hop(void **state)
{
    struct world *w = *state;
    ask(w, CHAT);
    UNTIL(w, got(w, "{\"a\":1}\n"));
    assert_true(got(w, "HTTP/1.1 200 OK\r\n"));
    assert_true(got(w, "grapevine-node: rack\r\n"));
    assert_true(got(w, "grapevine-path: edge,rack\r\n"));
    assert_true(got(w, "x-engine: e\r\n"));
    assert_int_equal(w->chats, 1);
}

static void a_client_that_goes_away_cancels_the_work_over_the_hop(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    uint64_t gone_us = sim_world_now_us(w->sim);
    hang_up(&w->client);
    UNTIL(w, !w->asked->stream);
    assert_true(sim_world_now_us(w->sim) - gone_us < 100 * MS);
}

static void break_off(struct end *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    io_stream_close_gracefully(conn->stream, 1000);
    conn->stream = NULL;
}

/* The break may overtake the head on the link: then nothing was said yet, and a 502 can be. */
static void an_answer_that_breaks_off_is_not_taken_for_whole(void **state)
{
    struct world *w = *state;
    w->on_chat = break_off;
    ask(w, CHAT);
    UNTIL(w, w->client.is_over || got(w, "backend_failed"));
    if (got(w, "backend_failed")) {
        assert_true(got(w, "HTTP/1.1 502 "));
        assert_false(got(w, "half"));
    } else {
        assert_true(got(w, "content-length: 100\r\n"));
        assert_false(got(w, "\"error\""));
    }
}

static void an_engine_that_hangs_up_is_a_502_from_the_other_side(void **state)
{
    struct world *w = *state;
    w->on_chat = hang_up;
    ask(w, CHAT);
    UNTIL(w, got(w, "backend_failed"));
    assert_true(got(w, "HTTP/1.1 502 "));
}

static void no_body(struct end *conn)
{
    say(conn, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void an_answer_without_a_body_passes(void **state)
{
    struct world *w = *state;
    w->on_chat = no_body;
    ask(w, CHAT);
    UNTIL(w, got(w, "\r\n\r\n"));
    assert_true(got(w, "HTTP/1.1 204 "));
    run_for(w, SECOND);
    assert_false(w->client.is_over);
}

/* The first, the edge's own, asks to come back later; from then on it is the second choice. */
static void pretend_not_to_have_answered(struct end *conn)
{
    if (conn->w->chats == 1)
        say(conn, "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n");
    else
        say(conn, "HTTP/1.1 200 OK\r\nGrapevine-Reason: overloaded\r\ncontent-length: 2\r\n\r\n"
                  "{}");
}

static void an_engine_cannot_have_its_answer_taken_for_a_refusal(void **state)
{
    struct world *w = *state;
    w->on_chat = pretend_not_to_have_answered;
    for (int i = 2; i <= 3; i++) {
        ask(w, CHAT);
        UNTIL(w, got(w, "\r\n\r\n{}"));
        assert_true(got(w, "grapevine-node: rack\r\n"));
        assert_int_equal(w->chats, i);
    }
}

static void a_target_too_long_for_an_envelope_is_said_to_be_too_long(void **state)
{
    struct world *w = *state;
    char request[3000], query[2000];
    memset(query, 'q', sizeof query - 1);
    query[sizeof query - 1] = '\0';
    snprintf(request, sizeof request,
             "POST /v1/chat/completions?%s HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n\r\n"
             "{\"model\":\"m\",\"messages\":[]}",
             query);
    ask(w, request);
    UNTIL(w, got(w, "uri_too_long"));
    assert_true(got(w, "HTTP/1.1 414 "));
    assert_int_equal(w->chats, 0);
}

static void much(struct end *conn)
{
    enum { SIZE = 900000 };
    char *data = malloc(SIZE);
    memset(data, 'x', SIZE);
    struct bytes parts[] = {BYTES("HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n"),
                            bytes_of(data, SIZE)};
    io_stream_write(conn->stream, parts, 2);
    free(data);
}

static void a_client_that_does_not_read_holds_the_engine_back_over_the_hop(void **state)
{
    struct world *w = *state;
    w->on_chat = much;
    ask(w, CHAT);
    UNTIL(w, got(w, "\r\n\r\n"));
    io_stream_pause(w->client.stream);
    run_for(w, 5 * SECOND);
    assert_true(io_stream_queued(w->asked->stream) > 300000);
    io_stream_read(w->client.stream);
    UNTIL(w, w->client.in.size > 900000);
    assert_false(w->client.is_over);
}

/* Nothing to send to, nobody to wait for: the exchange just ends. */
static void a_node_closed_while_a_receipt_waits_to_be_signed_leaves_nothing(void **state)
{
    struct world *w = *state;
    w->closes_rack_when_done = true;
    ask(w, CHAT);
    UNTIL(w, !w->rack.node);
    UNTIL(w, w->client.is_over || got(w, "\r\n\r\n"));
}

static void a_node_closed_in_mid_answer_is_noticed(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    say(w->asked, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                  "transfer-encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n");
    UNTIL(w, got(w, "data: one\n\n"));
    node_close(w->rack.node);
    w->rack.node = NULL;
    UNTIL(w, w->client.is_over);
    assert_true(got(w, "\"link_lost\"") || got(w, "\"backend_failed\""));
    assert_false(got(w, "[DONE]"));
}

static void an_edge_closed_in_mid_request_cancels_the_work(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    node_close(w->edge.node);
    w->edge.node = NULL;
    UNTIL(w, !w->asked->stream);
    UNTIL(w, w->client.is_over);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_over_a_hop),
        TEST(a_client_that_goes_away_cancels_the_work_over_the_hop),
        TEST(an_answer_that_breaks_off_is_not_taken_for_whole),
        TEST(an_engine_that_hangs_up_is_a_502_from_the_other_side),
        TEST(an_answer_without_a_body_passes),
        cmocka_unit_test_setup_teardown(an_engine_cannot_have_its_answer_taken_for_a_refusal,
                                        setup_two_engines, teardown),
        TEST(a_target_too_long_for_an_envelope_is_said_to_be_too_long),
        TEST(a_client_that_does_not_read_holds_the_engine_back_over_the_hop),
        TEST(a_node_closed_while_a_receipt_waits_to_be_signed_leaves_nothing),
        TEST(a_node_closed_in_mid_answer_is_noticed),
        TEST(an_edge_closed_in_mid_request_cancels_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
