/* Code for macros: bindings, and loops over lists and maps.
 *
 *     range · ITER ─ n: NEXT ─ [filter · FILTER] ─ value · FOLD (back to n) ─ d: RESULT ─ e:
 * NEXT leaves to d when nothing is left; ITER to e, with a failure, when nothing can be looped. */
#include "policy/cel_compile.h"

static struct cel_code code_of(enum cel_code_op op, uint8_t a, uint32_t b, uint32_t c)
{
    return (struct cel_code){.op = (uint8_t)op, .a = a, .b = (uint16_t)b, .c = c};
}

static enum err emit_bind(struct cel_compiler *c, const struct cel_node *n)
{
    TRY(policy_cel_emit_node(c, n->args[0]));
    TRY(policy_cel_emit(c, n, code_of(CEL_I_STORE, 0, 0, n->ref_index), -1));
    return policy_cel_emit_node(c, n->args[1]);
}

static enum err emit_optional(struct cel_compiler *c, const struct cel_node *n)
{
    TRY(policy_cel_emit_node(c, n->args[0]));
    uint32_t enter = policy_cel_here(c);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_ENTER, 0, n->ref_index, 0), -1));
    TRY(policy_cel_emit_node(c, n->args[1]));
    TRY(policy_cel_emit(c, n, code_of(CEL_I_WRAP, n->op, 0, 0), 0));
    policy_cel_land(c, enter);
    return ERR_OK;
}

static enum err emit_loop(struct cel_compiler *c, const struct cel_node *n)
{
    bool has_filter = n->arg_count == 3;
    TRY(policy_cel_emit_node(c, n->args[0]));
    uint32_t iter = policy_cel_here(c);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_ITER, n->op, n->ref_index, 0), -1));
    uint32_t next = policy_cel_here(c);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_NEXT, (uint8_t)n->var_count, n->ref_index, 0), 0));
    if (has_filter) {
        TRY(policy_cel_emit_node(c, n->args[1]));
        TRY(policy_cel_emit(c, n, code_of(CEL_I_FILTER, 0, n->ref_index, next), -1));
    }
    TRY(policy_cel_emit_node(c, n->args[n->arg_count - 1]));
    TRY(policy_cel_emit(c, n, code_of(CEL_I_FOLD, n->op, n->ref_index, next), -1));
    policy_cel_land(c, next);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_RESULT, n->op, n->ref_index, 0), 1));
    policy_cel_land(c, iter);
    return ERR_OK;
}

enum err policy_cel_emit_macro(struct cel_compiler *c, const struct cel_node *n)
{
    if (n->op == CEL_M_BIND)
        return emit_bind(c, n);
    return n->op < CEL_M_ALL ? emit_optional(c, n) : emit_loop(c, n);
}
