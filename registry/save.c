/* Snapshots out: a stream of bytes that any replica at the same index gives alike, read from any
 * offset. See snapshot.h. Called by the node, which sends it to replicas or writes it to a file. */
#include "registry/snapshot.h"

#include <stdlib.h>

struct registry_save {
    struct registry_reader *reader;
    struct buf head;
    struct buf row;                   /* the record at hand */
    struct registry_key_bytes cursor; /* a row … */
    uint64_t cursor_offset; /* … and where its record begins; the head's size: the first */
};

/* --- opening --- */

struct sum {
    uint64_t rows, size;
};

static size_t record_size(struct bytes key, struct bytes value)
{
    return 2 + key.size + 4 + value.size;
}

static bool add_size(void *ctx, struct bytes key, struct bytes value)
{
    struct sum *sum = ctx;
    sum->rows++;
    sum->size += record_size(key, value);
    return true;
}

static enum err write_head(struct registry_save *save, uint64_t row_count)
{
    const struct registry *r = save->reader->registry;
    struct registry_head h;
    uint64_t feature;
    TRY(registry_reader_head(save->reader, &h));
    TRY(registry_setting_number(save->reader, "mesh.feature", &feature));
    TRY(buf_append(&save->head, BYTES(REGISTRY_SNAPSHOT_MAGIC)));
    TRY(buf_append(&save->head, bytes_of(r->mesh.bytes, ID_SIZE)));
    TRY(buf_append_u64(&save->head, feature));
    TRY(buf_append_u64(&save->head, h.index));
    TRY(buf_append_u64(&save->head, h.term));
    TRY(buf_append_u64(&save->head, h.epoch));
    TRY(buf_append_u64(&save->head, h.time_ms));
    TRY(buf_append(&save->head, bytes_of(h.chain, CRYPTO_HASH_SIZE)));
    TRY(buf_append(&save->head, bytes_of(h.hash, CRYPTO_HASH_SIZE)));
    return buf_append_u64(&save->head, row_count);
}

static enum err open_save(struct registry *r, struct registry_save *save, uint64_t *ret_size)
{
    struct sum sum = {0};
    TRY(registry_reader_open(r, &save->reader));
    TRY(kv_scan(save->reader->txn, r->rows, (struct bytes){0}, add_size, &sum));
    TRY(write_head(save, sum.rows));
    save->cursor_offset = save->head.size;
    *ret_size = save->head.size + sum.size;
    return ERR_OK;
}

enum err registry_save_open(struct registry *r, struct registry_save **ret_save, uint64_t *ret_size)
{
    struct registry_save *save = calloc(1, sizeof(*save));
    if (!save)
        return ERR_NO_MEMORY;
    buf_init(&save->head, REGISTRY_SNAPSHOT_HEAD_SIZE);
    buf_init(&save->row, REGISTRY_SNAPSHOT_ROW_MAX);
    enum err e = open_save(r, save, ret_size);
    if (e != ERR_OK) {
        registry_save_close(save);
        return e;
    }
    *ret_save = save;
    return ERR_OK;
}

void registry_save_close(struct registry_save *save)
{
    if (!save)
        return;
    registry_reader_close(save->reader);
    buf_fini(&save->head);
    buf_fini(&save->row);
    free(save);
}

/* --- reading --- */

struct read {
    struct registry_save *save;
    uint64_t offset; /* of the next byte wanted */
    uint64_t record; /* where the record at hand begins */
    size_t room;
    struct buf *out;
    enum err err;
};

static enum err copy_part(struct read *read, struct bytes piece, uint64_t piece_offset)
{
    struct bytes part = bytes_skip(piece, (size_t)(read->offset - piece_offset));
    if (part.size > read->room)
        part.size = read->room;
    read->offset += part.size;
    read->room -= part.size;
    return buf_append(read->out, part);
}

static enum err encode_record(struct buf *row, struct bytes key, struct bytes value)
{
    buf_clear(row);
    TRY(buf_append_u16(row, (uint16_t)key.size));
    TRY(buf_append(row, key));
    TRY(buf_append_u32(row, (uint32_t)value.size));
    return buf_append(row, value);
}

static bool on_pair(void *ctx, struct bytes key, struct bytes value)
{
    struct read *read = ctx;
    struct registry_save *save = read->save;
    uint64_t end = read->record + record_size(key, value);
    memcpy(save->cursor.data, key.data, key.size);
    save->cursor.size = key.size;
    save->cursor_offset = read->record;
    if (end > read->offset && read->room > 0) {
        read->err = encode_record(&save->row, key, value);
        if (read->err == ERR_OK)
            read->err = copy_part(read, buf_bytes(&save->row), read->record);
    }
    read->record = end;
    return read->err == ERR_OK && read->room > 0;
}

enum err registry_save_read(struct registry_save *save, uint64_t offset, size_t size_max,
                            struct buf *out)
{
    struct read read = {.save = save, .offset = offset, .room = size_max, .out = out};
    if (offset < save->head.size)
        TRY(copy_part(&read, buf_bytes(&save->head), 0));
    if (read.room == 0)
        return ERR_OK;
    if (read.offset < save->cursor_offset) {
        save->cursor.size = 0;
        save->cursor_offset = save->head.size;
    }
    read.record = save->cursor_offset;
    TRY(kv_scan(save->reader->txn, save->reader->registry->rows, registry_key_view(&save->cursor),
                on_pair, &read));
    return read.err;
}
