/* Whom this node could dial if it started again and none of its listed contacts lived: addresses of
 * members, kept by the mesh's owner. The list is looked at now and then and given out when it has
 * changed; at a start it makes contacts that are dialled while nobody is known. Inside node/mesh
 * only. */
#ifndef NODE_MESH_REMEMBER_H
#define NODE_MESH_REMEMBER_H

#include "node/mesh/mesh.h"

#define REMEMBER_FIRST_MS 5000 /* after the start; then, since each list costs a write: */
#define REMEMBER_EVERY_MS 60000
#define REMEMBER_AFTER_MS 3000 /* so long the listed contacts are tried alone */

struct remember {
    struct buf text; /* as given out last, or as it came */
    uint64_t due_ms;
    uint64_t dial_ms; /* from then on remembered contacts are dialled, if there are others */
};

void remember_init(struct mesh *m);
void remember_fini(struct mesh *m);
/* Appends contacts for what was remembered: at most MESH_REMEMBERED_MAX. What is no address is left
 * out, with one line in the log. */
void remember_make_contacts(struct mesh *m);
/* It may be dialled by now. */
bool remember_is_due(const struct mesh *m);
/* Called every round of upkeep. */
void remember_look(struct mesh *m);

#endif
