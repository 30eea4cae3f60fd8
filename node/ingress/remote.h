/* Operators from afar: which requests to /mesh/v1/ the client listener takes, by RFC 9421
 * signatures (node/trust/http_signature.h) of administrators whom the registry knows. A signature
 * is good once: nonces are remembered for as long as their time is near enough to be taken. */
#ifndef NODE_INGRESS_REMOTE_H
#define NODE_INGRESS_REMOTE_H

#include "base/err.h"
#include <stdint.h>

#define REMOTE_NONCES_MAX 8192 /* in ten minutes; beyond it OVERLOADED */

struct exchange;
struct remote_set;

struct remote { /* of a lane; zero-initialised */
    struct remote_set *now, *before;
    uint64_t since_ms; /* of `now` */
    uint64_t refused;
};
void remote_fini(struct remote *r);

/* The request is whole. INVALID_API_KEY: not signed, or by nobody the registry knows; REVOKED,
 * EXPIRED; BAD_SIGNATURE, CLOCK_SKEW, REPLAYED, INVALID_REQUEST; OVERLOADED; STARTING: no rules
 * yet. *ret_why: English; untouched when OK. */
MUST_CHECK enum err remote_admit(struct exchange *x, const char **ret_why);

#endif
