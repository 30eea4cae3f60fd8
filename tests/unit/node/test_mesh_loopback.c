/* Two meshes over real sockets on the loopback, in one loop: what the simulated tests show, once
 * more for real. */
#include "node/mesh/core.h"
#include "node/mesh/counts.h"
#include "tests/unit/node/mesh_fixture.h"

#include <dirent.h>
#include <stdio.h>

#define PATIENCE_MS 20000

static struct io_loop *loop;
static struct node a, b;

static void on_turn_over(struct io_timer *timer)
{
    io_loop_stop(timer->loop);
}

static void run_for(uint64_t delay_ms)
{
    struct io_timer timer = {0};
    io_timer_start(loop, &timer, delay_ms, on_turn_over);
    io_loop_run(loop);
    io_timer_stop(&timer);
}

#define RUN_UNTIL(cond)                                                                            \
    do {                                                                                           \
        uint64_t give_up_us = io_now_us(loop) + PATIENCE_MS * 1000ull;                             \
        while (!(cond)) {                                                                          \
            if (io_now_us(loop) > give_up_us)                                                      \
                fail_msg("never came true: %s", #cond);                                            \
            run_for(1);                                                                            \
        }                                                                                          \
    } while (0)

static int count_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static int fds_before;

static int set_up(void **state)
{
    char text[IO_ADDR_TEXT_SIZE];
    struct io_addr addr;
    fds_before = count_fds();
    assert_int_equal(io_loop_create(&loop), ERR_OK);
    node_init(&b, loop, 1, 111, "node-b");
    node_listen(&b, "127.0.0.1:0");
    node_open(&b);
    mesh_listen_addr(b.mesh, &addr);
    io_addr_to_text(&addr, text);
    assert_string_equal(mesh_advertised(b.mesh), text);
    node_init(&a, loop, 1, 101, "node-a");
    node_listen(&a, "127.0.0.1:0");
    a.cfg.advertise = "none";
    node_contact(&a, text);
    node_open(&a);
    return 0;
}

static int tear_down(void **state)
{
    node_fini(&a);
    node_fini(&b);
    io_loop_destroy(loop);
    assert_int_equal(count_fds(), fds_before);
    return 0;
}

static void link_up_both(void)
{
    RUN_UNTIL(node_knows(&a, &b) && node_knows(&b, &a));
}

static void requests_stream_both_ways_over_one_connection(void **state)
{
    struct call there = {.tag = 1}, back = {.tag = 2};
    link_up_both();
    assert_int_equal(call_start(&there, node_peer(&a, &b), "/echo", 2 << 20), ERR_OK);
    assert_int_equal(call_start(&back, node_peer(&b, &a), "/echo", 2 << 20), ERR_OK);
    RUN_UNTIL(there.closes && back.closes);
    assert_true(call_is_good(&there) && call_is_good(&back));
    assert_int_equal(node_counts(&a).links_up, 1);
    assert_int_equal(node_counts(&b).links_up, 1);
}

static void a_node_that_only_dials_out_is_sent_requests(void **state)
{
    struct call c = {.tag = 2};
    link_up_both();
    assert_string_equal(mesh_advertised(a.mesh), "");
    assert_int_equal(call_start(&c, node_peer(&b, &a), "/echo", 1000), ERR_OK);
    RUN_UNTIL(c.closes);
    assert_true(call_is_good(&c));
}

static void keys_change_in_the_middle_of_a_stream(void **state)
{
    struct call c = {.tag = 3};
    node_stop(&a);
    a.cfg.rekey_bytes = 100000;
    node_open(&a);
    link_up_both();
    assert_int_equal(call_start(&c, node_peer(&a, &b), "/echo", 4 << 20), ERR_OK);
    RUN_UNTIL(c.closes);
    assert_true(call_is_good(&c));
    assert_true(node_counts(&a).rekeys >= 10);
}

static void a_slow_reader_holds_its_sender_within_the_window(void **state)
{
    struct call slow = {.tag = 4}, other = {.tag = 5};
    link_up_both();
    b.holds = true;
    assert_int_equal(call_start(&slow, node_peer(&a, &b), "/sink", 8 << 20), ERR_OK);
    RUN_UNTIL(b.served_bytes == STREAM_WINDOW);
    assert_int_equal(call_start(&other, node_peer(&a, &b), "/echo", 1 << 20), ERR_OK);
    RUN_UNTIL(other.closes);
    assert_true(call_is_good(&other));
    assert_int_equal(b.served_bytes, STREAM_WINDOW + (1 << 20));
    assert_true(slow.sent <= STREAM_WINDOW + H2_SEND_QUEUE_MAX);
    node_release(&b);
    RUN_UNTIL(slow.closes);
    assert_int_equal(slow.reason, ERR_OK);
}

static void the_round_trip_is_measured(void **state)
{
    link_up_both();
    RUN_UNTIL(node_peer(&a, &b)->rtt_us && node_peer(&b, &a)->rtt_us);
}

static void a_port_that_is_taken_is_an_error_and_leaves_nothing(void **state)
{
    struct node c;
    struct io_addr addr;
    node_init(&c, loop, 1, 121, "node-c");
    mesh_listen_addr(b.mesh, &addr);
    c.cfg.listen = addr;
    assert_int_equal(mesh_open(&c.cfg, &node_ops, &c, &c.mesh), ERR_ADDRESS_IN_USE);
    buf_fini(&c.log_text);
}

static void datagrams_come_on_the_number_of_the_listener(void **state)
{
    struct io_addr tcp, udp;
    mesh_listen_addr(b.mesh, &tcp);
    io_datagram_addr(b.mesh->gossip.socket, &udp);
    assert_int_equal(tcp.port, udp.port);
}

static void a_port_that_is_taken_for_udp_is_an_error_and_leaves_nothing(void **state)
{
    struct node c;
    struct io_addr addr;
    struct io_datagram *taken;
    assert_int_equal(io_addr_parse(BYTES("127.0.0.1:0"), &addr), ERR_OK);
    assert_int_equal(io_datagram_open(loop, &addr, NULL, NULL, &taken), ERR_OK);
    node_init(&c, loop, 1, 121, "node-c");
    io_datagram_addr(taken, &c.cfg.listen);
    assert_int_equal(mesh_open(&c.cfg, &node_ops, &c, &c.mesh), ERR_ADDRESS_IN_USE);
    io_datagram_close(taken);
    buf_fini(&c.log_text);
}

static void gossip_measures_the_way_and_hears_of_the_end(void **state)
{
    struct gossip_counts counts;
    link_up_both();
    RUN_UNTIL((mesh_gossip_counts(a.mesh, &counts), counts.datagrams_in >= 3));
    assert_int_equal(counts.datagrams_refused, 0);
    node_stop(&b);
    RUN_UNTIL(node_sees(&a, &b, PEER_DOWN));
    node_open(&b);
}

static void a_contact_that_is_no_address_is_an_error(void **state)
{
    struct node c;
    node_init(&c, loop, 1, 121, "node-c");
    node_listen(&c, "127.0.0.1:0");
    node_contact(&c, "no-port");
    assert_int_equal(mesh_open(&c.cfg, &node_ops, &c, &c.mesh), ERR_INVALID);
    buf_fini(&c.log_text);
}

static void a_peer_that_goes_away_is_dialled_again(void **state)
{
    struct call c = {.tag = 6};
    link_up_both();
    mesh_listen_addr(b.mesh, &b.cfg.listen);
    node_stop(&b);
    RUN_UNTIL(node_sees(&a, &b, PEER_DOWN));
    node_open(&b);
    link_up_both();
    assert_int_equal(call_start(&c, node_peer(&a, &b), "/echo", 100000), ERR_OK);
    RUN_UNTIL(c.closes);
    assert_true(call_is_good(&c));
}

static void a_drained_node_has_left(void **state)
{
    link_up_both();
    /* A goodbye is gossip's: said to members, by members. */
    RUN_UNTIL(node_peer(&a, &b)->incarnation > 0 && node_peer(&b, &a)->incarnation > 0);
    mesh_drain(b.mesh);
    RUN_UNTIL(node_peer(&a, &b)->draining);
    node_stop(&b);
    RUN_UNTIL(node_sees(&a, &b, PEER_LEFT));
    mesh_listen_addr(a.mesh, &b.cfg.listen); /* anything free */
    b.cfg.listen.port = 0;
    node_open(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_stream_both_ways_over_one_connection),
        TEST(a_node_that_only_dials_out_is_sent_requests),
        TEST(keys_change_in_the_middle_of_a_stream),
        TEST(a_slow_reader_holds_its_sender_within_the_window),
        TEST(the_round_trip_is_measured),
        TEST(a_port_that_is_taken_is_an_error_and_leaves_nothing),
        TEST(datagrams_come_on_the_number_of_the_listener),
        TEST(a_port_that_is_taken_for_udp_is_an_error_and_leaves_nothing),
        TEST(gossip_measures_the_way_and_hears_of_the_end),
        TEST(a_contact_that_is_no_address_is_an_error),
        TEST(a_peer_that_goes_away_is_dialled_again),
        TEST(a_drained_node_has_left),
    };
    /* The first loop of a process opens descriptors that stay. */
    if (crypto_init() != ERR_OK || io_loop_create(&loop) != ERR_OK)
        return 1;
    io_loop_destroy(loop);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
