/* Requests that arrive over links: the envelope is verified, the body collected and compared with
 * its digest, then the same pipeline runs with hop + 1. The answer goes back as an HTTP/2 answer,
 * our receipt in its trailers. */
#ifndef NODE_INGRESS_PEER_CONN_H
#define NODE_INGRESS_PEER_CONN_H

#include "node/mesh/mesh.h"

struct lane;

/* mesh_ops.on_request of the node. */
MUST_CHECK enum err peer_conn_open(struct lane *lane, struct peer *peer, struct h2_stream *s,
                                   const struct http_head *head, bool ended,
                                   struct mesh_stream **ret_stream);

/* What is left when the mesh is closed: streams that were cancelled and whose work still runs. */
void peer_conn_close_all(struct lane *lane);

#endif
