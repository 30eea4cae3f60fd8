/* Which disk and which start of it a member speaks from: what this node remembers of others, and
 * what others remember of it. Called for every message before anything else of it is heeded. */
#include "raft/inner.h"

static struct raft_known *known_row(struct raft *r, const struct id *id)
{
    struct raft_hard *h = &r->hard;
    for (size_t i = 0; i < h->known_count; i++)
        if (id_equal(&h->known[i].id, id))
            return &h->known[i];
    return NULL;
}

uint64_t raft_known_boot(const struct raft *r, const struct id *id, uint64_t *ret_store)
{
    for (size_t i = 0; i < r->hard.known_count; i++)
        if (id_equal(&r->hard.known[i].id, id)) {
            *ret_store = r->hard.known[i].store;
            return r->hard.known[i].boot;
        }
    return 0;
}

static struct raft_known *new_known_row(struct raft *r, const struct id *id)
{
    struct raft_hard *h = &r->hard;
    size_t at = h->known_count;
    if (at == RAFT_MEMBERS_MAX)
        for (at = 0; at < RAFT_MEMBERS_MAX && raft_is_member(raft_now(r), &h->known[at].id);)
            at++;
    if (at == RAFT_MEMBERS_MAX)
        return NULL;
    if (at == h->known_count)
        h->known_count++;
    h->known[at] = (struct raft_known){.id = *id};
    return &h->known[at];
}

static void heed_peer(struct raft *r, const struct raft_message *m)
{
    struct raft_peer *p = raft_peer_find(r, &m->from);
    if (!p)
        return;
    if (p->store != m->store) { /* another disk: nothing that was acknowledged is there */
        p->match = 0;
        raft_peer_probe(p, r->log.last + 1);
    } else if (p->boot != m->boot) { /* it may have found records unreadable */
        raft_peer_probe(p, p->match + 1);
        p->match = 0;
    }
    p->store = m->store;
    p->boot = m->boot;
}

bool raft_heed_sender(struct raft *r, const struct raft_message *m)
{
    if (m->known_store == r->hard.store && m->known_boot > r->hard.boot)
        raft_fence(r);
    struct raft_known *k = known_row(r, &m->from);
    if (!k)
        k = new_known_row(r, &m->from);
    if (k && k->store == m->store && k->boot > m->boot)
        return false;
    if (k && (k->store != m->store || k->boot < m->boot)) {
        k->store = m->store;
        k->boot = m->boot;
        r->is_known_dirty = true;
    }
    heed_peer(r, m);
    return true;
}
