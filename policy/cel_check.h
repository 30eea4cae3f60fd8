/* The checker's parts know each other by this: the state of one check, and calls apart from the
 * rest. Inside policy/cel_check*.c only. */
#ifndef POLICY_CEL_CHECK_H
#define POLICY_CEL_CHECK_H

#include "policy/cel_library.h"
#include "policy/cel_types.h"

struct cel_checker {
    struct cel_job *job;
    struct cel_infer infer;
    const struct cel_type **locals; /* by their index, while they are in scope */
};

#define CEL_TYPE_TEXT_MAX 120
/* A type as errors show it, cut where it is long. */
const char *policy_cel_check_show(struct cel_checker *c, const struct cel_type *type,
                                  char ret_text[CEL_TYPE_TEXT_MAX]);
/* The type of a call whose arguments have their types. `signatures` of operators and built-in
 * functions; NULL: those that the environment declares. `text` names it in errors. */
MUST_CHECK enum err policy_cel_check_overloads(struct cel_checker *c, struct cel_node *n,
                                               const char *signatures, struct bytes text);

#endif
