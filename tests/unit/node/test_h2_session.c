/* node/http/h2: a client and a server session joined by memory. */
#include "tests/support/h2_pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct h2_cfg cfg = {
    .streams_max = 8,
    .stream_window = 65535,
    .connection_window = 262144,
    .head_max = 4096,
};

static struct http_field field(const char *name, const char *value)
{
    struct bytes n = bytes_from_str(name);
    return (struct http_field){http_name_of(n), n, bytes_from_str(value)};
}

static const struct http_head get = {
    .method = HTTP_GET, .target = {(const uint8_t *)"/x", 2}, .host = {(const uint8_t *)"h", 1}};
static const struct http_head post = {
    .method = HTTP_POST, .target = {(const uint8_t *)"/x", 2}, .host = {(const uint8_t *)"h", 1}};
static const struct http_head ok = {.status = 200};

static int setup(void **state)
{
    *state = pair_create(cfg, cfg);
    return 0;
}

static int teardown(void **state)
{
    pair_destroy((struct pair *)*state);
    return 0;
}

static void assert_text(struct pair_side *side, const char *expected)
{
    assert_int_equal(buf_append_byte(&side->text, 0), ERR_OK);
    assert_string_equal((char *)side->text.data, expected);
    buf_clear(&side->text);
}

static void a_request_and_its_answer_pass_with_their_fields(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct http_field fields[] = {field("Accept", "*/*"), field("content-length", "5"),
                                  field("expect", "100-continue"), field("connection", "close"),
                                  field("Host", "other")};
    struct http_head head = post;
    head.fields = fields;
    head.field_count = 5;
    struct pair_stream *c = pair_request(p, &head, false);
    assert_int_equal(h2_send(c->s, BYTES("hello")), ERR_OK);
    assert_int_equal(h2_end(c->s, NULL), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_text(&p->server, "POST /x host=h length=5 continue accept:*/* content-length:5 "
                            "expect:100-continue\nend\n");
    struct pair_stream *s = &p->server.streams[0];
    assert_true(bytes_equal(buf_bytes(&s->data), BYTES("hello")));

    struct http_field answer_fields[] = {field("Content-Type", "text/plain")};
    struct http_head answer = {.status = 404, .fields = answer_fields, .field_count = 1};
    assert_int_equal(h2_respond(s->s, &answer, false), ERR_OK);
    assert_int_equal(h2_send(s->s, BYTES("no")), ERR_OK);
    assert_int_equal(h2_end(s->s, NULL), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_text(&p->client, "404 length=-1 content-type:text/plain\nend\n");
    assert_true(bytes_equal(buf_bytes(&c->data), BYTES("no")));
    assert_true(c->closed && s->closed);
    assert_int_equal(c->reason, ERR_OK);
    assert_int_equal(s->reason, ERR_OK);
    assert_int_equal(h2_stream_count(p->client.h) + h2_stream_count(p->server.h), 0);
}

static void heads_without_bodies_say_so_and_no_end_follows(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *c = pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_text(&p->server, "GET /x host=h length=-1 ended\n");
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_text(&p->client, "200 length=-1 ended\n");
    assert_int_equal(c->reason, ERR_OK);
    assert_true(c->closed);
}

static void trailers_arrive_with_the_end_both_ways(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct http_field fields[] = {field("grapevine-receipts", "r1"), field("empty", "")};
    struct http_head trailers = {.fields = fields, .field_count = 2};
    struct pair_stream *c = pair_request(p, &post, false);
    assert_int_equal(h2_end(c->s, &trailers), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_text(&p->server, "POST /x host=h length=-1\nend grapevine-receipts:r1 empty:\n");
    struct pair_stream *s = &p->server.streams[0];
    assert_int_equal(h2_respond(s->s, &ok, false), ERR_OK);
    assert_int_equal(h2_send(s->s, BYTES("x")), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(h2_end(s->s, &trailers), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_text(&p->client, "200 length=-1\nend grapevine-receipts:r1 empty:\n");
    assert_int_equal(c->reason, ERR_OK);
    assert_true(c->closed);
}

static void a_large_body_flows_by_on_want_and_credit(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *c = pair_request(p, &post, false);
    c->to_send = 3 << 20;
    assert_int_equal(h2_send(c->s, BYTES("x")), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_true(p->server.streams[0].ended);
    assert_int_equal(p->server.streams[0].data.size, (3 << 20) + 1);
    assert_true(c->wants >= (3 << 20) / 16384);
}

static void a_receiver_that_holds_its_credit_stops_the_sender(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *c = pair_request(p, &post, false);
    assert_int_equal(pair_pump(p), ERR_OK);
    struct pair_stream *s = &p->server.streams[0];
    s->hold_credit = true;
    c->to_send = 1 << 20;
    assert_int_equal(h2_send(c->s, BYTES("x")), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(s->data.size, cfg.stream_window);
    assert_true(h2_send_queued(c->s) > 0);
    h2_consume(s->s, cfg.stream_window);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(s->data.size, 2 * cfg.stream_window);
    s->hold_credit = false;
    h2_consume(s->s, cfg.stream_window);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_true(s->ended);
}

static void one_stuck_stream_does_not_stop_another(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *stuck = pair_request(p, &post, false);
    assert_int_equal(pair_pump(p), ERR_OK);
    p->server.streams[0].hold_credit = true;
    stuck->to_send = 1 << 20;
    assert_int_equal(h2_send(stuck->s, BYTES("x")), ERR_OK);
    struct pair_stream *free_one = pair_request(p, &post, false);
    free_one->to_send = 1 << 20;
    assert_int_equal(h2_send(free_one->s, BYTES("x")), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_true(p->server.streams[1].ended);
    assert_false(p->server.streams[0].ended);
}

static void credit_of_a_cancelled_stream_returns_to_the_connection(void **state)
{
    struct pair *p = (struct pair *)*state;
    for (int i = 0; i < 20; i++) { /* together far more than connection_window */
        struct pair_stream *c = pair_request(p, &post, false);
        assert_non_null(c);
        assert_int_equal(pair_pump(p), ERR_OK);
        struct pair_stream *s = &p->server.streams[i];
        s->hold_credit = true;
        c->to_send = 1 << 20;
        assert_int_equal(h2_send(c->s, BYTES("x")), ERR_OK);
        assert_int_equal(pair_pump(p), ERR_OK);
        assert_int_equal(s->data.size, cfg.stream_window);
        pair_cancel(s);
        assert_int_equal(pair_pump(p), ERR_OK);
        assert_int_equal(c->reason, ERR_CANCELLED);
    }
}

static void the_send_queue_is_bounded(void **state)
{
    struct pair *p = (struct pair *)*state;
    static uint8_t data[H2_SEND_QUEUE_MAX];
    struct pair_stream *c = pair_request(p, &post, false);
    assert_int_equal(h2_send(c->s, bytes_of(data, sizeof data)), ERR_OK);
    assert_int_equal(h2_send(c->s, BYTES("x")), ERR_LIMIT);
    assert_int_equal(h2_send_queued(c->s), sizeof data);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(h2_send_queued(c->s), 0);
    assert_int_equal(h2_send(c->s, bytes_of(data, sizeof data)), ERR_OK);
    assert_int_equal(h2_end(c->s, NULL), ERR_OK);
    assert_int_equal(h2_send(c->s, BYTES("x")), ERR_INVALID);
    assert_int_equal(h2_end(c->s, NULL), ERR_INVALID);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->server.streams[0].data.size, 2 * sizeof data);
}

static void requests_beyond_the_peers_maximum_are_told_apart(void **state)
{
    struct pair *p = (struct pair *)*state;
    assert_int_equal(pair_pump(p), ERR_OK); /* settings */
    for (uint32_t i = 0; i < cfg.streams_max; i++)
        assert_non_null(pair_request(p, &get, true));
    struct h2_stream *s;
    assert_false(h2_can_request(p->client.h));
    assert_int_equal(h2_request(p->client.h, &get, true, NULL, &s), ERR_LIMIT);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->server.count, cfg.streams_max);
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_non_null(pair_request(p, &get, true));
}

/* Both halves ended for the client, while the server still has to say that it reset them. */
static void streams_that_a_server_resets_leave_room_for_as_many(void **state)
{
    struct pair *p = (struct pair *)*state;
    bool moved;
    for (uint32_t i = 0; i < cfg.streams_max; i++)
        assert_non_null(pair_request(p, &post, false));
    assert_int_equal(pair_pump(p), ERR_OK);
    for (uint32_t i = 0; i < cfg.streams_max; i++)
        assert_int_equal(h2_respond(p->server.streams[i].s, &ok, true), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    for (uint32_t i = 0; i < cfg.streams_max; i++) {
        pair_cancel(&p->server.streams[i]);
        assert_int_equal(h2_end(p->client.streams[i].s, NULL), ERR_OK);
    }
    for (moved = true; moved;)
        assert_int_equal(pair_move(&p->client, &p->server, &moved), ERR_OK);
    for (uint32_t i = 0; i < cfg.streams_max; i++)
        assert_non_null(pair_request(p, &get, true));
    for (moved = true; moved;)
        assert_int_equal(pair_move(&p->client, &p->server, &moved), ERR_OK);
    assert_int_equal(p->server.count, 2 * cfg.streams_max);
    assert_int_equal(pair_pump(p), ERR_OK);
}

static void a_refused_request_is_safe_to_retry(void **state)
{
    struct pair *p = (struct pair *)*state;
    p->server.refuse = ERR_OVERLOADED;
    struct pair_stream *c = pair_request(p, &post, false);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(c->reason, ERR_REFUSED);
    assert_int_equal(p->server.count, 0);
    assert_int_equal(h2_stream_count(p->server.h), 0);
}

static void a_client_that_cancels_is_seen_by_the_server(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *c = pair_request(p, &post, false);
    assert_int_equal(pair_pump(p), ERR_OK);
    pair_cancel(c);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->server.streams[0].reason, ERR_CANCELLED);
    assert_false(c->closed);
    assert_int_equal(h2_stream_count(p->client.h), 0);
}

static void a_request_cancelled_before_it_was_sent_never_arrives(void **state)
{
    struct pair *p = (struct pair *)*state;
    pair_cancel(pair_request(p, &post, false));
    struct pair_stream *c = pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->server.count, 1);
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(c->status, 200);
}

static void streams_may_be_cancelled_in_their_own_callbacks(void **state)
{
    struct pair *p = (struct pair *)*state;
    p->server.cancel_requests = true;
    struct pair_stream *c = pair_request(p, &post, false);
    assert_int_equal(h2_send(c->s, BYTES("x")), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(c->reason, ERR_CANCELLED);
    p->server.cancel_requests = false;

    for (int on_data = 0; on_data < 2; on_data++) {
        c = pair_request(p, &get, true);
        c->cancel_on_data = on_data;
        c->cancel_on_head = !on_data;
        assert_int_equal(pair_pump(p), ERR_OK);
        struct pair_stream *s = &p->server.streams[1 + on_data];
        assert_int_equal(h2_respond(s->s, &ok, false), ERR_OK);
        s->to_send = 1 << 20;
        assert_int_equal(h2_send(s->s, BYTES("x")), ERR_OK);
        assert_int_equal(pair_pump(p), ERR_OK);
        assert_int_equal(s->reason, ERR_CANCELLED);
        assert_false(c->closed);
    }
}

static void after_a_drain_running_streams_go_on_and_new_ones_do_not(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *c = pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    struct pair_stream *late = pair_request(p, &get, true); /* on its way when the GOAWAY comes */
    h2_drain(p->server.h);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->client.goaways, 1);
    assert_false(h2_can_request(p->client.h));
    struct h2_stream *s;
    assert_int_equal(h2_request(p->client.h, &get, true, NULL, &s), ERR_DRAINING);
    assert_true(late->closed);
    assert_int_equal(late->reason, ERR_REFUSED);
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(c->status, 200);
    assert_int_equal(p->server.count, 1);
}

static void a_drained_client_opens_no_more_and_its_streams_go_on(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct pair_stream *c = pair_request(p, &get, true);
    h2_drain(p->client.h); /* before anything was sent or received */
    struct h2_stream *s;
    assert_int_equal(h2_request(p->client.h, &get, true, NULL, &s), ERR_DRAINING);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(c->status, 200);
}

static void destroy_closes_every_stream_as_lost(void **state)
{
    (void)state;
    struct pair *p = pair_create(cfg, cfg);
    struct pair_stream *a = pair_request(p, &get, true);
    struct pair_stream *b = pair_request(p, &post, false);
    assert_int_equal(pair_pump(p), ERR_OK);
    h2_destroy(p->client.h);
    p->client.h = NULL;
    assert_int_equal(a->reason, ERR_LINK_LOST);
    assert_int_equal(b->reason, ERR_LINK_LOST);
    pair_destroy(p);
}

static void a_header_over_the_limit_resets_its_stream_only(void **state)
{
    struct pair *p = (struct pair *)*state;
    char value[5000];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = 0;
    struct http_field fields[] = {field("big", value)};
    struct http_head head = get;
    head.fields = fields;
    head.field_count = 1;
    struct pair_stream *c = pair_request(p, &head, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_true(c->closed);
    assert_int_equal(c->reason, ERR_RESET);
    c = pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->server.count, 1);

    struct http_head answer = ok;
    answer.fields = fields;
    answer.field_count = 1;
    assert_int_equal(h2_respond(p->server.streams[0].s, &answer, false), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_true(c->closed);
    assert_int_equal(c->reason, ERR_PROTOCOL);
}

static void a_body_that_belies_its_length_is_a_protocol_error(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct http_field fields[] = {field("content-length", "5")};
    struct http_head head = post;
    head.fields = fields;
    head.field_count = 1;
    struct pair_stream *c = pair_request(p, &head, false);
    assert_int_equal(h2_send(c->s, BYTES("four")), ERR_OK);
    assert_int_equal(h2_end(c->s, NULL), ERR_OK);
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_false(p->server.streams[0].ended);
    assert_int_equal(p->server.streams[0].reason, ERR_PROTOCOL);
    assert_int_equal(c->reason, ERR_PROTOCOL);
}

static void malformed_requests_and_answers_are_refused_at_home(void **state)
{
    struct pair *p = (struct pair *)*state;
    struct h2_stream *s;
    struct http_head no_method = get;
    no_method.method = HTTP_METHOD_OTHER;
    assert_int_equal(h2_request(p->client.h, &no_method, true, NULL, &s), ERR_INVALID);
    assert_int_equal(h2_request(p->server.h, &get, true, NULL, &s), ERR_INVALID);
    pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    struct http_head interim = {.status = 100};
    assert_int_equal(h2_respond(p->server.streams[0].s, &interim, true), ERR_INVALID);
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_OK);
    assert_int_equal(h2_respond(p->server.streams[0].s, &ok, true), ERR_INVALID);
}

static void a_head_larger_than_a_block_is_refused_at_home(void **state)
{
    struct pair *p = (struct pair *)*state;
    enum { SIZE = 65500 };
    char *value = malloc(SIZE);
    memset(value, 'x', SIZE);
    struct http_field field = {HTTP_OTHER, BYTES("x-large"), bytes_of(value, SIZE)};
    struct http_head large = {.status = 200, .fields = &field, .field_count = 1};
    pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    struct h2_stream *s = p->server.streams[0].s;
    assert_int_equal(h2_respond(s, &large, true), ERR_HEADER_TOO_LARGE);
    assert_int_equal(h2_respond(s, &ok, true), ERR_OK); /* nothing was sent */
    assert_int_equal(pair_pump(p), ERR_OK);
    assert_int_equal(p->client.streams[0].reason, ERR_OK);
    free(value);
}

static void output_is_told_once_until_it_is_pulled(void **state)
{
    struct pair *p = (struct pair *)*state;
    pair_request(p, &get, true);
    pair_request(p, &get, true);
    assert_int_equal(p->client.outputs, 1);
    assert_int_equal(pair_pump(p), ERR_OK);
    size_t before = p->client.outputs;
    pair_request(p, &get, true);
    assert_int_equal(p->client.outputs, before + 1);
}

static void garbage_breaks_the_session(void **state)
{
    struct pair *p = (struct pair *)*state;
    assert_int_equal(h2_feed(p->server.h, BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
                     ERR_PROTOCOL);
}

static void a_connection_error_is_told_to_the_peer_before_the_session_fails(void **state)
{
    struct pair *p = (struct pair *)*state;
    pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    /* DATA on stream 0 */
    assert_int_equal(h2_feed(p->server.h, bytes_of("\0\0\1\0\0\0\0\0\0x", 10)), ERR_OK);
    struct bytes piece = {0};
    assert_int_equal(h2_pull(p->server.h, &piece), ERR_OK);
    assert_true(piece.size > 0);
    assert_int_equal(h2_feed(p->client.h, piece), ERR_OK);
    assert_int_equal(p->client.goaways, 1);
    assert_int_equal(h2_pull(p->server.h, &piece), ERR_PROTOCOL);
    assert_int_equal(h2_feed(p->server.h, BYTES("x")), ERR_PROTOCOL);
}

static void a_ping_flood_breaks_the_session(void **state)
{
    struct pair *p = (struct pair *)*state;
    pair_request(p, &get, true);
    assert_int_equal(pair_pump(p), ERR_OK);
    enum err e = ERR_OK;
    for (int i = 0; i < 100000 && e == ERR_OK; i++)
        e = h2_feed(p->server.h, bytes_of("\0\0\10\6\0\0\0\0\0pingping", 17));
    assert_int_equal(e, ERR_PROTOCOL);
}

static void many_streams_one_after_another_reuse_their_objects(void **state)
{
    struct pair *p = (struct pair *)*state;
    for (int i = 0; i < 200; i++) {
        struct pair_stream *c = pair_request(p, &post, false);
        c->to_send = 100;
        assert_int_equal(h2_send(c->s, BYTES("x")), ERR_OK);
        assert_int_equal(pair_pump(p), ERR_OK);
        struct pair_stream *s = &p->server.streams[i];
        assert_true(s->ended);
        assert_int_equal(h2_respond(s->s, &ok, true), ERR_OK);
        assert_int_equal(pair_pump(p), ERR_OK);
        assert_int_equal(c->reason, ERR_OK);
        assert_true(c->closed);
    }
}

static void wrong_windows_are_refused(void **state)
{
    (void)state;
    struct h2_cfg wrong = cfg;
    wrong.stream_window = UINT32_MAX;
    struct h2 *h = NULL;
    assert_int_equal(h2_create(&wrong, NULL, NULL, &h), ERR_INVALID);
    assert_null(h);
    h2_destroy(NULL);
    assert_int_equal(h2_library_version()[1], '.');
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(a_request_and_its_answer_pass_with_their_fields),
        WITH_PAIR(heads_without_bodies_say_so_and_no_end_follows),
        WITH_PAIR(trailers_arrive_with_the_end_both_ways),
        WITH_PAIR(a_large_body_flows_by_on_want_and_credit),
        WITH_PAIR(a_receiver_that_holds_its_credit_stops_the_sender),
        WITH_PAIR(one_stuck_stream_does_not_stop_another),
        WITH_PAIR(credit_of_a_cancelled_stream_returns_to_the_connection),
        WITH_PAIR(the_send_queue_is_bounded),
        WITH_PAIR(requests_beyond_the_peers_maximum_are_told_apart),
        WITH_PAIR(streams_that_a_server_resets_leave_room_for_as_many),
        WITH_PAIR(a_refused_request_is_safe_to_retry),
        WITH_PAIR(a_client_that_cancels_is_seen_by_the_server),
        WITH_PAIR(a_request_cancelled_before_it_was_sent_never_arrives),
        WITH_PAIR(streams_may_be_cancelled_in_their_own_callbacks),
        WITH_PAIR(after_a_drain_running_streams_go_on_and_new_ones_do_not),
        WITH_PAIR(a_drained_client_opens_no_more_and_its_streams_go_on),
        cmocka_unit_test(destroy_closes_every_stream_as_lost),
        WITH_PAIR(a_header_over_the_limit_resets_its_stream_only),
        WITH_PAIR(a_body_that_belies_its_length_is_a_protocol_error),
        WITH_PAIR(malformed_requests_and_answers_are_refused_at_home),
        WITH_PAIR(a_head_larger_than_a_block_is_refused_at_home),
        WITH_PAIR(output_is_told_once_until_it_is_pulled),
        WITH_PAIR(garbage_breaks_the_session),
        WITH_PAIR(a_connection_error_is_told_to_the_peer_before_the_session_fails),
        WITH_PAIR(a_ping_flood_breaks_the_session),
        WITH_PAIR(many_streams_one_after_another_reuse_their_objects),
        cmocka_unit_test(wrong_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
