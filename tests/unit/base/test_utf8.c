/* Tests of base/utf8: what counts as UTF-8, and how characters are escaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

#include <string.h>

static void well_formed_characters_have_their_size(void **state)
{
    (void)state;
    assert_int_equal(utf8_size(BYTES("a")), 1);
    assert_int_equal(utf8_size(BYTES("\xc3\xa9")), 2);
    assert_int_equal(utf8_size(BYTES("\xe2\x82\xac")), 3);
    assert_int_equal(utf8_size(BYTES("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(utf8_size(BYTES("\xf4\x8f\xbf\xbf")), 4);
    assert_int_equal(utf8_size(BYTES("")), 0);
}

static void malformed_sequences_are_no_characters(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xc3",             /* cut */
        "\xe2\x82",         /* cut */
        "\xc0\xaf",         /* overlong / */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* past U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x28\xa1",
        "\xf0\x9f\x98\x28",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(utf8_size(bytes_from_str(bad[i])), 0);
        assert_false(utf8_is_valid(bytes_from_str(bad[i])));
    }
}

/* Every code point: the only accepted encodings are the shortest ones of scalar values. */
static void every_scalar_value_is_accepted_and_no_surrogate(void **state)
{
    (void)state;
    for (uint32_t code = 0x800; code < 0x10000; code++) {
        uint8_t text[3] = {(uint8_t)(0xe0 | code >> 12), (uint8_t)(0x80 | (code >> 6 & 63)),
                           (uint8_t)(0x80 | (code & 63))};
        bool is_surrogate = code >= 0xd800 && code < 0xe000;
        assert_int_equal(utf8_size(bytes_of(text, 3)), is_surrogate ? 0 : 3);
    }
}

static void validity_is_of_the_whole_text(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(BYTES("")));
    assert_true(utf8_is_valid(BYTES("na\xc3\xafve \xf0\x9f\x98\x80")));
    assert_false(utf8_is_valid(BYTES("na\xefve")));
}

static void check_escaped(struct bytes text, const char *expected, size_t left)
{
    uint8_t out[UTF8_ESCAPED_SIZE_MAX];
    size_t size = utf8_take_escaped(&text, out);
    assert_true(bytes_equal(bytes_of(out, size), bytes_from_str(expected)));
    assert_int_equal(text.size, left);
}

static void characters_are_escaped_as_json_wants(void **state)
{
    (void)state;
    check_escaped(BYTES("ab"), "a", 1);
    check_escaped(BYTES("\"b"), "\\\"", 1);
    check_escaped(BYTES("\\"), "\\\\", 0);
    check_escaped(BYTES("\n"), "\\n", 0);
    check_escaped(BYTES("\b"), "\\b", 0);
    check_escaped(BYTES("\r"), "\\r", 0);
    check_escaped(BYTES("\v"), "\\u000b", 0);
    check_escaped(BYTES("\0"), "\\u0000", 0);
    check_escaped(BYTES("\x1b["), "\\u001b", 1);
}

static void terminal_controls_beyond_ascii_are_escaped_too(void **state)
{
    (void)state;
    check_escaped(BYTES("\x7f"), "\\u007f", 0);
    check_escaped(BYTES("\xc2\x9b"), "\\u009b", 0);
    check_escaped(BYTES("\xc2\xa0"), "\xc2\xa0", 0);
}

static void a_stray_byte_becomes_the_replacement_character(void **state)
{
    (void)state;
    check_escaped(BYTES("\xff\x41"), "\xef\xbf\xbd", 1);
    check_escaped(BYTES("\xe2\x82"), "\xef\xbf\xbd", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_characters_have_their_size),
        cmocka_unit_test(malformed_sequences_are_no_characters),
        cmocka_unit_test(every_scalar_value_is_accepted_and_no_surrogate),
        cmocka_unit_test(validity_is_of_the_whole_text),
        cmocka_unit_test(characters_are_escaped_as_json_wants),
        cmocka_unit_test(terminal_controls_beyond_ascii_are_escaped_too),
        cmocka_unit_test(a_stray_byte_becomes_the_replacement_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
