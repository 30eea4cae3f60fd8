/* The interpreter: a stack machine without recursion. Straight code costs its length, which is paid
 * before it starts; loops pay each turn, functions for what they touch. */
#include "policy/cel_run.h"

static inline void push(struct cel_run *run, struct cel_value v)
{
    *run->top++ = v;
}

static inline struct cel_value pop(struct cel_run *run)
{
    return *--run->top;
}

static inline void jump(struct cel_run *run, uint32_t target)
{
    run->at = run->program->code + target;
}

struct cel_value policy_cel_placed(const struct cel_run *run, struct cel_value v)
{
    if (v.kind == CEL_ERROR && v.size == CEL_OFFSET_UNKNOWN)
        v.size = run->program->offsets[run->at - 1 - run->program->code];
    return v;
}

static void push_placed(struct cel_run *run, struct cel_value v)
{
    push(run, policy_cel_failed(v) ? policy_cel_placed(run, v) : v);
}

static inline const struct cel_value *fact_at(const struct cel_run *run, uint16_t packed)
{
    return &run->facts[packed >> CEL_SLOT_BITS][packed & ((1 << CEL_SLOT_BITS) - 1)];
}

/* The fact's name, for the failure that it is absent. */
static struct cel_value absent(const struct cel_run *run, uint16_t packed)
{
    const struct cel_program *p = run->program;
    struct cel_value v = {.kind = CEL_ABSENT};
    for (size_t i = 0; i < p->used_count; i++)
        if (p->used[i].packed == packed)
            v.text = p->used[i].name;
    v.size = run->program->offsets[run->at - 1 - run->program->code];
    return v;
}

static inline void run_fact(struct cel_run *run, const struct cel_code *i)
{
    const struct cel_value *fact = fact_at(run, i->b);
    push(run, fact->kind < CEL_ERROR ? *fact : absent(run, i->b));
}

static struct cel_value compare_any(struct cel_vm *vm, enum cel_op op, struct cel_value a,
                                    struct cel_value b)
{
    if (op != CEL_OP_EQ && op != CEL_OP_NE)
        return policy_cel_compare(op, a, b);
    struct cel_value same = policy_cel_equals(vm, a, b);
    if (same.kind == CEL_BOOL)
        same.boolean ^= op == CEL_OP_NE;
    return same;
}

/* The comparisons that policies are made of, without calls where both sides are of one kind. */
static inline void run_test(struct cel_run *run, const struct cel_code *i)
{
    const struct cel_value *a = fact_at(run, i->b);
    const struct cel_value *b = &run->program->constants[i->c];
    if (a->kind != b->kind) {
        push_placed(run,
                    a->kind < CEL_ERROR ? compare_any(run->vm, i->a, *a, *b) : absent(run, i->b));
        return;
    }
    if (a->kind == CEL_STRING && (i->a == CEL_OP_EQ || i->a == CEL_OP_NE)) {
        bool same = a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
        push(run, policy_cel_bool(same == (i->a == CEL_OP_EQ)));
    } else if (i->a == CEL_OP_LT && a->kind == CEL_DOUBLE) {
        push(run, policy_cel_bool(a->real < b->real));
    } else if (i->a == CEL_OP_LT && (a->kind == CEL_DURATION || a->kind == CEL_INT)) {
        push(run, policy_cel_bool(a->integer < b->integer));
    } else {
        push_placed(run, compare_any(run->vm, i->a, *a, *b));
    }
}

struct cel_value policy_cel_logic(struct cel_value a, struct cel_value b, bool decides)
{
    if (a.kind == CEL_BOOL && (a.boolean == decides || b.kind == CEL_BOOL))
        return a.boolean == decides ? a : b;
    if (b.kind == CEL_BOOL && b.boolean == decides)
        return b;
    if (a.kind == CEL_ABSENT || b.kind == CEL_ABSENT)
        return a.kind == CEL_ABSENT ? a : b;
    if (a.kind == CEL_ERROR || b.kind == CEL_ERROR)
        return a.kind == CEL_ERROR ? a : b;
    return policy_cel_no_overload();
}

static inline void run_logic(struct cel_run *run, const struct cel_code *i)
{
    const struct cel_value *b = --run->top;
    struct cel_value *a = run->top - 1;
    if (a->kind != CEL_BOOL || b->kind != CEL_BOOL)
        *a = policy_cel_placed(run, policy_cel_logic(*a, *b, i->a));
    else if (a->boolean != (bool)i->a)
        *a = *b;
}

static void run_cond(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = pop(run);
    if (v.kind == CEL_BOOL) {
        if (!v.boolean)
            jump(run, i->c);
        return;
    }
    push_placed(run, policy_cel_failed(v) ? v : policy_cel_no_overload());
    jump(run, run->program->code[i->c - 1].c);
}

static void run_call(struct cel_run *run, const struct cel_code *i)
{
    cel_impl call = run->program->calls[i->c];
    struct cel_value *args = run->top - i->a;
    struct cel_value v;
    size_t failed = 0;
    while (failed < i->a && !policy_cel_failed(args[failed]))
        failed++;
    if (failed < i->a)
        v = args[failed];
    else
        v = call ? call(&(struct cel_args){run->vm, args, i->a})
                 : policy_cel_error(CEL_E_NAME, "unknown function or name");
    run->top = args;
    push_placed(run, v);
}

static void run_match(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = pop(run);
    if (v.kind == CEL_STRING)
        v = policy_cel_match(run->vm, run->program->regexes[i->c], policy_cel_bytes(v));
    else if (!policy_cel_failed(v))
        v = policy_cel_no_overload();
    push_placed(run, v);
}

static void run_get(struct cel_run *run, const struct cel_code *i, bool is_field)
{
    struct cel_value key = is_field ? run->program->constants[i->c] : pop(run);
    struct cel_value operand = pop(run);
    push_placed(run, policy_cel_get(run->vm, operand, key, is_field, i->a));
}

static void run_has(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value operand = pop(run);
    push_placed(run, policy_cel_has(run->vm, operand, run->program->constants[i->c]));
}

/* Takes the optional in *v apart. False: there is nothing to add, or *v is a failure. */
static bool unwrap_element(struct cel_value *v)
{
    if (v->kind == CEL_OPTIONAL && v->size) {
        *v = v->items[0];
        return true;
    }
    if (v->kind != CEL_OPTIONAL && !policy_cel_failed(*v))
        *v = policy_cel_no_overload();
    return false;
}

static void run_append(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value item = pop(run);
    struct cel_value *list = run->top - 1;
    if (policy_cel_failed(*list))
        return;
    if (i->a && !unwrap_element(&item) && !policy_cel_failed(item))
        return;
    if (policy_cel_failed(item))
        *list = policy_cel_placed(run, item);
    else if (!policy_cel_append(run->vm, list, item))
        *list = policy_cel_no_memory();
}

static void run_put(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value value = pop(run), key = pop(run);
    struct cel_value *map = run->top - 1;
    if (policy_cel_failed(*map))
        return;
    if (policy_cel_failed(key)) {
        *map = key;
        return;
    }
    if (i->a && !unwrap_element(&value) && !policy_cel_failed(value))
        return;
    struct cel_value e =
        policy_cel_failed(value) ? value : policy_cel_put(run->vm, map, key, value);
    if (policy_cel_failed(e))
        *map = policy_cel_placed(run, e);
}

static void run_enter(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = pop(run);
    if (v.kind == CEL_OPTIONAL && v.size) {
        run->locals[i->b] = v.items[0];
        return;
    }
    bool passes = v.kind == CEL_OPTIONAL || policy_cel_failed(v);
    push_placed(run, passes ? v : policy_cel_no_overload());
    jump(run, i->c);
}

static void run_wrap(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = pop(run);
    if (!policy_cel_failed(v) && i->a == CEL_M_OPT_MAP)
        v = policy_cel_some(run->vm, v);
    else if (!policy_cel_failed(v) && v.kind != CEL_OPTIONAL)
        v = policy_cel_no_overload();
    push_placed(run, v);
}

static void run_or_else(struct cel_run *run, const struct cel_code *i)
{
    struct cel_value v = pop(run);
    if (v.kind == CEL_OPTIONAL && !v.size)
        return;
    if (v.kind == CEL_OPTIONAL)
        v = i->a ? v.items[0] : v;
    else if (!policy_cel_failed(v))
        v = policy_cel_no_overload();
    push_placed(run, v);
    jump(run, i->c);
}

struct cel_value policy_cel_run(struct cel_run *run)
{
    for (;;) {
        const struct cel_code *i = run->at++;
        switch ((enum cel_code_op)i->op) {
        case CEL_I_RETURN: return pop(run);
        case CEL_I_CONST: push(run, run->program->constants[i->c]); continue;
        case CEL_I_FACT: run_fact(run, i); continue;
        case CEL_I_HAS_FACT:
            push(run, policy_cel_bool(fact_at(run, i->b)->kind < CEL_ERROR));
            continue;
        case CEL_I_TEST: run_test(run, i); break;
        case CEL_I_LOCAL: push(run, run->locals[i->c]); continue;
        case CEL_I_STORE: run->locals[i->c] = pop(run); continue;
        case CEL_I_JUMP: jump(run, i->c); continue;
        case CEL_I_SKIP:
            if (run->top[-1].kind == CEL_BOOL && run->top[-1].boolean == (bool)i->a)
                jump(run, i->c);
            continue;
        case CEL_I_LOGIC: run_logic(run, i); continue;
        case CEL_I_COND: run_cond(run, i); continue;
        case CEL_I_CALL: run_call(run, i); break;
        case CEL_I_MATCH: run_match(run, i); break;
        case CEL_I_SELECT: run_get(run, i, true); break;
        case CEL_I_HAS: run_has(run, i); break;
        case CEL_I_INDEX: run_get(run, i, false); break;
        case CEL_I_LIST: push(run, (struct cel_value){.kind = CEL_LIST}); continue;
        case CEL_I_APPEND: run_append(run, i); break;
        case CEL_I_MAP: push(run, (struct cel_value){.kind = CEL_MAP}); continue;
        case CEL_I_PUT: run_put(run, i); break;
        case CEL_I_ITER: policy_cel_run_iter(run, i); continue;
        case CEL_I_NEXT: policy_cel_run_next(run, i); continue;
        case CEL_I_FILTER: policy_cel_run_filter(run, i); continue;
        case CEL_I_FOLD: policy_cel_run_fold(run, i); continue;
        case CEL_I_RESULT: policy_cel_run_result(run, i); break;
        case CEL_I_ENTER: run_enter(run, i); continue;
        case CEL_I_WRAP: run_wrap(run, i); break;
        case CEL_I_OR_ELSE: run_or_else(run, i); continue;
        }
        if (policy_cel_is_final(run->top[-1]))
            return policy_cel_placed(run, run->top[-1]);
    }
}
