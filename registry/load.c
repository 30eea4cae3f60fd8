/* Snapshots in: see snapshot.h. The rows come from a peer or a file, so each is decoded, and found
 * under its own key, before it counts; secondary keys are made anew. One LMDB transaction. */
#include "registry/snapshot.h"

#include <stdlib.h>

#define PIECE_MAX 65536 /* taken from the caller's bytes at once */

struct registry_load {
    struct registry *r;
    struct buf pending; /* bytes of a record that is not whole yet */
    bool has_head;
    struct registry_snapshot_head expected;
    struct registry_state state; /* of the rows so far */
    uint64_t row_count;
};

/* --- the life of a load --- */

static enum err clear_tables(struct registry *r)
{
    TRY(kv_clear(r->writer.txn, r->rows));
    TRY(kv_clear(r->writer.txn, r->indexes));
    return kv_clear(r->writer.txn, r->changes);
}

enum err registry_load_begin(struct registry *r, struct registry_load **ret_load)
{
    struct registry_load *load = calloc(1, sizeof(*load));
    if (!load)
        return ERR_NO_MEMORY;
    load->r = r;
    buf_init(&load->pending, REGISTRY_SNAPSHOT_ROW_MAX + PIECE_MAX);
    enum err e = registry_begin(r);
    if (e == ERR_OK)
        e = clear_tables(r);
    if (e != ERR_OK) {
        registry_load_abort(load);
        return e;
    }
    *ret_load = load;
    return ERR_OK;
}

void registry_load_abort(struct registry_load *load)
{
    if (!load)
        return;
    registry_abort(load->r);
    buf_fini(&load->pending);
    free(load);
}

/* --- the head --- */

static enum err take_head(struct registry_load *load, const uint8_t *at)
{
    struct registry_snapshot_head *expected = &load->expected;
    struct registry_head *h = &expected->head;
    if (memcmp(at, REGISTRY_SNAPSHOT_MAGIC, 21) != 0)
        return ERR_INVALID;
    at += 21;
    if (memcmp(at, load->r->mesh.bytes, ID_SIZE) != 0)
        return ERR_WRONG_MESH;
    at += ID_SIZE;
    expected->feature = bytes_big_endian(at, 8);
    h->index = bytes_big_endian(at + 8, 8);
    h->term = bytes_big_endian(at + 16, 8);
    h->epoch = bytes_big_endian(at + 24, 8);
    h->time_ms = bytes_big_endian(at + 32, 8);
    at += 5 * 8;
    memcpy(h->chain, at, CRYPTO_HASH_SIZE);
    memcpy(h->hash, at + CRYPTO_HASH_SIZE, CRYPTO_HASH_SIZE);
    expected->row_count = bytes_big_endian(at + 2 * CRYPTO_HASH_SIZE, 8);
    load->has_head = true;
    if (h->time_ms > REGISTRY_NUMBER_MAX || h->epoch > REGISTRY_NUMBER_MAX)
        return ERR_INVALID;
    return expected->feature > REGISTRY_FEATURE ? ERR_UNSUPPORTED : ERR_OK;
}

/* --- rows --- */

static enum err put_indexes(struct registry_load *load, const struct registry_row *row,
                            struct bytes key)
{
    struct registry_index_keys keys;
    TRY(registry_index_keys_of(row, &keys));
    for (size_t i = 0; i < keys.count; i++)
        TRY(kv_put(load->r->writer.txn, load->r->indexes, registry_key_view(&keys.keys[i]), key));
    return ERR_OK;
}

static enum err take_public(struct registry_load *load, struct bytes key, struct bytes value)
{
    enum registry_kind kind = (enum registry_kind)key.data[0];
    struct registry_key_bytes own;
    struct registry_row row;
    TRY(registry_row_decode(kind, value, &row));
    TRY(registry_row_key_of(kind, &row.doc, &own));
    if (!bytes_equal(key, registry_key_view(&own)))
        return ERR_CORRUPT;
    load->state.head.rows[kind]++;
    return put_indexes(load, &row, key);
}

static enum err take_row(struct registry_load *load, struct bytes key, struct bytes value)
{
    struct registry_row_hash hash;
    if (key.size == 0 || key.size > KV_KEY_SIZE_MAX)
        return ERR_CORRUPT;
    TRY(registry_rows_verify(key, value, &hash));
    registry_hash_add(&load->state.hash, &hash);
    if (key.data[0] == REGISTRY_AUTHOR_KIND)
        TRY(registry_authors_check_row(key, value));
    else
        TRY(take_public(load, key, value));
    load->row_count++;
    enum err e = kv_append(load->r->writer.txn, load->r->rows, key, value);
    return e == ERR_EXISTS ? ERR_CORRUPT : e; /* out of order */
}

/* The whole record that `pending` begins with; 0: not there yet. */
static enum err take_record(struct registry_load *load, size_t *ret_size)
{
    const uint8_t *at = load->pending.data;
    size_t there = load->pending.size;
    *ret_size = 0;
    if (!load->has_head) {
        if (there < REGISTRY_SNAPSHOT_HEAD_SIZE)
            return ERR_OK;
        *ret_size = REGISTRY_SNAPSHOT_HEAD_SIZE;
        return take_head(load, at);
    }
    if (there < 2 || there < 2 + bytes_big_endian(at, 2) + 4)
        return ERR_OK;
    size_t key_size = bytes_big_endian(at, 2);
    uint64_t value_size = bytes_big_endian(at + 2 + key_size, 4);
    if (key_size > KV_KEY_SIZE_MAX || value_size > REGISTRY_ROW_MAX)
        return ERR_CORRUPT;
    if (there < 2 + key_size + 4 + value_size)
        return ERR_OK;
    *ret_size = 2 + key_size + 4 + (size_t)value_size;
    return take_row(load, bytes_of(at + 2, key_size),
                    bytes_of(at + 2 + key_size + 4, (size_t)value_size));
}

static enum err take_pending(struct registry_load *load)
{
    size_t size, taken = 0;
    struct buf all = load->pending;
    enum err e;
    do {
        e = take_record(load, &size);
        load->pending.data += size;
        load->pending.size -= size;
        taken += size;
    } while (e == ERR_OK && size > 0);
    load->pending = all;
    buf_consume(&load->pending, taken);
    return e;
}

enum err registry_load_append(struct registry_load *load, struct bytes data)
{
    while (data.size > 0) {
        size_t size = data.size < PIECE_MAX ? data.size : PIECE_MAX;
        TRY(buf_append(&load->pending, bytes_of(data.data, size)));
        TRY(take_pending(load));
        data = bytes_skip(data, size);
    }
    return ERR_OK;
}

/* --- the end --- */

static enum err check_whole(const struct registry_load *load)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    uint64_t feature;
    if (!load->has_head || load->pending.size > 0 || load->row_count != load->expected.row_count)
        return ERR_INVALID;
    registry_hash_bytes(&load->state.hash, hash);
    if (memcmp(hash, load->expected.head.hash, CRYPTO_HASH_SIZE) != 0)
        return ERR_CORRUPT;
    TRY(registry_setting_number(&load->r->writer, "mesh.feature", &feature));
    return feature == load->expected.feature ? ERR_OK : ERR_CORRUPT;
}

enum err registry_load_finish(struct registry_load *load)
{
    struct registry *r = load->r;
    TRY(check_whole(load));
    struct registry_state state = load->state;
    state.head = load->expected.head;
    memcpy(state.head.rows, load->state.head.rows, sizeof(state.head.rows));
    state.compacted_epoch = state.head.epoch;
    r->current = state;
    enum err e = registry_commit(r);
    if (e == ERR_OK)
        registry_load_abort(load); /* nothing is left to abort but its memory */
    return e;
}
