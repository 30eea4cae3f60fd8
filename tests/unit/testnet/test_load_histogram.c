/* Percentiles of the load generator: never further off than a step, whatever the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "testnet/load/core/histogram.h"

#include <stdlib.h>
#include <string.h>

static struct histogram h;

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void one_value_is_given_back_within_a_step(void **state)
{
    struct rng rng;
    rng_init(&rng, 1);
    for (int i = 0; i < 200000; i++) {
        uint64_t value = rng_next(&rng) >> (29 + rng_below(&rng, 35)); /* in range, doubled too */
        memset(&h, 0, sizeof h);
        histogram_add(&h, value);
        histogram_add(&h, value * 2 + 1000); /* so that the maximum does not help */
        uint64_t found = histogram_at(&h, 0.5);
        assert_true(found >= value && found - value <= value / 128);
    }
}

static void percentiles_are_those_of_the_sorted_values(void **state)
{
    static uint64_t values[100000];
    static const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.99999};
    struct rng rng;
    rng_init(&rng, 2);
    memset(&h, 0, sizeof h);
    for (size_t i = 0; i < 100000; i++) {
        values[i] = rng_next(&rng) >> (34 + rng_below(&rng, 30));
        histogram_add(&h, values[i]);
    }
    qsort(values, 100000, sizeof values[0], by_value);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        uint64_t exact = values[(size_t)(shares[i] * 100000 + 0.999999) - 1];
        uint64_t found = histogram_at(&h, shares[i]);
        assert_true(found >= exact && found - exact <= exact / 128);
    }
    assert_true(histogram_at(&h, 1) == values[99999]);
}

static void nothing_and_too_much_are_survived(void **state)
{
    memset(&h, 0, sizeof h);
    assert_true(histogram_at(&h, 0.5) == 0);
    assert_true(histogram_mean(&h) == 0);
    histogram_add(&h, UINT64_MAX);
    assert_true(histogram_at(&h, 0.5) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_is_given_back_within_a_step),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
        cmocka_unit_test(nothing_and_too_much_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
