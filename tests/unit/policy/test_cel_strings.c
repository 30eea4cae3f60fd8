/* Tests of policy/cel_lib_text, cel_lib_text_make, cel_lib_format and cel_text: positions are those
 * of characters, and what is out of them is an error. */
#include "cel_fixture.h"

static void positions_count_characters(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"'ta©o©αT'.size()", "7"}, {"'ta©o©αT'.charAt(2)", "\"©\""},
                    {"'abc'.charAt(3)", "\"\""}, {"'ta©o©αT'.indexOf('©', 3)", "4"},
                    {"'abc'.indexOf('', 3)", "3"}, {"'abc'.indexOf('x')", "-1"},
                    {"'ta©o©αT'.lastIndexOf('©')", "4"}, {"'ta©o©αT'.lastIndexOf('©', 3)", "2"},
                    {"'abc'.lastIndexOf('')", "3"}, {"'ab'.lastIndexOf('abc')", "-1"},
                    {"'ta©o©αT'.substring(2, 6)", "\"©o©α\""}, {"'abc'.substring(3)", "\"\""},
                    {"'abc'.contains('bc') && !'abc'.contains('cb')", "true"},
                    {"'abc'.startsWith('ab') && 'abc'.endsWith('bc')", "true"},
                    {"'a'.startsWith('ab') || 'a'.endsWith('ba')", "false"});
    ASSERT_ALL_FAIL("eval", {"'abc'.charAt(4)", "out of range"},
                    {"'abc'.charAt(-1)", "out of range"}, {"'abc'.indexOf('a', 4)", "out of range"},
                    {"'abc'.indexOf('a', -1)", "out"},
                    {"'abc'.lastIndexOf('a', 4)", "out of range"}, {"'abc'.substring(2, 1)", "out"},
                    {"'abc'.substring(0, 4)", "out of range"}, {"'abc'.substring(-1)", "out"});
}

static void texts_are_made_of_texts(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"'aXbXc'.replace('X', '--')", "\"a--b--c\""}, {"'aXbXc'.replace('X', '', 1)", "\"abXc\""},
        {"'ab'.replace('', '-')", "\"-a-b-\""}, {"'ab'.replace('', '-', 2)", "\"-a-b\""},
        {"'ab'.replace('a', 'x', 0)", "\"ab\""}, {"''.replace('', 'x')", "\"x\""},
        {"'a,b,,c'.split(',')", "[\"a\", \"b\", \"\", \"c\"]"},
        {"'é€x'.split('')", "[\"é\", \"€\", \"x\"]"}, {"'a,b,c'.split(',', 2)", "[\"a\", \"b,c\"]"},
        {"'a,b'.split(',', 0)", "[]"}, {"'a'.split(',', 1)", "[\"a\"]"},
        {"''.split(',')", "[\"\"]"}, {"''.split('')", "[]"},
        {"['a', 'b', 'c'].join('-') + ['a', 'b'].join() + [].join('x')", "\"a-b-cab\""},
        {"' \\t\\u00a0x y\\u3000'.trim()", "\"x y\""}, {"'\\u200bx'.trim().size()", "2"},
        {"'aÉz{'.upperAscii() + 'AÉZ['.lowerAscii()", "\"AÉZ{aÉz[\""},
        {"'aé🐱'.reverse()", "\"🐱éa\""},
        {"strings.quote('a\\n\"\\\\')", "\"\\\"a\\\\n\\\\\\\"\\\\\\\\\\\"\""},
        {"base64.encode(b'hello') + base64.encode(b'hell') + base64.encode(b'hel')",
         "\"aGVsbG8=aGVsbA==aGVs\""},
        {"base64.decode('aGVsbA==') + base64.decode('aGVsbA')", "b\"hellhell\""});
    ASSERT_ALL_FAIL("eval", {"base64.decode('a')", "not base64"}, {"base64.decode('a===')", "not"},
                    {"base64.decode('ab!c')", "not base64"},
                    {"base64.decode('aGVsbB==')", "not base64"},
                    {"dyn([1]).join()", "no such overload"}, {"dyn(1).trim()", "no such overload"},
                    {"dyn(1).reverse()", "no such"}, {"'a'.replace(dyn(1), 'b')", "no such"},
                    {"dyn(1).split('a')", "no such"}, {"dyn(1).lowerAscii()", "no such"});
}

static void format_has_its_clauses(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"'100%% of %s'.format(['it'])", "\"100% of it\""},
        {"'%s %s %s %s'.format([1, 2u, 1e20, null])", "\"1 2 100000000000000000000 null\""},
        {"'%s'.format([{'b': [1.5, b'x'], 1: true, 'a': type(1)}])",
         "\"{1: true, a: int, b: [1.5, x]}\""},
        {"'%s %s'.format([duration('90s'), timestamp(0)])", "\"90s 1970-01-01T00:00:00Z\""},
        {"'%d %d %d'.format([-1, 2u, 1.5])", "\"-1 2 1.5\""},
        {"'%.2f %f %.0e %e'.format([1.005, 2, 15.0, 0.0/0.0])", "\"1.00 2.000000 2e+01 NaN\""},
        {"'%x %X %o %b %b'.format([-255, 'hi', 8, 5, true])", "\"-ff 6869 10 101 1\""},
        {"'%s'.format([{}])", "\"{}\""}, {"'%f'.format([-1.0 / 0.0])", "\"-Infinity\""});
    ASSERT_ALL_FAIL("eval", {"'%s %s'.format(['a'])", "more clauses than values"},
                    {"'%q'.format([1])", "unknown clause"}, {"'%'.format([])", "ends after"},
                    {"'%.f'.format([1.0])", "without digits"}, {"'%.2000f'.format([1.0])", "1000"},
                    {"'%d'.format(['a'])", "%d takes"}, {"'%f'.format(['a'])", "%f takes"},
                    {"'%e'.format([true])", "%e takes"}, {"'%x'.format([1.5])", "%x takes"},
                    {"'%o'.format(['a'])", "%o takes"}, {"'%b'.format(['a'])", "%b takes"},
                    {"'%s'.format([optional.of(1)])", "does not take"});
}

static void patterns_match_anywhere_within_a_bound(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"'hubba'.matches('ubb') && matches('hubba', '^hub')", "true"},
                    {"'abc\\n'.matches('c$')", "false"}, {"'a\\nb'.matches('a.b')", "false"},
                    {"'ÄB'.matches('(?i)äb')", "true"}, {"node.tier.matches('^' + 'e')", "true"},
                    {"node.tier.matches(node.tier)", "true"}, {"'é'.matches('^.$')", "true"});
    assert_fails("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", "eval", "bound");
    assert_fails("'a'.matches(node.tier + '(')", "eval", "malformed");
    assert_unchecked_fails("'a'.matches('(')", "malformed");
    assert_unchecked_fails("i.matches('a')", "no such overload");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_count_characters),
        cmocka_unit_test(texts_are_made_of_texts),
        cmocka_unit_test(format_has_its_clauses),
        cmocka_unit_test(patterns_match_anywhere_within_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
