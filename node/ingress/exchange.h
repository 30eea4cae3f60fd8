/* One request and its answer, from the moment its head was read to the last byte of its answer.
 * Both faces make them (http_conn for clients, peer_conn for links); the pipeline moves them;
 * egress answers into them; the answer goes to the sink that the face left here, without passing
 * the stages again.
 *
 *   arriving ──submit──> routing ──attempt──> waiting ──first byte──> relaying ──> done
 *                          ^                    │ └─ a hedge may run beside it (attempt.h)
 *                          └── RETRY (none runs; before the first byte, bounded by attempts and
 *                              deadline)
 *
 * Memory: one exchange from a pool, its arena, its body's segments, and at most
 * limits.window + one read of unsent answer. Everything goes in exchange_release. */
#ifndef NODE_INGRESS_EXCHANGE_H
#define NODE_INGRESS_EXCHANGE_H

#include "base/arena.h"
#include "node/http/http.h"
#include "node/ingress/api.h"
#include "node/ingress/attempt.h"
#include "node/ingress/body.h"
#include "node/ingress/scan.h"
#include "node/routing/terms.h"
#include "node/trust/receipt.h"

#define EXCHANGE_ATTEMPTS_MAX 4
#define EXCHANGE_ARENA_MAX (64 * 1024) /* and six times limits.header: copies for the attempts */
#define EXCHANGE_DETAIL_MAX 192
#define EXCHANGE_DETACHED_MS 2000

enum exchange_state {
    EXCHANGE_ARRIVING,
    EXCHANGE_ROUTING,
    EXCHANGE_WAITING,
    EXCHANGE_RELAYING,
    EXCHANGE_DONE
};

struct exchange;

/* Where the answer goes. The sink's calls come in this order: begin, data*, then end or abort. */
struct sink_ops {
    /* The answer's head, hop-by-hop fields included: the sink leaves them out. content_length -1:
     * not known. An err says that it cannot carry this head: nothing was sent, another may be. */
    enum err (*begin)(struct exchange *x, const struct http_head *answer);
    void (*data)(struct exchange *x, struct bytes data);
    /* Complete. receipts: the wire chain for a peer. The exchange is released by the caller right
     * after. */
    void (*end)(struct exchange *x, struct bytes receipts);
    /* Broken after begin. Released right after. */
    void (*abort)(struct exchange *x, enum err reason);
    /* Unsent bytes. The sink calls exchange_drained when they are gone. */
    size_t (*queued)(const struct exchange *x);
};

/* Steers an answer made here that goes on, or a wait. */
struct call_ops {
    /* Gives it up; no callback comes any more. */
    void (*cancel)(struct exchange *x);
    void (*pause)(struct exchange *x);
    void (*resume)(struct exchange *x);
};

struct exchange {
    struct lane *lane;
    struct list node; /* lane's running or idle ones */
    int state;
    size_t stage; /* pipeline.c */
    const struct sink_ops *sink;
    void *sink_owner;

    /* the request */
    const struct api_endpoint *endpoint;
    struct http_head head; /* borrowed from the face or in the arena, while the exchange lives */
    struct arena arena;
    struct body body;
    uint64_t started_us; /* io_now_us */
    uint64_t started_wall_ms;
    uint64_t deadline_ms; /* io_now_ms */
    struct io_timer deadline;
    /* ... that came over a hop */
    struct peer *from; /* NULL: a client */
    uint32_t hop;      /* hops so far: 0 at the ingress */
    struct id origin;
    struct terms terms; /* what the rules ask of it */
    uint64_t epoch;     /* of the sender's rules */
    bool has_body_hash;
    bool has_looped; /* it was this mesh that sent it here */
    bool has_waited; /* for the rules under which it came */

    /* attempts */
    const struct policy_prefix *prefix; /* of the body; in the arena; NULL: it is short */
    uint32_t attempt_count;
    struct attempt *winner;  /* whose answer is given; NULL: none yet, or it is made here */
    struct io_timer hedge;   /* until a second one is started beside the primary */
    enum err last_failure;   /* of the attempt that failed last */
    const char *last_detail; /* likewise (attempt.h) */
    uint64_t retry_after_ms;
    const struct call_ops *call_ops; /* NULL: nothing local runs */

    /* the answer */
    int status;
    bool is_paused;
    uint64_t first_byte_us;
    uint64_t answer_bytes;
    const char *executor;     /* the node whose backend answered; NULL: answered here without one */
    struct bytes answer_path; /* grapevine-path from this node to the executor; in the arena */
    struct bytes below;       /* receipts of the next hop, wire form; in the arena */
    enum err failure;         /* why it failed; OK otherwise */
    struct signer_item signing;
    size_t record_size;

    /* Not zeroed at creation: from here on each is set before it is used. */
    uint8_t record[RECEIPT_RECORD_MAX]; /* our receipt for a peer */
    char request_id[REQUEST_ID_MAX + 1];
    struct scan scan;
    char path[ENVELOPE_HOPS_MAX][CERT_NAME_MAX + 1]; /* nodes passed so far, `hop` of them */
    uint8_t body_hash[CRYPTO_HASH_SIZE];
    uint8_t below_leaf[CRYPTO_HASH_SIZE]; /* of the first receipt below, if there is one */
    struct attempt attempts[EXCHANGE_ATTEMPTS_MAX]; /* in the order in which they began */
    union {
        struct local_events_call *events; /* of call_ops */
        struct local_rules_call *rules;
        struct local_read_call *read;
        struct local_watch_call *watch;
        struct local_snapshot_call *snapshot;
        struct patience *patience;
    } call;
    struct digest answer_hash;
};

/* --- for the faces */
/* A fresh one for this endpoint (NULL: none matched), with its deadline running; from: the peer, or
 * NULL for a client. OVERLOADED (limits.inflight, of which a peer may take half) or NO_MEMORY. */
MUST_CHECK enum err exchange_create(struct lane *lane, const struct api_endpoint *endpoint,
                                    struct peer *from, const struct sink_ops *sink,
                                    void *sink_owner, struct exchange **ret_x);
/* A piece of the body: stored and scanned. An err refuses the request: exchange_fail with it. */
MUST_CHECK enum err exchange_body(struct exchange *x, struct bytes data);
/* The request is whole: to the pipeline (pipeline.c). */
void exchange_submit(struct exchange *x);
/* The sink's queue is empty again. */
void exchange_drained(struct exchange *x);
/* The client has the whole answer and is gone: what is left (the engine's or the peer's last word)
 * is awaited for a moment without a sink. */
void exchange_detach(struct exchange *x);
/* The client or peer is gone, or the face gives up: cancels everything; releases x. No sink call
 * comes. */
void exchange_abandon(struct exchange *x, enum err reason);

/* --- for whoever answers */
/* Whole local answer; ends and releases x. */
void exchange_answer(struct exchange *x, int status, const char *content_type, struct bytes body);
/* Fails: an error answer before the first byte, a broken answer after it; releases x. detail may be
 * NULL. */
void exchange_fail(struct exchange *x, enum err reason, const char *detail);

/* --- for answers made here, and the attempt that won */
/* An err says that this head cannot be passed on, and nothing was sent. */
MUST_CHECK enum err exchange_head(struct exchange *x, const struct http_head *answer);
void exchange_data(struct exchange *x, struct bytes data);
/* Complete; call_ops' owner holds nothing any more. Releases x (a peer's once its receipt is
 * signed). */
void exchange_end(struct exchange *x);
/* The answer broke off in the middle; likewise. */
void exchange_broken(struct exchange *x, enum err reason);

/* --- for attempt.c, pipeline.c and finish.c */
/* The last running attempt failed: tries elsewhere, or fails. */
void exchange_retry(struct exchange *x, enum err reason);
/* The rules under which it came are not here yet: true, and exchange_resume comes; false: it has
 * waited already, or cannot. */
bool exchange_await_epoch(struct exchange *x);
/* Goes on with the stage at which it stood. */
void exchange_resume(struct exchange *x);
void exchange_set_state(struct exchange *x, enum exchange_state state);
void exchange_release(struct exchange *x);
/* Counts it, keeps or sends its receipt, ends the sink and releases x. */
void exchange_finish(struct exchange *x);
/* Counts it and keeps a receipt if it was executed; the sink is not touched. */
void exchange_account(struct exchange *x, enum err failure);

/* --- queries */
struct bytes exchange_model(const struct exchange *x);
uint64_t exchange_remaining_ms(const struct exchange *x);
/* Its deadline is this (io_now_ms), if it was later. */
void exchange_limit_time(struct exchange *x, uint64_t deadline_ms);
const uint8_t *exchange_body_hash(struct exchange *x);

#endif
