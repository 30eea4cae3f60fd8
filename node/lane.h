/* A lane: one loop and everything on it. This is what the folders of node/ share; each part owns
 * its own fields and everyone else only reads them. There is one lane per node for now; nothing in
 * it is global. */
#ifndef NODE_LANE_H
#define NODE_LANE_H

#include "base/log.h"
#include "base/rng.h"
#include "base/trace.h"
#include "node/config/config.h"
#include "node/egress/signer.h"
#include "node/ingress/body.h"
#include "node/ingress/remote.h"
#include "node/ingress/shares.h"
#include "node/io/loop.h"
#include "node/mesh/mesh.h"
#include "node/routing/candidates.h"
#include "node/routing/policies.h"
#include "node/routing/prefix.h"
#include "node/routing/rollouts.h"
#include "node/rules/rules.h"
#include "node/telemetry/decisions.h"
#include "node/telemetry/gpus.h"
#include "node/telemetry/metrics.h"
#include "node/telemetry/receipts.h"

#define LANE_IDLE_EXCHANGES_MAX 64 /* kept for reuse */
#define LANE_LINES_MAX 20 /* log lines a second of each kind that others can cause at will */
#define LANE_SCRATCH_MAX (256 * 1024)

struct backend;
struct exchange;

enum lane_state { LANE_STARTING, LANE_READY, LANE_DRAINING };

/* Log lines that clients and peers can cause as often as they like. */
enum lane_lines { LANE_LINES_REQUESTS, LANE_LINES_ATTEMPTS, LANE_LINES_PEERS, LANE_LINES_COUNT };

struct lane {
    struct io_loop *loop;
    const struct config *config;
    const struct identity *identity;
    const struct log *log;
    const struct trace *trace; /* may be NULL */
    const char *version;
    struct rng rng;
    uint64_t boot_ms;
    uint64_t started_ms;     /* io_now_ms */
    uint64_t epoch;          /* rules in force; 0: none yet */
    uint64_t hedge_after_ms; /* see struct choice; 0: never */
    bool is_public;          /* clients come from beyond loopback, and need a key */
    bool needs_key;          /* so, or the rules want one of every client */
    enum lane_state state;

    /* ingress */
    struct body_pool bodies;
    struct list exchanges;   /* running */
    uint32_t exchange_count; /* of inference requests; local answers take no time */
    struct shares shares;    /* ... of peers among them */
    struct list idle_exchanges;
    uint32_t idle_exchange_count;
    struct list connections;   /* client and control connections */
    struct list lingering;     /* those that only wait for the client's end */
    uint32_t connection_count; /* of both */
    struct remote remote;      /* operators from afar */
    struct list peer_streams;
    uint32_t peer_stream_count;        /* peers' requests whose streams are open, answered or not */
    struct io_idle_list idle_timeouts; /* keep-alive connections */
    struct io_idle_list header_timeouts; /* heads and bodies that are still arriving */
    struct io_idle_list linger_timeouts;
    struct buf scratch; /* for building one message within one call */

    /* egress */
    struct backend *backends[CONFIG_BACKENDS_MAX];
    size_t backend_count;
    struct signer signer;
    struct mesh *mesh;
    struct rules *rules; /* NULL while the node opens and closes */

    struct candidates candidates;
    struct prefixes prefixes;
    struct policies policies;
    struct rollouts rollouts;
    struct policy_retry retries; /* how many of them this node may make */
    struct metrics metrics;
    struct receipts receipts;
    struct decisions decisions;
    struct gpus gpus;
    struct {
        uint64_t since_ms;
        uint32_t count;
    } lines[LANE_LINES_COUNT];

    /* the node around it */
    void (*on_exchange_done)(void *owner); /* an exchange or a peer's stream ended while draining */
    const struct facts *(*facts)(void *owner);
    void (*on_leave)(void *owner); /* an operator wants this node to leave the mesh */
    void *owner;
};

/* The level for one more line of this kind: debug past LANE_LINES_MAX in a second, for they could
 * fill the disk. */
static inline enum log_level lane_level(struct lane *lane, enum lane_lines kind,
                                        enum log_level level)
{
    uint64_t now_ms = io_now_ms(lane->loop);
    if (now_ms - lane->lines[kind].since_ms >= 1000) {
        lane->lines[kind].since_ms = now_ms;
        lane->lines[kind].count = 0;
    }
    return lane->lines[kind].count++ < LANE_LINES_MAX ? level : LOG_DEBUG;
}

#endif
