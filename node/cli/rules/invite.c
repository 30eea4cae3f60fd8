/* `grapevine invite`: an administrator's signature under a one-time key, as a token, once the mesh
 * knows of it: how often, until when and where it may be used stands in the rules. The addresses in
 * it are this node's, where it has a definite one, else those it dials itself. */
#include "node/cli/clock.h"
#include "node/cli/command.h"
#include "node/cli/dir/authority.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/rules/order.h"
#include "node/io/addr.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPIRES_MIN_MS (60ull * 1000)
#define EXPIRES_MAX_MS (365 * AUTHORITY_DAY_MS)
#define USES_MAX 1000000

struct request {
    enum tier tier;
    char region[CERT_NAME_MAX + 1];
    uint64_t expires_ms;
    uint64_t uses;
};

static enum cli_exit parse_request(const struct flags *flags, struct request *r)
{
    const char *tier = flags_get(flags, "--tier");
    const char *region = flags_get(flags, "--region");
    const char *expires = flags_get(flags, "--expires");
    const char *uses = flags_get(flags, "--uses");
    *r = (struct request){.tier = TIER_ANY, .expires_ms = AUTHORITY_DAY_MS, .uses = 1};
    if (tier && tier_parse(bytes_from_str(tier), &r->tier) != ERR_OK)
        return say_error(CLI_USAGE,
                         "no such tier: --tier %.100s: name edge, regional, cloud or any", tier);
    if (region && !cert_name_is_valid(bytes_from_str(region)))
        return say_error(CLI_USAGE, "not a region's name: --region %.100s: use a-z, 0-9 and -",
                         region);
    if (region)
        bytes_to_str(bytes_from_str(region), r->region, sizeof(r->region));
    if (expires && (config_parse_duration(expires, &r->expires_ms) != ERR_OK ||
                    r->expires_ms < EXPIRES_MIN_MS || r->expires_ms > EXPIRES_MAX_MS))
        return say_error(CLI_USAGE,
                         "not a time from 1m to 365d: --expires %.100s: such as 30m, 24h or 7d",
                         expires);
    if (uses &&
        (!bytes_to_u64(bytes_from_str(uses), &r->uses) || r->uses == 0 || r->uses > USES_MAX))
        return say_error(CLI_USAGE, "not a number from 1 to %d: --uses %.100s: give a whole number",
                         USES_MAX, uses);
    return CLI_DONE;
}

static void add_peer(struct token *token, const char *address)
{
    if (token->peer_count == TOKEN_PEERS_MAX || strlen(address) >= sizeof(token->peers[0]))
        return; /* hints only: what does not fit is left out */
    bytes_to_str(bytes_from_str(address), token->peers[token->peer_count++],
                 sizeof(token->peers[0]));
}

static void add_peers(const struct config *config, struct token *token)
{
    struct io_addr listen;
    if (strcmp(config->advertise, "none") != 0 && config->advertise[0])
        add_peer(token, config->advertise);
    else if (!config->advertise[0] &&
             io_addr_parse(bytes_from_str(config->listen_mesh), &listen) == ERR_OK &&
             !io_addr_is_any(&listen) && listen.port != 0)
        add_peer(token, config->listen_mesh);
    for (size_t i = 0; token->peer_count == 0 && i < config->peer_count; i++)
        add_peer(token, config->peers[i]);
}

/* An administrator's machine need not be a node: without a configuration there is no address. */
static enum cli_exit add_own_addresses(const struct cli *cli, const char *dir, struct token *token)
{
    char path[FILES_PATH_MAX];
    struct config config;
    struct buf text;
    if (files_join(dir, NODEDIR_CONFIG, path) != ERR_OK || !files_exists(path))
        return CLI_DONE;
    buf_init(&text, NODEDIR_CONFIG_MAX);
    enum cli_exit code = nodedir_load_config(path, &cli->flags, &text, &config);
    buf_fini(&text);
    if (code == CLI_DONE)
        add_peers(&config, token);
    return code;
}

static enum cli_exit print_json(const struct request *r, const struct token *token,
                                const char *text, uint64_t now_ms)
{
    char mesh_text[ID_TEXT_SIZE];
    struct id mesh = id_of_public_key(token->root);
    id_to_text(&mesh, mesh_text);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "token", text);
    cJSON_AddStringToObject(object, "mesh", mesh_text);
    cJSON_AddItemToObject(object, "tier",
                          r->tier == TIER_ANY ? cJSON_CreateNull()
                                              : cJSON_CreateString(tier_name(r->tier)));
    cJSON_AddItemToObject(object, "region",
                          r->region[0] ? cJSON_CreateString(r->region) : cJSON_CreateNull());
    cJSON_AddNumberToObject(object, "expires_ms", (double)(now_ms + r->expires_ms));
    cJSON_AddNumberToObject(object, "uses", (double)r->uses);
    cJSON *peers = cJSON_AddArrayToObject(object, "peers");
    for (size_t i = 0; i < token->peer_count; i++)
        cJSON_AddItemToArray(peers, cJSON_CreateString(token->peers[i]));
    char *json = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!json)
        return say_error(CLI_FAILED, "%s: -o json: try again", err_text(ERR_NO_MEMORY));
    puts(json);
    free(json);
    return CLI_DONE;
}

static enum cli_exit print_token(const struct cli *cli, const struct request *r,
                                 const struct token *token, uint64_t now_ms)
{
    char text[TOKEN_TEXT_MAX + 1];
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)text, sizeof(text) - 1);
    enum err e = token_encode(token, &out);
    if (e != ERR_OK)
        return say_error(CLI_FAILED, "the token cannot be made: %s: %s", err_text(e),
                         "name fewer or shorter peers");
    text[out.size] = 0;
    enum cli_exit code = CLI_DONE;
    if (cli->json)
        code = print_json(r, token, text, now_ms);
    else
        puts(text);
    crypto_wipe(text, sizeof(text));
    return code;
}

static enum cli_exit enter(const struct cli *cli, const struct token *token)
{
    struct cert_chain chain;
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_INVITATION};
    if (cert_chain_decode(bytes_of(token->chain, token->chain_size), &chain) != ERR_OK)
        return say_error(CLI_FAILED, "no sane invitation: the certificates: try again");
    const struct cert *cert = cert_leaf(&chain);
    op.doc.invitation = (struct registry_invitation){.id = id_of_public_key(cert->subject),
                                                     .tier = cert->tier,
                                                     .region = bytes_from_str(cert->region),
                                                     .uses = cert->uses,
                                                     .not_after_ms = cert->join_until_ms,
                                                     .node_not_after_ms = cert->not_after_ms};
    memcpy(op.doc.invitation.key, cert->subject, sizeof op.doc.invitation.key);
    return order_send(cli, &op, 1, NULL);
}

static enum cli_exit invite(const struct cli *cli, const char *dir, const struct request *r,
                            const struct keyfile *admin)
{
    struct token token;
    uint64_t now_ms = clock_now_ms();
    struct authority_scope scope = {r->tier, r->region, r->expires_ms, (uint32_t)r->uses};
    if (admin->chain_size == 0)
        return say_error(CLI_REFUSED, "no certificate: the administrator's key: whoever added it "
                                      "makes one with admin add --certificate; see key accept");
    enum err e = authority_invite(admin, &scope, now_ms, &token);
    if (e == ERR_CERT_SCOPE)
        return say_error(CLI_REFUSED,
                         "not allowed: the administrator's certificate: it is for another "
                         "tier or region");
    if (e != ERR_OK)
        return say_error(say_exit_of(e), "no invitation: the administrator's certificate: %s",
                         authority_reason(e));
    enum cli_exit code = add_own_addresses(cli, dir, &token);
    if (code == CLI_DONE)
        code = enter(cli, &token);
    if (code == CLI_DONE)
        code = print_token(cli, r, &token, now_ms);
    token_wipe(&token);
    return code;
}

enum cli_exit cli_invite(const struct cli *cli)
{
    char dir[FILES_PATH_MAX];
    struct request r;
    struct keyfile admin = {.chain_size = 0};
    enum cli_exit code = nodedir_find(&cli->flags, dir);
    if (code == CLI_DONE)
        code = parse_request(&cli->flags, &r);
    if (code == CLI_DONE)
        code = nodedir_load_admin(&cli->flags, &admin);
    if (code == CLI_DONE)
        code = invite(cli, dir, &r, &admin);
    keyfile_wipe(&admin);
    return code;
}
