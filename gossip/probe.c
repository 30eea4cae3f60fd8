/* SWIM's probes: one member per interval, in turns the next one of the ring (so that everybody is
 * probed every other interval by somebody) and the next of a shuffled order (so that views do not
 * depend on one neighbour). Ping; after a while three members are asked to ping for us and the ping
 * is repeated over a link; at the end of the interval whoever answered by no way is accused.
 *
 * Happy path: ping, ack. Failure modes: datagrams do not arrive (the link answers: no accusation,
 * and datagrams are given up for that member), nobody answers (accusation), nobody answers us about
 * anything (missing nacks: our health is at fault, and we slow down), we were stopped (nothing
 * counts). */
#include "gossip/inner.h"

#define DIRECT_MS 300 /* without a measured round trip */
#define DIRECT_MIN_MS 200
#define DIRECT_MAX_MS 500
#define PROBE_MS 800 /* the whole probe; the rest of the interval is for the accusation */
#define NACK_MS 200  /* a relay says that it hears nothing either */
#define SHOWN_TO_STRANGERS 12
#define RELAYS_PER_ASKER 4
#define URGENT_PROBES_MAX (GOSSIP_PROBES_MAX - 2) /* the others are for those in turn */
#define DATAGRAM_RETRY 8                          /* and each so many probes a datagram is tried */

void gossip_health_add(struct gossip *g, int points)
{
    int health = (int)g->health + points;
    g->health = (unsigned)(health < 0                   ? 0
                           : health > GOSSIP_HEALTH_MAX ? GOSSIP_HEALTH_MAX
                                                        : health);
}

static uint64_t stretched(const struct gossip *g, uint64_t ms)
{
    return ms * (1 + g->health);
}

/* --- our probes */

static struct gossip_probe *free_probe(struct gossip *g)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (!g->probes[i].row)
            return &g->probes[i];
    return NULL;
}

static uint64_t direct_ms(const struct gossip_row *row)
{
    uint64_t ms = row->member.rtt_us * 3 / 1000;
    if (row->member.rtt_us == 0)
        return DIRECT_MS;
    return ms < DIRECT_MIN_MS ? DIRECT_MIN_MS : ms > DIRECT_MAX_MS ? DIRECT_MAX_MS : ms;
}

/* Abroad we may be unknown until we have introduced ourselves over a link. */
static bool needs_introduction(const struct gossip_row *row)
{
    return row->is_abroad && !row->has_spoken;
}

static void put_ping(struct gossip *g, const struct gossip_row *row, uint64_t cookie)
{
    struct buf *b = gossip_message(g);
    if (needs_introduction(row))
        (void)gossip_records_put(g, g->self, GOSSIP_NODE, 0, GOSSIP_MESSAGE_MAX / 2);
    CHECK(gossip_wire_put_probe(b, GOSSIP_PART_PING, cookie) == ERR_OK);
    gossip_suspicion_put(g, row); /* Lifeguard's buddy system: a suspect is told at once */
    gossip_repair_put_digest(g, row);
    gossip_rumours_put(g, row);
}

static bool uses_datagrams(const struct gossip_row *row)
{
    return row->addr.size > 0 && !row->only_dials && !needs_introduction(row);
}

static void ping_by(struct gossip *g, struct gossip_row *row, uint64_t cookie, bool by_link)
{
    put_ping(g, row, cookie);
    if (by_link)
        gossip_post_link(g, row);
    else
        gossip_post_datagram(g, row);
}

/* Of a suspect every way is tried at once: what is lost over a link holds up all that comes after
 * it, for seconds, and a datagram may be lost. */
static void ping(struct gossip *g, struct gossip_row *row, uint64_t cookie)
{
    bool is_failing = row->datagram_misses >= GOSSIP_DATAGRAM_MISSES_MAX;
    bool is_suspect = row->member.state == GOSSIP_SUSPECT;
    if (is_failing)
        row->link_probes++;
    bool is_tried = !is_failing || is_suspect || row->link_probes % DATAGRAM_RETRY == 0;
    if (uses_datagrams(row) && is_tried)
        ping_by(g, row, cookie, false);
    if (!uses_datagrams(row) || is_failing || is_suspect)
        ping_by(g, row, cookie, true);
}

static size_t pick_relays(struct gossip *g, const struct gossip_row *row,
                          struct gossip_row *ret_relays[GOSSIP_INDIRECT])
{
    if (row->is_abroad)
        return gossip_gateways_at_home(g, row, GOSSIP_INDIRECT, ret_relays);
    if (!row->only_dials)
        return gossip_members_pick(g, row, GOSSIP_INDIRECT, ret_relays);
    size_t count = 0;
    for (size_t i = 0; i < row->via_count; i++) {
        struct gossip_row *via = gossip_row_find(g, &row->via[i]);
        if (via && via != g->self && gossip_is_live(via))
            ret_relays[count++] = via;
    }
    return count;
}

/* Over links where datagrams had their chance: their loss alone is nobody's death. */
static void ask_others(struct gossip *g, struct gossip_probe *p, bool over_link)
{
    struct gossip_row *relays[GOSSIP_INDIRECT];
    size_t count = pick_relays(g, p->row, relays);
    for (size_t i = 0; i < count; i++) {
        struct buf *b = gossip_message(g);
        CHECK(gossip_wire_put_ping_req(b, p->cookie, gossip_ref_of(&p->row->member.id)) == ERR_OK);
        if (over_link)
            gossip_post_link(g, relays[i]);
        else
            gossip_post(g, relays[i]);
        p->nacks_wanted += relays[i]->addr.size > 0;
    }
}

static void start(struct gossip *g, struct gossip_row *row, bool is_regular)
{
    struct gossip_probe *p = free_probe(g);
    if (!p)
        return;
    *p = (struct gossip_probe){.row = row,
                               .cookie = rng_next(&g->rng) | 1,
                               .sent_us = g->now_us,
                               .indirect_ms = g->now_ms + stretched(g, direct_ms(row)),
                               .end_ms = g->now_ms + stretched(g, PROBE_MS),
                               .is_regular = is_regular};
    g->counts.probes++;
    ping(g, row, p->cookie);
    if (row->only_dials)
        ask_others(g, p, false);
}

static bool is_probed(const struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (g->probes[i].row == row)
            return true;
    return false;
}

bool gossip_may_probe(const struct gossip *g, const struct gossip_row *row)
{
    return !row->is_abroad || g->self->member.is_gateway;
}

static size_t probe_count(const struct gossip *g)
{
    size_t count = 0;
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        count += g->probes[i].row != NULL;
    return count;
}

void gossip_probe_now(struct gossip *g, struct gossip_row *row)
{
    if (probe_count(g) < URGENT_PROBES_MAX && !is_probed(g, row) && gossip_may_probe(g, row))
        start(g, row, false);
}

static void go_indirect(struct gossip *g, struct gossip_probe *p)
{
    p->indirect_ms = UINT64_MAX;
    ask_others(g, p, p->row->only_dials);
    if (!uses_datagrams(p->row))
        return;
    ping_by(g, p->row, p->cookie, false);
    ping_by(g, p->row, p->cookie, true);
}

/* Lifeguard, section 4.1: what a failed probe says about ourselves. */
static void judge_ourselves(struct gossip *g, const struct gossip_probe *p)
{
    uint32_t missing = p->nacks < p->nacks_wanted ? p->nacks_wanted - p->nacks : 0;
    gossip_health_add(g, p->nacks_wanted == 0 ? 1 : (int)missing);
}

static void fail(struct gossip *g, struct gossip_probe *p)
{
    struct gossip_row *row = p->row;
    p->row = NULL;
    if (g->now_ms < g->quiet_until_ms)
        return;
    g->counts.probes_failed++;
    judge_ourselves(g, p);
    if (gossip_is_live(row) && gossip_may_probe(g, row))
        gossip_accuse(g, row);
}

/* --- answers */

static void measure(struct gossip *g, struct gossip_row *row, const struct gossip_probe *p,
                    const struct gossip_coordinate *coordinate)
{
    uint64_t rtt_us = g->now_us > p->sent_us ? g->now_us - p->sent_us : 0;
    if (rtt_us > GOSSIP_RTT_MAX_US)
        return; /* it was stopped */
    row->member.rtt_us = row->member.rtt_us ? (row->member.rtt_us * 7 + rtt_us) / 8 : rtt_us;
    if (!gossip_coordinate_is_valid(coordinate))
        return;
    row->coordinate = *coordinate;
    row->has_coordinate = true;
    CHECK(gossip_coordinate_update(&g->coordinate, &row->filter, coordinate, (int64_t)rtt_us,
                                   &g->rng) == ERR_OK);
}

static void succeed(struct gossip *g, struct gossip_probe *p, const struct gossip_from *from,
                    const struct gossip_part *part)
{
    struct gossip_row *row = p->row;
    bool is_direct = from->row == row && !from->over_link;
    row->member.heard_ms = g->now_ms; /* by way of a relay, it may be */
    row->is_accused_by_us = false;
    if (is_direct)
        measure(g, row, p, &part->coordinate);
    if (is_direct)
        row->datagram_misses = 0;
    else if (uses_datagrams(row) && row->datagram_misses < GOSSIP_DATAGRAM_MISSES_MAX)
        row->datagram_misses++;
    p->row = NULL;
    gossip_health_add(g, -1);
}

static void answer_asker(struct gossip *g, const struct gossip_relay *r)
{
    if (r->over_link)
        gossip_post_link(g, r->asker);
    else
        gossip_post(g, r->asker);
}

/* Passes an answer that a relayed ping got to who asked for it. */
static void pass_on(struct gossip *g, const struct gossip_from *from,
                    const struct gossip_part *part)
{
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX; i++) {
        struct gossip_relay *r = &g->relays[i];
        if (!r->target || r->cookie != part->cookie || r->target != from->row)
            continue;
        struct buf *b = gossip_message(g);
        if (gossip_wire_put_ack(b, r->asker_cookie, &part->coordinate) == ERR_OK)
            answer_asker(g, r);
        r->target = NULL;
        return;
    }
}

void gossip_probe_on_ack(struct gossip *g, const struct gossip_from *from,
                         const struct gossip_part *part)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (g->probes[i].row && g->probes[i].cookie == part->cookie) {
            succeed(g, &g->probes[i], from, part);
            return;
        }
    pass_on(g, from, part);
}

void gossip_probe_on_nack(struct gossip *g, uint64_t cookie)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (g->probes[i].row && g->probes[i].cookie == cookie)
            g->probes[i].nacks++;
}

/* --- for others */

void gossip_probe_on_ping(struct gossip *g, struct gossip_from *from, uint64_t cookie)
{
    if (from->has_pinged) /* one answer to one message */
        return;
    from->has_pinged = true;
    struct buf *b = gossip_message(g);
    CHECK(gossip_wire_put_ack(b, cookie, &g->coordinate.own) == ERR_OK);
    if (from->row) {
        gossip_suspicion_put(g, from->row);
        gossip_repair_put_digest(g, from->row);
        gossip_rumours_put(g, from->row);
    } else { /* no business of ours: shown its own region's gateways */
        gossip_scope_put_versions(g, SHOWN_TO_STRANGERS, gossip_message_room(g));
    }
    gossip_answer(g, from);
}

/* A member gets a few at a time, and none twice. */
static bool asks_too_much(const struct gossip *g, const struct gossip_row *asker,
                          const struct gossip_row *target)
{
    size_t count = 0;
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX; i++) {
        const struct gossip_relay *r = &g->relays[i];
        count += r->target && r->asker == asker;
        if (r->asker == asker && r->target == target)
            return true;
    }
    return count >= RELAYS_PER_ASKER;
}

void gossip_probe_on_request(struct gossip *g, const struct gossip_from *from,
                             const struct gossip_part *part)
{
    struct gossip_row *target = gossip_row_by_ref(g, part->ref);
    struct gossip_relay *r = NULL;
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX && !r; i++)
        if (!g->relays[i].target)
            r = &g->relays[i];
    if (!target || target == g->self || !r || !gossip_is_live(target) ||
        !gossip_may_probe(g, target) || asks_too_much(g, from->row, target))
        return;
    *r = (struct gossip_relay){.target = target,
                               .asker = from->row,
                               .over_link = from->over_link,
                               .cookie = rng_next(&g->rng) | 1,
                               .asker_cookie = part->cookie,
                               .nack_ms = g->now_ms + NACK_MS,
                               .end_ms = g->now_ms + PROBE_MS};
    ping(g, target, r->cookie);
}

static void run_relay(struct gossip *g, struct gossip_relay *r)
{
    if (g->now_ms >= r->nack_ms) {
        struct buf *b = gossip_message(g);
        CHECK(gossip_wire_put_probe(b, GOSSIP_PART_NACK, r->asker_cookie) == ERR_OK);
        answer_asker(g, r);
        r->nack_ms = UINT64_MAX;
    }
    if (g->now_ms >= r->end_ms)
        r->target = NULL;
}

/* --- in turn */

static struct gossip_row *next_of_ring(struct gossip *g)
{
    if (g->ring_count < 2)
        return NULL;
    return g->ring[(g->self->ring_position + 1) % g->ring_count];
}

static struct gossip_row *next_of_order(struct gossip *g)
{
    if (g->order_next >= g->order_count) {
        g->ring_stale = true; /* shuffles anew */
        gossip_ring_refresh(g);
    }
    return g->order_count > 0 ? g->order[g->order_next++] : NULL;
}

static void probe_next(struct gossip *g)
{
    gossip_ring_refresh(g);
    struct gossip_row *row = g->probe_number++ % 2 ? next_of_ring(g) : next_of_order(g);
    if (row && !is_probed(g, row))
        start(g, row, true);
}

static void probe_abroad(struct gossip *g)
{
    struct gossip_row *row = gossip_next_abroad(g);
    if (row && !is_probed(g, row))
        start(g, row, true);
}

/* Whoever is held for down is told so now and then: if it lives, behind a partition that healed,
 * it refutes. SWIM alone never heals a partition longer than the suspicion. */
static void announce(struct gossip *g)
{
    struct gossip_row *chosen = NULL;
    size_t seen = 0;
    for (size_t i = 0; i < g->row_count && g->counts.members[GOSSIP_DOWN] > 0; i++) {
        struct gossip_row *row = g->rows[i];
        bool is_one = row->member.state == GOSSIP_DOWN && gossip_may_probe(g, row);
        if (is_one && rng_below(&g->rng, ++seen) == 0) /* each of them has an equal chance */
            chosen = row;
    }
    if (!chosen)
        return;
    put_ping(g, chosen, rng_next(&g->rng) | 1);
    if (uses_datagrams(chosen))
        gossip_post(g, chosen);
    else
        gossip_post_link(g, chosen);
}

static void run_probe(struct gossip *g, struct gossip_probe *p)
{
    if (g->now_ms >= p->end_ms)
        fail(g, p);
    else if (g->now_ms >= p->indirect_ms)
        go_indirect(g, p);
}

void gossip_probe_run(struct gossip *g)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (g->probes[i].row)
            run_probe(g, &g->probes[i]);
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX; i++)
        if (g->relays[i].target)
            run_relay(g, &g->relays[i]);
    if (g->now_ms >= g->probe_due_ms) {
        g->probe_due_ms = g->now_ms + stretched(g, GOSSIP_PROBE_INTERVAL_MS);
        probe_next(g);
        gossip_scope_introduce(g);
        probe_abroad(g);
    }
    if (g->now_ms >= g->announce_due_ms) {
        g->announce_due_ms =
            g->now_ms + rng_between(&g->rng, GOSSIP_ANNOUNCE_MS / 2, GOSSIP_ANNOUNCE_MS * 3 / 2);
        announce(g);
    }
}

uint64_t gossip_probe_deadline_ms(const struct gossip *g)
{
    uint64_t due_ms = g->probe_due_ms;
    gossip_sooner(&due_ms, g->announce_due_ms);
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (g->probes[i].row) {
            gossip_sooner(&due_ms, g->probes[i].indirect_ms);
            gossip_sooner(&due_ms, g->probes[i].end_ms);
        }
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX; i++)
        if (g->relays[i].target) {
            gossip_sooner(&due_ms, g->relays[i].nack_ms);
            gossip_sooner(&due_ms, g->relays[i].end_ms);
        }
    return due_ms;
}

void gossip_probe_on_stall(struct gossip *g, uint64_t stalled_ms)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        g->probes[i].end_ms += stalled_ms;
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX; i++)
        g->relays[i].target = NULL;
    g->probe_due_ms = g->now_ms + rng_below(&g->rng, GOSSIP_PROBE_INTERVAL_MS);
}

void gossip_probe_drop(struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = 0; i < GOSSIP_PROBES_MAX; i++)
        if (g->probes[i].row == row)
            g->probes[i].row = NULL;
    for (size_t i = 0; i < GOSSIP_RELAYS_MAX; i++)
        if (g->relays[i].target == row || g->relays[i].asker == row)
            g->relays[i].target = NULL;
}
