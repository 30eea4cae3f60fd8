/* Tests of base/buf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#include <string.h>

static void check_text(const struct buf *b, const char *expected)
{
    assert_int_equal(b->size, strlen(expected));
    assert_memory_equal(b->data, expected, b->size);
}

static void a_new_buffer_is_empty_and_owns_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_null(b.data);
    assert_int_equal(buf_bytes(&b).size, 0);
    assert_int_equal(buf_append(&b, (struct bytes){NULL, 0}), ERR_OK);
    assert_null(b.data);
    buf_fini(&b);
}

static void appending_keeps_the_order(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_append_str(&b, "abc"), ERR_OK);
    assert_int_equal(buf_append_byte(&b, '-'), ERR_OK);
    assert_int_equal(buf_append(&b, BYTES("def")), ERR_OK);
    check_text(&b, "abc-def");
    buf_fini(&b);
}

static void content_survives_growth(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf_append_byte(&b, (uint8_t)(i * 7)), ERR_OK);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], (uint8_t)(i * 7));
    buf_fini(&b);
}

static void the_maximum_is_reached_exactly_and_never_passed(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_int_equal(buf_append_str(&b, "abcde"), ERR_OK);
    assert_int_equal(buf_append_byte(&b, 'f'), ERR_LIMIT);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_LIMIT);
    check_text(&b, "abcde");
    assert_true(b.capacity <= 5);
    buf_fini(&b);
}

static void a_refused_append_changes_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 6);
    assert_int_equal(buf_append_str(&b, "abc"), ERR_OK);
    assert_int_equal(buf_append_str(&b, "wxyz"), ERR_LIMIT);
    assert_int_equal(buf_append_u32(&b, 1), ERR_LIMIT);
    assert_int_equal(buf_append_decimal(&b, 1234), ERR_LIMIT);
    assert_int_equal(buf_printf(&b, "%d", 1234), ERR_LIMIT);
    assert_int_equal(buf_append_json_escaped(&b, BYTES("ab\n")), ERR_LIMIT);
    check_text(&b, "abc");
    buf_fini(&b);
}

static void clearing_keeps_the_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_append_str(&b, "abc"), ERR_OK);
    const uint8_t *data = b.data;
    buf_clear(&b);
    assert_int_equal(b.size, 0);
    assert_ptr_equal(b.data, data);
    buf_fini(&b);
}

static void a_fixed_buffer_uses_only_its_storage(void **state)
{
    (void)state;
    uint8_t storage[4];
    struct buf b;
    buf_init_fixed(&b, storage, sizeof storage);
    assert_int_equal(buf_append_str(&b, "abcd"), ERR_OK);
    assert_ptr_equal(b.data, storage);
    assert_int_equal(buf_append_byte(&b, 'e'), ERR_LIMIT);
}

static void integers_are_big_endian(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_append_u16(&b, 0x0102), ERR_OK);
    assert_int_equal(buf_append_u32(&b, 0x03040506), ERR_OK);
    assert_int_equal(buf_append_u64(&b, UINT64_C(0x0708090a0b0c0d0e)), ERR_OK);
    for (size_t i = 0; i < 14; i++)
        assert_int_equal(b.data[i], i + 1);
    buf_fini(&b);
}

static void decimals_agree_with_printf(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 9, 10, 99, 100, 12345, UINT32_MAX, UINT64_MAX};
    struct buf b, expected;
    buf_init(&b, 1000);
    buf_init(&expected, 1000);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(buf_append_decimal(&b, values[i]), ERR_OK);
        assert_int_equal(buf_append_decimal_signed(&b, (int64_t)values[i]), ERR_OK);
        assert_int_equal(buf_append_decimal_signed(&b, (int64_t)(0 - values[i])), ERR_OK);
        assert_int_equal(buf_printf(&expected, "%llu%lld%lld", (unsigned long long)values[i],
                                    (long long)values[i], (long long)(0 - values[i])),
                         ERR_OK);
    }
    assert_int_equal(buf_append_decimal_signed(&b, INT64_MIN), ERR_OK);
    assert_int_equal(buf_append_str(&expected, "-9223372036854775808"), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&b), buf_bytes(&expected)));
    buf_fini(&b);
    buf_fini(&expected);
}

static void printf_handles_short_and_long_texts(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 3003);
    assert_int_equal(buf_printf(&b, "%s=%d", "a", 5), ERR_OK);
    check_text(&b, "a=5");
    assert_int_equal(buf_printf(&b, "%3000d", 7), ERR_OK);
    assert_int_equal(b.size, 3003);
    assert_int_equal(b.data[3002], '7');
    assert_int_equal(buf_printf(&b, "x"), ERR_LIMIT);
    buf_clear(&b);
    assert_int_equal(buf_printf(&b, "%512d", 7), ERR_OK);
    assert_int_equal(b.size, 512);
    assert_int_equal(buf_printf(&b, "%4000d", 7), ERR_LIMIT);
    assert_int_equal(b.size, 512);
    buf_fini(&b);
}

static void json_text_is_escaped(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 200);
    assert_int_equal(buf_append_json_escaped(&b, BYTES("say \"hi\"\n\\ \x01 \xc3\xa9 \xff!")),
                     ERR_OK);
    check_text(&b, "say \\\"hi\\\"\\n\\\\ \\u0001 \xc3\xa9 \xef\xbf\xbd!");
    buf_clear(&b);
    assert_int_equal(buf_append_json_escaped(&b, (struct bytes){NULL, 0}), ERR_OK);
    assert_int_equal(b.size, 0);
    buf_fini(&b);
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_append_str(&b, "abcdef"), ERR_OK);
    buf_consume(&b, 2);
    check_text(&b, "cdef");
    buf_consume(&b, 0);
    check_text(&b, "cdef");
    buf_consume(&b, 4);
    assert_int_equal(b.size, 0);
    buf_fini(&b);
    buf_init(&b, 1);
    buf_consume(&b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_is_empty_and_owns_nothing),
        cmocka_unit_test(appending_keeps_the_order),
        cmocka_unit_test(content_survives_growth),
        cmocka_unit_test(the_maximum_is_reached_exactly_and_never_passed),
        cmocka_unit_test(a_refused_append_changes_nothing),
        cmocka_unit_test(clearing_keeps_the_memory),
        cmocka_unit_test(a_fixed_buffer_uses_only_its_storage),
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(decimals_agree_with_printf),
        cmocka_unit_test(printf_handles_short_and_long_texts),
        cmocka_unit_test(json_text_is_escaped),
        cmocka_unit_test(consuming_moves_the_rest_to_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
