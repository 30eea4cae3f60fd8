/* Tests of documents as they are read: checked with the document, run by try.c. Inside policy/ */
#ifndef POLICY_TRY_READ_H
#define POLICY_TRY_READ_H

#include "policy/document_read.h"
#include "policy/try.h"

struct policy_case {
    struct bytes name;
    uint32_t line, column;
    struct policy_request request;
    struct policy_candidate candidates[POLICY_TEST_CANDIDATES_MAX];
    size_t candidate_count;
    struct {
        struct bytes step, node, model; /* empty: whatever */
        bool match, refused;            /* default: true, false */
    } expect;
};

/* Reads the list of tests and gives each to `take` (NULL: they are only checked). Texts live as
 * long as the reader's scratch. */
struct policy_case_taker {
    const struct policy_rule *rule;
    void (*take)(void *owner, const struct policy_case *c);
    void *owner;
};
void policy_read_cases(struct policy_reader *r, const struct yaml_item *tests,
                       const struct policy_case_taker *taker);

#define POLICY_LAST_RESORT "last_resort" /* as a step's name */

#endif
