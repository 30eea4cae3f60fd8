/* A receipt chain as the JSON that people keep: readable fields, and beside them what proves
 * them. */
#ifndef NODE_TRUST_RECEIPT_JSON_H
#define NODE_TRUST_RECEIPT_JSON_H

#include "node/trust/receipt.h"

/* Bound of the text: base64 of the wire form, every readable byte escaped. */
#define RECEIPT_JSON_MAX (2 * RECEIPT_CHAIN_WIRE_MAX + RECEIPT_HOPS_MAX * 8192)

/* Appends one line without a newline:
 *
 *   {"request_id","mesh":hex,"root":base64url,
 *    "hops":[{"node":hex,"name","role","region","hop","model","backend","reason","attempts",
 *             "status","facts_age_ms","started_ms","first_byte_ms","duration_ms",
 *             "request_bytes","answer_bytes","request_hash":hex,"answer_hash":hex,"epoch",
 *             "record":base64url,"signer":base64url,"certificates":base64url,
 *             "proof":{"index","count","path":[hex],"signature":base64url}}]}
 *
 * INVALID when a record does not decode; verifies nothing. Checked again by receipt_verify_json of
 * node/cli, which needs the same function to make the same text. */
MUST_CHECK enum err receipt_json_append(const struct receipt_entry *entries, size_t count,
                                        const uint8_t root[CRYPTO_PUBLIC_SIZE],
                                        const struct id *mesh, struct buf *out);

#endif
