/* Tests of policy/budget: retries stay a share of the traffic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/budget.h"

#define NOW_MS UINT64_C(500000)

static uint64_t take_all(struct policy_retry *r, uint64_t now_ms)
{
    uint64_t taken = 0;
    while (taken < 100000 && policy_retry_take(r, now_ms))
        taken++;
    return taken;
}

static void without_traffic_there_is_the_least(void **state)
{
    (void)state;
    struct policy_retry r;
    policy_retry_init(&r, policy_retry_defaults);
    assert_int_equal(take_all(&r, NOW_MS), 30); /* 3 a second for the window */
    assert_int_equal(take_all(&r, NOW_MS + POLICY_RETRY_WINDOW_MS - 1000), 0);
    assert_int_equal(take_all(&r, NOW_MS + POLICY_RETRY_WINDOW_MS), 30);
}

static void with_traffic_there_is_a_share_of_it(void **state)
{
    (void)state;
    struct policy_retry r;
    policy_retry_init(&r, (struct policy_retry_cfg){.permille = 200});
    assert_false(policy_retry_take(&r, NOW_MS));
    for (int i = 0; i < 1000; i++)
        policy_retry_note_request(&r, NOW_MS);
    assert_int_equal(take_all(&r, NOW_MS), 200);
    assert_int_equal(take_all(&r, NOW_MS + POLICY_RETRY_WINDOW_MS), 0); /* they are forgotten */
}

static void a_share_is_at_most_one_retry_for_each_request(void **state)
{
    (void)state;
    struct policy_retry r;
    policy_retry_init(&r, (struct policy_retry_cfg){.permille = UINT32_MAX});
    for (int i = 0; i < 10; i++)
        policy_retry_note_request(&r, NOW_MS);
    assert_int_equal(take_all(&r, NOW_MS), 10);
}

#define EVENTS 2000

static size_t since(const uint64_t *times_ms, size_t count, uint64_t from_ms)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += times_ms[i] >= from_ms;
    return found;
}

/* Everything fails and asks for a retry at once: in no window are there more than may be. */
static void a_storm_of_retries_stays_a_share(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng rng;
        struct policy_retry r;
        static uint64_t requests_ms[EVENTS], retries_ms[EVENTS];
        size_t requests = 0;
        size_t retries = 0;
        uint64_t now_ms = NOW_MS;
        rng_init(&rng, seed);
        struct policy_retry_cfg cfg = {.permille = (uint32_t)rng_below(&rng, 500),
                                       .per_s_min = (uint32_t)rng_below(&rng, 4)};
        policy_retry_init(&r, cfg);
        for (int i = 0; i < EVENTS; i++) {
            now_ms += rng_below(&rng, rng_chance(&rng, 0.01) ? 5000 : 20);
            if (rng_chance(&rng, 0.4)) {
                requests_ms[requests++] = now_ms;
                policy_retry_note_request(&r, now_ms);
            } else if (policy_retry_take(&r, now_ms)) {
                retries_ms[retries++] = now_ms;
                /* The window's slots are a tenth of it and begin at its multiples. */
                uint64_t from_ms = (now_ms / 1000 - 9) * 1000;
                uint64_t share = since(requests_ms, requests, from_ms) * cfg.permille / 1000;
                assert_true(since(retries_ms, retries, from_ms) <= share + cfg.per_s_min * 10);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_traffic_there_is_the_least),
        cmocka_unit_test(with_traffic_there_is_a_share_of_it),
        cmocka_unit_test(a_share_is_at_most_one_retry_for_each_request),
        cmocka_unit_test(a_storm_of_retries_stays_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
