/* Envelopes that a peer of the mesh should not have sent: each is refused with its status and its
 * reason, no engine hears of it, and the next good one is served. */
#include "tests/unit/node/hop_ask.h"

struct letter {
    struct world *w;
    struct hop_peer peer;
    struct envelope e;
    struct buf text;
};

static void letter_begin(struct letter *l, void **state)
{
    *l = (struct letter){.w = *state};
    open_nodes(l->w);
    hop_peer_open(&l->peer, l->w, &l->w->rack);
    l->e = hop_envelope(&l->peer, hop_peer_of(&l->peer, &l->w->rack), BYTES(HOP_BODY));
    buf_init(&l->text, 2 * ENVELOPE_WIRE_MAX);
}

static void letter_seal(struct letter *l)
{
    buf_clear(&l->text);
    hop_seal(&l->peer, &l->e, &l->text);
}

static void send_body(struct hop_stream *s, struct bytes body)
{
    if (!s->is_closed && s->ms.h2)
        hop_send(s, body);
    if (!s->is_closed && s->ms.h2)
        assert_int_equal(h2_end(s->ms.h2, NULL), ERR_OK);
}

static void expect(struct letter *l, int status, const char *reason, int chats)
{
    struct hop_stream *s = hop_ask_with(&l->peer, 0, &l->w->rack, buf_bytes(&l->text));
    send_body(s, BYTES(HOP_BODY));
    UNTIL(l->w, s->is_whole);
    assert_int_equal(s->status, status);
    assert_string_equal(s->reason, reason);
    assert_int_equal(l->w->chats, chats);
}

static void expect_refused(struct letter *l, int status, const char *reason)
{
    expect(l, status, reason, 0);
}

/* The link still serves, and nothing is held. */
static void letter_end(struct letter *l, int chats)
{
    l->e = hop_envelope(&l->peer, hop_peer_of(&l->peer, &l->w->rack), BYTES(HOP_BODY));
    letter_seal(l);
    expect(l, 200, "", chats);
    ask_at(l->w, &l->w->rack, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    UNTIL(l->w, got(l->w, "grapevine_requests_inflight 0\n"));
    buf_fini(&l->text);
    hop_peer_close(&l->peer);
}

static void a_request_without_an_envelope_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    expect_refused(&l, 403, "bad_signature");
    letter_end(&l, 1);
}

static void an_altered_envelope_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    letter_seal(&l);
    for (size_t at = 0; at < l.text.size; at += l.text.size / 7) {
        l.text.data[at] ^= 0x01;
        struct hop_stream *s = hop_ask_with(&l.peer, 0, &l.w->rack, buf_bytes(&l.text));
        send_body(s, BYTES(HOP_BODY));
        UNTIL(l.w, s->is_whole);
        assert_int_equal(s->status, 403);
        assert_string_equal(s->reason, "bad_signature");
        assert_int_equal(l.w->chats, 0);
        l.text.data[at] ^= 0x01;
    }
    letter_end(&l, 1);
}

static void an_envelope_is_served_once(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    letter_seal(&l);
    expect(&l, 200, "", 1);
    expect(&l, 403, "replayed", 1);
    letter_end(&l, 2);
}

static void an_envelope_for_another_node_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.receiver = l.w->edge.identity.node;
    letter_seal(&l);
    expect_refused(&l, 403, "wrong_audience");
    letter_end(&l, 1);
}

static void an_envelope_of_another_mesh_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.mesh = l.w->edge.identity.node;
    letter_seal(&l);
    expect_refused(&l, 403, "wrong_mesh");
    letter_end(&l, 1);
}

static void an_envelope_of_another_sender_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.sender = l.w->edge.identity.node;
    letter_seal(&l);
    expect_refused(&l, 403, "bad_signature");
    letter_end(&l, 1);
}

static void an_envelope_for_another_path_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.target = BYTES("/v1/embeddings");
    letter_seal(&l);
    expect_refused(&l, 403, "bad_signature");
    letter_end(&l, 1);
}

static void an_envelope_an_hour_off_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.issued_ms -= 3600 * 1000;
    letter_seal(&l);
    expect_refused(&l, 403, "clock_skew");
    letter_end(&l, 1);
}

static void a_request_that_came_too_far_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.hop = ENVELOPE_HOPS_MAX + 1;
    for (size_t i = 0; i < ENVELOPE_HOPS_MAX; i++)
        FIXTURE_SET(l.e.path[i], "peer");
    letter_seal(&l);
    expect_refused(&l, 503, "hop_limit");
    letter_end(&l, 1);
}

static void a_request_without_time_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.deadline_ms = 0;
    letter_seal(&l);
    expect_refused(&l, 504, "deadline");
    letter_end(&l, 1);
}

static void another_body_than_the_promised_one_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    letter_seal(&l);
    struct hop_stream *s = hop_ask_with(&l.peer, 0, &l.w->rack, buf_bytes(&l.text));
    send_body(s, BYTES("{\"model\":\"m\",\"messages\":[1]}"));
    UNTIL(l.w, s->is_whole);
    assert_int_equal(s->status, 403);
    assert_string_equal(s->reason, "bad_signature");
    assert_int_equal(l.w->chats, 0);
    letter_end(&l, 1);
}

static void a_sender_with_newer_rules_is_told_so(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.epoch = 5;
    letter_seal(&l);
    expect_refused(&l, 503, "epoch_behind");
    letter_end(&l, 1);
}

/* Fail closed: whoever cannot judge what a tenant's data may do does not take it. */
static void the_data_of_an_unknown_tenant_is_refused(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.tenant = BYTES("acme");
    letter_seal(&l);
    expect_refused(&l, 403, "tenant");
    letter_end(&l, 1);
}

/* The node's engine does not say which version it is. */
static void another_version_than_is_here_is_not_served(void **state)
{
    struct letter l;
    letter_begin(&l, state);
    l.e.version = BYTES("v9");
    letter_seal(&l);
    expect_refused(&l, 503, "no_candidate");
    letter_end(&l, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_without_an_envelope_is_refused),
        TEST(an_altered_envelope_is_refused),
        TEST(an_envelope_is_served_once),
        TEST(an_envelope_for_another_node_is_refused),
        TEST(an_envelope_of_another_mesh_is_refused),
        TEST(an_envelope_of_another_sender_is_refused),
        TEST(an_envelope_for_another_path_is_refused),
        TEST(an_envelope_an_hour_off_is_refused),
        TEST(a_request_that_came_too_far_is_refused),
        TEST(a_request_without_time_is_refused),
        TEST(another_body_than_the_promised_one_is_refused),
        TEST(a_sender_with_newer_rules_is_told_so),
        TEST(the_data_of_an_unknown_tenant_is_refused),
        TEST(another_version_than_is_here_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
