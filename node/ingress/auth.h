/* API keys: whose request a client's is. A key comes as `Authorization: Bearer gvk_...` (OpenAI's
 * SDKs) or `x-api-key: gvk_...` (Anthropic's), and goes no further: engines never see it. Other
 * credentials pass through untouched, for engines that want their own.
 *
 * A key is needed where the listener is beyond loopback (unless --insecure-http), or where the
 * setting clients.require_key says so; a wrong one is refused everywhere. What was revoked in the
 * registry is refused as soon as this node has applied it. */
#ifndef NODE_INGRESS_AUTH_H
#define NODE_INGRESS_AUTH_H

#include "base/err.h"

struct exchange;
struct lane;

/* The settings of the mesh may have changed. */
void auth_load(struct lane *lane);
/* At the head of a client's request for an endpoint that needs to know whose it is: fills in
 * terms.tenant and takes the key out of x->head. INVALID_API_KEY: none, unknown, revoked or over,
 * or its tenant is suspended; STARTING: a key came, and there are no rules yet. */
MUST_CHECK enum err auth_client(struct exchange *x);

#endif
