/* The shell of a node: takes events into the core and carries out its effects in the order of the
 * contract: persist, send, apply, the rest. Between any two of them the node may crash
 * (faults_boundary). What the real shell does with threads and links is here a delay. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

enum { BEFORE_WRITE, BEFORE_SEND, BEFORE_APPLY, BEFORE_SAVE, BEFORE_REPORT, BEFORE_RELEASE };

static void set_timer(struct raft_node *n)
{
    struct raft_world *w = n->world;
    uint64_t due_ms = raft_deadline_ms(n->core);
    if (due_ms == UINT64_MAX)
        return;
    int64_t own_ms = (int64_t)due_ms - n->clock_offset_ms;
    uint64_t at_ms =
        own_ms <= 0 ? 0 : ((uint64_t)own_ms * 100 + n->clock_percent - 1) / n->clock_percent;
    at_ms = at_ms > w->now_ms ? at_ms : w->now_ms;
    if (at_ms >= n->tick_due_ms)
        return;
    n->tick_due_ms = at_ms;
    struct raft_happening h = {.type = RAFT_HAPPENS_TICK, .node = n, .life = n->life};
    world_at(w, at_ms, &h);
}

/* --- send */

static void release_held(struct raft_node *n, uint64_t token)
{
    struct raft_letter **at = &n->held;
    while (*at) {
        struct raft_letter *l = *at;
        if (l->after > token) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        check_send(n, &l->message);
        net_send(n->world, l);
    }
    n->held_end = at;
}

void shell_drop_held(struct raft_node *n)
{
    while (n->held) {
        struct raft_letter *l = n->held;
        n->held = l->next;
        letter_free(l);
    }
    n->held_end = &n->held;
}

static void send_all(struct raft_node *n, const struct raft_effects *e)
{
    for (size_t i = 0; i < e->send_count; i++) {
        struct raft_letter *l = letter_copy(&e->sends[i].message);
        l->after = e->sends[i].after;
        if (l->after) {
            *n->held_end = l;
            n->held_end = &l->next;
            continue;
        }
        check_send(n, &l->message);
        net_send(n->world, l);
    }
}

/* An error of the disk ends the node; want of room begins it again, full. */
static void on_stop(struct raft_node *n, enum err err)
{
    struct raft_world *w = n->world;
    struct raft_happening h = {.type = RAFT_HAPPENS_RESTART, .node = n};
    w->stats.disk_failures++;
    bool is_rot = err == ERR_CORRUPT && n == w->damaged;
    if (err != ERR_IO && err != ERR_DISK_FULL && !is_rot)
        world_break(w, "stops_only_for_the_disk", "%s: %s", n->name, err_word(err));
    n->is_full = err == ERR_DISK_FULL;
    node_crash(n);
    world_at(w, w->now_ms + (n->is_full ? 1 : 50), &h);
}

/* --- apply */

void shell_save_machine(struct raft_node *n)
{
    n->disk.machine = n->machine;
}

static void apply_all(struct raft_node *n, const struct raft_effects *e)
{
    for (uint64_t index = e->apply_first; index && index <= e->apply_last; index++) {
        struct bytes record;
        struct raft_entry entry;
        enum err err = raft_record(n->core, index, &record);
        if (err == ERR_OK)
            err = raft_entry_read(&record, &entry);
        if (err != ERR_OK && n == n->world->damaged) {
            on_stop(n, ERR_CORRUPT);
            return;
        }
        if (err != ERR_OK) {
            world_break(n->world, "committed_records_are_readable", "%s at %llu: %s", n->name,
                        (unsigned long long)index, err_word(err));
            return;
        }
        check_apply(n, &entry);
        client_applied(n, &entry, machine_apply(&n->machine, &entry));
    }
}

static void report_applied(struct raft_node *n, const struct raft_effects *e)
{
    struct raft_world *w = n->world;
    struct raft_happening h = {
        .type = RAFT_HAPPENS_APPLIED, .node = n, .life = n->life, .a = e->apply_last};
    if (world_chance(w, 300))
        shell_save_machine(n);
    world_at(w, w->now_ms + rng_below(&w->rng, 3), &h);
}

/* --- the rest */

static void order_rest(struct raft_node *n, const struct raft_effects *e)
{
    struct raft_world *w = n->world;
    struct raft_happening h = {.node = n, .life = n->life};
    for (size_t i = 0; i < e->chunk_count; i++) {
        const struct raft_chunk_order *o = &e->chunks[i];
        h.type = RAFT_HAPPENS_CHUNK;
        h.a = o->tag;
        h.b = o->index;
        h.c = o->offset << 32 | o->size;
        world_at(w, w->now_ms + rng_below(&w->rng, 3), &h);
    }
    if (e->install) {
        h.type = RAFT_HAPPENS_INSTALLED;
        world_at(w, w->now_ms + rng_below(&w->rng, 30), &h);
    }
    if (e->wants_snapshot) {
        free(n->disk.dump_bytes);
        n->disk.dump_size = machine_dump(&n->machine, &n->disk.dump_bytes);
        n->disk.dump_index = n->machine.applied;
        h.type = RAFT_HAPPENS_DUMPED;
        world_at(w, w->now_ms + rng_below(&w->rng, 20), &h);
    }
    for (size_t i = 0; i < e->outcome_count; i++)
        client_outcome(n, &e->outcomes[i]);
    for (size_t i = 0; i < e->read_count; i++)
        client_read(n, &e->reads[i]);
}

void shell_chunk(struct raft_node *n, uint64_t tag, uint64_t index, uint64_t offset, uint64_t size)
{
    const struct raft_disk *d = &n->disk;
    struct raft_event e = {.type = RAFT_CHUNK_READ, .tag = tag};
    if (d->snapshot.base.index == index && offset + size <= d->snapshot.size)
        e.data = bytes_of(d->snapshot_bytes + offset, (size_t)size);
    n->world->stats.chunks++;
    shell_step(n, &e);
}

void shell_dumped(struct raft_node *n)
{
    struct raft_event e = {.type = RAFT_SNAPSHOT_MADE, .index = n->disk.dump_index};
    if (!n->disk.dump_bytes)
        return;
    e.size = n->disk.dump_size;
    crypto_hash(bytes_of(n->disk.dump_bytes, n->disk.dump_size), e.content);
    shell_save_machine(n);
    n->world->stats.snapshots++;
    shell_step(n, &e);
}

void shell_installed(struct raft_node *n)
{
    struct raft_disk *d = &n->disk;
    struct raft_event e = {.type = RAFT_INSTALLED};
    struct bytes dump = bytes_of(d->staged_bytes, (size_t)d->staged_size);
    uint8_t hash[CRYPTO_HASH_SIZE];
    crypto_hash(dump, hash);
    bool is_right = memcmp(hash, d->staged.content, sizeof(hash)) == 0;
    if (!is_right || !machine_load(dump, &n->machine)) {
        world_break(n->world, "snapshots_arrive_whole", "%s", n->name);
        e.err = ERR_CORRUPT;
    } else {
        d->machine = n->machine;
        d->machine_base = d->staged.base;
        d->has_machine_base = true;
        n->world->stats.installs++;
        if (n->machine.applied != d->staged.base.index)
            world_break(n->world, "snapshots_are_what_they_say", "%s", n->name);
    }
    if (faults_boundary(n, BEFORE_SAVE))
        return;
    shell_step(n, &e);
}

/* --- steps */

static const char *name_of(const struct raft_event *e)
{
    static const char *const names[] = {"tick",         "message",       "propose",    "persisted",
                                        "write_failed", "applied",       "read",       "hand_over",
                                        "change",       "snapshot_made", "chunk_read", "installed",
                                        "unreachable",  "disk"};
    return e->type == RAFT_MESSAGE ? raft_message_name(e->message->type) : names[e->type];
}

void shell_step(struct raft_node *n, struct raft_event *event)
{
    struct raft_effects e;
    if (!event) {
        set_timer(n);
        return;
    }
    event->now_ms = node_now_ms(n);
    raft_step(n->core, event, &e);
    n->world->stats.steps++;
    check_step(n, event, &e);
    world_trace(n->world, n, name_of(event));
    if (e.stop != ERR_OK) {
        on_stop(n, e.stop);
        return;
    }
    if (e.write) {
        if (faults_boundary(n, BEFORE_WRITE))
            return;
        check_write(n, e.write);
        sim_disk_submit(n, e.write);
        if (faults_boundary(n, BEFORE_SEND))
            return;
    }
    send_all(n, &e);
    if (e.apply_first) {
        if (faults_boundary(n, BEFORE_APPLY))
            return;
        apply_all(n, &e);
        if (!n->core)
            return;
        if (faults_boundary(n, BEFORE_SAVE))
            return;
        report_applied(n, &e);
    }
    order_rest(n, &e);
    if (n->core)
        set_timer(n);
}

static bool fails(struct raft_node *n, struct raft_event *ret_event)
{
    struct raft_disk *d = &n->disk;
    bool needs_room = d->first->write.record_count || d->first->write.part;
    if (!d->fails && !(d->is_full && needs_room))
        return false;
    *ret_event =
        (struct raft_event){.type = RAFT_WRITE_FAILED, .err = d->fails ? ERR_IO : ERR_DISK_FULL};
    d->fails = false;
    return true;
}

void shell_written(struct raft_node *n)
{
    struct raft_disk *d = &n->disk;
    struct raft_event e = {.type = RAFT_PERSISTED};
    struct raft_event failure;
    while (d->first && d->first->done_ms <= n->world->now_ms) {
        if (fails(n, &failure)) {
            shell_step(n, &failure);
            return;
        }
        e.index = d->first->write.token;
        sim_disk_complete(n);
    }
    if (e.index == 0 || faults_boundary(n, BEFORE_REPORT))
        return;
    uint64_t token = e.index, life = n->life;
    shell_step(n, &e);
    if (!n->core || n->life != life || faults_boundary(n, BEFORE_RELEASE))
        return;
    release_held(n, token);
}
