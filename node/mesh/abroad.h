/* Other regions: what this node's region is said to serve, if it is one of its gateways, and what
 * other regions are believed to serve by theirs (summary.h). Looked at once a second by publish.c.
 * Inside node/mesh only; others ask mesh_abroad. */
#ifndef NODE_MESH_ABROAD_H
#define NODE_MESH_ABROAD_H

#include "node/mesh/mesh.h"

#define ABROAD_SAY_MS 2000    /* between summaries that differ */
#define ABROAD_REPEAT_MS 6000 /* ... that do not: two may be lost before SUMMARY_STALE_MS */
#define ABROAD_LOOK_MS 1000
#define ABROAD_ARENA_MAX (8 << 20)

struct abroad {
    struct arena arena; /* what the view borrows */
    struct summary_view view;
    uint64_t said_ms, looked_ms;
};

void abroad_init(struct abroad *a);
void abroad_fini(struct abroad *a);
/* Not within a step of gossip. */
void abroad_look(struct mesh *m);

#endif
