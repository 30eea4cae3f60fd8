/* Tests of policy/estimate: priors, learning each coefficient, peaks, age, failures, and that any
 * input leaves numbers that mean something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/estimate.h"

#include <math.h>
#include <string.h>

#define NOW_MS UINT64_C(1000000)

static const struct policy_load idle = {.slots = 8};

static struct policy_estimate fresh(void)
{
    struct policy_estimate e;
    policy_estimate_init(&e, policy_prior_of(POLICY_GPU, POLICY_REGIONAL));
    return e;
}

static bool is_near(double value, double expected, double share)
{
    return fabs(value - expected) <= share * expected;
}

static uint64_t first_byte_of(const struct policy_estimate *e, uint32_t tokens, uint64_t now_ms)
{
    return policy_estimate_first_byte_us(e, tokens, idle, now_ms);
}

static void observe(struct policy_estimate *e, uint32_t tokens, uint64_t us, uint64_t now_ms)
{
    struct policy_observation o = {
        .load = idle, .prompt_tokens_uncached = tokens, .first_byte_us = us};
    policy_estimate_observe(e, &o, now_ms);
}

/* What the reference machine takes: base 100 ms, 500 us a token, 6 s a request, 25 ms a token. */
static struct policy_observation truth_of(uint32_t tokens, uint32_t output, struct policy_load load)
{
    double waiting = load.queued;
    if (load.inflight >= load.slots)
        waiting += (double)(load.inflight - load.slots) + 1;
    double slowness = 1 + fmin((double)load.inflight / load.slots, 1);
    double us = slowness * (100000 + 500.0 * tokens) + 6000000.0 * waiting / load.slots;
    return (struct policy_observation){
        .load = load,
        .prompt_tokens_uncached = tokens,
        .output_tokens = output,
        .first_byte_us = (uint64_t)us,
        .decode_us = output ? (uint64_t)(slowness * 25000) * (output - 1) : 0};
}

static void before_anything_is_seen_the_prior_counts(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    struct policy_prior prior = policy_prior_of(POLICY_GPU, POLICY_REGIONAL);
    assert_int_equal(first_byte_of(&e, 1000, NOW_MS),
                     (uint64_t)(prior.base_us + 1000 * prior.prefill_us));
    assert_int_equal(policy_estimate_answer_us(&e, 1000, 100, idle, NOW_MS),
                     (uint64_t)(prior.base_us + 1000 * prior.prefill_us + 100 * prior.decode_us));
    assert_true(policy_estimate_confidence(&e, NOW_MS) == 0);
}

static void faster_hardware_is_expected_to_be_faster(void **state)
{
    (void)state;
    for (int tier = POLICY_EDGE; tier < POLICY_TIERS; tier++) {
        uint64_t last_us = UINT64_MAX;
        for (int hardware = 0; hardware < POLICY_CLASSES; hardware++) {
            struct policy_estimate e;
            policy_estimate_init(
                &e, policy_prior_of((enum policy_class)hardware, (enum policy_tier)tier));
            uint64_t us = policy_estimate_answer_us(&e, 500, 200, idle, NOW_MS);
            assert_true(us < last_us);
            last_us = us;
        }
    }
}

static void a_class_nobody_knows_and_a_prior_that_says_nothing_are_slow(void **state)
{
    (void)state;
    struct policy_prior slowest = policy_prior_of(POLICY_CPU, POLICY_EDGE);
    struct policy_prior unknown = policy_prior_of((enum policy_class)99, POLICY_CLOUD);
    assert_memory_equal(&unknown, &slowest, sizeof slowest);
    unknown = policy_prior_of(POLICY_GPU, (enum policy_tier)(-1));
    assert_memory_equal(&unknown, &slowest, sizeof slowest);
    struct policy_estimate e, expected;
    policy_estimate_init(&e, (struct policy_prior){NAN, -1, -INFINITY, NAN});
    policy_estimate_init(&expected, slowest);
    assert_memory_equal(&e, &expected, sizeof e);
    policy_estimate_init(&e, (struct policy_prior){INFINITY, 1e300, 0, 0});
    assert_true(first_byte_of(&e, UINT32_MAX, NOW_MS) > 0);
}

/* From mixed requests all four coefficients are found, though none is ever seen alone. */
static void it_learns_what_a_machine_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct rng rng;
        struct policy_estimate e = fresh();
        uint64_t now_ms = NOW_MS;
        rng_init(&rng, seed);
        for (int i = 0; i < 2000; i++) {
            struct policy_load load = {.inflight = (uint32_t)rng_below(&rng, 9), .slots = 8};
            load.queued = load.inflight == 8 ? (uint32_t)rng_below(&rng, 6) : 0;
            uint32_t tokens = (uint32_t)rng_below(&rng, rng_chance(&rng, 0.5) ? 100 : 2000);
            struct policy_observation o =
                truth_of(tokens, (uint32_t)rng_between(&rng, 2, 300), load);
            policy_estimate_observe(&e, &o, now_ms += rng_below(&rng, 200));
        }
        assert_true(is_near(e.base.value, 100000, 0.02));
        assert_true(is_near(e.prefill.value, 500, 0.02));
        assert_true(is_near(e.service.value, 6000000, 0.02));
        assert_true(is_near(e.decode.value, 25000, 0.01));
        assert_true(policy_estimate_confidence(&e, now_ms) > 0.7);
    }
}

static void a_peak_is_believed_at_once_and_forgotten_slowly(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    uint64_t now_ms = NOW_MS;
    for (int i = 0; i < 100; i++)
        observe(&e, 0, 100000, now_ms += 100);
    uint64_t calm_us = first_byte_of(&e, 0, now_ms);
    observe(&e, 0, 500000, now_ms += 100);
    uint64_t up_us = first_byte_of(&e, 0, now_ms) - calm_us;
    observe(&e, 0, 100000, now_ms += 100);
    uint64_t down_us = calm_us + up_us - first_byte_of(&e, 0, now_ms);
    assert_true(up_us > 100000 && down_us > 0 && down_us < up_us / 10);
}

static void the_usual_noise_does_not_push_it_up(void **state)
{
    (void)state;
    struct rng rng;
    struct policy_estimate e = fresh();
    double sum_us = 0;
    rng_init(&rng, 4);
    for (uint64_t i = 0; i < 3000; i++) {
        observe(&e, 0, rng_between(&rng, 70000, 130000), NOW_MS + i * 50);
        sum_us += i < 1000 ? 0 : (double)first_byte_of(&e, 0, NOW_MS + i * 50);
    }
    assert_true(is_near(sum_us / 2000, 100000, 0.03));
}

static void one_absurd_observation_is_cut(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    uint64_t before_us = first_byte_of(&e, 0, NOW_MS);
    observe(&e, 0, UINT64_MAX, NOW_MS);
    assert_true(first_byte_of(&e, 0, NOW_MS) < 10 * before_us);
}

static void the_first_observations_move_it_far(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    for (int i = 0; i < 4; i++)
        observe(&e, 0, 4000, NOW_MS);
    assert_in_range(first_byte_of(&e, 0, NOW_MS), 4000, 12000); /* prior: 40000 */
}

static void however_much_was_seen_the_newest_counts(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    for (int i = 0; i < 10000; i++)
        observe(&e, 0, 400000, NOW_MS);
    for (int i = 0; i < 100; i++)
        observe(&e, 0, 100000, NOW_MS);
    assert_in_range(first_byte_of(&e, 0, NOW_MS), 100000, 150000);
}

/* Shared among the parts, it is the whole difference that counts. */
static void parts_of_equal_share_move_the_whole_as_one_would(void **state)
{
    (void)state;
    struct policy_estimate e;
    policy_estimate_init(&e, (struct policy_prior){40000, 40, 1000000, 20000});
    observe(&e, 1000, 160000, NOW_MS); /* expected: 80000 */
    assert_in_range(first_byte_of(&e, 1000, NOW_MS), 119000, 121000);
}

/* --- failures */

static void a_fast_failure_never_makes_it_faster(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    struct policy_estimate before = e;
    struct policy_observation o = {.load = idle,
                                   .prompt_tokens_uncached = 100,
                                   .output_tokens = 100,
                                   .first_byte_us = 50,
                                   .decode_us = 100,
                                   .is_failed = true};
    for (int i = 0; i < 100; i++)
        policy_estimate_observe(&e, &o, NOW_MS + (uint64_t)i);
    o.first_byte_us = 0;
    policy_estimate_observe(&e, &o, NOW_MS);
    assert_memory_equal(&e, &before, sizeof e);
}

static void a_failure_after_long_waiting_makes_it_slower(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    uint64_t before_us = first_byte_of(&e, 100, NOW_MS);
    struct policy_observation o = {
        .load = idle, .prompt_tokens_uncached = 100, .first_byte_us = 10000000, .is_failed = true};
    policy_estimate_observe(&e, &o, NOW_MS);
    assert_true(first_byte_of(&e, 100, NOW_MS) > 2 * before_us);
}

static void an_answer_without_a_time_teaches_nothing(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    struct policy_estimate before = e;
    observe(&e, 100, 0, NOW_MS);
    struct policy_observation o = {.load = idle, .output_tokens = 1, .decode_us = 9000000};
    policy_estimate_observe(&e, &o, NOW_MS); /* one token has no rate */
    o.output_tokens = 100;
    o.decode_us = 0;
    policy_estimate_observe(&e, &o, NOW_MS);
    assert_memory_equal(&e, &before, sizeof e);
}

/* --- age */

static void what_was_learned_fades_to_the_prior_never_to_idle(void **state)
{
    (void)state;
    static const uint64_t observed_us[] = {4000, 400000}; /* better and worse than the prior */
    for (size_t i = 0; i < 2; i++) {
        struct policy_estimate e = fresh();
        uint64_t prior_us = first_byte_of(&e, 0, NOW_MS);
        for (int j = 0; j < 200; j++)
            observe(&e, 0, observed_us[i], NOW_MS);
        double gap = (double)first_byte_of(&e, 0, NOW_MS) - (double)prior_us;
        double sure = policy_estimate_confidence(&e, NOW_MS);
        double half =
            (double)first_byte_of(&e, 0, NOW_MS + POLICY_ESTIMATE_HALF_MS) - (double)prior_us;
        assert_true(fabs(half / gap - 0.5) < 0.01);
        assert_true(fabs(policy_estimate_confidence(&e, NOW_MS + POLICY_ESTIMATE_HALF_MS) / sure -
                         0.5) < 0.01);
        uint64_t old_us = first_byte_of(&e, 0, NOW_MS + UINT64_C(1000000000000));
        assert_true(is_near((double)old_us, (double)prior_us, 0.01));
        assert_int_equal(first_byte_of(&e, 0, 0), first_byte_of(&e, 0, NOW_MS));
        assert_int_equal(first_byte_of(&e, 0, NOW_MS + 10000), first_byte_of(&e, 0, NOW_MS));
    }
}

static void after_a_pause_the_newest_counts_for_more(void **state)
{
    (void)state;
    struct policy_estimate busy = fresh();
    for (int i = 0; i < 200; i++)
        observe(&busy, 0, 400000, NOW_MS);
    struct policy_estimate paused = busy;
    observe(&busy, 0, 100000, NOW_MS + 10);
    observe(&paused, 0, 100000, NOW_MS + 20000);
    assert_true(first_byte_of(&busy, 0, NOW_MS + 10) > 380000);
    assert_in_range(first_byte_of(&paused, 0, NOW_MS + 20000), 200000, 250000); /* not all */
}

static void what_no_answer_shows_fades_although_answers_come(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    struct policy_load full = {.inflight = 8, .queued = 7, .slots = 8};
    for (int i = 0; i < 200; i++) {
        struct policy_observation o = truth_of(10, 0, full);
        o.first_byte_us *= 5;
        policy_estimate_observe(&e, &o, NOW_MS);
    }
    uint64_t busy_us = policy_estimate_first_byte_us(&e, 10, full, NOW_MS);
    uint64_t now_ms = NOW_MS;
    for (int i = 0; i < 600; i++)
        observe(&e, 10, 40000, now_ms += 1000);
    assert_true(policy_estimate_first_byte_us(&e, 10, full, now_ms) < busy_us / 3);
}

static void a_clock_that_goes_back_takes_nothing_back(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    for (int i = 0; i < 200; i++)
        observe(&e, 0, 400000, NOW_MS);
    double sure = policy_estimate_confidence(&e, NOW_MS);
    observe(&e, 0, 400000, 0);
    assert_true(policy_estimate_confidence(&e, NOW_MS) >= sure);
    assert_true(first_byte_of(&e, 0, NOW_MS) > 380000);
}

/* --- load */

static void nobody_waits_while_there_are_slots_but_a_batch_slows_all(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    struct policy_load load = {.slots = 4};
    uint64_t free_us = policy_estimate_first_byte_us(&e, 10, load, NOW_MS);
    load.inflight = 2;
    assert_int_equal(policy_estimate_first_byte_us(&e, 10, load, NOW_MS), free_us * 3 / 2);
    load.inflight = 4;
    uint64_t full_us = policy_estimate_first_byte_us(&e, 10, load, NOW_MS);
    assert_int_equal(full_us - 2 * free_us, 5000000 / 4); /* the first of four to become free */
    load.queued = 3;
    assert_int_equal(policy_estimate_first_byte_us(&e, 10, load, NOW_MS) - 2 * free_us, 5000000);
}

static void what_is_learned_in_a_full_batch_holds_in_an_empty_one(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    const struct policy_load full = {.inflight = 8, .slots = 16};
    for (int i = 0; i < 500; i++) {
        struct policy_observation o = truth_of(1000, 100, full);
        policy_estimate_observe(&e, &o, NOW_MS + (uint64_t)i * 100);
    }
    assert_true(is_near(e.decode.value, 25000, 0.02));
}

static void without_known_slots_only_those_that_wait_are_ahead(void **state)
{
    (void)state;
    struct policy_estimate e = fresh();
    struct policy_load load = {.inflight = 100};
    uint64_t free_us = first_byte_of(&e, 10, NOW_MS);
    assert_int_equal(policy_estimate_first_byte_us(&e, 10, load, NOW_MS), free_us);
    load.queued = 2;
    assert_int_equal(policy_estimate_first_byte_us(&e, 10, load, NOW_MS) - free_us, 10000000);
}

/* --- random sequences */

static uint32_t any_u32(struct rng *rng)
{
    return (uint32_t)(rng_next(rng) >> (32 + rng_below(rng, 32)));
}

static uint64_t any_u64(struct rng *rng)
{
    return rng_next(rng) >> rng_below(rng, 64);
}

static struct policy_load any_load(struct rng *rng)
{
    return (struct policy_load){any_u32(rng), any_u32(rng), any_u32(rng)};
}

static double any_double(struct rng *rng)
{
    static const double odd[] = {0, -1, NAN, INFINITY, -INFINITY, 1e-300, 1e300};
    return rng_chance(rng, 0.3) ? odd[rng_below(rng, 7)] : rng_unit(rng) * 1e6;
}

static void check_monotone(const struct policy_estimate *e, struct rng *rng, uint64_t now_ms)
{
    struct policy_load load = any_load(rng);
    uint32_t tokens = any_u32(rng);
    uint32_t output = any_u32(rng);
    uint64_t us = policy_estimate_answer_us(e, tokens, output, load, now_ms);
    assert_true(us <= POLICY_ESTIMATE_MAX_US);
    assert_true(us >= policy_estimate_first_byte_us(e, tokens, load, now_ms));
    struct policy_load longer = load;
    longer.queued += longer.queued < UINT32_MAX;
    assert_true(policy_estimate_answer_us(e, tokens, output, longer, now_ms) >= us);
    longer = load;
    longer.inflight += longer.inflight < UINT32_MAX;
    assert_true(policy_estimate_answer_us(e, tokens, output, longer, now_ms) >= us);
    tokens += tokens < UINT32_MAX;
    assert_true(policy_estimate_answer_us(e, tokens, output, load, now_ms) >= us);
    output += output < UINT32_MAX;
    assert_true(policy_estimate_answer_us(e, tokens, output, load, now_ms) >= us);
}

static void any_input_leaves_it_finite_and_monotone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng;
        struct policy_estimate e;
        uint64_t now_ms = 0;
        rng_init(&rng, seed);
        struct policy_prior prior = {any_double(&rng), any_double(&rng), any_double(&rng),
                                     any_double(&rng)};
        policy_estimate_init(&e, prior);
        for (int i = 0; i < 200; i++) {
            now_ms = rng_chance(&rng, 0.1) ? any_u64(&rng) : now_ms + rng_below(&rng, 1000);
            struct policy_observation o = {.load = any_load(&rng),
                                           .prompt_tokens_uncached = any_u32(&rng),
                                           .output_tokens = any_u32(&rng),
                                           .first_byte_us = any_u64(&rng),
                                           .decode_us = any_u64(&rng),
                                           .is_failed = rng_chance(&rng, 0.3)};
            policy_estimate_observe(&e, &o, now_ms);
            const double values[] = {e.base.value, e.prefill.value, e.service.value,
                                     e.decode.value};
            for (size_t j = 0; j < 4; j++)
                assert_true(isfinite(values[j]) && values[j] > 0);
            double sure = policy_estimate_confidence(&e, now_ms);
            assert_true(sure >= 0 && sure <= 1);
            check_monotone(&e, &rng, now_ms);
        }
    }
}

/* Whatever was learned before, of that request as much or more is expected after it. */
static void no_failure_ever_lowers_it(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 21);
    struct policy_estimate e = fresh();
    uint64_t now_ms = NOW_MS;
    for (int i = 0; i < 20000; i++) {
        struct policy_observation o = {.load = {(uint32_t)rng_below(&rng, 20),
                                                (uint32_t)rng_below(&rng, 10),
                                                (uint32_t)rng_below(&rng, 16)},
                                       .prompt_tokens_uncached = (uint32_t)rng_below(&rng, 4000),
                                       .output_tokens = (uint32_t)rng_below(&rng, 300),
                                       .first_byte_us = rng_below(&rng, 20000000),
                                       .decode_us = rng_below(&rng, 20000000),
                                       .is_failed = rng_chance(&rng, 0.5)};
        now_ms += rng_below(&rng, 500);
        uint64_t before_us = policy_estimate_answer_us(&e, o.prompt_tokens_uncached,
                                                       o.output_tokens, o.load, now_ms);
        policy_estimate_observe(&e, &o, now_ms);
        uint64_t after_us = policy_estimate_answer_us(&e, o.prompt_tokens_uncached, o.output_tokens,
                                                      o.load, now_ms);
        assert_true(!o.is_failed || after_us >= before_us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_anything_is_seen_the_prior_counts),
        cmocka_unit_test(faster_hardware_is_expected_to_be_faster),
        cmocka_unit_test(a_class_nobody_knows_and_a_prior_that_says_nothing_are_slow),
        cmocka_unit_test(it_learns_what_a_machine_does),
        cmocka_unit_test(a_peak_is_believed_at_once_and_forgotten_slowly),
        cmocka_unit_test(the_usual_noise_does_not_push_it_up),
        cmocka_unit_test(one_absurd_observation_is_cut),
        cmocka_unit_test(the_first_observations_move_it_far),
        cmocka_unit_test(however_much_was_seen_the_newest_counts),
        cmocka_unit_test(parts_of_equal_share_move_the_whole_as_one_would),
        cmocka_unit_test(a_fast_failure_never_makes_it_faster),
        cmocka_unit_test(a_failure_after_long_waiting_makes_it_slower),
        cmocka_unit_test(an_answer_without_a_time_teaches_nothing),
        cmocka_unit_test(what_was_learned_fades_to_the_prior_never_to_idle),
        cmocka_unit_test(after_a_pause_the_newest_counts_for_more),
        cmocka_unit_test(what_no_answer_shows_fades_although_answers_come),
        cmocka_unit_test(a_clock_that_goes_back_takes_nothing_back),
        cmocka_unit_test(nobody_waits_while_there_are_slots_but_a_batch_slows_all),
        cmocka_unit_test(what_is_learned_in_a_full_batch_holds_in_an_empty_one),
        cmocka_unit_test(without_known_slots_only_those_that_wait_are_ahead),
        cmocka_unit_test(any_input_leaves_it_finite_and_monotone),
        cmocka_unit_test(no_failure_ever_lowers_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
