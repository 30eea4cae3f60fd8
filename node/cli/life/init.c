/* `grapevine init`: root key, administrator, first node. The node's certificate comes by way of an
 * invitation that is used on the spot, so that every chain in the mesh has the same shape. */
#include "node/cli/life/init.h"

#include "node/cli/clock.h"
#include "node/cli/dir/authority.h"
#include "node/cli/dir/boot.h"
#include "node/cli/dir/founding.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/life/enrol.h"
#include "node/rules/rules.h"

#define OWN_INVITATION_MS (60 * 60 * 1000)

static enum err make_keys(const struct config *config, struct keyfile *root, struct keyfile *admin,
                          struct keyfile *node)
{
    uint64_t now_ms = clock_now_ms();
    struct authority_scope scope = {
        .tier = config->tier, .region = config->region, .expires_ms = OWN_INVITATION_MS, .uses = 1};
    struct token_request request = {.name = config->name,
                                    .tier = config->tier,
                                    .region = config->region,
                                    .now_ms = now_ms,
                                    .valid_ms = AUTHORITY_NODE_DAYS * AUTHORITY_DAY_MS};
    struct token token;
    TRY(authority_found(now_ms, root, admin));
    TRY(authority_invite(admin, &scope, now_ms, &token));
    enum err e = authority_join(&token, &request, node);
    token_wipe(&token);
    return e;
}

/* The first key of the mesh's gossip; the nodes that join get it over their first link. */
static enum err store_keyring(const struct keyfile *admin, struct boot *boot,
                              struct keyring *ret_ring)
{
    uint8_t space[KEYRING_SIZE_MAX];
    struct buf ring;
    struct keyring_author author = {.seed = admin->seed,
                                    .root = admin->root,
                                    .chain = bytes_of(admin->chain, admin->chain_size)};
    buf_init_fixed(&ring, space, sizeof(space));
    enum err e = keyring_make(&author, NULL, clock_now_ms(), &ring);
    if (e == ERR_OK)
        e = boot_save_keyring(boot, buf_bytes(&ring));
    if (e == ERR_OK)
        e = keyring_decode(buf_bytes(&ring), ret_ring);
    crypto_wipe(space, sizeof(space));
    return e;
}

static enum cli_exit make_keyring(const char *dir, const struct keyfile *admin,
                                  struct keyring *ret_ring)
{
    struct boot boot;
    enum cli_exit code = boot_open(dir, &boot);
    if (code != CLI_DONE)
        return code;
    enum err e = store_keyring(admin, &boot, ret_ring);
    boot_close(&boot);
    return e == ERR_OK ? CLI_DONE : say_file_error(e, dir);
}

/* The log of the rules, with the root's first command in it. */
static enum err found_rules(const char *data, const struct nodedir_content *c,
                            const struct keyring *ring, bool is_volatile)
{
    struct identity identity;
    uint8_t space[FOUNDING_COMMAND_MAX];
    struct buf genesis;
    uint64_t now_ms = clock_now_ms();
    buf_init_fixed(&genesis, space, sizeof(space));
    TRY(identity_init(&identity, c->node->seed, c->node->root,
                      bytes_of(c->node->chain, c->node->chain_size), now_ms));
    enum err e = founding_genesis(c->root, c->admin, c->node, c->config, ring, now_ms, &genesis);
    if (e == ERR_OK)
        e = rules_found(data, &identity, is_volatile, now_ms, buf_bytes(&genesis));
    identity_wipe(&identity);
    crypto_wipe(space, sizeof(space));
    return e;
}

static enum cli_exit make_data(const char *dir, const struct nodedir_content *c, bool is_volatile)
{
    char data[FILES_PATH_MAX];
    struct keyring ring;
    enum cli_exit code = make_keyring(dir, c->admin, &ring);
    if (code != CLI_DONE)
        return code;
    enum err e = files_join(dir, NODEDIR_DATA, data);
    if (e == ERR_OK)
        e = found_rules(data, c, &ring, is_volatile);
    keyring_wipe(&ring);
    return e == ERR_OK ? CLI_DONE : say_file_error(e, data);
}

enum cli_exit init_found(const char *dir, const struct config *config, bool is_volatile,
                         struct keyfile *ret_node)
{
    struct keyfile root = {.chain_size = 0};
    struct keyfile admin = {.chain_size = 0};
    struct keyfile node = {.chain_size = 0};
    struct nodedir_content content = {
        .root = &root, .admin = &admin, .node = &node, .config = config};
    enum err e = make_keys(config, &root, &admin, &node);
    enum cli_exit code = e == ERR_OK ? nodedir_make(dir, &content)
                                     : say_error(say_exit_of(e), "keys cannot be made: %s: %s", dir,
                                                 authority_reason(e));
    if (code == CLI_DONE)
        code = make_data(dir, &content, is_volatile);
    if (code == CLI_DONE)
        *ret_node = node;
    keyfile_wipe(&root);
    keyfile_wipe(&admin);
    keyfile_wipe(&node);
    return code;
}

enum cli_exit cli_init(const struct cli *cli)
{
    char dir[FILES_PATH_MAX];
    struct config config;
    struct keyfile node;
    enum cli_exit code = nodedir_find(&cli->flags, dir);
    if (code != CLI_DONE)
        return code;
    config_defaults(&config);
    enrol_default_name(config.name);
    code = enrol_options(&cli->flags, &config);
    if (code != CLI_DONE)
        return code;
    code = init_found(dir, &config, false, &node);
    if (code != CLI_DONE)
        return code;
    code = enrol_report(cli, dir, &config, &node, true);
    keyfile_wipe(&node);
    return code;
}
