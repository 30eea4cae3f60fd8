/* Tests of base/bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rng.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

static void numbers_are_read_as_they_are_written(void **state)
{
    static const uint8_t text[] = {0x01, 0x02, 0xfd, 0xfe, 0xff, 0x00, 0x80, 0x7f};
    (void)state;
    assert_int_equal(bytes_big_endian(text, 0), 0);
    assert_int_equal(bytes_big_endian(text, 2), 0x0102);
    assert_int_equal(bytes_big_endian(text, 4), UINT64_C(0x0102fdfe));
    assert_int_equal(bytes_big_endian(text, 8), UINT64_C(0x0102fdfeff00807f));
}

static void an_empty_string_may_have_no_data(void **state)
{
    (void)state;
    struct bytes none = {NULL, 0};
    assert_true(bytes_equal(none, BYTES("")));
    assert_true(bytes_starts_with(BYTES("a"), none));
    assert_true(bytes_equal_nocase(none, none));
    assert_int_equal(bytes_compare(none, none), 0);
    assert_int_equal(bytes_find(none, 'x'), 0);
    assert_int_equal(bytes_trim(none).size, 0);
    assert_int_equal(bytes_skip(none, 5).size, 0);
}

static void prefixes_are_recognised(void **state)
{
    (void)state;
    assert_true(bytes_starts_with(BYTES("/v1/models"), BYTES("/v1/")));
    assert_false(bytes_starts_with(BYTES("/v1"), BYTES("/v1/")));
    assert_false(bytes_starts_with(BYTES("/v2/models"), BYTES("/v1/")));
}

static void skip_stops_at_the_end(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_skip(BYTES("abc"), 1), BYTES("bc")));
    assert_int_equal(bytes_skip(BYTES("abc"), 9).size, 0);
}

static bool equal_nocase_slowly(const uint8_t *a, const uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (tolower(a[i]) != tolower(b[i]))
            return false;
    return true;
}

/* Exact-size heap copies, so that a read past the end is caught. */
static void nocase_equality_agrees_with_tolower_at_every_size(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    for (int round = 0; round < 20000; round++) {
        size_t size = rng_below(&rng, 40);
        uint8_t *a = malloc(size), *b = malloc(size);
        for (size_t i = 0; i < size; i++) {
            a[i] = (uint8_t)rng_next(&rng);
            b[i] = isalpha(a[i]) && a[i] < 0x80 && rng_chance(&rng, 0.5) ? a[i] ^ 0x20 : a[i];
        }
        assert_true(bytes_equal_nocase(bytes_of(a, size), bytes_of(b, size)));
        if (size)
            b[rng_below(&rng, size)] ^= (uint8_t)(1u << rng_below(&rng, 8));
        assert_int_equal(bytes_equal_nocase(bytes_of(a, size), bytes_of(b, size)),
                         equal_nocase_slowly(a, b, size));
        free(a);
        free(b);
    }
}

static void nocase_equality_holds_for_every_pair_of_bytes(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            uint8_t left[8] = {0, 0, 0, (uint8_t)a}, right[8] = {0, 0, 0, (uint8_t)b};
            bool same = tolower(a) == tolower(b);
            assert_int_equal(bytes_equal_nocase(bytes_of(left, 8), bytes_of(right, 8)), same);
            assert_int_equal(bytes_equal_nocase(bytes_of(left, 4), bytes_of(right, 4)), same);
        }
}

static void find_gives_the_first_hit_or_the_size(void **state)
{
    (void)state;
    assert_int_equal(bytes_find(BYTES("a:b:c"), ':'), 1);
    assert_int_equal(bytes_find(BYTES("abc"), ':'), 3);
}

static void trim_removes_blanks_at_both_ends_only(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_trim(BYTES(" \t a b\t ")), BYTES("a b")));
    assert_true(bytes_equal(bytes_trim(BYTES(" \t ")), BYTES("")));
    assert_true(bytes_equal(bytes_trim(BYTES("\na\r")), BYTES("\na\r")));
}

static void order_is_by_unsigned_bytes_then_size(void **state)
{
    (void)state;
    assert_true(bytes_compare(BYTES("a"), BYTES("b")) < 0);
    assert_true(bytes_compare(BYTES("\xff"), BYTES("a")) > 0);
    assert_true(bytes_compare(BYTES("ab"), BYTES("abc")) < 0);
    assert_true(bytes_compare(BYTES("b"), BYTES("abc")) > 0);
    assert_int_equal(bytes_compare(BYTES("abc"), BYTES("abc")), 0);
}

static void to_str_cuts_and_terminates(void **state)
{
    (void)state;
    char out[4] = "zzz";
    bytes_to_str(BYTES("abcdef"), out, sizeof out);
    assert_string_equal(out, "abc");
    bytes_to_str(BYTES(""), out, 1);
    assert_string_equal(out, "");
}

static void numbers_are_read_to_the_last_u64(void **state)
{
    (void)state;
    uint64_t value = 1;
    assert_true(bytes_to_u64(BYTES("0"), &value));
    assert_int_equal(value, 0);
    assert_true(bytes_to_u64(BYTES("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
}

static void what_is_no_number_leaves_the_value_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1a",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150"};
    uint64_t value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(bytes_to_u64(bytes_from_str(bad[i]), &value));
    assert_int_equal(value, 77);
}

static void distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(bytes_distance(BYTES("kitten"), BYTES("sitting")), 3);
    assert_int_equal(bytes_distance(BYTES(""), BYTES("abc")), 3);
    assert_int_equal(bytes_distance(BYTES("abc"), BYTES("")), 3);
    assert_int_equal(bytes_distance(BYTES("same"), BYTES("same")), 0);
    assert_int_equal(bytes_distance(BYTES("regoin"), BYTES("region")), 2);
}

static void very_long_strings_are_far_apart(void **state)
{
    (void)state;
    uint8_t text[65] = {0};
    assert_int_equal(bytes_distance(bytes_of(text, 64), bytes_of(text, 64)), 0);
    assert_int_equal(bytes_distance(bytes_of(text, 65), bytes_of(text, 65)), UINT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_they_are_written),
        cmocka_unit_test(an_empty_string_may_have_no_data),
        cmocka_unit_test(prefixes_are_recognised),
        cmocka_unit_test(skip_stops_at_the_end),
        cmocka_unit_test(nocase_equality_agrees_with_tolower_at_every_size),
        cmocka_unit_test(nocase_equality_holds_for_every_pair_of_bytes),
        cmocka_unit_test(find_gives_the_first_hit_or_the_size),
        cmocka_unit_test(trim_removes_blanks_at_both_ends_only),
        cmocka_unit_test(order_is_by_unsigned_bytes_then_size),
        cmocka_unit_test(to_str_cuts_and_terminates),
        cmocka_unit_test(numbers_are_read_to_the_last_u64),
        cmocka_unit_test(what_is_no_number_leaves_the_value_alone),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(very_long_strings_are_far_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
