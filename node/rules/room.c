/* A full disk, which is no failure: a commit that finds no room, in the log or in the registry, was
 * not begun. While either lacks room this node leads no more and takes no new entries (raft's
 * RAFT_DISK; a replica asks for none), goes on with what it has, and once a second tries whether
 * there is room again. Of the log that is known early, with room left for what is under way
 * (raft_store_is_full); of the registry when applying a batch failed: that batch is tried again.
 * Called by persist.c, core.c, apply.c and dump.c. */
#include "node/rules/inner.h"

bool room_is_full(const struct rules *r)
{
    return r->is_log_full || r->is_registry_full;
}

static void change(struct rules *r, bool *is_full, bool is_full_now, const char *dir)
{
    bool was_full = room_is_full(r);
    if (*is_full == is_full_now)
        return;
    *is_full = is_full_now;
    LOG(r->cfg.log, is_full_now ? LOG_ERROR : LOG_INFO,
        is_full_now ? "rules_disk_full" : "rules_disk_has_room", LOG_STR("dir", dir),
        LOG_UINT("applied", r->head.index), LOG_UINT("epoch", r->head.epoch));
    if (room_is_full(r) == was_full)
        return;
    if (!r->is_stepping)
        core_step(r, &(struct raft_event){.type = RAFT_DISK, .is_full = !was_full});
    if (was_full)
        return;
    orders_begin_anew(r); /* this node will not learn of them before there is room */
    serve_on_full(r);
}

void room_of_log(struct rules *r, bool is_full)
{
    change(r, &r->is_log_full, is_full, r->store_dir);
}

void room_of_registry(struct rules *r, bool is_full)
{
    change(r, &r->is_registry_full, is_full, r->registry_dir);
}

void room_look(struct rules *r)
{
    if (r->is_log_full && rules_goes_on(r) && !r->is_committing && raft_store_begin_probe(r->store))
        persist_run(r);
    if (r->is_registry_full)
        apply_kick(r);
}
