/* Linearizable reads (dissertation, 6.4): the leader notes its commit index, proves by a round of
 * heartbeats that it still leads, and lets the read go when that index is applied. A round has a
 * number that is never used again; reads that come while one is under way wait for the next. A
 * follower asks the leader for the index, for all its reads at once. Before an entry of the
 * leader's own term is committed its commit index may be old: reads wait. */
#include "raft/inner.h"

static struct raft_read *add(struct raft *r, uint64_t tag)
{
    if (r->read_count == r->cfg.reads_max)
        return NULL;
    struct raft_read *read = &r->waiting_reads[r->read_count++];
    *read = (struct raft_read){.tag = tag, .due_ms = r->now_ms + 2 * r->cfg.election_ms};
    return read;
}

void raft_read_begin(struct raft *r, uint64_t tag)
{
    if (r->role != RAFT_LEADER && id_is_zero(&r->leader))
        raft_post_result(r, tag, ERR_NOT_LEADER, 0);
    else if (!add(r, tag))
        raft_post_result(r, tag, ERR_OVERLOADED, 0);
}

/* --- rounds of the leader */

static bool is_round_won(const struct raft *r)
{
    uint64_t rows = raft_rows_of(r, &r->cfg.self, r->hard.store, r->hard.boot);
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_peer *p = &r->peers[i];
        if (p->context >= r->round)
            rows |= raft_rows_of(r, &p->id, p->store, p->boot);
    }
    return raft_quorum(r, rows);
}

static void confirm(struct raft *r)
{
    for (size_t i = 0; i < r->read_count; i++) {
        struct raft_read *read = &r->waiting_reads[i];
        if (read->context && read->context <= r->round)
            read->is_confirmed = true;
    }
    r->round = 0;
}

static bool begin_round(struct raft *r)
{
    uint64_t round = r->context + 1;
    bool is_wanted = false;
    for (size_t i = 0; i < r->read_count; i++) {
        struct raft_read *read = &r->waiting_reads[i];
        if (read->context || read->is_confirmed)
            continue;
        read->index = r->commit;
        read->context = round;
        is_wanted = true;
    }
    if (!is_wanted)
        return false;
    r->context = r->round = round;
    r->counts.read_rounds++;
    raft_heartbeat(r);
    return true;
}

static void lead_reads(struct raft *r)
{
    if (r->commit < r->term_start)
        return;
    do {
        if (r->round && is_round_won(r))
            confirm(r);
    } while (!r->round && begin_round(r) && is_round_won(r));
}

/* --- questions of a follower */

static void ask(struct raft *r)
{
    if (r->round && r->now_ms < r->question_due_ms)
        return;
    uint64_t question = r->context + 1;
    bool is_wanted = false;
    for (size_t i = 0; i < r->read_count; i++) {
        struct raft_read *read = &r->waiting_reads[i];
        if (read->is_confirmed || read->is_remote)
            continue;
        read->context = question;
        is_wanted = true;
    }
    r->round = 0;
    if (!is_wanted || id_is_zero(&r->leader))
        return;
    r->context = r->round = question;
    r->question_due_ms = r->now_ms + r->cfg.election_ms / 2;
    struct raft_message *m = raft_post(r, RAFT_READ, &r->leader, 0);
    if (m)
        m->context = question;
}

void raft_on_read(struct raft *r, const struct raft_message *m)
{
    struct raft_read *read = r->role == RAFT_LEADER ? add(r, m->context) : NULL;
    if (read) {
        read->is_remote = true;
        read->from = m->from;
        return;
    }
    struct raft_message *reply = raft_post(r, RAFT_READ_REPLY, &m->from, 0);
    if (reply)
        reply->context = m->context;
}

void raft_on_read_reply(struct raft *r, const struct raft_message *m)
{
    if (r->role == RAFT_LEADER || !r->round || m->context != r->round)
        return;
    if (!m->ok) {
        raft_read_drop(r);
        return;
    }
    for (size_t i = 0; i < r->read_count; i++) {
        struct raft_read *read = &r->waiting_reads[i];
        if (read->is_remote || read->is_confirmed || read->context != r->round)
            continue;
        read->index = m->index;
        read->is_confirmed = true;
    }
    r->round = 0;
}

/* --- ends */

static bool is_ended(struct raft *r, struct raft_read *read)
{
    if (read->is_confirmed && read->is_remote) {
        struct raft_message *reply = raft_post(r, RAFT_READ_REPLY, &read->from, 0);
        if (!reply)
            return false;
        reply->ok = true;
        reply->context = read->tag;
        reply->index = read->index;
        return true;
    }
    if (read->is_confirmed && read->index <= r->applied) {
        raft_post_result(r, read->tag, ERR_OK, read->index);
        return true;
    }
    if (r->now_ms < read->due_ms)
        return false;
    if (!read->is_remote)
        raft_post_result(r, read->tag, ERR_TIMEOUT, 0);
    return true;
}

void raft_read_step(struct raft *r)
{
    if (r->read_count == 0)
        return;
    if (r->role == RAFT_LEADER)
        lead_reads(r);
    else
        ask(r);
    size_t kept = 0;
    for (size_t i = 0; i < r->read_count; i++)
        if (!is_ended(r, &r->waiting_reads[i]))
            r->waiting_reads[kept++] = r->waiting_reads[i];
    r->read_count = kept;
}

/* What was confirmed stays true; the rest has to be begun again by whoever asked. */
void raft_read_drop(struct raft *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->read_count; i++) {
        struct raft_read *read = &r->waiting_reads[i];
        if (read->is_confirmed && !read->is_remote)
            r->waiting_reads[kept++] = *read;
        else if (!read->is_remote)
            raft_post_result(r, read->tag, ERR_NOT_LEADER, 0);
    }
    r->read_count = kept;
    r->round = 0;
}

uint64_t raft_read_due_ms(const struct raft *r)
{
    if (r->read_count == 0)
        return RAFT_NEVER;
    uint64_t due_ms = r->waiting_reads[0].due_ms;
    bool asks = r->role != RAFT_LEADER && r->round;
    return asks && r->question_due_ms < due_ms ? r->question_due_ms : due_ms;
}
