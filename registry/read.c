/* Readers: rows by key, by kind, by secondary key. Called by the node's lanes, the CLI's listings,
 * and by the rules of each kind through the writer's own reader. */
#include "registry/impl.h"

#include <stdlib.h>

enum err registry_reader_open(struct registry *r, struct registry_reader **ret_reader)
{
    struct registry_reader *reader = malloc(sizeof(*reader));
    if (!reader)
        return ERR_NO_MEMORY;
    *reader = (struct registry_reader){.registry = r};
    enum err e = kv_begin_read(r->kv, &reader->txn);
    if (e != ERR_OK) {
        free(reader);
        return e;
    }
    *ret_reader = reader;
    return ERR_OK;
}

enum err registry_reader_renew(struct registry_reader *reader)
{
    struct kv_txn *txn;
    TRY(kv_begin_read(reader->registry->kv, &txn));
    kv_abort(reader->txn);
    reader->txn = txn;
    return ERR_OK;
}

void registry_reader_close(struct registry_reader *reader)
{
    if (!reader)
        return;
    kv_abort(reader->txn);
    free(reader);
}

enum err registry_reader_head(const struct registry_reader *reader, struct registry_head *ret_head)
{
    struct registry_state state;
    TRY(registry_state_load(reader, &state));
    *ret_head = state.head;
    return ERR_OK;
}

enum err registry_read(const struct registry_reader *reader, enum registry_kind kind,
                       struct bytes key, struct registry_row *ret_row)
{
    struct bytes value;
    TRY(registry_rows_get(reader, key, &value));
    return registry_row_decode(kind, value, ret_row);
}

enum err registry_get(const struct registry_reader *reader, enum registry_kind kind,
                      struct bytes first, struct bytes second, struct registry_row *ret_row)
{
    struct registry_key_bytes key;
    if (!registry_schema(kind) || registry_row_key((uint8_t)kind, first, second,
                                                   registry_row_key_parts(kind), &key) != ERR_OK)
        return ERR_NOT_FOUND;
    return registry_read(reader, kind, registry_key_view(&key), ret_row);
}

/* --- scans --- */

struct scan {
    const struct registry_reader *reader;
    struct bytes prefix;
    enum registry_kind kind;
    registry_on_row *on_row;
    void *ctx;
    enum err err;
};

static bool on_pair(void *ctx, struct bytes key, struct bytes value)
{
    struct scan *s = ctx;
    struct registry_row row;
    if (!bytes_starts_with(key, s->prefix))
        return false;
    s->err = registry_row_decode(s->kind, value, &row);
    return s->err == ERR_OK && s->on_row(s->ctx, &row);
}

enum err registry_scan(const struct registry_reader *reader, enum registry_kind kind,
                       struct bytes first, registry_on_row *on_row, void *ctx)
{
    struct registry_key_bytes prefix;
    if (!registry_schema(kind))
        return ERR_OK;
    unsigned parts = first.size ? registry_row_key_parts(kind) : 1;
    if (registry_row_key((uint8_t)kind, first, (struct bytes){0}, parts, &prefix) != ERR_OK)
        return ERR_OK;
    struct scan s = {
        .prefix = registry_key_view(&prefix), .kind = kind, .on_row = on_row, .ctx = ctx};
    TRY(kv_scan(reader->txn, reader->registry->rows, s.prefix, on_pair, &s));
    return s.err;
}

/* --- secondary keys --- */

static bool on_index(void *ctx, struct bytes key, struct bytes row_key)
{
    struct scan *s = ctx;
    struct registry_row row;
    if (!bytes_starts_with(key, s->prefix))
        return false;
    s->err = row_key.size
                 ? registry_read(s->reader, (enum registry_kind)row_key.data[0], row_key, &row)
                 : ERR_CORRUPT;
    if (s->err == ERR_NOT_FOUND)
        s->err = ERR_CORRUPT;
    return s->err == ERR_OK && s->on_row(s->ctx, &row);
}

enum err registry_find_all(const struct registry_reader *reader, enum registry_index index,
                           struct bytes value, registry_on_row *on_row, void *ctx)
{
    struct registry_key_bytes prefix;
    if (registry_row_key((uint8_t)index, value, (struct bytes){0}, 2, &prefix) != ERR_OK)
        return ERR_OK;
    struct scan s = {
        .reader = reader, .prefix = registry_key_view(&prefix), .on_row = on_row, .ctx = ctx};
    TRY(kv_scan(reader->txn, reader->registry->indexes, s.prefix, on_index, &s));
    return s.err;
}

struct first {
    struct registry_row *row;
    bool is_found;
};

static bool take_first(void *ctx, const struct registry_row *row)
{
    struct first *first = ctx;
    *first->row = *row;
    first->is_found = true;
    return false;
}

enum err registry_find(const struct registry_reader *reader, enum registry_index index,
                       struct bytes value, struct registry_row *ret_row)
{
    struct registry_row row;
    struct first first = {.row = &row};
    TRY(registry_find_all(reader, index, value, take_first, &first));
    if (!first.is_found)
        return ERR_NOT_FOUND;
    *ret_row = row;
    return ERR_OK;
}

/* --- the hash, by a scan --- */

struct rehash {
    struct registry_hash hash;
    enum err err;
};

static bool add_row(void *ctx, struct bytes key, struct bytes value)
{
    struct rehash *rehash = ctx;
    struct registry_row_hash row;
    rehash->err = registry_rows_verify(key, value, &row);
    if (rehash->err == ERR_OK)
        registry_hash_add(&rehash->hash, &row);
    return rehash->err == ERR_OK;
}

enum err registry_rehash(const struct registry_reader *reader, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    struct rehash rehash = {.err = ERR_OK};
    TRY(kv_scan(reader->txn, reader->registry->rows, (struct bytes){0}, add_row, &rehash));
    TRY(rehash.err);
    registry_hash_bytes(&rehash.hash, ret_hash);
    return ERR_OK;
}
