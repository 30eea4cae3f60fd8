/* Rollouts: a version that breaks a guard is given up, for this and the next set, and nothing else
 * is. */
#include "lane_fixture.h"

#include "node/mesh/orders.h"

static const char first[] = "apiVersion: grapevine/v1\n"
                            "kind: RoutePolicy\n"
                            "metadata: {name: p}\n"
                            "spec: {strategy: latency-first}\n";
static const char second[] = "apiVersion: grapevine/v1\n"
                             "kind: RoutePolicy\n"
                             "metadata: {name: p}\n"
                             "spec:\n"
                             "  strategy: cost-optimized\n"
                             "  rollout: {percent: 50, guard: {error_rate: 0.1, p99: 200ms, "
                             "cost_ratio: 1.5, samples: 20}}\n";

static void take_documents(struct lane_world *w)
{
    const struct policy_source sources[] = {{BYTES("p"), 1, bytes_from_str(first)},
                                            {BYTES("p"), 2, bytes_from_str(second)}};
    struct policy_mistakes mistakes;
    struct policies *p = &w->lane.policies;
    policy_set_destroy(p->set);
    p->set = NULL;
    if (policy_set_create(sources, 2, &p->set, &mistakes) != ERR_OK)
        fail_msg("%s", mistakes.items[0].text);
    rollouts_renew(&w->lane.rollouts, p->set);
}

static void note(struct lane_world *w, uint64_t version, bool is_failure, uint64_t ms, double usd)
{
    const struct rollout_outcome o = {BYTES("p"), version, is_failure, ms * 1000, usd};
    rollouts_note(&w->lane, &o);
}

/* How many of a hundred requests the second version decides over. */
static unsigned share(struct lane_world *w)
{
    unsigned count = 0;
    for (uint64_t key = 0; key < 100; key++) {
        const struct policy_request r = {.key = key * 7919, .model = BYTES("m")};
        count += policy_set_match(w->lane.policies.set, w->lane.policies.vm, &r)->version == 2;
    }
    return count;
}

static void a_version_without_faults_keeps_its_share(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 200; i++) {
        note(w, 1, i % 10 == 0, 50, 0.001);
        note(w, 2, i % 20 == 0, 60, 0.0012);
    }
    assert_in_range(share(w), 30, 70);
    assert_int_equal(w->lane.rollouts.withdrawn, 0);
}

static void failures_withdraw_it_and_the_older_one_decides(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 19; i++)
        note(w, 2, true, 10, NAN);
    assert_in_range(share(w), 30, 70); /* too little was seen */
    note(w, 2, true, 10, NAN);
    assert_int_equal(share(w), 0);
    assert_int_equal(w->lane.rollouts.withdrawn, 1);
    const struct policy_request r = {.key = 1, .model = BYTES("m")};
    assert_int_equal(policy_set_match(w->lane.policies.set, w->lane.policies.vm, &r)->version, 1);
}

static void it_stays_withdrawn_when_other_documents_change(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 20; i++)
        note(w, 2, true, 10, NAN);
    take_documents(w);
    assert_int_equal(share(w), 0);
    assert_int_equal(w->lane.rollouts.withdrawn, 1);
}

static void the_failures_of_the_older_one_are_not_its_fault(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 100; i++)
        note(w, 1, true, 5000, 1);
    assert_in_range(share(w), 30, 70);
}

static void slowness_withdraws_it(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 20; i++)
        note(w, 2, false, i == 19 ? 900 : 50, NAN);
    assert_int_equal(share(w), 0);
}

static void costing_more_than_the_older_one_withdraws_it(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 30; i++)
        note(w, 1, false, 50, 0.001);
    for (int i = 0; i < 20; i++)
        note(w, 2, false, 50, 0.0016);
    assert_int_equal(share(w), 0);
}

static void whoever_listens_is_told(void **state)
{
    struct lane_world *w = *state;
    take_documents(w);
    for (int i = 0; i < 20; i++)
        note(w, 2, true, 10, NAN);
    const struct events *ev = mesh_events(&w->mesh);
    assert_int_equal(ev->count, 1);
    assert_int_equal(ev->kept[0].kind, EVENT_POLICY_WITHDRAWN);
    assert_string_equal(ev->kept[0].policy, "p");
    assert_int_equal(ev->kept[0].version, 2);
    assert_string_equal(ev->kept[0].guard, "error_rate");
}

/* --- what others say */

static uint64_t accused(struct lane_world *w)
{
    uint64_t hash = 0;
    return rollouts_accused(&w->lane.rollouts, &hash, 1) ? hash : 0;
}

/* The name of version 2, as a node that gave it up tells it. */
static uint64_t learn_hash(struct lane_world *w)
{
    take_documents(w);
    for (int i = 0; i < 20; i++)
        note(w, 2, true, 10, NAN);
    uint64_t hash = accused(w);
    assert_int_not_equal(hash, 0);
    rollouts_fini(&w->lane.rollouts);
    rollouts_init(&w->lane.rollouts);
    take_documents(w);
    assert_in_range(share(w), 30, 70);
    return hash;
}

static void report(struct lane_world *w, uint64_t hash, uint8_t witness, uint64_t ago_ms)
{
    const struct id id = {{witness}};
    rollouts_report(&w->lane, hash, &id, io_now_ms(w->lane.loop) - ago_ms);
}

static void three_others_withdraw_what_was_seen_too_little_of(void **state)
{
    struct lane_world *w = *state;
    uint64_t hash = learn_hash(w);
    note(w, 2, false, 10, NAN);
    report(w, hash, 1, 0);
    report(w, hash, 2, 0);
    assert_in_range(share(w), 30, 70);
    report(w, hash, 3, 0);
    assert_int_equal(share(w), 0);
    const struct events *ev = mesh_events(&w->mesh);
    assert_string_equal(ev->kept[ev->count - 1].guard, "witnesses");
    assert_int_equal(accused(w), 0); /* what rests on others' is not passed on */
    take_documents(w);
    assert_int_equal(share(w), 0);
}

static void liars_withdraw_nothing_unless_there_are_three(void **state)
{
    struct lane_world *w = *state;
    uint64_t hash = learn_hash(w);
    for (int i = 0; i < 100; i++)
        report(w, hash, (uint8_t)(1 + i % 2), 0);
    report(w, hash + 1, 3, 0);
    assert_in_range(share(w), 30, 70);
}

static void accusations_grow_old(void **state)
{
    struct lane_world *w = *state;
    uint64_t hash = learn_hash(w);
    report(w, hash, 1, ROLLOUTS_WITNESS_MS);
    report(w, hash, 2, 0);
    report(w, hash, 3, 0);
    assert_in_range(share(w), 30, 70);
    report(w, hash, 1, 1); /* it says so again */
    assert_int_equal(share(w), 0);
}

static void who_has_seen_enough_believes_himself(void **state)
{
    struct lane_world *w = *state;
    uint64_t hash = learn_hash(w);
    for (int i = 0; i < 20; i++)
        note(w, 2, false, 10, NAN);
    for (uint8_t witness = 1; witness < 9; witness++)
        report(w, hash, witness, 0);
    assert_in_range(share(w), 30, 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LANE_TEST(a_version_without_faults_keeps_its_share),
        LANE_TEST(failures_withdraw_it_and_the_older_one_decides),
        LANE_TEST(it_stays_withdrawn_when_other_documents_change),
        LANE_TEST(the_failures_of_the_older_one_are_not_its_fault),
        LANE_TEST(slowness_withdraws_it),
        LANE_TEST(costing_more_than_the_older_one_withdraws_it),
        LANE_TEST(whoever_listens_is_told),
        LANE_TEST(three_others_withdraw_what_was_seen_too_little_of),
        LANE_TEST(liars_withdraw_nothing_unless_there_are_three),
        LANE_TEST(accusations_grow_old),
        LANE_TEST(who_has_seen_enough_believes_himself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
