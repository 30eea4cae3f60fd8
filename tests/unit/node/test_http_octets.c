/* Octets in field values: round trips, the alphabet, and what must not be taken. */
#include "base/crypto.h"
#include "base/rng.h"
#include "node/http/octets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void any_bytes_come_back_as_they_were(void **state)
{
    struct rng rng;
    (void)state;
    rng_init(&rng, 7);
    for (size_t size = 0; size < 300; size++) {
        uint8_t data[300];
        struct buf packed, back;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)rng_next(&rng);
        buf_init(&packed, 1000);
        buf_init(&back, 1000);
        assert_int_equal(http_octets_pack(&packed, bytes_of(data, size)), ERR_OK);
        assert_int_equal(packed.size, http_octets_packed_size(size));
        for (size_t i = 0; i < packed.size; i++)
            assert_true(packed.data[i] >= 0x80);
        assert_int_equal(http_octets_unpack(buf_bytes(&packed), &back), ERR_OK);
        assert_true(bytes_equal(buf_bytes(&back), bytes_of(data, size)));
        buf_fini(&packed);
        buf_fini(&back);
    }
}

static void a_byte_of_plain_text_is_refused(void **state)
{
    uint8_t value[8] = {0x80, 0x80, 0x80, 0x41, 0x80, 0x80, 0x80, 0x80};
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    assert_int_equal(http_octets_unpack(bytes_of(value, 8), &out), ERR_INVALID);
    value[3] = 0xC1;
    assert_int_equal(http_octets_unpack(bytes_of(value, 8), &out), ERR_OK);
    assert_int_equal(out.size, 7);
    buf_fini(&out);
}

static void lengths_and_padding_that_no_data_gives_are_refused(void **state)
{
    uint8_t value[9] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    assert_int_equal(http_octets_unpack(bytes_of(value, 1), &out), ERR_INVALID);
    assert_int_equal(http_octets_unpack(bytes_of(value, 9), &out), ERR_INVALID);
    value[1] = 0x81; /* one octet and six bits of padding, one of them set */
    assert_int_equal(http_octets_unpack(bytes_of(value, 2), &out), ERR_INVALID);
    assert_int_equal(out.size, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_come_back_as_they_were),
        cmocka_unit_test(a_byte_of_plain_text_is_refused),
        cmocka_unit_test(lengths_and_padding_that_no_data_gives_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
