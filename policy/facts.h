/* Facts that policies may name: one table which the checker, the decision, the documentation and
 * the command line share. A fact is a field of one of the structs below; "not known" is a value of
 * its own (empty text, NAN, -1), never 0, and makes the fact absent: has() is false, and a
 * comparison on it fails a hard rule and is worst for a soft one.
 *
 * Groups are CEL's: what belongs to the request, what of a candidate changes seldom (inventory,
 * rules), and what changes by the second. Conditions on the seldom ones are evaluated when these
 * change, not per request. */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include "policy/cel.h"

enum policy_group { POLICY_REQUEST, POLICY_STATIC, POLICY_LIVE, POLICY_GROUPS };

enum policy_tier { POLICY_TIER_UNKNOWN, POLICY_EDGE, POLICY_REGIONAL, POLICY_CLOUD, POLICY_TIERS };

struct policy_pair { /* a label, a header (of which the name is in lower case) */
    struct bytes name, value;
};

/* request.*; texts are borrowed. Also `now`. */
struct policy_request {
    struct bytes path, model, task, tenant, region; /* region: of the node where it came in */
    const struct policy_pair *headers;
    size_t header_count;
    bool stream;
    int64_t input_tokens, output_tokens; /* estimated; asked for at most; -1: not known */
    int64_t priority;                    /* 0 is ordinary, greater is more important */
    int64_t deadline_ms;                 /* what is left; -1: none */
    int64_t wall_ms;                     /* `now` */
    uint64_t now_ms;                     /* monotonic, of ages and breakers */
    uint64_t key;                        /* hash of the request's id: sticky splits, percentages */
};

/* What changes seldom: node.* backend.kind model.* price.*; texts are borrowed. */
struct policy_static {
    struct bytes node, region, zone; /* node.name */
    enum policy_tier tier;
    const struct policy_pair *labels;
    size_t label_count;
    struct bytes backend, kind; /* backend.name, backend.kind */
    struct bytes model, version, stage;
    int64_t context;                  /* model.context, tokens; -1 */
    int64_t parameters;               /* model.size; -1 */
    double price_input, price_output; /* USD per 1,000 tokens; NAN: not known */
    double price_request;             /* USD */
    double egress_price;              /* link.egress_price: USD per GiB on the way back; NAN */
    bool spot;                        /* node.spot: may be taken away at short notice */
    bool local;                       /* node.local: this node's own */
};

/* What changes by the second. Times of estimates are in microseconds, NAN where not known. */
struct policy_live {
    int64_t age_ms;                        /* node.age, of the report; -1: never heard */
    double health;                         /* node.health 0..1 */
    int64_t inflight, queued, slots;       /* backend.*; -1 */
    int64_t own_inflight;                  /* of these, sent from here: never stale */
    double kv;                             /* backend.kv 0..1: cache in use */
    double gpu_load, gpu_memory;           /* backend.gpu.load, .memory 0..1 */
    double gpu_temperature;                /* degrees Celsius */
    double ttft_p50_us, ttft_p99_us;       /* backend.ttft.p50 … */
    double latency_p50_us, latency_p99_us; /* backend.latency.p50 … */
    double error_rate;                     /* backend.error_rate 0..1, of the window */
    int64_t warm;                          /* backend.warm: model loaded; 0, 1, -1 */
    double rtt_us, loss;                   /* link.rtt, link.loss 0..1; 0 of a local one */
    /* for the scorer alone: learned, or the prior of its class */
    double prefill_us, decode_us; /* per token */
    double first_us;              /* to the first token, without queue and prefill */
    double reclaim_per_hour;      /* chance that a spot node is taken away; 0 */
    double weight;                /* breaker's ramp and health, 0..1; 1: nothing against it */
    int64_t own_reported;         /* own_inflight when the report came; 0 */
    int64_t running;              /* attempts from here at this very deployment; 0 */
    double elapsed_us;            /* since these began, on average */
    double output_tokens;         /* of this model's answers, usually; NAN */
    double cached_tokens;         /* of the prompt, that it supposedly has already; 0 */
    double turn;                  /* virtual time of its last choice, from that of its model's
                                   * newest: never positive; NAN: never chosen */
};

/* How a field is kept, what its fact is in CEL, and when it is absent. What cannot be (a share of
 * 1.7, a negative price, NaN) comes from who errs or lies, and is absent too. */
enum policy_encoding {
    POLICY_TEXT,    /* struct bytes; string; empty: absent */
    POLICY_PAIRS,   /* pairs and the count behind them; map(string, string); more than
                     * POLICY_PAIRS_MAX: absent. Of one name the first counts */
    POLICY_BOOL,    /* bool; never absent */
    POLICY_INTEGER, /* int64_t; int; never absent */
    POLICY_COUNT,   /* int64_t; int; negative: absent */
    POLICY_REAL,    /* double, as POLICY_SHARE and _AMOUNT; not finite: absent */
    POLICY_SHARE,   /* outside 0..1: absent */
    POLICY_AMOUNT,  /* negative: absent */
    POLICY_TRUTH,   /* int64_t 0, 1; bool; others: absent */
    POLICY_MS,      /* int64_t; duration; negative: absent */
    POLICY_US,      /* double; duration; negative, not finite: absent */
    POLICY_WALL,    /* int64_t, ms since 1970; timestamp; never absent */
    POLICY_TIER,    /* enum policy_tier; "edge" "regional" "cloud"; UNKNOWN: absent */
};

struct policy_fact {
    const char *name;
    enum policy_group group;
    enum policy_encoding encoding;
    size_t offset;              /* in the group's struct */
    const char *unit, *meaning; /* for people: docs, `policy facts`, errors */
};
extern const struct policy_fact policy_facts[];
extern const size_t policy_fact_count; /* at most 64 */

const char *policy_group_name(enum policy_group group); /* "request" "static" "live" */
const char *policy_tier_name(enum policy_tier tier);    /* "" of UNKNOWN */
enum policy_tier policy_tier_of(struct bytes name);     /* UNKNOWN: there is none of that name */

/* The environment that policies are compiled in: facts[i] is policy_facts[i], in its group, at its
 * slot. Immutable, one for all. */
const struct cel_env *policy_env(void);

struct policy_wanted { /* facts: bit i is policy_facts[i] */
    uint64_t bits;
};
#define POLICY_SLOTS_MAX 32
#define POLICY_PAIRS_MAX 64
struct policy_values {
    struct cel_value slots[POLICY_SLOTS_MAX];     /* what cel.h calls facts[group] */
    struct cel_value pairs[2 * POLICY_PAIRS_MAX]; /* entries of the group's one map */
};
/* Fills slots of one group out of its struct, those of the facts that are wanted (bits of other
 * groups are passed over). The rest is left as it is, so that a group may be filled bit by bit.
 * Values borrow from `from` and *ret_values. */
void policy_facts_fill(enum policy_group group, const void *from, struct policy_wanted wanted,
                       struct policy_values *ret_values);

#endif
