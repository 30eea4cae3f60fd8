/* Tests of registry/watch and registry/read: changes in order, resumed, compacted; readers beside
 * the writer. */
#include "registry_world.h"

struct seen {
    size_t count, stop_at;
    uint64_t epochs[32];
    enum registry_verb verb;
    char name[64];
    struct id author;
};

static bool note(void *ctx, const struct registry_change *c)
{
    struct seen *s = ctx;
    if (s->count < 32)
        s->epochs[s->count] = c->epoch;
    s->verb = c->verb;
    s->author = c->author;
    bytes_to_str(c->name, s->name, sizeof(s->name));
    return ++s->count != s->stop_at;
}

static enum err watch(struct world *w, uint64_t from, struct seen *seen)
{
    struct registry_reader *reader = world_reader(w);
    seen->count = 0;
    enum err e = registry_watch(reader, from, note, seen);
    registry_reader_close(reader);
    return e;
}

static void changes_come_in_order_and_from_where_one_left(void **state)
{
    struct world *w = *state;
    struct seen seen = {0};
    struct registry_op ops[] = {op_model("m"), op_version("m", "v1")};
    assert_int_equal(watch(w, 0, &seen), ERR_OK);
    assert_int_equal(seen.count, 4); /* as founded */
    assert_int_equal(world_say(w, ALICE, ops, 2), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_version("none", "v")), ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, op_remove(op_version("m", "v1"))), ERR_OK);
    assert_int_equal(watch(w, 1, &seen), ERR_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.epochs[0], 2);
    assert_int_equal(seen.epochs[1], 2);
    assert_int_equal(seen.epochs[2], 3);
    assert_int_equal(seen.verb, REGISTRY_REMOVE);
    assert_string_equal(seen.name, "m/v1");
    assert_true(id_equal(&seen.author, &w->people[ALICE].id));
    assert_int_equal(watch(w, 3, &seen), ERR_OK);
    assert_int_equal(seen.count, 0);
    seen.stop_at = 2;
    assert_int_equal(watch(w, 1, &seen), ERR_OK);
    assert_int_equal(seen.count, 2);
}

static void what_is_too_old_is_compacted(void **state)
{
    struct world *w = *state;
    struct seen seen = {0};
    struct registry_op *ops = calloc(REGISTRY_OPS_MAX, sizeof(*ops));
    char keys[REGISTRY_OPS_MAX][16], value[16];
    for (int round = 0; round < REGISTRY_CHANGES_MAX / REGISTRY_OPS_MAX; round++) {
        snprintf(value, sizeof(value), "%d", round);
        for (int i = 0; i < REGISTRY_OPS_MAX; i++) {
            snprintf(keys[i], sizeof(keys[i]), "x.%d", i);
            ops[i] = op_setting(keys[i], value);
        }
        assert_int_equal(world_say(w, ALICE, ops, REGISTRY_OPS_MAX), ERR_OK);
    }
    free(ops);
    assert_int_equal(watch(w, 0, &seen), ERR_COMPACTED);
    assert_int_equal(watch(w, 1, &seen), ERR_OK);
    assert_int_equal(seen.count, REGISTRY_CHANGES_MAX);
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    assert_int_equal(watch(w, 1, &seen), ERR_COMPACTED);
    assert_int_equal(watch(w, 2, &seen), ERR_OK);
    world_reopen(w);
    assert_int_equal(watch(w, 1, &seen), ERR_COMPACTED);
}

/* --- readers --- */

static void a_reader_sees_the_commit_it_began_at(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct registry_head head;
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    assert_int_equal(registry_get(reader, REGISTRY_MODEL, TEXT("m"), NO_BYTES, &row),
                     ERR_NOT_FOUND);
    assert_int_equal(registry_reader_head(reader, &head), ERR_OK);
    assert_int_equal(head.epoch, 1);
    assert_int_equal(registry_reader_renew(reader), ERR_OK);
    assert_int_equal(registry_get(reader, REGISTRY_MODEL, TEXT("m"), NO_BYTES, &row), ERR_OK);
    assert_int_equal(registry_reader_head(reader, &head), ERR_OK);
    assert_int_equal(head.epoch, 2);
    struct registry_head own = world_head(w);
    assert_memory_equal(head.hash, own.hash, sizeof(own.hash));
    assert_int_equal(head.index, own.index);
    assert_memory_equal(head.rows, own.rows, sizeof(own.rows));
    registry_reader_close(reader);
}

static void no_key_is_too_strange_to_ask_for(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    uint8_t long_key[600] = {0};
    const struct bytes keys[] = {NO_BYTES, bytes_of(long_key, sizeof(long_key)), TEXT("x")};
    for (int kind = -1; kind <= REGISTRY_KINDS + 1; kind++)
        for (size_t i = 0; i < 3; i++)
            if (kind != REGISTRY_VOTERS)
                assert_int_equal(world_get(w, (enum registry_kind)kind, keys[i], keys[i], &row),
                                 ERR_NOT_FOUND);
}

static void data_of_another_mesh_is_not_opened(void **state)
{
    struct world *w = *state;
    struct registry_cfg cfg = w->cfg;
    struct registry *r;
    cfg.mesh = w->people[BOB].id;
    assert_int_equal(registry_open(&cfg, &r), ERR_INVALID); /* not the root's */
    memcpy(cfg.root, w->people[BOB].key, sizeof(cfg.root));
    registry_close(w->r);
    assert_int_equal(registry_open(&cfg, &r), ERR_WRONG_MESH);
    world_open(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(changes_come_in_order_and_from_where_one_left),
        IN_WORLD(what_is_too_old_is_compacted),
        IN_WORLD(a_reader_sees_the_commit_it_began_at),
        IN_WORLD(no_key_is_too_strange_to_ask_for),
        IN_WORLD(data_of_another_mesh_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
