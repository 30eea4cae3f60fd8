/* What a policy sees of a request. */
#ifndef NODE_ROUTING_ASKED_H
#define NODE_ROUTING_ASKED_H

#include "policy/policy.h"

struct exchange;

/* Texts are the exchange's; header fields only where some policy reads them. */
void asked_fill(const struct exchange *x, struct policy_request *ret_request,
                struct policy_pair headers[POLICY_PAIRS_MAX]);

#endif
