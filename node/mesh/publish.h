/* What this node says about itself: its facts, looked at once a second and after changes, given to
 * gossip as NODE, INVENTORY and LOAD where they are new. Inside node/mesh only. */
#ifndef NODE_MESH_PUBLISH_H
#define NODE_MESH_PUBLISH_H

#include "node/mesh/mesh.h"

#define PUBLISH_MIN_MS 100 /* between looks that mesh_facts_changed asks for */

struct publish {
    struct io_timer timer;
    struct buf payload;
    uint64_t looked_ms;
    struct id via[GOSSIP_VIA_MAX];
    size_t via_count;
    struct facts_load load; /* given last */
    bool draining;
    size_t accused_count;
    struct figures figures[FACTS_BACKENDS_MAX]; /* said last, by backend */
    struct facts_rules rules;                   /* given last, and */
    uint64_t rules_ms;                          /* when they were new */
    unsigned loads;                             /* given since they were */
};

void publish_init(struct publish *p);
void publish_fini(struct publish *p);
/* All three, at the end of this turn of the loop. */
void publish_start(struct mesh *m);
void publish_stop(struct mesh *m);
/* What is new, now: somebody is about to be told everything. */
void publish_look(struct mesh *m);
/* Our load, because gossip's moment for it has come. */
void publish_load(struct mesh *m);
/* Others may reach us through other members now. */
void publish_review_via(struct mesh *m);

#endif
