/* Picks one candidate for a request: power of two choices among those that can be used now, by own
 * in-flight plus reported load. Mitzenmacher 2001: two random choices are almost as good as knowing
 * all, and do not herd. */
#ifndef NODE_ROUTING_CHOOSE_H
#define NODE_ROUTING_CHOOSE_H

#include "node/routing/candidates.h"

struct exchange;

struct choice {
    struct candidate candidate;
    const char *reason; /* a word for receipts and logs: "local", "least_loaded", "only_candidate",
                           "other_region", "suspect", "again" */
    uint64_t facts_age_ms; /* of the facts it was chosen by; 0 for a local one */
    /* Without an answer for so long, a second attempt may run beside it; 0: never. Only where the
     * request came in, for hedges of hedges would multiply. */
    uint64_t hedge_after_ms;
};

/* What was already tried for this request, or runs, is left out, but for a peer whose answer got
 * lost before it began: when nobody else is left that one is asked once more. MODEL_NOT_FOUND: no
 * node serves it; RESIDENCY: those that do may not have this data, or this model; NO_CANDIDATE:
 * those that do cannot be used now; HOP_LIMIT: only a further hop could, and there were enough. */
MUST_CHECK enum err choose(struct lane *lane, const struct exchange *x, struct choice *ret_choice);
/* Another candidate is left that could be tried now. */
bool choose_has_other(struct lane *lane, const struct exchange *x);

#endif
