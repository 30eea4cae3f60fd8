/* Handing over: the leader takes no proposals any more, waits until the next one has all that it
 * has, and bids it campaign at once. If that takes longer than an election would, it leads on. */
#include "raft/inner.h"

static bool can_take(const struct raft *r, const struct raft_peer *p)
{
    return raft_rows_of(r, &p->id, p->store, p->boot) != 0 &&
           r->now_ms < p->heard_ms + r->cfg.election_ms;
}

static const struct raft_peer *best(const struct raft *r)
{
    const struct raft_peer *found = NULL;
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_peer *p = &r->peers[i];
        if (can_take(r, p) && (!found || p->match > found->match))
            found = p;
    }
    return found;
}

void raft_hand_over(struct raft *r, uint64_t tag, const struct id *to)
{
    enum err err = ERR_OK;
    const struct raft_peer *p = NULL;
    if (r->role != RAFT_LEADER)
        err = ERR_NOT_LEADER;
    else if (r->is_handing)
        err = ERR_CHANGE_PENDING;
    else if (id_is_zero(to) ? !(p = best(r)) : !(p = raft_peer_find(r, to)) || !can_take(r, p))
        err = ERR_NOT_CAUGHT_UP;
    if (err != ERR_OK) {
        raft_post_outcome(r, tag, err, 0);
        return;
    }
    r->is_handing = true;
    r->is_hand_sent = false;
    r->hand_to = p->id;
    r->hand_tag = tag;
    r->hand_due_ms = r->now_ms + r->cfg.election_ms;
    r->counts.transfers++;
}

void raft_hand_end(struct raft *r, enum err err)
{
    if (!r->is_handing)
        return;
    r->is_handing = false;
    r->counts.transfers_failed += err != ERR_OK;
    raft_post_outcome(r, r->hand_tag, err, 0);
}

void raft_hand_step(struct raft *r)
{
    if (!r->is_handing)
        return;
    const struct raft_peer *p = raft_peer_find(r, &r->hand_to);
    if (!p || r->now_ms >= r->hand_due_ms) {
        raft_hand_end(r, ERR_TIMEOUT);
        return;
    }
    /* All of it, durable here and there. */
    if (p->match != r->log.last || r->log.durable != r->log.last || r->is_hand_sent)
        return;
    r->is_hand_sent = true;
    (void)raft_post(r, RAFT_TIMEOUT_NOW, &p->id, 0);
}
