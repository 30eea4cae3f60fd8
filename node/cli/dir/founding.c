/* See founding.h. Called by init, join and run. */
#include "node/cli/dir/founding.h"

#include "registry/registry.h"

#define HEADER "grapevine admission 1\n"
#define GENESIS_VALID_MS (24ull * 3600 * 1000)
/* A node's admission is judged by the invitation's time; this only ends the command itself. */
#define ADMISSION_VALID_MS (30 * 24ull * 3600 * 1000)

static enum err leaf_of(const struct keyfile *k, struct cert *ret_leaf)
{
    struct cert_chain chain;
    TRY(cert_chain_decode(bytes_of(k->chain, k->chain_size), &chain));
    *ret_leaf = *cert_leaf(&chain);
    return ERR_OK;
}

static void describe_node(const struct cert *cert, const struct config *config,
                          struct registry_node *ret_node)
{
    *ret_node = (struct registry_node){.id = id_of_public_key(cert->subject),
                                       .name = bytes_from_str(cert->name),
                                       .tier = cert->tier,
                                       .region = bytes_from_str(cert->region),
                                       .zone = bytes_from_str(config->zone),
                                       .not_after_ms = cert->not_after_ms};
    memcpy(ret_node->key, cert->subject, sizeof ret_node->key);
}

static enum err sign(struct registry_command *command, const uint8_t seed[CRYPTO_SEED_SIZE],
                     struct buf *out)
{
    uint8_t public_key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct registry_fault fault;
    crypto_sign_keypair_from_seed(seed, public_key, secret);
    enum err e = registry_command_sign(command, secret, &fault, out);
    crypto_wipe(secret, sizeof secret);
    return e;
}

enum err founding_genesis(const struct keyfile *root, const struct keyfile *admin,
                          const struct keyfile *node, const struct config *config,
                          const struct keyring *ring, uint64_t now_ms, struct buf *out)
{
    struct cert admin_cert, node_cert;
    TRY(leaf_of(admin, &admin_cert));
    TRY(leaf_of(node, &node_cert));
    struct registry_op ops[4] = {
        {.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN},
        {.verb = REGISTRY_PUT, .kind = REGISTRY_NODE},
        {.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS},
        {.verb = REGISTRY_PUT, .kind = REGISTRY_GOSSIP_KEY},
    };
    ops[0].doc.admin = (struct registry_admin){.id = id_of_public_key(admin_cert.subject),
                                               .name = bytes_from_str(admin_cert.name),
                                               .role = REGISTRY_OPERATOR,
                                               .not_after_ms = admin_cert.not_after_ms};
    memcpy(ops[0].doc.admin.key, admin_cert.subject, sizeof ops[0].doc.admin.key);
    describe_node(&node_cert, config, &ops[1].doc.node);
    ops[2].doc.voters = (struct registry_voters){.nodes = {{ops[1].doc.node.id}}, .node_count = 1};
    ops[3].doc.gossip_key = (struct registry_gossip_key){.number = 1};
    memcpy(ops[3].doc.gossip_key.key, ring->keys[0], sizeof ops[3].doc.gossip_key.key);
    struct registry_command command = {.mesh = id_of_public_key(root->root),
                                       .sequence = 1,
                                       .not_after_ms = now_ms + GENESIS_VALID_MS,
                                       .ops = ops,
                                       .op_count = 4};
    enum err e = sign(&command, root->seed, out);
    crypto_wipe(&ops[3], sizeof ops[3]);
    return e;
}

enum err founding_admission(const struct token *token, const struct keyfile *node,
                            const struct config *config, struct buf *out)
{
    struct cert cert;
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_NODE};
    TRY(leaf_of(node, &cert));
    describe_node(&cert, config, &op.doc.node);
    struct registry_command command = {.mesh = id_of_public_key(token->root),
                                       .not_after_ms = cert.not_before_ms + ADMISSION_VALID_MS,
                                       .ops = &op,
                                       .op_count = 1};
    return sign(&command, token->seed, out);
}

enum err founding_encode(struct bytes command, struct buf *text)
{
    TRY(buf_append_str(text, HEADER));
    TRY(crypto_base64_append(text, command));
    return buf_append_byte(text, '\n');
}

enum err founding_decode(struct bytes text, struct buf *command)
{
    struct bytes header = BYTES(HEADER);
    if (!bytes_starts_with(text, header))
        return ERR_INVALID;
    text = bytes_skip(text, header.size);
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    return crypto_base64_decode(text, command);
}
