/* Ending streams on the real loop: inside every callback, gracefully, and with the loop. */
#include "test_io_fixture.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Closes in the event that ctx names; nothing may follow. */
static void close_on_event(struct peer *p, enum peer_event event)
{
    assert_non_null(p->stream);
    if (event == *(enum peer_event *)p->ctx)
        peer_close(p);
}

static int events_of(const struct peer *p)
{
    int sum = 0;
    for (int i = 0; i < PEER_EVENT_COUNT; i++)
        sum += p->count[i];
    return sum;
}

static void assert_silent(struct world *w, const struct peer *p)
{
    int before = events_of(p);
    run_for(w->loop, 10);
    assert_int_equal(events_of(p), before);
}

static void closing_inside_on_open_is_the_last_event(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    enum peer_event when = PEER_OPEN;
    world_listen(w, &any_port);
    w->client.hook = close_on_event;
    w->client.ctx = &when;
    world_connect(w);
    peer_send(&w->client, "queued before open");
    RUN_UNTIL(w->loop, !w->client.stream);
    assert_silent(w, &w->client);
    assert_int_equal(events_of(&w->client), 1);
}

static void closing_inside_a_failed_on_open_is_allowed(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    enum peer_event when = PEER_OPEN;
    world_listen(w, &any_port);
    io_listener_close(w->listener);
    w->listener = NULL;
    w->client.hook = close_on_event;
    w->client.ctx = &when;
    world_connect(w);
    RUN_UNTIL(w->loop, !w->client.stream);
    assert_int_equal(w->client.open_err, ERR_REFUSED);
    assert_silent(w, &w->client);
}

static void closing_inside_on_read_is_the_last_event(void **state)
{
    struct world *w = *state;
    enum peer_event when = PEER_READ;
    struct buf all;
    world_pair(w);
    w->server.hook = close_on_event;
    w->server.ctx = &when;
    buf_init(&all, 1 << 20);
    assert_int_equal(buf_reserve(&all, 200000), ERR_OK);
    memset(all.data, 'x', 200000);
    struct bytes part = bytes_of(all.data, 200000); /* several reads' worth */
    io_stream_write(w->client.stream, &part, 1);
    io_stream_finish(w->client.stream);
    RUN_UNTIL(w->loop, !w->server.stream);
    assert_silent(w, &w->server);
    assert_int_equal(events_of(&w->server), 1);
    buf_fini(&all);
}

static void closing_inside_on_eof_is_the_last_event(void **state)
{
    struct world *w = *state;
    enum peer_event when = PEER_EOF;
    world_pair(w);
    w->server.hook = close_on_event;
    w->server.ctx = &when;
    io_stream_finish(w->client.stream);
    RUN_UNTIL(w->loop, !w->server.stream);
    assert_silent(w, &w->server);
}

static void closing_inside_on_drain_is_the_last_event(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    enum peer_event when = PEER_DRAIN;
    world_listen(w, &any_port);
    w->client.hook = close_on_event;
    w->client.ctx = &when;
    world_connect(w);
    peer_send(&w->client, "queued before open");
    RUN_UNTIL(w->loop, !w->client.stream);
    assert_silent(w, &w->client);
    RUN_UNTIL(w->loop, peer_has(&w->server, "queued before open"));
}

static void closing_inside_on_fail_is_the_last_event(void **state)
{
    struct world *w = *state;
    enum peer_event when = PEER_FAIL;
    world_pair(w);
    w->client.hook = close_on_event;
    w->client.ctx = &when;
    io_stream_pause(w->server.stream);
    peer_send(&w->client, "never read");
    run_for(w->loop, 2);
    peer_close(&w->server); /* unread bytes: a reset */
    RUN_UNTIL(w->loop, !w->client.stream);
    assert_int_equal(w->client.fail_err, ERR_RESET);
    assert_silent(w, &w->client);
}

static void closing_before_a_late_failure_silences_it(void **state)
{
    struct world *w = *state;
    world_pair(w);
    io_stream_pause(w->client.stream);
    run_for(w->loop, 2);
    peer_send(&w->server, "unread");
    run_for(w->loop, 2);
    peer_send(&w->client, "unread");
    peer_close(&w->server);
    run_for(w->loop, 2);
    peer_send(&w->client, "x");
    peer_send(&w->client, "x"); /* fails by now; the failure waits for the loop */
    peer_close(&w->client);
    assert_silent(w, &w->client);
    assert_int_equal(w->client.count[PEER_FAIL], 0);
}

static void closing_while_connecting_is_silent(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    world_connect(w);
    peer_send(&w->client, "dropped");
    peer_close(&w->client);
    assert_silent(w, &w->client);
    io_stream_close(NULL);
}

static bool congest(struct peer *from, struct peer *to, size_t *ret_size)
{
    static uint8_t zeros[200000];
    struct bytes part = {zeros, sizeof zeros};
    io_stream_pause(to->stream);
    *ret_size = 0;
    for (int i = 0; i < 200 && io_stream_queued(from->stream) == 0; i++, *ret_size += part.size)
        io_stream_write(from->stream, &part, 1);
    return io_stream_queued(from->stream) > 0;
}

static void closing_with_a_write_in_flight_drops_the_queue(void **state)
{
    struct world *w = *state;
    size_t size;
    world_pair(w);
    assert_true(congest(&w->client, &w->server, &size));
    run_for(w->loop, 2);
    peer_send(&w->client, "behind it");
    peer_close(&w->client);
    assert_silent(w, &w->client);
    io_stream_read(w->server.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF] || w->server.count[PEER_FAIL]);
    assert_true(w->server.in.size < size);
}

static void a_reset_is_no_orderly_end_for_the_peer(void **state)
{
    struct world *w = *state;
    world_pair(w);
    io_stream_reset(w->server.stream);
    w->server.stream = NULL;
    RUN_UNTIL(w->loop, w->client.count[PEER_FAIL] + w->client.count[PEER_EOF] > 0);
    assert_int_equal(w->client.fail_err, ERR_RESET);
    assert_int_equal(w->client.count[PEER_EOF], 0);
}

/* --- gracefully */

static void a_graceful_close_sends_the_queue_first(void **state)
{
    struct world *w = *state;
    size_t size;
    world_pair(w);
    assert_true(congest(&w->client, &w->server, &size));
    io_stream_close_gracefully(w->client.stream, PATIENCE_MS);
    w->client.stream = NULL;
    io_stream_read(w->server.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_int_equal(w->server.in.size, size);
    assert_int_equal(w->client.count[PEER_DRAIN], 0); /* detached at once */
}

/* The peer is still sending when the answer is given: a plain close would reset it. */
static void a_graceful_close_lets_a_talking_peer_read_the_answer(void **state)
{
    struct world *w = *state;
    world_pair(w);
    io_stream_pause(w->server.stream);
    peer_send(&w->client, "unread request body");
    peer_send(&w->server, "413 too large");
    io_stream_close_gracefully(w->server.stream, PATIENCE_MS);
    w->server.stream = NULL;
    io_stream_pause(w->client.stream);
    for (int i = 0; i < 20; i++) {
        peer_send(&w->client, "more and more");
        run_for(w->loop, 1);
    }
    io_stream_read(w->client.stream);
    RUN_UNTIL(w->loop, w->client.count[PEER_EOF] || w->client.count[PEER_FAIL]);
    assert_true(peer_has(&w->client, "413 too large"));
    assert_int_equal(w->client.count[PEER_FAIL], 0);
}

/* The peer's end came first, the queue is sent later: nothing is left to wait for then. */
static void a_graceful_close_ends_when_both_directions_have(void **state)
{
    struct world *w = *state;
    size_t size;
    world_pair(w);
    assert_true(congest(&w->client, &w->server, &size));
    io_stream_finish(w->server.stream);
    RUN_UNTIL(w->loop, w->client.count[PEER_EOF]);
    int fds = count_fds();
    io_stream_close_gracefully(w->client.stream, 10 * PATIENCE_MS);
    w->client.stream = NULL;
    run_for(w->loop, 2);
    assert_int_equal(count_fds(), fds);
    io_stream_read(w->server.stream);
    RUN_UNTIL(w->loop, count_fds() == fds - 1);
    RUN_UNTIL(w->loop, w->server.in.size == size);
}

static void a_graceful_close_with_nothing_left_ends_at_once(void **state)
{
    struct world *w = *state;
    world_pair(w);
    int fds = count_fds();
    io_stream_finish(w->client.stream);
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    io_stream_close_gracefully(w->server.stream, 10 * PATIENCE_MS);
    w->server.stream = NULL;
    run_for(w->loop, 1);
    assert_int_equal(count_fds(), fds - 1);
}

static void a_graceful_close_gives_up_after_its_time(void **state)
{
    struct world *w = *state;
    size_t size;
    world_pair(w);
    assert_true(congest(&w->client, &w->server, &size));
    io_stream_close_gracefully(w->client.stream, 30);
    w->client.stream = NULL;
    run_for(w->loop, 60);
    io_stream_read(w->server.stream); /* too late: the rest of the queue is gone */
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF] || w->server.count[PEER_FAIL]);
    assert_true(w->server.in.size < size);
}

static void a_graceful_close_while_connecting_still_delivers(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    world_connect(w);
    peer_send(&w->client, "last words");
    io_stream_close_gracefully(w->client.stream, PATIENCE_MS);
    w->client.stream = NULL;
    RUN_UNTIL(w->loop, w->server.count[PEER_EOF]);
    assert_true(peer_has(&w->server, "last words"));
    assert_int_equal(events_of(&w->client), 0);
}

static void a_graceful_close_of_a_refused_connection_is_silent(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    io_listener_close(w->listener);
    w->listener = NULL;
    world_connect(w);
    io_stream_close_gracefully(w->client.stream, PATIENCE_MS);
    w->client.stream = NULL;
    run_for(w->loop, 10);
    assert_int_equal(events_of(&w->client), 0);
}

static void destroying_the_loop_finishes_what_was_closed_gracefully(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    world_listen(w, &any_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(w->addr.port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    RUN_UNTIL(w->loop, w->server.stream);
    peer_send(&w->server, "goodbye");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    io_stream_close_gracefully(w->server.stream, PATIENCE_MS);
    w->server.stream = NULL;
    io_listener_close(w->listener);
    w->listener = NULL;
    io_loop_destroy(w->loop);
    char text[16];
    assert_int_equal(recv(fd, text, sizeof text, 0), 7);
    assert_int_equal(recv(fd, text, sizeof text, 0), 0);
    close(fd);
    assert_int_equal(io_loop_create(&w->loop), ERR_OK); /* for the teardown */
}

/* The child must die by abort; it has its own copy of everything. */
static bool dies(void (*deed)(struct world *w), struct world *w)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        deed(w);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void destroy_with_listener(struct world *w)
{
    struct io_addr any_port = loopback(0);
    struct io_loop *loop;
    struct io_listener *l;
    if (io_loop_create(&loop) == ERR_OK &&
        io_listen(loop, &any_port, world_on_accept, w, &l) == ERR_OK)
        io_loop_destroy(loop);
}

static void destroy_with_timer(struct world *w)
{
    struct io_loop *loop;
    struct io_timer timer = {0};
    (void)w;
    if (io_loop_create(&loop) != ERR_OK)
        return;
    io_timer_start(loop, &timer, 1000, on_turn_over);
    io_loop_destroy(loop);
}

static void a_loop_with_open_objects_refuses_to_end(void **state)
{
    assert_true(dies(destroy_with_listener, *state));
    assert_true(dies(destroy_with_timer, *state));
    io_loop_destroy(NULL);
}

#define CROWD 300 /* more than the loop's free list keeps */

struct crowd {
    struct io_stream *accepted[CROWD];
    int count;
};

static void join_the_crowd(void *owner, struct io_stream *stream)
{
    struct crowd *c = owner;
    c->accepted[c->count++] = stream;
}

static void many_streams_closed_together_leave_nothing(void **state)
{
    struct world *w = *state;
    struct io_addr any_port = loopback(0);
    struct crowd *c = calloc(1, sizeof *c);
    struct io_stream *dialled[CROWD];
    assert_int_equal(io_listen(w->loop, &any_port, join_the_crowd, c, &w->listener), ERR_OK);
    io_listener_addr(w->listener, &w->addr);
    for (int round = 0; round < 2; round++) {
        c->count = 0;
        for (int i = 0; i < CROWD; i++)
            assert_int_equal(io_connect(w->loop, &w->addr, NULL, NULL, &dialled[i]), ERR_OK);
        RUN_UNTIL(w->loop, c->count == CROWD);
        for (int i = 0; i < CROWD; i++) {
            io_stream_close(dialled[i]);
            io_stream_close(c->accepted[i]);
        }
        run_for(w->loop, 1);
    }
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(closing_inside_on_open_is_the_last_event),
        WORLD_TEST(closing_inside_a_failed_on_open_is_allowed),
        WORLD_TEST(closing_inside_on_read_is_the_last_event),
        WORLD_TEST(closing_inside_on_eof_is_the_last_event),
        WORLD_TEST(closing_inside_on_drain_is_the_last_event),
        WORLD_TEST(closing_inside_on_fail_is_the_last_event),
        WORLD_TEST(closing_before_a_late_failure_silences_it),
        WORLD_TEST(closing_while_connecting_is_silent),
        WORLD_TEST(closing_with_a_write_in_flight_drops_the_queue),
        WORLD_TEST(a_reset_is_no_orderly_end_for_the_peer),
        WORLD_TEST(a_graceful_close_sends_the_queue_first),
        WORLD_TEST(a_graceful_close_lets_a_talking_peer_read_the_answer),
        WORLD_TEST(a_graceful_close_ends_when_both_directions_have),
        WORLD_TEST(a_graceful_close_with_nothing_left_ends_at_once),
        WORLD_TEST(a_graceful_close_gives_up_after_its_time),
        WORLD_TEST(a_graceful_close_while_connecting_still_delivers),
        WORLD_TEST(a_graceful_close_of_a_refused_connection_is_silent),
        WORLD_TEST(destroying_the_loop_finishes_what_was_closed_gracefully),
        WORLD_TEST(a_loop_with_open_objects_refuses_to_end),
        WORLD_TEST(many_streams_closed_together_leave_nothing),
    };
    return cmocka_run_group_tests_name("io_close", tests, io_group_setup, NULL);
}
