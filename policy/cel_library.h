/* The functions of the language: what the checker knows of them and what the vm runs. One row per
 * name, style and number of arguments; cel_library.c has the table, cel_lib_*.c the functions. */
#ifndef POLICY_CEL_LIBRARY_H
#define POLICY_CEL_LIBRARY_H

#include "policy/cel_ast.h"

/* A call. Arguments are values, never failures; their number is that of the row. Dispatch is by
 * their kinds, as a program need not be checked. */
struct cel_args {
    struct cel_vm *vm;
    const struct cel_value *args;
    size_t count;
};
typedef struct cel_value (*cel_impl)(const struct cel_args *in);

struct cel_builtin {
    const char *name; /* "size", "math.ceil" */
    bool is_member;
    uint8_t arity; /* the target included */
    /* Overloads, separated by blanks: RESULT:PARAMETERS, each type one letter, aggregates followed
     * by their parameters. b bool, i int, u uint, d double, s string, y bytes, n null, * dyn,
     * t timestamp, D duration, L list, M map, O optional, T type; A B variables. */
    const char *signatures;
    cel_impl run;
};

/* NULL: there is none. */
const struct cel_builtin *policy_cel_builtin(struct bytes name, bool is_member, size_t arity);
/* Is there a function of that name and style, whatever its arity? */
bool policy_cel_builtin_named(struct bytes name, bool is_member);
/* Names, for near ones; NULL past the end. */
const struct cel_builtin *policy_cel_builtin_at(size_t index);
/* Overloads of an operator, and its name as people write it. */
const char *policy_cel_op_signatures(enum cel_op op);
const char *policy_cel_op_text(enum cel_op op);
#define CEL_INDEX_SIGNATURES "A:LAi B:MABA OA:OLAi OB:OMABA"
#define CEL_OPT_INDEX_SIGNATURES "OA:LAi OB:MABA OA:OLAi OB:OMABA"

cel_impl policy_cel_op_impl(enum cel_op op);

/* The declared function of that name, style and arity, after `after` (NULL: the first). */
const struct cel_function *policy_cel_declared(const struct cel_env *env,
                                               const struct cel_function *after, struct bytes name,
                                               bool is_member, size_t arity);

#endif
