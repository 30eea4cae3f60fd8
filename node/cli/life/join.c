/* `grapevine join`: a node by invitation. Whether its name is taken elsewhere cannot be known here:
 * the mesh refuses its admission (D/admission) when it first runs. */
#include "node/cli/clock.h"
#include "node/cli/dir/authority.h"
#include "node/cli/dir/founding.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/life/enrol.h"

#include <stdio.h>

static enum cli_exit read_token(const char *word, struct token *ret_token)
{
    char storage[TOKEN_TEXT_MAX + 64];
    struct buf text;
    buf_init_fixed(&text, (uint8_t *)storage, sizeof(storage));
    enum err e = strcmp(word, "-") == 0 ? files_read("-", &text) : buf_append_str(&text, word);
    if (e == ERR_OK)
        e = token_decode(buf_bytes(&text), ret_token);
    crypto_wipe(storage, sizeof(storage));
    if (e == ERR_OK)
        return CLI_DONE;
    return say_error(CLI_REFUSED,
                     "not an invitation: %s: altered, or cut when it was copied; take the "
                     "whole line that grapevine invite printed",
                     strcmp(word, "-") == 0 ? "stdin" : "TOKEN");
}

/* What the token allows becomes the default; what the flags ask for is checked against it later. */
static enum cli_exit make_config(const struct cli *cli, const struct token *token,
                                 struct config *ret_config, struct cert *ret_invitation)
{
    struct cert_chain chain;
    enum err e = cert_chain_verify(bytes_of(token->chain, token->chain_size), token->root,
                                   clock_now_ms(), &chain);
    if (e != ERR_OK)
        return say_error(CLI_REFUSED, "refused: the invitation: %s; ask for a new one",
                         authority_reason(e));
    *ret_invitation = *cert_leaf(&chain);
    config_defaults(ret_config);
    enrol_default_name(ret_config->name);
    if (ret_invitation->tier != TIER_ANY)
        ret_config->tier = ret_invitation->tier;
    if (ret_invitation->region[0])
        bytes_to_str(bytes_from_str(ret_invitation->region), ret_config->region,
                     sizeof(ret_config->region));
    for (size_t i = 0; i < token->peer_count; i++) {
        struct buf message;
        buf_init_fixed(&message, NULL, 0);
        if (config_add_peer(ret_config, token->peers[i], "", &message) != ERR_OK)
            continue; /* a hint that cannot be dialled is none */
    }
    return enrol_options(&cli->flags, ret_config);
}

static enum cli_exit refuse(enum err e, const struct cert *invitation, const struct config *config)
{
    if (e == ERR_CERT_SCOPE)
        return say_error(
            CLI_REFUSED, "refused: the invitation: it is for tier %s and region %s, not %s and %s",
            tier_name(invitation->tier), invitation->region[0] ? invitation->region : "any",
            tier_name(config->tier), config->region);
    return say_error(CLI_REFUSED, "refused: the invitation: %s; ask for a new one",
                     authority_reason(e));
}

static enum cli_exit join(const struct cli *cli, const char *dir, const struct token *token)
{
    struct config config;
    struct cert invitation;
    struct keyfile node;
    enum cli_exit code = make_config(cli, token, &config, &invitation);
    if (code != CLI_DONE)
        return code;
    struct token_request request = {.name = config.name,
                                    .tier = config.tier,
                                    .region = config.region,
                                    .now_ms = clock_now_ms(),
                                    .valid_ms = AUTHORITY_NODE_DAYS * AUTHORITY_DAY_MS};
    enum err e = authority_join(token, &request, &node);
    if (e != ERR_OK)
        return refuse(e, &invitation, &config);
    uint8_t space[FOUNDING_COMMAND_MAX];
    struct buf admission;
    buf_init_fixed(&admission, space, sizeof space);
    e = founding_admission(token, &node, &config, &admission);
    struct nodedir_content content = {
        .node = &node, .config = &config, .admission = buf_bytes(&admission)};
    code = e == ERR_OK ? nodedir_make(dir, &content)
                       : say_error(say_exit_of(e), "no admission can be written: %s", err_text(e));
    if (code == CLI_DONE)
        code = enrol_report(cli, dir, &config, &node, false);
    keyfile_wipe(&node);
    return code;
}

enum cli_exit cli_join(const struct cli *cli)
{
    char dir[FILES_PATH_MAX];
    struct token token;
    enum cli_exit code = nodedir_find(&cli->flags, dir);
    if (code == CLI_DONE)
        code = read_token(cli->flags.words[0], &token);
    if (code != CLI_DONE)
        return code;
    code = join(cli, dir, &token);
    token_wipe(&token);
    return code;
}
