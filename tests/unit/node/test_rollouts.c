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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
