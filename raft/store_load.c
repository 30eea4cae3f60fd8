/* What a directory holds, read once when it is opened: all segments in order, batch after batch.
 *
 * happy path: every batch is whole; the last one's meta is the state, and the next goes behind it.
 * failure modes, and what is made of them:
 *   a last batch in part, not marked as acknowledged: a crash cut it short; it is gone
 *   a batch whose body fails its checksum, not that: its records are checked one by one
 *   batches that are missing: the next front says from which index on nothing is sure any more, if
 *   it is one; if more are missing, nothing before them is. The mark stands for a front at the end.
 * Whatever index nobody wrote readably stays in the log as unreadable. */
#include "raft/store_inner.h"

#include <stdlib.h>

#define MISSING_MAX 1024 /* segments in a row; more is another directory's file */

struct loader {
    struct raft_store *s;
    uint64_t first, last; /* segments */
    uint64_t nonce;       /* of the segment that is read; 0: not known yet */
    bool is_any;          /* a batch was read */
    struct raft_batch_front mark, damaged;
    bool has_mark, has_damaged;
    struct raft_batch_run *runs;
    struct raft_place *places, *damaged_places;
    uint64_t damaged_at;
    struct raft_batch_run *damaged_runs;
};

/* --- files of a directory */

static bool note_name(void *ctx, const char *name)
{
    struct loader *l = ctx;
    struct raft_writer *w = &l->s->writer;
    uint64_t number;
    if (raft_store_number("log-", name, &number)) {
        if (l->first == 0 || number < l->first)
            l->first = number;
        if (number > l->last)
            l->last = number;
    }
    if (raft_store_number("spare-", name, &number)) {
        if (w->spare_count < RAFT_STORE_SPARES_MAX)
            w->spares[w->spare_count++] = number;
        if (number >= w->spare_next)
            w->spare_next = number + 1;
    }
    return true;
}

static enum err size_of(const struct raft_writer *w, const char *name, uint64_t *ret_size)
{
    struct disk_file file;
    TRY(disk_open(w->dir, name, DISK_READ, &file));
    enum err e = disk_size(&file, ret_size);
    disk_close(&file);
    return e;
}

/* Spares of another size are no use: the setting has changed. */
static enum err check_spares(struct raft_writer *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->spare_count; i++) {
        char name[RAFT_STORE_NAME_MAX];
        uint64_t size;
        raft_store_name("spare-", w->spares[i], name);
        TRY(size_of(w, name, &size));
        if (size == w->segment_size)
            w->spares[kept++] = w->spares[i];
        else
            TRY(disk_remove(w->dir, name));
    }
    w->spare_count = kept;
    enum err e = size_of(w, RAFT_STORE_MAKING, &w->making.size);
    if (e != ERR_OK || w->making.size >= w->segment_size)
        w->making.size = 0;
    w->making.size -= w->making.size % RAFT_BLOCK_SIZE;
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    e = disk_remove(w->dir, RAFT_STORE_LARGE);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err open_segments(struct loader *l)
{
    struct raft_store *s = l->s;
    if (l->last - l->first > MISSING_MAX + s->writer.log_size_max / RAFT_BLOCK_SIZE)
        return ERR_CORRUPT;
    size_t count = l->last == 0 ? 0 : (size_t)(l->last - l->first + 1);
    s->segments = malloc((count + 1) * sizeof *s->segments);
    if (!s->segments)
        return ERR_NO_MEMORY;
    for (; s->segment_count < count; s->segment_count++) {
        struct disk_file *file = &s->segments[s->segment_count].file;
        char name[RAFT_STORE_NAME_MAX];
        raft_store_name("log-", l->first + s->segment_count, name);
        file->fd = -1;
        enum err e = disk_open(s->dir, name, DISK_READ, file);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return raft_writer_note(&s->writer, s->dir, name, "open", e);
        TRY(raft_index_add_segment(&s->index, (uint32_t)(l->first + s->segment_count)));
    }
    return ERR_OK;
}

/* All of a segment. Blocks that the disk cannot read are zeros, so their batches are damaged. */
static enum err read_segment(const struct disk_file *file, uint8_t **ret_data, size_t *ret_size)
{
    uint64_t size;
    size_t got = 0;
    TRY(disk_size(file, &size));
    if (size > UINT32_MAX)
        return ERR_CORRUPT;
    uint8_t *data = calloc(1, (size_t)size + 1);
    if (!data)
        return ERR_NO_MEMORY;
    if (disk_read(file, 0, data, (size_t)size, &got) != ERR_OK) {
        for (uint64_t at = 0; at + RAFT_BLOCK_SIZE <= size; at += RAFT_BLOCK_SIZE)
            if (disk_read(file, at, data + at, RAFT_BLOCK_SIZE, &got) != ERR_OK)
                memset(data + at, 0, RAFT_BLOCK_SIZE);
        got = (size_t)size;
    }
    *ret_data = data;
    *ret_size = got;
    return ERR_OK;
}

/* --- a batch */

/* Where each record is, as far as they can be read; the rest of a run is lost after a bad one. */
static void place_run(const struct raft_batch_run *run, struct bytes body, uint64_t segment,
                      uint64_t at, struct raft_place *ret_places)
{
    struct bytes rest = body;
    for (uint32_t i = 0; i < run->count; i++) {
        struct raft_entry entry;
        ret_places[i] = (struct raft_place){0};
        if (rest.size < RAFT_RECORD_HEAD)
            continue;
        const uint8_t *p = rest.data + 4;
        size_t size =
            RAFT_RECORD_HEAD + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
        if (size > rest.size)
            size = rest.size;
        struct bytes record = bytes_of(rest.data, size);
        enum err e = raft_entry_read(&record, &entry);
        bool is_here = e == ERR_UNSUPPORTED || (e == ERR_OK && entry.index == run->first + i);
        if (is_here)
            ret_places[i] = (struct raft_place){
                (uint32_t)segment, (uint32_t)(at + (body.size - rest.size)), (uint32_t)size};
        rest = bytes_skip(rest, size);
    }
}

static enum err place_batch(struct loader *l, const struct raft_batch_front *f, const uint8_t *data,
                            uint64_t at)
{
    size_t total = 0;
    l->runs = malloc((f->run_count + 1) * sizeof *l->runs);
    if (!l->runs)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < f->run_count; i++) {
        raft_batch_run_at(f, i, &l->runs[i]);
        total += l->runs[i].count;
    }
    l->places = malloc((total + 1) * sizeof *l->places);
    if (!l->places)
        return ERR_NO_MEMORY;
    uint64_t body_at = at + f->front_size;
    struct raft_place *places = l->places;
    for (size_t i = 0; i < f->run_count; i++) {
        struct bytes body = bytes_of(data + body_at, l->runs[i].size);
        place_run(&l->runs[i], body, f->segment, body_at, places);
        places += l->runs[i].count;
        body_at += l->runs[i].size;
    }
    return ERR_OK;
}

static void drop_places(struct loader *l)
{
    free(l->runs);
    free(l->places);
    l->runs = NULL;
    l->places = NULL;
}

/* So many batches are lost; the last of them touched what is from `lowest` on. */
static void doubt(struct loader *l, uint64_t lost, uint64_t lowest)
{
    if (lost > 1)
        raft_index_doubt(&l->s->index, 0);
    else if (lost == 1 && lowest)
        raft_index_doubt(&l->s->index, lowest);
}

static uint64_t lowest_of(const struct raft_store *s, const struct raft_batch_front *f,
                          const struct raft_batch_run *runs)
{
    uint64_t lowest = f->meta.last < s->meta.last ? f->meta.last + 1 : 0;
    for (size_t i = 0; i < f->run_count; i++)
        if (lowest == 0 || runs[i].first < lowest)
            lowest = runs[i].first;
    return lowest;
}

static enum err apply(struct loader *l, const struct raft_batch_front *f,
                      const struct raft_batch_run *runs, const struct raft_place *places)
{
    struct raft_store *s = l->s;
    if (l->is_any)
        doubt(l, f->sequence - s->writer.sequence - 1, f->lowest_before);
    TRY(raft_index_apply(&s->index, &f->meta, runs, f->run_count, places));
    s->writer.lowest = lowest_of(s, f, runs);
    s->writer.sequence = f->sequence;
    s->meta = f->meta;
    l->is_any = true;
    return ERR_OK;
}

static void forget_damaged(struct loader *l)
{
    free(l->damaged_runs);
    free(l->damaged_places);
    l->damaged_runs = NULL;
    l->damaged_places = NULL;
    l->has_damaged = false;
}

/* It was acknowledged: something came after it. */
static enum err apply_damaged(struct loader *l)
{
    enum err e =
        l->has_damaged ? apply(l, &l->damaged, l->damaged_runs, l->damaged_places) : ERR_OK;
    forget_damaged(l);
    return e;
}

static enum err take_batch(struct loader *l, const struct raft_batch_front *f, const uint8_t *data,
                           uint64_t at)
{
    struct bytes body = bytes_of(data + at + f->front_size, f->body_size);
    TRY(apply_damaged(l));
    TRY(place_batch(l, f, data, at));
    if (raft_crc32c(0, body) == f->body_crc)
        return apply(l, f, l->runs, l->places);
    l->damaged = *f;
    l->damaged_at = at;
    l->damaged_runs = l->runs;
    l->damaged_places = l->places;
    l->runs = NULL;
    l->places = NULL;
    l->has_damaged = true;
    return ERR_OK;
}

static bool is_ours(const struct loader *l, const struct raft_batch_front *f, uint64_t segment,
                    size_t left)
{
    uint64_t before = l->has_damaged ? l->damaged.sequence : l->s->writer.sequence;
    return f->segment == segment && (l->nonce == 0 || f->nonce == l->nonce) &&
           f->sequence > before && raft_batch_extent(f) <= left;
}

/* Sets the writer behind the last batch that is valid. */
static enum err load_segment(struct loader *l, uint64_t segment, const uint8_t *data, size_t size)
{
    struct raft_writer *w = &l->s->writer;
    size_t at = 0;
    l->nonce = 0;
    w->segment = segment;
    w->size = size;
    w->offset = 0;
    while (at + RAFT_BLOCK_SIZE <= size) {
        struct raft_batch_front f;
        enum err e = raft_batch_decode(bytes_of(data + at, size - at), &f);
        bool is_valid = (e == ERR_OK || e == ERR_UNSUPPORTED) && is_ours(l, &f, segment, size - at);
        if (e == ERR_UNSUPPORTED)
            return e;
        if (!is_valid) {
            at += RAFT_BLOCK_SIZE;
            continue;
        }
        e = take_batch(l, &f, data, at);
        drop_places(l);
        TRY(e);
        l->nonce = w->nonce = f.nonce;
        at += (size_t)raft_batch_extent(&f);
        w->offset = at;
    }
    return ERR_OK;
}

/* --- the end of the log */

static enum err read_mark(struct loader *l)
{
    struct raft_writer *w = &l->s->writer;
    uint8_t block[RAFT_BLOCK_SIZE];
    size_t got;
    TRY(disk_open(w->dir, RAFT_STORE_MARK, DISK_CREATE, &w->mark));
    TRY(disk_read(&w->mark, 0, block, sizeof block, &got));
    enum err e = raft_batch_decode(bytes_of(block, got), &l->mark);
    l->has_mark = e == ERR_OK;
    return e == ERR_UNSUPPORTED ? e : ERR_OK;
}

/* A damaged last batch that nothing says was acknowledged is cut off; what the mark knows and no
 * segment shows was acknowledged all the same. */
static enum err settle_end(struct loader *l)
{
    struct raft_writer *w = &l->s->writer;
    bool is_marked = l->has_mark && l->mark.sequence >= l->damaged.sequence;
    if (l->has_damaged && !is_marked && l->damaged.segment == w->segment) {
        w->offset = l->damaged_at;
        forget_damaged(l);
    }
    TRY(apply_damaged(l));
    if (!l->has_mark || l->mark.sequence <= w->sequence)
        return ERR_OK;
    doubt(l, l->mark.sequence - w->sequence, l->mark.lowest_before);
    TRY(raft_index_apply(&l->s->index, &l->mark.meta, NULL, 0, NULL));
    l->s->meta = l->mark.meta;
    w->sequence = l->mark.sequence;
    w->lowest = l->mark.lowest_before; /* in a mark: of this batch itself */
    return ERR_OK;
}

static enum err load_segments(struct loader *l)
{
    struct raft_store *s = l->s;
    for (size_t i = 0; i < s->segment_count; i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        char name[RAFT_STORE_NAME_MAX];
        uint64_t segment = l->first + i;
        raft_store_name("log-", segment, name);
        enum err e = s->segments[i].file.fd < 0 ? ERR_NOT_FOUND
                                                : read_segment(&s->segments[i].file, &data, &size);
        if (e == ERR_OK)
            e = load_segment(l, segment, data, size);
        free(data);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return raft_writer_note(&s->writer, s->dir, name, "load", e);
    }
    return ERR_OK;
}

/* The last segment goes on; the first one of a fresh directory is made now, so that what is wrong
 * with it is known now. */
static enum err continue_writing(struct loader *l)
{
    struct raft_writer *w = &l->s->writer;
    char name[RAFT_STORE_NAME_MAX];
    if (l->s->segment_count == 0)
        return ERR_OK;
    if (w->offset == 0)
        crypto_random(&w->nonce, sizeof w->nonce);
    raft_store_name("log-", w->segment, name);
    return raft_writer_note(w, w->dir, name, "open", disk_open(w->dir, name, DISK_WRITE, &w->file));
}

enum err raft_store_load(struct raft_store *s)
{
    struct loader l = {.s = s};
    struct raft_writer *w = &s->writer;
    TRY(raft_writer_note(w, s->dir, NULL, "list", disk_dir_list(s->dir, note_name, &l)));
    TRY(raft_writer_note(w, s->dir, NULL, "check spares", check_spares(w)));
    TRY(raft_writer_note(w, s->dir, RAFT_STORE_MARK, "read", read_mark(&l)));
    TRY(raft_writer_note(w, s->dir, NULL, "segments", open_segments(&l)));
    enum err e = load_segments(&l);
    if (e == ERR_OK)
        e = settle_end(&l);
    forget_damaged(&l);
    TRY(e);
    w->kept = s->segment_count;
    return continue_writing(&l);
}
