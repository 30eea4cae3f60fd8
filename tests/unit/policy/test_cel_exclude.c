/* Conditions that can never be true, alone or together. */
#include "tests/unit/policy/cel_fixture.h"

static struct cel_program *compiled(const char *text)
{
    struct cel_program *program;
    struct cel_problem problem;
    if (policy_cel_compile(policy_env(), bytes_from_str(text), &program, &problem) != ERR_OK)
        fail_msg("%s: %s", text, problem.text);
    return program;
}

static bool exclude(const char *one, const char *other)
{
    struct cel_program *a = compiled(one), *b = compiled(other);
    bool excludes = policy_cel_excludes(a, b);
    assert_int_equal(policy_cel_excludes(b, a), excludes);
    policy_cel_program_destroy(a);
    policy_cel_program_destroy(b);
    return excludes;
}

static void conditions_that_leave_no_value_exclude_each_other(void **state)
{
    static const char *const all[][2] = {
        {"node.tier == 'edge'", "node.tier == 'cloud'"},
        {"node.tier == 'edge'", "'edge' != node.tier"},
        {"backend.kv < 0.5", "backend.kv > 0.5"},
        {"backend.kv <= 0.5", "backend.kv > 0.5"},
        {"backend.kv < 0.5", "0.5 <= backend.kv"},
        {"backend.kv == 0.7", "backend.kv < 0.5"},
        {"link.rtt < duration('50ms')", "link.rtt > duration('1s')"},
        {"node.spot", "node.spot == false"},
        {"node.local && node.tier == 'edge'", "request.stream && node.tier == 'cloud'"},
        {"backend.slots < 4", "backend.slots > 4.5"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!exclude(all[i][0], all[i][1]))
            fail_msg("%s and %s", all[i][0], all[i][1]);
}

static void conditions_that_leave_a_value_do_not(void **state)
{
    static const char *const all[][2] = {
        {"node.tier == 'edge'", "node.tier == 'edge'"},
        {"node.tier == 'edge'", "node.region == 'cloud'"},
        {"node.tier != 'edge'", "node.tier != 'cloud'"},
        {"backend.kv <= 0.5", "backend.kv >= 0.5"},
        {"backend.kv < 0.5", "backend.kv < 0.1"},
        {"backend.kv > 0.1", "backend.kv < 0.5"},
        {"backend.kv == 0.3", "backend.kv < 0.5"},
        {"node.spot", "node.local == false"},
        {"node.tier == 'edge' || node.spot", "node.tier == 'cloud'"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (exclude(all[i][0], all[i][1]))
            fail_msg("%s and %s", all[i][0], all[i][1]);
}

static void what_is_never_true_is_found_out(void **state)
{
    static const struct {
        const char *text;
        bool is_never;
    } all[] = {{"false", true},
               {"true", false},
               {"node.spot && 1 > 2", true},
               {"node.spot || 1 > 2", false},
               {"node.spot && 1 / 0 > 2", true},
               {"backend.kv > 0.5 && backend.kv < 0.5", true},
               {"backend.kv > 0.5", false},
               {"1 < 2 && node.spot", false}};
    struct cel_vm *vm;
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct cel_program *program = compiled(all[i].text);
        if (policy_cel_is_never(vm, program) != all[i].is_never)
            fail_msg("%s", all[i].text);
        policy_cel_program_destroy(program);
    }
    policy_cel_vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_that_leave_no_value_exclude_each_other),
        cmocka_unit_test(conditions_that_leave_a_value_do_not),
        cmocka_unit_test(what_is_never_true_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
