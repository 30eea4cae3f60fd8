/* Dialling what the operator listed. Happy path: resolve, connect, handshake, linked; then nothing
 * until that peer is lost. Failure modes: the name does not resolve, nobody answers, the handshake
 * is refused: a longer pause and again; it is this very process: never again. */
#include "node/mesh/contact.h"

#include "node/mesh/core.h"

static void dial(struct contact *c);

enum err contact_init(struct contact *c, struct mesh *m, const char *text)
{
    struct bytes host;
    uint16_t port;
    TRY(io_addr_split(bytes_from_str(text), &host, &port));
    if (host.size == 0 || host.size > CONTACT_HOST_MAX)
        return ERR_INVALID;
    *c = (struct contact){.mesh = m, .port = port, .backoff_ms = MESH_BACKOFF_MIN_MS};
    bytes_to_str(host, c->host, sizeof(c->host));
    return ERR_OK;
}

static void on_timer(struct io_timer *timer)
{
    dial(LIST_ENTRY(timer, struct contact, timer));
}

static bool is_needed(const struct contact *c)
{
    bool is_linked = c->link || (c->peer && c->peer->link);
    return !c->is_self && !is_linked && !c->resolve && !c->mesh->draining && !c->mesh->closing;
}

void contact_start(struct contact *c)
{
    io_timer_start(c->mesh->cfg.loop, &c->timer, 0, on_timer);
}

void contact_stop(struct contact *c)
{
    io_timer_stop(&c->timer);
    if (c->resolve)
        io_resolve_cancel(c->resolve);
    c->resolve = NULL;
}

static void retry(struct contact *c)
{
    if (!is_needed(c))
        return;
    uint64_t delay_ms = rng_between(&c->mesh->rng, c->backoff_ms / 2, c->backoff_ms);
    c->backoff_ms =
        c->backoff_ms * 2 < MESH_BACKOFF_MAX_MS ? c->backoff_ms * 2 : MESH_BACKOFF_MAX_MS;
    io_timer_start(c->mesh->cfg.loop, &c->timer, delay_ms, on_timer);
}

static void on_failure(struct contact *c, enum err reason)
{
    if (reason != c->logged && !c->mesh->closing)
        LOG(c->mesh->cfg.log, LOG_INFO, "contact_failed", LOG_STR("host", c->host),
            LOG_UINT("port", c->port), LOG_ERR(reason));
    c->logged = reason;
    retry(c);
}

static void on_resolved(void *owner, enum err e, const struct io_addr *addr)
{
    struct contact *c = owner;
    c->resolve = NULL;
    if (!is_needed(c))
        return;
    if (e == ERR_OK)
        e = link_dial(c->mesh, addr, c, &c->link);
    if (e != ERR_OK)
        on_failure(c, e);
}

static void dial(struct contact *c)
{
    if (!is_needed(c))
        return;
    enum err e = io_resolve_start(c->mesh->cfg.loop, c->host, c->port, on_resolved, c, &c->resolve);
    if (e != ERR_OK)
        on_failure(c, e);
}

void contact_link_up(struct contact *c)
{
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

void contact_peer_lost(struct mesh *m, const struct peer *p)
{
    for (size_t i = 0; i < m->contact_count; i++) {
        struct contact *c = &m->contacts[i];
        if (c->peer == p && !io_timer_is_running(&c->timer))
            retry(c);
    }
}
