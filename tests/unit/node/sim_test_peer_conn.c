/* Requests over a hop, in a simulated world: an edge without an engine, a rack with one. What
 * passes, what is cancelled, what a lost node leaves behind. */
#include "tests/unit/node/hop_world.h"

static void a_request_is_answered_over_a_hop(void **state)
{
    struct world *w = *state;
    ask(w, CHAT);
    UNTIL(w, got(w, "{\"a\":1}\n"));
    assert_true(got(w, "HTTP/1.1 200 OK\r\n"));
    assert_true(got(w, "grapevine-node: rack\r\n"));
    assert_true(got(w, "grapevine-path: edge,rack\r\n"));
    assert_true(got(w, "x-engine: e\r\n"));
    assert_int_equal(w->chats, 1);
}

static void a_client_that_goes_away_cancels_the_work_over_the_hop(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    uint64_t gone_us = sim_world_now_us(w->sim);
    hang_up(&w->client);
    UNTIL(w, !w->asked->stream);
    assert_true(sim_world_now_us(w->sim) - gone_us < 100 * MS);
}

static void break_off(struct end *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
    io_stream_close_gracefully(conn->stream, 1000);
    conn->stream = NULL;
}

/* The break may overtake the head on the link: then nothing was said yet, and a 502 can be. */
static void an_answer_that_breaks_off_is_not_taken_for_whole(void **state)
{
    struct world *w = *state;
    w->on_chat = break_off;
    ask(w, CHAT);
    UNTIL(w, w->client.is_over || got(w, "backend_failed"));
    if (got(w, "backend_failed")) {
        assert_true(got(w, "HTTP/1.1 502 "));
        assert_false(got(w, "half"));
    } else {
        assert_true(got(w, "content-length: 100\r\n"));
        assert_false(got(w, "\"error\""));
    }
}

static void an_engine_that_hangs_up_is_a_502_from_the_other_side(void **state)
{
    struct world *w = *state;
    w->on_chat = hang_up;
    ask(w, CHAT);
    UNTIL(w, got(w, "backend_failed"));
    assert_true(got(w, "HTTP/1.1 502 "));
}

static void no_body(struct end *conn)
{
    say(conn, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void an_answer_without_a_body_passes(void **state)
{
    struct world *w = *state;
    w->on_chat = no_body;
    ask(w, CHAT);
    UNTIL(w, got(w, "\r\n\r\n"));
    assert_true(got(w, "HTTP/1.1 204 "));
    run_for(w, SECOND);
    assert_false(w->client.is_over);
}

/* The first, the edge's own, asks to come back later; from then on it is the second choice. */
static void pretend_not_to_have_answered(struct end *conn)
{
    if (conn->w->chats == 1)
        say(conn, "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n");
    else
        say(conn, "HTTP/1.1 200 OK\r\nGrapevine-Reason: overloaded\r\ncontent-length: 2\r\n\r\n"
                  "{}");
}

static void an_engine_cannot_have_its_answer_taken_for_a_refusal(void **state)
{
    struct world *w = *state;
    w->on_chat = pretend_not_to_have_answered;
    for (int i = 2; i <= 3; i++) {
        ask(w, CHAT);
        UNTIL(w, got(w, "\r\n\r\n{}"));
        assert_true(got(w, "grapevine-node: rack\r\n"));
        assert_int_equal(w->chats, i);
    }
}

static void a_target_too_long_for_an_envelope_is_said_to_be_too_long(void **state)
{
    struct world *w = *state;
    char request[3000], query[2000];
    memset(query, 'q', sizeof query - 1);
    query[sizeof query - 1] = '\0';
    snprintf(request, sizeof request,
             "POST /v1/chat/completions?%s HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n\r\n"
             "{\"model\":\"m\",\"messages\":[]}",
             query);
    ask(w, request);
    UNTIL(w, got(w, "uri_too_long"));
    assert_true(got(w, "HTTP/1.1 414 "));
    assert_int_equal(w->chats, 0);
}

static void much(struct end *conn)
{
    enum { SIZE = 900000 };
    char *data = malloc(SIZE);
    memset(data, 'x', SIZE);
    struct bytes parts[] = {BYTES("HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n"),
                            bytes_of(data, SIZE)};
    io_stream_write(conn->stream, parts, 2);
    free(data);
}

static void a_client_that_does_not_read_holds_the_engine_back_over_the_hop(void **state)
{
    struct world *w = *state;
    w->on_chat = much;
    ask(w, CHAT);
    UNTIL(w, got(w, "\r\n\r\n"));
    io_stream_pause(w->client.stream);
    run_for(w, 5 * SECOND);
    assert_true(io_stream_queued(w->asked->stream) > 300000);
    io_stream_read(w->client.stream);
    UNTIL(w, w->client.in.size > 900000);
    assert_false(w->client.is_over);
}

/* Nothing to send to, nobody to wait for: the exchange just ends. */
static void a_node_closed_while_a_receipt_waits_to_be_signed_leaves_nothing(void **state)
{
    struct world *w = *state;
    w->closes_rack_when_done = true;
    ask(w, CHAT);
    UNTIL(w, !w->rack.node);
    UNTIL(w, w->client.is_over || got(w, "\r\n\r\n"));
}

static void a_node_closed_in_mid_answer_is_noticed(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    say(w->asked, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                  "transfer-encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n");
    UNTIL(w, got(w, "data: one\n\n"));
    node_close(w->rack.node);
    w->rack.node = NULL;
    UNTIL(w, w->client.is_over);
    assert_true(got(w, "\"link_lost\"") || got(w, "\"backend_failed\""));
    assert_false(got(w, "[DONE]"));
}

static void an_edge_closed_in_mid_request_cancels_the_work(void **state)
{
    struct world *w = *state;
    w->on_chat = hold;
    ask(w, CHAT);
    UNTIL(w, w->chats == 1);
    node_close(w->edge.node);
    w->edge.node = NULL;
    UNTIL(w, !w->asked->stream);
    UNTIL(w, w->client.is_over);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_over_a_hop),
        TEST(a_client_that_goes_away_cancels_the_work_over_the_hop),
        TEST(an_answer_that_breaks_off_is_not_taken_for_whole),
        TEST(an_engine_that_hangs_up_is_a_502_from_the_other_side),
        TEST(an_answer_without_a_body_passes),
        cmocka_unit_test_setup_teardown(an_engine_cannot_have_its_answer_taken_for_a_refusal,
                                        setup_two_engines, teardown),
        TEST(a_target_too_long_for_an_envelope_is_said_to_be_too_long),
        TEST(a_client_that_does_not_read_holds_the_engine_back_over_the_hop),
        TEST(a_node_closed_while_a_receipt_waits_to_be_signed_leaves_nothing),
        TEST(a_node_closed_in_mid_answer_is_noticed),
        TEST(an_edge_closed_in_mid_request_cancels_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
