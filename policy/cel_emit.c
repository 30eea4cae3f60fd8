/* Code for expressions: names, operators, calls, literals. Macros are in cel_emit_macro.c.
 * Recursion is bounded by the depth of trees. */
#include "policy/cel_compile.h"

#define PATTERNS_MAX 128 /* in the whole and in its parts together */

static struct cel_code code_of(enum cel_code_op op, uint8_t a, uint16_t b, uint32_t c)
{
    return (struct cel_code){.op = (uint8_t)op, .a = a, .b = b, .c = c};
}

static enum err emit_constant(struct cel_compiler *c, const struct cel_node *n, struct cel_value v)
{
    uint32_t index;
    TRY(policy_cel_add_constant(c, v, &index));
    return policy_cel_emit(c, n, code_of(CEL_I_CONST, 0, 0, index), 1);
}

/* Marks the fact as read and gives its place. */
static uint16_t use_fact(struct cel_compiler *c, const struct cel_node *n)
{
    const struct cel_fact *fact = &c->job->env->facts[n->ref_index];
    c->reads[n->ref_index / 64] |= 1ull << n->ref_index % 64;
    return CEL_PACK(fact->group, fact->slot);
}

static enum err emit_call(struct cel_compiler *c, const struct cel_node *n, cel_impl run,
                          size_t count)
{
    uint32_t index = (uint32_t)(c->calls.size / sizeof(run));
    TRY(buf_append(&c->calls, bytes_of(&run, sizeof(run))));
    return policy_cel_emit(c, n, code_of(CEL_I_CALL, (uint8_t)count, 0, index), 1 - (int)count);
}

static enum err emit_name(struct cel_compiler *c, const struct cel_node *n)
{
    switch (n->ref) {
    case CEL_REF_FACT: return policy_cel_emit(c, n, code_of(CEL_I_FACT, 0, use_fact(c, n), 0), 1);
    case CEL_REF_LOCAL: return policy_cel_emit(c, n, code_of(CEL_I_LOCAL, 0, 0, n->ref_index), 1);
    case CEL_REF_TYPE: return emit_constant(c, n, n->value);
    default: return emit_call(c, n, NULL, 0); /* unknown, and checking was disabled */
    }
}

static enum err emit_field(struct cel_compiler *c, const struct cel_node *n, enum cel_code_op op)
{
    uint32_t index;
    struct bytes name = arena_copy(&c->program->arena, n->name);
    if (!name.data)
        return ERR_NO_MEMORY;
    TRY(policy_cel_emit_node(c, n->args[0]));
    TRY(policy_cel_add_constant(c, policy_cel_string(name), &index));
    return policy_cel_emit(c, n, code_of(op, n->is_optional, 0, index), 0);
}

/* --- operators */

static enum err emit_logic(struct cel_compiler *c, const struct cel_node *n)
{
    bool decides = n->op == CEL_OP_OR;
    uint32_t last = UINT32_MAX; /* the SKIPs so far are chained by their targets */
    TRY(policy_cel_emit_node(c, n->args[0]));
    for (uint32_t i = 1; i < n->arg_count; i++) {
        uint32_t skip = policy_cel_here(c);
        TRY(policy_cel_emit(c, n, code_of(CEL_I_SKIP, decides, 0, last), 0));
        last = skip;
        TRY(policy_cel_emit_node(c, n->args[i]));
        TRY(policy_cel_emit(c, n, code_of(CEL_I_LOGIC, decides, 0, 0), -1));
    }
    while (last != UINT32_MAX) {
        uint32_t before = ((struct cel_code *)(void *)c->code.data)[last].c;
        policy_cel_land(c, last);
        last = before;
    }
    return ERR_OK;
}

static enum err emit_conditional(struct cel_compiler *c, const struct cel_node *n)
{
    TRY(policy_cel_emit_node(c, n->args[0]));
    uint32_t cond = policy_cel_here(c);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_COND, 0, 0, 0), -1));
    TRY(policy_cel_emit_node(c, n->args[1]));
    uint32_t jump = policy_cel_here(c);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_JUMP, 0, 0, 0), -1));
    policy_cel_land(c, cond);
    TRY(policy_cel_emit_node(c, n->args[2]));
    policy_cel_land(c, jump);
    return ERR_OK;
}

static enum cel_op mirrored(enum cel_op op)
{
    switch (op) {
    case CEL_OP_LT: return CEL_OP_GT;
    case CEL_OP_LE: return CEL_OP_GE;
    case CEL_OP_GT: return CEL_OP_LT;
    case CEL_OP_GE: return CEL_OP_LE;
    default: return op;
    }
}

/* `fact < constant`, either way round, is one instruction. *ret_done: it was that. */
static enum err emit_test(struct cel_compiler *c, const struct cel_node *n, bool *ret_done)
{
    struct cel_value v;
    uint32_t index;
    *ret_done = false;
    bool swapped = n->args[1]->ref == CEL_REF_FACT;
    const struct cel_node *fact = n->args[swapped], *other = n->args[!swapped];
    if (n->op < CEL_OP_LT || n->op > CEL_OP_NE || fact->ref != CEL_REF_FACT)
        return ERR_OK;
    TRY(policy_cel_fold(c, other, &v, ret_done));
    if (!*ret_done)
        return ERR_OK;
    TRY(policy_cel_add_constant(c, v, &index));
    enum cel_op op = swapped ? mirrored(n->op) : n->op;
    return policy_cel_emit(c, n, code_of(CEL_I_TEST, (uint8_t)op, use_fact(c, fact), index), 1);
}

static enum err emit_operator(struct cel_compiler *c, const struct cel_node *n)
{
    bool done = false;
    if (n->op == CEL_OP_AND || n->op == CEL_OP_OR)
        return emit_logic(c, n);
    if (n->op == CEL_OP_COND)
        return emit_conditional(c, n);
    if (n->arg_count == 2 && !c->is_folding)
        TRY(emit_test(c, n, &done));
    if (done)
        return ERR_OK;
    for (uint32_t i = 0; i < n->arg_count; i++)
        TRY(policy_cel_emit_node(c, n->args[i]));
    return emit_call(c, n, policy_cel_op_impl(n->op), n->arg_count);
}

/* --- functions */

/* text.matches("constant"): compiled now. *ret_done: it was that. */
static enum err emit_match(struct cel_compiler *c, const struct cel_node *n, bool *ret_done)
{
    struct policy_cel_regex *regex;
    const char *why;
    struct cel_value pattern;
    *ret_done = false;
    if (!bytes_equal(n->name, BYTES("matches")) || n->arg_count != 2 || c->is_folding)
        return ERR_OK;
    TRY(policy_cel_fold(c, n->args[1], &pattern, ret_done));
    *ret_done &= pattern.kind == CEL_STRING;
    if (!*ret_done)
        return ERR_OK;
    if (c->regexes.size >= PATTERNS_MAX * sizeof(struct policy_cel_regex *))
        return policy_cel_fail(c->job, CEL_CHECK, n->offset, "more than %d patterns",
                               PATTERNS_MAX / 2);
    enum err e = policy_cel_regex_create(policy_cel_bytes(pattern), &regex, &why);
    if (e == ERR_INVALID && !c->job->env->disable_check)
        return policy_cel_fail(c->job, CEL_CHECK, n->args[1]->offset, "not a pattern: %s", why);
    *ret_done = e == ERR_OK;
    if (e != ERR_OK)
        return e == ERR_INVALID ? ERR_OK : e;
    uint32_t index = (uint32_t)(c->regexes.size / sizeof(struct policy_cel_regex *));
    e = buf_append(&c->regexes, bytes_of(&regex, sizeof(struct policy_cel_regex *)));
    if (e != ERR_OK) {
        policy_cel_regex_destroy(regex);
        return e;
    }
    TRY(policy_cel_emit_node(c, n->args[0]));
    return policy_cel_emit(c, n, code_of(CEL_I_MATCH, 0, 0, index), 0);
}

/* optional.or(other), optional.orValue(value): what follows is not evaluated without need. */
static enum err emit_or_else(struct cel_compiler *c, const struct cel_node *n, bool is_value)
{
    TRY(policy_cel_emit_node(c, n->args[0]));
    uint32_t jump = policy_cel_here(c);
    TRY(policy_cel_emit(c, n, code_of(CEL_I_OR_ELSE, is_value, 0, 0), -1));
    TRY(policy_cel_emit_node(c, n->args[1]));
    if (!is_value)
        TRY(policy_cel_emit(c, n, code_of(CEL_I_WRAP, CEL_M_OPT_FLAT_MAP, 0, 0), 0));
    policy_cel_land(c, jump);
    return ERR_OK;
}

static enum err emit_function(struct cel_compiler *c, const struct cel_node *n)
{
    const struct cel_builtin *builtin = policy_cel_builtin(n->name, n->has_target, n->arg_count);
    bool done;
    if (!builtin)
        return emit_call(c, n, NULL, 0);
    TRY(emit_match(c, n, &done));
    if (done)
        return ERR_OK;
    if (n->has_target && n->arg_count == 2 && bytes_equal(n->name, BYTES("or")))
        return emit_or_else(c, n, false);
    if (n->has_target && n->arg_count == 2 && bytes_equal(n->name, BYTES("orValue")))
        return emit_or_else(c, n, true);
    for (uint32_t i = 0; i < n->arg_count; i++)
        TRY(policy_cel_emit_node(c, n->args[i]));
    return emit_call(c, n, builtin->run, n->arg_count);
}

/* --- literals */

static enum err emit_list(struct cel_compiler *c, const struct cel_node *n)
{
    TRY(policy_cel_emit(c, n, code_of(CEL_I_LIST, 0, 0, 0), 1));
    for (uint32_t i = 0; i < n->arg_count; i++) {
        TRY(policy_cel_emit_node(c, n->args[i]));
        TRY(policy_cel_emit(c, n->args[i], code_of(CEL_I_APPEND, n->flags && n->flags[i], 0, 0),
                            -1));
    }
    return ERR_OK;
}

static enum err emit_map(struct cel_compiler *c, const struct cel_node *n)
{
    TRY(policy_cel_emit(c, n, code_of(CEL_I_MAP, 0, 0, 0), 1));
    for (uint32_t i = 0; i < n->arg_count; i += 2) {
        TRY(policy_cel_emit_node(c, n->args[i]));
        TRY(policy_cel_emit_node(c, n->args[i + 1]));
        TRY(policy_cel_emit(c, n->args[i], code_of(CEL_I_PUT, n->flags && n->flags[i / 2], 0, 0),
                            -2));
    }
    return ERR_OK;
}

static enum err emit_has(struct cel_compiler *c, const struct cel_node *n)
{
    const struct cel_node *select = n->args[0];
    if (select->ref == CEL_REF_FACT)
        return policy_cel_emit(c, n, code_of(CEL_I_HAS_FACT, 0, use_fact(c, select), 0), 1);
    if (select->ref == CEL_REF_TYPE)
        return emit_constant(c, n, policy_cel_bool(true));
    return emit_field(c, select, CEL_I_HAS);
}

enum err policy_cel_emit_plain(struct cel_compiler *c, const struct cel_node *n)
{
    switch (n->kind) {
    case CEL_N_CONST: return emit_constant(c, n, n->value);
    case CEL_N_IDENT: return emit_name(c, n);
    case CEL_N_SELECT:
        return n->ref != CEL_REF_NONE ? emit_name(c, n) : emit_field(c, n, CEL_I_SELECT);
    case CEL_N_INDEX:
        TRY(policy_cel_emit_node(c, n->args[0]));
        TRY(policy_cel_emit_node(c, n->args[1]));
        return policy_cel_emit(c, n, code_of(CEL_I_INDEX, n->is_optional, 0, 0), -1);
    case CEL_N_CALL: return n->op ? emit_operator(c, n) : emit_function(c, n);
    case CEL_N_LIST: return emit_list(c, n);
    case CEL_N_MAP: return emit_map(c, n);
    default: return n->op == CEL_M_HAS ? emit_has(c, n) : policy_cel_emit_macro(c, n);
    }
}

enum err policy_cel_emit_node(struct cel_compiler *c, const struct cel_node *n)
{
    struct cel_value v;
    bool is_constant = false;
    if (!c->is_folding && n->kind != CEL_N_CONST && n->kind != CEL_N_IDENT)
        TRY(policy_cel_fold(c, n, &v, &is_constant));
    return is_constant ? emit_constant(c, n, v) : policy_cel_emit_plain(c, n);
}
