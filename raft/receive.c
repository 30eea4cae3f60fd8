/* Messages: what an older or newer term in them means, then each to the file that knows its type;
 * and the follower's side of replication. Nothing of a message is taken that cannot be proven by
 * what is before it: an acknowledgement never passes what was matched, nor what is durable. */
#include "raft/inner.h"

/* --- answers to appends */

static void answer(struct raft *r, const struct raft_message *m, bool ok, uint64_t index)
{
    struct raft_message *reply = raft_post(r, RAFT_APPEND_REPLY, &m->from, ok ? index : 0);
    if (!reply)
        return;
    reply->ok = ok;
    reply->index = index;
    reply->context = m->context;
}

/* Refuses what follows m->index; the leader shall look for agreement at the hint or before. */
static void refuse_append(struct raft *r, const struct raft_message *m, uint64_t hint)
{
    struct raft_message *reply = raft_post(r, RAFT_APPEND_REPLY, &m->from, 0);
    r->counts.rejects_out++;
    if (!reply)
        return;
    reply->index = m->index;
    reply->context = m->context;
    reply->hint = hint;
    reply->hint_term = raft_log_term(&r->log, hint);
}

static void answer_matched(struct raft *r, const struct raft_message *m, uint64_t last)
{
    uint64_t commit = m->commit < last ? m->commit : last;
    if (commit > r->commit)
        r->commit = commit;
    /* A heartbeat is answered at once, with what is durable; records when they are. */
    if (m->count == 0 && last > r->log.durable)
        last = r->log.durable;
    answer(r, m, true, last);
}

/* --- records */

enum err raft_truncate(struct raft *r, uint64_t from)
{
    bool has_config = raft_log_config(&r->log, r->log.last) != NULL &&
                      raft_log_config(&r->log, r->log.last)->index >= from;
    bool was_written = from <= r->log.written;
    TRY(raft_log_truncate(&r->log, from));
    r->repair_question = 0;
    for (size_t i = 0; i < r->write_count; i++) {
        struct raft_waiting_write *w = &r->writes[(r->write_head + i) % RAFT_WRITES_MAX];
        if (w->last >= from) /* its completion speaks of records that are no more */
            w->last = from - 1;
    }
    if (was_written)
        raft_post_write(r)->truncate_from = from;
    r->counts.truncations++;
    if (has_config)
        raft_config_changed(r, RAFT_REASON_ROLLBACK);
    return ERR_OK;
}

/* One record of a message, at its place: known already, in conflict with ours, or new. */
static enum err take_record(struct raft *r, const struct raft_message *m,
                            const struct raft_entry *e, uint64_t index)
{
    struct raft_log *l = &r->log;
    if (e->index != index || e->term > m->term || e->term < raft_log_term(l, index - 1))
        return ERR_INVALID;
    if (index <= l->base.index)
        return ERR_OK;
    if (index <= l->last) {
        if (raft_log_term(l, index) == e->term)
            return ERR_OK;
        if (index <= r->commit)
            return ERR_CORRUPT; /* it would undo what is committed */
        TRY(raft_truncate(r, index));
    }
    if (memcmp(e->prev, l->last_hash, sizeof(e->prev)) != 0)
        return ERR_CORRUPT;
    if (r->is_full)
        return ERR_DISK_FULL;
    TRY(raft_log_append(l, e));
    if (e->kind == RAFT_CONFIG)
        raft_config_changed(r, RAFT_REASON_CONFIG);
    return ERR_OK;
}

static enum err take_records(struct raft *r, const struct raft_message *m, uint64_t *ret_last)
{
    struct bytes rest = m->records;
    uint64_t index = m->index;
    for (uint64_t i = 0; i < m->count; i++) {
        struct raft_entry e;
        TRY(raft_entry_read(&rest, &e));
        TRY(take_record(r, m, &e, ++index));
    }
    *ret_last = index;
    return rest.size ? ERR_INVALID : ERR_OK;
}

static void on_take_failed(struct raft *r, const struct raft_message *m, enum err err)
{
    raft_refuse(r, err);
    /* A later version's entry: whoever skipped it would diverge. */
    if (err == ERR_UNSUPPORTED || err == ERR_NO_MEMORY) {
        raft_stop(r, err);
        return;
    }
    struct raft_message *reply =
        err == ERR_DISK_FULL ? raft_post(r, RAFT_APPEND_REPLY, &m->from, 0) : NULL;
    if (!reply)
        return;
    reply->index = m->index;
    reply->context = m->context;
    reply->is_full = true;
}

/* Is the readable part before the gap another than the leader's? Then all from there on goes. */
static bool conflicts_before_gap(const struct raft *r, const struct raft_message *m)
{
    struct bytes rest = m->records;
    uint64_t index = m->index;
    for (uint64_t i = 0; i < m->count && ++index < r->log.bad_first; i++) {
        struct raft_entry e;
        if (raft_entry_read(&rest, &e) != ERR_OK)
            return false;
        if (index > r->log.base.index && raft_log_term(&r->log, index) != e.term)
            return true;
    }
    return false;
}

static void on_append(struct raft *r, const struct raft_message *m)
{
    struct raft_log *l = &r->log;
    uint64_t last = m->index;
    r->counts.appends_in++;
    if (l->bad_first && m->index >= l->bad_first) {
        refuse_append(r, m, l->bad_first - 1);
        return;
    }
    if (m->index > l->last) {
        refuse_append(r, m, l->last);
        return;
    }
    /* What is before the base is committed: the leader has it, too. */
    if (m->index >= l->base.index && raft_log_term(l, m->index) != m->log_term) {
        if (m->index <= r->commit)
            raft_refuse(r, ERR_CORRUPT);
        else
            refuse_append(r, m, raft_log_find(l, m->index - 1, m->log_term));
        return;
    }
    if (l->bad_first && m->count && !conflicts_before_gap(r, m)) {
        raft_on_fetched(r, m);
        return;
    }
    r->counts.duplicates += m->count && m->index + m->count <= l->last;
    enum err err = take_records(r, m, &last);
    if (err != ERR_OK)
        on_take_failed(r, m, err);
    else
        answer_matched(r, m, last);
}

/* What is committed there is committed: it is taken as if a leader had sent it, but nobody is
 * followed, and nobody gets an acknowledgement. The term is the sender's at least, lest a vote be
 * given in less than the records' terms. A candidate may take it, too: if it is elected, its log
 * had all of this already. */
void raft_take_committed(struct raft *r, const struct raft_message *m)
{
    struct raft_message after = *m;
    bool is_committed = m->index > 0 && m->count > 0 && m->index - 1 + m->count <= m->commit;
    uint64_t last = 0;
    if (!id_is_zero(&r->leader) || !is_committed)
        return;
    if (m->term > r->hard.term)
        raft_follow(r, m->term, NULL, RAFT_REASON_HIGHER_TERM);
    after.index--;
    enum err err = take_records(r, &after, &last);
    if (err == ERR_UNSUPPORTED || err == ERR_NO_MEMORY)
        raft_stop(r, err);
    if (err != ERR_OK) {
        raft_refuse(r, err);
        return;
    }
    r->counts.fetched += m->count;
    if (last > r->commit)
        r->commit = last;
    raft_catch_up(r, m);
}

/* --- terms */

/* May this message raise our term? Questions of those who follow nobody never do; a campaign does
 * not while a leader is heard, unless that leader itself wants it. */
static bool raises_term(struct raft *r, const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_VOTE: return m->is_forced || !raft_hears_leader(r);
    case RAFT_VOTE_REPLY:
    case RAFT_APPEND:
    case RAFT_APPEND_REPLY:
    case RAFT_OFFER:
    case RAFT_TIMEOUT_NOW: return true;
    default: return false;
    }
}

static bool is_of_leader(const struct raft_message *m)
{
    return m->type == RAFT_APPEND || m->type == RAFT_OFFER;
}

/* An older leader learns of our term by the answer, else it could lead on in vain. */
static void on_old_term(struct raft *r, const struct raft_message *m)
{
    r->counts.stale++;
    if (is_of_leader(m))
        refuse_append(r, m, 0);
    else if (m->type == RAFT_VOTE)
        (void)raft_post(r, RAFT_VOTE_REPLY, &m->from, 0);
}

/* False: nothing more is to be done with it. */
static bool heed_term(struct raft *r, const struct raft_message *m)
{
    if (m->term > r->hard.term) {
        if (!raises_term(r, m))
            return m->type != RAFT_VOTE;
        raft_follow(r, m->term, is_of_leader(m) ? &m->from : NULL, RAFT_REASON_HIGHER_TERM);
    }
    bool has_term = raises_term(r, m) || m->type == RAFT_VOTE || m->type == RAFT_READ_REPLY;
    if (has_term && m->term < r->hard.term) {
        on_old_term(r, m);
        return false;
    }
    if (!is_of_leader(m))
        return true;
    if (r->role == RAFT_LEADER) { /* two leaders of one term: never by us */
        raft_refuse(r, ERR_PROTOCOL);
        return false;
    }
    raft_follow(r, m->term, &m->from, RAFT_REASON_LEADER_SEEN);
    return true;
}

/* --- messages */

static void dispatch(struct raft *r, const struct raft_message *m)
{
    switch (m->type) {
    case RAFT_PREVOTE: raft_on_prevote(r, m); break;
    case RAFT_PREVOTE_REPLY: raft_on_prevote_reply(r, m); break;
    case RAFT_VOTE: raft_on_vote(r, m); break;
    case RAFT_VOTE_REPLY: raft_on_vote_reply(r, m); break;
    case RAFT_APPEND: on_append(r, m); break;
    case RAFT_APPEND_REPLY: raft_on_append_reply(r, m); break;
    case RAFT_OFFER: raft_on_offer(r, m); break;
    case RAFT_GET: raft_on_get(r, m); break;
    case RAFT_CHUNK: raft_on_chunk(r, m); break;
    case RAFT_READ: raft_on_read(r, m); break;
    case RAFT_READ_REPLY: raft_on_read_reply(r, m); break;
    case RAFT_TIMEOUT_NOW: raft_on_timeout_now(r, m); break;
    case RAFT_FETCH: raft_on_fetch(r, m); break;
    case RAFT_FETCHED: raft_on_fetched(r, m); break;
    case RAFT_LOST:
    case RAFT_MESSAGE_TYPES: break; /* what it has to say is in the common fields */
    }
}

/* No log and no mesh lives so long; what is added to such a number would begin at zero again. */
static bool is_absurd(const struct raft_message *m)
{
    uint64_t all = m->term | m->next_term | m->index | m->log_term | m->commit | m->hint | m->count;
    return all >> 62;
}

void raft_receive(struct raft *r, const struct raft_message *m)
{
    r->counts.messages_in++;
    bool is_ours = id_equal(&m->to, &r->cfg.self) && !id_equal(&m->from, &r->cfg.self);
    if (!is_ours || m->store == 0 || m->draws[0] == 0 || is_absurd(m)) {
        raft_refuse(r, ERR_INVALID);
        return;
    }
    if (!raft_has_room(r)) { /* the disk does not keep up: as if it were lost */
        raft_refuse(r, ERR_OVERLOADED);
        return;
    }
    if (!raft_heed_sender(r, m)) {
        raft_refuse(r, ERR_REPLAYED);
        (void)raft_post(r, RAFT_LOST, &m->from, 0);
        return;
    }
    if (heed_term(r, m))
        dispatch(r, m);
}
