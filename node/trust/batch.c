/* Merkle batches (RFC 9162 section 2.1 with BLAKE2b-256): the signing side lays the whole tree
 * out once per window, the verifying side walks one path. Used by envelope.c and receipt.c and
 * by whoever collects their records for a window. */
#include "node/trust/batch.h"

#define SIGNED_SIZE (18 + 1 + CRYPTO_HASH_SIZE + 4)

static const uint8_t LEAF_TAG = 0x00;
static const uint8_t INNER_TAG = 0x01;

_Static_assert(BATCH_LEAVES_MAX == 1 << BATCH_PATH_MAX, "a path must reach every leaf");

void batch_init(struct batch *b, enum batch_purpose purpose)
{
    b->purpose = purpose;
    b->count = 0;
    b->is_signed = false;
}

void batch_leaf(struct bytes record, uint8_t ret_leaf[CRYPTO_HASH_SIZE])
{
    const struct bytes parts[] = {bytes_of(&LEAF_TAG, 1), record};
    crypto_hash_parts(parts, 2, ret_leaf);
}

static void hash_inner(const uint8_t *left, const uint8_t *right, uint8_t *ret_hash)
{
    const struct bytes parts[] = {bytes_of(&INNER_TAG, 1), bytes_of(left, CRYPTO_HASH_SIZE),
                                  bytes_of(right, CRYPTO_HASH_SIZE)};
    uint8_t hash[CRYPTO_HASH_SIZE]; /* ret_hash may be one of the two */
    crypto_hash_parts(parts, 3, hash);
    memcpy(ret_hash, hash, sizeof(hash));
}

enum err batch_add(struct batch *b, const uint8_t leaf[CRYPTO_HASH_SIZE], uint32_t *ret_index)
{
    CHECK(!b->is_signed);
    if (b->count == BATCH_LEAVES_MAX)
        return ERR_LIMIT;
    memcpy(b->nodes[b->count], leaf, CRYPTO_HASH_SIZE);
    *ret_index = b->count++;
    return ERR_OK;
}

static void signed_bytes(enum batch_purpose purpose, const uint8_t *root, uint32_t count,
                         uint8_t ret_message[SIGNED_SIZE])
{
    struct buf out;
    buf_init_fixed(&out, ret_message, SIGNED_SIZE);
    CHECK(buf_append(&out, bytes_of("grapevine batch 1", 18)) == ERR_OK);
    CHECK(buf_append_byte(&out, (uint8_t)purpose) == ERR_OK);
    CHECK(buf_append(&out, bytes_of(root, CRYPTO_HASH_SIZE)) == ERR_OK);
    CHECK(buf_append_u32(&out, count) == ERR_OK);
}

/* Pairing neighbours level by level and lifting an odd last one gives the tree that splits at the
 * largest power of two. Levels lie one after another: at most 511 nodes for 256 leaves. */
void batch_sign(struct batch *b, const uint8_t secret[CRYPTO_SECRET_SIZE])
{
    CHECK(b->count >= 1 && !b->is_signed);
    uint32_t level = 0, size = b->count;
    while (size > 1) {
        uint32_t above = level + size;
        for (uint32_t i = 0; i + 1 < size; i += 2)
            hash_inner(b->nodes[level + i], b->nodes[level + i + 1], b->nodes[above + i / 2]);
        if (size % 2)
            memcpy(b->nodes[above + size / 2], b->nodes[level + size - 1], CRYPTO_HASH_SIZE);
        level = above;
        size = (size + 1) / 2;
    }
    uint8_t message[SIGNED_SIZE];
    signed_bytes(b->purpose, b->nodes[level], b->count, message);
    crypto_sign(secret, bytes_of(message, sizeof(message)), b->signature);
    b->is_signed = true;
}

void batch_prove(const struct batch *b, uint32_t index, struct batch_proof *ret_proof)
{
    CHECK(b->is_signed && index < b->count);
    ret_proof->index = index;
    ret_proof->count = b->count;
    ret_proof->path_count = 0;
    memcpy(ret_proof->signature, b->signature, CRYPTO_SIGNATURE_SIZE);
    uint32_t level = 0;
    for (uint32_t size = b->count; size > 1; size = (size + 1) / 2) {
        uint32_t sibling = index ^ 1;
        if (sibling < size)
            memcpy(ret_proof->path[ret_proof->path_count++], b->nodes[level + sibling],
                   CRYPTO_HASH_SIZE);
        level += size;
        index /= 2;
    }
}

/* RFC 9162 section 2.1.3.2: turns the leaf into the root. False when the path has not exactly the
 * length that index and count ask for. */
static bool climb(const struct batch_proof *proof, uint8_t *hash)
{
    if (proof->count < 1 || proof->count > BATCH_LEAVES_MAX || proof->index >= proof->count ||
        proof->path_count > BATCH_PATH_MAX)
        return false;
    uint32_t index = proof->index, last = proof->count - 1;
    for (uint32_t i = 0; i < proof->path_count; i++) {
        if (last == 0)
            return false;
        if (index % 2 == 0 && index != last) {
            hash_inner(hash, proof->path[i], hash);
        } else {
            hash_inner(proof->path[i], hash, hash);
            while (index % 2 == 0 && index != 0) {
                index /= 2;
                last /= 2;
            }
        }
        index /= 2;
        last /= 2;
    }
    return last == 0;
}

void batch_cache_init(struct batch_cache *c)
{
    memset(c, 0, sizeof(*c));
}

static bool cache_has(const struct batch_cache *c, const uint8_t *key)
{
    for (uint32_t i = 0; i < BATCH_CACHE_SIZE; i++)
        if (memcmp(c->keys[i], key, CRYPTO_HASH_SIZE) == 0)
            return true;
    return false;
}

enum err batch_verify(const uint8_t signer[CRYPTO_PUBLIC_SIZE], enum batch_purpose purpose,
                      struct bytes record, const struct batch_proof *proof,
                      struct batch_cache *cache)
{
    uint8_t hash[CRYPTO_HASH_SIZE], message[SIGNED_SIZE], key[CRYPTO_HASH_SIZE];
    batch_leaf(record, hash);
    if (!climb(proof, hash))
        return ERR_BAD_SIGNATURE;
    signed_bytes(purpose, hash, proof->count, message);
    if (cache) {
        const struct bytes parts[] = {bytes_of(signer, CRYPTO_PUBLIC_SIZE),
                                      bytes_of(message, sizeof(message)),
                                      bytes_of(proof->signature, CRYPTO_SIGNATURE_SIZE)};
        crypto_hash_parts(parts, 3, key);
        if (cache_has(cache, key))
            return ERR_OK;
    }
    if (!crypto_verify(signer, bytes_of(message, sizeof(message)), proof->signature))
        return ERR_BAD_SIGNATURE;
    if (cache) {
        memcpy(cache->keys[cache->next % BATCH_CACHE_SIZE], key, CRYPTO_HASH_SIZE);
        cache->next = (cache->next + 1) % BATCH_CACHE_SIZE;
    }
    return ERR_OK;
}
