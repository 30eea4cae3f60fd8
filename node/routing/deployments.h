/* What this node has experienced with each deployment: breaker, learned times, how often it
 * failed. Own evidence, kept across rebuilds of the candidates' index, by node, model,
 * version and own backend. */
#ifndef NODE_ROUTING_DEPLOYMENTS_H
#define NODE_ROUTING_DEPLOYMENTS_H

#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "policy/policy.h"

#define DEPLOYMENTS_MAX 16384                  /* with links; further ones are not remembered */
#define DEPLOYMENTS_FORGET_MS (10 * 60 * 1000) /* not used for so long, and no candidate any more */

struct deployment {
    struct bytes key;     /* behind the struct */
    uint64_t hash;        /* of it, the same on every node: what accusations name */
    struct bytes backend; /* within the key; empty: a peer's */
    struct list own;      /* among the own backends' */
    struct list shut;     /* among those whose breaker own evidence opened */
    struct deployments *owner;
    struct deployment_model *model;
    struct policy_breaker breaker;
    struct policy_estimate estimate;
    struct policy_sketch *first_byte; /* NULL until something was measured */
    struct policy_sketch *whole;      /* of own backends only: of answers, to their last byte */
    struct policy_sketch *token;      /* ... of streamed ones, between two tokens */
    uint64_t quantiles_ms;            /* when these were made of it */
    double p50_us, p99_us;            /* NAN: nothing measured */
    struct {
        double first_us, prefill_us, decode_us, error_rate, health, weight;
        uint64_t at_ms;      /* of these; 0: never */
        uint32_t moves;      /* of the breaker, then */
    } learned;               /* as it was given last: good for a moment */
    double turn;             /* virtual time of its model when it was chosen last; NAN: never */
    uint64_t reported_ms;    /* when its newest load came */
    int64_t own_reported;    /* policy_live.own_inflight then */
    struct policy_load load; /* as it told then */
    uint64_t used_ms;
    uint32_t running;               /* attempts that hold it */
    uint64_t began_ms;              /* of these, in sum */
    struct deployment *next_unused; /* during a sweep */
};

/* What the deployments of a model have in common. */
struct deployment_model {
    struct bytes name; /* behind the struct */
    size_t rows;       /* that point here */
    /* How they do, against what was assumed of them before they were measured: with this the
     * assumptions of those that were not measured yet are corrected. 0: none was measured. */
    double first, prefill, decode; /* measured by assumed, averaged */
    double output_tokens;          /* of an answer; 0: none has come */
    double turn;                   /* virtual time: that of the newest choice */
};

struct deployments {
    struct map by_key;
    struct map by_hash;
    struct list own;
    struct map models; /* of deployment_model */
    struct list shut;  /* newest first */
    uint64_t swept_ms;
};

void deployments_init(struct deployments *d, const uint8_t seed[16]);
void deployments_fini(struct deployments *d);
/* The row of a deployment, made with this prior when it is new; backend: of this node's own, for a
 * peer's are told apart by itself. NULL: there is no room. Valid until a sweep while nothing runs
 * there. */
struct deployment *deployments_get(struct deployments *d, const struct id *node, struct bytes model,
                                   struct bytes version, struct bytes backend,
                                   struct policy_prior prior, uint64_t now_ms);
/* Forgets what nobody used for long. Only when no candidate points to a row. */
void deployments_sweep(struct deployments *d, uint64_t now_ms);

/* --- evidence of others. What fails this node it accuses in its LOAD record, signed as all of that
 * is; what several others accuse lately is not asked here either (policy/breaker.h). */

/* At most `max` hashes of what own evidence shut and is still shut. */
size_t deployments_accused(struct deployments *d, uint64_t *ret_hashes, size_t max);
/* `witness` accuses what has this hash; nothing if nobody has. */
void deployments_report(struct deployments *d, uint64_t hash, const struct id *witness,
                        uint64_t made_ms, uint64_t now_ms, struct rng *rng);

/* --- attempts. A NULL deployment is fine: nothing is learned. */

struct deployment_use { /* of one attempt; zero: none */
    struct deployment *deployment;
    struct policy_call call;
    struct policy_load load; /* when it began */
    uint64_t began_ms;
};
void deployments_begin(struct deployment *d, struct policy_load load, uint64_t now_ms,
                       struct deployment_use *ret_use);
/* It was chosen, with this share of the requests against 1 of the best. */
void deployments_took(struct deployment *d, double share);
struct deployment_end {
    enum policy_outcome outcome;
    bool is_beaten; /* given up for one that began later and answered first: it is slow */
    uint64_t retry_after_ms;
    uint64_t first_byte_us; /* from its beginning; of a failed one until it failed */
    uint64_t decode_us;     /* from the first byte to the last; 0: not known */
    bool is_stream;         /* else its first byte says nothing about its first token */
    uint32_t input_tokens;  /* that it had to work on */
    uint32_t output_tokens;
};
/* Once for each begin; `use` is empty afterwards. True: its breaker opened, others should know. */
bool deployments_end(struct deployment_use *use, const struct deployment_end *end, uint64_t now_ms,
                     struct rng *rng);
/* Puts what was experienced into what the scorer reads, each where something is known: times,
 * percentiles, error rate, health, weight. */
void deployments_fill(struct deployment *d, uint64_t now_ms, struct policy_live *live);

/* What an own backend's answers were like, over all of its models: times of the last minute,
 * failures of the breakers' window. NAN: nothing of the kind was seen. */
struct deployments_served {
    double ttft_p50_us, ttft_p99_us;
    double latency_p50_us, latency_p99_us;
    double tokens_per_s; /* half of the streamed answers were quicker */
    double error_rate;   /* 0..1 */
};
/* Thousands of additions per model: about once a second. */
struct deployments_served deployments_served(const struct deployments *d, struct bytes backend,
                                             uint64_t now_ms);

/* What an err of an attempt says of the other side. */
enum policy_outcome deployments_outcome(enum err e);

#endif
