/* A link between two nodes in the simulated world: requests both ways, back-pressure, rekeying,
 * facts. */
#include "tests/unit/node/sim_test_mesh_world.h"

static struct world w;
static struct node *const a = &w.nodes[0], *const b = &w.nodes[1];

static int set_up(void **state)
{
    world_pair(&w, 1);
    return 0;
}

static int tear_down(void **state)
{
    world_fini(&w);
    return 0;
}

static void two_nodes_meet_and_know_each_others_facts(void **state)
{
    world_link(&w);
    struct peer *p = node_peer(a, b);
    assert_string_equal(p->name, "node-b");
    assert_string_equal(p->region, "eu-west");
    assert_int_equal(p->tier, TIER_EDGE);
    assert_memory_equal(p->key, b->identity.public_key, 32);
    assert_int_equal(p->chain_size, b->identity.chain_size);
    assert_memory_equal(p->chain, b->identity.chain, p->chain_size);
    assert_int_equal(p->next_sequence, 1);
    assert_int_equal(p->load.capacity, 101);
    assert_true(bytes_equal(p->facts->version, BYTES("0.1.0")));
    assert_int_equal(node_counts(a).links_up, 1);
    assert_int_equal(node_counts(b).links_up, 1);
    assert_ptr_equal(mesh_peer(a->mesh, 0), p);
    assert_int_equal(mesh_peer_count(a->mesh), 1);
    assert_true(a->peer_changes > 0);
}

static void an_answer_streams_back_with_trailers(void **state)
{
    struct call c = {.tag = 7};
    world_link(&w);
    assert_int_equal(call_start(&c, node_peer(a, b), "/echo", 300000), ERR_OK);
    WORLD_UNTIL(&w, c.closes);
    assert_true(call_is_good(&c));
}

static void the_node_that_was_dialled_sends_requests_over_the_same_link(void **state)
{
    struct call there = {.tag = 7}, back = {.tag = 9};
    world_link(&w);
    assert_int_equal(call_start(&there, node_peer(a, b), "/echo", 100000), ERR_OK);
    assert_int_equal(call_start(&back, node_peer(b, a), "/echo", 100000), ERR_OK);
    WORLD_UNTIL(&w, there.closes && back.closes);
    assert_true(call_is_good(&there) && call_is_good(&back));
    assert_int_equal(node_links(a), 1);
    assert_int_equal(node_links(b), 1);
}

static void many_streams_at_once_do_not_mix(void **state)
{
    static struct call calls[2][30];
    world_link(&w);
    for (size_t i = 0; i < 30; i++) {
        calls[0][i].tag = (uint8_t)i;
        calls[1][i].tag = (uint8_t)(100 + i);
        assert_int_equal(call_start(&calls[0][i], node_peer(a, b), "/echo", 5000 + i * 3000),
                         ERR_OK);
        assert_int_equal(call_start(&calls[1][i], node_peer(b, a), "/echo", 1 + i * 777), ERR_OK);
    }
    for (size_t i = 0; i < 30; i++) {
        WORLD_UNTIL(&w, calls[0][i].closes && calls[1][i].closes);
        assert_true(call_is_good(&calls[0][i]) && call_is_good(&calls[1][i]));
    }
}

static void a_refused_request_was_never_processed(void **state)
{
    struct call c = {.tag = 7};
    world_link(&w);
    b->refuses = ERR_OVERLOADED;
    assert_int_equal(call_start(&c, node_peer(a, b), "/echo", 10), ERR_OK);
    WORLD_UNTIL(&w, c.closes);
    assert_int_equal(c.reason, ERR_REFUSED);
    assert_int_equal(b->served_count, 0);
}

static void a_cancelled_request_ends_at_the_other_side_and_stays_silent_here(void **state)
{
    struct call c = {.tag = 7};
    world_link(&w);
    b->holds = true;
    assert_int_equal(call_start(&c, node_peer(a, b), "/sink", 100000), ERR_OK);
    WORLD_UNTIL(&w, !list_is_empty(&b->served));
    mesh_stream_cancel(&c.ms);
    assert_null(c.ms.h2);
    mesh_stream_cancel(&c.ms);
    WORLD_UNTIL(&w, list_is_empty(&b->served));
    world_run(&w, SECOND);
    assert_int_equal(c.closes, 0);
}

static void a_slow_server_stops_its_sender_and_nobody_else(void **state)
{
    struct call slow = {.tag = 7}, other = {.tag = 8};
    world_link(&w);
    b->holds = true;
    assert_int_equal(call_start(&slow, node_peer(a, b), "/sink", 4 << 20), ERR_OK);
    world_run(&w, 20 * SECOND);
    assert_int_equal(b->served_bytes, STREAM_WINDOW);
    assert_true(slow.sent <= STREAM_WINDOW + H2_SEND_QUEUE_MAX);
    assert_int_equal(call_start(&other, node_peer(a, b), "/echo", 500000), ERR_OK);
    WORLD_UNTIL(&w, other.closes);
    assert_true(call_is_good(&other));
    assert_true(node_sees(a, b, PEER_ALIVE) && node_sees(b, a, PEER_ALIVE));
    node_release(b);
    WORLD_UNTIL(&w, slow.closes);
    assert_int_equal(slow.reason, ERR_OK);
    assert_int_equal(b->served_bytes, (4 << 20) + 500000);
}

static void a_slow_client_stops_the_server(void **state)
{
    struct call c = {.holds = true};
    world_link(&w);
    b->pour_size = 4 << 20;
    assert_int_equal(call_start(&c, node_peer(a, b), "/pour", 0), ERR_OK);
    world_run(&w, 20 * SECOND);
    struct served *v = LIST_ENTRY(b->served.next, struct served, list);
    assert_int_equal(c.got, STREAM_WINDOW);
    assert_true(v->poured <= STREAM_WINDOW + H2_SEND_QUEUE_MAX);
    call_release(&c);
    WORLD_UNTIL(&w, c.closes);
    assert_int_equal(c.reason, ERR_OK);
    assert_int_equal(c.got, 4 << 20);
    assert_false(c.mismatch);
}

static void more_requests_than_allowed_are_refused_here_not_there(void **state)
{
    static struct call calls[40];
    size_t open = 0;
    world_link(&w);
    b->holds = true;
    for (size_t i = 0; i < 40; i++) {
        enum err e = call_start(&calls[i], node_peer(a, b), "/sink", 10);
        assert_true(e == ERR_OK || e == ERR_LIMIT);
        open += e == ERR_OK;
    }
    assert_true(open >= 32 && open <= 33);
    assert_false(mesh_peer_is_usable(node_peer(a, b)));
}

static void facts_are_renewed_every_second(void **state)
{
    world_link(&w);
    world_run(&w, 10 * SECOND);
    struct peer *p = node_peer(a, b);
    assert_true(io_now_ms(a->loop) - p->facts_ms <= 2000);
    b->facts.load.inflight = 77;
    world_run(&w, 1500 * MS);
    assert_int_equal(p->load.inflight, 77);
    assert_int_equal(p->facts->load.inflight, 77);
}

static void a_sharp_change_is_told_at_once_but_not_too_often(void **state)
{
    world_link(&w);
    world_run(&w, 5 * SECOND);
    struct peer *p = node_peer(a, b);
    uint64_t before = b->mesh->counts.bytes_out;
    for (uint32_t i = 0; i < 50; i++) {
        b->facts.load.capacity = 1000 + i;
        mesh_facts_changed(b->mesh);
        world_run(&w, MS);
    }
    world_run(&w, 120 * MS);
    assert_int_equal(p->load.capacity, 1049);
    assert_true(b->mesh->counts.bytes_out - before < 2000);
}

/* What others would refuse, and blame it for. */
static void facts_beyond_the_certificate_are_not_said(void **state)
{
    struct gossip_counts counts;
    world_link(&w);
    b->facts.region = BYTES("us-east");
    world_run(&w, 3 * SECOND);
    assert_true(bytes_equal(node_peer(a, b)->facts->region, BYTES("eu-west")));
    mesh_gossip_counts(b->mesh, &counts);
    assert_true(counts.refused[ERR_CERT_SCOPE] >= 1);
    assert_true(node_logged(b, "gossip_refused") >= 1);
    mesh_gossip_counts(a->mesh, &counts);
    assert_int_equal(counts.refused[ERR_CERT_SCOPE], 0);
    b->facts.region = BYTES("eu-west");
    b->facts.zone = BYTES("shop");
    world_run(&w, 2 * SECOND);
    assert_true(bytes_equal(node_peer(a, b)->facts->zone, BYTES("shop")));
    assert_true(node_sees(a, b, PEER_ALIVE));
}

static void a_load_report_is_kept_with_its_time(void **state)
{
    struct facts_load load = {9, 8, 7};
    world_link(&w);
    struct peer *p = node_peer(a, b);
    mesh_peer_load(a->mesh, p, &load);
    assert_memory_equal(&p->load, &load, sizeof(load));
    assert_int_equal(p->load_ms, io_now_ms(a->loop));
}

/* Else routing would build its index anew with every answer, and once a second for every peer. */
static void news_is_what_a_peer_offers_not_its_load(void **state)
{
    static const struct facts_model model = {.name = BYTES("m")};
    static const struct facts_backend backend = {
        .name = BYTES("b"), .kind = BYTES("openai"), .models = &model, .model_count = 1};
    struct facts_load load = {9, 8, 7};
    world_link(&w);
    world_run(&w, 2 * SECOND);
    size_t before = a->peer_changes;
    mesh_peer_load(a->mesh, node_peer(a, b), &load);
    b->facts.load.inflight = 77;
    world_run(&w, 3 * SECOND);
    assert_int_equal(node_peer(a, b)->facts->load.inflight, 77);
    assert_int_equal(a->peer_changes, before);
    b->facts.backends = &backend;
    b->facts.backend_count = 1;
    world_run(&w, 3 * SECOND);
    assert_int_equal(a->peer_changes, before + 1);
}

static void pings_measure_the_round_trip(void **state)
{
    struct sim_link slow;
    struct sim_config config;
    world_link(&w);
    sim_config_init(&config, 1);
    slow = config.link;
    slow.latency_min_us = slow.latency_max_us = 50000;
    slow.jitter_us = 0;
    sim_link_set(w.sim, "a", "b", &slow);
    sim_link_set(w.sim, "b", "a", &slow);
    world_run(&w, 60 * SECOND);
    uint64_t rtt_us = node_peer(a, b)->rtt_us;
    assert_in_range(rtt_us, 95000, 115000);
    assert_true(node_sees(a, b, PEER_ALIVE));
}

static void keys_change_by_bytes_in_the_middle_of_a_stream(void **state)
{
    struct call c = {.tag = 3};
    world_fini(&w);
    world_init(&w, 2);
    node_contact(world_node(&w, 0), "b:7300");
    world_node(&w, 1);
    a->cfg.rekey_bytes = 50000;
    b->cfg.rekey_bytes = 70000;
    node_open(b);
    node_open(a);
    world_link(&w);
    assert_int_equal(call_start(&c, node_peer(a, b), "/echo", 1 << 20), ERR_OK);
    WORLD_UNTIL(&w, c.closes);
    assert_true(call_is_good(&c));
    assert_true(node_counts(a).rekeys >= 5);
    assert_true(node_counts(b).rekeys >= 4);
    assert_int_equal(node_counts(a).records_bad + node_counts(b).records_bad, 0);
}

static void keys_change_by_time_on_an_idle_link(void **state)
{
    world_fini(&w);
    world_init(&w, 2);
    node_contact(world_node(&w, 0), "b:7300");
    world_node(&w, 1);
    a->cfg.rekey_ms = 3000;
    node_open(b);
    node_open(a);
    world_link(&w);
    world_run(&w, 31 * SECOND);
    assert_in_range(node_counts(a).rekeys, 8, 11);
    assert_int_equal(node_counts(b).rekeys, 0);
    assert_int_equal(node_counts(a).links_up, 1);
    assert_true(node_sees(a, b, PEER_ALIVE));
}

static void a_closed_mesh_tells_every_stream(void **state)
{
    struct call mine = {.tag = 7};
    world_link(&w);
    b->holds = true;
    assert_int_equal(call_start(&mine, node_peer(a, b), "/sink", 100000), ERR_OK);
    WORLD_UNTIL(&w, !list_is_empty(&b->served));
    mesh_close(a->mesh);
    a->mesh = NULL;
    assert_int_equal(mine.closes, 1);
    assert_int_equal(mine.reason, ERR_LINK_LOST);
    WORLD_UNTIL(&w, list_is_empty(&b->served));
    WORLD_UNTIL(&w, node_sees(b, a, PEER_DOWN));
}

static void what_peers_are_told_to_dial_follows_the_configuration(void **state)
{
    struct io_addr addr;
    assert_string_equal(mesh_advertised(a->mesh), ""); /* 0.0.0.0 is no address to dial */
    mesh_listen_addr(a->mesh, &addr);
    assert_int_equal(addr.port, 7300);
    node_stop(a);
    a->cfg.advertise = "edge.example:7300";
    node_open(a);
    assert_string_equal(mesh_advertised(a->mesh), "edge.example:7300");
    node_stop(a);
    a->cfg.advertise = "none";
    node_open(a);
    assert_string_equal(mesh_advertised(a->mesh), "");
    node_stop(a);
    a->cfg.advertise = NULL;
    node_listen(a, "10.0.0.1:7301");
    node_open(a);
    assert_string_equal(mesh_advertised(a->mesh), "10.0.0.1:7301");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_nodes_meet_and_know_each_others_facts),
        TEST(an_answer_streams_back_with_trailers),
        TEST(the_node_that_was_dialled_sends_requests_over_the_same_link),
        TEST(many_streams_at_once_do_not_mix),
        TEST(a_refused_request_was_never_processed),
        TEST(a_cancelled_request_ends_at_the_other_side_and_stays_silent_here),
        TEST(a_slow_server_stops_its_sender_and_nobody_else),
        TEST(a_slow_client_stops_the_server),
        TEST(more_requests_than_allowed_are_refused_here_not_there),
        TEST(facts_are_renewed_every_second),
        TEST(a_sharp_change_is_told_at_once_but_not_too_often),
        TEST(facts_beyond_the_certificate_are_not_said),
        TEST(a_load_report_is_kept_with_its_time),
        TEST(news_is_what_a_peer_offers_not_its_load),
        TEST(pings_measure_the_round_trip),
        TEST(keys_change_by_bytes_in_the_middle_of_a_stream),
        TEST(keys_change_by_time_on_an_idle_link),
        TEST(a_closed_mesh_tells_every_stream),
        TEST(what_peers_are_told_to_dial_follows_the_configuration),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
