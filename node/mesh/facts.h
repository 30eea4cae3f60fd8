/* Facts: what a node says about itself to all others: who it is, what it serves, how loaded it is.
 * Soft state: seconds old, age carried, owner speaks only for itself. They travel as the payloads
 * of three gossip records (NODE, INVENTORY, LOAD), which change at very different rates; whoever
 * reads them sees them put together again, in `struct facts`. */
#ifndef NODE_MESH_FACTS_H
#define NODE_MESH_FACTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "gossip/gossip.h"
#include "node/mesh/figures.h"
#include "node/trust/cert.h"

#define FACTS_WIRE_MAX GOSSIP_PAYLOAD_MAX /* of any of the three */
#define FACTS_BACKENDS_MAX 64
#define FACTS_MODELS_MAX 256 /* over all backends of one node */
#define FACTS_MODEL_NAME_MAX 256
#define FACTS_STATE_HASH_SIZE 32
#define FACTS_LABELS_MAX 32
#define FACTS_LABEL_MAX 63 /* a key, a value */
#define FACTS_ADDR_MAX 270 /* "host:port", host at most 255 */

struct facts_model {
    struct bytes name;
    struct bytes version;  /* may be empty: not known */
    struct bytes owned_by; /* as the engine says; may be empty */
    int64_t created;       /* seconds since 1970; 0 not known */
    bool loaded;
    int64_t context; /* tokens; -1 not known */
    int64_t slots;   /* parallel requests; -1 not known */
};

enum facts_backend_state {
    FACTS_BACKEND_UNKNOWN,
    FACTS_BACKEND_UP,
    FACTS_BACKEND_LOADING,
    FACTS_BACKEND_DOWN
};
const char *facts_backend_state_name(
    enum facts_backend_state s); /* "unknown" "up" "loading" "down" */

enum facts_hardware {
    FACTS_HARDWARE_UNKNOWN,
    FACTS_HARDWARE_GPU,
    FACTS_HARDWARE_NPU,
    FACTS_HARDWARE_CPU
};
const char *facts_hardware_name(enum facts_hardware h); /* "" "gpu" "npu" "cpu" */

struct facts_label {
    struct bytes key, value; /* visible ASCII; the value may be empty */
};

#define FACTS_ACCUSED_MAX 8 /* that one LOAD accuses; more are left out */

struct facts_backend {
    struct bytes name;
    struct bytes kind; /* "llamacpp" "openai" "auto" */
    enum facts_backend_state state;
    uint32_t inflight;
    uint32_t queued;
    uint32_t concurrency;
    enum facts_hardware hardware;
    struct figures figures;
    const struct facts_model *models;
    size_t model_count;
};

/* What every answer carries too (field grapevine-load), so that busy paths are never stale. */
struct facts_load {
    uint32_t inflight;
    uint32_t queued;
    uint32_t capacity; /* sum of the backends' concurrency; 0: executes nothing */
};

/* How far a node is with the replicated rules (the log's commands), and its part in them. */
struct facts_rules {
    bool is_known;    /* false: it did not say, or has no log; nothing below means anything */
    uint64_t epoch;   /* of the rules that it applies */
    uint64_t applied; /* index of the last entry that it applied */
    uint64_t commit;  /* the last one that it knows to be committed */
    bool is_voter, is_leader;
    bool has_state_hash;
    uint8_t state_hash[FACTS_STATE_HASH_SIZE]; /* of the replicated state at `applied` */
};

struct facts {
    struct bytes name;
    struct bytes region;
    struct bytes zone;
    enum tier tier;
    struct bytes version;   /* of the software */
    struct bytes mesh_addr; /* what peers dial; empty: only dials out */
    struct bytes http_addr;
    uint64_t boot_ms;
    const struct facts_label *labels; /* keys differ */
    size_t label_count;
    bool spot; /* the machine may be taken away at short notice */
    bool draining;
    struct facts_rules rules;
    struct facts_load load;
    const struct facts_backend *backends;
    size_t backend_count;
    const uint64_t *accused; /* hashes of deployments that failed it, and of versions of policies
                                that broke their guards (node/routing) */
    size_t accused_count;
};

/* --- the three payloads */

struct facts_node { /* NODE */
    struct bytes name, region, zone;
    enum tier tier;
    struct bytes version, mesh_addr, http_addr;
    uint64_t boot_ms;
    struct bytes chain; /* encoded certificates */
    struct id via[GOSSIP_VIA_MAX];
    size_t via_count;
    const struct facts_label *labels;
    size_t label_count;
    bool spot;
};

struct facts_inventory { /* INVENTORY; the backends' inflight, queued and figures are none */
    struct facts_backend *backends;
    size_t backend_count;
};

struct facts_report { /* LOAD; an empty payload is one of zeros */
    struct facts_load load;
    bool draining;
    struct facts_rules rules; /* unknown: nothing new of them */
    size_t backend_count;     /* 0 of a node with one backend: its numbers are the node's */
    struct {
        uint32_t inflight, queued;
    } backends[FACTS_BACKENDS_MAX];
    struct figures figures[FACTS_BACKENDS_MAX]; /* by backend, however many are said above */
    uint64_t accused[FACTS_ACCUSED_MAX];
    size_t accused_count;
};

/* Deterministic protobuf, appended. LIMIT, NO_MEMORY. */
MUST_CHECK enum err facts_node_encode(const struct facts_node *n, struct buf *wire);
MUST_CHECK enum err facts_inventory_encode(const struct facts *f, struct buf *wire);
MUST_CHECK enum err facts_report_encode(const struct facts *f, struct buf *wire);
/* Everything is copied into the arena. INVALID, LIMIT. */
MUST_CHECK enum err facts_node_decode(struct bytes wire, struct arena *arena,
                                      struct facts_node *ret_node);
MUST_CHECK enum err facts_inventory_decode(struct bytes wire, struct arena *arena,
                                           struct facts_inventory *ret_inventory);
MUST_CHECK enum err facts_report_decode(struct bytes wire, struct facts_report *ret_report);

/* Leaves out the last models when there are more than FACTS_MODELS_MAX, or than FACTS_WIRE_MAX
 * holds: fewer are served, rather than nothing said. *ret_facts borrows `backends` and what f
 * borrows. */
void facts_cut(const struct facts *f, struct facts_backend backends[FACTS_BACKENDS_MAX],
               struct facts *ret_facts);

/* The model of this name on the backend; NULL: it has none. */
const struct facts_model *facts_backend_model(const struct facts_backend *b, struct bytes model);

bool facts_rules_equal(const struct facts_rules *a, const struct facts_rules *b);
/* The same backends in the same states with the same models: as far as routing goes. */
bool facts_offer_the_same(const struct facts *a, const struct facts *b);

/* "inflight/queued/capacity" in decimal, the value of grapevine-load. */
void facts_load_to_text(const struct facts_load *l, char ret_text[40]);
MUST_CHECK enum err facts_load_parse(struct bytes text, struct facts_load *ret_load);

#endif
