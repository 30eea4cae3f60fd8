/* An inference server attached to this node: its state, inventory, concurrency limit and queue.
 *
 *   unknown ──probe ok──> up <──────────────┐
 *      │                   │ probe failed,  │ probe ok
 *      │                   │ connect refused│
 *      ├──probe failed──> down ─────────────┤
 *      └──503 loading───> loading ──────────┘
 *
 * Probed every BACKEND_PROBE_MS; what requests experience counts at once. */
#ifndef NODE_EGRESS_BACKEND_H
#define NODE_EGRESS_BACKEND_H

#include "base/arena.h"
#include "node/config/config.h"
#include "node/egress/client.h"
#include "node/egress/engine_metrics.h"
#include "node/egress/queue.h"
#include "node/mesh/facts.h"

#define BACKEND_PROBE_MS 2000
#define BACKEND_PROBE_FAST_MS 500      /* while it is not up */
#define BACKEND_METRICS_MS 1000        /* between looks at the metrics of an engine that has them */
#define BACKEND_METRICS_RETRY_MS 30000 /* ... of one that had none */
#define BACKEND_PROBE_TIMEOUT_MS 5000
#define BACKEND_PROBE_FAILURES_MAX                                                                 \
    3 /* slow probes in a row before an engine that was up counts as down */
#define BACKEND_ANSWER_MAX (1024 * 1024) /* of a probe's answer */
#define BACKEND_BUSY_MS 1000             /* after 429 or 503 without Retry-After */
#define BACKEND_BUSY_MAX_MS 60000        /* a longer Retry-After is cut to this */
#define BACKEND_SHED_MAX_MS 120000 /* nor is a longer one said: clients would give up for good */

enum backend_state { BACKEND_UNKNOWN, BACKEND_UP, BACKEND_LOADING, BACKEND_DOWN };

/* Why one does not wait any longer, or not at all. */
enum backend_shed {
    BACKEND_SHED_FULL,      /* it came to a full queue, and was the least important */
    BACKEND_SHED_DISPLACED, /* a more important one came to a full queue */
    BACKEND_SHEDS
};

struct backend_waits { /* of one priority */
    uint64_t shed[BACKEND_SHEDS];
    uint64_t admitted; /* that had to wait */
    uint64_t waited_us;
};

struct attempt;
struct lane;

struct backend {
    struct config_backend cfg; /* a copy; prefix without a trailing /v1 */
    struct lane *lane;
    struct client client;
    bool has_client; /* the address is known */
    struct io_resolve *resolve;
    int state;              /* enum backend_state */
    enum backend_kind kind; /* found out when cfg says auto */
    enum err down_reason;
    /* inventory, replaced as a whole */
    struct arena arena;
    const struct facts_model *models;
    size_t model_count;
    uint8_t models_hash[CRYPTO_HASH_SIZE];
    int64_t slots; /* -1 not known */
    /* load */
    uint32_t inflight;
    uint32_t queued;
    struct queue queue; /* attempts (call.backend.waiting) */
    struct list shed;   /* ... that had to leave it and are told so at the turn's end */
    struct io_task shed_task;
    struct backend_waits waits[QUEUE_PRIORITIES];
    bool is_admitting;            /* inside backend_leave */
    struct engine_metrics engine; /* what it says itself; nothing known: it does not */
    uint32_t others;              /* running at it, and not from here, when it said so */
    uint32_t others_waiting;
    struct figures served_figures; /* of our own attempts, as they were at */
    uint64_t served_ms;            /* 0: never */
    struct figures figures;        /* all that is known, as of the last look */
    uint64_t busy_until_ms;
    uint64_t served;
    uint64_t failed;
    /* probe.c */
    struct client_call probe;
    struct io_timer probe_timer; /* next probe, or this one's time-out */
    enum { PROBE_IDLE, PROBE_HEALTH, PROBE_MODELS, PROBE_SLOTS, PROBE_METRICS } probe_phase;
    int probe_status;
    uint64_t probe_due_ms;   /* the next whole one; between them only metrics are asked for */
    uint64_t metrics_due_ms; /* not before */
    bool has_metrics;        /* it answered when it was last asked for them */
    uint32_t probe_failures;
    bool probe_is_llamacpp;
    bool probe_is_ours; /* a node of this mesh answered */
    struct buf probe_head;
    struct buf probe_answer;
};

/* Begins to probe. */
MUST_CHECK enum err backend_create(struct lane *lane, const struct config_backend *cfg,
                                   struct backend **ret_backend);
/* Nothing may be running or waiting. NULL is fine. */
void backend_destroy(struct backend *b);
bool backend_is_usable(const struct backend *b);
bool backend_was_probed(const struct backend *b);

/* backend_queue.c. Admission: takes a place at once (true), else the caller may wait. */
bool backend_try_enter(struct backend *b);
/* Waits for a place: backend_call_begin(a) is called when there is one, or backend_call_shed(a),
 * for this one or for another, when the queue is full. */
void backend_wait(struct backend *b, struct attempt *a);
void backend_leave_queue(struct backend *b, struct attempt *a);
/* Gives a place back and lets in who waits, as many as there are places. */
void backend_leave(struct backend *b);
void backend_queue_init(struct backend *b); /* all but the queue itself */
const char *backend_shed_name(enum backend_shed reason);
struct buf;
/* The series of the queues, for the metrics' page. */
MUST_CHECK enum err backend_queue_metrics(const struct lane *lane, struct buf *out);

/* What requests experienced. */
void backend_note_failure(struct backend *b, enum err e);
void backend_note_busy(struct backend *b, uint64_t retry_after_ms);

/* What runs and waits at the engine: from here, and of others as the engine last said. */
uint32_t backend_running(const struct backend *b);
uint32_t backend_waiting(const struct backend *b);

/* probe.c */
void backend_probe_start(struct backend *b);
void backend_probe_stop(struct backend *b);
/* backend_metrics.c: what the engine's answer to GET /metrics says; that it says nothing more. */
void backend_take_metrics(struct backend *b, struct bytes text);
void backend_forget_metrics(struct backend *b);
/* Puts together what is known of it: what its engine says, then what the driver says of its GPU,
 * and how our own attempts went, which is summed up at most once a second. */
void backend_renew_figures(struct backend *b);
/* Moves to a state; logs, tells routing and peers. */
void backend_set_state(struct backend *b, enum backend_state state, enum err reason);

#endif
