/* What gossip says of the rules: our own part for others (mesh_set_rules), and of others who leads,
 * how far they are, and whether their state is ours. Two replicas with different hashes at the same
 * index are an alarm. The one that is alone with its hash, or differs from the leader, is wrong: it
 * applies nothing more. */
#include "node/rules/inner.h"

void compare_note(struct rules *r)
{
    struct rules_hash *h = &r->hashes[r->hash_next];
    h->index = r->head.index;
    memcpy(h->hash, r->head.hash, sizeof h->hash);
    r->hash_next = (r->hash_next + 1) % RULES_HASHES_KEPT;
}

/* --- said */

void compare_say(struct rules *r)
{
    struct rules_status s;
    if (!r->mesh || r->is_closing)
        return;
    rules_status(r, &s);
    struct facts_rules f = {.is_known = s.applied > 0,
                            .epoch = s.epoch,
                            .applied = s.applied,
                            .commit = s.commit,
                            .is_voter = s.is_voter,
                            .is_leader = s.is_leader,
                            .has_state_hash = s.has_hash};
    memcpy(f.state_hash, s.hash, sizeof f.state_hash);
    if (f.is_known && !facts_rules_equal(&f, mesh_rules(r->mesh)))
        mesh_set_rules(r->mesh, &f);
}

/* --- heard */

bool compare_names_voter(const struct raft_config *config, const struct id *id)
{
    for (size_t i = 0; i < config->count; i++)
        if (id_equal(&config->members[i].id, id) &&
            (config->members[i].is_voter || config->members[i].was_voter))
            return true;
    return false;
}

bool compare_knows_voter(const struct rules *r)
{
    const struct raft_config *config = &r->applied.config;
    for (size_t i = 0; i < config->count; i++) {
        const struct peer *p = mesh_peer_find(r->mesh, &config->members[i].id);
        if (p && p->state == PEER_ALIVE && compare_names_voter(config, &p->id))
            return true;
    }
    return false;
}

/* The newest word wins: an old leader that was not heard of since may still claim to be one. While
 * a voter lives whom the applied log names, nobody else is believed to lead. */
struct peer *compare_leader(const struct rules *r)
{
    struct peer *found = NULL;
    bool knows_voter = r->mesh && compare_knows_voter(r);
    for (size_t i = 0; r->mesh && i < mesh_peer_count(r->mesh); i++) {
        struct peer *p = mesh_peer(r->mesh, i);
        const struct facts_rules *f = p->facts ? &p->facts->rules : NULL;
        if (!f || !f->is_known || !f->is_leader || p->state != PEER_ALIVE)
            continue;
        if (knows_voter && !compare_names_voter(&r->applied.config, &p->id))
            continue;
        if (!found || f->commit > found->facts->rules.commit)
            found = p;
    }
    return found;
}

static const struct rules_hash *own_at(const struct rules *r, uint64_t index)
{
    for (size_t i = 0; i < RULES_HASHES_KEPT && index > 0; i++)
        if (r->hashes[i].index == index)
            return &r->hashes[i];
    return NULL;
}

struct verdict {
    size_t same, other;
    const struct peer *leader, *first; /* of those who differ */
};

static void judge(const struct rules *r, const struct peer *p, struct verdict *v)
{
    const struct facts_rules *f = p->facts ? &p->facts->rules : NULL;
    if (!f || !f->is_known || !f->has_state_hash || p->state != PEER_ALIVE)
        return;
    const struct rules_hash *own = own_at(r, f->applied);
    if (!own)
        return;
    if (memcmp(own->hash, f->state_hash, sizeof own->hash) == 0) {
        v->same++;
        return;
    }
    v->other++;
    v->first = v->first ? v->first : p;
    v->leader = f->is_leader ? p : v->leader;
}

void compare_look(struct rules *r)
{
    struct verdict v = {.same = 0};
    for (size_t i = 0; i < mesh_peer_count(r->mesh); i++)
        judge(r, mesh_peer(r->mesh, i), &v);
    bool differs = v.other > 0;
    if (differs && !r->is_diverged)
        LOG(r->cfg.log, LOG_ERROR, "state_differs", LOG_STR("peer", v.first->name),
            LOG_UINT("index", v.first->facts->rules.applied), LOG_UINT("same", v.same),
            LOG_UINT("other", v.other));
    r->is_diverged = differs;
    bool is_wrong = v.leader || (v.other > 1 && v.other > v.same);
    if (is_wrong && r->stopped == ERR_OK)
        core_stop(r, ERR_CORRUPT, false, "the state differs from the other replicas'");
}
