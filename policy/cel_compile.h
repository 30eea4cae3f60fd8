/* The compiler's parts: the state of one compilation to code (cel_compile.c), expressions
 * (cel_emit.c), and constants found out beforehand (cel_fold.c). */
#ifndef POLICY_CEL_COMPILE_H
#define POLICY_CEL_COMPILE_H

#include "policy/cel_vm.h"

struct cel_compiler {
    struct cel_job *job;
    struct cel_program *program;
    struct buf code; /* struct cel_code */
    struct buf offsets;
    struct buf constants;
    struct buf calls;   /* cel_impl */
    struct buf regexes; /* pointers; owned until the program has them */
    struct cel_vm *vm;  /* for constants; NULL until needed */
    uint64_t fold_left; /* what finding them out may still cost */
    uint64_t *reads;    /* of the part that is being compiled */
    uint32_t depth;     /* values on the stack here */
    uint32_t depth_max;
    bool is_folding;
};

uint32_t policy_cel_here(const struct cel_compiler *c);
MUST_CHECK enum err policy_cel_emit(struct cel_compiler *c, const struct cel_node *n,
                                    struct cel_code code, int stack_change);
/* Makes the jump at `from` go to here. */
void policy_cel_land(struct cel_compiler *c, uint32_t from);
MUST_CHECK enum err policy_cel_add_constant(struct cel_compiler *c, struct cel_value v,
                                            uint32_t *ret_index);

MUST_CHECK enum err policy_cel_emit_node(struct cel_compiler *c, const struct cel_node *n);
MUST_CHECK enum err policy_cel_emit_macro(struct cel_compiler *c, const struct cel_node *n);
/* The node without an attempt to fold it. */
MUST_CHECK enum err policy_cel_emit_plain(struct cel_compiler *c, const struct cel_node *n);

/* The value of a node that depends on nothing: *ret_value, in the program's memory. False: it does,
 * or it fails, or it is too costly to say now. */
MUST_CHECK enum err policy_cel_fold(struct cel_compiler *c, const struct cel_node *n,
                                    struct cel_value *ret_value, bool *ret_is_constant);

#endif
