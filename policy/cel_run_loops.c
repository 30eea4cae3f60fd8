/* Steps of the macros that loop: over a list or a map, folding what each turn gives into a result.
 * What goes wrong becomes the result, and the loop ends; all and exists go on, as a later turn may
 * still decide. */
#include "policy/cel_run.h"

static struct cel_value *local(struct cel_run *run, const struct cel_code *i, enum cel_local which)
{
    return &run->locals[i->b + which];
}

static void jump(struct cel_run *run, uint32_t target)
{
    run->at = run->program->code + target;
}

/* What a loop starts from. */
static struct cel_value first_result(enum cel_macro macro)
{
    switch (macro) {
    case CEL_M_ALL: return policy_cel_bool(true);
    case CEL_M_EXISTS: return policy_cel_bool(false);
    case CEL_M_EXISTS_ONE: return policy_cel_int(0);
    case CEL_M_TRANSFORM_MAP:
    case CEL_M_TRANSFORM_ENTRY: return (struct cel_value){.kind = CEL_MAP};
    default: return (struct cel_value){.kind = CEL_LIST};
    }
}

void policy_cel_run_iter(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value range = *--run->top;
    if (range.kind != CEL_LIST && range.kind != CEL_MAP) {
        *run->top++ =
            policy_cel_placed(run, policy_cel_failed(range) ? range : policy_cel_no_overload());
        jump(run, i->c);
        return;
    }
    *local(run, i, CEL_L_RANGE) = range;
    *local(run, i, CEL_L_INDEX) = policy_cel_int(0);
    *local(run, i, CEL_L_RESULT) = first_result(i->a);
}

void policy_cel_run_next(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value range = *local(run, i, CEL_L_RANGE);
    int64_t index = local(run, i, CEL_L_INDEX)->integer++;
    if (index >= range.size) {
        jump(run, i->c);
    } else if (range.kind == CEL_MAP) {
        *local(run, i, CEL_L_VAR1) = range.items[2 * index];
        *local(run, i, CEL_L_VAR2) = range.items[2 * index + 1];
    } else {
        *local(run, i, CEL_L_VAR1) = i->a == 1 ? range.items[index] : policy_cel_int(index);
        *local(run, i, CEL_L_VAR2) = range.items[index];
    }
}

/* Ends the loop whose NEXT is at i->c. */
static void leave(struct cel_run *run, const struct cel_code *i)
{
    jump(run, run->program->code[i->c].c);
}

static void fail(struct cel_run *run, const struct cel_code *i, struct cel_value v)
{
    *local(run, i, CEL_L_RESULT) = policy_cel_placed(run, v);
    leave(run, i);
}

/* Pays for a turn and begins the next one. */
static void again(struct cel_run *run, const struct cel_code *i)
{
    uint32_t turn = (uint32_t)(i - run->program->code) - i->c;
    if (policy_cel_pay(run->vm, turn))
        jump(run, i->c);
    else
        fail(run, i, policy_cel_no_budget());
}

void policy_cel_run_filter(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = *--run->top;
    if (v.kind != CEL_BOOL)
        fail(run, i, policy_cel_failed(v) ? v : policy_cel_no_overload());
    else if (!v.boolean)
        again(run, i);
}

static void fold_predicate(struct cel_run *run, const struct cel_code *i, struct cel_value v,
                           bool decides)
{
    struct cel_value *result = local(run, i, CEL_L_RESULT);
    if (v.kind != CEL_BOOL && !policy_cel_failed(v))
        v = policy_cel_no_overload();
    *result = policy_cel_placed(run, policy_cel_logic(*result, v, decides));
    if (result->kind == CEL_BOOL && result->boolean == decides)
        leave(run, i);
    else
        again(run, i);
}

/* Adds the entries of one map to the result. */
static struct cel_value merge(struct cel_run *run, struct cel_value *result, struct cel_value v)
{
    struct cel_value e = {.kind = CEL_NULL};
    if (v.kind != CEL_MAP)
        return policy_cel_no_overload();
    for (uint32_t k = 0; k < v.size && !policy_cel_failed(e); k++)
        e = policy_cel_put(run->vm, result, v.items[2 * k], v.items[2 * k + 1]);
    return e;
}

/* Joins what a turn gave to the result; a failure comes back. */
static struct cel_value join(struct cel_run *run, const struct cel_code *i, struct cel_value v)
{
    struct cel_value *result = local(run, i, CEL_L_RESULT);
    struct cel_value key = *local(run, i, CEL_L_VAR1);
    switch ((enum cel_macro)i->a) {
    case CEL_M_EXISTS_ONE:
        if (v.kind != CEL_BOOL)
            return policy_cel_no_overload();
        result->integer += v.boolean;
        return v;
    case CEL_M_FILTER:
        if (v.kind != CEL_BOOL)
            return policy_cel_no_overload();
        return !v.boolean || policy_cel_append(run->vm, result, key) ? v : policy_cel_no_memory();
    case CEL_M_TRANSFORM_MAP: return policy_cel_put(run->vm, result, key, v);
    case CEL_M_TRANSFORM_ENTRY: return merge(run, result, v);
    default: return policy_cel_append(run->vm, result, v) ? v : policy_cel_no_memory();
    }
}

void policy_cel_run_fold(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = *--run->top;
    if (i->a == CEL_M_ALL || i->a == CEL_M_EXISTS) {
        fold_predicate(run, i, v, i->a == CEL_M_EXISTS);
        return;
    }
    if (!policy_cel_failed(v)) {
        struct cel_value e = join(run, i, v);
        if (!policy_cel_failed(e)) {
            again(run, i);
            return;
        }
        v = e;
    }
    fail(run, i, v);
}

void policy_cel_run_result(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value result = *local(run, i, CEL_L_RESULT);
    if (i->a == CEL_M_EXISTS_ONE && result.kind == CEL_INT)
        result = policy_cel_bool(result.integer == 1);
    *run->top++ = result;
}
