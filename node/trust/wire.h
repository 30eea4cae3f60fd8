/* The bytes of trust's records: structs in, canonical protobuf out, and back (wire.proto says what
 * canonical means). With codec.c the only door to protobuf-c in this folder; cert.c, token.c,
 * envelope.c, receipt.c and keyring.c call it and judge what the values mean. It checks sizes and
 * canonicity, nothing else.
 *
 * Encoders append: ERR_LIMIT, ERR_NO_MEMORY. Decoders: ERR_INVALID (ERR_NO_MEMORY); they work in a
 * small stack buffer and touch the heap only for inputs larger than requests carry. What they
 * return as struct bytes points into their input. */
#ifndef NODE_TRUST_WIRE_H
#define NODE_TRUST_WIRE_H

#include "node/trust/cert.h"
#include "node/trust/envelope.h"
#include "node/trust/keyring.h"
#include "node/trust/receipt.h"
#include "node/trust/token.h"

MUST_CHECK enum err trust_wire_cert_encode(const struct cert *cert, struct buf *record);
MUST_CHECK enum err trust_wire_cert_decode(struct bytes record, struct cert *ret_cert);

/* A certificate's record and its issuer's signature. */
struct trust_wire_link {
    struct bytes record;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};
MUST_CHECK enum err trust_wire_chain_append(const struct trust_wire_link *link, struct buf *chain);
/* At most CERT_CHAIN_MAX links, at least one; on failure ret_links holds garbage. */
MUST_CHECK enum err trust_wire_chain_decode(struct bytes chain, struct trust_wire_link *ret_links,
                                            size_t *ret_count);

MUST_CHECK enum err trust_wire_token_encode(const struct token *token, struct buf *out);
MUST_CHECK enum err trust_wire_token_decode(struct bytes wire, struct token *ret_token);

MUST_CHECK enum err trust_wire_envelope_encode(const struct envelope *e, struct buf *record);
MUST_CHECK enum err trust_wire_envelope_decode(struct bytes record, struct envelope *ret_envelope);

MUST_CHECK enum err trust_wire_sealed_encode(struct bytes record, const struct batch_proof *proof,
                                             struct buf *wire);
MUST_CHECK enum err trust_wire_sealed_decode(struct bytes wire, struct bytes *ret_record,
                                             struct batch_proof *ret_proof);

MUST_CHECK enum err trust_wire_receipt_encode(const struct receipt *r, struct buf *record);
MUST_CHECK enum err trust_wire_receipt_decode(struct bytes record, struct receipt *ret_receipt);

MUST_CHECK enum err trust_wire_receipts_encode(const struct receipt_entry *entries, size_t count,
                                               struct buf *wire);
/* At most RECEIPT_HOPS_MAX, at least one; on failure ret_entries holds garbage. */
MUST_CHECK enum err trust_wire_receipts_decode(struct bytes wire, struct receipt_entry *ret_entries,
                                               size_t *ret_count);

MUST_CHECK enum err trust_wire_keyring_encode(const struct keyring *ring, struct buf *record);
MUST_CHECK enum err trust_wire_keyring_decode(struct bytes record, struct keyring *ret_ring);

/* A ring's record with its signature and the signer's chain, which point into what was decoded. */
struct trust_wire_signed {
    struct bytes record;
    struct bytes certificates;
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};
MUST_CHECK enum err trust_wire_signed_encode(const struct trust_wire_signed *s, struct buf *wire);
MUST_CHECK enum err trust_wire_signed_decode(struct bytes wire,
                                             struct trust_wire_signed *ret_signed);

#endif
