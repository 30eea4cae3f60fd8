/* Requests on links, both sides: a body goes, a body comes, and somebody is told once. Commands,
 * raft's messages, ranges of the log and snapshots all travel so. Bodies larger than a stream's
 * queue are handed over in pieces. Inside node/rules only. */
#ifndef NODE_RULES_ASK_H
#define NODE_RULES_ASK_H

#include "base/buf.h"
#include "node/mesh/mesh.h"

#define ASK_BODY_MAX (4u << 20)

struct rules;

/* What is sent on a stream: owned bytes, in pieces. */
struct ask_body {
    struct buf bytes;
    size_t sent;
};

struct rules_ask {    /* ours; embedded, zeroed before its first use */
    struct list node; /* r->asks while it is under way */
    struct mesh_stream stream;
    struct rules *rules;
    struct ask_body out;
    struct buf in;
    struct peer *peer;
    int status;
    bool is_open;
    /* Once; not after ask_cancel. OK: status and in are the answer, until the callback returns; it
     * may start the ask again. LIMIT: the answer was too long. REFUSED: it was never looked at. */
    void (*on_done)(struct rules_ask *ask, enum err e);
};

/* POSTs `body` (copied). `target` is the rest after RULES_TARGET. LINK_LOST, LIMIT, DRAINING,
 * NO_MEMORY: nothing was sent, no callback comes. */
MUST_CHECK enum err ask_start(struct rules *r, struct rules_ask *ask, struct peer *peer,
                              struct bytes target, struct bytes body, size_t answer_max,
                              void (*on_done)(struct rules_ask *ask, enum err e));
void ask_cancel(struct rules_ask *ask); /* fine when it is not under way */

struct rules_visit {  /* a peer's */
    struct list node; /* r->visits */
    struct mesh_stream stream;
    struct rules *rules;
    char target[96]; /* after RULES_TARGET */
    struct buf in;
    struct ask_body out;
    bool is_whole; /* all of `in` is there */
    bool is_answered;
    struct order *order;                        /* it waits for this one */
    void (*on_gone)(struct rules_visit *visit); /* the peer gave up; NULL: nobody minds */
};

/* Answers and lets go of it. */
void ask_answer(struct rules_visit *visit, int status, struct bytes body);
/* The same with an error's word as the body: 429 for what may be tried again, else 403. */
void ask_refuse(struct rules_visit *visit, enum err reason);

void ask_stop_all(struct rules *r);

#endif
