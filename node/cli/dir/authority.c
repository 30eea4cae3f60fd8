/* Issuing certificates; see authority.h. Called by init, invite, join and run --dev. */
#include "node/cli/dir/authority.h"

static void fresh_key(uint8_t ret_seed[CRYPTO_SEED_SIZE], uint8_t ret_public[CRYPTO_PUBLIC_SIZE])
{
    uint8_t secret[CRYPTO_SECRET_SIZE];
    crypto_random(ret_seed, CRYPTO_SEED_SIZE);
    crypto_sign_keypair_from_seed(ret_seed, ret_public, secret);
    crypto_wipe(secret, sizeof(secret));
}

/* Signs `cert` with the key of `seed` (and names it as the issuer) and puts it after `chain`. */
static enum err issue(struct cert *cert, const uint8_t seed[CRYPTO_SEED_SIZE], struct bytes chain,
                      uint8_t ret_chain[CERT_CHAIN_SIZE_MAX], size_t *ret_size)
{
    uint8_t secret[CRYPTO_SECRET_SIZE];
    uint8_t storage[CERT_CHAIN_SIZE_MAX];
    struct buf out;
    buf_init_fixed(&out, storage, sizeof(storage));
    TRY(buf_append(&out, chain));
    crypto_sign_keypair_from_seed(seed, cert->issuer, secret);
    enum err e = cert_issue(cert, secret, &out);
    crypto_wipe(secret, sizeof(secret));
    if (e != ERR_OK)
        return e;
    memcpy(ret_chain, storage, out.size);
    *ret_size = out.size;
    return ERR_OK;
}

enum err authority_found(uint64_t now_ms, struct keyfile *ret_root, struct keyfile *ret_admin)
{
    struct cert cert = {.kind = CERT_ADMIN,
                        .name = "admin",
                        .tier = TIER_ANY,
                        .not_before_ms = now_ms,
                        .not_after_ms = now_ms + AUTHORITY_ADMIN_DAYS * AUTHORITY_DAY_MS,
                        .serial = id_random()};
    *ret_root = (struct keyfile){.chain_size = 0};
    *ret_admin = (struct keyfile){.chain_size = 0};
    fresh_key(ret_root->seed, ret_root->root);
    fresh_key(ret_admin->seed, cert.subject);
    memcpy(ret_admin->root, ret_root->root, sizeof(ret_admin->root));
    cert.mesh = id_of_public_key(ret_root->root);
    return issue(&cert, ret_root->seed, BYTES(""), ret_admin->chain, &ret_admin->chain_size);
}

static enum err check_admin(const struct keyfile *admin, uint64_t now_ms,
                            struct cert_chain *ret_chain)
{
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[CRYPTO_SECRET_SIZE];
    TRY(cert_chain_verify(bytes_of(admin->chain, admin->chain_size), admin->root, now_ms,
                          ret_chain));
    crypto_sign_keypair_from_seed(admin->seed, public_key, secret);
    crypto_wipe(secret, sizeof(secret));
    if (cert_leaf(ret_chain)->kind != CERT_ADMIN)
        return ERR_CERT_SCOPE;
    return crypto_equal(public_key, cert_leaf(ret_chain)->subject, sizeof(public_key))
               ? ERR_OK
               : ERR_BAD_SIGNATURE;
}

enum err authority_certify(const struct keyfile *admin, const char *name,
                           const uint8_t key[CRYPTO_PUBLIC_SIZE], uint64_t now_ms,
                           struct keyfile *ret_certificate)
{
    struct cert_chain chain;
    TRY(check_admin(admin, now_ms, &chain));
    const struct cert *above = cert_leaf(&chain);
    struct cert cert = {.kind = CERT_ADMIN,
                        .mesh = above->mesh,
                        .tier = above->tier,
                        .not_before_ms =
                            now_ms > above->not_before_ms ? now_ms : above->not_before_ms,
                        .not_after_ms = above->not_after_ms,
                        .serial = id_random()};
    if (chain.count > 1)
        return ERR_CERT_SCOPE;
    memcpy(cert.subject, key, sizeof(cert.subject));
    bytes_to_str(bytes_from_str(name), cert.name, sizeof(cert.name));
    bytes_to_str(bytes_from_str(above->region), cert.region, sizeof(cert.region));
    *ret_certificate = (struct keyfile){.chain_size = 0};
    memcpy(ret_certificate->root, admin->root, sizeof(ret_certificate->root));
    return issue(&cert, admin->seed, bytes_of(admin->chain, admin->chain_size),
                 ret_certificate->chain, &ret_certificate->chain_size);
}

static enum err check_scope(const struct authority_scope *scope, const struct cert *admin,
                            uint64_t now_ms)
{
    if (admin->tier != TIER_ANY && scope->tier != admin->tier)
        return ERR_CERT_SCOPE;
    if (admin->region[0] && strcmp(scope->region, admin->region) != 0)
        return ERR_CERT_SCOPE;
    return now_ms + scope->expires_ms <= admin->not_after_ms ? ERR_OK : ERR_CERT_EXPIRED;
}

enum err authority_invite(const struct keyfile *admin, const struct authority_scope *scope,
                          uint64_t now_ms, struct token *ret_token)
{
    struct cert_chain chain;
    TRY(check_admin(admin, now_ms, &chain));
    const struct cert *above = cert_leaf(&chain);
    TRY(check_scope(scope, above, now_ms));

    struct cert cert = {.kind = CERT_INVITATION,
                        .mesh = above->mesh,
                        .tier = scope->tier,
                        .not_before_ms =
                            now_ms > above->not_before_ms ? now_ms : above->not_before_ms,
                        .join_until_ms = now_ms + scope->expires_ms,
                        .uses = scope->uses,
                        .serial = id_random()};
    cert.not_after_ms = cert.join_until_ms + AUTHORITY_NODE_DAYS * AUTHORITY_DAY_MS;
    if (cert.not_after_ms > above->not_after_ms)
        cert.not_after_ms = above->not_after_ms;
    bytes_to_str(bytes_from_str(scope->region), cert.region, sizeof(cert.region));

    struct token token = {.peer_count = 0};
    memcpy(token.root, admin->root, sizeof(token.root));
    fresh_key(token.seed, cert.subject);
    enum err e = issue(&cert, admin->seed, bytes_of(admin->chain, admin->chain_size), token.chain,
                       &token.chain_size);
    if (e == ERR_OK)
        *ret_token = token;
    token_wipe(&token);
    return e;
}

enum err authority_join(const struct token *token, const struct token_request *request,
                        struct keyfile *ret_node)
{
    struct keyfile node = {.chain_size = 0};
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    struct buf chain;
    buf_init_fixed(&chain, node.chain, sizeof(node.chain));
    fresh_key(node.seed, public_key);
    memcpy(node.root, token->root, sizeof(node.root));
    enum err e = token_issue_node(token, request, public_key, &chain);
    node.chain_size = chain.size;
    if (e == ERR_OK)
        *ret_node = node;
    keyfile_wipe(&node);
    return e;
}

const char *authority_reason(enum err e)
{
    switch (e) {
    case ERR_CERT_EXPIRED: return "it has expired, or the clock of this machine is wrong";
    case ERR_CERT_SCOPE: return "it does not allow that tier or region";
    case ERR_WRONG_MESH: return "it belongs to another mesh";
    case ERR_BAD_SIGNATURE: return "a signature in it does not verify";
    case ERR_INVALID: return "it is malformed";
    default: return err_text(e);
    }
}
