/* How many requests each peer has at work here, so that one peer cannot take every place. Only
 * peers that have some are listed: those are few, so a look at all is cheap. Called by the exchange
 * at its creation and release. */
#ifndef NODE_INGRESS_SHARES_H
#define NODE_INGRESS_SHARES_H

#include "node/mesh/mesh.h"

struct shares {
    struct {
        const struct peer *peer;
        uint32_t count;
    } items[MESH_PEERS_MAX];
    size_t count;
};

/* One more of this peer's; false: it has `max` already. */
bool shares_take(struct shares *s, const struct peer *peer, uint32_t max);
void shares_give(struct shares *s, const struct peer *peer);

#endif
