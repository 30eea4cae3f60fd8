/* The handshake of a link: Noise XX messages that carry certificates, so that at its end each side
 * knows which node of its own mesh the other one is. Pure: frames in, frames out; no clock. Byte
 * for byte in README.md.
 *
 *   dialler                                    acceptor
 *   start: message 1, the mesh's id   ──>
 *                                     <──      message 2, hello
 *   checks it; message 3, hello       ──>      checks it
 *
 * hello: wall clock, certificates, and the node's Ed25519 signature over its static X25519 key,
 * which lives as long as the process. Either side may refuse with a frame of one byte, the reason,
 * until it holds the session keys. */
#ifndef NODE_MESH_HANDSHAKE_H
#define NODE_MESH_HANDSHAKE_H

#include "node/mesh/noise.h"
#include "node/trust/cert.h"

#define HANDSHAKE_HELLO_HEAD (8 + CRYPTO_SIGNATURE_SIZE)
#define HANDSHAKE_OUT_MAX (2 + 96 + HANDSHAKE_HELLO_HEAD + CERT_CHAIN_SIZE_MAX)

struct handshake_cfg {
    const struct identity *identity;      /* borrowed, lives longer */
    const uint8_t *static_secret;         /* X25519 */
    const uint8_t *test_ephemeral_secret; /* NULL but in tests */
    bool dialler;
};

struct handshake {
    const struct identity *identity;
    bool dialler;
    bool is_done;         /* the peer is who the fields below say */
    bool has_keys;        /* send and receive are set: a refusal can go sealed */
    bool refused_by_peer; /* the error is the peer's word, not our finding */
    struct noise noise;
    struct noise_cipher send;
    struct noise_cipher receive;
    /* the peer, once its hello could be read */
    bool clock_known;
    int64_t clock_ahead_ms; /* its wall clock minus ours */
    uint8_t chain[CERT_CHAIN_SIZE_MAX];
    size_t chain_size;
    struct cert cert;
    struct id peer;
};

void handshake_init(struct handshake *h, const struct handshake_cfg *cfg);
/* Wipes all keys. */
void handshake_fini(struct handshake *h);
/* Appends what this side says first: message 1 of a dialler, nothing of an acceptor. */
MUST_CHECK enum err handshake_start(struct handshake *h, struct buf *out);
/* Takes one frame and appends what is to be answered, also on failure (a refusal, unless has_keys).
 * The peer's key is in noise.remote_static. PROTOCOL, INVALID, BAD_SIGNATURE, WRONG_MESH,
 * CERT_EXPIRED, CERT_SCOPE, SELF_LINK, CLOCK_SKEW, or what the peer refused with. */
MUST_CHECK enum err handshake_read(struct handshake *h, struct bytes frame, uint64_t wall_ms,
                                   struct buf *out);
/* A refusal frame. */
MUST_CHECK enum err handshake_refuse(enum err reason, struct buf *out);

#endif
