/* What a region serves, in a few numbers per model: said by each of its gateways for all other
 * regions, and what those make of up to three such claims, so that one that lies or lags does not
 * count. Pure: facts in, summaries out, and back. The shell is abroad.c; routing and listings read
 * the view. */
#ifndef NODE_MESH_SUMMARY_H
#define NODE_MESH_SUMMARY_H

#include "base/arena.h"
#include "base/buf.h"
#include "node/mesh/facts.h"

#define SUMMARY_WIRE_MAX 1100  /* so that a record of it travels in one datagram */
#define SUMMARY_MODELS_MAX 64  /* names and versions of one summary */
#define SUMMARY_REGIONS_MAX 64 /* as many as gossip tells apart */
#define SUMMARY_ENTRIES_MAX 3
#define SUMMARY_ENTRY_SIZE 6         /* of an id: among a region's nodes no two are alike */
#define SUMMARY_STALE_MS 15000       /* a gateway repeats itself twice in that time */
#define SUMMARY_SHARES_MAX 65536     /* models on backends that one summary counts */
#define SUMMARY_ARENA_MAX (16 << 20) /* for SUMMARY_SHARES_MAX */

struct summary_model {
    struct bytes name, version;
    uint32_t capacity; /* places of backends that are up */
    uint32_t inflight;
    uint32_t queued_p50, queued_p95; /* over its nodes */
    uint32_t nodes;
    size_t entry_count;
    uint8_t entries[SUMMARY_ENTRIES_MAX][SUMMARY_ENTRY_SIZE]; /* nodes with most free places */
};

struct summary {
    const struct summary_model *models; /* by name, then version */
    size_t model_count;
    uint32_t left_out; /* models that did not fit */
};

/* --- saying */

struct summary_member {
    struct id id;
    const struct facts *facts;
};

/* Of these nodes. What does not fit is left out, most capacity first. Borrows the names, the rest
 * is in the arena. NO_MEMORY. */
MUST_CHECK enum err summary_make(const struct summary_member *members, size_t count,
                                 struct arena *arena, struct summary *ret_summary);
/* Deterministic protobuf, appended. LIMIT, NO_MEMORY. */
MUST_CHECK enum err summary_encode(const struct summary *s, struct buf *wire);
/* Everything is copied into the arena. INVALID, LIMIT. */
MUST_CHECK enum err summary_decode(struct bytes wire, struct arena *arena,
                                   struct summary *ret_summary);

/* --- believing */

enum summary_verdict {
    SUMMARY_USED,
    SUMMARY_STALE,
    SUMMARY_OUTVOTED, /* used, but in something the two others say otherwise */
    SUMMARY_VERDICTS
};
const char *summary_verdict_name(enum summary_verdict v); /* "used" "stale" "outvoted" */

struct summary_claim {
    const struct summary *summary;
    uint64_t age_ms;
    enum summary_verdict verdict; /* set by summary_judge */
};

/* What is believed of at most GOSSIP_GATEWAYS claims about one region. Stale ones are not asked.
 * Of three: a model that two name, and of each number the median. Of two: what either names, of
 * both the smaller capacity and the larger load. Borrows the names. NO_MEMORY. */
MUST_CHECK enum err summary_judge(struct summary_claim *claims, size_t count, struct arena *arena,
                                  struct summary *ret_believed);

/* --- all other regions */

struct summary_region {
    const char *name;
    struct id gateways[GOSSIP_GATEWAYS]; /* the live ones */
    size_t gateway_count;
    struct summary believed;
    uint64_t made_ms; /* when the newest of what was used was made; io_now_ms */
};

struct summary_view {
    const struct summary_region *regions;
    size_t region_count;
    size_t verdicts[SUMMARY_VERDICTS]; /* of the summaries at hand */
};

/* NULL: nothing is known of it. */
const struct summary_region *summary_region_find(const struct summary_view *v, const char *name);
bool summary_has_gateway(const struct summary_region *r, const struct id *id);
/* No other node of its region has it. */
bool summary_is_only_at(const struct summary_model *m, const struct id *id);

struct summary_load { /* of a model, all versions together */
    uint32_t capacity, inflight, queued;
};
/* False: the region is not believed to have it. */
bool summary_load_of(const struct summary_region *r, struct bytes model,
                     struct summary_load *ret_load);
/* As far as choosing candidates goes: the same gateways, the same models. */
bool summary_offers_the_same(const struct summary_view *a, const struct summary_view *b);

#endif
