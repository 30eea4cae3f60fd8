/* Dialling. Happy path: resolve, connect, handshake, linked; then nothing until that peer is lost
 * and wanted again. Failure modes: the name does not resolve, nobody answers, the handshake is
 * refused: a longer pause and again, as long as it is needed, and what waited for a peer's own link
 * is dropped; it is this very process: never again. */
#include "node/mesh/contact.h"

#include "node/mesh/core.h"

static void dial(struct contact *c);

static enum err set_addr(struct contact *c, struct bytes text)
{
    struct bytes host;
    uint16_t port;
    TRY(io_addr_split(text, &host, &port));
    if (host.size == 0 || host.size > CONTACT_HOST_MAX)
        return ERR_INVALID;
    bytes_to_str(host, c->host, sizeof(c->host));
    c->port = port;
    return ERR_OK;
}

enum err contact_init(struct contact *c, struct mesh *m, const char *text)
{
    *c = (struct contact){.mesh = m, .is_listed = true, .backoff_ms = MESH_BACKOFF_MIN_MS};
    return set_addr(c, bytes_from_str(text));
}

void contact_init_own(struct contact *c, struct mesh *m, struct peer *p)
{
    *c = (struct contact){.mesh = m, .peer = p, .backoff_ms = MESH_BACKOFF_MIN_MS};
}

static void on_timer(struct io_timer *timer)
{
    dial(LIST_ENTRY(timer, struct contact, timer));
}

/* --- what is needed */

static bool is_all_there_is(const struct mesh *m, const struct peer *p)
{
    for (size_t i = 0; i < m->peer_count; i++) {
        const struct peer *other = &m->peers[i]->peer;
        if (other != p && other->state == PEER_ALIVE)
            return false;
    }
    return true;
}

/* Whoever answers brings all the others. */
static bool is_a_last_resort(const struct contact *c)
{
    return !c->peer && !c->is_self && remember_is_due(c->mesh) && is_all_there_is(c->mesh, NULL);
}

bool contact_is_wanted(const struct contact *c)
{
    const struct peer *p = c->peer;
    if (c->is_remembered)
        return is_a_last_resort(c);
    if (!p || c->is_self || c->port == 0)
        return c->is_listed && !c->is_self;
    const struct peer_slot *slot = (const struct peer_slot *)p;
    if (slot->is_revoked)
        return false;
    bool is_asked_for = slot->wants_link || slot->is_via || slot->is_tried || slot->is_ruled ||
                        slot->mail.count > 0 || slot->keys.is_due;
    if (!c->is_listed)
        return is_asked_for;
    bool is_only_way = slot->contact.port == 0;
    return p->state != PEER_ALIVE || (is_asked_for && is_only_way) || is_all_there_is(c->mesh, p);
}

static bool is_free(const struct contact *c)
{
    return !c->link && !c->resolve && !c->mesh->draining && !c->mesh->closing;
}

static bool is_dialling(const struct contact *c)
{
    return c->link || c->resolve;
}

/* By another address of the same peer, this moment. */
static bool is_dialled_elsewhere(const struct contact *c)
{
    const struct mesh *m = c->mesh;
    if (!c->peer)
        return false;
    bool is_so = c->is_listed && is_dialling(&peer_slot_of(c->peer)->contact);
    for (size_t i = 0; i < m->contact_count && !is_so; i++)
        is_so =
            &m->contacts[i] != c && m->contacts[i].peer == c->peer && is_dialling(&m->contacts[i]);
    return is_so;
}

static bool needs_dial(const struct contact *c)
{
    return is_free(c) && contact_is_wanted(c) && !(c->peer && c->peer->link) &&
           !is_dialled_elsewhere(c);
}

/* Datagrams go by the endpoint, so that is asked for even where nobody wants a link. */
static bool needs_endpoint(const struct contact *c)
{
    return is_free(c) && !c->is_listed && !c->is_known && c->port != 0;
}

/* --- dialling */

static void await(struct contact *c, uint64_t delay_ms)
{
    if (needs_dial(c) || needs_endpoint(c))
        io_timer_start(c->mesh->cfg.loop, &c->timer, delay_ms, on_timer);
}

void contact_review(struct contact *c, uint64_t delay_ms)
{
    if (!io_timer_is_running(&c->timer))
        await(c, delay_ms);
}

void contact_hurry(struct contact *c)
{
    c->backoff_ms = MESH_BACKOFF_MIN_MS;
    io_timer_stop(&c->timer);
    contact_review(c, MESH_BACKOFF_MIN_MS);
}

static void retry(struct contact *c)
{
    uint64_t delay_ms = rng_between(&c->mesh->rng, c->backoff_ms / 2, c->backoff_ms);
    c->backoff_ms =
        c->backoff_ms * 2 < MESH_BACKOFF_MAX_MS ? c->backoff_ms * 2 : MESH_BACKOFF_MAX_MS;
    await(c, delay_ms);
}

void contact_stop(struct contact *c)
{
    io_timer_stop(&c->timer);
    if (c->resolve)
        io_resolve_cancel(c->resolve);
    c->resolve = NULL;
}

/* By the operator: he can do something about it. */
static bool is_told(const struct contact *c)
{
    return c->is_listed && !c->is_remembered;
}

static void on_failure(struct contact *c, enum err reason)
{
    if (reason != c->logged && !c->mesh->closing)
        LOG(c->mesh->cfg.log, is_told(c) ? LOG_INFO : LOG_DEBUG, "contact_failed",
            LOG_STR("host", c->host), LOG_UINT("port", c->port),
            LOG_STR("peer", c->peer ? c->peer->name : ""), LOG_ERR(reason));
    c->logged = reason;
    if (!c->is_listed && !c->peer->link && !c->mesh->closing) {
        peer_slot_of(c->peer)->is_tried = false;
        mail_drop(c->peer);
        gossip_driver_tell(c->peer, GOSSIP_DRIVER_EVIDENCE);
    }
    retry(c);
}

static void on_resolved(void *owner, enum err e, const struct io_addr *addr)
{
    struct contact *c = owner;
    c->resolve = NULL;
    if (e == ERR_OK && !c->is_listed) {
        c->is_known = true;
        gossip_driver_tell_endpoint(c->peer, addr);
    }
    if (e == ERR_OK && !needs_dial(c))
        return;
    if (e == ERR_OK)
        e = link_dial(c->mesh, addr, c, &c->link);
    if (e != ERR_OK)
        on_failure(c, e);
}

static void dial(struct contact *c)
{
    if (!needs_dial(c) && !needs_endpoint(c))
        return;
    enum err e = io_resolve_start(c->mesh->cfg.loop, c->host, c->port, on_resolved, c, &c->resolve);
    if (e != ERR_OK)
        on_failure(c, e);
}

void contact_set(struct contact *c, struct bytes text)
{
    char host[CONTACT_HOST_MAX + 1];
    uint16_t port = c->port;
    memcpy(host, c->host, sizeof(host));
    if (set_addr(c, text) != ERR_OK)
        c->port = 0;
    if (c->port == port && strcmp(c->host, host) == 0)
        return;
    contact_stop(c);
    c->is_known = false;
    c->backoff_ms = MESH_BACKOFF_MIN_MS;
    struct io_addr addr;
    if (c->port != 0 && io_addr_parse(text, &addr) == ERR_OK) {
        c->is_known = true;
        gossip_driver_tell_endpoint(c->peer, &addr);
    }
    contact_review(c, 0);
}

void contact_link_up(struct contact *c)
{
    if (c->is_listed)
        c->peer = c->link->peer;
    c->logged = ERR_OK;
}

/* Only this process has our static key. Another one with our identity is a copied directory: worth
 * trying again, since the operator will have to move it away. */
static void on_self(struct contact *c, const struct link *l)
{
    struct mesh *m = c->mesh;
    c->is_self = memcmp(l->static_key, m->static_public, sizeof(l->static_key)) == 0;
    if (c->is_self)
        LOG(m->cfg.log, LOG_INFO, "contact_is_self", LOG_STR("host", c->host),
            LOG_UINT("port", c->port));
    else
        LOG(m->cfg.log, LOG_WARN, "identity_used_twice", LOG_STR("host", c->host),
            LOG_UINT("port", c->port), LOG_ID("id", &m->cfg.identity->node));
}

void contact_link_ended(struct contact *c, struct link *l, enum err reason)
{
    c->link = NULL;
    if (reason == ERR_SELF_LINK)
        on_self(c, l);
    if (l->up_order && mesh_now_ms(c->mesh) - l->up_ms >= CONTACT_STEADY_MS)
        c->backoff_ms = MESH_BACKOFF_MIN_MS;
    if (l->up_order)
        retry(c);
    else
        on_failure(c, reason);
}
