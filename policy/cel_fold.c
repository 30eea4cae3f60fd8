/* Constants beforehand: what depends on no fact and no variable is compiled, run, and replaced by
 * its value, so that duration("50ms") costs nothing at run time. What fails stays code, because the
 * failure may never be reached. */
#include "policy/cel_compile.h"
#include "policy/cel_run.h"

#define FOLD_MEMORY 65536
#define FOLD_BUDGET 20000 /* of one constant */

static bool depends(const struct cel_node *n)
{
    if (n->ref == CEL_REF_TYPE || n->kind == CEL_N_CONST)
        return false;
    if (n->kind == CEL_N_IDENT || n->kind == CEL_N_MACRO || n->ref != CEL_REF_NONE)
        return true;
    for (uint32_t i = 0; i < n->arg_count; i++)
        if (depends(n->args[i]))
            return true;
    return false;
}

/* Copies a value into the program's memory. Its depth is bounded by that of the expression, its
 * size by FOLD_MEMORY. */
static enum err keep(struct cel_compiler *c, struct cel_value *v)
{
    struct arena *arena = &c->program->arena;
    if (v->kind == CEL_STRING || v->kind == CEL_BYTES || v->kind == CEL_TYPE) {
        struct bytes copy = arena_copy(arena, policy_cel_bytes(*v));
        if (v->size && !copy.data)
            return ERR_NO_MEMORY;
        v->data = copy.data;
        return ERR_OK;
    }
    if (v->kind < CEL_LIST)
        return ERR_OK;
    size_t count = v->kind == CEL_MAP ? 2 * (size_t)v->size : v->size;
    struct cel_value *items = arena_alloc(arena, (count + 1) * sizeof(*items));
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        items[i] = v->items[i];
        TRY(keep(c, &items[i]));
    }
    v->items = items;
    return ERR_OK;
}

/* Runs the code from `start` on. */
static struct cel_value run_from(struct cel_compiler *c, uint32_t start)
{
    struct cel_program view = *c->program;
    view.code = (struct cel_code *)(void *)c->code.data;
    view.offsets = (uint32_t *)(void *)c->offsets.data;
    view.constants = (struct cel_value *)(void *)c->constants.data;
    view.calls = (cel_impl *)(void *)c->calls.data;
    view.regexes = (struct policy_cel_regex **)(void *)c->regexes.data;
    c->vm->memory_used = 0;
    uint64_t budget = c->fold_left < FOLD_BUDGET ? c->fold_left : FOLD_BUDGET;
    c->vm->left = budget;
    c->vm->program = &view;
    struct cel_run run = {.vm = c->vm,
                          .program = &view,
                          .at = view.code + start,
                          .top = c->vm->stack,
                          .locals = c->vm->stack};
    struct cel_value v = policy_cel_run(&run);
    c->fold_left -= budget - c->vm->left;
    return v;
}

enum err policy_cel_fold(struct cel_compiler *c, const struct cel_node *n,
                         struct cel_value *ret_value, bool *ret_is_constant)
{
    *ret_is_constant = !depends(n);
    *ret_value = n->value;
    if (!*ret_is_constant || n->kind == CEL_N_CONST || n->ref == CEL_REF_TYPE)
        return ERR_OK;
    if (!c->vm)
        TRY(policy_cel_vm_create(FOLD_MEMORY, &c->vm));
    uint32_t start = policy_cel_here(c), depth = c->depth, depth_max = c->depth_max;
    c->is_folding = true;
    enum err e = policy_cel_emit_plain(c, n);
    c->is_folding = false;
    TRY(e);
    TRY(policy_cel_emit(c, n, (struct cel_code){.op = CEL_I_RETURN}, -1));
    *ret_value = run_from(c, start);
    *ret_is_constant = !policy_cel_failed(*ret_value);
    c->code.size = start * sizeof(struct cel_code);
    c->offsets.size = start * sizeof(uint32_t);
    c->depth = depth;
    c->depth_max = depth_max;
    return *ret_is_constant ? keep(c, ret_value) : ERR_OK;
}
