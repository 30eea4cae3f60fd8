/* What is wrong with documents of policies, told to people ("FILE:LINE:COLUMN: what") or programs.
 * Used by the commands that check policies and by those that put them. */
#ifndef NODE_CLI_MISTAKES_H
#define NODE_CLI_MISTAKES_H

#include "node/admin/json.h"
#include "policy/policy.h"

#include <stdio.h>

/* One source of a set: the file that it stands in, and how many lines of it before. */
struct mistakes_place {
    const char *path;
    uint32_t line_offset;
};

/* Prints those of the first `count` sources, each after `prefix`; how many these were. */
size_t mistakes_print(FILE *out, const char *prefix, const struct policy_mistakes *mistakes,
                      const struct mistakes_place *places, size_t count);
/* The same for the tests of a rule that failed. */
size_t mistakes_print_failed(FILE *out, const char *prefix, const struct policy_rule *rule,
                             const struct policy_tests *tests, const struct mistakes_place *place);
/* {"file":, "line":, "column":, "text":} of each, into an array that is open. */
void mistakes_put(struct json *j, const struct policy_mistakes *mistakes,
                  const struct mistakes_place *places);

#endif
