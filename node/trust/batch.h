/* Batch signatures: one Ed25519 signature over the Merkle root of all records of a short window.
 * Signing costs 16 us and verifying 48 us, so a busy node pays them once per window and one hash
 * per record.
 *
 * The tree is RFC 9162's (Certificate Transparency): leaf = H(0x00 record), inner = H(0x01 left
 * right), H = BLAKE2b-256, split at the largest power of two below n. What is signed is
 * "grapevine batch 1\0" + purpose + root + count.
 *
 * A proof that travels with a record: {index, count, path, signature}. A batch of one has an
 * empty path. */
#ifndef NODE_TRUST_BATCH_H
#define NODE_TRUST_BATCH_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/list.h"

#define BATCH_LEAVES_MAX 256
#define BATCH_PATH_MAX 8 /* log2(BATCH_LEAVES_MAX) */

enum batch_purpose { BATCH_ENVELOPE = 1, BATCH_RECEIPT = 2 };

struct batch_proof {
    uint32_t index;
    uint32_t count;
    uint32_t path_count;
    uint8_t path[BATCH_PATH_MAX][CRYPTO_HASH_SIZE];
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

/* --- signing. The batch collects leaves; batch_sign ends the window. Pure: the caller decides
 * when. */
struct batch {
    enum batch_purpose purpose;
    uint32_t count;
    bool is_signed;
    uint8_t nodes[2 * BATCH_LEAVES_MAX]
                 [CRYPTO_HASH_SIZE]; /* leaves, then inner nodes as batch_sign lays them */
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};
void batch_init(struct batch *b, enum batch_purpose purpose);
/* Hash of a record as a leaf. */
void batch_leaf(struct bytes record, uint8_t ret_leaf[CRYPTO_HASH_SIZE]);
/* Index of the leaf; ERR_LIMIT when full: sign and start another. */
MUST_CHECK enum err batch_add(struct batch *b, const uint8_t leaf[CRYPTO_HASH_SIZE],
                              uint32_t *ret_index);
/* count >= 1 */
void batch_sign(struct batch *b, const uint8_t secret[CRYPTO_SECRET_SIZE]);
/* After batch_sign. */
void batch_prove(const struct batch *b, uint32_t index, struct batch_proof *ret_proof);

/* --- verifying. The cache remembers the last roots that verified, so that a batch's signature
 * is checked once. */
#define BATCH_CACHE_SIZE 16
struct batch_cache {
    uint8_t keys[BATCH_CACHE_SIZE]
                [CRYPTO_HASH_SIZE]; /* hash of (signer, purpose, root, count, signature) */
    uint32_t next;
};
void batch_cache_init(struct batch_cache *c);
/* BAD_SIGNATURE. cache may be NULL. */
MUST_CHECK enum err batch_verify(const uint8_t signer[CRYPTO_PUBLIC_SIZE],
                                 enum batch_purpose purpose, struct bytes record,
                                 const struct batch_proof *proof, struct batch_cache *cache);

#endif
