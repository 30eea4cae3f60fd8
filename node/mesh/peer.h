/* The table of peers: who was met, by which link it is reached, in which state it is. Inside
 * node/mesh only.
 *
 *   down ──link──> alive <──> suspect ──no link──> down
 *                    └──────────┴── no link, and it said goodbye ──> left ──link──> alive */
#ifndef NODE_MESH_PEER_H
#define NODE_MESH_PEER_H

#include "base/arena.h"
#include "node/mesh/handshake.h"
#include "node/mesh/mesh.h"

#define PEER_FACTS_SIZE_MAX (512 * 1024) /* decoded */

struct peer_slot {
    struct peer peer; /* first: what others see */
    struct mesh *mesh;
    struct arena arenas[2]; /* the newest facts, and those before */
    struct facts facts[2];
    int newest;
    bool facts_bad_logged;
};

static inline struct peer_slot *peer_slot_of(struct peer *p)
{
    return (struct peer_slot *)p;
}

/* The peer of a finished handshake, made or brought up to date. LIMIT, NO_MEMORY, BAD_SIGNATURE. */
MUST_CHECK enum err peer_meet(struct mesh *m, const struct handshake *h, struct peer **ret_peer);
void peer_destroy(struct peer_slot *slot);
/* l->peer is set and l is up. Decides which of several links is kept. */
void peer_link_up(struct link *l);
void peer_link_goaway(struct link *l);
/* After l is off the mesh's list. */
void peer_link_ended(struct link *l, enum err reason);
/* Works out whether it is alive or suspect. */
void peer_refresh(struct peer *p);
/* Facts that came: INVALID, LIMIT, CERT_SCOPE (they do not lie within its certificate). Counts and
 * logs bad ones. */
MUST_CHECK enum err peer_facts(struct peer *p, struct bytes wire);
void peer_changed(struct peer *p); /* calls on_peer */

#endif
