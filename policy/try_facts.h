/* Facts by name into structs, for the tests of documents. Inside policy/ only. */
#ifndef POLICY_TRY_FACTS_H
#define POLICY_TRY_FACTS_H

#include "policy/document_read.h"

struct policy_given {
    void *owners[POLICY_GROUPS]; /* struct policy_request, _static, _live; NULL: not here */
    const char *what;            /* "a candidate" */
};
/* Makes every fact of a group one that is not known. */
void policy_facts_unknown(enum policy_group group, void *owner);
/* A mapping of facts; `prefix` is put before their names ("request."). A name may be a path
 * ("node.tier") or mappings in each other. Texts are borrowed from the tree, pairs lie in the
 * reader's scratch. */
void policy_read_facts(struct policy_reader *r, const struct yaml_item *map, struct bytes prefix,
                       const struct policy_given *into);

#endif
