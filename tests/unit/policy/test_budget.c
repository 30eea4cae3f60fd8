/* Tests of policy/budget: retries stay a share of the traffic, and the attempts of a request never
 * spend more time, money or tries than it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/budget.h"

#include <string.h>

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

/* --- the spend of a request */

static const struct policy_spend_cfg typical = {
    .deadline_ms = NOW_MS + 2000, .micro_usd_max = 1000, .attempts_max = 3, .parallel_max = 2};

static void nothing_starts_at_the_deadline_or_later(void **state)
{
    (void)state;
    struct policy_spend s;
    policy_spend_init(&s, typical);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS + 2000), ERR_DEADLINE);
    assert_int_equal(policy_spend_start(&s, 1, UINT64_MAX), ERR_DEADLINE);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS + 1999), ERR_OK);
    assert_int_equal(policy_spend_left_ms(&s, NOW_MS + 1999), 1);
    assert_int_equal(policy_spend_left_ms(&s, NOW_MS + 2001), 0);
}

static void attempts_side_by_side_cannot_spend_the_same_money(void **state)
{
    (void)state;
    struct policy_spend s;
    policy_spend_init(&s, typical);
    assert_int_equal(policy_spend_start(&s, 600, NOW_MS), ERR_OK);
    assert_int_equal(policy_spend_left_micro_usd(&s), 400);
    assert_int_equal(policy_spend_start(&s, 401, NOW_MS), ERR_PRICE_CEILING);
    assert_int_equal(policy_spend_start(&s, 400, NOW_MS), ERR_OK);
    assert_int_equal(policy_spend_left_micro_usd(&s), 0);
}

static void what_an_attempt_did_not_use_is_there_again(void **state)
{
    (void)state;
    struct policy_spend s;
    policy_spend_init(&s, typical);
    assert_int_equal(policy_spend_start(&s, 600, NOW_MS), ERR_OK);
    policy_spend_end(&s, 600, 100);
    assert_int_equal(policy_spend_left_micro_usd(&s), 900);
    assert_int_equal(policy_spend_start(&s, 900, NOW_MS), ERR_OK);
}

static void an_attempt_that_cost_more_is_paid_for(void **state)
{
    (void)state;
    struct policy_spend s;
    policy_spend_init(&s, typical);
    assert_int_equal(policy_spend_start(&s, 600, NOW_MS), ERR_OK);
    policy_spend_end(&s, 600, 5000);
    assert_int_equal(s.spent_micro_usd, 5000);
    assert_int_equal(policy_spend_left_micro_usd(&s), 0);
    assert_int_equal(policy_spend_may(&s, 1, NOW_MS), ERR_PRICE_CEILING);
    assert_int_equal(policy_spend_may(&s, 0, NOW_MS), ERR_OK); /* own hardware may be free */
}

static void a_first_attempt_obeys_the_ceiling(void **state)
{
    (void)state;
    struct policy_spend s;
    policy_spend_init(&s, typical);
    assert_int_equal(policy_spend_may(&s, 1001, NOW_MS), ERR_PRICE_CEILING);
    assert_int_equal(policy_spend_may(&s, 1000, NOW_MS), ERR_OK);
}

static void so_many_attempts_and_so_many_at_once(void **state)
{
    (void)state;
    struct policy_spend s;
    policy_spend_init(&s, typical);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS), ERR_OK);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS), ERR_OK);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS), ERR_LIMIT);
    policy_spend_end(&s, 1, 1);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS), ERR_OK);
    policy_spend_end(&s, 1, 1);
    policy_spend_end(&s, 1, 1);
    assert_int_equal(policy_spend_start(&s, 1, NOW_MS), ERR_LIMIT);
    assert_int_equal(s.spent_micro_usd, 3);
}

static void without_a_ceiling_nothing_wraps(void **state)
{
    (void)state;
    struct policy_spend s;
    struct policy_spend_cfg cfg = {.deadline_ms = UINT64_MAX,
                                   .micro_usd_max = POLICY_SPEND_UNLIMITED,
                                   .attempts_max = 9,
                                   .parallel_max = 9};
    policy_spend_init(&s, cfg);
    assert_int_equal(policy_spend_start(&s, UINT64_MAX - 1, NOW_MS), ERR_OK);
    assert_int_equal(policy_spend_start(&s, 2, NOW_MS), ERR_PRICE_CEILING);
    policy_spend_end(&s, UINT64_MAX - 1, UINT64_MAX);
    assert_true(s.spent_micro_usd == UINT64_MAX);
    assert_int_equal(policy_spend_start(&s, 0, NOW_MS), ERR_OK);
    policy_spend_end(&s, 0, 7);
    assert_true(s.spent_micro_usd == UINT64_MAX);
}

/* Attempts that cost no more than they said never exceed any of the limits. */
static void no_sequence_exceeds_a_limit(void **state)
{
    (void)state;
    uint64_t refused[ERR_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        struct policy_spend_cfg cfg = {.deadline_ms = rng_between(&rng, 1, 5000),
                                       .micro_usd_max = rng_below(&rng, 2000),
                                       .attempts_max = (uint32_t)rng_between(&rng, 1, 10),
                                       .parallel_max = (uint32_t)rng_between(&rng, 1, 4)};
        struct policy_spend s;
        uint64_t running[4];
        size_t count = 0;
        uint64_t spent = 0;
        uint32_t started = 0;
        policy_spend_init(&s, cfg);
        for (uint64_t now_ms = 0; now_ms < 6000; now_ms += rng_below(&rng, 300)) {
            if (count > 0 && rng_chance(&rng, 0.5)) {
                uint64_t cost = rng_between(&rng, 0, running[--count]);
                policy_spend_end(&s, running[count], cost);
                spent += cost;
                continue;
            }
            uint64_t cost = rng_below(&rng, 500);
            enum err e = policy_spend_start(&s, cost, now_ms);
            refused[e]++;
            if (e != ERR_OK)
                continue;
            assert_true(now_ms < cfg.deadline_ms && ++started <= cfg.attempts_max);
            running[count++] = cost;
            uint64_t worst = spent;
            for (size_t i = 0; i < count; i++)
                worst += running[i];
            assert_true(count <= cfg.parallel_max && worst <= cfg.micro_usd_max);
        }
    }
    assert_true(refused[ERR_OK] > 500 && refused[ERR_DEADLINE] > 500);
    assert_true(refused[ERR_LIMIT] > 500 && refused[ERR_PRICE_CEILING] > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_traffic_there_is_the_least),
        cmocka_unit_test(with_traffic_there_is_a_share_of_it),
        cmocka_unit_test(a_share_is_at_most_one_retry_for_each_request),
        cmocka_unit_test(a_storm_of_retries_stays_a_share),
        cmocka_unit_test(nothing_starts_at_the_deadline_or_later),
        cmocka_unit_test(attempts_side_by_side_cannot_spend_the_same_money),
        cmocka_unit_test(what_an_attempt_did_not_use_is_there_again),
        cmocka_unit_test(an_attempt_that_cost_more_is_paid_for),
        cmocka_unit_test(a_first_attempt_obeys_the_ceiling),
        cmocka_unit_test(so_many_attempts_and_so_many_at_once),
        cmocka_unit_test(without_a_ceiling_nothing_wraps),
        cmocka_unit_test(no_sequence_exceeds_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
