/* Whom a replica asks for the log: see pull.c, which asks. */
#include "node/rules/inner.h"

void source_avoid(struct rules *r, const struct id *id, uint64_t for_ms)
{
    struct rules_pull *p = &r->pull;
    p->avoided[p->avoided_next] =
        (struct rules_avoided){.id = *id, .until_ms = rules_now_ms(r) + for_ms};
    p->avoided_next = (p->avoided_next + 1) % PULL_AVOIDED_MAX;
}

static bool is_avoided(const struct rules *r, const struct id *id)
{
    for (size_t i = 0; i < PULL_AVOIDED_MAX; i++) {
        const struct rules_avoided *a = &r->pull.avoided[i];
        if (id_equal(&a->id, id) && rules_now_ms(r) < a->until_ms)
            return true;
    }
    return false;
}

/* Less is better; UINT64_MAX: not at all. A node that is not ahead is asked only if it votes: two
 * replicas that wait for each other would wait for ever. */
static uint64_t cost_of(const struct rules *r, const struct peer *p)
{
    const uint64_t unknown_us = UINT64_C(1) << 40;
    const struct facts_rules *f = p->facts ? &p->facts->rules : NULL;
    if (p->state != PEER_ALIVE || is_avoided(r, &p->id) || !f || !f->is_known)
        return UINT64_MAX;
    bool is_ahead = f->applied > r->pull.tip.index;
    if (!is_ahead && !f->is_voter)
        return UINT64_MAX;
    if (r->pull.has_snapshot && !f->is_voter)
        return UINT64_MAX;
    uint64_t us = mesh_distance_us(r->mesh, p);
    us = us == 0 || us > unknown_us ? unknown_us : us;
    return us + (is_ahead ? 0 : 4 * unknown_us) + (p->link ? 0 : 2 * unknown_us);
}

struct peer *source_choose(const struct rules *r)
{
    struct peer *best = NULL;
    uint64_t best_cost = UINT64_MAX;
    for (size_t i = 0; i < mesh_peer_count(r->mesh); i++) {
        struct peer *p = mesh_peer(r->mesh, i);
        uint64_t cost = cost_of(r, p);
        if (cost < best_cost) {
            best = p;
            best_cost = cost;
        }
    }
    return best;
}
