/* Tests of policy/health: what moves the score and how far, medians against sorted arrays, and the
 * panic threshold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/health.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct policy_health_facts well = {.latency_us = 1000,
                                                .peers_latency_us = 1000,
                                                .calls = 1000000,
                                                .errors = 0,
                                                .model = POLICY_WARM};

static double score_of(struct policy_health_facts facts)
{
    double score = policy_health_score(&facts, NULL);
    assert_true(score >= 0 && score <= 1);
    return score;
}

static void one_that_does_well_has_nearly_one(void **state)
{
    (void)state;
    assert_true(score_of(well) > 0.999);
    struct policy_health_facts faster = well;
    faster.latency_us = 10; /* than the others is no merit: it may fail fast */
    assert_true(score_of(faster) == score_of(well));
}

static void slower_than_the_peers_is_worse_step_by_step(void **state)
{
    (void)state;
    struct policy_health_facts facts = well;
    double last = score_of(facts);
    for (int i = 0; i < 40; i++) {
        facts.latency_us *= 1.1;
        double score = score_of(facts);
        assert_true(score < last && score > last * 0.9); /* no jump */
        last = score;
    }
}

static void each_error_makes_it_worse_and_nothing_but_errors_is_worst(void **state)
{
    (void)state;
    struct policy_health_facts facts = well;
    facts.calls = 50;
    double last = 2;
    for (facts.errors = 0; facts.errors <= 50; facts.errors++) {
        double score = score_of(facts);
        assert_true(score < last);
        last = score;
    }
    assert_true(last < 0.05);
    facts.errors = UINT64_MAX;
    assert_true(score_of(facts) == last);
}

static void few_calls_say_little(void **state)
{
    (void)state;
    struct policy_health_facts few = well;
    struct policy_health_facts many = well;
    few.calls = few.errors = 1;
    many.calls = many.errors = 100;
    assert_true(score_of(few) > 5 * score_of(many));
}

static void a_model_that_has_to_be_loaded_is_worse_than_one_nobody_knows_of(void **state)
{
    (void)state;
    struct policy_health_facts unknown = well;
    struct policy_health_facts cold = well;
    unknown.model = POLICY_WARMTH_UNKNOWN;
    cold.model = POLICY_COLD;
    assert_true(score_of(cold) < score_of(unknown) && score_of(unknown) < score_of(well));
}

static void what_nobody_knows_is_neither_good_nor_bad(void **state)
{
    (void)state;
    double score = score_of((struct policy_health_facts){0});
    assert_true(fabs(score - POLICY_HEALTH_UNKNOWN) < 1e-9);
}

static void weights_say_what_counts(void **state)
{
    (void)state;
    struct policy_health_facts slow = well;
    slow.latency_us = 4000;
    assert_true(policy_health_score(&slow, &(struct policy_health_weights){.errors = 1}) > 0.99);
    double only = policy_health_score(&slow, &(struct policy_health_weights){.latency = 3});
    assert_true(fabs(only - 0.25) < 1e-9);
    assert_true(policy_health_score(&slow, &(struct policy_health_weights){0}) == 1);
    struct policy_health_weights odd = {.latency = 1, .errors = INFINITY, .model = -1};
    assert_true(fabs(policy_health_score(&slow, &odd) - 0.25) < 1e-9);
}

static double odd_number(struct rng *rng)
{
    static const double odd[] = {0, -0.0, -1, NAN, INFINITY, -INFINITY, 1e-320, 1e308, 5, 1000};
    return odd[rng_below(rng, sizeof odd / sizeof *odd)];
}

static void any_input_gives_a_number_from_0_to_1(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    for (int i = 0; i < 20000; i++) {
        struct policy_health_weights weights = {odd_number(&rng), odd_number(&rng),
                                                odd_number(&rng)};
        struct policy_health_facts facts = {.latency_us = odd_number(&rng),
                                            .peers_latency_us = odd_number(&rng),
                                            .calls = rng_next(&rng) >> rng_below(&rng, 64),
                                            .errors = rng_next(&rng) >> rng_below(&rng, 64),
                                            .model = (enum policy_warmth)rng_below(&rng, 5)};
        double score = policy_health_score(&facts, &weights);
        assert_true(score >= 0 && score <= 1);
    }
}

/* --- median */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void the_median_is_that_of_a_sorted_array(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9);
    for (int i = 0; i < 500; i++) {
        double values[60];
        double known[60];
        size_t count = (size_t)rng_below(&rng, 60);
        size_t good = 0;
        for (size_t j = 0; j < count; j++) {
            values[j] = rng_chance(&rng, 0.3) ? odd_number(&rng) : rng_unit(&rng) * 1e6;
            if (isfinite(values[j]) && values[j] > 0)
                known[good++] = values[j];
        }
        qsort(known, good, sizeof *known, compare);
        double expected = good ? known[(good - 1) / 2] : 0;
        assert_true(policy_health_median(values, count) == expected);
    }
}

/* --- panic */

static void few_that_are_ejected_stay_so(void **state)
{
    (void)state;
    bool is_ejected[4] = {true, false, true, false};
    const double badness[4] = {1, 2, 3, 4};
    assert_int_equal(policy_panic(is_ejected, badness, 4, 0.5), 0);
    assert_true(is_ejected[0] && is_ejected[2]);
    assert_int_equal(policy_panic(is_ejected, badness, 0, 0.5), 0);
}

static void of_too_many_the_least_bad_are_let_in(void **state)
{
    (void)state;
    bool is_ejected[6] = {true, true, true, false, true, true};
    const double badness[6] = {9, 0.5, NAN, 0, -3, 4};
    assert_int_equal(policy_panic(is_ejected, badness, 6, 0.5), 2);
    const bool expected[6] = {true, false, true, false, false, true};
    assert_memory_equal(is_ejected, expected, sizeof expected);
}

static void what_is_no_number_is_let_in_last(void **state)
{
    (void)state;
    bool is_ejected[3] = {true, true, true};
    const double badness[3] = {copysign(NAN, -1), INFINITY, 1};
    assert_int_equal(policy_panic(is_ejected, badness, 3, 0.4), 2);
    assert_true(is_ejected[0] && !is_ejected[1] && !is_ejected[2]);
    assert_int_equal(policy_panic(is_ejected, badness, 3, 0), 1);
    assert_false(is_ejected[0]);
}

static void of_equals_no_more_than_needed_are_let_in(void **state)
{
    (void)state;
    bool is_ejected[5] = {true, true, true, true, true};
    const double badness[5] = {1, 1, 1, 1, 1};
    assert_int_equal(policy_panic(is_ejected, badness, 5, 0.6), 2);
    assert_true(!is_ejected[0] && !is_ejected[1] && is_ejected[2] && is_ejected[4]);
}

static void a_share_that_makes_no_sense_is_cut(void **state)
{
    (void)state;
    bool is_ejected[2] = {true, true};
    const double badness[2] = {1, 1};
    assert_int_equal(policy_panic(is_ejected, badness, 2, 7), 0);
    assert_int_equal(policy_panic(is_ejected, badness, 2, INFINITY), 0);
    assert_int_equal(policy_panic(is_ejected, badness, 2, -1), 2);
    is_ejected[0] = is_ejected[1] = true;
    assert_int_equal(policy_panic(is_ejected, badness, 2, NAN), 2);
}

/* Never more out than may be, nobody new out, and nobody stays out who is less bad than one let in.
 */
static void no_pool_is_emptied(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 11);
    for (int i = 0; i < 2000; i++) {
        bool before[40], after[40];
        double badness[40];
        size_t count = (size_t)rng_below(&rng, 40);
        double share = rng_unit(&rng);
        size_t out = 0;
        size_t left = 0;
        for (size_t j = 0; j < count; j++) {
            before[j] = after[j] = rng_chance(&rng, 0.7);
            badness[j] = (double)rng_below(&rng, 10) - 5;
            out += before[j];
        }
        size_t allowed = (size_t)(share * (double)count);
        size_t in = policy_panic(after, badness, count, share);
        assert_int_equal(in, out > allowed ? out - allowed : 0);
        double worst_in = -INFINITY;
        double best_out = INFINITY;
        for (size_t j = 0; j < count; j++) {
            assert_true(before[j] || !after[j]);
            left += after[j];
            if (before[j] && !after[j])
                worst_in = fmax(worst_in, badness[j]);
            if (after[j])
                best_out = fmin(best_out, badness[j]);
        }
        assert_int_equal(left, out - in);
        assert_true(in == 0 || worst_in <= best_out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_does_well_has_nearly_one),
        cmocka_unit_test(slower_than_the_peers_is_worse_step_by_step),
        cmocka_unit_test(each_error_makes_it_worse_and_nothing_but_errors_is_worst),
        cmocka_unit_test(few_calls_say_little),
        cmocka_unit_test(a_model_that_has_to_be_loaded_is_worse_than_one_nobody_knows_of),
        cmocka_unit_test(what_nobody_knows_is_neither_good_nor_bad),
        cmocka_unit_test(weights_say_what_counts),
        cmocka_unit_test(any_input_gives_a_number_from_0_to_1),
        cmocka_unit_test(the_median_is_that_of_a_sorted_array),
        cmocka_unit_test(few_that_are_ejected_stay_so),
        cmocka_unit_test(of_too_many_the_least_bad_are_let_in),
        cmocka_unit_test(what_is_no_number_is_let_in_last),
        cmocka_unit_test(of_equals_no_more_than_needed_are_let_in),
        cmocka_unit_test(a_share_that_makes_no_sense_is_cut),
        cmocka_unit_test(no_pool_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
