/* Connections that this node has ended and whose client has not: what was sent is still on its way,
 * and closing now could destroy it (RFC 9112 section 9.6). They hold a descriptor each, so they
 * count as connections until they are gone. */
#ifndef NODE_INGRESS_LINGER_H
#define NODE_INGRESS_LINGER_H

#include "node/io/stream.h"

#define LINGER_MS 2000

struct lane;

/* Takes the stream over with its place in connection_count, sends what is queued and waits for the
 * client's end, at most LINGER_MS. has_ended: that end came already. */
void linger(struct lane *lane, struct io_stream *stream, bool has_ended);
/* The lane ends: what is left is the loop's affair. */
void linger_close_all(struct lane *lane);

#endif
