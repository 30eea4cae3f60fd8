/* Committed entries into the registry, on a worker: one LMDB commit for all that waits, and in the
 * same turn what a leader must know of commands before it proposes them (registry_check). The rules
 * are in force here when the batch is committed and the reader shows it; only then are callers and
 * the core told.
 *
 * Failure modes: no room on the disk: the same is tried again once a second, and until then this
 * node does not lead; an entry that this program does not know, rows that fail their check, a full
 * map: nothing more is applied, and rules_status says why. */
#include "node/rules/inner.h"

#include <stdlib.h>

/* --- on the worker */

static enum err keep_outcomes(struct rules_apply *a, const struct raft_entry *entry,
                              const struct registry_applied *applied)
{
    if (a->outcome_count + applied->count > a->outcome_room) {
        size_t room = a->outcome_room * 2 + applied->count;
        struct outcome *more = realloc(a->outcomes, room * sizeof *more);
        if (!more)
            return ERR_NO_MEMORY;
        a->outcomes = more;
        a->outcome_room = room;
    }
    for (size_t i = 0; i < applied->count; i++)
        a->outcomes[a->outcome_count++] = (struct outcome){
            .index = entry->index, .term = entry->term, .place = i, .result = applied->results[i]};
    return ERR_OK;
}

static enum err apply_one(struct rules *r, const struct raft_entry *entry)
{
    struct rules_apply *a = &r->apply;
    struct registry_applied applied;
    struct registry_entry e = {.index = entry->index, .term = entry->term};
    raft_entry_hash(entry->record, e.chain);
    if (entry->kind == RAFT_COMMAND)
        e.proposal = entry->payload;
    TRY(registry_apply(r->registry, &e, &applied));
    TRY(keep_outcomes(a, entry, &applied));
    a->changed |= applied.changed;
    a->base.index = entry->index;
    a->base.term = entry->term;
    memcpy(a->base.hash, e.chain, sizeof a->base.hash);
    if (entry->kind != RAFT_CONFIG)
        return ERR_OK;
    a->base.config_index = entry->index;
    return raft_config_decode(entry->payload, &a->base.config);
}

static enum err apply_all(struct rules *r)
{
    struct bytes rest = buf_bytes(&r->apply.records);
    while (rest.size > 0) {
        struct raft_entry entry;
        TRY(raft_entry_read(&rest, &entry));
        TRY(apply_one(r, &entry));
    }
    return ERR_OK;
}

static enum err check_all(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    for (size_t i = 0; i < a->check_count; i++)
        TRY(registry_check(r->registry, a->time_ms, a->checks[i].command, &a->checks[i].result));
    return ERR_OK;
}

static void work(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, apply);
    struct rules_apply *a = &r->apply;
    a->err = registry_begin(r->registry);
    if (a->err == ERR_OK)
        a->err = apply_all(r);
    if (a->err == ERR_OK)
        a->err = check_all(r);
    if (a->err == ERR_OK && (a->count > 0 || a->is_probe))
        a->err = registry_commit(r->registry);
    else
        registry_abort(r->registry);
    if (a->err == ERR_OK)
        registry_head(r->registry, &a->head);
}

/* --- what follows */

static void tell_watchers(struct io_task *task)
{
    struct rules *r = LIST_ENTRY(task, struct rules, watch);
    uint32_t changed = r->changed;
    struct list told;
    r->changed = 0;
    if (changed && r->ops->on_change)
        r->ops->on_change(r->owner, changed);
    list_init(&told);
    for (struct list *it; (it = list_pop_front(&r->watchers));)
        list_push_back(&told, it);
    for (struct list *it; (it = list_pop_front(&told));) { /* each may go, or another */
        struct rules_watcher *w = LIST_ENTRY(it, struct rules_watcher, node);
        list_push_back(&r->watchers, it);
        w->on_epoch(w);
    }
}

enum err apply_renew(struct rules *r, uint32_t changed)
{
    uint64_t epoch = r->head.epoch;
    TRY(registry_reader_renew(r->reader));
    TRY(registry_reader_head(r->reader, &r->head));
    r->changed |= changed;
    compare_note(r);
    if (changed || r->head.epoch != epoch)
        io_task_post(r->cfg.loop, &r->watch);
    return ERR_OK;
}

static enum err show(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    if (a->err != ERR_OK)
        return a->err;
    if (a->count == 0)
        return ERR_OK;
    r->applied = a->base;
    return apply_renew(r, a->changed);
}

/* The batch is as it was before, on disk and in the registry. */
static void on_full(struct rules *r)
{
    r->apply.again_ms = rules_now_ms(r) + RULES_SECOND_MS;
    orders_on_unchecked(r);
    room_of_registry(r, true);
    dump_kick(r);
}

static void done(void *ctx)
{
    struct rules *r = LIST_ENTRY(ctx, struct rules, apply);
    struct rules_apply *a = &r->apply;
    uint64_t count = a->count;
    enum err e = show(r);
    a->is_busy = e == ERR_OK; /* until all that came of it is told: then the next job is made */
    if (e == ERR_DISK_FULL) {
        on_full(r);
        return;
    }
    if (e != ERR_OK) {
        core_stop(r, e, false, "applying the log");
        return;
    }
    if (count > 0 || a->is_probe)
        room_of_registry(r, false);
    orders_on_checked(r);
    if (count > 0) {
        orders_on_applied(r);
        core_step(r, &(struct raft_event){.type = RAFT_APPLIED, .index = r->head.index});
        if (!r->raft)
            pull_on_applied(r);
        serve_on_applied(r);
        compare_say(r);
    }
    a->is_busy = false;
    dump_kick(r);
    apply_kick(r);
}

/* --- starting */

static enum err take_record(struct rules *r, uint64_t index, struct bytes *ret_record)
{
    if (r->raft && raft_record(r->raft, index, ret_record) == ERR_OK)
        return ERR_OK;
    return raft_store_read(r->store, index, ret_record);
}

static enum err take_records(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    buf_clear(&a->records);
    a->first = r->head.index + 1;
    a->count = 0;
    while (a->first + a->count <= a->to && a->count < RULES_BATCH_ENTRIES &&
           a->records.size < RULES_BATCH_BYTES) {
        struct bytes record;
        TRY(take_record(r, a->first + a->count, &record));
        TRY(buf_append(&a->records, record));
        a->count++;
    }
    return ERR_OK;
}

void apply_kick(struct rules *r)
{
    struct rules_apply *a = &r->apply;
    if (a->is_busy || r->dump.is_installing || r->is_stepping || !rules_goes_on(r) ||
        rules_now_ms(r) < a->again_ms)
        return;
    enum err e = take_records(r);
    if (e != ERR_OK) {
        core_stop(r, e, false, "reading the log to apply it");
        return;
    }
    orders_take_checks(r);
    a->is_probe = r->is_registry_full && a->count == 0;
    if (a->count == 0 && a->check_count == 0 && !a->is_probe)
        return;
    a->is_busy = true;
    a->outcome_count = 0;
    a->changed = 0;
    a->base = r->applied;
    if (a->check_count > 0 && r->mesh)
        mesh_review_clock(r->mesh); /* a refusal for want of time needs those who agree */
    a->time_ms = io_wall_ms(r->cfg.loop);
    if (io_work(r->cfg.loop, work, done, a) != ERR_OK)
        core_stop(r, ERR_LIMIT, true, "no worker to apply the log");
}

void apply_init(struct rules *r)
{
    buf_init(&r->apply.records, RULES_BATCH_BYTES + RAFT_RECORD_MAX);
    list_init(&r->watchers);
    io_task_init(&r->watch, tell_watchers);
}

/* What a worker did not finish is applied again from the log at the next start. */
void apply_stop(struct rules *r)
{
    if (r->apply.is_busy)
        io_work_revoke(r->cfg.loop, &r->apply);
    r->apply.is_busy = false;
    io_task_cancel(&r->watch);
    while (list_pop_front(&r->watchers)) /* theirs to keep, and nothing to be told */
        ;
}

void apply_fini(struct rules *r)
{
    buf_fini(&r->apply.records);
    free(r->apply.outcomes);
}

void rules_watch(struct rules *r, struct rules_watcher *watcher)
{
    list_push_back(&r->watchers, &watcher->node);
}

void rules_unwatch(struct rules_watcher *watcher)
{
    list_remove(&watcher->node);
}
