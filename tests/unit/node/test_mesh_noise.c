/* The public test vector (cacophony set) of Noise_XX_25519_ChaChaPoly_BLAKE2b, both roles, and what
 * the handshake and the ciphers promise beyond it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/mesh/noise.h"

static const uint8_t prologue[] = {
    0x4a, 0x6f, 0x68, 0x6e, 0x20, 0x47, 0x61, 0x6c, 0x74,
};
static const uint8_t init_static[] = {
    0xe6, 0x1e, 0xf9, 0x91, 0x9c, 0xde, 0x45, 0xdd, 0x5f, 0x82, 0x16, 0x64, 0x04, 0xbd, 0x08, 0xe3,
    0x8b, 0xce, 0xb5, 0xdf, 0xdf, 0xde, 0xd0, 0xa3, 0x4c, 0x8d, 0xf7, 0xed, 0x54, 0x22, 0x14, 0xd1,
};
static const uint8_t init_ephemeral[] = {
    0x89, 0x3e, 0x28, 0xb9, 0xdc, 0x6c, 0xa8, 0xd6, 0x11, 0xab, 0x66, 0x47, 0x54, 0xb8, 0xce, 0xb7,
    0xba, 0xc5, 0x11, 0x73, 0x49, 0xa4, 0x43, 0x9a, 0x6b, 0x05, 0x69, 0xda, 0x97, 0x7c, 0x46, 0x4a,
};
static const uint8_t resp_static[] = {
    0x4a, 0x3a, 0xcb, 0xfd, 0xb1, 0x63, 0xde, 0xc6, 0x51, 0xdf, 0xa3, 0x19, 0x4d, 0xec, 0xe6, 0x76,
    0xd4, 0x37, 0x02, 0x9c, 0x62, 0xa4, 0x08, 0xb4, 0xc5, 0xea, 0x91, 0x14, 0x24, 0x6e, 0x48, 0x93,
};
static const uint8_t resp_ephemeral[] = {
    0xbb, 0xdb, 0x4c, 0xdb, 0xd3, 0x09, 0xf1, 0xa1, 0xf2, 0xe1, 0x45, 0x69, 0x67, 0xfe, 0x28, 0x8c,
    0xad, 0xd6, 0xf7, 0x12, 0xd6, 0x5d, 0xc7, 0xb7, 0x79, 0x3d, 0x5e, 0x63, 0xda, 0x6b, 0x37, 0x5b,
};
static const uint8_t handshake_hash[] = {
    0x8c, 0xf4, 0x7d, 0x7b, 0x3c, 0xb5, 0x80, 0x4c, 0x01, 0x09, 0xd4, 0x8e, 0x8b, 0xcd, 0xbe, 0xe2,
    0xcb, 0xb6, 0x56, 0x87, 0xd8, 0xea, 0x2c, 0x92, 0x99, 0x4c, 0xa3, 0x61, 0xfb, 0x86, 0x15, 0x1a,
    0xd9, 0x36, 0x27, 0xb9, 0x89, 0x36, 0xcb, 0xb3, 0x2d, 0xe5, 0x6e, 0x8a, 0xbb, 0x21, 0xde, 0xf3,
    0x92, 0x50, 0x11, 0xac, 0x3e, 0x35, 0xdb, 0x9c, 0xbe, 0xea, 0x73, 0xab, 0x9a, 0x43, 0x92, 0xc2,
};
static const uint8_t payload_0[] = {
    0x4c, 0x75, 0x64, 0x77, 0x69, 0x67, 0x20, 0x76, 0x6f, 0x6e, 0x20, 0x4d, 0x69, 0x73, 0x65, 0x73,
};
static const uint8_t cipher_0[] = {
    0xca, 0x35, 0xde, 0xf5, 0xae, 0x56, 0xce, 0xc3, 0x3d, 0xc2, 0x03, 0x67, 0x31, 0xab, 0x14, 0x89,
    0x6b, 0xc4, 0xc7, 0x5d, 0xbb, 0x07, 0xa6, 0x1f, 0x87, 0x9f, 0x8e, 0x3a, 0xfa, 0x4c, 0x79, 0x44,
    0x4c, 0x75, 0x64, 0x77, 0x69, 0x67, 0x20, 0x76, 0x6f, 0x6e, 0x20, 0x4d, 0x69, 0x73, 0x65, 0x73,
};
static const uint8_t payload_1[] = {
    0x4d, 0x75, 0x72, 0x72, 0x61, 0x79, 0x20, 0x52, 0x6f, 0x74, 0x68, 0x62, 0x61, 0x72, 0x64,
};
static const uint8_t cipher_1[] = {
    0x95, 0xeb, 0xc6, 0x0d, 0x2b, 0x1f, 0xa6, 0x72, 0xc1, 0xf4, 0x6a, 0x8a, 0xa2, 0x65, 0xef, 0x51,
    0xbf, 0xe3, 0x8e, 0x7c, 0xcb, 0x39, 0xec, 0x5b, 0xe3, 0x40, 0x69, 0xf1, 0x44, 0x80, 0x88, 0x43,
    0x05, 0x05, 0xb6, 0x74, 0x5c, 0xe6, 0x4a, 0x5f, 0x33, 0xf0, 0xe8, 0xe3, 0xb8, 0x3f, 0x11, 0xce,
    0x88, 0x02, 0xbc, 0xa5, 0x07, 0xf4, 0xf2, 0xd8, 0xb5, 0x64, 0xdb, 0xe2, 0x77, 0xe1, 0x96, 0x61,
    0x16, 0xe1, 0x32, 0xfa, 0xa2, 0xdf, 0xd7, 0x0b, 0x8b, 0x07, 0x7b, 0x9f, 0x94, 0xb9, 0x13, 0xdf,
    0x50, 0x56, 0xae, 0x13, 0x19, 0x46, 0x9b, 0x82, 0x4a, 0x98, 0xd5, 0x4b, 0xba, 0xa8, 0x2c, 0x32,
    0x55, 0x95, 0x58, 0x70, 0x64, 0xf9, 0x78, 0xc4, 0xb6, 0xd1, 0x04, 0xf7, 0x59, 0x6e, 0x6f,
};
static const uint8_t payload_2[] = {
    0x46, 0x2e, 0x20, 0x41, 0x2e, 0x20, 0x48, 0x61, 0x79, 0x65, 0x6b,
};
static const uint8_t cipher_2[] = {
    0x99, 0x57, 0x9e, 0x1c, 0x1e, 0xe1, 0x5e, 0x42, 0x2a, 0x57, 0xdd, 0xd6, 0xb1, 0x6d, 0x37,
    0x08, 0x7b, 0x17, 0x55, 0x8e, 0x83, 0x69, 0xc1, 0x89, 0x91, 0xb4, 0xb2, 0xca, 0x3a, 0x82,
    0x4a, 0xbf, 0x90, 0x4c, 0xdc, 0xf5, 0x45, 0x8b, 0x54, 0x31, 0xa7, 0x5a, 0xf0, 0x34, 0xca,
    0x9e, 0x9b, 0x98, 0x2d, 0xe0, 0x39, 0xea, 0xaf, 0x15, 0x67, 0x75, 0xe2, 0xd5, 0x80, 0xcd,
    0x4e, 0x5e, 0xba, 0xe8, 0x9c, 0x3f, 0x8c, 0xb2, 0x59, 0x4b, 0x55, 0x6d, 0x8a, 0x81, 0x69,
};
static const uint8_t payload_3[] = {
    0x43, 0x61, 0x72, 0x6c, 0x20, 0x4d, 0x65, 0x6e, 0x67, 0x65, 0x72,
};
static const uint8_t cipher_3[] = {
    0xfc, 0x56, 0xee, 0xa2, 0x90, 0xb3, 0xf3, 0xa2, 0x1a, 0xac, 0x0c, 0x70, 0xcd, 0x57,
    0x87, 0xb5, 0xee, 0x99, 0xbe, 0x37, 0xd2, 0xf4, 0xd7, 0x51, 0x32, 0x9b, 0x55,
};
static const uint8_t payload_4[] = {
    0x4a, 0x65, 0x61, 0x6e, 0x2d, 0x42, 0x61, 0x70, 0x74,
    0x69, 0x73, 0x74, 0x65, 0x20, 0x53, 0x61, 0x79,
};
static const uint8_t cipher_4[] = {
    0xbb, 0x31, 0xc9, 0xda, 0x10, 0xd5, 0x63, 0x9a, 0x4c, 0xdb, 0x88,
    0xa1, 0x2f, 0x5c, 0x61, 0xde, 0x41, 0xbb, 0xc7, 0xdf, 0x09, 0xbf,
    0x75, 0xd9, 0x4f, 0x81, 0x84, 0xfe, 0x41, 0x57, 0xf5, 0xc6, 0x8f,
};
static const uint8_t payload_5[] = {
    0x45, 0x75, 0x67, 0x65, 0x6e, 0x20, 0x42, 0xf6, 0x68, 0x6d, 0x20,
    0x76, 0x6f, 0x6e, 0x20, 0x42, 0x61, 0x77, 0x65, 0x72, 0x6b,
};
static const uint8_t cipher_5[] = {
    0xf6, 0x19, 0x9c, 0xad, 0xb1, 0x52, 0xfb, 0x27, 0xf8, 0x2b, 0xe0, 0xa0, 0x89,
    0x1e, 0xc7, 0x6a, 0x33, 0x59, 0x8a, 0xe9, 0x2a, 0x46, 0xca, 0xb2, 0xfb, 0x5a,
    0x8e, 0xd5, 0xbf, 0x48, 0xb7, 0xf2, 0x67, 0xf8, 0x37, 0x0a, 0xf7,
};

struct vector_message {
    struct bytes payload;
    struct bytes wire;
};
#define MESSAGE(i)                                                                                 \
    {                                                                                              \
        {payload_##i, sizeof(payload_##i)},                                                        \
        {                                                                                          \
            cipher_##i, sizeof(cipher_##i)                                                         \
        }                                                                                          \
    }
static const struct vector_message messages[] = {MESSAGE(0), MESSAGE(1), MESSAGE(2),
                                                 MESSAGE(3), MESSAGE(4), MESSAGE(5)};
#define MESSAGE_COUNT (sizeof(messages) / sizeof(messages[0]))

static uint8_t storage[2][70000];

static void make(struct noise *n, bool initiator)
{
    struct noise_cfg cfg = {
        .initiator = initiator,
        .prologue = bytes_of(prologue, sizeof(prologue)),
        .static_secret = initiator ? init_static : resp_static,
        .test_ephemeral_secret = initiator ? init_ephemeral : resp_ephemeral,
    };
    noise_init(n, &cfg);
}

static void assert_bytes(struct bytes got, struct bytes want)
{
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
}

/* One handshake message from one to the other; the vector's bytes are checked when `expected` is
 * not NULL. */
static void pass(struct noise *from, struct noise *to, struct bytes payload,
                 const struct vector_message *expected)
{
    struct buf wire, got;
    buf_init_fixed(&wire, storage[0], sizeof(storage[0]));
    buf_init_fixed(&got, storage[1], sizeof(storage[1]));
    assert_true(noise_is_our_turn(from));
    assert_int_equal(noise_write(from, payload, &wire), ERR_OK);
    if (expected)
        assert_bytes(buf_bytes(&wire), expected->wire);
    assert_int_equal(noise_read(to, buf_bytes(&wire), &got), ERR_OK);
    assert_bytes(buf_bytes(&got), payload);
}

static void handshake(struct noise *a, struct noise *b)
{
    make(a, true);
    make(b, false);
    for (size_t i = 0; i < NOISE_MESSAGES; i++)
        pass(i % 2 ? b : a, i % 2 ? a : b, messages[i].payload, &messages[i]);
}

static void both_roles_speak_the_public_vector(void **state)
{
    struct noise a, b;
    struct noise_cipher send[2], receive[2];
    uint8_t out[256];
    handshake(&a, &b);
    assert_true(noise_is_done(&a) && noise_is_done(&b));
    assert_bytes(bytes_of(a.hash, 64), bytes_of(handshake_hash, sizeof(handshake_hash)));
    assert_memory_equal(a.hash, b.hash, 64);
    noise_split(&a, &send[0], &receive[0]);
    noise_split(&b, &send[1], &receive[1]);
    for (size_t i = NOISE_MESSAGES; i < MESSAGE_COUNT; i++) {
        struct noise_cipher *from = &send[i % 2], *to = &receive[1 - i % 2];
        size_t size = messages[i].payload.size;
        assert_int_equal(noise_cipher_seal(from, messages[i].payload, out), ERR_OK);
        assert_bytes(bytes_of(out, size + CRYPTO_TAG_SIZE), messages[i].wire);
        assert_int_equal(noise_cipher_open(to, messages[i].wire, out), ERR_OK);
        assert_bytes(bytes_of(out, size), messages[i].payload);
    }
    noise_fini(&a);
    noise_fini(&b);
}

static void each_side_learns_the_static_key_of_the_other(void **state)
{
    struct noise a, b;
    uint8_t expected[32];
    handshake(&a, &b);
    crypto_dh_public(resp_static, expected);
    assert_memory_equal(a.remote_static, expected, 32);
    crypto_dh_public(init_static, expected);
    assert_memory_equal(b.remote_static, expected, 32);
}

static void secrets_are_wiped_by_split(void **state)
{
    struct noise a, b;
    struct noise_cipher send, receive;
    uint8_t zeros[64] = {0};
    handshake(&a, &b);
    noise_split(&a, &send, &receive);
    assert_memory_equal(a.static_secret, zeros, 32);
    assert_memory_equal(a.ephemeral_secret, zeros, 32);
    assert_memory_equal(a.chaining_key, zeros, 64);
    assert_memory_equal(a.cipher.key, zeros, 32);
}

/* Reads vector message i at the right state with one bit changed. */
static enum err read_altered(size_t i, size_t position)
{
    struct noise a, b;
    uint8_t wire[256];
    make(&a, true);
    make(&b, false);
    for (size_t k = 0; k < i; k++)
        pass(k % 2 ? &b : &a, k % 2 ? &a : &b, messages[k].payload, &messages[k]);
    memcpy(wire, messages[i].wire.data, messages[i].wire.size);
    wire[position] ^= 0x10;
    struct buf got;
    buf_init_fixed(&got, storage[1], sizeof(storage[1]));
    return noise_read(i % 2 ? &a : &b, bytes_of(wire, messages[i].wire.size), &got);
}

static void an_altered_byte_anywhere_in_a_sealed_message_is_refused(void **state)
{
    for (size_t i = 1; i < NOISE_MESSAGES; i++)
        for (size_t at = 0; at < messages[i].wire.size; at++)
            assert_int_equal(read_altered(i, at), ERR_BAD_SIGNATURE);
}

static void a_short_message_is_refused_at_every_length(void **state)
{
    for (size_t size = 0; size < 96; size++) {
        struct noise a, b;
        struct buf got;
        make(&a, true);
        make(&b, false);
        pass(&a, &b, messages[0].payload, &messages[0]);
        buf_init_fixed(&got, storage[1], sizeof(storage[1]));
        enum err e = noise_read(&a, bytes_of(messages[1].wire.data, size), &got);
        assert_true(e == ERR_INVALID || e == ERR_BAD_SIGNATURE);
    }
}

static void another_prologue_is_refused(void **state)
{
    struct noise a, b;
    struct noise_cfg cfg = {
        .initiator = false, .prologue = BYTES("other"), .static_secret = resp_static};
    struct buf wire, got;
    make(&a, true);
    noise_init(&b, &cfg);
    pass(&a, &b, BYTES(""), NULL);
    buf_init_fixed(&wire, storage[0], sizeof(storage[0]));
    buf_init_fixed(&got, storage[1], sizeof(storage[1]));
    assert_int_equal(noise_write(&b, BYTES("x"), &wire), ERR_OK);
    assert_int_equal(noise_read(&a, buf_bytes(&wire), &got), ERR_BAD_SIGNATURE);
    assert_int_equal(noise_read(&a, buf_bytes(&wire), &got), ERR_PROTOCOL);
}

static void a_low_order_point_is_refused(void **state)
{
    struct noise b;
    struct buf wire, got;
    uint8_t zeros[32] = {0};
    make(&b, false);
    buf_init_fixed(&got, storage[1], sizeof(storage[1]));
    assert_int_equal(noise_read(&b, bytes_of(zeros, 32), &got), ERR_OK);
    buf_init_fixed(&wire, storage[0], sizeof(storage[0]));
    assert_int_equal(noise_write(&b, BYTES(""), &wire), ERR_INVALID);
}

static void ephemerals_differ_unless_given(void **state)
{
    struct noise a, b;
    struct noise_cfg cfg = {.initiator = true, .prologue = BYTES(""), .static_secret = init_static};
    noise_init(&a, &cfg);
    noise_init(&b, &cfg);
    assert_memory_not_equal(a.ephemeral_public, b.ephemeral_public, 32);
}

static void rekey_keeps_both_sides_in_step_and_changes_the_key(void **state)
{
    struct noise_cipher a = {.key = {7}}, b = {.key = {7}}, old = {.key = {7}};
    uint8_t wire[64], plain[64];
    noise_cipher_rekey(&a);
    assert_memory_not_equal(a.key, old.key, 32);
    assert_int_equal(noise_cipher_seal(&a, BYTES("hello"), wire), ERR_OK);
    assert_int_equal(noise_cipher_open(&old, bytes_of(wire, 21), plain), ERR_BAD_SIGNATURE);
    noise_cipher_rekey(&b);
    assert_int_equal(noise_cipher_open(&b, bytes_of(wire, 21), plain), ERR_OK);
    assert_bytes(bytes_of(plain, 5), BYTES("hello"));
}

static void a_replayed_or_reordered_message_does_not_open(void **state)
{
    struct noise_cipher a = {.key = {7}}, b = {.key = {7}};
    uint8_t first[64], second[64], plain[64];
    assert_int_equal(noise_cipher_seal(&a, BYTES("1"), first), ERR_OK);
    assert_int_equal(noise_cipher_seal(&a, BYTES("2"), second), ERR_OK);
    assert_int_equal(noise_cipher_open(&b, bytes_of(second, 17), plain), ERR_BAD_SIGNATURE);
    assert_int_equal(noise_cipher_open(&b, bytes_of(first, 17), plain), ERR_OK);
    assert_int_equal(noise_cipher_open(&b, bytes_of(first, 17), plain), ERR_BAD_SIGNATURE);
}

static void used_up_nonces_end_the_cipher(void **state)
{
    struct noise_cipher a = {.key = {7}, .nonce = UINT64_MAX};
    uint8_t wire[64];
    assert_int_equal(noise_cipher_seal(&a, BYTES("1"), wire), ERR_LIMIT);
    assert_int_equal(noise_cipher_open(&a, bytes_of(wire, 17), wire), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_roles_speak_the_public_vector),
        cmocka_unit_test(each_side_learns_the_static_key_of_the_other),
        cmocka_unit_test(secrets_are_wiped_by_split),
        cmocka_unit_test(an_altered_byte_anywhere_in_a_sealed_message_is_refused),
        cmocka_unit_test(a_short_message_is_refused_at_every_length),
        cmocka_unit_test(another_prologue_is_refused),
        cmocka_unit_test(a_low_order_point_is_refused),
        cmocka_unit_test(ephemerals_differ_unless_given),
        cmocka_unit_test(rekey_keeps_both_sides_in_step_and_changes_the_key),
        cmocka_unit_test(a_replayed_or_reordered_message_does_not_open),
        cmocka_unit_test(used_up_nonces_end_the_cipher),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
