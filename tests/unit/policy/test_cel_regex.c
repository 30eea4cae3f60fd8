/* Tests of policy/cel_regex and cel_regex_syntax: RE2's syntax and no more, and bounds. */
#include "cel_fixture.h"

#include "policy/cel_regex.h"

static void what_re2_has_passes(void **state)
{
    (void)state;
    static const char *const fine[] = {"",
                                       "a|b",
                                       "(a)(?:b)(?P<n>c)(?<m>d)",
                                       "(?i)a(?s-m:.)",
                                       "[a-z\\d[:alpha:]^\\]]",
                                       "[]a]",
                                       "a*?b+?",
                                       "a{2,3}?",
                                       "a{2,}",
                                       "a{,2}",
                                       "\\pL\\p{Greek}\\PN",
                                       "\\x41\\x{1F600}",
                                       "\\101\\0",
                                       "\\bA\\B\\z",
                                       "\\Qa.b",
                                       "\\.\\-\\/",
                                       "{",
                                       "a{",
                                       "a{x}",
                                       "[*+?]",
                                       "a\\*?"};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        if (policy_cel_regex_fault(bytes_from_str(fine[i])))
            fail_msg("%s: %s", fine[i], policy_cel_regex_fault(bytes_from_str(fine[i])));
}

static void what_re2_has_not_is_refused(void **state)
{
    (void)state;
    static const char *const faulty[] = {
        "(a)\\1", "\\k<n>",  "\\g1",    "(?=a)",   "(?!a)",  "(?<=a)", "(?<!a)",  "(?>a)",
        "(?R)",   "(?1)",    "(?(1)a)", "(?#c)",   "(*UTF)", "(?|a)",  "(?P=n)",  "(?P>n)",
        "a++",    "a**",     "a*+",     "a{2}{3}", "a?+",    "a{2}*",  "a{1001}", "a{2,1001}",
        "\\R",    "\\X",     "\\K",     "\\G",     "\\Z",    "\\h",    "\\C",     "\\",
        "\\v",    "[[.a.]]", "[\\R]",   "[\\b]"};
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
        if (!policy_cel_regex_fault(bytes_from_str(faulty[i])))
            fail_msg("%s passes", faulty[i]);
}

static enum err search(const char *pattern, const char *text, bool *ret_found)
{
    struct policy_cel_regex *regex;
    struct policy_cel_matcher *matcher = policy_cel_matcher_create();
    const char *why;
    assert_non_null(matcher);
    enum err e = policy_cel_regex_create(bytes_from_str(pattern), &regex, &why);
    if (e == ERR_OK) {
        e = policy_cel_regex_search(regex, matcher, bytes_from_str(text), CEL_REGEX_STEPS_MAX,
                                    ret_found);
        policy_cel_regex_destroy(regex);
    }
    policy_cel_matcher_destroy(matcher);
    return e;
}

static void a_search_ends_within_its_bound(void **state)
{
    (void)state;
    bool found;
    char text[5000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(search("^(a+)+[bc]", text, &found), ERR_LIMIT);
    assert_int_equal(search("^a+$", text, &found), ERR_OK);
    assert_true(found);
    assert_int_equal(search("b", text, &found), ERR_OK);
    assert_false(found);
    assert_int_equal(search("(", text, &found), ERR_INVALID);
    assert_int_equal(search("a{900}{", text, &found), ERR_OK);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    bool found;
    char text[6000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(search(text, "", &found), ERR_INVALID);
    memset(text, '(', 300);
    memset(text + 300, ')', 300);
    text[600] = 0;
    assert_int_equal(search(text, "", &found), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_re2_has_passes),
        cmocka_unit_test(what_re2_has_not_is_refused),
        cmocka_unit_test(a_search_ends_within_its_bound),
        cmocka_unit_test(what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
