/* Tests of gossip/wire against hostile bytes: each is refused as INVALID, and what was handed in is
 * left alone. */
#include "tests/unit/gossip/wire_fixture.h"

static int setup(void **state)
{
    static struct buf b;
    buf_init(&b, GOSSIP_MESSAGE_MAX);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    buf_fini(*state);
    return 0;
}

/* From an allocation of exactly this size, so that the sanitizer sees a read past the end. Empties
 * b. */
static enum err read_exactly(struct buf *b)
{
    uint8_t *data = malloc(b->size ? b->size : 1);
    assert_non_null(data);
    if (b->size)
        memcpy(data, b->data, b->size);
    struct bytes message = bytes_of(data, b->size);
    enum err e = read_whole(&message);
    if (e == ERR_OK)
        assert_int_equal(message.size, 0);
    free(data);
    buf_clear(b);
    return e;
}

static void raw(struct buf *b, const char *bytes, size_t size)
{
    assert_int_equal(buf_append(b, bytes_of(bytes, size)), ERR_OK);
}

#define RAW(b, literal) raw(b, literal, sizeof(literal) - 1)

static void every_cut_of_every_part_is_refused(void **state)
{
    struct buf *b = *state, whole;
    buf_init(&whole, GOSSIP_MESSAGE_MAX);
    for (int type = GOSSIP_PART_PING; type <= GOSSIP_PART_WANT; type++) {
        buf_clear(&whole);
        assert_int_equal(put_sample(&whole, (enum gossip_part_type)type), ERR_OK);
        for (size_t size = 0; size <= whole.size; size++) {
            assert_int_equal(buf_append(b, bytes_of(whole.data, size)), ERR_OK);
            assert_int_equal(read_exactly(b), size == whole.size ? ERR_OK : ERR_INVALID);
        }
    }
    buf_fini(&whole);
}

static void a_refused_part_leaves_everything_as_it_was(void **state)
{
    struct buf *b = *state;
    struct gossip_part part = {.cookie = 77}, before = part;
    RAW(b, "\x03\x05\xc4\x0a\x01\x02");
    struct bytes message = buf_bytes(b);
    assert_int_equal(gossip_wire_next(&message, &part), ERR_INVALID);
    assert_ptr_equal(message.data, b->data);
    assert_int_equal(message.size, b->size);
    assert_memory_equal(&part, &before, sizeof part);
}

static void a_refused_item_leaves_everything_as_it_was(void **state)
{
    struct buf *b = *state;
    struct gossip_part part;
    struct gossip_entry entry = {.kinds = 77};
    assert_int_equal(gossip_wire_put_want(b, 1), ERR_OK);
    raw_ref(b);
    struct bytes message = buf_bytes(b);
    assert_int_equal(gossip_wire_next(&message, &part), ERR_OK);
    struct bytes rest = message;
    assert_int_equal(gossip_wire_entry(&message, &part, &entry), ERR_INVALID);
    assert_true(message.data == rest.data && message.size == rest.size);
    assert_int_equal(part.count, 1);
    assert_int_equal(entry.kinds, 77);
}

static void unknown_types_are_refused(void **state)
{
    struct buf *b = *state;
    for (unsigned type = 0; type < 300; type++) {
        if (type >= GOSSIP_PART_PING && type <= GOSSIP_PART_WANT)
            continue;
        raw_uint(b, type);
        raw_uint(b, 0);
        assert_int_equal(read_exactly(b), ERR_INVALID);
    }
    raw_u64(b, UINT64_C(0x100000001)); /* PING in its lower half */
    raw_uint(b, 0);
    assert_int_equal(read_exactly(b), ERR_INVALID);
}

static void numbers_in_longer_forms_are_refused(void **state)
{
    struct buf *b = *state;
    RAW(b, "\xcc\x01\x05"); /* the type */
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x01\xcc\x7f"); /* and cookies */
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x01\xcd\x00\xff");
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x01\xce\x00\x00\xff\xff");
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x01\xcf\x00\x00\x00\x00\xff\xff\xff\xff");
    assert_int_equal(read_exactly(b), ERR_INVALID);
}

static void numbers_at_the_edges_of_their_forms_are_read(void **state)
{
    struct buf *b = *state;
    RAW(b, "\x01\xcc\x80");
    assert_int_equal(read_exactly(b), ERR_OK);
    RAW(b, "\x01\xcd\x01\x00");
    assert_int_equal(read_exactly(b), ERR_OK);
    RAW(b, "\x01\xce\x00\x01\x00\x00");
    assert_int_equal(read_exactly(b), ERR_OK);
    RAW(b, "\x01\xcf\x00\x00\x00\x01\x00\x00\x00\x00");
    assert_int_equal(read_exactly(b), ERR_OK);
}

static void bins_in_longer_forms_are_refused(void **state)
{
    struct buf *b = *state;
    RAW(b, "\x03\x05\xc4\x0a"
           "abcdefghij");
    assert_int_equal(read_exactly(b), ERR_OK);
    RAW(b, "\x03\x05\xc5\x00\x0a"
           "abcdefghij");
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x03\x05\xc6\x00\x00\x00\x0a"
           "abcdefghij");
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x02\x05\xc6\xff\xff\xff\xff"); /* claims 4 GiB */
    assert_int_equal(read_exactly(b), ERR_INVALID);
}

/* Whatever is no unsigned integer: every other first byte, with plenty behind it. */
static void other_msgpack_types_are_no_numbers(void **state)
{
    struct buf *b = *state;
    for (unsigned first = 0x80; first < 0x100; first++) {
        if (first >= 0xcc && first <= 0xcf)
            continue;
        raw_byte(b, first);
        RAW(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_int_equal(read_exactly(b), ERR_INVALID);
        raw_uint(b, GOSSIP_PART_PING);
        raw_byte(b, first);
        RAW(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_int_equal(read_exactly(b), ERR_INVALID);
    }
}

/* As long as the unsigned forms of the same values. */
static void signed_forms_of_numbers_are_refused(void **state)
{
    struct buf *b = *state;
    RAW(b, "\x01\xd1\x01\x00");
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x01\xd2\x00\x01\x00\x00");
    assert_int_equal(read_exactly(b), ERR_INVALID);
    RAW(b, "\x01\xd3\x00\x00\x00\x01\x00\x00\x00\x00");
    assert_int_equal(read_exactly(b), ERR_INVALID);
}

static void other_msgpack_types_are_no_bins(void **state)
{
    struct buf *b = *state;
    for (unsigned first = 0; first < 0x100; first++) {
        if (first == 0xc4)
            continue;
        raw_uint(b, GOSSIP_PART_PING_REQ);
        raw_uint(b, 5);
        raw_byte(b, first);
        RAW(b, "\x0a"
               "abcdefghij");
        assert_int_equal(read_exactly(b), ERR_INVALID);
    }
}

static void refs_of_another_size_are_refused(void **state)
{
    struct buf *b = *state;
    static const uint8_t bytes[GOSSIP_REF_SIZE + 1];
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        raw_uint(b, GOSSIP_PART_PING_REQ);
        raw_uint(b, 5);
        raw_bin(b, bytes_of(bytes, size));
        assert_int_equal(read_exactly(b), size == GOSSIP_REF_SIZE ? ERR_OK : ERR_INVALID);
    }
}

static void signatures_of_another_size_are_refused(void **state)
{
    struct buf *b = *state;
    static const uint8_t bytes[65];
    for (size_t size = 63; size <= 65; size++) {
        raw_uint(b, GOSSIP_PART_ACCUSATION);
        raw_ref(b);
        raw_uint(b, 1);
        raw_ref(b);
        raw_bin(b, bytes_of(bytes, size));
        assert_int_equal(read_exactly(b), size == 64 ? ERR_OK : ERR_INVALID);
        raw_uint(b, GOSSIP_PART_RECORD);
        raw_ref(b);
        RAW(b, "\x00\x00\xc4\x06\x02\x01\x01\x01\xc4\x00");
        raw_bin(b, bytes_of(bytes, size));
        assert_int_equal(read_exactly(b), size == 64 ? ERR_OK : ERR_INVALID);
    }
}

static void invalid_coordinates_are_refused(void **state)
{
    struct buf *b = *state;
    uint8_t bytes[GOSSIP_COORDINATE_SIZE + 1];
    gossip_coordinate_encode(&coordinate, bytes);
    for (size_t size = GOSSIP_COORDINATE_SIZE - 1; size <= sizeof bytes; size++) {
        raw_uint(b, GOSSIP_PART_ACK);
        raw_uint(b, 1);
        raw_bin(b, bytes_of(bytes, size));
        assert_int_equal(read_exactly(b), size == GOSSIP_COORDINATE_SIZE ? ERR_OK : ERR_INVALID);
    }
    bytes[0] = 0x7f; /* 21 seconds away */
    raw_uint(b, GOSSIP_PART_ACK);
    raw_uint(b, 1);
    raw_bin(b, bytes_of(bytes, GOSSIP_COORDINATE_SIZE));
    assert_int_equal(read_exactly(b), ERR_INVALID);
}

static enum err read_record(struct buf *b, unsigned hop, struct bytes signed_bytes)
{
    raw_uint(b, GOSSIP_PART_RECORD);
    raw_ref(b);
    raw_uint(b, hop);
    raw_uint(b, 0);
    raw_bin(b, signed_bytes);
    raw_bin(b, bytes_of(signature, sizeof signature));
    return read_exactly(b);
}

static void a_hop_beyond_the_limit_is_refused(void **state)
{
    assert_int_equal(read_record(*state, 0, BYTES("\x02\x01\x01\x01\xc4\x00")), ERR_OK);
    assert_int_equal(read_record(*state, 1, BYTES("\x02\x01\x01\x01\xc4\x00")), ERR_OK);
    assert_int_equal(read_record(*state, GOSSIP_HOP_MAX, BYTES("\x02\x01\x01\x01\xc4\x00")),
                     ERR_OK);
    assert_int_equal(read_record(*state, GOSSIP_HOP_MAX + 1, BYTES("\x02\x01\x01\x01\xc4\x00")),
                     ERR_INVALID);
}

static void signed_bytes_that_are_not_canonical_are_refused(void **state)
{
    assert_int_equal(read_record(*state, 0, BYTES("\x04\x01\x01\x01\xc4\x00")), ERR_OK);
    assert_int_equal(read_record(*state, 0, BYTES("\x05\x01\x01\x01\xc4\x00")), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, BYTES("\x02\x01\x01\x01\xc4\x00\x00")), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, BYTES("\x02\xcc\x01\x01\x01\xc4\x00")), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, BYTES("\x02\x01\x01\x01\xc5\x00\x00")), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, BYTES("\x02\x01\x01\x01\xc4\x01")), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, BYTES("\x02\x01\x01\x01")), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, BYTES("")), ERR_INVALID);
}

static void longer_payloads_than_allowed_are_refused(void **state)
{
    static uint8_t zeros[GOSSIP_PAYLOAD_MAX + 1];
    struct buf signed_bytes;
    buf_init(&signed_bytes, GOSSIP_MESSAGE_MAX);
    for (size_t extra = 0; extra <= 1; extra++) {
        buf_clear(&signed_bytes);
        RAW(&signed_bytes, "\x02\x01\x01\x01");
        raw_bin(&signed_bytes, bytes_of(zeros, GOSSIP_PAYLOAD_MAX + extra));
        assert_int_equal(read_record(*state, 0, buf_bytes(&signed_bytes)),
                         extra ? ERR_INVALID : ERR_OK);
    }
    buf_fini(&signed_bytes);
}

static void longer_signed_bytes_than_allowed_are_refused(void **state)
{
    static const uint8_t zeros[GOSSIP_SIGNED_MAX + 1];
    assert_int_equal(read_record(*state, 0, bytes_of(zeros, GOSSIP_SIGNED_MAX)), ERR_INVALID);
    assert_int_equal(read_record(*state, 0, bytes_of(zeros, GOSSIP_SIGNED_MAX + 1)), ERR_INVALID);
}

static void longer_lists_than_allowed_are_refused(void **state)
{
    static const struct {
        enum gossip_part_type type;
        unsigned max;
    } lists[] = {{GOSSIP_PART_DIGEST, GOSSIP_DIGEST_MAX},
                 {GOSSIP_PART_VERSIONS, GOSSIP_ENTRIES_MAX},
                 {GOSSIP_PART_WANT, GOSSIP_ENTRIES_MAX}};
    struct buf *b = *state;
    for (size_t i = 0; i < 3; i++) {
        for (unsigned extra = 0; extra <= 1; extra++) {
            struct gossip_part part;
            buf_clear(b);
            raw_uint(b, lists[i].type);
            if (lists[i].type == GOSSIP_PART_DIGEST)
                raw_uint(b, 8);
            raw_uint(b, lists[i].max + extra);
            struct bytes message = buf_bytes(b);
            assert_int_equal(gossip_wire_next(&message, &part), extra ? ERR_INVALID : ERR_OK);
        }
    }
}

static void exponents_beyond_eight_are_refused(void **state)
{
    RAW(*state, "\x07\x08\x00");
    assert_int_equal(read_exactly(*state), ERR_OK);
    RAW(*state, "\x07\x09\x00");
    assert_int_equal(read_exactly(*state), ERR_INVALID);
    RAW(*state, "\x07\x20\x00");
    assert_int_equal(read_exactly(*state), ERR_INVALID);
}

static void buckets_outside_the_digest_are_refused(void **state)
{
    struct buf *b = *state;
    for (unsigned exponent = 0; exponent <= 8; exponent++) {
        for (unsigned beyond = 0; beyond <= 1; beyond++) {
            raw_uint(b, GOSSIP_PART_DIGEST);
            raw_uint(b, exponent);
            raw_uint(b, 1);
            raw_uint(b, (1u << exponent) - 1 + beyond);
            raw_uint(b, 0);
            assert_int_equal(read_exactly(b), beyond ? ERR_INVALID : ERR_OK);
        }
    }
}

static enum err read_entry(struct buf *b, const char *rest, size_t size)
{
    RAW(b, "\x08\x01");
    raw_ref(b);
    raw(b, rest, size);
    return read_exactly(b);
}

static void unknown_kinds_are_refused(void **state)
{
    RAW(*state, "\x09\x01");
    raw_ref(*state);
    raw_uint(*state, 1u << GOSSIP_KINDS);
    assert_int_equal(read_exactly(*state), ERR_INVALID);
    assert_int_equal(read_entry(*state, "\x00\x05\x10\x00\x01", 5), ERR_OK);
    assert_int_equal(read_entry(*state, "\x00\x05\x20\x00\x01", 5), ERR_INVALID);
}

static void unknown_flags_are_refused(void **state)
{
    assert_int_equal(read_entry(*state, "\x01\x05\x00", 3), ERR_OK);
    assert_int_equal(read_entry(*state, "\x02\x05\x00", 3), ERR_INVALID);
}

static void an_incarnation_below_zero_is_refused(void **state)
{
    assert_int_equal(read_entry(*state, "\x00\x05\x01\x05\x01", 5), ERR_OK);
    assert_int_equal(read_entry(*state, "\x00\x05\x01\x06\x01", 5), ERR_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_cut_of_every_part_is_refused),
        TEST(a_refused_part_leaves_everything_as_it_was),
        TEST(a_refused_item_leaves_everything_as_it_was),
        TEST(unknown_types_are_refused),
        TEST(numbers_in_longer_forms_are_refused),
        TEST(numbers_at_the_edges_of_their_forms_are_read),
        TEST(bins_in_longer_forms_are_refused),
        TEST(other_msgpack_types_are_no_numbers),
        TEST(signed_forms_of_numbers_are_refused),
        TEST(other_msgpack_types_are_no_bins),
        TEST(refs_of_another_size_are_refused),
        TEST(signatures_of_another_size_are_refused),
        TEST(invalid_coordinates_are_refused),
        TEST(a_hop_beyond_the_limit_is_refused),
        TEST(signed_bytes_that_are_not_canonical_are_refused),
        TEST(longer_payloads_than_allowed_are_refused),
        TEST(longer_signed_bytes_than_allowed_are_refused),
        TEST(longer_lists_than_allowed_are_refused),
        TEST(exponents_beyond_eight_are_refused),
        TEST(buckets_outside_the_digest_are_refused),
        TEST(unknown_kinds_are_refused),
        TEST(unknown_flags_are_refused),
        TEST(an_incarnation_below_zero_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
