/* One attempt of an exchange: at a local backend or at a peer. The exchange embeds the attempt's
 * state; whoever runs it answers through the exchange_* functions of node/ingress/exchange.h and is
 * steered through call_ops. */
#ifndef NODE_EGRESS_CALLS_H
#define NODE_EGRESS_CALLS_H

#include "node/egress/client.h"
#include "node/egress/signer.h"
#include "node/mesh/mesh.h"

struct backend;
struct exchange;

struct call_ops {
    /* Gives the attempt up, places included; no callback comes any more. */
    void (*cancel)(struct exchange *x);
    void (*pause)(struct exchange *x);
    void (*resume)(struct exchange *x);
};

struct backend_call {
    struct backend *backend;
    bool is_waiting; /* in the backend's queue */
    struct client_call client;
};

struct peer_call {
    struct peer *peer;
    struct mesh_stream stream;
    struct signer_item signing;
    size_t record_size;
    uint8_t record[ENVELOPE_RECORD_MAX];
    struct body_cursor cursor;
    bool is_sent;     /* the whole body and our half's end */
    bool has_end;     /* the answer came to its end */
    enum err failure; /* ... without being whole */
    bool is_paused;
    size_t unreturned; /* window credit held back while paused */
};

/* Starts an attempt; x->call_ops is set. An err means that it did not start and holds nothing. */
MUST_CHECK enum err backend_call_start(struct exchange *x, struct backend *b);
MUST_CHECK enum err peer_call_start(struct exchange *x, struct peer *p);
/* The backend's queue has let it in. */
void backend_call_begin(struct exchange *x);
/* The backend went down: attempts that wait in its queue or for an answer's first byte fail with
 * this reason, and go elsewhere. */
void backend_call_fail_all(struct backend *b, enum err reason);

#endif
