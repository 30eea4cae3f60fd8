/* Whom a replica asks for the log: see pull.c, which asks. A voter holds the question until there
 * is something new, so silence is usual, unless somebody is known to be ahead, by gossip or because
 * it judged a request by newer rules. Then the source (which may be cut off, stopped, revoked, or
 * lie about being ahead itself) has a moment to begin, and to go on; after it another is asked,
 * where there is another. */
#include "node/rules/inner.h"

#define SILENT_MS 300
#define LEFT_MS 3000
#define BOASTER_MS 60000 /* it said that it was ahead, and gave nothing */

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

static bool is_ahead(const struct rules *r, const struct peer *p)
{
    const struct rules_pull *pull = &r->pull;
    const struct facts_rules *f = p->facts ? &p->facts->rules : NULL;
    return (f && f->is_known && f->applied > pull->tip.index) ||
           (pull->told_epoch > r->head.epoch && id_equal(&pull->told, &p->id));
}

/* Less is better; UINT64_MAX: not at all. A node that is not ahead is asked only if it votes: two
 * replicas that wait for each other would wait for ever. */
static uint64_t cost_of(const struct rules *r, const struct peer *p)
{
    const uint64_t unknown_us = UINT64_C(1) << 40;
    const struct facts_rules *f = p->facts ? &p->facts->rules : NULL;
    bool is_voter = f && f->is_known && f->is_voter, has_more = is_ahead(r, p);
    if (p->state != PEER_ALIVE || is_avoided(r, &p->id))
        return UINT64_MAX;
    if (!is_voter && (!has_more || r->pull.has_snapshot))
        return UINT64_MAX;
    uint64_t us = mesh_distance_us(r->mesh, p);
    us = us == 0 || us > unknown_us ? unknown_us : us;
    return us + (has_more ? 0 : 4 * unknown_us) + (p->link ? 0 : 2 * unknown_us);
}

struct peer *source_choose(const struct rules *r, const struct id *but)
{
    struct peer *best = NULL;
    uint64_t best_cost = UINT64_MAX;
    for (size_t i = 0; i < mesh_peer_count(r->mesh); i++) {
        struct peer *p = mesh_peer(r->mesh, i);
        uint64_t cost = but && id_equal(but, &p->id) ? UINT64_MAX : cost_of(r, p);
        if (cost < best_cost) {
            best = p;
            best_cost = cost;
        }
    }
    return best;
}

/* --- silence */

static uint64_t patience_ms(const struct peer *source)
{
    return SILENT_MS + (source ? source->rtt_us / 500 : 0); /* and twice the way */
}

static void begin_waiting(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    p->late_ms = rules_now_ms(r);
    p->got = p->ask.in.size;
    pull_again(r, patience_ms(mesh_peer_find(r->mesh, &p->source)));
}

void source_asked(struct rules *r, const struct peer *peer)
{
    r->pull.source = peer->id;
    r->pull.late_ms = 0;
    source_hear(r, peer);
}

void source_hear(struct rules *r, const struct peer *peer)
{
    const struct rules_pull *p = &r->pull;
    if (p->ask.is_open && !p->has_snapshot && p->late_ms == 0 && is_ahead(r, peer))
        begin_waiting(r);
}

bool source_is_late(struct rules *r)
{
    struct rules_pull *p = &r->pull;
    struct peer *source = mesh_peer_find(r->mesh, &p->source);
    if (p->late_ms == 0)
        return false;
    uint64_t until_ms = p->late_ms + patience_ms(source);
    if (rules_now_ms(r) < until_ms) {
        pull_again(r, until_ms - rules_now_ms(r));
        return false;
    }
    if (p->ask.in.size > p->got) {
        begin_waiting(r);
        return false;
    }
    p->late_ms = 0;
    const struct peer *other = source_choose(r, &p->source);
    bool is_boaster = source && is_ahead(r, source);
    if (!other || (!is_boaster && !is_ahead(r, other)))
        return false;
    p->left++;
    LOG(r->cfg.log, LOG_INFO, "replica_source_left", LOG_STR("peer", source ? source->name : "?"),
        LOG_STR("for", other->name), LOG_UINT("index", p->tip.index));
    source_avoid(r, &p->source, is_boaster ? BOASTER_MS : LEFT_MS);
    return true;
}

void rules_hear_epoch(struct rules *r, const struct peer *peer, uint64_t epoch)
{
    if (!r->pull.is_on || !r->mesh || epoch <= r->head.epoch)
        return;
    r->pull.told = peer->id;
    r->pull.told_epoch = epoch;
    source_hear(r, peer);
    io_task_post(r->cfg.loop, &r->peers);
}
