/* Who is there, by gossip: finding each other, dying, leaving, behind a NAT, without UDP; which
 * links are made for it and which are given up. */
#include "tests/unit/node/sim_test_mesh_world.h"

static struct world w;
static struct node *const a = &w.nodes[0], *const b = &w.nodes[1], *const c = &w.nodes[2];

static int set_up(void **state)
{
    world_init(&w, 1);
    return 0;
}

static int tear_down(void **state)
{
    world_fini(&w);
    return 0;
}

/* Node i, which tells peers to dial it (unless others do that, see `advertise`), and lists b. */
static struct node *add(size_t i, const char *advertise)
{
    struct node *n = world_node(&w, i);
    n->cfg.advertise = advertise;
    if (i != 1)
        node_contact(n, "b:7300");
    return n;
}

static void open_all(size_t count)
{
    for (size_t i = 0; i < count; i++)
        node_open(&w.nodes[i]);
}

static void add_three(void)
{
    add(0, "a:7300");
    add(1, "b:7300");
    add(2, "c:7300");
}

static void open_three(void)
{
    add_three();
    open_all(3);
}

static bool all_know_each_other(size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            if (i != k && !node_knows(&w.nodes[i], &w.nodes[k]))
                return false;
    return true;
}

#define MEET(count) WORLD_UNTIL(&w, all_know_each_other(count))

static void block_udp(const char *one, const char *other)
{
    struct sim_config config;
    sim_config_init(&config, 1);
    config.link.datagram_loss = 1;
    sim_link_set(w.sim, one, other, &config.link);
    sim_link_set(w.sim, other, one, &config.link);
}

static struct gossip_counts counts_of(const struct node *n)
{
    struct gossip_counts counts;
    mesh_gossip_counts(n->mesh, &counts);
    return counts;
}

/* --- finding */

static void nodes_that_list_one_contact_find_each_other(void **state)
{
    open_three();
    uint64_t from_us = sim_world_now_us(w.sim);
    MEET(3);
    assert_true(sim_world_now_us(w.sim) - from_us < 3 * SECOND);
    assert_int_equal(node_links(a), 2);
    assert_int_equal(mesh_peer_count(a->mesh), 2);
    assert_int_equal(node_logged(a, "peer_joined"), 2);
    assert_string_equal(node_peer(a, c)->name, "node-c");
    assert_memory_equal(node_peer(a, c)->chain, c->identity.chain, c->identity.chain_size);
    assert_int_equal(node_peer(a, c)->incarnation, mesh_incarnation(c->mesh));
}

static void a_node_that_only_dials_out_is_alive_and_usable_everywhere(void **state)
{
    struct call call = {.tag = 3};
    add(0, "a:7300");
    add(1, "b:7300");
    add(2, "none");
    open_all(3);
    MEET(3);
    world_run(&w, 20 * SECOND);
    assert_true(all_know_each_other(3));
    assert_int_equal(node_logged(a, "peer_suspect") + node_logged(b, "peer_suspect"), 0);
    assert_true(node_peer(a, c)->facts->mesh_addr.size == 0);
    assert_int_equal(call_start(&call, node_peer(a, c), "/echo", 10000), ERR_OK);
    WORLD_UNTIL(&w, call.closes);
    assert_true(call_is_good(&call));
}

static void a_load_comes_with_its_owner_and_is_confirmed_by_silence(void **state)
{
    open_three();
    MEET(3);
    world_run(&w, 2 * SECOND);
    struct peer *p = node_peer(a, c);
    struct facts_load answered = {50, 0, 102};
    assert_int_equal(p->load.inflight, 1);
    mesh_peer_load(a->mesh, p, &answered);
    assert_int_equal(p->load.inflight, 50);
    world_run(&w, 30 * SECOND);
    assert_int_equal(p->load.inflight, 1); /* it would have said so by now */
    assert_true(io_now_ms(a->loop) - p->load_ms <= 2000);
    sim_host_pause(w.sim, "c");
    world_run(&w, 10 * SECOND);
    assert_true(io_now_ms(a->loop) - p->load_ms >= 8000); /* of the dead nothing is confirmed */
}

static void of_a_single_backend_the_numbers_are_its_node_s(void **state)
{
    static const struct facts_backend backend = {.name = {(const uint8_t *)"b", 1},
                                                 .state = FACTS_BACKEND_UP,
                                                 .inflight = 1,
                                                 .queued = 2,
                                                 .concurrency = 102};
    add_three();
    c->facts.backends = &backend;
    c->facts.backend_count = 1;
    open_all(3);
    MEET(3);
    world_run(&w, 2 * SECOND);
    assert_int_equal(node_peer(a, c)->facts->backends[0].inflight, 1);
    assert_int_equal(node_peer(a, c)->facts->backends[0].queued, 2);
}

static const struct facts_rules *rules_of_c(void)
{
    return &node_peer(a, c)->facts->rules;
}

/* The load changes each second meanwhile, so that most of its records say nothing of rules. */
static void how_far_a_node_is_with_the_rules_is_known_to_others(void **state)
{
    struct facts_rules rules = {.is_known = true, .epoch = 3, .applied = 8, .commit = 9};
    open_three();
    MEET(3);
    world_run(&w, 2 * SECOND);
    assert_false(rules_of_c()->is_known);
    mesh_set_rules(c->mesh, &rules);
    for (unsigned i = 0; i < 30; i++) {
        c->facts.load.inflight++;
        world_run(&w, 1 * SECOND);
        assert_true(i < 2 || facts_rules_equal(rules_of_c(), &rules));
    }
    rules = (struct facts_rules){.is_known = true, .commit = 10, .is_voter = true};
    rules.has_state_hash = true;
    rules.state_hash[5] = 5;
    mesh_set_rules(c->mesh, &rules); /* who votes is told at once */
    world_run(&w, SECOND / 2);
    assert_true(facts_rules_equal(rules_of_c(), &rules));
}

static void start_c_again(void)
{
    struct io_loop *loop;
    world_stop(&w, 2);
    assert_int_equal(sim_host_create(w.sim, "c", NULL, &loop), ERR_OK);
    node_init(c, loop, 1, 102, "node-c");
    node_listen(c, "0.0.0.0:7300");
    c->cfg.advertise = "c:7300"; /* it lists nobody now: the others announce to the dead */
    w.is_up[2] = true;
    node_open(c);
}

static void the_rules_of_an_earlier_life_are_not_known_any_more(void **state)
{
    struct facts_rules rules = {.is_known = true, .epoch = 3};
    open_three();
    MEET(3);
    mesh_set_rules(c->mesh, &rules);
    world_run(&w, 5 * SECOND);
    assert_int_equal(rules_of_c()->epoch, 3);
    sim_host_crash(w.sim, "c", SIM_CRASH_KILL);
    WORLD_UNTIL(&w, node_sees(a, c, PEER_DOWN) && node_sees(b, c, PEER_DOWN));
    start_c_again();
    MEET(3);
    world_run(&w, 3 * SECOND);
    assert_false(rules_of_c()->is_known);
}

/* --- dying */

static void a_killed_node_is_down_at_the_others_within_5_s(void **state)
{
    open_three();
    MEET(3);
    world_run(&w, 5 * SECOND);
    sim_host_crash(w.sim, "c", SIM_CRASH_KILL);
    world_run(&w, 5 * SECOND);
    assert_true(node_sees(a, c, PEER_DOWN) && node_sees(b, c, PEER_DOWN));
    assert_true(node_sees(a, b, PEER_ALIVE) && node_sees(b, a, PEER_ALIVE));
    assert_true(node_logged(a, "peer_down peer=node-c by=node-") == 1);
}

/* Its links say nothing: probes must find out. */
static void a_host_without_power_is_down_within_8_s(void **state)
{
    open_three();
    MEET(3);
    world_run(&w, 5 * SECOND);
    sim_host_crash(w.sim, "c", SIM_CRASH_POWER);
    world_run(&w, 8 * SECOND);
    assert_true(node_sees(a, c, PEER_DOWN) && node_sees(b, c, PEER_DOWN));
}

static void a_stopped_node_is_suspect_within_3_s(void **state)
{
    open_three();
    MEET(3);
    world_run(&w, 5 * SECOND);
    sim_host_pause(w.sim, "c");
    uint64_t from_us = sim_world_now_us(w.sim);
    WORLD_UNTIL(&w, node_sees(a, c, PEER_SUSPECT) && node_sees(b, c, PEER_SUSPECT));
    assert_true(sim_world_now_us(w.sim) - from_us < 3 * SECOND);
    sim_host_resume(w.sim, "c");
    MEET(3);
}

static void without_udp_between_two_neither_is_down(void **state)
{
    open_three();
    MEET(3);
    block_udp("a", "b");
    world_run(&w, 120 * SECOND);
    assert_true(all_know_each_other(3));
    assert_int_equal(node_logged(a, "peer_down") + node_logged(b, "peer_down"), 0);
    assert_int_equal(node_logged(c, "peer_down"), 0);
    assert_true(counts_of(a).link_messages_out > 10);
}

static void without_udp_at_all_they_still_find_each_other(void **state)
{
    add_three();
    block_udp("a", "b");
    block_udp("a", "c");
    block_udp("b", "c");
    open_all(3);
    MEET(3);
    world_run(&w, 60 * SECOND);
    assert_true(all_know_each_other(3));
    assert_int_equal(node_logged(a, "peer_down"), 0);
}

static void a_restarted_node_is_met_again_under_a_greater_incarnation(void **state)
{
    open_three();
    MEET(3);
    uint64_t before = node_peer(a, c)->incarnation;
    sim_host_crash(w.sim, "c", SIM_CRASH_KILL);
    WORLD_UNTIL(&w, node_sees(a, c, PEER_DOWN) && node_sees(b, c, PEER_DOWN));
    start_c_again();
    MEET(3);
    assert_true(node_peer(a, c)->incarnation > before);
    assert_int_equal(node_logged(a, "peer_back peer=node-c"), 1);
}

/* Its row goes from the table at once, from memory when no request can point to it any more. */
static void a_node_that_is_down_for_more_than_a_day_is_forgotten(void **state)
{
    struct io_loop *loop;
    add(0, "a:7300");
    add(1, "b:7300");
    open_all(2);
    MEET(2);
    sim_host_crash(w.sim, "a", SIM_CRASH_KILL);
    world_stop(&w, 0);
    world_run(&w, 25 * 3600 * SECOND);
    assert_int_equal(mesh_peer_count(b->mesh), 1);
    struct peer *row = mesh_peer(b->mesh, 0);
    row->inflight = 1;
    world_run(&w, 2 * 3600 * SECOND);
    assert_int_equal(mesh_peer_count(b->mesh), 0);
    assert_int_equal(node_logged(b, "peer_forgotten peer=node-a"), 1);
    assert_ptr_equal(LIST_ENTRY(b->mesh->parted.next, struct peer_slot, parted), row);
    row->inflight = 0;
    world_run(&w, 10 * SECOND);
    assert_true(list_is_empty(&b->mesh->parted));
    assert_int_equal(sim_host_create(w.sim, "a", NULL, &loop), ERR_OK);
    node_init(a, loop, 1, 100, "node-a");
    node_listen(a, "0.0.0.0:7300");
    node_contact(a, "b:7300");
    w.is_up[0] = true;
    node_open(a);
    MEET(2);
}

/* --- leaving */

static void a_node_that_leaves_is_seen_to_have_left_and_serves_on_until_it_ends(void **state)
{
    struct call call = {.tag = 3};
    open_three();
    MEET(3);
    assert_int_equal(call_start(&call, node_peer(a, c), "/echo", 1 << 20), ERR_OK);
    mesh_leave(c->mesh);
    world_run(&w, 2 * SECOND);
    assert_true(node_sees(a, c, PEER_LEFT) && node_sees(b, c, PEER_LEFT));
    assert_false(mesh_peer_is_usable(node_peer(a, c)));
    WORLD_UNTIL(&w, call.closes);
    assert_true(call_is_good(&call));
    mesh_leave(c->mesh); /* harmless */
    node_stop(c);
    world_run(&w, 10 * SECOND);
    assert_true(node_sees(a, c, PEER_LEFT));
    assert_int_equal(node_logged(a, "peer_down"), 0);
    node_open(c);
}

/* --- links */

static void nobody_keeps_a_link_for_nothing(void **state)
{
    add_three();
    for (size_t i = 0; i < 3; i++)
        w.nodes[i].facts.load = (struct facts_load){0};
    open_all(3);
    WORLD_UNTIL(&w, node_sees(a, c, PEER_ALIVE) && node_sees(c, a, PEER_ALIVE));
    world_run(&w, 70 * SECOND);
    assert_int_equal(node_links(a) + node_links(b) + node_links(c), 0);
    assert_true(node_sees(a, b, PEER_ALIVE) && node_sees(a, c, PEER_ALIVE));
    assert_int_equal(node_logged(a, "peer_suspect"), 0);
    c->facts.load.capacity = 4;
    mesh_facts_changed(c->mesh);
    world_run(&w, 3 * SECOND);
    assert_true(node_knows(a, c) && node_knows(b, c));
    assert_null(node_peer(a, b)->link);
    world_run(&w, 120 * SECOND);
    assert_true(node_knows(a, c) && node_knows(b, c));
}

static void an_idle_link_costs_little(void **state)
{
    open_three();
    MEET(3);
    world_run(&w, 10 * SECOND);
    uint64_t before = node_counts(a).bytes_out;
    world_run(&w, 60 * SECOND);
    assert_true(node_counts(a).bytes_out - before < 2 * 2 * 5 * 50); /* pings and pongs */
}

static void a_message_too_long_is_refused_and_garbage_is_counted(void **state)
{
    struct call longest = {.tag = 1}, garbage = {.tag = 2};
    open_three();
    MEET(3);
    assert_int_equal(call_start(&longest, node_peer(a, b), "/mesh/v1/gossip", 70000), ERR_OK);
    WORLD_UNTIL(&w, longest.closes);
    assert_int_equal(longest.status, 400);
    uint64_t before = counts_of(b).link_messages_in;
    assert_int_equal(call_start(&garbage, node_peer(a, b), "/mesh/v1/gossip", 1000), ERR_OK);
    WORLD_UNTIL(&w, garbage.closes);
    assert_int_equal(garbage.status, 204);
    assert_int_equal(counts_of(b).link_messages_in, before + 1);
    assert_true(counts_of(b).refused[ERR_INVALID] >= 1);
    world_run(&w, 10 * SECOND);
    assert_true(all_know_each_other(3));
}

/* --- incarnations */

static uint64_t kept_incarnation;
static enum err keeps;

static enum err keep(void *owner, uint64_t incarnation)
{
    if (keeps == ERR_OK)
        kept_incarnation = incarnation;
    return keeps;
}

static const struct mesh_ops keeping_ops = {.on_request = node_on_request,
                                            .facts = node_facts,
                                            .on_peer = node_on_peer,
                                            .persist_incarnation = keep};

static void the_incarnation_is_on_disk_before_anybody_hears_it(void **state)
{
    add_three();
    node_open(a);
    node_open(b);
    keeps = ERR_OK;
    assert_int_equal(mesh_open(&c->cfg, &keeping_ops, c, &c->mesh), ERR_OK);
    MEET(3);
    assert_true(kept_incarnation >= node_peer(a, c)->incarnation);
}

static void a_node_that_cannot_write_its_incarnation_stays_silent(void **state)
{
    add_three();
    node_open(a);
    node_open(b);
    keeps = ERR_DISK_FULL;
    assert_int_equal(mesh_open(&c->cfg, &keeping_ops, c, &c->mesh), ERR_OK);
    world_run(&w, 10 * SECOND);
    assert_true(node_logged(c, "ERROR incarnation_not_persisted") > 0);
    assert_int_equal(counts_of(a).members[GOSSIP_ALIVE], 2);
    assert_null(node_peer(a, c));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nodes_that_list_one_contact_find_each_other),
        TEST(a_node_that_only_dials_out_is_alive_and_usable_everywhere),
        TEST(a_load_comes_with_its_owner_and_is_confirmed_by_silence),
        TEST(of_a_single_backend_the_numbers_are_its_node_s),
        TEST(how_far_a_node_is_with_the_rules_is_known_to_others),
        TEST(the_rules_of_an_earlier_life_are_not_known_any_more),
        TEST(a_killed_node_is_down_at_the_others_within_5_s),
        TEST(a_host_without_power_is_down_within_8_s),
        TEST(a_stopped_node_is_suspect_within_3_s),
        TEST(without_udp_between_two_neither_is_down),
        TEST(without_udp_at_all_they_still_find_each_other),
        TEST(a_restarted_node_is_met_again_under_a_greater_incarnation),
        TEST(a_node_that_is_down_for_more_than_a_day_is_forgotten),
        TEST(a_node_that_leaves_is_seen_to_have_left_and_serves_on_until_it_ends),
        TEST(nobody_keeps_a_link_for_nothing),
        TEST(an_idle_link_costs_little),
        TEST(a_message_too_long_is_refused_and_garbage_is_counted),
        TEST(the_incarnation_is_on_disk_before_anybody_hears_it),
        TEST(a_node_that_cannot_write_its_incarnation_stays_silent),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
