/* Expressions and what they give, as text, for the tests of policy/cel_*. Facts are those of
 * tests/support/cel_fuzz.h. */
#ifndef TESTS_UNIT_POLICY_CEL_FIXTURE_H
#define TESTS_UNIT_POLICY_CEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/cel_fuzz.h"

struct outcome {
    char text[4096];   /* the value as an expression writes it, or what is wrong */
    const char *phase; /* NULL: it gave a value */
    unsigned line;
    unsigned column;
    char type[1024];
    uint64_t cost;
};

static inline void note_problem(struct outcome *o, const struct cel_problem *problem)
{
    o->phase = policy_cel_phase_name(problem->phase);
    o->line = problem->line;
    o->column = problem->column;
    snprintf(o->text, sizeof(o->text), "%s", problem->text);
}

static inline void note_type(struct outcome *o, const struct cel_type *type)
{
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)o->type, sizeof(o->type) - 1);
    assert_int_equal(policy_cel_type_show(type, &out), ERR_OK);
    o->type[out.size] = 0;
}

static inline struct outcome outcome_in(const struct cel_env *env, const char *expression,
                                        uint64_t budget)
{
    struct outcome o = {.phase = NULL};
    struct cel_problem problem;
    struct cel_program *program;
    struct cel_vm *vm;
    struct buf out;
    if (policy_cel_compile(env, bytes_from_str(expression), &program, &problem) != ERR_OK) {
        note_problem(&o, &problem);
        return o;
    }
    note_type(&o, policy_cel_program_type(program));
    assert_int_equal(policy_cel_vm_create(65536, &vm), ERR_OK);
    policy_cel_vm_set_budget(vm, budget);
    struct cel_value v = policy_cel_eval(vm, program, POLICY_CEL_WHOLE, cel_fuzz_facts());
    o.cost = policy_cel_vm_cost(vm);
    if (v.kind >= CEL_ERROR) {
        policy_cel_locate(program, v, &problem);
        note_problem(&o, &problem);
    } else {
        buf_init_fixed(&out, (uint8_t *)o.text, sizeof(o.text) - 1);
        assert_int_equal(policy_cel_show(v, &out), ERR_OK);
        o.text[out.size] = 0;
    }
    policy_cel_vm_destroy(vm);
    policy_cel_program_destroy(program);
    return o;
}

static inline struct outcome outcome_of(const char *expression)
{
    const struct cel_env env = cel_fuzz_env(false);
    return outcome_in(&env, expression, POLICY_CEL_BUDGET_DEFAULT);
}

/* The same without the checker. */
static inline struct outcome unchecked_outcome_of(const char *expression)
{
    struct cel_env env = cel_fuzz_env(false);
    env.disable_check = true;
    return outcome_in(&env, expression, POLICY_CEL_BUDGET_DEFAULT);
}

static inline void assert_outcome(struct outcome o, const char *expression, const char *shown)
{
    if (o.phase || strcmp(o.text, shown) != 0)
        fail_msg("%s\n  gives %s %s\n  not %s", expression, o.phase ? o.phase : "", o.text, shown);
}

/* The expression gives that value, checked and unchecked. */
static inline void assert_gives(const char *expression, const char *shown)
{
    assert_outcome(outcome_of(expression), expression, shown);
    assert_outcome(unchecked_outcome_of(expression), expression, shown);
}

static inline void assert_failure(struct outcome o, const char *expression, const char *phase,
                                  const char *part)
{
    if (!o.phase || strcmp(o.phase, phase) != 0 || !strstr(o.text, part))
        fail_msg("%s\n  gives %s: %s\n  not %s: …%s…", expression, o.phase ? o.phase : "a value",
                 o.text, phase, part);
}

/* It fails in that phase, and the error has these words. */
static inline void assert_fails(const char *expression, const char *phase, const char *part)
{
    assert_failure(outcome_of(expression), expression, phase, part);
}

/* Unchecked, it fails when it is evaluated. */
static inline void assert_unchecked_fails(const char *expression, const char *part)
{
    assert_failure(unchecked_outcome_of(expression), expression, "eval", part);
}

struct expectation {
    const char *expression;
    const char *shown;
};
#define ASSERT_ALL_GIVE(...)                                                                       \
    do {                                                                                           \
        static const struct expectation all_[] = {__VA_ARGS__};                                    \
        for (size_t i_ = 0; i_ < sizeof(all_) / sizeof(all_[0]); i_++)                             \
            assert_gives(all_[i_].expression, all_[i_].shown);                                     \
    } while (0)
#define ASSERT_ALL_FAIL(phase, ...)                                                                \
    do {                                                                                           \
        static const struct expectation all_[] = {__VA_ARGS__};                                    \
        for (size_t i_ = 0; i_ < sizeof(all_) / sizeof(all_[0]); i_++)                             \
            assert_fails(all_[i_].expression, phase, all_[i_].shown);                              \
    } while (0)

#endif
