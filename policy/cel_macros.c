/* Calls that are macros: recognised by name, style and number of arguments. What does not fit stays
 * a call, and the checker will not find such a function. Called by the parser for every call. */
#include "policy/cel_ast.h"

struct macro {
    const char *name;
    enum cel_macro macro;
    uint8_t arg_counts[2]; /* accepted numbers of arguments, without the target */
    uint8_t var_counts[2]; /* of them variables, for each of these */
};

static const struct macro member_macros[] = {
    {"all", CEL_M_ALL, {2, 3}, {1, 2}},
    {"exists", CEL_M_EXISTS, {2, 3}, {1, 2}},
    {"exists_one", CEL_M_EXISTS_ONE, {2, 3}, {1, 2}},
    {"existsOne", CEL_M_EXISTS_ONE, {2, 3}, {1, 2}},
    {"filter", CEL_M_FILTER, {2, 2}, {1, 1}},
    {"map", CEL_M_MAP, {2, 3}, {1, 1}},
    {"transformList", CEL_M_TRANSFORM_LIST, {3, 4}, {2, 2}},
    {"transformMap", CEL_M_TRANSFORM_MAP, {3, 4}, {2, 2}},
    {"transformMapEntry", CEL_M_TRANSFORM_ENTRY, {3, 4}, {2, 2}},
    {"optMap", CEL_M_OPT_MAP, {2, 2}, {1, 1}},
    {"optFlatMap", CEL_M_OPT_FLAT_MAP, {2, 2}, {1, 1}},
};

const char *policy_cel_macro_usage(struct bytes name)
{
    static const char *const usages[] = {
        [CEL_M_HAS] = "has(a.b)",
        [CEL_M_OPT_MAP] = "o.optMap(x, value)",
        [CEL_M_OPT_FLAT_MAP] = "o.optFlatMap(x, optional)",
        [CEL_M_ALL] = "l.all(x, condition)",
        [CEL_M_EXISTS] = "l.exists(x, condition)",
        [CEL_M_EXISTS_ONE] = "l.exists_one(x, condition)",
        [CEL_M_FILTER] = "l.filter(x, condition)",
        [CEL_M_MAP] = "l.map(x, value)",
        [CEL_M_TRANSFORM_LIST] = "l.transformList(i, x, value)",
        [CEL_M_TRANSFORM_MAP] = "m.transformMap(k, v, value)",
        [CEL_M_TRANSFORM_ENTRY] = "m.transformMapEntry(k, v, {key: value})",
    };
    if (bytes_equal(name, BYTES("has")))
        return usages[CEL_M_HAS];
    for (size_t i = 0; i < sizeof(member_macros) / sizeof(member_macros[0]); i++)
        if (bytes_equal(name, bytes_from_str(member_macros[i].name)))
            return usages[member_macros[i].macro];
    return NULL;
}

static bool is_namespace(const struct cel_node *call, const char *name)
{
    return call->has_target && call->args[0]->kind == CEL_N_IDENT && !call->args[0]->is_grouped &&
           bytes_equal(call->args[0]->name, bytes_from_str(name));
}

/* Takes `count` variables, args[1..count], out of the node's arguments; `first` is what args[0] was
 * for. */
static enum err take_variables(struct cel_job *job, struct cel_node *node, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct cel_node *var = node->args[1 + i];
        if (var->kind != CEL_N_IDENT || var->is_absolute)
            return policy_cel_fail(job, CEL_PARSE, var->offset,
                                   "%.*s() takes the name of a variable here", (int)node->name.size,
                                   (const char *)node->name.data);
        node->vars[i] = var->name;
    }
    if (count == 2 && bytes_equal(node->vars[0], node->vars[1]))
        return policy_cel_fail(job, CEL_PARSE, node->args[2]->offset,
                               "two variables of the same name");
    node->var_count = count;
    node->arg_count -= count;
    memmove(&node->args[1], &node->args[1 + count],
            (node->arg_count - 1) * sizeof(struct cel_node *));
    return ERR_OK;
}

static void become(struct cel_node *node, enum cel_macro macro)
{
    node->kind = CEL_N_MACRO;
    node->op = (uint8_t)macro;
    node->name = (struct bytes){0};
    node->has_target = false;
}

static enum err expand_has(struct cel_job *job, struct cel_node *call)
{
    if (call->args[0]->kind != CEL_N_SELECT || call->args[0]->is_optional)
        return policy_cel_fail(job, CEL_PARSE, call->args[0]->offset,
                               "has() takes the selection of a field, as in has(a.b)");
    become(call, CEL_M_HAS);
    return ERR_OK;
}

/* cel.bind(x, value, body): its arguments follow the namespace. */
static enum err expand_bind(struct cel_job *job, struct cel_node *call)
{
    struct cel_node *args[3] = {call->args[2], call->args[1], call->args[3]};
    memcpy(call->args, args, sizeof(args));
    call->arg_count = 3;
    TRY(take_variables(job, call, 1));
    become(call, CEL_M_BIND);
    return ERR_OK;
}

/* math.greatest(a, b, c) is math.greatest([a, b, c]). */
static enum err expand_extreme(struct cel_job *job, struct cel_node *call)
{
    struct cel_node *args[2] = {call->args[0]};
    if (call->arg_count == 1)
        return policy_cel_fail(job, CEL_PARSE, call->offset, "math.%.*s() takes something",
                               (int)call->name.size, (const char *)call->name.data);
    if (call->arg_count <= 3)
        return ERR_OK;
    TRY(policy_cel_node(job, CEL_N_LIST, call->offset, &args[1]));
    TRY(policy_cel_adopt(job, args[1], &call->args[1], call->arg_count - 1));
    return policy_cel_adopt(job, call, args, 2);
}

enum err policy_cel_expand(struct cel_job *job, struct cel_node *call)
{
    if (!call->has_target && bytes_equal(call->name, BYTES("has")) && call->arg_count == 1 &&
        !job->env->disable_macros)
        return expand_has(job, call);
    if (is_namespace(call, "math") &&
        (bytes_equal(call->name, BYTES("greatest")) || bytes_equal(call->name, BYTES("least"))))
        return expand_extreme(job, call);
    if (!call->has_target || job->env->disable_macros)
        return ERR_OK;
    if (is_namespace(call, "cel") && bytes_equal(call->name, BYTES("bind")) && call->arg_count == 4)
        return expand_bind(job, call);
    for (size_t i = 0; i < sizeof(member_macros) / sizeof(member_macros[0]); i++) {
        const struct macro *m = &member_macros[i];
        bool second = call->arg_count - 1 == m->arg_counts[1];
        if (!bytes_equal(call->name, bytes_from_str(m->name)) ||
            (!second && call->arg_count - 1 != m->arg_counts[0]))
            continue;
        TRY(take_variables(job, call, m->var_counts[second]));
        become(call, m->macro);
        return ERR_OK;
    }
    return ERR_OK;
}
