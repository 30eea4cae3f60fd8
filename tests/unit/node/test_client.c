/* The HTTP client against a scripted server: keep-alive and its one retry, broken and odd answers,
 * sending. Giving up, back-pressure and the pool are in test_client_pool.c. */
#include "client_fixture.h"

/* --- keep-alive */

static void one_connection_serves_calls_one_after_the_other(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 5; i++)
        assert_hello(run(w, i));
    assert_int_equal(w->accepted, 1);
    assert_int_equal(w->conns[0].requests, 5);
    assert_int_equal(w->client.idle_count, 1);
}

static void calls_at_the_same_time_have_connections_of_their_own(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 4; i++)
        start(w, i);
    for (int i = 0; i < 4; i++) {
        RUN_UNTIL(w->loop, is_over(&w->calls[i]));
        assert_hello(&w->calls[i]);
    }
    assert_int_equal(w->accepted, 4);
    assert_int_equal(w->client.idle_count, 4);
}

static void start_another(struct call *c)
{
    start(c->w, 1);
}

static void the_next_call_can_start_inside_on_end(void **state)
{
    struct world *w = *state;
    w->calls[0].in_end = start_another;
    assert_hello(run(w, 0));
    RUN_UNTIL(w->loop, is_over(&w->calls[1]));
    assert_hello(&w->calls[1]);
    assert_int_equal(w->accepted, 1);
}

static void answer_and_close(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
    end_orderly(conn);
}

static void a_connection_that_the_server_closes_is_not_kept(void **state)
{
    struct world *w = *state;
    w->on_request = answer_and_close;
    assert_hello(run(w, 0));
    assert_int_equal(w->client.idle_count, 0);
    assert_hello(run(w, 1));
    assert_int_equal(w->accepted, 2);
}

static void a_pooled_connection_that_ends_leaves_the_pool(void **state)
{
    struct world *w = *state;
    assert_hello(run(w, 0));
    hang_up(&w->conns[0]);
    RUN_UNTIL(w->loop, w->client.idle_count == 0);
    assert_hello(run(w, 1));
    assert_int_equal(w->accepted, 2);
}

static void bytes_on_a_pooled_connection_end_it(void **state)
{
    struct world *w = *state;
    assert_hello(run(w, 0));
    answer_hello(&w->conns[0]); /* to nobody */
    RUN_UNTIL(w->loop, w->client.idle_count == 0);
    RUN_UNTIL(w->loop, w->conns[0].saw_eof);
}

static void answer_twice(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
              "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
}

static void bytes_after_an_answer_never_reach_the_next_call(void **state)
{
    struct world *w = *state;
    w->on_request = answer_twice;
    assert_hello(run(w, 0));
    assert_int_equal(w->client.idle_count, 0);
    w->on_request = answer_hello;
    assert_hello(run(w, 1));
    assert_int_equal(w->accepted, 2);
}

/* --- the one retry */

static void hang_up_if_reused(struct conn *conn)
{
    if (conn->requests > 1)
        hang_up(conn);
    else
        answer_hello(conn);
}

static void a_reused_connection_that_dies_unanswered_is_replaced_once(void **state)
{
    struct world *w = *state;
    w->on_request = hang_up_if_reused;
    assert_hello(run(w, 0));
    assert_hello(run(w, 1));
    assert_int_equal(w->accepted, 2);
    assert_int_equal(w->conns[0].requests, 2);
    assert_int_equal(w->conns[1].requests, 1);
}

static void first_hello_then_nothing(struct conn *conn)
{
    if (conn->w->accepted == 1 && conn->requests == 1)
        answer_hello(conn);
    else
        hang_up(conn);
}

static void the_replacement_is_not_replaced(void **state)
{
    struct world *w = *state;
    w->on_request = first_hello_then_nothing;
    assert_hello(run(w, 0));
    struct call *c = run(w, 1);
    assert_failed(c, c->fail_err, false);
    assert_true(c->fail_err == ERR_EOF || c->fail_err == ERR_RESET);
    assert_int_equal(w->accepted, 2);
}

static void a_fresh_connection_that_dies_is_not_replaced(void **state)
{
    struct world *w = *state;
    w->on_request = hang_up;
    struct call *c = run(w, 0);
    assert_int_equal(c->fails, 1);
    assert_false(c->begun);
    assert_int_equal(w->accepted, 1);
}

static void one_byte_if_reused(struct conn *conn)
{
    if (conn->requests > 1) {
        say(conn, "H");
        end_orderly(conn);
    } else {
        answer_hello(conn);
    }
}

static void after_one_byte_of_an_answer_nothing_is_repeated(void **state)
{
    struct world *w = *state;
    w->on_request = one_byte_if_reused;
    assert_hello(run(w, 0));
    assert_failed(run(w, 1), ERR_EOF, true);
    assert_int_equal(w->accepted, 1);
}

static void garbage_if_reused(struct conn *conn)
{
    if (conn->requests > 1)
        say(conn, "garbage\r\n\r\n");
    else
        answer_hello(conn);
}

static void garbage_on_a_reused_connection_is_not_repeated(void **state)
{
    struct world *w = *state;
    w->on_request = garbage_if_reused;
    assert_hello(run(w, 0));
    assert_failed(run(w, 1), ERR_PROTOCOL, true);
    assert_int_equal(w->accepted, 1);
}

/* The body of a repeated request is sent from its beginning. */
static void the_repeated_request_is_whole(void **state)
{
    struct world *w = *state;
    static uint8_t data[300000];
    memset(data, 'b', sizeof data);
    assert_int_equal(body_append(&w->body, bytes_of(data, sizeof data)), ERR_OK);
    w->on_request = hang_up_if_reused;
    assert_hello(run(w, 0));
    struct call *c = &w->calls[1];
    *c = (struct call){.call = {.ops = &ops,
                                .head = BYTES("POST /x HTTP/1.1\r\nhost: a\r\n"
                                              "content-length: 300000\r\n\r\n"),
                                .body = &w->body},
                       .w = w};
    buf_init(&c->body, 1 << 20);
    assert_int_equal(client_start(&w->client, &c->call), ERR_OK);
    RUN_UNTIL(w->loop, is_over(c));
    assert_hello(c);
    assert_int_equal(w->conns[1].requests, 1);
    assert_int_equal(w->conns[1].in.size, 0);
}

/* --- answers */

static void chunks_are_joined_and_the_connection_is_kept(void **state)
{
    struct world *w = *state;
    w->on_request = answer_in_chunks;
    assert_hello(run(w, 0));
    assert_hello(run(w, 1));
    assert_int_equal(w->accepted, 1);
}

static void answer_until_the_end(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\n\r\nhel");
    say(conn, "lo");
    end_orderly(conn);
}

static void an_answer_may_last_until_the_connection_ends(void **state)
{
    struct world *w = *state;
    w->on_request = answer_until_the_end;
    assert_hello(run(w, 0));
    assert_int_equal(w->client.idle_count, 0);
}

static void answer_after_interims(struct conn *conn)
{
    say(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
    answer_hello(conn);
}

static void interim_answers_are_skipped(void **state)
{
    struct world *w = *state;
    w->on_request = answer_after_interims;
    struct call *c = run(w, 0);
    assert_hello(c);
    assert_int_equal(c->heads, 1);
}

static void answer_without_body(struct conn *conn)
{
    say(conn, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void an_answer_without_a_body_ends_at_its_head(void **state)
{
    struct world *w = *state;
    w->on_request = answer_without_body;
    struct call *c = run(w, 0);
    assert_int_equal(c->ends, 1);
    assert_int_equal(c->status, 204);
    assert_int_equal(w->client.idle_count, 1);
}

static void answer_short(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    end_orderly(conn);
}

static void fewer_bytes_than_promised_fail(void **state)
{
    struct world *w = *state;
    w->on_request = answer_short;
    struct call *c = run(w, 0);
    assert_failed(c, ERR_EOF, true);
    assert_int_equal(c->heads, 1);
    assert_int_equal(c->body.size, 5);
}

static void answer_half_a_chunk(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel");
    end_orderly(conn);
}

static void chunks_that_break_off_fail(void **state)
{
    struct world *w = *state;
    w->on_request = answer_half_a_chunk;
    assert_failed(run(w, 0), ERR_EOF, true);
}

static void answer_long(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more");
}

static void more_bytes_than_promised_are_cut_and_end_the_connection(void **state)
{
    struct world *w = *state;
    w->on_request = answer_long;
    assert_hello(run(w, 0));
    assert_int_equal(w->client.idle_count, 0);
    RUN_UNTIL(w->loop, w->conns[0].saw_eof);
}

static void answer_nonsense(struct conn *conn)
{
    static const char *const answers[] = {
        "SMTP ready\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    if ((size_t)conn->w->accepted > sizeof answers / sizeof answers[0]) {
        answer_hello(conn);
        return;
    }
    say(conn, answers[conn->w->accepted - 1]);
}

static void nonsense_is_a_protocol_error(void **state)
{
    struct world *w = *state;
    w->on_request = answer_nonsense;
    for (int i = 0; i < 7; i++)
        assert_failed(run(w, i), ERR_PROTOCOL, true);
    assert_int_equal(w->client.idle_count, 0);
    assert_hello(run(w, 7));
}

static void answer_with_an_endless_head(struct conn *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 3000 && conn->stream; i++)
        say(conn, "x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

static void an_endless_head_is_cut_off(void **state)
{
    struct world *w = *state;
    w->on_request = answer_with_an_endless_head;
    assert_failed(run(w, 0), ERR_HEADER_TOO_LARGE, true);
}

/* --- no connection */

static void nobody_listening_is_refused(void **state)
{
    struct world *w = *state;
    io_listener_close(w->listener);
    w->listener = NULL;
    assert_failed(run(w, 0), ERR_REFUSED, false);
}

static void a_reused_connection_is_not_replaced_when_nobody_listens_any_more(void **state)
{
    struct world *w = *state;
    w->on_request = hang_up_if_reused;
    assert_hello(run(w, 0));
    io_listener_close(w->listener);
    w->listener = NULL;
    assert_failed(run(w, 1), ERR_REFUSED, false);
}

/* --- sending */

static void a_large_body_arrives_whole(void **state)
{
    struct world *w = *state;
    struct call *c = start_upload(w, 20 << 20);
    RUN_UNTIL(w->loop, is_over(c));
    assert_hello(c);
    assert_int_equal(w->conns[0].requests, 1);
    assert_int_equal(w->conns[0].in.size, 0);
    assert_int_equal(w->client.idle_count, 1);
}

static void an_early_answer_counts_and_its_connection_is_not_kept(void **state)
{
    struct world *w = *state;
    w->on_bytes = refuse_early;
    struct call *c = start_upload(w, 20 << 20);
    RUN_UNTIL(w->loop, is_over(c));
    assert_int_equal(c->ends, 1);
    assert_int_equal(c->status, 413);
    assert_int_equal(w->client.idle_count, 0);
}

static void refuse_early_and_close(struct conn *conn)
{
    say(conn, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno");
    end_orderly(conn);
}

static void an_early_answer_is_read_even_when_the_server_closes_then(void **state)
{
    struct world *w = *state;
    w->on_bytes = refuse_early_and_close;
    struct call *c = start_upload(w, 20 << 20);
    RUN_UNTIL(w->loop, is_over(c));
    assert_int_equal(c->ends, 1);
    assert_int_equal(c->status, 413);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(one_connection_serves_calls_one_after_the_other),
        CLIENT_TEST(calls_at_the_same_time_have_connections_of_their_own),
        CLIENT_TEST(the_next_call_can_start_inside_on_end),
        CLIENT_TEST(a_connection_that_the_server_closes_is_not_kept),
        CLIENT_TEST(a_pooled_connection_that_ends_leaves_the_pool),
        CLIENT_TEST(bytes_on_a_pooled_connection_end_it),
        CLIENT_TEST(bytes_after_an_answer_never_reach_the_next_call),
        CLIENT_TEST(a_reused_connection_that_dies_unanswered_is_replaced_once),
        CLIENT_TEST(the_replacement_is_not_replaced),
        CLIENT_TEST(a_fresh_connection_that_dies_is_not_replaced),
        CLIENT_TEST(after_one_byte_of_an_answer_nothing_is_repeated),
        CLIENT_TEST(garbage_on_a_reused_connection_is_not_repeated),
        CLIENT_TEST(the_repeated_request_is_whole),
        CLIENT_TEST(chunks_are_joined_and_the_connection_is_kept),
        CLIENT_TEST(an_answer_may_last_until_the_connection_ends),
        CLIENT_TEST(interim_answers_are_skipped),
        CLIENT_TEST(an_answer_without_a_body_ends_at_its_head),
        CLIENT_TEST(fewer_bytes_than_promised_fail),
        CLIENT_TEST(chunks_that_break_off_fail),
        CLIENT_TEST(more_bytes_than_promised_are_cut_and_end_the_connection),
        CLIENT_TEST(nonsense_is_a_protocol_error),
        CLIENT_TEST(an_endless_head_is_cut_off),
        CLIENT_TEST(nobody_listening_is_refused),
        CLIENT_TEST(a_reused_connection_is_not_replaced_when_nobody_listens_any_more),
        CLIENT_TEST(a_large_body_arrives_whole),
        CLIENT_TEST(an_early_answer_counts_and_its_connection_is_not_kept),
        CLIENT_TEST(an_early_answer_is_read_even_when_the_server_closes_then),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
