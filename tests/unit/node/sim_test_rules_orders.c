/* Orders under way: whose answer is whose, and that each has one. */
#include "rules_world.h"

#include "node/rules/inner.h"

/* What was freed is used again at once, as outside of tests: an address tells nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=0:thread_local_quarantine_size_kb=0";
}

static const struct order *ask(struct member *m, struct asked *a)
{
    *a = (struct asked){.call.on_done = asked_on_done};
    assert_int_equal(rules_read(m->rules, &a->call), ERR_OK);
    while (!a->is_done && a->call.order->state == ORDER_NEW)
        world_run(m->world, 10);
    assert_false(a->is_done);
    assert_int_equal(a->call.order->state, ORDER_ASKED);
    return a->call.order;
}

static void an_answer_to_a_read_that_was_given_up_is_not_that_of_the_next(void **state)
{
    struct world w;
    size_t same = 0;
    world_init(&w, 21, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    struct member *m = &w.members[2];
    WORLD_UNTIL(&w, member_status(m).is_voter && world_is_one(&w, 3));
    for (int i = 0; i < 20; i++) {
        struct asked given_up, next;
        const struct order *before = ask(m, &given_up);
        struct raft_read_result answer = {.tag = before->question, .index = 1};
        rules_cancel(&given_up.call);
        const struct order *now = ask(m, &next);
        same += now == before;
        orders_on_reads(m->rules, &answer, 1); /* of before anything was committed */
        assert_int_equal(now->state, ORDER_ASKED);
        WORLD_UNTIL(&w, next.is_done);
        assert_int_equal(next.result.err, ERR_OK);
        assert_true(next.result.index > 1);
    }
    assert_true(same > 0); /* else this asked nothing */
    world_fini(&w);
}

static const struct registry_op *put_op(struct registry_op *op, const char *key)
{
    *op = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_SETTING};
    op->doc.setting = (struct registry_setting){.key = bytes_from_str(key), .value = BYTES("1")};
    return op;
}

static void submit_as(struct member *m, const struct fixture_key *author, uint64_t sequence,
                      const char *key, struct asked *a)
{
    struct registry_op op;
    struct buf wire;
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    *a = (struct asked){.call.on_done = asked_on_done};
    world_sign(m->world, author, sequence, put_op(&op, key), 1, &wire);
    assert_int_equal(rules_submit(m->rules, &a->call, buf_bytes(&wire)), ERR_OK);
    buf_fini(&wire);
}

/* A stranger's command has the leader confirm that it leads; what is checked with it, and what
 * comes while it is checked, is not lost over that. */
static void a_refusal_that_is_confirmed_leaves_the_others_alone(void **state)
{
    struct world w;
    struct fixture_key stranger;
    uint64_t wrong = 0;
    world_init(&w, 22, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    WORLD_UNTIL(&w, member_status(&w.members[2]).is_voter && world_is_one(&w, 3));
    fixture_key(9, &stranger);
    struct member *m = &w.members[0];
    for (int round = 0; round < 20; round++) {
        struct asked refused, all[5];
        submit_as(m, &stranger, ++wrong, "x.no", &refused);
        for (size_t i = 0; i < 2; i++)
            submit_as(m, &w.admin, ++w.sequence, "x.together", &all[i]);
        while (refused.call.order->state != ORDER_CHECKED)
            world_run(&w, 1);
        for (size_t i = 2; i < 5; i++)
            submit_as(m, &w.admin, ++w.sequence, "x.meanwhile", &all[i]);
        WORLD_UNTIL(&w, refused.is_done && all[0].is_done && all[1].is_done && all[2].is_done &&
                            all[3].is_done && all[4].is_done);
        assert_int_equal(refused.result.err, ERR_NOT_ALLOWED);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(all[i].result.err, ERR_OK);
    }
    world_fini(&w);
}

static void a_leader_whose_clock_has_stepped_refuses_nothing_for_want_of_time(void **state)
{
    struct world w;
    struct asked a;
    world_init(&w, 23, 3);
    world_start(&w);
    member_vote(&w.members[0], 3);
    WORLD_UNTIL(&w, member_status(&w.members[2]).is_voter && world_is_one(&w, 3));
    world_run(&w, SECOND); /* the change ends: until then nothing goes without a */
    assert_true(member_status(&w.members[0]).is_leader);
    sim_host_step_clock(w.sim, "a", 48ll * 3600 * 1000);
    submit_as(&w.members[1], &w.admin, ++w.sequence, "x.in-time", &a);
    WORLD_UNTIL(&w, a.is_done);
    assert_int_equal(a.result.err, ERR_OK);
    WORLD_UNTIL(&w, !member_status(&w.members[0]).is_leader);
    sim_host_step_clock(w.sim, "a", -48ll * 3600 * 1000);
    WORLD_UNTIL(&w, world_is_one(&w, 3));
    assert_int_equal(member_status(&w.members[0]).stopped, ERR_OK);
    world_fini(&w);
}

static void a_replica_whose_clock_steps_accuses_nobody(void **state)
{
    struct world w;
    world_init(&w, 24, 2);
    world_start(&w);
    sim_host_step_clock(w.sim, "b", -366ll * 24 * 3600 * 1000);
    for (unsigned i = 0; i < 20; i++)
        member_put(&w.members[0], "x.news", i % 2 ? "1" : "2");
    world_run(&w, 5 * SECOND);
    assert_false(world_is_one(&w, 2));
    sim_host_step_clock(w.sim, "b", 366ll * 24 * 3600 * 1000);
    WORLD_UNTIL(&w, world_is_one(&w, 2));
    assert_false(member_said(&w.members[1], "replica_source_lies"));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_a_read_that_was_given_up_is_not_that_of_the_next),
        cmocka_unit_test(a_refusal_that_is_confirmed_leaves_the_others_alone),
        cmocka_unit_test(a_leader_whose_clock_has_stepped_refuses_nothing_for_want_of_time),
        cmocka_unit_test(a_replica_whose_clock_steps_accuses_nobody),
    };
    return cmocka_run_group_tests_name("rules_orders", tests, NULL, NULL);
}
