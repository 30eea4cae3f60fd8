/* `grapevine init`: root key, administrator, first node. The node's certificate comes by way of an
 * invitation that is used on the spot, so that every chain in the mesh has the same shape. */
#include "node/cli/init.h"

#include "node/cli/authority.h"
#include "node/cli/enrol.h"
#include "node/cli/nodedir.h"

#define OWN_INVITATION_MS (60 * 60 * 1000)

static enum err make_keys(const struct config *config, struct keyfile *root, struct keyfile *admin,
                          struct keyfile *node)
{
    uint64_t now_ms = enrol_now_ms();
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

enum cli_exit init_found(const char *dir, const struct config *config, struct keyfile *ret_node)
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
    code = init_found(dir, &config, &node);
    if (code != CLI_DONE)
        return code;
    code = enrol_report(cli, dir, &config, &node, true);
    keyfile_wipe(&node);
    return code;
}
