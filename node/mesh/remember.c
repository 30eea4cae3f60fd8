/* A list of lines "host:port": of members that are alive first, then of the down, in the order of
 * their ids from this node's on, so that the nodes of a mesh do not all remember the same ones.
 *
 * Failure modes: it cannot be written (said once, tried again later: nothing depends on it but a
 * start without contacts), it comes back damaged (lines that are addresses are used, the rest is
 * not: who answers there must prove who he is). While nobody is known the old list stays. */
#include "node/mesh/remember.h"

#include "node/mesh/core.h"

#define LINE_MAX_SIZE (FACTS_ADDR_MAX + 1)
#define TEXT_SIZE_MAX (MESH_REMEMBERED_MAX * LINE_MAX_SIZE)

void remember_init(struct mesh *m)
{
    struct remember *r = &m->remember;
    buf_init(&r->text, TEXT_SIZE_MAX);
    r->due_ms = mesh_now_ms(m) + REMEMBER_FIRST_MS;
    r->dial_ms = mesh_now_ms(m) + (m->cfg.contact_count > 0 ? REMEMBER_AFTER_MS : 0);
}

void remember_fini(struct mesh *m)
{
    buf_fini(&m->remember.text);
}

/* --- at the start */

static bool add_contact(struct mesh *m, struct bytes line)
{
    char text[LINE_MAX_SIZE + 1];
    struct contact *c = &m->contacts[m->contact_count];
    if (line.size > LINE_MAX_SIZE)
        return false;
    bytes_to_str(line, text, sizeof(text));
    if (contact_init(c, m, text) != ERR_OK)
        return false;
    c->is_remembered = true;
    m->contact_count++;
    return true;
}

void remember_make_contacts(struct mesh *m)
{
    struct bytes rest = m->cfg.remembered;
    size_t taken = 0, bad = 0;
    if (rest.size <= TEXT_SIZE_MAX && buf_append(&m->remember.text, rest) != ERR_OK)
        buf_clear(&m->remember.text); /* it will be given out again */
    while (rest.size > 0 && taken < MESH_REMEMBERED_MAX && bad < MESH_REMEMBERED_MAX) {
        struct bytes line = bytes_of(rest.data, bytes_find(rest, '\n'));
        rest = bytes_skip(rest, line.size + 1);
        bool is_good = add_contact(m, line);
        taken += is_good;
        bad += !is_good;
    }
    if (bad > 0)
        LOG(m->cfg.log, LOG_WARN, "remembered_peers_damaged", LOG_UINT("lines_ignored", bad),
            LOG_UINT("lines_used", taken));
}

bool remember_is_due(const struct mesh *m)
{
    return mesh_now_ms(m) >= m->remember.dial_ms;
}

/* --- while it runs */

static enum err append(struct buf *text, const struct contact *c)
{
    bool is_v6 = strchr(c->host, ':') != NULL;
    return buf_printf(text, is_v6 ? "[%s]:%u\n" : "%s:%u\n", c->host, c->port);
}

static bool is_in(const struct peer_slot *slot, bool is_alive)
{
    const struct peer *p = &slot->peer;
    bool is_member = slot->is_member && p->state != PEER_LEFT && slot->contact.port != 0;
    return is_member && (p->state == PEER_ALIVE) == is_alive;
}

/* The number of members taken. */
static size_t list(const struct mesh *m, bool is_alive, size_t max, struct buf *text)
{
    size_t first = 0, taken = 0;
    while (first < m->peer_count &&
           id_compare(&m->peers[first]->peer.id, &m->cfg.identity->node) < 0)
        first++;
    for (size_t i = 0; i < m->peer_count && taken < max; i++) {
        const struct peer_slot *slot = m->peers[(first + i) % m->peer_count];
        taken += is_in(slot, is_alive) && append(text, &slot->contact) == ERR_OK;
    }
    return taken;
}

static void give_out(struct mesh *m, struct bytes text)
{
    struct remember *r = &m->remember;
    enum err e = m->ops->persist_remembered(m->owner, text);
    if (e != ERR_OK) {
        LOG(m->cfg.log, LOG_WARN, "peers_not_remembered", LOG_ERR(e));
        return;
    }
    buf_clear(&r->text);
    CHECK(buf_append(&r->text, text) == ERR_OK); /* a list of its own size at most */
}

void remember_look(struct mesh *m)
{
    struct remember *r = &m->remember;
    struct buf text;
    if (mesh_now_ms(m) < r->due_ms || !m->ops->persist_remembered)
        return;
    r->due_ms = mesh_now_ms(m) + REMEMBER_EVERY_MS;
    buf_init(&text, TEXT_SIZE_MAX);
    size_t alive = list(m, true, MESH_REMEMBERED_MAX, &text);
    (void)list(m, false, MESH_REMEMBERED_MAX - alive, &text);
    if (alive > 0 && !bytes_equal(buf_bytes(&text), buf_bytes(&r->text)))
        give_out(m, buf_bytes(&text));
    buf_fini(&text);
}
