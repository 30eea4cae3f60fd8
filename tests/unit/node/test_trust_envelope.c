/* Envelopes: what a receiver takes, and one test for every reason to refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "node/trust/wire.h"
#include "tests/support/trust_fixture.h"
#include "tests/unit/node/signed_alone.h"

struct sent {
    struct identity sender, receiver;
    struct envelope envelope;
    uint8_t record_space[ENVELOPE_RECORD_MAX];
    uint8_t wire_space[ENVELOPE_WIRE_MAX];
    struct buf record, wire;
};

static void sent_init(struct sent *s)
{
    struct fixture f;
    fixture_init(&f, 1);
    fixture_identity(&f, 101, "edge-1", TIER_EDGE, "eu-west", &s->sender);
    fixture_identity(&f, 102, "cloud-1", TIER_CLOUD, "eu-west", &s->receiver);
    s->envelope = (struct envelope){.request_id = "req-1",
                                    .mesh = s->sender.mesh,
                                    .origin = s->sender.node,
                                    .sender = s->sender.node,
                                    .receiver = s->receiver.node,
                                    .boot_ms = FIXTURE_NOW_MS - 5000,
                                    .sequence = 1,
                                    .issued_ms = FIXTURE_NOW_MS,
                                    .deadline_ms = 30000,
                                    .hop = 1,
                                    .epoch = 7,
                                    .path = {"edge-1"},
                                    .target = BYTES("/v1/chat/completions?x=1"),
                                    .model = BYTES("qwen2.5-0.5b"),
                                    .tenant = BYTES("acme")};
    memset(s->envelope.body_hash, 0xcd, CRYPTO_HASH_SIZE);
}

static enum err encode(struct sent *s)
{
    buf_init_fixed(&s->record, s->record_space, sizeof(s->record_space));
    return envelope_encode(&s->envelope, &s->record);
}

/* Encodes, signs alone in a batch, and seals. */
static void seal(struct sent *s)
{
    struct batch_proof proof;
    assert_int_equal(encode(s), ERR_OK);
    sign_alone(BATCH_ENVELOPE, buf_bytes(&s->record), s->sender.secret, &proof);
    buf_init_fixed(&s->wire, s->wire_space, sizeof(s->wire_space));
    assert_int_equal(envelope_seal(buf_bytes(&s->record), &proof, &s->wire), ERR_OK);
}

static enum err open_it(const struct sent *s, struct envelope *ret_envelope)
{
    return envelope_open(buf_bytes(&s->wire), s->sender.public_key, NULL, ret_envelope);
}

static bool is_inside(struct bytes part, const struct buf *whole)
{
    return part.data >= whole->data && part.data + part.size <= whole->data + whole->size;
}

/* --- encoding --- */

static void an_envelope_opens_to_what_was_sealed(void **state)
{
    struct sent s;
    struct envelope back;
    sent_init(&s);
    seal(&s);
    assert_int_equal(open_it(&s, &back), ERR_OK);
    const struct envelope *e = &s.envelope;
    assert_string_equal(back.request_id, "req-1");
    assert_true(id_equal(&back.mesh, &e->mesh) && id_equal(&back.origin, &e->origin));
    assert_true(id_equal(&back.sender, &e->sender) && id_equal(&back.receiver, &e->receiver));
    assert_int_equal(back.boot_ms, e->boot_ms);
    assert_int_equal(back.sequence, e->sequence);
    assert_int_equal(back.issued_ms, e->issued_ms);
    assert_int_equal(back.deadline_ms, e->deadline_ms);
    assert_int_equal(back.hop, 1);
    assert_int_equal(back.epoch, 7);
    assert_string_equal(back.path[0], "edge-1");
    assert_true(bytes_equal(back.target, e->target));
    assert_true(bytes_equal(back.model, e->model));
    assert_true(bytes_equal(back.tenant, e->tenant));
    assert_true(is_inside(back.target, &s.wire) && is_inside(back.model, &s.wire));
    assert_memory_equal(back.body_hash, e->body_hash, CRYPTO_HASH_SIZE);
}

static void model_and_target_may_hold_bytes_of_any_encoding(void **state)
{
    struct sent s;
    struct envelope back;
    sent_init(&s);
    s.envelope.model = BYTES("mod\xff\xfe\xc3");
    s.envelope.tenant = (struct bytes){0};
    seal(&s);
    assert_int_equal(open_it(&s, &back), ERR_OK);
    assert_true(bytes_equal(back.model, s.envelope.model));
    assert_int_equal(back.tenant.size, 0);
}

static void every_hop_up_to_the_limit_names_its_path(void **state)
{
    struct sent s;
    struct envelope back;
    for (uint32_t hop = 1; hop <= ENVELOPE_HOPS_MAX + 1; hop++) {
        sent_init(&s);
        s.envelope.hop = hop;
        for (uint32_t i = 0; i < ENVELOPE_HOPS_MAX; i++)
            snprintf(s.envelope.path[i], sizeof(s.envelope.path[i]), "node-%u", i);
        seal(&s);
        assert_int_equal(open_it(&s, &back), ERR_OK);
        assert_int_equal(back.hop, hop);
        uint32_t names = hop < ENVELOPE_HOPS_MAX ? hop : ENVELOPE_HOPS_MAX;
        assert_int_equal(envelope_path_count(&back), names);
        for (uint32_t i = 0; i < ENVELOPE_HOPS_MAX; i++)
            assert_string_equal(back.path[i], i < names ? s.envelope.path[i] : "");
    }
}

static void assert_not_encoded(struct sent *s, enum err expected)
{
    assert_int_equal(encode(s), expected);
    assert_int_equal(s->record.size, 0);
    sent_init(s);
}

static void an_envelope_out_of_shape_is_not_encoded(void **state)
{
    struct sent s;
    static char long_target[ENVELOPE_RECORD_MAX];
    memset(long_target, 'x', sizeof(long_target));
    sent_init(&s);
    s.envelope.request_id[0] = '\0';
    assert_not_encoded(&s, ERR_INVALID);
    FIXTURE_SET(s.envelope.request_id, "a b");
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.hop = 0;
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.sequence = 0;
    assert_not_encoded(&s, ERR_INVALID);
    FIXTURE_SET(s.envelope.path[0], "Edge");
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.model = BYTES("a\nb");
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.tenant = BYTES("a\0b");
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.target = BYTES("/\x7f");
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.target = (struct bytes){0};
    assert_not_encoded(&s, ERR_INVALID);
    s.envelope.target = bytes_of(long_target, sizeof(long_target));
    assert_not_encoded(&s, ERR_LIMIT);
}

/* --- forgeries --- */

static void any_altered_byte_of_the_wire_is_refused(void **state)
{
    struct sent s;
    struct envelope back = {.hop = 99};
    sent_init(&s);
    seal(&s);
    for (size_t i = 0; i < s.wire.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            s.wire.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(open_it(&s, &back), ERR_OK);
            s.wire.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(back.hop, 99); /* untouched on failure */
    assert_int_equal(open_it(&s, &back), ERR_OK);
}

static void a_wire_cut_or_prolonged_is_malformed(void **state)
{
    struct sent s;
    struct envelope back;
    sent_init(&s);
    seal(&s);
    size_t size = s.wire.size;
    for (s.wire.size = 0; s.wire.size < size; s.wire.size++)
        assert_int_not_equal(open_it(&s, &back), ERR_OK);
    s.wire.size = size;
    assert_int_equal(buf_append_byte(&s.wire, 0), ERR_OK);
    assert_int_equal(open_it(&s, &back), ERR_INVALID);
}

static void another_signer_is_refused(void **state)
{
    struct sent s;
    struct envelope back;
    sent_init(&s);
    seal(&s);
    assert_int_equal(envelope_open(buf_bytes(&s.wire), s.receiver.public_key, NULL, &back),
                     ERR_BAD_SIGNATURE);
}

static void a_signature_for_receipts_does_not_serve_an_envelope(void **state)
{
    struct sent s;
    struct envelope back;
    struct batch_proof proof;
    sent_init(&s);
    seal(&s);
    sign_alone(BATCH_RECEIPT, buf_bytes(&s.record), s.sender.secret, &proof);
    buf_clear(&s.wire);
    assert_int_equal(envelope_seal(buf_bytes(&s.record), &proof, &s.wire), ERR_OK);
    assert_int_equal(open_it(&s, &back), ERR_BAD_SIGNATURE);
}

static void a_well_signed_record_out_of_shape_is_still_malformed(void **state)
{
    struct sent s;
    struct envelope back;
    struct batch_proof proof;
    sent_init(&s);
    FIXTURE_SET(s.envelope.path[0], "Not A Name");
    buf_init_fixed(&s.record, s.record_space, sizeof(s.record_space));
    assert_int_equal(trust_wire_envelope_encode(&s.envelope, &s.record), ERR_OK);
    sign_alone(BATCH_ENVELOPE, buf_bytes(&s.record), s.sender.secret, &proof);
    buf_init_fixed(&s.wire, s.wire_space, sizeof(s.wire_space));
    assert_int_equal(envelope_seal(buf_bytes(&s.record), &proof, &s.wire), ERR_OK);
    assert_int_equal(open_it(&s, &back), ERR_INVALID);
}

/* --- the receiver's checks --- */

static enum err check(const struct sent *s, struct envelope_window *w)
{
    const struct envelope_expect expect = {.mesh = s->receiver.mesh,
                                           .self = s->receiver.node,
                                           .peer = s->sender.node,
                                           .wall_ms = FIXTURE_NOW_MS};
    return envelope_check(&s->envelope, &expect, w);
}

/* A refused envelope must leave the window alone: its number is still good afterwards. */
static void assert_refused(struct sent *s, enum err expected)
{
    struct envelope_window w;
    envelope_window_init(&w);
    assert_int_equal(check(s, &w), expected);
    sent_init(s);
    assert_int_equal(check(s, &w), ERR_OK);
}

static void each_reason_to_refuse_is_told_apart(void **state)
{
    struct sent s;
    sent_init(&s);
    s.envelope.mesh.bytes[0] ^= 1;
    assert_refused(&s, ERR_WRONG_MESH);
    s.envelope.receiver = s.sender.node;
    assert_refused(&s, ERR_WRONG_AUDIENCE);
    s.envelope.sender = s.receiver.node;
    assert_refused(&s, ERR_BAD_SIGNATURE);
    s.envelope.issued_ms = FIXTURE_NOW_MS + ENVELOPE_SKEW_MS + 1;
    assert_refused(&s, ERR_CLOCK_SKEW);
    s.envelope.issued_ms = FIXTURE_NOW_MS - ENVELOPE_SKEW_MS - 1;
    assert_refused(&s, ERR_CLOCK_SKEW);
    s.envelope.issued_ms = UINT64_MAX;
    assert_refused(&s, ERR_CLOCK_SKEW);
    s.envelope.hop = ENVELOPE_HOPS_MAX + 1;
    assert_refused(&s, ERR_HOP_LIMIT);
    s.envelope.deadline_ms = 0;
    assert_refused(&s, ERR_DEADLINE);
}

static void the_edges_of_skew_and_hops_are_fine(void **state)
{
    struct sent s;
    struct envelope_window w;
    envelope_window_init(&w);
    sent_init(&s);
    s.envelope.issued_ms = FIXTURE_NOW_MS + ENVELOPE_SKEW_MS;
    s.envelope.hop = ENVELOPE_HOPS_MAX;
    s.envelope.deadline_ms = 1;
    assert_int_equal(check(&s, &w), ERR_OK);
    s.envelope.sequence = 2;
    s.envelope.issued_ms = FIXTURE_NOW_MS - ENVELOPE_SKEW_MS;
    assert_int_equal(check(&s, &w), ERR_OK);
}

static void an_envelope_is_taken_once(void **state)
{
    struct sent s;
    struct envelope_window w;
    envelope_window_init(&w);
    sent_init(&s);
    assert_int_equal(check(&s, &w), ERR_OK);
    assert_int_equal(check(&s, &w), ERR_REPLAYED);
}

/* --- the window --- */

static void an_older_boot_is_a_replay_and_a_newer_one_starts_anew(void **state)
{
    struct envelope_window w;
    envelope_window_init(&w);
    assert_int_equal(envelope_window_accept(&w, 10, 500), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 9, 501), ERR_REPLAYED);
    assert_int_equal(envelope_window_accept(&w, 11, 500), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 11, 500), ERR_REPLAYED);
    assert_int_equal(envelope_window_accept(&w, 11, 1), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 10, 502), ERR_REPLAYED);
    assert_int_equal(envelope_window_accept(&w, 11, 0), ERR_REPLAYED);
}

static void the_window_is_as_long_as_it_says(void **state)
{
    struct envelope_window w;
    envelope_window_init(&w);
    assert_int_equal(envelope_window_accept(&w, 1, 5000), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 1, 5000 - ENVELOPE_WINDOW), ERR_REPLAYED);
    assert_int_equal(envelope_window_accept(&w, 1, 5000 - ENVELOPE_WINDOW + 1), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 1, 5000 - ENVELOPE_WINDOW + 1), ERR_REPLAYED);
}

static void the_largest_numbers_do_not_wrap(void **state)
{
    struct envelope_window w;
    envelope_window_init(&w);
    assert_int_equal(envelope_window_accept(&w, 1, UINT64_MAX - 2), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 1, UINT64_MAX), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 1, UINT64_MAX - 1), ERR_OK);
    assert_int_equal(envelope_window_accept(&w, 1, UINT64_MAX), ERR_REPLAYED);
    assert_int_equal(envelope_window_accept(&w, 1, 1), ERR_REPLAYED);
}

#define NAIVE_MAX 20000

static void the_window_agrees_with_a_set_of_all_numbers_seen(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        static bool seen[NAIVE_MAX];
        struct envelope_window w;
        struct rng rng;
        uint64_t highest = 0, base = 1;
        memset(seen, 0, sizeof(seen));
        envelope_window_init(&w);
        rng_init(&rng, seed);
        for (int i = 0; i < 4000; i++) {
            /* mostly near the front, reordered; now and then a leap, or something ancient */
            if (rng_chance(&rng, 0.002))
                base += rng_below(&rng, 3 * ENVELOPE_WINDOW);
            uint64_t spread = rng_chance(&rng, 0.05) ? 3 * ENVELOPE_WINDOW : 40 * (seed % 30 + 1);
            uint64_t sequence = base + rng_below(&rng, 40);
            uint64_t back = rng_below(&rng, spread);
            sequence = sequence > back ? sequence - back : 1;
            base += rng_below(&rng, 3);
            if (sequence >= NAIVE_MAX)
                break;
            bool is_new = !seen[sequence] && sequence + ENVELOPE_WINDOW > highest;
            assert_int_equal(envelope_window_accept(&w, 1, sequence),
                             is_new ? ERR_OK : ERR_REPLAYED);
            if (is_new)
                seen[sequence] = true;
            if (is_new && sequence > highest)
                highest = sequence;
        }
        assert_true(highest > ENVELOPE_WINDOW);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_opens_to_what_was_sealed),
        cmocka_unit_test(model_and_target_may_hold_bytes_of_any_encoding),
        cmocka_unit_test(every_hop_up_to_the_limit_names_its_path),
        cmocka_unit_test(an_envelope_out_of_shape_is_not_encoded),
        cmocka_unit_test(any_altered_byte_of_the_wire_is_refused),
        cmocka_unit_test(a_wire_cut_or_prolonged_is_malformed),
        cmocka_unit_test(another_signer_is_refused),
        cmocka_unit_test(a_signature_for_receipts_does_not_serve_an_envelope),
        cmocka_unit_test(a_well_signed_record_out_of_shape_is_still_malformed),
        cmocka_unit_test(each_reason_to_refuse_is_told_apart),
        cmocka_unit_test(the_edges_of_skew_and_hops_are_fine),
        cmocka_unit_test(an_envelope_is_taken_once),
        cmocka_unit_test(an_older_boot_is_a_replay_and_a_newer_one_starts_anew),
        cmocka_unit_test(the_window_is_as_long_as_it_says),
        cmocka_unit_test(the_largest_numbers_do_not_wrap),
        cmocka_unit_test(the_window_agrees_with_a_set_of_all_numbers_seen),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
