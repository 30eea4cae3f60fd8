/* Tests of base/id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/id.h"

static void text_is_lower_case_hex_and_reads_back(void **state)
{
    (void)state;
    struct id id, back;
    char text[ID_TEXT_SIZE];
    for (int i = 0; i < ID_SIZE; i++)
        id.bytes[i] = (uint8_t)(i * 17 + 1);
    id_to_text(&id, text);
    assert_string_equal(text, "011223"
                              "3445566778899aabbccddeef00");
    assert_int_equal(id_from_text(bytes_from_str(text), &back), ERR_OK);
    assert_true(id_equal(&id, &back));
}

static void foreign_text_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0112233445566778899aabbccddeef0",
        "0112233445566778899aabbccddeef000",
        "0112233445566778899aabbccddeef0g",
        "0112233445566778899AABBCCDDEEF00",
        " 112233445566778899aabbccddeef00",
    };
    struct id id = {{7}};
    const struct id before = id;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(id_from_text(bytes_from_str(bad[i]), &id), ERR_INVALID);
    assert_true(id_equal(&id, &before));
}

static void random_ids_differ_and_are_not_zero(void **state)
{
    (void)state;
    struct id a = id_random(), b = id_random();
    assert_false(id_equal(&a, &b));
    assert_false(id_is_zero(&a));
    assert_true(id_is_zero(&(struct id){{0}}));
}

static void the_id_of_a_key_is_the_start_of_its_hash(void **state)
{
    (void)state;
    uint8_t key[32];
    char text[ID_TEXT_SIZE];
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
    struct id id = id_of_public_key(key);
    id_to_text(&id, text);
    assert_string_equal(text, "cb2f5160fc1f7e05a55ef49d340b48da");
}

static void ids_have_an_order(void **state)
{
    (void)state;
    struct id a = {{1}}, b = {{2}}, c = {{1, 0, 0, 200}};
    assert_true(id_compare(&a, &b) < 0);
    assert_true(id_compare(&b, &a) > 0);
    assert_true(id_compare(&a, &c) < 0);
    assert_int_equal(id_compare(&a, &a), 0);
}

static int prepare(void **state)
{
    (void)state;
    return crypto_init() != ERR_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_lower_case_hex_and_reads_back),
        cmocka_unit_test(foreign_text_is_refused_and_changes_nothing),
        cmocka_unit_test(random_ids_differ_and_are_not_zero),
        cmocka_unit_test(the_id_of_a_key_is_the_start_of_its_hash),
        cmocka_unit_test(ids_have_an_order),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
