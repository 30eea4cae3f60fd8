/* Tests of policy/cel_lib_core, _convert, _math and _optional, one test a library. */
#include "cel_fixture.h"

static void arithmetic_never_wraps(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"7 / 2 + 7 % 4 - 2 * 3", "0"}, {"-7 / 2", "-3"}, {"-7 % 4", "-3"},
                    {"7u / 2u + 7u % 4u", "6u"}, {"1.5 * 2.0 / 4.0 - 0.25", "0.5"},
                    {"'a' + 'b' + string(b'c')", "\"abc\""}, {"b'a' + b'\\xff'", "b\"a\\xff\""},
                    {"[1] + [] + [2]", "[1, 2]"}, {"-(-3)", "3"}, {"1.0 / 0.0", "Infinity"});
    ASSERT_ALL_FAIL("eval", {"9223372036854775807 + 1", "overflow"}, {"i - 1", "overflow"},
                    {"i * -1", "overflow"}, {"i / -1", "overflow"}, {"i % -1", "overflow"},
                    {"-i", "overflow"}, {"0u - 1u", "overflow"},
                    {"18446744073709551615u + 1u", "overflow"},
                    {"5000000000u * 5000000000u", "overflow"}, {"1 / 0", "division by zero"},
                    {"1 % 0", "division by zero"}, {"1u / 0u", "division by zero"},
                    {"1u % 0u", "division by zero"}, {"dyn(1) + 1u", "no such overload"},
                    {"dyn(1.0) % 2", "no such overload"}, {"-dyn(1u)", "no such overload"},
                    {"!dyn(1)", "no such overload"}, {"1 in dyn(1)", "no such overload"},
                    {"size(dyn(1))", "no such overload"});
}

static void conversions_keep_the_value_or_fail(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"[int('-12'), int(3u), int(-7.9), int(timestamp(5))]", "[-12, 3, -7, 5]"},
        {"[uint('7'), uint(7), uint(7.9)]", "[7u, 7u, 7u]"},
        {"[double('1e3'), double(2), double(3u), double('-inf')]", "[1000.0, 2.0, 3.0, -Infinity]"},
        {"[string(-1), string(1u), string(0.5), string(true), string('x')]",
         "[\"-1\", \"1\", \"0.5\", \"true\", \"x\"]"},
        {"string(1e6) + string(123456.0)", "\"1e+06123456\""},
        {"string(duration('1h0.5s')) + ' ' + string(timestamp(0))",
         "\"3600.5s 1970-01-01T00:00:00Z\""},
        {"[bool('t'), bool('False'), bool(true)]", "[true, false, true]"},
        {"bytes('\\u00e9')", "b\"\xc3\xa9\""},
        {"int(9223372036854774784.0)", "9223372036854774784"}, {"type(dyn(1))", "int"},
        {"duration(duration('1s')) == duration('1s')", "true"});
    ASSERT_ALL_FAIL("eval", {"int('1.5')", "type conversion"}, {"int('')", "type conversion"},
                    {"int(18446744073709551615u)", "out of the range"}, {"int(1e99)", "range"},
                    {"int(9223372036854775807.0)", "range"},
                    {"int(-9223372036854775808.0)", "range"}, {"int(0.0 / 0.0)", "range"},
                    {"uint(-1)", "range"}, {"uint(-0.5)", "range"}, {"uint('-1')", "conversion"},
                    {"double('1x')", "conversion"}, {"double('0x1')", "conversion"},
                    {"double('')", "conversion"}, {"bool('TrUe')", "conversion"},
                    {"string(b'\\xff')", "invalid UTF-8"}, {"timestamp(253402300800)", "range"},
                    {"int(dyn([]))", "no such overload"},
                    {"string(dyn(null))", "no such overload"});
}

static void math_works_on_every_kind_of_number(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"[math.greatest(1, 2.5, 2u), math.least(3, 1u), math.greatest([1, 3, 2])]",
         "[2.5, 1u, 3]"},
        {"[math.ceil(1.2), math.floor(-1.2), math.round(-1.5), math.trunc(-1.9)]",
         "[2.0, -2.0, -2.0, -1.0]"},
        {"[math.abs(-3), math.sign(-3), math.sign(0)]", "[3, -1, 0]"},
        {"[math.abs(-1.5), math.sign(2.0)]", "[1.5, 1.0]"},
        {"[math.abs(2u), math.sign(2u)]", "[2u, 1u]"},
        {"math.isNaN(math.sign(0.0 / 0.0)) && math.isInf(1.0 / 0.0) && math.isFinite(1.0)", "true"},
        {"[math.sqrt(4), math.sqrt(4u), math.sqrt(0.25)]", "[2.0, 2.0, 0.5]"},
        {"[math.bitAnd(6, 3), math.bitOr(6, 3), math.bitXor(6, 3), math.bitNot(0)]",
         "[2, 7, 5, -1]"},
        {"[math.bitShiftLeft(1, 3), math.bitShiftRight(-1, 63), math.bitShiftLeft(1, 64)]",
         "[8, 1, 0]"});
    ASSERT_ALL_FAIL("eval", {"math.abs(i)", "overflow"}, {"math.greatest([])", "empty list"},
                    {"math.least(dyn('a'))", "no such overload"},
                    {"math.greatest([dyn(1), dyn('a')])", "no such overload"},
                    {"math.bitShiftLeft(1, -1)", "negative offset"},
                    {"math.bitAnd(dyn(1), 1u)", "no such overload"},
                    {"math.ceil(dyn(1))", "no such overload"},
                    {"math.sqrt(dyn(''))", "no such overload"});
}

static void optionals_pass_on_what_they_have(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"optional.of(1).or(optional.of(1 / 0)).value()", "1"},
                    {"optional.none().or(optional.of(2)).value()", "2"},
                    {"optional.none().orValue(3)", "3"}, {"optional.of(1).orValue(1 / 0)", "1"},
                    {"optional.of(2).optMap(x, x * x).value()", "4"},
                    {"optional.none().optMap(x, 1 / 0).hasValue()", "false"},
                    {"optional.of(2).optFlatMap(x, optional.none()).hasValue()", "false"},
                    {"optional.unwrap([optional.of(1), optional.none()])", "[1]"},
                    {"[optional.of(1)].unwrapOpt()", "[1]"}, {"[].first().hasValue()", "false"},
                    {"[1, 2].first().value() + [1, 2].last().value()", "3"},
                    {"[?optional.none(), ?optional.of(1), 2]", "[1, 2]"},
                    {"{?'a': optional.none(), 'b': 1}", "{\"b\": 1}"},
                    {"[0, 1].map(x, optional.ofNonZeroValue(x).hasValue())", "[false, true]"},
                    {"[dyn(''), b'', [], {}, 0u, 0.0, false, null, duration('0s'), timestamp(0)]"
                     ".all(x, !optional.ofNonZeroValue(x).hasValue())",
                     "true"});
    ASSERT_ALL_FAIL("eval", {"optional.none().value()", "has no value"},
                    {"optional.none().orValue(1 / 0)", "division"});
    assert_unchecked_fails("[?1]", "no such overload");
    assert_unchecked_fails("{?'a': 1}", "no such overload");
    assert_unchecked_fails("(1).value()", "no such overload");
    assert_unchecked_fails("(1).optMap(x, x)", "no such overload");
    assert_unchecked_fails("optional.of(1).optFlatMap(x, x)", "no such overload");
    assert_unchecked_fails("optional.none().or(1)", "no such overload");
    assert_unchecked_fails("(1).orValue(1)", "no such overload");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_never_wraps),
        cmocka_unit_test(conversions_keep_the_value_or_fail),
        cmocka_unit_test(math_works_on_every_kind_of_number),
        cmocka_unit_test(optionals_pass_on_what_they_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
