/* Decisions: who is chosen by steps, hard rules, scores and chance, who is left and why, and that
 * it costs the same among few and many. */
#include "decide_fixture.h"

static unsigned times_chosen(struct decide_world *w, const struct policy_candidate *c,
                             unsigned rounds)
{
    unsigned count = 0;
    for (unsigned i = 0; i < rounds; i++)
        count += chosen(w) == c;
    return count;
}

static enum policy_verdict verdict_on(struct decide_world *w, const struct policy_candidate *c)
{
    assert_int_equal(decide(w), ERR_OK);
    for (size_t i = 0; i < w->plan.count; i++)
        if (w->plan.looks[i].candidate == c)
            return (enum policy_verdict)w->plan.looks[i].verdict;
    return POLICY_VERDICTS;
}

static void of_two_the_quicker_is_chosen(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *far = add_candidate(w), *near = add_candidate(w);
    far->live.rtt_us = 900e3;
    assert_int_equal(times_chosen(w, near, 50), 50);
    near->live.inflight = 40;
    assert_int_equal(times_chosen(w, far, 50), 50);
}

static void equals_share_the_work(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *a = add_candidate(w);
    add_candidate(w);
    unsigned count = times_chosen(w, a, 2000);
    assert_in_range(count, 850, 1150);
}

static void of_equals_an_own_one_saves_the_hop(void **state)
{
    struct decide_world *w = *state;
    add_candidate(w);
    struct policy_candidate *own = add_candidate(w);
    own->facts.local = true;
    assert_int_equal(times_chosen(w, own, 100), 100);
}

static void a_hard_rule_is_never_broken(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *us = add_candidate(w), *eu = add_candidate(w);
    us->facts.region = BYTES("us");
    eu->live.rtt_us = 5e6;
    require(w, "node.region == 'eu'");
    assert_int_equal(times_chosen(w, eu, 50), 50);
    assert_int_equal(verdict_on(w, us), POLICY_REQUIRE_FAILED);
    w->verdicts[1] = POLICY_UNREACHABLE;
    assert_null(chosen(w));
    assert_int_equal(w->plan.none, POLICY_UNREACHABLE);
}

static void what_is_not_known_fails_a_hard_rule(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *c = add_candidate(w);
    require(w, "backend.gpu.load < 0.8");
    assert_null(chosen(w));
    assert_int_equal(w->plan.none, POLICY_REQUIRE_FAILED);
    c->live.gpu_load = 0.5;
    assert_ptr_equal(chosen(w), c);
    c->live.gpu_load = 0.9;
    assert_null(chosen(w));
}

static void a_hard_rule_may_compare_request_and_candidate(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *here = add_candidate(w), *there = add_candidate(w);
    there->facts.region = BYTES("us");
    require(w, "node.region == request.region");
    w->request.region = BYTES("us");
    assert_ptr_equal(chosen(w), there);
    w->request.region = BYTES("eu");
    assert_ptr_equal(chosen(w), here);
    w->request.region = bytes_of(NULL, 0);
    assert_null(chosen(w));
}

static void steps_are_tried_in_their_order(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *edge = add_candidate(w), *cloud = add_candidate(w);
    cloud->facts.tier = POLICY_CLOUD;
    edge->live.gpu_load = 0.5;
    edge->live.rtt_us = 10e3;
    cloud->live.rtt_us = 1;
    add_step(w, "edge",
             "node.tier == 'edge' && backend.gpu.load < 0.8 && link.rtt < duration('50ms')");
    add_step(w, "cloud", "node.tier == 'cloud'");
    assert_ptr_equal(chosen(w), edge);
    assert_int_equal(w->plan.looks[0].step, 0);
    edge->live.gpu_load = 0.9;
    assert_ptr_equal(chosen(w), cloud);
    assert_int_equal(w->plan.looks[0].step, 1);
    edge->live.gpu_load = 0.5;
    edge->live.rtt_us = 60e3;
    assert_ptr_equal(chosen(w), cloud);
    edge->live.rtt_us = NAN;
    assert_ptr_equal(chosen(w), cloud);
}

static void an_earlier_step_is_not_gone_back_to(void **state)
{
    struct decide_world *w = *state;
    add_candidate(w);
    struct policy_candidate *cloud = add_candidate(w);
    cloud->facts.tier = POLICY_CLOUD;
    add_step(w, "edge", "node.tier == 'edge'");
    add_step(w, "cloud", "node.tier == 'cloud'");
    w->first_step = 1;
    assert_ptr_equal(chosen(w), cloud);
}

static void who_has_the_prompt_already_gets_it_while_it_is_not_busy(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *other = add_candidate(w), *holder = add_candidate(w);
    w->request.input_tokens = 8000;
    assert_in_range(times_chosen(w, holder, 100), 40, 60);
    holder->live.cached_tokens = 7000;
    assert_in_range(times_chosen(w, holder, 100), 80, 100);
    holder->live.cached_tokens = 1e300; /* no more than there is */
    assert_in_range(times_chosen(w, holder, 100), 80, 100);
    holder->live.queued = 40;
    assert_in_range(times_chosen(w, other, 100), 80, 100);
}

static void a_held_prompt_goes_home_and_what_all_hold_is_spread(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *home = add_candidate(w), *others[7];
    for (size_t i = 0; i < 7; i++)
        others[i] = add_candidate(w);
    w->request.input_tokens = 4000;
    home->live.cached_tokens = 1000;
    assert_int_equal(times_chosen(w, home, 200), 200);
    for (size_t i = 0; i < 7; i++)
        others[i]->live.cached_tokens = 1000;
    assert_in_range(times_chosen(w, home, 400), 25, 85);
    w->request.input_tokens = -1; /* how much of it that is nobody knows */
    home->live.cached_tokens = 1001;
    assert_in_range(times_chosen(w, home, 400), 25, 85);
    w->request.input_tokens = 4000;
    home->live.cached_tokens = 2000;
    home->live.weight = 0.5; /* it comes back from trouble */
    assert_in_range(times_chosen(w, home, 200), 1, 50);
}

static double answer_ms(struct decide_world *w, const struct policy_candidate *c)
{
    struct policy_score s;
    policy_score(&w->strategy.weights, &w->request, c, &s);
    return s.answer_us / 1000;
}

static void a_held_prompt_does_not_shorten_the_queue_before_it(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *other = add_candidate(w), *holder = add_candidate(w);
    const double saved_ms = 700;
    w->request.input_tokens = 8000;
    holder->live.cached_tokens = 7000;
    for (int64_t queued = 4; queued <= 400; queued *= 10) {
        holder->live.queued = other->live.queued = queued;
        assert_in_range(answer_ms(w, other) - answer_ms(w, holder), saved_ms, 2 * saved_ms + 1);
    }
    holder->live.warm = other->live.warm = 0; /* nothing is loaded, so nothing is held */
    assert_in_range(answer_ms(w, other) - answer_ms(w, holder), 0, 1);
}

static void the_last_resort_is_anybody_whom_the_hard_rules_allow(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *a = add_candidate(w), *b = add_candidate(w);
    b->facts.region = BYTES("us");
    add_step(w, "cloud", "node.tier == 'cloud'");
    require(w, "node.region == 'eu'");
    assert_int_equal(times_chosen(w, a, 20), 20);
    assert_int_equal(w->plan.looks[0].step, 1);
    w->rule.last_resort = false;
    assert_null(chosen(w));
}

static void a_step_may_ask_for_another_model(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *m = add_candidate(w), *l = add_to(w, &w->l);
    struct policy_step *cloud;
    add_step(w, "edge", "node.tier == 'edge'");
    cloud = add_step(w, "larger", NULL);
    cloud->models[cloud->model_count++] = BYTES("l");
    assert_ptr_equal(chosen(w), m);
    w->verdicts[0] = POLICY_BREAKER;
    assert_ptr_equal(chosen(w), l);
    assert_true(bytes_equal(w->plan.model, BYTES("l")));
}

static void a_model_that_is_to_be_kept_is_not_changed_by_a_step(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *l;
    struct policy_step *step;
    add_candidate(w);
    l = add_to(w, &w->l);
    w->verdicts[0] = POLICY_BREAKER;
    step = add_step(w, "larger", NULL);
    step->models[step->model_count++] = BYTES("l");
    w->keep_model = true;
    assert_null(chosen(w));
    w->request.model = BYTES("l");
    assert_ptr_equal(chosen(w), l);
}

static void nobody_of_that_name_is_not_the_same_as_nobody_able(void **state)
{
    struct decide_world *w = *state;
    add_candidate(w);
    w->request.model = BYTES("x");
    assert_int_equal(decide(w), ERR_NOT_FOUND);
    w->request.model = BYTES("m");
    w->verdicts[0] = POLICY_DRAINING;
    assert_null(chosen(w));
    assert_int_equal(w->plan.none, POLICY_DRAINING);
}

static void a_doubtful_one_is_chosen_only_when_nobody_else_is_left(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *doubtful = add_candidate(w), *other = add_candidate(w);
    w->verdicts[0] = POLICY_DOUBTFUL;
    other->facts.tier = POLICY_CLOUD;
    add_step(w, "edge", "node.tier == 'edge'");
    assert_ptr_equal(chosen(w), other); /* by the last resort */
    w->verdicts[1] = POLICY_UNREACHABLE;
    assert_ptr_equal(chosen(w), doubtful);
    assert_int_equal(w->plan.looks[0].step, 0);
}

/* As deployments_took keeps it, but from that of the newest choice. */
static void take_turn(struct decide_world *w, struct policy_candidate *c)
{
    double due = isnan(c->live.turn) ? 0 : fmax(0, c->live.turn + 1 / w->plan.looks[0].share);
    for (size_t i = 0; i < w->m.count; i++)
        w->items[i].live.turn -= due;
    c->live.turn = 0;
}

static void equal_ones_take_turns_and_half_as_good_ones_get_an_eighth(void **state)
{
    struct decide_world *w = *state;
    size_t times[3] = {0};
    for (int i = 0; i < 3; i++)
        add_candidate(w)->live.first_us = i < 2 ? 1e6 : 2e6;
    w->request.input_tokens = w->request.output_tokens = 0;
    for (int i = 0; i < 1000; i++) {
        size_t index = (size_t)(chosen(w) - w->items);
        times[index]++;
        take_turn(w, &w->items[index]);
    }
    assert_in_range(times[0], 465, 475);
    assert_in_range(times[1], 465, 475);
    assert_in_range(times[2], 50, 70);
}

static void attempts_that_should_have_ended_tell_more_than_what_is_expected(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *hangs = add_candidate(w), *works = add_candidate(w);
    hangs->live.running = works->live.running = 3;
    hangs->live.elapsed_us = 20e6;
    works->live.elapsed_us = 1e6;
    assert_true(times_chosen(w, works, 200) >= 198);
}

static void what_was_sent_since_the_report_is_added_to_it(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *told = add_candidate(w), *sent = add_candidate(w);
    struct policy_score a, b;
    told->live.inflight = 6;
    sent->live.inflight = 4;
    sent->live.own_inflight = 3;
    sent->live.own_reported = 1; /* two came since */
    const struct policy_weights *weights = &policy_preset(BYTES("latency-first"))->weights;
    policy_score(weights, &w->request, told, &a);
    policy_score(weights, &w->request, sent, &b);
    assert_true(fabs(a.answer_us - b.answer_us) < 1);
}

static void a_cost_ceiling_is_hard(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *dear = add_candidate(w), *cheap = add_candidate(w);
    dear->facts.price_output = 1;
    cheap->live.rtt_us = 3e6;
    w->cost_left_usd = 0.01;
    assert_int_equal(times_chosen(w, cheap, 20), 20);
    cheap->facts.price_input = NAN; /* not known is not cheap */
    assert_null(chosen(w));
    assert_int_equal(w->plan.none, POLICY_TOO_DEAR);
}

static void of_equal_prices_the_less_busy_gets_most_else_the_cheaper(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *busy = add_candidate(w), *idle = add_candidate(w);
    use_preset(w, "cost-optimized");
    busy->live.inflight = 3;
    assert_true(times_chosen(w, idle, 100) > 70);
    busy->facts.price_output = 0.0005;
    assert_true(times_chosen(w, busy, 100) > 85);
    busy->live.error_rate = NAN; /* what it costs decides, also for few tokens */
    w->request.input_tokens = w->request.output_tokens = 4;
    assert_true(times_chosen(w, busy, 100) > 85);
}

static void too_slow_is_better_than_nobody(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *slow = add_candidate(w), *quick = add_candidate(w);
    slow->live.decode_us = 1e6;
    w->request.deadline_ms = 5000;
    assert_int_equal(verdict_on(w, slow), POLICY_TOO_SLOW);
    assert_ptr_equal(chosen(w), quick);
    w->verdicts[1] = POLICY_TRIED;
    assert_ptr_equal(chosen(w), slow);
}

static void those_too_slow_share_the_work_when_all_are(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *a = add_candidate(w);
    add_candidate(w);
    w->request.deadline_ms = 1;
    assert_in_range(times_chosen(w, a, 1000), 400, 600);
    assert_int_equal(w->plan.good, 2);
    assert_int_equal(w->plan.count, 2);
}

static void who_comes_back_gets_its_share_only(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *back = add_candidate(w);
    add_candidate(w);
    back->live.weight = 0.1;
    assert_in_range(times_chosen(w, back, 4000), 140, 260); /* a tenth of half of them */
    back->live.rtt_us = 5e6;                                /* whatever is thought of it */
    assert_in_range(times_chosen(w, back, 4000), 140, 260);
}

static void with_old_facts_many_routers_do_not_choose_the_same(void **state)
{
    struct decide_world *w = *state;
    for (int i = 0; i < 10; i++) {
        struct policy_candidate *c = add_candidate(w);
        c->live.age_ms = 10000;
        c->live.inflight = i == 0 ? 0 : 1;
    }
    unsigned count = times_chosen(w, &w->items[0], 2000);
    assert_in_range(count, 100, 500); /* not the herd's 2000, and no less than an equal share / 2 */
}

static void the_plan_names_each_candidate_once_good_ones_first(void **state)
{
    struct decide_world *w = *state;
    for (int i = 0; i < 12; i++)
        add_candidate(w)->live.rtt_us = 1000 * i * i;
    w->verdicts[3] = POLICY_BREAKER;
    w->items[4].barred = ERR_RESIDENCY;
    assert_non_null(chosen(w));
    assert_int_equal(w->plan.count, 12);
    assert_int_equal(w->plan.good, 10);
    assert_false(w->plan.cut);
    for (size_t i = 0; i < w->plan.count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(w->plan.looks[i].candidate, w->plan.looks[k].candidate);
        assert_int_equal(w->plan.looks[i].verdict, i == 0             ? POLICY_CHOSEN
                                                   : i < w->plan.good ? POLICY_SPARE
                                                   : w->plan.looks[i].candidate == &w->items[3]
                                                       ? POLICY_BREAKER
                                                       : POLICY_BARRED);
        if (i > 1 && i < w->plan.good)
            assert_true(w->plan.looks[i].score >= w->plan.looks[i - 1].score);
    }
}

static void the_cost_does_not_grow_with_the_candidates(void **state)
{
    struct decide_world *w = *state;
    for (int i = 0; i < WORLD_MAX; i++)
        add_candidate(w)->live.rtt_us = i * 100;
    assert_non_null(chosen(w)); /* makes the pool */
    w->refreshed = 0;
    for (int i = 0; i < 100; i++)
        assert_non_null(chosen(w));
    assert_true(w->refreshed <= 100 * POLICY_SAMPLE_MAX);
    assert_true(w->plan.cut);
}

static void one_usable_among_ten_thousand_is_found(void **state)
{
    struct decide_world *w = *state;
    for (int i = 0; i < WORLD_MAX; i++) {
        add_candidate(w);
        w->verdicts[i] = POLICY_UNREACHABLE;
    }
    w->verdicts[7777] = POLICY_SPARE;
    assert_ptr_equal(chosen(w), &w->items[7777]);
}

static void the_same_seed_gives_the_same_plan(void **state)
{
    struct decide_world *w = *state;
    for (int i = 0; i < 1000; i++)
        add_candidate(w)->live.rtt_us = i;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const struct policy_candidate *first[2];
        for (int k = 0; k < 2; k++) {
            policy_pools_clear(&w->m);
            rng_init(&w->rng, seed);
            (void)chosen(w);
            first[k] = chosen(w);
        }
        assert_ptr_equal(first[0], first[1]);
    }
}

static void a_hedge_starts_after_the_percentile(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *c = add_candidate(w);
    c->live.ttft_p50_us = 100e3;
    c->live.ttft_p99_us = 500e3;
    (void)chosen(w);
    assert_true(isnan(w->plan.hedge_after_us));
    w->rule.limits.hedge_percentile = 0.5;
    (void)chosen(w);
    assert_true(fabs(w->plan.hedge_after_us - 100e3) < 1);
    w->rule.limits.hedge_percentile = 0.95;
    (void)chosen(w);
    assert_true(w->plan.hedge_after_us > 250e3 && w->plan.hedge_after_us < 400e3);
    w->rule.limits.hedge_after_ms = 7;
    (void)chosen(w);
    assert_true(fabs(w->plan.hedge_after_us - 7e3) < 1);
}

static void a_pool_follows_changed_facts_once_it_is_cleared(void **state)
{
    struct decide_world *w = *state;
    struct policy_candidate *c = add_candidate(w);
    require(w, "node.region == 'us'");
    assert_null(chosen(w));
    c->facts.region = BYTES("us");
    policy_pools_clear(&w->m);
    assert_ptr_equal(chosen(w), c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DECIDE_TEST(of_two_the_quicker_is_chosen),
        DECIDE_TEST(equals_share_the_work),
        DECIDE_TEST(of_equals_an_own_one_saves_the_hop),
        DECIDE_TEST(a_hard_rule_is_never_broken),
        DECIDE_TEST(what_is_not_known_fails_a_hard_rule),
        DECIDE_TEST(a_hard_rule_may_compare_request_and_candidate),
        DECIDE_TEST(steps_are_tried_in_their_order),
        DECIDE_TEST(an_earlier_step_is_not_gone_back_to),
        DECIDE_TEST(who_has_the_prompt_already_gets_it_while_it_is_not_busy),
        DECIDE_TEST(a_held_prompt_goes_home_and_what_all_hold_is_spread),
        DECIDE_TEST(a_held_prompt_does_not_shorten_the_queue_before_it),
        DECIDE_TEST(the_last_resort_is_anybody_whom_the_hard_rules_allow),
        DECIDE_TEST(a_step_may_ask_for_another_model),
        DECIDE_TEST(a_model_that_is_to_be_kept_is_not_changed_by_a_step),
        DECIDE_TEST(nobody_of_that_name_is_not_the_same_as_nobody_able),
        DECIDE_TEST(a_doubtful_one_is_chosen_only_when_nobody_else_is_left),
        DECIDE_TEST(equal_ones_take_turns_and_half_as_good_ones_get_an_eighth),
        DECIDE_TEST(attempts_that_should_have_ended_tell_more_than_what_is_expected),
        DECIDE_TEST(what_was_sent_since_the_report_is_added_to_it),
        DECIDE_TEST(a_cost_ceiling_is_hard),
        DECIDE_TEST(of_equal_prices_the_less_busy_gets_most_else_the_cheaper),
        DECIDE_TEST(too_slow_is_better_than_nobody),
        DECIDE_TEST(those_too_slow_share_the_work_when_all_are),
        DECIDE_TEST(who_comes_back_gets_its_share_only),
        DECIDE_TEST(with_old_facts_many_routers_do_not_choose_the_same),
        DECIDE_TEST(the_plan_names_each_candidate_once_good_ones_first),
        DECIDE_TEST(the_cost_does_not_grow_with_the_candidates),
        DECIDE_TEST(one_usable_among_ten_thousand_is_found),
        DECIDE_TEST(the_same_seed_gives_the_same_plan),
        DECIDE_TEST(a_hedge_starts_after_the_percentile),
        DECIDE_TEST(a_pool_follows_changed_facts_once_it_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
