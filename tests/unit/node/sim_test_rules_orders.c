/* Reads under way at a follower: whose answer is whose. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_a_read_that_was_given_up_is_not_that_of_the_next),
    };
    return cmocka_run_group_tests_name("rules_orders", tests, NULL, NULL);
}
