/* Figures: not known is not 0, codes come back, small changes are no news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "node/mesh/figures.h"

static void nothing_is_known_of_zeros(void **state)
{
    struct figures f = {0};
    uint32_t value = 7, codes[1 + FIGURES];
    for (int i = 0; i < FIGURES; i++)
        assert_false(figures_get(&f, (enum figure)i, &value));
    assert_int_equal(value, 7);
    assert_int_equal(figures_pack(&f, codes), 0);
}

static void what_cannot_be_is_not_known(void **state)
{
    static const double wrong[] = {NAN, INFINITY, -INFINITY, -0.1, 100.1, 1e300};
    struct figures f = {0};
    uint32_t value;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        figures_set(&f, FIGURE_GPU_LOAD, 50);
        assert_true(figures_get(&f, FIGURE_GPU_LOAD, &value));
        figures_set(&f, FIGURE_GPU_LOAD, wrong[i]);
        assert_false(figures_get(&f, FIGURE_GPU_LOAD, &value));
    }
    figures_set(&f, FIGURE_GPU_LOAD, 0);
    assert_true(figures_get(&f, FIGURE_GPU_LOAD, &value));
    assert_int_equal(value, 0);
}

static void codes_come_back_within_a_sixteenth(void **state)
{
    for (uint32_t ms = 0; ms <= 3600000; ms += 1 + ms / 50) {
        struct figures f = {0}, got, again;
        uint32_t codes[1 + FIGURES], more[1 + FIGURES], value;
        size_t used = 0;
        figures_set(&f, FIGURE_TTFT_P99, ms);
        assert_int_equal(figures_pack(&f, codes), 2);
        assert_true(figures_unpack(codes, 2, &got, &used));
        assert_int_equal(used, 2);
        assert_true(figures_get(&got, FIGURE_TTFT_P99, &value));
        assert_true(fabs((double)value - ms) <= ms / 16.0);
        assert_true(ms >= 16 || value == ms);
        assert_true(ms > 240000 || codes[1] < 128); /* one byte */
        assert_int_equal(figures_pack(&got, more), 2);
        assert_true(figures_unpack(more, 2, &again, &used));
        assert_memory_equal(&again, &got, sizeof(got));
    }
}

static void percents_come_back_as_they_were(void **state)
{
    struct figures f = {0}, got;
    uint32_t codes[1 + FIGURES];
    size_t used;
    figures_set(&f, FIGURE_GPU_LOAD, 83);
    figures_set(&f, FIGURE_KV, 0);
    figures_set(&f, FIGURE_GPU_CELSIUS, 127);
    assert_int_equal(figures_pack(&f, codes), 4);
    assert_true(figures_unpack(codes, 4, &got, &used));
    assert_memory_equal(&got, &f, sizeof(f));
}

static void misshapen_codes_are_refused(void **state)
{
    static const uint32_t rows[][3] = {
        {0, 1, 1},                           /* an empty mask */
        {1u << FIGURE_GPU_LOAD, 101},        /* above 100 % */
        {1u << FIGURE_TTFT_P50, 200},        /* more than an hour */
        {1u << FIGURE_TTFT_P50, UINT32_MAX}, /* an exponent beyond any number */
        {1u << FIGURE_ERRORS, 71},           /* 1,920 of 1,000 */
    };
    struct figures f;
    size_t used;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_false(figures_unpack(rows[i], 3, &f, &used));
    static const uint32_t short_of_one[] = {3, 50};
    assert_false(figures_unpack(short_of_one, 2, &f, &used));
    assert_false(figures_unpack(short_of_one, 0, &f, &used));
}

static void figures_of_a_later_version_are_skipped(void **state)
{
    static const uint32_t codes[] = {1u << FIGURE_KV | 1u << 30 | 1u << 31, 12, 99999, 5, 1};
    struct figures f;
    size_t used;
    uint32_t value;
    assert_true(figures_unpack(codes, 5, &f, &used));
    assert_int_equal(used, 4);
    assert_int_equal(f.known, 1u << FIGURE_KV);
    assert_true(figures_get(&f, FIGURE_KV, &value));
    assert_int_equal(value, 12);
}

static uint32_t settled(enum figure which, double said, double now)
{
    struct figures was = {0}, is = {0};
    uint32_t value = UINT32_MAX;
    figures_set(&was, which, said);
    figures_set(&is, which, now);
    figures_settle(&is, &was);
    assert_true(figures_get(&is, which, &value));
    return value;
}

static void what_trembles_stays_as_it_was_said(void **state)
{
    assert_int_equal(settled(FIGURE_GPU_LOAD, 50, 52), 50);
    assert_int_equal(settled(FIGURE_GPU_LOAD, 50, 53), 53);
    assert_int_equal(settled(FIGURE_GPU_LOAD, 50, 47), 47);
    assert_int_equal(settled(FIGURE_GPU_CELSIUS, 60, 63), 60);
    assert_int_equal(settled(FIGURE_TTFT_P50, 1000, 1090), 1000);
    assert_int_equal(settled(FIGURE_TTFT_P50, 1000, 1200), 1200);
    assert_int_equal(settled(FIGURE_ERRORS, 0, 1), 1);
    assert_int_equal(settled(FIGURE_KV, 100, 0), 0);
}

static void what_is_no_longer_known_does_not_settle_on_the_old(void **state)
{
    struct figures was = {0}, is = {0};
    uint32_t value;
    figures_set(&was, FIGURE_KV, 50);
    figures_set(&is, FIGURE_GPU_LOAD, 1);
    figures_settle(&is, &was);
    assert_false(figures_get(&is, FIGURE_KV, &value));
    assert_true(figures_get(&is, FIGURE_GPU_LOAD, &value));
    assert_int_equal(value, 1);
}

static void a_tenth_of_gpu_load_is_sharp(void **state)
{
    struct figures was = {0}, is = {0};
    assert_false(figures_is_sharp(&is, &was));
    figures_set(&is, FIGURE_GPU_LOAD, 0);
    assert_true(figures_is_sharp(&is, &was));
    assert_true(figures_is_sharp(&was, &is));
    figures_set(&was, FIGURE_GPU_LOAD, 9);
    assert_false(figures_is_sharp(&is, &was));
    figures_set(&was, FIGURE_GPU_LOAD, 10);
    assert_true(figures_is_sharp(&is, &was));
    figures_set(&is, FIGURE_GPU_LOAD, 10);
    figures_set(&is, FIGURE_KV, 100);
    assert_false(figures_is_sharp(&is, &was));
}

static void what_is_missing_is_taken_from_another(void **state)
{
    struct figures own = {0}, other = {0};
    uint32_t value;
    figures_set(&own, FIGURE_GPU_LOAD, 10);
    figures_set(&other, FIGURE_GPU_LOAD, 90);
    figures_set(&other, FIGURE_GPU_MEMORY, 40);
    figures_complete(&own, &other);
    assert_true(figures_get(&own, FIGURE_GPU_LOAD, &value) && value == 10);
    assert_true(figures_get(&own, FIGURE_GPU_MEMORY, &value) && value == 40);
    assert_false(figures_get(&own, FIGURE_KV, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_of_zeros),
        cmocka_unit_test(what_cannot_be_is_not_known),
        cmocka_unit_test(codes_come_back_within_a_sixteenth),
        cmocka_unit_test(percents_come_back_as_they_were),
        cmocka_unit_test(misshapen_codes_are_refused),
        cmocka_unit_test(figures_of_a_later_version_are_skipped),
        cmocka_unit_test(what_trembles_stays_as_it_was_said),
        cmocka_unit_test(what_is_no_longer_known_does_not_settle_on_the_old),
        cmocka_unit_test(a_tenth_of_gpu_load_is_sharp),
        cmocka_unit_test(what_is_missing_is_taken_from_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
