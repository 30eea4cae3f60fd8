/* Rollouts of policies: while a version of a document decides over a percentage of the requests
 * only, this node compares how these fare with how the others of the same name do, and gives the
 * version up when it breaks the document's guards.
 *
 * Each node judges by the requests that came into the mesh there. What it gave up for what it saw
 * itself it accuses in its LOAD record, as it does deployments that fail it; one that has seen too
 * little to judge gives up what three others accuse, and passes that on to nobody. So it ends for
 * all when few saw it, and liars, unless there are three, end nothing. Given up is given up until
 * the document changes. */
#ifndef NODE_ROUTING_ROLLOUTS_H
#define NODE_ROUTING_ROLLOUTS_H

#include "policy/policy.h"

#define ROLLOUTS_MAX 32 /* versions that are watched: of further ones nothing is judged */
#define ROLLOUTS_WITNESSES 3
/* An accusation counts so long; it is in each LOAD, of which one comes in a few seconds. */
#define ROLLOUTS_WITNESS_MS 30000

struct lane;

struct rollout { /* what was seen of one version */
    char name[POLICY_NAME_MAX + 1];
    uint64_t version;
    uint64_t hash; /* of both, the same on every node: what accusations name */
    uint64_t requests, failures;
    double cost_usd; /* of all that has a known cost */
    uint64_t priced;
    struct policy_sketch latency; /* of what succeeded, the last minute */
    bool is_withdrawn;
    bool is_accused; /* by this node: it was withdrawn for what was seen here */
    struct policy_report reports[ROLLOUTS_WITNESSES];
};

struct rollouts {
    struct rollout *items[ROLLOUTS_MAX];
    size_t count;
    uint64_t withdrawn; /* since the start */
};

void rollouts_init(struct rollouts *r);
void rollouts_fini(struct rollouts *r);
/* A new set is in force: forgets versions that are not in it, and withdraws again what was. */
void rollouts_renew(struct rollouts *r, struct policy_set *set);

struct rollout_outcome {
    struct bytes name; /* of the rule that decided */
    uint64_t version;
    bool is_failure;
    uint64_t latency_us;
    double cost_usd; /* NAN: not known */
};
/* A request that came in here is over. True: its version was withdrawn, others should know. */
bool rollouts_note(struct lane *lane, const struct rollout_outcome *outcome);

/* At most `max` hashes of versions that were withdrawn for what was seen here. */
size_t rollouts_accused(const struct rollouts *r, uint64_t *ret_hashes, size_t max);
/* `witness` accuses what has this hash; nothing if nobody has. */
void rollouts_report(struct lane *lane, uint64_t hash, const struct id *witness, uint64_t made_ms);

/* --- for tests */
/* Why a version breaks its guards against the one before it (NULL: there is none), in a word:
 * "error_rate" "p99" "cost"; NULL: it does not, or too little was seen. */
const char *rollouts_judge(const struct policy_guard *guard, const struct rollout *version,
                           const struct rollout *baseline, uint64_t now_ms);

#endif
