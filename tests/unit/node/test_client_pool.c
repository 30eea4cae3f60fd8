/* The HTTP client against a scripted server: giving up from anywhere, back-pressure, the pool's
 * limits. */
#include "client_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- giving up */

static void cancel_now(struct call *c)
{
    client_cancel(&c->call);
    client_cancel(&c->call); /* harmless */
}

static void assert_cancelled(struct world *w, struct call *c)
{
    assert_int_equal(c->ends + c->fails, 0);
    assert_null(c->call.conn);
    assert_true(list_is_empty(&w->client.busy));
    assert_int_equal(w->client.idle_count, 0);
    RUN_UNTIL(w->loop, w->conns[0].saw_eof);
    assert_int_equal(c->ends + c->fails, 0);
}

static void cancelling_inside_on_head_ends_the_connection(void **state)
{
    struct world *w = *state;
    w->calls[0].in_head = cancel_now;
    struct call *c = start(w, 0);
    RUN_UNTIL(w->loop, c->heads);
    assert_int_equal(c->pieces, 0);
    assert_cancelled(w, c);
}

static void cancelling_inside_on_data_ends_the_connection(void **state)
{
    struct world *w = *state;
    w->on_request = answer_in_chunks;
    w->calls[0].in_data = cancel_now;
    struct call *c = start(w, 0);
    RUN_UNTIL(w->loop, c->pieces);
    assert_cancelled(w, c);
    assert_int_equal(c->pieces, 1);
}

static void cancelling_inside_on_end_is_harmless(void **state)
{
    struct world *w = *state;
    w->calls[0].in_end = cancel_now;
    assert_hello(run(w, 0));
    assert_int_equal(w->client.idle_count, 1);
}

static void cancel_and_start_again(struct call *c)
{
    client_cancel(&c->call);
    c->in_head = NULL;
    c->heads = 0;
    assert_int_equal(client_start(&c->w->client, &c->call), ERR_OK);
}

/* What a retry does with the same object. */
static void a_call_cancelled_inside_on_head_can_start_anew_at_once(void **state)
{
    struct world *w = *state;
    w->calls[0].in_head = cancel_and_start_again;
    assert_hello(run(w, 0));
    assert_int_equal(w->calls[0].heads, 1);
    assert_int_equal(w->accepted, 2);
    RUN_UNTIL(w->loop, w->conns[0].saw_eof);
}

static void cancelling_while_connecting_or_waiting_tells_nobody(void **state)
{
    struct world *w = *state;
    struct call *c = start(w, 0);
    client_cancel(&c->call); /* connecting */
    assert_true(list_is_empty(&w->client.busy));
    w->on_request = NULL;
    c = start(w, 1);
    RUN_UNTIL(w->loop, w->accepted > 0 && w->conns[w->accepted - 1].requests == 1);
    client_cancel(&c->call); /* waiting */
    run_for(w->loop, 20);
    assert_int_equal(c->ends + c->fails, 0);
    assert_true(list_is_empty(&w->client.busy));
}

static void cancelling_in_mid_upload_ends_the_connection(void **state)
{
    struct world *w = *state;
    w->on_bytes = refuse_early; /* it stops reading, so the upload stops too */
    w->calls[0].in_head = NULL;
    struct call *c = start_upload(w, 20 << 20);
    RUN_UNTIL(w->loop, w->accepted == 1 && w->conns[0].in.size > 0);
    client_cancel(&c->call);
    assert_true(list_is_empty(&w->client.busy));
}

/* --- back-pressure */

static void pause_now(struct call *c)
{
    client_pause(&c->call);
}

static void answer_much(struct conn *conn)
{
    static char data[256 * 1024];
    memset(data, 'x', sizeof data);
    struct bytes parts[] = {BYTES("HTTP/1.1 200 OK\r\ncontent-length: 262144\r\n\r\n"),
                            bytes_of(data, sizeof data)};
    io_stream_write(conn->stream, parts, 2);
}

static void a_paused_call_gets_at_most_one_read_more(void **state)
{
    struct world *w = *state;
    w->on_request = answer_much;
    w->calls[0].in_data = pause_now;
    struct call *c = start(w, 0);
    RUN_UNTIL(w->loop, c->pieces);
    run_for(w->loop, 50);
    assert_true(c->body.size <= 2 * IO_READ_SIZE);
    size_t size = c->body.size;
    client_resume(&c->call);
    RUN_UNTIL(w->loop, c->body.size > size);
    c->in_data = NULL;
    client_resume(&c->call);
    RUN_UNTIL(w->loop, is_over(c));
    assert_int_equal(c->ends, 1);
    assert_int_equal(c->body.size, 262144);
}

static void a_connection_paused_at_its_end_reads_again_in_the_pool(void **state)
{
    struct world *w = *state;
    w->calls[0].in_data = pause_now;
    assert_hello(run(w, 0));
    hang_up(&w->conns[0]);
    RUN_UNTIL(w->loop, w->client.idle_count == 0);
    w->calls[1].in_data = NULL;
    assert_hello(run(w, 1));
}

/* --- the pool's limits */

static void the_pool_keeps_only_so_many(void **state)
{
    struct world *w = *state;
    enum { MORE = CLIENT_IDLE_MAX + 10 };
    for (int i = 0; i < MORE; i++)
        start(w, i);
    for (int i = 0; i < MORE; i++)
        RUN_UNTIL(w->loop, is_over(&w->calls[i]));
    for (int i = 0; i < MORE; i++)
        assert_hello(&w->calls[i]);
    assert_int_equal(w->accepted, MORE);
    assert_int_equal(w->client.idle_count, CLIENT_IDLE_MAX);
}

static void the_last_used_connection_is_used_first(void **state)
{
    struct world *w = *state;
    start(w, 0);
    start(w, 1);
    RUN_UNTIL(w->loop, is_over(&w->calls[0]) && is_over(&w->calls[1]));
    int before[2] = {w->conns[0].requests, w->conns[1].requests};
    for (int i = 2; i < 6; i++)
        assert_hello(run(w, i));
    /* One of the two served all four, and the other may grow old. */
    assert_true(w->conns[0].requests == before[0] || w->conns[1].requests == before[1]);
}

static void an_idle_connection_is_closed_after_its_time(void **state)
{
    struct world *w = *state;
    w->client.idle_timeouts.timeout_ms = 50;
    assert_hello(run(w, 0));
    assert_int_equal(w->client.idle_count, 1);
    RUN_UNTIL(w->loop, w->conns[0].saw_eof);
    assert_int_equal(w->client.idle_count, 0);
    assert_hello(run(w, 1));
    assert_int_equal(w->accepted, 2);
}

static void a_connection_in_use_is_not_idle(void **state)
{
    struct world *w = *state;
    w->client.idle_timeouts.timeout_ms = 30;
    w->on_request = NULL;
    struct call *c = start(w, 0);
    RUN_UNTIL(w->loop, w->accepted == 1 && w->conns[0].requests == 1);
    run_for(w->loop, 120);
    answer_hello(&w->conns[0]);
    RUN_UNTIL(w->loop, is_over(c));
    assert_hello(c);
}

/* A listener whose queue is full answers nothing at all. */
static void connecting_has_a_limit(void **state)
{
    struct world *w = *state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof sa;
    int fds[6];
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&sa, size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&sa, &size), 0);
    for (int i = 1; i < 6; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&sa, size);
    }
    struct io_addr addr = loopback(ntohs(sa.sin_port));
    struct client client;
    struct call *c = &w->calls[0];
    client_init(&client, w->loop, &addr);
    client.connect_timeouts.timeout_ms = 50;
    *c = (struct call){.call = {.ops = &ops, .head = BYTES(GET)}, .w = w};
    assert_int_equal(client_start(&client, &c->call), ERR_OK);
    RUN_UNTIL(w->loop, is_over(c));
    assert_failed(c, ERR_TIMEOUT, false);
    client_fini(&client);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(cancelling_inside_on_head_ends_the_connection),
        CLIENT_TEST(cancelling_inside_on_data_ends_the_connection),
        CLIENT_TEST(cancelling_inside_on_end_is_harmless),
        CLIENT_TEST(a_call_cancelled_inside_on_head_can_start_anew_at_once),
        CLIENT_TEST(cancelling_while_connecting_or_waiting_tells_nobody),
        CLIENT_TEST(cancelling_in_mid_upload_ends_the_connection),
        CLIENT_TEST(a_paused_call_gets_at_most_one_read_more),
        CLIENT_TEST(a_connection_paused_at_its_end_reads_again_in_the_pool),
        CLIENT_TEST(the_pool_keeps_only_so_many),
        CLIENT_TEST(the_last_used_connection_is_used_first),
        CLIENT_TEST(an_idle_connection_is_closed_after_its_time),
        CLIENT_TEST(a_connection_in_use_is_not_idle),
        CLIENT_TEST(connecting_has_a_limit),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
