/* RoutePolicy and Strategy out of text: what every key becomes, and for every kind of mistake the
 * place and the words. */
#include "tests/unit/policy/document_fixture.h"

#include <math.h>

static const char full[] =
    "apiVersion: grapevine/v1\n"
    "kind: RoutePolicy\n"
    "metadata: {name: video}\n"
    "spec:\n"
    "  match: request.task == \"video\" && request.priority > 0\n"
    "  require: ['node.region.startsWith(\"eu-\")', node.age < duration(\"5s\")]\n"
    "  strategy: cost-optimized\n"
    "  steps:\n"
    "    - {name: edge, where: 'node.tier == \"edge\" && backend.gpu.load < 0.8'}\n"
    "    - {name: cloud, models: [vision-large, vision], strategy: availability-first}\n"
    "  limits: {deadline: 2s, attempts: 3, hedge_after: p95, max_cost_usd: 0.002}\n"
    "  split: [{version: v1, weight: 90}, {version: v2, weight: 10}]\n"
    "  sticky: request.headers[\"x-session\"]\n"
    "  rollout: {percent: 10, guard: {error_rate: 0.02, p99: 3s, cost_ratio: 1.5, samples: 50}}\n"
    "  last_resort: false\n";

static void assert_text(struct bytes text, const char *expected)
{
    assert_true(bytes_equal(text, bytes_from_str(expected)));
}

static void every_key_of_a_policy_is_read(void **state)
{
    struct policy_set *set = set_of(full);
    const struct policy_rule *r = policy_set_find(set, BYTES("video"));
    assert_non_null(r);
    assert_int_equal(r->specificity, 2);
    assert_int_equal(r->match.line, 5);
    assert_int_equal(r->match.column, 10);
    assert_int_equal(r->require_count, 2);
    assert_int_equal(r->require[0].static_parts, 1);
    assert_int_equal(r->require[1].static_parts, 0);
    assert_text(r->strategy->name, "cost-optimized");
    assert_int_equal(r->step_count, 2);
    assert_text(r->steps[0].name, "edge");
    assert_int_equal(r->steps[0].where.static_parts, 1);
    assert_null(r->steps[0].strategy);
    assert_null(r->steps[1].where.program);
    assert_int_equal(r->steps[1].model_count, 2);
    assert_text(r->steps[1].models[1], "vision");
    assert_text(r->steps[1].strategy->name, "availability-first");
    assert_int_equal(r->limits.deadline_ms, 2000);
    assert_int_equal(r->limits.attempts, 3);
    assert_int_equal(r->limits.hedge_after_ms, -1);
    assert_true(r->limits.hedge_percentile == 0.95);
    assert_true(r->limits.cost_max_usd == 0.002);
    assert_int_equal(r->split_count, 2);
    assert_int_equal(r->split[0].weight, 90);
    assert_text(r->split[1].version, "v2");
    assert_non_null(r->sticky.program);
    assert_int_equal(r->rollout_percent, 10);
    assert_true(r->is_guarded && r->guard.error_rate == 0.02 && r->guard.cost_ratio == 1.5);
    assert_int_equal(r->guard.p99_ms, 3000);
    assert_int_equal(r->guard.samples, 50);
    assert_false(r->last_resort);
    assert_text(r->source, full);
    policy_set_destroy(set);
}

static void what_is_left_out_has_its_default(void **state)
{
    struct policy_set *set = set_of(HEAD "spec: {}\n");
    const struct policy_rule *r = policy_set_find(set, BYTES("p"));
    assert_null(r->match.program);
    assert_text(r->strategy->name, "latency-first");
    assert_true(r->last_resort && !r->is_guarded);
    assert_int_equal(r->limits.attempts, POLICY_ATTEMPTS_MAX);
    assert_int_equal(r->limits.deadline_ms, -1);
    assert_true(isnan(r->limits.hedge_percentile) && isnan(r->limits.cost_max_usd));
    assert_int_equal(r->rollout_percent, 100);
    policy_set_destroy(set);
}

static void a_strategy_gives_its_weights_to_the_policies_that_name_it(void **state)
{
    struct policy_set *set = set_of("apiVersion: grapevine/v1\n"
                                    "kind: RoutePolicy\n"
                                    "metadata: {name: p}\n"
                                    "spec: {strategy: mine}\n"
                                    "---\n"
                                    "apiVersion: grapevine/v1\n"
                                    "kind: Strategy\n"
                                    "metadata: {name: mine}\n"
                                    "spec:\n"
                                    "  weights: {latency: 0.5, failure: 2}\n"
                                    "  latency_max: 800ms\n"
                                    "  retry_same: true\n");
    const struct policy_strategy *s = policy_set_find(set, BYTES("p"))->strategy;
    assert_int_equal(policy_set_strategy_count(set), 1);
    assert_ptr_equal(policy_set_strategy(set, 0), s);
    assert_text(s->name, "mine");
    assert_true(s->weights.latency == 0.5 && s->weights.cost == 0 && s->weights.failure == 2);
    assert_int_equal(s->weights.latency_max_ms, 800);
    assert_true(isnan(s->weights.cost_max_usd) && s->weights.retry_same);
    policy_set_destroy(set);
}

/* --- mistakes */

struct mistaken {
    const char *spec, *mistakes;
};

/* Specs on line 4, with their mistakes. */
static void assert_all(const struct mistaken *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[8192];
        snprintf(text, sizeof text, HEAD "spec: {%s}\n", all[i].spec);
        assert_mistakes(text, all[i].mistakes);
    }
}
#define ASSERT_ALL(...)                                                                            \
    do {                                                                                           \
        static const struct mistaken all_[] = {__VA_ARGS__};                                       \
        assert_all(all_, sizeof all_ / sizeof all_[0]);                                            \
    } while (0)

static void keys_that_there_are_not_are_mistakes_with_a_near_name(void **state)
{
    ASSERT_ALL(
        {"wehre: a", "4:8: wehre: no such key; there are match, require, strategy, steps, "
                     "limits, split, sticky, rollout, last_resort"},
        {"mach: a", "4:8: mach: no such key; did you mean match?"},
        {"limits: {atempts: 3}", "4:17: limits.atempts: no such key; did you mean attempts?"},
        {"steps: [{name: a, wher: 'true'}]",
         "4:26: steps[0].wher: no such key; did you mean where?"},
        {"match: 'true', match: 'true'", "4:23: match: stands here twice, first in line 4"});
    assert_mistakes("apiVersion: grapevine/v2\nkind: RoutePolice\nmetadata: {nam: x}\nspec: {}\n",
                    "1:13: apiVersion: expected grapevine/v1\n"
                    "3:11: metadata: name is missing\n"
                    "3:12: metadata.nam: no such key; did you mean name?");
    assert_mistakes("kind: Model\nmetadata: {name: x}\nspec: 3\n",
                    "1:1: apiVersion is missing\n"
                    "1:7: kind: expected RoutePolicy or Strategy");
}

static void wrong_types_say_what_was_expected(void **state)
{
    ASSERT_ALL(
        {"match: [a]", "4:15: match: expected text, found a list"},
        {"match: ", "4:15: match: expected text, found nothing"},
        {"require: node.spot", "4:17: require: expected a list, found text"},
        {"require: []", "4:17: require: expected a list, found an empty one"},
        {"steps: [edge]", "4:16: steps[0]: expected a mapping, found text"},
        {"steps: [{where: 'true'}]", "4:16: steps[0]: name is missing"},
        {"limits: {attempts: 5}",
         "4:27: limits.attempts: expected a whole number, 1 to 4, found 5"},
        {"limits: {attempts: '3'}",
         "4:27: limits.attempts: expected a whole number, 1 to 4, found \"3\""},
        {"limits: {deadline: 2}", "4:27: limits.deadline: expected a duration of at least a "
                                  "millisecond, such as 50ms or 1m30s, found 2"},
        {"limits: {deadline: 500us}", "4:27: limits.deadline: expected a duration of at least a "
                                      "millisecond, such as 50ms or 1m30s, found 500us"},
        {"limits: {hedge_after: p100}",
         "4:30: limits.hedge_after: expected a number, 1 to 99.9, found 100"},
        {"limits: {max_cost_usd: nan}",
         "4:31: limits.max_cost_usd: expected a number, 0 to 1e+06, found nan"},
        {"last_resort: yes", "4:21: last_resort: expected true or false, found yes"},
        {"rollout: {percent: 101}",
         "4:27: rollout.percent: expected a whole number, 0 to 100, found 101"},
        {"strategy: 'my own'",
         "4:18: strategy: expected a name of visible ASCII, no space, = or ,, found \"my own\""});
}

static void mistakes_of_expressions_stand_where_they_are(void **state)
{
    ASSERT_ALL({"match: ''", "4:16: match: the expression ends where a value should be"},
               {"match: request.tsk == \"a\"",
                "4:15: match: unknown name 'request.tsk'; did you mean 'request.task'?"},
               {"require: ['node.health > 0.5 && node.heath > 0.5']",
                "4:40: require[0]: unknown name 'node.heath'; did you mean 'node.health'?"},
               {"require: ['node.name == ''a'' && node.nam == ''b''']",
                "4:41: require[0]: unknown name 'node.nam'; did you mean 'node.name'?"});
    assert_mistakes(HEAD "spec:\n"
                         "  match: >-\n"
                         "    request.stream\n"
                         "    && request.pth == 'x'\n",
                    "7:8: match: unknown name 'request.pth'; did you mean 'request.path'?");
    assert_mistakes(HEAD "spec: {}\n---\n# second\napiVersion: grapevine/v1\nkind: RoutePolicy\n"
                         "metadata: {name: q}\nspec: {match: rquest.stream}\n",
                    "10:15: match: unknown name 'rquest.stream'; did you mean 'request.stream'?");
}

static void only_facts_of_the_request_decide_over_it(void **state)
{
    ASSERT_ALL(
        {"match: node.spot", "4:15: match: only what belongs to the request may stand here, "
                             "not node.spot"},
        {"sticky: node.name, split: [{version: a, weight: 1}]",
         "4:16: sticky: only what belongs to the request may stand here, not node.name"},
        {"match: request.path", "4:15: match: expected a condition (bool), this gives string"},
        {"sticky: request.stream, split: [{version: a, weight: 1}]",
         "4:16: sticky: expected a text (string), this gives bool"});
}

static void contradictions_are_mistakes(void **state)
{
    ASSERT_ALL(
        {"match: '1 == 2'", "4:15: match: this is never true"},
        {"match: 'request.stream && false'", "4:15: match: this is never true"},
        {"match: '1 / 0 == 1'", "4:15: match: this is never true"},
        {"require: ['node.tier == \"edge\" && node.tier == \"cloud\"']",
         "4:18: require[0]: this is never true"},
        {"require: [node.health > 0.5, node.health < 0.5]",
         "4:37: require[1]: is never true together with require[0]"},
        {"require: [node.region == \"eu\"], steps: [{name: a, where: 'node.region != \"eu\"'}]",
         "4:65: steps[0].where: is never true together with require[0]"},
        {"match: 'request.stream', steps: [{name: a, where: 'request.stream == false'}]",
         "4:58: steps[0].where: is never true together with match"},
        {"sticky: request.path", "4:7: sticky has no split to hold to"},
        {"limits: {attempts: 1, hedge_after: p95}",
         "4:16: limits: hedge_after needs attempts of 2 or more"},
        {"limits: {deadline: 1s, hedge_after: 1s}",
         "4:16: limits: hedge_after is not before the deadline"},
        {"rollout: {percent: 5, guard: {samples: 10}}",
         "4:37: rollout.guard: guards nothing: error_rate, p99 or cost_ratio is needed"},
        {"split: [{version: a, weight: 0}]", "4:15: split: no version has a weight"},
        {"split: [{version: a, weight: 1}, {version: a, weight: 2}]",
         "4:41: split[1]: split[0] has this version, too"});
}

static void steps_that_cannot_be_reached_are_mistakes(void **state)
{
    ASSERT_ALL(
        {"steps: [{name: a}, {name: b, where: node.spot}]",
         "4:27: steps[1]: is never reached: steps[0] already takes every node"},
        {"steps: [{name: a, where: node.spot}, {name: a, models: [m]}]",
         "4:45: steps[1]: steps[0] has this name, too"},
        {"steps: [{name: a, where: node.spt}, {name: b, where: node.spot}]",
         "4:33: steps[0].where: unknown name 'node.spt'; did you mean 'node.spot'?"},
        {"steps: [{name: a, models: [m, m]}]", "4:38: steps[0].models[1]: stands here twice"});
    struct policy_set *set = set_of(HEAD "spec: {steps: [{name: a}, {name: b, models: [big]}]}");
    policy_set_destroy(set);
}

static void weights_that_are_none_are_mistakes(void **state)
{
#define STRATEGY "apiVersion: grapevine/v1\nkind: Strategy\n"
    assert_mistakes(STRATEGY "metadata: {name: s}\nspec: {weights: {latency: 0}}",
                    "4:17: weights: weighs nothing: latency, cost or failure has to count");
    assert_mistakes(STRATEGY "metadata: {name: s}\nspec: {}", "4:7: weights is missing");
    assert_mistakes(STRATEGY "metadata: {name: s}\nspec: {weights: {cost: -1}}",
                    "4:24: weights.cost: expected a number, 0 to 1e+06, found -1");
    assert_mistakes(STRATEGY "metadata: {name: latency-first}\nspec: {weights: {cost: 1}}",
                    "3:11: metadata.name: this strategy is built in");
    assert_mistakes(STRATEGY "metadata: {name: s}\nspec: {weights: {cost: 1}}\ntests: []\n",
                    "5:1: tests: only a RoutePolicy has tests");
}

static void limits_of_size_are_mistakes(void **state)
{
    char text[131072] = HEAD "spec:\n  steps:\n";
    size_t size = strlen(text);
    for (int i = 0; i < POLICY_STEPS_MAX + 2; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "  - {name: s%d, where: node.name == \"n\"}\n", i);
    assert_mistakes(text, "38:5: steps[32]: one too many: there may be 32");
    memset(text + size, '#', POLICY_DOCUMENT_BYTES_MAX);
    text[size + POLICY_DOCUMENT_BYTES_MAX] = 0;
    assert_mistakes(text, "1:1: larger than a policy can be (64 KiB)");
}

static void documents_that_are_made_to_explode_are_refused(void **state)
{
    static char text[1 << 20];
    size_t size = 0;
    memset(text, '[', sizeof text - 1);
    assert_mistakes(text, "1:1: larger than a policy can be (64 KiB)");
    text[1000] = 0;
    assert_mistakes(text, "1:9: nested too deeply for a document");
    size += (size_t)snprintf(text, sizeof text, HEAD "spec: {steps: [");
    while (size < POLICY_DOCUMENT_BYTES_MAX - 16)
        size += (size_t)snprintf(text + size, sizeof text - size, "{name: s}, ");
    snprintf(text + size, sizeof text - size, "]}");
    assert_mistakes(text, "4:14987: too many items for a document");
}

static void what_is_no_yaml_is_a_mistake_of_its_line(void **state)
{
    assert_mistakes(HEAD "spec: {}\n---\napiVersion: [\n",
                    "7:1: not valid YAML: did not find expected node content");
    assert_mistakes(HEAD "spec: &a {}\n", "4:7: aliases, anchors and tags are not supported here");
    assert_mistakes("", "1:1: there is no document");
    assert_mistakes("# nothing\n---\n", "1:1: there is no document");
    assert_mistakes("- a\n", "1:1: expected a mapping, found a list");
}

static void only_so_many_mistakes_are_kept(void **state)
{
    char text[8192] = HEAD "spec:\n";
    size_t size = strlen(text);
    struct policy_set *set;
    static struct policy_mistakes mistakes;
    for (int i = 0; i < 100; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "  unknown-%d: 1\n", i);
    const struct policy_source source = {.text = bytes_from_str(text)};
    assert_int_equal(policy_set_create(&source, 1, &set, &mistakes), ERR_INVALID);
    assert_int_equal(mistakes.count, POLICY_MISTAKES_MAX);
}

static void control_characters_of_a_document_do_not_reach_the_terminal(void **state)
{
    assert_mistakes(HEAD "spec: {strategy: \"a\\x1b[31m\\u00e4\"}",
                    "4:18: strategy: expected a name of visible ASCII, no space, = or ,, "
                    "found \"a?[31mä\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_a_policy_is_read),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(a_strategy_gives_its_weights_to_the_policies_that_name_it),
        cmocka_unit_test(keys_that_there_are_not_are_mistakes_with_a_near_name),
        cmocka_unit_test(wrong_types_say_what_was_expected),
        cmocka_unit_test(mistakes_of_expressions_stand_where_they_are),
        cmocka_unit_test(only_facts_of_the_request_decide_over_it),
        cmocka_unit_test(contradictions_are_mistakes),
        cmocka_unit_test(steps_that_cannot_be_reached_are_mistakes),
        cmocka_unit_test(weights_that_are_none_are_mistakes),
        cmocka_unit_test(limits_of_size_are_mistakes),
        cmocka_unit_test(documents_that_are_made_to_explode_are_refused),
        cmocka_unit_test(what_is_no_yaml_is_a_mistake_of_its_line),
        cmocka_unit_test(only_so_many_mistakes_are_kept),
        cmocka_unit_test(control_characters_of_a_document_do_not_reach_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
