/* Decisions kept for `explain` and for replay: what the policy saw of a request and of the
 * candidates it looked at, and what it made of them. No prompt, no header: a ring of bytes, copied
 * into when a decision is taken and written as JSON when somebody asks. */
#ifndef NODE_TELEMETRY_DECISIONS_H
#define NODE_TELEMETRY_DECISIONS_H

#include "base/buf.h"
#include "node/telemetry/ring.h"
#include "policy/policy.h"

#define DECISIONS_MAX 10000
#define DECISIONS_AGE_MS (15 * 60 * 1000)
#define DECISIONS_RING_BYTES (8 * 1024 * 1024) /* some 5,000 of two candidates each */
#define DECISIONS_JSON_MAX (16 * 1024 * 1024)  /* of an answer */

struct decision_note {
    struct bytes request_id;
    uint32_t attempt; /* 1: the first */
    uint32_t hop;
    uint64_t epoch;
    struct bytes reason; /* a word: of the choice, or the err's why nobody was chosen */
    const struct policy_request *request;
    const struct policy_plan *plan;
};

struct decisions {
    struct ring ring;
};

void decisions_init(struct decisions *d);
void decisions_fini(struct decisions *d);
/* Copies; what does not fit is not kept. */
void decisions_add(struct decisions *d, const struct decision_note *note);
/* {"decisions":[…]} of one request, oldest first, one per attempt. NOT_FOUND; LIMIT: beyond out's
 * maximum. */
MUST_CHECK enum err decisions_json(const struct decisions *d, struct bytes request_id,
                                   uint64_t now_ms, struct buf *out);
/* One line of JSON per decision, newest first, at most `limit` and as many as out has room for. */
void decisions_export(const struct decisions *d, size_t limit, uint64_t now_ms, struct buf *out);

/* --- decisions_json.c */
struct decision_kept { /* as read back; texts borrow from the ring */
    struct bytes request_id, reason, rule, model;
    uint32_t attempt, hop;
    uint64_t epoch, rule_version;
    bool cut;
    struct policy_request request;
    struct bytes steps[POLICY_LOOKED_MAX]; /* of looks[i] */
    struct policy_look looks[POLICY_LOOKED_MAX];
    struct policy_candidate candidates[POLICY_LOOKED_MAX];
    size_t count;
};
MUST_CHECK enum err decisions_json_put(const struct decision_kept *d, struct buf *out);

#endif
