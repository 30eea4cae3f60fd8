/* Tests of policy/window: counts in a ring of slots, and time that jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/window.h"

#include <string.h>

static uint64_t sum_of(const struct policy_window *w, size_t kind, uint64_t now_ms)
{
    return policy_window_sum(w, 100, now_ms).kinds[kind];
}

static void kinds_are_counted_apart(void **state)
{
    (void)state;
    struct policy_window w;
    policy_window_init(&w);
    policy_window_add(&w, 100, 0, 5000);
    policy_window_add(&w, 100, 2, 5000);
    policy_window_add(&w, 100, 2, 5950);
    assert_int_equal(sum_of(&w, 0, 5950), 1);
    assert_int_equal(sum_of(&w, 1, 5950), 0);
    assert_int_equal(sum_of(&w, 2, 5950), 2);
}

static void a_slot_is_forgotten_when_ten_newer_ones_have_begun(void **state)
{
    (void)state;
    struct policy_window w;
    policy_window_init(&w);
    policy_window_add(&w, 100, 0, 5000);
    assert_int_equal(sum_of(&w, 0, 5999), 1);
    assert_int_equal(sum_of(&w, 0, 6000), 0); /* also before anybody adds again */
    policy_window_add(&w, 100, 0, 6000);
    assert_int_equal(sum_of(&w, 0, 6000), 1);
}

static void time_that_goes_back_counts_as_now(void **state)
{
    (void)state;
    struct policy_window w;
    policy_window_init(&w);
    policy_window_add(&w, 100, 0, 5000);
    policy_window_add(&w, 100, 0, 100);
    assert_int_equal(sum_of(&w, 0, 5950), 2);
    assert_int_equal(sum_of(&w, 0, 0), 2);
}

static void counts_stop_at_their_end(void **state)
{
    (void)state;
    struct policy_window w;
    policy_window_init(&w);
    w.counts[0][1] = UINT32_MAX;
    policy_window_add(&w, 100, 1, 50);
    assert_true(sum_of(&w, 1, 50) == UINT32_MAX);
}

static void the_end_of_time_is_a_time(void **state)
{
    (void)state;
    struct policy_window w;
    policy_window_init(&w);
    policy_window_add(&w, 1, 0, UINT64_MAX - 3);
    policy_window_add(&w, 1, 0, UINT64_MAX);
    assert_int_equal(policy_window_sum(&w, 1, UINT64_MAX).kinds[0], 2);
    policy_window_init(&w);
    policy_window_add(&w, 1, 0, UINT64_MAX - 11);
    policy_window_add(&w, 1, 0, UINT64_MAX - 9);
    policy_window_add(&w, 1, 0, UINT64_MAX - 3);
    assert_int_equal(policy_window_sum(&w, 1, UINT64_MAX).kinds[0], 2);
}

#define EVENTS 400

/* Against a list of all that was ever added. */
static void sums_are_those_of_a_list_of_times(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rng rng;
        struct policy_window w;
        uint64_t numbers[EVENTS];
        uint64_t now_ms = 0;
        rng_init(&rng, seed);
        policy_window_init(&w);
        for (size_t i = 0; i < EVENTS; i++) {
            now_ms += rng_below(&rng, rng_chance(&rng, 0.05) ? 3000 : 60);
            policy_window_add(&w, 100, 1, now_ms);
            numbers[i] = now_ms / 100;
            uint64_t at_ms = now_ms + rng_below(&rng, 1200);
            uint64_t expected = 0;
            for (size_t j = 0; j <= i; j++)
                expected += numbers[j] + POLICY_WINDOW_SLOTS > at_ms / 100;
            assert_int_equal(sum_of(&w, 1, at_ms), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_counted_apart),
        cmocka_unit_test(a_slot_is_forgotten_when_ten_newer_ones_have_begun),
        cmocka_unit_test(time_that_goes_back_counts_as_now),
        cmocka_unit_test(counts_stop_at_their_end),
        cmocka_unit_test(the_end_of_time_is_a_time),
        cmocka_unit_test(sums_are_those_of_a_list_of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
