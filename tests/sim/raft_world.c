/* Time, the queue of what happens, and the life of nodes. Every happening is meant for one life of
 * one node: what comes after a crash finds nobody. */
#include "tests/sim/raft_parts.h"

#include <stdarg.h>
#include <stdlib.h>

/* --- the queue: a heap by time, then by order of arrival */

static bool is_before(const struct raft_happening *a, const struct raft_happening *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void world_at(struct raft_world *w, uint64_t at_ms, const struct raft_happening *h)
{
    struct raft_happening *copy = malloc(sizeof(*copy));
    CHECK(copy);
    *copy = *h;
    copy->at_ms = at_ms > w->now_ms ? at_ms : w->now_ms;
    copy->order = ++w->order;
    if (w->queue_count == w->queue_capacity) {
        w->queue_capacity = w->queue_capacity ? w->queue_capacity * 2 : 256;
        w->queue = realloc(w->queue, w->queue_capacity * sizeof(struct raft_happening *));
        CHECK(w->queue);
    }
    size_t at = w->queue_count++;
    for (; at > 0 && is_before(copy, w->queue[(at - 1) / 2]); at = (at - 1) / 2)
        w->queue[at] = w->queue[(at - 1) / 2];
    w->queue[at] = copy;
}

static struct raft_happening *take_first(struct raft_world *w)
{
    struct raft_happening *first = w->queue[0], *moved = w->queue[--w->queue_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= w->queue_count)
            break;
        if (child + 1 < w->queue_count && is_before(w->queue[child + 1], w->queue[child]))
            child++;
        if (!is_before(w->queue[child], moved))
            break;
        w->queue[at] = w->queue[child];
        at = child;
    }
    w->queue[at] = moved;
    return first;
}

/* --- what happens */

uint64_t node_now_ms(const struct raft_node *n)
{
    uint64_t now_ms = n->world->now_ms * n->clock_percent / 100;
    return (uint64_t)((int64_t)now_ms + n->clock_offset_ms);
}

static void deliver(struct raft_node *n, struct raft_letter *letter)
{
    struct raft_event e = {.type = RAFT_MESSAGE, .message = &letter->message};
    n->world->stats.messages++;
    shell_step(n, &e);
}

static void tick(struct raft_node *n)
{
    struct raft_event e = {.type = RAFT_TICK};
    n->tick_due_ms = UINT64_MAX;
    if (node_now_ms(n) >= raft_deadline_ms(n->core))
        shell_step(n, &e);
    else
        shell_step(n, NULL); /* only sets the timer again */
}

static void applied(struct raft_node *n, uint64_t index)
{
    struct raft_event e = {.type = RAFT_APPLIED, .index = index};
    shell_step(n, &e);
}

static void happen_to_node(struct raft_world *w, struct raft_happening *h)
{
    struct raft_node *n = h->node;
    bool is_gone = !n->core || (h->life && h->life != n->life);
    if (!is_gone && w->now_ms < n->paused_until_ms) {
        struct raft_happening later = *h;
        h->letter = NULL;
        world_at(w, n->paused_until_ms, &later);
        return;
    }
    if (is_gone)
        return;
    switch (h->type) {
    case RAFT_HAPPENS_TICK: tick(n); break;
    case RAFT_HAPPENS_LETTER: deliver(n, h->letter); break;
    case RAFT_HAPPENS_WRITTEN: shell_written(n); break;
    case RAFT_HAPPENS_APPLIED: applied(n, h->a); break;
    case RAFT_HAPPENS_DUMPED: shell_dumped(n); break;
    case RAFT_HAPPENS_INSTALLED: shell_installed(n); break;
    case RAFT_HAPPENS_CHUNK: shell_chunk(n, h->a, h->b, h->c >> 32, h->c & UINT32_MAX); break;
    default: break;
    }
}

bool world_run_one(struct raft_world *w, uint64_t until_ms)
{
    if (w->queue_count == 0 || w->queue[0]->at_ms > until_ms)
        return false;
    struct raft_happening *h = take_first(w);
    w->same_ms = h->at_ms == w->now_ms ? w->same_ms + 1 : 0;
    if (w->same_ms > 20000)
        world_break(w, "time_goes_on", "20000 events at once");
    w->now_ms = h->at_ms;
    switch (h->type) {
    case RAFT_HAPPENS_RESTART:
        if (!h->node->core && !h->node->is_gone)
            node_start(h->node);
        break;
    case RAFT_HAPPENS_CLIENT: client_run(w, (size_t)h->a); break;
    case RAFT_HAPPENS_MEMBERS: members_run(w); break;
    case RAFT_HAPPENS_HEAL: faults_heal(w); break;
    default: happen_to_node(w, h); break;
    }
    letter_free(h->letter);
    free(h);
    return true;
}

/* --- nodes */

static void configure(struct raft_node *n, struct raft_cfg *cfg)
{
    const struct raft_features *f = &n->world->features;
    raft_cfg_init(cfg);
    cfg->self = n->id;
    cfg->seed = rng_next(&n->world->rng);
    cfg->now_ms = node_now_ms(n);
    cfg->fresh_store = rng_next(&n->world->rng) | 1;
    cfg->draw = (uint32_t)(cfg->fresh_store >> 32) | 1;
    cfg->election_ms = RAFT_ELECTION_MS;
    cfg->heartbeat_ms = RAFT_HEARTBEAT_MS;
    cfg->snapshot_entries = f->snapshots ? 12 : 1000000;
    cfg->keep_entries = f->snapshots ? 4 : 1000000;
    cfg->chunk_size = 700;
    cfg->snapshot_bytes_per_s = 100000;
    cfg->reads_max = 16;
    cfg->append_bytes_max = f->small_windows ? 250 : 2000;
    cfg->inflight_max = f->small_windows ? 2 : 16;
    cfg->inflight_bytes_max = f->small_windows ? 500 : 20000;
    cfg->uncommitted_bytes_max = f->small_windows ? 1500 : 100000;
    cfg->memory_bytes = f->small_memory ? 300 : 100000;
    cfg->is_full = n->is_full;
    cfg->ops.read = sim_disk_read;
    cfg->ctx = n;
}

void node_start(struct raft_node *n)
{
    struct raft_cfg cfg;
    struct raft_boot boot;
    n->life++;
    n->machine = n->disk.machine;
    sim_disk_boot(&n->disk, &boot);
    configure(n, &cfg);
    enum err err = raft_create(&cfg, &boot, &n->core);
    if (err != ERR_OK) {
        world_break(n->world, "starts_from_its_disk", "%s: %s", n->name, err_word(err));
        return;
    }
    n->tick_due_ms = UINT64_MAX;
    check_start(n);
    struct raft_event e = {.type = RAFT_TICK};
    shell_step(n, &e);
}

void node_crash(struct raft_node *n)
{
    if (!n->core)
        return;
    world_trace(n->world, n, "crash");
    raft_destroy(n->core);
    n->core = NULL;
    n->is_crashing = false;
    shell_drop_held(n);
    size_t queued = 0;
    for (struct raft_queued_write *q = n->disk.first; q; q = q->next)
        queued++;
    n->world->stats.lost_writes += queued;
    sim_disk_crash(n, (size_t)rng_below(&n->world->rng, queued + 1));
    n->world->stats.crashes++;
}

struct raft_node *world_node(struct raft_world *w, const struct id *id)
{
    for (size_t i = 0; i < w->node_count; i++)
        if (id_equal(&w->nodes[i].id, id))
            return &w->nodes[i];
    return NULL;
}

struct raft_node *world_leader(struct raft_world *w)
{
    struct raft_node *found = NULL;
    for (size_t i = 0; i < w->node_count; i++) {
        struct raft_node *n = &w->nodes[i];
        if (n->core && raft_is_leader(n->core) && (!found || n->seen.term > found->seen.term))
            found = n;
    }
    return found;
}

bool world_chance(struct raft_world *w, unsigned per_thousand)
{
    return per_thousand && rng_below(&w->rng, 1000) < per_thousand;
}

/* --- life of a world */

static void init_node(struct raft_world *w, size_t number)
{
    struct raft_node *n = &w->nodes[number];
    n->world = w;
    n->number = number;
    n->clock_percent = 100;
    snprintf(n->name, sizeof(n->name), "s%zu", number + 1);
    memset(n->id.bytes, 0, sizeof(n->id.bytes));
    n->id.bytes[0] = (uint8_t)(number + 1);
    n->held_end = &n->held;
    n->tick_due_ms = UINT64_MAX;
}

static void on_broken_rule(void *ctx, const char *invariant, const char *why)
{
    world_break(ctx, invariant, "%s", why);
}

void world_init(struct raft_world *w, const struct raft_options *options)
{
    struct raft_config config = {0};
    memset(w, 0, sizeof(*w));
    w->options = *options;
    rules_init(&w->rules, on_broken_rule, w);
    rng_init(&w->rng, options->seed);
    faults_choose(w);
    for (size_t i = 0; i < w->node_count; i++)
        init_node(w, i);
    for (size_t i = 0; i < w->voter_count; i++) {
        config.members[config.count++] = (struct raft_member){
            .id = w->nodes[i].id, .store = rng_next(&w->rng) | 1, .is_voter = true};
    }
    for (size_t i = 0; i < w->voter_count; i++)
        sim_disk_init_voter(&w->nodes[i].disk, &config, config.members[i].store);
    for (size_t i = 0; i < w->node_count; i++)
        node_start(&w->nodes[i]);
}

void world_fini(struct raft_world *w)
{
    for (size_t i = 0; i < w->node_count; i++) {
        raft_destroy(w->nodes[i].core);
        shell_drop_held(&w->nodes[i]);
        sim_disk_free(&w->nodes[i].disk);
    }
    for (size_t i = 0; i < w->queue_count; i++) {
        letter_free(w->queue[i]->letter);
        free(w->queue[i]);
    }
    sim_disk_free(&w->backup);
    free(w->queue);
    rules_fini(&w->rules);
}

void world_break(struct raft_world *w, const char *invariant, const char *format, ...)
{
    if (w->broken)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->why, sizeof(w->why), format, arguments);
    va_end(arguments);
    w->broken = invariant;
}

void world_trace(struct raft_world *w, const struct raft_node *n, const char *event)
{
    if (!w->options.trace)
        return;
    const struct raft_status *s = &n->seen;
    fprintf(w->options.trace,
            "{\"t_ms\":%llu,\"node\":\"%s\",\"event\":\"%s\",\"term\":%llu,\"state\":\"%s\","
            "\"commit\":%llu,\"last\":%llu,\"vote\":",
            (unsigned long long)w->now_ms, n->name, event, (unsigned long long)s->term,
            n->core ? raft_role_name(s->role) : "down", (unsigned long long)s->commit,
            (unsigned long long)s->last);
    if (id_is_zero(&s->vote))
        fprintf(w->options.trace, "null}\n");
    else
        fprintf(w->options.trace, "\"s%u\"}\n", s->vote.bytes[0]);
}
