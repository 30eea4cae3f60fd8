/* Fronts of batches and descriptors of snapshots to bytes and back (store_batch.h). Called by the
 * store when it writes and when it loads. */
#include "raft/store_batch.h"

#define FRONT_MAGIC 0x47565242u      /* GVRB */
#define DESCRIPTOR_MAGIC 0x47565253u /* GVRS */
#define FRONT_FORMAT 2
#define FRONT_FORMAT_DRAWLESS 1 /* without draws of starts: they are not known; never written */
#define DESCRIPTOR_FORMAT 1
#define CRC_AT 4
#define FORMAT_AT 8
#define FRONT_SIZE_AT 36
#define FRONT_FIXED 60 /* up to the meta */

/* What is left to read; short input sets `failed` and reads as zeros. */
struct reader {
    struct bytes rest;
    bool failed;
};

static uint64_t get(struct reader *r, size_t size)
{
    uint64_t value = 0;
    if (r->rest.size < size) {
        r->failed = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value = value << 8 | r->rest.data[i];
    r->rest = bytes_skip(r->rest, size);
    return value;
}

static void get_bytes(struct reader *r, void *ret_data, size_t size)
{
    if (r->rest.size < size) {
        r->failed = true;
        memset(ret_data, 0, size);
        return;
    }
    memcpy(ret_data, r->rest.data, size);
    r->rest = bytes_skip(r->rest, size);
}

static void put_u32(uint8_t *p, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        p[i] = (uint8_t)value;
}

/* --- a base and a hard state */

static enum err append_config(struct buf *out, const struct raft_config *config)
{
    size_t at = out->size;
    TRY(buf_append_u16(out, 0));
    if (config->count > 0)
        TRY(raft_config_encode(config, out));
    size_t size = out->size - at - 2;
    out->data[at] = (uint8_t)(size >> 8);
    out->data[at + 1] = (uint8_t)size;
    return ERR_OK;
}

static enum err append_base(struct buf *out, const struct raft_base *base)
{
    TRY(buf_append_u64(out, base->index));
    TRY(buf_append_u64(out, base->term));
    TRY(buf_append(out, bytes_of(base->hash, sizeof base->hash)));
    TRY(buf_append_u64(out, base->config_index));
    return append_config(out, &base->config);
}

static enum err get_base(struct reader *r, struct raft_base *ret_base)
{
    *ret_base = (struct raft_base){0};
    ret_base->index = get(r, 8);
    ret_base->term = get(r, 8);
    get_bytes(r, ret_base->hash, sizeof ret_base->hash);
    ret_base->config_index = get(r, 8);
    size_t size = (size_t)get(r, 2);
    if (r->failed || size > r->rest.size)
        return ERR_INVALID;
    if (size > 0)
        TRY(raft_config_decode(bytes_of(r->rest.data, size), &ret_base->config));
    r->rest = bytes_skip(r->rest, size);
    return ERR_OK;
}

static enum err append_hard(struct buf *out, const struct raft_hard *hard)
{
    TRY(buf_append_u64(out, hard->term));
    TRY(buf_append(out, bytes_of(hard->vote.bytes, ID_SIZE)));
    TRY(buf_append_u64(out, hard->store));
    TRY(buf_append_u64(out, hard->boot));
    for (size_t i = 0; i < RAFT_STARTS_KEPT; i++)
        TRY(buf_append_u32(out, hard->draws[i]));
    TRY(buf_append_byte(out, (uint8_t)hard->known_count));
    for (size_t i = 0; i < hard->known_count; i++) {
        TRY(buf_append(out, bytes_of(hard->known[i].id.bytes, ID_SIZE)));
        TRY(buf_append_u64(out, hard->known[i].store));
        TRY(buf_append_u64(out, hard->known[i].boot));
        TRY(buf_append_u32(out, hard->known[i].draw));
    }
    return ERR_OK;
}

static enum err get_hard(struct reader *r, size_t draw_size, struct raft_hard *ret_hard)
{
    *ret_hard = (struct raft_hard){0};
    ret_hard->term = get(r, 8);
    get_bytes(r, ret_hard->vote.bytes, ID_SIZE);
    ret_hard->store = get(r, 8);
    ret_hard->boot = get(r, 8);
    for (size_t i = 0; i < RAFT_STARTS_KEPT; i++)
        ret_hard->draws[i] = (uint32_t)get(r, draw_size);
    size_t count = (size_t)get(r, 1);
    if (count > RAFT_MEMBERS_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < count; i++) {
        get_bytes(r, ret_hard->known[i].id.bytes, ID_SIZE);
        ret_hard->known[i].store = get(r, 8);
        ret_hard->known[i].boot = get(r, 8);
        ret_hard->known[i].draw = (uint32_t)get(r, draw_size);
    }
    ret_hard->known_count = count;
    return r->failed ? ERR_INVALID : ERR_OK;
}

/* --- fronts */

static enum err append_runs(struct buf *out, const struct raft_batch_run *runs, size_t count,
                            uint32_t *ret_size)
{
    uint64_t size = 0;
    TRY(buf_append_u32(out, (uint32_t)count));
    for (size_t i = 0; i < count; i++) {
        TRY(buf_append_u64(out, runs[i].first));
        TRY(buf_append_u32(out, runs[i].count));
        TRY(buf_append_u32(out, runs[i].size));
        TRY(buf_append_byte(out, runs[i].is_repair));
        size += runs[i].size;
    }
    *ret_size = (uint32_t)size;
    return size <= UINT32_MAX ? ERR_OK : ERR_LIMIT;
}

enum err raft_batch_encode(struct raft_batch_front *front, const struct raft_batch_run *runs,
                           struct buf *out)
{
    size_t at = out->size;
    TRY(buf_append_u32(out, FRONT_MAGIC));
    TRY(buf_append_u32(out, 0));
    TRY(buf_append_u32(out, FRONT_FORMAT << 16));
    TRY(buf_append_u64(out, front->nonce));
    TRY(buf_append_u64(out, front->segment));
    TRY(buf_append_u64(out, front->sequence));
    TRY(buf_append_u64(out, 0)); /* both sizes */
    TRY(buf_append_u32(out, front->body_crc));
    TRY(buf_append_u64(out, front->lowest_before));
    TRY(buf_append_u64(out, front->meta.last));
    TRY(append_base(out, &front->meta.base));
    TRY(append_hard(out, &front->meta.hard));
    TRY(append_runs(out, runs, front->run_count, &front->body_size));
    front->front_size = (uint32_t)(out->size - at);
    uint8_t *p = out->data + at;
    put_u32(p + FRONT_SIZE_AT, front->front_size);
    put_u32(p + FRONT_SIZE_AT + 4, front->body_size);
    put_u32(p + CRC_AT, raft_crc32c(0, bytes_of(p + FORMAT_AT, front->front_size - FORMAT_AT)));
    front->runs = NULL;
    return ERR_OK;
}

void raft_batch_run_at(const struct raft_batch_front *front, size_t i,
                       struct raft_batch_run *ret_run)
{
    struct reader r = {.rest =
                           bytes_of(front->runs + i * RAFT_BATCH_RUN_SIZE, RAFT_BATCH_RUN_SIZE)};
    ret_run->first = get(&r, 8);
    ret_run->count = (uint32_t)get(&r, 4);
    ret_run->size = (uint32_t)get(&r, 4);
    ret_run->is_repair = get(&r, 1) != 0;
}

static enum err check_runs(const struct raft_batch_front *front)
{
    uint64_t size = 0;
    for (size_t i = 0; i < front->run_count; i++) {
        struct raft_batch_run run;
        raft_batch_run_at(front, i, &run);
        if (front->runs[(i + 1) * RAFT_BATCH_RUN_SIZE - 1] > 1)
            return ERR_INVALID;
        if (run.first == 0 || run.count == 0 || run.first > UINT64_MAX - run.count ||
            run.size / RAFT_RECORD_HEAD < run.count)
            return ERR_INVALID;
        size += run.size;
    }
    return size == front->body_size ? ERR_OK : ERR_INVALID;
}

static enum err decode_rest(struct reader *r, uint16_t format, struct raft_batch_front *ret_front)
{
    ret_front->lowest_before = get(r, 8);
    ret_front->meta.last = get(r, 8);
    TRY(get_base(r, &ret_front->meta.base));
    TRY(get_hard(r, format == FRONT_FORMAT ? 4 : 0, &ret_front->meta.hard));
    ret_front->run_count = (size_t)get(r, 4);
    if (r->failed || ret_front->run_count > RAFT_BATCH_RUNS_MAX ||
        r->rest.size != ret_front->run_count * RAFT_BATCH_RUN_SIZE)
        return ERR_INVALID;
    ret_front->runs = r->rest.data;
    if (ret_front->meta.last < ret_front->meta.base.index)
        return ERR_INVALID;
    return check_runs(ret_front);
}

enum err raft_batch_decode(struct bytes data, struct raft_batch_front *ret_front)
{
    struct reader r = {.rest = data};
    struct raft_batch_front f = {0};
    if (get(&r, 4) != FRONT_MAGIC)
        return ERR_NOT_FOUND;
    uint32_t crc = (uint32_t)get(&r, 4);
    uint16_t format = (uint16_t)get(&r, 2);
    bool is_zero = get(&r, 2) == 0;
    f.nonce = get(&r, 8);
    f.segment = get(&r, 8);
    f.sequence = get(&r, 8);
    f.front_size = (uint32_t)get(&r, 4);
    f.body_size = (uint32_t)get(&r, 4);
    f.body_crc = (uint32_t)get(&r, 4);
    if (r.failed || f.front_size < FRONT_FIXED || f.front_size > data.size)
        return ERR_NOT_FOUND;
    if (raft_crc32c(0, bytes_of(data.data + FORMAT_AT, f.front_size - FORMAT_AT)) != crc)
        return ERR_NOT_FOUND;
    if (format != FRONT_FORMAT && format != FRONT_FORMAT_DRAWLESS)
        return ERR_UNSUPPORTED;
    r.rest.size = f.front_size - (size_t)(r.rest.data - data.data);
    if (!is_zero)
        return ERR_INVALID;
    TRY(decode_rest(&r, format, &f));
    *ret_front = f;
    return ERR_OK;
}

uint64_t raft_batch_extent(const struct raft_batch_front *front)
{
    uint64_t size = (uint64_t)front->front_size + front->body_size;
    return (size + RAFT_BLOCK_SIZE - 1) / RAFT_BLOCK_SIZE * RAFT_BLOCK_SIZE;
}

/* --- descriptors */

enum err raft_descriptor_encode(const struct raft_snapshot *snapshot, struct buf *out)
{
    size_t at = out->size;
    TRY(buf_append_u32(out, DESCRIPTOR_MAGIC));
    TRY(buf_append_u32(out, 0));
    TRY(buf_append_u32(out, DESCRIPTOR_FORMAT << 16));
    TRY(buf_append_u64(out, snapshot->size));
    TRY(buf_append(out, bytes_of(snapshot->content, sizeof snapshot->content)));
    TRY(append_base(out, &snapshot->base));
    TRY(buf_reserve(out, RAFT_BLOCK_SIZE));
    memset(out->data + out->size, 0, RAFT_BLOCK_SIZE - (out->size - at));
    out->size = at + RAFT_BLOCK_SIZE;
    uint8_t *p = out->data + at;
    put_u32(p + CRC_AT, raft_crc32c(0, bytes_of(p + FORMAT_AT, RAFT_BLOCK_SIZE - FORMAT_AT)));
    return ERR_OK;
}

enum err raft_descriptor_decode(struct bytes data, struct raft_snapshot *ret_snapshot)
{
    struct reader r = {.rest = data};
    struct raft_snapshot s = {0};
    if (data.size != RAFT_BLOCK_SIZE || get(&r, 4) != DESCRIPTOR_MAGIC)
        return ERR_CORRUPT;
    if (get(&r, 4) != raft_crc32c(0, bytes_skip(data, FORMAT_AT)))
        return ERR_CORRUPT;
    if (get(&r, 4) != DESCRIPTOR_FORMAT << 16)
        return ERR_UNSUPPORTED;
    s.size = get(&r, 8);
    get_bytes(&r, s.content, sizeof s.content);
    TRY(get_base(&r, &s.base));
    for (size_t i = 0; i < r.rest.size; i++)
        if (r.rest.data[i])
            return ERR_INVALID;
    *ret_snapshot = s;
    return ERR_OK;
}
