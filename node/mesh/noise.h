/* Noise_XX_25519_ChaChaPoly_BLAKE2b, by the Noise Protocol Framework, revision 34, on the
 * primitives of base/crypto. Pure: messages in, messages out; the handshake's meaning is
 * node/mesh/handshake's.
 *
 *   initiator            responder
 *      e            ──>
 *                   <──  e, ee, s, es
 *      s, se        ──>                  then noise_split: one cipher per direction
 *
 * After any error the object is only good for noise_fini. Keys are wiped when they are no longer
 * needed. */
#ifndef NODE_MESH_NOISE_H
#define NODE_MESH_NOISE_H

#include "base/buf.h"
#include "base/crypto.h"

#define NOISE_MESSAGE_MAX 65535
#define NOISE_MESSAGES 3 /* of the handshake */

/* The spec's CipherState. Nonces count up from 0 and are never used twice. */
struct noise_cipher {
    uint8_t key[CRYPTO_AEAD_KEY_SIZE];
    uint64_t nonce;
};

struct noise_cfg {
    bool initiator;
    struct bytes prologue;
    const uint8_t *static_secret;         /* CRYPTO_DH_SIZE bytes */
    const uint8_t *test_ephemeral_secret; /* test vectors only; NULL: random, as it must be */
};

struct noise {
    bool initiator;
    bool failed;
    bool has_key;
    unsigned step; /* messages done */
    uint8_t hash[CRYPTO_HASH64_SIZE];
    uint8_t chaining_key[CRYPTO_HASH64_SIZE];
    struct noise_cipher cipher;
    uint8_t static_secret[CRYPTO_DH_SIZE];
    uint8_t static_public[CRYPTO_PUBLIC_SIZE];
    uint8_t ephemeral_secret[CRYPTO_DH_SIZE];
    uint8_t ephemeral_public[CRYPTO_PUBLIC_SIZE];
    uint8_t remote_static[CRYPTO_PUBLIC_SIZE];
    uint8_t remote_ephemeral[CRYPTO_PUBLIC_SIZE];
};

void noise_init(struct noise *n, const struct noise_cfg *cfg);
void noise_fini(struct noise *n);
/* Whether the next message is ours to write. */
bool noise_is_our_turn(const struct noise *n);
bool noise_is_done(const struct noise *n);

/* Appends our next message. Only in our turn. LIMIT: too long, or no room in `message`; INVALID:
 * the peer's key is a low-order point. */
MUST_CHECK enum err noise_write(struct noise *n, struct bytes payload, struct buf *message);
/* Takes the peer's next message and appends its payload. INVALID: too short, or a low-order point;
 * PROTOCOL: not the peer's turn; BAD_SIGNATURE: altered, or made under another prologue. */
MUST_CHECK enum err noise_read(struct noise *n, struct bytes message, struct buf *payload);

/* Once noise_is_done: the ciphers of both directions. Wipes everything but `hash` (the channel
 * binding) and remote_static. */
void noise_split(struct noise *n, struct noise_cipher *ret_send, struct noise_cipher *ret_receive);

/* Transport messages, without associated data. `out` has room for plain.size + CRYPTO_TAG_SIZE
 * (seal) or sealed.size - CRYPTO_TAG_SIZE (open) bytes and may be the input's own place. LIMIT: the
 * nonces are used up; INVALID: shorter than a tag; BAD_SIGNATURE. */
MUST_CHECK enum err noise_cipher_seal(struct noise_cipher *c, struct bytes plain, uint8_t *out);
MUST_CHECK enum err noise_cipher_open(struct noise_cipher *c, struct bytes sealed, uint8_t *out);
/* The spec's Rekey(): a new key from the old one; the nonce goes on counting. */
void noise_cipher_rekey(struct noise_cipher *c);

#endif
