/* Strategies: the three presets, documents that set weights of their own, and how a policy's
 * strategy is found by its name. */
#include "policy/document_read.h"

#include <math.h>

#define WEIGHT_MAX 1e6
#define COST_MAX 1e6 /* USD */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

/* Relative to each other: what a second, a thousandth of a dollar, a per cent of failing cost. What
 * a preset is not about still decides among those that are as good as equal. */
const struct policy_strategy policy_presets[] = {
    {TEXT("latency-first"),
     {.latency = 1, .cost = 0.01, .failure = 0.05, .latency_max_ms = -1, .cost_max_usd = NAN}},
    {TEXT("cost-optimized"),
     {.latency = 0.0005, .cost = 1, .failure = 0.0005, .latency_max_ms = -1, .cost_max_usd = NAN}},
    {TEXT("availability-first"),
     {.latency = 0.05,
      .cost = 0.005,
      .failure = 1,
      .latency_max_ms = -1,
      .cost_max_usd = NAN,
      .retry_same = true}},
};
#define PRESETS (sizeof policy_presets / sizeof policy_presets[0])

const struct policy_strategy *policy_preset(struct bytes name)
{
    for (size_t i = 0; i < PRESETS; i++)
        if (bytes_equal(name, policy_presets[i].name))
            return &policy_presets[i];
    return NULL;
}

void policy_refer(struct policy_reader *r, const struct yaml_item *item, struct bytes *ret_name,
                  const struct policy_strategy **strategy)
{
    struct bytes name;
    if (!policy_read_name(r, item, &name))
        return;
    struct policy_reference *reference = policy_keep(r, sizeof *reference);
    *ret_name = name;
    if (!reference)
        return;
    *reference = (struct policy_reference){.next = r->making->references,
                                           .strategy = strategy,
                                           .name = name,
                                           .source = r->source,
                                           .line = item->line + r->line_offset,
                                           .column = item->column};
    memcpy(reference->path, r->path, sizeof reference->path);
    r->making->references = reference;
}

/* --- documents */

#define WEIGHT(field) POLICY_KEY(#field, REAL, policy_weights, field, .max = WEIGHT_MAX)
static void read_weights(struct policy_reader *r, const struct yaml_item *v, void *owner)
{
    static const struct policy_key keys[] = {WEIGHT(latency), WEIGHT(cost), WEIGHT(failure)};
    const struct policy_weights *weights = owner;
    size_t mistakes = r->mistakes->count;
    policy_read_map(r, v, keys, sizeof keys / sizeof keys[0], owner);
    if (r->mistakes->count == mistakes && weights->latency + weights->cost + weights->failure <= 0)
        policy_mistake(r, v, "weighs nothing: latency, cost or failure has to count");
}

void policy_read_strategy(struct policy_reader *r, const struct yaml_item *spec,
                          struct policy_strategy *strategy)
{
    static const struct policy_key keys[] = {
        POLICY_OWN_KEY("weights", read_weights, .is_needed = true),
        POLICY_KEY("latency_max", DURATION, policy_weights, latency_max_ms),
        POLICY_KEY("cost_max_usd", REAL, policy_weights, cost_max_usd, .max = COST_MAX),
        POLICY_KEY("retry_same", BOOL, policy_weights, retry_same)};
    strategy->weights = (struct policy_weights){.latency_max_ms = -1, .cost_max_usd = NAN};
    policy_read_map(r, spec, keys, sizeof keys / sizeof keys[0], &strategy->weights);
}
