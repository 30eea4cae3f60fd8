/* The mesh root's and an administrator's keys at work: founding a mesh, inviting, and turning an
 * invitation into a node's certificate. Files are elsewhere (keyfile.h, nodedir.h). */
#ifndef NODE_CLI_DIR_AUTHORITY_H
#define NODE_CLI_DIR_AUTHORITY_H

#include "node/cli/dir/keyfile.h"
#include "node/trust/token.h"

#define AUTHORITY_DAY_MS (24ull * 60 * 60 * 1000)
#define AUTHORITY_ADMIN_DAYS 3650
#define AUTHORITY_NODE_DAYS 365

/* A new mesh: the root's seed and public key, and a first administrator whom it certifies. */
MUST_CHECK enum err authority_found(uint64_t now_ms, struct keyfile *ret_root,
                                    struct keyfile *ret_admin);

/* A certificate for another administrator's key, under the own one: who has it can invite, for as
 * long as the registry lets them. Fills in *ret_certificate's root and chain. CERT_SCOPE: the own
 * certificate has an administrator above it already; the errors of cert_chain_verify. */
MUST_CHECK enum err authority_certify(const struct keyfile *admin, const char *name,
                                      const uint8_t key[CRYPTO_PUBLIC_SIZE], uint64_t now_ms,
                                      struct keyfile *ret_certificate);

struct authority_scope {
    enum tier tier;      /* TIER_ANY: any */
    const char *region;  /* "": any */
    uint64_t expires_ms; /* for how long from now nodes may join */
    uint32_t uses;
};
/* A token without peers. The errors of cert_chain_verify for the administrator's own chain;
 * CERT_SCOPE, CERT_EXPIRED: beyond what it may grant. */
MUST_CHECK enum err authority_invite(const struct keyfile *admin,
                                     const struct authority_scope *scope, uint64_t now_ms,
                                     struct token *ret_token);

/* A new node key and, by the token, its certificate. The errors of token_issue_node. */
MUST_CHECK enum err authority_join(const struct token *token, const struct token_request *request,
                                   struct keyfile *ret_node);

/* "the invitation has expired", in words of joining and inviting. */
const char *authority_reason(enum err e);

#endif
