/* Which engines supposedly hold the beginning of a request's prompt (policy/prefix.h). What counts
 * is the body as it came, from its first octet: clients write the turns of a conversation, and a
 * common system prompt, in the same way each time. A body of less than a block costs nothing. */
#ifndef NODE_ROUTING_PREFIX_H
#define NODE_ROUTING_PREFIX_H

#include "node/routing/candidates.h"
#include "policy/policy.h"

struct choice;
struct exchange;

struct prefixes {
    struct policy_prefixes *table; /* NULL until there is something to remember */
    uint8_t seed[16];
};
void prefix_init(struct prefixes *p, const uint8_t seed[16]);
void prefix_fini(struct prefixes *p);

/* Once, when the body is whole: sets x->prefix, where there is one. */
void prefix_find(struct exchange *x);
/* Tokens that the candidate supposedly need not work on again; 0 where nothing is known. */
double prefix_cached_tokens(const struct lane *lane, const struct exchange *x,
                            const struct candidate *c);
/* It is being given to this one. */
void prefix_give(const struct exchange *x, const struct choice *choice);

#endif
