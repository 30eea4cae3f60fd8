/* Tests of raft/wire: messages arrive as they were said, and nothing malformed arrives. */
#include "raft/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct buf wire;

static int setup(void **state)
{
    (void)state;
    buf_init(&wire, RAFT_MESSAGE_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&wire);
    return 0;
}

static struct raft_snapshot snapshot(void)
{
    struct raft_snapshot s = {.size = 99, .content = {4}};
    s.base = (struct raft_base){.index = 8, .term = 2, .hash = {5}, .config_index = 3};
    s.base.config = (struct raft_config){1, {{{{1}}, 11, 2, true, false}}};
    return s;
}

static struct raft_message full(const struct raft_snapshot *s)
{
    return (struct raft_message){.type = RAFT_CHUNK,
                                 .store = UINT64_MAX,
                                 .boot = 2,
                                 .known_boot = 3,
                                 .known_store = 4,
                                 .draws = {UINT32_MAX, 0, 3},
                                 .known_draw = 18,
                                 .term = 5,
                                 .next_term = 6,
                                 .index = 7,
                                 .log_term = 8,
                                 .commit = 9,
                                 .context = 10,
                                 .hint = 11,
                                 .hint_term = 12,
                                 .have = 13,
                                 .offset = 14,
                                 .ok = true,
                                 .is_forced = true,
                                 .is_full = true,
                                 .records = BYTES("records"),
                                 .count = 15,
                                 .data = BYTES("data"),
                                 .content = {16},
                                 .source = {{17}},
                                 .snapshot = s};
}

static void a_message_arrives_as_it_was_said(void **state)
{
    (void)state;
    struct raft_snapshot s = snapshot(), got;
    struct raft_message m = full(&s), again;
    assert_int_equal(raft_message_encode(&m, &wire), ERR_OK);
    assert_int_equal(raft_message_decode(buf_bytes(&wire), &again, &got), ERR_OK);
    assert_true(bytes_equal(again.records, m.records));
    assert_true(bytes_equal(again.data, m.data));
    assert_memory_equal(&got, &s, sizeof(s));
    assert_ptr_equal(again.snapshot, &got);
    again.records = m.records;
    again.data = m.data;
    again.snapshot = &s;
    assert_memory_equal(&again, &m, sizeof(m));
}

static void an_empty_message_is_small(void **state)
{
    (void)state;
    struct raft_message m = {
        .type = RAFT_APPEND_REPLY, .store = 1, .boot = 1, .draws = {1}, .term = 1, .ok = true};
    assert_int_equal(raft_message_encode(&m, &wire), ERR_OK);
    assert_in_range(wire.size, 4, 24);
}

static void a_message_cut_short_in_its_head_is_refused(void **state)
{
    (void)state;
    struct raft_snapshot s = snapshot(), got;
    struct raft_message m = full(&s), again;
    m.records.size = m.data.size = 0;
    assert_int_equal(raft_message_encode(&m, &wire), ERR_OK);
    for (size_t size = 0; size < wire.size; size++)
        assert_int_equal(raft_message_decode(bytes_of(wire.data, size), &again, &got), ERR_INVALID);
}

static void a_later_type_is_told_apart(void **state)
{
    (void)state;
    struct raft_snapshot got;
    struct raft_message m = {.type = RAFT_MESSAGE_TYPES, .store = 1}, again;
    assert_int_equal(raft_message_encode(&m, &wire), ERR_OK);
    assert_int_equal(raft_message_decode(buf_bytes(&wire), &again, &got), ERR_UNSUPPORTED);
}

static void a_field_of_value_zero_is_not_canonical(void **state)
{
    (void)state;
    struct raft_snapshot got;
    struct raft_message again;
    const uint8_t bytes[] = {0, 0, 0, 6, 0x08, 5, 0x10, 1, 0x18, 0}; /* type 5, store 1, boot 0 */
    assert_int_equal(raft_message_decode(bytes_of(bytes, sizeof(bytes)), &again, &got),
                     ERR_INVALID);
    const uint8_t canonical[] = {0, 0, 0, 4, 0x08, 5, 0x10, 1};
    assert_int_equal(raft_message_decode(bytes_of(canonical, sizeof(canonical)), &again, &got),
                     ERR_OK);
}

/* Type 5, and so many bytes of draws, the last of them `last`. */
static enum err decode_draws(uint8_t size, uint8_t last)
{
    uint8_t bytes[256] = {0, 0, 0, (uint8_t)(size + 5), 0x08, 5, 0xc2, 1, size};
    struct raft_snapshot got;
    struct raft_message again;
    bytes[9] = 1;
    bytes[8 + size] = last;
    return raft_message_decode(bytes_of(bytes, 9u + size), &again, &got);
}

static void more_starts_than_are_kept_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_draws(4 * RAFT_STARTS_KEPT, 1), ERR_OK);
    assert_int_equal(decode_draws(4 * RAFT_STARTS_KEPT + 4, 1), ERR_INVALID);
    assert_int_equal(decode_draws(4 * RAFT_STARTS_KEPT, 0), ERR_INVALID); /* one too few */
}

static void the_bulk_has_a_limit(void **state)
{
    (void)state;
    static uint8_t much[RAFT_MESSAGE_MAX];
    struct raft_message m = {.type = RAFT_APPEND, .store = 1};
    m.records = bytes_of(much, sizeof(much));
    assert_int_equal(raft_message_encode(&m, &wire), ERR_LIMIT);
    m.records.size = RAFT_RECORD_MAX;
    assert_int_equal(raft_message_encode(&m, &wire), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives_as_it_was_said, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_message_is_small, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_cut_short_in_its_head_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_later_type_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_field_of_value_zero_is_not_canonical, setup, teardown),
        cmocka_unit_test_setup_teardown(more_starts_than_are_kept_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bulk_has_a_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
