/* The mesh's key ring (node/trust/keyring.h) on its way: POST /mesh/v1/gossip-keys over links,
 * answered with 204 by who has it then, or a newer one. Inside node/mesh only; the operator's side
 * is mesh_keys_take in orders.h.
 *
 * A ring goes out over every link that comes up, and when it is new over all that are there. Then
 * members without a link are dialled, one every KEYS_INTERVAL_MS: all of them by the node to which
 * an operator gave the ring, a few random ones by each other node. Whoever is missed is met over
 * the links that probes open where datagrams are not understood.
 *
 * Rings carry, the rules decide: where there are any, a ring is taken over when they have its key
 * under its number, and waits for them until then.
 *
 * A new key is opened with at once and sealed with KEYS_SETTLE_MS later, when most have it, so that
 * a rotation does not look like an outage. */
#ifndef NODE_MESH_KEYS_H
#define NODE_MESH_KEYS_H

#include "node/mesh/mesh.h"
#include "node/trust/keyring.h"

#define KEYS_TARGET "/mesh/v1/gossip-keys"
#define KEYS_INTERVAL_MS 250
#define KEYS_RETRY_MS 10000  /* between two tries with one member */
#define KEYS_SETTLE_MS 10000 /* a few rounds of the above reach a region of hundreds */
#define KEYS_DIALS 8         /* by a node that only hands a ring on: an epidemic's fan-out */
#define KEYS_POSTS_MAX 2     /* of a peer's, at a time */

struct keys {
    struct keyring ring;            /* version 0: none yet */
    uint8_t wire[KEYRING_SIZE_MAX]; /* as it was signed */
    size_t size;
    uint64_t generation;             /* counts rings taken over */
    uint8_t early[KEYRING_SIZE_MAX]; /* a good one whose key the rules do not have yet */
    size_t early_size, early_dials;
    struct list posts; /* streams, ours and theirs */
    struct io_timer timer;
    struct io_timer settle;
    size_t dials_left;
    size_t cursor; /* where the next round begins in the table of peers */
};

struct keys_peer { /* of a row of that table */
    bool has_ring; /* the present one, or a newer one */
    bool is_due;   /* a link is wanted to tell it */
    uint64_t told_ms;
};

void keys_init(struct mesh *m);
/* Takes over the ring of mesh_cfg, if there is a good one. Before gossip starts. */
void keys_start(struct mesh *m);
void keys_stop(struct mesh *m);
/* After all links have ended. */
void keys_fini(struct mesh *m);
/* It may have lost or changed its ring since: it is told, whatever it said before. */
void keys_link_up(struct peer *p);
/* The peer begins to send its ring. LIMIT: it sends as many as it may already; PROTOCOL. */
MUST_CHECK enum err keys_accept(struct link *l, const struct http_head *head, bool ended,
                                struct mesh_stream **ret_stream);

#endif
