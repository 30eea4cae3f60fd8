/* Tests of policy/cel_check*, cel_infer, cel_types and cel_resolve: types that are deduced, errors
 * that help, and what names mean. */
#include "cel_fixture.h"

static void assert_type(const char *expression, const char *type)
{
    struct outcome o = outcome_of(expression);
    if ((o.phase && strcmp(o.phase, "eval") != 0) || strcmp(o.type, type) != 0)
        fail_msg("%s: %s %s, not %s", expression, o.type, o.text, type);
}

static void types_follow_from_what_is_in_an_expression(void **state)
{
    (void)state;
    assert_type("1", "int");
    assert_type("[1, 2]", "list(int)");
    assert_type("[1, 'a']", "list(dyn)");
    assert_type("[]", "list(dyn)");
    assert_type("{'a': [1.0]}", "map(string, list(double))");
    assert_type("[[], [1]]", "list(list(int))");
    assert_type("l.map(x, string(x))", "list(string)");
    assert_type("m.map(k, m[k])", "list(int)");
    assert_type("m.transformMap(k, v, v > 0)", "map(string, bool)");
    assert_type("m.transformMapEntry(k, v, {v: k})", "map(int, string)");
    assert_type("l.filter(x, x > 0)[0] + 1", "int");
    assert_type("b ? d : 1", "dyn");
    assert_type("optional.of(1)", "optional_type(int)");
    assert_type("[optional.none(), optional.of('a')]", "list(optional_type(string))");
    assert_type("m.?a", "optional_type(int)");
    assert_type("m.?a.optMap(x, [x])", "optional_type(list(int))");
    assert_type("l[?0].orValue(2)", "int");
    assert_type("type(1)", "type(int)");
    assert_type("t - t", "duration");
    assert_type("t + link.rtt", "timestamp");
    assert_type("cel.bind(x, [1u], x + x)", "list(uint)");
    assert_type("math.greatest(1, 2.0)", "dyn");
    assert_type("dyn(1) + 1", "int");
    assert_type("d + d", "dyn");
    assert_type("d.a.b[0]", "dyn");
    assert_type("[optional.of(1), null][0]", "optional_type(int)");
    /* what is not known is decided by the overload that fits, and by no other that was tried */
    assert_type("cel.bind(x, [], x[0] + 'a')", "string");
    /* what was selected from or looped over may be anything */
    assert_type("cel.bind(x, [], x[0].a == 1 && x[0] > 5 && x[0] > 'a')", "bool");
    assert_type("cel.bind(x, [], x[0].all(y, true) && x[0] > 5 && x[0] > 'a')", "bool");
}

static void wrong_types_say_what_was_expected(void **state)
{
    (void)state;
    ASSERT_ALL_FAIL(
        "check", {"node.tier < 3", "'<' does not take (string, int); expected (bool"},
        {"1 + 1.0", "(int, double)"}, {"i && b", "an operand of '&&' is int; expected bool"},
        {"i ? 1 : 2", "'?:' does not take (int, int, int)"},
        {"node.tier.foo", "selects from string; only maps have fields"},
        {"i.map(x, x)", "looped over is int; expected a list or a map"},
        {"l.filter(x, x)", "the condition is int; expected bool"},
        {"m.transformMapEntry(k, v, v)", "the entry is int; expected a map"},
        {"i.optMap(x, x)", "expected optional_type"},
        {"optional.of(1).optFlatMap(x, x)", "expected optional_type"},
        {"[?1]", "what follows '?' is int"}, {"has(i.a)", "selects from int"},
        {"'a'.substring(1, 2, 3)", "does not take 3 arguments"},
        {"'a'.charAt('b')", "expected (string, int)"},
        {"m[1]", "'[]' does not take (map(string, int), int)"}, {"1 in 2", "'in' does not take"},
        {"math.ceil(1)", "expected (double)"}, {"l == [1.0]", "'==' does not take"},
        {"'a'.matches('(')", "not a pattern: malformed"},
        {"'a'.matches('(?=a)')", "not part of RE2"});
}

static void an_unknown_name_is_told_with_a_near_one(void **state)
{
    (void)state;
    ASSERT_ALL_FAIL(
        "check", {"node.teir == 'x'", "unknown name 'node.teir'; did you mean 'node.tier'?"},
        {"backend.gpu.lod < 1.0", "did you mean 'backend.gpu.load'?"},
        {"nothing_like_it", "unknown name 'nothing_like_it'"},
        {"backend.gpu > 1", "'backend.gpu' is no fact of its own; 'backend.gpu.load' is"},
        {"'a'.startWith('b')", "unknown function 'startWith'; did you mean 'startsWith'?"},
        {"startsWith('a', 'b')", "it is called as x.f()"}, {"'a'.int()", "it is called as f(x)"},
        {"math.cel(1.0)", "unknown function 'math.cel'; did you mean 'math.ceil'?"},
        {"l.exist(q, q > 1)", "unknown name 'q'"},
        {"l.exists(q > 1)", "'exists' is used as in l.exists(x, condition)"},
        {"has(m.a, m.b)", "'has' is used as in has(a.b)"},
        {"all(q, q > 1)", "'all' is used as in l.all(x, condition)"});
}

static void the_longest_name_wins_unless_parentheses_say_otherwise(void **state)
{
    (void)state;
    const struct cel_type *dyn = policy_cel_type(CEL_T_DYN),
                          *string = policy_cel_type(CEL_T_STRING);
    const struct cel_fact facts[] = {{"a.b", dyn, 0, 3},
                                     {"a.b.a", string, 0, 0},
                                     {"c.x", string, 0, 0},
                                     {"x", policy_cel_type(CEL_T_INT), 1, 2}};
    struct cel_env env = {.facts = facts, .fact_count = 4};
    assert_outcome(outcome_in(&env, "a.b.a", 1000), "a.b.a", "\"edge\"");
    assert_outcome(outcome_in(&env, "(a.b).a", 1000), "(a.b).a", "1");
    assert_outcome(outcome_in(&env, "a.b['a']", 1000), "a.b['a']", "1");
    assert_outcome(outcome_in(&env, "has(a.b.a) && has((a.b).a) && !has(a.b.c)", 1000), "has",
                   "true");
    assert_outcome(outcome_in(&env, "x", 1000), "x", "7");
    env.container = "c.d";
    assert_outcome(outcome_in(&env, "x", 1000), "x in c.d", "\"edge\"");
    assert_outcome(outcome_in(&env, ".x", 1000), ".x in c.d", "7");
    assert_outcome(outcome_in(&env, "[1].map(x, x)", 1000), "variable", "[1]");
    assert_outcome(outcome_in(&env, "[1].map(x, .x + x)", 1000), "variable", "[8]");
}

static void a_variable_hides_facts_that_begin_as_it_does(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"[{'y': {'z': 5}}].map(x, x.y.z)", "[5]"},
                    {"[{'y': {'z': 5}}].map(x, .x.y.z)", "[7]"},
                    {"[{'y': {'z': 5}}].map(x, has(x.y.z) && !has(x.y.a))", "[true]"});
}

static void declared_functions_are_checked_and_have_no_body(void **state)
{
    (void)state;
    const struct cel_type t = {.kind = CEL_T_PARAM, .name = {(const uint8_t *)"T", 1}};
    const struct cel_type list = {.kind = CEL_T_LIST, .params = {&t}, .param_count = 1};
    const struct cel_function functions[] = {
        {"pick", false, {&list}, 1, &t}, {"twice", true, {policy_cel_type(CEL_T_INT)}, 1, &list}};
    const struct cel_env env = {.functions = functions, .function_count = 2};
    struct outcome o = outcome_in(&env, "pick(['a'])", 1000);
    assert_string_equal(o.type, "string");
    assert_failure(o, "pick", "eval", "unknown function");
    assert_failure(outcome_in(&env, "pick(1)", 1000), "pick(1)", "check", "does not take (int)");
    o = outcome_in(&env, "1.twice() == [1]", 1000);
    assert_string_equal(o.type, "bool");
}

static void types_that_explode_are_refused(void **state)
{
    (void)state;
    assert_fails("cel.bind(x, [], x == [x])", "check", "'==' does not take"); /* of no end */
    char text[4096];
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)text, sizeof(text) - 1);
    enum err e = buf_append_str(&out, "cel.bind(v0, {1: 1}, ");
    for (int i = 1; i < 30 && e == ERR_OK; i++)
        e = buf_printf(&out, "cel.bind(v%d, {v%d: v%d}, ", i, i - 1, i - 1);
    if (e == ERR_OK)
        e = buf_append_str(&out, "v29 == v29");
    for (int i = 0; i < 30 && e == ERR_OK; i++)
        e = buf_append_str(&out, ")");
    assert_int_equal(e, ERR_OK);
    text[out.size] = 0;
    assert_non_null(outcome_of(text).phase);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_follow_from_what_is_in_an_expression),
        cmocka_unit_test(wrong_types_say_what_was_expected),
        cmocka_unit_test(an_unknown_name_is_told_with_a_near_one),
        cmocka_unit_test(the_longest_name_wins_unless_parentheses_say_otherwise),
        cmocka_unit_test(a_variable_hides_facts_that_begin_as_it_does),
        cmocka_unit_test(declared_functions_are_checked_and_have_no_body),
        cmocka_unit_test(types_that_explode_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
