/* Snapshots: the registry's dump into the store's file, in slices, beside the applying; a stored or
 * fetched one into the registry, while nothing is applied; parts of one for members that lag.
 *
 * Failure modes: a dump that cannot be written is not made (the log grows, and is_full comes of
 * it); one that was fetched and is not whole or not right is refused, and fetched anew; so is one
 * for which the registry has no room, when it has. */
#include "node/rules/inner.h"

#define SLICE (1u << 20)

/* --- making one: opened while no batch is, then slice by slice */

static void slice_work(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, dump);
    struct rules_dump *d = &r->dump;
    buf_clear(&d->slice);
    d->err = ERR_OK;
    if (!d->save)
        d->err = raft_save_open(r->store, d->index, &d->save);
    if (d->err == ERR_OK)
        d->err = registry_save_read(d->source, d->offset, SLICE, &d->slice);
    if (d->err == ERR_OK)
        d->err = raft_save_append(d->save, buf_bytes(&d->slice));
    d->offset += d->slice.size;
    if (d->err != ERR_OK || d->offset < d->size)
        return;
    struct raft_save *save = d->save;
    d->save = NULL;
    d->err = raft_save_finish(save, &d->made_size, d->made_content);
}

static void end_save(struct rules *r)
{
    struct rules_dump *d = &r->dump;
    raft_save_abort(d->save);
    registry_save_close(d->source);
    d->save = NULL;
    d->source = NULL;
    d->is_saving = false;
}

static void tell_made(struct rules *r, enum err e)
{
    struct rules_dump *d = &r->dump;
    struct raft_event event = {.type = RAFT_SNAPSHOT_MADE, .index = d->index};
    if (e == ERR_OK) {
        event.size = d->made_size;
        memcpy(event.content, d->made_content, sizeof event.content);
        LOG(r->cfg.log, LOG_INFO, "snapshot_made", LOG_UINT("index", d->index),
            LOG_UINT("bytes", d->size));
    } else {
        LOG(r->cfg.log, LOG_ERROR, "snapshot_failed", LOG_UINT("index", d->index), LOG_ERR(e));
    }
    if (r->raft)
        core_step(r, &event);
    else if (e == ERR_OK)
        pull_on_saved(r, &event);
}

static void run_slice(struct rules *r);

static void on_slice(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, dump);
    struct rules_dump *d = &r->dump;
    if (d->err == ERR_OK && d->offset < d->size) {
        run_slice(r);
        return;
    }
    end_save(r);
    tell_made(r, d->err);
}

static void run_slice(struct rules *r)
{
    if (io_work(r->cfg.loop, slice_work, on_slice, &r->dump) == ERR_OK)
        return;
    end_save(r);
    tell_made(r, ERR_LIMIT);
}

/* The rules that a snapshot has must not be lost with the log that is trimmed for it. */
static enum err begin_save(struct rules *r)
{
    struct rules_dump *d = &r->dump;
    TRY(registry_save_open(r->registry, &d->source, &d->size));
    d->index = r->head.index;
    d->base = r->applied;
    d->offset = 0;
    return ERR_OK;
}

void dump_want(struct rules *r)
{
    r->dump.is_wanted = true;
    dump_kick(r);
}

/* --- taking one over */

static enum err load(struct rules *r,
                     enum err (*read)(struct rules *r, uint64_t offset, size_t size,
                                      struct buf *out),
                     uint64_t size)
{
    struct registry_load *in;
    struct buf slice;
    TRY(registry_load_begin(r->registry, &in));
    buf_init(&slice, SLICE);
    enum err e = ERR_OK;
    for (uint64_t at = 0; at < size && e == ERR_OK; at += slice.size) {
        buf_clear(&slice);
        e = read(r, at, size - at < SLICE ? (size_t)(size - at) : SLICE, &slice);
        if (e == ERR_OK)
            e = registry_load_append(in, buf_bytes(&slice));
    }
    if (e == ERR_OK)
        e = registry_load_finish(in);
    if (e != ERR_OK)
        registry_load_abort(in);
    buf_fini(&slice);
    return e;
}

static enum err read_staged(struct rules *r, uint64_t offset, size_t size, struct buf *out)
{
    return raft_store_staged_read(r->store, offset, size, out);
}

static enum err read_stored(struct rules *r, uint64_t offset, size_t size, struct buf *out)
{
    return raft_store_chunk(r->store, r->dump.install.base.index, offset, size, out);
}

enum err dump_load_stored(struct rules *r, const struct raft_snapshot *snapshot)
{
    r->dump.install = *snapshot;
    return load(r, read_stored, snapshot->size);
}

static void install_work(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, dump.install);
    struct rules_dump *d = &r->dump;
    d->err = raft_store_staged_check(r->store, &d->install);
    if (d->err == ERR_OK)
        d->err = load(r, read_staged, d->install.size);
    if (d->err == ERR_OK)
        d->err = raft_store_staged_keep(r->store, &d->install);
}

static void on_installed(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, dump.install);
    struct rules_dump *d = &r->dump;
    enum err e = d->err;
    d->is_installing = false;
    if (e == ERR_OK)
        e = apply_renew(r, UINT32_MAX);
    if (e == ERR_OK)
        r->applied = d->install.base;
    LOG(r->cfg.log, e == ERR_OK ? LOG_INFO : LOG_WARN, "snapshot_installed",
        LOG_UINT("index", d->install.base.index), LOG_UINT("bytes", d->install.size), LOG_ERR(e));
    if (e == ERR_OK)
        orders_on_applied(r);
    if (e == ERR_OK || e == ERR_DISK_FULL)
        room_of_registry(r, e == ERR_DISK_FULL);
    if (r->raft)
        core_step(r, &(struct raft_event){.type = RAFT_INSTALLED, .err = e});
    else
        pull_on_installed(r, e);
    apply_kick(r);
}

void dump_install(struct rules *r, const struct raft_snapshot *snapshot)
{
    r->dump.install = *snapshot;
    r->dump.has_install = true;
    dump_kick(r);
}

/* The registry is the applying's while a batch runs; between batches the next step is taken. */
void dump_kick(struct rules *r)
{
    struct rules_dump *d = &r->dump;
    if (r->apply.is_busy || d->is_installing || !rules_goes_on(r))
        return;
    if (d->has_install) {
        d->has_install = false;
        d->is_installing = true;
        if (io_work(r->cfg.loop, install_work, on_installed, &d->install) != ERR_OK)
            core_stop(r, ERR_LIMIT, true, "no worker for a snapshot");
        return;
    }
    if (!d->is_wanted || d->is_saving)
        return;
    d->is_wanted = false;
    enum err e = begin_save(r);
    if (e != ERR_OK) {
        LOG(r->cfg.log, LOG_ERROR, "snapshot_failed", LOG_ERR(e));
        return;
    }
    d->is_saving = true;
    run_slice(r);
}

/* --- parts, for members that lag and replicas; one is read at a time */

static void chunk_work(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, dump.chunk);
    struct rules_dump *d = &r->dump;
    buf_clear(&d->data);
    d->read_err =
        raft_store_chunk(r->store, d->chunk.index, d->chunk.offset, d->chunk.size, &d->data);
    if (d->read_err != ERR_OK)
        buf_clear(&d->data);
}

static void read_next(struct rules *r);

static void on_chunk(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, dump.chunk);
    struct rules_dump *d = &r->dump;
    d->is_reading = false;
    if (d->chunk.tag & CORE_TAG_PULLER)
        serve_on_chunk(r, buf_bytes(&d->data));
    else
        core_step(r, &(struct raft_event){.type = RAFT_CHUNK_READ,
                                          .tag = d->chunk.tag,
                                          .data = buf_bytes(&d->data)});
    read_next(r);
}

static void read_next(struct rules *r)
{
    struct rules_dump *d = &r->dump;
    if (d->is_reading || d->chunk_count == 0)
        return;
    d->chunk = d->chunks[0];
    d->chunk_count--;
    memmove(d->chunks, d->chunks + 1, d->chunk_count * sizeof d->chunks[0]);
    d->is_reading = io_work(r->cfg.loop, chunk_work, on_chunk, &d->chunk) == ERR_OK;
}

void dump_read(struct rules *r, const struct raft_chunk_order *order)
{
    struct rules_dump *d = &r->dump;
    if (d->chunk_count == DUMP_CHUNKS_MAX)
        return; /* whoever wants it asks again */
    d->chunks[d->chunk_count++] = *order;
    read_next(r);
}

/* --- life */

void dump_init(struct rules *r)
{
    buf_init(&r->dump.slice, SLICE);
    buf_init(&r->dump.data, RAFT_CHUNK_MAX);
}

void dump_stop(struct rules *r)
{
    struct rules_dump *d = &r->dump;
    io_work_revoke(r->cfg.loop, d);
    io_work_revoke(r->cfg.loop, &d->install);
    io_work_revoke(r->cfg.loop, &d->chunk);
    d->is_installing = d->is_reading = d->has_install = d->is_wanted = false;
    d->chunk_count = 0;
    if (d->is_saving)
        end_save(r);
}

void dump_fini(struct rules *r)
{
    buf_fini(&r->dump.slice);
    buf_fini(&r->dump.data);
}
