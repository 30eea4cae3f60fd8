/* Tests of raft/entry: records and configurations are read as they were written, and nothing else.
 */
#include "raft/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t storage[4096];

static struct bytes sample(enum raft_kind kind, uint64_t index, struct bytes payload)
{
    static struct buf b;
    struct raft_entry e = {.kind = kind, .term = 7, .index = index, .payload = payload};
    memset(e.prev, 0xab, sizeof(e.prev));
    buf_init_fixed(&b, storage, sizeof(storage));
    assert_int_equal(raft_entry_append(&b, &e), ERR_OK);
    return buf_bytes(&b);
}

static void crc32c_is_castagnolis(void **state)
{
    uint8_t zeros[32] = {0}, ones[32];
    (void)state;
    memset(ones, 0xff, sizeof(ones));
    /* RFC 3720, B.4 */
    assert_int_equal(raft_crc32c(0, bytes_of(zeros, 32)), 0x8a9136aa);
    assert_int_equal(raft_crc32c(0, bytes_of(ones, 32)), 0x62a8ab43);
    assert_int_equal(raft_crc32c(0, BYTES("123456789")), 0xe3069283);
    uint32_t part = raft_crc32c(0, BYTES("1234"));
    assert_int_equal(raft_crc32c(part, BYTES("56789")), 0xe3069283);
}

static void a_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct bytes rest = sample(RAFT_COMMAND, 42, BYTES("hello"));
    struct bytes record = rest;
    struct raft_entry e;
    assert_int_equal(rest.size, RAFT_RECORD_HEAD + 5);
    assert_int_equal(raft_entry_read(&rest, &e), ERR_OK);
    assert_int_equal(rest.size, 0);
    assert_int_equal(e.kind, RAFT_COMMAND);
    assert_int_equal(e.term, 7);
    assert_int_equal(e.index, 42);
    assert_int_equal(e.prev[31], 0xab);
    assert_true(bytes_equal(e.payload, BYTES("hello")));
    assert_true(bytes_equal(e.record, record));
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct bytes record = sample(RAFT_COMMAND, 42, BYTES("hello"));
    for (size_t bit = 0; bit < record.size * 8; bit++) {
        struct bytes rest = record;
        struct raft_entry e;
        storage[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(raft_entry_read(&rest, &e), ERR_OK);
        storage[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_record_that_is_cut_short_is_refused(void **state)
{
    (void)state;
    struct bytes record = sample(RAFT_COMMAND, 42, BYTES("hello"));
    for (size_t size = 0; size < record.size; size++) {
        struct bytes rest = bytes_of(record.data, size);
        struct raft_entry e;
        assert_int_equal(raft_entry_read(&rest, &e), ERR_INVALID);
    }
}

/* With a right checksum, as a later program would write it. */
static void set_byte(size_t at, uint8_t value, size_t size)
{
    storage[at] = value;
    uint32_t crc = raft_crc32c(0, bytes_of(storage + 4, size - 4));
    for (int i = 0; i < 4; i++)
        storage[i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void a_later_version_or_kind_is_told_apart(void **state)
{
    (void)state;
    struct raft_entry e;
    struct bytes record = sample(RAFT_NOOP, 1, BYTES(""));
    set_byte(8, 2, record.size);
    struct bytes rest = record;
    assert_int_equal(raft_entry_read(&rest, &e), ERR_UNSUPPORTED);
    set_byte(8, 1, record.size);
    set_byte(9, 9, record.size);
    rest = record;
    assert_int_equal(raft_entry_read(&rest, &e), ERR_UNSUPPORTED);
}

static struct raft_config three(void)
{
    return (struct raft_config){
        3, {{{{1}}, 11, 0, true, false}, {{{2}}, 12, 3, true, true}, {{{3}}, 0, 0, false, false}}};
}

static void a_configuration_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct raft_config config = three(), again;
    struct buf b;
    buf_init_fixed(&b, storage, sizeof(storage));
    assert_int_equal(raft_config_encode(&config, &b), ERR_OK);
    assert_int_equal(raft_config_decode(buf_bytes(&b), &again), ERR_OK);
    assert_memory_equal(&again, &config, sizeof(config));
    assert_true(raft_config_is_joint(&config));
}

static void configurations_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init_fixed(&b, storage, sizeof(storage));
    struct raft_config none = {0}, no_voter = three(), disorder = three(), no_store = three();
    no_voter.members[0].is_voter = no_voter.members[1].is_voter = false;
    disorder.members[0].id.bytes[0] = 9;
    no_store.members[0].store = 0;
    assert_int_equal(raft_config_encode(&none, &b), ERR_INVALID);
    assert_int_equal(raft_config_encode(&no_voter, &b), ERR_INVALID);
    assert_int_equal(raft_config_encode(&disorder, &b), ERR_INVALID);
    assert_int_equal(raft_config_encode(&no_store, &b), ERR_INVALID);
    struct raft_config many = {.count = RAFT_VOTERS_MAX + 1};
    for (size_t i = 0; i < many.count; i++)
        many.members[i] = (struct raft_member){{{(uint8_t)(i + 1)}}, 1, 0, true, false};
    assert_int_equal(raft_config_encode(&many, &b), ERR_INVALID);
}

static void too_long_a_payload_is_a_limit(void **state)
{
    (void)state;
    static uint8_t payload[RAFT_PAYLOAD_MAX + 1];
    struct raft_entry e = {.kind = RAFT_COMMAND, .term = 1, .index = 1};
    struct buf b;
    buf_init(&b, RAFT_RECORD_MAX + 1);
    e.payload = bytes_of(payload, sizeof(payload));
    assert_int_equal(raft_entry_append(&b, &e), ERR_LIMIT);
    e.payload.size--;
    assert_int_equal(raft_entry_append(&b, &e), ERR_OK);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_is_castagnolis),
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(a_record_that_is_cut_short_is_refused),
        cmocka_unit_test(a_later_version_or_kind_is_told_apart),
        cmocka_unit_test(a_configuration_is_read_as_it_was_written),
        cmocka_unit_test(configurations_that_make_no_sense_are_refused),
        cmocka_unit_test(too_long_a_payload_is_a_limit),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
