/* Options and report of a new node; see enrol.h. */
#include "node/cli/life/enrol.h"

#include "node/cli/dir/nodedir.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void enrol_default_name(char ret_name[CERT_NAME_MAX + 1])
{
    char host[256] = "";
    size_t size = 0;
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = 0;
    for (const char *c = host; *c && *c != '.' && size < CERT_NAME_MAX; c++) {
        bool is_upper = *c >= 'A' && *c <= 'Z';
        bool is_fine = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        if (is_upper || is_fine)
            ret_name[size++] = is_upper ? (char)(*c + 32) : *c;
        else if (size > 0)
            ret_name[size++] = '-';
    }
    while (size > 0 && ret_name[size - 1] == '-')
        size--;
    ret_name[size] = 0;
    if (size > 0 && strcmp(ret_name, "localhost") != 0)
        return;
    uint16_t number;
    crypto_random(&number, sizeof(number));
    snprintf(ret_name, CERT_NAME_MAX + 1, "node-%04x", number);
}

/* --- options */

static enum err set_values(const struct flags *flags, struct config *config, struct buf *message)
{
    static const struct {
        const char *flag;
        const char *key;
    } rows[] = {{"--name", "node.name"},     {"--tier", "node.tier"},   {"--region", "node.region"},
                {"--zone", "node.zone"},     {"--http", "listen.http"}, {"--mesh", "listen.mesh"},
                {"--advertise", "advertise"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *value = flags_get(flags, rows[i].flag);
        if (value)
            TRY(config_set_text(config, rows[i].key, value, rows[i].flag, message));
    }
    return ERR_OK;
}

static enum err set_all(const struct flags *flags, struct config *config, struct buf *message)
{
    TRY(set_values(flags, config, message));
    size_t cursor = 0;
    for (const char *url; (url = flags_next(flags, "--backend", &cursor));)
        TRY(config_add_backend(config, url, "--backend", message));
    cursor = 0;
    for (const char *peer; (peer = flags_next(flags, "--peer", &cursor));)
        TRY(config_add_peer(config, peer, "--peer", message));
    return config_validate(config, bytes_of(NULL, 0), "the flags", message);
}

enum cli_exit enrol_options(const struct flags *flags, struct config *config)
{
    char text[1024];
    struct buf message;
    buf_init_fixed(&message, (uint8_t *)text, sizeof(text) - 1);
    if (set_all(flags, config, &message) == ERR_OK)
        return CLI_DONE;
    text[message.size] = 0;
    return say_error(CLI_USAGE, "bad option: %s", text);
}

/* --- report */

struct report {
    char mesh[ID_TEXT_SIZE];
    char id[ID_TEXT_SIZE];
    char root[64]; /* base64url */
};

static void fill_report(const struct keyfile *node, struct report *r)
{
    uint8_t public_key[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[CRYPTO_SECRET_SIZE];
    struct buf root;
    struct id mesh = id_of_public_key(node->root);
    crypto_sign_keypair_from_seed(node->seed, public_key, secret);
    crypto_wipe(secret, sizeof(secret));
    struct id id = id_of_public_key(public_key);
    id_to_text(&mesh, r->mesh);
    id_to_text(&id, r->id);
    buf_init_fixed(&root, (uint8_t *)r->root, sizeof(r->root) - 1);
    CHECK(crypto_base64_append(&root, bytes_of(node->root, sizeof(node->root))) == ERR_OK);
    r->root[root.size] = 0;
}

static const char *const names_of_a_mesh[] = {NODEDIR_ROOT_KEY, NODEDIR_ADMIN_KEY, NULL};
static const char *const names_of_a_node[] = {NODEDIR_NODE_KEY, NODEDIR_NODE_CERT, NODEDIR_CONFIG,
                                              NULL};

static void add_names(cJSON *list, const char *dir, const char *const *names)
{
    for (; *names; names++) {
        char path[FILES_PATH_MAX];
        if (files_join(dir, *names, path) == ERR_OK)
            cJSON_AddItemToArray(list, cJSON_CreateString(path));
    }
}

static enum cli_exit report_json(const char *dir, const struct config *config,
                                 const struct report *r, bool mesh_is_new)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "mesh", r->mesh);
    cJSON_AddStringToObject(object, "root", r->root);
    cJSON_AddStringToObject(object, "node", config->name);
    cJSON_AddStringToObject(object, "id", r->id);
    cJSON_AddStringToObject(object, "tier", tier_name(config->tier));
    cJSON_AddStringToObject(object, "region", config->region);
    cJSON_AddStringToObject(object, "dir", dir);
    cJSON *made = cJSON_AddArrayToObject(object, "made");
    if (mesh_is_new)
        add_names(made, dir, names_of_a_mesh);
    add_names(made, dir, names_of_a_node);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text)
        return say_error(CLI_FAILED, "%s: -o json: try again", err_text(ERR_NO_MEMORY));
    puts(text);
    free(text);
    return CLI_DONE;
}

static const char *quote(const char *dir, const char *name, char ret_text[SAY_QUOTED_MAX])
{
    char path[FILES_PATH_MAX];
    return say_quoted(files_join(dir, name, path) == ERR_OK ? path : name, ret_text);
}

static void report_next(const char *dir, const struct config *config, bool mesh_is_new)
{
    char quoted[SAY_QUOTED_MAX];
    printf("\nnext\n");
    if (!mesh_is_new && config->peer_count == 0)
        printf("  add a peer's address under peers: in %s: the token names none\n",
               quote(dir, NODEDIR_CONFIG, quoted));
    printf("  grapevine run --dir %s\n", say_quoted(dir, quoted));
    if (!mesh_is_new)
        return;
    printf("  grapevine invite --dir %s      prints a token for another node to join with\n",
           say_quoted(dir, quoted));
    printf("  move %s to a safe place: the running mesh never reads it\n",
           quote(dir, NODEDIR_ROOT_KEY, quoted));
}

enum cli_exit enrol_report(const struct cli *cli, const char *dir, const struct config *config,
                           const struct keyfile *node, bool mesh_is_new)
{
    struct report r;
    fill_report(node, &r);
    if (cli->json)
        return report_json(dir, config, &r, mesh_is_new);
    printf("mesh   %s\nroot   %s\nnode   %s, id %s, tier %s, region %s\n\nmade in %s\n", r.mesh,
           r.root, config->name, r.id, tier_name(config->tier), config->region, dir);
    if (mesh_is_new)
        printf("  %-15s the mesh root's secret: certifies administrators\n"
               "  %-15s an administrator's secret: invites nodes\n",
               NODEDIR_ROOT_KEY, NODEDIR_ADMIN_KEY);
    printf("  %-15s this node's secret: never leaves this machine\n"
           "  %-15s its certificate, and the mesh root's public key\n"
           "  %-15s its configuration\n",
           NODEDIR_NODE_KEY, NODEDIR_NODE_CERT, NODEDIR_CONFIG);
    report_next(dir, config, mesh_is_new);
    return CLI_DONE;
}
