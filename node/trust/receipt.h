/* Receipts: the signed trail of a request. The executor and every forwarder sign what they did, and
 * so does a node that refuses what the rules forbid; the ingress keeps the chain and anybody can
 * check it offline with nothing but the mesh's root key.
 *
 * A receipt names the hash of the receipt below it (`previous`: the next hop's towards the
 * executor), so the chain cannot be re-arranged. It holds digests of bodies, never the bodies. */
#ifndef NODE_TRUST_RECEIPT_H
#define NODE_TRUST_RECEIPT_H

#include "node/trust/batch.h"
#include "node/trust/cert.h"
#include "node/trust/envelope.h"

#define RECEIPT_RECORD_MAX 1024
#define RECEIPT_HOPS_MAX (ENVELOPE_HOPS_MAX + 1)
#define RECEIPT_CHAIN_WIRE_MAX (RECEIPT_HOPS_MAX * (RECEIPT_RECORD_MAX + 400 + CERT_CHAIN_SIZE_MAX))

/* Larger numbers are malformed: any JSON reader keeps and compares these exactly. */
#define RECEIPT_NUMBER_MAX ((1ull << 52) - 1)

enum receipt_role { RECEIPT_EXECUTOR = 1, RECEIPT_FORWARDER = 2, RECEIPT_REFUSER = 3 };
const char *receipt_role_name(enum receipt_role role); /* "executor" "forwarder" "refuser" */

struct receipt {
    char request_id[REQUEST_ID_MAX + 1];
    struct id mesh;
    struct id node; /* who signs */
    enum receipt_role role;
    char name[CERT_NAME_MAX + 1]; /* name and region as in the signer's certificate */
    char region[CERT_NAME_MAX + 1];
    uint32_t hop; /* 0: ingress */
    uint64_t epoch;
    struct bytes model;     /* borrowed */
    struct bytes backend;   /* executor: name of the backend; borrowed, may be empty */
    struct bytes reason;    /* why this candidate was chosen, or why it refused, a word; borrowed */
    uint32_t attempts;      /* tried before and including this one */
    uint32_t status;        /* HTTP status answered; 0: none */
    uint64_t facts_age_ms;  /* age of the facts the choice was made by */
    uint64_t started_ms;    /* wall clock */
    uint64_t first_byte_ms; /* after start */
    uint64_t duration_ms;
    uint64_t request_bytes;
    uint64_t answer_bytes;
    uint8_t request_hash[CRYPTO_HASH_SIZE]; /* SHA-256 of the body as received by this node */
    uint8_t answer_hash[CRYPTO_HASH_SIZE];  /* SHA-256 of the body as passed on */
    /* Leaf hash (batch_leaf) of the next receipt towards the executor; zeros for the last. */
    uint8_t previous[CRYPTO_HASH_SIZE];
};

/* Appends. LIMIT beyond RECEIPT_RECORD_MAX; INVALID: names, texts or role out of shape, a number
 * above RECEIPT_NUMBER_MAX, a hop above RECEIPT_HOPS_MAX - 1, a status above 999. */
MUST_CHECK enum err receipt_encode(const struct receipt *r, struct buf *record);
/* Borrowed fields point into record. INVALID. */
MUST_CHECK enum err receipt_decode(struct bytes record, struct receipt *ret_receipt);

/* --- chains on the wire: ingress-most first. `chain` (the signer's certificates) may be empty
 * on a link whose peer knows them already. */
struct receipt_entry {
    struct bytes record;
    struct batch_proof proof;
    uint8_t signer[CRYPTO_PUBLIC_SIZE];
    struct bytes certificates; /* encoded chain, may be empty */
};
MUST_CHECK enum err receipt_chain_encode(const struct receipt_entry *entries, size_t count,
                                         struct buf *wire);
/* Decodes at most RECEIPT_HOPS_MAX; entries borrow from wire. INVALID. Verifies nothing. */
MUST_CHECK enum err receipt_chain_decode(struct bytes wire, struct receipt_entry *ret_entries,
                                         size_t *ret_count);

/* Full offline check of a chain whose entries carry certificates: certificates up to `root` (at
 * the time of the receipt), signatures, links between hops, same request id and mesh, hop
 * numbers and roles in order, both hashes equal along the chain (answers pass byte-exact).
 * *ret_detail: English, what failed; untouched on success. */
MUST_CHECK enum err receipt_chain_verify(const struct receipt_entry *entries, size_t count,
                                         const uint8_t root[CRYPTO_PUBLIC_SIZE],
                                         const char **ret_detail);

#endif
