/* Writes a tree as an expression again, with no more parentheses than it needs. Its output parses
 * to the same tree. Recursion is bounded by the depth of trees. */
#include "policy/cel_ast.h"
#include "policy/cel_text.h"

#include <math.h>

#include "base/utf8.h"

/* How tightly a form binds: parentheses go around what binds less than its place asks. */
enum level { L_EXPR, L_OR, L_AND, L_RELATION, L_ADD, L_MUL, L_UNARY, L_MEMBER };

static const struct {
    const char *text;
    enum level level;
} ops[] = {
    [CEL_OP_NONE] = {"", L_MEMBER},     [CEL_OP_COND] = {"?", L_EXPR},
    [CEL_OP_OR] = {" || ", L_OR},       [CEL_OP_AND] = {" && ", L_AND},
    [CEL_OP_LT] = {" < ", L_RELATION},  [CEL_OP_LE] = {" <= ", L_RELATION},
    [CEL_OP_GT] = {" > ", L_RELATION},  [CEL_OP_GE] = {" >= ", L_RELATION},
    [CEL_OP_EQ] = {" == ", L_RELATION}, [CEL_OP_NE] = {" != ", L_RELATION},
    [CEL_OP_IN] = {" in ", L_RELATION}, [CEL_OP_ADD] = {" + ", L_ADD},
    [CEL_OP_SUB] = {" - ", L_ADD},      [CEL_OP_MUL] = {" * ", L_MUL},
    [CEL_OP_DIV] = {" / ", L_MUL},      [CEL_OP_MOD] = {" % ", L_MUL},
    [CEL_OP_NOT] = {"!", L_UNARY},      [CEL_OP_NEG] = {"-", L_UNARY},
};

static const char *const macro_names[] = {
    [CEL_M_HAS] = "has",
    [CEL_M_BIND] = "cel.bind",
    [CEL_M_OPT_MAP] = "optMap",
    [CEL_M_OPT_FLAT_MAP] = "optFlatMap",
    [CEL_M_ALL] = "all",
    [CEL_M_EXISTS] = "exists",
    [CEL_M_EXISTS_ONE] = "exists_one",
    [CEL_M_FILTER] = "filter",
    [CEL_M_MAP] = "map",
    [CEL_M_TRANSFORM_LIST] = "transformList",
    [CEL_M_TRANSFORM_MAP] = "transformMap",
    [CEL_M_TRANSFORM_ENTRY] = "transformMapEntry",
};

static enum err write_node(const struct cel_node *n, enum level least, struct buf *out);

/* Does the node's text begin with a number? */
static bool begins_with_number(const struct cel_node *n)
{
    while (n->kind == CEL_N_SELECT || n->kind == CEL_N_INDEX ||
           (n->kind == CEL_N_CALL && n->has_target) ||
           (n->kind == CEL_N_MACRO && n->op > CEL_M_BIND))
        n = n->args[0];
    return n->kind == CEL_N_CONST && n->value.kind >= CEL_INT && n->value.kind <= CEL_DOUBLE;
}

static enum level level_of(const struct cel_node *n)
{
    return n->kind == CEL_N_CALL ? ops[n->op].level : L_MEMBER;
}

static enum err write_text(struct bytes text, bool is_bytes, struct buf *out)
{
    TRY(buf_append_str(out, is_bytes ? "b\"" : "\""));
    while (text.size) {
        uint8_t c = text.data[0];
        size_t size = utf8_size(text);
        if (c == '"' || c == '\\')
            TRY(buf_printf(out, "\\%c", c));
        else if (c < 0x20 || c == 0x7f || size == 0)
            TRY(buf_printf(out, "\\x%02x", c));
        else
            TRY(buf_append(out, bytes_of(text.data, size)));
        text = bytes_skip(text, size ? size : 1);
    }
    return buf_append_byte(out, '"');
}

static enum err write_double(double value, struct buf *out)
{
    size_t start = out->size;
    TRY(policy_cel_append_double(out, value, false));
    struct bytes text = bytes_of(out->data + start, out->size - start);
    if (bytes_find(text, '.') == text.size && bytes_find(text, 'e') == text.size)
        return buf_append_str(out, ".0");
    return ERR_OK;
}

static enum err write_constant(struct cel_value v, struct buf *out)
{
    switch (v.kind) {
    case CEL_BOOL: return buf_append_str(out, v.boolean ? "true" : "false");
    case CEL_INT: return buf_append_decimal_signed(out, v.integer);
    case CEL_UINT: TRY(buf_append_decimal(out, v.uinteger)); return buf_append_byte(out, 'u');
    case CEL_DOUBLE: return write_double(v.real, out);
    case CEL_STRING: return write_text(policy_cel_bytes(v), false, out);
    case CEL_BYTES: return write_text(policy_cel_bytes(v), true, out);
    default: return buf_append_str(out, "null");
    }
}

static enum err write_row(struct cel_node *const *args, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        TRY(buf_append_str(out, i ? ", " : ""));
        TRY(write_node(args[i], L_EXPR, out));
    }
    return ERR_OK;
}

static enum err write_list(const struct cel_node *n, struct buf *out)
{
    TRY(buf_append_byte(out, '['));
    for (size_t i = 0; i < n->arg_count; i++) {
        TRY(buf_append_str(out, i ? ", " : ""));
        TRY(buf_append_str(out, n->flags && n->flags[i] ? "?" : ""));
        TRY(write_node(n->args[i], L_EXPR, out));
    }
    return buf_append_byte(out, ']');
}

static enum err write_map(const struct cel_node *n, struct buf *out)
{
    TRY(buf_append_byte(out, '{'));
    for (size_t i = 0; i < n->arg_count; i += 2) {
        TRY(buf_append_str(out, i ? ", " : ""));
        TRY(buf_append_str(out, n->flags && n->flags[i / 2] ? "?" : ""));
        TRY(write_node(n->args[i], L_EXPR, out));
        TRY(buf_append_str(out, ": "));
        TRY(write_node(n->args[i + 1], L_EXPR, out));
    }
    return buf_append_byte(out, '}');
}

static enum err write_macro(const struct cel_node *n, struct buf *out)
{
    size_t first = n->op > CEL_M_BIND; /* 1: the first argument is the target */
    if (first) {
        TRY(write_node(n->args[0], L_MEMBER, out));
        TRY(buf_append_byte(out, '.'));
    }
    TRY(buf_printf(out, "%s(", macro_names[n->op]));
    for (size_t i = 0; i < n->var_count; i++) {
        TRY(buf_append(out, n->vars[i]));
        TRY(buf_append_str(out, ", "));
    }
    TRY(write_row(n->args + first, n->arg_count - first, out));
    return buf_append_byte(out, ')');
}

static enum err write_conditional(const struct cel_node *n, struct buf *out)
{
    TRY(write_node(n->args[0], L_OR, out));
    TRY(buf_append_str(out, " ? "));
    TRY(write_node(n->args[1], L_OR, out));
    TRY(buf_append_str(out, " : "));
    return write_node(n->args[2], L_EXPR, out);
}

static enum err write_operator(const struct cel_node *n, struct buf *out)
{
    enum level level = ops[n->op].level;
    if (n->op == CEL_OP_COND)
        return write_conditional(n, out);
    if (level == L_UNARY) {
        /* two unlike signs in a row are no expression, and -1 is a literal, not a negation */
        bool nests = level_of(n->args[0]) == L_UNARY && n->args[0]->op == n->op;
        bool groups = begins_with_number(n->args[0]);
        TRY(buf_append_str(out, ops[n->op].text));
        TRY(buf_append_str(out, groups ? "(" : ""));
        TRY(write_node(n->args[0], nests ? L_UNARY : L_MEMBER, out));
        return buf_append_str(out, groups ? ")" : "");
    }
    for (size_t i = 0; i < n->arg_count; i++) {
        bool is_chain = level == L_AND || level == L_OR;
        TRY(buf_append_str(out, i ? ops[n->op].text : ""));
        TRY(write_node(n->args[i], i || is_chain ? level + 1 : level, out));
    }
    return ERR_OK;
}

/* What stands before a dot. Parentheses keep a name from being one with what follows. */
static enum err write_operand(const struct cel_node *n, struct buf *out)
{
    bool is_name = n->kind == CEL_N_SELECT || n->kind == CEL_N_IDENT;
    if (!is_name || !n->is_grouped)
        return write_node(n, L_MEMBER, out);
    TRY(buf_append_byte(out, '('));
    TRY(write_node(n, L_EXPR, out));
    return buf_append_byte(out, ')');
}

static enum err write_call(const struct cel_node *n, struct buf *out)
{
    if (n->has_target) {
        TRY(write_operand(n->args[0], out));
        TRY(buf_append_byte(out, '.'));
    }
    TRY(buf_append_str(out, n->is_absolute ? "." : ""));
    TRY(buf_append(out, n->name));
    TRY(buf_append_byte(out, '('));
    TRY(write_row(n->args + n->has_target, n->arg_count - n->has_target, out));
    return buf_append_byte(out, ')');
}

static enum err write_select(const struct cel_node *n, struct buf *out)
{
    TRY(write_operand(n->args[0], out));
    TRY(buf_append_str(out, n->is_optional ? ".?" : "."));
    TRY(buf_append_str(out, n->is_quoted ? "`" : ""));
    TRY(buf_append(out, n->name));
    return buf_append_str(out, n->is_quoted ? "`" : "");
}

static enum err write_index(const struct cel_node *n, struct buf *out)
{
    TRY(write_node(n->args[0], L_MEMBER, out));
    TRY(buf_append_str(out, n->is_optional ? "[?" : "["));
    TRY(write_node(n->args[1], L_EXPR, out));
    return buf_append_byte(out, ']');
}

static enum err write_bare(const struct cel_node *n, struct buf *out)
{
    switch (n->kind) {
    case CEL_N_CONST: return write_constant(n->value, out);
    case CEL_N_IDENT:
        TRY(buf_append_str(out, n->is_absolute ? "." : ""));
        return buf_append(out, n->name);
    case CEL_N_SELECT: return write_select(n, out);
    case CEL_N_INDEX: return write_index(n, out);
    case CEL_N_CALL: return n->op ? write_operator(n, out) : write_call(n, out);
    case CEL_N_LIST: return write_list(n, out);
    case CEL_N_MAP: return write_map(n, out);
    default: return write_macro(n, out);
    }
}

static enum err write_node(const struct cel_node *n, enum level least, struct buf *out)
{
    bool grouped = level_of(n) < least;
    TRY(buf_append_str(out, grouped ? "(" : ""));
    TRY(write_bare(n, out));
    return buf_append_str(out, grouped ? ")" : "");
}

enum err policy_cel_unparse(const struct cel_node *root, struct buf *out)
{
    return write_node(root, L_EXPR, out);
}
