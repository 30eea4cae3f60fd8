/* Sets: the order in which policies are matched, rollouts by percentage among versions of one
 * name, what of a predicate holds. */
#include "tests/unit/policy/document_fixture.h"

#define DOCUMENT(name, spec)                                                                       \
    "---\napiVersion: grapevine/v1\nkind: RoutePolicy\nmetadata: {name: " name "}\nspec: " spec "\n"

static const struct policy_rule *match(const struct policy_set *set, struct policy_request request)
{
    struct cel_vm *vm;
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    const struct policy_rule *rule = policy_set_match(set, vm, &request);
    policy_cel_vm_destroy(vm);
    return rule;
}

static void assert_matched(const struct policy_set *set, struct policy_request request,
                           const char *name)
{
    const struct policy_rule *rule = match(set, request);
    if (!bytes_equal(rule->name, bytes_from_str(name)))
        fail_msg("%.*s decides, not %s", (int)rule->name.size, (const char *)rule->name.data, name);
}

static void the_policy_with_most_conditions_decides_then_the_first_by_name(void **state)
{
    struct policy_set *set =
        set_of(DOCUMENT("d", "{}") DOCUMENT("c", "{match: request.stream}")
                   DOCUMENT("b", "{match: request.stream && request.priority > 0}")
                       DOCUMENT("a", "{match: 'request.task == \"x\"'}"));
    assert_int_equal(policy_set_count(set), 4);
    assert_matched(set, (struct policy_request){.stream = true, .priority = 1}, "b");
    assert_matched(set, (struct policy_request){.stream = true, .task = BYTES("x")}, "a");
    assert_matched(set, (struct policy_request){.stream = true}, "c");
    assert_matched(set, (struct policy_request){.task = BYTES("y")}, "d");
    policy_set_destroy(set);
}

static void where_none_matches_the_built_in_one_decides(void **state)
{
    struct policy_set *set = set_of(DOCUMENT("a", "{match: 'request.tenant == \"t\"'}"));
    assert_ptr_equal(match(set, (struct policy_request){0}), policy_rule_default());
    assert_null(policy_set_find(set, BYTES("default")));
    policy_set_destroy(set);
    set = set_of_sources(NULL, 0);
    assert_ptr_equal(match(set, (struct policy_request){0}), policy_rule_default());
    policy_set_destroy(set);
}

static void what_is_not_known_or_fails_does_not_match(void **state)
{
    struct policy_set *set = set_of(DOCUMENT("a", "{match: 'request.tenant != \"t\"'}") DOCUMENT(
        "b", "{match: 'request.headers[\"x\"] == \"y\"'}"));
    assert_matched(set, (struct policy_request){0}, "default");
    policy_set_destroy(set);
}

static void a_rollout_takes_its_percentage_and_leaves_the_rest_to_the_older(void **state)
{
    const struct policy_source sources[] = {
        {BYTES("a"), 7, BYTES(DOCUMENT("a", "{rollout: {percent: 20}}"))},
        {BYTES("a"), 6, BYTES(DOCUMENT("a", "{rollout: {percent: 50}}"))},
        {BYTES("a"), 3, BYTES(DOCUMENT("a", "{}"))},
    };
    struct policy_set *set = set_of_sources(sources, 3);
    size_t taken[8] = {0};
    for (uint64_t key = 0; key < 10000; key++)
        taken[match(set, (struct policy_request){.key = key})->version]++;
    assert_in_range(taken[7], 1850, 2150);
    assert_in_range(taken[6], 2850, 3150);
    assert_in_range(taken[3], 4850, 5150);
    assert_int_equal(policy_set_find(set, BYTES("a"))->version, 7);
    policy_set_destroy(set);
}

static void an_older_version_does_not_decide_where_a_newer_one_does(void **state)
{
    const struct policy_source sources[] = {
        {BYTES("a"), 2, BYTES(DOCUMENT("a", "{match: request.stream, rollout: {percent: 50}}"))},
        {BYTES("a"), 1, BYTES(DOCUMENT("a", "{match: request.stream && request.priority > 0}"))},
    };
    struct policy_set *set = set_of_sources(sources, 2);
    size_t older = 0;
    for (uint64_t key = 0; key < 10000; key++) {
        const struct policy_request r = {.key = key, .stream = true, .priority = 1};
        older += match(set, r)->version == 1;
    }
    assert_in_range(older, 4800, 5200);
    policy_set_destroy(set);
}

static void a_rollout_of_nobody_decides_over_nobody(void **state)
{
    struct policy_set *set = set_of(DOCUMENT("a", "{rollout: {percent: 0}}"));
    for (uint64_t key = 0; key < 100; key++)
        assert_matched(set, (struct policy_request){.key = key}, "default");
    policy_set_destroy(set);
}

static void rollouts_of_two_policies_take_different_requests(void **state)
{
    struct policy_set *set =
        set_of(DOCUMENT("a", "{rollout: {percent: 50}}") DOCUMENT("b", "{rollout: {percent: 50}}"));
    size_t none = 0;
    for (uint64_t key = 0; key < 10000; key++)
        none += match(set, (struct policy_request){.key = key}) == policy_rule_default();
    assert_in_range(none, 2300, 2700);
    policy_set_destroy(set);
}

static void two_documents_of_one_name_are_a_mistake(void **state)
{
    assert_mistakes(DOCUMENT("a", "{}") DOCUMENT("a", "{match: request.stream}"),
                    "7:1: metadata.name: another document is called a, too");
    assert_mistakes(DOCUMENT("s", "{}") "---\napiVersion: grapevine/v1\nkind: Strategy\n"
                                        "metadata: {name: s}\nspec: {weights: {cost: 1}}\n",
                    "7:1: metadata.name: another document is called s, too");
}

static void a_document_is_called_as_it_is_kept(void **state)
{
    const struct policy_source source = {BYTES("other"), 1, BYTES(DOCUMENT("a", "{}"))};
    struct policy_set *set;
    static struct policy_mistakes mistakes;
    assert_int_equal(policy_set_create(&source, 1, &set, &mistakes), ERR_INVALID);
    assert_string_equal(mistakes.items[0].text,
                        "metadata.name: expected other, under which it is kept");
}

static void a_strategy_that_nobody_defines_is_a_mistake(void **state)
{
    assert_mistakes(DOCUMENT("a", "{strategy: latency-frist, steps: [{name: s, strategy: nix}]}"),
                    "5:18: strategy: no strategy latency-frist; did you mean latency-first?\n"
                    "5:61: steps[0].strategy: no strategy nix");
}

static void mistakes_name_the_source_that_they_lie_in(void **state)
{
    const struct policy_source sources[] = {{BYTES(""), 1, BYTES(DOCUMENT("a", "{}"))},
                                            {BYTES(""), 1, BYTES(DOCUMENT("b", "{x: 1}"))},
                                            {BYTES(""), 1, BYTES(DOCUMENT("c", "{y: 1}"))}};
    struct policy_set *set;
    static struct policy_mistakes mistakes;
    assert_int_equal(policy_set_create(sources, 3, &set, &mistakes), ERR_INVALID);
    assert_int_equal(mistakes.count, 2);
    assert_int_equal(mistakes.source[0], 1);
    assert_int_equal(mistakes.source[1], 2);
}

static void a_predicate_holds_part_by_part(void **state)
{
    struct policy_set *set =
        set_of(DOCUMENT("a", "{require: ['node.tier == \"edge\" && node.health > 0.5']}"));
    const struct policy_predicate *p = &policy_set_find(set, BYTES("a"))->require[0];
    struct policy_static s = {.tier = POLICY_EDGE};
    struct policy_live l = {.health = 0.25};
    struct policy_values values[2];
    const struct cel_value *const facts[] = {NULL, values[0].slots, values[1].slots};
    struct cel_vm *vm;
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    policy_facts_fill(POLICY_STATIC, &s, p->reads[POLICY_STATIC], &values[0]);
    policy_facts_fill(POLICY_LIVE, &l, p->reads[POLICY_LIVE], &values[1]);
    assert_int_equal(p->static_parts, 1);
    assert_true(policy_holds(p, p->static_parts, vm, facts));
    assert_false(policy_holds(p, ~p->static_parts, vm, facts));
    assert_false(policy_holds(p, POLICY_ALL_PARTS, vm, facts));
    assert_true(policy_holds(p, 0, vm, facts));
    l.health = 0.75;
    policy_facts_fill(POLICY_LIVE, &l, p->reads[POLICY_LIVE], &values[1]);
    assert_true(policy_holds(p, ~p->static_parts, vm, facts));
    assert_true(policy_holds(p, POLICY_ALL_PARTS, vm, facts));
    l.health = -1; /* cannot be, so it is not known */
    policy_facts_fill(POLICY_LIVE, &l, p->reads[POLICY_LIVE], &values[1]);
    assert_false(policy_holds(p, POLICY_ALL_PARTS, vm, facts));
    policy_cel_vm_destroy(vm);
    policy_set_destroy(set);
}

static void more_conditions_than_are_told_apart_are_one(void **state)
{
    char text[4096] = HEAD "spec: {require: ['";
    size_t size = strlen(text);
    for (int i = 0; i <= POLICY_PARTS_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%snode.name != \"n%d\"",
                                 i ? " && " : "", i);
    snprintf(text + size, sizeof text - size, "']}\n");
    struct policy_set *set = set_of(text);
    const struct policy_predicate *p = &policy_set_find(set, BYTES("p"))->require[0];
    struct policy_static s = {.node = BYTES("m")};
    struct policy_values values;
    const struct cel_value *const facts[POLICY_GROUPS] = {NULL, values.slots, NULL};
    struct cel_vm *vm;
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    assert_int_equal(p->static_parts, 0);
    policy_facts_fill(POLICY_STATIC, &s, p->reads[POLICY_STATIC], &values);
    assert_true(policy_holds(p, ~p->static_parts, vm, facts));
    s.node = BYTES("n64");
    policy_facts_fill(POLICY_STATIC, &s, p->reads[POLICY_STATIC], &values);
    assert_false(policy_holds(p, ~p->static_parts, vm, facts));
    policy_cel_vm_destroy(vm);
    policy_set_destroy(set);
}

static void a_sticky_expression_gives_a_text(void **state)
{
    struct policy_set *set =
        set_of(HEAD "spec: {split: [{version: a, weight: 1}], sticky: 'request.headers[\"s\"]'}\n");
    const struct policy_predicate *p = &policy_set_find(set, BYTES("p"))->sticky;
    const struct policy_pair header = {BYTES("s"), BYTES("one")};
    struct policy_request r = {.headers = &header, .header_count = 1};
    struct policy_values values;
    const struct cel_value *const facts[POLICY_GROUPS] = {values.slots};
    struct cel_vm *vm;
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    policy_facts_fill(POLICY_REQUEST, &r, p->reads[POLICY_REQUEST], &values);
    assert_true(bytes_equal(policy_text(p, vm, facts), BYTES("one")));
    r.header_count = 0;
    policy_facts_fill(POLICY_REQUEST, &r, p->reads[POLICY_REQUEST], &values);
    assert_int_equal(policy_text(p, vm, facts).size, 0);
    policy_cel_vm_destroy(vm);
    policy_set_destroy(set);
}

static void the_founding_example_is_one_document_without_mistakes(void **state)
{
    static char text[POLICY_DOCUMENT_BYTES_MAX];
    FILE *file = fopen(GV_SOURCE_DIR "/policy/examples/video-analytics.yaml", "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    struct policy_set *set = set_of(text);
    const struct policy_rule *rule = match(set, (struct policy_request){.task = BYTES("video")});
    assert_true(bytes_equal(rule->name, BYTES("video-analytics")));
    assert_int_equal(rule->step_count, 2);
    assert_int_equal(rule->steps[0].where.static_parts, 1);
    policy_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_with_most_conditions_decides_then_the_first_by_name),
        cmocka_unit_test(where_none_matches_the_built_in_one_decides),
        cmocka_unit_test(what_is_not_known_or_fails_does_not_match),
        cmocka_unit_test(a_rollout_takes_its_percentage_and_leaves_the_rest_to_the_older),
        cmocka_unit_test(an_older_version_does_not_decide_where_a_newer_one_does),
        cmocka_unit_test(a_rollout_of_nobody_decides_over_nobody),
        cmocka_unit_test(rollouts_of_two_policies_take_different_requests),
        cmocka_unit_test(two_documents_of_one_name_are_a_mistake),
        cmocka_unit_test(a_document_is_called_as_it_is_kept),
        cmocka_unit_test(a_strategy_that_nobody_defines_is_a_mistake),
        cmocka_unit_test(mistakes_name_the_source_that_they_lie_in),
        cmocka_unit_test(a_predicate_holds_part_by_part),
        cmocka_unit_test(more_conditions_than_are_told_apart_are_one),
        cmocka_unit_test(a_sticky_expression_gives_a_text),
        cmocka_unit_test(the_founding_example_is_one_document_without_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
