/* The Merkle batches against a naive reading of RFC 9162, and everything that must not verify. */
#include "node/trust/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEAVES 64

struct signer {
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[CRYPTO_SECRET_SIZE];
};

static struct signer make_signer(uint8_t number)
{
    uint8_t seed[CRYPTO_SEED_SIZE];
    struct signer s;
    memset(seed, number, sizeof(seed));
    crypto_sign_keypair_from_seed(seed, s.public_key, s.secret);
    return s;
}

/* Record i of a test is its number. */
static struct bytes record_of(uint32_t *number)
{
    return bytes_of(number, sizeof(*number));
}

static void fill(struct batch *b, uint32_t count)
{
    batch_init(b, BATCH_RECEIPT);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t leaf[CRYPTO_HASH_SIZE];
        uint32_t index;
        batch_leaf(record_of(&i), leaf);
        assert_int_equal(batch_add(b, leaf, &index), ERR_OK);
        assert_int_equal(index, i);
    }
}

static enum err verify(const struct signer *s, uint32_t number, const struct batch_proof *proof)
{
    return batch_verify(s->public_key, BATCH_RECEIPT, record_of(&number), proof, NULL);
}

/* --- the reference: sections 2.1.1 and 2.1.3.1 as they are written --- */

static uint32_t split_of(uint32_t n)
{
    uint32_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

static void naive_root(const uint8_t (*leaves)[CRYPTO_HASH_SIZE], uint32_t n, uint8_t *ret_root)
{
    if (n == 1) {
        memcpy(ret_root, leaves[0], CRYPTO_HASH_SIZE);
        return;
    }
    uint32_t k = split_of(n);
    uint8_t joined[1 + 2 * CRYPTO_HASH_SIZE] = {0x01};
    naive_root(leaves, k, joined + 1);
    naive_root(leaves + k, n - k, joined + 1 + CRYPTO_HASH_SIZE);
    crypto_hash(bytes_of(joined, sizeof(joined)), ret_root);
}

static uint32_t naive_path(const uint8_t (*leaves)[CRYPTO_HASH_SIZE], uint32_t n, uint32_t m,
                           uint8_t (*ret_path)[CRYPTO_HASH_SIZE])
{
    if (n == 1)
        return 0;
    uint32_t k = split_of(n), count;
    if (m < k) {
        count = naive_path(leaves, k, m, ret_path);
        naive_root(leaves + k, n - k, ret_path[count]);
    } else {
        count = naive_path(leaves + k, n - k, m - k, ret_path);
        naive_root(leaves, k, ret_path[count]);
    }
    return count + 1;
}

static void every_path_is_the_one_of_rfc_9162(void **state)
{
    struct signer s = make_signer(1);
    for (uint32_t n = 1; n <= LEAVES; n++) {
        struct batch b;
        fill(&b, n);
        batch_sign(&b, s.secret);
        for (uint32_t i = 0; i < n; i++) {
            struct batch_proof proof;
            uint8_t path[BATCH_PATH_MAX][CRYPTO_HASH_SIZE];
            batch_prove(&b, i, &proof);
            uint32_t count = naive_path(b.nodes, n, i, path);
            assert_int_equal(proof.path_count, count);
            assert_memory_equal(proof.path, path, count * CRYPTO_HASH_SIZE);
            assert_int_equal(verify(&s, i, &proof), ERR_OK);
        }
    }
}

static void the_signature_is_over_context_purpose_root_and_count(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    fill(&b, 13);
    batch_sign(&b, s.secret);
    uint8_t message[18 + 1 + CRYPTO_HASH_SIZE + 4] = "grapevine batch 1";
    message[18] = BATCH_RECEIPT;
    naive_root(b.nodes, 13, message + 19);
    message[19 + CRYPTO_HASH_SIZE + 3] = 13;
    assert_true(crypto_verify(s.public_key, bytes_of(message, sizeof(message)), b.signature));
}

static void a_leaf_and_an_inner_node_never_hash_alike(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    fill(&b, 2);
    batch_sign(&b, s.secret);
    /* The two leaves' hashes, taken for one record in a batch of one, must not reach the root. */
    struct batch_proof proof = {.count = 1};
    memcpy(proof.signature, b.signature, CRYPTO_SIGNATURE_SIZE);
    uint8_t with_tag[1 + 2 * CRYPTO_HASH_SIZE] = {0x01};
    memcpy(with_tag + 1, b.nodes, 2 * CRYPTO_HASH_SIZE);
    for (int skip = 0; skip < 2; skip++) {
        struct bytes record = bytes_skip(bytes_of(with_tag, sizeof(with_tag)), (size_t)skip);
        proof.count = 1;
        assert_int_equal(batch_verify(s.public_key, BATCH_RECEIPT, record, &proof, NULL),
                         ERR_BAD_SIGNATURE);
        proof.count = 2;
        assert_int_equal(batch_verify(s.public_key, BATCH_RECEIPT, record, &proof, NULL),
                         ERR_BAD_SIGNATURE);
    }
}

static void a_proof_holds_for_its_own_index_and_count_only(void **state)
{
    struct signer s = make_signer(1);
    for (uint32_t n = 1; n <= LEAVES; n += 7) {
        struct batch b;
        struct batch_proof proof;
        fill(&b, n);
        batch_sign(&b, s.secret);
        batch_prove(&b, n / 2, &proof);
        for (uint32_t value = 0; value <= BATCH_LEAVES_MAX + 1; value++) {
            struct batch_proof wrong = proof;
            wrong.index = value;
            assert_int_equal(verify(&s, n / 2, &wrong),
                             value == n / 2 ? ERR_OK : ERR_BAD_SIGNATURE);
            wrong = proof;
            wrong.count = value;
            assert_int_equal(verify(&s, n / 2, &wrong), value == n ? ERR_OK : ERR_BAD_SIGNATURE);
        }
        proof.count = UINT32_MAX;
        proof.index = UINT32_MAX - 1;
        assert_int_equal(verify(&s, n / 2, &proof), ERR_BAD_SIGNATURE);
    }
}

static void a_path_of_another_length_is_refused(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    struct batch_proof proof;
    fill(&b, 21);
    batch_sign(&b, s.secret);
    batch_prove(&b, 20, &proof);
    uint32_t right = proof.path_count;
    for (uint32_t count = 0; count <= BATCH_PATH_MAX + 2; count++) {
        proof.path_count = count;
        assert_int_equal(verify(&s, 20, &proof), count == right ? ERR_OK : ERR_BAD_SIGNATURE);
    }
}

/* A signer that signs a root which is no tree of `count` leaves gains no second shape of proof. */
static void a_path_that_does_not_fit_the_count_is_refused_even_if_it_was_signed(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    uint8_t message[18 + 1 + CRYPTO_HASH_SIZE + 4] = "grapevine batch 1";
    uint8_t *root = message + 19, *count = message + 19 + CRYPTO_HASH_SIZE + 3;
    message[18] = BATCH_RECEIPT;
    fill(&b, 2);

    struct batch_proof too_short = {.count = 2};
    *count = 2;
    memcpy(root, b.nodes[0], CRYPTO_HASH_SIZE);
    crypto_sign(s.secret, bytes_of(message, sizeof(message)), too_short.signature);
    assert_int_equal(verify(&s, 0, &too_short), ERR_BAD_SIGNATURE);

    struct batch_proof too_long = {.count = 1, .path_count = 1};
    memcpy(too_long.path[0], b.nodes[1], CRYPTO_HASH_SIZE);
    *count = 1;
    naive_root(b.nodes, 2, root);
    crypto_sign(s.secret, bytes_of(message, sizeof(message)), too_long.signature);
    assert_int_equal(verify(&s, 0, &too_long), ERR_BAD_SIGNATURE);
    uint8_t joined[1 + 2 * CRYPTO_HASH_SIZE] = {0x01}; /* the climb would put the leaf right */
    memcpy(joined + 1, b.nodes[1], CRYPTO_HASH_SIZE);
    memcpy(joined + 1 + CRYPTO_HASH_SIZE, b.nodes[0], CRYPTO_HASH_SIZE);
    crypto_hash(bytes_of(joined, sizeof(joined)), root);
    crypto_sign(s.secret, bytes_of(message, sizeof(message)), too_long.signature);
    assert_int_equal(verify(&s, 0, &too_long), ERR_BAD_SIGNATURE);
}

static void any_altered_byte_of_path_or_signature_is_refused(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    struct batch_proof proof;
    fill(&b, 11);
    batch_sign(&b, s.secret);
    batch_prove(&b, 6, &proof);
    uint8_t *path = &proof.path[0][0];
    for (size_t i = 0; i < proof.path_count * CRYPTO_HASH_SIZE; i++) {
        path[i] ^= 0x10;
        assert_int_equal(verify(&s, 6, &proof), ERR_BAD_SIGNATURE);
        path[i] ^= 0x10;
    }
    for (size_t i = 0; i < CRYPTO_SIGNATURE_SIZE; i++) {
        proof.signature[i] ^= 0x10;
        assert_int_equal(verify(&s, 6, &proof), ERR_BAD_SIGNATURE);
        proof.signature[i] ^= 0x10;
    }
    assert_int_equal(verify(&s, 6, &proof), ERR_OK);
}

static void another_record_purpose_or_signer_is_refused(void **state)
{
    struct signer s = make_signer(1), other = make_signer(2);
    struct batch b;
    struct batch_proof proof;
    uint32_t number = 3;
    fill(&b, 5);
    batch_sign(&b, s.secret);
    batch_prove(&b, 3, &proof);
    assert_int_equal(verify(&s, 3, &proof), ERR_OK);
    assert_int_equal(verify(&s, 4, &proof), ERR_BAD_SIGNATURE);
    assert_int_equal(verify(&other, 3, &proof), ERR_BAD_SIGNATURE);
    assert_int_equal(batch_verify(s.public_key, BATCH_ENVELOPE, record_of(&number), &proof, NULL),
                     ERR_BAD_SIGNATURE);
}

static void a_full_batch_takes_256_leaves_and_no_more(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    struct batch_proof proof;
    uint8_t leaf[CRYPTO_HASH_SIZE] = {0};
    uint32_t index = 77;
    fill(&b, BATCH_LEAVES_MAX);
    assert_int_equal(batch_add(&b, leaf, &index), ERR_LIMIT);
    assert_int_equal(index, 77);
    batch_sign(&b, s.secret);
    for (uint32_t i = 0; i < BATCH_LEAVES_MAX; i++) {
        batch_prove(&b, i, &proof);
        assert_int_equal(verify(&s, i, &proof), ERR_OK);
    }
}

static void a_batch_starts_anew_after_its_window(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    struct batch_proof proof;
    fill(&b, 40);
    batch_sign(&b, s.secret);
    fill(&b, 1);
    batch_sign(&b, s.secret);
    batch_prove(&b, 0, &proof);
    assert_int_equal(proof.path_count, 0);
    assert_int_equal(verify(&s, 0, &proof), ERR_OK);
}

/* --- the cache --- */

static void the_cache_checks_a_batch_signature_once(void **state)
{
    struct signer s = make_signer(1);
    struct batch b;
    struct batch_cache cache;
    batch_cache_init(&cache);
    fill(&b, LEAVES);
    batch_sign(&b, s.secret);
    for (uint32_t i = 0; i < LEAVES; i++) {
        struct batch_proof proof;
        batch_prove(&b, i, &proof);
        assert_int_equal(batch_verify(s.public_key, BATCH_RECEIPT, record_of(&i), &proof, &cache),
                         ERR_OK);
    }
    assert_int_equal(cache.next, 1);
}

static void the_cache_never_lets_a_forgery_pass(void **state)
{
    struct signer s = make_signer(1), other = make_signer(2);
    struct batch b;
    struct batch_proof proof;
    struct batch_cache cache;
    uint32_t number = 2, wrong_number = 3;
    batch_cache_init(&cache);
    fill(&b, 8);
    batch_sign(&b, s.secret);
    batch_prove(&b, 2, &proof);
    struct bytes record = record_of(&number);
    assert_int_equal(batch_verify(s.public_key, BATCH_RECEIPT, record, &proof, &cache), ERR_OK);

    assert_int_equal(
        batch_verify(s.public_key, BATCH_RECEIPT, record_of(&wrong_number), &proof, &cache),
        ERR_BAD_SIGNATURE);
    assert_int_equal(batch_verify(other.public_key, BATCH_RECEIPT, record, &proof, &cache),
                     ERR_BAD_SIGNATURE);
    assert_int_equal(batch_verify(s.public_key, BATCH_ENVELOPE, record, &proof, &cache),
                     ERR_BAD_SIGNATURE);
    proof.signature[0] ^= 1;
    for (int i = 0; i < 2; i++) /* a failure is not remembered as a success */
        assert_int_equal(batch_verify(s.public_key, BATCH_RECEIPT, record, &proof, &cache),
                         ERR_BAD_SIGNATURE);
    assert_int_equal(cache.next, 1);
}

static void the_cache_forgets_the_oldest_and_still_verifies(void **state)
{
    struct signer s = make_signer(1);
    struct batch_cache cache;
    batch_cache_init(&cache);
    for (uint32_t round = 0; round < 3 * BATCH_CACHE_SIZE; round++) {
        struct batch b;
        struct batch_proof proof;
        uint32_t number = round;
        uint8_t leaf[CRYPTO_HASH_SIZE];
        uint32_t index;
        batch_init(&b, BATCH_ENVELOPE);
        batch_leaf(record_of(&number), leaf);
        assert_int_equal(batch_add(&b, leaf, &index), ERR_OK);
        batch_sign(&b, s.secret);
        batch_prove(&b, index, &proof);
        for (int again = 0; again < 2; again++)
            assert_int_equal(
                batch_verify(s.public_key, BATCH_ENVELOPE, record_of(&number), &proof, &cache),
                ERR_OK);
    }
    assert_in_range(cache.next, 0, BATCH_CACHE_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_the_one_of_rfc_9162),
        cmocka_unit_test(the_signature_is_over_context_purpose_root_and_count),
        cmocka_unit_test(a_leaf_and_an_inner_node_never_hash_alike),
        cmocka_unit_test(a_proof_holds_for_its_own_index_and_count_only),
        cmocka_unit_test(a_path_of_another_length_is_refused),
        cmocka_unit_test(a_path_that_does_not_fit_the_count_is_refused_even_if_it_was_signed),
        cmocka_unit_test(any_altered_byte_of_path_or_signature_is_refused),
        cmocka_unit_test(another_record_purpose_or_signer_is_refused),
        cmocka_unit_test(a_full_batch_takes_256_leaves_and_no_more),
        cmocka_unit_test(a_batch_starts_anew_after_its_window),
        cmocka_unit_test(the_cache_checks_a_batch_signature_once),
        cmocka_unit_test(the_cache_never_lets_a_forgery_pass),
        cmocka_unit_test(the_cache_forgets_the_oldest_and_still_verifies),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
