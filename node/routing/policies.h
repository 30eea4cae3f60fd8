/* The mesh's policies at this node: the registry's documents as one compiled set, made anew when
 * they change. Requests borrow nothing of it between turns: each choice matches again, so that the
 * newest rules decide also over what is already under way.
 *
 * Fail closed: documents that this program cannot read (an older binary, a newer language) leave
 * the set before them in force; where there is none, nothing is routed until they can be read. */
#ifndef NODE_ROUTING_POLICIES_H
#define NODE_ROUTING_POLICIES_H

#include "policy/policy.h"

#define POLICIES_VM_BYTES (256 * 1024) /* for what expressions make during one evaluation */

struct lane;

struct policies {
    struct policy_set *set; /* NULL: none could be made yet */
    struct cel_vm *vm;
    bool is_broken;     /* the documents in force are older than the registry's */
    bool reads_headers; /* some expression reads request.headers */
    uint64_t reloads, failures;
};

/* NO_MEMORY. The set is the built-in policy alone. */
MUST_CHECK enum err policies_init(struct policies *p);
void policies_fini(struct policies *p);
/* The registry's policies changed, or are there for the first time. */
void policies_load(struct lane *lane);

#endif
