/* The type checker: gives every node its type, or says where the first one does not fit. Names are
 * resolved before. Recursion is bounded by the depth of trees. */
#include "policy/cel_check.h"

static enum err check(struct cel_checker *c, struct cel_node *n);

static const struct cel_type *basic(enum cel_type_kind kind)
{
    return policy_cel_type(kind);
}

static const struct cel_type *resolved(struct cel_checker *c, const struct cel_type *type)
{
    return policy_cel_infer_resolve(&c->infer, type, false);
}

/* A type of this kind, or dyn when memory is out (told at the end). */
static const struct cel_type *made(struct cel_checker *c, const struct cel_type *type)
{
    c->infer.is_exhausted |= !type;
    return type ? type : basic(CEL_T_DYN);
}

static const struct cel_type *list_of(struct cel_checker *c, const struct cel_type *element)
{
    return made(c, policy_cel_type_list(c->infer.arena, element));
}

static const struct cel_type *optional_of(struct cel_checker *c, const struct cel_type *value)
{
    return made(c, policy_cel_type_optional(c->infer.arena, value));
}

static const struct cel_type *map_of(struct cel_checker *c, const struct cel_type *key,
                                     const struct cel_type *value)
{
    const struct cel_type *params[2] = {key, value};
    return made(c, policy_cel_type_make(c->infer.arena, CEL_T_MAP, (struct bytes){0}, params, 2));
}

static enum err mismatch(struct cel_checker *c, const struct cel_node *n, const char *what,
                         const char *expected)
{
    char text[CEL_TYPE_TEXT_MAX];
    return policy_cel_fail(c->job, CEL_CHECK, n->offset, "%s is %s; expected %s", what,
                           policy_cel_check_show(c, n->type, text), expected);
}

static enum err must_be_bool(struct cel_checker *c, const struct cel_node *n, const char *what)
{
    return policy_cel_infer_assign(&c->infer, n->type, basic(CEL_T_BOOL))
               ? ERR_OK
               : mismatch(c, n, what, "bool");
}

static const struct cel_type *type_of_constant(struct cel_value v)
{
    static const uint8_t kinds[] = {
        [CEL_NULL] = CEL_T_NULL,  [CEL_BOOL] = CEL_T_BOOL,     [CEL_INT] = CEL_T_INT,
        [CEL_UINT] = CEL_T_UINT,  [CEL_DOUBLE] = CEL_T_DOUBLE, [CEL_STRING] = CEL_T_STRING,
        [CEL_BYTES] = CEL_T_BYTES};
    return basic(kinds[v.kind]);
}

/* The name of a type stands for a value of type type(T). */
static const struct cel_type *type_of_type(struct cel_checker *c, struct bytes name)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } kinds[] = {{"bool", CEL_T_BOOL},
                 {"int", CEL_T_INT},
                 {"uint", CEL_T_UINT},
                 {"double", CEL_T_DOUBLE},
                 {"string", CEL_T_STRING},
                 {"bytes", CEL_T_BYTES},
                 {"null_type", CEL_T_NULL},
                 {"type", CEL_T_TYPE},
                 {"google.protobuf.Timestamp", CEL_T_TIMESTAMP},
                 {"google.protobuf.Duration", CEL_T_DURATION}};
    const struct cel_type *dyn = basic(CEL_T_DYN), *of = dyn;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (bytes_equal(name, bytes_from_str(kinds[i].name)))
            of = basic(kinds[i].kind);
    if (bytes_equal(name, BYTES("list")))
        of = list_of(c, dyn);
    else if (bytes_equal(name, BYTES("map")))
        of = map_of(c, dyn, dyn);
    else if (bytes_equal(name, BYTES("optional_type")))
        of = optional_of(c, dyn);
    return made(c, policy_cel_type_make(c->infer.arena, CEL_T_TYPE, (struct bytes){0}, &of, 1));
}

static enum err check_reference(struct cel_checker *c, struct cel_node *n)
{
    if (n->ref == CEL_REF_FACT)
        n->type = c->job->env->facts[n->ref_index].type;
    else if (n->ref == CEL_REF_LOCAL)
        n->type = c->locals[n->ref_index];
    else
        n->type = type_of_type(c, policy_cel_bytes(n->value));
    return ERR_OK;
}

/* The type of operand.field, through an optional; *ret_was_optional then. */
static enum err select_from(struct cel_checker *c, const struct cel_node *n,
                            const struct cel_type **ret_type, bool *ret_was_optional)
{
    char text[CEL_TYPE_TEXT_MAX];
    const struct cel_type *operand = resolved(c, n->args[0]->type);
    *ret_was_optional = policy_cel_type_is_optional(operand);
    if (*ret_was_optional)
        operand = operand->params[0];
    *ret_type = basic(CEL_T_DYN);
    if (operand->kind == CEL_T_MAP)
        *ret_type = operand->params[1];
    else if (operand->kind == CEL_T_PARAM) /* so that it is not bound to something else later */
        (void)policy_cel_infer_assign(&c->infer, basic(CEL_T_DYN), operand);
    else if (operand->kind != CEL_T_DYN)
        return policy_cel_fail(c->job, CEL_CHECK, n->offset,
                               "'%.*s' selects from %s; only maps have fields",
                               n->name.size < 60 ? (int)n->name.size : 60,
                               (const char *)n->name.data, policy_cel_check_show(c, operand, text));
    return ERR_OK;
}

static enum err check_select(struct cel_checker *c, struct cel_node *n)
{
    bool was_optional;
    if (n->ref != CEL_REF_NONE)
        return check_reference(c, n);
    TRY(check(c, n->args[0]));
    TRY(select_from(c, n, &n->type, &was_optional));
    if (n->is_optional || was_optional)
        n->type = optional_of(c, n->type);
    return ERR_OK;
}

static enum err check_has(struct cel_checker *c, struct cel_node *n)
{
    const struct cel_type *type;
    bool was_optional;
    struct cel_node *select = n->args[0];
    n->type = basic(CEL_T_BOOL);
    if (select->ref != CEL_REF_NONE)
        return ERR_OK;
    TRY(check(c, select->args[0]));
    return select_from(c, select, &type, &was_optional);
}

/* What elements so far and one more have in common; dyn when nothing. */
static const struct cel_type *join(struct cel_checker *c, const struct cel_type *so_far,
                                   const struct cel_type *type)
{
    if (!so_far)
        return type;
    if (policy_cel_infer_assign(&c->infer, so_far, type))
        return policy_cel_infer_general(&c->infer, so_far, type);
    return basic(CEL_T_DYN);
}

/* What is in the optional that a "?" takes apart. */
static enum err unwrap(struct cel_checker *c, const struct cel_node *n,
                       const struct cel_type **ret_type)
{
    const struct cel_type *type = resolved(c, n->type);
    *ret_type = policy_cel_type_is_optional(type) ? type->params[0] : basic(CEL_T_DYN);
    if (policy_cel_type_is_optional(type) || type->kind == CEL_T_DYN)
        return ERR_OK;
    return mismatch(c, n, "what follows '?'", "optional_type");
}

static enum err check_list(struct cel_checker *c, struct cel_node *n)
{
    const struct cel_type *element = NULL;
    for (uint32_t i = 0; i < n->arg_count; i++) {
        TRY(check(c, n->args[i]));
        const struct cel_type *type = n->args[i]->type;
        if (n->flags && n->flags[i])
            TRY(unwrap(c, n->args[i], &type));
        element = join(c, element, type);
    }
    n->type = list_of(c, element ? element : policy_cel_infer_var(&c->infer));
    return ERR_OK;
}

static enum err check_map(struct cel_checker *c, struct cel_node *n)
{
    const struct cel_type *key = NULL, *value = NULL;
    for (uint32_t i = 0; i < n->arg_count; i += 2) {
        TRY(check(c, n->args[i]));
        TRY(check(c, n->args[i + 1]));
        const struct cel_type *type = n->args[i + 1]->type;
        if (n->flags && n->flags[i / 2])
            TRY(unwrap(c, n->args[i + 1], &type));
        key = join(c, key, n->args[i]->type);
        value = join(c, value, type);
    }
    n->type = map_of(c, key ? key : policy_cel_infer_var(&c->infer),
                     value ? value : policy_cel_infer_var(&c->infer));
    return ERR_OK;
}

static enum err check_call(struct cel_checker *c, struct cel_node *n)
{
    const struct cel_builtin *builtin;
    for (uint32_t i = 0; i < n->arg_count; i++)
        TRY(check(c, n->args[i]));
    if (n->op == CEL_OP_AND || n->op == CEL_OP_OR) {
        n->type = basic(CEL_T_BOOL);
        for (uint32_t i = 0; i < n->arg_count; i++)
            TRY(must_be_bool(c, n->args[i],
                             n->op == CEL_OP_AND ? "an operand of '&&'" : "an operand of '||'"));
        return ERR_OK;
    }
    if (n->op)
        return policy_cel_check_overloads(c, n, policy_cel_op_signatures(n->op),
                                          bytes_from_str(policy_cel_op_text(n->op)));
    if (policy_cel_declared(c->job->env, NULL, n->name, n->has_target, n->arg_count))
        return policy_cel_check_overloads(c, n, NULL, n->name);
    builtin = policy_cel_builtin(n->name, n->has_target, n->arg_count);
    if (builtin)
        return policy_cel_check_overloads(c, n, builtin->signatures, n->name);
    return policy_cel_fail(c->job, CEL_CHECK, n->offset, "'%.*s' does not take %zu arguments",
                           n->name.size < 60 ? (int)n->name.size : 60, (const char *)n->name.data,
                           (size_t)n->arg_count - n->has_target);
}

/* --- macros */

/* Gives the variables of a loop their types. */
static enum err enter_loop(struct cel_checker *c, struct cel_node *n)
{
    const struct cel_type *range = resolved(c, n->args[0]->type);
    const struct cel_type *first = basic(CEL_T_DYN), *second = first;
    if (range->kind == CEL_T_LIST) {
        first = n->var_count == 2 ? basic(CEL_T_INT) : range->params[0];
        second = range->params[0];
    } else if (range->kind == CEL_T_MAP) {
        first = range->params[0];
        second = range->params[1];
    } else if (range->kind == CEL_T_PARAM) {
        (void)policy_cel_infer_assign(&c->infer, basic(CEL_T_DYN), range);
    } else if (range->kind != CEL_T_DYN) {
        return mismatch(c, n->args[0], "what is looped over", "a list or a map");
    }
    c->locals[n->ref_index + CEL_L_VAR1] = first;
    c->locals[n->ref_index + CEL_L_VAR2] = second;
    return ERR_OK;
}

static enum err check_loop(struct cel_checker *c, struct cel_node *n)
{
    struct cel_node *last = n->args[n->arg_count - 1];
    const struct cel_type *key = c->locals[n->ref_index + CEL_L_VAR1];
    bool is_predicate = n->op <= CEL_M_FILTER;
    for (uint32_t i = 1; i < n->arg_count; i++)
        TRY(check(c, n->args[i]));
    for (uint32_t i = 1; i < n->arg_count - !is_predicate; i++)
        TRY(must_be_bool(c, n->args[i], "the condition"));
    switch (n->op) {
    case CEL_M_ALL:
    case CEL_M_EXISTS:
    case CEL_M_EXISTS_ONE: n->type = basic(CEL_T_BOOL); break;
    case CEL_M_FILTER: n->type = list_of(c, key); break;
    case CEL_M_TRANSFORM_MAP: n->type = map_of(c, key, last->type); break;
    case CEL_M_TRANSFORM_ENTRY:
        n->type = map_of(c, policy_cel_infer_var(&c->infer), policy_cel_infer_var(&c->infer));
        if (!policy_cel_infer_assign(&c->infer, last->type, n->type))
            return mismatch(c, last, "the entry", "a map");
        break;
    default: n->type = list_of(c, last->type); break;
    }
    return ERR_OK;
}

/* cel.bind, optMap and optFlatMap. */
static enum err check_binding(struct cel_checker *c, struct cel_node *n)
{
    const struct cel_type *value = n->args[0]->type;
    if (n->op != CEL_M_BIND) {
        const struct cel_type *inner = policy_cel_infer_var(&c->infer);
        if (!policy_cel_infer_assign(&c->infer, value, optional_of(c, inner)))
            return mismatch(c, n->args[0], "what is mapped over", "optional_type");
        value = inner;
    }
    c->locals[n->ref_index] = value;
    TRY(check(c, n->args[1]));
    n->type = n->args[1]->type;
    if (n->op == CEL_M_OPT_MAP)
        n->type = optional_of(c, n->type);
    if (n->op == CEL_M_OPT_FLAT_MAP &&
        !policy_cel_infer_assign(&c->infer, n->type,
                                 optional_of(c, policy_cel_infer_var(&c->infer))))
        return mismatch(c, n->args[1], "the result of optFlatMap", "optional_type");
    return ERR_OK;
}

static enum err check_macro(struct cel_checker *c, struct cel_node *n)
{
    if (n->op == CEL_M_HAS)
        return check_has(c, n);
    TRY(check(c, n->args[0]));
    if (n->op < CEL_M_ALL)
        return check_binding(c, n);
    TRY(enter_loop(c, n));
    return check_loop(c, n);
}

static enum err check(struct cel_checker *c, struct cel_node *n)
{
    switch (n->kind) {
    case CEL_N_CONST: n->type = type_of_constant(n->value); return ERR_OK;
    case CEL_N_IDENT: return check_reference(c, n);
    case CEL_N_SELECT: return check_select(c, n);
    case CEL_N_INDEX:
        TRY(check(c, n->args[0]));
        TRY(check(c, n->args[1]));
        return policy_cel_check_overloads(
            c, n, n->is_optional ? CEL_OPT_INDEX_SIGNATURES : CEL_INDEX_SIGNATURES, BYTES("[]"));
    case CEL_N_CALL: return check_call(c, n);
    case CEL_N_LIST: return check_list(c, n);
    case CEL_N_MAP: return check_map(c, n);
    default: return check_macro(c, n);
    }
}

enum err policy_cel_check(struct cel_job *job, struct cel_node *root)
{
    struct cel_checker c = {.job = job, .infer = {.arena = job->arena}};
    c.locals = arena_calloc(job->arena, (job->local_count + 1) * sizeof(*c.locals));
    if (!c.locals)
        return ERR_NO_MEMORY;
    TRY(check(&c, root));
    root->type = policy_cel_infer_resolve(&c.infer, root->type, true);
    if (c.infer.is_exhausted)
        return policy_cel_fail(job, CEL_CHECK, 0, "its types are too complex");
    return ERR_OK;
}
