/* A recorded decision under other policies: what would have become of the request. Records are the
 * lines that a node exports (node/telemetry/decisions.h): the request's facts, each candidate that
 * was looked at with its facts, what was learned of it, and whether it could be used then.
 *
 * Chance is drawn POLICY_TRIES times, so what is told is what these policies do, not what one draw
 * did. Only what was looked at is known: of a large fleet that is a sample. Header fields are not
 * recorded; policies that read them see none. */
#ifndef POLICY_REPLAY_H
#define POLICY_REPLAY_H

#include "policy/try.h"

struct policy_replayed {
    char id[POLICY_NAME_MAX + 1];
    char rule[POLICY_NAME_MAX + 1]; /* that decides now; "default" */
    char from[64], to[64];          /* nodes; "": nobody was, or is, chosen */
    bool is_moved;                  /* none of the draws chose what was chosen then */
    enum policy_verdict none;       /* `to` is empty: why */
    /* Expected then and now, means over the draws; NAN: not known. */
    double answer_us, new_answer_us, cost_usd, new_cost_usd;
};
/* INVALID: not such a record. NO_MEMORY. */
MUST_CHECK enum err policy_replay(const struct policy_set *set, struct cel_vm *vm,
                                  struct bytes record, struct policy_replayed *ret_replayed);

#endif
