/* Tests of registry/apply: who is heard, what is used up, what a refused command leaves behind. */
#include "registry_world.h"

/* --- genesis --- */

static void nobody_but_the_root_founds_a_mesh(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct registry_op op = op_admin(&w.people[ALICE], "alice", REGISTRY_OPERATOR);
    assert_int_equal(world_do(&w, ALICE, op), ERR_NOT_ALLOWED);
    assert_int_equal(world_head(&w).epoch, 0);
    world_found(&w);
    world_check_hash(&w);
    world_fini(&w);
}

static void a_mesh_is_not_founded_without_an_operator(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    struct registry_op op = op_admin(&w.people[ALICE], "alice", REGISTRY_REGISTRAR);
    assert_int_equal(world_do(&w, ROOT, op), ERR_IN_USE);
    assert_int_equal(world_head(&w).rows[REGISTRY_ADMIN], 0);
    world_check_hash(&w);
    world_fini(&w);
}

static void the_root_may_only_help_after_genesis(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_do(w, ROOT, op_model("m")), ERR_NOT_ALLOWED);
    assert_int_equal(world_do(w, ROOT, op_admin(&w->people[BOB], "bob", REGISTRY_OPERATOR)),
                     ERR_OK);
    assert_int_equal(
        world_do(w, ROOT, op_move(op_admin(&w->people[ALICE], "", 0), REGISTRY_REVOKED)), ERR_OK);
    assert_int_equal(
        world_do(w, ROOT, op_move(op_node(&w->people[ERIN], ""), REGISTRY_NODE_REVOKED)),
        ERR_IN_USE); /* the only voter */
}

/* --- the envelope --- */

static void a_forged_command_is_refused(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_model("m");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    out.data[out.size - 1] ^= 1; /* the signature's last byte */
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_BAD_SIGNATURE);
    out.data[out.size - 1] ^= 1;
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK); /* the number was not used up */
    buf_fini(&out);
}

static void a_command_of_another_mesh_is_refused(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_model("m");
    struct id mesh = w->cfg.mesh;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    w->cfg.mesh.bytes[0] ^= 1;
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    w->cfg.mesh = mesh;
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_WRONG_MESH);
    buf_fini(&out);
}

static void a_stranger_is_not_heard(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_do(w, BOB, op_model("m")), ERR_NOT_ALLOWED);
    assert_string_equal(w->result.fault.field, "");
    assert_non_null(strstr(w->result.fault.what, "administrator"));
}

static void an_expired_command_is_refused(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_model("m");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    w->time_ms += HOUR_MS + 1;
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_EXPIRED);
    buf_fini(&out);
}

static void a_leader_with_an_old_clock_does_not_turn_time_back(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_model("m");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 2, &op, 1, &out);
    w->time_ms += 2 * HOUR_MS;
    w->people[ALICE].sequence = 0;
    assert_int_equal(world_do(w, ALICE, op_model("n")), ERR_OK);
    w->time_ms -= 2 * HOUR_MS;
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_EXPIRED);
    buf_fini(&out);
}

static void garbage_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_apply(w, BYTES("garbage")), ERR_INVALID);
    assert_int_equal(world_apply(w, NO_BYTES), ERR_INVALID);
    assert_true(id_is_zero(&w->result.author));
}

/* --- sequences --- */

static void a_repeated_command_gets_the_first_answer(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_model("m");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    struct registry_result first = w->result;
    assert_false(first.is_repeat);
    w->people[ALICE].sequence = 1;
    assert_int_equal(world_do(w, ALICE, op_remove(op_model("m"))), ERR_OK);
    w->time_ms += 10 * HOUR_MS; /* also long after it expired */
    uint8_t hash[CRYPTO_HASH_SIZE];
    memcpy(hash, world_head(w).hash, sizeof(hash));
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    assert_true(w->result.is_repeat);
    assert_int_equal(w->result.index, first.index);
    assert_int_equal(w->result.epoch, first.epoch);
    assert_int_equal(w->result.changed, first.changed);
    assert_memory_equal(hash, world_head(w).hash, sizeof(hash));
    assert_int_equal(world_head(w).rows[REGISTRY_MODEL], 0);
    buf_fini(&out);
}

static void another_command_under_a_used_number_is_replayed(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    w->people[ALICE].sequence = 0;
    assert_int_equal(world_do(w, ALICE, op_model("n")), ERR_REPLAYED);
    assert_int_equal(world_head(w).rows[REGISTRY_MODEL], 1);
}

static void commands_in_the_wrong_order_are_refused(void **state)
{
    struct world *w = *state;
    w->people[ALICE].sequence = 8;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    w->people[ALICE].sequence = 4;
    assert_int_equal(world_do(w, ALICE, op_model("n")), ERR_REPLAYED);
}

static void a_refused_command_cannot_be_played_later(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_version("m", "v1");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_NOT_FOUND);
    uint64_t index = w->result.index;
    w->people[ALICE].sequence = 1;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_NOT_FOUND);
    assert_true(w->result.is_repeat);
    assert_int_equal(w->result.index, index);
    assert_int_equal(world_head(w).rows[REGISTRY_VERSION], 0);
    buf_fini(&out);
}

static void only_the_last_results_are_remembered(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_setting("x.n", "0");
    char value[24];
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    w->people[ALICE].sequence = 1;
    for (int i = 1; i < REGISTRY_REPEATS_MAX; i++) {
        snprintf(value, sizeof(value), "%d", i);
        assert_int_equal(world_do(w, ALICE, op_setting("x.n", value)), ERR_OK);
    }
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    assert_true(w->result.is_repeat);
    assert_int_equal(world_do(w, ALICE, op_setting("x.n", "last")), ERR_OK);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_REPLAYED);
    buf_fini(&out);
}

static void the_next_sequence_can_be_asked_for(void **state)
{
    struct world *w = *state;
    uint64_t last;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_version("no", "v")), ERR_NOT_FOUND);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_sequence(reader, &w->people[ALICE].id, &last), ERR_OK);
    assert_int_equal(last, 2);
    assert_int_equal(registry_sequence(reader, &w->people[BOB].id, &last), ERR_OK);
    assert_int_equal(last, 0);
    registry_reader_close(reader);
}

/* --- all or nothing --- */

static void a_command_takes_effect_as_a_whole_or_not_at_all(void **state)
{
    struct world *w = *state;
    struct registry_op ops[] = {op_model("m"), op_version("m", "v1"),
                                op_alias("a", "m", "v1", 1, NULL, 0), op_version("none", "v1")};
    struct registry_head before = world_head(w), after;
    assert_int_equal(world_say(w, ALICE, ops, 4), ERR_NOT_FOUND);
    assert_string_equal(w->result.fault.field, "ops[3].version.model");
    after = world_head(w);
    assert_memory_equal(before.rows, after.rows, sizeof(before.rows));
    assert_int_equal(before.epoch, after.epoch);
    world_check_hash(w);
    assert_int_equal(world_say(w, ALICE, ops, 3), ERR_OK);
    assert_int_equal(w->result.changed,
                     1u << REGISTRY_MODEL | 1u << REGISTRY_VERSION | 1u << REGISTRY_ALIAS);
    assert_int_equal(world_head(w).epoch, before.epoch + 1);
}

static void a_command_that_changes_nothing_leaves_the_epoch(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    uint64_t epoch = world_head(w).epoch;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    assert_int_equal(world_head(w).epoch, epoch);
    assert_int_equal(w->result.changed, 0);
}

static void the_rev_guards_against_others(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct registry_op op = op_setting("x.a", "1");
    op.has_if_rev = true;
    assert_int_equal(world_do(w, ALICE, op), ERR_OK); /* rev 0: absent */
    assert_int_equal(world_do(w, ALICE, op), ERR_CONFLICT);
    assert_int_equal(world_get(w, REGISTRY_SETTING, TEXT("x.a"), NO_BYTES, &row), ERR_OK);
    assert_int_equal(row.rev, world_head(w).epoch);
    op = op_setting("x.a", "2");
    op.has_if_rev = true;
    op.if_rev = row.rev;
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op), ERR_CONFLICT);
}

/* --- limits --- */

static void each_kind_has_its_limit(void **state)
{
    struct world *w = *state;
    const uint32_t most = registry_schema(REGISTRY_PRICE)->rows_max;
    struct registry_op *ops = calloc(most + 1, sizeof(*ops));
    char(*names)[16] = calloc(most + 1, sizeof(*names));
    for (size_t i = 0; i <= most; i++) {
        snprintf(names[i], sizeof(names[i]), "p%zu", i);
        ops[i] = (struct registry_op){.verb = REGISTRY_PUT, .kind = REGISTRY_PRICE};
        ops[i].doc.price.name = TEXT(names[i]);
    }
    assert_true(most >= 1000 && most < 2000);
    assert_int_equal(world_say(w, ALICE, ops, 1000), ERR_OK);
    assert_int_equal(world_say(w, ALICE, ops + 1000, most - 1000), ERR_OK);
    assert_int_equal(world_do(w, ALICE, ops[most]), ERR_LIMIT);
    assert_int_equal(world_head(w).rows[REGISTRY_PRICE], most);
    ops[0].doc.price.per_request = 1;
    assert_int_equal(world_do(w, ALICE, ops[0]), ERR_OK); /* what is there can be replaced */
    assert_int_equal(world_do(w, ALICE, op_remove(ops[1])), ERR_OK);
    assert_int_equal(world_do(w, ALICE, ops[most]), ERR_OK);
    free(names);
    free(ops);
}

/* Seventeen policies with all their versions of 64 KiB: more than can be taken back at once. */
static void a_command_that_changes_too_much_is_refused(void **state)
{
    struct world *w = *state;
    enum { POLICIES = 17, AT_ONCE = 15 };
    struct registry_op ops[POLICIES];
    char names[POLICIES][16];
    char *document = malloc(REGISTRY_DOCUMENT_MAX + 1);
    memset(document, 'p', REGISTRY_DOCUMENT_MAX);
    document[REGISTRY_DOCUMENT_MAX] = '\0';
    for (size_t i = 0; i < POLICIES; i++)
        snprintf(names[i], sizeof(names[i]), "p%zu", i);
    for (size_t version = 0; version < REGISTRY_POLICY_VERSIONS_MAX; version++) {
        document[0] = (char)('0' + version);
        for (size_t i = 0; i < POLICIES; i++)
            ops[i] = op_policy(names[i], document);
        assert_int_equal(world_say(w, ALICE, ops, AT_ONCE), ERR_OK);
        assert_int_equal(world_say(w, ALICE, ops + AT_ONCE, POLICIES - AT_ONCE), ERR_OK);
    }
    for (size_t i = 0; i < POLICIES; i++)
        ops[i] = op_remove(op_policy(names[i], ""));
    struct registry_head before = world_head(w);
    assert_int_equal(world_say(w, ALICE, ops, POLICIES), ERR_LIMIT);
    assert_int_equal(world_head(w).rows[REGISTRY_POLICY_VERSION],
                     before.rows[REGISTRY_POLICY_VERSION]);
    world_check_hash(w);
    assert_int_equal(world_say(w, ALICE, ops, 8), ERR_OK);
    assert_int_equal(world_say(w, ALICE, ops + 8, POLICIES - 8), ERR_OK);
    assert_int_equal(world_head(w).rows[REGISTRY_POLICY_VERSION], 0);
    free(document);
}

/* --- check --- */

static void check_says_what_would_become_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct registry_result result;
    struct registry_head before = world_head(w), after;
    struct registry_op op = op_model("m");
    struct buf out;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_check(w->r, w->time_ms, buf_bytes(&out), &result), ERR_OK);
    assert_int_equal(result.err, ERR_OK);
    assert_int_equal(result.changed, 1u << REGISTRY_MODEL);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(registry_check(w->r, w->time_ms + 2 * HOUR_MS, buf_bytes(&out), &result),
                     ERR_OK);
    assert_int_equal(result.err, ERR_EXPIRED);
    assert_int_equal(registry_commit(w->r), ERR_OK);
    world_check_hash(w);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_OK);
    buf_fini(&out);
}

static void what_was_checked_is_still_judged_anew(void **state)
{
    struct world *w = *state;
    struct registry_result result;
    struct registry_op op = op_model("m");
    struct buf out;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_hire(w, BOB, "bob", REGISTRY_OPERATOR);
    world_sign(w, &w->people[BOB], 1, &op, 1, &out);
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_check(w->r, w->time_ms, buf_bytes(&out), &result), ERR_OK);
    assert_int_equal(result.err, ERR_OK);
    registry_abort(w->r);
    assert_int_equal(
        world_do(w, ALICE, op_move(op_admin(&w->people[BOB], "", 0), REGISTRY_REVOKED)), ERR_OK);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_REVOKED);
    buf_fini(&out);
}

/* --- what this program does not know --- */

/* Field `number` of Op as an empty message, appended to an Op of {verb: put}. */
static void sign_unknown(struct world *w, struct person *p, uint64_t sequence, unsigned number,
                         struct buf *out)
{
    struct registry_op op = op_model("m");
    uint8_t record[256];
    size_t size = 0;
    struct registry_signed s;
    struct arena arena;
    struct buf plain;
    buf_init(&plain, REGISTRY_COMMAND_MAX);
    arena_init(&arena, REGISTRY_ARENA_MAX);
    world_sign(w, p, sequence, &op, 1, &plain);
    assert_int_equal(registry_command_decode(buf_bytes(&plain), &arena, &s), ERR_OK);
    /* The record's head up to its ops, then ops of our own. */
    static const uint8_t ops_tag = 5 << 3 | 2;
    while (s.record.data[size] != ops_tag || size < 52)
        size++;
    memcpy(record, s.record.data, size);
    const uint8_t ops[] = {ops_tag,
                           5,
                           1 << 3,
                           REGISTRY_PUT,
                           (uint8_t)((number << 3 | 2) | 0x80),
                           (uint8_t)((number << 3 | 2) >> 7),
                           0};
    memcpy(record + size, ops, sizeof(ops));
    size += sizeof(ops);
    /* SignedCommand {record, signature} by hand: both have lengths below 128. */
    static const char context[] = "grapevine command 1";
    uint8_t message[sizeof(context) + 256], signature[CRYPTO_SIGNATURE_SIZE];
    memcpy(message, context, sizeof(context));
    memcpy(message + sizeof(context), record, size);
    crypto_sign(p->secret, bytes_of(message, sizeof(context) + size), signature);
    assert_true(size < 128);
    assert_int_equal(buf_append_byte(out, 1 << 3 | 2), ERR_OK);
    assert_int_equal(buf_append_byte(out, (uint8_t)size), ERR_OK);
    assert_int_equal(buf_append(out, bytes_of(record, size)), ERR_OK);
    assert_int_equal(buf_append_byte(out, 2 << 3 | 2), ERR_OK);
    assert_int_equal(buf_append_byte(out, CRYPTO_SIGNATURE_SIZE), ERR_OK);
    assert_int_equal(buf_append(out, bytes_of(signature, sizeof(signature))), ERR_OK);
    arena_fini(&arena);
    buf_fini(&plain);
}

static void a_genuine_command_of_a_newer_program_stops_this_one(void **state)
{
    struct world *w = *state;
    struct registry_head before = world_head(w), after;
    struct registry_result result;
    struct buf out;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    sign_unknown(w, &w->people[ALICE], 1, 99, &out);
    assert_int_equal(world_apply_entry(w, buf_bytes(&out)), ERR_UNSUPPORTED);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_check(w->r, w->time_ms, buf_bytes(&out), &result), ERR_OK);
    assert_int_equal(result.err, ERR_UNSUPPORTED); /* a leader does not propose it */
    registry_abort(w->r);
    buf_fini(&out);
}

static void a_stranger_cannot_stop_anybody(void **state)
{
    struct world *w = *state;
    struct buf out;
    buf_init(&out, REGISTRY_COMMAND_MAX);
    sign_unknown(w, &w->people[BOB], 1, 99, &out);
    assert_int_equal(world_apply(w, buf_bytes(&out)), ERR_NOT_ALLOWED);
    buf_fini(&out);
}

static void a_newer_feature_level_stops_this_program(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_setting("mesh.feature", "2");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    world_sign(w, &w->people[ALICE], 1, &op, 1, &out);
    assert_int_equal(world_apply_entry(w, buf_bytes(&out)), ERR_UNSUPPORTED);
    world_check_hash(w);
    assert_int_equal(world_head(w).rows[REGISTRY_SETTING], 0);
    buf_fini(&out);
}

static void entries_come_in_order(void **state)
{
    struct world *w = *state;
    struct registry_applied applied;
    struct registry_entry entry = {.index = w->index + 2, .term = 1};
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_apply(w->r, &entry, &applied), ERR_INVALID);
    entry.index = w->index + 1;
    entry.term = 3;
    assert_int_equal(registry_apply(w->r, &entry, &applied), ERR_OK); /* a no-op of raft's */
    assert_int_equal(applied.count, 0);
    assert_int_equal(registry_commit(w->r), ERR_OK);
    assert_int_equal(world_head(w).index, w->index + 1);
    assert_int_equal(world_head(w).term, 3);
    entry.index++;
    entry.proposal = BYTES("\xff");
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_apply(w->r, &entry, &applied), ERR_INVALID);
    registry_abort(w->r);
}

static void an_aborted_batch_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct registry_head before = world_head(w), after;
    struct registry_applied applied;
    struct registry_entry entry = {.index = w->index + 1, .term = 9};
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_apply(w->r, &entry, &applied), ERR_OK);
    registry_abort(w->r);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
    world_reopen(w);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_but_the_root_founds_a_mesh),
        cmocka_unit_test(a_mesh_is_not_founded_without_an_operator),
        IN_WORLD(the_root_may_only_help_after_genesis),
        IN_WORLD(a_forged_command_is_refused),
        IN_WORLD(a_command_of_another_mesh_is_refused),
        IN_WORLD(a_stranger_is_not_heard),
        IN_WORLD(an_expired_command_is_refused),
        IN_WORLD(a_leader_with_an_old_clock_does_not_turn_time_back),
        IN_WORLD(garbage_is_refused),
        IN_WORLD(a_repeated_command_gets_the_first_answer),
        IN_WORLD(another_command_under_a_used_number_is_replayed),
        IN_WORLD(commands_in_the_wrong_order_are_refused),
        IN_WORLD(a_refused_command_cannot_be_played_later),
        IN_WORLD(only_the_last_results_are_remembered),
        IN_WORLD(the_next_sequence_can_be_asked_for),
        IN_WORLD(a_command_takes_effect_as_a_whole_or_not_at_all),
        IN_WORLD(a_command_that_changes_nothing_leaves_the_epoch),
        IN_WORLD(the_rev_guards_against_others),
        IN_WORLD(each_kind_has_its_limit),
        IN_WORLD(a_command_that_changes_too_much_is_refused),
        IN_WORLD(check_says_what_would_become_and_leaves_nothing),
        IN_WORLD(what_was_checked_is_still_judged_anew),
        IN_WORLD(a_genuine_command_of_a_newer_program_stops_this_one),
        IN_WORLD(a_stranger_cannot_stop_anybody),
        IN_WORLD(a_newer_feature_level_stops_this_program),
        IN_WORLD(entries_come_in_order),
        IN_WORLD(an_aborted_batch_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
