/* The swarm's network: how long packets take, which ones are lost, doubled or overtaken, what lies
 * between whom, and the holes that a node which only dials out makes in its own wall. */
#include "tests/sim/gossip_world.h"

#include <stdlib.h>

#define NEAR_US 100                  /* one way, within a region */
#define FAR_US 20000                 /* and between regions, at least */
#define HOLE_US (120 * SWARM_SECOND) /* RFC 4787: two minutes at least */
#define HEADERS_SIZE 28              /* IPv4 and UDP */

static size_t pair(const struct swarm *s, size_t from, size_t to)
{
    return from * s->node_count + to;
}

static size_t region_of(const struct swarm *s, size_t node)
{
    return s->identities[s->nodes[node].identity].region;
}

uint64_t swarm_latency_us(struct swarm *s, size_t from, size_t to)
{
    size_t a = region_of(s, from), b = region_of(s, to);
    uint64_t base = a == b ? NEAR_US : FAR_US + 4000 * ((a * 7 + b * 7 + a * b) % 6);
    uint64_t late = rng_chance(&s->rng, s->tail) ? rng_below(&s->rng, s->tail_us) : 0;
    return base + rng_below(&s->rng, base / 5 + 1) + late;
}

bool swarm_is_cut(const struct swarm *s, size_t from, size_t to)
{
    return s->cuts[pair(s, from, to)] > 0;
}

void swarm_cut(struct swarm *s, size_t from, size_t to, int more)
{
    size_t p = pair(s, from, to);
    s->cuts[p] = (uint16_t)(s->cuts[p] + more);
    s->cut_count += (size_t)more;
    s->clear_us[p] = s->now_us;
    s->cut_us = s->disturbed_us = s->now_us;
}

void swarm_udp_cut(struct swarm *s, size_t a, size_t b, int more)
{
    s->udp_cuts[pair(s, a, b)] = (uint8_t)(s->udp_cuts[pair(s, a, b)] + more);
    s->udp_cuts[pair(s, b, a)] = (uint8_t)(s->udp_cuts[pair(s, b, a)] + more);
    s->disturbed_us = s->now_us;
}

static void put(struct swarm_node *from, size_t to, const struct gossip_addr *addr,
                struct bytes data)
{
    struct swarm *s = from->swarm;
    uint64_t at_us = s->now_us + swarm_latency_us(s, from->index, to);
    struct swarm_event *e = swarm_event(s, at_us, SWARM_DATAGRAM, to, data);
    e->other = from->index;
    e->addr = *addr;
}

void swarm_datagram(struct swarm_node *from, const struct gossip_addr *addr, struct bytes data)
{
    struct swarm *s = from->swarm;
    size_t to = swarm_addr_node(s, addr);
    if (s->is_measuring) {
        s->stats.datagrams++;
        s->stats.datagram_bytes += data.size + HEADERS_SIZE;
    }
    if (to == SIZE_MAX)
        return;
    if (from->only_dials)
        s->holes[pair(s, from->index, to)] = s->now_us;
    if (rng_chance(&s->rng, s->loss) || (s->mtu && data.size + HEADERS_SIZE > s->mtu))
        return;
    put(from, to, addr, data);
    if (rng_chance(&s->rng, s->duplicate))
        put(from, to, addr, data);
}

static bool passes(struct swarm *s, const struct swarm_event *e)
{
    const struct swarm_node *to = &s->nodes[e->node];
    uint64_t hole_us = s->holes[pair(s, e->node, e->other)];
    if (to->only_dials && (hole_us == 0 || s->now_us - hole_us > HOLE_US))
        return false;
    return s->cuts[pair(s, e->other, e->node)] == 0 &&
           s->udp_cuts[pair(s, e->other, e->node)] == 0 &&
           swarm_addr_node(s, &e->addr) == e->node; /* it may have moved meanwhile */
}

/* Takes e over. */
void swarm_datagram_arrives(struct swarm *s, struct swarm_event *e)
{
    if (!passes(s, e)) {
        free(e);
        return;
    }
    swarm_liar_hears(s, e);
    e->addr = swarm_addr(&s->nodes[e->other]); /* from here on: the sender's */
    swarm_node_obey(&s->nodes[e->node], e);
}
