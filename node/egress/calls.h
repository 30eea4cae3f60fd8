/* What runs an attempt of an exchange: a call of a local backend or of a peer. Its state is
 * embedded in the attempt (node/ingress/attempt.h), whose functions take what comes, and whose ops
 * steer it. */
#ifndef NODE_EGRESS_CALLS_H
#define NODE_EGRESS_CALLS_H

#include "base/list.h"
#include "node/egress/client.h"
#include "node/egress/queue.h"
#include "node/egress/signer.h"
#include "node/mesh/mesh.h"

struct backend;
struct attempt;

struct backend_call {
    struct backend *backend;
    bool is_waiting;
    struct queue_item waiting; /* in the backend's queue ... */
    struct list shed;          /* ... or among those that it has no room for */
    uint64_t retry_after_ms;   /* of these */
    struct client_call client;
};

struct peer_call {
    struct peer *peer;
    struct mesh_stream stream;
    struct signer_item signing;
    struct bytes record; /* of the envelope; in the exchange's arena */
    struct body_cursor cursor;
    bool is_sent;     /* the whole body and our half's end */
    bool has_end;     /* the answer came to its end */
    enum err failure; /* ... without being whole */
    bool is_paused;
    size_t unreturned; /* window credit held back while paused */
};

/* Starts an attempt; a->ops is set. An err means that it did not start and holds nothing. */
MUST_CHECK enum err backend_call_start(struct attempt *a, struct backend *b);
MUST_CHECK enum err peer_call_start(struct attempt *a, struct peer *p);
/* The backend's queue has let it in. */
void backend_call_begin(struct attempt *a);
/* ... or has no room for it. */
void backend_call_shed(struct attempt *a);
/* The backend went down: attempts that wait in its queue or for an answer's first byte fail with
 * this reason, and go elsewhere. */
void backend_call_fail_all(struct backend *b, enum err reason);

#endif
