/* Records from other members than the leader.
 *
 * While no leader is heard, although others may hear one (a link that is cut in one direction is
 * enough), those who refuse a pre-vote say what they have committed, and are asked for it.
 *
 * Unreadable records in the middle of the log. They were acknowledged, so the log is not shorter
 * for it: the node neither campaigns nor appends until they are back. The leader sends them like
 * any others; one that has nothing to send there is asked, and says so. Without a leader members
 * are asked, and the answer is believed as far as it is committed or fits between what is readable,
 * by the chain of hashes. */
#include "raft/inner.h"

void raft_repair_run(struct raft *r)
{
    if (!r->log.bad_first || r->now_ms < r->repair_due_ms || r->hard.known_count == 0)
        return;
    r->repair_due_ms = r->now_ms + r->cfg.election_ms / 2;
    bool is_led = !id_is_zero(&r->leader);
    if (is_led && r->log.bad_first <= r->commit)
        return; /* it sends them */
    /* The configuration may be among what cannot be read: all who were heard of are asked. */
    const struct raft_known *k = &r->hard.known[r->next_repairer++ % r->hard.known_count];
    struct raft_message *m = raft_post(r, RAFT_FETCH, is_led ? &r->leader : &k->id, 0);
    if (!m)
        return;
    m->index = r->log.bad_first;
    m->hint = r->log.bad_last;
    r->repair_question = m->context = ++r->context;
}

void raft_on_fetch(struct raft *r, const struct raft_message *m)
{
    struct bytes records = {NULL, 0};
    uint64_t count = 0, last = m->hint < r->log.last ? m->hint : r->log.last;
    if (!r->log.bad_first && m->index > r->log.base.index && m->index <= last)
        count = raft_gather(r, m->index, last, &records);
    struct raft_message *reply = raft_post(r, RAFT_FETCHED, &m->from, 0);
    if (!reply)
        return;
    reply->index = m->index;
    reply->commit = r->commit;
    reply->context = m->context;
    reply->hint = r->role == RAFT_LEADER ? r->log.last + 1 : 0;
    reply->records = records;
    reply->count = count;
}

void raft_catch_up(struct raft *r, const struct raft_message *m)
{
    if (!id_is_zero(&r->leader) || r->log.bad_first || r->is_full || m->commit <= r->commit)
        return;
    struct raft_message *question = raft_post(r, RAFT_FETCH, &m->from, 0);
    if (!question)
        return;
    question->index = r->commit + 1;
    question->hint = m->commit;
}

/* --- putting them back */

struct repair {
    struct bytes records; /* those from bad_first on */
    uint64_t count;
    uint8_t hash[CRYPTO_HASH_SIZE]; /* of the last one */
};

/* What may be put back of a chain of records that begins at `index`. */
static enum err check(const struct raft *r, const struct raft_message *m, uint64_t index,
                      uint64_t believed, struct repair *ret_repair)
{
    const struct raft_log *l = &r->log;
    struct bytes rest = m->records;
    struct repair repair = {.count = 0};
    TRY(raft_log_hash(l, index - 1, repair.hash));
    for (uint64_t i = 0; i < m->count && index <= l->bad_last; i++, index++) {
        struct raft_entry e;
        if (index > believed)
            break;
        TRY(raft_entry_read(&rest, &e));
        if (e.index != index || memcmp(e.prev, repair.hash, sizeof(e.prev)) != 0)
            return ERR_CORRUPT;
        raft_entry_hash(e.record, repair.hash);
        if (index < l->bad_first) {
            TRY(raft_log_term(l, index) == e.term ? ERR_OK : ERR_CORRUPT);
            continue;
        }
        if (repair.count++ == 0)
            repair.records = e.record;
        else
            repair.records.size += e.record.size;
    }
    *ret_repair = repair;
    return ERR_OK;
}

/* Does the readable record after the gap follow the last one put back? */
static bool fits_above(const struct raft *r, const struct repair *repair)
{
    struct bytes record;
    struct raft_entry e;
    return raft_log_record(&r->log, r->log.bad_last + 1, &record) == ERR_OK &&
           raft_entry_read(&record, &e) == ERR_OK &&
           memcmp(e.prev, repair->hash, sizeof(e.prev)) == 0;
}

/* This term's leader was asked after they had become unreadable, and its log ends before them: in
 * its term nobody has acknowledged them, and what was committed in earlier ones it has. An answer
 * to an earlier question tells nothing: since then it may have sent them. */
static bool are_none_of_the_log(const struct raft *r, const struct raft_message *m)
{
    return id_equal(&m->from, &r->leader) && m->term == r->hard.term &&
           m->context == r->repair_question && m->hint > 0 && m->hint <= r->log.bad_first &&
           r->log.bad_first > r->commit;
}

/* From the leader (APPEND: all is to be believed) or from another member. */
void raft_on_fetched(struct raft *r, const struct raft_message *m)
{
    struct raft_log *l = &r->log;
    bool is_leader = m->type == RAFT_APPEND;
    uint64_t first = is_leader ? m->index + 1 : m->index;
    struct repair repair;
    if (!l->bad_first) {
        raft_take_committed(r, m);
        return;
    }
    if (are_none_of_the_log(r, m)) {
        if (raft_truncate(r, l->bad_first) != ERR_OK)
            raft_refuse(r, ERR_CORRUPT);
        return;
    }
    if (r->repair_token || first > l->bad_first || first <= l->base.index || r->is_full)
        return;
    if (check(r, m, first, RAFT_NEVER, &repair) != ERR_OK) {
        raft_refuse(r, ERR_CORRUPT);
        return;
    }
    bool is_whole = l->bad_first + repair.count > l->bad_last;
    bool fits = is_whole && l->bad_last < l->last && fits_above(r, &repair);
    if (!is_leader && !fits && check(r, m, first, m->commit, &repair) != ERR_OK)
        return;
    struct bytes copy = arena_copy(&r->arena, repair.records);
    if (repair.count == 0 || !copy.data)
        return;
    is_whole = l->bad_first + repair.count > l->bad_last;
    if (is_whole && !fits && l->bad_last < l->last) { /* what is above followed something else */
        if (l->bad_last < r->commit || raft_truncate(r, l->bad_last + 1) != ERR_OK) {
            raft_refuse(r, ERR_CORRUPT);
            return;
        }
    }
    struct raft_write *w = raft_post_write(r);
    w->is_repair = true;
    w->first_index = l->bad_first;
    w->record_count = repair.count;
    w->records = copy;
    r->repair_token = r->token + 1; /* of the write of this step */
    r->repair_question = 0;
    r->counts.fetched += repair.count;
}

void raft_repair_persisted(struct raft *r)
{
    if (!r->repair_token || !raft_is_durable(r, r->repair_token))
        return;
    r->repair_token = 0;
    enum err err = raft_log_scan(&r->log);
    if (err != ERR_OK)
        raft_stop(r, err);
    else
        raft_config_changed(r, RAFT_REASON_CONFIG);
}
