/* Recursive descent over the grammar of the language, operators by precedence. Depth is counted, so
 * that no input can exhaust the stack. Calls that are macros are turned into them on the way
 * (cel_macros.c). */
#include "policy/cel_lexer.h"

struct parser {
    struct cel_job *job;
    uint32_t at;
    unsigned depth;
    struct cel_token token;
};

/* A growing row of nodes. */
struct row {
    struct cel_node **nodes;
    uint8_t *flags;
    size_t count;
    size_t capacity;
    bool has_flags;
};

static enum err parse_expr(struct parser *p, struct cel_node **ret_node);

static enum err next(struct parser *p)
{
    return policy_cel_lex(p->job, &p->at, &p->token);
}

static bool is_punct(const struct parser *p, const char *text)
{
    return p->token.kind == CEL_TOK_PUNCT && bytes_equal(p->token.text, bytes_from_str(text));
}

static bool is_word(const struct parser *p, const char *text)
{
    return p->token.kind == CEL_TOK_IDENT && bytes_equal(p->token.text, bytes_from_str(text));
}

/* Takes the token when it is that one. */
static enum err accept(struct parser *p, const char *text, bool *ret_taken)
{
    *ret_taken = is_punct(p, text);
    return *ret_taken ? next(p) : ERR_OK;
}

static enum err unexpected(struct parser *p, const char *wanted)
{
    if (p->token.kind == CEL_TOK_END)
        return policy_cel_fail(p->job, CEL_PARSE, p->token.offset,
                               "the expression ends where %s should be", wanted);
    return policy_cel_fail(p->job, CEL_PARSE, p->token.offset, "found '%.*s' where %s should be",
                           (int)(p->token.text.size < 40 ? p->token.text.size : 40),
                           (const char *)p->token.text.data, wanted);
}

static enum err expect(struct parser *p, const char *text)
{
    char wanted[8] = {'\''};
    if (is_punct(p, text))
        return next(p);
    strncat(wanted, text, 3);
    strncat(wanted, "'", 2);
    return unexpected(p, wanted);
}

static enum err row_add(struct parser *p, struct row *row, struct cel_node *node, bool flag)
{
    if (row->count == row->capacity) {
        size_t capacity = row->capacity ? row->capacity * 2 : 8;
        struct cel_node **nodes = arena_alloc(p->job->arena, capacity * sizeof(struct cel_node *));
        uint8_t *flags = arena_calloc(p->job->arena, capacity);
        if (!nodes || !flags)
            return ERR_NO_MEMORY;
        if (row->count) {
            memcpy(nodes, row->nodes, row->count * sizeof(struct cel_node *));
            memcpy(flags, row->flags, row->count);
        }
        row->nodes = nodes;
        row->flags = flags;
        row->capacity = capacity;
    }
    row->has_flags |= flag;
    row->flags[row->count] = flag;
    row->nodes[row->count++] = node;
    return ERR_OK;
}

static bool is_reserved(struct bytes word)
{
    static const char *const words[] = {
        "as",  "break",  "const", "continue", "else",    "for",       "function",
        "if",  "import", "let",   "loop",     "package", "namespace", "return",
        "var", "void",   "while", "in",       "true",    "false",     "null"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (bytes_equal(word, bytes_from_str(words[i])))
            return true;
    return false;
}

/* The words that have a meaning of their own; all others may name a field. */
static bool is_keyword(struct bytes word)
{
    return bytes_equal(word, BYTES("in")) || bytes_equal(word, BYTES("true")) ||
           bytes_equal(word, BYTES("false")) || bytes_equal(word, BYTES("null"));
}

/* Elements up to `close`, which is taken. Those of a list may have a "?", and end with a comma. */
static enum err parse_elements(struct parser *p, const char *close, bool is_list, struct row *row)
{
    bool taken;
    TRY(accept(p, close, &taken));
    while (!taken) {
        struct cel_node *node;
        bool flag = false;
        if (is_list)
            TRY(accept(p, "?", &flag));
        TRY(parse_expr(p, &node));
        TRY(row_add(p, row, node, flag));
        TRY(accept(p, ",", &taken));
        if (!taken)
            return expect(p, close);
        taken = false;
        if (is_list)
            TRY(accept(p, close, &taken));
    }
    return ERR_OK;
}

static enum err finish_literal(struct parser *p, struct cel_node *node, const struct row *row,
                               size_t per_flag)
{
    if (row->has_flags) {
        node->flags = arena_calloc(p->job->arena, row->count);
        if (!node->flags)
            return ERR_NO_MEMORY;
        for (size_t i = 0; i < row->count; i += per_flag)
            node->flags[i / per_flag] = row->flags[i];
    }
    return policy_cel_adopt(p->job, node, row->nodes, row->count);
}

static enum err parse_list(struct parser *p, struct cel_node **ret_node)
{
    struct row row = {0};
    TRY(policy_cel_node(p->job, CEL_N_LIST, p->token.offset, ret_node));
    TRY(next(p));
    TRY(parse_elements(p, "]", true, &row));
    return finish_literal(p, *ret_node, &row, 1);
}

static enum err parse_map(struct parser *p, struct cel_node **ret_node)
{
    struct row row = {0};
    bool taken;
    TRY(policy_cel_node(p->job, CEL_N_MAP, p->token.offset, ret_node));
    TRY(next(p));
    TRY(accept(p, "}", &taken));
    while (!taken) {
        struct cel_node *key, *value;
        bool flag;
        TRY(accept(p, "?", &flag));
        TRY(parse_expr(p, &key));
        TRY(expect(p, ":"));
        TRY(parse_expr(p, &value));
        TRY(row_add(p, &row, key, flag));
        TRY(row_add(p, &row, value, false));
        TRY(accept(p, ",", &taken));
        if (!taken) {
            TRY(expect(p, "}"));
            break;
        }
        TRY(accept(p, "}", &taken));
    }
    return finish_literal(p, *ret_node, &row, 2);
}

/* The arguments of a call, after its "(". `target` may be NULL. */
static enum err parse_call(struct parser *p, struct cel_node *target, struct bytes name,
                           uint32_t offset, bool is_absolute, struct cel_node **ret_node)
{
    struct row row = {0};
    TRY(policy_cel_node(p->job, CEL_N_CALL, offset, ret_node));
    (*ret_node)->name = name;
    (*ret_node)->is_absolute = is_absolute;
    (*ret_node)->has_target = target != NULL;
    if (target)
        TRY(row_add(p, &row, target, false));
    TRY(parse_elements(p, ")", false, &row));
    TRY(policy_cel_adopt(p->job, *ret_node, row.nodes, row.count));
    return policy_cel_expand(p->job, *ret_node);
}

static enum err parse_name(struct parser *p, bool is_absolute, struct cel_node **ret_node)
{
    struct cel_token token = p->token;
    bool is_call;
    if (token.kind != CEL_TOK_IDENT)
        return unexpected(p, "a name");
    if (is_reserved(token.text))
        return policy_cel_fail(p->job, CEL_PARSE, token.offset, "'%.*s' is a reserved word",
                               (int)token.text.size, (const char *)token.text.data);
    TRY(next(p));
    TRY(accept(p, "(", &is_call));
    if (is_call)
        return parse_call(p, NULL, token.text, token.offset, is_absolute, ret_node);
    TRY(policy_cel_node(p->job, CEL_N_IDENT, token.offset, ret_node));
    (*ret_node)->name = token.text;
    (*ret_node)->is_absolute = is_absolute;
    return ERR_OK;
}

static enum err parse_constant(struct parser *p, struct cel_value value, struct cel_node **ret_node)
{
    TRY(policy_cel_node(p->job, CEL_N_CONST, p->token.offset, ret_node));
    (*ret_node)->value = value;
    return next(p);
}

static enum err parse_primary(struct parser *p, struct cel_node **ret_node)
{
    bool taken;
    if (p->token.kind == CEL_TOK_LITERAL) {
        if (p->token.value.kind == CEL_NULL)
            TRY(policy_cel_lex_number(p->job, &p->token, false));
        return parse_constant(p, p->token.value, ret_node);
    }
    if (is_word(p, "null"))
        return parse_constant(p, (struct cel_value){.kind = CEL_NULL}, ret_node);
    if (is_word(p, "true") || is_word(p, "false"))
        return parse_constant(
            p, (struct cel_value){.kind = CEL_BOOL, .boolean = is_word(p, "true")}, ret_node);
    if (is_punct(p, "["))
        return parse_list(p, ret_node);
    if (is_punct(p, "{"))
        return parse_map(p, ret_node);
    TRY(accept(p, "(", &taken));
    if (taken) {
        TRY(parse_expr(p, ret_node));
        (*ret_node)->is_grouped = true;
        return expect(p, ")");
    }
    TRY(accept(p, ".", &taken));
    if (p->token.kind == CEL_TOK_IDENT)
        return parse_name(p, taken, ret_node);
    return unexpected(p, taken ? "a name" : "a value");
}

/* What follows "." or ".?". */
static enum err parse_select(struct parser *p, struct cel_node *operand, bool is_optional,
                             struct cel_node **ret_node)
{
    struct cel_token token = p->token;
    bool is_call = false;
    if (token.kind != CEL_TOK_QUOTED && (token.kind != CEL_TOK_IDENT || is_keyword(token.text)))
        return unexpected(p, "the name of a field");
    TRY(next(p));
    if (!is_optional && token.kind == CEL_TOK_IDENT)
        TRY(accept(p, "(", &is_call));
    if (is_call)
        return parse_call(p, operand, token.text, token.offset, false, ret_node);
    TRY(policy_cel_node(p->job, CEL_N_SELECT, token.offset, ret_node));
    (*ret_node)->name = token.text;
    (*ret_node)->is_quoted = token.kind == CEL_TOK_QUOTED;
    (*ret_node)->is_optional = is_optional;
    return policy_cel_adopt(p->job, *ret_node, &operand, 1);
}

static enum err parse_index(struct parser *p, struct cel_node *operand, bool is_optional,
                            struct cel_node **ret_node)
{
    struct cel_node *args[2] = {operand};
    TRY(policy_cel_node(p->job, CEL_N_INDEX, p->token.offset, ret_node));
    (*ret_node)->is_optional = is_optional;
    TRY(parse_expr(p, &args[1]));
    TRY(expect(p, "]"));
    return policy_cel_adopt(p->job, *ret_node, args, 2);
}

static enum err parse_member(struct parser *p, struct cel_node **ret_node)
{
    TRY(parse_primary(p, ret_node));
    for (;;) {
        struct cel_node *operand = *ret_node;
        bool selects, maybe_selects = false, indexes, is_optional;
        TRY(accept(p, ".", &selects));
        if (!selects)
            TRY(accept(p, ".?", &maybe_selects));
        if (selects || maybe_selects) {
            TRY(parse_select(p, operand, maybe_selects, ret_node));
            continue;
        }
        TRY(accept(p, "[", &indexes));
        if (!indexes)
            break;
        TRY(accept(p, "?", &is_optional));
        TRY(parse_index(p, operand, is_optional, ret_node));
    }
    if (is_punct(p, "{"))
        return policy_cel_fail(p->job, CEL_PARSE, p->token.offset,
                               "messages are not part of this language");
    return ERR_OK;
}

static enum err parse_unary(struct parser *p, struct cel_node **ret_node)
{
    uint32_t offsets[POLICY_CEL_DEPTH_MAX];
    size_t count = 0;
    bool is_not = is_punct(p, "!");
    while (is_punct(p, is_not ? "!" : "-")) {
        if (count == POLICY_CEL_DEPTH_MAX)
            return policy_cel_fail(p->job, CEL_PARSE, p->token.offset,
                                   "nested more than %d levels deep", POLICY_CEL_DEPTH_MAX);
        offsets[count++] = p->token.offset;
        TRY(next(p));
    }
    bool is_number = p->token.kind == CEL_TOK_LITERAL && p->token.value.kind == CEL_NULL;
    if (!is_not && count && is_number) { /* -1 is one literal, so that the least int can be said */
        TRY(policy_cel_lex_number(p->job, &p->token, true));
        p->token.offset = offsets[--count];
    }
    TRY(parse_member(p, ret_node));
    while (count) {
        struct cel_node *operand = *ret_node;
        TRY(policy_cel_node(p->job, CEL_N_CALL, offsets[--count], ret_node));
        (*ret_node)->op = is_not ? CEL_OP_NOT : CEL_OP_NEG;
        TRY(policy_cel_adopt(p->job, *ret_node, &operand, 1));
    }
    return ERR_OK;
}

static const struct {
    const char *text;
    uint8_t op;
    uint8_t level;
} binaries[] = {
    {"||", CEL_OP_OR, 0}, {"&&", CEL_OP_AND, 1}, {"<", CEL_OP_LT, 2},  {"<=", CEL_OP_LE, 2},
    {">", CEL_OP_GT, 2},  {">=", CEL_OP_GE, 2},  {"==", CEL_OP_EQ, 2}, {"!=", CEL_OP_NE, 2},
    {"in", CEL_OP_IN, 2}, {"+", CEL_OP_ADD, 3},  {"-", CEL_OP_SUB, 3}, {"*", CEL_OP_MUL, 4},
    {"/", CEL_OP_DIV, 4}, {"%", CEL_OP_MOD, 4},
};
#define LEVEL_COUNT 5

/* The binary operator of this level that comes next, or OP_NONE. */
static enum cel_op operator_at(const struct parser *p, unsigned level)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
        if (binaries[i].level == level &&
            (is_punct(p, binaries[i].text) ||
             (binaries[i].op == CEL_OP_IN && is_word(p, binaries[i].text))))
            return binaries[i].op;
    return CEL_OP_NONE;
}

static enum err parse_binary(struct parser *p, unsigned level, struct cel_node **ret_node);

/* a && b && c is one node with three operands. */
static enum err parse_chain(struct parser *p, unsigned level, enum cel_op op,
                            struct cel_node **ret_node)
{
    struct row row = {0};
    uint32_t offset = p->token.offset;
    TRY(row_add(p, &row, *ret_node, false));
    while (operator_at(p, level) == op) {
        struct cel_node *operand;
        TRY(next(p));
        TRY(parse_binary(p, level + 1, &operand));
        TRY(row_add(p, &row, operand, false));
    }
    TRY(policy_cel_node(p->job, CEL_N_CALL, offset, ret_node));
    (*ret_node)->op = (uint8_t)op;
    return policy_cel_adopt(p->job, *ret_node, row.nodes, row.count);
}

static enum err parse_binary(struct parser *p, unsigned level, struct cel_node **ret_node)
{
    if (level == LEVEL_COUNT)
        return parse_unary(p, ret_node);
    TRY(parse_binary(p, level + 1, ret_node));
    for (;;) {
        enum cel_op op = operator_at(p, level);
        struct cel_node *args[2] = {*ret_node};
        if (op == CEL_OP_NONE)
            return ERR_OK;
        if (op == CEL_OP_OR || op == CEL_OP_AND) {
            TRY(parse_chain(p, level, op, ret_node));
            continue;
        }
        TRY(policy_cel_node(p->job, CEL_N_CALL, p->token.offset, ret_node));
        (*ret_node)->op = (uint8_t)op;
        TRY(next(p));
        TRY(parse_binary(p, level + 1, &args[1]));
        TRY(policy_cel_adopt(p->job, *ret_node, args, 2));
    }
}

static enum err parse_conditional(struct parser *p, struct cel_node **ret_node)
{
    struct cel_node *args[3];
    uint32_t offset;
    bool taken;
    TRY(parse_binary(p, 0, ret_node));
    offset = p->token.offset;
    TRY(accept(p, "?", &taken));
    if (!taken)
        return ERR_OK;
    args[0] = *ret_node;
    TRY(parse_binary(p, 0, &args[1]));
    TRY(expect(p, ":"));
    TRY(parse_expr(p, &args[2]));
    TRY(policy_cel_node(p->job, CEL_N_CALL, offset, ret_node));
    (*ret_node)->op = CEL_OP_COND;
    return policy_cel_adopt(p->job, *ret_node, args, 3);
}

static enum err parse_expr(struct parser *p, struct cel_node **ret_node)
{
    if (p->depth == POLICY_CEL_DEPTH_MAX)
        return policy_cel_fail(p->job, CEL_PARSE, p->token.offset,
                               "nested more than %d levels deep", POLICY_CEL_DEPTH_MAX);
    p->depth++;
    TRY(parse_conditional(p, ret_node));
    p->depth--;
    return ERR_OK;
}

enum err policy_cel_parse(struct cel_job *job, struct cel_node **ret_root)
{
    struct parser p = {.job = job};
    if (job->source.size > POLICY_CEL_SOURCE_MAX)
        return policy_cel_fail(job, CEL_PARSE, 0, "longer than %d bytes", POLICY_CEL_SOURCE_MAX);
    TRY(next(&p));
    TRY(parse_expr(&p, ret_root));
    if (p.token.kind != CEL_TOK_END)
        return unexpected(&p, "an operator or the end");
    return ERR_OK;
}
