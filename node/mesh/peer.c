/* The table of peers: a row for every node that was ever linked, kept as long as the mesh. Links
 * report up, goaway and end; the facts exchange reports facts; from these the state follows. */
#include "node/mesh/peer.h"

#include "node/mesh/core.h"

#include <stdlib.h>

static const struct state_row peer_rows[] = {
    [PEER_DOWN] = {"down", STATE_BIT(PEER_ALIVE)},
    [PEER_ALIVE] = {"alive", STATE_BIT(PEER_SUSPECT) | STATE_BIT(PEER_DOWN) | STATE_BIT(PEER_LEFT)},
    [PEER_SUSPECT] = {"suspect",
                      STATE_BIT(PEER_ALIVE) | STATE_BIT(PEER_DOWN) | STATE_BIT(PEER_LEFT)},
    [PEER_LEFT] = {"left", STATE_BIT(PEER_ALIVE)},
};
static const struct state_table peer_states = {"peer", peer_rows, 4};

const char *peer_state_name(enum peer_state s)
{
    return state_name(&peer_states, (int)s);
}

void peer_changed(struct peer *p)
{
    struct mesh *m = peer_slot_of(p)->mesh;
    if (m->ops->on_peer && !m->closing)
        m->ops->on_peer(m->owner, p);
}

static void move(struct peer *p, enum peer_state next, enum err reason)
{
    if (p->state == next)
        return;
    struct mesh *m = peer_slot_of(p)->mesh;
    int state = (int)p->state;
    TRACE(m->cfg.trace, mesh_own_name(m), "peer_state", LOG_STR("peer", p->name),
          LOG_STR("from", peer_state_name(p->state)), LOG_STR("to", peer_state_name(next)),
          LOG_ERR(reason));
    LOG(m->cfg.log, LOG_INFO, "peer_state", LOG_STR("peer", p->name),
        LOG_STR("from", peer_state_name(p->state)), LOG_STR("to", peer_state_name(next)),
        LOG_ERR(reason));
    state_move(&peer_states, &state, (int)next);
    p->state = next;
    p->changed_ms = mesh_now_ms(m);
    peer_changed(p);
}

/* --- meeting */

static enum err make(struct mesh *m, const struct handshake *h, struct peer **ret_peer)
{
    if (m->peer_count == MESH_PEERS_MAX)
        return ERR_LIMIT;
    struct peer_slot *slot = calloc(1, sizeof(*slot));
    if (!slot)
        return ERR_NO_MEMORY;
    slot->mesh = m;
    arena_init(&slot->arenas[0], PEER_FACTS_SIZE_MAX);
    arena_init(&slot->arenas[1], PEER_FACTS_SIZE_MAX);
    slot->peer.id = h->peer;
    slot->peer.state = PEER_DOWN;
    slot->peer.next_sequence = 1;
    memcpy(slot->peer.key, h->cert.subject, sizeof(slot->peer.key));
    envelope_window_init(&slot->peer.window);
    batch_cache_init(&slot->peer.envelope_cache);
    m->peers[m->peer_count++] = slot;
    *ret_peer = &slot->peer;
    return ERR_OK;
}

void peer_destroy(struct peer_slot *slot)
{
    arena_fini(&slot->arenas[0]);
    arena_fini(&slot->arenas[1]);
    free(slot);
}

/* Two nodes of one name make every listing ambiguous; certificates cannot rule it out yet. */
static void warn_of_namesake(struct mesh *m, const struct peer *p)
{
    const struct id *other = strcmp(p->name, mesh_own_name(m)) == 0 ? &m->cfg.identity->node : NULL;
    for (size_t i = 0; i < m->peer_count && !other; i++) {
        const struct peer *q = &m->peers[i]->peer;
        if (q != p && strcmp(q->name, p->name) == 0)
            other = &q->id;
    }
    if (other)
        LOG(m->cfg.log, LOG_WARN, "name_taken_twice", LOG_STR("name", p->name),
            LOG_ID("id", &p->id), LOG_ID("other", other));
}

enum err peer_meet(struct mesh *m, const struct handshake *h, struct peer **ret_peer)
{
    struct peer *p = mesh_peer_find(m, &h->peer);
    if (!p)
        TRY(make(m, h, &p));
    if (memcmp(p->key, h->cert.subject, sizeof(p->key)) != 0)
        return ERR_BAD_SIGNATURE; /* ids are hashes: two keys of one id are an attack */
    bool is_renamed = strcmp(p->name, h->cert.name) != 0;
    memcpy(p->name, h->cert.name, sizeof(p->name));
    memcpy(p->region, h->cert.region, sizeof(p->region));
    p->tier = h->cert.tier;
    memcpy(p->chain, h->chain, h->chain_size);
    p->chain_size = h->chain_size;
    if (is_renamed)
        warn_of_namesake(m, p);
    *ret_peer = p;
    return ERR_OK;
}

/* --- which link */

static bool dialled_by_smaller_id(const struct link *l)
{
    bool we_are_smaller = id_compare(&l->mesh->cfg.identity->node, &l->peer->id) < 0;
    return l->dialled == we_are_smaller;
}

/* Both sides order links dialled from different sides alike; links dialled from one side they may
 * see come up in another order, so there only the dialler ends the older one (end_losers). */
static bool is_better(const struct link *a, const struct link *b)
{
    if (a->goaway != b->goaway)
        return b->goaway;
    if (dialled_by_smaller_id(a) != dialled_by_smaller_id(b))
        return dialled_by_smaller_id(a);
    return a->up_order > b->up_order;
}

static struct link *best_link(const struct peer *p)
{
    struct link *best = NULL;
    LIST_EACH(it, &peer_slot_of((struct peer *)p)->mesh->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (l->state == LINK_UP && l->peer == p && (!best || is_better(l, best)))
            best = l;
    }
    return best;
}

static void choose(struct peer *p)
{
    p->link = best_link(p);
    p->draining = p->link && (p->link->goaway || (p->facts && p->facts->draining));
}

/* A link to an earlier process of the peer is dead, whatever its socket says. */
static bool is_of_dead_process(const struct link *l, const struct link *newest)
{
    return memcmp(l->static_key, newest->static_key, sizeof(l->static_key)) != 0;
}

static void end_losers(struct peer *p)
{
    size_t count = 0;
    LIST_EACH_SAFE(it, tmp, &peer_slot_of(p)->mesh->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (!link_is_open(l) || l->peer != p || l == p->link)
            continue;
        if (++count >= LINK_PER_PEER_MAX)
            link_end(l, ERR_LIMIT);
        else if (l->dialled || l->dialled != p->link->dialled)
            link_drain(l);
    }
}

static void end_links_to_dead_process(struct peer *p, const struct link *newest)
{
    LIST_EACH_SAFE(it, tmp, &peer_slot_of(p)->mesh->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (link_is_open(l) && l->peer == p && is_of_dead_process(l, newest))
            link_end(l, ERR_LINK_LOST);
    }
}

void peer_link_up(struct link *l)
{
    struct peer *p = l->peer;
    char addr[IO_ADDR_TEXT_SIZE];
    io_addr_to_text(&l->addr, addr);
    end_links_to_dead_process(p, l);
    choose(p);
    p->draining = p->link->goaway; /* what its facts said was about an earlier life */
    LOG(l->mesh->cfg.log, p->link == l ? LOG_INFO : LOG_DEBUG, "link_up", LOG_STR("peer", p->name),
        LOG_STR("addr", addr), LOG_BOOL("dialled", l->dialled));
    end_losers(p);
    move(p, PEER_ALIVE, ERR_OK);
    if (p->link == l)
        facts_exchange_greet(l);
}

void peer_link_goaway(struct link *l)
{
    struct peer *p = l->peer;
    l->goaway = true;
    if (p->link != l)
        return;
    choose(p);
    peer_changed(p);
}

void peer_link_ended(struct link *l, enum err reason)
{
    struct peer *p = l->peer;
    if (p->link != l)
        return;
    choose(p);
    if (p->link) {
        facts_exchange_greet(p->link);
        peer_changed(p);
        return;
    }
    bool said_goodbye = reason == ERR_DRAINING || (l->goaway && reason != ERR_DUPLICATE_LINK);
    move(p, said_goodbye ? PEER_LEFT : PEER_DOWN, reason);
    contact_peer_lost(l->mesh, p);
}

/* --- alive or suspect */

static bool facts_are_stale(const struct peer *p, const struct mesh *m)
{
    uint64_t since_ms = p->facts_ms > p->link->up_ms ? p->facts_ms : p->link->up_ms;
    if (m->stalled_ms > since_ms)
        since_ms = m->stalled_ms;
    return mesh_now_ms(m) - since_ms > MESH_FACTS_FRESH_MS;
}

void peer_refresh(struct peer *p)
{
    if (!p->link)
        return;
    bool is_late = link_ping_is_late(p->link);
    if (is_late || facts_are_stale(p, peer_slot_of(p)->mesh))
        move(p, PEER_SUSPECT, is_late ? ERR_TIMEOUT : ERR_NOT_FOUND);
    else
        move(p, PEER_ALIVE, ERR_OK);
}

bool mesh_peer_is_usable(const struct peer *p)
{
    return p->link && p->state == PEER_ALIVE && !p->draining && h2_can_request(p->link->client);
}

/* --- facts */

static enum err check_facts(const struct peer *p, const struct facts *f)
{
    bool is_its_own = bytes_equal(f->name, bytes_from_str(p->name)) && f->tier == p->tier &&
                      bytes_equal(f->region, bytes_from_str(p->region));
    return is_its_own ? ERR_OK : ERR_CERT_SCOPE;
}

static enum err take_facts(struct peer_slot *slot, struct bytes wire)
{
    int next = !slot->newest;
    arena_reset(&slot->arenas[next]);
    TRY(facts_decode(wire, &slot->arenas[next], &slot->facts[next]));
    TRY(check_facts(&slot->peer, &slot->facts[next]));
    slot->newest = next;
    return ERR_OK;
}

enum err peer_facts(struct peer *p, struct bytes wire)
{
    struct peer_slot *slot = peer_slot_of(p);
    struct mesh *m = slot->mesh;
    enum err e = take_facts(slot, wire);
    if (e != ERR_OK) {
        m->counts.facts_bad++;
        if (!slot->facts_bad_logged)
            LOG(m->cfg.log, LOG_WARN, "facts_refused", LOG_STR("peer", p->name), LOG_ERR(e));
        slot->facts_bad_logged = true;
        return e;
    }
    bool is_news = !p->facts || !facts_offer_the_same(p->facts, &slot->facts[slot->newest]);
    p->facts = &slot->facts[slot->newest];
    p->facts_ms = mesh_now_ms(m);
    p->load = p->facts->load;
    p->load_ms = p->facts_ms;
    p->draining = p->facts->draining || (p->link && p->link->goaway);
    peer_refresh(p);
    if (is_news)
        peer_changed(p);
    return ERR_OK;
}

void mesh_peer_load(struct mesh *m, struct peer *p, const struct facts_load *load)
{
    p->load = *load;
    p->load_ms = mesh_now_ms(m);
}
