/* Every write to LMDB inside a batch goes through here: what stood before is noted, so that a
 * refused command can be taken back, and the state's hash and counts follow the rows. Called by
 * apply.c, by the rules of each kind, authors.c, watch.c and load.c. */
#include "registry/impl.h"

/* Of old values and keys. A command that changes more is refused. */
#define UNDO_MAX (64 << 20)
#define UNDO_KEPT (1 << 20)

/* --- undo: records of (key, value before, their sizes, table, whether there was one), read from
 * the end --- */

static struct kv_table table_of(const struct registry *r, uint8_t number)
{
    const struct kv_table tables[] = {r->rows, r->indexes, r->changes};
    return tables[number];
}

static uint8_t number_of(const struct registry *r, struct kv_table table)
{
    if (table.handle == r->rows.handle)
        return 0;
    return table.handle == r->indexes.handle ? 1 : 2;
}

static enum err note_before(struct registry *r, struct kv_table table, struct bytes key,
                            bool was_there, struct bytes before)
{
    size_t size = key.size + before.size + 10;
    if (size > UNDO_MAX - r->undo.size) {
        r->undo_is_full = true;
        return ERR_LIMIT;
    }
    TRY(buf_reserve(&r->undo, size));
    TRY(buf_append(&r->undo, key));
    TRY(buf_append(&r->undo, before));
    TRY(buf_append_u32(&r->undo, (uint32_t)key.size));
    TRY(buf_append_u32(&r->undo, (uint32_t)before.size));
    TRY(buf_append_byte(&r->undo, number_of(r, table)));
    return buf_append_byte(&r->undo, was_there);
}

static uint32_t read_u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static enum err undo_last(struct registry *r)
{
    const uint8_t *end = r->undo.data + r->undo.size;
    size_t key_size = read_u32(end - 10), before_size = read_u32(end - 6);
    struct kv_table table = table_of(r, end[-2]);
    struct bytes before = bytes_of(end - 10 - before_size, before_size);
    struct bytes key = bytes_of(before.data - key_size, key_size);
    r->undo.size -= key_size + before_size + 10;
    if (end[-1])
        return kv_put(r->writer.txn, table, key, before);
    enum err e = kv_delete(r->writer.txn, table, key);
    return e == ERR_NOT_FOUND ? ERR_OK : e; /* noted, but the write itself failed */
}

enum err registry_rows_undo(struct registry *r)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && r->undo.size > 0)
        e = undo_last(r);
    registry_rows_forget_undo(r);
    return e;
}

void registry_rows_forget_undo(struct registry *r)
{
    r->undo_is_full = false;
    if (r->undo.capacity > UNDO_KEPT) {
        buf_fini(&r->undo);
        buf_init(&r->undo, UNDO_MAX);
    }
    r->undo.size_max = UNDO_MAX;
    buf_clear(&r->undo);
}

/* --- writes --- */

static enum err value_before(struct registry *r, struct kv_table table, struct bytes key,
                             bool *ret_was_there, struct bytes *ret_before)
{
    *ret_before = (struct bytes){0};
    enum err e = kv_get(r->writer.txn, table, key, ret_before);
    *ret_was_there = e == ERR_OK;
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    return note_before(r, table, key, *ret_was_there, *ret_before);
}

enum err registry_rows_write(struct registry *r, struct kv_table table, struct bytes key,
                             struct bytes value)
{
    bool was_there;
    struct bytes before;
    TRY(value_before(r, table, key, &was_there, &before));
    return kv_put(r->writer.txn, table, key, value);
}

enum err registry_rows_delete(struct registry *r, struct kv_table table, struct bytes key)
{
    bool was_there;
    struct bytes before;
    TRY(value_before(r, table, key, &was_there, &before));
    return was_there ? kv_delete(r->writer.txn, table, key) : ERR_OK;
}

/* --- rows --- */

enum err registry_rows_get(const struct registry_reader *reader, struct bytes key,
                           struct bytes *ret_value)
{
    return kv_get(reader->txn, reader->registry->rows, key, ret_value);
}

enum err registry_rows_verify(struct bytes key, struct bytes value,
                              struct registry_row_hash *ret_hash)
{
    if (value.size < REGISTRY_ROW_HASH_SIZE)
        return ERR_CORRUPT;
    struct bytes body = bytes_of(value.data, value.size - REGISTRY_ROW_HASH_SIZE);
    *ret_hash = registry_hash_row(key, body);
    return memcmp(ret_hash->bytes, value.data + body.size, REGISTRY_ROW_HASH_SIZE) == 0
               ? ERR_OK
               : ERR_CORRUPT;
}

static uint64_t *counter_of(struct registry *r, struct bytes key)
{
    return key.data[0] < REGISTRY_KINDS ? &r->current.head.rows[key.data[0]] : NULL;
}

/* The hash that stands in the row is what was added for it; op.c verified it where it matters. */
static enum err take_out(struct registry *r, struct bytes key, bool *ret_was_there)
{
    struct bytes before;
    struct registry_row_hash hash;
    TRY(value_before(r, r->rows, key, ret_was_there, &before));
    if (!*ret_was_there)
        return ERR_OK;
    if (before.size < REGISTRY_ROW_HASH_SIZE)
        return ERR_CORRUPT;
    memcpy(hash.bytes, before.data + before.size - REGISTRY_ROW_HASH_SIZE, sizeof(hash.bytes));
    registry_hash_subtract(&r->current.hash, &hash);
    if (counter_of(r, key))
        --*counter_of(r, key);
    return ERR_OK;
}

enum err registry_rows_put_raw(struct registry *r, struct bytes key, struct buf *value)
{
    bool was_there;
    struct registry_row_hash hash = registry_hash_row(key, buf_bytes(value));
    TRY(buf_append(value, bytes_of(hash.bytes, REGISTRY_ROW_HASH_SIZE)));
    TRY(take_out(r, key, &was_there));
    registry_hash_add(&r->current.hash, &hash);
    if (counter_of(r, key))
        ++*counter_of(r, key);
    return kv_put(r->writer.txn, r->rows, key, buf_bytes(value));
}

static enum err index_keys_now(struct registry *r, enum registry_kind kind, struct bytes key,
                               bool *ret_same, struct registry_index_keys *ret_keys)
{
    struct registry_row row;
    struct bytes value;
    *ret_same = false;
    ret_keys->count = 0;
    enum err e = registry_rows_get(&r->writer, key, &value);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    TRY(registry_row_decode(kind, value, &row));
    value.size -= REGISTRY_ROW_HASH_SIZE;
    *ret_same = registry_row_same_fields(value, buf_bytes(&r->value));
    return registry_index_keys_of(&row, ret_keys);
}

enum err registry_rows_put(struct registry *r, const struct registry_row *row, bool *ret_changed)
{
    bool is_same;
    struct registry_key_bytes key;
    struct registry_index_keys before, after;
    buf_clear(&r->value);
    TRY(registry_row_encode(row, &r->value));
    TRY(registry_row_key_of(row->kind, &row->doc, &key));
    TRY(index_keys_now(r, row->kind, registry_key_view(&key), &is_same, &before));
    *ret_changed = !is_same;
    if (is_same)
        return ERR_OK;
    TRY(registry_index_keys_of(row, &after));
    TRY(registry_rows_put_raw(r, registry_key_view(&key), &r->value));
    return registry_index_update(r, &before, &after, registry_key_view(&key));
}

enum err registry_rows_remove(struct registry *r, enum registry_kind kind, struct bytes key)
{
    bool is_same, was_there;
    struct registry_index_keys before;
    const struct registry_index_keys none = {.count = 0};
    buf_clear(&r->value);
    TRY(index_keys_now(r, kind, key, &is_same, &before));
    TRY(take_out(r, key, &was_there));
    if (!was_there)
        return ERR_NOT_FOUND;
    TRY(kv_delete(r->writer.txn, r->rows, key));
    return registry_index_update(r, &before, &none, key);
}
