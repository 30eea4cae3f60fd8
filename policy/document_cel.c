/* Expressions of documents: compiled against the facts, mistakes put where they stand in the file,
 * and which of their parts read what. Called for match, require, where, sticky; evaluating them is
 * here, too. */
#include "policy/document_read.h"

/* The byte of the expression at that line and column, both from 1. */
static size_t offset_of(struct bytes text, uint32_t line, uint32_t column)
{
    size_t at = 0;
    for (; line > 1 && at < text.size; line--)
        at += bytes_find(bytes_skip(text, at), '\n') + 1;
    for (; column > 1 && at < text.size; column--)
        for (at++; at < text.size && (text.data[at] & 0xc0) == 0x80;)
            at++;
    return at < text.size ? at : text.size;
}

static void tell_problem(struct policy_reader *r, const struct yaml_item *item,
                         const struct cel_problem *problem)
{
    struct yaml_item place = *item;
    unsigned line, column;
    yaml_place_of(r->text, item, offset_of(item->text, problem->line, problem->column), &line,
                  &column);
    place.line = line;
    place.column = column;
    policy_mistake(r, &place, "%s", problem->text);
}

static bool keep_program(struct policy_reader *r, struct cel_program *program)
{
    struct policy_program *kept = policy_keep(r, sizeof *kept);
    if (!kept) {
        policy_cel_program_destroy(program);
        return false;
    }
    *kept = (struct policy_program){r->making->programs, program};
    r->making->programs = kept;
    return true;
}

static void note_reads(struct policy_predicate *p)
{
    size_t parts = policy_cel_part_count(p->program);
    for (size_t f = 0; f < policy_fact_count; f++)
        if (policy_cel_reads(p->program, POLICY_CEL_WHOLE, f))
            p->reads[policy_facts[f].group].bits |= (uint64_t)1 << f;
    for (size_t i = 0; i < parts && parts <= POLICY_PARTS_MAX; i++) {
        bool is_static = true;
        for (size_t f = 0; f < policy_fact_count && is_static; f++)
            is_static =
                policy_facts[f].group == POLICY_STATIC || !policy_cel_reads(p->program, i, f);
        p->static_parts |= (uint64_t)is_static << i;
    }
}

/* The first fact of another group that it reads; NULL. */
static const char *reads_beyond(const struct policy_predicate *p, unsigned groups)
{
    for (size_t f = 0; f < policy_fact_count; f++)
        if (!(groups >> policy_facts[f].group & 1) &&
            (p->reads[policy_facts[f].group].bits >> f & 1))
            return policy_facts[f].name;
    return NULL;
}

static bool check_type(struct policy_reader *r, const struct yaml_item *item,
                       const struct cel_type *type, bool is_text)
{
    char shown[80];
    struct buf out;
    if (type->kind == (is_text ? CEL_T_STRING : CEL_T_BOOL))
        return true;
    buf_init_fixed(&out, (uint8_t *)shown, sizeof shown);
    if (policy_cel_type_show(type, &out) != ERR_OK)
        out.size = 0;
    policy_mistake(r, item, "expected %s, this gives %.*s",
                   is_text ? "a text (string)" : "a condition (bool)", (int)out.size, shown);
    return false;
}

static bool check(struct policy_reader *r, const struct yaml_item *item, unsigned groups,
                  bool is_text, const struct policy_predicate *p)
{
    const char *beyond = reads_beyond(p, groups);
    if (!check_type(r, item, policy_cel_program_type(p->program), is_text))
        return false;
    if (beyond) {
        policy_mistake(r, item, "only what belongs to the request may stand here, not %s", beyond);
        return false;
    }
    if (!is_text && policy_cel_is_never(r->making->vm, p->program)) {
        policy_mistake(r, item, "this is never true");
        return false;
    }
    return true;
}

bool policy_read_expression(struct policy_reader *r, const struct yaml_item *item, unsigned groups,
                            bool is_text, struct policy_predicate *ret)
{
    struct policy_predicate p = {.line = item->line + r->line_offset, .column = item->column};
    struct cel_problem problem;
    struct bytes text;
    if (!policy_read_scalar(r, item, &text))
        return false;
    enum err e = policy_cel_compile(policy_env(), text, &p.program, &problem);
    if (e == ERR_INVALID)
        tell_problem(r, item, &problem);
    else if (e != ERR_OK)
        r->failure = e;
    if (e != ERR_OK || !keep_program(r, p.program))
        return false;
    note_reads(&p);
    if (!check(r, item, groups, is_text, &p))
        return false;
    *ret = p;
    return true;
}

/* --- evaluating */

bool policy_holds(const struct policy_predicate *p, uint64_t parts, struct cel_vm *vm,
                  const struct cel_value *const facts[POLICY_GROUPS])
{
    if (!p->program || parts == 0)
        return true;
    size_t count = policy_cel_part_count(p->program);
    uint64_t all = count < POLICY_PARTS_MAX ? ((uint64_t)1 << count) - 1 : UINT64_MAX;
    if ((parts & all) == all) {
        struct cel_value v = policy_cel_eval(vm, p->program, POLICY_CEL_WHOLE, facts);
        return v.kind == CEL_BOOL && v.boolean;
    }
    for (uint64_t left = parts & all; left; left &= left - 1) {
        struct cel_value v = policy_cel_eval(vm, p->program, (size_t)__builtin_ctzll(left), facts);
        if (v.kind != CEL_BOOL || !v.boolean)
            return false;
    }
    return true;
}

struct bytes policy_text(const struct policy_predicate *p, struct cel_vm *vm,
                         const struct cel_value *const facts[POLICY_GROUPS])
{
    if (!p->program)
        return BYTES("");
    struct cel_value v = policy_cel_eval(vm, p->program, POLICY_CEL_WHOLE, facts);
    return v.kind == CEL_STRING ? policy_cel_bytes(v) : BYTES("");
}
