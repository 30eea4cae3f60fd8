/* The facts of a candidate that change by the second, gathered when a decision looks at it, and
 * whether it can be asked now. */
#ifndef NODE_ROUTING_LIVE_H
#define NODE_ROUTING_LIVE_H

#include "node/routing/candidates.h"

struct exchange;

/* Which candidates a look takes into account: decisions are tried with one round after the other
 * until somebody is found. */
struct live_round {
    const struct exchange *x;
    struct lane *lane;
    struct bytes version; /* that has to serve; empty: any */
    bool local_only;      /* for requests that came over a hop */
    bool via;             /* also gateways that only lead to who has the model */
    bool doubtful;        /* also those who may take a while to fail */
    bool again;           /* also a peer that could not answer for once */
    bool busy;            /* also those who asked not to be asked before a time */
};

/* As policy_ops.refresh; ctx: a struct live_round. */
enum policy_verdict live_refresh(void *ctx, struct policy_candidate *c);
/* Age of the report that it was judged by; 0 of an own backend. */
uint64_t live_age_ms(const struct lane *lane, const struct candidate *c, struct bytes model);
/* The load of a candidate as it is known now. */
struct policy_load live_load(const struct lane *lane, const struct candidate *c,
                             struct bytes model);
/* What serves it runs on; UNKNOWN: nobody says. */
enum facts_hardware live_hardware(const struct candidate *c, struct bytes model);
/* It has crossed a border: from a gateway's neighbour abroad, or handed on within this region. */
bool live_is_from_abroad(const struct lane *lane, const struct exchange *x);
/* A peer that could be asked if the request had not come over as many hops as it may. */
bool live_is_within_reach(const struct lane *lane, const struct exchange *x,
                          const struct candidate *c);

#endif
