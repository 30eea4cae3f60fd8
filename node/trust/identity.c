/* A node's own identity in memory (cert.h): put together at start from what `join` or `init`
 * wrote. */
#include "node/trust/cert.h"

static enum err identity_check(const struct identity *identity, const struct cert *leaf)
{
    if (leaf->kind != CERT_NODE)
        return ERR_CERT_SCOPE;
    if (memcmp(leaf->subject, identity->public_key, CRYPTO_PUBLIC_SIZE) != 0)
        return ERR_INVALID;
    return ERR_OK;
}

enum err identity_init(struct identity *ret_identity, const uint8_t seed[CRYPTO_SEED_SIZE],
                       const uint8_t root[CRYPTO_PUBLIC_SIZE], struct bytes chain, uint64_t now_ms)
{
    struct cert_chain decoded;
    TRY(cert_chain_verify(chain, root, now_ms, &decoded));

    struct identity identity = {.mesh = id_of_public_key(root), .chain_size = chain.size};
    crypto_sign_keypair_from_seed(seed, identity.public_key, identity.secret);
    enum err e = identity_check(&identity, cert_leaf(&decoded));
    if (e == ERR_OK) {
        memcpy(identity.root, root, CRYPTO_PUBLIC_SIZE);
        memcpy(identity.chain, chain.data, chain.size);
        identity.node = id_of_public_key(identity.public_key);
        identity.cert = *cert_leaf(&decoded);
        *ret_identity = identity;
    }
    identity_wipe(&identity);
    return e;
}

void identity_wipe(struct identity *identity)
{
    crypto_wipe(identity, sizeof(*identity));
}
