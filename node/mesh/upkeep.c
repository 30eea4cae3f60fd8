/* A round: who is wanted, who is dialled, which links have served their time. Peers' own contacts
 * dial (contact.c); a member that only dials out cannot be dialled, its link is kept all the same.
 */
#include "node/mesh/upkeep.h"

#include "base/map.h"
#include "node/mesh/core.h"

#include <stdlib.h>

#define MODELS_MAX 16384 /* as many as routing knows */

static void on_timer(struct io_timer *timer);

/* --- who is wanted */

static bool is_candidate(const struct peer_slot *slot)
{
    const struct peer *p = &slot->peer;
    return p->state == PEER_ALIVE && !p->draining && (p->link || slot->contact.port != 0);
}

static uint64_t far_of(const struct mesh *m, const struct peer_slot *slot)
{
    const uint64_t unknown_us = UINT64_C(1) << 40;
    bool is_near = strcmp(slot->peer.region, m->cfg.identity->cert.region) == 0;
    uint64_t us = gossip_driver_distance_us(m, &slot->peer);
    us = us == 0 || us > unknown_us ? unknown_us : us;
    return us + (is_near ? 0 : 2 * unknown_us);
}

static int compare(const void *a, const void *b)
{
    const struct peer_slot *left = *(struct peer_slot *const *)a;
    const struct peer_slot *right = *(struct peer_slot *const *)b;
    if (left->far != right->far)
        return left->far < right->far ? -1 : 1;
    return id_compare(&left->peer.id, &right->peer.id);
}

static size_t collect(struct mesh *m, struct peer_slot *ret_slots[MESH_PEERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < m->peer_count; i++) {
        struct peer_slot *slot = m->peers[i];
        slot->wants_link = false;
        if (!is_candidate(slot)) {
            slot->is_via = false;
            continue;
        }
        slot->far = far_of(m, slot);
        ret_slots[count++] = slot;
    }
    if (count > 0)
        qsort(ret_slots, count, sizeof(ret_slots[0]), compare);
    return count;
}

/* True when all are wanted. */
static bool want_near(struct peer_slot *const *slots, size_t count)
{
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        bool executes = slots[i]->peer.load.capacity > 0;
        if (executes && wanted == MESH_LINKS_WANTED_MAX)
            return false;
        slots[i]->wants_link = executes;
        wanted += executes;
    }
    return true;
}

/* Adds its models to those that can be had; the number of new ones. */
static size_t add_models(struct map *models, const struct peer_slot *slot)
{
    size_t before = models->count;
    for (size_t b = 0; slot->peer.facts && b < slot->facts.backend_count; b++) {
        const struct facts_backend *backend = &slot->facts.backends[b];
        for (size_t i = 0; i < backend->model_count; i++)
            if (map_put(models, backend->models[i].name, (void *)(uintptr_t)slot) != ERR_OK)
                return models->count - before;
    }
    return models->count - before;
}

/* Any node takes any request: a model that none of the near has is worth a link to one that is
 * far. */
static void want_rare(struct mesh *m, struct peer_slot *const *slots, size_t count)
{
    struct map models;
    uint8_t seed[16];
    size_t wanted = 0;
    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)rng_below(&m->rng, 256);
    map_init(&models, seed, MODELS_MAX);
    for (size_t i = 0; i < count; i++)
        if (slots[i]->wants_link)
            add_models(&models, slots[i]);
    for (size_t i = 0; i < count && wanted < MESH_LINKS_RARE_MAX; i++) {
        if (slots[i]->wants_link || slots[i]->peer.load.capacity == 0)
            continue;
        slots[i]->wants_link = add_models(&models, slots[i]) > 0;
        wanted += slots[i]->wants_link;
    }
    map_fini(&models);
}

/* --- what only other regions have */

#define ABROAD_EACH 2 /* links per region: one gateway may die */

static void add_own_models(struct map *models, const struct facts *f)
{
    for (size_t b = 0; b < f->backend_count; b++)
        for (size_t i = 0; i < f->backends[b].model_count; i++)
            if (f->backends[b].state == FACTS_BACKEND_UP &&
                map_put(models, f->backends[b].models[i].name, (void *)(uintptr_t)f) != ERR_OK)
                return;
}

static void add_home(const struct mesh *m, struct map *models)
{
    add_own_models(models, m->ops->facts(m->owner));
    for (size_t i = 0; i < m->peer_count; i++) {
        const struct peer *p = &m->peers[i]->peer;
        bool is_at_home = strcmp(p->region, m->cfg.identity->cert.region) == 0;
        if (is_at_home && p->facts && p->state == PEER_ALIVE && !p->draining)
            add_own_models(models, p->facts);
    }
}

static bool has_more(const struct summary_region *r, const struct map *home)
{
    for (size_t i = 0; i < r->believed.model_count; i++)
        if (!map_get(home, r->believed.models[i].name))
            return true;
    return false;
}

/* Linked ones first; else the nodes of this region spread over them by their ids. */
static size_t want_gateways(struct mesh *m, const struct summary_region *r,
                            struct peer_slot *const *slots, size_t count)
{
    struct peer_slot *found[GOSSIP_GATEWAYS];
    size_t n = 0, wanted = 0, start = m->cfg.identity->node.bytes[ID_SIZE - 1];
    for (size_t i = 0; i < count && n < GOSSIP_GATEWAYS; i++)
        if (summary_has_gateway(r, &slots[i]->peer.id))
            found[n++] = slots[i];
    for (size_t i = 0; i < 2 * n && wanted < ABROAD_EACH; i++) {
        struct peer_slot *slot = found[(start + i) % n];
        bool is_turn = i >= n ? !slot->peer.link : slot->peer.link != NULL;
        wanted += is_turn;
        slot->wants_link |= is_turn;
    }
    return wanted;
}

static void want_abroad(struct mesh *m, struct peer_slot *const *slots, size_t count)
{
    const struct summary_view *v = mesh_abroad(m);
    struct map home;
    uint8_t seed[16];
    if (v->region_count == 0)
        return;
    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)rng_below(&m->rng, 256);
    map_init(&home, seed, MODELS_MAX);
    add_home(m, &home);
    size_t wanted = 0;
    for (size_t i = 0; i < v->region_count && wanted < MESH_LINKS_ABROAD_MAX; i++)
        if (has_more(&v->regions[i], &home))
            wanted += want_gateways(m, &v->regions[i], slots, count);
    map_fini(&home);
}

/* Whoever is one stays one while it can. */
static void choose_via(const struct mesh *m, struct peer_slot *const *slots, size_t count)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        slots[i]->is_via &= mesh_only_dials(m) && chosen < GOSSIP_VIA_MAX;
        chosen += slots[i]->is_via;
    }
    for (size_t i = 0; i < count && mesh_only_dials(m) && chosen < GOSSIP_VIA_MAX; i++) {
        chosen += !slots[i]->is_via;
        slots[i]->is_via = true;
    }
}

size_t upkeep_via(const struct mesh *m, struct id ret_via[GOSSIP_VIA_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < m->peer_count && count < GOSSIP_VIA_MAX; i++)
        if (m->peers[i]->is_via && m->peers[i]->peer.link)
            ret_via[count++] = m->peers[i]->peer.id;
    return count;
}

/* --- dialling */

static uint64_t delay_of(struct mesh *m, const struct peer *p)
{
    bool is_ours = mesh_only_dials(m) || id_compare(&m->cfg.identity->node, &p->id) < 0;
    return is_ours ? 0 : rng_between(&m->rng, UPKEEP_YIELD_MS / 2, UPKEEP_YIELD_MS);
}

void upkeep_dial(struct peer *p)
{
    struct mesh *m = peer_slot_of(p)->mesh;
    contact_review(&peer_slot_of(p)->contact, 0);
    for (size_t i = 0; i < m->contact_count; i++)
        if (m->contacts[i].peer == p)
            contact_review(&m->contacts[i], 0);
}

/* Now and then somebody of the mesh dials one of the down: datagrams do not reach a node that was
 * started again and knows nobody, a link does. About one such dial per round in the whole mesh. */
static void try_one_of_the_down(struct mesh *m)
{
    struct peer_slot *chosen = NULL;
    size_t down = 0, alive = 1;
    for (size_t i = 0; i < m->peer_count; i++) {
        struct peer_slot *slot = m->peers[i];
        alive += slot->peer.state == PEER_ALIVE;
        bool fits = slot->peer.state == PEER_DOWN && slot->contact.port != 0 && !slot->peer.link;
        if (fits && rng_below(&m->rng, ++down) == 0)
            chosen = slot;
    }
    if (chosen && rng_below(&m->rng, alive) == 0)
        chosen->is_tried = true;
}

static void dial_all(struct mesh *m)
{
    for (size_t i = 0; i < m->contact_count; i++)
        contact_review(&m->contacts[i], 0);
    for (size_t i = 0; i < m->peer_count; i++) {
        struct peer_slot *slot = m->peers[i];
        contact_review(&slot->contact, delay_of(m, &slot->peer));
        mail_flush(&slot->peer);
    }
}

/* --- links that have served their time */

bool upkeep_link_is_spare(const struct link *l)
{
    const struct mesh *m = l->mesh;
    const struct peer_slot *slot = (const struct peer_slot *)l->peer;
    bool is_wanted = slot->wants_link || slot->is_via || slot->is_ruled || slot->mail.count > 0;
    for (size_t i = 0; i < m->contact_count && !is_wanted; i++)
        is_wanted = m->contacts[i].peer == l->peer && contact_is_wanted(&m->contacts[i]);
    return !is_wanted;
}

/* Only who dialled a link closes it: the other end cannot know what it is for. */
static void close_idle(struct mesh *m)
{
    uint64_t now_ms = mesh_now_ms(m);
    LIST_EACH_SAFE(it, tmp, &m->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (l->state != LINK_UP)
            continue;
        if (h2_stream_count(l->client) > 0 || h2_stream_count(l->server) > 0)
            l->used_ms = now_ms;
        if (l->dialled && now_ms - l->used_ms >= MESH_IDLE_MS && upkeep_link_is_spare(l))
            link_end(l, ERR_IDLE);
    }
}

/* --- rounds */

static void run(struct mesh *m)
{
    struct peer_slot *slots[MESH_PEERS_MAX];
    gossip_driver_review_clock(m);
    peer_reap(m);
    size_t count = collect(m, slots);
    if (!want_near(slots, count))
        want_rare(m, slots, count);
    want_abroad(m, slots, count);
    choose_via(m, slots, count);
    try_one_of_the_down(m);
    dial_all(m);
    close_idle(m);
    publish_review_via(m);
    remember_look(m);
}

static void on_timer(struct io_timer *timer)
{
    struct mesh *m = LIST_ENTRY(timer, struct mesh, upkeep.timer);
    io_timer_start(m->cfg.loop, timer, UPKEEP_INTERVAL_MS, on_timer);
    run(m);
}

void upkeep_soon(struct mesh *m)
{
    struct io_timer *timer = &m->upkeep.timer;
    if (io_timer_is_running(timer) && timer->deadline_ms > mesh_now_ms(m) + UPKEEP_SOON_MS)
        io_timer_start(m->cfg.loop, timer, UPKEEP_SOON_MS, on_timer);
}

void upkeep_start(struct mesh *m)
{
    io_timer_start(m->cfg.loop, &m->upkeep.timer, 0, on_timer);
}

void upkeep_stop(struct mesh *m)
{
    io_timer_stop(&m->upkeep.timer);
}
