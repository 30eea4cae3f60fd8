/* `grapevine policy get`, `diff` and `revert`: the versions of a policy that the registry keeps,
 * and the way back to one. */
#include "base/yaml.h"
#include "node/admin/json.h"
#include "node/cli/dir/files.h"
#include "node/cli/gate.h"
#include "node/cli/policy/line_diff.h"
#include "node/cli/rules/order.h"
#include "policy/policy.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#define KEY_SIZE (POLICY_NAME_MAX + 32)
#define DIFF_BYTES_MAX (1024 * 1024)
#define FILE_BYTES_MAX (1024 * 1024)

/* A row of the registry: the policy in force (version 0), or one of its versions. NULL: said. */
static cJSON *get_version(const struct cli *cli, const char *name, uint64_t version,
                          enum cli_exit *ret_code)
{
    char key[KEY_SIZE];
    if (version == 0)
        return order_get_row(cli, "policy", name, ret_code);
    snprintf(key, sizeof key, "%.*s/%llu", POLICY_NAME_MAX, name, (unsigned long long)version);
    return order_get_row(cli, "policy_version", key, ret_code);
}

static const char *document_of(const cJSON *row)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "document"));
    return text ? text : "";
}

static uint64_t version_of(const cJSON *row)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(row, "version");
    return cJSON_IsNumber(version) && version->valuedouble > 0 ? (uint64_t)version->valuedouble : 0;
}

/* The flag's number; 0: not given. */
static enum cli_exit version_flag(const struct cli *cli, const char *flag, uint64_t *ret_version)
{
    const char *text = flags_get(&cli->flags, flag);
    *ret_version = 0;
    if (!text || (bytes_to_u64(bytes_from_str(text), ret_version) && *ret_version > 0))
        return CLI_DONE;
    return say_error(CLI_USAGE, "no version: %s %s: write a number, as policy history has it", flag,
                     text);
}

static void print_json(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    printf("%s\n", text ? text : "null");
    cJSON_free(text);
}

enum cli_exit cli_policy_get(const struct cli *cli)
{
    uint64_t version;
    enum cli_exit code = version_flag(cli, "--version", &version);
    cJSON *row = code == CLI_DONE ? get_version(cli, cli->flags.words[0], version, &code) : NULL;
    if (row && cli->json)
        print_json(row);
    else if (row)
        printf("%s", document_of(row));
    cJSON_Delete(row);
    return code;
}

/* --- diff */

/* One of the two texts that are compared. */
struct side {
    char label[KEY_SIZE];
    cJSON *row;
    struct buf file;
    struct bytes text;
};

static enum cli_exit take_version(const struct cli *cli, uint64_t version, struct side *side)
{
    enum cli_exit code;
    side->row = get_version(cli, cli->flags.words[0], version, &code);
    if (!side->row)
        return code;
    side->text = bytes_from_str(document_of(side->row));
    snprintf(side->label, sizeof side->label, "%.*s version %llu", POLICY_NAME_MAX,
             cli->flags.words[0], (unsigned long long)version_of(side->row));
    return CLI_DONE;
}

static const struct yaml_item *find_key(const struct yaml_item *map, struct bytes key)
{
    for (const struct yaml_item *item = map ? map->first : NULL; item; item = item->next)
        if (item->key && bytes_equal(item->key->text, key))
            return item;
    return NULL;
}

static bool is_called(struct bytes document, const char *name)
{
    struct arena arena;
    const struct yaml_item *root;
    struct yaml_problem problem;
    arena_init(&arena, YAML_ARENA_SIZE);
    bool is_it = yaml_tree_parse(document, &arena, &root, &problem) == ERR_OK;
    if (is_it) {
        const struct yaml_item *value = find_key(find_key(root, BYTES("metadata")), BYTES("name"));
        is_it = value && bytes_equal(value->text, bytes_from_str(name));
    }
    arena_fini(&arena);
    return is_it;
}

/* The document of that name in a file, which may have several. */
static struct bytes find_document(struct bytes file, const char *name)
{
    for (struct bytes rest = file; rest.size > 0;) {
        unsigned lines;
        struct bytes document = yaml_next_document(rest, &lines);
        if (is_called(document, name))
            return document;
        rest = bytes_skip(rest, document.size);
    }
    return bytes_of(NULL, 0);
}

static enum cli_exit take_file(const struct cli *cli, const char *path, struct side *side)
{
    enum err e = files_read(path, &side->file);
    if (e != ERR_OK)
        return say_file_error(e, path);
    side->text = find_document(buf_bytes(&side->file), cli->flags.words[0]);
    if (!side->text.data)
        return say_error(CLI_FAILED, "no document of %s: %s: name another file",
                         cli->flags.words[0], path);
    snprintf(side->label, sizeof side->label, "%.*s", KEY_SIZE - 1, path);
    return CLI_DONE;
}

static enum cli_exit take_side(const struct cli *cli, const char *word, struct side *side)
{
    uint64_t version;
    if (bytes_to_u64(bytes_from_str(word), &version) && version > 0)
        return take_version(cli, version, side);
    return take_file(cli, word, side);
}

static enum cli_exit print_diff(const struct cli *cli, const struct side *from,
                                const struct side *to)
{
    struct buf diff, answer;
    struct json j;
    buf_init(&diff, DIFF_BYTES_MAX);
    buf_init(&answer, 2 * DIFF_BYTES_MAX);
    enum err e = line_diff(from->text, to->text, &diff);
    json_begin(&j, &answer);
    json_open(&j, '{');
    json_put_str(&j, "name", cli->flags.words[0]);
    json_put_str(&j, "from", from->label);
    json_put_str(&j, "to", to->label);
    json_put_bool(&j, "differs", diff.size > 0);
    json_put_text(&j, "diff", buf_bytes(&diff));
    json_close(&j, '}');
    if (e == ERR_OK)
        e = json_end(&j);
    if (e == ERR_OK && cli->json)
        printf("%.*s\n", (int)answer.size, (const char *)answer.data);
    else if (e == ERR_OK && diff.size > 0)
        printf("--- %s\n+++ %s\n%.*s", from->label, to->label, (int)diff.size,
               (const char *)diff.data);
    buf_fini(&diff);
    buf_fini(&answer);
    return e == ERR_OK ? CLI_DONE : say_error(CLI_FAILED, "%s: the difference", err_text(e));
}

/* NAME V1 V2, NAME V1 FILE; with one word the other side is what is in force. */
enum cli_exit cli_policy_diff(const struct cli *cli)
{
    struct side from = {.row = NULL}, to = {.row = NULL};
    const char *const *words = cli->flags.words;
    buf_init(&from.file, FILE_BYTES_MAX);
    buf_init(&to.file, FILE_BYTES_MAX);
    uint64_t version;
    bool has_both = cli->flags.word_count == 3;
    bool is_version = bytes_to_u64(bytes_from_str(words[1]), &version);
    enum cli_exit code =
        has_both || is_version ? take_side(cli, words[1], &from) : take_version(cli, 0, &from);
    if (code == CLI_DONE && has_both)
        code = take_side(cli, words[2], &to);
    else if (code == CLI_DONE)
        code = is_version ? take_version(cli, 0, &to) : take_side(cli, words[1], &to);
    if (code == CLI_DONE)
        code = print_diff(cli, &from, &to);
    cJSON_Delete(from.row);
    cJSON_Delete(to.row);
    buf_fini(&from.file);
    buf_fini(&to.file);
    return code;
}

/* --- revert */

static enum cli_exit put_again(const struct cli *cli, const cJSON *row, uint64_t version)
{
    char path[KEY_SIZE], done[KEY_SIZE + 32];
    struct bytes document = bytes_from_str(document_of(row));
    const struct registry_op op = {
        .verb = REGISTRY_PUT,
        .kind = REGISTRY_POLICY,
        .doc.policy = {.name = bytes_from_str(cli->flags.words[0]), .document = document}};
    snprintf(path, sizeof path, "version %llu", (unsigned long long)version);
    snprintf(done, sizeof done, "%.*s is as in version %llu again", POLICY_NAME_MAX,
             cli->flags.words[0], (unsigned long long)version);
    enum cli_exit code = gate_policies(cli, &op, 1, document, path);
    return code == CLI_DONE ? order_send(cli, &op, 1, done) : code;
}

enum cli_exit cli_policy_revert(const struct cli *cli)
{
    const char *name = cli->flags.words[0];
    uint64_t version;
    cJSON *now = NULL, *then = NULL;
    enum cli_exit code = version_flag(cli, "--to", &version);
    if (code == CLI_DONE)
        now = get_version(cli, name, 0, &code);
    if (now && version == 0)
        version = version_of(now) - 1;
    if (now && version == 0)
        code = say_error(CLI_FAILED, "no version before it: %s: it has this one alone", name);
    else if (now && version == version_of(now))
        code = say_error(CLI_FAILED, "in force already: version %llu of %s: name another with --to",
                         (unsigned long long)version, name);
    else if (now)
        then = get_version(cli, name, version, &code);
    if (then)
        code = put_again(cli, then, version);
    cJSON_Delete(now);
    cJSON_Delete(then);
    return code;
}
