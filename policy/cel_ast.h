/* The tree of an expression, from parser to compiler, and the state that one compilation carries.
 * Trees live in an arena and are never freed apart. Inside policy/cel_* only. */
#ifndef POLICY_CEL_AST_H
#define POLICY_CEL_AST_H

#include "base/arena.h"
#include "policy/cel.h"

enum cel_node_kind {
    CEL_N_CONST,
    CEL_N_IDENT,
    CEL_N_SELECT, /* args[0].name, or .?name when is_optional */
    CEL_N_INDEX,  /* args[0][args[1]], or [?] when is_optional */
    CEL_N_CALL,   /* an operator, or a function; args[0] is the target when has_target */
    CEL_N_LIST,   /* args; flags[i]: element i has a "?" */
    CEL_N_MAP,    /* args: key, value, …; flags[i] of entry i */
    CEL_N_MACRO,  /* args: what follows from enum cel_macro */
};

enum cel_op {
    CEL_OP_NONE,
    CEL_OP_COND,
    CEL_OP_OR, /* two or more operands, as && */
    CEL_OP_AND,
    CEL_OP_LT,
    CEL_OP_LE,
    CEL_OP_GT,
    CEL_OP_GE,
    CEL_OP_EQ,
    CEL_OP_NE,
    CEL_OP_IN,
    CEL_OP_ADD,
    CEL_OP_SUB,
    CEL_OP_MUL,
    CEL_OP_DIV,
    CEL_OP_MOD,
    CEL_OP_NOT,
    CEL_OP_NEG,
};

enum cel_macro {
    CEL_M_HAS,  /* [select] */
    CEL_M_BIND, /* [value, body], 1 variable */
    CEL_M_OPT_MAP,
    CEL_M_OPT_FLAT_MAP, /* [optional, body], 1 variable */
    CEL_M_ALL,          /* [range, predicate], 1 or 2 variables, as all below */
    CEL_M_EXISTS,
    CEL_M_EXISTS_ONE,
    CEL_M_FILTER,
    CEL_M_MAP, /* [range, value] or [range, filter, value] */
    CEL_M_TRANSFORM_LIST,
    CEL_M_TRANSFORM_MAP,
    CEL_M_TRANSFORM_ENTRY,
};

enum cel_ref { CEL_REF_NONE, CEL_REF_FACT, CEL_REF_LOCAL, CEL_REF_TYPE };

/* What a macro keeps while it runs, from its `local` on. */
enum cel_local { CEL_L_VAR1, CEL_L_VAR2, CEL_L_RANGE, CEL_L_INDEX, CEL_L_RESULT, CEL_L_COUNT };

struct cel_node {
    uint8_t kind;
    uint8_t op;       /* enum cel_op of a CALL, enum cel_macro of a MACRO */
    uint8_t ref;      /* enum cel_ref, by cel_resolve.c */
    bool is_absolute; /* ".name" */
    bool is_optional;
    bool is_quoted;  /* `name` */
    bool is_grouped; /* in parentheses: `(a.b).c` is not the name a.b.c */
    bool has_target;
    uint16_t depth; /* 1 + its deepest child's */
    uint32_t offset;
    uint32_t arg_count;
    uint32_t ref_index; /* of the fact, the local; MACRO: its first local */
    struct bytes name;  /* IDENT, SELECT, CALL of a function (qualified names once resolved) */
    struct bytes vars[2];
    uint32_t var_count;
    struct cel_value value; /* CONST; REF_TYPE */
    struct cel_node **args;
    uint8_t *flags; /* NULL: none */
    const struct cel_type *type;
};

/* One compilation. */
struct cel_job {
    const struct cel_env *env;
    struct bytes source;
    struct arena *arena; /* the tree, its texts, types */
    struct cel_problem *problem;
    uint32_t node_count;
    uint32_t local_count; /* most locals at once */
};

/* Fills in the problem and returns ERR_INVALID. */
MUST_CHECK enum err policy_cel_fail(struct cel_job *job, enum cel_phase phase, uint32_t offset,
                                    const char *format, ...) __attribute__((format(printf, 4, 5)));
void policy_cel_place(struct bytes source, uint32_t offset, uint32_t *ret_line,
                      uint32_t *ret_column);

/* NULL in *ret_node's place never happens on ERR_OK. LIMIT: too many nodes, told as a problem. */
MUST_CHECK enum err policy_cel_node(struct cel_job *job, enum cel_node_kind kind, uint32_t offset,
                                    struct cel_node **ret_node);
/* Gives a node its arguments (copied) and its depth. */
MUST_CHECK enum err policy_cel_adopt(struct cel_job *job, struct cel_node *node,
                                     struct cel_node *const *args, size_t count);

MUST_CHECK enum err policy_cel_parse(struct cel_job *job, struct cel_node **ret_root);
/* Turns a call into the macro of that name and shape, where there is one. */
MUST_CHECK enum err policy_cel_expand(struct cel_job *job, struct cel_node *call);
/* How a macro of that name is used; NULL: there is none. */
const char *policy_cel_macro_usage(struct bytes name);
MUST_CHECK enum err policy_cel_unparse(const struct cel_node *root, struct buf *out);
/* Are these the same expression? (Used by the round-trip test.) */
bool policy_cel_same_tree(const struct cel_node *a, const struct cel_node *b);

/* Binds names to facts, locals, types and qualified functions. Unknown ones are a problem, unless
 * checking is disabled. */
MUST_CHECK enum err policy_cel_resolve(struct cel_job *job, struct cel_node *root);
MUST_CHECK enum err policy_cel_check(struct cel_job *job, struct cel_node *root);

#endif
