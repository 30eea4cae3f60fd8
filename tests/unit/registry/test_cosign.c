/* Tests of registry/cosign: m of n, what guards the rules themselves, residency. */
#include "registry_world.h"

/* Said by `author`, signed by the others too. The verdict. */
static enum err say_together(struct world *w, int author, struct registry_op op, const int *others,
                             size_t count)
{
    struct buf one, two;
    struct person *p = &w->people[author];
    buf_init(&one, REGISTRY_COMMAND_MAX);
    buf_init(&two, REGISTRY_COMMAND_MAX);
    world_sign(w, p, ++p->sequence, &op, 1, &one);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&two);
        assert_int_equal(
            registry_command_cosign(buf_bytes(&one), w->people[others[i]].secret, &two), ERR_OK);
        struct buf swap = one;
        one = two;
        two = swap;
    }
    enum err e = world_apply(w, buf_bytes(&one));
    if (e == ERR_COSIGNATURE)
        p->sequence--;
    buf_fini(&one);
    buf_fini(&two);
    return e;
}

static void hire_three(struct world *w, struct id ret_ids[3])
{
    world_hire(w, BOB, "bob", REGISTRY_OPERATOR);
    world_hire(w, CAROL, "carol", REGISTRY_OPERATOR);
    ret_ids[0] = w->people[ALICE].id;
    ret_ids[1] = w->people[BOB].id;
    ret_ids[2] = w->people[CAROL].id;
}

static void as_many_signers_as_the_rule_says_must_sign(void **state)
{
    struct world *w = *state;
    struct id ids[3];
    const int others[] = {BOB, CAROL};
    hire_three(w, ids);
    assert_int_equal(world_do(w, ALICE, op_cosign("setting.put", 3, ids, 3)), ERR_OK);
    struct registry_op op = op_setting("x.a", "1");
    assert_int_equal(say_together(w, ALICE, op, NULL, 0), ERR_COSIGNATURE);
    assert_string_equal(w->result.fault.what,
                        "setting.put needs 3 of 3 signers and has 1: let others sign it");
    assert_int_equal(say_together(w, ALICE, op, others, 1), ERR_COSIGNATURE);
    assert_int_equal(say_together(w, ALICE, op, others, 2), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK); /* asks nobody */
}

static void strangers_and_the_revoked_do_not_count(void **state)
{
    struct world *w = *state;
    struct id ids[3];
    const int dave[] = {DAVE}, bob[] = {BOB};
    hire_three(w, ids);
    assert_int_equal(world_do(w, ALICE, op_cosign("setting.put", 2, ids, 3)), ERR_OK);
    assert_int_equal(say_together(w, ALICE, op_setting("x.a", "1"), dave, 1), ERR_COSIGNATURE);
    struct registry_op revoke = op_move(op_admin(&w->people[BOB], "", 0), REGISTRY_REVOKED);
    assert_int_equal(world_do(w, ALICE, revoke), ERR_IN_USE); /* the rule names him */
    assert_int_equal(world_do(w, ROOT, revoke), ERR_OK);
    assert_int_equal(say_together(w, ALICE, op_setting("x.a", "1"), bob, 1), ERR_COSIGNATURE);
}

static void a_command_that_lacks_signatures_may_get_them_later(void **state)
{
    struct world *w = *state;
    struct id ids[3];
    struct buf one, two;
    hire_three(w, ids);
    assert_int_equal(world_do(w, ALICE, op_cosign("setting.put", 2, ids, 3)), ERR_OK);
    struct registry_op op = op_setting("x.a", "1");
    buf_init(&one, REGISTRY_COMMAND_MAX);
    buf_init(&two, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 50, &op, 1, &one);
    assert_int_equal(world_apply(w, buf_bytes(&one)), ERR_COSIGNATURE);
    assert_int_equal(registry_command_cosign(buf_bytes(&one), w->people[BOB].secret, &two), ERR_OK);
    assert_int_equal(world_apply(w, buf_bytes(&two)), ERR_OK);
    assert_int_equal(world_apply(w, buf_bytes(&one)), ERR_OK); /* the same command */
    assert_true(w->result.is_repeat);
    buf_fini(&one);
    buf_fini(&two);
}

static void a_forged_cosignature_is_refused(void **state)
{
    struct world *w = *state;
    struct buf one, two;
    struct registry_op op = op_setting("x.a", "1");
    buf_init(&one, REGISTRY_COMMAND_MAX);
    buf_init(&two, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &one);
    assert_int_equal(registry_command_cosign(buf_bytes(&one), w->people[BOB].secret, &two), ERR_OK);
    two.data[two.size - 1] ^= 1;
    assert_int_equal(world_apply(w, buf_bytes(&two)), ERR_BAD_SIGNATURE);
    buf_fini(&one);
    buf_fini(&two);
}

static void a_rule_guards_itself(void **state)
{
    struct world *w = *state;
    struct id ids[3];
    const int bob[] = {BOB};
    hire_three(w, ids);
    struct registry_op rule = op_cosign("admin.put", 2, ids, 3);
    struct registry_op weaker = op_cosign("admin.put", 1, ids, 3);
    assert_int_equal(world_do(w, ALICE, rule), ERR_OK);
    assert_int_equal(say_together(w, ALICE, weaker, NULL, 0), ERR_COSIGNATURE);
    assert_int_equal(say_together(w, ALICE, op_remove(rule), NULL, 0), ERR_COSIGNATURE);
    assert_int_equal(say_together(w, ALICE, op_remove(rule), bob, 1), ERR_OK);
    assert_int_equal(world_do(w, ALICE, rule), ERR_OK);
    assert_int_equal(world_do(w, ROOT, op_remove(rule)), ERR_OK); /* the last resort */
}

static void residency_guards_where_things_may_run(void **state)
{
    struct world *w = *state;
    struct id ids[3];
    const int bob[] = {BOB};
    struct registry_op version = op_version("m", "v1"), tenant = op_tenant("t");
    hire_three(w, ids);
    assert_int_equal(world_do(w, ALICE, op_cosign("residency", 2, ids, 3)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    version.doc.version.regions[0] = tenant.doc.tenant.regions[0] = TEXT("eu-west");
    version.doc.version.region_count = tenant.doc.tenant.region_count = 1;
    assert_int_equal(world_do(w, ALICE, version), ERR_OK); /* new ones are free */
    assert_int_equal(world_do(w, ALICE, tenant), ERR_OK);
    version.doc.version.memory_bytes = 5;
    assert_int_equal(world_do(w, ALICE, version), ERR_OK);
    version.doc.version.region_count = tenant.doc.tenant.region_count = 0;
    assert_int_equal(say_together(w, ALICE, version, NULL, 0), ERR_COSIGNATURE);
    assert_int_equal(say_together(w, ALICE, tenant, NULL, 0), ERR_COSIGNATURE);
    assert_int_equal(say_together(w, ALICE, op_remove(version), NULL, 0), ERR_COSIGNATURE);
    assert_int_equal(say_together(w, ALICE, op_move(version, REGISTRY_STAGING), NULL, 0), ERR_OK);
    assert_int_equal(say_together(w, ALICE, version, bob, 1), ERR_OK);
}

static void a_rule_can_be_satisfied(void **state)
{
    struct world *w = *state;
    struct id ids[3];
    hire_three(w, ids);
    assert_int_equal(world_do(w, ALICE, op_cosign("no.such", 1, ids, 3)), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_cosign("node.rm", 4, ids, 3)), ERR_INVALID);
    ids[2] = w->people[DAVE].id;
    assert_int_equal(world_do(w, ALICE, op_cosign("node.rm", 1, ids, 3)), ERR_NOT_FOUND);
    ids[2] = ids[1];
    assert_int_equal(world_do(w, ALICE, op_cosign("node.rm", 1, ids, 3)), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(as_many_signers_as_the_rule_says_must_sign),
        IN_WORLD(strangers_and_the_revoked_do_not_count),
        IN_WORLD(a_command_that_lacks_signatures_may_get_them_later),
        IN_WORLD(a_forged_cosignature_is_refused),
        IN_WORLD(a_rule_guards_itself),
        IN_WORLD(residency_guards_where_things_may_run),
        IN_WORLD(a_rule_can_be_satisfied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
