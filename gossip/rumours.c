/* News spreads as an epidemic: whoever hears something new tells a few members at once, and others
 * in two more rounds a moment later (eager rounds: about log N hops of 20 ms reach everybody), then
 * lets it ride on pings and acks until it was told often enough. Least told first. Long records are
 * announced by their version only; who lacks them asks whom it heard from. */
#include "gossip/inner.h"

#define ROUNDS 3
#define FIRST_FANOUT 4
#define FANOUT 3
#define ROUND_MS 20
#define COALESCE_MS 8        /* what comes in one burst goes out in one datagram */
#define DATAGRAMS_PER_PEER 4 /* in one round */
#define WHOLE_RECORD_MAX 240 /* longer ones are announced */
#define TOLD_PER_DOUBLING 1  /* times told in all, per doubling of the number of members */

static struct gossip_rumour *most_told(struct gossip *g)
{
    struct gossip_rumour *most = &g->rumours[0];
    for (size_t i = 1; i < g->rumour_count; i++)
        if (g->rumours[i].told > most->told)
            most = &g->rumours[i];
    return most;
}

void gossip_rumour_add(struct gossip *g, struct gossip_row *row, unsigned what)
{
    struct gossip_rumour *r = NULL;
    for (size_t i = 0; i < g->rumour_count && !r; i++)
        if (g->rumours[i].row == row && g->rumours[i].what == what)
            r = &g->rumours[i];
    if (!r)
        r = g->rumour_count < GOSSIP_RUMOURS_MAX ? &g->rumours[g->rumour_count++] : most_told(g);
    *r = (struct gossip_rumour){.row = row, .what = (uint8_t)what};
    gossip_sooner(&g->rumours_due_ms, g->now_ms + COALESCE_MS);
}

static void drop(struct gossip *g, size_t index)
{
    g->rumours[index] = g->rumours[--g->rumour_count];
}

void gossip_rumours_drop(struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = g->rumour_count; i-- > 0;)
        if (g->rumours[i].row == row)
            drop(g, i);
}

void gossip_rumours_drop_accusations(struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = g->rumour_count; i-- > 0;)
        if (g->rumours[i].row == row && g->rumours[i].what >= GOSSIP_KINDS)
            drop(g, i);
}

/* --- telling */

static bool put_announcement(struct gossip *g, const struct gossip_row *row)
{
    struct gossip_entry entry;
    if (gossip_message_room(g) < GOSSIP_LIST_HEAD_MAX + GOSSIP_ENTRY_SIZE_MAX)
        return false;
    gossip_repair_entry(row, &entry);
    CHECK(gossip_wire_put_versions(&g->message, 1) == ERR_OK);
    CHECK(gossip_wire_put_entry(&g->message, &entry) == ERR_OK);
    return true;
}

static bool put(struct gossip *g, struct gossip_rumour *r)
{
    bool fits;
    if (r->what >= GOSSIP_KINDS)
        fits = gossip_suspicion_put_one(g, r->row, r->what - GOSSIP_KINDS);
    else if (gossip_records_size(r->row, r->what) > WHOLE_RECORD_MAX)
        fits = put_announcement(g, r->row);
    else
        fits = gossip_records_put(g, r->row, r->what, 0, gossip_message_room(g));
    if (fits && r->told < UINT16_MAX)
        r->told++;
    return fits;
}

static unsigned told_max(const struct gossip *g)
{
    unsigned doublings = 1;
    for (size_t n = g->order_count; n > 1; n /= 2)
        doublings++;
    return FIRST_FANOUT + (ROUNDS - 1) * FANOUT + TOLD_PER_DOUBLING * doublings;
}

static void drop_told(struct gossip *g)
{
    unsigned max = told_max(g);
    for (size_t i = g->rumour_count; i-- > 0;)
        if (g->rumours[i].told >= max)
            drop(g, i);
}

void gossip_rumours_put(struct gossip *g, const struct gossip_row *peer)
{
    while (gossip_message_room(g) > 0 && g->rumour_count > 0) {
        struct gossip_rumour *least = NULL;
        for (size_t i = 0; i < g->rumour_count; i++) {
            struct gossip_rumour *r = &g->rumours[i];
            if (r->stamp != g->put_stamp && gossip_may_know(g, peer, r->row) &&
                (!least || r->told < least->told))
                least = r;
        }
        if (!least || !put(g, least))
            break;
        least->stamp = g->put_stamp;
    }
    g->put_stamp++;
    drop_told(g);
}

/* --- eager rounds */

/* Tells `peer` everything eager that fits; the index after the last rumour that was told. */
static size_t tell(struct gossip *g, struct gossip_row *peer)
{
    size_t i = 0;
    (void)gossip_message(g);
    for (int datagrams = 0; i < g->rumour_count && datagrams < DATAGRAMS_PER_PEER;) {
        struct gossip_rumour *r = &g->rumours[i];
        if (r->round >= ROUNDS || !gossip_may_know(g, peer, r->row) || put(g, r)) {
            i++;
            continue;
        }
        datagrams++;
        gossip_post(g, peer);
    }
    gossip_post(g, peer);
    return i;
}

/* News of gateways crosses regions in its first round. */
static void tell_abroad(struct gossip *g)
{
    for (size_t i = 0; i < g->abroad_count && g->self->member.is_gateway; i++)
        if (g->abroad[i]->has_spoken)
            (void)tell(g, g->abroad[i]);
}

static bool is_first_round(const struct gossip *g)
{
    for (size_t i = 0; i < g->rumour_count; i++)
        if (g->rumours[i].round == 0)
            return true;
    return false;
}

/* What was not told for want of room keeps its round. */
static bool end_round(struct gossip *g, size_t told)
{
    bool is_more = false;
    for (size_t i = 0; i < g->rumour_count; i++) {
        struct gossip_rumour *r = &g->rumours[i];
        if (i < told && r->round < ROUNDS)
            r->round++;
        is_more |= r->round < ROUNDS;
    }
    return is_more;
}

void gossip_rumours_run(struct gossip *g)
{
    struct gossip_row *peers[FIRST_FANOUT];
    bool is_first = is_first_round(g);
    size_t count = gossip_members_pick(g, NULL, is_first ? FIRST_FANOUT : FANOUT, peers);
    size_t told = g->rumour_count;
    for (size_t i = 0; i < count; i++)
        told = tell(g, peers[i]);
    if (is_first)
        tell_abroad(g);
    for (size_t i = 0; i < g->guest_count && is_first; i++)
        (void)tell(g, g->guests[i]);
    bool is_more = end_round(g, told);
    drop_told(g);
    g->rumours_due_ms = is_more ? g->now_ms + ROUND_MS : UINT64_MAX;
}
