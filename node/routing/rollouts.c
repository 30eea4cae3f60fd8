/* See rollouts.h. Told by ingress/finish.c and by peers' records, renewed by policies.c. */
#include "node/routing/rollouts.h"

#include "base/crypto.h"
#include "node/lane.h"
#include "node/mesh/orders.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
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

static struct rollout *find_hash(const struct rollouts *r, uint64_t hash)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i]->hash == hash)
            return r->items[i];
    return NULL;
}

/* --- a new set */

static bool is_of_a_rollout(const struct policy_rule *rule)
{
    return rule->rollout_percent < 100 || rule->rollout_above > 0;
}

static uint64_t hash_of(const struct rollout *item)
{
    static const uint8_t same_everywhere[16] = {0};
    char text[POLICY_NAME_MAX + 32];
    int size = snprintf(text, sizeof text, "policy %s %" PRIu64, item->name, item->version);
    return crypto_siphash(same_everywhere, bytes_of(text, (size_t)size));
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
    item->hash = hash_of(item);
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

/* NULL: this version is not to be judged. */
static const struct policy_guard *guard_of(const struct lane *lane, const struct rollout *item)
{
    const struct policy_rule *rule = rule_of(lane->policies.set, item);
    return rule && rule->is_guarded && rule->rollout_percent < 100 ? &rule->guard : NULL;
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

bool rollouts_note(struct lane *lane, const struct rollout_outcome *outcome)
{
    struct rollouts *r = &lane->rollouts;
    uint64_t now_ms = io_now_ms(lane->loop);
    struct rollout *item = find(r, outcome->name, outcome->version);
    if (!item || item->is_withdrawn)
        return false;
    item->requests++;
    item->failures += outcome->is_failure;
    if (!outcome->is_failure)
        policy_sketch_add(&item->latency, outcome->latency_us, now_ms);
    if (outcome->cost_usd >= 0) {
        item->cost_usd += outcome->cost_usd;
        item->priced++;
    }
    const struct policy_guard *guard = guard_of(lane, item);
    const char *why = guard ? rollouts_judge(guard, item, baseline_of(r, item), now_ms) : NULL;
    if (!why)
        return false;
    item->is_accused = true;
    withdraw(lane, item, why);
    return true;
}

/* --- what others say */

size_t rollouts_accused(const struct rollouts *r, uint64_t *ret_hashes, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count && count < max; i++)
        if (r->items[i]->is_accused)
            ret_hashes[count++] = r->items[i]->hash;
    return count;
}

/* That of the same witness, else the oldest: three that count are enough. */
static struct policy_report *place_for(struct rollout *item, const struct id *witness)
{
    struct policy_report *oldest = &item->reports[0];
    for (size_t i = 0; i < ROLLOUTS_WITNESSES; i++) {
        struct policy_report *report = &item->reports[i];
        if (report->made_ms > 0 && id_equal(&report->witness, witness))
            return report;
        if (report->made_ms < oldest->made_ms)
            oldest = report;
    }
    return oldest;
}

static bool is_live(const struct policy_report *report, uint64_t now_ms)
{
    return report->made_ms > 0 && now_ms - report->made_ms < ROLLOUTS_WITNESS_MS;
}

void rollouts_report(struct lane *lane, uint64_t hash, const struct id *witness, uint64_t made_ms)
{
    const struct rollouts *r = &lane->rollouts;
    uint64_t now_ms = io_now_ms(lane->loop);
    struct rollout *item = find_hash(r, hash);
    const struct policy_guard *guard = item ? guard_of(lane, item) : NULL;
    if (!guard || item->is_withdrawn)
        return;
    struct policy_report report = {*witness, made_ms < now_ms ? made_ms : now_ms};
    struct policy_report *place = place_for(item, witness);
    if (report.made_ms > place->made_ms)
        *place = report;
    size_t live = 0;
    for (size_t i = 0; i < ROLLOUTS_WITNESSES; i++)
        live += is_live(&item->reports[i], now_ms);
    bool is_judged_here = item->requests >= (uint64_t)guard->samples; /* and it keeps its guards */
    if (live == ROLLOUTS_WITNESSES && !is_judged_here)
        withdraw(lane, item, "witnesses");
}
