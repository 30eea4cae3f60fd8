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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
