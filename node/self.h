/* What a node says of itself: its facts, put together of configuration, backends and what failed
 * it. Asked by the mesh when it publishes, by listings, and by routing. */
#ifndef NODE_SELF_H
#define NODE_SELF_H

#include "node/mesh/facts.h"

struct lane;

struct self { /* what the facts borrow */
    struct facts facts;
    struct facts_backend backends[FACTS_BACKENDS_MAX];
    struct facts_label labels[FACTS_LABELS_MAX];
    uint64_t accused[FACTS_ACCUSED_MAX];
};

/* As of now; valid until the next call. */
const struct facts *self_facts(struct self *s, struct lane *lane, const char *http_addr);

#endif
