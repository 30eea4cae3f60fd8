/* Tests of gossip/wire between honest nodes: what is said arrives as it was said, within the sizes
 * that wire.h promises, without a single allocation. Hostile bytes: test_wire_hostile.c. */
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

static struct gossip_part read_part(struct bytes *message)
{
    struct gossip_part part;
    assert_int_equal(gossip_wire_next(message, &part), ERR_OK);
    return part;
}

static void assert_ref(struct gossip_ref got, struct gossip_ref want)
{
    assert_memory_equal(got.bytes, want.bytes, GOSSIP_REF_SIZE);
}

static void probes_arrive_as_they_were_said(void **state)
{
    struct buf *b = *state;
    assert_int_equal(put_sample(b, GOSSIP_PART_PING), ERR_OK);
    assert_int_equal(put_sample(b, GOSSIP_PART_NACK), ERR_OK);
    assert_int_equal(put_sample(b, GOSSIP_PART_PING_REQ), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_PING);
    assert_int_equal(part.cookie, 127);
    part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_NACK);
    assert_true(part.cookie == UINT64_MAX);
    part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_PING_REQ);
    assert_int_equal(part.cookie, 65536);
    assert_ref(part.ref, ref_b);
    assert_int_equal(message.size, 0);
}

static void an_ack_brings_the_coordinate(void **state)
{
    struct buf *b = *state;
    assert_int_equal(put_sample(b, GOSSIP_PART_ACK), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_ACK);
    assert_int_equal(part.cookie, 128);
    assert_memory_equal(&part.coordinate, &coordinate, sizeof coordinate);
}

static void a_record_arrives_with_what_its_owner_signed(void **state)
{
    struct buf *b = *state;
    assert_int_equal(put_sample(b, GOSSIP_PART_RECORD), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_RECORD);
    assert_ref(part.ref, ref_a);
    assert_int_equal(part.hop, 1);
    assert_int_equal(part.age_ms, 1234);
    assert_int_equal(part.record.kind, GOSSIP_LOAD);
    assert_int_equal(part.record.incarnation, 300);
    assert_int_equal(part.record.version, 70000);
    assert_int_equal(part.record.issued_s, 1795000000);
    assert_true(bytes_equal(part.record.payload, BYTES("payload")));
    assert_memory_equal(part.signature, signature, sizeof signature);
    struct gossip_signed again;
    assert_int_equal(gossip_wire_read_signed(part.signed_bytes, &again), ERR_OK);
    assert_int_equal(again.version, 70000);
    assert_int_equal(message.size, 0);
}

static void an_empty_payload_arrives_empty(void **state)
{
    struct buf *b = *state;
    struct gossip_signed s = {.kind = GOSSIP_LEAVE, .incarnation = UINT64_MAX}, got;
    assert_int_equal(gossip_wire_put_signed(b, &s), ERR_OK);
    assert_int_equal(gossip_wire_read_signed(buf_bytes(b), &got), ERR_OK);
    assert_int_equal(got.kind, GOSSIP_LEAVE);
    assert_true(got.incarnation == UINT64_MAX);
    assert_int_equal(got.payload.size, 0);
}

static void an_accusation_arrives_as_it_was_said(void **state)
{
    struct buf *b = *state;
    assert_int_equal(put_sample(b, GOSSIP_PART_ACCUSATION), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_ACCUSATION);
    assert_ref(part.ref, ref_a);
    assert_ref(part.accuser, ref_b);
    assert_true(part.incarnation == UINT64_MAX);
    assert_memory_equal(part.signature, signature, sizeof signature);
}

static void a_digest_is_read_bucket_by_bucket(void **state)
{
    struct buf *b = *state;
    uint32_t index;
    uint64_t hash;
    assert_int_equal(put_sample(b, GOSSIP_PART_DIGEST), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.type, GOSSIP_PART_DIGEST);
    assert_int_equal(part.exponent, 8);
    assert_int_equal(part.count, 2);
    assert_int_equal(gossip_wire_bucket(&message, &part, &index, &hash), ERR_OK);
    assert_int_equal(index, 3);
    assert_true(hash == UINT64_MAX);
    assert_int_equal(gossip_wire_bucket(&message, &part, &index, &hash), ERR_OK);
    assert_int_equal(index, 255);
    assert_int_equal(hash, 0);
    assert_int_equal(part.count, 0);
    assert_int_equal(message.size, 0);
}

static void versions_are_read_entry_by_entry(void **state)
{
    struct buf *b = *state;
    struct gossip_entry e;
    assert_int_equal(put_sample(b, GOSSIP_PART_VERSIONS), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.count, 2);
    assert_int_equal(gossip_wire_entry(&message, &part, &e), ERR_OK);
    assert_ref(e.ref, ref_a);
    assert_int_equal(e.flags, GOSSIP_ENTRY_DOWN);
    assert_int_equal(e.kinds, 1u << GOSSIP_NODE | 1u << GOSSIP_LEAVE);
    assert_int_equal(e.incarnation, 1000);
    assert_int_equal(e.versions[GOSSIP_NODE].incarnation, 0);
    assert_int_equal(e.versions[GOSSIP_NODE].version, 5);
    assert_int_equal(e.versions[GOSSIP_LEAVE].incarnation, 1000);
    assert_true(e.versions[GOSSIP_LEAVE].version == UINT64_MAX);
    assert_int_equal(gossip_wire_entry(&message, &part, &e), ERR_OK);
    assert_ref(e.ref, ref_b);
    assert_int_equal(e.kinds, 0);
    assert_int_equal(part.count, 0);
    assert_int_equal(message.size, 0);
}

static void wants_are_read_entry_by_entry(void **state)
{
    struct buf *b = *state;
    struct gossip_entry e;
    assert_int_equal(put_sample(b, GOSSIP_PART_WANT), ERR_OK);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_int_equal(part.count, 2);
    assert_int_equal(gossip_wire_entry(&message, &part, &e), ERR_OK);
    assert_ref(e.ref, ref_a);
    assert_int_equal(e.kinds, 1u << GOSSIP_NODE);
    assert_int_equal(gossip_wire_entry(&message, &part, &e), ERR_OK);
    assert_ref(e.ref, ref_b);
    assert_int_equal(e.kinds, (1u << GOSSIP_KINDS) - 1);
    assert_int_equal(message.size, 0);
}

static void empty_lists_may_be_said(void **state)
{
    struct buf *b = *state;
    assert_int_equal(gossip_wire_put_digest(b, 0, 0), ERR_OK);
    assert_int_equal(gossip_wire_put_versions(b, 0), ERR_OK);
    assert_int_equal(gossip_wire_put_want(b, 0), ERR_OK);
    struct bytes message = buf_bytes(b);
    for (int i = 0; i < 3; i++)
        assert_int_equal(read_part(&message).count, 0);
    assert_int_equal(message.size, 0);
}

/* Nodes of different builds have to understand each other. */
static void the_bytes_never_change(void **state)
{
    static const uint8_t bytes[] = {3,    0xcd, 1,    0, /* a question about a */
                                    0xc4, 10,   1,    2,    3,    4,    5,    6,    7,
                                    8,    9,    10,   8,    1, /* the versions of a */
                                    0xc4, 10,   1,    2,    3,    4,    5,    6,    7,
                                    8,    9,    10,   1,    0xcc, 0x80, 2,    1,    9, /* b */
                                    0xc4, 10,   0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9,
                                    0xf8, 0xf7, 0xf6};
    struct buf *b = *state;
    struct gossip_entry e = {.ref = ref_a,
                             .flags = GOSSIP_ENTRY_DOWN,
                             .kinds = 1u << GOSSIP_INVENTORY,
                             .incarnation = 128,
                             .versions = {[GOSSIP_INVENTORY] = {127, 9}}};
    assert_int_equal(gossip_wire_put_ping_req(b, 256, ref_a), ERR_OK);
    assert_int_equal(gossip_wire_put_versions(b, 1), ERR_OK);
    assert_int_equal(gossip_wire_put_entry(b, &e), ERR_OK);
    assert_int_equal(b->size, sizeof bytes - 12);
    assert_memory_equal(b->data, bytes, b->size);
    buf_clear(b);
    struct gossip_signed s = {GOSSIP_LOAD, 65535, 65536, 1, bytes_of(ref_b.bytes, 10)};
    assert_int_equal(gossip_wire_put_signed(b, &s), ERR_OK);
    static const uint8_t head[] = {2, 0xcd, 0xff, 0xff, 0xce, 0, 1, 0, 0, 1};
    assert_int_equal(b->size, sizeof head + 12);
    assert_memory_equal(b->data, head, sizeof head);
    assert_memory_equal(b->data + sizeof head, bytes + sizeof bytes - 12, 12);
}

static void the_largest_items_have_the_sizes_promised(void **state)
{
    struct buf *b = *state;
    struct gossip_entry e = {
        .flags = GOSSIP_ENTRY_DOWN, .kinds = (1u << GOSSIP_KINDS) - 1, .incarnation = UINT64_MAX};
    for (int i = 0; i < GOSSIP_KINDS; i++)
        e.versions[i].version = UINT64_MAX;
    assert_int_equal(gossip_wire_put_entry(b, &e), ERR_OK);
    assert_int_equal(b->size, GOSSIP_ENTRY_SIZE_MAX);
    buf_clear(b);
    assert_int_equal(gossip_wire_put_wanted(b, ref_a, e.kinds), ERR_OK);
    assert_int_equal(b->size, GOSSIP_WANTED_SIZE_MAX);
    buf_clear(b);
    assert_int_equal(gossip_wire_put_accusation(b, ref_a, UINT64_MAX, ref_b, signature), ERR_OK);
    assert_int_equal(b->size, GOSSIP_ACCUSATION_SIZE_MAX);
    buf_clear(b);
    assert_int_equal(gossip_wire_put_bucket(b, GOSSIP_DIGEST_MAX - 1, UINT64_MAX), ERR_OK);
    assert_true(b->size <= GOSSIP_BUCKET_SIZE_MAX);
    buf_clear(b);
    assert_int_equal(gossip_wire_put_digest(b, 8, GOSSIP_DIGEST_MAX), ERR_OK);
    assert_true(b->size <= GOSSIP_LIST_HEAD_MAX);
    buf_clear(b);
    assert_int_equal(gossip_wire_put_versions(b, GOSSIP_ENTRIES_MAX), ERR_OK);
    assert_true(b->size <= GOSSIP_LIST_HEAD_MAX);
}

static void the_largest_record_fits_a_message_and_arrives(void **state)
{
    static uint8_t payload[GOSSIP_PAYLOAD_MAX], storage[GOSSIP_SIGNED_MAX];
    struct buf *b = *state, signed_bytes;
    struct gossip_signed s = {GOSSIP_NODE, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                              bytes_of(payload, sizeof payload)};
    memset(payload, 0xc1, sizeof payload);
    buf_init_fixed(&signed_bytes, storage, sizeof storage);
    assert_int_equal(gossip_wire_put_signed(&signed_bytes, &s), ERR_OK);
    assert_int_equal(
        gossip_wire_put_record(b, ref_a, 0, UINT64_MAX, buf_bytes(&signed_bytes), signature),
        ERR_OK);
    assert_true(b->size <= signed_bytes.size + GOSSIP_RECORD_OVERHEAD);
    struct bytes message = buf_bytes(b);
    struct gossip_part part = read_part(&message);
    assert_true(bytes_equal(part.record.payload, s.payload));
    assert_int_equal(message.size, 0);
}

static void what_is_too_long_is_not_said(void **state)
{
    static uint8_t bytes[GOSSIP_SIGNED_MAX + 1];
    struct buf *b = *state;
    struct gossip_signed s = {.payload = bytes_of(bytes, GOSSIP_PAYLOAD_MAX + 1)};
    assert_int_equal(gossip_wire_put_signed(b, &s), ERR_LIMIT);
    assert_int_equal(
        gossip_wire_put_record(b, ref_a, 0, 0, bytes_of(bytes, sizeof bytes), signature),
        ERR_LIMIT);
    assert_int_equal(b->size, 0);
}

static void a_part_without_room_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    const struct gossip_entry e = {.kinds = 1, .incarnation = 7};
    const struct gossip_signed s = {.payload = BYTES("abc")};
    for (size_t room = 0; room < 8; room++) {
        uint8_t storage[8] = {0xaa};
        struct buf b;
        buf_init_fixed(&b, storage, room + 1);
        b.size = 1;
        assert_int_equal(gossip_wire_put_ack(&b, 1, &coordinate), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_ping_req(&b, 1, ref_a), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_record(&b, ref_a, 0, 0, BYTES("x"), signature), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_accusation(&b, ref_a, 0, ref_b, signature), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_entry(&b, &e), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_wanted(&b, ref_a, 1), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_bucket(&b, 1, UINT64_MAX), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_probe(&b, GOSSIP_PART_PING, UINT64_MAX), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_signed(&b, &s), ERR_LIMIT);
        assert_int_equal(b.size, 1);
        assert_int_equal(storage[0], 0xaa);
    }
}

static void a_list_head_without_room_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    for (size_t room = 0; room < 4; room++) {
        uint8_t storage[4];
        struct buf b;
        buf_init_fixed(&b, storage, room);
        assert_int_equal(gossip_wire_put_digest(&b, 8, 256), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_versions(&b, 512), ERR_LIMIT);
        assert_int_equal(gossip_wire_put_want(&b, 512), ERR_LIMIT);
        assert_int_equal(b.size, 0);
    }
}

/* The sanitizers' own hooks: absent, and the test skipped, in a build without them. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));

static size_t allocations;

static void on_malloc(const volatile void *data, size_t size)
{
    (void)data, (void)size;
    allocations++;
}

static void on_free(const volatile void *data)
{
    (void)data;
}

static void neither_writing_nor_reading_allocates(void **state)
{
    struct buf *b = *state;
    if (!__sanitizer_install_malloc_and_free_hooks)
        skip();
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    size_t before = allocations;
    assert_int_equal(buf_reserve(b, 4096), ERR_OK);
    assert_int_equal(allocations, before + 1); /* so much for the hook */
    for (int type = GOSSIP_PART_PING; type <= GOSSIP_PART_WANT; type++)
        assert_int_equal(put_sample(b, (enum gossip_part_type)type), ERR_OK);
    struct bytes message = buf_bytes(b);
    while (message.size)
        assert_int_equal(read_whole(&message), ERR_OK);
    assert_int_equal(allocations, before + 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(probes_arrive_as_they_were_said),
        TEST(an_ack_brings_the_coordinate),
        TEST(a_record_arrives_with_what_its_owner_signed),
        TEST(an_empty_payload_arrives_empty),
        TEST(an_accusation_arrives_as_it_was_said),
        TEST(a_digest_is_read_bucket_by_bucket),
        TEST(versions_are_read_entry_by_entry),
        TEST(wants_are_read_entry_by_entry),
        TEST(empty_lists_may_be_said),
        TEST(the_bytes_never_change),
        TEST(the_largest_items_have_the_sizes_promised),
        TEST(the_largest_record_fits_a_message_and_arrives),
        TEST(what_is_too_long_is_not_said),
        TEST(a_part_without_room_leaves_the_buffer_as_it_was),
        TEST(a_list_head_without_room_leaves_the_buffer_as_it_was),
        TEST(neither_writing_nor_reading_allocates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
