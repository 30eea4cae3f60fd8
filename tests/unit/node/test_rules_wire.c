/* Answers to commands on links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "node/rules/wire.h"

static void encode(const struct wire_answer *a, struct buf *wire, uint8_t *space)
{
    buf_init_fixed(wire, space, WIRE_ANSWER_MAX);
    assert_int_equal(wire_answer_encode(a, wire), ERR_OK);
}

static void every_reason_comes_back(void **state)
{
    uint8_t space[WIRE_ANSWER_MAX];
    for (int e = ERR_OK; e < ERR_COUNT; e++) {
        struct wire_answer a = {.result = {.err = (enum err)e, .index = 5, .epoch = 3}}, got;
        struct buf wire;
        encode(&a, &wire, space);
        assert_int_equal(wire_answer_decode(buf_bytes(&wire), &got), ERR_OK);
        assert_int_equal(got.result.err, e);
        assert_int_equal(got.result.index, 5);
        assert_int_equal(got.result.epoch, 3);
    }
}

static void a_refusal_says_where_and_why(void **state)
{
    uint8_t space[WIRE_ANSWER_MAX];
    struct wire_answer a = {.result = {.err = ERR_CONFLICT, .sequence = 9, .is_repeat = true}}, got;
    struct buf wire;
    snprintf(a.result.fault.field, sizeof a.result.fault.field, "ops[3].version.regions[0]");
    memset(a.result.fault.what, 'x', sizeof a.result.fault.what - 1);
    a.leader.bytes[0] = 1;
    a.result.author.bytes[15] = 2;
    encode(&a, &wire, space);
    assert_int_equal(wire_answer_decode(buf_bytes(&wire), &got), ERR_OK);
    assert_string_equal(got.result.fault.field, a.result.fault.field);
    assert_string_equal(got.result.fault.what, a.result.fault.what);
    assert_true(id_equal(&got.leader, &a.leader));
    assert_true(id_equal(&got.result.author, &a.result.author));
    assert_int_equal(got.result.sequence, 9);
    assert_true(got.result.is_repeat);
}

/* A newer node may refuse for reasons that this one has no word for. */
static void an_unknown_reason_is_a_refusal(void **state)
{
    static const uint8_t wire[] = {0x0a, 3, 'n', 'e', 'w'};
    struct wire_answer got;
    assert_int_equal(wire_answer_decode(bytes_of(wire, sizeof wire), &got), ERR_OK);
    assert_int_equal(got.result.err, ERR_UNSUPPORTED);
}

static void what_is_cut_short_is_refused(void **state)
{
    uint8_t space[WIRE_ANSWER_MAX];
    struct wire_answer a = {.result = {.err = ERR_CONFLICT, .index = 500}}, got;
    struct buf wire;
    encode(&a, &wire, space);
    assert_int_equal(wire_answer_decode(bytes_of(space, wire.size - 1), &got), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_comes_back),
        cmocka_unit_test(a_refusal_says_where_and_why),
        cmocka_unit_test(an_unknown_reason_is_a_refusal),
        cmocka_unit_test(what_is_cut_short_is_refused),
    };
    return cmocka_run_group_tests_name("rules_wire", tests, NULL, NULL);
}
