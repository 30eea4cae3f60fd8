/* Key and certificate files as text: a header line that says what it is, then one line of
 * base64url.
 *
 *   root.key    "grapevine root key 1"          32 bytes: the seed of the mesh's root key
 *   admin.key   "grapevine admin key 1"         seed, the root's public key, the admin's chain,
 *                                               which may be empty: it signs, but invites nobody
 *   (any name)  "grapevine admin certificate 1" the root's public key, such a chain
 *   node.key    "grapevine node key 1"          32 bytes: the seed of the node's key
 *   node.cert   "grapevine node certificate 1"  the root's public key, the node's chain */
#ifndef NODE_CLI_DIR_KEYFILE_H
#define NODE_CLI_DIR_KEYFILE_H

#include "base/buf.h"
#include "node/cli/say.h"
#include "node/trust/cert.h"

#define KEYFILE_PAYLOAD_MAX (CRYPTO_SEED_SIZE + CRYPTO_PUBLIC_SIZE + CERT_CHAIN_SIZE_MAX)
#define KEYFILE_TEXT_MAX (KEYFILE_PAYLOAD_MAX * 4 / 3 + 64)

enum keyfile_kind { KEYFILE_ROOT, KEYFILE_ADMIN, KEYFILE_NODE, KEYFILE_CERT, KEYFILE_ADMIN_CERT };

/* A chain below `root`, with the seed of the key that its leaf is about. */
struct keyfile {
    uint8_t seed[CRYPTO_SEED_SIZE];
    uint8_t root[CRYPTO_PUBLIC_SIZE];
    uint8_t chain[CERT_CHAIN_SIZE_MAX];
    size_t chain_size;
};

MUST_CHECK enum err keyfile_encode(enum keyfile_kind kind, const struct keyfile *k,
                                   struct buf *text);
/* Fills the members that this kind holds; the others are untouched. INVALID. */
MUST_CHECK enum err keyfile_decode(enum keyfile_kind kind, struct bytes text,
                                   struct keyfile *ret_keyfile);
/* Reads and decodes a file. Secrets must be readable by their owner alone. Says what is wrong. */
MUST_CHECK enum cli_exit keyfile_load(enum keyfile_kind kind, const char *path,
                                      struct keyfile *ret_keyfile);
void keyfile_wipe(struct keyfile *k);

#endif
