/* One document: what every kind has (apiVersion, kind, metadata), then its spec by kind. Called by
 * document_set.c for each document of a source. */
#include "policy/document_head.h"
#include "policy/try_read.h"

#include <math.h>

#define API "grapevine/v1"

/* The values of a document's keys; NULL where it has none. */
struct parts {
    bool is_api;
    const struct yaml_item *kind, *metadata, *spec, *tests;
};

static void read_api(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    bool *is_api = owner;
    *is_api = v->kind == YAML_SCALAR && bytes_equal(v->text, BYTES(API));
    if (!*is_api)
        policy_mistake(r, v, "expected " API);
}

static void read_name(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    struct policy_head *head = owner;
    struct bytes name;
    if (!policy_read_name(r, v, &name))
        return;
    if (head->name.size && !bytes_equal(head->name, name))
        policy_mistake(r, v, "expected %.*s, under which it is kept", (int)head->name.size,
                       (const char *)head->name.data);
    head->name = name;
}

static void read_metadata(struct policy_reader *r, const struct yaml_item *v,
                          struct policy_head *head)
{
    static const struct policy_key keys[] = {POLICY_OWN_KEY("name", read_name, .is_needed = true)};
    size_t up = policy_path_down(r, BYTES("metadata"), SIZE_MAX);
    policy_read_map(r, v, keys, 1, head);
    policy_path_up(r, up);
}

static void read_route_policy(struct policy_reader *r, const struct yaml_item *spec,
                              struct policy_head *head)
{
    struct policy_rule *rule = policy_keep(r, sizeof *rule);
    if (!rule)
        return;
    *rule = *policy_rule_default();
    rule->name = head->name;
    rule->version = head->version;
    rule->source = policy_keep_bytes(r, r->text);
    rule->source_index = r->source;
    rule->line_offset = r->line_offset;
    head->rule = rule;
    policy_read_rule(r, spec, rule);
}

static void read_strategy(struct policy_reader *r, const struct yaml_item *spec,
                          struct policy_head *head)
{
    struct policy_strategy *strategy = policy_keep(r, sizeof *strategy);
    if (!strategy)
        return;
    strategy->name = head->name;
    head->strategy = strategy;
    policy_read_strategy(r, spec, strategy);
}

static void read_spec(struct policy_reader *r, const struct parts *parts, struct policy_head *head)
{
    bool is_text = parts->kind->kind == YAML_SCALAR;
    bool is_rule = is_text && bytes_equal(parts->kind->text, BYTES("RoutePolicy"));
    bool is_strategy = is_text && bytes_equal(parts->kind->text, BYTES("Strategy"));
    if (!is_rule && !is_strategy)
        policy_mistake(r, parts->kind, "kind: expected RoutePolicy or Strategy");
    else if (parts->spec->kind != YAML_MAP)
        policy_mistake(r, parts->spec, "spec: expected a mapping, found %s",
                       yaml_item_describe(parts->spec));
    else if (is_rule)
        read_route_policy(r, parts->spec, head);
    else
        read_strategy(r, parts->spec, head);
    if (is_rule && parts->tests && head->rule) {
        const struct policy_case_taker checked = {.rule = head->rule};
        policy_read_cases(r, parts->tests, &checked);
    }
    if (is_strategy && parts->tests)
        policy_mistake(r, parts->tests->key, "tests: only a RoutePolicy has tests");
    if (is_strategy && policy_preset(head->name))
        policy_mistake(r, parts->metadata, "metadata.name: this strategy is built in");
}

void policy_read_document(struct policy_reader *r, const struct yaml_item *root,
                          struct policy_head *head)
{
    static const struct policy_key keys[] = {
        POLICY_OWN_KEY("apiVersion", read_api, .is_needed = true),
        POLICY_KEY("kind", ITEM, parts, kind, .is_needed = true),
        POLICY_KEY("metadata", ITEM, parts, metadata, .is_needed = true),
        POLICY_KEY("spec", ITEM, parts, spec, .is_needed = true),
        POLICY_KEY("tests", ITEM, parts, tests)};
    struct parts parts = {.is_api = false};
    head->line = root->line + r->line_offset;
    head->column = root->column;
    policy_read_map(r, root, keys, sizeof keys / sizeof keys[0], &parts);
    if (parts.metadata)
        read_metadata(r, parts.metadata, head);
    if (parts.kind && parts.spec && head->name.size)
        read_spec(r, &parts, head);
}

const struct policy_rule *policy_rule_default(void)
{
    static const struct policy_rule rule = {
        .name = {(const uint8_t *)"default", sizeof "default" - 1},
        .last_resort = true,
        .limits = {.deadline_ms = -1,
                   .attempts = POLICY_ATTEMPTS_MAX,
                   .hedge_after_ms = -1,
                   .hedge_percentile = NAN,
                   .cost_max_usd = NAN},
        .rollout_percent = 100,
        .guard = {NAN, NAN, -1, POLICY_GUARD_SAMPLES},
        .strategy = &policy_presets[0],
        .strategy_name = {(const uint8_t *)"latency-first", sizeof "latency-first" - 1},
    };
    return &rule;
}
