/* See rollouts.h. Told by ingress/finish.c, renewed by policies.c. */
#include "node/routing/rollouts.h"

#include "node/lane.h"
#include "node/mesh/orders.h"

#include <math.h>
#include <stdlib.h>

void rollouts_init(struct rollouts *r)
{
    *r = (struct rollouts){.count = 0};
}

void rollouts_fini(struct rollouts *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->items[i]);
    r->count = 0;
}

static struct rollout *find(const struct rollouts *r, struct bytes name, uint64_t version)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i]->version == version && bytes_equal(bytes_from_str(r->items[i]->name), name))
            return r->items[i];
    return NULL;
}

/* --- a new set */

static bool is_of_a_rollout(const struct policy_rule *rule)
{
    return rule->rollout_percent < 100 || rule->rollout_above > 0;
}

static void watch(struct rollouts *r, const struct policy_rule *rule)
{
    if (r->count == ROLLOUTS_MAX || find(r, rule->name, rule->version))
        return;
    struct rollout *item = calloc(1, sizeof *item);
    if (!item)
        return;
    bytes_to_str(rule->name, item->name, sizeof item->name);
    item->version = rule->version;
    policy_sketch_init(&item->latency);
    r->items[r->count++] = item;
}

static bool is_in(const struct policy_set *set, const struct rollout *item)
{
    for (size_t i = 0; i < policy_set_count(set); i++) {
        const struct policy_rule *rule = policy_set_rule(set, i);
        if (rule->version == item->version && is_of_a_rollout(rule) &&
            bytes_equal(rule->name, bytes_from_str(item->name)))
            return true;
    }
    return false;
}

void rollouts_renew(struct rollouts *r, struct policy_set *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct rollout *item = r->items[i];
        if (!is_in(set, item)) {
            free(item);
            continue;
        }
        r->items[kept++] = item;
    }
    r->count = kept;
    for (size_t i = 0; i < policy_set_count(set); i++)
        if (is_of_a_rollout(policy_set_rule(set, i)))
            watch(r, policy_set_rule(set, i));
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i]->is_withdrawn)
            policy_set_withdraw(set, bytes_from_str(r->items[i]->name), r->items[i]->version);
}

/* --- judging */

static double mean_cost(const struct rollout *item)
{
    return item->priced > 0 ? item->cost_usd / (double)item->priced : NAN;
}

const char *rollouts_judge(const struct policy_guard *guard, const struct rollout *version,
                           const struct rollout *baseline, uint64_t now_ms)
{
    uint64_t p99_us;
    if (version->requests < (uint64_t)guard->samples)
        return NULL;
    if ((double)version->failures > guard->error_rate * (double)version->requests)
        return "error_rate";
    if (guard->p99_ms >= 0 && policy_sketch_count(&version->latency, now_ms) > 0 &&
        policy_sketch_quantile(&version->latency, 0.99, now_ms, &p99_us) &&
        p99_us > (uint64_t)guard->p99_ms * 1000)
        return "p99";
    if (baseline && baseline->priced >= (uint64_t)guard->samples &&
        mean_cost(version) > guard->cost_ratio * mean_cost(baseline))
        return "cost";
    return NULL;
}

/* The newest one of its name that is older. */
static const struct rollout *baseline_of(const struct rollouts *r, const struct rollout *item)
{
    const struct rollout *best = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct rollout *other = r->items[i];
        if (strcmp(other->name, item->name) == 0 && other->version < item->version &&
            (!best || other->version > best->version))
            best = other;
    }
    return best;
}

static const struct policy_rule *rule_of(const struct policy_set *set, const struct rollout *item)
{
    for (size_t i = 0; i < policy_set_count(set); i++) {
        const struct policy_rule *rule = policy_set_rule(set, i);
        if (rule->version == item->version && bytes_equal(rule->name, bytes_from_str(item->name)))
            return rule;
    }
    return NULL;
}

static void withdraw(struct lane *lane, struct rollout *item, const char *why)
{
    uint64_t p99_us = 0;
    (void)policy_sketch_quantile(&item->latency, 0.99, io_now_ms(lane->loop), &p99_us);
    item->is_withdrawn = true;
    lane->rollouts.withdrawn++;
    policy_set_withdraw(lane->policies.set, bytes_from_str(item->name), item->version);
    LOG(lane->log, LOG_ERROR, "policy_withdrawn", LOG_STR("policy", item->name),
        LOG_UINT("version", item->version), LOG_STR("guard", why),
        LOG_UINT("requests", item->requests), LOG_UINT("failures", item->failures),
        LOG_UINT("p99_us", p99_us));
    events_add_policy(mesh_events(lane->mesh), io_wall_ms(lane->loop), item->name, item->version,
                      why);
}

void rollouts_note(struct lane *lane, const struct rollout_outcome *outcome)
{
    struct rollouts *r = &lane->rollouts;
    uint64_t now_ms = io_now_ms(lane->loop);
    struct rollout *item = find(r, outcome->name, outcome->version);
    if (!item || item->is_withdrawn)
        return;
    item->requests++;
    item->failures += outcome->is_failure;
    if (!outcome->is_failure)
        policy_sketch_add(&item->latency, outcome->latency_us, now_ms);
    if (outcome->cost_usd >= 0) {
        item->cost_usd += outcome->cost_usd;
        item->priced++;
    }
    const struct policy_rule *rule = rule_of(lane->policies.set, item);
    if (!rule || !rule->is_guarded || rule->rollout_percent == 100)
        return;
    const char *why = rollouts_judge(&rule->guard, item, baseline_of(r, item), now_ms);
    if (why)
        withdraw(lane, item, why);
}
