/* Tests of policy/cel_value, cel_aggregate and cel_show: what is equal, what comes first, and how
 * values look. */
#include "cel_fixture.h"

static void numbers_are_compared_by_value_across_types(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"dyn(1) == 1u && dyn(1u) == 1.0 && dyn(1.0) == 1", "true"},
                    {"dyn(-1) == 18446744073709551615u", "false"},
                    {"dyn(-1) < 0u && dyn(0u) > -1", "true"},
                    {"1 < 2u && 2u < 2.5 && 2.5 > 2", "true"},
                    {"dyn(9223372036854775807) < 9223372036854775808u", "true"},
                    {"0.0/0.0 == 0.0/0.0 || 0.0/0.0 < 1.0 || 0.0/0.0 >= 1.0", "false"},
                    {"0.0/0.0 != 0.0/0.0", "true"}, {"dyn(0.0) == dyn(-0.0)", "true"},
                    {"dyn('1') == 1 || dyn(true) == 1 || dyn(null) == 0", "false"});
}

static void aggregates_are_equal_by_what_they_hold(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"[1, [2, 'a']] == [1, [2, 'a']]", "true"}, {"[1, 2] == [2, 1]", "false"},
        {"dyn([1]) == [1.0]", "true"}, {"{'a': 1, 'b': [2]} == {'b': [2], 'a': 1}", "true"},
        {"{'a': 1} == {'a': 1, 'b': 2} || {'a': 1} == {'b': 1}", "false"},
        {"dyn({1: 2}) == {1u: 2.0}", "true"}, {"optional.of([1]) == optional.of([1])", "true"},
        {"optional.none() == optional.of(1)", "false"}, {"b'a' == bytes('a')", "true"},
        {"dyn(b'a') == 'a'", "false"}, {"type(1) == int && type(1) != uint", "true"},
        {"2 in l || -1 in l && 'a' in m && !('b' in m)", "true"});
}

static void orders_are_those_of_characters_octets_and_time(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"'a' < 'b' && 'a' < 'aa' && '' < 'a' && 'Z' < 'a'", "true"},
                    {"'\\uffff' < '\\U00010000'", "true"}, {"b'\\x7f' < b'\\x80'", "true"},
                    {"false < true && !(true < true) && true <= true", "true"},
                    {"duration('-1s') < duration('1ns')", "true"},
                    {"timestamp(1) < timestamp('1970-01-01T00:00:01.000000001Z')", "true"});
    assert_unchecked_fails("null < null", "no such overload");
    assert_unchecked_fails("[1] < [2]", "no such overload");
    assert_unchecked_fails("type(1) < type(2)", "no such overload");
}

static void values_look_as_expressions_write_them(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"[1, 1u, 1.0, 0.1, 1e100, true, null]", "[1, 1u, 1.0, 0.1, 1e+100, true, null]"},
        {"[1.0/0.0, -1.0/0.0, 0.0/0.0]", "[Infinity, -Infinity, NaN]"},
        {"'a\"\\\\\\n'", "\"a\\\"\\\\\\x0a\""}, {"b'\\xff'", "b\"\\xff\""},
        {"{'a': {1: [int]}}", "{\"a\": {1: [int]}}"},
        {"[optional.none(), optional.of(1)]", "[optional.none(), optional.of(1)]"},
        {"link.rtt", "duration(\"0.02s\")"},
        {"t", "timestamp(\"2009-02-13T23:31:30.999999999Z\")"});
    uint8_t storage[64];
    struct buf out;
    buf_init_fixed(&out, storage, sizeof(storage));
    assert_int_equal(policy_cel_show((struct cel_value){.kind = CEL_ABSENT, .text = "x"}, &out),
                     ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), BYTES("absent: x")));
}

static void values_nested_without_end_are_not_followed(void **state)
{
    (void)state;
    static struct cel_value chain[3000];
    struct buf out;
    for (size_t k = 0; k + 1 < 3000; k++)
        chain[k] = (struct cel_value){.kind = CEL_LIST, .size = 1, .items = &chain[k + 1]};
    chain[2999] = (struct cel_value){.kind = CEL_INT};
    assert_false(policy_cel_equal(chain[0], chain[0]));
    buf_init(&out, 1 << 20);
    assert_int_equal(policy_cel_show(chain[0], &out), ERR_LIMIT);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_compared_by_value_across_types),
        cmocka_unit_test(aggregates_are_equal_by_what_they_hold),
        cmocka_unit_test(orders_are_those_of_characters_octets_and_time),
        cmocka_unit_test(values_look_as_expressions_write_them),
        cmocka_unit_test(values_nested_without_end_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
