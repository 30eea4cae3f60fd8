/* Small writes of one turn, which go to the kernel together: many streams at once on the real loop,
 * with io_uring and without it. */
#include "test_io_fixture.h"

#include "node/io/uv_batch.h"
#include "node/io/uv_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 150 /* more than one call takes */

struct crowd {
    struct world world;
    struct peer clients[PAIRS];
    struct peer servers[PAIRS];
    size_t accepted;
};

static void on_crowd_accept(void *owner, struct io_stream *stream)
{
    struct crowd *c = owner;
    struct peer *p = &c->servers[c->accepted++];
    p->stream = stream;
    io_stream_set(stream, &peer_ops, p);
    io_stream_read(stream);
}

static void crowd_open(struct crowd *c)
{
    struct io_addr any_port = loopback(0);
    c->world.fds_before = count_fds();
    assert_int_equal(io_loop_create(&c->world.loop), ERR_OK);
    assert_int_equal(io_listen(c->world.loop, &any_port, on_crowd_accept, c, &c->world.listener),
                     ERR_OK);
    io_listener_addr(c->world.listener, &c->world.addr);
    for (size_t i = 0; i < PAIRS; i++) {
        buf_init(&c->clients[i].in, 64 << 20);
        buf_init(&c->servers[i].in, 64 << 20);
        assert_int_equal(io_connect(c->world.loop, &c->world.addr, &peer_ops, &c->clients[i],
                                    &c->clients[i].stream),
                         ERR_OK);
        RUN_UNTIL(c->world.loop, c->clients[i].count[PEER_OPEN] && c->accepted == i + 1);
    }
}

static void crowd_close(struct crowd *c)
{
    for (size_t i = 0; i < PAIRS; i++) {
        peer_close(&c->clients[i]);
        peer_close(&c->servers[i]);
        buf_fini(&c->clients[i].in);
        buf_fini(&c->servers[i].in);
    }
    io_listener_close(c->world.listener);
    io_loop_destroy(c->world.loop);
    assert_int_equal(count_fds(), c->world.fds_before);
}

static struct crowd crowd;

static int crowd_setup(void **state)
{
    crowd = (struct crowd){0};
    crowd_open(&crowd);
    *state = &crowd;
    return 0;
}

/* The same without io_uring. */
static int plain_setup(void **state)
{
    crowd_setup(state);
    io_batch_destroy(crowd.world.loop->batch);
    crowd.world.loop->batch = NULL;
    return 0;
}

static int crowd_teardown(void **state)
{
    crowd_close(*state);
    return 0;
}

static bool all_have(struct crowd *c, size_t size)
{
    for (size_t i = 0; i < PAIRS; i++)
        if (c->servers[i].stream && c->servers[i].in.size < size)
            return false;
    return true;
}

static void writes_of_one_turn_arrive_whole_and_in_order(void **state)
{
    struct crowd *c = *state;
    char text[64];
    for (int round = 0; round < 3; round++) /* each stream's second write is not beside its first */
        for (size_t i = 0; i < PAIRS; i++) {
            snprintf(text, sizeof text, "stream %03zu part %d;", i, round);
            peer_send(&c->clients[i], text);
            assert_int_equal(io_stream_queued(c->clients[i].stream), 0);
        }
    RUN_UNTIL(c->world.loop, all_have(c, 54));
    for (size_t i = 0; i < PAIRS; i++) {
        snprintf(text, sizeof text, "stream %03zu part 0;stream %03zu part 1;stream %03zu part 2;",
                 i, i, i);
        assert_true(peer_has(&c->servers[i], text));
    }
}

static void a_large_write_does_not_overtake_a_small_one(void **state)
{
    struct crowd *c = *state;
    static uint8_t large[IO_HELD_MAX + 1];
    struct bytes part = bytes_of(large, sizeof large);
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < PAIRS; i++) {
        peer_send(&c->clients[i], "first");
        io_stream_write(c->clients[i].stream, &part, 1);
        peer_send(&c->clients[i], "last");
    }
    RUN_UNTIL(c->world.loop, all_have(c, sizeof large + 9));
    for (size_t i = 0; i < PAIRS; i++) {
        struct bytes in = buf_bytes(&c->servers[i].in);
        assert_true(bytes_starts_with(in, BYTES("firstx")));
        assert_true(bytes_equal(bytes_skip(in, in.size - 5), BYTES("xlast")));
    }
}

static void what_is_written_before_a_close_or_a_fin_is_sent(void **state)
{
    struct crowd *c = *state;
    for (size_t i = 0; i < PAIRS; i++)
        peer_send(&c->clients[i], "goodbye");
    peer_close(&c->clients[0]);
    io_stream_close_gracefully(c->clients[1].stream, 1000);
    c->clients[1].stream = NULL;
    io_stream_finish(c->clients[2].stream);
    RUN_UNTIL(c->world.loop, all_have(c, 7));
    for (size_t i = 0; i < 3; i++)
        RUN_UNTIL(c->world.loop, c->servers[i].count[PEER_EOF]);
    for (size_t i = 0; i < PAIRS; i++)
        assert_true(peer_has(&c->servers[i], "goodbye"));
}

static void what_a_full_socket_does_not_take_is_queued_and_comes(void **state)
{
    struct crowd *c = *state;
    static uint8_t piece[IO_HELD_MAX];
    struct bytes part = bytes_of(piece, sizeof piece);
    size_t written[2] = {0};
    for (int i = 0; i < 2; i++)
        io_stream_pause(c->servers[i].stream);
    while (!io_stream_queued(c->clients[0].stream) || !io_stream_queued(c->clients[1].stream)) {
        for (int i = 0; i < 2; i++) {
            memset(piece, 'a' + (int)(written[i] / sizeof piece % 26), sizeof piece);
            if (io_stream_queued(c->clients[i].stream))
                continue;
            io_stream_write(c->clients[i].stream, &part, 1);
            written[i] += sizeof piece;
        }
        run_for(c->world.loop, 0);
    }
    for (int i = 0; i < 2; i++)
        io_stream_read(c->servers[i].stream);
    RUN_UNTIL(c->world.loop,
              c->servers[0].in.size == written[0] && c->servers[1].in.size == written[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(c->clients[i].count[PEER_DRAIN], 1);
        for (size_t at = 0; at < written[i]; at++)
            assert_int_equal(c->servers[i].in.data[at], 'a' + (int)(at / sizeof piece % 26));
    }
}

static void a_reset_is_told_of_its_stream_alone(void **state)
{
    struct crowd *c = *state;
    struct linger abort_at_close = {.l_onoff = 1};
    uv_os_fd_t fd;
    assert_int_equal(uv_fileno((const uv_handle_t *)c->servers[5].stream, &fd), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close),
                     0);
    io_stream_pause(c->clients[5].stream); /* so that the write finds it */
    peer_close(&c->servers[5]);
    run_for(c->world.loop, 20);
    for (size_t i = 0; i < PAIRS; i++)
        peer_send(&c->clients[i], "hello");
    RUN_UNTIL(c->world.loop, c->clients[5].count[PEER_FAIL]);
    RUN_UNTIL(c->world.loop, all_have(c, 5));
    assert_int_equal(c->clients[5].fail_err, ERR_RESET);
    for (size_t i = 0; i < PAIRS; i++)
        assert_int_equal(c->clients[i].count[PEER_FAIL], i == 5);
}

static void a_send_that_would_block_says_so_and_the_others_are_done(void **state)
{
    struct io_batch *b = io_batch_create();
    int pairs[2][2];
    static uint8_t piece[4096];
    (void)state;
    if (!b)
        skip(); /* no io_uring here */
    for (int i = 0; i < 2; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
    while (send(pairs[0][0], piece, sizeof piece, MSG_DONTWAIT) > 0) {
    }
    struct io_batch_send sends[] = {{pairs[0][0], bytes_of(piece, sizeof piece), 0},
                                    {pairs[1][0], BYTES("through"), 0},
                                    {-1, BYTES("nowhere"), 0}};
    assert_true(io_batch_send(b, sends, 3));
    assert_int_equal(sends[0].result, -EAGAIN);
    assert_int_equal(sends[1].result, 7);
    assert_int_equal(sends[2].result, -EBADF);
    for (int i = 0; i < 2; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    io_batch_destroy(b);
}

#define CROWD_TEST(name) cmocka_unit_test_setup_teardown(name, crowd_setup, crowd_teardown)
#define PLAIN_TEST(name)                                                                           \
    {                                                                                              \
        "plain_" #name, name, plain_setup, crowd_teardown, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CROWD_TEST(writes_of_one_turn_arrive_whole_and_in_order),
        CROWD_TEST(a_large_write_does_not_overtake_a_small_one),
        CROWD_TEST(what_is_written_before_a_close_or_a_fin_is_sent),
        CROWD_TEST(what_a_full_socket_does_not_take_is_queued_and_comes),
        CROWD_TEST(a_reset_is_told_of_its_stream_alone),
        PLAIN_TEST(writes_of_one_turn_arrive_whole_and_in_order),
        PLAIN_TEST(what_is_written_before_a_close_or_a_fin_is_sent),
        PLAIN_TEST(what_a_full_socket_does_not_take_is_queued_and_comes),
        PLAIN_TEST(a_reset_is_told_of_its_stream_alone),
        cmocka_unit_test(a_send_that_would_block_says_so_and_the_others_are_done),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
