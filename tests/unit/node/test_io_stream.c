/* Streams on the real loop: data both ways, back-pressure, half-close, resets, pausing. */
#include "test_io_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1 << 20)

static void echo_hook(struct peer *p, enum peer_event event)
{
    if (event != PEER_READ)
        return;
    struct bytes part = buf_bytes(&p->in);
    io_stream_write(p->stream, &part, 1);
    buf_clear(&p->in);
}

static void what_is_sent_comes_back_from_an_echo(void **state)
{
    struct world *w = *state;
    world_pair(w);
    w->server.hook = echo_hook;
    struct bytes parts[] = {BYTES("one "), BYTES(""), BYTES("two "), {NULL, 0}, BYTES("three")};
    io_stream_write(w->client.stream, parts, 5);
    assert_int_equal(io_stream_queued(w->client.stream), 0);
    RUN_UNTIL(w->loop, peer_has(&w->client, "one two three"));
    assert_int_equal(w->client.count[PEER_DRAIN], 0);
}

static void sixty_four_parts_arrive_in_order(void **state)
{
    struct world *w = *state;
    world_pair(w);
    struct bytes parts[IO_PARTS_MAX];
    char text[IO_PARTS_MAX + 1] = "";
    for (int i = 0; i < IO_PARTS_MAX; i++) {
        text[i] = (char)('0' + i);
        parts[i] = bytes_of(text + i, 1);
    }
    io_stream_write(w->client.stream, parts, IO_PARTS_MAX);
    RUN_UNTIL(w->loop, peer_has(&w->server, text));
}

static void writes_before_the_connection_is_open_are_queued(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    world_connect(w);
    peer_send(&w->client, "early ");
    peer_send(&w->client, "bird");
    assert_int_equal(io_stream_queued(w->client.stream), 10);
    RUN_UNTIL(w->loop, peer_has(&w->server, "early bird"));
    RUN_UNTIL(w->loop, w->client.count[PEER_DRAIN]);
    assert_int_equal(w->client.count[PEER_DRAIN], 1);
    assert_int_equal(w->client.count[PEER_OPEN], 1);
}

static void both_ends_know_the_address_of_their_peer(void **state)
{
    struct world *w = *state;
    struct io_addr a;
    world_pair(w);
    io_stream_peer(w->client.stream, &a);
    assert_true(io_addr_equal(&a, &w->addr));
    io_stream_peer(w->server.stream, &a);
    assert_int_equal(a.family, IO_IPV4);
    assert_true(io_addr_is_loopback(&a) && a.port != 0 && a.port != w->addr.port);
}

/* --- back-pressure */

static void fill(struct buf *b, size_t size)
{
    for (size_t i = b->size; size--; i++)
        assert_int_equal(buf_append_byte(b, (uint8_t)(i * 31 + i / 251)), ERR_OK);
}

/* Writes `all` in steps while nothing is queued; returns how much was written. */
static size_t pump(struct peer *p, const struct buf *all, size_t done)
{
    while (done < all->size && io_stream_queued(p->stream) == 0) {
        struct bytes part = bytes_skip(buf_bytes(all), done);
        part.size = part.size < 300000 ? part.size : 300000;
        io_stream_write(p->stream, &part, 1);
        assert_true(io_stream_queued(p->stream) <= part.size);
        done += part.size;
    }
    return done;
}

static void a_slow_reader_holds_the_writer_back_and_gets_everything(void **state)
{
    struct world *w = *state;
    struct buf all;
    world_pair(w);
    buf_init(&all, 32 * MIB);
    fill(&all, 24 * MIB);
    io_stream_pause(w->server.stream);
    size_t done = pump(&w->client, &all, 0);
    assert_true(done < all.size); /* the kernel's buffers are full */
    run_for(w->loop, 30);
    assert_true(io_stream_queued(w->client.stream) > 0);
    assert_int_equal(w->client.count[PEER_DRAIN], 0);

    io_stream_read(w->server.stream);
    for (int drains = 0; done < all.size; drains++) {
        RUN_UNTIL(w->loop, io_stream_queued(w->client.stream) == 0);
        assert_int_equal(w->client.count[PEER_DRAIN], drains + 1); /* once for each filling */
        done = pump(&w->client, &all, done);
    }
    RUN_UNTIL(w->loop, w->server.in.size == all.size);
    assert_true(bytes_equal(buf_bytes(&w->server.in), buf_bytes(&all)));
    buf_fini(&all);
}

/* Fills the kernel's buffers and leaves `queued` > 0; returns the bytes written. */
static size_t congest(struct peer *from, struct peer *to)
{
    struct buf all;
    buf_init(&all, 32 * MIB);
    fill(&all, 24 * MIB);
    io_stream_pause(to->stream);
    size_t done = pump(from, &all, 0);
    assert_true(done < all.size);
    buf_fini(&all);
    return done;
}

static void writes_during_a_write_in_flight_keep_their_order(void **state)
{
    struct world *w = *state;
    world_pair(w);
    size_t done = congest(&w->client, &w->server);
    run_for(w->loop, 5);
    peer_send(&w->client, "tail");
    peer_send(&w->client, "-end");
    io_stream_read(w->server.stream);
    RUN_UNTIL(w->loop, w->server.in.size == done + 8);
    struct bytes tail = bytes_skip(buf_bytes(&w->server.in), done);
    assert_true(bytes_equal(tail, BYTES("tail-end")));
    RUN_UNTIL(w->loop, w->client.count[PEER_DRAIN]);
    assert_int_equal(w->client.count[PEER_DRAIN], 1);
}

static void a_queue_beyond_its_limit_fails_the_stream_later(void **state)
{
    struct world *w = *state;
    world_pair(w);
    congest(&w->client, &w->server);
    struct buf big;
    buf_init(&big, IO_QUEUE_MAX);
    fill(&big, IO_QUEUE_MAX);
    struct bytes part = buf_bytes(&big);
    io_stream_write(w->client.stream, &part, 1);
    assert_int_equal(w->client.count[PEER_FAIL], 0);
    io_stream_write(w->client.stream, &part, 1);
    RUN_UNTIL(w->loop, w->client.count[PEER_FAIL]);
    assert_int_equal(w->client.fail_err, ERR_LIMIT);
    run_for(w->loop, 5);
    assert_int_equal(w->client.count[PEER_FAIL], 1);
    buf_fini(&big);
}

static void pausing_loses_nothing(void **state)
{
    struct world *w = *state;
    world_pair(w);
    io_stream_pause(w->server.stream);
    io_stream_pause(w->server.stream);
    peer_send(&w->client, "kept");
    io_stream_finish(w->client.stream);
    run_for(w->loop, 20);
    assert_int_equal(w->server.count[PEER_READ] + w->server.count[PEER_EOF], 0);
    io_stream_read(w->server.stream);
    io_stream_read(w->server.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_true(peer_has(&w->server, "kept"));
}

static void pause_after_read(struct peer *p, enum peer_event event)
{
    if (event == PEER_READ)
        io_stream_pause(p->stream);
}

static void pausing_inside_on_read_stops_further_reads(void **state)
{
    struct world *w = *state;
    world_pair(w);
    w->server.hook = pause_after_read;
    struct buf all;
    buf_init(&all, MIB);
    fill(&all, 200000);
    struct bytes part = buf_bytes(&all);
    io_stream_write(w->client.stream, &part, 1);
    for (int reads = 1; w->server.in.size < all.size; reads++) {
        RUN_UNTIL(w->loop, w->server.count[PEER_READ] == reads);
        run_for(w->loop, 3);
        assert_int_equal(w->server.count[PEER_READ], reads);
        io_stream_read(w->server.stream);
    }
    assert_true(bytes_equal(buf_bytes(&w->server.in), buf_bytes(&all)));
    buf_fini(&all);
}

/* --- ends */

static void each_side_may_finish_first_and_still_hear_the_other(void **state)
{
    struct world *w = *state;
    world_pair(w);
    peer_send(&w->client, "question");
    io_stream_finish(w->client.stream);
    peer_send(&w->client, "too late");
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_true(peer_has(&w->server, "question"));
    peer_send(&w->server, "answer");
    io_stream_finish(w->server.stream);
    RUN_UNTIL(w->loop, w->client.count[PEER_EOF]);
    assert_true(peer_has(&w->client, "answer"));
    run_for(w->loop, 5);
    assert_int_equal(w->client.count[PEER_EOF] + w->server.count[PEER_EOF], 2);
    assert_int_equal(w->client.count[PEER_FAIL] + w->server.count[PEER_FAIL], 0);
}

static void finish_waits_for_the_queue(void **state)
{
    struct world *w = *state;
    world_pair(w);
    size_t done = congest(&w->client, &w->server);
    io_stream_finish(w->client.stream);
    run_for(w->loop, 5);
    io_stream_read(w->server.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_int_equal(w->server.in.size, done);
    assert_int_equal(w->client.count[PEER_DRAIN], 1);
}

static void finish_before_the_connection_is_open_sends_what_was_written(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    world_connect(w);
    peer_send(&w->client, "only this");
    io_stream_finish(w->client.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_true(peer_has(&w->server, "only this"));
}

static void finish_before_the_connection_is_open_may_send_nothing_at_all(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    world_connect(w);
    io_stream_finish(w->client.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_int_equal(w->server.in.size, 0);
}

static int dial(const struct io_addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

static void a_reset_is_reported_once(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    int fd = dial(&w->addr);
    RUN_UNTIL(w->loop, w->server.stream);
    reset(fd);
    RUN_UNTIL(w->loop, w->server.count[PEER_FAIL]);
    assert_int_equal(w->server.fail_err, ERR_RESET);
    peer_send(&w->server, "into the void");
    io_stream_finish(w->server.stream);
    io_stream_read(w->server.stream);
    run_for(w->loop, 5);
    assert_int_equal(w->server.count[PEER_FAIL], 1);
    assert_int_equal(w->server.count[PEER_EOF], 0);
}

static void a_write_to_a_broken_stream_fails_later_and_once(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    int fd = dial(&w->addr);
    RUN_UNTIL(w->loop, w->server.stream);
    io_stream_pause(w->server.stream);
    run_for(w->loop, 2);
    reset(fd);
    run_for(w->loop, 5);
    peer_send(&w->server, "first");
    peer_send(&w->server, "second");
    assert_int_equal(w->server.count[PEER_FAIL], 0);
    RUN_UNTIL(w->loop, w->server.count[PEER_FAIL]);
    assert_int_equal(w->server.fail_err, ERR_RESET);
    run_for(w->loop, 5);
    assert_int_equal(w->server.count[PEER_FAIL], 1);
}

/* A server that answers early and hangs up: what it said is delivered before the failure. */
static void an_answer_sent_before_the_reset_is_not_lost(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    int fd = dial(&w->addr);
    RUN_UNTIL(w->loop, w->server.stream);
    run_for(w->loop, 2);
    peer_send(&w->server, "part one of a long request");
    run_for(w->loop, 0);
    assert_int_equal(send(fd, "413", 3, 0), 3);
    close(fd); /* unread bytes: the kernel sends a reset */
    peer_send(&w->server, "part two");
    peer_send(&w->server, "part three");
    RUN_UNTIL(w->loop, w->server.count[PEER_FAIL]);
    assert_true(peer_has(&w->server, "413"));
    assert_int_equal(w->server.count[PEER_EOF], 0);
}

static void another_user_can_take_a_stream_over(void **state)
{
    struct world *w = *state;
    struct peer heir = {.stream = NULL};
    world_pair(w);
    buf_init(&heir.in, 100);
    heir.stream = w->server.stream;
    io_stream_set(w->server.stream, &peer_ops, &heir);
    peer_send(&w->client, "hello");
    RUN_UNTIL(w->loop, peer_has(&heir, "hello"));
    assert_int_equal(w->server.count[PEER_READ], 0);
    buf_fini(&heir.in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_is_sent_comes_back_from_an_echo),
        WORLD_TEST(sixty_four_parts_arrive_in_order),
        WORLD_TEST(writes_before_the_connection_is_open_are_queued),
        WORLD_TEST(both_ends_know_the_address_of_their_peer),
        WORLD_TEST(a_slow_reader_holds_the_writer_back_and_gets_everything),
        WORLD_TEST(writes_during_a_write_in_flight_keep_their_order),
        WORLD_TEST(a_queue_beyond_its_limit_fails_the_stream_later),
        WORLD_TEST(pausing_loses_nothing),
        WORLD_TEST(pausing_inside_on_read_stops_further_reads),
        WORLD_TEST(each_side_may_finish_first_and_still_hear_the_other),
        WORLD_TEST(finish_waits_for_the_queue),
        WORLD_TEST(finish_before_the_connection_is_open_sends_what_was_written),
        WORLD_TEST(finish_before_the_connection_is_open_may_send_nothing_at_all),
        WORLD_TEST(a_reset_is_reported_once),
        WORLD_TEST(a_write_to_a_broken_stream_fails_later_and_once),
        WORLD_TEST(an_answer_sent_before_the_reset_is_not_lost),
        WORLD_TEST(another_user_can_take_a_stream_over),
    };
    return cmocka_run_group_tests_name("io_stream", tests, io_group_setup, NULL);
}
