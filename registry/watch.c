/* The last changes, for watchers: one row each under (epoch, number), the oldest dropped. They are
 * this replica's own memory: neither in the state's hash nor in snapshots. Called by op.c.
 *
 *   index 8 | time_ms 8 | author 16 | verb 1 | kind 1 | name */
#include "registry/turn.h"

#define KEY_SIZE 16
#define HEAD_SIZE (8 + 8 + ID_SIZE + 2)

/* --- writing --- */

static struct bytes key_of(uint64_t epoch, uint64_t number, uint8_t space[KEY_SIZE])
{
    struct buf key;
    buf_init_fixed(&key, space, KEY_SIZE);
    CHECK(buf_append_u64(&key, epoch) == ERR_OK);
    CHECK(buf_append_u64(&key, number) == ERR_OK);
    return buf_bytes(&key);
}

struct oldest {
    uint8_t key[KEY_SIZE];
    bool is_found;
};

static bool take_oldest(void *ctx, struct bytes key, struct bytes value)
{
    struct oldest *oldest = ctx;
    (void)value;
    oldest->is_found = key.size == KEY_SIZE;
    if (oldest->is_found)
        memcpy(oldest->key, key.data, KEY_SIZE);
    return false;
}

static enum err drop_oldest(struct registry *r)
{
    struct oldest oldest = {.is_found = false};
    TRY(kv_scan(r->writer.txn, r->changes, (struct bytes){0}, take_oldest, &oldest));
    if (!oldest.is_found)
        return ERR_CORRUPT;
    r->current.compacted_epoch = bytes_big_endian(oldest.key, 8);
    r->current.change_count--;
    return registry_rows_delete(r, r->changes, bytes_of(oldest.key, KEY_SIZE));
}

enum err registry_change_add(struct registry_turn *t, enum registry_verb verb,
                             enum registry_kind kind, struct bytes name)
{
    uint8_t space[HEAD_SIZE + REGISTRY_CHANGE_NAME_MAX], key_space[KEY_SIZE];
    struct buf value;
    buf_init_fixed(&value, space, sizeof(space));
    TRY(buf_append_u64(&value, t->r->current.head.index));
    TRY(buf_append_u64(&value, registry_turn_now_ms(t)));
    TRY(buf_append(&value, bytes_of(t->author.bytes, ID_SIZE)));
    TRY(buf_append_byte(&value, (uint8_t)verb));
    TRY(buf_append_byte(&value, (uint8_t)kind));
    TRY(buf_append(&value, name));
    struct bytes key = key_of(t->epoch, t->change_count++, key_space);
    TRY(registry_rows_write(t->r, t->r->changes, key, buf_bytes(&value)));
    if (++t->r->current.change_count > REGISTRY_CHANGES_MAX)
        return drop_oldest(t->r);
    return ERR_OK;
}

/* --- watching --- */

struct watch {
    bool (*on_change)(void *ctx, const struct registry_change *c);
    void *ctx;
    enum err err;
};

static bool on_pair(void *ctx, struct bytes key, struct bytes value)
{
    struct watch *w = ctx;
    if (key.size != KEY_SIZE || value.size < HEAD_SIZE) {
        w->err = ERR_CORRUPT;
        return false;
    }
    struct registry_change change = {
        .epoch = bytes_big_endian(key.data, 8),
        .index = bytes_big_endian(value.data, 8),
        .time_ms = bytes_big_endian(value.data + 8, 8),
        .verb = (enum registry_verb)value.data[HEAD_SIZE - 2],
        .kind = (enum registry_kind)value.data[HEAD_SIZE - 1],
        .name = bytes_skip(value, HEAD_SIZE),
    };
    memcpy(change.author.bytes, value.data + 16, ID_SIZE);
    return w->on_change(w->ctx, &change);
}

enum err registry_watch(const struct registry_reader *reader, uint64_t from,
                        bool (*on_change)(void *ctx, const struct registry_change *c), void *ctx)
{
    struct registry_state state;
    struct watch w = {.on_change = on_change, .ctx = ctx};
    uint8_t space[KEY_SIZE];
    TRY(registry_state_load(reader, &state));
    if (from < state.compacted_epoch)
        return ERR_COMPACTED;
    if (from >= state.head.epoch)
        return ERR_OK;
    struct bytes key = key_of(from + 1, 0, space);
    TRY(kv_scan(reader->txn, reader->registry->changes, key, on_pair, &w));
    return w.err;
}
