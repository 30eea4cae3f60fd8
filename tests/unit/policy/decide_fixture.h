/* Candidates and a rule as a test sets them, without documents: a world of one model "m" and, where
 * a test asks, a larger one "l". */
#ifndef TESTS_UNIT_POLICY_DECIDE_FIXTURE_H
#define TESTS_UNIT_POLICY_DECIDE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/decide.h"
#include "policy/try_facts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WORLD_MAX 10000

struct decide_world {
    struct policy_candidate items[WORLD_MAX];
    uint8_t verdicts[WORLD_MAX]; /* of refresh */
    char names[WORLD_MAX][16];
    struct policy_candidates m, l;
    struct policy_rule rule;
    struct policy_strategy strategy;
    struct policy_request request;
    struct policy_plan plan;
    struct cel_vm *vm;
    struct rng rng;
    double cost_left_usd;
    size_t first_step;
    bool keep_model;
    size_t refreshed;
};

static inline struct policy_candidates *decide_find(void *ctx, struct bytes model)
{
    struct decide_world *w = ctx;
    struct policy_candidates *c = bytes_equal(model, BYTES("l")) ? &w->l : &w->m;
    bool is_known = bytes_equal(model, BYTES("m")) || bytes_equal(model, BYTES("l"));
    return is_known && c->count > 0 ? c : NULL;
}

static inline enum policy_verdict decide_refresh(void *ctx, struct policy_candidate *c)
{
    struct decide_world *w = ctx;
    w->refreshed++;
    return (enum policy_verdict)w->verdicts[c - w->items];
}

static inline void use_preset(struct decide_world *w, const char *name)
{
    w->strategy = *policy_preset(bytes_from_str(name));
}

static inline int decide_setup(void **state)
{
    struct decide_world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &w->vm), ERR_OK);
    rng_init(&w->rng, 1);
    use_preset(w, "latency-first");
    w->rule = (struct policy_rule){
        .name = BYTES("r"), .strategy = &w->strategy, .last_resort = true, .rollout_percent = 100};
    w->rule.limits.hedge_after_ms = -1;
    w->rule.limits.hedge_percentile = NAN;
    w->request = (struct policy_request){.model = BYTES("m"),
                                         .task = BYTES("chat"),
                                         .input_tokens = 100,
                                         .output_tokens = 100,
                                         .deadline_ms = -1};
    w->cost_left_usd = NAN;
    w->m.items = w->items;
    *state = w;
    return 0;
}

static inline int decide_teardown(void **state)
{
    struct decide_world *w = *state;
    for (size_t i = 0; i < w->rule.require_count; i++)
        policy_cel_program_destroy(w->rule.require[i].program);
    for (size_t i = 0; i < w->rule.step_count; i++)
        policy_cel_program_destroy(w->rule.steps[i].where.program);
    policy_pools_clear(&w->m);
    policy_pools_clear(&w->l);
    policy_cel_vm_destroy(w->vm);
    free(w);
    return 0;
}

/* Healthy, idle, in eu, 1 ms away, 4 slots, 1 USD per million tokens. All of "m" come before those
 * of "l". */
static inline struct policy_candidate *add_to(struct decide_world *w, struct policy_candidates *set)
{
    size_t i = w->m.count + w->l.count;
    struct policy_candidate *c = &w->items[i];
    assert_true(i < WORLD_MAX);
    if (set->count++ == 0)
        set->items = c;
    snprintf(w->names[i], sizeof w->names[i], "n%zu", i);
    *c = (struct policy_candidate){.barred = ERR_OK};
    policy_facts_unknown(POLICY_STATIC, &c->facts);
    policy_facts_unknown(POLICY_LIVE, &c->live);
    c->facts.node = bytes_from_str(w->names[i]);
    c->facts.region = BYTES("eu");
    c->facts.tier = POLICY_EDGE;
    c->facts.model = set == &w->l ? BYTES("l") : BYTES("m");
    c->facts.price_input = c->facts.price_output = 0.001;
    c->live.slots = 4;
    c->live.age_ms = c->live.inflight = c->live.queued = c->live.own_inflight = 0;
    c->live.error_rate = c->live.loss = 0;
    c->live.warm = 1;
    c->live.rtt_us = 1000;
    c->live.prefill_us = 100;
    c->live.decode_us = c->live.first_us = 10000;
    c->live.weight = 1;
    c->live.output_tokens = c->live.turn = NAN;
    w->verdicts[i] = POLICY_SPARE;
    return c;
}

static inline struct policy_candidate *add_candidate(struct decide_world *w)
{
    return add_to(w, &w->m);
}

static inline void compile(const char *source, struct policy_predicate *p)
{
    struct cel_problem problem;
    const struct cel_env *env = policy_env();
    *p = (struct policy_predicate){.program = NULL};
    if (policy_cel_compile(env, bytes_from_str(source), &p->program, &problem) != ERR_OK)
        fail_msg("%s: %s", source, problem.text);
    for (size_t i = 0; i < env->fact_count; i++)
        if (policy_cel_reads(p->program, POLICY_CEL_WHOLE, i))
            p->reads[env->facts[i].group].bits |= 1ull << i;
    for (size_t part = 0; part < policy_cel_part_count(p->program); part++) {
        bool is_static = true;
        for (size_t i = 0; i < env->fact_count; i++)
            is_static &=
                env->facts[i].group == POLICY_STATIC || !policy_cel_reads(p->program, part, i);
        p->static_parts |= (uint64_t)is_static << part;
    }
}

static inline void require(struct decide_world *w, const char *source)
{
    compile(source, &w->rule.require[w->rule.require_count++]);
}

static inline struct policy_step *add_step(struct decide_world *w, const char *name,
                                           const char *where)
{
    struct policy_step *s = &w->rule.steps[w->rule.step_count++];
    *s = (struct policy_step){.name = bytes_from_str(name)};
    if (where)
        compile(where, &s->where);
    return s;
}

static inline enum err decide(struct decide_world *w)
{
    static const struct policy_ops ops = {decide_find, decide_refresh};
    struct policy_ask ask = {.rule = &w->rule,
                             .request = &w->request,
                             .model = w->request.model,
                             .cost_left_usd = w->cost_left_usd,
                             .first_step = w->first_step,
                             .keep_model = w->keep_model,
                             .vm = w->vm,
                             .rng = &w->rng,
                             .ops = &ops,
                             .ctx = w};
    return policy_decide(&ask, &w->plan);
}

/* The chosen one, or NULL. */
static inline const struct policy_candidate *chosen(struct decide_world *w)
{
    assert_int_equal(decide(w), ERR_OK);
    return w->plan.good > 0 ? w->plan.looks[0].candidate : NULL;
}

#define DECIDE_TEST(name) cmocka_unit_test_setup_teardown(name, decide_setup, decide_teardown)

#endif
