/* Datagrams, sealed: XChaCha20-Poly1305 under a key of the two nodes (the mesh's gossip key and the
 * secret that both can compute from each other's public key), so that a member cannot speak in
 * another's name, and who lacks the current gossip key cannot speak at all. Inside gossip/ only;
 * pure; allocates nothing.
 *
 *   u8 version (1) ‖ sender's ref (10) ‖ sequence (u64) ‖ ciphertext ‖ tag (16)
 *
 * The nonce is the sender's id and the sequence, which rises with every datagram that a node seals,
 * across restarts too: it counts on from the persisted incarnation, about a million a second. The
 * head and the mesh's id are authenticated. */
#ifndef GOSSIP_SEAL_H
#define GOSSIP_SEAL_H

#include "gossip/wire.h"

#define GOSSIP_SEAL_HEAD (1 + GOSSIP_REF_SIZE + 8)
#define GOSSIP_SEAL_OVERHEAD (GOSSIP_SEAL_HEAD + CRYPTO_TAG_SIZE)
#define GOSSIP_SEAL_PLAIN_MAX (GOSSIP_DATAGRAM_MAX - GOSSIP_SEAL_OVERHEAD)

/* The key of a pair under one gossip key. */
void gossip_seal_key(const uint8_t gossip_key[32], const uint8_t shared[32], const struct id *mesh,
                     uint8_t ret_key[32]);
/* Appends the datagram to `out`. plain.size <= GOSSIP_SEAL_PLAIN_MAX. LIMIT, NO_MEMORY. */
MUST_CHECK enum err gossip_seal(const uint8_t key[32], const struct id *mesh,
                                const struct id *sender, uint64_t sequence, struct bytes plain,
                                struct buf *out);
/* Who claims to have sent it. INVALID: too short, too long or of another version. */
MUST_CHECK enum err gossip_seal_head(struct bytes datagram, struct gossip_ref *ret_sender,
                                     uint64_t *ret_sequence);
/* Opens it into `out` (room for GOSSIP_SEAL_PLAIN_MAX bytes). After gossip_seal_head was OK.
 * BAD_SIGNATURE. */
MUST_CHECK enum err gossip_seal_open(const uint8_t key[32], const struct id *mesh,
                                     const struct id *sender, struct bytes datagram, uint8_t *out,
                                     struct bytes *ret_plain);

/* The newest sequences of one sender that were taken. A reordered datagram passes, a replayed one
 * never does, nor one older than all of them. They lie far apart, hence a list and no bit set. */
#define GOSSIP_WINDOW_SIZE 32
struct gossip_window {
    uint64_t taken[GOSSIP_WINDOW_SIZE]; /* 0: free */
    uint64_t floor;                     /* everything up to it is refused */
};
/* floor: below what is acceptable at all (too old by the wall clock). */
void gossip_window_init(struct gossip_window *w, uint64_t floor);
/* REPLAYED. Takes nothing. */
MUST_CHECK enum err gossip_window_check(const struct gossip_window *w, uint64_t sequence);
/* After gossip_window_check was OK and the datagram opened. */
void gossip_window_take(struct gossip_window *w, uint64_t sequence);

#endif
