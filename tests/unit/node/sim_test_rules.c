/* The rules in a simulated mesh: one voter, several, replicas, and a replica that lies. */
#include "rules_world.h"

static void one_voter_takes_commands_and_has_them_after_a_restart(void **state)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    member_put(&w.members[0], "x.one", "1");
    struct rules_status before = member_status(&w.members[0]);
    member_stop(&w.members[0]);
    member_start(&w.members[0]);
    assert_true(member_has(&w.members[0], "x.one"));
    assert_int_equal(member_status(&w.members[0]).epoch, before.epoch);
    WORLD_UNTIL(&w, member_status(&w.members[0]).is_leader);
    member_put(&w.members[0], "x.two", "2");
    world_fini(&w);
}

static void what_was_acknowledged_survives_a_crash(void **state)
{
    struct world w;
    world_init(&w, 2, 1);
    world_start(&w);
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "x.n%d", i);
        member_put(&w.members[0], key, "v");
        member_crash(&w.members[0]);
        member_start(&w.members[0]);
        WORLD_UNTIL(&w, member_has(&w.members[0], key));
    }
    world_fini(&w);
}

static void a_replica_follows_and_brings_commands_to_the_leader(void **state)
{
    struct world w;
    world_init(&w, 3, 2);
    world_start(&w);
    member_put(&w.members[1], "x.through", "1");
    assert_true(member_has(&w.members[0], "x.through"));
    uint64_t began_us = sim_world_now_us(w.sim);
    WORLD_UNTIL(&w, world_is_one(&w, 2));
    assert_true(sim_world_now_us(w.sim) - began_us < SECOND);
    assert_false(member_status(&w.members[1]).is_member);
    assert_true(member_status(&w.members[1]).is_admitted);
    world_fini(&w);
}

static void a_read_at_a_replica_sees_what_was_acknowledged_before_it(void **state)
{
    struct world w;
    world_init(&w, 4, 3);
    world_start(&w);
    for (int i = 0; i < 10; i++) {
        struct asked a = {.call.on_done = asked_on_done};
        char key[16];
        snprintf(key, sizeof key, "x.r%d", i);
        member_put(&w.members[0], key, "v");
        assert_int_equal(rules_read(w.members[2].rules, &a.call), ERR_OK);
        WORLD_UNTIL(&w, a.is_done);
        assert_int_equal(a.result.err, ERR_OK);
        assert_true(member_has(&w.members[2], key));
    }
    world_fini(&w);
}

static void replicas_become_voters_and_outlive_the_leader(void **state)
{
    struct world w;
    world_init(&w, 5, 4);
    world_start(&w);
    member_vote(&w.members[3], 3);
    for (size_t i = 0; i < 3; i++)
        WORLD_UNTIL(&w, member_status(&w.members[i]).is_voter &&
                            member_status(&w.members[i]).voter_count == 3);
    member_put(&w.members[0], "x.before", "1");
    member_crash(&w.members[0]);
    member_put(&w.members[3], "x.after", "1");
    member_start(&w.members[0]);
    WORLD_UNTIL(&w, world_is_one(&w, 4));
    assert_true(member_has(&w.members[0], "x.before") && member_has(&w.members[0], "x.after"));
    world_fini(&w);
}

static void a_wiped_voter_is_a_voter_again(void **state)
{
    struct world w;
    world_init(&w, 6, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    WORLD_UNTIL(&w, member_status(&w.members[2]).is_voter);
    member_stop(&w.members[2]);
    member_wipe(&w.members[2]);
    member_put(&w.members[0], "x.meanwhile", "1");
    member_start(&w.members[2]);
    WORLD_UNTIL(&w, world_is_one(&w, 3) && member_status(&w.members[2]).is_voter);
    world_run(&w, SECOND); /* the change ends */
    member_crash(&w.members[1]);
    member_put(&w.members[0], "x.by_two", "1"); /* its vote counts */
    world_fini(&w);
}

/* The copy is started as often as the others have heard of. */
static void a_voter_whose_disk_is_put_back_is_told_and_a_voter_again(void **state)
{
    struct world w;
    world_init(&w, 12, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    struct member *m = &w.members[2];
    WORLD_UNTIL(&w, member_status(m).is_voter && world_is_one(&w, 3));
    char copy[128];
    snprintf(copy, sizeof copy, "%s/copy", w.dir);
    member_stop(m);
    world_copy_folder(m->dir, copy);
    member_start(m);
    member_put(&w.members[0], "x.since", "1");
    WORLD_UNTIL(&w, world_is_one(&w, 3));
    world_run(&w, SECOND); /* the others have heard of this start, and written it down */
    member_crash(m);
    member_wipe(m);
    world_copy_folder(copy, m->dir);
    assert_false(member_said(m, "disk_lost_or_rolled_back"));
    member_start(m);
    WORLD_UNTIL(&w, member_said(m, "disk_lost_or_rolled_back"));
    WORLD_UNTIL(&w, world_is_one(&w, 3) && member_status(m).is_voter);
    world_run(&w, SECOND); /* the change ends */
    member_crash(&w.members[1]);
    member_put(&w.members[0], "x.by_two", "1"); /* its vote counts */
    world_fini(&w);
}

static void who_votes_no_more_pulls(void **state)
{
    struct world w;
    world_init(&w, 7, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    WORLD_UNTIL(&w, member_status(&w.members[2]).is_voter);
    member_vote(&w.members[0], 1);
    WORLD_UNTIL(&w,
                !member_status(&w.members[1]).is_member && !member_status(&w.members[2]).is_member);
    member_put(&w.members[1], "x.later", "1");
    WORLD_UNTIL(&w, world_is_one(&w, 3));
    world_fini(&w);
}

static void a_replica_far_behind_takes_a_snapshot(void **state)
{
    struct world w;
    world_init(&w, 8, 2);
    w.snapshot_entries = 20;
    world_start(&w);
    member_stop(&w.members[1]);
    member_wipe(&w.members[1]);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "x.s%d", i);
        member_put(&w.members[0], key, "v");
    }
    assert_true(member_said(&w.members[0], "snapshot_made"));
    member_start(&w.members[1]);
    WORLD_UNTIL(&w, world_is_one(&w, 2));
    assert_true(member_said(&w.members[1], "snapshot_installed"));
    member_crash(&w.members[1]);
    member_start(&w.members[1]);
    member_put(&w.members[1], "x.later", "1");
    WORLD_UNTIL(&w, world_is_one(&w, 2));
    world_fini(&w);
}

/* Node c has a log of its own, made with the root's key, that has more in it than the mesh's. */
static void whoever_serves_another_log_is_named_and_not_followed(void **state)
{
    struct world w;
    world_init(&w, 9, 3);
    struct member *liar = &w.members[2];
    world_found_at(&w, &w.members[0]);
    member_start(&w.members[0]);
    member_start(&w.members[1]);
    WORLD_UNTIL(&w, world_is_one(&w, 2));
    member_stop(&w.members[0]);
    member_stop(&w.members[1]);
    world_found_at(&w, liar);
    member_start(liar);
    WORLD_UNTIL(&w, member_status(liar).is_leader);
    for (int i = 0; i < 10; i++)
        member_put(liar, "x.lie", "1");
    member_start(&w.members[1]); /* nobody else is there */
    WORLD_UNTIL(&w, member_said(&w.members[1], "replica_source_lies"));
    assert_true(member_said(&w.members[1], "peer=node-c"));
    member_start(&w.members[0]);
    member_put(&w.members[0], "x.true", "1");
    WORLD_UNTIL(&w, member_has(&w.members[1], "x.true"));
    assert_false(member_has(&w.members[1], "x.lie"));
    assert_int_equal(member_status(&w.members[1]).stopped, ERR_OK);
    world_fini(&w);
}

static void a_revoked_node_is_cut_off(void **state)
{
    struct world w;
    struct asked a;
    struct registry_op op = {
        .verb = REGISTRY_MOVE, .kind = REGISTRY_NODE, .state = REGISTRY_NODE_REVOKED};
    world_init(&w, 10, 3);
    world_start(&w);
    struct id victim = w.members[2].identity.node;
    WORLD_UNTIL(&w, mesh_peer_find(w.members[0].mesh, &victim));
    op.doc.node.id = victim;
    member_submit(&w.members[1], &op, &a);
    WORLD_UNTIL(&w, a.is_done);
    assert_int_equal(a.result.err, ERR_OK);
    uint64_t began_us = sim_world_now_us(w.sim);
    for (size_t i = 0; i < 2; i++) {
        WORLD_UNTIL(&w, rules_admit(w.members[i].rules, &victim) == ERR_REVOKED);
        WORLD_UNTIL(&w, mesh_peer_find(w.members[i].mesh, &victim)->state == PEER_LEFT);
        assert_null(mesh_peer_find(w.members[i].mesh, &victim)->link);
    }
    assert_true(sim_world_now_us(w.sim) - began_us < 2 * SECOND);
    world_fini(&w);
}

static void without_a_quorum_the_old_rules_stay_and_a_command_is_not_guessed(void **state)
{
    struct world w;
    struct asked a;
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    world_init(&w, 11, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    WORLD_UNTIL(&w, member_status(&w.members[2]).is_voter && member_status(&w.members[1]).is_voter);
    member_put(&w.members[0], "x.kept", "1");
    WORLD_UNTIL(&w, world_is_one(&w, 3));
    member_crash(&w.members[0]);
    member_crash(&w.members[1]);
    op.doc.setting = (struct registry_setting){.key = BYTES("x.lost"), .value = BYTES("1")};
    member_submit(&w.members[2], &op, &a);
    WORLD_UNTIL(&w, a.is_done);
    assert_true(a.result.err == ERR_TIMEOUT || a.result.err == ERR_UNKNOWN_OUTCOME);
    assert_false(member_status(&w.members[2]).has_quorum);
    assert_true(member_has(&w.members[2], "x.kept"));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_voter_takes_commands_and_has_them_after_a_restart),
        cmocka_unit_test(what_was_acknowledged_survives_a_crash),
        cmocka_unit_test(a_replica_follows_and_brings_commands_to_the_leader),
        cmocka_unit_test(a_read_at_a_replica_sees_what_was_acknowledged_before_it),
        cmocka_unit_test(replicas_become_voters_and_outlive_the_leader),
        cmocka_unit_test(a_wiped_voter_is_a_voter_again),
        cmocka_unit_test(a_voter_whose_disk_is_put_back_is_told_and_a_voter_again),
        cmocka_unit_test(who_votes_no_more_pulls),
        cmocka_unit_test(a_replica_far_behind_takes_a_snapshot),
        cmocka_unit_test(whoever_serves_another_log_is_named_and_not_followed),
        cmocka_unit_test(a_revoked_node_is_cut_off),
        cmocka_unit_test(without_a_quorum_the_old_rules_stay_and_a_command_is_not_guessed),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
