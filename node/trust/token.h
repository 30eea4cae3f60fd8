/* Invitation tokens: `gv1_` + base64url of {root key, chain root→admin→invitation, one-time
 * secret seed, mesh name hints}. Whoever holds one can make a node certificate, so `join` needs
 * no server. Pure. */
#ifndef NODE_TRUST_TOKEN_H
#define NODE_TRUST_TOKEN_H

#include "node/trust/cert.h"

#define TOKEN_PREFIX "gv1_"
#define TOKEN_TEXT_MAX 4096
#define TOKEN_PEERS_MAX 8

struct token {
    uint8_t root[CRYPTO_PUBLIC_SIZE];
    uint8_t seed[CRYPTO_SEED_SIZE]; /* one-time key of the invitation; secret */
    uint8_t chain[CERT_CHAIN_SIZE_MAX];
    size_t chain_size;               /* admin, invitation */
    char peers[TOKEN_PEERS_MAX][64]; /* addresses to try first, "ip:port"; may be none */
    size_t peer_count;
};

/* Appends the text (with prefix and a checksum so that a torn copy is recognised). */
MUST_CHECK enum err token_encode(const struct token *token, struct buf *out);
/* INVALID: not a token, altered or cut. Spaces and newlines around it are fine. Verifies nothing
 * else. */
MUST_CHECK enum err token_decode(struct bytes text, struct token *ret_token);
void token_wipe(struct token *token);

struct token_request {
    const char *name;
    enum tier tier;     /* TIER_ANY: the invitation's, if it names one (else INVALID) */
    const char *region; /* "" or NULL: the invitation's */
    uint64_t now_ms;
    uint64_t valid_ms; /* of the node certificate; cut to the invitation's not_after_ms */
};
/* Makes the node's certificate chain for `node_key` by the token: verifies the token's chain
 * first (the errors of cert_chain_verify), CERT_SCOPE when tier or region are not allowed or the
 * token's leaf is no invitation, CERT_EXPIRED after join_until_ms, INVALID for a bad name.
 * Appends the encoded chain. */
MUST_CHECK enum err token_issue_node(const struct token *token, const struct token_request *request,
                                     const uint8_t node_key[CRYPTO_PUBLIC_SIZE],
                                     struct buf *ret_chain);

#endif
