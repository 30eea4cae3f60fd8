/* Contacts: the addresses that the operator listed. Each is dialled until the node behind it is
 * linked, and again when that link is lost, with jittered, doubling pauses. Inside node/mesh
 * only. */
#ifndef NODE_MESH_CONTACT_H
#define NODE_MESH_CONTACT_H

#include "node/mesh/mesh.h"

#define CONTACT_HOST_MAX 255
#define CONTACT_STEADY_MS 2000 /* a link that lived this long makes the next pause short again */

struct contact {
    struct mesh *mesh;
    char host[CONTACT_HOST_MAX + 1];
    uint16_t port;
    bool is_self; /* never dialled again */
    struct io_resolve *resolve;
    struct io_timer timer;
    struct link *link; /* dialled here and not gone */
    struct peer *peer; /* who answered last */
    uint64_t backoff_ms;
    enum err logged; /* the failure that was logged last: the same one is not said twice */
};

/* "host:port". INVALID. */
MUST_CHECK enum err contact_init(struct contact *c, struct mesh *m, const char *text);
/* Dials soon. */
void contact_start(struct contact *c);
void contact_stop(struct contact *c);
/* c->link is up. */
void contact_link_up(struct contact *c);
/* c->link is gone; reason tells why. */
void contact_link_ended(struct contact *c, struct link *l, enum err reason);
/* The last link to this peer is gone: contacts that lead to it dial again. */
void contact_peer_lost(struct mesh *m, const struct peer *p);

#endif
