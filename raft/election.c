/* Terms and votes: who may campaign, whom this node votes for, when it stops following. A pre-vote
 * changes nothing anywhere but at the one who asks. A vote, and a candidacy, is told to nobody
 * before it is durable: raft_post ties all messages of a term to the write that began it. */
#include "raft/inner.h"

void raft_election_reset(struct raft *r)
{
    r->election_due_ms = r->now_ms + r->cfg.election_ms + rng_below(&r->rng, r->cfg.election_ms);
}

/* A leader that was heard from lately: campaigns of others, removed ones say, are not heeded. Its
 * own stepping down or silence ends that at once, so whoever led before is not locked out. */
bool raft_hears_leader(const struct raft *r)
{
    if (r->role == RAFT_LEADER)
        return true;
    return r->has_heard_leader && r->now_ms < r->heard_leader_ms + r->cfg.election_ms;
}

/* --- roles */

static void set_term(struct raft *r, uint64_t term)
{
    r->hard.term = term;
    r->hard.vote = (struct id){{0}};
    r->is_hard_dirty = true;
    r->counts.terms++;
}

void raft_follow(struct raft *r, uint64_t term, const struct id *leader, enum raft_reason reason)
{
    struct id none = {{0}};
    bool was_leader = r->role == RAFT_LEADER;
    bool is_news = r->role != RAFT_FOLLOWER || term > r->hard.term ||
                   !id_equal(&r->leader, leader ? leader : &none);
    bool is_new_leader = term > r->hard.term || !id_equal(&r->leader, leader ? leader : &none);
    if (term > r->hard.term)
        set_term(r, term); /* in the same term the vote stays what it is */
    r->role = RAFT_FOLLOWER;
    r->leader = leader ? *leader : none;
    r->has_heard_leader = leader != NULL;
    if (was_leader) {
        r->counts.step_downs++;
        raft_hand_end(r, ERR_OK);
    }
    if (is_new_leader || was_leader)
        raft_read_drop(r);
    if (leader)
        r->heard_leader_ms = r->now_ms;
    if (leader || was_leader)
        raft_election_reset(r);
    if (is_news)
        raft_post_change(r, reason);
}

static bool may_campaign(const struct raft *r)
{
    bool is_able = !r->is_full && !r->log.bad_first && !r->is_installing;
    return is_able && raft_may_be_needed(r) && raft_has_room(r);
}

static void ask_for_votes(struct raft *r, enum raft_message_type type)
{
    const struct raft_config *config = raft_now(r);
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *member = &config->members[i];
        bool is_again = i > 0 && id_equal(&member->id, &config->members[i - 1].id);
        if (id_equal(&member->id, &r->cfg.self) || is_again)
            continue;
        struct raft_message *m = raft_post(r, type, &member->id, r->log.last);
        if (!m)
            return;
        m->next_term = r->hard.term + (type == RAFT_PREVOTE);
        m->index = r->log.last;
        m->log_term = raft_log_last_term(&r->log);
        m->is_forced = r->is_forced;
    }
}

static void become_candidate(struct raft *r, enum raft_reason reason)
{
    set_term(r, r->hard.term + 1);
    r->role = RAFT_CANDIDATE;
    r->leader = (struct id){{0}};
    r->hard.vote = r->cfg.self;
    r->votes_granted = 0;
    r->vote_token = r->token + 1; /* of the write that this step makes */
    r->has_own_vote = false;
    r->counts.elections++;
    raft_election_reset(r);
    raft_read_drop(r);
    raft_post_change(r, reason);
    ask_for_votes(r, RAFT_VOTE);
}

static void become_pre_candidate(struct raft *r)
{
    bool was_candidate = r->role == RAFT_CANDIDATE;
    r->role = RAFT_PRE_CANDIDATE;
    r->leader = (struct id){{0}};
    r->has_heard_leader = false;
    r->is_forced = false;
    r->votes_granted = raft_rows_of(r, &r->cfg.self, r->hard.store, r->hard.boot);
    r->counts.prevotes++;
    raft_election_reset(r);
    raft_read_drop(r);
    raft_post_change(r, was_candidate ? RAFT_REASON_VOTE_LOST : RAFT_REASON_SILENCE);
    if (raft_quorum(r, r->votes_granted))
        become_candidate(r, RAFT_REASON_PREVOTE_WON);
    else
        ask_for_votes(r, RAFT_PREVOTE);
}

void raft_campaign(struct raft *r, bool is_forced)
{
    if (!may_campaign(r)) {
        if (r->role != RAFT_FOLLOWER || !id_is_zero(&r->leader))
            raft_follow(r, r->hard.term, NULL, RAFT_REASON_SILENCE);
        raft_election_reset(r);
        return;
    }
    r->is_forced = is_forced;
    if (is_forced)
        become_candidate(r, RAFT_REASON_TRANSFER);
    else
        become_pre_candidate(r);
}

void raft_election_run(struct raft *r)
{
    if (r->role != RAFT_LEADER && r->now_ms >= r->election_due_ms)
        raft_campaign(r, false);
}

static void count_votes(struct raft *r)
{
    if (r->role == RAFT_PRE_CANDIDATE && raft_quorum(r, r->votes_granted))
        become_candidate(r, RAFT_REASON_PREVOTE_WON);
    else if (r->role == RAFT_CANDIDATE && r->has_own_vote && raft_quorum(r, r->votes_granted))
        raft_lead(r);
}

/* The own vote is one like any other's: it counts when it is on disk. */
void raft_election_persisted(struct raft *r)
{
    if (r->role != RAFT_CANDIDATE || r->has_own_vote || !raft_is_durable(r, r->vote_token))
        return;
    r->has_own_vote = true;
    r->votes_granted |= raft_rows_of(r, &r->cfg.self, r->hard.store, r->hard.boot);
    count_votes(r);
}

/* --- voting */

static bool is_fresh(const struct raft *r, const struct raft_message *m)
{
    uint64_t term = raft_log_last_term(&r->log);
    return m->log_term > term || (m->log_term == term && m->index >= r->log.last);
}

/* With an unreadable end of the log it is not known what would be fresh. */
static bool may_vote(const struct raft *r)
{
    bool has_end = r->log.bad_last == 0 || r->log.bad_last < r->log.last;
    return has_end && !r->is_full && !r->is_installing;
}

void raft_on_prevote(struct raft *r, const struct raft_message *m)
{
    bool grants =
        m->next_term > r->hard.term && may_vote(r) && is_fresh(r, m) && !raft_hears_leader(r);
    struct raft_message *reply = raft_post(r, RAFT_PREVOTE_REPLY, &m->from, 0);
    if (!reply)
        return;
    reply->next_term = m->next_term;
    reply->commit = r->commit;
    reply->ok = grants;
}

void raft_on_prevote_reply(struct raft *r, const struct raft_message *m)
{
    if (!m->ok)
        raft_catch_up(r, m);
    if (!m->ok && m->term > r->hard.term) {
        raft_follow(r, m->term, NULL, RAFT_REASON_HIGHER_TERM);
        return;
    }
    if (r->role != RAFT_PRE_CANDIDATE || m->next_term != r->hard.term + 1 || !m->ok)
        return;
    r->votes_granted |= raft_rows_of(r, &m->from, m->store, m->boot);
    count_votes(r);
}

void raft_on_vote(struct raft *r, const struct raft_message *m)
{
    bool is_free = id_is_zero(&r->hard.vote) || id_equal(&r->hard.vote, &m->from);
    bool grants = m->term == r->hard.term && is_free && may_vote(r) && is_fresh(r, m);
    if (grants && id_is_zero(&r->hard.vote)) {
        r->hard.vote = m->from;
        r->is_hard_dirty = true;
        raft_election_reset(r);
    }
    struct raft_message *reply = raft_post(r, RAFT_VOTE_REPLY, &m->from, r->log.last);
    if (reply)
        reply->ok = grants;
}

void raft_on_vote_reply(struct raft *r, const struct raft_message *m)
{
    if (r->role != RAFT_CANDIDATE || m->term != r->hard.term || !m->ok)
        return;
    r->votes_granted |= raft_rows_of(r, &m->from, m->store, m->boot);
    count_votes(r);
}

void raft_on_timeout_now(struct raft *r, const struct raft_message *m)
{
    if (m->term != r->hard.term || r->role != RAFT_FOLLOWER || !id_equal(&r->leader, &m->from))
        return;
    raft_campaign(r, true);
}

/* The disk is not what it was: this node speaks under a new name of it, and votes no more until a
 * configuration takes that name in. What it said before stands. */
void raft_fence(struct raft *r)
{
    r->hard.store = r->cfg.fresh_store;
    r->is_hard_dirty = true;
    r->is_fenced = true;
    bool was_following_nobody = r->role == RAFT_FOLLOWER && id_is_zero(&r->leader);
    raft_follow(r, r->hard.term, NULL, RAFT_REASON_FENCED);
    if (was_following_nobody) /* no news of its role, but of its disk */
        raft_post_change(r, RAFT_REASON_FENCED);
    raft_election_reset(r);
}
