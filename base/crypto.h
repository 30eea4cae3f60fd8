/* The door to libsodium: keys, signatures, hashes, AEAD, randomness, text encodings of bytes.
 * Primitives only; what is signed and why is decided by callers. Secrets are arrays with their size
 * in the signature and are wiped with crypto_wipe. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#define CRYPTO_PUBLIC_SIZE 32 /* Ed25519 and X25519 public keys */
#define CRYPTO_SEED_SIZE 32   /* Ed25519 seed: what is stored on disk */
#define CRYPTO_SECRET_SIZE 64 /* Ed25519 secret key, expanded */
#define CRYPTO_DH_SIZE 32     /* X25519 secret and shared secrets */
#define CRYPTO_SIGNATURE_SIZE 64
#define CRYPTO_HASH_SIZE 32   /* BLAKE2b-256 */
#define CRYPTO_HASH64_SIZE 64 /* BLAKE2b-512, Noise's HASH */
#define CRYPTO_AEAD_KEY_SIZE 32
#define CRYPTO_TAG_SIZE 16
#define CRYPTO_XNONCE_SIZE 24

/* Once per process, before anything else; FATAL on failure. Idempotent. */
MUST_CHECK enum err crypto_init(void);
/* Simulation and tests only: from now on crypto_random, and every key made with it, is a
 * deterministic stream of this seed, in the whole process. The one piece of global state there is;
 * not thread-safe. */
void crypto_seed_for_simulation(uint64_t seed);

void crypto_random(void *ret_data, size_t size);
void crypto_wipe(void *data, size_t size);
/* Constant time. */
bool crypto_equal(const void *a, const void *b, size_t size);

/* Three names below belong to libsodium too, with other parameters: ours carry another linker
 * name, so that neither library can be linked against the other's function. Hence also: no file
 * but base/crypto.c includes sodium.h. */
#define CRYPTO_LINKED_AS(name) __asm__(name)

/* Ed25519 */
void crypto_sign_keypair(uint8_t ret_public[32], uint8_t ret_secret[64])
    CRYPTO_LINKED_AS("crypto_own_sign_keypair");
void crypto_sign_keypair_from_seed(const uint8_t seed[32], uint8_t ret_public[32],
                                   uint8_t ret_secret[64]);
void crypto_sign(const uint8_t secret[64], struct bytes message, uint8_t ret_signature[64])
    CRYPTO_LINKED_AS("crypto_own_sign");
bool crypto_verify(const uint8_t public_key[32], struct bytes message, const uint8_t signature[64]);

/* X25519. crypto_dh: ERR_INVALID for a low-order point. */
void crypto_dh_keypair(uint8_t ret_public[32], uint8_t ret_secret[32]);
void crypto_dh_public(const uint8_t secret[32], uint8_t ret_public[32]);
MUST_CHECK enum err crypto_dh(const uint8_t secret[32], const uint8_t public_key[32],
                              uint8_t ret_shared[32]);
/* The X25519 pair of an Ed25519 pair, so that two nodes who know each other's signing key share a
 * secret. ERR_INVALID: no point of the curve's main subgroup. */
MUST_CHECK enum err crypto_sign_public_to_dh(const uint8_t public_key[32], uint8_t ret_public[32]);
void crypto_sign_secret_to_dh(const uint8_t secret[64], uint8_t ret_secret[32]);

/* BLAKE2b-256 (of several parts in a row). */
void crypto_hash(struct bytes data, uint8_t ret_hash[32]) CRYPTO_LINKED_AS("crypto_own_hash");
void crypto_hash_parts(const struct bytes *parts, size_t count, uint8_t ret_hash[32]);
/* BLAKE2b-256 of what comes bit by bit: begin, add any number of times, end. */
struct crypto_hashing {
    _Alignas(64) uint8_t state[384];
};
void crypto_hashing_begin(struct crypto_hashing *h);
void crypto_hashing_add(struct crypto_hashing *h, struct bytes data);
void crypto_hashing_end(struct crypto_hashing *h, uint8_t ret_hash[32]);
/* BLAKE2b-512 and HMAC over it with a 128-byte block (RFC 2104), as Noise needs. */
void crypto_hash64(const struct bytes *parts, size_t count, uint8_t ret_hash[64]);
void crypto_hmac64(const uint8_t *key, size_t key_size, const struct bytes *parts, size_t count,
                   uint8_t ret_mac[64]);
/* SipHash-2-4, for hash maps. */
uint64_t crypto_siphash(const uint8_t key[16], struct bytes data);

/* ChaCha20-Poly1305 (RFC 8439) with a 12-byte nonce; `out` holds plain.size + 16 (seal) or
 * sealed.size - 16 (open) bytes and may be the input itself. open: ERR_BAD_SIGNATURE, and `out` is
 * then zeroed. */
void crypto_seal(const uint8_t key[32], const uint8_t nonce[12], struct bytes ad,
                 struct bytes plain, uint8_t *out);
MUST_CHECK enum err crypto_open(const uint8_t key[32], const uint8_t nonce[12], struct bytes ad,
                                struct bytes sealed, uint8_t *out);
/* XChaCha20-Poly1305, for datagrams. */
void crypto_xseal(const uint8_t key[32], const uint8_t nonce[24], struct bytes ad,
                  struct bytes plain, uint8_t *out);
MUST_CHECK enum err crypto_xopen(const uint8_t key[32], const uint8_t nonce[24], struct bytes ad,
                                 struct bytes sealed, uint8_t *out);

/* Text: lower-case hex and unpadded base64url (RFC 4648 section 5). Decoders are strict, so that
 * one value has one text: ERR_INVALID for any foreign character (capital hex digits too), wrong
 * length or non-zero trailing bits; `out` is only touched on success. */
MUST_CHECK enum err crypto_hex_append(struct buf *out, struct bytes data);
MUST_CHECK enum err crypto_hex_decode(struct bytes text, uint8_t *out, size_t out_size);
MUST_CHECK enum err crypto_base64_append(struct buf *out, struct bytes data);
MUST_CHECK enum err crypto_base64_decode(struct bytes text, struct buf *out);
/* Padded base64 (RFC 4648 section 4), which HTTP's structured fields use; as strict. */
MUST_CHECK enum err crypto_base64_padded_append(struct buf *out, struct bytes data);
MUST_CHECK enum err crypto_base64_padded_decode(struct bytes text, struct buf *out);

const char *crypto_library_version(void);

#endif
