/* Which links this node keeps: for requests to those that execute something, its own region and the
 * near ones first; if it only dials out, also to the few through whom others reach it. A timer, and
 * whatever changes in the table of peers, makes it so. Inside node/mesh only. */
#ifndef NODE_MESH_UPKEEP_H
#define NODE_MESH_UPKEEP_H

#include "node/mesh/mesh.h"

#define UPKEEP_INTERVAL_MS 2000
#define UPKEEP_SOON_MS 10   /* what changes within makes one round */
#define UPKEEP_YIELD_MS 200 /* the greater id waits as long, lest both dial at once */

struct upkeep {
    struct io_timer timer;
};

void upkeep_start(struct mesh *m);
void upkeep_stop(struct mesh *m);
/* Something changed. */
void upkeep_soon(struct mesh *m);
/* A message waits for this peer. */
void upkeep_dial(struct peer *p);
/* Nobody here wants this link; its other end may. */
bool upkeep_link_is_spare(const struct link *l);
/* The members through whom others reach this node: linked ones; at most GOSSIP_VIA_MAX. */
size_t upkeep_via(const struct mesh *m, struct id ret_via[GOSSIP_VIA_MAX]);

#endif
