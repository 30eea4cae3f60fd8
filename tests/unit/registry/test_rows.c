/* Tests of registry/rows and registry/hash: rotten rows are noticed; the hash is a sum. */
#include "registry_world.h"

#include "registry/impl.h"

/* Flips a bit in the middle of the model's row, as a rotten page would. */
static void rot(struct world *w, const char *model)
{
    struct registry_key_bytes key;
    struct bytes value;
    uint8_t rotten[4096];
    assert_int_equal(registry_row_key(REGISTRY_MODEL, TEXT(model), NO_BYTES, 1, &key), ERR_OK);
    assert_int_equal(registry_begin(w->r), ERR_OK);
    assert_int_equal(registry_rows_get(&w->r->writer, registry_key_view(&key), &value), ERR_OK);
    assert_true(value.size < sizeof(rotten));
    memcpy(rotten, value.data, value.size);
    rotten[value.size - REGISTRY_ROW_HASH_SIZE - 5] ^= 4; /* in a number near the end */
    assert_int_equal(
        kv_put(w->r->writer.txn, w->r->rows, registry_key_view(&key), bytes_of(rotten, value.size)),
        ERR_OK);
    assert_int_equal(registry_commit(w->r), ERR_OK);
}

static void a_rotten_row_stops_what_is_about_it(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct registry_op op = op_model("m");
    uint8_t hash[CRYPTO_HASH_SIZE];
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    rot(w, "m");
    buf_init(&out, REGISTRY_COMMAND_MAX);
    op.doc.model.context = 9;
    world_sign(w, &w->people[ALICE], 9, &op, 1, &out);
    assert_int_equal(world_apply_entry(w, buf_bytes(&out)), ERR_CORRUPT);
    buf_fini(&out);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_rehash(reader, hash), ERR_CORRUPT);
    registry_reader_close(reader);
    assert_int_equal(world_do(w, ALICE, op_model("n")), ERR_OK); /* others go on */
    rot(w, "m"); /* back, for the check at the end */
}

static void a_snapshot_with_a_rotten_row_is_not_taken(void **state)
{
    struct world *w = *state;
    struct registry_save *save;
    struct registry_load *load;
    struct buf bytes;
    uint64_t size;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    rot(w, "m");
    assert_int_equal(registry_save_open(w->r, &save, &size), ERR_OK);
    buf_init(&bytes, size);
    assert_int_equal(registry_save_read(save, 0, size, &bytes), ERR_OK);
    registry_save_close(save);
    rot(w, "m");
    assert_int_equal(registry_load_begin(w->r, &load), ERR_OK);
    assert_int_equal(registry_load_append(load, buf_bytes(&bytes)), ERR_CORRUPT);
    registry_load_abort(load);
    buf_fini(&bytes);
}

static void the_hash_does_not_depend_on_order(void **state)
{
    struct registry_hash a = {{0}}, b = {{0}};
    const struct registry_row_hash one = registry_hash_row(BYTES("k"), BYTES("v")),
                                   two = registry_hash_row(BYTES("kv"), BYTES(""));
    uint8_t first[CRYPTO_HASH_SIZE], second[CRYPTO_HASH_SIZE];
    (void)state;
    assert_memory_not_equal(one.bytes, two.bytes, sizeof(one.bytes));
    registry_hash_add(&a, &one);
    registry_hash_add(&a, &two);
    registry_hash_add(&b, &two);
    registry_hash_add(&b, &one);
    registry_hash_bytes(&a, first);
    registry_hash_bytes(&b, second);
    assert_memory_equal(first, second, sizeof(first));
    registry_hash_subtract(&a, &two);
    registry_hash_bytes(&a, first);
    assert_memory_equal(first, one.bytes, sizeof(first));
    registry_hash_from(&b, second);
    registry_hash_bytes(&b, first);
    assert_memory_equal(first, second, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_rotten_row_stops_what_is_about_it),
        IN_WORLD(a_snapshot_with_a_rotten_row_is_not_taken),
        cmocka_unit_test(the_hash_does_not_depend_on_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
