/* Tests of registry/nodes: admission by administrators and by invitations, revocation. */
#include "registry_world.h"

static struct registry_op move_node(const struct person *p, uint32_t state)
{
    return op_move(op_node(p, ""), state);
}

static void an_enroller_admits_and_drains_but_does_not_revoke(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct person *node = &w->people[DAVE];
    world_hire(w, BOB, "bob", REGISTRY_ENROLLER);
    assert_int_equal(world_do(w, BOB, op_node(node, "d1")), ERR_OK);
    assert_int_equal(world_do(w, BOB, move_node(node, REGISTRY_DRAINED)), ERR_OK);
    assert_int_equal(world_get(w, REGISTRY_NODE, ID_BYTES(node->id), NO_BYTES, &row), ERR_OK);
    assert_int_equal(row.doc.node.state, REGISTRY_DRAINED);
    assert_true(id_equal(&row.author, &w->people[BOB].id));
    assert_int_equal(world_do(w, BOB, move_node(node, REGISTRY_ADMITTED)), ERR_OK);
    assert_int_equal(world_do(w, BOB, move_node(node, REGISTRY_NODE_REVOKED)), ERR_NOT_ALLOWED);
    assert_string_equal(w->result.fault.what, "node.revoke needs the role operator");
}

static void a_revoked_node_never_comes_back(void **state)
{
    struct world *w = *state;
    struct person *node = &w->people[DAVE];
    assert_int_equal(world_do(w, ALICE, op_node(node, "d1")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, move_node(node, REGISTRY_NODE_REVOKED)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, move_node(node, REGISTRY_ADMITTED)), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_node(node, "d2")), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_node(&w->people[CAROL], "d1")), ERR_OK); /* its name */
}

static void only_a_revoked_node_is_forgotten(void **state)
{
    struct world *w = *state;
    struct person *node = &w->people[DAVE];
    assert_int_equal(world_do(w, ALICE, op_node(node, "d1")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_node(node, ""))), ERR_IN_USE);
    assert_int_equal(world_do(w, ALICE, move_node(node, REGISTRY_NODE_REVOKED)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_node(node, ""))), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_node(node, ""))), ERR_NOT_FOUND);
}

static void a_name_is_one_nodes(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_do(w, ALICE, op_node(&w->people[DAVE], "a1")), ERR_EXISTS);
    assert_string_equal(w->result.fault.field, "ops[0].node.name");
    assert_int_equal(world_do(w, ALICE, op_node(&w->people[ERIN], "a2")), ERR_OK); /* renamed */
    assert_int_equal(world_do(w, ALICE, op_node(&w->people[DAVE], "a1")), ERR_OK);
}

static void an_id_belongs_to_its_key(void **state)
{
    struct world *w = *state;
    struct registry_op op = op_node(&w->people[DAVE], "d1");
    op.doc.node.id = w->people[CAROL].id;
    assert_int_equal(world_do(w, ALICE, op), ERR_INVALID);
    assert_string_equal(w->result.fault.field, "ops[0].node.id");
}

static void nodes_are_found_by_name_and_region(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct registry_op op = op_node(&w->people[DAVE], "d1");
    op.doc.node.region = TEXT("us-east");
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_find(reader, REGISTRY_NODE_BY_NAME, TEXT("d1"), &row), ERR_OK);
    assert_true(bytes_equal(row.doc.node.region, TEXT("us-east")));
    assert_int_equal(registry_find(reader, REGISTRY_NODE_BY_NAME, TEXT("d"), &row), ERR_NOT_FOUND);
    assert_int_equal(registry_find(reader, REGISTRY_NODE_BY_REGION, TEXT("eu-west"), &row), ERR_OK);
    assert_true(bytes_equal(row.doc.node.name, TEXT("a1")));
    registry_reader_close(reader);
    op.doc.node.region = TEXT("eu-west");
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    reader = world_reader(w);
    assert_int_equal(registry_find(reader, REGISTRY_NODE_BY_REGION, TEXT("us-east"), &row),
                     ERR_NOT_FOUND);
    registry_reader_close(reader);
}

/* --- invitations --- */

/* What a joining node's admission says, signed by the invitation's key. */
static enum err join(struct world *w, int invitation, struct registry_op op)
{
    struct buf out;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[invitation], 0, &op, 1, &out);
    enum err e = world_apply(w, buf_bytes(&out));
    buf_fini(&out);
    return e;
}

static void an_invitation_admits_as_many_nodes_as_it_says(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    assert_int_equal(world_do(w, ALICE, op_invitation(&w->people[BOB], 1)), ERR_OK);
    assert_int_equal(join(w, BOB, op_node(&w->people[CAROL], "c1")), ERR_OK);
    assert_false(w->result.is_repeat);
    assert_int_equal(world_get(w, REGISTRY_NODE, ID_BYTES(w->people[CAROL].id), NO_BYTES, &row),
                     ERR_OK);
    assert_true(id_equal(&row.doc.node.invitation, &w->people[BOB].id));
    assert_int_equal(join(w, BOB, op_node(&w->people[DAVE], "d1")), ERR_EXPIRED);
    assert_int_equal(world_get(w, REGISTRY_INVITATION, ID_BYTES(w->people[BOB].id), NO_BYTES, &row),
                     ERR_OK);
    assert_int_equal(row.doc.invitation.used, 1);
}

static void a_node_that_asks_again_is_told_that_it_is_in(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_node(&w->people[CAROL], "c1");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    assert_int_equal(world_do(w, ALICE, op_invitation(&w->people[BOB], 2)), ERR_OK);
    world_sign(w, &w->people[BOB], 0, &op, 1, &out);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    uint64_t epoch = w->result.epoch;
    w->time_ms += 48 * HOUR_MS; /* command and invitation have expired */
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    assert_true(w->result.is_repeat);
    assert_int_equal(w->result.epoch, epoch);
    assert_int_equal(world_head(w).epoch, epoch);
    assert_int_equal(world_do(w, ALICE, move_node(&w->people[CAROL], REGISTRY_NODE_REVOKED)),
                     ERR_OK);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_REVOKED);
    buf_fini(&out);
}

static void an_invitation_admits_within_its_scope_only(void **state)
{
    struct world *w = *state;
    struct registry_op invitation = op_invitation(&w->people[BOB], 9);
    struct registry_op op = op_node(&w->people[CAROL], "c1");
    invitation.doc.invitation.tier = REGISTRY_TIER_EDGE;
    invitation.doc.invitation.region = TEXT("eu-west");
    assert_int_equal(world_do(w, ALICE, invitation), ERR_OK);
    op.doc.node.tier = REGISTRY_TIER_CLOUD;
    assert_int_equal(join(w, BOB, op), ERR_CERT_SCOPE);
    assert_string_equal(w->result.fault.field, "ops[0].node.tier");
    op = op_node(&w->people[CAROL], "c1");
    op.doc.node.region = TEXT("us");
    assert_int_equal(join(w, BOB, op), ERR_CERT_SCOPE);
    op = op_node(&w->people[CAROL], "c1");
    op.doc.node.not_after_ms = NOW_MS + 3000 * HOUR_MS;
    assert_int_equal(join(w, BOB, op), ERR_CERT_SCOPE);
    assert_int_equal(join(w, BOB, op_node(&w->people[CAROL], "c1")), ERR_OK);
}

static void an_invitation_may_nothing_else(void **state)
{
    struct world *w = *state;
    struct person *p = &w->people[BOB];
    struct registry_op two[] = {op_node(&w->people[CAROL], "c1"), op_node(&w->people[DAVE], "d1")};
    assert_int_equal(world_do(w, ALICE, op_invitation(p, 9)), ERR_OK);
    assert_int_equal(join(w, BOB, op_model("m")), ERR_NOT_ALLOWED);
    assert_int_equal(join(w, BOB, move_node(&w->people[ERIN], REGISTRY_DRAINED)), ERR_NOT_ALLOWED);
    assert_int_equal(join(w, BOB, op_node(&w->people[ERIN], "a1")), ERR_EXISTS);
    assert_int_equal(world_say(w, BOB, two, 2), ERR_INVALID); /* has a sequence */
    struct buf out;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, p, 0, two, 2, &out);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_NOT_ALLOWED);
    buf_fini(&out);
}

static void a_closed_or_expired_invitation_admits_nobody(void **state)
{
    struct world *w = *state;
    struct registry_op invitation = op_invitation(&w->people[BOB], 9);
    assert_int_equal(world_do(w, ALICE, invitation), ERR_OK);
    assert_int_equal(world_do(w, ALICE, invitation), ERR_EXISTS);
    assert_int_equal(world_do(w, ALICE, op_move(invitation, REGISTRY_CLOSED)), ERR_OK);
    assert_int_equal(join(w, BOB, op_node(&w->people[CAROL], "c1")), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_move(invitation, REGISTRY_OPEN)), ERR_OK);
    w->time_ms += 25 * HOUR_MS;
    assert_int_equal(join(w, BOB, op_node(&w->people[CAROL], "c1")), ERR_EXPIRED);
    assert_int_equal(world_do(w, ALICE, op_remove(invitation)), ERR_OK);
    assert_int_equal(join(w, BOB, op_node(&w->people[CAROL], "c1")), ERR_NOT_ALLOWED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_enroller_admits_and_drains_but_does_not_revoke),
        IN_WORLD(a_revoked_node_never_comes_back),
        IN_WORLD(only_a_revoked_node_is_forgotten),
        IN_WORLD(a_name_is_one_nodes),
        IN_WORLD(an_id_belongs_to_its_key),
        IN_WORLD(nodes_are_found_by_name_and_region),
        IN_WORLD(an_invitation_admits_as_many_nodes_as_it_says),
        IN_WORLD(a_node_that_asks_again_is_told_that_it_is_in),
        IN_WORLD(an_invitation_admits_within_its_scope_only),
        IN_WORLD(an_invitation_may_nothing_else),
        IN_WORLD(a_closed_or_expired_invitation_admits_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
