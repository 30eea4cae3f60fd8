/* Identities of a town's nodes: one mesh, the same keys in every run. */
#include "tests/sim/mesh_town.h"

#define DAY_MS UINT64_C(86400000)

struct key {
    uint8_t seed[CRYPTO_SEED_SIZE];
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[CRYPTO_SECRET_SIZE];
};

static void make_key(uint8_t number, struct key *k)
{
    memset(k->seed, number, sizeof k->seed);
    crypto_sign_keypair_from_seed(k->seed, k->public_key, k->secret);
}

static void issue(enum cert_kind kind, const struct key *root, const struct key *issuer,
                  const struct key *subject, const struct config *config, uint64_t now_ms,
                  struct buf *chain)
{
    struct cert cert = {.kind = kind,
                        .mesh = id_of_public_key(root->public_key),
                        .not_before_ms = now_ms - DAY_MS,
                        .not_after_ms = now_ms + 30 * DAY_MS};
    memcpy(cert.subject, subject->public_key, CRYPTO_PUBLIC_SIZE);
    memcpy(cert.issuer, issuer->public_key, CRYPTO_PUBLIC_SIZE);
    memset(cert.serial.bytes, (int)kind, ID_SIZE);
    if (kind == CERT_ADMIN)
        bytes_to_str(BYTES("admin"), cert.name, sizeof cert.name);
    if (kind == CERT_INVITATION)
        cert.uses = TOWN_NODES_MAX;
    if (kind == CERT_NODE) {
        memcpy(cert.name, config->name, sizeof cert.name);
        memcpy(cert.region, config->region, sizeof cert.region);
        cert.tier = config->tier;
    }
    CHECK(cert_issue(&cert, issuer->secret, chain) == ERR_OK);
}

void town_make_identity(size_t number, const struct config *config, uint64_t now_ms,
                        struct identity *ret_identity)
{
    struct key root, admin, invitation, own;
    uint8_t space[CERT_CHAIN_SIZE_MAX];
    struct buf chain;
    make_key(1, &root);
    make_key(2, &admin);
    make_key(3, &invitation);
    make_key((uint8_t)(100 + number), &own);
    buf_init_fixed(&chain, space, sizeof space);
    issue(CERT_ADMIN, &root, &root, &admin, config, now_ms, &chain);
    issue(CERT_INVITATION, &root, &admin, &invitation, config, now_ms, &chain);
    issue(CERT_NODE, &root, &invitation, &own, config, now_ms, &chain);
    CHECK(identity_init(ret_identity, own.seed, root.public_key, buf_bytes(&chain), now_ms) ==
          ERR_OK);
}
