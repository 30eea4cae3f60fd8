/* The keys of the mesh's gossip: who holds the newest is heard. A ring is signed by an
 * administrator of the whole mesh, so that any node may hand it on and no node can make one. It is
 * a protobuf record with an Ed25519 signature over "grapevine key ring 1\0" + record, and the
 * administrator's certificate chain beside it.
 *
 * Each next ring has a new key to seal with and keeps the one before to open with, so that nodes
 * that have it and nodes that wait for it understand each other in one direction by datagrams, in
 * both by links. Pure. A ring is a secret: who holds it reads gossip. */
#ifndef NODE_TRUST_KEYRING_H
#define NODE_TRUST_KEYRING_H

#include "node/trust/cert.h"

#define KEYRING_KEYS_MAX 2
#define KEYRING_KEY_SIZE CRYPTO_AEAD_KEY_SIZE
#define KEYRING_RECORD_MAX 128
#define KEYRING_SIZE_MAX (CERT_CHAIN_SIZE_MAX + 256) /* encoded, with signature and chain */
#define KEYRING_VERSION_MAX CERT_TIME_MS_MAX         /* JSON stays exact */

struct keyring {
    struct id mesh;
    uint64_t version;                                 /* 1 or more; rises */
    uint8_t keys[KEYRING_KEYS_MAX][KEYRING_KEY_SIZE]; /* the one to seal with first */
    size_t key_count;                                 /* 1 or 2 */
    uint64_t made_ms;                                 /* wall clock */
};

struct keyring_author {
    const uint8_t *seed; /* CRYPTO_SEED_SIZE; of the administrator's key */
    const uint8_t *root; /* CRYPTO_PUBLIC_SIZE; of the mesh */
    struct bytes chain;  /* encoded; its leaf is the administrator */
};
/* Appends the next ring after `previous` (NULL: the first), encoded. The errors of keyring_verify
 * for the author's own chain; WRONG_MESH for another mesh's previous one; LIMIT. */
MUST_CHECK enum err keyring_make(const struct keyring_author *author,
                                 const struct keyring *previous, uint64_t now_ms, struct buf *out);
/* INVALID; the errors of cert_chain_verify; CERT_SCOPE: not an administrator's, or one of a single
 * tier or region; BAD_SIGNATURE; WRONG_MESH. */
MUST_CHECK enum err keyring_verify(struct bytes encoded, const uint8_t root[CRYPTO_PUBLIC_SIZE],
                                   uint64_t now_ms, struct keyring *ret_ring);
/* The same without looking at signatures, to know whether that would be worth while. INVALID. */
MUST_CHECK enum err keyring_decode(struct bytes encoded, struct keyring *ret_ring);
/* Whether a replaces b. Of two with one version, made by two administrators at once, all nodes
 * keep the same one. */
bool keyring_is_newer(const struct keyring *a, const struct keyring *b);
void keyring_wipe(struct keyring *ring);

#endif
