/* One attempt of an exchange: at a local backend, or at a peer. Usually one runs; beside the first
 * one (the primary) hedges may be started while none of them answers, and whichever brings an
 * answer first wins. The exchange embeds its attempts; egress runs them, is steered through
 * attempt_ops and tells what comes by the attempt_* functions below.
 *
 *   waiting ──head of an event stream──> holding ──first octet──> won ──> over
 *     │ └─────────any other head─────────────│──────────────────> won
 *     └───────────failed, or cancelled───────┴──────────────────────────> over
 *
 * Only the one that won is ever heard of by the client. */
#ifndef NODE_INGRESS_ATTEMPT_H
#define NODE_INGRESS_ATTEMPT_H

#include "node/egress/calls.h"
#include "node/http/http.h"
#include "node/routing/choose.h"

#define ATTEMPT_HELD_MAX (8 * 1024) /* a larger head is passed on at once: the arena is bounded */

enum attempt_state { ATTEMPT_WAITING, ATTEMPT_HOLDING, ATTEMPT_WON, ATTEMPT_OVER };

struct attempt;
struct exchange;

struct attempt_ops {
    /* Gives the attempt up, places included; no callback comes any more. */
    void (*cancel)(struct attempt *a);
    void (*pause)(struct attempt *a);
    void (*resume)(struct attempt *a);
};

struct attempt {
    struct exchange *x;
    struct choice choice; /* set before it starts */
    /* Set by egress; NULL: nothing is held at a backend or peer. */
    const struct attempt_ops *ops;
    int state; /* enum attempt_state */
    bool is_hedge;
    enum err failure; /* why it ended; OK: it has not, or another one was faster */
    const char
        *detail; /* of the failure, in English, where the reason alone would puzzle; or NULL */
    uint64_t started_us;
    uint64_t first_byte_us; /* after started_us; 0: no answer has come */
    struct deployment_use use;
    /* What its answer says, for the exchange if it wins; in the exchange's arena. */
    const char *executor;                 /* the node whose backend answers; NULL: not told */
    struct bytes answer_path;             /* grapevine-path from this node to the executor */
    struct bytes below;                   /* receipts of the next hop, wire form */
    uint8_t below_leaf[CRYPTO_HASH_SIZE]; /* of the first of them, if there is one */
    const struct http_head *held;         /* while holding */
    union {
        struct backend_call backend;
        struct peer_call peer;
    } call;
};

/* --- for the egress */
/* May this answer, a failure for this reason, be thrown away? Nothing was sent to the client, and
 * another attempt runs or can be made. */
bool attempt_is_dispensable(struct attempt *a, enum err reason);
/* It ended without an answer; it holds nothing any more. The exchange waits for the other one, or
 * tries elsewhere, or fails. */
void attempt_failed(struct attempt *a, enum err reason, uint64_t retry_after_ms);
/* The answer's head, borrowed for the call. An err says that it cannot be passed on: the attempt
 * has to end (its detail is set), for nothing was sent. */
MUST_CHECK enum err attempt_head(struct attempt *a, const struct http_head *head);
/* Likewise, of a head that was held until now. */
MUST_CHECK enum err attempt_data(struct attempt *a, struct bytes data);
/* Complete; the attempt holds nothing any more. Releases the exchange (a peer's once its receipt is
 * signed). */
void attempt_end(struct attempt *a);
/* The answer broke off in the middle; likewise. */
void attempt_broken(struct attempt *a, enum err reason);
static inline bool attempt_has_won(const struct attempt *a)
{
    return a->state == ATTEMPT_WON;
}
/* Before its first octet: it can still be repeated elsewhere. */
static inline bool attempt_is_open(const struct attempt *a)
{
    return a->state == ATTEMPT_WAITING || a->state == ATTEMPT_HOLDING;
}

/* --- for the exchange and its pipeline */
/* Did it keep an engine busy? Not what never reached one, or was refused by the rules or by a node
 * that is leaving. */
bool attempt_failure_costs(enum err failure);
/* May one more be started? Asked before each but the first, retry or hedge. */
bool attempt_may_start(const struct exchange *x);
/* The next one, whose choice is made; counted, whether it starts or not. An err means that it holds
 * nothing. Its choice says when a hedge may follow. */
MUST_CHECK enum err attempt_start(struct exchange *x, bool is_hedge);
bool attempt_any_runs(const struct exchange *x);
/* Cancels those that run, and whatever would start another. */
void attempt_stop_all(struct exchange *x);

#endif
