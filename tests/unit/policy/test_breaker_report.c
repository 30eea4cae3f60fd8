/* Tests of policy/breaker_report: how many witnesses it takes, when they are heard, and that what
 * was experienced here outranks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/breaker.h"

#include <string.h>

#define NOW_MS UINT64_C(1000000)

static struct policy_breaker breaker;
static struct rng rng;

static int make(void **state)
{
    (void)state;
    rng_init(&rng, 1);
    policy_breaker_init(&breaker, &policy_breaker_defaults);
    return 0;
}

static void report(uint8_t witness, uint64_t made_ms, uint64_t now_ms)
{
    struct id id = {{witness}};
    policy_breaker_report(&breaker, &id, made_ms, now_ms, &rng);
}

static void call(enum policy_outcome outcome, uint64_t now_ms)
{
    policy_breaker_end(&breaker, policy_breaker_begin(&breaker, now_ms), outcome, 10, 0, now_ms,
                       &rng);
}

static bool is_open(void)
{
    return breaker.state == POLICY_OPEN;
}

static void three_distinct_witnesses_trip_it(void **state)
{
    (void)state;
    report(1, NOW_MS, NOW_MS);
    report(2, NOW_MS, NOW_MS);
    assert_false(is_open());
    report(3, NOW_MS, NOW_MS);
    assert_true(is_open());
    assert_string_equal(policy_trip_name(breaker.trip), "witnesses");
}

static void places_that_are_empty_are_no_witnesses(void **state)
{
    (void)state;
    report(1, 5, 5); /* so soon after the start that 0 would be within their time */
    report(2, 0, 5);
    report(3, 0, 5);
    assert_false(is_open());
}

static void one_witness_is_one_however_often_it_says_so(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        report(1, NOW_MS + i, NOW_MS + i);
        report(2, NOW_MS + i, NOW_MS + i);
    }
    assert_false(is_open());
}

static void a_report_ends_with_its_time(void **state)
{
    (void)state;
    uint64_t lasts_ms = policy_breaker_defaults.witness_ms;
    report(1, NOW_MS, NOW_MS);
    report(2, NOW_MS + 1, NOW_MS + 1);
    report(3, NOW_MS + lasts_ms, NOW_MS + lasts_ms);
    assert_false(is_open());
    report(4, NOW_MS, NOW_MS + lasts_ms); /* it comes too late */
    assert_false(is_open());
    report(1, NOW_MS + lasts_ms, NOW_MS + lasts_ms);
    assert_true(is_open());
}

static void a_report_from_the_future_counts_as_now(void **state)
{
    (void)state;
    uint64_t lasts_ms = policy_breaker_defaults.witness_ms;
    report(1, UINT64_MAX, NOW_MS);
    report(2, UINT64_MAX, NOW_MS);
    report(3, NOW_MS + lasts_ms, NOW_MS + lasts_ms);
    assert_false(is_open());
}

static void an_older_report_of_a_witness_takes_nothing_back(void **state)
{
    (void)state;
    uint64_t later_ms = NOW_MS + policy_breaker_defaults.witness_ms - 1;
    report(1, NOW_MS, NOW_MS);
    report(1, NOW_MS - 5000, NOW_MS);
    report(2, later_ms, later_ms);
    report(3, later_ms, later_ms);
    assert_true(is_open());
}

static bool remembers(uint8_t witness)
{
    struct id id = {{witness}};
    for (size_t i = 0; i < POLICY_BREAKER_WITNESSES_MAX; i++)
        if (breaker.reports[i].made_ms > 0 && id_equal(&breaker.reports[i].witness, &id))
            return true;
    return false;
}

static void when_there_are_many_the_oldest_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) /* so that they trip nothing */
        call(POLICY_CALL_SUCCESS, NOW_MS);
    for (uint8_t i = 1; i <= POLICY_BREAKER_WITNESSES_MAX; i++)
        report(i, NOW_MS + (i == 5 ? 0 : i), NOW_MS + 100);
    report(50, NOW_MS + 100, NOW_MS + 100);
    assert_true(remembers(50) && remembers(1) && remembers(8));
    assert_false(remembers(5));
    report(51, NOW_MS - 1, NOW_MS + 100); /* older than all */
    assert_false(remembers(51));
}

static void enough_good_calls_of_our_own_outrank_witnesses(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        call(POLICY_CALL_SUCCESS, NOW_MS);
    for (uint8_t i = 1; i <= 8; i++)
        report(i, NOW_MS, NOW_MS);
    assert_false(is_open());
    for (int i = 0; i < 4; i++)
        call(POLICY_CALL_FAILURE, NOW_MS + 1);
    for (int i = 0; i < 4; i++) {
        call(POLICY_CALL_SUCCESS, NOW_MS + 1);
        call(POLICY_CALL_FAILURE, NOW_MS + 1);
    }
    report(1, NOW_MS + 2, NOW_MS + 2); /* 8 of 32 is half of what would trip it: no longer well */
    assert_true(is_open());
}

static void own_calls_that_crawl_do_not(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        policy_breaker_end(&breaker, policy_breaker_begin(&breaker, NOW_MS), POLICY_CALL_SUCCESS,
                           i < 8 ? policy_breaker_defaults.slow_ms + 1 : 1, 0, NOW_MS, &rng);
    for (uint8_t i = 1; i <= 3; i++)
        report(i, NOW_MS, NOW_MS);
    assert_true(is_open());
}

static void few_good_calls_do_not(void **state)
{
    (void)state;
    for (int i = 0; i < 19; i++)
        call(POLICY_CALL_SUCCESS, NOW_MS);
    for (uint8_t i = 1; i <= 3; i++)
        report(i, NOW_MS, NOW_MS);
    assert_true(is_open());
}

/* Liars cannot keep a deployment shut that answers our probes. */
static void what_probes_have_shown_outranks_witnesses_until_full_weight(void **state)
{
    (void)state;
    for (uint8_t i = 1; i <= 3; i++)
        report(i, NOW_MS, NOW_MS);
    uint64_t now_ms = breaker.open_until_ms;
    for (uint8_t i = 1; i <= 8; i++)
        report(i, now_ms, now_ms); /* open: nothing to add */
    for (int i = 0; i < 3; i++)
        call(POLICY_CALL_SUCCESS, now_ms);
    assert_int_equal(breaker.state, POLICY_CLOSED);
    uint64_t full_ms = now_ms + policy_breaker_defaults.ramp_ms;
    for (uint8_t i = 1; i <= 8; i++)
        report(i, full_ms - 1, full_ms - 1);
    assert_false(is_open());
    for (uint8_t i = 1; i <= 3; i++)
        report(i, full_ms, full_ms);
    assert_true(is_open());
}

/* With so short a ramp that what was heard before would still count. */
static void reports_of_before_it_closed_are_of_another_time(void **state)
{
    (void)state;
    struct policy_breaker_cfg cfg = policy_breaker_defaults;
    cfg.ramp_ms = 0;
    cfg.probes_needed = 1;
    policy_breaker_init(&breaker, &cfg);
    report(1, NOW_MS, NOW_MS);
    report(2, NOW_MS, NOW_MS);
    for (int i = 0; i < 5; i++)
        call(POLICY_CALL_FAILURE, NOW_MS);
    uint64_t now_ms = breaker.open_until_ms;
    call(POLICY_CALL_SUCCESS, now_ms);
    assert_int_equal(breaker.state, POLICY_CLOSED);
    report(3, now_ms + 1, now_ms + 100); /* the other two led to the trip */
    assert_false(is_open());
    report(4, now_ms, now_ms + 100);
    report(5, now_ms, now_ms + 100);
    assert_false(is_open());
    report(4, now_ms + 1, now_ms + 100);
    report(5, now_ms + 1, now_ms + 100);
    assert_true(is_open());
}

/* Of any sequence of reports: as many witnesses as needed, all heard within their time. */
static void fewer_witnesses_never_trip_it(void **state)
{
    (void)state;
    uint64_t trips = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t newest_ms[5] = {0};
        uint64_t now_ms = NOW_MS;
        make(NULL);
        rng_init(&rng, seed);
        for (int i = 0; i < 60 && !is_open(); i++) {
            uint8_t witness = (uint8_t)rng_below(&rng, 5);
            now_ms += rng_below(&rng, 5000);
            uint64_t made_ms = now_ms - rng_below(&rng, 15000);
            report(witness, made_ms, now_ms);
            if (made_ms > newest_ms[witness])
                newest_ms[witness] = made_ms;
            unsigned live = 0;
            for (size_t j = 0; j < 5; j++)
                live += newest_ms[j] + policy_breaker_defaults.witness_ms > now_ms;
            /* one that is too old changes nothing, even where the others would do */
            if (made_ms + policy_breaker_defaults.witness_ms > now_ms)
                assert_true(is_open() == (live >= 3));
            else
                assert_false(is_open());
        }
        trips += is_open();
    }
    assert_true(trips > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(three_distinct_witnesses_trip_it, make),
        cmocka_unit_test_setup(places_that_are_empty_are_no_witnesses, make),
        cmocka_unit_test_setup(one_witness_is_one_however_often_it_says_so, make),
        cmocka_unit_test_setup(a_report_ends_with_its_time, make),
        cmocka_unit_test_setup(a_report_from_the_future_counts_as_now, make),
        cmocka_unit_test_setup(an_older_report_of_a_witness_takes_nothing_back, make),
        cmocka_unit_test_setup(when_there_are_many_the_oldest_makes_room, make),
        cmocka_unit_test_setup(enough_good_calls_of_our_own_outrank_witnesses, make),
        cmocka_unit_test_setup(own_calls_that_crawl_do_not, make),
        cmocka_unit_test_setup(few_good_calls_do_not, make),
        cmocka_unit_test_setup(what_probes_have_shown_outranks_witnesses_until_full_weight, make),
        cmocka_unit_test_setup(reports_of_before_it_closed_are_of_another_time, make),
        cmocka_unit_test_setup(fewer_witnesses_never_trip_it, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
