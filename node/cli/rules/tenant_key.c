/* `grapevine tenant key add TENANT`: makes an API key here, stores its hash in the registry, and
 * prints the key once: nobody can show it again. */
#include "node/cli/clock.h"
#include "node/cli/rules/order.h"
#include "node/config/config.h"

#include <stdio.h>

static enum cli_exit set_expiry(const struct cli *cli, struct registry_key *key)
{
    const char *expires = flags_get(&cli->flags, "--expires");
    uint64_t ms;
    if (!expires)
        return CLI_DONE;
    if (config_parse_duration(expires, &ms) != ERR_OK || ms == 0)
        return say_error(CLI_USAGE, "not a time: --expires %.100s: such as 24h or 90d", expires);
    key->not_after_ms = clock_now_ms() + ms;
    return CLI_DONE;
}

static void print(const struct cli *cli, const struct registry_key *key, const char *text)
{
    char id[ID_TEXT_SIZE];
    id_to_text(&key->id, id);
    if (cli->json)
        printf("{\"tenant\":\"%s\",\"id\":\"%s\",\"key\":\"%s\"}\n", cli->flags.words[0], id, text);
    else
        printf("%s\n", text);
}

enum cli_exit cli_tenant_key_add(const struct cli *cli)
{
    uint8_t random[32];
    char text[REGISTRY_API_KEY_SIZE];
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_KEY};
    struct registry_key *key = &op.doc.key;
    const char *title = flags_get(&cli->flags, "--title");
    enum cli_exit code = set_expiry(cli, key);
    if (code != CLI_DONE)
        return code;
    crypto_random(random, sizeof random);
    registry_api_key_text(random, text);
    registry_api_key_hash(bytes_from_str(text), key->hash);
    memcpy(key->id.bytes, key->hash, ID_SIZE);
    key->tenant = bytes_from_str(cli->flags.words[0]);
    key->title = bytes_from_str(title ? title : "");
    code = order_send(cli, &op, 1, NULL);
    if (code == CLI_DONE)
        print(cli, key, text); /* alone, so that a shell can catch it */
    crypto_wipe(random, sizeof random);
    crypto_wipe(text, sizeof text);
    return code;
}
