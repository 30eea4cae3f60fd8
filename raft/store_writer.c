/* The worker's half of the store: one batch to the disk, and segments ready before they are needed.
 *
 * happy path: one pwritev of whole blocks into zeroed, allocated space and one fdatasync, which has
 * no metadata to write then. A segment that nothing needs any more becomes a spare; where there is
 * none, each commit makes a slice of one, and a probe as much of it as there is room for.
 * failure modes: no room for a spare: is_full, early; no room for a batch: DISK_FULL, before a byte
 * of it is written; anything else: the note says what, and nothing is tried again. */
#include "raft/store_inner.h"

#include <stdio.h>

#define SLICE_SIZE (256u << 10) /* of a spare, per commit: half a millisecond */
#define ZEROS_SIZE (32u << 10)
#define RESERVE_MAX (256u << 10) /* at a segment's end, for 64 hard states on a full disk */

static const uint8_t zeros[ZEROS_SIZE];

void raft_writer_init(struct raft_writer *w, const struct raft_store *s,
                      const struct raft_store_cfg *cfg)
{
    *w = (struct raft_writer){
        .dir = s->dir,
        .snapshots_dir = s->snapshots_dir,
        .no_sync = cfg->no_sync,
        .is_full = cfg->is_full,
        .segment_size = cfg->segment_size ? cfg->segment_size : RAFT_STORE_SEGMENT_SIZE,
        .log_size_max = cfg->log_size_max ? cfg->log_size_max : RAFT_STORE_LOG_MAX,
        .file = {-1},
        .mark = {-1},
        .making = {.file = {-1}}};
    buf_init(&w->front, RAFT_BATCH_FRONT_MAX + RAFT_BLOCK_SIZE);
}

void raft_writer_fini(struct raft_writer *w)
{
    disk_close(&w->file);
    disk_close(&w->mark);
    disk_close(&w->making.file);
    buf_fini(&w->front);
}

enum err raft_writer_note(struct raft_writer *w, const char *dir, const char *name,
                          const char *call, enum err e)
{
    if (e != ERR_OK)
        snprintf(w->failure, sizeof w->failure, "%s%s%s: %s: %s", dir, name ? "/" : "",
                 name ? name : "", call, err_text(e));
    return e;
}

/* What a failed sync leaves is not known: it is an error of the disk, also where the reason is that
 * it had no room. */
static enum err sync_result(enum err e)
{
    return e == ERR_OK || e == ERR_PERMISSION ? e : ERR_IO;
}

enum err raft_writer_sync(struct raft_writer *w, const struct disk_file *file, const char *dir,
                          const char *name)
{
    if (w->no_sync)
        return ERR_OK;
    return raft_writer_note(w, dir, name, "sync", sync_result(disk_sync(file)));
}

enum err raft_writer_sync_dir(struct raft_writer *w, const char *dir)
{
    if (w->no_sync)
        return ERR_OK;
    return raft_writer_note(w, dir, NULL, "sync", sync_result(disk_dir_sync(dir)));
}

/* --- names */

void raft_store_name(const char *prefix, uint64_t number, char ret_name[RAFT_STORE_NAME_MAX])
{
    snprintf(ret_name, RAFT_STORE_NAME_MAX, "%s%016llx", prefix, (unsigned long long)number);
}

bool raft_store_number(const char *prefix, const char *name, uint64_t *ret_number)
{
    uint8_t raw[8];
    struct bytes text = bytes_from_str(name);
    if (!bytes_starts_with(text, bytes_from_str(prefix)))
        return false;
    if (crypto_hex_decode(bytes_skip(text, strlen(prefix)), raw, sizeof raw) != ERR_OK)
        return false;
    *ret_number = 0;
    for (size_t i = 0; i < sizeof raw; i++)
        *ret_number = *ret_number << 8 | raw[i];
    return true;
}

/* --- segments to come */

/* Goes on filling a file of zeros, up to `goal` of its size. DISK_FULL. */
static enum err fill(struct raft_writer *w, const char *name, struct raft_filling *f, uint64_t size,
                     uint64_t goal)
{
    if (f->file.fd < 0)
        TRY(raft_writer_note(w, w->dir, name, "create",
                             disk_open(w->dir, name, DISK_CREATE, &f->file)));
    if (w->no_sync) { /* nothing is to be fast or safe here, but to come and go quickly */
        f->size = size;
        return raft_writer_note(w, w->dir, name, "truncate", disk_truncate(&f->file, size));
    }
    while (f->size < goal) {
        uint64_t left = goal - f->size;
        struct bytes slice = bytes_of(zeros, left < ZEROS_SIZE ? (size_t)left : ZEROS_SIZE);
        enum err e = disk_write(&f->file, f->size, &slice, 1);
        if (e == ERR_LIMIT)
            e = ERR_DISK_FULL;
        TRY(raft_writer_note(w, w->dir, name, "write", e));
        f->size += slice.size;
    }
    return raft_writer_sync(w, &f->file, w->dir, name);
}

static enum err add_spare(struct raft_writer *w, const char *from)
{
    char name[RAFT_STORE_NAME_MAX];
    raft_store_name("spare-", w->spare_next, name);
    TRY(raft_writer_note(w, w->dir, from, "rename", disk_rename(w->dir, from, w->dir, name)));
    w->spares[w->spare_count++] = w->spare_next++;
    return ERR_OK;
}

/* Goes on with a spare, up to `goal` of its size. */
static enum err make_spare(struct raft_writer *w, uint64_t goal)
{
    if ((w->kept + 1) * w->segment_size > w->log_size_max)
        return ERR_DISK_FULL;
    TRY(fill(w, RAFT_STORE_MAKING, &w->making, w->segment_size, goal));
    if (w->making.size < w->segment_size)
        return ERR_OK;
    disk_close(&w->making.file);
    w->making.size = 0;
    return add_spare(w, RAFT_STORE_MAKING);
}

/* Makes a part of a spare where there is none. */
static enum err tend(struct raft_writer *w, uint64_t part)
{
    if (w->spare_count > 0) {
        w->is_full = false;
        return ERR_OK;
    }
    uint64_t goal = w->making.size + part;
    enum err e = make_spare(w, goal < w->segment_size ? goal : w->segment_size);
    w->is_full = e == ERR_DISK_FULL || (w->is_full && w->spare_count == 0);
    return e == ERR_DISK_FULL ? ERR_OK : e;
}

/* The name of a file that can become the next segment. */
static enum err take(struct raft_writer *w, uint64_t size, char ret_name[RAFT_STORE_NAME_MAX])
{
    if (size > w->segment_size) { /* no segment could hold it: a file of its own size */
        struct raft_filling large = {.file = {-1}};
        enum err e = fill(w, RAFT_STORE_LARGE, &large, size, size);
        disk_close(&large.file);
        snprintf(ret_name, RAFT_STORE_NAME_MAX, "%s", RAFT_STORE_LARGE);
        return e;
    }
    if (w->spare_count == 0)
        TRY(make_spare(w, w->segment_size));
    raft_store_name("spare-", w->spares[--w->spare_count], ret_name);
    return ERR_OK;
}

enum err raft_writer_advance(struct raft_writer *w, uint64_t size)
{
    char from[RAFT_STORE_NAME_MAX], name[RAFT_STORE_NAME_MAX];
    size = (size + RAFT_BLOCK_SIZE - 1) / RAFT_BLOCK_SIZE * RAFT_BLOCK_SIZE;
    TRY(take(w, size, from));
    raft_store_name("log-", w->segment + 1, name);
    TRY(raft_writer_note(w, w->dir, from, "rename", disk_rename(w->dir, from, w->dir, name)));
    TRY(raft_writer_sync_dir(w, w->dir));
    disk_close(&w->file);
    TRY(raft_writer_note(w, w->dir, name, "open", disk_open(w->dir, name, DISK_WRITE, &w->file)));
    w->segment++;
    w->size = size > w->segment_size ? size : w->segment_size;
    w->offset = 0;
    w->kept++;
    crypto_random(&w->nonce, sizeof w->nonce);
    return ERR_OK;
}

static enum err retire_one(struct raft_writer *w, uint64_t number)
{
    char name[RAFT_STORE_NAME_MAX];
    struct disk_file file;
    uint64_t size = 0;
    raft_store_name("log-", number, name);
    enum err e = disk_open(w->dir, name, DISK_READ, &file);
    if (e == ERR_NOT_FOUND)
        return ERR_OK; /* it was missing when the store was opened */
    TRY(raft_writer_note(w, w->dir, name, "open", e));
    e = disk_size(&file, &size);
    disk_close(&file);
    if (e == ERR_OK && size == w->segment_size && w->spare_count < RAFT_STORE_SPARES_MAX)
        return add_spare(w, name);
    return raft_writer_note(w, w->dir, name, "remove", disk_remove(w->dir, name));
}

static enum err retire(struct raft_writer *w, const struct raft_commit *c)
{
    for (size_t i = 0; i < c->retire_count; i++)
        TRY(retire_one(w, c->retire_first + i));
    return c->retire_count ? raft_writer_sync_dir(w, w->dir) : ERR_OK;
}

/* --- a batch */

static enum err make_room(struct raft_writer *w, const struct raft_batch *b, uint64_t extent)
{
    uint64_t reserve = w->segment_size / 8 < RESERVE_MAX ? w->segment_size / 8 : RESERVE_MAX;
    uint64_t left = w->size - w->offset;
    if (b->run_count == 0)
        reserve = 0;
    return left >= extent + reserve ? ERR_OK : raft_writer_advance(w, extent + reserve);
}

/* After the sync, and not synced itself: says which batch was acknowledged, so that one that is
 * damaged later is told from one that a crash cut short. A crash of the machine may lose it, while
 * it loses nothing that was acknowledged. */
static enum err mark_batch(struct raft_writer *w, struct raft_batch_front *front, uint64_t lowest)
{
    if (w->no_sync)
        return ERR_OK;
    front->run_count = 0;
    front->lowest_before = lowest;
    buf_clear(&w->front);
    TRY(raft_batch_encode(front, NULL, &w->front));
    struct bytes parts[] = {buf_bytes(&w->front), bytes_of(zeros, RAFT_BLOCK_SIZE - w->front.size)};
    return raft_writer_note(w, w->dir, RAFT_STORE_MARK, "write", disk_write(&w->mark, 0, parts, 2));
}

static enum err encode(struct raft_writer *w, const struct raft_batch *b,
                       struct raft_batch_front *front)
{
    front->nonce = w->nonce;
    front->segment = w->segment;
    buf_clear(&w->front);
    return raft_batch_encode(front, b->runs, &w->front);
}

static enum err write_batch(struct raft_writer *w, struct raft_commit *c)
{
    const struct raft_batch *b = c->batch;
    char name[RAFT_STORE_NAME_MAX];
    struct raft_batch_front front = {.sequence = w->sequence + 1,
                                     .body_crc = raft_crc32c(0, buf_bytes(&b->body)),
                                     .lowest_before = w->lowest,
                                     .meta = b->meta,
                                     .run_count = b->run_count};
    TRY(encode(w, b, &front));
    uint64_t extent = raft_batch_extent(&front);
    TRY(make_room(w, b, extent));
    TRY(encode(w, b, &front)); /* the segment may be another one now */
    raft_store_name("log-", w->segment, name);
    struct bytes parts[] = {buf_bytes(&w->front), buf_bytes(&b->body),
                            bytes_of(zeros, (size_t)(extent - w->front.size - b->body.size))};
    enum err e = disk_write(&w->file, w->offset, parts, 3);
    TRY(raft_writer_note(w, w->dir, name, "write", e));
    TRY(raft_writer_sync(w, &w->file, w->dir, name));
    c->segment = w->segment;
    c->body_at = w->offset + front.front_size;
    w->offset += extent;
    w->sequence++;
    w->lowest = b->lowest;
    return mark_batch(w, &front, b->lowest);
}

static enum err commit(struct raft_writer *w, struct raft_commit *c)
{
    w->kept = c->segments_kept;
    TRY(retire(w, c));
    if (c->batch) {
        TRY(raft_staged_write(w, c->batch->parts));
        if (c->batch->has_made)
            TRY(raft_snapshot_file_made(w, &c->batch->made));
        TRY(write_batch(w, c));
    }
    return tend(w, c->batch ? SLICE_SIZE : w->segment_size);
}

void raft_writer_commit(struct raft_writer *w, struct raft_commit *c)
{
    c->err = commit(w, c);
}
