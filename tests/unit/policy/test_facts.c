/* Facts out of structs: each under its name, and absent where it is not known or cannot be. */
#include "tests/unit/policy/cel_fixture.h"

#include <math.h>

static struct policy_live known_live(void)
{
    return (struct policy_live){.age_ms = 1500,
                                .health = 0.5,
                                .inflight = 3,
                                .queued = 0,
                                .slots = 8,
                                .kv = 1,
                                .gpu_load = 0.25,
                                .gpu_memory = 0,
                                .gpu_temperature = -4,
                                .ttft_p50_us = 1.5,
                                .ttft_p99_us = 2e6,
                                .latency_p50_us = 0,
                                .latency_p99_us = 9e6,
                                .error_rate = 0.01,
                                .warm = 1,
                                .rtt_us = 250,
                                .loss = 0};
}

/* What `expression` gives over these three, as text; "absent" where a fact is. */
static void assert_over(const struct policy_request *r, const struct policy_static *s,
                        const struct policy_live *l, const char *expression, const char *shown)
{
    const void *const from[] = {r, s, l};
    struct policy_values values[POLICY_GROUPS];
    const struct cel_value *facts[POLICY_GROUPS];
    struct cel_program *program;
    struct cel_problem problem;
    struct cel_vm *vm;
    char text[512] = "absent";
    struct buf out;
    for (unsigned g = 0; g < POLICY_GROUPS; g++) {
        policy_facts_fill(g, from[g], (struct policy_wanted){UINT64_MAX}, &values[g]);
        facts[g] = values[g].slots;
    }
    if (policy_cel_compile(policy_env(), bytes_from_str(expression), &program, &problem) != ERR_OK)
        fail_msg("%s: %s", expression, problem.text);
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    struct cel_value v = policy_cel_eval(vm, program, POLICY_CEL_WHOLE, facts);
    buf_init_fixed(&out, (uint8_t *)text, sizeof text - 1);
    if (v.kind < CEL_ERROR) {
        assert_int_equal(policy_cel_show(v, &out), ERR_OK);
        text[out.size] = 0;
    }
    if (strcmp(text, shown) != 0)
        fail_msg("%s gives %s, not %s", expression, text, shown);
    policy_cel_vm_destroy(vm);
    policy_cel_program_destroy(program);
}

static void every_fact_is_a_declared_variable_of_its_group(void **state)
{
    const struct cel_env *env = policy_env();
    uint64_t seen[POLICY_GROUPS] = {0};
    assert_int_equal(env->fact_count, policy_fact_count);
    for (size_t i = 0; i < policy_fact_count; i++) {
        assert_string_equal(env->facts[i].name, policy_facts[i].name);
        assert_int_equal(env->facts[i].group, policy_facts[i].group);
        assert_true(env->facts[i].slot < POLICY_SLOTS_MAX);
        assert_false(seen[env->facts[i].group] >> env->facts[i].slot & 1);
        seen[env->facts[i].group] |= (uint64_t)1 << env->facts[i].slot;
        assert_true(policy_facts[i].meaning[0] != 0);
    }
}

static void facts_of_a_request_have_the_values_of_its_fields(void **state)
{
    const struct policy_pair headers[] = {{BYTES("x-team"), BYTES("red")},
                                          {BYTES("x-team"), BYTES("blue")}};
    const struct policy_request r = {.path = BYTES("/v1/x"),
                                     .task = BYTES("video"),
                                     .headers = headers,
                                     .header_count = 2,
                                     .stream = true,
                                     .input_tokens = 0,
                                     .output_tokens = -1,
                                     .priority = -2,
                                     .deadline_ms = 1500,
                                     .wall_ms = -1};
    const struct policy_static s = {.price_input = NAN};
    const struct policy_live l = known_live();
    static const struct expectation all[] = {
        {"request.path", "\"/v1/x\""},
        {"request.task == \"video\"", "true"},
        {"request.tenant", "absent"},
        {"has(request.tenant)", "false"},
        {"request.headers[\"x-team\"]", "\"red\""},
        {"request.stream", "true"},
        {"request.input_tokens", "0"},
        {"request.output_tokens", "absent"},
        {"request.priority", "-2"},
        {"request.deadline == duration(\"1.5s\")", "true"},
        {"now == timestamp(\"1969-12-31T23:59:59.999Z\")", "true"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_over(&r, &s, &l, all[i].expression, all[i].shown);
}

static void facts_of_a_candidate_have_the_values_of_its_fields(void **state)
{
    const struct policy_pair labels[] = {{BYTES("gpu"), BYTES("l4")}};
    const struct policy_request r = {.input_tokens = -1};
    const struct policy_static s = {.node = BYTES("n1"),
                                    .tier = POLICY_REGIONAL,
                                    .labels = labels,
                                    .label_count = 1,
                                    .context = 8192,
                                    .parameters = -1,
                                    .price_input = 0,
                                    .price_output = NAN,
                                    .egress_price = -1,
                                    .local = true};
    const struct policy_live l = known_live();
    static const struct expectation all[] = {
        {"node.name", "\"n1\""},
        {"node.tier", "\"regional\""},
        {"node.labels.gpu", "\"l4\""},
        {"node.spot || node.local", "true"},
        {"model.context", "8192"},
        {"model.size", "absent"},
        {"price.input", "0.0"},
        {"price.output", "absent"},
        {"link.egress_price", "absent"},
        {"node.age", "duration(\"1.5s\")"},
        {"backend.gpu.load", "0.25"},
        {"backend.gpu.temperature", "-4.0"},
        {"backend.ttft.p50 == duration(\"1500ns\")", "true"},
        {"backend.warm", "true"},
        {"link.rtt < duration(\"50ms\")", "true"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_over(&r, &s, &l, all[i].expression, all[i].shown);
}

static void what_cannot_be_is_absent(void **state)
{
    const struct policy_request r = {.wall_ms = INT64_MAX, .deadline_ms = INT64_MAX};
    const struct policy_static s = {.tier = (enum policy_tier)77, .price_request = INFINITY};
    struct policy_live l = known_live();
    l.health = 1.5;
    l.kv = -0.25;
    l.gpu_load = NAN;
    l.gpu_temperature = -INFINITY;
    l.ttft_p50_us = 1e300;
    l.latency_p50_us = -1;
    l.warm = 7;
    l.age_ms = -1;
    static const char *const all[] = {"now",         "request.deadline", "node.tier",
                                      "node.name",   "price.request",    "node.health",
                                      "backend.kv",  "backend.gpu.load", "backend.gpu.temperature",
                                      "node.age",    "backend.ttft.p50", "backend.latency.p50",
                                      "backend.warm"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_over(&r, &s, &l, all[i], "absent");
}

static void more_labels_than_there_may_be_are_none_that_can_be_trusted(void **state)
{
    struct policy_pair headers[POLICY_PAIRS_MAX + 1];
    struct policy_request r = {.headers = headers, .header_count = POLICY_PAIRS_MAX};
    const struct policy_static s = {.price_input = NAN};
    const struct policy_live l = known_live();
    for (size_t i = 0; i <= POLICY_PAIRS_MAX; i++)
        headers[i] = (struct policy_pair){BYTES("a"), BYTES("b")};
    assert_over(&r, &s, &l, "request.headers.a", "\"b\"");
    r.header_count++;
    assert_over(&r, &s, &l, "request.headers.a", "absent");
}

static void only_what_is_wanted_is_filled(void **state)
{
    struct policy_values values;
    const struct policy_live l = known_live();
    memset(&values, 0xee, sizeof values);
    for (size_t i = 0; i < policy_fact_count; i++)
        if (strcmp(policy_facts[i].name, "link.rtt") == 0)
            policy_facts_fill(POLICY_LIVE, &l, (struct policy_wanted){(uint64_t)1 << i}, &values);
    size_t filled = 0;
    for (size_t i = 0; i < POLICY_SLOTS_MAX; i++)
        filled += values.slots[i].kind != 0xee;
    assert_int_equal(filled, 1);
    policy_facts_fill(POLICY_REQUEST, NULL, (struct policy_wanted){(uint64_t)1 << 63}, &values);
}

static void tiers_have_names(void **state)
{
    assert_int_equal(policy_tier_of(BYTES("cloud")), POLICY_CLOUD);
    assert_int_equal(policy_tier_of(BYTES("")), POLICY_TIER_UNKNOWN);
    assert_string_equal(policy_tier_name(POLICY_EDGE), "edge");
    assert_string_equal(policy_group_name(POLICY_LIVE), "live");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fact_is_a_declared_variable_of_its_group),
        cmocka_unit_test(facts_of_a_request_have_the_values_of_its_fields),
        cmocka_unit_test(facts_of_a_candidate_have_the_values_of_its_fields),
        cmocka_unit_test(what_cannot_be_is_absent),
        cmocka_unit_test(more_labels_than_there_may_be_are_none_that_can_be_trusted),
        cmocka_unit_test(only_what_is_wanted_is_filled),
        cmocka_unit_test(tiers_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
