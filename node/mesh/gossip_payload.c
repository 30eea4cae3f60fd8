/* What the gossip core cannot know: whether a payload is well formed and lies within its owner's
 * certificate, how this mesh signs, and which secret two nodes share. Part of the shell beside
 * gossip_driver.c; what is believed here is read again by peer_facts.c. */
#include "node/mesh/core.h"

#define CHECK_SCRATCH_MAX PEER_FACTS_SIZE_MAX

static enum err check_cert(const struct mesh *m, const struct facts_node *n, uint64_t wall_ms,
                           struct cert *ret_cert)
{
    struct cert_chain chain;
    TRY(cert_chain_verify(n->chain, m->cfg.identity->root, wall_ms, &chain));
    const struct cert *leaf = cert_leaf(&chain);
    if (leaf->kind != CERT_NODE)
        return ERR_CERT_SCOPE;
    if (!id_equal(&leaf->mesh, &m->cfg.identity->mesh))
        return ERR_WRONG_MESH;
    struct id id = id_of_public_key(leaf->subject);
    if (m->ops->admit && m->ops->admit(m->owner, &id) == ERR_REVOKED)
        return ERR_REVOKED;
    bool is_its_own = bytes_equal(n->name, bytes_from_str(leaf->name)) && n->tier == leaf->tier &&
                      bytes_equal(n->region, bytes_from_str(leaf->region));
    *ret_cert = *leaf;
    return is_its_own ? ERR_OK : ERR_CERT_SCOPE;
}

static enum err check_node(const struct mesh *m, struct bytes payload, uint64_t wall_ms,
                           struct arena *scratch, struct gossip_owner *ret_owner)
{
    struct facts_node n;
    struct cert cert;
    TRY(facts_node_decode(payload, scratch, &n));
    TRY(check_cert(m, &n, wall_ms, &cert));
    struct gossip_owner owner = {.not_after_ms = cert.not_after_ms,
                                 .only_dials = n.mesh_addr.size == 0,
                                 .via_count = n.via_count};
    _Static_assert(sizeof(owner.name) == sizeof(cert.name), "names are of one length");
    memcpy(owner.key, cert.subject, sizeof(owner.key));
    memcpy(owner.name, cert.name, sizeof(owner.name));
    memcpy(owner.region, cert.region, sizeof(owner.region));
    memcpy(owner.via, n.via, sizeof(owner.via));
    *ret_owner = owner;
    return ERR_OK;
}

static enum err check_kind(const struct mesh *m, enum gossip_kind kind, struct bytes payload,
                           uint64_t wall_ms, struct arena *scratch, struct gossip_owner *ret_owner)
{
    struct facts_inventory inventory;
    struct facts_report report;
    struct summary summary;
    switch (kind) {
    case GOSSIP_NODE: return check_node(m, payload, wall_ms, scratch, ret_owner);
    case GOSSIP_INVENTORY: return facts_inventory_decode(payload, scratch, &inventory);
    case GOSSIP_LOAD: return facts_report_decode(payload, &report);
    case GOSSIP_SUMMARY: return summary_decode(payload, scratch, &summary);
    case GOSSIP_LEAVE: return payload.size == 0 ? ERR_OK : ERR_INVALID;
    default: return ERR_UNSUPPORTED; /* no node of this version says more */
    }
}

static enum err check(void *ctx, enum gossip_kind kind, const char *name, const char *region,
                      struct bytes payload, uint64_t wall_ms, struct gossip_owner *ret_owner)
{
    struct arena scratch;
    (void)name;
    (void)region;
    arena_init(&scratch, CHECK_SCRATCH_MAX);
    enum err e = check_kind(ctx, kind, payload, wall_ms, &scratch, ret_owner);
    arena_fini(&scratch);
    return e;
}

static void sign(void *ctx, struct bytes message, uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE])
{
    const struct mesh *m = ctx;
    crypto_sign(m->cfg.identity->secret, message, ret_signature);
}

static bool verify(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], struct bytes message,
                   const uint8_t signature[CRYPTO_SIGNATURE_SIZE])
{
    (void)ctx;
    return crypto_verify(key, message, signature);
}

static enum err share(void *ctx, const uint8_t key[CRYPTO_PUBLIC_SIZE], uint8_t ret_secret[32])
{
    const struct mesh *m = ctx;
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    TRY(crypto_sign_public_to_dh(key, public_key));
    return crypto_dh(m->gossip.dh_secret, public_key, ret_secret);
}

const struct gossip_ops gossip_payload_ops = {check, sign, verify, share};
