/* What goes wrong: each seed draws which kinds of faults it has, and how often. At most one node's
 * disk is lost, rotten or rolled back at a time, and only where three or more vote: beyond that no
 * protocol could keep its promise. In the end everything is mended. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

/* --- what this world is like */

static unsigned maybe(struct raft_world *w, unsigned most)
{
    return rng_below(&w->rng, 2) ? (unsigned)rng_below(&w->rng, most + 1) : 0;
}

static bool is_scenario(const struct raft_world *w, const char *name)
{
    return strcmp(w->options.scenario, name) == 0;
}

static void choose_disks(struct raft_world *w, struct raft_features *f)
{
    bool only = is_scenario(w, "disks"), any = only || is_scenario(w, "mixed");
    f->slow_disks = rng_below(&w->rng, 3) == 0;
    if (!any)
        return;
    f->disk_slow = maybe(w, 4);
    f->disk_full = maybe(w, 3);
    f->disk_fail = maybe(w, 3);
    f->rot = only ? 6 : maybe(w, 4);
    f->wipe = only ? 3 : maybe(w, 3);
    f->rollback = maybe(w, 2);
}

/* Nothing but starts, and disks put back from copies of before some of them. */
static void choose_copies(struct raft_features *f)
{
    f->crash = 20;
    f->crash_boundary = 8;
    f->rollback = 20;
}

static void choose_network(struct raft_world *w, struct raft_features *f)
{
    f->drop = maybe(w, 100);
    f->duplicate = maybe(w, 100);
    f->tail = maybe(w, 60);
    f->partition = maybe(w, 8);
    f->one_way = maybe(w, 8);
    f->clog = maybe(w, 5);
    f->unreachable = maybe(w, 10);
}

void faults_choose(struct raft_world *w)
{
    struct raft_features *f = &w->features;
    w->voter_count = 1 + 2 * (size_t)rng_below(&w->rng, 3) + (rng_below(&w->rng, 6) == 0);
    if (rng_below(&w->rng, 16) == 0)
        w->voter_count = RAFT_VOTERS_MAX;
    if (is_scenario(w, "members"))
        w->voter_count = 2 + (size_t)rng_below(&w->rng, 3);
    if (is_scenario(w, "reads"))
        w->voter_count = 3;
    w->node_count = w->voter_count + (size_t)rng_below(&w->rng, RAFT_NODES - w->voter_count);
    if (w->node_count > 6 && w->voter_count < 5)
        w->node_count = 6;
    f->ends_with_reads = rng_below(&w->rng, 4) == 0;
    f->through_bytes = rng_below(&w->rng, 8) == 0;
    f->small_windows = rng_below(&w->rng, 3) == 0;
    f->small_memory = rng_below(&w->rng, 3) == 0;
    f->snapshots = rng_below(&w->rng, 2) || is_scenario(w, "snapshots");
    if (is_scenario(w, "calm"))
        return;
    choose_network(w, f);
    choose_disks(w, f);
    f->crash = maybe(w, 8);
    f->crash_boundary = maybe(w, 8);
    f->pause = maybe(w, 5);
    f->skew = maybe(w, 3);
    f->change = is_scenario(w, "members") ? 600 : maybe(w, 500);
    f->transfer = maybe(w, 100);
    if (is_scenario(w, "elections"))
        f->crash = 15;
    if (is_scenario(w, "copies"))
        choose_copies(f);
    if (is_scenario(w, "reads"))
        *f = (struct raft_features){.reads = true, .partition = 12, .one_way = 12, .tail = 20};
    /* Where disks are lost, three must be left to vote. */
    w->voters_min = f->rot || f->wipe || f->rollback ? 3 : 1;
}

/* --- small ones */

static struct raft_node *any_node(struct raft_world *w)
{
    return &w->nodes[rng_below(&w->rng, w->node_count)];
}

static void restart_later(struct raft_node *n)
{
    struct raft_world *w = n->world;
    struct raft_happening h = {.type = RAFT_HAPPENS_RESTART, .node = n};
    world_at(w, w->now_ms + (world_chance(w, 300) ? rng_below(&w->rng, 1500) : 30), &h);
}

static void crash(struct raft_node *n)
{
    if (!n->core)
        return;
    node_crash(n);
    restart_later(n);
}

bool faults_boundary(struct raft_node *n, size_t boundary)
{
    if (n->world->is_calm || !world_chance(n->world, n->world->features.crash_boundary))
        return false;
    n->world->stats.boundaries[boundary]++;
    crash(n);
    return true;
}

void faults_heal(struct raft_world *w)
{
    memset(w->cut, 0, sizeof(w->cut));
}

static void heal_later(struct raft_world *w)
{
    struct raft_happening h = {.type = RAFT_HAPPENS_HEAL};
    world_at(w, w->now_ms + 50 + rng_below(&w->rng, 1000), &h);
}

static void partition(struct raft_world *w)
{
    uint64_t side = rng_next(&w->rng);
    for (size_t i = 0; i < w->node_count; i++)
        for (size_t k = 0; k < w->node_count; k++)
            w->cut[i][k] |= (side >> i & 1) != (side >> k & 1);
    heal_later(w);
}

/* One node cannot be heard, or cannot hear; or one pair. */
static void cut_one_way(struct raft_world *w)
{
    size_t a = rng_below(&w->rng, w->node_count), b = rng_below(&w->rng, w->node_count);
    unsigned kind = (unsigned)rng_below(&w->rng, 3);
    for (size_t i = 0; i < w->node_count; i++) {
        w->cut[a][i] |= kind == 0 && i != a;
        w->cut[i][a] |= kind == 1 && i != a;
    }
    w->cut[a][b] |= kind == 2;
    heal_later(w);
}

static void clog_paths(struct raft_world *w)
{
    size_t a = rng_below(&w->rng, w->node_count);
    for (size_t i = 0; i < w->node_count; i++)
        if (rng_below(&w->rng, 2))
            w->clogged_until_ms[a][i] = w->now_ms + rng_below(&w->rng, 600);
}

static void skew(struct raft_node *n)
{
    n->clock_percent = 85 + (unsigned)rng_below(&n->world->rng, 31);
    n->clock_offset_ms = (int64_t)(n->world->now_ms * (100 - n->clock_percent) / 100);
    if (n->clock_percent > 100)
        n->clock_offset_ms = -(int64_t)(n->world->now_ms * (n->clock_percent - 100) / 100);
}

static void tell_disk(struct raft_node *n, bool is_full)
{
    struct raft_event e = {.type = RAFT_DISK, .is_full = is_full};
    n->is_full = is_full;
    if (n->core)
        shell_step(n, &e);
}

static void fill_disk(struct raft_node *n)
{
    n->disk.is_full = !n->disk.is_full;
    if (!n->disk.is_full || rng_below(&n->world->rng, 2)) /* else it finds out by a failed write */
        tell_disk(n, n->disk.is_full);
}

static void unreachable(struct raft_world *w)
{
    struct raft_node *n = any_node(w);
    struct raft_event e = {.type = RAFT_UNREACHABLE, .id = any_node(w)->id};
    if (n->core && w->now_ms >= n->paused_until_ms)
        shell_step(n, &e);
}

/* --- a disk is damaged */

static bool can_lose_one(const struct raft_config *config)
{
    size_t old = 0, voters = 0;
    for (size_t i = 0; i < config->count; i++) {
        old += config->members[i].was_voter;
        voters += config->members[i].is_voter;
    }
    return config->count == 0 || (voters >= 3 && (old == 0 || old >= 3));
}

static bool may_damage(struct raft_world *w)
{
    if (w->damaged)
        return false;
    for (size_t i = 0; i < w->node_count; i++)
        if (!w->nodes[i].core || !can_lose_one(raft_config(w->nodes[i].core)))
            return false;
    return true;
}

static void wipe(struct raft_node *n)
{
    node_crash(n);
    sim_disk_free(&n->disk);
    memset(&n->disk, 0, sizeof(n->disk));
    memset(&n->machine, 0, sizeof(n->machine));
    n->world->damaged = n;
    n->world->stats.wipes++;
    world_trace(n->world, n, "wiped");
    restart_later(n);
}

/* Found at the next start, or when an old record is read before. */
static void rot(struct raft_node *n)
{
    struct raft_disk *d = &n->disk;
    if (rng_below(&n->world->rng, 3)) {
        node_crash(n);
        restart_later(n);
    }
    if (d->record_count == 0)
        return;
    size_t first = rng_below(&n->world->rng, d->record_count);
    size_t count = 1 + rng_below(&n->world->rng, 3);
    for (size_t i = first; i < d->record_count && i < first + count; i++)
        d->records[i].is_rotten = true;
    n->world->damaged = n;
    n->world->stats.rots++;
    world_trace(n->world, n, "rotten");
}

/* An old copy of the disk is put back. */
static void roll_back(struct raft_world *w)
{
    struct raft_node *n = w->backup_of;
    node_crash(n);
    sim_disk_free(&n->disk);
    n->disk = w->backup;
    memset(&w->backup, 0, sizeof(w->backup));
    w->backup_of = NULL;
    w->damaged = n;
    w->stats.rollbacks++;
    world_trace(w, n, "rolled_back");
    restart_later(n);
}

static bool is_listed(const struct raft_world *w, const struct id *id)
{
    for (size_t i = 0; i < w->node_count; i++) {
        const struct raft_config *config = raft_config(w->nodes[i].core);
        for (size_t k = 0; k < config->count; k++)
            if (id_equal(&config->members[k].id, id))
                return true;
    }
    return false;
}

/* By its own log nothing comes about without others, who can tell it. */
static bool needs_others(struct raft_disk *d)
{
    struct raft_config config = d->base.config;
    size_t voters = 0;
    for (uint64_t index = sim_disk_last(d); index > d->base.index; index--) {
        const struct raft_stored *s = sim_disk_record(d, index);
        struct bytes record = bytes_of(s->bytes, s->size);
        struct raft_entry e;
        CHECK(raft_entry_read(&record, &e) == ERR_OK);
        if (e.kind != RAFT_CONFIG)
            continue;
        CHECK(raft_config_decode(e.payload, &config) == ERR_OK);
        break;
    }
    for (size_t i = 0; i < config.count; i++)
        voters += config.members[i].is_voter;
    return voters > 1;
}

/* All who are a member by anybody's log must have heard of a start since: whoever has not cannot
 * tell. They need not have heard of the newest. */
static bool is_known_later(struct raft_world *w)
{
    const struct raft_node *n = w->backup_of;
    for (size_t i = 0; i < w->node_count; i++) {
        const struct raft_hard *h = &w->nodes[i].disk.hard;
        bool knows = &w->nodes[i] == n || !is_listed(w, &w->nodes[i].id);
        for (size_t k = 0; k < h->known_count; k++)
            knows |= id_equal(&h->known[k].id, &n->id) && h->known[k].store == n->disk.hard.store &&
                     h->known[k].boot > w->backup.hard.boot;
        if (!knows)
            return false;
    }
    return w->backup.hard.store == n->disk.hard.store;
}

static void back_up_or_restore(struct raft_world *w)
{
    struct raft_node *n = any_node(w);
    if (w->backup_of) {
        if (is_known_later(w))
            roll_back(w);
        return;
    }
    if (n->disk.hard.store == 0 || !needs_others(&n->disk))
        return;
    sim_disk_copy(&n->disk, &w->backup);
    w->backup_of = n;
}

/* Whole again: all is readable, and whoever had to be is taken in under its new name. */
static void notice_repair(struct raft_world *w)
{
    struct raft_node *n = w->damaged, *leader = world_leader(w);
    if (!n || !n->core || !leader || n->seen.unreadable_first || n->seen.is_fenced)
        return;
    for (size_t i = 0; i < n->disk.record_count; i++)
        if (n->disk.records[i].is_rotten)
            return; /* and nobody has noticed yet */
    const struct raft_config *config = raft_config(leader->core);
    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].core && w->nodes[i].seen.commit < leader->seen.last)
            return;
    for (size_t i = 0; i < config->count; i++)
        if (id_equal(&config->members[i].id, &n->id) && config->members[i].store &&
            config->members[i].store != n->disk.hard.store)
            return;
    if (!raft_config_is_joint(config) && n->disk.hard.store)
        w->damaged = NULL;
}

/* --- now and then */

void faults_run(struct raft_world *w)
{
    const struct raft_features *f = &w->features;
    struct raft_node *n = any_node(w);
    bool is_up = n->core && w->now_ms >= n->paused_until_ms;
    if (world_chance(w, f->crash))
        crash(n);
    if (world_chance(w, f->partition))
        partition(w);
    if (world_chance(w, f->one_way))
        cut_one_way(w);
    if (world_chance(w, f->clog))
        clog_paths(w);
    if (world_chance(w, f->pause) && is_up)
        n->paused_until_ms = w->now_ms + rng_below(&w->rng, 800);
    if (world_chance(w, f->skew))
        skew(n);
    if (world_chance(w, f->unreachable))
        unreachable(w);
    if (world_chance(w, f->disk_slow))
        n->disk.slow_until_ms = w->now_ms + rng_below(&w->rng, 1000);
    if (world_chance(w, f->disk_fail))
        n->disk.fails = true;
    if (world_chance(w, f->disk_full) && n->core && is_up)
        fill_disk(n);
    notice_repair(w);
    if (world_chance(w, f->rot) && may_damage(w))
        rot(n);
    if (world_chance(w, f->wipe) && may_damage(w))
        wipe(n);
    if (world_chance(w, f->rollback * 5) && (!w->backup_of || may_damage(w)))
        back_up_or_restore(w);
}

void faults_end(struct raft_world *w)
{
    w->is_calm = true;
    faults_heal(w);
    memset(w->clogged_until_ms, 0, sizeof(w->clogged_until_ms));
    for (size_t i = 0; i < w->node_count; i++) {
        struct raft_node *n = &w->nodes[i];
        n->paused_until_ms = 0;
        n->disk.fails = false;
        n->disk.slow_until_ms = 0;
        n->disk.is_full = false;
        if (!n->core)
            node_start(n);
        tell_disk(n, false);
    }
}
