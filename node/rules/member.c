/* Whether this node is a member, and its ways in and out. In: raft's messages come (pull.c). Out:
 * the committed configuration leaves it out, as its own log says, or, since nobody sends the end of
 * a change to who was removed by it, as one of those whom its log names says when it is asked (POST
 * /mesh/v1/rules/member, its last index as the body, answered "yes" or "no"). What it stored and
 * was never committed is of no use to anybody then. */
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

/* One whom this node's own log names: anybody else could claim to know. */
static struct peer *choose(struct rules *r)
{
    const struct raft_config *config = raft_config(r->raft);
    struct peer *found = NULL;
    size_t seen = 0;
    for (size_t i = 0; i < config->count; i++) {
        struct peer *p = mesh_peer_find(r->mesh, &config->members[i].id);
        if (p && p->link && rng_below(&r->rng, ++seen) == 0)
            found = p;
    }
    return found;
}

static void ask(struct rules *r)
{
    struct raft_status s;
    uint8_t space[8];
    struct buf body;
    struct peer *p = choose(r);
    if (!p || r->member.is_open)
        return;
    raft_status(r->raft, &s);
    buf_init_fixed(&body, space, sizeof space);
    if (buf_append_u64(&body, s.last) != ERR_OK ||
        ask_start(r, &r->member, p, BYTES("member"), buf_bytes(&body), 16, on_answer) != ERR_OK)
        return; /* in a second, again */
}

void member_look(struct rules *r)
{
    if (!r->raft || !rules_goes_on(r) || raft_is_leader(r->raft) ||
        rules_now_ms(r) - r->heard_ms < PARTING_MS)
        return;
    if (member_is_one(r))
        ask(r);
    else if (is_at_rest(r))
        become_replica(r);
}

/* Who does not lead may know it, too: by a configuration that is committed, and newer than all that
 * the asker has. */
enum err member_accept(struct rules *r, struct rules_visit *v)
{
    const struct id *who = &v->stream.peer->id;
    bool leads = r->raft && raft_is_leader(r->raft);
    bool is_out = r->applied.config.count > 0 && !names(&r->applied.config, who);
    if (v->in.size != 8)
        return ERR_INVALID_REQUEST;
    if (leads)
        is_out = is_out && !names(raft_config(r->raft), who);
    else if (!is_out || r->applied.config_index <= bytes_big_endian(v->in.data, v->in.size))
        return ERR_NOT_LEADER;
    ask_answer(v, 200, is_out ? BYTES("no") : BYTES("yes"));
    return ERR_OK;
}
