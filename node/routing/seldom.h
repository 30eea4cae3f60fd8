/* The facts of a candidate that change seldom, gathered when the index is rebuilt: who and where it
 * is, what the registry says of its model and version, what it costs. */
#ifndef NODE_ROUTING_SELDOM_H
#define NODE_ROUTING_SELDOM_H

#include "node/routing/candidates.h"

/* Texts are the candidates' arena's. Without room for one it counts as not known. */
void seldom_fill(struct lane *lane, struct bytes model, const struct candidate *c,
                 struct policy_static *ret_facts);
/* What the registry says that the model is for; empty: nothing. */
struct bytes seldom_task(struct lane *lane, struct bytes model);

#endif
