/* The exchange of facts over one link: POST /mesh/v1/facts each way, one outstanding at a time,
 * answered with 204. Embedded in a link; inside node/mesh only. */
#ifndef NODE_MESH_FACTS_EXCHANGE_H
#define NODE_MESH_FACTS_EXCHANGE_H

#include "node/mesh/mesh.h"

#define FACTS_EXCHANGE_TARGET "/mesh/v1/facts"
#define FACTS_PUSH_MIN_MS 100 /* between pushes that mesh_facts_changed asks for */

struct facts_exchange {
    struct mesh_stream out; /* ours: h2 is NULL when none is outstanding */
    struct mesh_stream in;  /* theirs */
    struct buf body;        /* of theirs */
};

void facts_exchange_init(struct facts_exchange *x);
void facts_exchange_fini(struct facts_exchange *x);
/* The peer begins to tell us its facts. LIMIT: it does so already; PROTOCOL. */
MUST_CHECK enum err facts_exchange_accept(struct facts_exchange *x, const struct http_head *head,
                                          bool ended, struct mesh_stream **ret_stream);
/* The mesh's timer: our facts to all peers, once a second. */
void facts_exchange_start(struct mesh *m);
void facts_exchange_stop(struct mesh *m);
/* Our facts to one peer that has just been linked. */
void facts_exchange_greet(struct link *l);

#endif
