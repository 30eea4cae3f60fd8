/* The vm as its owner sees it: made once, then one evaluation after the other. */
#include "policy/cel_run.h"

#include <stdlib.h>

#include "policy/cel_types.h"

enum err policy_cel_vm_create(size_t memory_bytes, struct cel_vm **ret_vm)
{
    struct cel_vm *vm = malloc(sizeof(*vm));
    void *memory = malloc(memory_bytes + 1); /* 16-byte aligned */
    struct policy_cel_matcher *matcher = policy_cel_matcher_create();
    if (!vm || !memory || !matcher) {
        free(vm);
        free(memory);
        policy_cel_matcher_destroy(matcher);
        return ERR_NO_MEMORY;
    }
    vm->memory = memory;
    vm->memory_size = memory_bytes;
    vm->memory_used = 0;
    vm->budget = vm->left = POLICY_CEL_BUDGET_DEFAULT;
    vm->program = NULL;
    vm->matcher = matcher;
    *ret_vm = vm;
    return ERR_OK;
}

void policy_cel_vm_destroy(struct cel_vm *vm)
{
    if (!vm)
        return;
    policy_cel_matcher_destroy(vm->matcher);
    free(vm->memory);
    free(vm);
}

void policy_cel_vm_set_budget(struct cel_vm *vm, uint64_t budget)
{
    vm->budget = budget;
}

uint64_t policy_cel_vm_cost(const struct cel_vm *vm)
{
    return vm->budget - vm->left;
}

static const struct cel_part *part_of(const struct cel_program *program, size_t part)
{
    if (part == POLICY_CEL_WHOLE || program->part_count == 1)
        return &program->parts[0];
    CHECK(part + 1 < program->part_count);
    return &program->parts[part + 1];
}

struct cel_value policy_cel_eval(struct cel_vm *vm, const struct cel_program *program, size_t part,
                                 const struct cel_value *const *facts)
{
    const struct cel_part *p = part_of(program, part);
    struct cel_run run = {.vm = vm,
                          .program = program,
                          .at = program->code + p->start,
                          .top = vm->stack + program->local_count,
                          .locals = vm->stack,
                          .facts = facts};
    vm->memory_used = 0;
    vm->program = program;
    vm->left = vm->budget;
    if (!policy_cel_pay(vm, p->size)) {
        struct cel_value v = policy_cel_no_budget();
        v.size = 0;
        return v;
    }
    return policy_cel_run(&run);
}

size_t policy_cel_part_count(const struct cel_program *program)
{
    return program->part_count == 1 ? 1 : program->part_count - 1;
}

bool policy_cel_reads(const struct cel_program *program, size_t part, size_t fact)
{
    return fact < POLICY_CEL_FACTS_MAX && part_of(program, part)->reads[fact / 64] >> fact % 64 & 1;
}

const struct cel_type *policy_cel_program_type(const struct cel_program *program)
{
    return program->type;
}

const char *policy_cel_phase_name(enum cel_phase phase)
{
    static const char *const names[] = {"parse", "check", "eval"};
    return names[phase];
}

void policy_cel_locate(const struct cel_program *program, struct cel_value failure,
                       struct cel_problem *ret_problem)
{
    struct buf text;
    ret_problem->phase = CEL_EVAL;
    policy_cel_place(program->source, failure.size, &ret_problem->line, &ret_problem->column);
    buf_init_fixed(&text, (uint8_t *)ret_problem->text, sizeof(ret_problem->text) - 1);
    enum err e = failure.kind == CEL_ABSENT
                     ? buf_printf(&text, "absent: %.250s is not known", failure.text)
                     : buf_append_str(&text, failure.text);
    ret_problem->text[e == ERR_OK ? text.size : 0] = 0;
}
