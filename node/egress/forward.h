/* Which fields of a client's request travel on, to a backend or to a peer: all but the hop-by-hop
 * ones and those that the next hop gets from us. */
#ifndef NODE_EGRESS_FORWARD_H
#define NODE_EGRESS_FORWARD_H

#include "node/http/http.h"

static inline bool forward_drops(const struct http_head *head, const struct http_field *f)
{
    switch (f->id) {
    case HTTP_HOST:
    case HTTP_CONTENT_LENGTH:
    case HTTP_EXPECT:
    case HTTP_X_REQUEST_ID: return true;
    default: return http_is_ours(f->id) || http_is_hop_by_hop(head, f);
    }
}

/* Retry-After in milliseconds: seconds only (a date is rare and treated as not given); 0: none. */
uint64_t forward_retry_after_ms(const struct http_head *answer);

#endif
