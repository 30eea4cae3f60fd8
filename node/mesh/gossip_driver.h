/* The shell of the gossip core: the only place that steps it. Owns the UDP socket beside the TCP
 * listener and the core's timer, and obeys its effects in their order: persist, send, then look.
 * What links, dials and resolvers find out is told to the core at the end of the loop's turn, since
 * it may come up while effects are obeyed. Inside node/mesh only. */
#ifndef NODE_MESH_GOSSIP_DRIVER_H
#define NODE_MESH_GOSSIP_DRIVER_H

#include "node/io/datagram.h"
#include "node/mesh/mesh.h"

struct gossip_driver {
    struct gossip *core;
    struct io_datagram *socket;
    struct io_timer timer; /* the core's deadline */
    struct io_task tell;
    struct list telling; /* of peer_slot */
    bool is_stepping;
    uint8_t keys[GOSSIP_KEYS_MAX][32]; /* the one to seal with first */
    size_t key_count;                  /* 0: mesh_cfg's is the only one */
    uint64_t to_persist;               /* must be on disk before anything is sent; 0: nothing */
    uint64_t persisted;                /* the greatest incarnation that is there */
    int64_t wall_ahead_ms;             /* of the monotonic clock, when the core was made */
    uint8_t dh_secret[CRYPTO_DH_SIZE]; /* of this node's key */
    uint64_t conflict_ms;              /* when another process spoke under it; 0: never */
    uint64_t conflict_logged_ms;
    uint64_t twin_ms; /* since when one that is older than this does; 0: none */
    bool has_given_way;
};

/* What the core is told of a peer; bits. */
enum gossip_driver_tell {
    GOSSIP_DRIVER_LINK_UP = 1,
    GOSSIP_DRIVER_EVIDENCE = 2,
    GOSSIP_DRIVER_MEASURED = 4,
    GOSSIP_DRIVER_ENDPOINT = 8,
};

void gossip_driver_init(struct mesh *m);
/* The UDP socket on this address: the errors of io_datagram_open. */
MUST_CHECK enum err gossip_driver_bind(struct mesh *m, const struct io_addr *addr);
/* Makes the core: NO_MEMORY, INVALID. */
MUST_CHECK enum err gossip_driver_start(struct mesh *m);
void gossip_driver_stop(struct mesh *m);
/* One or two keys in a row, the one to seal with first: from now on, or once the core is made. */
void gossip_driver_rekey(struct mesh *m, struct bytes keys);
/* Once in a while: begins anew if the wall clock was wrong at the start. */
void gossip_driver_review_clock(struct mesh *m);

void gossip_driver_tell(struct peer *p, enum gossip_driver_tell what);
void gossip_driver_tell_endpoint(struct peer *p, const struct io_addr *addr);
void gossip_driver_tell_rtt(struct peer *p, uint64_t rtt_us);
/* A message that came over a link from this peer. */
void gossip_driver_on_message(struct peer *p, struct bytes message);
void gossip_driver_publish(struct mesh *m, enum gossip_kind kind, struct bytes payload,
                           bool is_urgent);

/* NULL: gossip does not know it. */
const struct gossip_member *gossip_driver_member(const struct mesh *m, const struct id *id);
uint64_t gossip_driver_distance_us(const struct mesh *m, const struct peer *p); /* 0: not known */

/* --- gossip_payload.c; ctx is the mesh */
extern const struct gossip_ops gossip_payload_ops;

#endif
