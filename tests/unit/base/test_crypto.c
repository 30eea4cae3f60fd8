/* Tests of base/crypto: the published vectors of each primitive, and the text encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/rng.h"

#include <string.h>

static void unhex(const char *text, uint8_t *out)
{
    assert_int_equal(crypto_hex_decode(bytes_from_str(text), out, strlen(text) / 2), ERR_OK);
}

static void check_hex(const uint8_t *data, size_t size, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(crypto_hex_append(&b, bytes_of(data, size)), ERR_OK);
    assert_int_equal(buf_append_byte(&b, 0), ERR_OK);
    assert_string_equal((const char *)b.data, expected);
    buf_fini(&b);
}

/* RFC 8032, section 7.1, test 3. */
static void ed25519_gives_the_published_signature(void **state)
{
    (void)state;
    uint8_t seed[32], public_key[32], secret[64], signature[64], message[2] = {0xaf, 0x82};
    unhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", seed);
    crypto_sign_keypair_from_seed(seed, public_key, secret);
    check_hex(public_key, 32, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    crypto_sign(secret, bytes_of(message, 2), signature);
    check_hex(signature, 64,
              "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
              "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    assert_true(crypto_verify(public_key, bytes_of(message, 2), signature));
}

static void any_changed_bit_breaks_a_signature(void **state)
{
    (void)state;
    uint8_t public_key[32], secret[64], signature[64], message[] = "rules of epoch 7";
    crypto_sign_keypair(public_key, secret);
    crypto_sign(secret, bytes_of(message, sizeof message), signature);
    assert_true(crypto_verify(public_key, bytes_of(message, sizeof message), signature));
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(crypto_verify(public_key, bytes_of(message, sizeof message), signature));
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    message[0] ^= 1;
    assert_false(crypto_verify(public_key, bytes_of(message, sizeof message), signature));
}

/* RFC 7748, section 6.1. */
static void x25519_gives_the_published_shared_secret(void **state)
{
    (void)state;
    uint8_t alice[32], bob[32], alice_public[32], bob_public[32], shared[32], other[32];
    unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", alice);
    unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", bob);
    crypto_dh_public(alice, alice_public);
    crypto_dh_public(bob, bob_public);
    check_hex(alice_public, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    check_hex(bob_public, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_int_equal(crypto_dh(alice, bob_public, shared), ERR_OK);
    assert_int_equal(crypto_dh(bob, alice_public, other), ERR_OK);
    assert_memory_equal(shared, other, 32);
    check_hex(shared, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void low_order_points_are_refused_and_leave_the_output_alone(void **state)
{
    (void)state;
    uint8_t secret[32], public_key[32], shared[32], before[32], zero[32] = {0}, one[32] = {1};
    crypto_dh_keypair(public_key, secret);
    memset(shared, 0x5a, 32);
    memset(before, 0x5a, 32);
    assert_int_equal(crypto_dh(secret, zero, shared), ERR_INVALID);
    assert_int_equal(crypto_dh(secret, one, shared), ERR_INVALID);
    assert_memory_equal(shared, before, 32);
}

/* libsodium's own vector. */
static void a_signing_pair_becomes_a_dh_pair(void **state)
{
    (void)state;
    uint8_t seed[32], public_key[32], secret[64], dh_public[32], dh_secret[32], again[32];
    unhex("421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee", seed);
    crypto_sign_keypair_from_seed(seed, public_key, secret);
    assert_int_equal(crypto_sign_public_to_dh(public_key, dh_public), ERR_OK);
    crypto_sign_secret_to_dh(secret, dh_secret);
    check_hex(dh_public, 32, "f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50");
    check_hex(dh_secret, 32, "8052030376d47112be7f73ed7a019293dd12ad910b654455798b4667d73de166");
    crypto_dh_public(dh_secret, again);
    assert_memory_equal(again, dh_public, 32);
}

static void two_signing_pairs_share_a_secret(void **state)
{
    (void)state;
    uint8_t public_key[2][32], secret[2][64], dh_public[32], dh_secret[32], shared[2][32];
    for (int i = 0; i < 2; i++)
        crypto_sign_keypair(public_key[i], secret[i]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crypto_sign_public_to_dh(public_key[1 - i], dh_public), ERR_OK);
        crypto_sign_secret_to_dh(secret[i], dh_secret);
        assert_int_equal(crypto_dh(dh_secret, dh_public, shared[i]), ERR_OK);
    }
    assert_memory_equal(shared[0], shared[1], 32);
}

static void a_bad_signing_key_becomes_no_dh_key(void **state)
{
    (void)state;
    uint8_t zero[32] = {0}, identity[32] = {1}, off_curve[32] = {2}, order_8[32], out[32] = {7};
    /* A point of order 8 of the curve: no key has it. */
    unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", order_8);
    assert_int_equal(crypto_sign_public_to_dh(zero, out), ERR_INVALID);
    assert_int_equal(crypto_sign_public_to_dh(identity, out), ERR_INVALID);
    assert_int_equal(crypto_sign_public_to_dh(off_curve, out), ERR_INVALID);
    assert_int_equal(crypto_sign_public_to_dh(order_8, out), ERR_INVALID);
    assert_int_equal(out[0], 7);
}

static void blake2b_gives_the_published_hashes(void **state)
{
    (void)state;
    uint8_t hash[32], hash64[64];
    struct bytes parts[] = {BYTES("a"), {NULL, 0}, BYTES("bc")};
    crypto_hash((struct bytes){NULL, 0}, hash);
    check_hex(hash, 32, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    crypto_hash(BYTES("abc"), hash);
    check_hex(hash, 32, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    crypto_hash64(parts, 3, hash64);
    check_hex(hash64, 64,
              "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
              "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

static void hashing_in_parts_equals_hashing_at_once(void **state)
{
    (void)state;
    uint8_t data[1000], whole[32], hash[32];
    memset(data, 3, sizeof data);
    crypto_hash(bytes_of(data, sizeof data), whole);
    for (size_t cut = 0; cut <= sizeof data; cut += 125) {
        struct bytes parts[] = {bytes_of(data, cut), bytes_of(data + cut, sizeof data - cut)};
        crypto_hash_parts(parts, 2, hash);
        assert_memory_equal(hash, whole, 32);
        struct crypto_hashing hashing;
        crypto_hashing_begin(&hashing);
        crypto_hashing_add(&hashing, parts[0]);
        crypto_hashing_add(&hashing, parts[1]);
        crypto_hashing_end(&hashing, hash);
        assert_memory_equal(hash, whole, 32);
    }
}

/* From Python's hmac over hashlib.blake2b, whose block is 128 bytes as well. */
static void hmac_agrees_with_another_implementation(void **state)
{
    (void)state;
    uint8_t mac[64], long_key[131];
    struct bytes parts[] = {BYTES("The quick brown fox "), BYTES("jumps over the lazy dog")};
    crypto_hmac64((const uint8_t *)"key", 3, parts, 2, mac);
    check_hex(mac, 64,
              "92294f92c0dfb9b00ec9ae8bd94d7e7d8a036b885a499f149dfe2fd2199394aa"
              "af6b8894a1730cccb2cd050f9bcf5062a38b51b0dab33207f8ef35ae2c9df51b");
    memset(long_key, 0xaa, sizeof long_key);
    parts[0] = BYTES("Test Using Larger Than Block-Size Key");
    crypto_hmac64(long_key, sizeof long_key, parts, 1, mac);
    check_hex(mac, 64,
              "71778722897a9ed80b07add8b750e9ceb79aab004cec7b1ac2996b6724d36ef8"
              "1e98518a2a75429ba7b9e25e6f7d36894a1013dc518c1bc9a880d2a0df0b4284");
    crypto_hmac64(NULL, 0, NULL, 0, mac);
    check_hex(mac, 64,
              "198cd2006f66ff83fbbd913f78aca2251caf4f19fe9475aade8cf2091b99a684"
              "66775177424f58286886cbae8229644cec747237d4b721735485e17372fdf59c");
}

/* The example in the SipHash paper's appendix A. */
static void siphash_gives_the_published_value(void **state)
{
    (void)state;
    uint8_t key[16], data[15];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    memcpy(data, key, sizeof data);
    assert_true(crypto_siphash(key, bytes_of(data, 15)) == UINT64_C(0xa129ca6149be45e5));
}

/* RFC 8439, section 2.8.2. */
static void sealing_gives_the_published_ciphertext(void **state)
{
    (void)state;
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                                "only one tip for the future, sunscreen would be it.";
    const size_t size = sizeof plain - 1;
    uint8_t key[32], nonce[12], ad[12], out[sizeof plain - 1 + 16];
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)(0x80 + i);
    unhex("070000004041424344454647", nonce);
    unhex("50515253c0c1c2c3c4c5c6c7", ad);
    crypto_seal(key, nonce, bytes_of(ad, 12), bytes_of(plain, size), out);
    check_hex(out, 16, "d31a8d34648e60db7b86afbc53ef7ec2");
    check_hex(out + size, 16, "1ae10b594f09e26a7e902ecbd0600691");
    assert_int_equal(crypto_open(key, nonce, bytes_of(ad, 12), bytes_of(out, sizeof out), out),
                     ERR_OK);
    assert_memory_equal(out, plain, size);
}

static void sealing_in_place_opens_in_place(void **state)
{
    (void)state;
    uint8_t key[32], nonce[24], data[100 + 16], before[100];
    crypto_random(key, sizeof key);
    crypto_random(nonce, sizeof nonce);
    crypto_random(data, sizeof data);
    memcpy(before, data, sizeof before);
    crypto_seal(key, nonce, (struct bytes){NULL, 0}, bytes_of(data, 100), data);
    assert_memory_not_equal(data, before, 100);
    assert_int_equal(crypto_open(key, nonce, (struct bytes){NULL, 0}, bytes_of(data, 116), data),
                     ERR_OK);
    assert_memory_equal(data, before, 100);
    crypto_xseal(key, nonce, BYTES("ad"), bytes_of(data, 100), data);
    assert_int_equal(crypto_xopen(key, nonce, BYTES("ad"), bytes_of(data, 116), data), ERR_OK);
    assert_memory_equal(data, before, 100);
}

static void tampering_is_noticed_everywhere(void **state)
{
    (void)state;
    uint8_t key[32] = {1}, nonce[24] = {2}, sealed[5 + 16], out[5];
    crypto_xseal(key, nonce, BYTES("ad"), BYTES("hello"), sealed);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_int_equal(crypto_xopen(key, nonce, BYTES("ad"), bytes_of(sealed, 21), out),
                         ERR_BAD_SIGNATURE);
        sealed[i] ^= 1;
    }
    assert_int_equal(crypto_xopen(key, nonce, BYTES("AD"), bytes_of(sealed, 21), out),
                     ERR_BAD_SIGNATURE);
    assert_int_equal(crypto_xopen(key, nonce, BYTES("ad"), bytes_of(sealed, 20), out),
                     ERR_BAD_SIGNATURE);
    assert_int_equal(crypto_xopen(key, nonce, BYTES("ad"), bytes_of(sealed, 21), out), ERR_OK);
}

static void what_is_shorter_than_a_tag_does_not_open(void **state)
{
    (void)state;
    uint8_t key[32] = {1}, nonce[24] = {2}, data[16] = {0}, out[1];
    for (size_t size = 0; size < 16; size++) {
        assert_int_equal(crypto_open(key, nonce, BYTES(""), bytes_of(data, size), out),
                         ERR_BAD_SIGNATURE);
        assert_int_equal(crypto_xopen(key, nonce, BYTES(""), bytes_of(data, size), out),
                         ERR_BAD_SIGNATURE);
    }
}

static void an_empty_message_can_be_sealed(void **state)
{
    (void)state;
    uint8_t key[32] = {1}, nonce[12] = {2}, sealed[16], out[1];
    crypto_seal(key, nonce, BYTES("ad"), (struct bytes){NULL, 0}, sealed);
    assert_int_equal(crypto_open(key, nonce, BYTES("ad"), bytes_of(sealed, 16), out), ERR_OK);
}

static void check_base64(const char *data, const char *text)
{
    struct buf b, back;
    buf_init(&b, strlen(text)); /* no byte to spare */
    buf_init(&back, strlen(data));
    assert_int_equal(crypto_base64_append(&b, bytes_from_str(data)), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_from_str(text)));
    assert_int_equal(crypto_base64_decode(bytes_from_str(text), &back), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&back), bytes_from_str(data)));
    buf_fini(&b);
    buf_fini(&back);
}

/* RFC 4648, section 10, without the padding. */
static void base64_gives_the_published_texts(void **state)
{
    (void)state;
    check_base64("", "");
    check_base64("f", "Zg");
    check_base64("fo", "Zm8");
    check_base64("foo", "Zm9v");
    check_base64("foob", "Zm9vYg");
    check_base64("fooba", "Zm9vYmE");
    check_base64("foobar", "Zm9vYmFy");
    check_base64("\xff\xef\xbe", "_---");
}

static void base64_of_any_size_reads_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 11);
    for (size_t size = 0; size < 300; size++) {
        uint8_t data[300];
        struct buf text, back;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)rng_next(&rng);
        buf_init(&text, (size * 4 + 2) / 3);
        buf_init(&back, size);
        assert_int_equal(crypto_base64_append(&text, bytes_of(data, size)), ERR_OK);
        assert_int_equal(crypto_base64_decode(buf_bytes(&text), &back), ERR_OK);
        assert_true(bytes_equal(buf_bytes(&back), bytes_of(data, size)));
        buf_fini(&text);
        buf_fini(&back);
    }
}

static void base64_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",     "Zg==", "Zh",      "Zm9",
                                      "Zm+v",  "Zm/v", "Zm 9v",   "Zm9v\n",
                                      "Zm9vY", "=",    "Zm9\x96", "\xc3\xc3\xc3\xc3"};
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_append_str(&b, "kept"), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(crypto_base64_decode(bytes_from_str(bad[i]), &b), ERR_INVALID);
    assert_true(bytes_equal(buf_bytes(&b), BYTES("kept")));
    buf_fini(&b);
}

static void hex_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    uint8_t out[2] = {9, 9};
    assert_int_equal(crypto_hex_decode(BYTES("00fg"), out, 2), ERR_INVALID);
    assert_int_equal(crypto_hex_decode(BYTES("00FF"), out, 2), ERR_INVALID);
    assert_int_equal(crypto_hex_decode(BYTES("00f"), out, 2), ERR_INVALID);
    assert_int_equal(crypto_hex_decode(BYTES("00ff00"), out, 2), ERR_INVALID);
    assert_int_equal(out[0], 9);
    assert_int_equal(crypto_hex_decode(BYTES("00ff"), out, 2), ERR_OK);
    assert_int_equal(out[1], 255);
}

static void hex_knows_every_byte(void **state)
{
    (void)state;
    uint8_t data[256], back[256];
    struct buf b;
    for (int i = 0; i < 256; i++)
        data[i] = (uint8_t)i;
    buf_init(&b, 512);
    assert_int_equal(crypto_hex_append(&b, bytes_of(data, 256)), ERR_OK);
    assert_int_equal(crypto_hex_append(&b, bytes_of(data, 1)), ERR_LIMIT);
    assert_memory_equal(b.data + 2 * 0x9a, "9a9b", 4);
    assert_int_equal(crypto_hex_decode(buf_bytes(&b), back, 256), ERR_OK);
    assert_memory_equal(back, data, 256);
    buf_fini(&b);
}

static void wiping_and_comparing_work(void **state)
{
    (void)state;
    uint8_t a[8] = {1, 2, 3}, zero[8] = {0};
    assert_false(crypto_equal(a, zero, 8));
    crypto_wipe(a, sizeof a);
    assert_true(crypto_equal(a, zero, 8));
}

/* Last: it changes the randomness of the whole process. */
static void a_seed_decides_all_randomness(void **state)
{
    (void)state;
    uint8_t first[100], again[100], other[100], key[2][32], secret[64];
    crypto_random(other, sizeof other);
    crypto_seed_for_simulation(5);
    crypto_random(first, sizeof first);
    assert_memory_not_equal(first, other, 100);
    crypto_sign_keypair(key[0], secret);
    crypto_random(other, sizeof other);
    assert_memory_not_equal(first, other, 100);
    crypto_seed_for_simulation(5);
    crypto_random(again, sizeof again);
    crypto_sign_keypair(key[1], secret);
    assert_memory_equal(first, again, 100);
    assert_memory_equal(key[0], key[1], 32);
    crypto_seed_for_simulation(6);
    crypto_random(again, sizeof again);
    assert_memory_not_equal(first, again, 100);
}

/* Recorded seeds depend on these bytes. */
static void the_simulated_stream_never_changes(void **state)
{
    (void)state;
    uint8_t data[16];
    crypto_seed_for_simulation(1);
    crypto_random(data, sizeof data);
    check_hex(data, 16, "c5d30a7ce1ec119378c84f487d775a85");
}

static int prepare(void **state)
{
    (void)state;
    return crypto_init() != ERR_OK || crypto_init() != ERR_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_gives_the_published_signature),
        cmocka_unit_test(any_changed_bit_breaks_a_signature),
        cmocka_unit_test(x25519_gives_the_published_shared_secret),
        cmocka_unit_test(low_order_points_are_refused_and_leave_the_output_alone),
        cmocka_unit_test(a_signing_pair_becomes_a_dh_pair),
        cmocka_unit_test(two_signing_pairs_share_a_secret),
        cmocka_unit_test(a_bad_signing_key_becomes_no_dh_key),
        cmocka_unit_test(blake2b_gives_the_published_hashes),
        cmocka_unit_test(hashing_in_parts_equals_hashing_at_once),
        cmocka_unit_test(hmac_agrees_with_another_implementation),
        cmocka_unit_test(siphash_gives_the_published_value),
        cmocka_unit_test(sealing_gives_the_published_ciphertext),
        cmocka_unit_test(sealing_in_place_opens_in_place),
        cmocka_unit_test(tampering_is_noticed_everywhere),
        cmocka_unit_test(what_is_shorter_than_a_tag_does_not_open),
        cmocka_unit_test(an_empty_message_can_be_sealed),
        cmocka_unit_test(base64_gives_the_published_texts),
        cmocka_unit_test(base64_of_any_size_reads_back),
        cmocka_unit_test(base64_that_is_not_canonical_is_refused),
        cmocka_unit_test(hex_that_is_not_canonical_is_refused),
        cmocka_unit_test(hex_knows_every_byte),
        cmocka_unit_test(wiping_and_comparing_work),
        cmocka_unit_test(a_seed_decides_all_randomness),
        cmocka_unit_test(the_simulated_stream_never_changes),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
