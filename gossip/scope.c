/* Two scopes: everything about our own region, and of every other region its gateways, the live
 * members whose ids hash lowest (rendezvous hashing; Thaler and Ravishankar, 1998), so that all who
 * know the same members choose the same ones without a word. Only gateways talk across regions:
 * they probe each other, and tell what is known of gateways, theirs and others. A node's costs do
 * not depend on how many members other regions have.
 *
 * Failure modes: a gateway dies (its region's next one takes its place and introduces itself), a
 * node believes itself a gateway and is none (abroad it is not kept), a region cut off (its
 * gateways are down to us, by our own gateways' witness only). */
#include "gossip/inner.h"

#define UNDECIDED_MS 10000 /* longer than any suspicion takes */
#define UNUSED_MS 10000    /* a member abroad that is no gateway any more is dropped after it */

/* Who cannot be dialled ranks after all who can. */
static uint64_t rank_of(const struct gossip *g, const char *region, const struct id *id,
                        bool only_dials)
{
    uint8_t text[GOSSIP_NAME_MAX + ID_SIZE];
    size_t size = strlen(region);
    memcpy(text, region, size);
    memcpy(text + size, id->bytes, ID_SIZE);
    uint64_t hash = crypto_siphash(g->cfg.mesh.bytes, bytes_of(text, size + ID_SIZE));
    return hash >> 1 | (uint64_t)only_dials << 63;
}

bool gossip_may_know(const struct gossip *g, const struct gossip_row *peer,
                     const struct gossip_row *row)
{
    bool is_at_home = peer && !peer->is_abroad;
    return is_at_home || row->member.is_gateway || row == g->self;
}

bool gossip_would_be_gateway(const struct gossip *g, const struct gossip_owner *owner,
                             const struct id *id)
{
    uint64_t rank = rank_of(g, owner->region, id, owner->only_dials);
    size_t before = 0;
    for (size_t i = 0; i < g->row_count && before < GOSSIP_GATEWAYS; i++) {
        const struct gossip_row *row = g->rows[i];
        before += gossip_is_live(row) && strcmp(row->member.region, owner->region) == 0 &&
                  !id_equal(&row->member.id, id) && row->rank < rank;
    }
    return before < GOSSIP_GATEWAYS;
}

/* --- who is one */

void gossip_scope_rank(const struct gossip *g, struct gossip_row *row)
{
    row->is_abroad = strcmp(row->member.region, g->region) != 0;
    row->rank = rank_of(g, row->member.region, &row->member.id, row->only_dials);
}

struct region_top {
    const char *name;
    struct gossip_row *rows[GOSSIP_GATEWAYS]; /* by rank, lowest first */
    size_t count;
};

static struct region_top *top_of(struct region_top *tops, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(tops[i].name, name) == 0)
            return &tops[i];
    if (*count == GOSSIP_REGIONS_MAX)
        return NULL;
    tops[*count] = (struct region_top){.name = name};
    return &tops[(*count)++];
}

static void put_in_top(struct region_top *top, struct gossip_row *row)
{
    size_t at = top->count;
    while (at > 0 && top->rows[at - 1]->rank > row->rank)
        at--;
    if (at == GOSSIP_GATEWAYS)
        return;
    if (top->count < GOSSIP_GATEWAYS)
        top->count++;
    for (size_t i = top->count - 1; i > at; i--)
        top->rows[i] = top->rows[i - 1];
    top->rows[at] = row;
}

static size_t rank_all(struct gossip *g, struct region_top *tops)
{
    size_t count = 0;
    (void)top_of(tops, &count, g->region); /* there is always room for our own */
    for (size_t i = 0; i < g->row_count; i++) {
        struct gossip_row *row = g->rows[i];
        row->member.is_gateway = false;
        struct region_top *top =
            gossip_is_live(row) ? top_of(tops, &count, row->member.region) : NULL;
        if (top)
            put_in_top(top, row);
    }
    return count;
}

void gossip_scope_refresh(struct gossip *g)
{
    struct region_top tops[GOSSIP_REGIONS_MAX];
    bool was_gateway = g->self->member.is_gateway;
    size_t count = rank_all(g, tops);
    g->abroad_count = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tops[i].count; k++) {
            struct gossip_row *row = tops[i].rows[k];
            row->member.is_gateway = true;
            if (row->is_abroad)
                g->abroad[g->abroad_count++] = row;
        }
    g->home_gateways = 0;
    for (size_t i = 0; i < g->ring_count; i++)
        g->home_gateways += g->ring[i]->member.is_gateway;
    g->is_new_gateway |= !was_gateway && g->self->member.is_gateway;
}

void gossip_scope_introduce(struct gossip *g)
{
    for (size_t i = 0; i < g->abroad_count && g->is_new_gateway; i++) {
        struct gossip_from to = {
            .row = g->abroad[i], .id = g->abroad[i]->member.id, .over_link = true};
        gossip_repair_sync(g, &to);
    }
    g->is_new_gateway = false;
}

/* Abroad, a gateway no more and a suspect whom too few accuse for a verdict are none of our
 * concern: if it lives, and is a gateway, its region tells of it again. */
bool gossip_is_stranger(const struct gossip *g, const struct gossip_row *row)
{
    uint64_t age_ms = g->now_ms - row->member.since_ms;
    if (!row->is_abroad || !gossip_is_live(row))
        return false;
    bool is_undecided = row->member.state == GOSSIP_SUSPECT && age_ms > UNDECIDED_MS;
    return is_undecided || (!row->member.is_gateway && age_ms > UNUSED_MS);
}

/* --- across */

struct gossip_row *gossip_next_abroad(struct gossip *g)
{
    gossip_ring_refresh(g);
    if (!g->self->member.is_gateway || g->abroad_count == 0)
        return NULL;
    return g->abroad[g->abroad_next++ % g->abroad_count];
}

size_t gossip_gateways_at_home(const struct gossip *g, const struct gossip_row *but, size_t max,
                               struct gossip_row **ret_rows)
{
    size_t count = 0;
    for (size_t i = 0; i < g->ring_count && count < max; i++)
        if (g->ring[i]->member.is_gateway && g->ring[i] != but && g->ring[i] != g->self)
            ret_rows[count++] = g->ring[i];
    return count;
}

/* Versions of a few gateways, others each time: across regions buckets never match. */
void gossip_scope_put_versions(struct gossip *g, size_t max, size_t room)
{
    size_t fit =
        room > GOSSIP_LIST_HEAD_MAX ? (room - GOSSIP_LIST_HEAD_MAX) / GOSSIP_ENTRY_SIZE_MAX : 0;
    size_t gateways = 0;
    for (size_t i = 0; i < g->row_count; i++)
        gateways += g->rows[i]->member.is_gateway;
    size_t count = gateways < max ? gateways : max;
    count = count < fit ? count : fit;
    if (count == 0)
        return;
    CHECK(gossip_wire_put_versions(&g->message, (uint32_t)count) == ERR_OK);
    for (size_t put = 0; put < count;) {
        struct gossip_row *row = g->rows[g->versions_next++ % g->row_count];
        struct gossip_entry entry;
        if (!row->member.is_gateway)
            continue;
        gossip_repair_entry(row, &entry);
        CHECK(gossip_wire_put_entry(&g->message, &entry) == ERR_OK);
        put++;
    }
}
