/* Messages to bytes and back: the head in canonical protobuf, the bulk behind it as it is. The only
 * door to protobuf here. */
#include "raft/message.h"
#include "raft/wire.pb-c.h"

#include <stdlib.h>

#define HEAD_MAX 4096
#define SPACE 8192 /* for protobuf's structs and copies of a head of that size */

/* --- encoding */

static ProtobufCBinaryData binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)data};
}

static bool is_zero(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i])
            return false;
    return true;
}

static ProtobufCBinaryData binary_unless_zero(const uint8_t *data, size_t size)
{
    return binary(data, is_zero(data, size) ? 0 : size);
}

static enum err fill_snapshot(const struct raft_snapshot *s, struct buf *config,
                              Raft__Snapshot *ret_message)
{
    TRY(raft_config_encode(&s->base.config, config));
    ret_message->index = s->base.index;
    ret_message->term = s->base.term;
    ret_message->hash = binary(s->base.hash, CRYPTO_HASH_SIZE);
    ret_message->config = binary(config->data, config->size);
    ret_message->config_index = s->base.config_index;
    ret_message->size = s->size;
    ret_message->content = binary(s->content, CRYPTO_HASH_SIZE);
    return ERR_OK;
}

static size_t count_draws(const uint32_t *draws, size_t count)
{
    while (count > 0 && draws[count - 1] == 0)
        count--;
    return count;
}

static void fill_head(const struct raft_message *m, Raft__Head *ret_head)
{
    ret_head->type = m->type;
    ret_head->store = m->store;
    ret_head->boot = m->boot;
    ret_head->known_boot = m->known_boot;
    ret_head->known_store = m->known_store;
    ret_head->draws = (uint32_t *)(uintptr_t)m->draws;
    ret_head->n_draws = count_draws(m->draws, RAFT_STARTS_KEPT);
    ret_head->known_draw = m->known_draw;
    ret_head->term = m->term;
    ret_head->next_term = m->next_term;
    ret_head->index = m->index;
    ret_head->log_term = m->log_term;
    ret_head->commit = m->commit;
    ret_head->context = m->context;
    ret_head->hint = m->hint;
    ret_head->hint_term = m->hint_term;
    ret_head->have = m->have;
    ret_head->offset = m->offset;
    ret_head->ok = m->ok;
    ret_head->is_forced = m->is_forced;
    ret_head->is_full = m->is_full;
    ret_head->count = m->count;
    ret_head->records_size = m->records.size;
    ret_head->content = binary_unless_zero(m->content, sizeof(m->content));
    ret_head->source = binary_unless_zero(m->source.bytes, ID_SIZE);
}

enum err raft_message_encode(const struct raft_message *m, struct buf *out)
{
    uint8_t storage[RAFT_CONFIG_SIZE_MAX];
    struct buf config;
    Raft__Head head = RAFT__HEAD__INIT;
    Raft__Snapshot snapshot = RAFT__SNAPSHOT__INIT;
    buf_init_fixed(&config, storage, sizeof(storage));
    fill_head(m, &head);
    if (m->snapshot) {
        TRY(fill_snapshot(m->snapshot, &config, &snapshot));
        head.snapshot = &snapshot;
    }
    size_t size = protobuf_c_message_get_packed_size(&head.base);
    if (size > HEAD_MAX || m->records.size + m->data.size > RAFT_MESSAGE_MAX - HEAD_MAX)
        return ERR_LIMIT;
    TRY(buf_reserve(out, 4 + size + m->records.size + m->data.size));
    TRY(buf_append_u32(out, (uint32_t)size));
    out->size += protobuf_c_message_pack(&head.base, out->data + out->size);
    TRY(buf_append(out, m->records));
    return buf_append(out, m->data);
}

/* --- decoding: protobuf's own allocations come from a block on the stack */

struct space {
    size_t used;
    _Alignas(16) uint8_t bytes[SPACE];
};

static void *take(void *ctx, size_t size)
{
    struct space *s = ctx;
    size_t start = (s->used + 15) / 16 * 16;
    if (start > SPACE || size > SPACE - start)
        return NULL;
    s->used = start + size;
    return s->bytes + start;
}

static void give(void *ctx, void *data)
{
    (void)ctx;
    (void)data;
}

static bool is_canonical(const Raft__Head *head, struct bytes wire)
{
    uint8_t again[HEAD_MAX];
    if (head->base.n_unknown_fields || protobuf_c_message_get_packed_size(&head->base) != wire.size)
        return false;
    protobuf_c_message_pack(&head->base, again);
    return memcmp(again, wire.data, wire.size) == 0;
}

static bool copy(ProtobufCBinaryData from, void *ret_data, size_t size)
{
    if (from.len != size)
        return false;
    memcpy(ret_data, from.data, size);
    return true;
}

/* What is left out is all zero, and zero is left out. */
static bool copy_or_zero(ProtobufCBinaryData from, uint8_t *ret_data, size_t size)
{
    memset(ret_data, 0, size);
    return from.len == 0 || (copy(from, ret_data, size) && !is_zero(ret_data, size));
}

static bool copy_draws(const Raft__Head *head, uint32_t ret_draws[RAFT_STARTS_KEPT])
{
    if (head->n_draws > RAFT_STARTS_KEPT || count_draws(head->draws, head->n_draws) < head->n_draws)
        return false;
    for (size_t i = 0; i < head->n_draws; i++)
        ret_draws[i] = head->draws[i];
    return true;
}

static enum err read_snapshot(const Raft__Snapshot *m, struct raft_snapshot *ret_snapshot)
{
    struct raft_snapshot s = {
        .size = m->size,
        .base = {.index = m->index, .term = m->term, .config_index = m->config_index}};
    if (!copy(m->hash, s.base.hash, CRYPTO_HASH_SIZE) ||
        !copy(m->content, s.content, CRYPTO_HASH_SIZE) || m->index == 0 || m->term == 0 ||
        m->config_index > m->index)
        return ERR_INVALID;
    TRY(raft_config_decode(bytes_of(m->config.data, m->config.len), &s.base.config));
    *ret_snapshot = s;
    return ERR_OK;
}

static enum err read_head(const Raft__Head *head, struct raft_message *ret_message)
{
    struct raft_message m = {.store = head->store,
                             .boot = head->boot,
                             .known_boot = head->known_boot,
                             .known_store = head->known_store,
                             .known_draw = head->known_draw,
                             .term = head->term,
                             .next_term = head->next_term,
                             .index = head->index,
                             .log_term = head->log_term,
                             .commit = head->commit,
                             .context = head->context,
                             .hint = head->hint,
                             .hint_term = head->hint_term,
                             .have = head->have,
                             .offset = head->offset,
                             .ok = head->ok,
                             .is_forced = head->is_forced,
                             .is_full = head->is_full,
                             .count = head->count};
    if (head->type == 0)
        return ERR_INVALID;
    if (head->type >= RAFT_MESSAGE_TYPES)
        return ERR_UNSUPPORTED;
    m.type = (enum raft_message_type)head->type;
    if (!copy_or_zero(head->content, m.content, sizeof(m.content)) ||
        !copy_or_zero(head->source, m.source.bytes, ID_SIZE) || !copy_draws(head, m.draws))
        return ERR_INVALID;
    *ret_message = m;
    return ERR_OK;
}

enum err raft_message_decode(struct bytes data, struct raft_message *ret_message,
                             struct raft_snapshot *ret_snapshot)
{
    struct space space = {.used = 0};
    ProtobufCAllocator allocator = {take, give, &space};
    struct raft_message m;
    struct raft_snapshot snapshot;
    if (data.size < 4 || data.size > RAFT_MESSAGE_MAX)
        return ERR_INVALID;
    size_t size =
        (size_t)data.data[0] << 24 | data.data[1] << 16 | data.data[2] << 8 | data.data[3];
    struct bytes rest = bytes_skip(data, 4);
    if (size > HEAD_MAX || size > rest.size)
        return ERR_INVALID;
    struct bytes wire = bytes_of(rest.data, size);
    rest = bytes_skip(rest, size);
    const Raft__Head *head = raft__head__unpack(&allocator, wire.size, wire.data);
    if (!head || !is_canonical(head, wire) || head->records_size > rest.size)
        return ERR_INVALID;
    TRY(read_head(head, &m));
    m.records = bytes_of(rest.data, (size_t)head->records_size);
    m.data = bytes_skip(rest, (size_t)head->records_size);
    if (m.data.size > RAFT_CHUNK_MAX)
        return ERR_INVALID;
    if (head->snapshot) {
        TRY(read_snapshot(head->snapshot, &snapshot));
        *ret_snapshot = snapshot;
        m.snapshot = ret_snapshot;
    }
    *ret_message = m;
    return ERR_OK;
}
