/* Client connections of a whole node: local paths, order, limits, time-outs, framing, draining.
 * What comes from the engine is in test_http_conn_relay.c. */
#include "node_fixture.h"

/* --- local answers */

static void local_paths_are_answered_and_the_connection_is_kept(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, LIVEZ, "HTTP/1.1 200 ", "\r\n\r\nok\n");
    assert_true(got(c, "x-request-id: "));
    assert_false(got(c, "connection: close"));
    forget(c);
    send_text(c, "GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
    WAIT_FOR(c, "\r\n\r\nready\n");
    send_text(c, "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n");
    WAIT_FOR(c, "\"id\":\"m\"");
    assert_false(is_over(c));
}

static void head_is_get_without_the_body(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, "HEAD /livez HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 ", NULL);
    assert_true(got(c, "content-length: 3\r\n"));
    send_text(c, "HEAD /nowhere HTTP/1.1\r\nhost: a\r\n\r\n" LIVEZ);
    WAIT_FOR(c, "\r\n\r\nok\n");
    assert_int_equal(times(c, "HTTP/1.1 "), 3);
    assert_false(got(c, "no_such_path"));
}

static void options_says_what_is_allowed(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, "OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n",
                           "HTTP/1.1 204 ", NULL);
    assert_true(got(c, "allow: POST, OPTIONS\r\n"));
    assert_false(got(c, "content-length"));
    forget(c);
    send_text(c, "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n");
    WAIT_FOR(c, "\r\n\r\n");
    assert_true(got(c, "HTTP/1.1 204 "));
    forget(c);
    send_text(c, "OPTIONS /nowhere HTTP/1.1\r\nhost: a\r\n\r\n");
    WAIT_FOR(c, "HTTP/1.1 404 ");
}

static void a_wrong_path_or_method_is_told_and_the_connection_is_kept(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c =
        ask(w, 0, "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 404 ", "no_such_path");
    forget(c);
    send_text(c, "GET /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n");
    WAIT_FOR(c, "method_not_allowed");
    assert_true(got(c, "HTTP/1.1 405 "));
    assert_true(got(c, "allow: POST, OPTIONS\r\n"));
    send_text(c, LIVEZ);
    WAIT_FOR(c, "\r\n\r\nok\n");
    assert_false(is_over(c));
}

static void a_refused_request_with_a_body_ends_the_connection(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, "POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n",
                           "HTTP/1.1 404 ", "no_such_path");
    assert_true(got(c, "connection: close\r\n"));
    WAIT_OVER(c);
    assert_true(c->saw_eof);
}

static void the_clients_request_id_is_kept_if_it_is_sane(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, "GET /livez HTTP/1.1\r\nhost: a\r\nX-Request-ID: my-id_1\r\n\r\n",
                           "HTTP/1.1 200 ", "ok\n");
    assert_true(got(c, "x-request-id: my-id_1\r\n"));
    forget(c);
    send_text(c, "GET /livez HTTP/1.1\r\nhost: a\r\nx-request-id: a b\r\n\r\n");
    WAIT_FOR(c, "ok\n");
    assert_true(got(c, "x-request-id: "));
    assert_false(got(c, "x-request-id: a b"));
}

/* --- order */

static void hold(struct engine_conn *conn) {}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n" CHAT LIVEZ CHAT LIVEZ);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    run_for(w->loop, 20);
    assert_int_equal(w->engine_chats, 1); /* one at a time */
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
    engine_answer(w->asked[0]);
    RUN_UNTIL(w->loop, w->engine_chats == 2);
    assert_int_equal(times(c, "ok\n"), 1);
    engine_answer(w->asked[1]);
    RUN_UNTIL(w->loop, times(c, "ok\n") == 2);
    assert_int_equal(times(c, "HTTP/1.1 "), 5);
    assert_int_equal(times(c, "{\"a\":1}\n"), 2);
}

static void requests_arriving_byte_by_byte_are_the_same(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    for (const char *p = CHAT LIVEZ; *p; p++) {
        send_bytes(c, p, 1);
        run_for(w->loop, 0);
    }
    WAIT_FOR(c, "ok\n");
    assert_int_equal(times(c, "HTTP/1.1 200 "), 2);
    assert_true(got(c, "{\"a\":1}\n"));
}

/* More pipelined bytes than are kept: reading stops, and nothing is lost. */
static void a_flood_of_pipelined_requests_waits_its_turn(void **state)
{
    enum { COUNT = 6000 };
    struct world *w = *state;
    w->on_chat = hold;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    for (int i = 0; i < COUNT; i++)
        send_text(c, LIVEZ);
    send_text(c, CHAT);
    run_for(w->loop, 50);
    assert_int_equal(c->in.size, 0);
    engine_answer(w->asked[0]);
    RUN_UNTIL(w->loop, w->engine_chats == 2);
    RUN_UNTIL(w->loop, times(c, "ok\n") == COUNT);
    engine_answer(w->asked[1]);
    RUN_UNTIL(w->loop, times(c, "{\"a\":1}\n") == 2);
    assert_false(is_over(c));
}

/* Only the end is looked at: there are many megabytes, and this is asked after each read. */
static bool ends_with(const struct client *c, const char *text)
{
    size_t size = strlen(text);
    struct bytes end = bytes_skip(buf_bytes(&c->in), c->in.size < size ? 0 : c->in.size - size);
    return bytes_equal(end, bytes_from_str(text));
}

/* Answers that nobody takes hold the next request back: a client that reads late gets all. */
static void unread_answers_hold_the_next_request_back(void **state)
{
    enum { COUNT = 3000 };
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    io_stream_pause(c->stream);
    for (int i = 0; i < COUNT; i++)
        send_text(c, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    send_text(c, "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
    run_for(w->loop, 300);
    io_stream_read(c->stream);
    RUN_UNTIL(w->loop, ends_with(c, "\r\n\r\nok\n") || is_over(c));
    assert_false(is_over(c));
    assert_int_equal(times(c, "HTTP/1.1 200 "), COUNT + 1);
}

/* --- limits */

static void send_long(struct client *c, const char *start, char filler, size_t size,
                      const char *end)
{
    char *data = malloc(size);
    memset(data, filler, size);
    send_text(c, start);
    send_bytes(c, data, size);
    send_text(c, end);
    free(data);
}

static void a_head_beyond_the_limit_is_431(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_long(c, "GET /livez HTTP/1.1\r\nhost: a\r\nx: ", 'x', 40000, "\r\n\r\n");
    WAIT_FOR(c, "header_too_large");
    assert_true(got(c, "HTTP/1.1 431 "));
    WAIT_OVER(c);
    assert_true(c->saw_eof);
}

static void a_target_beyond_the_limit_is_414(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_long(c, "GET /", 'x', 9000, " HTTP/1.1\r\nhost: a\r\n\r\n");
    WAIT_FOR(c, "uri_too_long");
    assert_true(got(c, "HTTP/1.1 414 "));
    WAIT_OVER(c);
}

static void a_body_beyond_the_limit_is_413_before_it_is_sent(void **state)
{
    struct world *w = *state;
    w->config.limits.body_bytes = 1000;
    start_node(w);
    struct client *c = ask(w, 0,
                           "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
                           "content-length: 1001\r\nexpect: 100-continue\r\n\r\n",
                           "HTTP/1.1 413 ", "body_too_large");
    WAIT_OVER(c);
    assert_false(got(c, "100 Continue"));
    assert_int_equal(w->engine_chats, 0);
}

static void a_chunked_body_beyond_the_limit_is_413(void **state)
{
    struct world *w = *state;
    w->config.limits.body_bytes = 1000;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_long(c,
              "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
              "transfer-encoding: chunked\r\n\r\n1388\r\n",
              ' ', 5000, "\r\n0\r\n\r\n");
    WAIT_FOR(c, "body_too_large");
    WAIT_OVER(c);
    assert_true(c->saw_eof);
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
}

static void a_body_of_exactly_the_limit_is_fine(void **state)
{
    struct world *w = *state;
    w->config.limits.body_bytes = 1000;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_long(c, "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n",
              ' ', 1000 - 13, "{\"model\":\"m\"}");
    WAIT_FOR(c, "{\"a\":1}\n");
}

static void more_connections_than_allowed_are_closed_at_once(void **state)
{
    struct world *w = *state;
    w->config.limits.connections = 2;
    start_node(w);
    ask(w, 0, LIVEZ, "HTTP/1.1 200 ", "ok\n");
    ask(w, 1, LIVEZ, "HTTP/1.1 200 ", "ok\n");
    struct client *third = connect_client(w, 2);
    WAIT_OVER(third);
    assert_int_equal(third->in.size, 0);
    hang_up(&w->clients[0]);
    run_for(w->loop, 20);
    ask(w, 3, LIVEZ, "HTTP/1.1 200 ", "ok\n");
}

/* --- expectations */

static void who_expects_100_gets_it_before_the_answer(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n"
                 "Expect: 100-continue\r\n\r\n");
    WAIT_FOR(c, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
    send_text(c, CHAT_BODY);
    WAIT_FOR(c, "{\"a\":1}\n");
    assert_int_equal(times(c, "HTTP/1.1 "), 2);
    assert_null(strstr(w->chat, "xpect"));
}

static void another_expectation_is_417(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, "GET /livez HTTP/1.1\r\nhost: a\r\nexpect: a-pony\r\n\r\n",
                           "HTTP/1.1 417 ", "expectation_failed");
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
}

/* --- framing */

static void ambiguous_framing_is_400_and_the_end(void **state)
{
    static const char *const requests[] = {
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
        "content-length: 6\r\n\r\nhello",
        "GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /livez HTTP/1.1\r\n\r\n",
        "GET /livez HTTP/1.1\nhost: a\n\n",
        "GET /livez HTTP/1.1\r\nhost: a\r\nx: 1\r\n y\r\n\r\n",
        "\x16\x03\x01\x02",
        "GET  /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    };
    struct world *w = *state;
    start_node(w);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct client *c = connect_client(w, 0);
        send_text(c, requests[i]);
        send_text(c, LIVEZ);
        WAIT_FOR(c, "invalid_request");
        WAIT_OVER(c);
        assert_int_equal(times(c, "\r\n\r\n"), 1);
        assert_true(bytes_starts_with(buf_bytes(&c->in), BYTES("HTTP/1.1 400 ")));
        assert_false(got(c, "ok\n"));
    }
}

static void bad_chunks_after_a_good_head_are_400_and_the_end(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
                 "transfer-encoding: chunked\r\n\r\n5\r\n{\"mod\r\nxyz\r\n" LIVEZ);
    WAIT_FOR(c, "invalid_request");
    WAIT_OVER(c);
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
}

/* After a HEAD, an error of the next request has its body again. */
static void an_error_after_a_head_request_has_a_body(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "HEAD /livez HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n");
    WAIT_FOR(c, "invalid_request");
    WAIT_OVER(c);
}

static void http_1_0_closes_unless_it_asks_to_stay(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, "GET /livez HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", "ok\n");
    WAIT_OVER(c);
    c = ask(w, 1, "GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", "HTTP/1.1 200 ", "ok\n");
    assert_true(got(c, "connection: keep-alive\r\n"));
    forget(c);
    send_text(c, "GET /livez HTTP/1.0\r\n\r\n");
    WAIT_FOR(c, "ok\n");
    WAIT_OVER(c);
}

static void connection_close_is_obeyed(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c =
        ask(w, 0, "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n" LIVEZ,
            "HTTP/1.1 200 ", "ok\n");
    WAIT_OVER(c);
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
    assert_true(got(c, "connection: close\r\n"));
}

/* --- time-outs */

static void a_slow_head_is_408(void **state)
{
    struct world *w = *state;
    w->config.limits.header_timeout_ms = 150;
    start_node(w);
    struct client *c = connect_client(w, 0);
    const char *text = LIVEZ;
    for (int i = 0; i < 20 && !is_over(c); i++) { /* a byte now and then does not help */
        send_bytes(c, text + i, 1);
        run_for(w->loop, 20);
    }
    WAIT_FOR(c, "HTTP/1.1 408 ");
    WAIT_OVER(c);
}

static void who_says_nothing_is_closed_without_a_word(void **state)
{
    struct world *w = *state;
    w->config.limits.header_timeout_ms = 100;
    start_node(w);
    struct client *c = connect_client(w, 0);
    WAIT_OVER(c);
    assert_int_equal(c->in.size, 0);
}

static void empty_lines_do_not_keep_a_connection_open(void **state)
{
    struct world *w = *state;
    w->config.limits.header_timeout_ms = 100;
    start_node(w);
    struct client *c = connect_client(w, 0);
    for (int i = 0; i < 100 && !is_over(c); i++) {
        send_text(c, "\r\n");
        run_for(w->loop, 20);
    }
    assert_true(is_over(c));
}

static void a_body_that_stalls_is_408(void **state)
{
    struct world *w = *state;
    w->config.limits.header_timeout_ms = 150;
    start_node(w);
    struct client *c = ask(w, 0,
                           "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
                           "content-length: 100000\r\n\r\n{\"model\":",
                           "HTTP/1.1 408 ", "request_timeout");
    assert_true(got(c, "connection: close\r\n"));
    WAIT_OVER(c);
}

static void a_body_that_makes_progress_is_waited_for(void **state)
{
    struct world *w = *state;
    char piece[2048];
    w->config.limits.header_timeout_ms = 400;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 20493\r\n\r\n");
    memset(piece, ' ', sizeof piece);
    for (int i = 0; i < 10; i++) {
        send_bytes(c, piece, sizeof piece);
        run_for(w->loop, 100);
    }
    assert_int_equal(c->in.size, 0);
    send_text(c, "{\"model\":\"m\"}");
    WAIT_FOR(c, "{\"a\":1}\n");
}

static void an_idle_connection_is_closed(void **state)
{
    struct world *w = *state;
    w->config.limits.idle_timeout_ms = 100;
    start_node(w);
    struct client *c = ask(w, 0, LIVEZ, "HTTP/1.1 200 ", "ok\n");
    WAIT_OVER(c);
    assert_true(c->saw_eof);
    assert_int_equal(times(c, "HTTP/1.1 "), 1);
}

/* --- draining, closing */

static void draining_closes_the_idle_and_finishes_the_busy(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    start_node(w);
    struct client *idle = ask(w, 0, LIVEZ, "HTTP/1.1 200 ", "ok\n");
    struct client *busy = connect_client(w, 1);
    send_text(busy, CHAT);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    node_drain(w->node);
    node_drain(w->node); /* harmless */
    WAIT_OVER(idle);
    run_for(w->loop, 50);
    assert_false(w->is_drained);
    assert_false(is_over(busy));
    struct client *late = connect_client(w, 2);
    WAIT_OVER(late);
    engine_answer(w->asked[0]);
    WAIT_FOR(busy, "{\"a\":1}\n");
    WAIT_OVER(busy);
    assert_true(got(busy, "connection: close\r\n"));
    RUN_UNTIL(w->loop, w->is_drained);
}

/* Its client could not know: it is served, and told that this was the last one. */
static void a_request_that_comes_while_draining_is_the_last_one(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.1\r\n");
    run_for(w->loop, 30);
    node_drain(w->node);
    send_text(c, "host: a\r\ncontent-length: 27\r\n\r\n" CHAT_BODY);
    WAIT_FOR(c, "{\"a\":1}\n");
    assert_true(got(c, "HTTP/1.1 200 "));
    assert_true(got(c, "connection: close\r\n"));
    WAIT_OVER(c);
    RUN_UNTIL(w->loop, w->is_drained);
    assert_int_equal(w->engine_chats, 1);
}

static void draining_with_nothing_to_do_is_done_at_once(void **state)
{
    struct world *w = *state;
    start_node(w);
    node_drain(w->node);
    assert_false(w->is_drained);
    RUN_UNTIL(w->loop, w->is_drained);
}

/* Whatever is under way: nothing is left, and nothing is touched afterwards. */
static void closing_the_node_in_the_middle_of_everything_leaves_nothing(void **state)
{
    struct world *w = *state;
    w->config.backends[0].concurrency = 1;
    w->on_chat = hold;
    start_node(w);
    for (int i = 0; i < 4; i++) /* one runs, three wait */
        send_text(connect_client(w, i), CHAT LIVEZ);
    send_text(connect_client(w, 4), "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
                                    "content-length: 100\r\n\r\n{");
    send_text(connect_client(w, 5), "GET /li");
    connect_client(w, 6);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    run_for(w->loop, 20);
    node_close(w->node);
    w->node = NULL;
    for (int i = 0; i < 7; i++)
        WAIT_OVER(&w->clients[i]);
    assert_int_equal(w->engine_chats, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(local_paths_are_answered_and_the_connection_is_kept),
        NODE_TEST(head_is_get_without_the_body),
        NODE_TEST(options_says_what_is_allowed),
        NODE_TEST(a_wrong_path_or_method_is_told_and_the_connection_is_kept),
        NODE_TEST(a_refused_request_with_a_body_ends_the_connection),
        NODE_TEST(the_clients_request_id_is_kept_if_it_is_sane),
        NODE_TEST(pipelined_requests_are_answered_in_order),
        NODE_TEST(requests_arriving_byte_by_byte_are_the_same),
        NODE_TEST(a_flood_of_pipelined_requests_waits_its_turn),
        NODE_TEST(unread_answers_hold_the_next_request_back),
        NODE_TEST(a_head_beyond_the_limit_is_431),
        NODE_TEST(a_target_beyond_the_limit_is_414),
        NODE_TEST(a_body_beyond_the_limit_is_413_before_it_is_sent),
        NODE_TEST(a_chunked_body_beyond_the_limit_is_413),
        NODE_TEST(a_body_of_exactly_the_limit_is_fine),
        NODE_TEST(more_connections_than_allowed_are_closed_at_once),
        NODE_TEST(who_expects_100_gets_it_before_the_answer),
        NODE_TEST(another_expectation_is_417),
        NODE_TEST(ambiguous_framing_is_400_and_the_end),
        NODE_TEST(bad_chunks_after_a_good_head_are_400_and_the_end),
        NODE_TEST(an_error_after_a_head_request_has_a_body),
        NODE_TEST(http_1_0_closes_unless_it_asks_to_stay),
        NODE_TEST(connection_close_is_obeyed),
        NODE_TEST(a_slow_head_is_408),
        NODE_TEST(who_says_nothing_is_closed_without_a_word),
        NODE_TEST(empty_lines_do_not_keep_a_connection_open),
        NODE_TEST(a_body_that_stalls_is_408),
        NODE_TEST(a_body_that_makes_progress_is_waited_for),
        NODE_TEST(an_idle_connection_is_closed),
        NODE_TEST(draining_closes_the_idle_and_finishes_the_busy),
        NODE_TEST(a_request_that_comes_while_draining_is_the_last_one),
        NODE_TEST(draining_with_nothing_to_do_is_done_at_once),
        NODE_TEST(closing_the_node_in_the_middle_of_everything_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
