/* What an operator asks of a running mesh, by way of the control socket: the keys of its gossip
 * (node/trust/keyring.h) and what happened to its members. For node/ingress. */
#ifndef NODE_MESH_ORDERS_H
#define NODE_MESH_ORDERS_H

#include "node/mesh/events.h"
#include "node/mesh/mesh.h"
#include "node/trust/keyring.h"

/* An operator's ring: to be stored, used and told to all, as soon as the rules have its key. Errors
 * of keyring_verify; REPLAYED: not newer than the present one; NOT_ALLOWED: the rules have another
 * key under its number. */
MUST_CHECK enum err mesh_keys_take(struct mesh *m, struct bytes ring);
/* The present ring, encoded; empty: none yet. A secret. */
struct bytes mesh_keys(const struct mesh *m);
struct mesh_keys_state {
    uint64_t version; /* 0: none yet */
    uint64_t made_ms;
    size_t key_count;
    size_t members; /* alive or suspect, this node among them */
    size_t having;  /* ... that are known to have this ring */
};
void mesh_keys_state(const struct mesh *m, struct mesh_keys_state *ret_state);

/* What happened to the members. */
struct events *mesh_events(struct mesh *m);

#endif
