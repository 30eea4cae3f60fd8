/* Tests that a policy carries: facts of a request and of candidates, and what has to come out. They
 * run through the very decision that requests go through.
 *
 *   tests:
 *     - name: a free edge node is taken
 *       given:
 *         request: {task: video}
 *         candidates:
 *           - {node.name: a, node.tier: edge, backend.gpu.load: 0.3}
 *           - {node: {name: b, tier: regional}}       # the same facts, nested
 *       expect: {step: edge, node: a}                 # also: model, match, refused
 *
 * What is not given is not known, except that node.age is 0: reports are fresh. Candidates without
 * a model.name serve the model that is asked for. limits.max_cost_usd holds, and needs prices; a
 * deadline only where request.deadline gives one. Where several candidates can be used, which is
 * chosen may be chance: a test passes only if all of POLICY_TRIES draws pass, so a node is to be
 * expected where it is the only one, or clearly the better one of two. */
#ifndef POLICY_TRY_H
#define POLICY_TRY_H

#include "policy/decide.h"

#define POLICY_TRIES 16
#define POLICY_TEST_CANDIDATES_MAX 64

struct policy_test {
    char name[POLICY_NAME_MAX + 1];
    uint32_t line, column; /* in the rule's source */
    bool passed;
    char why[400]; /* it did not: "expected step edge; chosen were b (regional) ..." */
};
struct policy_tests {
    struct policy_test items[POLICY_TESTS_MAX];
    size_t count, failed;
};

/* Runs the tests that stand in the rule's document. NO_MEMORY. */
MUST_CHECK enum err policy_test(const struct policy_rule *rule, struct policy_tests *ret_tests);

#endif
