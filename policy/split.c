/* Which version of a model a policy's split gives a request: by weight, the same for the same key.
 * Called by whoever begins a request. */
#include "policy/decide.h"

#include "base/crypto.h"

/* The sticky text decides where the policy names one and it is known, else the request's key. */
static uint64_t key_of(const struct policy_rule *rule, struct cel_vm *vm,
                       const struct policy_request *request)
{
    static const uint8_t seed[16] = {0}; /* the same on every node */
    struct policy_values values;
    const struct cel_value *facts[POLICY_GROUPS] = {values.slots, NULL, NULL};
    if (!rule->sticky.program)
        return request->key;
    policy_facts_fill(POLICY_REQUEST, request, rule->sticky.reads[POLICY_REQUEST], &values);
    struct bytes text = policy_text(&rule->sticky, vm, facts);
    return text.size > 0 ? crypto_siphash(seed, text) : request->key;
}

struct bytes policy_split(const struct policy_rule *rule, struct cel_vm *vm,
                          const struct policy_request *request)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rule->split_count; i++)
        sum += rule->split[i].weight;
    if (sum == 0)
        return bytes_of(NULL, 0);
    uint64_t point = key_of(rule, vm, request) % sum;
    size_t i = 0;
    while (point >= rule->split[i].weight)
        point -= rule->split[i++].weight;
    return rule->split[i].version;
}
