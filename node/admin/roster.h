/* Who is in the view and what they offer: peers in a stable order, models one by one. Used by
 * nodes.c and models.c. */
#ifndef NODE_ADMIN_ROSTER_H
#define NODE_ADMIN_ROSTER_H

#include "node/admin/admin.h"

struct roster {
    const struct peer *peers[MESH_PEERS_MAX]; /* by name, then id */
    size_t count;
};
void roster_of(const struct admin_view *v, struct roster *ret_roster);

/* One model on one backend of one node; or in another region, on nodes that only that one knows. */
struct roster_offer {
    const struct facts_model *model;
    const struct facts_backend *backend;
    struct bytes node;   /* empty: it is the region that offers */
    struct bytes region; /* then */
    size_t rank;         /* this node 0, then the peers as in the roster, then regions */
};
enum roster_filter {
    ROSTER_SERVED, /* a request could be sent there now: this node or a usable peer, the backend up;
                      or a region through a usable gateway */
    ROSTER_KNOWN,  /* also suspect or draining peers, and backends that are still loading */
};
struct roster_offers {
    struct roster_offer *items; /* by model name, version, rank */
    size_t count;
    struct facts_model *region_models; /* of the regions' offers */
};
/* NO_MEMORY. End with roster_offers_fini. */
MUST_CHECK enum err roster_offers_collect(const struct admin_view *v, enum roster_filter filter,
                                          struct roster_offers *ret_offers);
void roster_offers_fini(struct roster_offers *offers);

#endif
