/* Checkpoints: what a voter says under its signature about the log up to an index, so that a node
 * that does not vote may take the log from anybody. Signed is "grapevine checkpoint 1\0" and the
 * record; the signer's certificates go with it. Pure.
 *
 * Not here: who votes (whoever reads one checks that its signer is a voter that it knows). */
#ifndef NODE_RULES_CHECKPOINT_H
#define NODE_RULES_CHECKPOINT_H

#include "node/trust/cert.h"

#define CHECKPOINT_SIZE_MAX (CERT_CHAIN_SIZE_MAX + 512)

struct checkpoint {
    struct id mesh;
    uint64_t index, term;
    uint8_t chain[CRYPTO_HASH_SIZE]; /* hash of the record at index */
    bool has_state;
    uint8_t state_hash[CRYPTO_HASH_SIZE];
    uint64_t epoch;
    uint64_t time_ms;
};

struct checkpoint_signed { /* encoded */
    uint8_t wire[CHECKPOINT_SIZE_MAX];
    size_t size; /* 0: none */
    uint64_t index;
    struct id signer;
};

MUST_CHECK enum err checkpoint_sign(const struct checkpoint *c, const struct identity *identity,
                                    struct checkpoint_signed *ret_signed);
/* The errors of cert_chain_verify; INVALID; CERT_SCOPE: the signer is no node; WRONG_MESH;
 * BAD_SIGNATURE. */
MUST_CHECK enum err checkpoint_verify(struct bytes wire, const struct identity *identity,
                                      uint64_t now_ms, struct checkpoint *ret_checkpoint,
                                      struct checkpoint_signed *ret_signed);

/* What a log pull brings: `commit u64 | size of the checkpoint u16 | checkpoint | records`. */
struct checkpoint_range {
    uint64_t commit;
    struct bytes checkpoint; /* encoded; empty: none that covers */
    struct bytes records;
};
MUST_CHECK enum err checkpoint_range_encode(const struct checkpoint_range *range, struct buf *out);
MUST_CHECK enum err checkpoint_range_decode(struct bytes wire, struct checkpoint_range *ret_range);

#endif
