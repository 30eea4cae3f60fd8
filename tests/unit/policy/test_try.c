/* The tests that documents carry: which pass, why others fail, and mistakes in tests themselves. */
#include "tests/unit/policy/document_fixture.h"

#define SPEC                                                                                       \
    HEAD "spec:\n"                                                                                 \
         "  match: request.task == \"video\"\n"                                                    \
         "  steps:\n"                                                                              \
         "  - {name: edge, where: node.tier == \"edge\" && backend.gpu.load < 0.8}\n"              \
         "  - {name: cloud, where: node.tier == \"cloud\", models: [large]}\n"

/* The tests of the one policy in the text. */
static struct policy_tests run(const char *text)
{
    static struct policy_tests tests;
    struct policy_set *set = set_of(text);
    assert_int_equal(policy_test(policy_set_rule(set, 0), &tests), ERR_OK);
    policy_set_destroy(set);
    return tests;
}

static void assert_passes(const char *text, size_t count)
{
    struct policy_tests tests = run(text);
    for (size_t i = 0; i < tests.count; i++)
        if (!tests.items[i].passed)
            fail_msg("%s: %s", tests.items[i].name, tests.items[i].why);
    assert_int_equal(tests.count, count);
    assert_int_equal(tests.failed, 0);
}

/* One test on line 9, which fails with these words. */
static void assert_fails_with(const char *test, const char *why)
{
    char text[4096];
    snprintf(text, sizeof text, SPEC "tests:\n- %s\n", test);
    struct policy_tests tests = run(text);
    assert_int_equal(tests.count, 1);
    assert_int_equal(tests.failed, 1);
    assert_false(tests.items[0].passed);
    assert_int_equal(tests.items[0].line, 10);
    if (strcmp(tests.items[0].why, why) != 0)
        fail_msg("%s\nfails because %s\n--- not: %s", test, tests.items[0].why, why);
}

static void what_is_expected_of_a_decision_passes(void **state)
{
    assert_passes(
        SPEC
        "tests:\n"
        "- name: dotted facts\n"
        "  given:\n"
        "    request: {task: video}\n"
        "    candidates:\n"
        "    - {node.name: a, node.tier: edge, backend.gpu.load: 0.3}\n"
        "    - {node.name: b, node.tier: edge, backend.gpu.load: 0.9}\n"
        "  expect: {step: edge, node: a}\n"
        "- name: nested facts\n"
        "  given:\n"
        "    request: {task: video, model: small, headers: {x-team: red}}\n"
        "    now: 2026-01-31T12:00:00Z\n"
        "    candidates:\n"
        "    - {node: {name: c, tier: cloud, labels: {a: b}}, model: {name: large}}\n"
        "  expect: {step: cloud, node: c, model: large}\n"
        "- name: refused\n"
        "  given: {request: {task: video}}\n"
        "  expect: {refused: true}\n"
        "- name: not its business\n"
        "  given: {request: {task: text}}\n"
        "  expect: {match: false}\n"
        "- name: last resort\n"
        "  given: {request: {task: video}, candidates: [{node.name: r, node.tier: regional}]}\n"
        "  expect: {step: last_resort, node: r}\n",
        5);
}

static void a_policy_without_tests_has_none(void **state)
{
    assert_passes(SPEC, 0);
}

static void what_fails_says_what_came_out_and_why(void **state)
{
    assert_fails_with("{name: t, given: {request: {task: video}, candidates: [{node.name: a, "
                      "node.tier: edge, link.rtt: 600s}, {node.name: r, node.tier: regional}]}, "
                      "expect: {step: edge}}",
                      "r is chosen in step last_resort; a: spare, a: step_failed, r: step_failed");
    assert_fails_with("{name: t, given: {request: {task: x}}, expect: {refused: true}}",
                      "the policy does not match this request");
    assert_fails_with("{name: t, given: {request: {task: video}}, expect: {match: false}}",
                      "the policy matches this request");
    assert_fails_with("{name: t, given: {request: {task: video}}, expect: {node: a}}",
                      "it is refused");
}

static void what_chance_decides_does_not_pass_by_luck(void **state)
{
    static const char *const nodes[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        char text[2048];
        snprintf(text, sizeof text,
                 SPEC "tests:\n- name: t\n  given:\n    request: {task: video}\n    candidates:\n"
                      "    - {node.name: a, node.tier: edge, backend.gpu.load: 0.3}\n"
                      "    - {node.name: b, node.tier: edge, backend.gpu.load: 0.3}\n"
                      "  expect: {node: %s}\n",
                 nodes[i]);
        assert_int_equal(run(text).failed, 1);
    }
}

static void every_kind_of_fact_can_be_given(void **state)
{
    assert_passes(
        HEAD
        "spec:\n"
        "  match: request.deadline == duration('2s') && request.priority == -3 &&\n"
        "    request.stream && request.input_tokens == 7 && request.headers['x-a'] == 'b' &&\n"
        "    now > timestamp('2026-01-01T00:00:00Z')\n"
        "  require:\n"
        "  - node.labels.gpu == 'l4' && node.spot && price.input == 0.5 && node.tier == 'edge'\n"
        "  - backend.warm && link.rtt == duration('250us') && backend.gpu.temperature == -3.5\n"
        "  - node.health == 0.5 && node.age == duration('0s') && backend.queued == 0\n"
        "tests:\n"
        "- name: t\n"
        "  given:\n"
        "    now: 2026-02-01T00:00:00Z\n"
        "    request: {deadline: 2s, priority: -3, stream: true, input_tokens: 7,\n"
        "      headers: {x-a: b}}\n"
        "    candidates:\n"
        "    - {node: {name: n, labels: {gpu: l4}, spot: true, tier: edge, health: 0.5},\n"
        "       price.input: 0.5, backend: {warm: true, gpu.temperature: -3.5, queued: 0},\n"
        "       link.rtt: 250us}\n"
        "  expect: {node: n, step: last_resort}\n",
        1);
}

static void a_hard_limit_of_cost_needs_prices(void **state)
{
    assert_passes(HEAD "spec: {limits: {max_cost_usd: 0.01}}\n"
                       "tests:\n"
                       "- name: dear\n"
                       "  given:\n"
                       "    request: {input_tokens: 1000, output_tokens: 100}\n"
                       "    candidates:\n"
                       "    - {node.name: dear, price: {input: 0.1, output: 0.1}}\n"
                       "    - {node.name: cheap, price: {input: 0.001, output: 0.001}}\n"
                       "    - {node.name: unknown}\n"
                       "  expect: {node: cheap}\n",
                  1);
}

static void a_split_bars_the_other_version(void **state)
{
    assert_passes(HEAD "spec: {split: [{version: v2, weight: 1}, {version: v1, weight: 0}]}\n"
                       "tests:\n"
                       "- name: t\n"
                       "  given:\n"
                       "    candidates:\n"
                       "    - {node.name: a, model.version: v1}\n"
                       "    - {node.name: b, model.version: v2}\n"
                       "  expect: {node: b}\n",
                  1);
}

static void mistakes_in_tests_are_mistakes_of_the_document(void **state)
{
    assert_mistakes(
        SPEC "tests:\n"
             "- {name: a, given: {request: {tsk: x}}, expect: {step: edg}}\n"
             "- {name: a, given: {candidates: [{node.teir: x, node.tier: x, request.task: x}]},\n"
             "   expect: {node: a, refused: true}}\n"
             "- {given: {candidates: [{backend.gpu.load: 3, link.rtt: soon, backend.slots: -1}]},\n"
             "   expect: {}}\n"
             "- {name: d, expect: {nod: a}}\n",
        "10:31: tests[0].given.request.tsk: no such fact of a request; did you mean request.task?\n"
        "10:56: tests[0].expect.step: no such step; did you mean edge?\n"
        "11:10: tests[1]: the test in line 10 has this name, too\n"
        "11:35: tests[1].given.candidates[0].node.teir: no such fact of a candidate; did you mean "
        "node.tier?\n"
        "11:60: tests[1].given.candidates[0].node.tier: expected edge, regional or cloud\n"
        "11:63: tests[1].given.candidates[0].request.task: no such fact of a candidate\n"
        "12:12: tests[1].expect: nothing is chosen where it is refused or does not match\n"
        "13:3: tests[2]: name is missing\n"
        "13:44: tests[2].given.candidates[0].backend.gpu.load: expected a number, 0 to 1, found 3\n"
        "13:57: tests[2].given.candidates[0].link.rtt: expected a duration such as 50ms or 1.5s\n"
        "13:78: tests[2].given.candidates[0].backend.slots: expected a whole number, 0 to "
        "1000000000000, found -1\n"
        "14:12: tests[2].expect: expects nothing: step, node, model, match or refused is needed\n"
        "15:3: tests[3]: given is missing\n"
        "15:22: tests[3].expect.nod: no such key; did you mean node?");
}

/* A file of the source, as text. */
static const char *file_text(const char *path)
{
    static char text[POLICY_DOCUMENT_BYTES_MAX];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    return text;
}

static void the_tests_of_the_founding_example_pass(void **state)
{
    assert_passes(file_text(GV_SOURCE_DIR "/policy/examples/video-analytics.yaml"), 4);
}

static void the_documents_of_the_readme_are_right(void **state)
{
    const char *begin = strstr(file_text(GV_SOURCE_DIR "/policy/README.md"), "```yaml\n");
    assert_non_null(begin);
    begin += strlen("```yaml\n");
    char *end = strstr(begin, "```");
    assert_non_null(end);
    *end = 0;
    assert_passes(begin, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_expected_of_a_decision_passes),
        cmocka_unit_test(a_policy_without_tests_has_none),
        cmocka_unit_test(what_fails_says_what_came_out_and_why),
        cmocka_unit_test(what_chance_decides_does_not_pass_by_luck),
        cmocka_unit_test(every_kind_of_fact_can_be_given),
        cmocka_unit_test(a_hard_limit_of_cost_needs_prices),
        cmocka_unit_test(a_split_bars_the_other_version),
        cmocka_unit_test(mistakes_in_tests_are_mistakes_of_the_document),
        cmocka_unit_test(the_tests_of_the_founding_example_pass),
        cmocka_unit_test(the_documents_of_the_readme_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
