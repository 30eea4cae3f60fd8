/* The leader's side: a progress for each other member (probe one message at a time, replicate a
 * window of them, or wait for a snapshot), heartbeats, commit. A heartbeat is an empty append at
 * the end of what was sent: its answer tells of lost messages and lost answers alike. Records go
 * out while the own disk still writes them. */
#include "raft/inner.h"

struct raft_peer *raft_peer_find(struct raft *r, const struct id *id)
{
    for (size_t i = 0; i < r->peer_count; i++)
        if (id_equal(&r->peers[i].id, id))
            return &r->peers[i];
    return NULL;
}

void raft_peer_probe(struct raft_peer *p, uint64_t next)
{
    p->state = RAFT_PROBE;
    p->next = next;
    p->is_paused = false;
    p->inflight_head = p->inflight_count = p->inflight_bytes = 0;
}

bool raft_is_leader(const struct raft *r)
{
    return r->role == RAFT_LEADER;
}

/* --- the log grows */

enum err raft_append(struct raft *r, enum raft_kind kind, struct bytes payload)
{
    struct raft_entry e = {
        .kind = kind, .term = r->hard.term, .index = r->log.last + 1, .payload = payload};
    memcpy(e.prev, r->log.last_hash, sizeof(e.prev));
    return raft_log_append(&r->log, &e);
}

void raft_lead(struct raft *r)
{
    r->role = RAFT_LEADER;
    r->leader = r->cfg.self;
    r->is_handing = false;
    for (size_t i = 0; i < r->peer_count; i++) {
        struct raft_peer *p = &r->peers[i];
        p->match = 0;
        p->heard_ms = r->now_ms;
        p->context = 0;
        raft_peer_probe(p, r->log.last + 1);
    }
    r->round = 0;
    r->quorum_due_ms = r->now_ms + r->cfg.election_ms;
    r->heartbeat_due_ms = r->now_ms + r->cfg.heartbeat_ms;
    r->term_start = r->log.last + 1;
    raft_post_change(r, RAFT_REASON_ELECTED);
    if (raft_append(r, RAFT_NOOP, bytes_of(NULL, 0)) != ERR_OK)
        raft_stop(r, ERR_NO_MEMORY);
}

static enum err propose_one(struct raft *r, const struct raft_proposal *p)
{
    if (r->role != RAFT_LEADER || r->is_handing)
        return ERR_NOT_LEADER;
    if (p->payload.size > RAFT_PAYLOAD_MAX)
        return ERR_LIMIT;
    size_t waiting = raft_log_bytes_after(&r->log, r->commit);
    bool is_much = waiting && waiting + p->payload.size > r->cfg.uncommitted_bytes_max;
    if (is_much || !raft_has_room(r))
        return ERR_OVERLOADED;
    return raft_append(r, RAFT_COMMAND, p->payload);
}

void raft_propose(struct raft *r, const struct raft_event *e)
{
    for (size_t i = 0; i < e->count && i < RAFT_BATCH_MAX; i++) {
        enum err err = propose_one(r, &e->proposals[i]);
        if (err == ERR_NO_MEMORY)
            raft_stop(r, err);
        r->counts.proposals++;
        r->counts.refused_proposals += err != ERR_OK;
        raft_post_outcome(r, e->proposals[i].tag, err, err == ERR_OK ? r->log.last : 0);
    }
}

/* --- commit */

/* Counting replicas commits entries of the own term alone, and with them all before (section 5.4.2
 * of the paper: an older one that a majority has can still be overwritten). */
void raft_commit(struct raft *r)
{
    if (r->role != RAFT_LEADER)
        return;
    uint64_t index = raft_quorum_index(r);
    if (index <= r->commit || raft_log_term(&r->log, index) != r->hard.term)
        return;
    r->commit = index;
    raft_config_committed(r);
}

/* --- sending */

/* From memory, or copied from the store. */
uint64_t raft_gather(struct raft *r, uint64_t first, uint64_t last, struct bytes *ret_records)
{
    const struct raft_log *l = &r->log;
    if (first >= l->memory_first)
        return raft_log_slice(l, first, last, r->cfg.append_bytes_max, ret_records);
    uint64_t count = 0;
    size_t size = 0, room = 0;
    uint8_t *out = NULL;
    struct bytes record;
    while (first + count < l->memory_first && first + count <= last &&
           raft_log_record(l, first + count, &record) == ERR_OK) {
        if (!out) {
            room = record.size > r->cfg.append_bytes_max ? record.size : r->cfg.append_bytes_max;
            out = arena_alloc(&r->arena, room);
        }
        if (!out || size + record.size > room)
            break;
        memcpy(out + size, record.data, record.size);
        size += record.size;
        count++;
    }
    *ret_records = bytes_of(out, size);
    return count;
}

static struct raft_message *post_append(struct raft *r, struct raft_peer *p)
{
    uint64_t prev = p->next - 1;
    uint64_t term = raft_log_term(&r->log, prev);
    if (prev < r->log.base.index || (term == 0 && prev != 0)) {
        raft_offer(r, p);
        return NULL;
    }
    struct raft_message *m = raft_post(r, RAFT_APPEND, &p->id, 0);
    if (!m)
        return NULL;
    m->index = prev;
    m->log_term = term;
    m->commit = r->commit;
    r->counts.appends_out++;
    return m;
}

static void remember_inflight(struct raft_peer *p, uint64_t last, size_t bytes)
{
    size_t at = (p->inflight_head + p->inflight_count++) % RAFT_INFLIGHT_MAX;
    p->inflight[at] = (struct raft_inflight){last, bytes};
    p->inflight_bytes += bytes;
}

static void free_inflight(struct raft_peer *p, uint64_t match)
{
    while (p->inflight_count && p->inflight[p->inflight_head].last <= match) {
        p->inflight_bytes -= p->inflight[p->inflight_head].bytes;
        p->inflight_head = (p->inflight_head + 1) % RAFT_INFLIGHT_MAX;
        p->inflight_count--;
    }
}

/* One message with what comes next; false: nothing more can be sent now. */
static bool send_records(struct raft *r, struct raft_peer *p)
{
    struct bytes records = {NULL, 0};
    struct raft_message *m = post_append(r, p);
    if (!m)
        return false;
    m->count = raft_gather(r, p->next, r->log.last, &records);
    m->records = records;
    if (m->count == 0) { /* a new start will find what is unreadable, and have it fetched */
        raft_stop(r, ERR_CORRUPT);
        return false;
    }
    uint64_t last = p->next + m->count - 1;
    if (p->state == RAFT_REPLICATE) {
        remember_inflight(p, last, records.size);
        p->next = last + 1;
    }
    return true;
}

static void send_to(struct raft *r, struct raft_peer *p)
{
    if (p->state == RAFT_PROBE && !p->is_paused) {
        p->is_paused = true;
        /* To one that does not answer, no records again and again. */
        if (r->now_ms >= p->heard_ms + r->cfg.election_ms || p->next > r->log.last)
            (void)post_append(r, p);
        else
            (void)send_records(r, p);
    }
    while (r->stop == ERR_OK && p->state == RAFT_REPLICATE && p->next <= r->log.last &&
           p->inflight_count < r->cfg.inflight_max &&
           p->inflight_bytes < r->cfg.inflight_bytes_max && send_records(r, p))
        ;
}

void raft_replicate(struct raft *r)
{
    for (size_t i = 0; i < r->peer_count && r->role == RAFT_LEADER; i++)
        send_to(r, &r->peers[i]);
}

/* To all; what was lost is found by the answers, and who was full or silent is tried again. */
void raft_heartbeat(struct raft *r)
{
    r->heartbeat_due_ms = r->now_ms + r->cfg.heartbeat_ms;
    r->is_hand_sent = false;
    for (size_t i = 0; i < r->peer_count; i++) {
        struct raft_peer *p = &r->peers[i];
        if (p->state == RAFT_SNAPSHOT) {
            raft_offer(r, p);
            continue;
        }
        struct raft_message *m = post_append(r, p);
        if (m)
            m->context = r->round;
        p->is_paused = r->now_ms >= p->heard_ms + r->cfg.election_ms;
    }
}

void raft_check_quorum(struct raft *r)
{
    if (r->role != RAFT_LEADER || r->now_ms < r->quorum_due_ms)
        return;
    uint64_t rows = raft_rows_of(r, &r->cfg.self, r->hard.store, r->hard.boot);
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_peer *p = &r->peers[i];
        if (r->now_ms < p->heard_ms + r->cfg.election_ms + r->cfg.heartbeat_ms)
            rows |= raft_rows_of(r, &p->id, p->store, p->boot);
    }
    r->quorum_due_ms = r->now_ms + r->cfg.election_ms;
    if (!raft_quorum(r, rows))
        raft_follow(r, r->hard.term, NULL, RAFT_REASON_NO_QUORUM);
}

/* --- answers */

static void on_refused(struct raft *r, struct raft_peer *p, const struct raft_message *m)
{
    r->counts.rejects_in++;
    if (m->is_full) {
        raft_peer_probe(p, p->match + 1);
        p->is_paused = true;
        return;
    }
    bool is_stale = m->index <= p->match || (p->state == RAFT_PROBE && m->index != p->next - 1);
    if (is_stale || p->state == RAFT_SNAPSHOT)
        return;
    uint64_t hint = m->hint < m->index ? m->hint : m->index - 1;
    uint64_t next = raft_log_find(&r->log, hint, m->hint_term) + 1;
    /* What is before the base was looked for in vain: only a snapshot helps. */
    if (hint < r->log.base.index)
        next = hint + 1;
    raft_peer_probe(p, next > p->match ? next : p->match + 1);
}

static void on_matched(struct raft *r, struct raft_peer *p, const struct raft_message *m)
{
    if (m->index > r->log.last) {
        raft_refuse(r, ERR_PROTOCOL);
        return;
    }
    if (m->index > p->match)
        p->match = m->index;
    free_inflight(p, p->match);
    if (p->next <= p->match)
        p->next = p->match + 1;
    bool is_known = p->match == m->index && p->match >= r->log.base.index;
    if (p->state == RAFT_PROBE && is_known && p->match + 1 >= p->next) {
        raft_peer_probe(p, p->match + 1);
        p->state = RAFT_REPLICATE;
    } else if (p->state == RAFT_SNAPSHOT && p->match >= r->log.base.index) {
        raft_peer_probe(p, p->match + 1);
    }
    raft_commit(r);
}

void raft_on_append_reply(struct raft *r, const struct raft_message *m)
{
    struct raft_peer *p = raft_peer_find(r, &m->from);
    if (r->role != RAFT_LEADER || !p || m->term != r->hard.term)
        return;
    p->heard_ms = r->now_ms;
    p->have = m->have;
    if (m->context > p->context)
        p->context = m->context;
    if (m->ok)
        on_matched(r, p, m);
    else
        on_refused(r, p, m);
}
