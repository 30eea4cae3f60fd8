/* Tests of policy/sketch: quantiles against sorted arrays, merging, forgetting, and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUES 5000

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t quantile_of(const struct policy_sketch *s, double q, uint64_t now_ms)
{
    uint64_t us = 0;
    assert_true(policy_sketch_quantile(s, q, now_ms, &us));
    return us;
}

/* Half a microsecond is lost in rounding. */
static void assert_near(uint64_t us, uint64_t expected_us)
{
    double off = fabs((double)us - (double)expected_us);
    assert_true(off <= POLICY_SKETCH_ERROR * (double)expected_us * (1 + 1e-9) + 0.5);
}

static void assert_quantiles(const struct policy_sketch *s, uint64_t *values, size_t count,
                             uint64_t now_ms)
{
    static const double quantiles[] = {0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    qsort(values, count, sizeof *values, compare);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        double rank = ceil(quantiles[i] * (double)count);
        uint64_t expected_us = values[rank < 1 ? 0 : (size_t)rank - 1];
        assert_near(quantile_of(s, quantiles[i], now_ms), expected_us);
    }
}

/* Of several shapes: flat, exponential, two humps, a constant. */
static uint64_t value_of(struct rng *rng, uint64_t shape)
{
    switch (shape % 4) {
    case 0: return rng_between(rng, 100, 1000000);
    case 1: return (uint64_t)(-log(1 - rng_unit(rng)) * 30000) + 200;
    case 2: return rng_between(rng, 1000, 1200) * (rng_chance(rng, 0.05) ? 5000 : 1);
    default: return 77777;
    }
}

static void an_empty_sketch_has_no_quantile(void **state)
{
    (void)state;
    struct policy_sketch s;
    uint64_t us = 7;
    policy_sketch_init(&s);
    assert_false(policy_sketch_quantile(&s, 0.5, 123456, &us));
    assert_int_equal(us, 7);
    assert_int_equal(policy_sketch_count(&s, 123456), 0);
}

static void what_is_no_quantile_has_no_answer(void **state)
{
    (void)state;
    struct policy_sketch s;
    uint64_t us = 7;
    policy_sketch_init(&s);
    policy_sketch_add(&s, 1000, 0);
    assert_false(policy_sketch_quantile(&s, NAN, 0, &us));
    assert_near(quantile_of(&s, -3, 0), 1000);
    assert_near(quantile_of(&s, INFINITY, 0), 1000);
}

static void every_value_of_the_scale_is_within_the_error(void **state)
{
    (void)state;
    for (double at = 1; at <= (double)POLICY_SKETCH_MAX_US; at *= 1.0137) {
        struct policy_sketch s;
        policy_sketch_init(&s);
        policy_sketch_add(&s, (uint64_t)at, 0);
        assert_near(quantile_of(&s, 0.5, 0), (uint64_t)at);
    }
}

static void quantiles_are_within_the_error_of_a_sorted_array(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct rng rng;
        struct policy_sketch s;
        rng_init(&rng, seed);
        policy_sketch_init(&s);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = value_of(&rng, seed);
            policy_sketch_add(&s, values[i], i * 10); /* 50 s: all windows but one */
        }
        assert_int_equal(policy_sketch_count(&s, VALUES * 10), VALUES);
        assert_quantiles(&s, values, VALUES, VALUES * 10);
    }
}

static void a_merged_sketch_answers_for_all(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct rng rng;
        struct policy_sketch parts[3];
        struct policy_sketch whole;
        rng_init(&rng, seed);
        policy_sketch_init(&whole);
        for (size_t p = 0; p < 3; p++)
            policy_sketch_init(&parts[p]);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = value_of(&rng, rng_next(&rng));
            policy_sketch_add(&parts[rng_below(&rng, 3)], values[i], i * 10);
        }
        for (size_t p = 0; p < 3; p++)
            policy_sketch_merge(&whole, &parts[p]);
        assert_int_equal(policy_sketch_count(&whole, VALUES * 10), VALUES);
        assert_quantiles(&whole, values, VALUES, VALUES * 10);
    }
}

static void merging_keeps_the_age_of_what_it_adds(void **state)
{
    (void)state;
    struct policy_sketch old;
    struct policy_sketch s;
    policy_sketch_init(&old);
    policy_sketch_init(&s);
    policy_sketch_add(&old, 500, 5000);
    policy_sketch_add(&old, 900, 25000);
    policy_sketch_add(&s, 100, 61000); /* the window of 5 s is over */
    policy_sketch_merge(&s, &old);
    assert_int_equal(policy_sketch_count(&s, 61000), 2);
    assert_near(quantile_of(&s, 1, 61000), 900);
    assert_int_equal(policy_sketch_count(&s, 80000), 1);
    policy_sketch_init(&s);
    policy_sketch_add(&s, 100, 5000);
    policy_sketch_add(&old, 700, 65000);
    policy_sketch_merge(&s, &old); /* the newer one turns the ring of the other */
    assert_int_equal(policy_sketch_count(&s, 65000), 2);
}

static void windows_are_forgotten_one_by_one(void **state)
{
    (void)state;
    struct policy_sketch s;
    policy_sketch_init(&s);
    for (uint64_t i = 0; i < 6; i++)
        policy_sketch_add(&s, 1000 * (i + 1), i * POLICY_SKETCH_WINDOW_MS);
    assert_int_equal(policy_sketch_count(&s, 59999), 6);
    assert_near(quantile_of(&s, 0, 59999), 1000);
    for (uint64_t i = 1; i < 6; i++) { /* without anything added */
        assert_int_equal(policy_sketch_count(&s, 50000 + i * POLICY_SKETCH_WINDOW_MS), 6 - i);
        assert_near(quantile_of(&s, 0, 50000 + i * POLICY_SKETCH_WINDOW_MS), 1000 * (i + 1));
    }
    policy_sketch_add(&s, 50, 70000);
    assert_int_equal(policy_sketch_count(&s, 70000), 5);
    policy_sketch_add(&s, 50, 9000000);
    assert_int_equal(policy_sketch_count(&s, 9000000), 1);
}

static void time_that_goes_back_counts_as_now(void **state)
{
    (void)state;
    struct policy_sketch s;
    policy_sketch_init(&s);
    policy_sketch_add(&s, 1000, 70000);
    policy_sketch_add(&s, 1000, 3);
    assert_int_equal(policy_sketch_count(&s, 70000), 2);
    assert_int_equal(policy_sketch_count(&s, 3), 2);
}

static void values_beyond_the_scale_count_as_its_ends(void **state)
{
    (void)state;
    struct policy_sketch s;
    policy_sketch_init(&s);
    policy_sketch_add(&s, 0, 0);
    assert_int_equal(quantile_of(&s, 0, 0), POLICY_SKETCH_MIN_US);
    policy_sketch_init(&s);
    policy_sketch_add(&s, UINT64_MAX, 0);
    assert_near(quantile_of(&s, 1, 0), POLICY_SKETCH_MAX_US);
}

/* Whatever the order: the largest values keep their accuracy, none is lost. */
static void what_does_not_fit_the_run_is_collapsed_at_its_low_end(void **state)
{
    (void)state;
    static const uint64_t orders[2][3] = {{2, 3000000, UINT64_C(3000000000)},
                                          {UINT64_C(3000000000), 3000000, 2}};
    for (size_t o = 0; o < 2; o++) {
        struct policy_sketch s;
        policy_sketch_init(&s);
        for (size_t i = 0; i < 3; i++)
            policy_sketch_add(&s, orders[o][i], 0);
        assert_int_equal(policy_sketch_count(&s, 0), 3);
        assert_near(quantile_of(&s, 1, 0), UINT64_C(3000000000));
        assert_near(quantile_of(&s, 0.5, 0), 3000000);
        uint64_t low_us = quantile_of(&s, 0, 0);
        assert_in_range(low_us, 3000, 12000); /* 360,000 times less than the largest */
    }
}

static void a_full_bucket_halves_its_window_and_keeps_the_shape(void **state)
{
    (void)state;
    struct policy_sketch s;
    policy_sketch_init(&s);
    for (uint64_t i = 0; i < 200000; i++)
        policy_sketch_add(&s, i % 50 == 0 ? 900000 : 1000, 0);
    assert_in_range(policy_sketch_count(&s, 0), 60000, 200000);
    assert_near(quantile_of(&s, 0.97, 0), 1000);
    assert_near(quantile_of(&s, 0.99, 0), 900000);
}

static void what_was_seen_once_stays_seen(void **state)
{
    (void)state;
    struct policy_sketch s;
    policy_sketch_init(&s);
    policy_sketch_add(&s, 5000000, 0);
    for (uint64_t i = 0; i < 200000; i++)
        policy_sketch_add(&s, 1000, 0);
    assert_near(quantile_of(&s, 1, 0), 5000000);
}

static void full_sketches_merge_and_keep_the_shape(void **state)
{
    (void)state;
    struct policy_sketch a;
    struct policy_sketch b;
    policy_sketch_init(&a);
    for (uint64_t i = 0; i < 65000; i++)
        policy_sketch_add(&a, i % 2 ? 1000 : 5000, 0);
    b = a;
    for (int i = 0; i < 40; i++) {
        policy_sketch_merge(&a, &b);
        assert_near(quantile_of(&a, 0.49, 0), 1000);
        assert_near(quantile_of(&a, 0.51, 0), 5000);
    }
}

static void of_two_full_sketches_each_counts_as_much(void **state)
{
    (void)state;
    struct policy_sketch a;
    struct policy_sketch b;
    policy_sketch_init(&a);
    policy_sketch_init(&b);
    for (uint64_t i = 0; i < 65000; i++) {
        policy_sketch_add(&a, 1000, 0);
        policy_sketch_add(&b, 5000, 0);
    }
    policy_sketch_merge(&a, &b);
    assert_near(quantile_of(&a, 0.49, 0), 1000);
    assert_near(quantile_of(&a, 0.51, 0), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_sketch_has_no_quantile),
        cmocka_unit_test(what_is_no_quantile_has_no_answer),
        cmocka_unit_test(every_value_of_the_scale_is_within_the_error),
        cmocka_unit_test(quantiles_are_within_the_error_of_a_sorted_array),
        cmocka_unit_test(a_merged_sketch_answers_for_all),
        cmocka_unit_test(merging_keeps_the_age_of_what_it_adds),
        cmocka_unit_test(windows_are_forgotten_one_by_one),
        cmocka_unit_test(time_that_goes_back_counts_as_now),
        cmocka_unit_test(values_beyond_the_scale_count_as_its_ends),
        cmocka_unit_test(what_does_not_fit_the_run_is_collapsed_at_its_low_end),
        cmocka_unit_test(a_full_bucket_halves_its_window_and_keeps_the_shape),
        cmocka_unit_test(what_was_seen_once_stays_seen),
        cmocka_unit_test(full_sketches_merge_and_keep_the_shape),
        cmocka_unit_test(of_two_full_sketches_each_counts_as_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
