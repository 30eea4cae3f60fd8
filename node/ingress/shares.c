/* See shares.h. A peer's row goes when its count is 0, and the last one takes its place. */
#include "node/ingress/shares.h"

static size_t find(const struct shares *s, const struct peer *peer)
{
    size_t i = 0;
    while (i < s->count && s->items[i].peer != peer)
        i++;
    return i;
}

bool shares_take(struct shares *s, const struct peer *peer, uint32_t max)
{
    size_t i = find(s, peer);
    if (i == s->count) {
        CHECK(i < MESH_PEERS_MAX); /* there are no more peers than that */
        s->items[i].peer = peer;
        s->items[i].count = 0;
        s->count++;
    }
    if (s->items[i].count >= max)
        return false;
    s->items[i].count++;
    return true;
}

void shares_give(struct shares *s, const struct peer *peer)
{
    size_t i = find(s, peer);
    CHECK(i < s->count && s->items[i].count > 0);
    if (--s->items[i].count == 0)
        s->items[i] = s->items[--s->count];
}
