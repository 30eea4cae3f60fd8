/* Tests of registry/admins and registry/access: roles, revocation, who is left. */
#include "registry_world.h"

static struct registry_op revoked(const struct person *p)
{
    return op_move(op_admin(p, "", 0), REGISTRY_REVOKED);
}

static void a_revoked_administrator_is_not_heard_any_more(void **state)
{
    struct world *w = *state;
    world_hire(w, BOB, "bob", REGISTRY_REGISTRAR);
    assert_int_equal(world_do(w, BOB, op_model("m")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, revoked(&w->people[BOB])), ERR_OK);
    assert_int_equal(world_do(w, BOB, op_model("n")), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_admin(&w->people[BOB], "bob", REGISTRY_REGISTRAR)),
                     ERR_REVOKED);
    world_hire(w, CAROL, "bob", REGISTRY_REGISTRAR); /* the name is free again */
}

static void an_administrators_time_ends(void **state)
{
    struct world *w = *state;
    struct registry_op op = op_admin(&w->people[BOB], "bob", REGISTRY_REGISTRAR);
    op.doc.admin.not_after_ms = NOW_MS + HOUR_MS;
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    w->time_ms += HOUR_MS;
    assert_int_equal(world_do(w, BOB, op_model("m")), ERR_OK);
    w->time_ms++;
    assert_int_equal(world_do(w, BOB, op_model("n")), ERR_EXPIRED);
}

static void an_operator_always_stays(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_do(w, ALICE, revoked(&w->people[ALICE])), ERR_IN_USE);
    assert_int_equal(world_do(w, ALICE, op_admin(&w->people[ALICE], "alice", REGISTRY_VIEWER)),
                     ERR_IN_USE);
    world_hire(w, BOB, "bob", REGISTRY_OPERATOR);
    assert_int_equal(world_do(w, ALICE, revoked(&w->people[ALICE])), ERR_OK);
    assert_int_equal(world_do(w, BOB, revoked(&w->people[BOB])), ERR_IN_USE);
    assert_int_equal(world_do(w, ROOT, revoked(&w->people[BOB])), ERR_OK); /* the last resort */
    assert_int_equal(world_do(w, ROOT, op_admin(&w->people[CAROL], "carol", REGISTRY_OPERATOR)),
                     ERR_OK);
    assert_int_equal(world_do(w, CAROL, op_model("m")), ERR_OK);
}

static void names_and_keys_are_one_administrators(void **state)
{
    struct world *w = *state;
    struct registry_op op = op_admin(&w->people[BOB], "alice", REGISTRY_VIEWER);
    assert_int_equal(world_do(w, ALICE, op), ERR_EXISTS);
    op = op_admin(&w->people[ROOT], "root", REGISTRY_VIEWER);
    assert_int_equal(world_do(w, ALICE, op), ERR_INVALID);
    op = op_admin(&w->people[BOB], "bob", REGISTRY_VIEWER);
    op.doc.admin.id = w->people[CAROL].id;
    assert_int_equal(world_do(w, ALICE, op), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_invitation(&w->people[ALICE], 1)), ERR_EXISTS);
    assert_int_equal(world_do(w, ALICE, op_invitation(&w->people[CAROL], 1)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_admin(&w->people[CAROL], "carol", REGISTRY_VIEWER)),
                     ERR_EXISTS);
}

static void administrators_are_found_by_name(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_find(reader, REGISTRY_ADMIN_BY_NAME, TEXT("alice"), &row), ERR_OK);
    assert_true(id_equal(&row.doc.admin.id, &w->people[ALICE].id));
    registry_reader_close(reader);
}

static void an_administrator_is_not_removed(void **state)
{
    struct world *w = *state;
    world_hire(w, BOB, "bob", REGISTRY_VIEWER);
    assert_int_equal(world_do(w, ALICE, op_remove(op_admin(&w->people[BOB], "", 0))),
                     ERR_NOT_ALLOWED);
}

/* --- roles --- */

/* One operation of each kind, and the least role that may do it. */
static size_t one_of_each(struct world *w, struct registry_op ops[32],
                          enum registry_role ret_roles[32])
{
    struct person *p = w->people;
    const struct id signer = p[ALICE].id;
    size_t count = 0;
#define ADD(role, op) (ret_roles[count] = (role), ops[count++] = (op))
    ADD(REGISTRY_ENROLLER, op_node(&p[DAVE], "d1"));
    ADD(REGISTRY_ENROLLER, op_move(op_node(&p[DAVE], ""), REGISTRY_DRAINED));
    ADD(REGISTRY_OPERATOR, op_move(op_node(&p[DAVE], ""), REGISTRY_NODE_REVOKED));
    ADD(REGISTRY_ENROLLER, op_invitation(&p[CAROL], 1));
    ADD(REGISTRY_REGISTRAR, op_model("m"));
    ADD(REGISTRY_REGISTRAR, op_version("m", "v1"));
    ADD(REGISTRY_REGISTRAR, op_alias("a", "m", "v1", 1, NULL, 0));
    ADD(REGISTRY_REGISTRAR, op_tenant("t"));
    ADD(REGISTRY_REGISTRAR, op_key("t", "gvk_x"));
    ADD(REGISTRY_REGISTRAR, op_move(op_key("t", "gvk_x"), REGISTRY_REVOKED));
    ADD(REGISTRY_OPERATOR, op_policy("p", "x: 1"));
    ADD(REGISTRY_OPERATOR, op_setting("x.y", "1"));
    ADD(REGISTRY_OPERATOR, op_voters(1, NULL, 0));
    ADD(REGISTRY_OPERATOR, op_gossip_key(2));
    ADD(REGISTRY_OPERATOR, op_cosign("node.rm", 1, &signer, 1));
    ADD(REGISTRY_OPERATOR, op_admin(&p[DAVE], "dave", REGISTRY_VIEWER));
#undef ADD
    return count;
}

static void each_operation_needs_its_role(void **state)
{
    struct world *w = *state;
    struct registry_op ops[32];
    enum registry_role roles[32];
    size_t count = one_of_each(w, ops, roles);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(registry_op_role(&ops[i]), roles[i]);
        assert_string_not_equal(registry_op_word(&ops[i]), "?");
        world_hire(w, BOB, "bob", (enum registry_role)(roles[i] - 1));
        enum err e = world_do(w, BOB, ops[i]);
        assert_int_equal(e, ERR_NOT_ALLOWED);
        world_hire(w, BOB, "bob", roles[i]);
        assert_int_equal(world_do(w, BOB, ops[i]), ERR_OK);
    }
}

static void what_is_in_no_table_nobody_may(void **state)
{
    struct world *w = *state;
    struct registry_op op = op_remove(op_voters(1, NULL, 0));
    assert_int_equal(registry_op_role(&op), REGISTRY_ROLE_NONE);
    assert_string_equal(registry_op_word(&op), "?");
    assert_int_equal(world_do(w, ALICE, op), ERR_NOT_ALLOWED);
    assert_int_equal(world_do(w, ALICE, op_remove(op_gossip_key(1))), ERR_NOT_ALLOWED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_revoked_administrator_is_not_heard_any_more),
        IN_WORLD(an_administrators_time_ends),
        IN_WORLD(an_operator_always_stays),
        IN_WORLD(names_and_keys_are_one_administrators),
        IN_WORLD(administrators_are_found_by_name),
        IN_WORLD(an_administrator_is_not_removed),
        IN_WORLD(each_operation_needs_its_role),
        IN_WORLD(what_is_in_no_table_nobody_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
