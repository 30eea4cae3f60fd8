/* The interpreter's parts: its loop (cel_run.c) and the steps of macros (cel_run_loops.c). */
#ifndef POLICY_CEL_RUN_H
#define POLICY_CEL_RUN_H

#include "policy/cel_vm.h"

/* One evaluation. Locals lie at the bottom of the stack. */
struct cel_run {
    struct cel_vm *vm;
    const struct cel_program *program;
    const struct cel_code *at; /* the next instruction */
    struct cel_value *top;     /* the first free place */
    struct cel_value *locals;
    const struct cel_value *const *facts;
};

struct cel_value policy_cel_run(struct cel_run *run);

/* Adds the place of the instruction that runs to a failure that has none. */
struct cel_value policy_cel_placed(const struct cel_run *run, struct cel_value v);
/* a && b, a || b: `decides` is false, true. A fact that is absent outdoes an error. */
struct cel_value policy_cel_logic(struct cel_value a, struct cel_value b, bool decides);

void policy_cel_run_iter(struct cel_run *run, const struct cel_code *i);
void policy_cel_run_next(struct cel_run *run, const struct cel_code *i);
void policy_cel_run_filter(struct cel_run *run, const struct cel_code *i);
void policy_cel_run_fold(struct cel_run *run, const struct cel_code *i);
void policy_cel_run_result(struct cel_run *run, const struct cel_code *i);

#endif
