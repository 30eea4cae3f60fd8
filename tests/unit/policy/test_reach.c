/* Which models a policy leaves without a candidate. */
#include "tests/unit/policy/document_fixture.h"

/* "small" on an edge node and in the cloud of eu, "large" in the cloud of us alone. */
static bool reaches(const char *spec, const char *model)
{
    static const struct policy_static small[] = {{.node = {(const uint8_t *)"e", 1},
                                                  .tier = POLICY_EDGE,
                                                  .region = {(const uint8_t *)"eu", 2}},
                                                 {.node = {(const uint8_t *)"c", 1},
                                                  .tier = POLICY_CLOUD,
                                                  .region = {(const uint8_t *)"eu", 2}}};
    static const struct policy_static large[] = {{.node = {(const uint8_t *)"u", 1},
                                                  .tier = POLICY_CLOUD,
                                                  .region = {(const uint8_t *)"us", 2}}};
    const struct policy_served served[] = {{BYTES("small"), BYTES("chat"), small, 2},
                                           {BYTES("large"), BYTES("video"), large, 1}};
    char text[2048];
    struct cel_vm *vm;
    bool found;
    snprintf(text, sizeof text, HEAD "spec: {%s}\n", spec);
    struct policy_set *set = set_of(text);
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    assert_int_equal(
        policy_reaches(policy_set_rule(set, 0), vm, served, 2, strcmp(model, "large") == 0, &found),
        ERR_OK);
    policy_cel_vm_destroy(vm);
    policy_set_destroy(set);
    return found;
}

static void a_requirement_that_nobody_meets_leaves_a_model_alone(void **state)
{
    assert_true(reaches("require: ['node.region == \"eu\"']", "small"));
    assert_false(reaches("require: ['node.region == \"eu\"']", "large"));
    assert_false(reaches("require: ['node.region == \"eu\" && node.health > 0.5']", "large"));
    assert_false(reaches("require: [node.health > 0.5, 'node.tier == \"regional\"']", "small"));
}

static void what_is_not_known_or_changes_is_no_reason(void **state)
{
    assert_true(reaches("require: [node.health > 0.5]", "large"));
    assert_true(reaches("require: ['node.zone == \"a\"']", "large"));
    assert_true(reaches("require: ['node.region == request.region']", "large"));
}

static void steps_bind_where_there_is_no_last_resort(void **state)
{
#define EDGE "steps: [{name: e, where: 'node.tier == \"edge\"'}]"
    assert_true(reaches(EDGE, "large"));
    assert_false(reaches(EDGE ", last_resort: false", "large"));
    assert_true(reaches(EDGE ", last_resort: false", "small"));
    assert_true(reaches("last_resort: false", "large"));
}

static void a_cascade_reaches_by_its_other_models(void **state)
{
#define CASCADE                                                                                    \
    "steps: [{name: s, where: 'node.tier == \"edge\"', models: [small]}], last_resort: false"
    assert_true(reaches(CASCADE, "large"));
    assert_false(reaches("steps: [{name: s, models: [none]}], last_resort: false", "large"));
}

static void a_policy_that_cannot_match_leaves_nobody_alone(void **state)
{
#define NOBODY ", require: ['node.region == \"mars\"']"
    assert_false(reaches("match: request.stream" NOBODY, "small"));
    assert_true(reaches("match: 'request.model == \"large\"'" NOBODY, "small"));
    assert_false(reaches("match: 'request.model == \"large\"'" NOBODY, "large"));
    assert_true(reaches("match: 'request.task == \"video\"'" NOBODY, "small"));
    assert_false(reaches("match: 'request.task == \"video\"'" NOBODY, "large"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_requirement_that_nobody_meets_leaves_a_model_alone),
        cmocka_unit_test(what_is_not_known_or_changes_is_no_reason),
        cmocka_unit_test(steps_bind_where_there_is_no_last_resort),
        cmocka_unit_test(a_cascade_reaches_by_its_other_models),
        cmocka_unit_test(a_policy_that_cannot_match_leaves_nobody_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
