/* What a policy sees of a request. */
#ifndef NODE_ROUTING_ASKED_H
#define NODE_ROUTING_ASKED_H

#include "policy/policy.h"

struct exchange;

/* The field x-priority: 0 where it is not said, greater is more important. Travels with the request
 * over hops, as all its fields. */
int64_t asked_priority(const struct exchange *x);
/* Length of its prompt, estimated. */
uint64_t asked_input_tokens(const struct exchange *x);
/* What it is likely to cost an engine: tokens read and written, estimated; at least 1. */
uint32_t asked_tokens(const struct exchange *x);

/* Texts are the exchange's; header fields only where some policy reads them. */
void asked_fill(const struct exchange *x, struct policy_request *ret_request,
                struct policy_pair headers[POLICY_PAIRS_MAX]);

#endif
