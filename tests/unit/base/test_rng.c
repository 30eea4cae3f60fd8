/* Tests of base/rng. The golden values come from an independent implementation of the published
 * algorithms; recorded seeds everywhere depend on them, so they never change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

static void the_sequence_of_a_seed_never_changes(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, expected[4];
    } cases[] = {
        {0,
         {UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a), UINT64_C(0x1a5f849d4933e6e0),
          UINT64_C(0x6aa594f1262d2d2c)}},
        {42,
         {UINT64_C(0x15780b2e0c2ec716), UINT64_C(0x6104d9866d113a7e), UINT64_C(0xae17533239e499a1),
          UINT64_C(0xecb8ad4703b360a1)}},
        {UINT64_MAX,
         {UINT64_C(0x8f5520d52a7ead08), UINT64_C(0xc476a018caa1802d), UINT64_C(0x81de31c0d260469e),
          UINT64_C(0xbf658d7e065f3c2f)}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rng rng;
        rng_init(&rng, cases[i].seed);
        for (int j = 0; j < 4; j++)
            assert_true(rng_next(&rng) == cases[i].expected[j]);
    }
}

static void bounded_numbers_never_change_either(void **state)
{
    (void)state;
    static const uint64_t expected[] = {700, 278, 839, 981, 990, 872, 60, 104};
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 8; i++)
        assert_int_equal(rng_below(&rng, 1000), expected[i]);
    rng_init(&rng, 7);
    assert_true(rng_unit(&rng) == 0.7005764821796896);
    assert_true(rng_unit(&rng) == 0.2787512294737843);
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    int hits[7] = {0};
    struct rng rng;
    rng_init(&rng, 3);
    for (int i = 0; i < 70000; i++) {
        uint64_t value = rng_below(&rng, 7);
        assert_true(value < 7);
        hits[value]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(hits[i], 9500, 10500);
}

/* Just over half of the range, nearly half of the draws have to be thrown away. */
static void draws_that_would_bias_a_huge_bound_are_thrown_away(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(0x21b82bd275be1d09), UINT64_C(0x74ad06bfec60c196), UINT64_C(0x7d2079a31a319669),
        UINT64_C(0x1ce7b0fe34a5cadb), UINT64_C(0x4e51eb701bb10d01), UINT64_C(0x3df4b291b394e3e9),
    };
    struct rng rng;
    rng_init(&rng, 4);
    for (int i = 0; i < 6; i++)
        assert_true(rng_below(&rng, (UINT64_C(1) << 63) + 1) == expected[i]);
}

static void degenerate_bounds_are_fine(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    assert_int_equal(rng_below(&rng, 0), 0);
    assert_int_equal(rng_below(&rng, 1), 0);
    assert_int_equal(rng_between(&rng, 9, 9), 9);
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++)
        seen |= rng_between(&rng, 0, UINT64_MAX);
    assert_true(seen == UINT64_MAX);
}

static void between_includes_both_ends(void **state)
{
    (void)state;
    bool seen[3] = {false};
    struct rng rng;
    rng_init(&rng, 6);
    for (int i = 0; i < 200; i++) {
        uint64_t value = rng_between(&rng, 10, 12);
        assert_in_range(value, 10, 12);
        seen[value - 10] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void chance_follows_its_probability(void **state)
{
    (void)state;
    int hits = 0;
    struct rng rng;
    rng_init(&rng, 8);
    for (int i = 0; i < 10000; i++) {
        assert_false(rng_chance(&rng, 0.0));
        assert_true(rng_chance(&rng, 1.0));
        hits += rng_chance(&rng, 0.3);
    }
    assert_in_range(hits, 2800, 3200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_of_a_seed_never_changes),
        cmocka_unit_test(bounded_numbers_never_change_either),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(draws_that_would_bias_a_huge_bound_are_thrown_away),
        cmocka_unit_test(degenerate_bounds_are_fine),
        cmocka_unit_test(between_includes_both_ends),
        cmocka_unit_test(chance_follows_its_probability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
