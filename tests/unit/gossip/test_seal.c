/* Tests of gossip/seal: only the right pair, mesh and sender open a datagram, no changed bit
 * passes, and the window lets each sequence through once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "gossip/seal.h"

static const uint8_t key[32] = {1, 2, 3};
static const struct id mesh = {{10, 11, 12}};
static const struct id sender = {{20, 21, 22, 23, 24, 25, 26, [15] = 27}};

/* --- sealing */

static void seal(struct bytes plain, struct buf *out)
{
    buf_init(out, GOSSIP_DATAGRAM_MAX);
    assert_int_equal(gossip_seal(key, &mesh, &sender, 0x0102030405060708, plain, out), ERR_OK);
}

static void what_was_sealed_opens(void **state)
{
    (void)state;
    struct buf out;
    uint8_t opened[GOSSIP_SEAL_PLAIN_MAX];
    struct bytes plain;
    seal(BYTES("who is alive?"), &out);
    assert_int_equal(out.size, 13 + GOSSIP_SEAL_OVERHEAD);
    assert_int_equal(gossip_seal_open(key, &mesh, &sender, buf_bytes(&out), opened, &plain),
                     ERR_OK);
    assert_true(bytes_equal(plain, BYTES("who is alive?")));
    buf_fini(&out);
}

static void the_head_says_who_and_when(void **state)
{
    (void)state;
    static const uint8_t head[] = {1, 20, 21, 22, 23, 24, 25, 26, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    struct buf out;
    struct gossip_ref ref;
    uint64_t sequence;
    seal(BYTES("x"), &out);
    assert_memory_equal(out.data, head, sizeof head);
    assert_int_equal(gossip_seal_head(buf_bytes(&out), &ref, &sequence), ERR_OK);
    assert_memory_equal(ref.bytes, sender.bytes, GOSSIP_REF_SIZE);
    assert_true(sequence == 0x0102030405060708);
    buf_fini(&out);
}

/* Made by another implementation from the layout that seal.h describes; so is the next. */
static void the_bytes_never_change(void **state)
{
    (void)state;
    static const char wanted[] = "011415161718191a0000000102030405060708"
                                 "0293c45cdbaa4ddcda1991bb80a25013c0921b799cee";
    struct buf out, text;
    buf_init(&text, 200);
    seal(BYTES("gossip"), &out);
    assert_int_equal(crypto_hex_append(&text, buf_bytes(&out)), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&text), bytes_from_str(wanted)));
    buf_fini(&text);
    buf_fini(&out);
}

static void the_pairs_key_never_changes(void **state)
{
    (void)state;
    static const char wanted[] = "f9c989f7933006aa8f6315a3ab1b6455d0b94303c23fe60a5f8f7f2b4f4784c9";
    uint8_t gossip_key[32], shared[32], pair_key[32], expected[32];
    memset(gossip_key, 1, 32);
    memset(shared, 2, 32);
    gossip_seal_key(gossip_key, shared, &mesh, pair_key);
    assert_int_equal(crypto_hex_decode(bytes_from_str(wanted), expected, 32), ERR_OK);
    assert_memory_equal(pair_key, expected, 32);
}

static void the_pairs_key_depends_on_everything(void **state)
{
    (void)state;
    uint8_t keys[4][32];
    uint8_t a[32] = {1}, b[32] = {2};
    gossip_seal_key(a, b, &mesh, keys[0]);
    gossip_seal_key(b, b, &mesh, keys[1]);
    gossip_seal_key(a, a, &mesh, keys[2]);
    gossip_seal_key(a, b, &sender, keys[3]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(keys[i], keys[j], 32);
}

static void any_changed_bit_keeps_a_datagram_shut(void **state)
{
    (void)state;
    struct buf out;
    uint8_t opened[GOSSIP_SEAL_PLAIN_MAX];
    struct bytes plain;
    seal(BYTES("load 7"), &out);
    for (size_t bit = 0; bit < out.size * 8; bit++) {
        out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(gossip_seal_open(key, &mesh, &sender, buf_bytes(&out), opened, &plain),
                         ERR_BAD_SIGNATURE);
        out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(gossip_seal_open(key, &mesh, &sender, buf_bytes(&out), opened, &plain),
                     ERR_OK);
    buf_fini(&out);
}

static void another_key_mesh_or_sender_opens_nothing(void **state)
{
    (void)state;
    static const uint8_t other_key[32] = {1, 2, 4};
    static const struct id other = {{10, 11, 13}};
    struct id namesake = sender; /* the same ref */
    struct buf out;
    uint8_t opened[GOSSIP_SEAL_PLAIN_MAX];
    struct bytes plain;
    namesake.bytes[15] ^= 1;
    seal(BYTES("load 7"), &out);
    struct bytes d = buf_bytes(&out);
    assert_int_equal(gossip_seal_open(other_key, &mesh, &sender, d, opened, &plain),
                     ERR_BAD_SIGNATURE);
    assert_int_equal(gossip_seal_open(key, &other, &sender, d, opened, &plain), ERR_BAD_SIGNATURE);
    assert_int_equal(gossip_seal_open(key, &mesh, &namesake, d, opened, &plain), ERR_BAD_SIGNATURE);
    buf_fini(&out);
}

static void another_size_or_version_is_refused_at_the_head(void **state)
{
    (void)state;
    static uint8_t bytes[GOSSIP_DATAGRAM_MAX + 1] = {1};
    struct gossip_ref ref = {{7}};
    uint64_t sequence = 7;
    assert_int_equal(gossip_seal_head(bytes_of(NULL, 0), &ref, &sequence), ERR_INVALID);
    assert_int_equal(gossip_seal_head(bytes_of(bytes, GOSSIP_SEAL_OVERHEAD - 1), &ref, &sequence),
                     ERR_INVALID);
    assert_int_equal(gossip_seal_head(bytes_of(bytes, sizeof bytes), &ref, &sequence), ERR_INVALID);
    bytes[0] = 2;
    assert_int_equal(gossip_seal_head(bytes_of(bytes, 100), &ref, &sequence), ERR_INVALID);
    assert_int_equal(ref.bytes[0], 7);
    assert_int_equal(sequence, 7);
    bytes[0] = 1;
    assert_int_equal(gossip_seal_head(bytes_of(bytes, GOSSIP_SEAL_OVERHEAD), &ref, &sequence),
                     ERR_OK);
    assert_int_equal(gossip_seal_head(bytes_of(bytes, GOSSIP_DATAGRAM_MAX), &ref, &sequence),
                     ERR_OK);
}

static void the_smallest_and_the_largest_message_pass(void **state)
{
    (void)state;
    static uint8_t message[GOSSIP_SEAL_PLAIN_MAX], opened[GOSSIP_SEAL_PLAIN_MAX];
    const size_t sizes[] = {0, sizeof message};
    memset(message, 0x5a, sizeof message);
    for (int i = 0; i < 2; i++) {
        struct buf out;
        struct bytes plain;
        seal(bytes_of(message, sizes[i]), &out);
        assert_int_equal(out.size, sizes[i] + GOSSIP_SEAL_OVERHEAD);
        assert_int_equal(gossip_seal_open(key, &mesh, &sender, buf_bytes(&out), opened, &plain),
                         ERR_OK);
        assert_true(bytes_equal(plain, bytes_of(message, sizes[i])));
        buf_fini(&out);
    }
}

static void a_datagram_is_appended_or_the_buffer_stays(void **state)
{
    (void)state;
    uint8_t storage[2 * GOSSIP_SEAL_OVERHEAD + 3] = {0xaa};
    uint8_t opened[GOSSIP_SEAL_PLAIN_MAX];
    struct bytes plain;
    struct buf out;
    buf_init_fixed(&out, storage, sizeof storage);
    out.size = 1;
    assert_int_equal(gossip_seal(key, &mesh, &sender, 5, BYTES("a"), &out), ERR_OK);
    assert_int_equal(out.size, GOSSIP_SEAL_OVERHEAD + 2);
    assert_int_equal(gossip_seal(key, &mesh, &sender, 6, BYTES("bc"), &out), ERR_LIMIT);
    assert_int_equal(out.size, GOSSIP_SEAL_OVERHEAD + 2);
    assert_int_equal(storage[0], 0xaa);
    assert_int_equal(
        gossip_seal_open(key, &mesh, &sender, bytes_skip(buf_bytes(&out), 1), opened, &plain),
        ERR_OK);
}

/* --- the window */

static void take(struct gossip_window *w, uint64_t sequence)
{
    assert_int_equal(gossip_window_check(w, sequence), ERR_OK);
    gossip_window_take(w, sequence);
    assert_int_equal(gossip_window_check(w, sequence), ERR_REPLAYED);
}

static void reordered_datagrams_pass_once(void **state)
{
    (void)state;
    struct gossip_window w;
    gossip_window_init(&w, 100);
    take(&w, 5000);
    take(&w, 3000);
    take(&w, 4000);
    take(&w, 101);
    take(&w, UINT64_MAX);
}

static void nothing_at_or_below_the_floor_passes(void **state)
{
    (void)state;
    struct gossip_window w;
    gossip_window_init(&w, 100);
    assert_int_equal(gossip_window_check(&w, 100), ERR_REPLAYED);
    assert_int_equal(gossip_window_check(&w, 0), ERR_REPLAYED);
    assert_int_equal(gossip_window_check(&w, 101), ERR_OK);
    gossip_window_init(&w, 0);
    assert_int_equal(gossip_window_check(&w, 0), ERR_REPLAYED);
}

static void checking_takes_nothing(void **state)
{
    (void)state;
    struct gossip_window w, before;
    gossip_window_init(&w, 100);
    before = w;
    assert_int_equal(gossip_window_check(&w, 200), ERR_OK);
    assert_memory_equal(&w, &before, sizeof w);
}

static void what_is_older_than_a_full_window_is_refused(void **state)
{
    (void)state;
    struct gossip_window w;
    gossip_window_init(&w, 0);
    for (uint64_t i = 1; i <= GOSSIP_WINDOW_SIZE; i++)
        take(&w, i * 1000);
    assert_int_equal(gossip_window_check(&w, 999), ERR_REPLAYED);
    assert_int_equal(gossip_window_check(&w, 1001), ERR_OK);
    take(&w, 1000000); /* pushes 1000 out */
    assert_int_equal(gossip_window_check(&w, 1000), ERR_REPLAYED);
    assert_int_equal(gossip_window_check(&w, 1999), ERR_REPLAYED);
    assert_int_equal(gossip_window_check(&w, 2001), ERR_OK);
}

static void no_sequence_ever_passes_twice(void **state)
{
    (void)state;
    struct gossip_window w;
    struct rng rng;
    bool taken[4000] = {false};
    unsigned passed = 0;
    rng_init(&rng, 1);
    gossip_window_init(&w, 0);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t sequence = 1 + i / 6 + rng_below(&rng, 100);
        if (gossip_window_check(&w, sequence) != ERR_OK)
            continue;
        assert_false(taken[sequence]);
        taken[sequence] = true;
        gossip_window_take(&w, sequence);
        passed++;
    }
    assert_true(passed > 1000); /* and most of what is new passes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(the_head_says_who_and_when),
        cmocka_unit_test(the_bytes_never_change),
        cmocka_unit_test(the_pairs_key_never_changes),
        cmocka_unit_test(the_pairs_key_depends_on_everything),
        cmocka_unit_test(any_changed_bit_keeps_a_datagram_shut),
        cmocka_unit_test(another_key_mesh_or_sender_opens_nothing),
        cmocka_unit_test(another_size_or_version_is_refused_at_the_head),
        cmocka_unit_test(the_smallest_and_the_largest_message_pass),
        cmocka_unit_test(a_datagram_is_appended_or_the_buffer_stays),
        cmocka_unit_test(reordered_datagrams_pass_once),
        cmocka_unit_test(nothing_at_or_below_the_floor_passes),
        cmocka_unit_test(checking_takes_nothing),
        cmocka_unit_test(what_is_older_than_a_full_window_is_refused),
        cmocka_unit_test(no_sequence_ever_passes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
