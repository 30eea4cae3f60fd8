/* Picks one candidate for a request, by the mesh's policies (policy/decide.h): the rule that
 * matches, its steps in order, of the candidates that it allows one of the best. Asked anew for
 * every attempt, under the newest rules; what was tried stays behind, and steps only go forward. */
#ifndef NODE_ROUTING_CHOOSE_H
#define NODE_ROUTING_CHOOSE_H

#include "node/routing/candidates.h"

struct exchange;

struct choice {
    struct candidate candidate;
    const char *reason;    /* a word for receipts and logs: "local", "best", "only_candidate",
                           "other_region", "suspect", "again" */
    uint64_t facts_age_ms; /* of the facts it was chosen by; 0 for a local one */
    struct bytes model;    /* to be asked for: another than the client's in a cascade; the
                              candidates' until the next call */
    struct bytes version;  /* of the model asked for, where a policy splits it; the rule's */
    const struct policy_rule *rule; /* that decided, also over nobody; for the same turn; NULL:
                                       none */
    uint16_t step;
    double cost_usd;         /* expected; NAN: not known */
    double cached_tokens;    /* of the prompt, that it supposedly has already */
    uint64_t hedge_after_ms; /* a second attempt may start then; 0: none, as on every node but the
                                one where it came in, for hedges of hedges would multiply */
    struct policy_load load; /* as it was known */
};

/* What was already tried for this request, or runs, is left out, but for a peer whose answer got
 * lost before it began: when nobody else is left that one is asked once more.
 * MODEL_NOT_FOUND: no node serves it; RESIDENCY: those that do may not have this data, or this
 * model; NOT_ALLOWED: a policy forbids all of them; PRICE_CEILING: all cost too much; NO_CANDIDATE:
 * those that do cannot be used now, or no policy can be read; HOP_LIMIT: only a further hop could,
 * and there were enough. */
MUST_CHECK enum err choose(struct lane *lane, const struct exchange *x, struct choice *ret_choice);
/* Another candidate is left that could be tried now. */
bool choose_has_other(struct lane *lane, const struct exchange *x);

#endif
