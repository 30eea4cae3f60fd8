/* What one side of a hop does to the other: requests that never come whole, too many of them,
 * deadlines that differ, answers that cannot be passed on, trails that are lies, streams that get
 * lost before they answer. */
#include "tests/unit/node/hop_ask.h"

#define CHAT_P                                                                                     \
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 27\r\n\r\n"                  \
    "{\"model\":\"p\",\"messages\":[]}"

static bool rack_is_idle(struct world *w)
{
    ask_at(w, &w->rack, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "grapevine_requests_inflight "));
    return got(w, "grapevine_requests_inflight 0\n");
}

/* --- requests that a peer does not bring */

static void a_peer_that_sends_its_body_too_slowly_is_refused(void **state)
{
    struct world *w = *state;
    struct hop_peer p;
    w->rack.config.limits.header_timeout_ms = 1000;
    open_nodes(w);
    hop_peer_open(&p, w, &w->rack);
    struct hop_stream *s = hop_ask(&p, 0, &w->rack, BYTES(HOP_BODY));
    hop_send(s, BYTES("{\"mo"));
    run_for(w, 500 * MS);
    assert_int_equal(s->status, 0);
    UNTIL(w, s->status != 0);
    assert_int_equal(s->status, 408);
    assert_string_equal(s->reason, "request_timeout");
    assert_true(rack_is_idle(w));
    UNTIL(w, s->is_closed); /* it goes on holding the stream: that is ended, too */
    assert_int_equal(w->chats, 0);
    hop_peer_close(&p);
}

static void a_peer_that_brings_enough_in_each_span_may_take_its_time(void **state)
{
    struct world *w = *state;
    struct hop_peer p;
    char body[8000];
    memset(body, ' ', sizeof body);
    memcpy(body, HOP_BODY, sizeof HOP_BODY - 1);
    w->rack.config.limits.header_timeout_ms = 1000;
    open_nodes(w);
    hop_peer_open(&p, w, &w->rack);
    struct hop_stream *s = hop_ask(&p, 0, &w->rack, bytes_of(body, sizeof body));
    for (size_t at = 0; at < sizeof body; at += 1000) {
        hop_send(s, bytes_of(body + at, 1000));
        run_for(w, 480 * MS);
        assert_int_equal(s->status, 0);
    }
    assert_int_equal(h2_end(s->ms.h2, NULL), ERR_OK);
    UNTIL(w, s->is_whole);
    assert_int_equal(s->status, 200);
    hop_peer_close(&p);
}

static void a_peer_may_hold_half_of_the_places(void **state)
{
    struct world *w = *state;
    struct hop_peer p;
    w->rack.config.limits.inflight = 4;
    open_nodes(w);
    hop_peer_open(&p, w, &w->rack);
    struct hop_stream *first = hop_ask(&p, 0, &w->rack, BYTES(HOP_BODY));
    hop_ask(&p, 1, &w->rack, BYTES(HOP_BODY));
    struct hop_stream *third = hop_ask(&p, 2, &w->rack, BYTES(HOP_BODY));
    UNTIL(w, third->status != 0);
    assert_int_equal(third->status, 429);
    assert_string_equal(third->reason, "overloaded");
    ask_at(w, &w->rack, CHAT);
    UNTIL(w, got(w, "{\"a\":1}\n")); /* others find a place */
    mesh_stream_cancel(&first->ms);
    run_for(w, SECOND);
    struct hop_stream *next = hop_ask(&p, 3, &w->rack, BYTES(HOP_BODY));
    hop_send(next, BYTES(HOP_BODY));
    assert_int_equal(h2_end(next->ms.h2, NULL), ERR_OK);
    UNTIL(w, next->is_whole);
    assert_int_equal(next->status, 200);
    hop_peer_close(&p);
}

/* --- deadlines */

static void an_executor_with_less_time_says_that_it_was_the_deadline(void **state)
{
    struct world *w = *state;
    w->rack.config.limits.request_timeout_ms = 1000;
    w->on_chat = hold;
    open_nodes(w);
    ask(w, CHAT);
    UNTIL(w, got(w, "\"code\":\""));
    assert_true(got(w, "HTTP/1.1 504 "));
    assert_true(got(w, "\"code\":\"deadline\""));
}

static void begin_stream(struct end *conn)
{
    say(conn, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
              "transfer-encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n");
}

static void it_says_so_in_the_middle_of_a_stream_too(void **state)
{
    struct world *w = *state;
    w->rack.config.limits.request_timeout_ms = 1000;
    w->on_chat = begin_stream;
    open_nodes(w);
    ask(w, CHAT);
    UNTIL(w, got(w, "\"code\":\""));
    assert_true(got(w, "data: one\n\n"));
    assert_true(got(w, "data: {\"error\":"));
    assert_true(got(w, "\"code\":\"deadline\""));
    assert_false(got(w, "[DONE]"));
}

static void break_stream(struct end *conn)
{
    begin_stream(conn);
    io_stream_close_gracefully(conn->stream, 1000);
    conn->stream = NULL;
}

static void what_came_before_a_break_is_passed_on_before_it(void **state)
{
    struct world *w = *state;
    w->on_chat = break_stream;
    open_nodes(w);
    ask(w, CHAT);
    UNTIL(w, got(w, "\"code\":\""));
    assert_true(got(w, "data: one\n\n"));
    assert_true(got(w, "\"code\":\"backend_failed\""));
}

/* --- answers that cannot be passed on */

static void many_fields(struct end *conn)
{
    char text[8000] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n";
    for (int i = 0; i < 98; i++)
        snprintf(text + strlen(text), 40, "x-field-%d: %d\r\n", i, i);
    snprintf(text + strlen(text), 8, "\r\n{}");
    say(conn, text);
}

static void odd_status(struct end *conn)
{
    say(conn, "HTTP/1.1 612 Odd\r\ncontent-length: 2\r\n\r\n{}");
}

static void large_field(struct end *conn)
{
    enum { SIZE = 65450 }; /* no more than an engine may send, but for the fields that nodes add */
    char *data = malloc(SIZE);
    memset(data, 'x', SIZE);
    struct bytes parts[] = {BYTES("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-large: "),
                            bytes_of(data, SIZE), BYTES("\r\n\r\n{}")};
    io_stream_write(conn->stream, parts, 3);
    free(data);
}

static void an_answer_that_no_hop_can_carry_is_a_502_that_says_why(void **state)
{
    static const struct {
        void (*on_chat)(struct end *conn);
        const char *why;
    } rows[] = {{many_fields, "too many header fields"},
                {odd_status, "status is not between 100 and 599"},
                {large_field, "header is too large to pass on"}};
    struct world *w = *state;
    open_nodes(w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        w->on_chat = rows[i].on_chat;
        ask(w, CHAT);
        UNTIL(w, got(w, "\"code\":\""));
        assert_true(got(w, "HTTP/1.1 502 "));
        assert_true(got(w, "\"code\":\"backend_failed\""));
        assert_true(got(w, rows[i].why));
    }
    w->on_chat = answer;
    ask(w, CHAT);
    UNTIL(w, got(w, "{\"a\":1}\n"));
}

#define CHAT_WITH_ID                                                                               \
    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-request-id: known\r\n"                     \
    "content-length: 27\r\n\r\n{\"model\":\"m\",\"messages\":[]}"
#define GET_RECEIPT "GET /mesh/v1/receipts/known HTTP/1.1\r\nhost: a\r\n\r\n"

static void say_418(struct end *conn)
{
    say(conn, "HTTP/1.1 418 Odd\r\ncontent-length: 2\r\n\r\n{}");
}

static void no_receipt_tells_of_another_status_than_the_client_saw(void **state)
{
    struct world *w = *state;
    w->on_chat = large_field;
    open_nodes(w);
    ask(w, CHAT_WITH_ID);
    UNTIL(w, got(w, "HTTP/1.1 502 "));
    ask_control(w, &w->edge, GET_RECEIPT);
    UNTIL(w, got(w, "\r\n\r\n"));
    assert_true(got(w, "HTTP/1.1 404 "));
    w->on_chat = say_418;
    ask(w, CHAT_WITH_ID);
    UNTIL(w, got(w, "HTTP/1.1 418 "));
    run_for(w, SECOND);
    ask_control(w, &w->edge, GET_RECEIPT);
    UNTIL(w, got(w, "\"role\":\"executor\""));
    assert_true(got(w, "\"status\":418"));
    assert_false(got(w, "\"status\":200"));
}

/* --- trails */

static const char *trail[2]; /* grapevine-node and -path that the peer sends; NULL: not this one */

static void answer_with_trail(struct hop_stream *s)
{
    static const enum http_name names[] = {HTTP_GRAPEVINE_NODE, HTTP_GRAPEVINE_PATH};
    struct http_field fields[2];
    size_t count = 0;
    for (int i = 0; i < 2; i++)
        if (trail[i])
            fields[count++] =
                (struct http_field){names[i], http_name_text(names[i]), bytes_from_str(trail[i])};
    struct http_head head = {
        .status = 200, .content_length = -1, .fields = fields, .field_count = count};
    assert_int_equal(h2_respond(s->ms.h2, &head, false), ERR_OK);
    assert_int_equal(h2_send(s->ms.h2, BYTES("{\"b\":2}\n")), ERR_OK);
    assert_int_equal(h2_end(s->ms.h2, NULL), ERR_OK);
}

static void a_trail_that_makes_sense_reaches_the_client(void **state)
{
    struct world *w = *state;
    struct hop_peer p;
    open_nodes(w);
    hop_peer_open(&p, w, &w->edge);
    p.on_asked = answer_with_trail;
    trail[0] = "far-2";
    trail[1] = "peer,far-2";
    ask(w, CHAT_P);
    UNTIL(w, got(w, "{\"b\":2}\n"));
    assert_true(got(w, "grapevine-node: far-2\r\n"));
    assert_true(got(w, "grapevine-path: edge,peer,far-2\r\n"));
    hop_peer_close(&p);
}

static void a_trail_that_makes_none_is_left_out_and_counted(void **state)
{
    static const char *const rows[][2] = {
        {"peer", NULL},
        {NULL, "peer"},
        {"peer", "other"},            /* another than who was asked */
        {"other", "peer"},            /* not its end */
        {"Peer!", "peer,Peer!"},      /* no name */
        {"peer", "peer,,peer"},       /* an empty one */
        {"", "peer,"},                /* likewise */
        {"d", "peer,b,c,d"},          /* more hops than there can be */
        {"peer\x80", "peer,peer\x80"} /* no ASCII */
    };
    struct world *w = *state;
    struct hop_peer p;
    char line[80];
    size_t count = sizeof rows / sizeof rows[0];
    _Static_assert(sizeof rows / sizeof rows[0] > HOP_ASKS_MAX, "slots are used again");
    open_nodes(w);
    hop_peer_open(&p, w, &w->edge);
    p.on_asked = answer_with_trail;
    for (size_t i = 0; i < count; i++) {
        memcpy(trail, rows[i], sizeof trail);
        p.asked_count = 0;
        ask(w, CHAT_P);
        UNTIL(w, got(w, "{\"b\":2}\n"));
        assert_false(got(w, "grapevine-"));
    }
    snprintf(line, sizeof line, "grapevine_peer_trails_refused_total %zu\n", count);
    ask(w, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(w, got(w, "grapevine_peer_trails_refused_total "));
    assert_true(got(w, line));
    hop_peer_close(&p);
}

/* --- a second try */

static void reset_the_first(struct hop_stream *s)
{
    if (s->peer->asked_count == 1) {
        mesh_stream_cancel(&s->ms);
        return;
    }
    trail[0] = trail[1] = "peer";
    answer_with_trail(s);
}

static void reset_all(struct hop_stream *s)
{
    mesh_stream_cancel(&s->ms);
}

static void a_peer_whose_answer_got_lost_before_it_began_is_asked_again(void **state)
{
    struct world *w = *state;
    struct hop_peer p;
    open_nodes(w);
    hop_peer_open(&p, w, &w->edge);
    p.on_asked = reset_the_first;
    ask(w, CHAT_P);
    UNTIL(w, got(w, "\r\n\r\n"));
    assert_true(got(w, "HTTP/1.1 200 "));
    assert_int_equal(p.asked_count, 2);
    hop_peer_close(&p);
}

static void it_is_not_asked_a_third_time(void **state)
{
    struct world *w = *state;
    struct hop_peer p;
    open_nodes(w);
    hop_peer_open(&p, w, &w->edge);
    p.on_asked = reset_all;
    ask(w, CHAT_P);
    UNTIL(w, got(w, "backend_failed"));
    assert_true(got(w, "HTTP/1.1 502 "));
    assert_int_equal(p.asked_count, 2);
    hop_peer_close(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_sends_its_body_too_slowly_is_refused),
        TEST(a_peer_that_brings_enough_in_each_span_may_take_its_time),
        TEST(a_peer_may_hold_half_of_the_places),
        TEST(an_executor_with_less_time_says_that_it_was_the_deadline),
        TEST(it_says_so_in_the_middle_of_a_stream_too),
        TEST(what_came_before_a_break_is_passed_on_before_it),
        TEST(an_answer_that_no_hop_can_carry_is_a_502_that_says_why),
        TEST(no_receipt_tells_of_another_status_than_the_client_saw),
        TEST(a_trail_that_makes_sense_reaches_the_client),
        TEST(a_trail_that_makes_none_is_left_out_and_counted),
        TEST(a_peer_whose_answer_got_lost_before_it_began_is_asked_again),
        TEST(it_is_not_asked_a_third_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
