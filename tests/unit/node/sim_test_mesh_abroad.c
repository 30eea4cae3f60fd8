/* Two regions of five nodes that have nothing but a mesh: what one believes of the other by its
 * gateways' summaries, which links it keeps for it, and what a lying or dead gateway changes. */
#include "node/mesh/core.h"
#include "tests/sim/io/world.h"
#include "tests/unit/node/mesh_fixture.h"

#define SECOND UINT64_C(1000000)
#define EACH 5
#define COUNT (2 * EACH) /* the first half in eu-west, the second in us-east */

static struct sim_world *sim;
static struct node nodes[COUNT];
static bool is_open[COUNT];
static char names[COUNT][8];
static struct node *const reader = &nodes[1]; /* nodes[0] is dialled by all: they list it */

static const struct facts_model model = {.name = {(const uint8_t *)"far", 3}};
static const struct facts_backend backend = {.name = {(const uint8_t *)"b", 1},
                                             .kind = {(const uint8_t *)"openai", 6},
                                             .state = FACTS_BACKEND_UP,
                                             .concurrency = 4,
                                             .models = &model,
                                             .model_count = 1};

static void add(size_t i)
{
    struct io_loop *loop;
    struct node *n = &nodes[i];
    struct fixture f;
    const char *region = i < EACH ? "eu-west" : "us-east";
    snprintf(names[i], sizeof(names[i]), "n%zu", i);
    assert_int_equal(sim_host_create(sim, names[i], NULL, &loop), ERR_OK);
    node_init(n, loop, 1, (uint8_t)(100 + i), names[i]);
    fixture_init(&f, 1);
    fixture_identity(&f, (uint8_t)(100 + i), names[i], TIER_EDGE, region, &n->identity);
    n->facts.region = bytes_from_str(region);
    n->facts.load = (struct facts_load){0};
    node_listen(n, "0.0.0.0:7300");
    n->cfg.advertise = NULL;
    if (i != 0)
        node_contact(n, "n0:7300");
}

static void run(uint64_t us)
{
    sim_world_run_until(sim, sim_world_now_us(sim) + us);
}

#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        uint64_t give_up_us_ = sim_world_now_us(sim) + 60 * SECOND;                                \
        while (!(cond)) {                                                                          \
            if (sim_world_now_us(sim) > give_up_us_)                                               \
                fail_msg("never came true: %s", #cond);                                            \
            run(1000);                                                                             \
        }                                                                                          \
    } while (0)

static void advertise_all(void)
{
    static char addrs[COUNT][16];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(addrs[i], sizeof(addrs[i]), "n%zu:7300", i);
        nodes[i].cfg.advertise = addrs[i];
    }
}

static int set_up(void **state)
{
    struct sim_config config;
    sim_config_init(&config, 1);
    config.wall_ms = FIXTURE_NOW_MS;
    crypto_seed_for_simulation(1);
    assert_int_equal(sim_world_create(&config, &sim), ERR_OK);
    for (size_t i = 0; i < COUNT; i++)
        add(i);
    advertise_all();
    for (size_t i = 0; i < COUNT; i++) {
        node_open(&nodes[i]);
        is_open[i] = true;
    }
    return 0;
}

static void stop(size_t i)
{
    node_fini(&nodes[i]);
    is_open[i] = false;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < COUNT; i++)
        if (is_open[i])
            stop(i);
    run(5 * SECOND);
    assert_int_equal(sim_world_leaks(sim, true), 0);
    sim_world_destroy(sim);
    return 0;
}

/* --- what they are to each other */

static const struct gossip_member *self_of(size_t i)
{
    return gossip_driver_member(nodes[i].mesh, &nodes[i].identity.node);
}

static bool all_have_met(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        size_t count = gossip_member_count(nodes[i].mesh->gossip.core);
        if (count < EACH + GOSSIP_GATEWAYS)
            return false;
    }
    return true;
}

/* One of us-east that only its own region knows. */
static size_t a_hidden_node(void)
{
    for (size_t i = EACH; i < COUNT; i++)
        if (!self_of(i)->is_gateway)
            return i;
    fail_msg("all are gateways");
    return 0;
}

static size_t a_gateway(void)
{
    for (size_t i = EACH; i < COUNT; i++)
        if (is_open[i] && self_of(i)->is_gateway)
            return i;
    fail_msg("none is a gateway");
    return 0;
}

static void offer(size_t i)
{
    nodes[i].facts.backends = &backend;
    nodes[i].facts.backend_count = 1;
    nodes[i].facts.load = (struct facts_load){1, 0, 4};
    mesh_facts_changed(nodes[i].mesh);
}

static void withdraw(size_t i)
{
    nodes[i].facts.backend_count = 0;
    nodes[i].facts.load = (struct facts_load){0};
    mesh_facts_changed(nodes[i].mesh);
}

static bool believes(size_t i, const char *name, struct summary_load *ret_load)
{
    const struct summary_region *r = summary_region_find(mesh_abroad(nodes[i].mesh), "us-east");
    return r && summary_load_of(r, bytes_from_str(name), ret_load);
}

static bool all_believe(bool is_there)
{
    struct summary_load load;
    for (size_t i = 0; i < EACH; i++)
        if (believes(i, "far", &load) != is_there)
            return false;
    return true;
}

static size_t links_abroad(size_t i)
{
    size_t count = 0;
    for (size_t k = EACH; k < COUNT; k++) {
        const struct peer *p = node_peer(&nodes[i], &nodes[k]);
        count += p && mesh_peer_is_usable(p);
    }
    return count;
}

static bool all_are_linked_abroad(void)
{
    for (size_t i = 0; i < EACH; i++)
        if (links_abroad(i) == 0)
            return false;
    return true;
}

/* --- tests */

static void a_hidden_node_s_model_is_believed_everywhere_and_leads_to_links(void **state)
{
    struct summary_load load;
    UNTIL(all_have_met());
    run(100 * SECOND); /* whom they met before the gateways were known is forgotten */
    size_t hidden = a_hidden_node();
    uint64_t said = self_of(hidden)->records[GOSSIP_SUMMARY].version;
    assert_true(all_believe(false));
    assert_null(node_peer(reader, &nodes[hidden]));
    uint64_t from_us = sim_world_now_us(sim);
    offer(hidden);
    UNTIL(all_believe(true));
    assert_true(sim_world_now_us(sim) - from_us < 6 * SECOND);
    assert_true(believes(1, "far", &load));
    assert_int_equal(load.capacity, 4);
    UNTIL(all_are_linked_abroad());
    run(100 * SECOND); /* nothing changes, nothing gets stale, no link is taken for spare */
    assert_true(all_believe(true));
    assert_true(all_are_linked_abroad());
    assert_int_equal(mesh_abroad(reader->mesh)->verdicts[SUMMARY_USED], 3);
    assert_null(node_peer(reader, &nodes[hidden]));
    assert_int_equal(self_of(hidden)->records[GOSSIP_SUMMARY].version, said); /* no gateway */
    withdraw(hidden);
    UNTIL(all_believe(false));
}

static void what_is_served_at_home_needs_no_link_abroad(void **state)
{
    UNTIL(all_have_met());
    size_t hidden = a_hidden_node();
    offer(0);
    run(5 * SECOND);
    offer(hidden);
    UNTIL(all_believe(true));
    run(90 * SECOND);
    for (size_t i = 1; i < EACH; i++)
        assert_int_equal(links_abroad(i), 0);
    withdraw(0);
    UNTIL(all_are_linked_abroad());
}

static void dead_gateways_are_replaced_one_after_the_other(void **state)
{
    UNTIL(all_have_met());
    size_t hidden = a_hidden_node();
    offer(hidden);
    UNTIL(all_believe(true) && all_are_linked_abroad());
    for (int i = 0; i < 2; i++) { /* more than two deaths, and all that are left are gateways */
        size_t dead = a_gateway();
        sim_host_crash(sim, names[dead], SIM_CRASH_KILL);
        stop(dead);
        io_loop_destroy(nodes[dead].loop);
        for (int s = 0; s < 30; s++) {
            run(SECOND);
            assert_true(all_believe(true));
        }
        assert_true(all_are_linked_abroad());
        if (self_of(hidden)->is_gateway)
            break;
    }
}

/* It goes on saying this, and nothing else. */
static void lie(size_t i)
{
    struct summary_model rows[2] = {{.name = BYTES("far"), .capacity = UINT32_MAX, .nodes = 1},
                                    {.name = BYTES("gold"), .capacity = UINT32_MAX, .nodes = 1}};
    struct summary summary = {rows, 2, 0};
    struct buf wire;
    buf_init(&wire, SUMMARY_WIRE_MAX);
    assert_int_equal(summary_encode(&summary, &wire), ERR_OK);
    nodes[i].mesh->has_left = true; /* the truth is not told any more */
    gossip_driver_publish(nodes[i].mesh, GOSSIP_SUMMARY, buf_bytes(&wire), false);
    buf_fini(&wire);
}

static void a_lying_gateway_is_outvoted(void **state)
{
    struct summary_load load;
    UNTIL(all_have_met());
    offer(a_hidden_node());
    UNTIL(all_believe(true));
    size_t liar = a_gateway();
    for (int s = 0; s < 30; s++) {
        lie(liar);
        run(SECOND);
        for (size_t i = 0; i < EACH; i++) {
            assert_false(believes(i, "gold", &load));
            assert_true(believes(i, "far", &load));
            assert_int_equal(load.capacity, 4);
        }
    }
    assert_int_equal(mesh_abroad(reader->mesh)->verdicts[SUMMARY_OUTVOTED], 1);
    nodes[liar].mesh->has_left = false;
}

static void a_gateway_that_falls_silent_is_stale(void **state)
{
    UNTIL(all_have_met());
    offer(a_hidden_node());
    UNTIL(all_believe(true));
    run(10 * SECOND);
    size_t silent = a_gateway();
    nodes[silent].mesh->has_left = true; /* alive, but it sums up no more */
    run(SUMMARY_STALE_MS * 1000 + 2 * SECOND);
    assert_int_equal(mesh_abroad(reader->mesh)->verdicts[SUMMARY_STALE], 1);
    assert_int_equal(mesh_abroad(reader->mesh)->verdicts[SUMMARY_USED], 2);
    assert_true(all_believe(true));
    nodes[silent].mesh->has_left = false;
}

static void who_knows_no_other_region_sums_nothing_up(void **state)
{
    for (size_t i = EACH; i < COUNT; i++)
        stop(i);
    run(20 * SECOND);
    for (size_t i = 0; i < EACH; i++)
        assert_int_equal(self_of(i)->records[GOSSIP_SUMMARY].version, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hidden_node_s_model_is_believed_everywhere_and_leads_to_links),
        TEST(what_is_served_at_home_needs_no_link_abroad),
        TEST(dead_gateways_are_replaced_one_after_the_other),
        TEST(a_lying_gateway_is_outvoted),
        TEST(a_gateway_that_falls_silent_is_stale),
        TEST(who_knows_no_other_region_sums_nothing_up),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
