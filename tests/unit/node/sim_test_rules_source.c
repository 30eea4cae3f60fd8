/* Whom a replica asks for the log, where that one is cut off from news, or has none. */
#include "rules_world.h"

/* Members a, b, c vote, d pulls; b is the nearest to it. */
static void town_init(struct world *w, uint64_t seed)
{
    const struct sim_link near = {.latency_min_us = 100, .latency_max_us = 200},
                          far = {.latency_min_us = 8000, .latency_max_us = 9000};
    world_init(w, seed, 4);
    world_start(w);
    sim_link_set(w->sim, NULL, "d", &far);
    sim_link_set(w->sim, "d", NULL, &far);
    sim_link_set(w->sim, "b", "d", &near);
    sim_link_set(w->sim, "d", "b", &near);
    member_vote(&w->members[0], 3);
    for (size_t i = 0; i < 3; i++)
        WORLD_UNTIL(w, member_status(&w->members[i]).is_voter);
    world_run(w, 60 * SECOND); /* ways are measured, and questions asked of the nearest */
    WORLD_UNTIL(w, world_is_one(w, 4));
}

static uint64_t left_by(const struct member *m)
{
    struct rules_counts counts;
    rules_counts(m->rules, &counts);
    return counts.sources_left;
}

static const struct peer *peer_of(const struct member *m, const struct member *other)
{
    return mesh_peer_find(m->mesh, &other->identity.node);
}

static void cut_off(struct world *w, const char *host)
{
    sim_partition(w->sim, host, "a");
    sim_partition(w->sim, host, "c");
}

static uint64_t us_until(struct world *w, const struct member *m, const char *key)
{
    uint64_t began_us = sim_world_now_us(w->sim);
    WORLD_UNTIL(w, member_has(m, key));
    return sim_world_now_us(w->sim) - began_us;
}

static void who_is_cut_off_keeps_no_replica_behind(void **state)
{
    struct world w;
    (void)state;
    town_init(&w, 21);
    member_put(&w.members[2], "x.before", "1");
    assert_true(us_until(&w, &w.members[3], "x.before") < SECOND);
    assert_int_equal(left_by(&w.members[3]), 0);
    cut_off(&w, "b");
    member_put(&w.members[2], "x.after", "1");
    assert_true(us_until(&w, &w.members[3], "x.after") < 2 * SECOND);
    assert_false(member_has(&w.members[1], "x.after"));
    assert_int_equal(left_by(&w.members[3]), 1);
    assert_true(member_said(&w.members[3], "peer=node-b"));
    world_fini(&w);
}

static void who_judged_by_newer_rules_is_asked_for_them(void **state)
{
    struct world w;
    (void)state;
    town_init(&w, 22);
    cut_off(&w, "b");
    member_put(&w.members[2], "x.news", "1");
    /* a setting of operators is no rule, so that this epoch stands for a newer one */
    rules_hear_epoch(w.members[3].rules, peer_of(&w.members[3], &w.members[2]),
                     member_status(&w.members[2]).epoch + 1);
    assert_true(us_until(&w, &w.members[3], "x.news") < SECOND / 2);
    world_fini(&w);
}

static void who_boasts_of_newer_rules_is_left_again(void **state)
{
    struct world w;
    (void)state;
    town_init(&w, 23);
    for (int i = 0; i < 10; i++) {
        rules_hear_epoch(w.members[3].rules, peer_of(&w.members[3], &w.members[2]), UINT64_MAX);
        world_run(&w, SECOND);
    }
    /* from b to c, which gave nothing, and to another; c is not asked again so soon */
    assert_int_equal(left_by(&w.members[3]), 2);
    member_put(&w.members[0], "x.true", "1");
    assert_true(us_until(&w, &w.members[3], "x.true") < SECOND / 2);
    world_fini(&w);
}

/* A silent source is better than none. */
static void the_only_source_is_waited_for(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 24, 2);
    world_start(&w);
    world_run(&w, SECOND);
    rules_hear_epoch(w.members[1].rules, peer_of(&w.members[1], &w.members[0]), UINT64_MAX);
    world_run(&w, 5 * SECOND);
    assert_int_equal(left_by(&w.members[1]), 0);
    member_put(&w.members[0], "x.true", "1");
    assert_true(us_until(&w, &w.members[1], "x.true") < SECOND / 2);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_cut_off_keeps_no_replica_behind),
        cmocka_unit_test(who_judged_by_newer_rules_is_asked_for_them),
        cmocka_unit_test(who_boasts_of_newer_rules_is_left_again),
        cmocka_unit_test(the_only_source_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
