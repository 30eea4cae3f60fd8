/* Documents by name, on their way into a set. Inside policy/document*.c only. */
#ifndef POLICY_DOCUMENT_HEAD_H
#define POLICY_DOCUMENT_HEAD_H

#include "policy/document_read.h"

struct policy_head {
    struct bytes name;
    uint64_t version;
    size_t source;
    uint32_t line, column;
    struct policy_rule *rule; /* one of these two; none after a mistake */
    struct policy_strategy *strategy;
};

/* Reads one document. `head` has its version and source, and the name that it has to have or none.
 */
void policy_read_document(struct policy_reader *r, const struct yaml_item *root,
                          struct policy_head *head);

#endif
