/* Tests of registry/save and registry/load: the same bytes everywhere, from any offset; nothing
 * altered is taken. */
#include "registry_world.h"

#include "registry/hash.h"

#define SNAPSHOT_MAX (4 << 20)
#define HEAD_SIZE 149 /* bytes before the first row */

static void save_all(struct world *w, size_t piece, struct buf *out)
{
    struct registry_save *save;
    uint64_t size;
    assert_int_equal(registry_save_open(w->r, &save, &size), ERR_OK);
    buf_init(out, SNAPSHOT_MAX);
    while (out->size < size) {
        size_t before = out->size;
        assert_int_equal(registry_save_read(save, before, piece, out), ERR_OK);
        assert_true(out->size > before && out->size - before <= piece);
    }
    assert_int_equal(out->size, size);
    assert_int_equal(registry_save_read(save, size, piece, out), ERR_OK);
    assert_int_equal(out->size, size);
    registry_save_close(save);
}

static enum err load_all(struct world *w, struct bytes data, size_t piece)
{
    struct registry_load *load;
    enum err e = ERR_OK;
    assert_int_equal(registry_load_begin(w->r, &load), ERR_OK);
    while (e == ERR_OK && data.size > 0) {
        size_t size = data.size < piece ? data.size : piece;
        e = registry_load_append(load, bytes_of(data.data, size));
        data = bytes_skip(data, size);
    }
    if (e == ERR_OK)
        e = registry_load_finish(load);
    if (e != ERR_OK)
        registry_load_abort(load);
    return e;
}

static void fill(struct world *w)
{
    char name[16];
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        struct registry_op ops[] = {op_model(name), op_version(name, "v1"), op_key("acme", name)};
        assert_int_equal(world_say(w, ALICE, ops, 3), ERR_OK);
    }
    char *licence = calloc(1, REGISTRY_DOCUMENT_MAX + 1);
    memset(licence, 'L', REGISTRY_DOCUMENT_MAX);
    struct registry_op op = op_model("large");
    op.doc.model.licence = TEXT(licence);
    assert_int_equal(world_do(w, ALICE, op), ERR_OK);
    free(licence);
}

static void a_snapshot_makes_an_equal_replica(void **state)
{
    struct world *w = *state, other;
    struct buf bytes, again;
    struct registry_row row;
    fill(w);
    save_all(w, 1000, &bytes);
    world_init(&other);
    other.cfg.mesh = w->cfg.mesh;
    assert_int_equal(load_all(&other, buf_bytes(&bytes), 777), ERR_OK);
    struct registry_head a = world_head(w), b = world_head(&other);
    assert_memory_equal(&a, &b, sizeof(a));
    world_reopen(&other);
    b = world_head(&other);
    assert_memory_equal(&a, &b, sizeof(a));
    world_check_hash(&other);
    save_all(&other, SNAPSHOT_MAX, &again);
    assert_true(bytes_equal(buf_bytes(&bytes), buf_bytes(&again)));
    struct registry_reader *reader = world_reader(&other);
    struct registry_op key = op_key("acme", "m3");
    assert_int_equal(registry_find(reader, REGISTRY_KEY_BY_HASH,
                                   bytes_of(key.doc.key.hash, CRYPTO_HASH_SIZE), &row),
                     ERR_OK);
    assert_true(bytes_equal(row.doc.key.tenant, TEXT("acme")));
    registry_reader_close(reader);
    /* Both go on from there alike, sequences included. */
    other.index = w->index;
    memcpy(other.people, w->people, sizeof(other.people));
    assert_int_equal(world_do(w, ALICE, op_model("next")), ERR_OK);
    assert_int_equal(world_do(&other, ALICE, op_model("next")), ERR_OK);
    a = world_head(w);
    b = world_head(&other);
    assert_memory_equal(a.hash, b.hash, sizeof(a.hash));
    buf_fini(&bytes);
    buf_fini(&again);
    world_fini(&other);
}

static void it_can_be_read_from_any_offset(void **state)
{
    struct world *w = *state;
    struct registry_save *save;
    struct buf bytes, part;
    uint64_t size;
    fill(w);
    save_all(w, SNAPSHOT_MAX, &bytes);
    buf_init(&part, SNAPSHOT_MAX);
    assert_int_equal(registry_save_open(w->r, &save, &size), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_model("later")), ERR_OK); /* it does not see that */
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t offset = i * 7919 * 13 % size;
        size_t wanted = 1 + i * 31 % 3000;
        size_t there = size - offset < wanted ? (size_t)(size - offset) : wanted;
        buf_clear(&part);
        assert_int_equal(registry_save_read(save, offset, wanted, &part), ERR_OK);
        assert_int_equal(part.size, there);
        assert_memory_equal(part.data, bytes.data + offset, there);
    }
    registry_save_close(save);
    buf_fini(&bytes);
    buf_fini(&part);
}

static void a_load_that_fails_leaves_what_was_there(void **state)
{
    struct world *w = *state;
    struct buf bytes;
    save_all(w, SNAPSHOT_MAX, &bytes);
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    struct registry_head before = world_head(w), after;
    assert_int_equal(load_all(w, bytes_of(bytes.data, bytes.size - 1), 100), ERR_INVALID);
    assert_int_equal(load_all(w, NO_BYTES, 100), ERR_INVALID);
    assert_int_equal(load_all(w,
                              BYTES("grapevine registry 2\n0123456789012345678901234567890123"
                                    "456789012345678901234567890123456789012345678901234567"
                                    "890123456789012345678901234567890123456789"),
                              100),
                     ERR_INVALID);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
    world_reopen(w);
    after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
    buf_fini(&bytes);
}

static void no_flipped_bit_is_taken(void **state)
{
    struct world *w = *state;
    struct buf bytes;
    size_t taken = 0;
    save_all(w, SNAPSHOT_MAX, &bytes);
    struct registry_head before = world_head(w);
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t bit = (uint8_t)(i < HEAD_SIZE ? 1 : 1 << i % 8);
        bytes.data[i] ^= bit;
        taken += load_all(w, buf_bytes(&bytes), SNAPSHOT_MAX) == ERR_OK;
        bytes.data[i] ^= bit;
    }
    /* Index, term, epoch, time and chain stand beside the rows; a checkpoint signs them. */
    assert_int_equal(taken, 8 * 4 + CRYPTO_HASH_SIZE - 2 /* too large an epoch or time */);
    assert_int_equal(load_all(w, buf_bytes(&bytes), SNAPSHOT_MAX), ERR_OK);
    struct registry_head after = world_head(w);
    assert_memory_equal(&before, &after, sizeof(before));
    buf_fini(&bytes);
}

/* --- rows whose hashes are right, at the wrong place --- */

static size_t number_at(const uint8_t *data, size_t size)
{
    size_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

static size_t record_size(const uint8_t *record)
{
    size_t key_size = number_at(record, 2);
    return 2 + key_size + 4 + number_at(record + 2 + key_size, 4);
}

static void rows_come_in_order(void **state)
{
    struct world *w = *state;
    struct buf bytes;
    uint8_t first[4096];
    save_all(w, SNAPSHOT_MAX, &bytes);
    uint8_t *row = bytes.data + HEAD_SIZE;
    size_t size = record_size(row), next_size = record_size(row + size);
    assert_true(size <= sizeof(first));
    memcpy(first, row, size); /* the first two change places: the sum of hashes is the same */
    memmove(row, row + size, next_size);
    memcpy(row + next_size, first, size);
    assert_int_equal(load_all(w, buf_bytes(&bytes), SNAPSHOT_MAX), ERR_CORRUPT);
    buf_fini(&bytes);
}

static void a_row_stands_under_its_own_key(void **state)
{
    struct world *w = *state;
    struct buf bytes;
    struct registry_hash sum;
    save_all(w, SNAPSHOT_MAX, &bytes);
    uint8_t *row = bytes.data + HEAD_SIZE, *sum_at = bytes.data + HEAD_SIZE - 8 - CRYPTO_HASH_SIZE;
    size_t key_size = number_at(row, 2), size = record_size(row);
    struct bytes key = bytes_of(row + 2, key_size);
    struct bytes value = bytes_of(row + 6 + key_size, size - 6 - key_size - CRYPTO_HASH_SIZE);
    struct registry_row_hash hash = registry_hash_row(key, value);
    registry_hash_from(&sum, sum_at);
    registry_hash_subtract(&sum, &hash);
    row[2 + key_size - 1] ^= 1; /* still the first of all */
    hash = registry_hash_row(key, value);
    registry_hash_add(&sum, &hash);
    registry_hash_bytes(&sum, sum_at);
    memcpy(row + size - CRYPTO_HASH_SIZE, hash.bytes, CRYPTO_HASH_SIZE);
    assert_int_equal(load_all(w, buf_bytes(&bytes), SNAPSHOT_MAX), ERR_CORRUPT);
    buf_fini(&bytes);
}

static void another_meshs_or_a_newer_snapshot_is_not_taken(void **state)
{
    struct world *w = *state;
    struct buf bytes;
    save_all(w, SNAPSHOT_MAX, &bytes);
    bytes.data[21] ^= 1;
    assert_int_equal(load_all(w, buf_bytes(&bytes), 64), ERR_WRONG_MESH);
    bytes.data[21] ^= 1;
    bytes.data[21 + ID_SIZE + 7] = REGISTRY_FEATURE + 1;
    assert_int_equal(load_all(w, buf_bytes(&bytes), 64), ERR_UNSUPPORTED);
    buf_fini(&bytes);
}

static void a_load_begins_the_watchers_history_anew(void **state)
{
    struct world *w = *state;
    struct buf bytes;
    assert_int_equal(world_do(w, ALICE, op_model("m")), ERR_OK);
    save_all(w, SNAPSHOT_MAX, &bytes);
    assert_int_equal(load_all(w, buf_bytes(&bytes), SNAPSHOT_MAX), ERR_OK);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(registry_watch(reader, 1, NULL, NULL), ERR_COMPACTED);
    assert_int_equal(registry_watch(reader, 2, NULL, NULL), ERR_OK);
    registry_reader_close(reader);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_snapshot_makes_an_equal_replica),
        IN_WORLD(it_can_be_read_from_any_offset),
        IN_WORLD(a_load_that_fails_leaves_what_was_there),
        IN_WORLD(no_flipped_bit_is_taken),
        IN_WORLD(rows_come_in_order),
        IN_WORLD(a_row_stands_under_its_own_key),
        IN_WORLD(another_meshs_or_a_newer_snapshot_is_not_taken),
        IN_WORLD(a_load_begins_the_watchers_history_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
