/* The mesh itself: opening, draining, closing, and the questions others ask. The work is done by
 * its links, peers, contacts, upkeep and the driver of gossip. */
#include "node/mesh/mesh.h"

#include "node/mesh/core.h"
#include "node/mesh/orders.h"

#include <stdlib.h>

#define PORT_TRIES 8 /* a free one for TCP may be taken for UDP */
#define OUT_RESERVE (LINK_OUT_MAX + 4 * RECORD_BODY_MAX)

static void on_reap(struct io_task *task)
{
    link_reap(LIST_ENTRY(task, struct mesh, reap));
}

static void on_accept(void *owner, struct io_stream *stream)
{
    struct mesh *m = owner;
    if (m->draining || m->closing) {
        io_stream_close(stream);
        return;
    }
    mesh_review_clock(m); /* before this link's handshake: it would end with the others */
    link_accept(m, stream);
}

/* --- opening */

static void set_advertised(struct mesh *m)
{
    const char *text = m->cfg.advertise;
    char listen[IO_ADDR_TEXT_SIZE] = "";
    if (!text) {
        if (!io_addr_is_any(&m->listen))
            io_addr_to_text(&m->listen, listen);
        text = listen;
    } else if (strcmp(text, "none") == 0) {
        text = "";
    }
    bytes_to_str(bytes_from_str(text), m->advertised, sizeof(m->advertised));
}

static enum err make_contacts(struct mesh *m)
{
    size_t count = m->cfg.contact_count;
    if (count > MESH_CONTACTS_MAX)
        return ERR_LIMIT;
    m->contacts = calloc(count + MESH_REMEMBERED_MAX, sizeof(*m->contacts));
    if (!m->contacts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(contact_init(&m->contacts[i], m, m->cfg.contacts[i]));
    m->contact_count = count;
    remember_make_contacts(m);
    return ERR_OK;
}

/* TCP and UDP on one port. */
static enum err take_port(struct mesh *m)
{
    TRY(io_listen(m->cfg.loop, &m->cfg.listen, on_accept, m, &m->listener));
    io_listener_addr(m->listener, &m->listen);
    enum err e = gossip_driver_bind(m, &m->listen);
    if (e == ERR_OK)
        return ERR_OK;
    io_listener_close(m->listener);
    m->listener = NULL;
    return e;
}

static enum err take_ports(struct mesh *m)
{
    enum err e = take_port(m);
    for (int i = 1; i < PORT_TRIES && e == ERR_ADDRESS_IN_USE && m->cfg.listen.port == 0; i++)
        e = take_port(m);
    return e;
}

static enum err start(struct mesh *m)
{
    TRY(buf_reserve(&m->out, OUT_RESERVE));
    TRY(make_contacts(m));
    TRY(take_ports(m));
    set_advertised(m);
    keys_start(m);
    TRY(gossip_driver_start(m));
    publish_start(m);
    upkeep_start(m);
    return ERR_OK;
}

enum err mesh_open(const struct mesh_cfg *cfg, const struct mesh_ops *ops, void *owner,
                   struct mesh **ret_mesh)
{
    struct mesh *m = calloc(1, sizeof(*m));
    if (!m)
        return ERR_NO_MEMORY;
    m->cfg = *cfg;
    m->ops = ops;
    m->owner = owner;
    rng_init(&m->rng, cfg->seed);
    crypto_dh_keypair(m->static_public, m->static_secret);
    list_init(&m->links);
    list_init(&m->gone_links);
    list_init(&m->parted);
    io_task_init(&m->reap, on_reap);
    buf_init(&m->out, MESH_OUT_SIZE_MAX);
    gossip_driver_init(m);
    keys_init(m);
    events_init(&m->events);
    publish_init(&m->publish);
    abroad_init(&m->abroad);
    remember_init(m);
    enum err e = start(m);
    if (e != ERR_OK) {
        mesh_close(m);
        return e;
    }
    *ret_mesh = m;
    return ERR_OK;
}

/* --- ending */

static void stop_meeting(struct mesh *m)
{
    if (m->listener)
        io_listener_close(m->listener);
    m->listener = NULL;
    for (size_t i = 0; i < m->contact_count; i++)
        contact_stop(&m->contacts[i]);
    for (size_t i = 0; i < m->peer_count; i++)
        contact_stop(&m->peers[i]->contact);
}

void mesh_end_links(struct mesh *m, bool open_ones_too, enum err reason)
{
    LIST_EACH_SAFE(it, tmp, &m->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        if (open_ones_too || !link_is_open(l))
            link_end(l, reason);
    }
}

void mesh_review_clock(struct mesh *m)
{
    if (!m->draining)
        gossip_driver_review_clock(m);
}

void mesh_drain(struct mesh *m)
{
    if (m->draining)
        return;
    m->draining = true;
    stop_meeting(m);
    mesh_end_links(m, false, ERR_DRAINING);
    LIST_EACH(it, &m->links)
    {
        struct link *l = LIST_ENTRY(it, struct link, node);
        h2_drain(l->server);
        link_output(l);
    }
}

void mesh_close(struct mesh *m)
{
    if (!m)
        return;
    publish_stop(m);
    upkeep_stop(m);
    keys_stop(m);
    gossip_driver_stop(m);
    m->closing = true;
    stop_meeting(m);
    mesh_end_links(m, true, m->draining ? ERR_DRAINING : ERR_EOF);
    link_reap(m);
    io_task_cancel(&m->reap);
    for (size_t i = 0; i < m->peer_count; i++)
        peer_destroy(m->peers[i]);
    for (struct list *it; (it = list_pop_front(&m->parted));)
        peer_destroy(LIST_ENTRY(it, struct peer_slot, parted));
    free(m->contacts);
    remember_fini(m);
    buf_fini(&m->out);
    publish_fini(&m->publish);
    keys_fini(m);
    abroad_fini(&m->abroad);
    crypto_wipe(m->cfg.gossip_key, sizeof(m->cfg.gossip_key));
    crypto_wipe(m->static_secret, sizeof(m->static_secret));
    crypto_wipe(m->plain, sizeof(m->plain));
    free(m);
}

/* --- the rules */

void mesh_review_admission(struct mesh *m)
{
    if (!m->ops->admit || m->closing)
        return;
    for (size_t i = m->peer_count; i-- > 0;)
        peer_review_admission(&m->peers[i]->peer);
}

void mesh_want_links(struct mesh *m, const struct id *nodes, size_t count)
{
    for (size_t i = 0; i < m->peer_count; i++)
        m->peers[i]->is_ruled = false;
    for (size_t i = 0; i < count; i++) {
        struct peer *p = mesh_peer_find(m, &nodes[i]);
        if (!p)
            continue;
        peer_slot_of(p)->is_ruled = true;
        if (!p->link)
            upkeep_dial(p);
    }
}

uint64_t mesh_distance_us(const struct mesh *m, const struct peer *p)
{
    return gossip_driver_distance_us(m, p);
}

/* --- questions */

void mesh_listen_addr(const struct mesh *m, struct io_addr *ret_addr)
{
    *ret_addr = m->listen;
}

const char *mesh_advertised(const struct mesh *m)
{
    return m->advertised;
}

size_t mesh_peer_count(const struct mesh *m)
{
    return m->peer_count;
}

struct peer *mesh_peer(const struct mesh *m, size_t index)
{
    CHECK(index < m->peer_count);
    return &m->peers[index]->peer;
}

void mesh_counts(const struct mesh *m, struct mesh_counts *ret_counts)
{
    *ret_counts = m->counts;
}

struct events *mesh_events(struct mesh *m)
{
    return &m->events;
}
