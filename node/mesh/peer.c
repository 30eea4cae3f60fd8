/* The table of peers: rows by id, which of several links to a node is kept, states. Links report
 * up, goaway and end, gossip's effects come by way of peer_facts.c. */
#include "node/mesh/peer.h"

#include "node/mesh/core.h"

#include <stdlib.h>

static const struct state_row peer_rows[] = {
    [PEER_DOWN] = {"down", STATE_BIT(PEER_ALIVE) | STATE_BIT(PEER_SUSPECT) | STATE_BIT(PEER_LEFT)},
    [PEER_ALIVE] = {"alive", STATE_BIT(PEER_SUSPECT) | STATE_BIT(PEER_DOWN) | STATE_BIT(PEER_LEFT)},
    [PEER_SUSPECT] = {"suspect",
                      STATE_BIT(PEER_ALIVE) | STATE_BIT(PEER_DOWN) | STATE_BIT(PEER_LEFT)},
    [PEER_LEFT] = {"left", STATE_BIT(PEER_ALIVE) | STATE_BIT(PEER_SUSPECT) | STATE_BIT(PEER_DOWN)},
};
static const struct state_table peer_states = {"peer", peer_rows, 4};

const char *peer_state_name(enum peer_state s)
{
    return state_name(&peer_states, (int)s);
}

/* Whether requests find it, as far as links and gossip go: a trace tells its story by this. */
static void trace_reach(struct peer *p)
{
    struct peer_slot *slot = peer_slot_of(p);
    bool is_reached = p->link && p->state == PEER_ALIVE;
    if (is_reached == slot->is_reached)
        return;
    slot->is_reached = is_reached;
    TRACE(slot->mesh->cfg.trace, mesh_own_name(slot->mesh), "peer_reach", LOG_STR("peer", p->name),
          LOG_STR("to", is_reached ? "near" : "away"));
}

void peer_changed(struct peer *p)
{
    struct mesh *m = peer_slot_of(p)->mesh;
    trace_reach(p);
    if (m->closing)
        return;
    upkeep_soon(m);
    if (m->ops->on_peer)
        m->ops->on_peer(m->owner, p);
}

void peer_move(struct peer *p, enum peer_state next, enum err reason)
{
    if (p->state == next)
        return;
    struct mesh *m = peer_slot_of(p)->mesh;
    int state = (int)p->state;
    TRACE(m->cfg.trace, mesh_own_name(m), "peer_state", LOG_STR("peer", p->name),
          LOG_STR("from", peer_state_name(p->state)), LOG_STR("to", peer_state_name(next)),
          LOG_ERR(reason));
    state_move(&peer_states, &state, (int)next);
    p->state = next;
    p->changed_ms = mesh_now_ms(m);
    peer_changed(p);
}

/* --- rows */

/* Where the row of this id is, or would be. */
static size_t place_of(const struct mesh *m, const struct id *id)
{
    size_t low = 0, high = m->peer_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_compare(&m->peers[middle]->peer.id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct peer *mesh_peer_find(const struct mesh *m, const struct id *id)
{
    size_t at = place_of(m, id);
    bool is_there = at < m->peer_count && id_equal(&m->peers[at]->peer.id, id);
    return is_there ? &m->peers[at]->peer : NULL;
}

static void put_in(struct mesh *m, struct peer_slot *slot)
{
    size_t at = place_of(m, &slot->peer.id);
    memmove(m->peers + at + 1, m->peers + at, (m->peer_count - at) * sizeof(m->peers[0]));
    m->peers[at] = slot;
    m->peer_count++;
}

static enum err make(struct mesh *m, const struct id *id, const uint8_t key[CRYPTO_PUBLIC_SIZE],
                     struct peer **ret_peer)
{
    if (m->peer_count == MESH_PEERS_MAX)
        return ERR_LIMIT;
    struct peer_slot *slot = calloc(1, sizeof(*slot));
    if (!slot)
        return ERR_NO_MEMORY;
    slot->mesh = m;
    arena_init(&slot->arena, PEER_FACTS_SIZE_MAX);
    slot->peer.id = *id;
    slot->peer.state = PEER_DOWN;
    slot->peer.next_sequence = 1;
    memcpy(slot->peer.key, key, sizeof(slot->peer.key));
    envelope_window_init(&slot->peer.window);
    batch_cache_init(&slot->peer.envelope_cache);
    contact_init_own(&slot->contact, m, &slot->peer);
    mail_init(&slot->mail);
    list_init(&slot->telling);
    list_init(&slot->parted);
    put_in(m, slot);
    *ret_peer = &slot->peer;
    return ERR_OK;
}

void peer_destroy(struct peer_slot *slot)
{
    contact_stop(&slot->contact);
    mail_drop(&slot->peer);
    list_remove(&slot->telling);
    list_remove(&slot->parted);
    arena_fini(&slot->arena);
    free(slot);
}

static struct peer *take_back(struct mesh *m, const struct id *id)
{
    LIST_EACH(it, &m->parted)
    {
        struct peer_slot *slot = LIST_ENTRY(it, struct peer_slot, parted);
        if (!id_equal(&slot->peer.id, id) || m->peer_count == MESH_PEERS_MAX)
            continue;
        list_remove(&slot->parted);
        put_in(m, slot);
        return &slot->peer;
    }
    return NULL;
}

enum err peer_row(struct mesh *m, const struct id *id, const uint8_t key[CRYPTO_PUBLIC_SIZE],
                  struct peer **ret_peer)
{
    struct peer *p = mesh_peer_find(m, id);
    if (!p)
        p = take_back(m, id);
    if (!p)
        TRY(make(m, id, key, &p));
    if (memcmp(p->key, key, sizeof(p->key)) != 0)
        return ERR_BAD_SIGNATURE; /* ids are hashes: two keys of one id are an attack */
    *ret_peer = p;
    return ERR_OK;
}

static bool has_links(const struct peer_slot *slot)
{
    LIST_EACH(it, &slot->mesh->links)
    if (LIST_ENTRY(it, struct link, node)->peer == &slot->peer)
        return true;
    LIST_EACH(it, &slot->mesh->gone_links)
    if (LIST_ENTRY(it, struct link, node)->peer == &slot->peer)
        return true;
    return slot->contact.link != NULL;
}

/* Somebody may hold a pointer to it. */
static bool is_held(const struct peer_slot *slot)
{
    bool was_linked_lately =
        slot->unlinked_ms && mesh_now_ms(slot->mesh) - slot->unlinked_ms < PEER_KEEP_MS;
    return slot->peer.inflight > 0 || was_linked_lately || has_links(slot);
}

/* Out of the table; it lives on as long as it is held. */
static void part(struct mesh *m, size_t at)
{
    struct peer_slot *slot = m->peers[at];
    for (size_t i = 0; i < m->contact_count; i++)
        if (m->contacts[i].peer == &slot->peer)
            m->contacts[i].peer = NULL;
    m->peer_count--;
    memmove(m->peers + at, m->peers + at + 1, (m->peer_count - at) * sizeof(m->peers[0]));
    peer_move(&slot->peer, PEER_DOWN, ERR_OK);
    peer_changed(&slot->peer); /* who has an index of rows makes it anew */
    contact_set(&slot->contact, BYTES(""));
    mail_drop(&slot->peer);
    list_remove(&slot->telling);
    slot->tells = 0;
    list_push_back(&m->parted, &slot->parted);
}

void peer_reap(struct mesh *m)
{
    for (size_t i = m->peer_count; i-- > 0;) {
        const struct peer_slot *slot = m->peers[i];
        bool is_known = slot->is_member || (!slot->was_member && is_held(slot));
        if (!is_known && !has_links(slot))
            part(m, i);
    }
    LIST_EACH_SAFE(it, tmp, &m->parted)
    {
        struct peer_slot *slot = LIST_ENTRY(it, struct peer_slot, parted);
        if (!is_held(slot))
            peer_destroy(slot);
    }
}

/* --- meeting */

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

void peer_take_identity(struct peer *p, const struct cert *cert, struct bytes chain)
{
    bool is_renamed = strcmp(p->name, cert->name) != 0;
    memcpy(p->name, cert->name, sizeof(p->name));
    memcpy(p->region, cert->region, sizeof(p->region));
    p->tier = cert->tier;
    CHECK(chain.size <= sizeof(p->chain));
    memcpy(p->chain, chain.data, chain.size);
    p->chain_size = chain.size;
    if (is_renamed)
        warn_of_namesake(peer_slot_of(p)->mesh, p);
}

enum err peer_meet(struct mesh *m, const struct handshake *h, struct peer **ret_peer)
{
    TRY(peer_row(m, &h->peer, h->cert.subject, ret_peer));
    peer_take_identity(*ret_peer, &h->cert, bytes_of(h->chain, h->chain_size));
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
        if (l->state == LINK_UP && l->peer == p && !l->is_provisional &&
            (!best || is_better(l, best)))
            best = l;
    }
    return best;
}

void peer_review_draining(struct peer *p)
{
    p->draining = (p->link && p->link->goaway) || (p->facts && p->facts->draining);
}

static void choose(struct peer *p)
{
    p->link = best_link(p);
    peer_review_draining(p);
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
        if (!link_is_open(l) || l->peer != p || l == p->link || l->is_provisional)
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

/* Nothing but its admission goes over it, and nobody counts on it. */
static void say_provisional(const struct link *l, const char *addr)
{
    LOG(l->mesh->cfg.log, mesh_level(l->mesh, MESH_LINES_REFUSALS, LOG_INFO), "link_provisional",
        LOG_STR("peer", l->peer->name), LOG_STR("addr", addr), LOG_ERR(ERR_NOT_ADMITTED));
}

void peer_link_up(struct link *l)
{
    struct peer *p = l->peer;
    char addr[IO_ADDR_TEXT_SIZE];
    io_addr_to_text(&l->addr, addr);
    end_links_to_dead_process(p, l);
    p->is_provisional = l->is_provisional;
    if (l->is_provisional) {
        say_provisional(l, addr);
        return;
    }
    choose(p);
    LOG(l->mesh->cfg.log, p->link == l ? LOG_INFO : LOG_DEBUG, "link_up", LOG_STR("peer", p->name),
        LOG_STR("addr", addr), LOG_BOOL("dialled", l->dialled));
    end_losers(p);
    peer_slot_of(p)->is_tried = false;
    if (!peer_slot_of(p)->is_member)
        peer_move(p, PEER_ALIVE, ERR_OK);
    peer_changed(p);
    gossip_driver_tell(p, GOSSIP_DRIVER_LINK_UP);
    keys_link_up(p);
    mail_flush(p);
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

/* A link that ended in good order says nothing about its node's health. */
static bool is_evidence(enum err reason)
{
    return reason != ERR_DRAINING && reason != ERR_DUPLICATE_LINK && reason != ERR_IDLE;
}

void peer_link_ended(struct link *l, enum err reason)
{
    struct peer *p = l->peer;
    struct peer_slot *slot = peer_slot_of(p);
    slot->unlinked_ms = mesh_now_ms(l->mesh);
    if (is_evidence(reason))
        gossip_driver_tell(p, GOSSIP_DRIVER_EVIDENCE);
    if (p->link != l)
        return;
    choose(p);
    p->is_late = p->link && link_ping_is_late(p->link);
    bool said_goodbye = reason == ERR_DRAINING || (l->goaway && reason != ERR_DUPLICATE_LINK);
    if (!p->link && !slot->is_member)
        peer_move(p, said_goodbye ? PEER_LEFT : PEER_DOWN, reason);
    peer_changed(p);
    mail_flush(p);
    if (!p->link && !l->mesh->closing)
        upkeep_dial(p);
}

/* --- admission */

static void review_link(struct link *l, enum err e)
{
    bool was_provisional = l->is_provisional;
    l->is_provisional = e == ERR_NOT_ADMITTED;
    if (e == ERR_OK && was_provisional)
        peer_link_up(l);
    else if (e == ERR_NOT_ADMITTED && !was_provisional)
        link_end(l, e); /* it comes again, provisionally */
    else if (e != ERR_OK && e != ERR_NOT_ADMITTED)
        link_end(l, e);
}

void peer_review_admission(struct peer *p)
{
    struct peer_slot *slot = peer_slot_of(p);
    struct mesh *m = slot->mesh;
    enum err e = m->ops->admit(m->owner, &p->id);
    bool was_revoked = slot->is_revoked;
    slot->is_revoked = e == ERR_REVOKED;
    LIST_EACH_SAFE(it, tmp, &m->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (link_is_open(l) && l->peer == p)
            review_link(l, e);
    }
    if (slot->is_revoked && !was_revoked)
        peer_move(p, PEER_LEFT, ERR_REVOKED);
}

/* --- late */

void peer_refresh(struct peer *p)
{
    bool is_late = p->link && link_ping_is_late(p->link);
    if (is_late == p->is_late)
        return;
    p->is_late = is_late;
    peer_changed(p);
}

bool mesh_peer_is_listed(const struct peer *p)
{
    return peer_slot_of((struct peer *)p)->is_member || p->link;
}

bool mesh_peer_is_usable(const struct peer *p)
{
    return p->link && p->state == PEER_ALIVE && !p->is_late && !p->draining &&
           h2_can_request(p->link->client);
}

void mesh_peer_load(struct mesh *m, struct peer *p, const struct facts_load *load)
{
    p->load = *load;
    p->load_ms = mesh_now_ms(m);
}
