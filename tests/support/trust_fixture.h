/* A small mesh's keys and certificates for tests: the same bytes in every run. */
#ifndef TESTS_SUPPORT_TRUST_FIXTURE_H
#define TESTS_SUPPORT_TRUST_FIXTURE_H

#include "node/trust/receipt.h"
#include "node/trust/token.h"

#define FIXTURE_NOW_MS 1795000000000ull /* in November 2026 */
#define FIXTURE_DAY_MS 86400000ull

/* Sets a char array that is a member of a struct. */
#define FIXTURE_SET(array, str) bytes_to_str(bytes_from_str(str), (array), sizeof(array))

struct fixture_key {
    uint8_t seed[CRYPTO_SEED_SIZE];
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[CRYPTO_SECRET_SIZE];
};
/* The key whose seed is 32 times `number`. */
void fixture_key(uint8_t number, struct fixture_key *ret_key);

/* Certificates before they are signed: tests bend them. */
struct fixture {
    struct fixture_key root, admin, invitation, node;
    struct cert admin_cert;      /* any tier, any region, ten years from a day ago */
    struct cert invitation_cert; /* any tier, any region, a year; one day to join */
    struct cert node_cert;       /* edge-1, edge, eu-west, 30 days */
};
/* `mesh` picks the keys: meshes of different numbers share none. */
void fixture_init(struct fixture *f, uint8_t mesh);
/* Appends the chain: the first `count` of admin, invitation, node, each signed by the one
 * before. */
void fixture_chain(const struct fixture *f, size_t count, struct buf *chain);
/* One certificate, signed by `issuer`, appended. */
void fixture_issue(const struct cert *cert, const struct fixture_key *issuer, struct buf *chain);
void fixture_token(const struct fixture *f, struct token *ret_token);
/* A node of this mesh with a key and a name of its own. */
void fixture_identity(const struct fixture *f, uint8_t number, const char *name, enum tier tier,
                      const char *region, struct identity *ret_identity);

/* A valid chain of receipts over `count` hops (node-0 is the ingress), in storage of its own. */
struct fixture_receipts {
    struct identity nodes[RECEIPT_HOPS_MAX];
    struct receipt receipts[RECEIPT_HOPS_MAX];
    uint8_t records[RECEIPT_HOPS_MAX][RECEIPT_RECORD_MAX];
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t count;
};
void fixture_receipts(const struct fixture *f, size_t count, struct fixture_receipts *ret_chain);
/* Encodes and signs receipt `index` again, as its node would, alone in its batch. */
void fixture_receipt_sign(struct fixture_receipts *chain, size_t index);
/* Links (`previous`) and signs all of them, from the executor up. */
void fixture_receipts_sign(struct fixture_receipts *chain);

#endif
