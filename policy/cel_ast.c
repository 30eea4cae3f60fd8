/* Making nodes within their limits, and saying where something is wrong. */
#include "policy/cel_ast.h"

#include <stdarg.h>
#include <stdio.h>

void policy_cel_place(struct bytes source, uint32_t offset, uint32_t *ret_line,
                      uint32_t *ret_column)
{
    *ret_line = *ret_column = 1;
    for (uint32_t i = 0; i < offset && i < source.size; i++) {
        uint8_t c = source.data[i];
        if (c == '\n') {
            *ret_line += 1;
            *ret_column = 1;
        } else if ((c & 0xc0) != 0x80) {
            *ret_column += 1;
        }
    }
}

enum err policy_cel_fail(struct cel_job *job, enum cel_phase phase, uint32_t offset,
                         const char *format, ...)
{
    struct cel_problem *p = job->problem;
    va_list args;
    p->phase = phase;
    policy_cel_place(job->source, offset, &p->line, &p->column);
    va_start(args, format);
    vsnprintf(p->text, sizeof(p->text), format, args);
    va_end(args);
    return ERR_INVALID;
}

enum err policy_cel_node(struct cel_job *job, enum cel_node_kind kind, uint32_t offset,
                         struct cel_node **ret_node)
{
    if (job->node_count == POLICY_CEL_NODES_MAX)
        return policy_cel_fail(job, CEL_PARSE, offset, "more than %d parts in one expression",
                               POLICY_CEL_NODES_MAX);
    struct cel_node *node = arena_calloc(job->arena, sizeof(*node));
    if (!node)
        return ERR_NO_MEMORY;
    job->node_count++;
    node->kind = (uint8_t)kind;
    node->offset = offset;
    node->depth = 1;
    *ret_node = node;
    return ERR_OK;
}

enum err policy_cel_adopt(struct cel_job *job, struct cel_node *node, struct cel_node *const *args,
                          size_t count)
{
    struct cel_node **copy = arena_alloc(job->arena, (count + 1) * sizeof(*copy));
    if (!copy)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        copy[i] = args[i];
        if (args[i]->depth >= node->depth)
            node->depth = (uint16_t)(args[i]->depth + 1);
    }
    if (node->depth > POLICY_CEL_DEPTH_MAX)
        return policy_cel_fail(job, CEL_PARSE, node->offset, "nested more than %d levels deep",
                               POLICY_CEL_DEPTH_MAX);
    node->args = copy;
    node->arg_count = (uint32_t)count;
    return ERR_OK;
}

static bool same_value(struct cel_value a, struct cel_value b)
{
    if (a.kind != b.kind)
        return false;
    if (a.kind == CEL_STRING || a.kind == CEL_BYTES)
        return bytes_equal(policy_cel_bytes(a), policy_cel_bytes(b));
    return a.uinteger == b.uinteger; /* doubles by their bits */
}

bool policy_cel_same_tree(const struct cel_node *a, const struct cel_node *b)
{
    if (a->kind != b->kind || a->op != b->op || a->is_absolute != b->is_absolute ||
        a->is_optional != b->is_optional || a->has_target != b->has_target ||
        a->arg_count != b->arg_count || a->var_count != b->var_count ||
        !bytes_equal(a->name, b->name) || !a->flags != !b->flags)
        return false;
    if (a->kind == CEL_N_CONST && !same_value(a->value, b->value))
        return false;
    for (uint32_t i = 0; i < a->var_count; i++)
        if (!bytes_equal(a->vars[i], b->vars[i]))
            return false;
    size_t flag_count = a->kind == CEL_N_MAP ? a->arg_count / 2 : a->arg_count;
    if (a->flags && memcmp(a->flags, b->flags, flag_count) != 0)
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!policy_cel_same_tree(a->args[i], b->args[i]))
            return false;
    return true;
}
