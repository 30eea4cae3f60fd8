/* Checkpoints and the ranges that they come with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/rules/checkpoint.h"
#include "tests/support/trust_fixture.h"

static struct fixture f;
static struct identity voter, reader;

static int set_up(void **state)
{
    assert_int_equal(crypto_init(), ERR_OK);
    fixture_init(&f, 1);
    fixture_identity(&f, 50, "voter", TIER_EDGE, "eu-west", &voter);
    fixture_identity(&f, 51, "reader", TIER_EDGE, "eu-west", &reader);
    return 0;
}

static struct checkpoint example(void)
{
    struct checkpoint c = {.mesh = voter.mesh,
                           .index = 12,
                           .term = 3,
                           .has_state = true,
                           .epoch = 7,
                           .time_ms = FIXTURE_NOW_MS};
    memset(c.chain, 0xaa, sizeof c.chain);
    memset(c.state_hash, 0xbb, sizeof c.state_hash);
    return c;
}

static enum err verify(const struct checkpoint_signed *s, struct checkpoint *ret_checkpoint)
{
    struct checkpoint_signed again;
    return checkpoint_verify(bytes_of(s->wire, s->size), &reader, FIXTURE_NOW_MS, ret_checkpoint,
                             &again);
}

static void a_checkpoint_comes_back_as_it_was_signed(void **state)
{
    struct checkpoint c = example(), got;
    struct checkpoint_signed s, again;
    assert_int_equal(checkpoint_sign(&c, &voter, &s), ERR_OK);
    assert_int_equal(
        checkpoint_verify(bytes_of(s.wire, s.size), &reader, FIXTURE_NOW_MS, &got, &again), ERR_OK);
    assert_int_equal(got.index, 12);
    assert_int_equal(got.epoch, 7);
    assert_memory_equal(got.chain, c.chain, sizeof c.chain);
    assert_memory_equal(got.state_hash, c.state_hash, sizeof c.state_hash);
    assert_true(id_equal(&again.signer, &voter.node));
    assert_memory_equal(again.wire, s.wire, s.size);
}

static void one_without_a_state_has_none(void **state)
{
    struct checkpoint c = example(), got;
    struct checkpoint_signed s;
    c.has_state = false;
    assert_int_equal(checkpoint_sign(&c, &voter, &s), ERR_OK);
    assert_int_equal(verify(&s, &got), ERR_OK);
    assert_false(got.has_state);
}

static void an_altered_one_is_refused_whatever_byte_it_is(void **state)
{
    struct checkpoint c = example(), got;
    struct checkpoint_signed s;
    assert_int_equal(checkpoint_sign(&c, &voter, &s), ERR_OK);
    for (size_t i = 0; i < s.size; i++) {
        s.wire[i] ^= 1;
        assert_int_not_equal(verify(&s, &got), ERR_OK);
        s.wire[i] ^= 1;
    }
    s.size--;
    assert_int_not_equal(verify(&s, &got), ERR_OK);
}

static void one_of_another_mesh_is_refused(void **state)
{
    struct checkpoint c = example(), got;
    struct checkpoint_signed s;
    struct fixture other;
    struct identity stranger;
    fixture_init(&other, 2);
    fixture_identity(&other, 50, "voter", TIER_EDGE, "eu-west", &stranger);
    assert_int_equal(checkpoint_sign(&c, &stranger, &s), ERR_OK);
    assert_int_not_equal(verify(&s, &got), ERR_OK);
    c.mesh = stranger.mesh; /* signed by one of ours, about another mesh */
    assert_int_equal(checkpoint_sign(&c, &voter, &s), ERR_OK);
    assert_int_equal(verify(&s, &got), ERR_WRONG_MESH);
}

static void a_range_comes_back(void **state)
{
    struct checkpoint_range range = {
        .commit = 99, .checkpoint = BYTES("checkpoint"), .records = BYTES("records")};
    struct checkpoint_range got;
    uint8_t space[64];
    struct buf wire;
    buf_init_fixed(&wire, space, sizeof space);
    assert_int_equal(checkpoint_range_encode(&range, &wire), ERR_OK);
    assert_int_equal(checkpoint_range_decode(buf_bytes(&wire), &got), ERR_OK);
    assert_int_equal(got.commit, 99);
    assert_true(bytes_equal(got.checkpoint, range.checkpoint));
    assert_true(bytes_equal(got.records, range.records));
    for (size_t size = 0; size < 20; size++)
        assert_int_equal(checkpoint_range_decode(bytes_of(space, size), &got), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_comes_back_as_it_was_signed),
        cmocka_unit_test(one_without_a_state_has_none),
        cmocka_unit_test(an_altered_one_is_refused_whatever_byte_it_is),
        cmocka_unit_test(one_of_another_mesh_is_refused),
        cmocka_unit_test(a_range_comes_back),
    };
    return cmocka_run_group_tests_name("rules_checkpoint", tests, set_up, NULL);
}
