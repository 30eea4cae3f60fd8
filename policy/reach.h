/* Does a policy leave everybody without an answer? What it asks of candidates for what seldom
 * changes, against those that there are now: for who is about to put it in force. */
#ifndef POLICY_REACH_H
#define POLICY_REACH_H

#include "policy/document.h"

struct policy_served {
    struct bytes model, task; /* task: empty where it is not known */
    const struct policy_static *candidates;
    size_t count;
};

/* Could a request for served[index].model find a candidate under this rule, its steps' other models
 * included? True where the rule cannot match such a request. Conditions that read what changes by
 * the second, belongs to the request or is not known count as fulfilled. NO_MEMORY. */
MUST_CHECK enum err policy_reaches(const struct policy_rule *rule, struct cel_vm *vm,
                                   const struct policy_served *served, size_t count, size_t index,
                                   bool *ret_reaches);

#endif
