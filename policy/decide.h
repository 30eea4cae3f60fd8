/* The decision: which candidates may serve a request, in what order, and why not the others.
 *
 *   match ─▶ step ─▶ filter (require, where, barred, live verdict) ─▶ score ─▶ choose ─▶ plan
 *              ▲                                                        │
 *              └────────── none left: next step, last resort ◀──────────┘
 *
 * Per request only a bounded number of candidates is looked at: those of a *pool* (all that pass
 * the conditions on seldom changing facts, ordered by what they would score when idle, rebuilt when
 * those facts change), sampled log-uniformly by rank. Of those that can be used each has a share,
 * the larger the better it scores, and is chosen when it is its turn (start-time fair queueing,
 * Goyal et al. 1996, with candidates as flows): many routers with the same old facts do not all run
 * to the same, and each spreads its requests evenly. Whose turn it is is an input
 * (policy_live.turn). The same inputs and seed give the same plan.
 *
 * Pure: no clock, no I/O. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "base/rng.h"
#include "policy/document.h"

#define POLICY_LOOKED_MAX 24 /* candidates that one decision looks at, all steps together */
#define POLICY_SAMPLE_MAX 8 /* of one pool in the first round; a pool up to 16 is looked at whole */
#define POLICY_POOL_AGE_MS 5000 /* a pool's order is renewed */

enum policy_verdict { /* why a candidate was taken or left; the words stand in explain */
                      POLICY_CHOSEN,
                      POLICY_SPARE,          /* good, would be next */
                      POLICY_WORSE,          /* scored */
                      POLICY_REQUIRE_FAILED, /* hard rule of the policy */
                      POLICY_STEP_FAILED,    /* `where` of the step */
                      POLICY_BARRED,         /* registry, residency: candidate.barred */
                      POLICY_TRIED,
                      POLICY_BREAKER,
                      POLICY_BUSY, /* asked not to be asked before a time */
                      POLICY_DRAINING,
                      POLICY_UNREACHABLE, /* down, no link, hop limit */
                      POLICY_DOUBTFUL,    /* suspect, late: only when nobody else is left */
                      POLICY_TOO_DEAR,    /* over what is left of the cost budget */
                      POLICY_TOO_SLOW,    /* for the deadline: only when nobody else is left */
                      POLICY_VERDICTS,
};
const char *policy_verdict_name(enum policy_verdict v); /* "chosen" "spare" … */

/* A deployment of one model. Fields are the caller's; `live` is renewed by ops.refresh when the
 * candidate is looked at. */
struct policy_candidate {
    struct policy_static facts;
    struct policy_live live;
    enum err barred; /* by the registry, whatever the request; OK: not */
    void *owner;     /* the caller's */
};

struct policy_pool;        /* cached by (rule, step) beside the candidates */
struct policy_candidates { /* all of one model; made anew when seldom changing facts change */
    struct policy_candidate *items;
    size_t count;
    struct policy_pool *pools; /* policy_pools_clear before items change; NULL at first */
};
void policy_pools_clear(struct policy_candidates *c);

struct policy_ops {
    /* The candidates of a model; NULL: there is none of that name. */
    struct policy_candidates *(*find)(void *ctx, struct bytes model);
    /* Renews `live` and says whether it can be used now: SPARE (it can), DOUBTFUL, or why not
     * (BARRED for this request: residency, version). Called once per look. */
    enum policy_verdict (*refresh)(void *ctx, struct policy_candidate *c);
};

struct policy_look { /* one candidate that was looked at */
    struct policy_candidate *candidate;
    uint16_t step; /* index; step_count: the last resort */
    uint8_t verdict;
    double score;               /* less is better; NAN: not scored */
    double answer_us, cost_usd; /* expected, to the whole answer; NAN */
    double steady;              /* part of the score that no load changes, 0..1 */
    double failure;             /* chance of not completing, 0..1 */
    double share;               /* of the requests, against 1 of the best; of good ones */
};

struct policy_plan {
    const struct policy_rule *rule;
    struct policy_look
        looks[POLICY_LOOKED_MAX]; /* the chosen one first, spares by score, the rest */
    size_t count;
    size_t good;              /* chosen and spares; 0: nobody */
    bool cut;                 /* not all candidates were looked at */
    struct bytes model;       /* of the step that chose: another than asked for in a cascade */
    double hedge_after_us;    /* NAN: no hedge */
    enum policy_verdict none; /* good == 0: what stood against the most promising */
};

struct policy_ask {
    const struct policy_rule *rule; /* policy_set_match's */
    const struct policy_request *request;
    struct bytes model;   /* to be found where a step names none: an alias is resolved, a cascade
                           may have come before */
    double cost_left_usd; /* NAN: no bound */
    size_t first_step;    /* where to begin: retries never go back to an earlier step */
    bool keep_model;      /* no cascade: after a hop, beside an attempt that runs */
    struct cel_vm *vm;
    struct rng *rng;
    const struct policy_ops *ops;
    void *ctx;
};
/* NOT_FOUND: no model of that name in any step. Else OK, also when nobody is left (good 0). */
MUST_CHECK enum err policy_decide(const struct policy_ask *ask, struct policy_plan *ret_plan);

/* Does `require` allow this candidate? For a node that a request reached over a hop. */
bool policy_allows(const struct policy_rule *rule, struct cel_vm *vm,
                   const struct policy_request *request, const struct policy_candidate *c);

/* --- the scorer, for tests, benches and explain (score.c) */
struct policy_score {
    double score, answer_us, cost_usd, failure, steady;
};
void policy_score(const struct policy_weights *w, const struct policy_request *r,
                  const struct policy_candidate *c, struct policy_score *ret_score);
/* How much a report of this age counts, 0..1; age_ms -1: not at all. */
double policy_trust(int64_t age_ms);
/* Chooses the version of a split by key and weights; empty: no split. */
struct bytes policy_split(const struct policy_rule *rule, struct cel_vm *vm,
                          const struct policy_request *request);

#endif
