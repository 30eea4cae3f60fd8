/* What must hold of every expression, whatever it says; for the fuzz target and its unit tests. */
#ifndef TESTS_SUPPORT_CEL_FUZZ_H
#define TESTS_SUPPORT_CEL_FUZZ_H

#include "policy/policy.h"

/* Facts of every type under short names, some of them absent. */
struct cel_env cel_fuzz_env(bool with_container);
const struct cel_value *const *cel_fuzz_facts(void);

/* A problem lies within the text and says something. */
void cel_fuzz_check_problem(const struct cel_problem *problem, struct bytes text);
/* The whole and its parts: within the bound, of the declared type where checked, parts agree. */
void cel_fuzz_check_program(const struct cel_program *program, uint64_t budget, bool is_checked);
/* The same expression compiled twice gives the same. */
void cel_fuzz_compare(const struct cel_program *a, const struct cel_program *b);

#endif
