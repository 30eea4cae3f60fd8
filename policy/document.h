/* Policies as documents: RoutePolicy and Strategy, YAML with CEL (README.md shows all keys). Pure:
 * text in, a checked rule or an error with line and column out.
 *
 *   match     which requests: most conjuncts first, then by name
 *   require   hard, re-checked at every hop; a fact that is not known fails it
 *   strategy  how candidates are compared: a preset or a Strategy's name
 *   steps     in order: edge, regional, cloud …; `where` selects, `models` cascades
 *   limits    deadline, attempts, hedge, cost: one budget for retries, hedges and cascades
 *   split     weights of model versions, sticky by an expression
 *   rollout   percentage of the requests that this version of the document decides, with guards
 *   tests     facts and what has to come out (try.h); `policy check` refuses where one fails */
#ifndef POLICY_DOCUMENT_H
#define POLICY_DOCUMENT_H

#include "base/arena.h"
#include "policy/facts.h"

#define POLICY_DOCUMENT_BYTES_MAX 65536 /* of one; a file of several may have 1 MiB */
#define POLICY_STEPS_MAX 32
#define POLICY_REQUIRE_MAX 16
#define POLICY_MODELS_MAX 8 /* of one step */
#define POLICY_SPLIT_MAX 16
#define POLICY_TESTS_MAX 64
#define POLICY_ATTEMPTS_MAX 4 /* of one request, hedges included */
#define POLICY_NAME_MAX 128
#define POLICY_SPLIT_WEIGHT_MAX 1000000
#define POLICY_GUARD_SAMPLES 100
#define POLICY_SOURCES_MAX 4096 /* documents of a set */

/* A scorer's weights: what one second, one thousandth of a dollar and one per cent of failing cost,
 * each against the others. */
struct policy_weights {
    double latency, cost, failure;
    int64_t latency_max_ms; /* candidates slower than this only if all are; -1: no bound */
    double cost_max_usd;    /* dearer ones likewise, NAN: none. limits.max_cost_usd is hard */
    bool retry_same;        /* the same once more before others: availability-first */
};
struct policy_strategy {
    struct bytes name;
    struct policy_weights weights;
};
/* "latency-first" "cost-optimized" "availability-first"; NULL: no preset of that name. */
const struct policy_strategy *policy_preset(struct bytes name);

#define POLICY_PARTS_MAX 64      /* conjuncts that are told apart */
struct policy_predicate {        /* true, false, or absent facts: false */
    struct cel_program *program; /* NULL: there is none, which holds */
    uint32_t line, column;       /* of the expression, in the source */
    uint64_t static_parts;       /* conjuncts (bit = part) that read at most POLICY_STATIC; 0
                                   * where there are more than POLICY_PARTS_MAX */
    struct policy_wanted reads[POLICY_GROUPS];
};

struct policy_step {
    struct bytes name;
    struct policy_predicate where;          /* program NULL: all */
    struct bytes models[POLICY_MODELS_MAX]; /* none: the one that was asked for */
    size_t model_count;
    const struct policy_strategy *strategy; /* of this step, else the rule's */
};

struct policy_share {
    struct bytes version;
    uint64_t weight;
};

struct policy_guard { /* of a rollout; NAN, -1: not guarded */
    double error_rate, cost_ratio;
    int64_t p99_ms;
    int64_t samples; /* enough to judge; default POLICY_GUARD_SAMPLES */
};

struct policy_rule {
    struct bytes name;
    uint64_t version;              /* the registry's; several of one name may be in a set */
    struct policy_predicate match; /* program NULL: every request */
    size_t specificity;            /* conjuncts of match */
    struct policy_predicate require[POLICY_REQUIRE_MAX];
    size_t require_count;
    const struct policy_strategy *strategy;
    struct bytes strategy_name;
    struct policy_step steps[POLICY_STEPS_MAX];
    size_t step_count; /* 0: one step of all */
    bool last_resort;  /* after the steps: any candidate that `require` allows; default true */
    struct {
        int64_t deadline_ms;     /* -1: the node's */
        uint32_t attempts;       /* default POLICY_ATTEMPTS_MAX */
        int64_t hedge_after_ms;  /* -1: none, or by percentile */
        double hedge_percentile; /* 0.95 for "p95"; NAN */
        double cost_max_usd;     /* hard, of all attempts together; NAN */
    } limits;
    struct policy_share split[POLICY_SPLIT_MAX];
    size_t split_count;
    struct policy_predicate sticky; /* a string; program NULL: the request's id */
    uint32_t rollout_percent;       /* 100: all */
    uint32_t rollout_above;         /* percentage that newer versions of it take away; 0 */
    struct policy_guard guard;      /* read only where is_guarded */
    bool is_guarded;
    struct bytes source;  /* the document, for tests and diffs */
    size_t source_index;  /* of the source that it stands in */
    uint32_t line_offset; /* lines of that source before it */
};

struct policy_mistake {
    uint32_t line, column; /* from 1, in the text given */
    char text[400];        /* "steps[1].where: no such fact `node.teir`; did you mean node.tier?" */
};

/* --- a set: all documents in force. Immutable once made; decisions borrow it. */

struct policy_set;
struct policy_source {
    struct bytes name; /* the registry's key; empty: take the document's */
    uint64_t version;
    struct bytes text; /* one document, or several in one stream */
};
#define POLICY_MISTAKES_MAX 32
struct policy_mistakes {
    struct policy_mistake items[POLICY_MISTAKES_MAX];
    size_t source[POLICY_MISTAKES_MAX]; /* index of the source each lies in */
    size_t count; /* in the order in which they stand; further ones are not kept */
};
/* All of them or none: INVALID with the mistakes (also: a strategy that nobody defines, two
 * documents of one name, a step that cannot be reached, a contradiction, weights that are none),
 * NO_MEMORY. Tests are not run. Nothing of the sources is kept by reference. */
MUST_CHECK enum err policy_set_create(const struct policy_source *sources, size_t count,
                                      struct policy_set **ret_set,
                                      struct policy_mistakes *ret_mistakes);
void policy_set_destroy(struct policy_set *set);
size_t policy_set_count(const struct policy_set *set);
/* In the order in which they are matched: most conjuncts first, then by name, newest first. */
const struct policy_rule *policy_set_rule(const struct policy_set *set, size_t index);
/* The newest of that name; NULL. */
const struct policy_rule *policy_set_find(const struct policy_set *set, struct bytes name);
/* A version whose rollout is given up decides over no request any more; those it had are the older
 * versions'. Nothing where there is none that is rolled out. */
void policy_set_withdraw(struct policy_set *set, struct bytes name, uint64_t version);
/* Strategies that the set's documents define. */
size_t policy_set_strategy_count(const struct policy_set *set);
const struct policy_strategy *policy_set_strategy(const struct policy_set *set, size_t index);
/* Latency-first, one step of all, name "default": in force where no document says otherwise. */
const struct policy_rule *policy_rule_default(void);
/* The rule that decides over this request: the first that matches and whose rollout takes its key;
 * where none does policy_rule_default(). A match that fails, or reads what is not known, does not
 * match. Of a rollout's key all versions of one name think the same. `vm`: see
 * policy_cel_vm_create; POLICY_VM_BYTES are enough. */
const struct policy_rule *policy_set_match(const struct policy_set *set, struct cel_vm *vm,
                                           const struct policy_request *request);

#define POLICY_VM_BYTES 65536 /* of the vm that evaluates policies */
/* Is the predicate true of these? `parts`: which of its conjuncts, bit by bit, so that
 * `static_parts` now and `~static_parts` later are the whole. `facts[group]`: policy_values.slots,
 * filled for what the parts read; NULL where they read nothing of the group. */
bool policy_holds(const struct policy_predicate *p, uint64_t parts, struct cel_vm *vm,
                  const struct cel_value *const facts[POLICY_GROUPS]);
#define POLICY_ALL_PARTS UINT64_MAX
/* The text that an expression (sticky) gives; empty where it fails or is not known. Lives until the
 * vm's next use, and as long as the facts. */
struct bytes policy_text(const struct policy_predicate *p, struct cel_vm *vm,
                         const struct cel_value *const facts[POLICY_GROUPS]);

#endif
