/* Happy path: once a second -> a gateway makes the summary of its region and gives it to gossip
 * where it is new; of each other region the live gateways' summaries are read, judged and kept as
 * the view. Failure modes: no memory (the view stays as it was), a payload that gossip took and
 * that is not understood any more (it is no claim). */
#include "node/mesh/abroad.h"

#include "node/mesh/core.h"

#include <stdlib.h>

static bool is_at_home(const struct mesh *m, const char *region)
{
    return strcmp(region, m->cfg.identity->cert.region) == 0;
}

/* --- saying */

static bool knows_others(const struct mesh *m)
{
    for (size_t i = 0; i < m->peer_count; i++)
        if (m->peers[i]->is_member && !is_at_home(m, m->peers[i]->peer.region))
            return true;
    return false;
}

static bool serves(const struct mesh *m, const struct peer *p)
{
    bool is_there = p->state == PEER_ALIVE || p->state == PEER_SUSPECT;
    return is_there && is_at_home(m, p->region) && p->facts && !p->draining;
}

static size_t collect(const struct mesh *m, struct summary_member *ret_members)
{
    const struct facts *own = m->ops->facts(m->owner);
    size_t count = 0;
    if (!own->draining)
        ret_members[count++] = (struct summary_member){m->cfg.identity->node, own};
    for (size_t i = 0; i < m->peer_count; i++)
        if (serves(m, &m->peers[i]->peer))
            ret_members[count++] =
                (struct summary_member){m->peers[i]->peer.id, m->peers[i]->peer.facts};
    return count;
}

static enum err write_own(const struct mesh *m, struct arena *arena, struct buf *wire)
{
    struct summary summary;
    struct summary_member *members = arena_alloc(arena, (m->peer_count + 1) * sizeof(*members));
    if (!members)
        return ERR_NO_MEMORY;
    TRY(summary_make(members, collect(m, members), arena, &summary));
    return summary_encode(&summary, wire);
}

static bool is_due(const struct mesh *m, const struct gossip_member *self)
{
    return self && self->is_gateway && !m->has_left && knows_others(m) &&
           mesh_now_ms(m) - m->abroad.said_ms >= ABROAD_SAY_MS;
}

static void say(struct mesh *m)
{
    const struct gossip_member *self = gossip_driver_member(m, &m->cfg.identity->node);
    if (!is_due(m, self))
        return;
    struct arena arena;
    struct buf wire;
    const struct gossip_record *last = &self->records[GOSSIP_SUMMARY];
    arena_init(&arena, SUMMARY_ARENA_MAX);
    buf_init(&wire, SUMMARY_WIRE_MAX);
    enum err e = write_own(m, &arena, &wire);
    bool is_old = last->version == 0 || mesh_now_ms(m) - last->made_ms >= ABROAD_REPEAT_MS;
    if (e != ERR_OK)
        LOG(m->cfg.log, LOG_ERROR, "summary_not_made", LOG_ERR(e));
    else if (is_old || !bytes_equal(last->payload, buf_bytes(&wire)))
        gossip_driver_publish(m, GOSSIP_SUMMARY, buf_bytes(&wire), false);
    m->abroad.said_ms = mesh_now_ms(m);
    buf_fini(&wire);
    arena_fini(&arena);
}

/* --- believing */

struct reading {
    struct arena *arena;
    struct summary_region *regions;
    struct {
        struct summary summaries[GOSSIP_GATEWAYS];
        uint64_t made_ms[GOSSIP_GATEWAYS];
        size_t count;
    } * claims; /* by region */
    size_t count;
    size_t verdicts[SUMMARY_VERDICTS];
};

static enum err begin(struct arena *arena, struct reading *r)
{
    *r = (struct reading){.arena = arena};
    r->regions = arena_calloc(arena, SUMMARY_REGIONS_MAX * sizeof(r->regions[0]));
    r->claims = arena_calloc(arena, SUMMARY_REGIONS_MAX * sizeof(r->claims[0]));
    return r->regions && r->claims ? ERR_OK : ERR_NO_MEMORY;
}

/* Its place among the regions; the regions past the bound are not looked at. */
static bool region_of(struct reading *r, const char *name, size_t *ret_index)
{
    size_t i = 0;
    while (i < r->count && strcmp(r->regions[i].name, name) != 0)
        i++;
    if (i == SUMMARY_REGIONS_MAX)
        return false;
    if (i == r->count) {
        r->regions[i].name = arena_str(r->arena, bytes_from_str(name));
        if (!r->regions[i].name)
            return false;
        r->count++;
    }
    *ret_index = i;
    return true;
}

static void read_gateway(struct reading *r, const struct gossip_member *member)
{
    const struct gossip_record *record = &member->records[GOSSIP_SUMMARY];
    size_t at;
    if (!region_of(r, member->region, &at) || r->regions[at].gateway_count == GOSSIP_GATEWAYS)
        return;
    r->regions[at].gateways[r->regions[at].gateway_count++] = member->id;
    size_t n = r->claims[at].count;
    if (record->version == 0 ||
        summary_decode(record->payload, r->arena, &r->claims[at].summaries[n]) != ERR_OK)
        return;
    r->claims[at].made_ms[n] = record->made_ms;
    r->claims[at].count++;
}

static enum err judge(struct reading *r, size_t at, uint64_t now_ms)
{
    struct summary_claim claims[GOSSIP_GATEWAYS];
    size_t count = r->claims[at].count;
    for (size_t i = 0; i < count; i++) {
        uint64_t made_ms = r->claims[at].made_ms[i];
        claims[i] = (struct summary_claim){.summary = &r->claims[at].summaries[i],
                                           .age_ms = now_ms > made_ms ? now_ms - made_ms : 0};
    }
    TRY(summary_judge(claims, count, r->arena, &r->regions[at].believed));
    for (size_t i = 0; i < count; i++) {
        bool is_newest = r->claims[at].made_ms[i] > r->regions[at].made_ms;
        if (claims[i].verdict != SUMMARY_STALE && is_newest)
            r->regions[at].made_ms = r->claims[at].made_ms[i];
        r->verdicts[claims[i].verdict]++;
    }
    return ERR_OK;
}

/* In the order of the members' ids, so that the same members make the same view. */
static enum err read_all(const struct mesh *m, struct reading *r)
{
    for (size_t i = 0; i < gossip_member_count(m->gossip.core); i++) {
        const struct gossip_member *member = gossip_member(m->gossip.core, i);
        if (member->is_gateway && !is_at_home(m, member->region))
            read_gateway(r, member);
    }
    for (size_t i = 0; i < r->count; i++)
        TRY(judge(r, i, mesh_now_ms(m)));
    return ERR_OK;
}

static void review(struct mesh *m)
{
    struct abroad *a = &m->abroad;
    struct arena next, old = a->arena;
    struct reading r;
    arena_init(&next, ABROAD_ARENA_MAX);
    enum err e = begin(&next, &r);
    if (e == ERR_OK)
        e = read_all(m, &r);
    if (e != ERR_OK) {
        arena_fini(&next);
        return;
    }
    struct summary_view view = {.regions = r.regions, .region_count = r.count};
    memcpy(view.verdicts, r.verdicts, sizeof(view.verdicts));
    bool is_news = !summary_offers_the_same(&a->view, &view);
    a->arena = next;
    a->view = view;
    arena_fini(&old);
    if (!is_news)
        return;
    upkeep_soon(m);
    if (m->ops->on_abroad)
        m->ops->on_abroad(m->owner);
}

void abroad_look(struct mesh *m)
{
    uint64_t now_ms = mesh_now_ms(m);
    say(m);
    if (m->abroad.looked_ms && now_ms - m->abroad.looked_ms < ABROAD_LOOK_MS)
        return;
    m->abroad.looked_ms = now_ms;
    review(m);
}

void abroad_init(struct abroad *a)
{
    *a = (struct abroad){.said_ms = 0};
    arena_init(&a->arena, ABROAD_ARENA_MAX);
}

void abroad_fini(struct abroad *a)
{
    arena_fini(&a->arena);
}

const struct summary_view *mesh_abroad(const struct mesh *m)
{
    return &m->abroad.view;
}
