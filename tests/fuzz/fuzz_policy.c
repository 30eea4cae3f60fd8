/* Documents of policies out of anything: refused with mistakes that lie within the text, or a set
 * in which all is what the contract says, and that matches; its tests run. */
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t count_lines(struct bytes text)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n' || text.data[i] == '\r';
    return lines;
}

static void check_mistakes(const struct policy_mistakes *mistakes, struct bytes text)
{
    CHECK(mistakes->count > 0 && mistakes->count <= POLICY_MISTAKES_MAX);
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct policy_mistake *m = &mistakes->items[i];
        CHECK(mistakes->source[i] == 0);
        CHECK(m->line >= 1 && m->column >= 1 && m->column <= text.size + 1 && m->text[0]);
        /* libyaml takes U+0085, U+2028 and U+2029 for ends of lines as well, and the end, too. */
        CHECK(m->line <= count_lines(text) + 1 + text.size / 2);
    }
}

static void check_predicate(const struct policy_predicate *p, struct cel_vm *vm)
{
    struct policy_values values[POLICY_GROUPS];
    const struct cel_value *const facts[] = {values[0].slots, values[1].slots, values[2].slots};
    const struct policy_request request = {.task = BYTES("video"), .input_tokens = -1};
    const struct policy_static seldom = {.tier = POLICY_EDGE, .context = 4096};
    const struct policy_live live = {.health = 1, .gpu_load = 0.5, .warm = -1};
    policy_facts_fill(POLICY_REQUEST, &request, p->reads[POLICY_REQUEST], &values[0]);
    policy_facts_fill(POLICY_STATIC, &seldom, p->reads[POLICY_STATIC], &values[1]);
    policy_facts_fill(POLICY_LIVE, &live, p->reads[POLICY_LIVE], &values[2]);
    bool whole = policy_holds(p, POLICY_ALL_PARTS, vm, facts);
    bool parts =
        policy_holds(p, p->static_parts, vm, facts) && policy_holds(p, ~p->static_parts, vm, facts);
    CHECK(whole == parts);
}

static void check_rule(const struct policy_rule *rule, struct cel_vm *vm)
{
    uint64_t weight = rule->split_count == 0;
    CHECK(rule->name.size && rule->name.size <= POLICY_NAME_MAX && rule->strategy);
    CHECK(rule->limits.attempts >= 1 && rule->limits.attempts <= POLICY_ATTEMPTS_MAX);
    CHECK(rule->rollout_percent <= 100 && rule->rollout_above <= 100);
    for (size_t i = 0; i < rule->split_count; i++)
        weight += rule->split[i].weight;
    CHECK(weight > 0);
    check_predicate(&rule->match, vm);
    for (size_t i = 0; i < rule->require_count; i++)
        check_predicate(&rule->require[i], vm);
    for (size_t i = 0; i < rule->step_count; i++) {
        CHECK(rule->steps[i].name.size > 0);
        check_predicate(&rule->steps[i].where, vm);
    }
}

/* All rules of a set that was made hold what they promise. */
static void check_set(const struct policy_set *set)
{
    struct cel_vm *vm;
    const struct policy_request request = {.task = BYTES("video"), .stream = true, .key = 7};
    CHECK(policy_cel_vm_create(POLICY_VM_BYTES, &vm) == ERR_OK);
    CHECK(policy_set_match(set, vm, &request)->strategy != NULL);
    for (size_t i = 0; i < policy_set_count(set); i++) {
        const struct policy_rule *rule = policy_set_rule(set, i);
        check_rule(rule, vm);
        CHECK(policy_set_find(set, rule->name) == rule);
        CHECK(i == 0 || policy_set_rule(set, i - 1)->specificity >= rule->specificity);
    }
    policy_cel_vm_destroy(vm);
}

static void run_tests(const struct policy_set *set)
{
    static struct policy_tests tests;
    for (size_t i = 0; i < policy_set_count(set); i++) {
        CHECK(policy_test(policy_set_rule(set, i), &tests) == ERR_OK);
        CHECK(tests.count <= POLICY_TESTS_MAX && tests.failed <= tests.count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy_mistakes mistakes;
    const struct policy_source source = {.text = bytes_of(data, size)};
    struct policy_set *set;
    enum err e = policy_set_create(&source, 1, &set, &mistakes);
    if (e == ERR_OK) {
        check_set(set);
        run_tests(set);
        policy_set_destroy(set);
    } else {
        CHECK(e == ERR_INVALID);
        check_mistakes(&mistakes, source.text);
    }
    return 0;
}
