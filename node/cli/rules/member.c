/* Commands about nodes and administrators, who are called by name and meant by id: drain, undrain
 * and revoke a node, add and remove administrators, say who votes. */
#include "node/cli/clock.h"
#include "node/cli/dir/authority.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/rules/order.h"
#include "node/config/config.h"

#include <cjson/cJSON.h>
#include <stdio.h>

/* --- names */

static enum cli_exit find_id(const struct cli *cli, const char *kind, const char *name,
                             struct id *ret_id)
{
    enum cli_exit code;
    cJSON *row = order_get_row(cli, kind, name, &code);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "id"));
    if (code == CLI_DONE && (!text || id_from_text(bytes_from_str(text), ret_id) != ERR_OK))
        code = say_error(CLI_FAILED, "no sane answer: the node: see its log");
    cJSON_Delete(row);
    return code;
}

/* --- nodes and administrators */

static const struct move {
    const char *command, *kind;
    enum registry_kind number;
    uint32_t state;
    const char *done;
} moves[] = {
    {"node drain", "node", REGISTRY_NODE, REGISTRY_DRAINED, "node drained"},
    {"node undrain", "node", REGISTRY_NODE, REGISTRY_ADMITTED, "node takes requests again"},
    {"node revoke", "node", REGISTRY_NODE, REGISTRY_NODE_REVOKED, "node revoked"},
    {"admin rm", "admin", REGISTRY_ADMIN, REGISTRY_REVOKED, "administrator revoked"},
};

static void set_id(struct registry_op *op, const struct id *id)
{
    if (op->kind == REGISTRY_NODE)
        op->doc.node.id = *id;
    else
        op->doc.admin.id = *id;
}

enum cli_exit cli_move(const struct cli *cli)
{
    const struct move *m = moves;
    struct id id;
    while (strcmp(m->command, cli->command->name) != 0)
        m++;
    struct registry_op op = {.verb = REGISTRY_MOVE, .kind = m->number, .state = m->state};
    enum cli_exit code = find_id(cli, m->kind, cli->flags.words[0], &id);
    if (code != CLI_DONE)
        return code;
    set_id(&op, &id);
    return order_send(cli, &op, 1, m->done);
}

static enum cli_exit read_role(const struct cli *cli, uint32_t *ret_role)
{
    static const char *const roles[] = {"", "viewer", "enroller", "registrar", "operator"};
    const char *role = flags_get(&cli->flags, "--role");
    for (uint32_t i = 1; role && i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(role, roles[i]) == 0) {
            *ret_role = i;
            return CLI_DONE;
        }
    return say_error(CLI_USAGE, "%s: --role %.100s: viewer, enroller, registrar or operator",
                     role ? "no such role" : "needed", role ? role : "ROLE");
}

/* So that the new one can invite, too. */
static enum cli_exit write_certificate(const struct cli *cli, const char *path,
                                       const struct registry_admin *admin)
{
    struct keyfile own = {.chain_size = 0}, certificate = {.chain_size = 0};
    uint8_t space[KEYFILE_TEXT_MAX];
    struct buf text;
    enum cli_exit code = nodedir_load_admin(&cli->flags, &own);
    if (code != CLI_DONE)
        return code;
    buf_init_fixed(&text, space, sizeof space);
    enum err e =
        authority_certify(&own, cli->flags.words[0], admin->key, clock_now_ms(), &certificate);
    keyfile_wipe(&own);
    if (e != ERR_OK)
        return say_error(CLI_REFUSED, "no certificate: --certificate %s: %s", path,
                         e == ERR_CERT_SCOPE ? "only administrators whom the mesh root certified "
                                               "make others"
                                             : authority_reason(e));
    e = keyfile_encode(KEYFILE_ADMIN_CERT, &certificate, &text);
    if (e == ERR_OK)
        e = files_write_new(path, buf_bytes(&text), 0644);
    return e == ERR_OK ? CLI_DONE : say_file_error(e, path);
}

enum cli_exit cli_admin_add(const struct cli *cli)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_ADMIN};
    struct registry_admin *admin = &op.doc.admin;
    const char *expires = flags_get(&cli->flags, "--expires");
    uint64_t ms = 0;
    struct buf key;
    buf_init_fixed(&key, admin->key, sizeof admin->key);
    if (crypto_base64_decode(bytes_from_str(cli->flags.words[1]), &key) != ERR_OK ||
        key.size != sizeof admin->key)
        return say_error(CLI_USAGE,
                         "not a public key: %.100s: give the 43 characters that grapevine key new "
                         "printed",
                         cli->flags.words[1]);
    if (expires && (config_parse_duration(expires, &ms) != ERR_OK || ms == 0))
        return say_error(CLI_USAGE, "not a time: --expires %.100s: such as 90d", expires);
    enum cli_exit code = read_role(cli, &admin->role);
    if (code != CLI_DONE)
        return code;
    admin->not_after_ms = ms ? clock_now_ms() + ms : 0;
    admin->id = id_of_public_key(admin->key);
    admin->name = bytes_from_str(cli->flags.words[0]);
    code = order_send(cli, &op, 1, "administrator added");
    const char *path = flags_get(&cli->flags, "--certificate");
    return code == CLI_DONE && path ? write_certificate(cli, path, admin) : code;
}

/* --- voters */

/* The row as it is, and its revision: whoever changes it meanwhile is not overwritten. */
static enum cli_exit read_voters(const struct cli *cli, struct registry_op *op)
{
    enum cli_exit code;
    const cJSON *item, *rev;
    struct registry_voters *v = &op->doc.voters;
    cJSON *row = order_get_row(cli, "voters", "", &code);
    const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(row, "items"), 0);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(one, "nodes"))
    {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "id"));
        if (text && v->node_count < REGISTRY_VOTERS_MAX &&
            id_from_text(bytes_from_str(text), &v->nodes[v->node_count].id) == ERR_OK)
            v->node_count++;
    }
    rev = cJSON_GetObjectItemCaseSensitive(one, "rev");
    op->has_if_rev = true;
    op->if_rev = cJSON_IsNumber(rev) ? (uint64_t)rev->valuedouble : 0;
    cJSON_Delete(row);
    return code;
}

static size_t find_voter(const struct registry_voters *v, const struct id *id)
{
    size_t i = 0;
    while (i < v->node_count && !id_equal(&v->nodes[i].id, id))
        i++;
    return i;
}

static enum cli_exit change_voters(const struct cli *cli, bool is_add)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    struct registry_voters *v = &op.doc.voters;
    const char *name = cli->flags.words[0];
    struct id id;
    enum cli_exit code = read_voters(cli, &op);
    if (code == CLI_DONE)
        code = find_id(cli, "node", name, &id);
    if (code != CLI_DONE)
        return code;
    size_t at = find_voter(v, &id);
    if (is_add && at < v->node_count)
        return say_error(CLI_REFUSED, "votes already: %.100s: see grapevine voters ls", name);
    if (!is_add && at == v->node_count)
        return say_error(CLI_REFUSED, "no voter: %.100s: see grapevine voters ls", name);
    if (is_add && v->node_count == REGISTRY_VOTERS_MAX)
        return say_error(CLI_REFUSED, "%d voters are the most: %.100s: remove one first",
                         REGISTRY_VOTERS_MAX, name);
    if (is_add)
        v->nodes[v->node_count++].id = id;
    else
        v->nodes[at] = v->nodes[--v->node_count];
    return order_send(cli, &op, 1, is_add ? "voter wanted" : "voter not wanted any more");
}

enum cli_exit cli_voters_add(const struct cli *cli)
{
    return change_voters(cli, true);
}

enum cli_exit cli_voters_rm(const struct cli *cli)
{
    return change_voters(cli, false);
}

enum cli_exit cli_voters_auto(const struct cli *cli)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_VOTERS};
    uint64_t *automatic = &op.doc.voters.automatic;
    if (!bytes_to_u64(bytes_from_str(cli->flags.words[0]), automatic) || *automatic % 2 == 0 ||
        *automatic > REGISTRY_VOTERS_MAX)
        return say_error(CLI_USAGE, "not 1, 3, 5 or 7: %.100s: so many nodes shall vote",
                         cli->flags.words[0]);
    return order_send(cli, &op, 1, "voters are chosen by rule");
}
