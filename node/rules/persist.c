/* The log's commits: one at a time on a worker, each with all that waits by then, so that one sync
 * carries many writes. What depends on a write (messages, the core's own progress) goes on when it
 * is durable. A commit that fails is never tried again: the core is told and stops. One that found
 * no room was not begun: the store is opened anew, and what was not durable never was. */
#include "node/rules/inner.h"

static void commit(void *ctx)
{
    struct rules *r = ctx;
    raft_store_commit(r->store);
    r->has_committed = true;
}

static void count(struct rules *r, uint64_t took_us)
{
    size_t slot = 0;
    while (slot + 1 < RULES_COMMIT_SLOTS && took_us > (RULES_COMMIT_SLOT_US << slot))
        slot++;
    r->commit_slots[slot]++;
    r->commits++;
    r->commit_total_us += took_us;
}

static void on_failure(struct rules *r, enum err e)
{
    if (r->raft)
        core_step(r, &(struct raft_event){.type = RAFT_WRITE_FAILED, .err = e});
    else if (e == ERR_DISK_FULL)
        core_restart(r);
    else
        core_stop(r, e, true, "the log");
}

static void start(struct rules *r);

static void end(struct rules *r)
{
    uint64_t token;
    r->is_committing = false;
    count(r, io_now_us(r->cfg.loop) - r->commit_began_us);
    enum err e = raft_store_end(r->store, &token);
    if (e != ERR_OK) {
        on_failure(r, e);
        return;
    }
    r->durable_token = token;
    start(r); /* the disk has work again while we think */
    post_durable(r);
    if (r->raft)
        core_step(r, &(struct raft_event){.type = RAFT_PERSISTED, .index = token});
    else
        pull_on_stored(r, token);
    room_of_log(r, raft_store_is_full(r->store));
}

static void on_committed(void *ctx)
{
    end(ctx);
}

void persist_run(struct rules *r)
{
    r->is_committing = true;
    r->has_committed = false;
    r->commit_began_us = io_now_us(r->cfg.loop);
    if (io_work(r->cfg.loop, commit, on_committed, r) != ERR_OK)
        core_stop(r, ERR_LIMIT, true, "no worker for the log");
}

static void start(struct rules *r)
{
    if (!r->is_committing && raft_store_begin(r->store))
        persist_run(r);
}

void persist_write(struct rules *r, const struct raft_write *write)
{
    enum err e = raft_store_add(r->store, write);
    if (write->made)
        r->snapshot = *write->made;
    if (e == ERR_OK)
        start(r);
    else if (e == ERR_DISK_FULL)
        core_restart(r); /* a commit was refused before: this write is lost as that one is */
    else
        core_stop(r, e, true, "a write of the log");
}

void persist_stop(struct rules *r)
{
    uint64_t token;
    if (!r->is_committing)
        return;
    io_work_revoke(r->cfg.loop, r);
    if (!r->has_committed)
        raft_store_commit(r->store);
    r->is_committing = false;
    if (raft_store_end(r->store, &token) == ERR_OK)
        r->durable_token = token;
}
