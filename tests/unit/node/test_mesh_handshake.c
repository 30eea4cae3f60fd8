/* The handshake of links: who is let in, and that everything else is refused with its reason on
 * both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/mesh/handshake.h"
#include "node/mesh/record.h"
#include "node/trust/envelope.h"
#include "tests/support/trust_fixture.h"

#define WIRE_MAX 8192

struct side {
    struct identity identity;
    uint8_t static_secret[32];
    uint8_t ephemeral_secret[32];
    uint64_t wall_ms;
    struct handshake h;
    enum err result;
    struct buf out;
    uint8_t space[WIRE_MAX];
};

struct pair {
    struct side dialler;
    struct side acceptor;
    /* the dialler's and acceptor's messages: one bit changed in message `alter_message` at
     * `alter_at` */
    int alter_message;
    size_t alter_at;
    uint8_t alter_mask;
    size_t sizes[3]; /* of the frames that went */
};

static void init_side(struct side *s, uint8_t mesh, uint8_t number, const char *name)
{
    struct fixture f;
    fixture_init(&f, mesh);
    fixture_identity(&f, number, name, TIER_EDGE, "eu-west", &s->identity);
    memset(s->static_secret, number, 32);
    memset(s->ephemeral_secret, number + 1, 32);
    s->wall_ms = FIXTURE_NOW_MS;
}

static void init(struct pair *p)
{
    memset(p, 0, sizeof(*p));
    init_side(&p->dialler, 1, 101, "edge-1");
    init_side(&p->acceptor, 1, 111, "cloud-1");
    p->alter_message = -1;
}

static void begin_side(struct side *s, bool dialler)
{
    handshake_init(&s->h, &(struct handshake_cfg){.identity = &s->identity,
                                                  .static_secret = s->static_secret,
                                                  .test_ephemeral_secret = s->ephemeral_secret,
                                                  .dialler = dialler});
    s->result = ERR_OK;
    buf_init_fixed(&s->out, s->space, sizeof(s->space));
}

/* Takes the frame out of `from` and lets `to` read it; false when there was none or `to` is not
 * there any more. */
static bool carry(struct pair *p, struct side *from, struct side *to, int message)
{
    if (from->out.size == 0 || to->result != ERR_OK)
        return false;
    uint8_t *frame = from->out.data + 2;
    size_t size = from->out.size - 2;
    assert_int_equal(size, from->out.data[0] << 8 | from->out.data[1]);
    if (message < 3)
        p->sizes[message] = size;
    if (message == p->alter_message)
        frame[p->alter_at] ^= p->alter_mask;
    from->out.size = 0;
    to->result = handshake_read(&to->h, bytes_of(frame, size), to->wall_ms, &to->out);
    return true;
}

static void run(struct pair *p)
{
    begin_side(&p->dialler, true);
    begin_side(&p->acceptor, false);
    assert_int_equal(handshake_start(&p->dialler.h, &p->dialler.out), ERR_OK);
    assert_int_equal(handshake_start(&p->acceptor.h, &p->acceptor.out), ERR_OK);
    for (int i = 0; i < 4; i++) {
        struct side *from = i % 2 ? &p->acceptor : &p->dialler;
        if (!carry(p, from, i % 2 ? &p->dialler : &p->acceptor, i))
            break;
    }
}

static void fini(struct pair *p)
{
    handshake_fini(&p->dialler.h);
    handshake_fini(&p->acceptor.h);
}

/* Runs it; both ends must see this reason, and neither is done unless it is a refusal of message 3
 * (of which the dialler learns by a sealed record). */
static void assert_refused_by_acceptor(struct pair *p, enum err reason)
{
    run(p);
    assert_int_equal(p->acceptor.result, reason);
    assert_false(p->acceptor.h.is_done);
    fini(p);
}

static void assert_refused_by_dialler(struct pair *p, enum err reason)
{
    run(p);
    assert_int_equal(p->dialler.result, reason);
    assert_false(p->dialler.h.is_done);
    assert_int_equal(p->acceptor.result, reason);
    assert_true(p->acceptor.h.refused_by_peer);
    fini(p);
}

static void two_nodes_of_one_mesh_know_each_other_afterwards(void **state)
{
    struct pair p;
    init(&p);
    run(&p);
    assert_int_equal(p.dialler.result, ERR_OK);
    assert_int_equal(p.acceptor.result, ERR_OK);
    assert_true(p.dialler.h.is_done && p.acceptor.h.is_done);
    assert_string_equal(p.dialler.h.cert.name, "cloud-1");
    assert_string_equal(p.acceptor.h.cert.name, "edge-1");
    assert_true(id_equal(&p.dialler.h.peer, &p.acceptor.identity.node));
    assert_true(id_equal(&p.acceptor.h.peer, &p.dialler.identity.node));
    assert_int_equal(p.acceptor.h.chain_size, p.dialler.identity.chain_size);
    assert_memory_equal(p.acceptor.h.chain, p.dialler.identity.chain,
                        p.dialler.identity.chain_size);
    assert_memory_equal(p.dialler.h.send.key, p.acceptor.h.receive.key, 32);
    assert_memory_equal(p.dialler.h.receive.key, p.acceptor.h.send.key, 32);
    assert_memory_not_equal(p.dialler.h.send.key, p.dialler.h.receive.key, 32);
    fini(&p);
}

static void message_sizes_are_what_the_readme_says(void **state)
{
    struct pair p;
    init(&p);
    run(&p);
    assert_int_equal(p.sizes[0], 32 + 16);
    assert_int_equal(p.sizes[1], 96 + 72 + p.acceptor.identity.chain_size);
    assert_int_equal(p.sizes[2], 64 + 72 + p.dialler.identity.chain_size);
    fini(&p);
}

static void another_mesh_is_refused_by_name(void **state)
{
    struct pair p;
    init(&p);
    init_side(&p.dialler, 2, 101, "edge-1");
    run(&p);
    assert_int_equal(p.acceptor.result, ERR_WRONG_MESH);
    assert_int_equal(p.dialler.result, ERR_WRONG_MESH);
    assert_true(p.dialler.h.refused_by_peer);
    fini(&p);
}

static void a_node_that_lies_about_its_mesh_is_refused(void **state)
{
    struct pair p;
    init(&p);
    init_side(&p.dialler, 2, 101, "edge-1");
    p.dialler.identity.mesh = p.acceptor.identity.mesh;
    memcpy(p.dialler.identity.root, p.acceptor.identity.root, 32);
    run(&p);
    assert_true(p.acceptor.result == ERR_WRONG_MESH || p.acceptor.result == ERR_BAD_SIGNATURE);
    assert_false(p.acceptor.h.is_done);
    fini(&p);
}

static void an_expired_certificate_is_refused_and_the_clocks_are_known(void **state)
{
    struct pair p;
    uint64_t late_ms;
    init(&p);
    late_ms = p.dialler.identity.cert.not_after_ms + CERT_SKEW_MS + 1;
    p.dialler.wall_ms = late_ms;
    run(&p);
    assert_int_equal(p.dialler.result, ERR_CERT_EXPIRED);
    assert_int_equal(p.acceptor.result, ERR_CERT_EXPIRED);
    assert_true(p.acceptor.h.refused_by_peer);
    assert_true(p.dialler.h.clock_known);
    assert_int_equal(p.dialler.h.clock_ahead_ms, (int64_t)(FIXTURE_NOW_MS - late_ms));
    fini(&p);
}

static void a_certificate_that_is_not_valid_yet_is_refused(void **state)
{
    struct pair p;
    init(&p);
    p.dialler.wall_ms = p.acceptor.identity.cert.not_before_ms - CERT_SKEW_MS - 1;
    assert_refused_by_dialler(&p, ERR_CERT_EXPIRED);
}

static void clocks_an_hour_apart_are_refused_within_skew_they_are_not(void **state)
{
    struct pair p;
    init(&p);
    p.dialler.wall_ms += 3600 * 1000;
    assert_refused_by_dialler(&p, ERR_CLOCK_SKEW);
    init(&p);
    p.dialler.wall_ms -= 3600 * 1000;
    assert_refused_by_dialler(&p, ERR_CLOCK_SKEW);
    init(&p);
    p.dialler.wall_ms += ENVELOPE_SKEW_MS;
    run(&p);
    assert_true(p.dialler.h.is_done && p.acceptor.h.is_done);
    assert_int_equal(p.acceptor.h.clock_ahead_ms, ENVELOPE_SKEW_MS);
    fini(&p);
}

static void a_node_refuses_itself(void **state)
{
    struct pair p;
    init(&p);
    p.acceptor.identity = p.dialler.identity;
    assert_refused_by_dialler(&p, ERR_SELF_LINK);
}

static void a_chain_that_ends_at_an_invitation_is_no_node(void **state)
{
    struct pair p;
    struct fixture f;
    struct buf chain;
    init(&p);
    fixture_init(&f, 1);
    buf_init_fixed(&chain, p.dialler.identity.chain, CERT_CHAIN_SIZE_MAX);
    fixture_chain(&f, 2, &chain);
    p.dialler.identity.chain_size = chain.size;
    memcpy(p.dialler.identity.secret, f.invitation.secret, CRYPTO_SECRET_SIZE);
    assert_refused_by_acceptor(&p, ERR_CERT_SCOPE);
}

static void a_stolen_chain_without_its_key_is_refused(void **state)
{
    struct pair p;
    struct fixture_key other;
    init(&p);
    fixture_key(77, &other);
    memcpy(p.dialler.identity.secret, other.secret, CRYPTO_SECRET_SIZE);
    assert_refused_by_acceptor(&p, ERR_BAD_SIGNATURE);
}

static void an_altered_certificate_is_refused(void **state)
{
    struct pair p;
    for (size_t at = 0; at < 600; at += 7) {
        init(&p);
        if (at >= p.dialler.identity.chain_size)
            break;
        p.dialler.identity.chain[at] ^= 1;
        run(&p);
        assert_true(p.acceptor.result != ERR_OK);
        assert_false(p.acceptor.h.is_done);
        fini(&p);
    }
}

static void one_altered_bit_at_any_place_of_any_message_is_refused(void **state)
{
    struct pair p, probe;
    init(&probe);
    run(&probe);
    for (int message = 0; message < 3; message++) {
        for (size_t at = 0; at < probe.sizes[message]; at++) {
            memcpy(&p, &probe, sizeof(p));
            p.alter_message = message;
            p.alter_at = at;
            p.alter_mask = (uint8_t)(1u << (at % 8));
            run(&p);
            assert_true(p.dialler.result != ERR_OK || p.acceptor.result != ERR_OK);
            assert_false(p.dialler.h.is_done && p.acceptor.h.is_done);
            fini(&p);
        }
    }
    fini(&probe);
}

static void a_message_out_of_turn_or_after_the_end_is_refused(void **state)
{
    struct pair p;
    uint8_t frame[48] = {1};
    init(&p);
    run(&p);
    enum err e =
        handshake_read(&p.acceptor.h, bytes_of(frame, 48), FIXTURE_NOW_MS, &p.acceptor.out);
    assert_int_equal(e, ERR_PROTOCOL);
    fini(&p);
}

static void an_empty_frame_and_a_refusal_out_of_the_blue_are_refused(void **state)
{
    struct pair p;
    init(&p);
    for (size_t size = 0; size < 48; size++) {
        uint8_t frame[48] = {5};
        begin_side(&p.acceptor, false);
        enum err e =
            handshake_read(&p.acceptor.h, bytes_of(frame, size), FIXTURE_NOW_MS, &p.acceptor.out);
        assert_true(e != ERR_OK);
        assert_false(p.acceptor.h.refused_by_peer);
        assert_int_equal(p.acceptor.out.size, 3);
        handshake_fini(&p.acceptor.h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_of_one_mesh_know_each_other_afterwards),
        cmocka_unit_test(message_sizes_are_what_the_readme_says),
        cmocka_unit_test(another_mesh_is_refused_by_name),
        cmocka_unit_test(a_node_that_lies_about_its_mesh_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused_and_the_clocks_are_known),
        cmocka_unit_test(a_certificate_that_is_not_valid_yet_is_refused),
        cmocka_unit_test(clocks_an_hour_apart_are_refused_within_skew_they_are_not),
        cmocka_unit_test(a_node_refuses_itself),
        cmocka_unit_test(a_chain_that_ends_at_an_invitation_is_no_node),
        cmocka_unit_test(a_stolen_chain_without_its_key_is_refused),
        cmocka_unit_test(an_altered_certificate_is_refused),
        cmocka_unit_test(one_altered_bit_at_any_place_of_any_message_is_refused),
        cmocka_unit_test(a_message_out_of_turn_or_after_the_end_is_refused),
        cmocka_unit_test(an_empty_frame_and_a_refusal_out_of_the_blue_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
