/* One HTTP/1.1 connection of a client, or of the CLI on the control socket: requests in, answers
 * out in the same order, one at a time (pipelined requests wait in a bounded buffer).
 *
 *   idle ──first byte──> head ──> body ──> running ──answer sent──> idle …
 *
 * A client that closes, even only its sending side, has gone: its work is cancelled, for a closed
 * socket and a half-closed one look the same until it is too late. */
#ifndef NODE_INGRESS_HTTP_CONN_H
#define NODE_INGRESS_HTTP_CONN_H

#include "node/ingress/api.h"
#include "node/io/stream.h"

struct lane;

struct listener {
    struct lane *lane;
    enum api_face face;
    struct io_listener *io;
    struct io_timer watch;
    uint64_t dropped; /* as last looked at */
};

/* Errors of io_listen. The listener is zero-initialised before. */
MUST_CHECK enum err http_conn_listen(struct lane *lane, const struct io_addr *addr,
                                     enum api_face face, struct listener *ret_listener);
/* Stops accepting; harmless when not open. */
void http_conn_unlisten(struct listener *l);

size_t http_conn_count_clients(const struct lane *lane);
/* Draining: idle connections are closed, busy ones after their answer. */
void http_conn_drain_all(struct lane *lane);
/* Closes all; running requests are abandoned. */
void http_conn_close_all(struct lane *lane);

#endif
