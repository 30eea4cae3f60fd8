/* The simulated streams behave as the real ones must (test_io_stream.c): open, echo, half-close,
 * pause, drain, failures, graceful ends. Faults of the network are in sim_test_io_faults.c. */
#include "tests/unit/node/sim_test_io_pair.h"

static void bytes_written_before_open_arrive_in_order(void **state)
{
    struct pair *w = *state;
    pair_listen(w);
    pair_connect(w);
    peer_send(&w->client, "hello ");
    peer_send(&w->client, "world");
    assert_int_equal(io_stream_queued(w->client.stream), 11);
    assert_int_equal(w->client.opens, 0);
    run_for(w, SECOND);
    assert_int_equal(w->client.opens, 1);
    assert_int_equal(w->client.drains, 1);
    assert_true(peer_has(&w->server, "hello world"));
}

static void an_echo_comes_back_and_both_ends_finish(void **state)
{
    struct pair *w = *state;
    w->server.echoes = true;
    pair_open(w);
    peer_send_many(&w->client, 300000);
    io_stream_finish(w->client.stream);
    run_for(w, 10 * SECOND);
    assert_true(peer_has_many(&w->client, 300000));
    assert_int_equal(w->server.eofs, 1);
    assert_int_equal(w->client.eofs, 1);
    assert_int_equal(w->client.fails + w->server.fails, 0);
}

static void a_half_closed_stream_still_carries_the_answer(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_finish(w->client.stream);
    run_for(w, SECOND);
    assert_int_equal(w->server.eofs, 1);
    peer_send(&w->server, "late answer");
    peer_send(&w->client, "ignored after finish");
    run_for(w, SECOND);
    assert_true(peer_has(&w->client, "late answer"));
    assert_int_equal(w->server.in.size, 0);
    assert_int_equal(w->client.eofs, 0);
}

static void a_paused_stream_reports_neither_data_nor_eof(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_pause(w->server.stream);
    peer_send(&w->client, "data");
    io_stream_finish(w->client.stream);
    run_for(w, 5 * SECOND);
    assert_int_equal(w->server.reads, 0);
    assert_int_equal(w->server.eofs, 0);
    io_stream_read(w->server.stream);
    run_for(w, SECOND);
    assert_true(peer_has(&w->server, "data"));
    assert_int_equal(w->server.eofs, 1);
}

static void a_reader_that_pauses_holds_the_writer_back(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_pause(w->server.stream);
    peer_send_many(&w->client, 500000);
    run_for(w, 30 * SECOND);
    assert_int_equal(w->server.reads, 0);
    /* One window and one send buffer left the queue, no more. */
    assert_int_equal(io_stream_queued(w->client.stream), 500000 - 2 * 65536);
    assert_int_equal(w->client.drains, 0);
    io_stream_read(w->server.stream);
    run_for(w, 10 * SECOND);
    assert_true(peer_has_many(&w->server, 500000));
    assert_int_equal(w->client.drains, 1);
    assert_int_equal(w->client.fails, 0);
}

static void a_queue_beyond_its_limit_fails_the_stream_later(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_pause(w->server.stream);
    peer_send_many(&w->client, IO_QUEUE_MAX);
    peer_send_many(&w->client, IO_QUEUE_MAX / 2);
    assert_int_equal(w->client.fails, 0);
    run_for(w, SECOND);
    assert_int_equal(w->client.fails, 1);
    assert_int_equal(w->client.fail_err, ERR_LIMIT);
}

static void reads_are_split_at_every_size(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    for (int i = 0; i < 40; i++) {
        buf_clear(&w->server.in);
        peer_send_many(&w->client, 60000);
        run_for(w, SECOND);
        assert_true(peer_has_many(&w->server, 60000));
    }
    assert_int_equal(w->server.smallest_read, 1);
    assert_true(w->server.largest_read > 16384);
    assert_true(w->server.reads > 100);
}

static void a_short_write_is_drained_later(void **state)
{
    struct pair *w = *state;
    bool was_short = false;
    pair_open(w);
    for (int i = 0; i < 100; i++) {
        peer_send(&w->client, "0123456789");
        was_short |= io_stream_queued(w->client.stream) > 0;
        run_for(w, SECOND);
        assert_int_equal(io_stream_queued(w->client.stream), 0);
    }
    assert_true(was_short);
    assert_true(w->client.drains > 0 && w->client.drains < 50);
    assert_int_equal(w->server.in.size, 1000);
}

static void a_stream_may_be_closed_inside_its_own_callback(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    w->server.closes_in_read = true;
    peer_send(&w->client, "go away");
    run_for(w, SECOND);
    assert_int_equal(w->server.reads, 1);
    assert_null(w->server.stream);
    assert_int_equal(w->client.eofs + w->client.fails, 1);
}

static void closing_with_unread_data_resets_the_peer(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_pause(w->server.stream);
    peer_send(&w->client, "never read");
    run_for(w, SECOND);
    peer_close(&w->server);
    run_for(w, SECOND);
    assert_int_equal(w->client.fails, 1);
    assert_int_equal(w->client.fail_err, ERR_RESET);
}

static void a_reset_is_no_orderly_end_for_the_peer(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_reset(w->server.stream);
    w->server.stream = NULL;
    run_for(w, SECOND);
    assert_int_equal(w->client.fails, 1);
    assert_int_equal(w->client.eofs, 0);
}

static void writing_to_a_closed_peer_fails_once_from_the_loop(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    peer_close(&w->server);
    run_for(w, SECOND);
    assert_int_equal(w->client.eofs, 1);
    peer_send(&w->client, "one");
    run_for(w, SECOND);
    assert_int_equal(w->client.fails, 0); /* as with real sockets: nobody watches after eof */
    peer_send(&w->client, "two");
    assert_int_equal(w->client.fails, 0);
    peer_send(&w->client, "three");
    run_for(w, SECOND);
    assert_int_equal(w->client.fails, 1);
    assert_int_equal(w->client.fail_err, ERR_RESET);
}

static void a_graceful_close_delivers_everything_first(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_pause(w->server.stream);
    peer_send_many(&w->client, 400000);
    io_stream_close_gracefully(w->client.stream, 20000);
    w->client.stream = NULL;
    run_for(w, SECOND);
    io_stream_read(w->server.stream);
    peer_send(&w->server, "discarded");
    run_for(w, SECOND);
    assert_true(peer_has_many(&w->server, 400000));
    assert_int_equal(w->server.eofs, 1);
    assert_int_equal(w->server.fails, 0);
    assert_int_equal(w->client.reads, 0);
}

static void a_graceful_close_ends_when_its_time_is_up(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    io_stream_pause(w->server.stream);
    peer_send_many(&w->client, 400000);
    io_stream_close_gracefully(w->client.stream, 1000);
    w->client.stream = NULL;
    run_for(w, 5 * SECOND);
    io_stream_read(w->server.stream);
    run_for(w, 5 * SECOND);
    assert_true(w->server.in.size < 400000);
    assert_int_equal(w->server.eofs + w->server.fails, 1);
}

static void connecting_to_nobody_is_refused_or_unreachable(void **state)
{
    struct pair *w = *state;
    sim_host_ip(w->world, "b", &w->addr);
    w->addr.port = 81;
    pair_connect(w);
    assert_int_equal(w->client.opens, 0);
    run_for(w, SECOND);
    assert_int_equal(w->client.open_err, ERR_REFUSED);
    peer_close(&w->client);
    assert_int_equal(io_addr_parse(BYTES("10.99.0.1:81"), &w->addr), ERR_OK);
    pair_connect(w);
    run_for(w, SECOND);
    assert_int_equal(w->client.opens, 2);
    assert_int_equal(w->client.open_err, ERR_UNREACHABLE);
}

static void unix_sockets_are_names_of_one_host(void **state)
{
    struct pair *w = *state;
    struct io_addr peer;
    assert_int_equal(io_addr_unix("/run/x.sock", &w->addr), ERR_OK);
    assert_int_equal(io_listen(w->b, &w->addr, pair_on_accept, w, &w->listener), ERR_OK);
    pair_connect(w); /* from a: no such socket there */
    run_for(w, SECOND);
    assert_int_equal(w->client.open_err, ERR_NOT_FOUND);
    peer_close(&w->client);
    assert_int_equal(io_connect(w->b, &w->addr, &peer_ops, &w->client, &w->client.stream), ERR_OK);
    io_stream_read(w->client.stream);
    peer_send(&w->client, "hi");
    run_for(w, SECOND);
    assert_true(peer_has(&w->server, "hi"));
    io_stream_peer(w->server.stream, &peer);
    assert_int_equal(peer.family, IO_UNIX);
    assert_string_equal(peer.path, "");
}

static void addresses_are_bound_once_and_only_at_home(void **state)
{
    struct pair *w = *state;
    struct io_listener *other;
    struct io_addr addr;
    pair_listen(w);
    assert_int_equal(io_listen(w->b, &w->addr, pair_on_accept, w, &other), ERR_ADDRESS_IN_USE);
    assert_int_equal(io_listen(w->a, &w->addr, pair_on_accept, w, &other), ERR_ADDRESS_INVALID);
    assert_int_equal(io_addr_parse(BYTES("0.0.0.0:0"), &addr), ERR_OK);
    assert_int_equal(io_listen(w->b, &addr, pair_on_accept, w, &other), ERR_OK);
    io_listener_addr(other, &addr);
    assert_true(addr.port >= 32768);
    w->addr.port = addr.port;
    pair_connect(w);
    run_for(w, SECOND);
    assert_int_equal(w->client.open_err, ERR_OK);
    assert_int_equal(w->accepts, 1);
    io_listener_close(other);
}

static void the_peers_of_a_connection_know_each_other(void **state)
{
    struct pair *w = *state;
    struct io_addr peer, a;
    pair_open(w);
    io_stream_peer(w->client.stream, &peer);
    assert_true(io_addr_equal(&peer, &w->addr));
    io_stream_peer(w->server.stream, &peer);
    sim_host_ip(w->world, "a", &a);
    a.port = peer.port;
    assert_true(peer.port != 0 && io_addr_equal(&peer, &a));
}

static void without_descriptors_connections_are_dropped_and_others_go_on(void **state)
{
    struct pair *w = *state;
    struct peer second = {0};
    pair_open(w);
    sim_host_limit_fds(w->world, "b", 2); /* the listener and the first stream */
    assert_int_equal(io_connect(w->a, &w->addr, &peer_ops, &second, &second.stream), ERR_OK);
    io_stream_read(second.stream);
    run_for(w, SECOND);
    assert_int_equal(io_listener_dropped(w->listener), 1);
    assert_int_equal(second.fails, 1);
    peer_close(&second);
    assert_int_equal(io_connect(w->b, &w->addr, &peer_ops, &second, &second.stream), ERR_FD_LIMIT);
    second.stream = NULL;
    peer_send(&w->client, "still here");
    run_for(w, SECOND);
    assert_true(peer_has(&w->server, "still here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(bytes_written_before_open_arrive_in_order),
        PAIR_TEST(an_echo_comes_back_and_both_ends_finish),
        PAIR_TEST(a_half_closed_stream_still_carries_the_answer),
        PAIR_TEST(a_paused_stream_reports_neither_data_nor_eof),
        PAIR_TEST(a_reader_that_pauses_holds_the_writer_back),
        PAIR_TEST(a_queue_beyond_its_limit_fails_the_stream_later),
        PAIR_TEST(reads_are_split_at_every_size),
        PAIR_TEST(a_short_write_is_drained_later),
        PAIR_TEST(a_stream_may_be_closed_inside_its_own_callback),
        PAIR_TEST(closing_with_unread_data_resets_the_peer),
        PAIR_TEST(a_reset_is_no_orderly_end_for_the_peer),
        PAIR_TEST(writing_to_a_closed_peer_fails_once_from_the_loop),
        PAIR_TEST(a_graceful_close_delivers_everything_first),
        PAIR_TEST(a_graceful_close_ends_when_its_time_is_up),
        PAIR_TEST(connecting_to_nobody_is_refused_or_unreachable),
        PAIR_TEST(unix_sockets_are_names_of_one_host),
        PAIR_TEST(addresses_are_bound_once_and_only_at_home),
        PAIR_TEST(the_peers_of_a_connection_know_each_other),
        PAIR_TEST(without_descriptors_connections_are_dropped_and_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
