/* Who is linked with whom: contacts, crossing dials, pauses, crashes, farewells, strangers. */
#include "tests/unit/node/sim_test_mesh_world.h"

static struct world w;
static struct node *const a = &w.nodes[0], *const b = &w.nodes[1], *const c = &w.nodes[2];

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

/* A world of a and b that list each other. */
static void start_crossing(uint64_t seed)
{
    world_fini(&w);
    world_init(&w, seed);
    node_contact(world_node(&w, 0), "b:7300");
    node_contact(world_node(&w, 1), "a:7300");
    node_open(a);
    node_open(b);
}

static bool both_keep_the_link_dialled_by_the_smaller_id(void)
{
    bool a_is_smaller = id_compare(&a->identity.node, &b->identity.node) < 0;
    const struct link *at_a = node_peer(a, b)->link, *at_b = node_peer(b, a)->link;
    return at_a && at_b && at_a->dialled == a_is_smaller && at_b->dialled == !a_is_smaller;
}

static void crossing_dials_leave_one_link_dialled_by_the_smaller_id(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        start_crossing(seed);
        world_run(&w, 3 * SECOND);
        assert_int_equal(node_links(a), 1);
        assert_int_equal(node_links(b), 1);
        assert_true(node_knows(a, b) && node_knows(b, a));
        if (node_counts(a).links_up > 1)
            assert_true(both_keep_the_link_dialled_by_the_smaller_id());
        uint64_t up = node_counts(a).links_up + node_counts(b).links_up;
        world_run(&w, 20 * SECOND);
        assert_int_equal(node_counts(a).links_up + node_counts(b).links_up, up);
    }
}

static void requests_begun_on_the_link_that_loses_are_finished(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct call there = {.tag = 1}, back = {.tag = 2};
        start_crossing(seed);
        WORLD_UNTIL(&w, node_peer(a, b) && node_peer(a, b)->link);
        assert_int_equal(call_start(&there, node_peer(a, b), "/echo", 400000), ERR_OK);
        WORLD_UNTIL(&w, node_peer(b, a) && node_peer(b, a)->link);
        assert_int_equal(call_start(&back, node_peer(b, a), "/echo", 400000), ERR_OK);
        WORLD_UNTIL(&w, there.closes && back.closes);
        assert_true(call_is_good(&there) || there.reason == ERR_REFUSED);
        assert_true(call_is_good(&back) || back.reason == ERR_REFUSED);
        WORLD_UNTIL(&w, node_links(a) == 1 && node_links(b) == 1);
    }
}

static void a_peer_listed_twice_is_linked_once(void **state)
{
    world_fini(&w);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world_init(&w, seed);
        node_contact(world_node(&w, 0), "b:7300");
        node_contact(a, "10.0.0.2:7300");
        world_node(&w, 1);
        node_open(b);
        node_open(a);
        world_run(&w, 5 * SECOND);
        assert_int_equal(node_links(a), 1);
        assert_int_equal(node_links(b), 1);
        assert_ptr_not_equal(node_peer(a, b)->link, NULL);
        assert_true(node_knows(a, b) && node_knows(b, a));
        if (seed < 10)
            world_fini(&w);
    }
}

static void a_contact_that_is_this_node_itself_is_dialled_once(void **state)
{
    world_node(&w, 2);
    node_contact(c, "c:7300");
    node_open(c);
    world_run(&w, 30 * SECOND);
    assert_int_equal(node_logged(c, "contact_is_self"), 1);
    assert_int_equal(node_counts(c).links_failed, 2); /* both ends of the one attempt */
    assert_int_equal(mesh_peer_count(c->mesh), 0);
    assert_int_equal(node_links(c), 0);
}

static void a_copied_directory_is_told_from_oneself(void **state)
{
    world_node(&w, 2);
    c->identity = a->identity;
    node_contact(c, "a:7300");
    node_open(c);
    world_run(&w, 30 * SECOND);
    assert_int_equal(node_logged(c, "contact_is_self"), 0);
    assert_true(node_logged(c, "identity_used_twice") >= 2);
}

static void another_mesh_is_refused_and_both_sides_know_why(void **state)
{
    world_node(&w, 2);
    node_identity(2, 102, "node-c", &c->identity);
    node_contact(c, "b:7300");
    node_open(c);
    world_run(&w, 60 * SECOND);
    assert_int_equal(mesh_peer_count(c->mesh), 0);
    assert_null(node_peer(b, c));
    assert_true(node_logged(b, "link_refused") > 0);
    assert_true(node_logged(b, "reason=wrong_mesh") > 0);
    assert_true(node_logged(c, "reason=wrong_mesh") > 0);
    assert_in_range(node_counts(b).handshakes_refused, 5, 20); /* the pauses grow */
}

static void clocks_an_hour_apart_are_refused_with_a_hint(void **state)
{
    world_node(&w, 2);
    node_contact(c, "b:7300");
    sim_host_step_clock(w.sim, "c", 3600 * 1000);
    node_open(c);
    world_run(&w, 2 * SECOND);
    assert_true(node_logged(c, "reason=clock_skew") > 0);
    assert_true(node_logged(c, "peer_clock_ahead_ms=-36") > 0);
    assert_true(node_logged(b, "reason=clock_skew") > 0);
    assert_null(node_peer(b, c));
    sim_host_step_clock(w.sim, "c", -3600 * 1000);
    WORLD_UNTIL(&w, node_knows(c, b) && node_knows(b, c));
}

static bool are_linked(struct node *one, struct node *other)
{
    const struct peer *p = node_peer(one, other);
    return p && p->link;
}

static void whose_clock_steps_is_alone_until_it_is_right_again(void **state)
{
    WORLD_UNTIL(&w, node_knows(a, b) && node_knows(b, a));
    sim_host_step_clock(w.sim, "b", 3600 * 1000);
    world_run(&w, 3 * SECOND);
    assert_int_equal(node_logged(b, "clock_stepped"), 1);
    assert_true(node_logged(a, "reason=clock_skew") > 0);
    assert_true(!are_linked(a, b) && !are_linked(b, a));
    world_run(&w, 60 * SECOND);
    assert_true(!are_linked(a, b) && !are_linked(b, a));
    sim_host_step_clock(w.sim, "b", -3600 * 1000);
    world_run(&w, (MESH_BACKOFF_MAX_MS + 1000) * MS); /* only a dials */
    assert_true(are_linked(a, b) && are_linked(b, a));
    WORLD_UNTIL(&w, node_knows(a, b) && node_knows(b, a));
}

static void a_certificate_that_expires_ends_the_link(void **state)
{
    struct fixture f;
    world_node(&w, 2);
    fixture_init(&f, 1);
    f.node_cert.not_after_ms = FIXTURE_NOW_MS + 60 * 1000;
    fixture_identity(&f, 102, "node-c", TIER_EDGE, "eu-west", &c->identity);
    node_contact(c, "b:7300");
    node_open(c);
    WORLD_UNTIL(&w, node_knows(b, c));
    world_run(&w, (60 + 300 + 30) * SECOND);
    assert_true(node_sees(b, c, PEER_DOWN));
    assert_true(node_logged(b, "reason=cert_expired") > 0);
    assert_true(node_logged(c, "reason=cert_expired by=peer") > 0);
    assert_int_equal(node_counts(c).links_up, 1); /* refused later, not up and down again */
    assert_true(node_knows(a, b));
}

static void a_peer_that_is_not_there_yet_is_dialled_until_it_is(void **state)
{
    node_stop(b);
    world_run(&w, 30 * SECOND);
    assert_true(!node_peer(a, b) || !node_peer(a, b)->link);
    node_open(b);
    world_run(&w, MESH_BACKOFF_MAX_MS * MS + SECOND);
    assert_true(node_knows(a, b) && node_knows(b, a));
}

static void a_name_is_resolved_at_each_dial(void **state)
{
    world_node(&w, 2);
    node_contact(c, "seed.example:7300");
    sim_name_set(w.sim, "seed.example", NULL, ERR_RESOLVE);
    node_open(c);
    world_run(&w, 5 * SECOND);
    assert_int_equal(node_logged(c, "contact_failed"), 1); /* said once, tried often */
    assert_true(node_logged(c, "reason=resolve") > 0);
    sim_name_set(w.sim, "seed.example", "10.0.0.2", ERR_OK);
    WORLD_UNTIL(&w, node_knows(c, b));
}

static void a_paused_peer_is_suspect_then_cut_and_comes_back(void **state)
{
    struct call call = {.tag = 7};
    world_link(&w);
    b->holds = true;
    assert_int_equal(call_start(&call, node_peer(a, b), "/sink", 200000), ERR_OK);
    WORLD_UNTIL(&w, b->served_count == 1);
    sim_host_pause(w.sim, "b");
    world_run(&w, 1700 * MS);
    assert_true(node_peer(a, b)->is_late);
    assert_false(mesh_peer_is_usable(node_peer(a, b)));
    assert_int_equal(call.closes, 0);
    world_run(&w, 2100 * MS);
    assert_int_equal(call.closes, 1);
    assert_int_equal(call.reason, ERR_LINK_LOST);
    world_run(&w, 20 * SECOND);
    assert_true(node_sees(a, b, PEER_DOWN));
    sim_host_resume(w.sim, "b");
    WORLD_UNTIL(&w, node_knows(a, b) && node_knows(b, a));
    assert_true(list_is_empty(&b->served));
}

static void a_short_pause_is_only_a_suspicion(void **state)
{
    world_link(&w);
    world_run(&w, 5 * SECOND);
    sim_host_pause(w.sim, "b");
    WORLD_UNTIL(&w, node_sees(a, b, PEER_SUSPECT));
    sim_host_resume(w.sim, "b");
    world_run(&w, SECOND);
    assert_true(node_knows(a, b));
    assert_int_equal(node_counts(a).links_up, 1);
    assert_int_equal(node_logged(a, "peer_down"), 0);
}

static void nodes_that_were_paused_themselves_do_not_blame_each_other(void **state)
{
    world_link(&w);
    sim_host_pause(w.sim, "a");
    sim_host_pause(w.sim, "b");
    world_run(&w, 30 * SECOND);
    sim_host_resume(w.sim, "a");
    world_run(&w, 100 * MS);
    sim_host_resume(w.sim, "b");
    world_run(&w, 5 * SECOND);
    assert_true(node_sees(a, b, PEER_ALIVE) && node_sees(b, a, PEER_ALIVE));
    assert_int_equal(node_counts(a).links_up, 1);
    assert_int_equal(node_logged(a, "peer_suspect"), 0);
}

static void a_silence_that_began_before_our_own_pause_is_waited_for_again(void **state)
{
    world_link(&w);
    sim_host_pause(w.sim, "b");
    world_run(&w, 1200 * MS);
    sim_host_pause(w.sim, "a");
    world_run(&w, 30 * SECOND);
    sim_host_resume(w.sim, "a");
    world_run(&w, 600 * MS);
    sim_host_resume(w.sim, "b");
    world_run(&w, 5 * SECOND);
    assert_true(node_sees(a, b, PEER_ALIVE) && node_sees(b, a, PEER_ALIVE));
    assert_int_equal(node_counts(a).links_up, 1);
}

static void a_pong_behind_a_long_queue_is_late_but_no_death(void **state)
{
    static struct call calls[4];
    struct sim_config config;
    world_link(&w);
    sim_config_init(&config, 1);
    config.link.bytes_per_s = 20000;
    sim_link_set(w.sim, "b", "a", &config.link);
    b->pour_size = 200000;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(call_start(&calls[i], node_peer(a, b), "/pour", 0), ERR_OK);
    world_run(&w, 8 * SECOND);
    assert_true(node_peer(a, b)->is_late);
    for (size_t i = 0; i < 4; i++) {
        WORLD_UNTIL(&w, calls[i].closes);
        assert_int_equal(calls[i].got, 200000);
    }
    assert_int_equal(node_counts(a).links_up, 1);
}

static void a_killed_peer_is_left_alone_at_once_and_linked_again_after_its_restart(void **state)
{
    struct call call = {.tag = 7};
    struct io_loop *loop;
    world_link(&w);
    b->holds = true;
    assert_int_equal(call_start(&call, node_peer(a, b), "/sink", 200000), ERR_OK);
    WORLD_UNTIL(&w, b->served_count == 1);
    sim_host_crash(w.sim, "b", SIM_CRASH_KILL);
    world_run(&w, 100 * MS);
    assert_false(mesh_peer_is_usable(node_peer(a, b)));
    assert_int_equal(call.reason, ERR_LINK_LOST);
    WORLD_UNTIL(&w, node_sees(a, b, PEER_DOWN));
    world_stop(&w, 1);
    assert_int_equal(sim_host_create(w.sim, "b", NULL, &loop), ERR_OK);
    node_init(b, loop, 1, 101, "node-b");
    node_listen(b, "0.0.0.0:7300");
    w.is_up[1] = true;
    node_open(b);
    WORLD_UNTIL(&w, node_knows(a, b) && node_knows(b, a));
    assert_int_equal(mesh_peer_count(a->mesh), 1);
}

static void a_restarted_peer_that_dials_ends_the_link_to_its_dead_process(void **state)
{
    struct io_loop *loop;
    world_link(&w);
    sim_host_crash(w.sim, "a", SIM_CRASH_POWER);
    world_stop(&w, 0);
    assert_int_equal(sim_host_create(w.sim, "a", NULL, &loop), ERR_OK);
    node_init(a, loop, 1, 100, "node-a");
    node_listen(a, "0.0.0.0:7300");
    node_contact(a, "b:7300");
    w.is_up[0] = true;
    node_open(a);
    world_run(&w, SECOND);
    assert_true(node_knows(b, a) && node_knows(a, b));
    assert_int_equal(node_links(b), 1);
    assert_int_equal(node_counts(b).links_up, 2);
}

/* The one that lives has the smaller id and has dialled: by the rule for crossing dials its link to
 * the dead process would stay. */
static void the_dead_process_s_link_ends_even_if_it_was_the_one_to_keep(void **state)
{
    struct io_loop *loop;
    world_fini(&w);
    world_init(&w, 3);
    world_node(&w, 0);
    world_node(&w, 1);
    bool a_is_smaller = id_compare(&a->identity.node, &b->identity.node) < 0;
    size_t dying = a_is_smaller ? 1 : 0;
    struct node *living = &w.nodes[1 - dying], *dead = &w.nodes[dying];
    node_contact(living, dying ? "b:7300" : "a:7300");
    node_open(a);
    node_open(b);
    world_link(&w);
    sim_host_crash(w.sim, host_of(dying), SIM_CRASH_POWER);
    world_stop(&w, dying);
    assert_int_equal(sim_host_create(w.sim, host_of(dying), NULL, &loop), ERR_OK);
    node_init(dead, loop, 1, (uint8_t)(100 + dying), dying ? "node-b" : "node-a");
    node_listen(dead, "0.0.0.0:7300");
    node_contact(dead, dying ? "a:7300" : "b:7300");
    w.is_up[dying] = true;
    node_open(dead);
    for (uint64_t ms = 0; ms < 300 && node_counts(living).links_up < 2; ms++)
        world_run(&w, MS);
    assert_int_equal(node_links(living), 1);
    world_run(&w, 50 * MS);
    assert_true(node_knows(living, dead) && node_knows(dead, living));
}

static void a_contact_linked_from_the_other_side_is_dialled_when_that_link_is_lost(void **state)
{
    struct io_loop *loop;
    start_crossing(4);
    world_run(&w, 3 * SECOND);
    size_t dying = node_peer(a, b)->link->dialled ? 0 : 1;
    struct node *living = &w.nodes[1 - dying], *dead = &w.nodes[dying];
    assert_false(node_peer(living, dead)->link->dialled);
    sim_host_crash(w.sim, host_of(dying), SIM_CRASH_KILL);
    world_stop(&w, dying);
    assert_int_equal(sim_host_create(w.sim, host_of(dying), NULL, &loop), ERR_OK);
    node_init(dead, loop, 1, (uint8_t)(100 + dying), dying ? "node-b" : "node-a");
    node_listen(dead, "0.0.0.0:7300");
    w.is_up[dying] = true;
    node_open(dead); /* it lists nobody now */
    WORLD_UNTIL(&w, node_knows(a, b) && node_knows(b, a));
}

static void a_partition_cuts_and_its_end_mends(void **state)
{
    world_link(&w);
    sim_partition(w.sim, "a", "b");
    world_run(&w, 10 * SECOND);
    assert_true(node_sees(a, b, PEER_DOWN) && node_sees(b, a, PEER_DOWN));
    sim_heal(w.sim, "a", "b");
    WORLD_UNTIL(&w, node_knows(a, b) && node_knows(b, a));
    world_run(&w, 10 * SECOND);
    assert_int_equal(node_links(a), 1);
    assert_int_equal(node_links(b), 1);
}

static void a_draining_node_finishes_and_is_then_seen_to_have_left(void **state)
{
    struct call running = {.tag = 7}, late = {.tag = 8}, own = {.tag = 9};
    world_link(&w);
    assert_int_equal(call_start(&running, node_peer(a, b), "/echo", 2 << 20), ERR_OK);
    WORLD_UNTIL(&w, b->served_count == 1);
    mesh_drain(b->mesh);
    world_run(&w, 50 * MS);
    assert_true(node_peer(a, b)->draining);
    assert_false(mesh_peer_is_usable(node_peer(a, b)));
    assert_true(node_sees(a, b, PEER_ALIVE));
    assert_true(call_start(&late, node_peer(a, b), "/echo", 10) != ERR_OK);
    assert_int_equal(call_start(&own, node_peer(b, a), "/echo", 10), ERR_OK);
    WORLD_UNTIL(&w, running.closes && own.closes);
    assert_true(call_is_good(&running) && call_is_good(&own));
    node_stop(b);
    world_run(&w, 100 * MS);
    assert_true(node_sees(a, b, PEER_LEFT));
    assert_true(node_logged(a, "reason=draining") > 0);
    node_open(b);
    WORLD_UNTIL(&w, node_knows(a, b));
    assert_false(node_peer(a, b)->draining);
}

static void a_draining_node_makes_no_new_links(void **state)
{
    world_link(&w);
    mesh_drain(b->mesh);
    world_node(&w, 2);
    node_contact(c, "b:7300");
    node_open(c);
    world_run(&w, 5 * SECOND);
    assert_int_equal(mesh_peer_count(c->mesh), 0);
}

static void two_nodes_of_one_name_are_warned_of(void **state)
{
    world_node(&w, 2);
    node_identity(1, 102, "node-a", &c->identity);
    c->facts.name = BYTES("node-a");
    node_contact(c, "b:7300");
    node_open(c);
    WORLD_UNTIL(&w, node_knows(b, c) && node_knows(b, a));
    world_run(&w, 5 * SECOND);
    assert_int_equal(node_logged(b, "name_taken_twice"), 1);
    assert_int_equal(mesh_peer_count(b->mesh), 2);
}

/* --- strangers */

struct stranger {
    struct io_stream *stream;
    bool is_ended;
};

static void stranger_on_open(void *owner, enum err e) {}

static void stranger_on_read(void *owner, struct bytes data) {}

static void stranger_on_eof(void *owner)
{
    ((struct stranger *)owner)->is_ended = true;
}

static void stranger_on_fail(void *owner, enum err e)
{
    ((struct stranger *)owner)->is_ended = true;
}

static void stranger_on_drain(void *owner) {}

static const struct io_stream_ops stranger_ops = {
    stranger_on_open, stranger_on_read, stranger_on_eof, stranger_on_drain, stranger_on_fail};

static void stranger_connect(struct stranger *s, struct bytes data)
{
    struct io_addr addr;
    assert_int_equal(io_addr_parse(BYTES("10.0.0.2:7300"), &addr), ERR_OK);
    s->is_ended = false;
    assert_int_equal(io_connect(c->loop, &addr, &stranger_ops, s, &s->stream), ERR_OK);
    io_stream_read(s->stream);
    if (data.size)
        io_stream_write(s->stream, &data, 1);
}

static void silent_strangers_are_bounded_and_dropped_in_time(void **state)
{
    static struct stranger strangers[200];
    world_node(&w, 2);
    world_link(&w);
    for (size_t i = 0; i < 200; i++)
        stranger_connect(&strangers[i], BYTES(""));
    world_run(&w, SECOND);
    assert_true(node_links(b) <= LINK_UNFINISHED_MAX + 1);
    assert_true(node_knows(a, b));
    world_run(&w, MESH_DIAL_TIMEOUT_MS * MS);
    assert_int_equal(node_links(b), 1);
    for (size_t i = 0; i < 200; i++) {
        assert_true(strangers[i].is_ended);
        io_stream_close(strangers[i].stream);
    }
    assert_int_equal(node_counts(b).links_up, 1);
}

static void garbage_is_refused_and_counted_and_said_once_a_second(void **state)
{
    static struct stranger strangers[100];
    static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static uint8_t zeros[4096];
    world_node(&w, 2);
    world_link(&w);
    for (size_t i = 0; i < 100; i++)
        stranger_connect(&strangers[i],
                         i % 2 ? bytes_of(zeros, sizeof(zeros)) : bytes_of(http, 28));
    world_run(&w, 6 * SECOND);
    assert_int_equal(node_counts(b).handshakes_refused, 100);
    assert_int_equal(node_links(b), 1);
    assert_true(node_logged(b, "WARN link_refused") <= 3);
    for (size_t i = 0; i < 100; i++) {
        assert_true(strangers[i].is_ended);
        io_stream_close(strangers[i].stream);
    }
}

/* None of them ever closes: what is theirs must be bounded by us. */
static void strangers_cannot_hold_sockets_that_were_given_up(void **state)
{
    static struct stranger strangers[600];
    static uint8_t zeros[64];
    world_node(&w, 2);
    world_link(&w);
    sim_host_limit_fds(w.sim, "b", 4 + 3 * LINK_UNFINISHED_MAX);
    for (size_t i = 0; i < 600; i++)
        stranger_connect(&strangers[i], i % 2 ? bytes_of(zeros, sizeof(zeros)) : BYTES(""));
    world_run(&w, SECOND / 2);
    assert_true(node_counts(b).handshakes_refused >= 600 - LINK_UNFINISHED_MAX);
    assert_true(node_knows(a, b));
    for (size_t i = 0; i < 600; i++)
        io_stream_close(strangers[i].stream);
}

static void out_of_descriptors_existing_links_go_on(void **state)
{
    struct call call = {.tag = 7};
    world_link(&w);
    sim_host_limit_fds(w.sim, "b", 0);
    world_node(&w, 2);
    node_contact(c, "b:7300");
    node_open(c);
    world_run(&w, 5 * SECOND);
    assert_null(node_peer(b, c));
    assert_int_equal(call_start(&call, node_peer(a, b), "/echo", 1000), ERR_OK);
    WORLD_UNTIL(&w, call.closes);
    assert_true(call_is_good(&call));
    sim_host_limit_fds(w.sim, "b", SIZE_MAX);
    WORLD_UNTIL(&w, node_knows(b, c));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(crossing_dials_leave_one_link_dialled_by_the_smaller_id),
        TEST(requests_begun_on_the_link_that_loses_are_finished),
        TEST(a_peer_listed_twice_is_linked_once),
        TEST(a_contact_that_is_this_node_itself_is_dialled_once),
        TEST(a_copied_directory_is_told_from_oneself),
        TEST(another_mesh_is_refused_and_both_sides_know_why),
        TEST(clocks_an_hour_apart_are_refused_with_a_hint),
        TEST(whose_clock_steps_is_alone_until_it_is_right_again),
        TEST(a_certificate_that_expires_ends_the_link),
        TEST(a_peer_that_is_not_there_yet_is_dialled_until_it_is),
        TEST(a_name_is_resolved_at_each_dial),
        TEST(a_paused_peer_is_suspect_then_cut_and_comes_back),
        TEST(a_short_pause_is_only_a_suspicion),
        TEST(nodes_that_were_paused_themselves_do_not_blame_each_other),
        TEST(a_silence_that_began_before_our_own_pause_is_waited_for_again),
        TEST(a_pong_behind_a_long_queue_is_late_but_no_death),
        TEST(a_killed_peer_is_left_alone_at_once_and_linked_again_after_its_restart),
        TEST(a_restarted_peer_that_dials_ends_the_link_to_its_dead_process),
        TEST(the_dead_process_s_link_ends_even_if_it_was_the_one_to_keep),
        TEST(a_contact_linked_from_the_other_side_is_dialled_when_that_link_is_lost),
        TEST(a_partition_cuts_and_its_end_mends),
        TEST(a_draining_node_finishes_and_is_then_seen_to_have_left),
        TEST(a_draining_node_makes_no_new_links),
        TEST(two_nodes_of_one_name_are_warned_of),
        TEST(silent_strangers_are_bounded_and_dropped_in_time),
        TEST(garbage_is_refused_and_counted_and_said_once_a_second),
        TEST(strangers_cannot_hold_sockets_that_were_given_up),
        TEST(out_of_descriptors_existing_links_go_on),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
