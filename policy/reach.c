/* See reach.h. Called when a policy is about to be put, not per request. */
#include "policy/reach.h"

#define SOURCE_MAX 1024

/* --- can it match? */

/* `fact == "text"` as a program. */
static enum err compile_equal(const char *fact, struct bytes text, struct cel_program **ret_program)
{
    uint8_t storage[SOURCE_MAX];
    struct buf source;
    struct cel_problem problem;
    buf_init_fixed(&source, storage, sizeof storage);
    TRY(buf_append_str(&source, fact));
    TRY(buf_append_str(&source, " == "));
    TRY(policy_cel_show(policy_cel_string(text), &source));
    return policy_cel_compile(policy_env(), buf_bytes(&source), ret_program, &problem);
}

/* Does the rule match no request whose fact is that text? Of what cannot be said, no. */
static enum err rules_out(const struct policy_rule *rule, const char *fact, struct bytes text,
                          bool *ret_rules_out)
{
    struct cel_program *program;
    *ret_rules_out = false;
    if (!text.size || !rule->match.program)
        return ERR_OK;
    enum err e = compile_equal(fact, text, &program);
    if (e != ERR_OK)
        return e == ERR_NO_MEMORY ? e : ERR_OK;
    *ret_rules_out = policy_cel_excludes(rule->match.program, program);
    policy_cel_program_destroy(program);
    return ERR_OK;
}

/* --- does anybody pass? */

/* False only where a part that reads nothing but these facts says so. */
static bool may_hold(const struct policy_predicate *p, struct cel_vm *vm,
                     const struct policy_static *candidate)
{
    struct policy_values values;
    const struct cel_value *const facts[POLICY_GROUPS] = {[POLICY_STATIC] = values.slots};
    if (!p->program)
        return true;
    policy_facts_fill(POLICY_STATIC, candidate, p->reads[POLICY_STATIC], &values);
    for (uint64_t left = p->static_parts; left; left &= left - 1) {
        struct cel_value v = policy_cel_eval(vm, p->program, (size_t)__builtin_ctzll(left), facts);
        if (v.kind == CEL_BOOL && !v.boolean)
            return false;
    }
    return true;
}

static bool may_choose(const struct policy_rule *rule, const struct policy_step *step,
                       struct cel_vm *vm, const struct policy_static *candidate)
{
    for (size_t i = 0; i < rule->require_count; i++)
        if (!may_hold(&rule->require[i], vm, candidate))
            return false;
    return !step || may_hold(&step->where, vm, candidate);
}

static bool finds_any(const struct policy_rule *rule, const struct policy_step *step,
                      struct cel_vm *vm, const struct policy_served *served)
{
    for (size_t i = 0; i < served->count; i++)
        if (may_choose(rule, step, vm, &served->candidates[i]))
            return true;
    return false;
}

static bool step_finds_any(const struct policy_rule *rule, const struct policy_step *step,
                           struct cel_vm *vm, const struct policy_served *served, size_t count,
                           size_t index)
{
    if (step->model_count == 0)
        return finds_any(rule, step, vm, &served[index]);
    for (size_t m = 0; m < step->model_count; m++)
        for (size_t i = 0; i < count; i++)
            if (bytes_equal(step->models[m], served[i].model) &&
                finds_any(rule, step, vm, &served[i]))
                return true;
    return false;
}

enum err policy_reaches(const struct policy_rule *rule, struct cel_vm *vm,
                        const struct policy_served *served, size_t count, size_t index,
                        bool *ret_reaches)
{
    bool no_model, no_task;
    TRY(rules_out(rule, "request.model", served[index].model, &no_model));
    TRY(rules_out(rule, "request.task", served[index].task, &no_task));
    *ret_reaches = no_model || no_task;
    for (size_t s = 0; s < rule->step_count && !*ret_reaches; s++)
        *ret_reaches = step_finds_any(rule, &rule->steps[s], vm, served, count, index);
    if (!*ret_reaches && (rule->step_count == 0 || rule->last_resort))
        *ret_reaches = finds_any(rule, NULL, vm, &served[index]);
    return ERR_OK;
}
