/* Tests of policy/cel_literal and cel_lexer: what numbers, strings and bytes say, and what is no
 * such literal. */
#include "cel_fixture.h"

static void numbers_say_what_they_say_up_to_their_bounds(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"0", "0"}, {"-0x10", "-16"}, {"0xFFFFFFFFFFFFFFFFu", "18446744073709551615u"},
                    {"-9223372036854775808", "-9223372036854775808"}, {"1.5e3", "1500.0"},
                    {".5", "0.5"}, {"1e-400", "0.0"}, {"-0.0", "-0.0"}, {"7U", "7u"});
    ASSERT_ALL_FAIL("parse", {"9223372036854775808", "out of range of int"},
                    {"-9223372036854775809", "out of range"}, {"18446744073709551616u", "of uint"},
                    {"-1u", "out of range"}, {"1e400", "not a double"}, {"12ab", "letter"},
                    {"1.5u", "not a double"});
}

static void escapes_mean_characters_in_strings_and_octets_in_bytes(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"'\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\\"\\'\\`' == '\\x07\\x08\\x0c\\x0a\\x0d\\x09"
                     "\\x0b\\x5c\\x3f\\x22\\x27\\x60'",
                     "true"},
                    {"size('\\377')", "1"}, {"size(bytes('\\xff'))", "2"}, {"size(b'\\xff')", "1"},
                    {"b'\\377' == b'\\XFF'", "true"}, {"size('\\u00e9\\U0001F431')", "2"},
                    {"r'\\n'", "\"\\\\n\""}, {"bR'\\x00'", "b\"\\\\x00\""});
    ASSERT_ALL_FAIL("parse", {"'\\ud800'", "not a Unicode character"},
                    {"'\\U00110000'", "not a Unicode character"}, {"b'\\u0041'", "for strings"},
                    {"'\\x4'", "too few digits"}, {"'\\8'", "that there is not"},
                    {"'\\400'", "that there is not"});
}

static void a_string_ends_with_its_quotes_and_on_its_line(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"'''a'b''c'''", "\"a'b''c\""}, {"\"\"\"a\nb\"\"\"", "\"a\\x0ab\""},
                    {"'''a\r\nb\rc'''", "\"a\\x0ab\\x0ac\""}, {"\"it's\"", "\"it's\""});
    ASSERT_ALL_FAIL("parse", {"'abc", "does not end"}, {"'a\nb'", "on its line"},
                    {"'''abc''", "does not end"}, {"'abc\\", "does not end"});
}

static void blanks_and_comments_are_nothing(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({" 1\t+ // one\n\f2\r\n// end", "3"}, {"'//' // x", "\"//\""});
    assert_fails("1 # 2", "parse", "no meaning");
    assert_fails("\xff", "parse", "not UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_say_what_they_say_up_to_their_bounds),
        cmocka_unit_test(escapes_mean_characters_in_strings_and_octets_in_bytes),
        cmocka_unit_test(a_string_ends_with_its_quotes_and_on_its_line),
        cmocka_unit_test(blanks_and_comments_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
