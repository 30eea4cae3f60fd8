/* See policies.h. Called when rules change; never per request. */
#include "node/routing/policies.h"

#include "node/lane.h"

#include <stdlib.h>

#define NO_KEY bytes_of(NULL, 0)

struct sources {
    struct policy_source *items; /* texts are the reader's: valid while it is not renewed */
    size_t count, capacity;
    enum err err;
};

static void push(struct sources *s, const struct registry_policy *policy)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 16;
        struct policy_source *items = realloc(s->items, capacity * sizeof *items);
        if (!items) {
            s->err = ERR_NO_MEMORY;
            return;
        }
        s->items = items;
        s->capacity = capacity;
    }
    s->items[s->count++] = (struct policy_source){policy->name, policy->version, policy->document};
}

static bool on_policy(void *ctx, const struct registry_row *row)
{
    struct sources *s = ctx;
    push(s, &row->doc.policy);
    return s->err == ERR_OK;
}

/* What a rollout does not take is decided by the version before it. */
static void add_baselines(const struct registry_reader *reader, const struct policy_set *set,
                          struct sources *s)
{
    size_t count = s->count;
    for (size_t i = 0; i < count && s->err == ERR_OK; i++) {
        const struct policy_rule *rule = policy_set_find(set, s->items[i].name);
        uint8_t space[sizeof(uint64_t)];
        struct buf version;
        struct registry_row row;
        if (!rule || rule->rollout_percent == 100 || rule->version < 2)
            continue;
        buf_init_fixed(&version, space, sizeof space);
        if (buf_append_u64(&version, rule->version - 1) == ERR_OK &&
            registry_get(reader, REGISTRY_POLICY_VERSION, rule->name, buf_bytes(&version), &row) ==
                ERR_OK)
            push(s, &row.doc.policy);
    }
}

static bool has_rollout(const struct policy_set *set)
{
    for (size_t i = 0; i < policy_set_count(set); i++)
        if (policy_set_rule(set, i)->rollout_percent < 100)
            return true;
    return false;
}

static enum err make(const struct registry_reader *reader, struct policy_set **ret_set,
                     struct policy_mistakes *mistakes)
{
    struct sources s = {.err = ERR_OK};
    struct policy_set *set = NULL;
    enum err e = registry_scan(reader, REGISTRY_POLICY, NO_KEY, on_policy, &s);
    if (e == ERR_OK)
        e = s.err;
    if (e == ERR_OK)
        e = policy_set_create(s.items, s.count, &set, mistakes);
    if (e == ERR_OK && has_rollout(set)) {
        add_baselines(reader, set, &s);
        policy_set_destroy(set);
        set = NULL;
        e = s.err == ERR_OK ? policy_set_create(s.items, s.count, &set, mistakes) : s.err;
    }
    free(s.items);
    if (e == ERR_OK)
        *ret_set = set;
    return e;
}

static bool reads_headers(const struct policy_predicate *p)
{
    for (size_t i = 0; p->program && i < policy_fact_count; i++)
        if (policy_facts[i].encoding == POLICY_PAIRS && policy_facts[i].group == POLICY_REQUEST &&
            policy_cel_reads(p->program, POLICY_CEL_WHOLE, i))
            return true;
    return false;
}

static bool rule_reads_headers(const struct policy_rule *rule)
{
    bool reads = reads_headers(&rule->match) || reads_headers(&rule->sticky);
    for (size_t i = 0; i < rule->require_count; i++)
        reads |= reads_headers(&rule->require[i]);
    for (size_t i = 0; i < rule->step_count; i++)
        reads |= reads_headers(&rule->steps[i].where);
    return reads;
}

enum err policies_init(struct policies *p)
{
    struct policy_mistakes mistakes;
    *p = (struct policies){.set = NULL};
    TRY(policy_cel_vm_create(POLICIES_VM_BYTES, &p->vm));
    enum err e = policy_set_create(NULL, 0, &p->set, &mistakes);
    if (e != ERR_OK)
        policies_fini(p);
    return e;
}

void policies_fini(struct policies *p)
{
    policy_set_destroy(p->set);
    policy_cel_vm_destroy(p->vm);
    *p = (struct policies){.set = NULL};
}

static void refuse(struct lane *lane, enum err e, const struct policy_mistakes *mistakes)
{
    struct policies *p = &lane->policies;
    const struct policy_mistake *first = &mistakes->items[0];
    bool has_place = e == ERR_INVALID && mistakes->count > 0;
    p->failures++;
    if (!p->is_broken && p->reloads == 0) { /* what stands there may forbid: nothing may run */
        policy_set_destroy(p->set);
        p->set = NULL;
    }
    p->is_broken = true;
    LOG(lane->log, LOG_ERROR, "policies_refused", LOG_ERR(e),
        LOG_STR("what", has_place ? first->text : ""),
        LOG_UINT("line", has_place ? first->line : 0),
        LOG_STR("in_force", p->set ? "the ones before" : "none: nothing is routed"));
}

void policies_load(struct lane *lane)
{
    struct policies *p = &lane->policies;
    const struct registry_reader *reader = lane->rules ? rules_reader(lane->rules) : NULL;
    struct policy_mistakes mistakes = {.count = 0};
    struct policy_set *set;
    if (!reader)
        return;
    enum err e = make(reader, &set, &mistakes);
    if (e != ERR_OK) {
        refuse(lane, e, &mistakes);
        return;
    }
    candidates_invalidate(&lane->candidates); /* their pools belong to the set before */
    policy_set_destroy(p->set);
    p->set = set;
    rollouts_renew(&lane->rollouts, set);
    p->is_broken = false;
    p->reloads++;
    p->reads_headers = false;
    for (size_t i = 0; i < policy_set_count(set); i++)
        p->reads_headers |= rule_reads_headers(policy_set_rule(set, i));
    LOG(lane->log, LOG_INFO, "policies_loaded", LOG_UINT("count", policy_set_count(set)));
}
