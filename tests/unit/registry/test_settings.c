/* Tests of registry/settings, registry/policies and registry/voters. */
#include "registry_world.h"

/* --- settings --- */

static uint64_t number_of(struct world *w, const char *key)
{
    uint64_t number;
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_setting_number(reader, key, &number), ERR_OK);
    registry_reader_close(reader);
    return number;
}

static void a_known_setting_has_a_default_and_a_range(void **state)
{
    struct world *w = *state;
    assert_int_equal(number_of(w, "voters.replace_after_ms"), 600000);
    assert_int_equal(world_do(w, ALICE, op_setting("voters.replace_after_ms", "20000")), ERR_OK);
    assert_int_equal(number_of(w, "voters.replace_after_ms"), 20000);
    static const char *const bad[] = {"9999", "604800001", "", "1e9", "020000", "-1", "x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(world_do(w, ALICE, op_setting("voters.replace_after_ms", bad[i])),
                         ERR_INVALID);
        assert_string_equal(w->result.fault.field, "ops[0].setting.value");
    }
    struct registry_op op = op_remove(op_setting("voters.replace_after_ms", ""));
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    assert_int_equal(number_of(w, "voters.replace_after_ms"), 600000);
}

static void a_boolean_is_true_or_false(void **state)
{
    struct world *w = *state;
    assert_int_equal(number_of(w, "models.registered_only"), 0);
    assert_int_equal(world_do(w, ALICE, op_setting("models.registered_only", "1")), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_setting("models.registered_only", "true")), ERR_OK);
    assert_int_equal(number_of(w, "models.registered_only"), 1);
}

static void operators_have_names_of_their_own(void **state)
{
    struct world *w = *state;
    struct bytes value;
    uint64_t rev;
    char long_value[REGISTRY_VALUE_MAX + 2];
    memset(long_value, 'v', sizeof(long_value));
    long_value[REGISTRY_VALUE_MAX] = '\0';
    assert_int_equal(world_do(w, ALICE, op_setting("unknown", "1")), ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, op_setting("x.long", long_value)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_setting("x.empty", "")), ERR_OK);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_setting(reader, "x.long", &value, &rev), ERR_OK);
    assert_int_equal(value.size, REGISTRY_VALUE_MAX);
    assert_int_equal(rev, world_head(w).epoch - 1);
    assert_int_equal(registry_setting(reader, "x.none", &value, &rev), ERR_NOT_FOUND);
    assert_int_equal(registry_setting(reader, "mesh.name", &value, &rev), ERR_OK);
    assert_int_equal(rev, 0);
    registry_reader_close(reader);
}

static void the_feature_level_is_never_lowered(void **state)
{
    struct world *w = *state;
    assert_int_equal(number_of(w, "mesh.feature"), 1);
    assert_int_equal(world_do(w, ALICE, op_setting("mesh.feature", "0")), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_setting("mesh.feature", "1")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_setting("mesh.feature", ""))), ERR_INVALID);
}

/* --- policies --- */

static void each_change_of_a_policy_makes_a_version(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    static const uint8_t first[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(world_do(w, ALICE, op_policy("p", "a: 1\n")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_policy("p", "a: 1\n")), ERR_OK);
    assert_int_equal(w->result.changed, 0);
    assert_int_equal(world_do(w, ALICE, op_policy("p", "a: 2\n")), ERR_OK);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_get(reader, REGISTRY_POLICY, TEXT("p"), NO_BYTES, &row), ERR_OK);
    assert_int_equal(row.doc.policy.version, 2);
    assert_int_equal(registry_get(reader, REGISTRY_POLICY_VERSION, TEXT("p"),
                                  bytes_of(first, sizeof(first)), &row),
                     ERR_OK);
    assert_true(bytes_equal(row.doc.policy.document, TEXT("a: 1\n")));
    assert_true(id_equal(&row.author, &w->people[ALICE].id));
    registry_reader_close(reader);
}

static void only_so_many_versions_are_kept(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    char text[16];
    for (int i = 0; i <= REGISTRY_POLICY_VERSIONS_MAX; i++) {
        snprintf(text, sizeof(text), "n: %d", i);
        assert_int_equal(world_do(w, ALICE, op_policy("p", text)), ERR_OK);
    }
    assert_int_equal(world_head(w).rows[REGISTRY_POLICY_VERSION], REGISTRY_POLICY_VERSIONS_MAX);
    static const uint8_t first[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(
        world_get(w, REGISTRY_POLICY_VERSION, TEXT("p"), bytes_of(first, sizeof(first)), &row),
        ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, op_remove(op_policy("p", ""))), ERR_OK);
    assert_int_equal(world_head(w).rows[REGISTRY_POLICY_VERSION], 0);
    assert_int_equal(world_head(w).rows[REGISTRY_POLICY], 0);
}

static void history_is_not_written_by_hand(void **state)
{
    struct world *w = *state;
    struct registry_fault fault;
    struct registry_op op = op_policy("p", "x");
    struct buf out;
    op.kind = REGISTRY_POLICY_VERSION;
    op.doc.policy.version = 1;
    struct registry_command c = {.mesh = w->cfg.mesh, .sequence = 1, .ops = &op, .op_count = 1};
    buf_init(&out, REGISTRY_COMMAND_MAX);
    assert_int_not_equal(registry_command_sign(&c, w->people[ALICE].secret, &fault, &out), ERR_OK);
    assert_int_equal(registry_op_role(&op), REGISTRY_ROLE_NONE);
    buf_fini(&out);
}

/* --- voters, gossip's keys --- */

static void voters_are_a_number_or_admitted_nodes(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct id ids[2] = {w->people[ERIN].id, w->people[DAVE].id};
    assert_int_equal(world_do(w, ALICE, op_voters(0, ids, 2)), ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, op_node(&w->people[DAVE], "d1")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_voters(0, ids, 2)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_voters(3, ids, 2)), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_voters(0, ids, 0)), ERR_INVALID);
    assert_int_equal(world_do(w, ALICE, op_voters(2, ids, 0)), ERR_INVALID);
    struct registry_op revoke = op_move(op_node(&w->people[DAVE], ""), REGISTRY_NODE_REVOKED);
    assert_int_equal(world_do(w, ALICE, revoke), ERR_OK);
    assert_int_equal(world_get(w, REGISTRY_VOTERS, NO_BYTES, NO_BYTES, &row), ERR_OK);
    assert_int_equal(row.doc.voters.node_count, 1); /* the revoked one is none any more */
    assert_true(id_equal(&row.doc.voters.nodes[0].id, &ids[0]));
    assert_int_equal(world_do(w, ALICE, op_voters(0, ids, 2)), ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, op_voters(5, NULL, 0)), ERR_OK);
    ids[1] = ids[0];
    assert_int_equal(world_do(w, ALICE, op_voters(0, ids, 2)), ERR_INVALID);
}

static void the_newest_two_gossip_keys_are_kept(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    assert_int_equal(world_do(w, ALICE, op_gossip_key(1)), ERR_EXISTS);
    assert_int_equal(world_do(w, ALICE, op_gossip_key(3)), ERR_CONFLICT);
    assert_int_equal(world_do(w, ALICE, op_gossip_key(2)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_gossip_key(3)), ERR_OK);
    assert_int_equal(world_head(w).rows[REGISTRY_GOSSIP_KEY], 2);
    static const uint8_t second[8] = {0, 0, 0, 0, 0, 0, 0, 2};
    assert_int_equal(
        world_get(w, REGISTRY_GOSSIP_KEY, bytes_of(second, sizeof(second)), NO_BYTES, &row),
        ERR_OK);
    assert_int_equal(row.doc.gossip_key.key[0], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_known_setting_has_a_default_and_a_range),
        IN_WORLD(a_boolean_is_true_or_false),
        IN_WORLD(operators_have_names_of_their_own),
        IN_WORLD(the_feature_level_is_never_lowered),
        IN_WORLD(each_change_of_a_policy_makes_a_version),
        IN_WORLD(only_so_many_versions_are_kept),
        IN_WORLD(history_is_not_written_by_hand),
        IN_WORLD(voters_are_a_number_or_admitted_nodes),
        IN_WORLD(the_newest_two_gossip_keys_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
