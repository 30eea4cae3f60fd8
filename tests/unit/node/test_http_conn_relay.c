/* Requests through a whole node to a scripted engine: what passes, what an engine's failures become
 * for the client, who waits and who is cancelled. */
#include "node_fixture.h"

static void hold(struct engine_conn *conn) {}

static void engine_send_much(struct engine_conn *conn, size_t size)
{
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    struct bytes part = bytes_of(data, size);
    io_stream_write(conn->stream, &part, 1);
    free(data);
}

/* --- passing through */

static void a_request_reaches_the_engine_as_it_came(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\n"
                 "Connection: x-hop\r\nX-Hop: 1\r\nGrapevine-Path: forged\r\n"
                 "X-Request-Id: id-1\r\nContent-Length: 31\r\n\r\n"
                 " { \"\\u006dodel\" :\t\"m\",\"x\":0.10}");
    WAIT_FOR(c, "{\"a\":1}\n");
    const char *seen = w->chat;
    assert_non_null(strstr(seen, "POST /v1/chat/completions?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(seen, "X-Mine: 1\r\n"));
    assert_non_null(strstr(seen, "x-request-id: id-1\r\n"));
    assert_non_null(strstr(seen, "content-length: 31\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n { \"\\u006dodel\" :\t\"m\",\"x\":0.10}"));
    assert_null(strstr(seen, "X-Hop"));
    assert_null(strstr(seen, "onnection"));
    assert_null(strstr(seen, "forged"));
    assert_null(strstr(seen, "X-Request-Id"));
}

static void an_answer_reaches_the_client_as_it_came(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 200 ", "\r\n\r\n{\"a\":1}\n");
    assert_true(got(c, "X-Engine: e\r\n"));
    assert_true(got(c, "content-length: 8\r\n"));
    assert_true(got(c, "grapevine-node: edge-1\r\n"));
    assert_true(got(c, "grapevine-path: edge-1\r\n"));
    assert_true(got(c, "grapevine-epoch: 0\r\n"));
    assert_int_equal(times(c, "content-length"), 1);
}

static void forge(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 418 Odd\r\nGrapevine-Node: forged\r\nConnection: x-hop\r\n"
                     "X-Hop: 1\r\nX-Request-Id: forged\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
}

static void an_engine_cannot_forge_what_the_mesh_says(void **state)
{
    struct world *w = *state;
    w->on_chat = forge;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 418 ", "0\r\n\r\n");
    assert_false(got(c, "forged"));
    assert_false(got(c, "X-Hop"));
    assert_true(got(c, "transfer-encoding: chunked\r\n"));
    assert_true(got(c, "abc"));
    assert_true(got(c, "de"));
    send_text(c, LIVEZ); /* and the connection can be used on */
    WAIT_FOR(c, "ok\n");
}

static void no_content_has_none(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void an_answer_without_a_body_stays_without(void **state)
{
    struct world *w = *state;
    w->on_chat = no_content_has_none;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 204 ", NULL);
    assert_false(got(c, "transfer-encoding"));
    forget(c);
    send_text(c, LIVEZ);
    WAIT_FOR(c, "ok\n");
    assert_true(bytes_starts_with(buf_bytes(&c->in), BYTES("HTTP/1.1 200 ")));
}

static void chunked_answers_end_with_the_connection_for_http_1_0(void **state)
{
    struct world *w = *state;
    w->on_chat = forge;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.0\r\ncontent-length: 27\r\n\r\n" CHAT_BODY);
    WAIT_OVER(c);
    assert_true(got(c, "\r\n\r\nabcde"));
    assert_false(got(c, "chunked"));
    assert_false(got(c, "0\r\n\r\n"));
}

static void a_large_body_reaches_the_engine_whole(void **state)
{
    struct world *w = *state;
    enum { SIZE = 3 << 20 };
    char head[120];
    char *body = malloc(SIZE);
    start_node(w);
    memset(body, ' ', SIZE);
    memcpy(body + SIZE - 13, "{\"model\":\"m\"}", 13);
    struct client *c = connect_client(w, 0);
    io_stream_pause(c->stream);
    snprintf(head, sizeof head,
             "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n", SIZE);
    send_text(c, head);
    for (size_t at = 0; at < SIZE; at += 65536) {
        RUN_UNTIL(w->loop, io_stream_queued(c->stream) < 500000);
        send_bytes(c, body + at, 65536);
    }
    io_stream_read(c->stream);
    WAIT_FOR(c, "{\"a\":1}\n");
    assert_int_equal(w->engine_chats, 1);
    free(body);
}

/* --- requests that go nowhere */

static void refused(struct world *w, const char *body, const char *status, const char *code)
{
    char request[400];
    snprintf(request, sizeof request,
             "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %zu\r\n\r\n%s",
             strlen(body), body);
    struct client *c = ask(w, 0, request, status, code);
    assert_true(got(c, "\"error\":{"));
    assert_int_equal(w->engine_chats, 0);
}

static void a_body_without_a_usable_model_is_told_why(void **state)
{
    struct world *w = *state;
    start_node(w);
    refused(w, "{\"messages\":[]}", "HTTP/1.1 400 ", "\"missing_model\"");
    refused(w, "{\"model\":7}", "HTTP/1.1 400 ", "must be a string");
    refused(w, "{\"model\":\"m\"", "HTTP/1.1 400 ", "\"invalid_json\"");
    refused(w, "{\"model\":}", "HTTP/1.1 400 ", "(byte 10)");
    refused(w, "[]", "HTTP/1.1 400 ", "\"invalid_request\"");
    refused(w, "{\"model\":\"a\",\"model\":\"m\"}", "HTTP/1.1 400 ", "comes twice");
    refused(w, "", "HTTP/1.1 400 ", "the body is empty");
    refused(w, "{\"model\":\"qwen2.5-05b\"}", "HTTP/1.1 404 ", "served are: qwen2.5-0.5b");
    refused(w, "{\"model\":\"\\\"\\n\"}", "HTTP/1.1 404 ", "'\\\"\\n'");
}

static void bad_json_at_its_end_leaves_the_connection_usable(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n"
                 "{\"model\":\"m\"" LIVEZ);
    WAIT_FOR(c, "ok\n");
    assert_int_equal(times(c, "HTTP/1.1 400 "), 1);
}

/* --- engines that fail */

static void fail_500(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops");
}

static void the_only_engines_error_is_passed_on(void **state)
{
    struct world *w = *state;
    w->on_chat = fail_500;
    start_node(w);
    ask(w, 0, CHAT, "HTTP/1.1 500 ", "\r\n\r\noops");
}

static void fail_429(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
                     "content-length: 4\r\n\r\nbusy");
}

static void the_only_engines_429_is_passed_on(void **state)
{
    struct world *w = *state;
    w->on_chat = fail_429;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 429 ", "\r\n\r\nbusy");
    assert_true(got(c, "Retry-After: 7\r\n") || got(c, "retry-after: 7\r\n"));
}

static void an_engine_that_hangs_up_is_502(void **state)
{
    struct world *w = *state;
    w->on_chat = engine_hang_up;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 502 ", "\"backend_failed\"");
    send_text(c, LIVEZ);
    WAIT_FOR(c, "ok\n");
}

static void talk_nonsense(struct engine_conn *conn)
{
    engine_say(conn, "I am a teapot\r\n\r\n");
}

static void an_engine_that_talks_nonsense_is_502(void **state)
{
    struct world *w = *state;
    w->on_chat = talk_nonsense;
    start_node(w);
    ask(w, 0, CHAT, "HTTP/1.1 502 ", "\"backend_failed\"");
}

static void break_off(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    io_stream_close_gracefully(conn->stream, 1000);
    conn->stream = NULL;
}

static void an_answer_that_breaks_off_ends_the_connection_early(void **state)
{
    struct world *w = *state;
    w->on_chat = break_off;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT LIVEZ);
    WAIT_OVER(c);
    assert_true(got(c, "\r\n\r\nhalf"));
    assert_int_equal(times(c, "HTTP/1.1 "), 1); /* nothing else may follow half an answer */
}

static void break_off_chunked(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    io_stream_close_gracefully(conn->stream, 1000);
    conn->stream = NULL;
}

static void chunks_that_break_off_have_no_end(void **state)
{
    struct world *w = *state;
    w->on_chat = break_off_chunked;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT);
    WAIT_OVER(c);
    assert_true(got(c, "4\r\nhalf\r\n"));
    assert_false(got(c, "0\r\n\r\n"));
}

static void answer_more(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n"
                     "content-length: 4\r\n\r\nevil");
}

static void what_follows_an_answer_reaches_nobody(void **state)
{
    struct world *w = *state;
    w->on_chat = answer_more;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT CHAT);
    RUN_UNTIL(w->loop, times(c, "\r\n\r\nab") == 2);
    run_for(w->loop, 20);
    assert_false(got(c, "evil"));
}

/* --- streams */

static void sse_event(struct engine_conn *conn, const char *event)
{
    char text[200];
    snprintf(text, sizeof text, "%zx\r\n%s\r\n", strlen(event), event);
    engine_say(conn, text);
}

static void begin_sse(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     "transfer-encoding: chunked\r\n\r\n");
    sse_event(conn, "data: one\n\n");
}

static void events_pass_one_by_one(void **state)
{
    struct world *w = *state;
    w->on_chat = begin_sse;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 200 ", "data: one\n\n");
    sse_event(w->asked[0], ": ping\n\n");
    WAIT_FOR(c, ": ping\n\n");
    sse_event(w->asked[0], "data: [DONE]\n\n");
    WAIT_FOR(c, "data: [DONE]\n\n");
    assert_false(got(c, "\r\n0\r\n"));
    engine_say(w->asked[0], "0\r\n\r\n");
    WAIT_FOR(c, "\r\n0\r\n\r\n");
    assert_false(is_over(c));
}

static void promise_a_short_stream(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     "content-length: 20\r\n\r\ndata: one\n\n");
    engine_hang_up(conn);
}

static void an_error_event_does_not_fill_up_a_stream_of_known_length(void **state)
{
    struct world *w = *state;
    w->on_chat = promise_a_short_stream;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT);
    WAIT_OVER(c); /* a reset may overtake the head: then it is a whole 502 */
    assert_true(got(c, "HTTP/1.1 502 ") || (got(c, "length: 20\r\n") && !got(c, "error")));
}

static void a_stream_that_breaks_off_ends_with_an_error_event(void **state)
{
    struct world *w = *state;
    w->on_chat = begin_sse;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 200 ", "data: one\n\n");
    engine_hang_up(w->asked[0]);
    WAIT_OVER(c);
    assert_true(got(c, "data: {\"error\":{"));
    assert_true(got(c, "\"backend_failed\""));
    assert_false(got(c, "[DONE]"));
    assert_false(got(c, "event: error"));
}

static void in_mid_event_the_error_begins_on_a_line_of_its_own(void **state)
{
    struct world *w = *state;
    w->on_chat = begin_sse;
    start_node(w);
    struct client *c =
        ask(w, 0, "POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n\r\n" CHAT_BODY,
            "HTTP/1.1 200 ", "data: one\n\n");
    sse_event(w->asked[0], "data: tw");
    WAIT_FOR(c, "data: tw");
    engine_hang_up(w->asked[0]);
    WAIT_OVER(c);
    assert_true(got(c, "\n\nevent: error\ndata: {\"error\":{"));
}

/* --- clients that go away */

static void gone(struct world *w, void (*go)(struct client *c))
{
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    run_for(w->loop, 20);
    go(c);
    RUN_UNTIL(w->loop, !w->asked[0]->stream);
    ask(w, 1, LIVEZ, "HTTP/1.1 200 ", "ok\n");
    w->on_chat = engine_answer; /* its place is free again */
    for (int i = 0; i < 6; i++)
        ask(w, 2, CHAT, "HTTP/1.1 200 ", "{\"a\":1}\n");
}

static void close_sending_side(struct client *c)
{
    io_stream_finish(c->stream);
}

static void a_client_that_closes_cancels_its_work(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    w->config.backends[0].concurrency = 1;
    gone(w, hang_up);
}

static void a_client_that_closes_only_its_sending_side_has_gone_too(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    w->config.backends[0].concurrency = 1;
    gone(w, close_sending_side);
}

static void a_client_that_closes_in_mid_stream_cancels_its_work(void **state)
{
    struct world *w = *state;
    w->on_chat = begin_sse;
    w->config.backends[0].concurrency = 1;
    gone(w, hang_up);
}

static void a_client_gone_in_mid_upload_leaves_nothing(void **state)
{
    struct world *w = *state;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{");
    run_for(w->loop, 20);
    hang_up(c);
    struct client *other = ask(w, 1, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 ",
                               "grapevine_signatures_total ");
    assert_true(got(other, "grapevine_body_buffer_bytes 0\n"));
    assert_true(got(other, "status=\"499\"} 1\n"));
    assert_int_equal(w->engine_chats, 0);
}

/* --- waiting */

static void beyond_the_engines_places_requests_wait_in_order(void **state)
{
    struct world *w = *state;
    w->config.backends[0].concurrency = 1;
    w->on_chat = hold;
    start_node(w);
    for (int i = 0; i < 4; i++) {
        send_text(connect_client(w, i), CHAT);
        run_for(w->loop, 30);
    }
    assert_int_equal(w->engine_chats, 1);
    hang_up(&w->clients[1]); /* who leaves the queue leaves no gap */
    run_for(w->loop, 20);
    static const int order[] = {0, 2, 3};
    for (int i = 0; i < 3; i++) {
        RUN_UNTIL(w->loop, w->engine_chats == i + 1);
        run_for(w->loop, 10);
        assert_int_equal(w->engine_chats, i + 1);
        engine_answer(w->asked[i]);
        WAIT_FOR(&w->clients[order[i]], "{\"a\":1}\n");
    }
}

static void a_full_queue_is_429(void **state)
{
    struct world *w = *state;
    w->config.backends[0].concurrency = 1;
    w->config.limits.queue = 1;
    w->on_chat = hold;
    start_node(w);
    for (int i = 0; i < 2; i++) {
        send_text(connect_client(w, i), CHAT);
        run_for(w->loop, 30);
    }
    struct client *c = ask(w, 2, CHAT, "HTTP/1.1 429 ", "\"overloaded\"");
    assert_true(got(c, "retry-after: "));
    assert_int_equal(w->engine_chats, 1);
}

static void more_requests_than_allowed_at_once_are_429(void **state)
{
    struct world *w = *state;
    w->config.limits.inflight = 1;
    w->on_chat = hold;
    start_node(w);
    send_text(connect_client(w, 0), CHAT);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    ask(w, 1, CHAT, "HTTP/1.1 429 ", "\"overloaded\"");
    ask(w, 2, LIVEZ, "HTTP/1.1 200 ", "ok\n"); /* operators still get in */
    engine_answer(w->asked[0]);
    WAIT_FOR(&w->clients[0], "{\"a\":1}\n");
    w->on_chat = engine_answer;
    ask(w, 1, CHAT, "HTTP/1.1 200 ", "{\"a\":1}\n");
}

/* All places of the engine are lost at once: everybody who waits is told, however many. */
static void a_queue_behind_an_engine_that_died_is_answered(void **state)
{
    struct world *w = *state;
    w->config.backends[0].concurrency = 1;
    w->on_chat = hold;
    start_node(w);
    for (int i = 0; i < CLIENTS_MAX; i++)
        send_text(connect_client(w, i), CHAT);
    RUN_UNTIL(w->loop, w->engine_chats == 1);
    run_for(w->loop, 30);
    io_listener_close(w->listener);
    w->listener = NULL;
    for (int i = 0; i < w->engine_accepted; i++)
        engine_hang_up(&w->engine[i]);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        WAIT_FOR(&w->clients[i], "\r\n\r\n");
        assert_true(got(&w->clients[i], "HTTP/1.1 502 ") || got(&w->clients[i], "HTTP/1.1 503 "));
    }
}

static void the_deadline_is_504_and_cancels_the_work(void **state)
{
    struct world *w = *state;
    w->config.limits.request_timeout_ms = 200;
    w->on_chat = hold;
    start_node(w);
    ask(w, 0, CHAT, "HTTP/1.1 504 ", "\"deadline\"");
    RUN_UNTIL(w->loop, !w->asked[0]->stream);
}

static void the_deadline_in_mid_stream_is_an_error_event(void **state)
{
    struct world *w = *state;
    w->config.limits.request_timeout_ms = 200;
    w->on_chat = begin_sse;
    start_node(w);
    struct client *c = ask(w, 0, CHAT, "HTTP/1.1 200 ", "data: one\n\n");
    WAIT_OVER(c);
    assert_true(got(c, "\"deadline\""));
    RUN_UNTIL(w->loop, !w->asked[0]->stream);
}

/* --- back-pressure */

static void promise_much(struct engine_conn *conn)
{
    engine_say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 50331648\r\n\r\n");
}

/* The engine is held back by a client that does not read; then every byte comes, in order. */
static void a_client_that_does_not_read_holds_the_engine_back(void **state)
{
    enum { SIZE = 48 << 20, PIECE = 512 << 10 };
    struct world *w = *state;
    w->on_chat = promise_much;
    start_node(w);
    struct client *c = connect_client(w, 0);
    send_text(c, CHAT);
    WAIT_FOR(c, "\r\n\r\n");
    io_stream_pause(c->stream);
    struct engine_conn *engine = w->asked[0];
    size_t sent = 0;
    for (int idle = 0; idle < 20 && sent < SIZE; idle++) {
        run_for(w->loop, 10);
        if (io_stream_queued(engine->stream) > 0)
            continue;
        idle = 0;
        engine_send_much(engine, PIECE);
        sent += PIECE;
    }
    /* Four sockets hold a few megabytes each; all of it would mean that the node holds the rest. */
    assert_true(sent < SIZE || io_stream_queued(engine->stream) > 0);
    io_stream_read(c->stream);
    while (sent < SIZE) {
        RUN_UNTIL(w->loop, io_stream_queued(engine->stream) == 0);
        engine_send_much(engine, PIECE);
        sent += PIECE;
    }
    RUN_UNTIL(w->loop, c->in.size > SIZE);
    const uint8_t *body = c->in.data + c->in.size - SIZE;
    for (size_t i = 0; i < SIZE; i++)
        if (body[i] != (uint8_t)(i % PIECE * 7 + i % PIECE / 251))
            fail_msg("byte %zu is wrong", i);
    send_text(c, LIVEZ);
    WAIT_FOR(c, "ok\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(a_request_reaches_the_engine_as_it_came),
        NODE_TEST(an_answer_reaches_the_client_as_it_came),
        NODE_TEST(an_engine_cannot_forge_what_the_mesh_says),
        NODE_TEST(an_answer_without_a_body_stays_without),
        NODE_TEST(chunked_answers_end_with_the_connection_for_http_1_0),
        NODE_TEST(a_large_body_reaches_the_engine_whole),
        NODE_TEST(a_body_without_a_usable_model_is_told_why),
        NODE_TEST(bad_json_at_its_end_leaves_the_connection_usable),
        NODE_TEST(the_only_engines_error_is_passed_on),
        NODE_TEST(the_only_engines_429_is_passed_on),
        NODE_TEST(an_engine_that_hangs_up_is_502),
        NODE_TEST(an_engine_that_talks_nonsense_is_502),
        NODE_TEST(an_answer_that_breaks_off_ends_the_connection_early),
        NODE_TEST(chunks_that_break_off_have_no_end),
        NODE_TEST(what_follows_an_answer_reaches_nobody),
        NODE_TEST(events_pass_one_by_one),
        NODE_TEST(a_stream_that_breaks_off_ends_with_an_error_event),
        NODE_TEST(an_error_event_does_not_fill_up_a_stream_of_known_length),
        NODE_TEST(in_mid_event_the_error_begins_on_a_line_of_its_own),
        NODE_TEST(a_client_that_closes_cancels_its_work),
        NODE_TEST(a_client_that_closes_only_its_sending_side_has_gone_too),
        NODE_TEST(a_client_that_closes_in_mid_stream_cancels_its_work),
        NODE_TEST(a_client_gone_in_mid_upload_leaves_nothing),
        NODE_TEST(beyond_the_engines_places_requests_wait_in_order),
        NODE_TEST(a_full_queue_is_429),
        NODE_TEST(more_requests_than_allowed_at_once_are_429),
        NODE_TEST(a_queue_behind_an_engine_that_died_is_answered),
        NODE_TEST(the_deadline_is_504_and_cancels_the_work),
        NODE_TEST(the_deadline_in_mid_stream_is_an_error_event),
        NODE_TEST(a_client_that_does_not_read_holds_the_engine_back),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
