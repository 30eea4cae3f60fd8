/* The object: its LMDB environment, batches, and the record that says where the state stands. That
 * record is written with each commit, so index, epoch and hash are those of the rows beside it. */
#include "registry/impl.h"

#include <stdlib.h>

#define FORMAT 1 /* of what is stored */
#define TABLES 4
#define HEAD_KEY BYTES("head")
#define HEAD_MAX 1024

/* --- the record: format 4, mesh 16, then as written below, big-endian --- */

static enum err encode_state(const struct registry *r, const struct registry_state *s,
                             struct buf *out)
{
    const struct registry_head *h = &s->head;
    uint8_t hash[CRYPTO_HASH_SIZE];
    registry_hash_bytes(&s->hash, hash);
    TRY(buf_append_u32(out, FORMAT));
    TRY(buf_append(out, bytes_of(r->mesh.bytes, ID_SIZE)));
    TRY(buf_append_u64(out, h->index));
    TRY(buf_append_u64(out, h->term));
    TRY(buf_append_u64(out, h->epoch));
    TRY(buf_append_u64(out, h->time_ms));
    TRY(buf_append(out, bytes_of(h->chain, CRYPTO_HASH_SIZE)));
    TRY(buf_append(out, bytes_of(hash, CRYPTO_HASH_SIZE)));
    TRY(buf_append_u64(out, s->change_count));
    TRY(buf_append_u64(out, s->compacted_epoch));
    for (int kind = 1; kind < REGISTRY_KINDS; kind++)
        TRY(buf_append_u64(out, h->rows[kind]));
    return ERR_OK;
}

enum err registry_state_save(struct registry *r, const struct registry_state *state)
{
    uint8_t space[HEAD_MAX];
    struct buf record;
    buf_init_fixed(&record, space, sizeof(space));
    TRY(encode_state(r, state, &record));
    return kv_put(r->writer.txn, r->meta, HEAD_KEY, buf_bytes(&record));
}

static uint64_t take_u64(const uint8_t **at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | *(*at)++;
    return value;
}

static void take(const uint8_t **at, void *ret_data, size_t size)
{
    memcpy(ret_data, *at, size);
    *at += size;
}

static enum err decode_state(const struct registry *r, struct bytes record,
                             struct registry_state *ret_state)
{
    const uint8_t format[] = {0, 0, 0, FORMAT};
    const uint8_t *at = record.data + sizeof(format) + ID_SIZE;
    struct registry_head *h = &ret_state->head;
    if (!bytes_starts_with(record, bytes_of(format, sizeof(format))))
        return record.size < sizeof(format) ? ERR_CORRUPT : ERR_UNSUPPORTED;
    if (record.size !=
        sizeof(format) + ID_SIZE + 4 * 8 + 2 * CRYPTO_HASH_SIZE + 2 * 8 + (REGISTRY_KINDS - 1) * 8)
        return ERR_CORRUPT;
    if (memcmp(record.data + sizeof(format), r->mesh.bytes, ID_SIZE) != 0)
        return ERR_WRONG_MESH;
    h->index = take_u64(&at);
    h->term = take_u64(&at);
    h->epoch = take_u64(&at);
    h->time_ms = take_u64(&at);
    take(&at, h->chain, CRYPTO_HASH_SIZE);
    take(&at, h->hash, CRYPTO_HASH_SIZE);
    registry_hash_from(&ret_state->hash, h->hash);
    ret_state->change_count = take_u64(&at);
    ret_state->compacted_epoch = take_u64(&at);
    for (int kind = 1; kind < REGISTRY_KINDS; kind++)
        h->rows[kind] = take_u64(&at);
    return ERR_OK;
}

enum err registry_state_load(const struct registry_reader *reader, struct registry_state *ret_state)
{
    struct bytes record;
    *ret_state = (struct registry_state){.compacted_epoch = 0};
    enum err e = kv_get(reader->txn, reader->registry->meta, HEAD_KEY, &record);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    return e == ERR_OK ? decode_state(reader->registry, record, ret_state) : e;
}

void registry_head(const struct registry *r, struct registry_head *ret_head)
{
    *ret_head = r->current.head;
    registry_hash_bytes(&r->current.hash, ret_head->hash);
}

/* --- opening --- */

static enum err open_tables(struct registry *r)
{
    TRY(kv_table_open(r->kv, "rows", &r->rows));
    TRY(kv_table_open(r->kv, "indexes", &r->indexes));
    TRY(kv_table_open(r->kv, "changes", &r->changes));
    return kv_table_open(r->kv, "meta", &r->meta);
}

static enum err load_committed(struct registry *r)
{
    uint64_t feature;
    struct registry_reader *reader;
    TRY(registry_reader_open(r, &reader));
    enum err e = registry_state_load(reader, &r->committed);
    if (e == ERR_OK)
        e = registry_setting_number(reader, "mesh.feature", &feature);
    registry_reader_close(reader);
    if (e == ERR_OK && feature > REGISTRY_FEATURE)
        e = ERR_UNSUPPORTED;
    r->current = r->committed;
    return e;
}

static enum err open_in(const struct registry_cfg *cfg, struct registry *r)
{
    struct kv_cfg kv = {
        .dir = cfg->dir, .map_size = cfg->map_size, .tables_max = TABLES, .no_sync = cfg->no_sync};
    r->results = calloc(REGISTRY_COMMANDS_MAX, sizeof(*r->results));
    if (!r->results)
        return ERR_NO_MEMORY;
    TRY(kv_open(&kv, &r->kv));
    TRY(open_tables(r));
    return load_committed(r);
}

enum err registry_open(const struct registry_cfg *cfg, struct registry **ret_registry)
{
    struct id root_id = id_of_public_key(cfg->root);
    if (!id_equal(&root_id, &cfg->mesh))
        return ERR_INVALID;
    struct registry *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NO_MEMORY;
    r->mesh = cfg->mesh;
    r->root_id = root_id;
    memcpy(r->root, cfg->root, sizeof(r->root));
    r->writer.registry = r;
    buf_init(&r->value, REGISTRY_ROW_MAX);
    buf_init(&r->old, REGISTRY_ROW_MAX);
    arena_init(&r->proposal_arena, REGISTRY_ARENA_MAX);
    arena_init(&r->command_arena, REGISTRY_ARENA_MAX);
    registry_rows_forget_undo(r);
    enum err e = open_in(cfg, r);
    if (e != ERR_OK) {
        registry_close(r);
        return e;
    }
    *ret_registry = r;
    return ERR_OK;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    registry_abort(r);
    kv_close(r->kv);
    buf_fini(&r->undo);
    buf_fini(&r->value);
    buf_fini(&r->old);
    arena_fini(&r->proposal_arena);
    arena_fini(&r->command_arena);
    free(r->results);
    free(r);
}

/* --- batches --- */

enum err registry_begin(struct registry *r)
{
    CHECK(!r->writer.txn);
    return kv_begin_write(r->kv, &r->writer.txn);
}

enum err registry_commit(struct registry *r)
{
    CHECK(r->writer.txn);
    enum err e = registry_state_save(r, &r->current);
    if (e != ERR_OK) {
        registry_abort(r);
        return e;
    }
    e = kv_commit(r->writer.txn);
    r->writer.txn = NULL;
    if (e == ERR_OK)
        r->committed = r->current;
    else
        r->current = r->committed;
    return e;
}

enum err registry_sync(struct registry *r)
{
    return kv_sync(r->kv);
}

void registry_abort(struct registry *r)
{
    kv_abort(r->writer.txn);
    r->writer.txn = NULL;
    r->current = r->committed;
}
