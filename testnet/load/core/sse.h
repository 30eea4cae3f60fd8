/* A stream of server-sent events, cut anyhow, as its data lines. Comments and other fields are left
 * out; lines of one event are not joined, for engines send one each. Pure. */
#ifndef TESTNET_LOAD_CORE_SSE_H
#define TESTNET_LOAD_CORE_SSE_H

#include "base/buf.h"

#define SSE_LINE_MAX (256 * 1024)

struct sse {
    struct buf line; /* one that has begun */
    void (*on_data)(void *owner, struct bytes data);
    void *owner;
};

void sse_init(struct sse *s, void (*on_data)(void *owner, struct bytes data), void *owner);
void sse_fini(struct sse *s);
/* Forgets what has begun. */
void sse_reset(struct sse *s);
/* LIMIT: a line beyond SSE_LINE_MAX. NO_MEMORY. */
MUST_CHECK enum err sse_feed(struct sse *s, struct bytes data);

#endif
