/* Which parts of expressions can never hold, alone or together, as far as comparisons of one fact
 * with a constant show. Called when documents are checked, not per request. */
#include "policy/cel_run.h"

struct comparison {
    uint16_t fact; /* packed */
    enum cel_op op;
    struct cel_value constant;
};

static const struct cel_part *part_at(const struct cel_program *p, size_t part)
{
    return &p->parts[p->part_count == 1 ? 0 : part + 1];
}

/* Is the part `fact OP constant`, or a fact alone? */
static bool take_comparison(const struct cel_program *p, size_t part, struct comparison *ret)
{
    const struct cel_part *at = part_at(p, part);
    const struct cel_code *code = p->code + at->start;
    if (at->size != 2 || (code->op != CEL_I_TEST && code->op != CEL_I_FACT))
        return false;
    *ret = (struct comparison){code->b, CEL_OP_EQ, policy_cel_bool(true)};
    if (code->op == CEL_I_TEST)
        *ret = (struct comparison){code->b, (enum cel_op)code->a, p->constants[code->c]};
    return true;
}

static bool compares(enum cel_op op, struct cel_value a, struct cel_value b, bool expected)
{
    struct cel_value v = policy_cel_compare(op, a, b);
    return v.kind == CEL_BOOL && v.boolean == expected;
}

/* Is it false of a fact that has this value? */
static bool rules_out(const struct comparison *c, struct cel_value v)
{
    if (c->op == CEL_OP_EQ || c->op == CEL_OP_NE)
        return policy_cel_equal(v, c->constant) != (c->op == CEL_OP_EQ);
    return compares(c->op, v, c->constant, false);
}

static bool is_upper(enum cel_op op)
{
    return op == CEL_OP_LT || op == CEL_OP_LE;
}

static bool is_lower(enum cel_op op)
{
    return op == CEL_OP_GT || op == CEL_OP_GE;
}

/* Does nothing lie above `low` and below `high`? */
static bool is_empty_range(const struct comparison *low, const struct comparison *high)
{
    bool has_ends = low->op == CEL_OP_GE && high->op == CEL_OP_LE;
    return compares(has_ends ? CEL_OP_LE : CEL_OP_LT, low->constant, high->constant, false);
}

static bool exclude(const struct comparison *a, const struct comparison *b)
{
    if (a->fact != b->fact)
        return false;
    if (a->op == CEL_OP_EQ)
        return rules_out(b, a->constant);
    if (b->op == CEL_OP_EQ)
        return rules_out(a, b->constant);
    if (is_lower(a->op) && is_upper(b->op))
        return is_empty_range(a, b);
    return is_lower(b->op) && is_upper(a->op) && is_empty_range(b, a);
}

bool policy_cel_excludes(const struct cel_program *a, const struct cel_program *b)
{
    struct comparison first, second;
    size_t a_count = policy_cel_part_count(a), b_count = policy_cel_part_count(b);
    for (size_t i = 0; i < a_count && i < CEL_EXCLUDE_PARTS_MAX; i++)
        for (size_t k = 0; k < b_count && k < CEL_EXCLUDE_PARTS_MAX; k++)
            if (take_comparison(a, i, &first) && take_comparison(b, k, &second) &&
                exclude(&first, &second))
                return true;
    return false;
}

bool policy_cel_is_never(struct cel_vm *vm, const struct cel_program *program)
{
    for (size_t i = 0; i < policy_cel_part_count(program); i++) {
        bool reads = false;
        for (size_t f = 0; f < program->env->fact_count && !reads; f++)
            reads = policy_cel_reads(program, i, f);
        if (reads)
            continue;
        struct cel_value v = policy_cel_eval(vm, program, i, NULL);
        if (v.kind != CEL_BOOL || !v.boolean)
            return true;
    }
    return policy_cel_excludes(program, program);
}
