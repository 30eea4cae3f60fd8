/* Tests of policy/cel_parser, cel_macros and cel_unparse: what binds how, what is refused and
 * where, limits, and that what is written again is the same. */
#include "cel_fixture.h"

static void assert_reads(const char *expression, const char *again)
{
    struct cel_problem problem;
    uint8_t storage[4096];
    struct buf out;
    buf_init_fixed(&out, storage, sizeof(storage));
    if (policy_cel_reformat(bytes_from_str(expression), &out, &problem) != ERR_OK)
        fail_msg("%s: %s", expression, problem.text);
    if (!bytes_equal(buf_bytes(&out), bytes_from_str(again)))
        fail_msg("%s\n  is written %.*s\n  not %s", expression, (int)out.size, (char *)storage,
                 again);
}

static void operators_bind_as_the_grammar_says(void **state)
{
    (void)state;
    assert_reads("a||b&&c==d+e*-f.g", "a || b && c == d + e * -f.g");
    assert_reads("((a || b) && c)", "(a || b) && c");
    assert_reads("(a && b) && c && (d && e)", "(a && b) && c && (d && e)");
    assert_reads("a - b - c - (d - e)", "a - b - c - (d - e)");
    assert_reads("a ? b : c ? d : e", "a ? b : c ? d : e");
    assert_reads("(a ? b : c) ? d : (e)", "(a ? b : c) ? d : e");
    assert_reads("!!a && !(b < c)", "!!a && !(b < c)");
    assert_reads("a < b == (c < d)", "a < b == (c < d)");
    assert_reads("- - 1", "-(-1)");
    assert_reads("-(1)", "-(1)");
    assert_reads("-(1 .foo)", "-(1.foo)");
    assert_reads("x in [1,2,]", "x in [1, 2]");
}

static void forms_are_written_as_they_were_meant(void **state)
{
    (void)state;
    assert_reads(".a.b[0].?c[?d].f(1, x)", ".a.b[0].?c[?d].f(1, x)");
    assert_reads("(a.b).c", "(a.b).c");
    assert_reads("{?'a':b,1:2u,}", "{?\"a\": b, 1: 2u}");
    assert_reads("[?a,b]", "[?a, b]");
    assert_reads("m.`a-b`", "m.`a-b`");
    assert_reads("has(a.b)", "has(a.b)");
    assert_reads("l.existsOne(i, v, i == v)", "l.exists_one(i, v, i == v)");
    assert_reads("l.map(x, x > 1, x * 2)", "l.map(x, x > 1, x * 2)");
    assert_reads("cel.bind(x, 1, x + x)", "cel.bind(x, 1, x + x)");
    assert_reads("o.optMap(x, x)", "o.optMap(x, x)");
    assert_reads("math.least(1, 2, 3)", "math.least([1, 2, 3])");
    assert_reads("'\"\\n' + b'\\xff' + '\xc3\xa9'", "\"\\\"\\x0a\" + b\"\\xff\" + \"\xc3\xa9\"");
    assert_reads("1e300 + 1.0", "1e+300 + 1.0");
}

static void an_error_has_its_line_and_column(void **state)
{
    (void)state;
    struct outcome o = outcome_of("1 +\n  'é' * ) ");
    assert_string_equal(o.phase, "parse");
    assert_int_equal(o.line, 2);
    assert_int_equal(o.column, 9);
    assert_string_equal(o.text, "found ')' where a value should be");
    o = outcome_of("b &&\n\ni");
    assert_string_equal(o.phase, "check");
    assert_int_equal(o.line, 3);
    assert_int_equal(o.column, 1);
}

static void what_is_no_expression_is_refused(void **state)
{
    (void)state;
    ASSERT_ALL_FAIL("parse", {"", "ends where a value"}, {"1 2", "an operator or the end"},
                    {"(1", "')' should be"}, {"[1", "']' should be"}, {"f(1,)", "a value should"},
                    {"a.", "the name of a field"}, {"a.in", "name of a field"},
                    {"while", "reserved word"}, {"a ? b", "':' should be"}, {"{1}", "':' should"},
                    {"Msg{a: 1}", "messages are not"}, {"has(a)", "has(a.b)"},
                    {"l.all(.x, true)", "name of a variable"},
                    {"l.all(1, true)", "name of a variable"}, {"l.all(x.y, true)", "of a variable"},
                    {"l.all(x, x, true)", "two variables of the same name"},
                    {"math.greatest()", "takes something"}, {"m.`a`b`", ""}, {"m.``", "quoted"},
                    {"!-1", "a value should be"});
}

/* `open` n times, `middle`, `close` n times. */
static char *nest(const char *open, const char *middle, const char *close, size_t n)
{
    char *text = malloc(n * (strlen(open) + strlen(close)) + strlen(middle) + 1);
    assert_non_null(text);
    text[0] = 0;
    char *at = text;
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, close);
    return text;
}

static void nesting_is_bounded_in_every_form(void **state)
{
    (void)state;
    static const char *const forms[][3] = {{"(", "1", ")"},
                                           {"[", "1", "]"},
                                           {"{1:", "1", "}"},
                                           {"!", "b", ""},
                                           {"-", "i", ""},
                                           {"dyn(", "1", ")"},
                                           {"b ? b : ", "b", ""},
                                           {"", "d", ".a"},
                                           {"", "d", "[0]"},
                                           {"", "1", " + 1"},
                                           {"", "'a'", ".trim()"},
                                           {"l.all(x, ", "b", ")"},
                                           {"cel.bind(x, 1, ", "1", ")"},
                                           {"(b && ", "b", ")"},
                                           {"", "b", " == b"}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char *fine = nest(forms[i][0], forms[i][1], forms[i][2], 40);
        char *deep = nest(forms[i][0], forms[i][1], forms[i][2], 4000);
        struct outcome o = outcome_of(fine);
        if (o.phase && strcmp(o.phase, "eval") != 0)
            fail_msg("%s: %s", fine, o.text);
        assert_fails(deep, "parse", "nested more than");
        free(fine);
        free(deep);
    }
}

static void size_and_number_of_parts_are_bounded(void **state)
{
    (void)state;
    char *wide = nest("", "[1", ",1", 25000), *chain = nest("", "b", "&&b", 9000);
    char *big = nest("", "1", "                ", 5000);
    assert_fails(wide, "parse", "parts in one expression");
    assert_fails(big, "parse", "longer than");
    assert_gives(chain, "true"); /* a chain is one level, however long */
    free(wide);
    free(chain);
    free(big);
}

static void without_macros_their_names_are_functions(void **state)
{
    (void)state;
    struct cel_env env = cel_fuzz_env(false);
    env.disable_macros = true;
    struct outcome o = outcome_in(&env, "has(m.a)", 1000);
    assert_failure(o, "has", "check", "unknown function 'has'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_as_the_grammar_says),
        cmocka_unit_test(forms_are_written_as_they_were_meant),
        cmocka_unit_test(an_error_has_its_line_and_column),
        cmocka_unit_test(what_is_no_expression_is_refused),
        cmocka_unit_test(nesting_is_bounded_in_every_form),
        cmocka_unit_test(size_and_number_of_parts_are_bounded),
        cmocka_unit_test(without_macros_their_names_are_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
