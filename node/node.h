/* A whole node: listeners, links, backends, routing, receipts, telemetry on one loop. Everything it
 * touches comes from outside (loop, identity, configuration, log, trace, seed), so the simulator
 * runs several in one process.
 *
 *   node_open ──> starting ──(backends probed once, listeners up)──> ready ──node_drain──> draining
 * ──> drained
 *
 * Not here: files, signals, process exit codes (node/cli). */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/log.h"
#include "base/trace.h"
#include "node/config/config.h"
#include "node/io/loop.h"
#include "node/trust/cert.h"

struct node;
struct rules;

struct node_cfg {
    struct io_loop *loop;
    const struct config *config;     /* borrowed, outlives the node */
    const struct identity *identity; /* likewise */
    const struct log *log;
    const struct trace *trace; /* may be NULL */
    uint64_t seed;
    uint64_t boot_ms;       /* rises with every start of this identity */
    struct bytes keyring;   /* of gossip, borrowed for node_open; empty: it comes over a link */
    uint8_t gossip_key[32]; /* until there is a ring */
    uint64_t incarnation;   /* of gossip, the last one persisted; 0: none */
    /* The next one: on disk on return, or an error, and then nothing is said under it. NULL:
     * nothing is kept. */
    enum err (*persist_incarnation)(void *owner, uint64_t incarnation);
    enum err (*persist_keyring)(void *owner, struct bytes ring); /* likewise */
    const char *rules_dir;   /* D/data: the log and the registry; NULL: no rules (tests) */
    bool rules_are_volatile; /* nothing of them is synced */
    struct bytes admission;  /* the command that admits this node; empty: none */
    struct bytes remembered; /* members' addresses, as persisted last; borrowed for node_open */
    enum err (*persist_remembered)(void *owner,
                                   struct bytes text); /* likewise, if it can be kept */
    const char *control_path;                          /* unix socket, or NULL: none */
    const char *version;                               /* "0.1.0" */
    uint64_t hedge_after_ms;                           /* see struct choice; 0: never */
    bool allow_insecure_http;                          /* clients beyond loopback need no API key */
    void (*on_ready)(void *owner);                     /* it serves */
    void (*on_drained)(void *owner);                   /* node_drain is done: no request is left */
    /* Another process runs under this identity, and was first: close this node. May be NULL. */
    void (*on_identity_taken)(void *owner);
    /* Its disk cannot keep the rules: the process must end. NULL: nobody is told (tests). */
    void (*on_fatal)(void *owner, enum err reason);
    void *owner;
};

/* Starts listening. Errors of io_listen, with `message` saying which address. On failure nothing is
 * left. */
MUST_CHECK enum err node_open(const struct node_cfg *cfg, struct buf *message,
                              struct node **ret_node);
/* Stops accepting, tells peers, finishes running requests. */
void node_drain(struct node *n);
/* Tells the mesh that this node leaves it for good, then drains. */
void node_leave(struct node *n);
/* SIGHUP: takes over what can change (log level, backends' concurrency, limits); names what cannot
 * in `message`. */
MUST_CHECK enum err node_reload(struct node *n, const struct config *config, struct buf *message);
/* Ends everything now. NULL is fine. */
void node_close(struct node *n);

struct rules *node_rules(const struct node *n);
/* Actual addresses, "127.0.0.1:7380". */
const char *node_http_addr(const struct node *n);
const char *node_mesh_addr(const struct node *n);

#endif
