/* Contacts: addresses to dial, with jittered, doubling pauses. The operator lists some: each is
 * dialled until the node behind it is linked, and later only while that node is not alive by
 * gossip, or is all there is. Others are remembered from an earlier start: dialled only while
 * nobody is known. And every peer has one: what its record says, dialled when upkeep or a message
 * wants a link; its endpoint is told to gossip, too. Inside node/mesh only. */
#ifndef NODE_MESH_CONTACT_H
#define NODE_MESH_CONTACT_H

#include "node/mesh/mesh.h"

#define CONTACT_HOST_MAX 255
#define CONTACT_STEADY_MS 2000 /* a link that lived this long makes the next pause short again */

struct contact {
    struct mesh *mesh;
    bool is_listed;     /* by the operator, or remembered; else a peer's own */
    bool is_remembered; /* from an earlier start */
    char host[CONTACT_HOST_MAX + 1];
    uint16_t port; /* 0: there is nothing to dial */
    bool is_self;  /* never dialled again */
    bool is_known; /* a peer's own: gossip was told its endpoint */
    struct io_resolve *resolve;
    struct io_timer timer;
    struct link *link; /* dialled here and not gone */
    struct peer *peer; /* who answered last; of a peer's own: that peer */
    uint64_t backoff_ms;
    enum err logged; /* the failure that was logged last: the same one is not said twice */
};

/* "host:port", listed. INVALID. */
MUST_CHECK enum err contact_init(struct contact *c, struct mesh *m, const char *text);
/* A peer's own, with nothing to dial yet. */
void contact_init_own(struct contact *c, struct mesh *m, struct peer *p);
/* What a peer's record says: "host:port", "" for nothing; what is neither is nothing, too. */
void contact_set(struct contact *c, struct bytes text);
/* Dials if that is needed and no pause runs; after `delay_ms` at the soonest. */
void contact_review(struct contact *c, uint64_t delay_ms);
void contact_hurry(struct contact *c); /* what kept it from succeeding is over: soon, from anew */
/* It would be dialled if there were no link. */
bool contact_is_wanted(const struct contact *c);
void contact_stop(struct contact *c);
/* c->link is up. */
void contact_link_up(struct contact *c);
/* c->link is gone; reason tells why. */
void contact_link_ended(struct contact *c, struct link *l, enum err reason);

#endif
