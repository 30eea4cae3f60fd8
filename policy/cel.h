/* CEL, the Common Expression Language (https://cel.dev), for policies: an expression is compiled
 * once against declared facts and evaluated many times, without allocating.
 *
 * Is:  lexer, parser, type checker, compiler, evaluator; the standard macros and functions; the
 *      extensions strings, math, bindings, encoders, optionals and two-variable comprehensions.
 * Not: protobuf messages; a clock, a file or a log. Names of time zones need the caller's data.
 * The language is that of github.com/google/cel-spec; policy/README.md lists the differences.
 *
 *     text ──parse──▶ tree ──check──▶ typed tree ──compile──▶ program ──vm + facts──▶ value
 *
 * A *fact* is a declared variable, its name may have dots ("node.tier"); it lies at `slot` of the
 * array of its `group`, so that facts of a request and of a candidate need not be copied together.
 * A fact may be absent: has(fact) is false, and using it is the error POLICY_CEL_ABSENT.
 *
 * A program is immutable and may be shared by threads; a vm serves one evaluation at a time. */
#ifndef POLICY_CEL_H
#define POLICY_CEL_H

#include "policy/cel_value.h"

/* Limits. Depth bounds every recursion over the tree, the others bound memory and time. */
#define POLICY_CEL_SOURCE_MAX 65536
#define POLICY_CEL_DEPTH_MAX 192   /* levels of an expression; the language asks for 32 */
#define POLICY_CEL_NODES_MAX 20000 /* parts of an expression */
#define POLICY_CEL_GROUPS_MAX 4
#define POLICY_CEL_FACTS_MAX 1024
#define POLICY_CEL_STACK_MAX 1024 /* values an evaluation holds at once */
#define POLICY_CEL_BUDGET_DEFAULT 100000

/* --- types */

enum cel_type_kind {
    CEL_T_DYN,
    CEL_T_NULL,
    CEL_T_BOOL,
    CEL_T_INT,
    CEL_T_UINT,
    CEL_T_DOUBLE,
    CEL_T_STRING,
    CEL_T_BYTES,
    CEL_T_DURATION,
    CEL_T_TIMESTAMP,
    CEL_T_TYPE,     /* of its one parameter, or of any */
    CEL_T_LIST,     /* 1 parameter */
    CEL_T_MAP,      /* 2 */
    CEL_T_ABSTRACT, /* a name and any number; "optional_type" has 1 */
    CEL_T_WRAPPER,  /* its one parameter or null */
    CEL_T_PARAM,    /* a name, in declarations of functions */
};
#define POLICY_CEL_TYPE_PARAMS_MAX 8

struct cel_type {
    enum cel_type_kind kind;
    uint32_t id; /* PARAM of the checker */
    struct bytes name;
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    size_t param_count;
};

const struct cel_type *policy_cel_type(enum cel_type_kind kind); /* those without parameters */
/* "list(int)", "map(string, dyn)" */
MUST_CHECK enum err policy_cel_type_show(const struct cel_type *type, struct buf *out);

/* --- what an expression may name */

struct cel_fact {
    const char *name; /* "node.tier" */
    const struct cel_type *type;
    uint8_t group;
    uint16_t slot;
};

/* A function without a body: known to the checker, an error when it is run. */
struct cel_function {
    const char *name;
    bool is_member;
    const struct cel_type *params[POLICY_CEL_TYPE_PARAMS_MAX];
    size_t param_count;
    const struct cel_type *result;
};

/* Borrowed by every program that is compiled against it, with all that it points to. */
struct cel_env {
    const struct cel_fact *facts;
    size_t fact_count; /* at most POLICY_CEL_FACTS_MAX */
    const struct cel_function *functions;
    size_t function_count;
    const char *container; /* names are looked up inside it first; NULL: none */
    bool disable_check;    /* unknown names and wrong types fail when they are reached */
    bool disable_macros;
    /* TZif data (RFC 8536) of a time zone, empty when there is none by that name; must outlive the
     * program and say the same each time. NULL: only UTC and fixed offsets are known. */
    struct bytes (*zone)(void *zone_ctx, struct bytes name);
    void *zone_ctx;
};

/* --- compiling */

enum cel_phase { CEL_PARSE, CEL_CHECK, CEL_EVAL };
const char *policy_cel_phase_name(enum cel_phase phase);

/* What is wrong with an expression, and where; lines and columns (characters) from 1. */
struct cel_problem {
    enum cel_phase phase;
    uint32_t line;
    uint32_t column;
    char text[320];
};

struct cel_program;

/* INVALID with *ret_problem filled in, NO_MEMORY. The source need not outlive the call. */
MUST_CHECK enum err policy_cel_compile(const struct cel_env *env, struct bytes source,
                                       struct cel_program **ret_program,
                                       struct cel_problem *ret_problem);
void policy_cel_program_destroy(struct cel_program *program);
/* Its type as checked; dyn when checking was disabled. */
const struct cel_type *policy_cel_program_type(const struct cel_program *program);
/* Parses alone and writes the expression in its plainest form, which parses to the same tree. */
MUST_CHECK enum err policy_cel_reformat(struct bytes source, struct buf *out,
                                        struct cel_problem *ret_problem);

/* The parts of a top-level `a && b && c`, in order; an expression that is none has one part. The
 * whole is true exactly when all parts are. */
size_t policy_cel_part_count(const struct cel_program *program);
#define POLICY_CEL_WHOLE SIZE_MAX
/* Does a part, or POLICY_CEL_WHOLE, read this fact (an index into env->facts)? */
bool policy_cel_reads(const struct cel_program *program, size_t part, size_t fact);

/* Can these two never both be true? Found out for comparisons of one fact with constants among the
 * first CEL_EXCLUDE_PARTS_MAX parts of each; false: unknown. */
#define CEL_EXCLUDE_PARTS_MAX 64
bool policy_cel_excludes(const struct cel_program *a, const struct cel_program *b);

/* --- evaluating */

struct cel_vm;

/* memory_bytes: for strings, lists and maps that expressions make. NO_MEMORY. */
MUST_CHECK enum err policy_cel_vm_create(size_t memory_bytes, struct cel_vm **ret_vm);
void policy_cel_vm_destroy(struct cel_vm *vm);
/* Cost of one evaluation at most: about one per operation and per 16 bytes touched. */
void policy_cel_vm_set_budget(struct cel_vm *vm, uint64_t budget);
/* What the last evaluation cost. */
uint64_t policy_cel_vm_cost(const struct cel_vm *vm);

/* `facts[group][slot]`, for every fact the part reads. The result lives until the vm's next use,
 * and as long as the facts. A failure is a value of kind CEL_ERROR or CEL_ABSENT. */
struct cel_value policy_cel_eval(struct cel_vm *vm, const struct cel_program *program, size_t part,
                                 const struct cel_value *const *facts);
/* Is it false (or a failure) whatever the facts? As far as can be told, see policy_cel_excludes. */
bool policy_cel_is_never(struct cel_vm *vm, const struct cel_program *program);
/* The line and column of a failure that `program` gave. */
void policy_cel_locate(const struct cel_program *program, struct cel_value failure,
                       struct cel_problem *ret_problem);

#endif
