/* What is remembered of deployments: by node, model and version, across rebuilds, bounded, and what
 * an attempt's end says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "node/routing/deployments.h"

#include <math.h>

#define SECOND_MS 1000
#define FACTS_MAX 8

struct world {
    struct deployments d;
    struct rng rng;
};

static int setup(void **state)
{
    static const uint8_t seed[16] = {1};
    static struct world w;
    assert_int_equal(crypto_init(), ERR_OK);
    deployments_init(&w.d, seed);
    rng_init(&w.rng, 1);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    deployments_fini(&w->d);
    return 0;
}

static struct deployment *get(struct world *w, uint8_t node, const char *model, const char *version,
                              uint64_t now_ms)
{
    const struct id id = {{node}};
    return deployments_get(&w->d, &id, bytes_from_str(model), bytes_from_str(version), BYTES(""),
                           policy_prior_of(POLICY_GPU, POLICY_CLOUD), now_ms);
}

static void use(struct world *w, struct deployment *d, enum policy_outcome outcome, uint64_t us,
                uint64_t now_ms)
{
    const struct policy_load idle = {0, 0, 4};
    struct deployment_use u;
    const struct deployment_end end = {
        .outcome = outcome, .first_byte_us = us, .decode_us = us, .output_tokens = 10};
    deployments_begin(d, idle, now_ms, &u);
    deployments_end(&u, &end, now_ms, &w->rng);
    assert_null(u.deployment);
}

static void each_has_a_row_of_its_own(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "v1", 0);
    assert_non_null(d);
    assert_ptr_equal(get(w, 1, "m", "v1", 5), d);
    assert_ptr_not_equal(get(w, 1, "m", "v2", 5), d);
    assert_ptr_not_equal(get(w, 2, "m", "v1", 5), d);
    assert_ptr_not_equal(get(w, 1, "mv", "1", 5), d);
    assert_ptr_not_equal(get(w, 1, "", "", 5), d);
}

static void own_backends_with_the_same_model_are_told_apart(void **state)
{
    struct world *w = *state;
    const struct id id = {{1}};
    const struct policy_prior prior = policy_prior_of(POLICY_GPU, POLICY_CLOUD);
    struct deployment *a = deployments_get(&w->d, &id, BYTES("m"), BYTES(""), BYTES("a"), prior, 0);
    struct deployment *b = deployments_get(&w->d, &id, BYTES("m"), BYTES(""), BYTES("b"), prior, 0);
    assert_ptr_not_equal(a, b);
}

static void failures_in_a_row_open_its_breaker(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0), *other = get(w, 2, "m", "", 0);
    for (int i = 0; i < 5; i++)
        use(w, d, POLICY_CALL_FAILURE, 1000, SECOND_MS);
    assert_false(policy_breaker_admits(&d->breaker, SECOND_MS));
    assert_true(policy_breaker_admits(&other->breaker, SECOND_MS));
}

static void whoever_is_busy_or_given_up_is_not_blamed(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0);
    for (int i = 0; i < 50; i++)
        use(w, d, POLICY_CALL_CANCELLED, 1000, SECOND_MS);
    assert_true(policy_breaker_admits(&d->breaker, SECOND_MS));
    assert_int_equal(policy_breaker_rates(&d->breaker, SECOND_MS).calls, 0);
}

static void one_that_a_hedge_has_beaten_is_slow(void **state)
{
    struct world *w = *state;
    const struct policy_load idle = {0, 0, 4};
    struct deployment *d = get(w, 1, "m", "", 0);
    struct deployment_use u;
    uint64_t before_us = policy_estimate_first_byte_us(&d->estimate, 0, idle, SECOND_MS);
    for (int i = 0; i < 3; i++) {
        const struct deployment_end end = {
            .outcome = POLICY_CALL_CANCELLED, .is_beaten = true, .first_byte_us = 5000000};
        deployments_begin(d, idle, SECOND_MS, &u);
        deployments_end(&u, &end, SECOND_MS, &w->rng);
    }
    assert_true(policy_estimate_first_byte_us(&d->estimate, 0, idle, SECOND_MS) > 5 * before_us);
    assert_int_equal(policy_breaker_rates(&d->breaker, SECOND_MS).calls, 0);
}

static struct policy_live filled(struct deployment *d, uint64_t now_ms)
{
    struct policy_live live = {.ttft_p50_us = NAN, .ttft_p99_us = NAN, .error_rate = NAN};
    deployments_fill(d, now_ms, &live);
    return live;
}

static void quantiles_are_of_what_succeeded(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0);
    assert_true(isnan(filled(d, SECOND_MS).ttft_p50_us));
    use(w, d, POLICY_CALL_FAILURE, 1, SECOND_MS);
    for (int i = 0; i < 100; i++)
        use(w, d, POLICY_CALL_SUCCESS, i < 90 ? 10000 : 90000, SECOND_MS);
    struct policy_live live = filled(d, 2 * SECOND_MS);
    assert_true(fabs(live.ttft_p50_us - 10000) < 500);
    assert_true(fabs(live.ttft_p99_us - 90000) < 3000);
    assert_true(live.error_rate > 0 && live.error_rate < 0.02);
}

static struct deployment *own(struct world *w, const char *model, const char *backend)
{
    const struct id id = {{1}};
    return deployments_get(&w->d, &id, bytes_from_str(model), BYTES(""), bytes_from_str(backend),
                           policy_prior_of(POLICY_GPU, POLICY_CLOUD), SECOND_MS);
}

/* Its first byte after 20 ms, then one token every 10 ms. */
static void serve(struct world *w, struct deployment *d, uint32_t tokens, bool is_stream)
{
    const struct policy_load idle = {0, 0, 4};
    struct deployment_use u;
    const struct deployment_end end = {.outcome = POLICY_CALL_SUCCESS,
                                       .first_byte_us = 20000,
                                       .decode_us = tokens * 10000,
                                       .is_stream = is_stream,
                                       .output_tokens = tokens};
    deployments_begin(d, idle, SECOND_MS, &u);
    deployments_end(&u, &end, SECOND_MS, &w->rng);
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 0.03 * expected);
}

static void what_an_own_backend_served_is_summed_up_over_its_models(void **state)
{
    struct world *w = *state;
    struct deployment *a = own(w, "m", "gpu"), *b = own(w, "n", "gpu");
    for (int i = 0; i < 60; i++)
        serve(w, a, 8, true);
    for (int i = 0; i < 40; i++)
        serve(w, b, 98, true);
    use(w, b, POLICY_CALL_FAILURE, 1000, SECOND_MS);
    serve(w, own(w, "m", "other"), 998, true);
    struct deployments_served s = deployments_served(&w->d, BYTES("gpu"), SECOND_MS);
    assert_near(s.ttft_p50_us, 20000);
    assert_near(s.ttft_p99_us, 20000);
    assert_near(s.latency_p50_us, 100000);
    assert_near(s.latency_p99_us, 1000000);
    assert_near(s.tokens_per_s, 100);
    assert_near(s.error_rate, 1.0 / 101);
}

static void what_was_not_served_lately_is_not_known(void **state)
{
    struct world *w = *state;
    serve(w, own(w, "m", "gpu"), 20, true);
    serve(w, get(w, 2, "m", "", SECOND_MS), 20, true); /* a peer's */
    struct deployments_served never = deployments_served(&w->d, BYTES(""), SECOND_MS);
    struct deployments_served late = deployments_served(&w->d, BYTES("gpu"), 62 * SECOND_MS);
    assert_true(isnan(never.ttft_p50_us) && isnan(never.latency_p99_us));
    assert_true(isnan(never.tokens_per_s) && isnan(never.error_rate));
    assert_true(isnan(late.ttft_p99_us) && isnan(late.latency_p50_us));
    assert_true(isnan(late.tokens_per_s) && isnan(late.error_rate));
}

static void only_streams_of_some_length_show_how_fast_tokens_come(void **state)
{
    struct world *w = *state;
    serve(w, own(w, "m", "gpu"), 7, true);
    serve(w, own(w, "m", "gpu"), 100, false);
    struct deployments_served s = deployments_served(&w->d, BYTES("gpu"), SECOND_MS);
    assert_true(isnan(s.tokens_per_s));
    assert_false(isnan(s.latency_p50_us));
}

static void turns_are_counted_by_the_shares_of_a_model_s_deployments(void **state)
{
    struct world *w = *state;
    struct deployment *a = get(w, 1, "m", "", 0), *b = get(w, 2, "m", "", 0);
    struct deployment *other = get(w, 1, "n", "", 0);
    assert_true(isnan(filled(a, SECOND_MS).turn));
    deployments_took(a, 1);
    deployments_took(b, 0.5);
    assert_true(filled(a, SECOND_MS).turn == 0 && filled(b, SECOND_MS).turn == 0);
    deployments_took(a, 1);
    deployments_took(a, 1); /* two shares of one are one of a half */
    assert_true(filled(b, SECOND_MS).turn == -2);
    deployments_took(b, 0.5);
    assert_true(filled(b, SECOND_MS).turn == 0 && filled(a, SECOND_MS).turn == 0);
    assert_true(isnan(filled(other, SECOND_MS).turn));
}

static void who_waited_long_has_not_saved_up_turns(void **state)
{
    struct world *w = *state;
    struct deployment *a = get(w, 1, "m", "", 0), *b = get(w, 2, "m", "", 0);
    deployments_took(b, 1);
    for (int i = 0; i < 100; i++)
        deployments_took(a, 1);
    deployments_took(b, 1);
    assert_true(filled(b, SECOND_MS).turn == 0);
}

static void what_runs_and_since_when_is_told(void **state)
{
    struct world *w = *state;
    const struct policy_load idle = {0, 0, 4};
    const struct deployment_end end = {.outcome = POLICY_CALL_SUCCESS, .first_byte_us = 1};
    struct deployment *d = get(w, 1, "m", "", 0);
    struct deployment_use one, two;
    deployments_begin(d, idle, SECOND_MS, &one);
    deployments_begin(d, idle, 3 * SECOND_MS, &two);
    assert_int_equal(filled(d, 4 * SECOND_MS).running, 2);
    assert_true(filled(d, 4 * SECOND_MS).elapsed_us == 2e6);
    deployments_end(&one, &end, 4 * SECOND_MS, &w->rng);
    assert_true(filled(d, 4 * SECOND_MS).elapsed_us == 1e6);
    deployments_end(&two, &end, 4 * SECOND_MS, &w->rng);
    assert_int_equal(filled(d, 4 * SECOND_MS).running, 0);
}

static void what_was_ours_is_noted_when_a_report_comes(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0);
    struct policy_live live = {.age_ms = 100, .own_inflight = 2};
    deployments_fill(d, SECOND_MS, &live);
    assert_int_equal(live.own_reported, 2);
    live = (struct policy_live){.age_ms = 600, .own_inflight = 5}; /* the same report */
    deployments_fill(d, SECOND_MS + 500, &live);
    assert_int_equal(live.own_reported, 2);
    live = (struct policy_live){.age_ms = 0, .own_inflight = 5};
    deployments_fill(d, SECOND_MS + 500, &live);
    assert_int_equal(live.own_reported, 5);
}

/* What is learned of a model is forgotten with the last of its deployments, not before. */
static void a_model_lives_as_long_as_its_rows(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0);
    assert_ptr_equal(get(w, 2, "m", "", 11 * 60 * SECOND_MS)->model, d->model);
    deployments_sweep(&w->d, 12 * 60 * SECOND_MS);
    assert_int_equal(w->d.models.count, 1);
    deployments_sweep(&w->d, 60 * 60 * SECOND_MS);
    assert_int_equal(w->d.models.count, 0);
}

static void an_attempt_without_a_row_is_fine(void **state)
{
    use(*state, NULL, POLICY_CALL_SUCCESS, 1, 0);
}

static void what_nobody_uses_is_forgotten(void **state)
{
    struct world *w = *state;
    const struct policy_load idle = {0, 0, 4};
    struct deployment_use running;
    uint64_t late_ms = 2 * DEPLOYMENTS_FORGET_MS;
    deployments_begin(get(w, 1, "m", "", 0), idle, 0, &running);
    for (uint8_t node = 2; node < 100; node++)
        get(w, node, "m", "", 0);
    struct deployment *fresh = get(w, 100, "m", "", late_ms);
    deployments_sweep(&w->d, late_ms);
    assert_int_equal(w->d.by_key.count, 2);
    assert_ptr_equal(get(w, 100, "m", "", late_ms), fresh);
    const struct deployment_end end = {.outcome = POLICY_CALL_SUCCESS};
    deployments_end(&running, &end, late_ms, &w->rng);
}

static void what_failed_is_accused_until_it_is_tried_again(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0);
    uint64_t hashes[FACTS_MAX];
    use(w, get(w, 2, "m", "", 0), POLICY_CALL_FAILURE, 1000, SECOND_MS);
    assert_int_equal(deployments_accused(&w->d, hashes, FACTS_MAX), 0);
    for (int i = 0; i < 5; i++)
        use(w, d, POLICY_CALL_FAILURE, 1000, SECOND_MS);
    assert_int_equal(deployments_accused(&w->d, hashes, FACTS_MAX), 1);
    assert_true(hashes[0] == d->hash);
    use(w, d, POLICY_CALL_SUCCESS, 1000, 10 * SECOND_MS); /* a probe */
    assert_int_equal(deployments_accused(&w->d, hashes, FACTS_MAX), 0);
}

static void several_others_shut_it_and_that_is_not_passed_on(void **state)
{
    struct world *w = *state;
    struct deployment *d = get(w, 1, "m", "", 0);
    uint64_t hashes[FACTS_MAX];
    for (uint8_t node = 10; node < 13; node++) {
        const struct id witness = {{node}};
        assert_true(policy_breaker_admits(&d->breaker, SECOND_MS));
        deployments_report(&w->d, d->hash, &witness, SECOND_MS, SECOND_MS, &w->rng);
        deployments_report(&w->d, d->hash, &witness, SECOND_MS, SECOND_MS, &w->rng);
    }
    assert_false(policy_breaker_admits(&d->breaker, SECOND_MS));
    assert_int_equal(deployments_accused(&w->d, hashes, FACTS_MAX), 0);
    const struct id witness = {{10}};
    deployments_report(&w->d, 12345, &witness, SECOND_MS, SECOND_MS, &w->rng); /* nobody's */
}

static void every_node_gives_it_the_same_hash(void **state)
{
    static const uint8_t seed[16] = {9};
    struct world *w = *state, other;
    deployments_init(&other.d, seed);
    assert_true(get(w, 1, "m", "v", 0)->hash == get(&other, 1, "m", "v", 0)->hash);
    assert_true(get(w, 1, "m", "v", 0)->hash != get(w, 1, "m", "w", 0)->hash);
    deployments_fini(&other.d);
}

static void only_the_other_side_s_failures_are_its_own(void **state)
{
    (void)state;
    assert_int_equal(deployments_outcome(ERR_OK), POLICY_CALL_SUCCESS);
    assert_int_equal(deployments_outcome(ERR_BACKEND_FAILED), POLICY_CALL_FAILURE);
    assert_int_equal(deployments_outcome(ERR_LINK_LOST), POLICY_CALL_FAILURE);
    assert_int_equal(deployments_outcome(ERR_BACKEND_BUSY), POLICY_CALL_BUSY);
    assert_int_equal(deployments_outcome(ERR_FD_LIMIT), POLICY_CALL_OWN_ERROR);
    assert_int_equal(deployments_outcome(ERR_CLIENT_GONE), POLICY_CALL_CANCELLED);
    assert_int_equal(deployments_outcome(ERR_RESIDENCY), POLICY_CALL_SUCCESS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_has_a_row_of_its_own),
        TEST(own_backends_with_the_same_model_are_told_apart),
        TEST(failures_in_a_row_open_its_breaker),
        TEST(whoever_is_busy_or_given_up_is_not_blamed),
        TEST(one_that_a_hedge_has_beaten_is_slow),
        TEST(quantiles_are_of_what_succeeded),
        TEST(turns_are_counted_by_the_shares_of_a_model_s_deployments),
        TEST(who_waited_long_has_not_saved_up_turns),
        TEST(what_runs_and_since_when_is_told),
        TEST(what_was_ours_is_noted_when_a_report_comes),
        TEST(a_model_lives_as_long_as_its_rows),
        TEST(what_an_own_backend_served_is_summed_up_over_its_models),
        TEST(what_was_not_served_lately_is_not_known),
        TEST(only_streams_of_some_length_show_how_fast_tokens_come),
        TEST(an_attempt_without_a_row_is_fine),
        TEST(what_nobody_uses_is_forgotten),
        TEST(what_failed_is_accused_until_it_is_tried_again),
        TEST(several_others_shut_it_and_that_is_not_passed_on),
        TEST(every_node_gives_it_the_same_hash),
        TEST(only_the_other_side_s_failures_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
