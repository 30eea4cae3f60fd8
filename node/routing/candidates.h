/* Who may serve a model: an index from model name to deployments, local backends and peers, rebuilt
 * when facts or rules change (never per request). This is the place where registry and gossip meet,
 * and where policy gets its array. */
#ifndef NODE_ROUTING_CANDIDATES_H
#define NODE_ROUTING_CANDIDATES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "node/routing/deployments.h"

#define CANDIDATES_MODELS_MAX 16384
#define CANDIDATES_ARENA_MAX (32 * 1024 * 1024)

struct backend;
struct lane;
struct peer;

/* One of the two is set. A peer stands for all its backends with this version: it chooses among
 * them itself. */
struct candidate {
    struct candidate_set *set; /* that it belongs to */
    struct backend *backend;
    struct peer *peer;
    struct bytes version; /* as the registry calls it; empty: nobody says */
    enum err barred;      /* what the rules have against it, whatever the request; OK: nothing */
    bool is_up;      /* the backend, or one of the peer's with this model; as of the last facts */
    bool is_gateway; /* not the peer itself has the model: its region does, by summary */
    struct deployment *deployment; /* what we experienced with it; NULL: nothing is remembered */
};

struct candidate_set {
    struct bytes model;
    struct bytes task; /* what the registry says that the model is for; may be empty */
    struct candidate *items;
    size_t count;
    size_t capacity;
    struct policy_candidates policy; /* items[i] is of items[i] here, its owner */
};

struct candidates {
    struct map by_model; /* of candidate_set */
    struct arena arena;
    struct deployments deployments; /* outlives the index */
    bool stale;
    uint64_t rebuilds;
};

void candidates_init(struct candidates *c, const uint8_t seed[16]);
void candidates_fini(struct candidates *c);
/* Facts or inventory changed: the next look-up rebuilds. */
void candidates_invalidate(struct candidates *c);
/* NULL: nobody serves it. Valid until the next call after an invalidation. */
struct candidate_set *candidates_find(struct lane *lane, struct bytes model);
/* Somebody serves this version now, and may. */
bool candidates_has(struct lane *lane, struct bytes model, struct bytes version);

#endif
