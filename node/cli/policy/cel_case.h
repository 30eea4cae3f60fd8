/* One expression with everything that it may name, from JSON: a case of the public conformance
 * data, or an operator's facts. Compiles and evaluates it, and writes the answer. Used by
 * policy_eval.c. */
#ifndef NODE_CLI_POLICY_CEL_CASE_H
#define NODE_CLI_POLICY_CEL_CASE_H

#include "node/cli/policy/cel_json.h"
#include "node/cli/policy/zoneinfo.h"

#define CEL_CASE_ANSWER_MAX (4u << 20)
#define CEL_CASE_FACTS_MAX POLICY_CEL_FACTS_MAX
#define CEL_CASE_FUNCTIONS_MAX 128

struct cel_case {
    struct arena arena; /* what was read from the document */
    struct cel_json doc;
    struct zoneinfo zones;
    struct cel_env env;
    struct cel_fact facts[CEL_CASE_FACTS_MAX];
    struct cel_value values[CEL_CASE_FACTS_MAX]; /* of facts[i], by its slot i */
    struct cel_function functions[CEL_CASE_FUNCTIONS_MAX];
    struct cel_program *program;
    struct cel_vm *vm;
    struct cel_value value; /* the outcome */
    bool check_only;
};

MUST_CHECK enum err cel_case_init(struct cel_case *k);
void cel_case_fini(struct cel_case *k);

/* Reads a line and appends its answer, without a newline: {"value": …, "type": …,
 * "deduced_type": …} or {"error": …, "phase": …, "line": …, "column": …}. */
void cel_case_answer(struct cel_case *k, struct bytes line, struct buf *out);
/* The answer to a line that cannot be read. */
void cel_case_refuse(struct buf *out, const char *why);

/* Facts from a JSON object, by their dotted names: every member is one, and every member of an
 * object. NULL, or what is wrong. */
const char *cel_case_set_facts(struct cel_case *k, struct bytes text);
/* Compiles and evaluates; false, and the problem: it went wrong. The outcome lives until the next
 * call. */
bool cel_case_run(struct cel_case *k, struct bytes expression, struct cel_problem *ret_problem);

#endif
