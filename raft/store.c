/* The loop's half of the store: opening, what is known of the log, gathering writes, publishing
 * what a commit made durable. Only here and in the files that open it is the index changed, always
 * on the loop, so that reads need no lock. Called by the shell of the node. */
#include "raft/store_inner.h"

#include <stdlib.h>

#define WINDOW_SIZE (64u << 10) /* what a read of one record brings along */

/* --- opening */

static enum err lock_dirs(struct raft_store *s, const struct raft_store_cfg *cfg)
{
    struct raft_writer *w = &s->writer;
    bool sync = !cfg->no_sync;
    TRY(raft_writer_note(w, s->dir, NULL, "create", disk_dir_make(s->dir, sync)));
    TRY(raft_writer_note(w, s->dir, NULL, "lock", disk_dir_lock(s->dir, &s->lock)));
    return raft_writer_note(w, s->snapshots_dir, NULL, "create",
                            disk_dir_make(s->snapshots_dir, sync));
}

static enum err add_segment(struct raft_store *s, uint64_t number)
{
    char name[RAFT_STORE_NAME_MAX];
    struct raft_segment *segments = realloc(s->segments, (s->segment_count + 1) * sizeof *segments);
    if (!segments)
        return ERR_NO_MEMORY;
    s->segments = segments;
    segments[s->segment_count].file.fd = -1;
    TRY(raft_index_add_segment(&s->index, (uint32_t)number));
    raft_store_name("log-", number, name);
    return disk_open(s->dir, name, DISK_READ, &segments[s->segment_count++].file);
}

static enum err open_in(struct raft_store *s, const struct raft_store_cfg *cfg)
{
    struct raft_writer *w = &s->writer;
    TRY(lock_dirs(s, cfg));
    TRY(raft_store_load(s));
    TRY(raft_snapshots_load(s));
    s->next = s->meta;
    s->durable_end = w->offset;
    if (s->segment_count > 0)
        return ERR_OK;
    TRY(raft_writer_advance(w, w->segment_size));
    return add_segment(s, w->segment);
}

static void explain(const struct raft_store *s, enum err e, struct buf *message)
{
    const char *hint = "";
    if (e == ERR_LOCKED)
        hint = " (is this node running already?)";
    if (e == ERR_CORRUPT)
        hint = " (start with an empty directory: the node then comes back as a new member)";
    if (e == ERR_UNSUPPORTED)
        hint = " (written by a later version: run that one)";
    if (buf_printf(message, "%s%s", s->writer.failure[0] ? s->writer.failure : err_text(e), hint) !=
        ERR_OK)
        return; /* the word of the err has to do */
}

enum err raft_store_open(const struct raft_store_cfg *cfg, struct buf *message,
                         struct raft_store **ret_store)
{
    CHECK(cfg->segment_size % RAFT_BLOCK_SIZE == 0);
    CHECK(cfg->segment_size == 0 || cfg->segment_size >= 16 * RAFT_BLOCK_SIZE);
    struct raft_store *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NO_MEMORY;
    s->lock.fd = -1;
    s->dir = strdup(cfg->dir);
    s->snapshots_dir = strdup(cfg->snapshots_dir);
    raft_index_init(&s->index);
    raft_writer_init(&s->writer, s, cfg);
    s->is_full = cfg->is_full;
    enum err e = s->dir && s->snapshots_dir ? open_in(s, cfg) : ERR_NO_MEMORY;
    if (e != ERR_OK) {
        explain(s, e, message);
        raft_store_close(s);
        return e;
    }
    *ret_store = s;
    return ERR_OK;
}

static void destroy_batches(struct raft_batch *b)
{
    while (b) {
        struct raft_batch *next = b->next;
        raft_batch_destroy(b);
        b = next;
    }
}

void raft_store_close(struct raft_store *s)
{
    if (!s)
        return;
    CHECK(!s->is_busy);
    destroy_batches(s->first);
    destroy_batches(s->idle);
    for (size_t i = 0; i < s->segment_count; i++)
        disk_close(&s->segments[i].file);
    raft_writer_fini(&s->writer);
    raft_index_fini(&s->index);
    disk_close(&s->lock);
    free(s->segments);
    free(s->window);
    free(s->dir);
    free(s->snapshots_dir);
    free(s);
}

void raft_store_boot(const struct raft_store *s, uint64_t applied, struct raft_boot *ret_boot)
{
    *ret_boot = (struct raft_boot){
        .hard = s->meta.hard,
        .base = s->meta.base,
        .last = s->meta.last,
        .applied = applied,
        .snapshot = s->snapshot.base.index ? &s->snapshot : NULL,
        .staged = s->staged.base.index ? &s->staged : NULL,
        .staged_size = s->staged_size,
    };
    if (applied <= s->meta.last)
        return;
    if (s->snapshot.base.index == applied)
        ret_boot->applied_base = &s->snapshot.base;
    else if (s->staged.base.index == applied)
        ret_boot->applied_base = &s->staged.base;
}

/* --- reading */

/* Neighbours are read along. Never beyond what is durable: the window would go stale. */
static enum err fill_window(struct raft_store *s, const struct raft_place *place)
{
    const struct disk_file *file = &s->segments[place->segment - s->index.segment_first].file;
    size_t wanted = place->size > WINDOW_SIZE ? place->size : WINDOW_SIZE;
    bool is_current = s->index.segment_first + s->segment_count == place->segment + 1u;
    if (is_current && place->size < WINDOW_SIZE && s->durable_end - place->offset < wanted)
        wanted = (size_t)(s->durable_end - place->offset);
    if (wanted > s->window_capacity) {
        uint8_t *window = realloc(s->window, wanted);
        if (!window)
            return ERR_NO_MEMORY;
        s->window = window;
        s->window_capacity = wanted;
    }
    s->window_size = 0;
    s->window_segment = place->segment;
    s->window_at = place->offset;
    return disk_read(file, place->offset, s->window, wanted, &s->window_size);
}

static bool is_in_window(const struct raft_store *s, const struct raft_place *place)
{
    return s->window_segment == place->segment && place->offset >= s->window_at &&
           (uint64_t)place->offset + place->size <= s->window_at + s->window_size;
}

enum err raft_store_read(struct raft_store *s, uint64_t index, struct bytes *ret_record)
{
    const struct raft_place *place = raft_index_find(&s->index, index);
    struct raft_entry entry;
    if (!place)
        return ERR_NOT_FOUND;
    if (place->size == 0)
        return ERR_CORRUPT;
    if (!is_in_window(s, place))
        TRY(fill_window(s, place));
    if (!is_in_window(s, place))
        return ERR_CORRUPT; /* the file ends before it */
    struct bytes record = bytes_of(s->window + (place->offset - s->window_at), place->size);
    struct bytes rest = record;
    enum err e = raft_entry_read(&rest, &entry);
    if (e == ERR_OK && (entry.index != index || rest.size > 0))
        e = ERR_CORRUPT;
    if (e != ERR_OK && e != ERR_UNSUPPORTED)
        return ERR_CORRUPT;
    *ret_record = record;
    return ERR_OK;
}

/* --- writing */

static struct raft_batch *take_idle(struct raft_store *s)
{
    struct raft_batch *b = s->idle;
    if (!b)
        return raft_batch_create();
    s->idle = b->next;
    b->next = NULL;
    return b;
}

/* Whether the write goes into the batch that waits: one segment is to hold it. */
static bool fits(const struct raft_store *s, const struct raft_batch *b,
                 const struct raft_write *write)
{
    size_t limit = (size_t)s->writer.segment_size / 2;
    return b->body.size + write->records.size <= limit && b->run_count < RAFT_BATCH_RUNS_MAX;
}

static enum err fail(struct raft_store *s, enum err e, const char *why)
{
    s->failed = e;
    bytes_to_str(bytes_from_str(why), s->failure, sizeof s->failure);
    return e;
}

enum err raft_store_add(struct raft_store *s, const struct raft_write *write)
{
    if (s->failed != ERR_OK)
        return s->failed;
    if (!s->last || !fits(s, s->last, write)) {
        struct raft_batch *b = take_idle(s);
        if (!b)
            return fail(s, ERR_NO_MEMORY, "a write: out of memory");
        if (s->last)
            s->last->next = b;
        else
            s->first = b;
        s->last = b;
    }
    s->last->meta = s->next;
    enum err e = raft_batch_add(s->last, write);
    s->next = s->last->meta;
    return e == ERR_OK ? ERR_OK : fail(s, e, err_text(e));
}

static bool begin(struct raft_store *s, bool is_probe)
{
    if (s->is_busy || s->failed != ERR_OK || (!s->first && !is_probe))
        return false;
    s->commit = (struct raft_commit){.batch = s->first,
                                     .retire_first = s->retire_first,
                                     .retire_count = s->retire_count,
                                     .segments_kept = s->segment_count};
    s->retire_count = 0;
    if (s->first) {
        s->first = s->first->next;
        s->commit.batch->next = NULL;
    }
    if (!s->first)
        s->last = NULL;
    s->is_busy = true;
    return true;
}

bool raft_store_begin(struct raft_store *s)
{
    return begin(s, false);
}

bool raft_store_begin_probe(struct raft_store *s)
{
    return begin(s, true);
}

void raft_store_commit(struct raft_store *s)
{
    CHECK(s->is_busy);
    raft_writer_commit(&s->writer, &s->commit);
}

static enum err publish(struct raft_store *s, const struct raft_batch *b)
{
    const struct raft_commit *c = &s->commit;
    uint64_t at = c->body_at;
    if (c->segment >= s->index.segment_first + s->segment_count)
        TRY(add_segment(s, c->segment));
    struct raft_place *places = malloc((b->record_count + 1) * sizeof *places);
    if (!places)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < b->record_count; i++) {
        places[i] = (struct raft_place){(uint32_t)c->segment, (uint32_t)at, b->sizes[i]};
        at += b->sizes[i];
    }
    enum err e = raft_index_apply(&s->index, &b->meta, b->runs, b->run_count, places);
    free(places);
    s->meta = b->meta;
    s->durable_end = at;
    return e;
}

/* Segments whose records are all trimmed, truncated or written anew go with the next commit. */
static void retire_dead(struct raft_store *s)
{
    while (raft_index_is_first_dead(&s->index)) {
        if (s->retire_count++ == 0)
            s->retire_first = s->index.segment_first;
        disk_close(&s->segments[0].file);
        memmove(s->segments, s->segments + 1, --s->segment_count * sizeof *s->segments);
        raft_index_remove_segment(&s->index);
    }
}

enum err raft_store_end(struct raft_store *s, uint64_t *ret_token)
{
    struct raft_batch *b = s->commit.batch;
    CHECK(s->is_busy);
    s->is_busy = false;
    s->commit.batch = NULL;
    enum err e = s->commit.err;
    uint64_t token = b ? b->token : 0;
    if (e == ERR_OK && b)
        e = publish(s, b);
    if (b) {
        raft_batch_clear(b);
        b->next = s->idle;
        s->idle = b;
    }
    if (e != ERR_OK)
        return fail(s, e, s->writer.failure[0] ? s->writer.failure : err_text(e));
    retire_dead(s);
    s->is_full = s->writer.is_full;
    *ret_token = token;
    return ERR_OK;
}

bool raft_store_is_full(const struct raft_store *s)
{
    return s->is_full;
}

const char *raft_store_failure(const struct raft_store *s)
{
    return s->failure;
}
