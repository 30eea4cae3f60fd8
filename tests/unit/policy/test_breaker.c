/* Tests of policy/breaker, own calls: what trips it, what does not, probes, ramp, busy times; and
 * random sequences under which its promises hold. Reports of others: test_breaker_report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/breaker.h"

#include <string.h>

struct world {
    struct policy_breaker b;
    struct policy_breaker_cfg cfg;
    struct rng rng;
    uint64_t now_ms;
};

static struct world world_of(struct policy_breaker_cfg cfg)
{
    struct world w = {.cfg = cfg, .now_ms = 1000000};
    rng_init(&w.rng, 1);
    return w;
}

/* The breaker points into the world, so it is made where the world stays. */
static void start(struct world *w)
{
    policy_breaker_init(&w->b, &w->cfg);
}

static void end(struct world *w, struct policy_call call, enum policy_outcome outcome)
{
    policy_breaker_end(&w->b, call, outcome, 10, 0, w->now_ms, &w->rng);
}

static void call(struct world *w, enum policy_outcome outcome)
{
    end(w, policy_breaker_begin(&w->b, w->now_ms), outcome);
}

static void calls(struct world *w, int count, enum policy_outcome outcome)
{
    for (int i = 0; i < count; i++)
        call(w, outcome);
}

static void slow_calls(struct world *w, int count)
{
    for (int i = 0; i < count; i++)
        policy_breaker_end(&w->b, policy_breaker_begin(&w->b, w->now_ms), POLICY_CALL_SUCCESS,
                           w->cfg.slow_ms + 1, 0, w->now_ms, &w->rng);
}

static bool admits(const struct world *w)
{
    return policy_breaker_admits(&w->b, w->now_ms);
}

static void trip(struct world *w)
{
    calls(w, (int)w->cfg.failures_max, POLICY_CALL_FAILURE);
    assert_int_equal(w->b.state, POLICY_OPEN);
}

/* To the moment when probes are due. */
static void wait_open(struct world *w)
{
    w->now_ms = w->b.open_until_ms;
}

static void close_again(struct world *w)
{
    wait_open(w);
    calls(w, (int)w->cfg.probes_needed, POLICY_CALL_SUCCESS);
    assert_int_equal(w->b.state, POLICY_CLOSED);
}

/* --- tripping */

static void a_new_one_admits_with_full_weight(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    assert_true(admits(&w));
    assert_true(policy_breaker_weight(&w.b, w.now_ms) == 1);
    assert_true(policy_breaker_weight(&w.b, 0) == 1);
    assert_string_equal(policy_breaker_state_name(w.b.state), "closed");
    assert_string_equal(policy_trip_name(w.b.trip), "none");
}

static void failures_in_a_row_trip_it_at_once(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    calls(&w, 4, POLICY_CALL_FAILURE);
    assert_true(admits(&w));
    call(&w, POLICY_CALL_FAILURE);
    assert_false(admits(&w));
    assert_true(policy_breaker_weight(&w.b, w.now_ms) == 0);
    assert_string_equal(policy_trip_name(w.b.trip), "consecutive_failures");
}

static void a_success_begins_the_row_anew(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    calls(&w, 4, POLICY_CALL_FAILURE);
    call(&w, POLICY_CALL_SUCCESS);
    calls(&w, 4, POLICY_CALL_FAILURE);
    assert_true(admits(&w));
}

static void a_rate_of_errors_trips_it_once_there_are_enough_calls(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    for (int i = 0; i < 9; i++) {
        call(&w, POLICY_CALL_FAILURE);
        call(&w, POLICY_CALL_SUCCESS);
    }
    call(&w, POLICY_CALL_SUCCESS);
    assert_int_equal(w.b.state, POLICY_CLOSED); /* 9 of 19 */
    call(&w, POLICY_CALL_FAILURE);
    assert_int_equal(w.b.state, POLICY_OPEN); /* 10 of 20 */
    assert_string_equal(policy_trip_name(w.b.trip), "error_rate");
}

static void errors_are_forgotten_with_the_window(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    for (int i = 0; i < 9; i++) {
        call(&w, POLICY_CALL_FAILURE);
        call(&w, POLICY_CALL_SUCCESS);
    }
    assert_int_equal(policy_breaker_rates(&w.b, w.now_ms).errors, 9);
    w.now_ms += w.cfg.window_ms;
    assert_int_equal(policy_breaker_rates(&w.b, w.now_ms).calls, 0);
    call(&w, POLICY_CALL_FAILURE);
    call(&w, POLICY_CALL_FAILURE);
    assert_int_equal(w.b.state, POLICY_CLOSED);
}

static void calls_that_crawl_trip_it(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    calls(&w, 4, POLICY_CALL_SUCCESS);
    slow_calls(&w, 15);
    assert_int_equal(w.b.state, POLICY_CLOSED);
    slow_calls(&w, 1);
    assert_int_equal(w.b.state, POLICY_OPEN); /* 16 of 20 */
    assert_string_equal(policy_trip_name(w.b.trip), "slow_rate");
}

static void nothing_is_slow_when_no_limit_says_so(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    w.cfg.slow_ms = 0;
    start(&w);
    slow_calls(&w, 100);
    assert_int_equal(w.b.state, POLICY_CLOSED);
}

static void good_calls_trip_nothing_even_with_limits_of_zero(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    w.cfg.error_rate_max = 0;
    w.cfg.slow_rate_max = 0;
    start(&w);
    calls(&w, 100, POLICY_CALL_SUCCESS);
    assert_int_equal(w.b.state, POLICY_CLOSED);
}

/* --- what is no failure */

static void what_the_caller_gave_up_and_own_errors_say_nothing(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    calls(&w, 4, POLICY_CALL_FAILURE);
    calls(&w, 50, POLICY_CALL_CANCELLED);
    calls(&w, 50, POLICY_CALL_OWN_ERROR);
    assert_int_equal(policy_breaker_rates(&w.b, w.now_ms).calls, 4);
    assert_true(admits(&w));
    call(&w, POLICY_CALL_FAILURE); /* nor do they break the row */
    assert_false(admits(&w));
}

static void busy_is_no_failure_but_is_not_asked_before_its_time(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    for (int i = 0; i < 100; i++)
        policy_breaker_end(&w.b, policy_breaker_begin(&w.b, w.now_ms), POLICY_CALL_BUSY, 1, 7000,
                           w.now_ms, &w.rng);
    assert_int_equal(w.b.state, POLICY_CLOSED);
    assert_int_equal(policy_breaker_rates(&w.b, w.now_ms).calls, 0);
    assert_false(admits(&w));
    assert_int_equal(policy_breaker_not_before_ms(&w.b, w.now_ms), w.now_ms + 7000);
    w.now_ms += 6999;
    assert_false(admits(&w));
    assert_true(policy_breaker_weight(&w.b, w.now_ms) == 0);
    w.now_ms++;
    assert_true(admits(&w));
    assert_true(policy_breaker_weight(&w.b, w.now_ms) == 1);
    assert_int_equal(policy_breaker_not_before_ms(&w.b, w.now_ms), 0);
}

static void busy_without_a_time_is_short_and_with_a_long_one_is_cut(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    call(&w, POLICY_CALL_BUSY);
    assert_int_equal(w.b.busy_until_ms, w.now_ms + w.cfg.busy_ms);
    policy_breaker_end(&w.b, policy_breaker_begin(&w.b, w.now_ms), POLICY_CALL_BUSY, 1, UINT64_MAX,
                       w.now_ms, &w.rng);
    assert_int_equal(w.b.busy_until_ms, w.now_ms + w.cfg.busy_ms_max);
    call(&w, POLICY_CALL_BUSY); /* a shorter one takes nothing back */
    assert_int_equal(w.b.busy_until_ms, w.now_ms + w.cfg.busy_ms_max);
}

/* --- half open */

static void after_its_time_only_so_many_probes_run_at_once(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    w.now_ms = w.b.open_until_ms - 1;
    assert_false(admits(&w));
    wait_open(&w);
    assert_true(admits(&w));
    assert_int_equal(w.b.state, POLICY_OPEN); /* asking moves nothing */
    struct policy_call one = policy_breaker_begin(&w.b, w.now_ms);
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
    assert_true(policy_breaker_weight(&w.b, w.now_ms) == 0.1);
    struct policy_call two = policy_breaker_begin(&w.b, w.now_ms);
    assert_true(one.is_probe && two.is_probe);
    assert_false(admits(&w));
    assert_true(policy_breaker_weight(&w.b, w.now_ms) == 0);
    assert_false(policy_breaker_begin(&w.b, w.now_ms).is_probe);
    end(&w, one, POLICY_CALL_SUCCESS);
    assert_true(admits(&w));
}

static void enough_good_probes_close_it_and_its_weight_grows(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    close_again(&w);
    uint64_t closed_ms = w.now_ms;
    assert_true(policy_breaker_weight(&w.b, closed_ms) == 0.1);
    double last = 0;
    for (uint64_t ms = 0; ms <= w.cfg.ramp_ms; ms += 500) {
        double weight = policy_breaker_weight(&w.b, closed_ms + ms);
        assert_true(weight > last && weight <= 1);
        last = weight;
    }
    assert_true(policy_breaker_weight(&w.b, closed_ms + w.cfg.ramp_ms / 2) > 0.5);
    assert_true(last == 1);
    assert_true(policy_breaker_weight(&w.b, 0) == 0.1); /* a clock that went back */
}

static void one_failed_probe_opens_it_again(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    wait_open(&w);
    calls(&w, 2, POLICY_CALL_SUCCESS);
    call(&w, POLICY_CALL_FAILURE);
    assert_int_equal(w.b.state, POLICY_OPEN);
    assert_string_equal(policy_trip_name(w.b.trip), "probe_failed");
    wait_open(&w);
    calls(&w, 2, POLICY_CALL_SUCCESS); /* the former two do not count */
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
}

static void once_closed_the_row_of_failures_begins_anew(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    close_again(&w);
    calls(&w, 4, POLICY_CALL_FAILURE);
    assert_int_equal(w.b.state, POLICY_CLOSED);
}

static void a_probe_that_crawls_opens_it_again(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    wait_open(&w);
    slow_calls(&w, 1);
    assert_int_equal(w.b.state, POLICY_OPEN);
}

static void a_probe_without_a_verdict_gives_its_place_back(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    wait_open(&w);
    calls(&w, 20, POLICY_CALL_CANCELLED);
    calls(&w, 20, POLICY_CALL_OWN_ERROR);
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
    assert_true(admits(&w));
    call(&w, POLICY_CALL_BUSY);
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
    assert_false(admits(&w));
    w.now_ms += w.cfg.busy_ms;
    assert_true(admits(&w));
}

static void calls_from_before_a_move_decide_nothing(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    struct policy_call old[8];
    for (int i = 0; i < 8; i++)
        old[i] = policy_breaker_begin(&w.b, w.now_ms);
    trip(&w);
    end(&w, old[0], POLICY_CALL_SUCCESS);
    assert_int_equal(w.b.state, POLICY_OPEN);
    wait_open(&w);
    struct policy_call probe = policy_breaker_begin(&w.b, w.now_ms);
    for (int i = 1; i < 4; i++)
        end(&w, old[i], POLICY_CALL_SUCCESS);
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
    end(&w, old[4], POLICY_CALL_FAILURE);
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
    end(&w, probe, POLICY_CALL_SUCCESS);
    calls(&w, 2, POLICY_CALL_SUCCESS);
    assert_int_equal(w.b.state, POLICY_CLOSED);
    end(&w, old[5], POLICY_CALL_FAILURE);
    assert_int_equal(policy_breaker_rates(&w.b, w.now_ms).calls, 0);
}

static void probes_of_an_earlier_time_still_hold_their_places(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    wait_open(&w);
    struct policy_call hangs = policy_breaker_begin(&w.b, w.now_ms);
    call(&w, POLICY_CALL_FAILURE);
    wait_open(&w);
    struct policy_call next = policy_breaker_begin(&w.b, w.now_ms);
    assert_true(next.is_probe);
    assert_false(admits(&w));
    end(&w, hangs, POLICY_CALL_FAILURE); /* frees its place, says nothing of now */
    assert_int_equal(w.b.state, POLICY_HALF_OPEN);
    assert_true(admits(&w));
}

static void calls_for_want_of_anything_better_close_nothing(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    start(&w);
    trip(&w);
    calls(&w, 50, POLICY_CALL_SUCCESS);
    calls(&w, 50, POLICY_CALL_FAILURE);
    assert_int_equal(w.b.state, POLICY_OPEN);
    assert_int_equal(w.b.probes_inflight, 0);
}

/* --- how long it stays open */

static void each_time_it_stays_open_twice_as_long_up_to_a_limit(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    w.cfg.open_jitter = 0;
    start(&w);
    trip(&w);
    for (uint64_t expected_ms = 1000;; expected_ms *= 2) {
        uint64_t cut_ms = expected_ms < 60000 ? expected_ms : 60000;
        assert_int_equal(w.b.open_until_ms - w.now_ms, cut_ms);
        if (expected_ms > 1000000)
            break;
        wait_open(&w);
        call(&w, POLICY_CALL_FAILURE);
    }
}

static void at_full_weight_it_begins_with_a_short_time_again(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    w.cfg.open_jitter = 0;
    start(&w);
    trip(&w);
    close_again(&w);
    w.now_ms += w.cfg.ramp_ms - 1;
    trip(&w);
    assert_int_equal(w.b.open_until_ms - w.now_ms, 2000);
    close_again(&w);
    w.now_ms += w.cfg.ramp_ms;
    trip(&w);
    assert_int_equal(w.b.open_until_ms - w.now_ms, 1000);
}

static void chance_shortens_the_time_within_its_share(void **state)
{
    (void)state;
    uint64_t least_ms = UINT64_MAX;
    uint64_t most_ms = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world w = world_of(policy_breaker_defaults);
        rng_init(&w.rng, seed);
        start(&w);
        trip(&w);
        uint64_t for_ms = w.b.open_until_ms - w.now_ms;
        least_ms = for_ms < least_ms ? for_ms : least_ms;
        most_ms = for_ms > most_ms ? for_ms : most_ms;
    }
    assert_in_range(least_ms, 700, 720);
    assert_in_range(most_ms, 980, 1000);
}

static void times_at_the_end_of_the_scale_do_not_wrap(void **state)
{
    (void)state;
    struct world w = world_of(policy_breaker_defaults);
    w.cfg.open_ms = w.cfg.open_ms_max = w.cfg.busy_ms_max = UINT64_MAX;
    w.cfg.open_jitter = 0;
    w.now_ms = UINT64_MAX - 5;
    start(&w);
    trip(&w);
    assert_true(w.b.open_until_ms == UINT64_MAX);
    policy_breaker_end(&w.b, policy_breaker_begin(&w.b, w.now_ms), POLICY_CALL_BUSY, 1, 1000,
                       w.now_ms, &w.rng);
    assert_true(w.b.busy_until_ms == UINT64_MAX);
    assert_false(admits(&w));
}

/* --- random sequences */

#define RUNNING_MAX 24

static uint64_t latency_of(struct rng *rng)
{
    return rng_chance(rng, 0.1) ? 40000 : rng_below(rng, 1000);
}

static void check_promises(const struct world *w)
{
    const struct policy_breaker *b = &w->b;
    double weight = policy_breaker_weight(b, w->now_ms);
    bool is_admitting = policy_breaker_admits(b, w->now_ms);
    assert_true(b->probes_inflight <= w->cfg.probes_max);
    assert_true(is_admitting ? weight >= 0.1 && weight <= 1 : weight == 0);
    assert_true(b->state != POLICY_OPEN || b->trip != POLICY_TRIP_NONE);
    uint64_t not_before_ms = policy_breaker_not_before_ms(b, w->now_ms);
    assert_true(not_before_ms == 0 || (!is_admitting && not_before_ms > w->now_ms));
    assert_true(b->state != POLICY_OPEN || b->open_until_ms <= b->moved_ms + w->cfg.open_ms_max);
    struct policy_breaker_rates rates = policy_breaker_rates(b, w->now_ms);
    assert_true(rates.errors + rates.slow <= rates.calls);
}

/* Begins and ends in any order, also of calls that are not admitted: whatever comes, no more
 * probes run than may, and only probes close it. */
static void no_sequence_breaks_its_promises(void **state)
{
    (void)state;
    uint64_t closings = 0;
    uint64_t full = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world w = world_of(policy_breaker_defaults);
        struct policy_call running[RUNNING_MAX];
        size_t count = 0;
        rng_init(&w.rng, seed);
        w.cfg.probes_max = (uint32_t)rng_between(&w.rng, 1, 4);
        w.cfg.open_ms = rng_between(&w.rng, 1, 2000);
        start(&w);
        double failing = rng_unit(&w.rng);
        for (int i = 0; i < 500; i++) {
            int before = w.b.state;
            bool is_probe = false;
            w.now_ms += rng_below(&w.rng, 300);
            if (rng_chance(&w.rng, 0.02))
                failing = rng_unit(&w.rng);
            if (count < RUNNING_MAX && (count == 0 || rng_chance(&w.rng, 0.5))) {
                bool was_admitting = admits(&w);
                running[count] = policy_breaker_begin(&w.b, w.now_ms);
                assert_true(was_admitting || !running[count].is_probe);
                count++;
            } else {
                size_t at = (size_t)rng_below(&w.rng, count);
                enum policy_outcome outcome =
                    rng_chance(&w.rng, failing) ? POLICY_CALL_FAILURE : POLICY_CALL_SUCCESS;
                if (rng_chance(&w.rng, 0.1))
                    outcome = (enum policy_outcome)rng_between(&w.rng, 2, 4);
                is_probe = running[at].is_probe;
                policy_breaker_end(&w.b, running[at], outcome, latency_of(&w.rng),
                                   rng_below(&w.rng, 3000), w.now_ms, &w.rng);
                running[at] = running[--count];
            }
            check_promises(&w);
            uint32_t probes = 0;
            for (size_t c = 0; c < count; c++)
                probes += running[c].is_probe;
            assert_int_equal(probes, w.b.probes_inflight);
            full += probes == w.cfg.probes_max;
            if (before != POLICY_CLOSED && w.b.state == POLICY_CLOSED) {
                assert_true(is_probe);
                closings++;
            }
        }
    }
    assert_true(closings > 50 && full > 1000); /* the sequences get there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_admits_with_full_weight),
        cmocka_unit_test(failures_in_a_row_trip_it_at_once),
        cmocka_unit_test(a_success_begins_the_row_anew),
        cmocka_unit_test(a_rate_of_errors_trips_it_once_there_are_enough_calls),
        cmocka_unit_test(errors_are_forgotten_with_the_window),
        cmocka_unit_test(calls_that_crawl_trip_it),
        cmocka_unit_test(nothing_is_slow_when_no_limit_says_so),
        cmocka_unit_test(good_calls_trip_nothing_even_with_limits_of_zero),
        cmocka_unit_test(what_the_caller_gave_up_and_own_errors_say_nothing),
        cmocka_unit_test(busy_is_no_failure_but_is_not_asked_before_its_time),
        cmocka_unit_test(busy_without_a_time_is_short_and_with_a_long_one_is_cut),
        cmocka_unit_test(after_its_time_only_so_many_probes_run_at_once),
        cmocka_unit_test(enough_good_probes_close_it_and_its_weight_grows),
        cmocka_unit_test(one_failed_probe_opens_it_again),
        cmocka_unit_test(once_closed_the_row_of_failures_begins_anew),
        cmocka_unit_test(a_probe_that_crawls_opens_it_again),
        cmocka_unit_test(a_probe_without_a_verdict_gives_its_place_back),
        cmocka_unit_test(calls_from_before_a_move_decide_nothing),
        cmocka_unit_test(probes_of_an_earlier_time_still_hold_their_places),
        cmocka_unit_test(calls_for_want_of_anything_better_close_nothing),
        cmocka_unit_test(each_time_it_stays_open_twice_as_long_up_to_a_limit),
        cmocka_unit_test(at_full_weight_it_begins_with_a_short_time_again),
        cmocka_unit_test(chance_shortens_the_time_within_its_share),
        cmocka_unit_test(times_at_the_end_of_the_scale_do_not_wrap),
        cmocka_unit_test(no_sequence_breaks_its_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
