/* When load is meant to start: rates, bursts, seeds and traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/load/core/plan.h"

static struct plan plan;

static void begin(enum plan_kind kind, double rate, uint64_t duration_us)
{
    struct plan_cfg cfg = {.kind = kind,
                           .rate = rate,
                           .duration_us = duration_us,
                           .on_us = 100000,
                           .off_us = 400000,
                           .seed = 7};
    plan_init(&plan, &cfg);
}

static size_t count_all(void)
{
    struct plan_arrival a;
    size_t count = 0;
    for (uint64_t last_us = 0; plan_next(&plan, &a); last_us = a.at_us, count++)
        assert_true(a.at_us >= last_us);
    return count;
}

static void constant_arrivals_are_evenly_spaced(void **state)
{
    struct plan_arrival a;
    begin(PLAN_CONSTANT, 1000, 10000000);
    for (uint64_t i = 1; i < 10000; i++) {
        assert_true(plan_next(&plan, &a));
        assert_in_range(a.at_us, i * 1000 - 1, i * 1000 + 1);
    }
    assert_false(plan_next(&plan, &a) && a.at_us >= 10000000);
}

static void poisson_arrivals_have_the_rate_and_the_spread_of_their_kind(void **state)
{
    struct plan_arrival a;
    double last_us = 0, sum = 0, square = 0;
    size_t count = 0;
    begin(PLAN_POISSON, 1000, 100000000);
    for (; plan_next(&plan, &a); count++) {
        double gap_us = (double)a.at_us - last_us;
        sum += gap_us;
        square += gap_us * gap_us;
        last_us = (double)a.at_us;
    }
    double mean = sum / (double)count, variance = square / (double)count - mean * mean;
    assert_in_range(count, 98000, 102000);
    assert_true(variance > 0.95e6 && variance < 1.05e6); /* an exponential's is its mean squared */
}

static void bursts_keep_the_mean_rate_and_are_silent_between(void **state)
{
    struct plan_arrival a;
    size_t count = 0;
    begin(PLAN_BURSTS, 1000, 50000000);
    for (; plan_next(&plan, &a); count++)
        assert_true(a.at_us % 500000 <= 100000);
    assert_in_range(count, 48000, 52000);
}

static void the_same_seed_gives_the_same_times(void **state)
{
    struct plan_arrival a, b;
    struct plan other;
    begin(PLAN_POISSON, 50, 1000000000);
    struct plan_cfg cfg = plan.cfg;
    plan_init(&other, &cfg);
    for (int i = 0; i < 1000; i++) {
        assert_true(plan_next(&plan, &a) && plan_next(&other, &b));
        assert_true(a.at_us == b.at_us);
    }
    cfg.seed = 8;
    plan_init(&other, &cfg);
    assert_true(plan_next(&plan, &a) && plan_next(&other, &b));
    assert_true(a.at_us != b.at_us);
}

static void a_trace_is_followed_as_it_is(void **state)
{
    struct plan_arrival a;
    size_t line;
    begin(PLAN_TRACE, 0, 0);
    assert_int_equal(
        plan_read_trace(&plan, BYTES("# a comment\n0\n5 100\r\n\n 7  200 30 \n7\n"), &line),
        ERR_OK);
    assert_true(plan_next(&plan, &a) && a.at_us == 0 && a.prompt_tokens == 0);
    assert_true(plan_next(&plan, &a) && a.at_us == 5000 && a.prompt_tokens == 100);
    assert_true(plan_next(&plan, &a) && a.at_us == 7000 && a.output_tokens == 30);
    assert_int_equal(count_all(), 1);
    plan_fini(&plan);
}

static void a_trace_that_goes_back_or_says_nothing_is_refused_at_its_line(void **state)
{
    static const char *const bad[] = {"1\n2\n1\n", "1\n2\nx\n", "1\n2\n3 4 5 6\n", "1\n2\n3 -1\n"};
    for (size_t i = 0; i < 4; i++) {
        size_t line = 0;
        begin(PLAN_TRACE, 0, 0);
        assert_int_equal(plan_read_trace(&plan, bytes_from_str(bad[i]), &line), ERR_INVALID);
        assert_int_equal(line, 3);
        plan_fini(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_arrivals_are_evenly_spaced),
        cmocka_unit_test(poisson_arrivals_have_the_rate_and_the_spread_of_their_kind),
        cmocka_unit_test(bursts_keep_the_mean_rate_and_are_silent_between),
        cmocka_unit_test(the_same_seed_gives_the_same_times),
        cmocka_unit_test(a_trace_is_followed_as_it_is),
        cmocka_unit_test(a_trace_that_goes_back_or_says_nothing_is_refused_at_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
