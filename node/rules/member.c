/* Whether this node is a member, and its ways in and out. In: raft's messages come (pull.c). Out:
 * the committed configuration leaves it out, as its own log says, or, since nobody sends the end of
 * a change to who was removed by it, as the leader says when it is asked (POST
 * /mesh/v1/rules/member, answered "yes" or "no"). What it stored and was never committed is of no
 * use to anybody then: every committed entry is in the log of the leader that answered. */
#include "node/rules/inner.h"

#define PARTING_MS 3000 /* without a word of the leader */

static bool names(const struct raft_config *config, const struct id *id)
{
    for (size_t i = 0; i < config->count; i++)
        if (id_equal(&config->members[i].id, id))
            return true;
    return false;
}

/* Until the configuration that leaves it out is committed, a voter stays one. */
bool member_is_one(const struct rules *r)
{
    return names(raft_config(r->raft), rules_self(r)) || names(&r->applied.config, rules_self(r));
}

static void become_replica(struct rules *r)
{
    LOG(r->cfg.log, LOG_INFO, "rules_replica", LOG_UINT("applied", r->head.index));
    io_timer_stop(&r->tick);
    post_stop(r);
    raft_destroy(r->raft);
    r->raft = NULL;
    r->apply.to = r->head.index;
    pull_start(r);
    compare_say(r);
}

static bool is_at_rest(const struct rules *r)
{
    return !r->is_committing && !r->apply.is_busy && !r->dump.is_saving && !r->dump.is_installing &&
           !r->dump.has_install && !r->is_stepping;
}

static void on_answer(struct rules_ask *ask, enum err e)
{
    struct rules *r = ask->rules;
    bool is_out =
        e == ERR_OK && ask->status == 200 && bytes_equal(buf_bytes(&ask->in), BYTES("no"));
    if (is_out && r->raft && rules_goes_on(r) && is_at_rest(r) && !raft_is_leader(r->raft))
        become_replica(r);
}

static void ask_leader(struct rules *r)
{
    struct peer *leader = compare_leader(r);
    if (!leader || !leader->link || r->member.is_open)
        return;
    if (ask_start(r, &r->member, leader, BYTES("member"), bytes_of(NULL, 0), 16, on_answer) !=
        ERR_OK)
        return; /* in a second, again */
}

void member_look(struct rules *r)
{
    if (!r->raft || !rules_goes_on(r) || raft_is_leader(r->raft) ||
        rules_now_ms(r) - r->heard_ms < PARTING_MS)
        return;
    if (member_is_one(r))
        ask_leader(r);
    else if (is_at_rest(r))
        become_replica(r);
}

enum err member_accept(struct rules *r, struct rules_visit *v)
{
    const struct id *who = &v->stream.peer->id;
    if (!r->raft || !raft_is_leader(r->raft))
        return ERR_NOT_LEADER;
    bool is_in = names(raft_config(r->raft), who) || names(&r->applied.config, who);
    ask_answer(v, 200, is_in ? BYTES("yes") : BYTES("no"));
    return ERR_OK;
}
