/* Which disk and which start of it a member speaks from: what this node remembers of others, and
 * what others remember of it. Called for every message before anything else of it is heeded. */
#include "raft/inner.h"

const struct raft_known *raft_known(const struct raft *r, const struct id *id)
{
    const struct raft_hard *h = &r->hard;
    for (size_t i = 0; i < h->known_count; i++)
        if (id_equal(&h->known[i].id, id))
            return &h->known[i];
    return NULL;
}

static struct raft_known *known_row(struct raft *r, const struct id *id)
{
    const struct raft_known *k = raft_known(r, id);
    return k ? &r->hard.known[k - r->hard.known] : NULL;
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

/* Is the start that was heard of none of these? Then the disk is an older copy, however often it
 * was started since. Of starts further back than are kept nobody can tell. */
static bool is_missing(uint64_t boot, const uint32_t draws[RAFT_STARTS_KEPT], uint64_t known_boot,
                       uint32_t known_draw)
{
    if (known_boot > boot)
        return true;
    uint32_t draw = boot - known_boot < RAFT_STARTS_KEPT ? draws[boot - known_boot] : 0;
    return draw && known_draw && draw != known_draw;
}

static void remember(struct raft *r, struct raft_known *k, const struct raft_message *m)
{
    bool is_same = k->store == m->store && k->boot == m->boot && k->draw == m->draws[0];
    r->is_known_dirty |= !is_same;
    k->store = m->store;
    k->boot = m->boot;
    k->draw = m->draws[0];
}

bool raft_heed_sender(struct raft *r, const struct raft_message *m)
{
    const struct raft_hard *h = &r->hard;
    if (m->known_store == h->store && is_missing(h->boot, h->draws, m->known_boot, m->known_draw))
        raft_fence(r);
    struct raft_known *k = known_row(r, &m->from);
    if (!k)
        k = new_known_row(r, &m->from);
    if (k && k->store == m->store && is_missing(m->boot, m->draws, k->boot, k->draw))
        return false;
    if (k)
        remember(r, k, m);
    heed_peer(r, m);
    return true;
}
