/* What the rules of the mesh ask of one request: whose it is, which version of which model has to
 * serve it, where its data may be. Set at the ingress out of the registry, carried by envelopes as
 * names, and set anew by every node that the request reaches, out of its own copy: a node that may
 * not hold the data refuses, one that is behind the sender says so. Fail closed.
 *
 * A client may name a model, an alias, or a version of a model ("llama/v2"). An alias stands for
 * one of its versions by weight, the same for the same request id. The body's model is
 * replaced by what was chosen, for engines know no aliases. */
#ifndef NODE_ROUTING_TERMS_H
#define NODE_ROUTING_TERMS_H

#include "base/bytes.h"
#include "base/err.h"

struct exchange;
struct lane;

struct terms {            /* texts in the exchange's arena */
    struct bytes tenant;  /* "": nobody's */
    struct bytes version; /* of the model; "": any that may serve */
    const struct bytes *regions;
    size_t region_count; /* where its data may be; 0: anywhere */
    /* by the policy that decides over it; empty and zero until it has */
    struct bytes asked_model; /* the client's, where an alias or a cascade asks for another */
    struct bytes region;      /* of the node where it came in */
    double cost_max_usd;      /* by the sender; NAN: no bound */
    struct bytes rule;
    uint64_t rule_version;
    uint16_t step;         /* attempts never go back to an earlier one */
    double spent_usd;      /* expected cost of the attempts so far */
    uint32_t attempts_max; /* 0: no attempt yet */
};

/* A client's request is whole; terms.tenant is set. TENANT, RESIDENCY, NO_CANDIDATE (no version
 * that the alias names may serve), errors of body_splice. */
MUST_CHECK enum err terms_set(struct exchange *x);
/* A peer's request is whole; terms.tenant and version are the envelope's, as is `epoch`.
 * EPOCH_BEHIND: the sender has newer rules; TENANT, RESIDENCY. */
MUST_CHECK enum err terms_check(struct exchange *x, uint64_t epoch);
/* Out of a peer's envelope, which lives as long as the exchange, and into the next hop's. */
struct envelope;
void terms_take(struct exchange *x, const struct envelope *e);
void terms_give(const struct exchange *x, struct envelope *e);

struct choice;
struct policy_rule;
/* This rule decided over it, whatever it decided. NO_MEMORY. */
MUST_CHECK enum err terms_set_rule(struct exchange *x, const struct policy_rule *rule);
/* An attempt begins: what it commits the later ones to, and the body's model where it asks for
 * another one. NO_MEMORY, errors of body_splice. */
MUST_CHECK enum err terms_follow(struct exchange *x, const struct choice *choice);
bool terms_allow_region(const struct terms *t, struct bytes region);

/* --- what the registry says of one deployment, whatever the request. For candidates.c. */

struct registry_reader;
struct terms_deployment {
    const struct registry_reader *reader; /* NULL: no rules, everything may */
    struct bytes model, version;          /* as the node says; version may be empty */
    const char *region;
    const struct id *node; /* NULL: of another region, seen through a gateway */
};
/* OK; DRAINING, REVOKED (node or version), RESIDENCY, NOT_ALLOWED: not registered, hardware that
 * does not fit, a version that nobody can tell. *ret_version: as the registry calls it: the only
 * one where the node does not say; valid until the reader is renewed. */
MUST_CHECK enum err terms_judge(const struct terms_deployment *d, struct bytes *ret_version);

#endif
