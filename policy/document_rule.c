/* The spec of a RoutePolicy, key by key, and what has to fit together in it: steps that can be
 * reached, conditions that can be true, limits that leave room. */
#include "policy/document_read.h"

#include <math.h>
#include <stdio.h>

#define COST_MAX 1e6 /* USD of a request: against slips of the decimal point */
#define REQUEST_GROUP (1u << POLICY_REQUEST)
#define ALL_GROUPS ((1u << POLICY_GROUPS) - 1)

#define KEYS(keys) keys, sizeof keys / sizeof keys[0]

/* --- steps */

static void read_where(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_step *step = owner;
    step->where.line = v->line; /* there is one, even if it is mistaken */
    policy_read_expression(r, v, ALL_GROUPS, false, &step->where);
}

static void read_model(struct policy_reader *r, const struct yaml_item *item, size_t index,
                       void *owner)
{
    struct policy_step *step = owner;
    if (!policy_read_name(r, item, &step->models[index]))
        return;
    for (size_t i = 0; i < index; i++)
        if (bytes_equal(step->models[i], step->models[index]))
            policy_mistake(r, item, "stands here twice");
    step->model_count = index + 1;
}

static void read_models(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    policy_read_list(r, v, POLICY_MODELS_MAX, read_model, owner);
}

static void read_step_strategy(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_step *step = owner;
    struct bytes name;
    policy_refer(r, v, &name, &step->strategy);
}

static void check_step(struct policy_reader *r, const struct yaml_item *item,
                       const struct policy_rule *rule, size_t index)
{
    const struct policy_step *step = &rule->steps[index];
    for (size_t i = 0; i < index; i++) {
        const struct policy_step *before = &rule->steps[i];
        if (step->name.size && bytes_equal(before->name, step->name))
            policy_mistake(r, item, "steps[%zu] has this name, too", i);
        if (before->where.line == 0 && !before->model_count && !step->model_count) {
            policy_mistake(r, item, "is never reached: steps[%zu] already takes every node", i);
            return;
        }
    }
}

static void read_step(struct policy_reader *r, const struct yaml_item *item, size_t index,
                      void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_KEY("name", NAME, policy_step, name, .is_needed = true),
        POLICY_OWN_KEY("where", read_where), POLICY_OWN_KEY("models", read_models),
        POLICY_OWN_KEY("strategy", read_step_strategy)};
    struct policy_rule *rule = owner;
    size_t mistakes = r->mistakes->count;
    policy_read_map(r, item, KEYS(keys), &rule->steps[index]);
    rule->step_count = index + 1;
    if (r->mistakes->count == mistakes) /* else what is missing may be a slip */
        check_step(r, item, rule, index);
}

/* --- limits */

static void read_attempts(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_rule *rule = owner;
    uint64_t attempts;
    if (policy_read_count(r, v, 1, POLICY_ATTEMPTS_MAX, &attempts))
        rule->limits.attempts = (uint32_t)attempts;
}

/* "p95" is the 95th percentile of what was seen, anything else a duration. */
static void read_hedge_after(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_rule *rule = owner;
    struct yaml_item number = *v;
    double percentile;
    if (v->kind != YAML_SCALAR || !bytes_starts_with(v->text, BYTES("p"))) {
        policy_read_duration(r, v, &rule->limits.hedge_after_ms);
        return;
    }
    number.text = bytes_skip(v->text, 1);
    number.quoted = false;
    if (policy_read_real(r, &number, 1, 99.9, &percentile))
        rule->limits.hedge_percentile = percentile / 100;
}

static void read_limits(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_KEY("deadline", DURATION, policy_rule, limits.deadline_ms),
        POLICY_OWN_KEY("attempts", read_attempts), POLICY_OWN_KEY("hedge_after", read_hedge_after),
        POLICY_KEY("max_cost_usd", REAL, policy_rule, limits.cost_max_usd, .max = COST_MAX)};
    const struct policy_rule *rule = owner;
    policy_read_map(r, v, KEYS(keys), owner);
    bool hedges = rule->limits.hedge_after_ms >= 0 || !isnan(rule->limits.hedge_percentile);
    if (hedges && rule->limits.attempts < 2)
        policy_mistake(r, v, "hedge_after needs attempts of 2 or more");
    if (rule->limits.deadline_ms >= 0 && rule->limits.hedge_after_ms >= rule->limits.deadline_ms)
        policy_mistake(r, v, "hedge_after is not before the deadline");
}

/* --- split, rollout */

static void read_share(struct policy_reader *r, const struct yaml_item *item, size_t index,
                       void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_KEY("version", NAME, policy_share, version, .is_needed = true),
        POLICY_KEY("weight", COUNT, policy_share, weight, .max = POLICY_SPLIT_WEIGHT_MAX,
                   .is_needed = true)};
    struct policy_rule *rule = owner;
    struct policy_share *share = &rule->split[index];
    policy_read_map(r, item, KEYS(keys), share);
    for (size_t i = 0; i < index && share->version.size; i++)
        if (bytes_equal(rule->split[i].version, share->version))
            policy_mistake(r, item, "split[%zu] has this version, too", i);
    rule->split_count = index + 1;
}

static void read_split(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    const struct policy_rule *rule = owner;
    uint64_t sum = 0;
    size_t mistakes = r->mistakes->count;
    policy_read_list(r, v, POLICY_SPLIT_MAX, read_share, owner);
    for (size_t i = 0; i < rule->split_count; i++)
        sum += rule->split[i].weight;
    if (sum == 0 && r->mistakes->count == mistakes)
        policy_mistake(r, v, "no version has a weight");
}

static void read_guard_samples(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_guard *guard = owner;
    uint64_t samples;
    if (policy_read_count(r, v, 1, 1000000, &samples))
        guard->samples = (int64_t)samples;
}

static void read_guard(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_KEY("error_rate", REAL, policy_guard, error_rate, .max = 1),
        POLICY_KEY("p99", DURATION, policy_guard, p99_ms),
        POLICY_KEY("cost_ratio", REAL, policy_guard, cost_ratio, .min = 0.1, .max = 1000),
        POLICY_OWN_KEY("samples", read_guard_samples)};
    struct policy_rule *rule = owner;
    policy_read_map(r, v, KEYS(keys), &rule->guard);
    rule->is_guarded =
        !isnan(rule->guard.error_rate) || !isnan(rule->guard.cost_ratio) || rule->guard.p99_ms >= 0;
    if (!rule->is_guarded)
        policy_mistake(r, v, "guards nothing: error_rate, p99 or cost_ratio is needed");
}

static void read_percent(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_rule *rule = owner;
    uint64_t percent;
    if (policy_read_count(r, v, 0, 100, &percent))
        rule->rollout_percent = (uint32_t)percent;
}

static void read_rollout(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    static const struct policy_key keys[] = {
        POLICY_OWN_KEY("percent", read_percent, .is_needed = true),
        POLICY_OWN_KEY("guard", read_guard)};
    policy_read_map(r, v, KEYS(keys), owner);
}

/* --- the spec */

static void read_match(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_rule *rule = owner;
    if (policy_read_expression(r, v, REQUEST_GROUP, false, &rule->match))
        rule->specificity = policy_cel_part_count(rule->match.program);
}

static void read_required(struct policy_reader *r, const struct yaml_item *item, size_t index,
                          void *owner)
{
    struct policy_rule *rule = owner;
    policy_read_expression(r, item, ALL_GROUPS, false, &rule->require[index]);
    rule->require_count = index + 1;
}

static void read_require(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    policy_read_list(r, v, POLICY_REQUIRE_MAX, read_required, owner);
}

static void read_rule_strategy(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_rule *rule = owner;
    policy_refer(r, v, &rule->strategy_name, &rule->strategy);
}

static void read_steps(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    policy_read_list(r, v, POLICY_STEPS_MAX, read_step, owner);
}

static void read_sticky(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_rule *rule = owner;
    policy_read_expression(r, v, REQUEST_GROUP, true, &rule->sticky);
}

/* --- what stands against what */

struct condition {
    const struct policy_predicate *predicate;
    size_t index;
    const char *name; /* "require"; steps' where is "steps" */
};

static void check_pair(struct policy_reader *r, const struct condition *a,
                       const struct condition *b)
{
    char one[40], other[40];
    if (!a->predicate->program || !b->predicate->program ||
        !policy_cel_excludes(a->predicate->program, b->predicate->program))
        return;
    if (a->index == SIZE_MAX)
        snprintf(one, sizeof one, "%s", a->name);
    else
        snprintf(one, sizeof one, "%s[%zu]", a->name, a->index);
    bool is_step = strcmp(b->name, "steps") == 0;
    snprintf(other, sizeof other, "%s[%zu]%s", b->name, b->index, is_step ? ".where" : "");
    policy_mistake_at(r->mistakes, r->source, b->predicate->line, b->predicate->column,
                      "%s: is never true together with %s", other, one);
}

static void check_pairs(struct policy_reader *r, const struct policy_rule *rule)
{
    struct condition all[1 + POLICY_REQUIRE_MAX] = {{&rule->match, SIZE_MAX, "match"}};
    size_t count = 1;
    for (size_t i = 0; i < rule->require_count; i++)
        all[count++] = (struct condition){&rule->require[i], i, "require"};
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            check_pair(r, &all[k], &all[i]);
    for (size_t s = 0; s < rule->step_count; s++)
        for (size_t k = 0; k < count; k++)
            check_pair(r, &all[k], &(struct condition){&rule->steps[s].where, s, "steps"});
}

void policy_read_rule(struct policy_reader *r, const struct yaml_item *spec,
                      struct policy_rule *rule)
{
    static const struct policy_key keys[] = {
        POLICY_OWN_KEY("match", read_match),
        POLICY_OWN_KEY("require", read_require),
        POLICY_OWN_KEY("strategy", read_rule_strategy),
        POLICY_OWN_KEY("steps", read_steps),
        POLICY_OWN_KEY("limits", read_limits),
        POLICY_OWN_KEY("split", read_split),
        POLICY_OWN_KEY("sticky", read_sticky),
        POLICY_OWN_KEY("rollout", read_rollout),
        POLICY_KEY("last_resort", BOOL, policy_rule, last_resort)};
    policy_read_map(r, spec, KEYS(keys), rule);
    if (rule->sticky.program && rule->split_count == 0)
        policy_mistake(r, spec, "sticky has no split to hold to");
    check_pairs(r, rule);
}
