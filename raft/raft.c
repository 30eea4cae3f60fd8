/* The object and its step: an event is handed to the file that knows it, then whatever has come due
 * is run, and the effects that the files left are shown. */
#include "raft/raft.h"

#include "raft/inner.h"

#include <stdlib.h>

#define ARENA_MAX (256u << 20) /* of one step's effects: copies for all members */
#define OUTCOMES_MAX (RAFT_BATCH_MAX + 2)

/* --- words */

const char *raft_role_name(enum raft_role role)
{
    static const char *const names[] = {"follower", "pre_candidate", "candidate", "leader",
                                        "stopped"};
    return names[role];
}

const char *raft_reason_name(enum raft_reason reason)
{
    static const char *const names[] = {
#define RAFT_REASON_WORD(constant, word) word,
        RAFT_REASONS(RAFT_REASON_WORD)
#undef RAFT_REASON_WORD
    };
    return names[reason];
}

const char *raft_message_name(enum raft_message_type type)
{
    static const char *const names[RAFT_MESSAGE_TYPES] = {
        "none",         "prevote", "prevote_reply", "vote",  "vote_reply", "append",
        "append_reply", "offer",   "get",           "chunk", "read",       "read_reply",
        "timeout_now",  "fetch",   "fetched",       "lost"};
    return names[type];
}

/* --- life */

void raft_cfg_init(struct raft_cfg *ret_cfg)
{
    *ret_cfg = (struct raft_cfg){.election_ms = 1000,
                                 .heartbeat_ms = 100,
                                 .append_bytes_max = 256u << 10,
                                 .inflight_max = 64,
                                 .inflight_bytes_max = 4u << 20,
                                 .uncommitted_bytes_max = 16u << 20,
                                 .memory_bytes = 4u << 20,
                                 .snapshot_entries = 10000,
                                 .keep_entries = 10000,
                                 .chunk_size = 256u << 10,
                                 .snapshot_bytes_per_s = 32u << 20,
                                 .reads_max = 4096};
}

static bool is_sane(const struct raft_cfg *cfg)
{
    return !id_is_zero(&cfg->self) && cfg->fresh_store && cfg->draw && cfg->election_ms &&
           cfg->heartbeat_ms && cfg->heartbeat_ms < cfg->election_ms && cfg->inflight_max &&
           cfg->inflight_max <= RAFT_INFLIGHT_MAX && cfg->chunk_size &&
           cfg->chunk_size <= RAFT_CHUNK_MAX && cfg->snapshot_bytes_per_s && cfg->reads_max &&
           cfg->append_bytes_max <= RAFT_RECORD_MAX && cfg->ops.read;
}

static void take_hard(struct raft *r, const struct raft_boot *boot)
{
    r->hard = boot->hard;
    r->hard.boot++;
    memmove(r->hard.draws + 1, r->hard.draws, sizeof(r->hard.draws) - sizeof(r->hard.draws[0]));
    r->hard.draws[0] = r->cfg.draw;
    if (r->hard.store == 0)
        r->hard.store = r->cfg.fresh_store;
    r->is_hard_dirty = true;
    /* Questions of this start are told from those of all others. */
    r->context = ((r->hard.store ^ r->hard.store >> 32) + r->hard.boot) << 32 | 1;
}

static enum err take_boot(struct raft *r, const struct raft_boot *boot)
{
    take_hard(r, boot);
    TRY(raft_log_open(&r->log, &r->cfg, boot));
    r->commit = r->handed = r->applied = boot->applied;
    if (r->log.last != boot->last) { /* it begins anew behind what was installed */
        r->base_shown = r->log.base;
        raft_post_write(r)->reset = &r->base_shown;
    }
    if (boot->snapshot)
        r->snapshot = *boot->snapshot;
    if (boot->staged && boot->staged->base.index > r->commit) {
        r->fetch.snapshot = *boot->staged;
        r->fetch.offset = boot->staged_size;
        r->fetch.is_staged = boot->staged_size == boot->staged->size;
    }
    return ERR_OK;
}

enum err raft_create(const struct raft_cfg *cfg, const struct raft_boot *boot,
                     struct raft **ret_raft)
{
    if (!is_sane(cfg))
        return ERR_INVALID;
    struct raft *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NO_MEMORY;
    r->cfg = *cfg;
    r->now_ms = cfg->now_ms;
    r->is_full = cfg->is_full;
    rng_init(&r->rng, cfg->seed);
    arena_init(&r->arena, ARENA_MAX);
    r->outcomes = calloc(OUTCOMES_MAX, sizeof(*r->outcomes));
    r->waiting_reads = calloc(cfg->reads_max, sizeof(*r->waiting_reads));
    r->results = calloc(cfg->reads_max + 1, sizeof(*r->results));
    enum err err = r->outcomes && r->waiting_reads && r->results ? ERR_OK : ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = take_boot(r, boot);
    if (err != ERR_OK) {
        raft_destroy(r);
        return err;
    }
    raft_config_changed(r, RAFT_REASON_STARTED);
    raft_election_reset(r);
    *ret_raft = r;
    return ERR_OK;
}

void raft_destroy(struct raft *r)
{
    if (!r)
        return;
    raft_log_close(&r->log);
    arena_fini(&r->arena);
    free(r->outcomes);
    free(r->waiting_reads);
    free(r->results);
    free(r);
}

/* --- events */

static void on_persisted(struct raft *r, uint64_t token)
{
    raft_post_persisted(r, token);
    raft_repair_persisted(r);
    raft_election_persisted(r);
    raft_commit(r);
}

static void on_applied(struct raft *r, uint64_t index)
{
    if (index > r->applied && index <= r->handed)
        r->applied = index;
}

static void on_unreachable(struct raft *r, const struct id *id)
{
    struct raft_peer *p = raft_peer_find(r, id);
    if (!p || r->role != RAFT_LEADER || p->state != RAFT_REPLICATE)
        return;
    raft_peer_probe(p, p->match + 1);
    p->is_paused = true; /* until the next heartbeat */
}

static void on_disk(struct raft *r, bool is_full)
{
    r->is_full = is_full;
    if (is_full && r->role != RAFT_FOLLOWER)
        raft_follow(r, r->hard.term, NULL, RAFT_REASON_FULL);
}

static void dispatch(struct raft *r, const struct raft_event *e)
{
    switch (e->type) {
    case RAFT_TICK: break;
    case RAFT_MESSAGE: raft_receive(r, e->message); break;
    case RAFT_PROPOSE: raft_propose(r, e); break;
    case RAFT_PERSISTED: on_persisted(r, e->index); break;
    case RAFT_WRITE_FAILED: raft_stop(r, e->err); break;
    case RAFT_APPLIED: on_applied(r, e->index); break;
    case RAFT_READ_INDEX: raft_read_begin(r, e->tag); break;
    case RAFT_HAND_OVER: raft_hand_over(r, e->tag, &e->id); break;
    case RAFT_CHANGE: raft_change_members(r, e); break;
    case RAFT_SNAPSHOT_MADE: raft_snapshot_made(r, e); break;
    case RAFT_CHUNK_READ: raft_chunk_read(r, e); break;
    case RAFT_INSTALLED: raft_installed(r, e->err); break;
    case RAFT_UNREACHABLE: on_unreachable(r, &e->id); break;
    case RAFT_DISK: on_disk(r, e->is_full); break;
    }
}

static void run_due(struct raft *r)
{
    raft_election_run(r);
    raft_check_quorum(r);
    if (r->role == RAFT_LEADER && r->now_ms >= r->heartbeat_due_ms)
        raft_heartbeat(r);
    raft_repair_run(r);
    raft_snapshot_run(r);
    raft_read_step(r);
    raft_hand_step(r);
    raft_replicate(r);
}

void raft_step(struct raft *r, const struct raft_event *event, struct raft_effects *ret_effects)
{
    bool begins_anew = r->token == 0 && r->has_write; /* since raft_create */
    raft_post_begin(r);
    if (begins_anew)
        raft_post_write(r)->reset = &r->base_shown;
    if (r->token == 0)
        raft_post_change(r, RAFT_REASON_STARTED);
    if (event->now_ms > r->now_ms)
        r->now_ms = event->now_ms;
    if (r->stop == ERR_OK)
        dispatch(r, event);
    if (r->stop == ERR_OK)
        run_due(r);
    raft_post_end(r, ret_effects);
}

static void sooner(uint64_t *due_ms, uint64_t other_ms)
{
    if (other_ms < *due_ms)
        *due_ms = other_ms;
}

uint64_t raft_deadline_ms(const struct raft *r)
{
    uint64_t due_ms = RAFT_NEVER;
    if (r->stop != ERR_OK)
        return RAFT_NEVER;
    if (r->is_hard_dirty)
        return r->now_ms;
    if (r->role == RAFT_LEADER) {
        sooner(&due_ms, r->heartbeat_due_ms);
        sooner(&due_ms, r->quorum_due_ms);
    } else {
        sooner(&due_ms, r->election_due_ms);
    }
    if (r->is_handing)
        sooner(&due_ms, r->hand_due_ms);
    if (r->log.bad_first && r->hard.known_count)
        sooner(&due_ms, r->repair_due_ms);
    sooner(&due_ms, raft_snapshot_due_ms(r));
    sooner(&due_ms, raft_read_due_ms(r));
    return due_ms;
}

/* --- queries */

enum err raft_record(const struct raft *r, uint64_t index, struct bytes *ret_record)
{
    return raft_log_record(&r->log, index, ret_record);
}

static void show_progress(const struct raft *r, struct raft_status *s)
{
    static const char *const states[] = {"probe", "replicate", "snapshot"};
    for (size_t i = 0; i < r->peer_count && r->role == RAFT_LEADER; i++) {
        const struct raft_peer *p = &r->peers[i];
        struct raft_progress *shown = &s->progress[s->progress_count++];
        bool is_listed = false, votes = raft_rows_of(r, &p->id, p->store, p->boot) != 0;
        const struct raft_config *config = raft_now(r);
        for (size_t k = 0; k < config->count; k++)
            is_listed |= id_equal(&config->members[k].id, &p->id) && config->members[k].store;
        *shown = (struct raft_progress){.id = p->id,
                                        .state = states[p->state],
                                        .match = p->match,
                                        .next = p->next,
                                        .heard_ms = p->heard_ms,
                                        .store = p->store,
                                        .inflight = p->inflight_count,
                                        .inflight_bytes = p->inflight_bytes,
                                        .is_learner = !is_listed,
                                        .is_fenced = is_listed && !votes};
    }
}

void raft_status(const struct raft *r, struct raft_status *ret_status)
{
    *ret_status = (struct raft_status){
        .role = r->role,
        .term = r->hard.term,
        .commit = r->commit,
        .applied = r->applied,
        .last = r->log.last,
        .durable = r->log.durable,
        .base = r->log.base.index,
        .leader = r->leader,
        .vote = r->hard.vote,
        .is_voter = raft_is_voter(r),
        .is_fenced = r->is_fenced,
        .is_full = r->is_full,
        .is_installing = r->is_installing,
        .is_handing_over = r->is_handing,
        .unreadable_first = r->log.bad_first,
        .unreadable_last = r->log.bad_last,
        .uncommitted_bytes = raft_log_bytes_after(&r->log, r->commit),
        .reads_waiting = r->read_count,
        .writes_waiting = r->write_count,
    };
    show_progress(r, ret_status);
}

void raft_counts(const struct raft *r, struct raft_counts *ret_counts)
{
    *ret_counts = r->counts;
}
