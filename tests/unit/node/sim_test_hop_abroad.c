/* Whole nodes in two regions: a request for a model that only a node abroad serves, whom nobody
 * here knows, goes by one of its region's gateways; also when that dies. */
#include "tests/unit/node/hop_world.h"

#define EACH 5
#define COUNT (2 * EACH) /* the first half in eu-west, the second in us-east */
#define MODELS "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"

static struct side sides[COUNT];
static char names[COUNT][8];
static size_t hidden; /* of us-east, no gateway: it has the engine */

/* --- who is a gateway: known before anything runs, since identities are the same in each run */

static uint64_t rank_of(size_t i)
{
    const struct identity *own = &sides[i].identity;
    uint8_t text[sizeof "us-east" - 1 + ID_SIZE];
    memcpy(text, "us-east", sizeof "us-east" - 1);
    memcpy(text + sizeof "us-east" - 1, own->node.bytes, ID_SIZE);
    return crypto_siphash(own->mesh.bytes, bytes_of(text, sizeof text)) >> 1;
}

static size_t last_in_rank(void)
{
    size_t last = EACH;
    for (size_t i = EACH; i < COUNT; i++)
        if (rank_of(i) > rank_of(last))
            last = i;
    return last;
}

static struct side *side_named(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return &sides[i];
    fail_msg("no node %s", name);
    return NULL;
}

/* --- the world */

static void init_side(struct world *w, size_t i)
{
    const char *region = i < EACH ? "eu-west" : "us-east";
    struct fixture f;
    snprintf(names[i], sizeof names[i], "n%zu", i);
    side_init(w, &sides[i], (uint8_t)(70 + i), names[i], TIER_EDGE);
    fixture_init(&f, 1);
    fixture_identity(&f, (uint8_t)(70 + i), names[i], TIER_EDGE, region, &sides[i].identity);
    FIXTURE_SET(sides[i].config.region, region);
    snprintf(sides[i].config.advertise, sizeof sides[i].config.advertise, "n%zu:7300", i);
    if (i != 0)
        FIXTURE_SET(sides[i].config.peers[sides[i].config.peer_count++], "n0:7300");
}

static int setup_regions(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct sim_config config;
    assert_non_null(w);
    assert_int_equal(crypto_init(), ERR_OK);
    sim_config_init(&config, 1);
    config.wall_ms = FIXTURE_NOW_MS;
    crypto_seed_for_simulation(1);
    assert_int_equal(sim_world_create(&config, &w->sim), ERR_OK);
    w->on_chat = answer;
    buf_init(&w->client.in, 64 << 20);
    w->client.w = w;
    memset(sides, 0, sizeof sides);
    for (size_t i = 0; i < COUNT; i++)
        init_side(w, i);
    hidden = last_in_rank();
    add_engine(w, &sides[hidden], &w->engines[0]);
    for (size_t i = 0; i < COUNT; i++)
        side_open(&sides[i]);
    *state = w;
    return 0;
}

static int teardown_regions(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < COUNT; i++)
        node_close(sides[i].node);
    hang_up(&w->client);
    for (int i = 0; i < w->accepted; i++) {
        hang_up(&w->conns[i]);
        buf_fini(&w->conns[i].in);
    }
    if (w->engines[0])
        io_listener_close(w->engines[0]);
    run_for(w, 10 * SECOND);
    assert_int_equal(sim_world_leaks(w->sim, true), 0);
    sim_world_destroy(w->sim);
    buf_fini(&w->client.in);
    free(w);
    return 0;
}

static void kill(struct world *w, struct side *s)
{
    sim_host_crash(w->sim, s->config.name, SIM_CRASH_KILL);
    node_close(s->node);
    s->node = NULL;
    if (s == &sides[hidden]) {
        for (int i = 0; i < w->accepted; i++)
            hang_up(&w->conns[i]);
        io_listener_close(w->engines[0]);
        w->engines[0] = NULL;
    }
    io_loop_destroy(s->loop);
}

/* --- asking */

static void ask_until(struct world *w, struct side *s, const char *request, const char *text)
{
    for (int i = 0; i < 100; i++) {
        ask_at(w, s, request);
        UNTIL(w, got(w, "HTTP/1.1 ") && got(w, "\r\n\r\n"));
        run_for(w, 200 * MS);
        if (got(w, text))
            return;
    }
    fail_msg("%s never said %s", s->config.name, text);
}

/* The node between the two ends of an answer's path. */
static struct side *gateway_passed(struct world *w, const char *from)
{
    char text[4096], way[64], gateway[8] = "";
    bytes_to_str(buf_bytes(&w->client.in), text, sizeof text);
    snprintf(way, sizeof way, "grapevine-path: %s,", from);
    const char *at = strstr(text, way);
    assert_non_null(at);
    at += strlen(way);
    snprintf(gateway, sizeof gateway, "%.*s", (int)strcspn(at, ",\r"), at);
    snprintf(way, sizeof way, "%s,%s,%s\r\n", from, gateway, names[hidden]);
    assert_true(got(w, way));
    return side_named(gateway);
}

static void assert_is_answered(struct world *w, struct side *s)
{
    int chats = w->chats;
    ask_at(w, s, CHAT);
    UNTIL(w, got(w, "\r\n\r\n"));
    if (!got(w, "HTTP/1.1 200 "))
        fail_msg("%.*s", (int)w->client.in.size, (const char *)w->client.in.data);
    UNTIL(w, got(w, "{\"a\":1}\n"));
    assert_int_equal(w->chats, chats + 1);
}

static unsigned long hops_sent(struct world *w, struct side *s)
{
    static const char name[] = "\ngrapevine_hops_sent_total ";
    static char page[256 * 1024];
    ask_at(w, s, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "grapevine_gossip_load_age_seconds_count"));
    bytes_to_str(buf_bytes(&w->client.in), page, sizeof page);
    const char *at = strstr(page, name);
    assert_non_null(at);
    return strtoul(at + strlen(name), NULL, 10);
}

/* --- tests */

static void a_model_of_a_node_abroad_that_nobody_here_knows_is_served(void **state)
{
    struct world *w = *state;
    ask_until(w, &sides[1], MODELS, "\"id\":\"m\"");
    for (size_t i = 1; i < EACH; i++) {
        ask_until(w, &sides[i], MODELS, "\"id\":\"m\"");
        assert_is_answered(w, &sides[i]);
        gateway_passed(w, names[i]);
    }
    ask_control(w, &sides[1], "GET /mesh/v1/models HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "\"aliases\""));
    assert_true(got(w, "\"nodes\":[],\"regions\":[\"us-east\"]"));
    ask_at(w, &sides[1], "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "grapevine_gossip_load_age_seconds_count"));
    assert_true(got(w, "grapevine_region_summaries{verdict=\"used\"} 3\n"));
    assert_true(got(w, "grapevine_region_models 1\n"));
}

static void when_the_gateway_in_between_dies_another_takes_its_place(void **state)
{
    struct world *w = *state;
    ask_until(w, &sides[1], MODELS, "\"id\":\"m\"");
    run_for(w, 100 * SECOND); /* links that nobody wants have ended */
    assert_is_answered(w, &sides[1]);
    struct side *dead = gateway_passed(w, names[1]);
    kill(w, dead);
    assert_is_answered(w, &sides[1]);
    assert_ptr_not_equal(gateway_passed(w, names[1]), dead);
    run_for(w, 20 * SECOND);
    assert_is_answered(w, &sides[1]);
}

static void when_the_model_is_gone_it_is_soon_no_model_any_more(void **state)
{
    struct world *w = *state;
    ask_until(w, &sides[1], MODELS, "\"id\":\"m\"");
    kill(w, &sides[hidden]);
    ask_at(w, &sides[1], CHAT); /* it is still believed to be there */
    UNTIL(w, got(w, "\r\n\r\n"));
    assert_false(got(w, "HTTP/1.1 200 "));
    run_for(w, 30 * SECOND);
    ask_at(w, &sides[1], MODELS);
    UNTIL(w, got(w, "\"object\":\"list\""));
    assert_false(got(w, "\"id\":\"m\""));
    unsigned long hops = hops_sent(w, &sides[1]);
    ask_at(w, &sides[1], CHAT);
    UNTIL(w, got(w, "\r\n\r\n"));
    assert_false(got(w, "HTTP/1.1 200 "));
    assert_int_equal(hops_sent(w, &sides[1]), hops); /* nobody is asked for it any more */
    assert_int_equal(w->chats, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_regions, teardown_regions)
    const struct CMUnitTest tests[] = {
        TEST(a_model_of_a_node_abroad_that_nobody_here_knows_is_served),
        TEST(when_the_gateway_in_between_dies_another_takes_its_place),
        TEST(when_the_model_is_gone_it_is_soon_no_model_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
