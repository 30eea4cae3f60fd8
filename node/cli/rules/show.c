/* What the registry holds, for people: `ls KINDs` as tables, `KIND get KEY` as lines, `-o json` as
 * the node gives it. Which columns are worth a look stands in a table here. */
#include "node/cli/control.h"
#include "node/cli/rules/order.h"
#include "node/cli/table.h"

#include <cjson/cJSON.h>

#define TEXT_SIZE 512
#define COLUMNS_MAX 9

static const struct list {
    const char *command, *kind;
    const char *headers[COLUMNS_MAX + 1], *keys[COLUMNS_MAX + 1];
} lists[] = {
    {"node ls",
     "node",
     {"NAME", "TIER", "REGION", "ZONE", "STATE", "ID", "REV", NULL},
     {"name", "tier", "region", "zone", "state", "id", "rev", NULL}},
    {"admin ls",
     "admin",
     {"NAME", "ROLE", "STATE", "ID", "REV", NULL},
     {"name", "role", "state", "id", "rev", NULL}},
    {"ls invitations",
     "invitation",
     {"ID", "TIER", "REGION", "USED", "USES", "STATE", "REV", NULL},
     {"id", "tier", "region", "used", "uses", "state", "rev", NULL}},
    {"model ls",
     "model",
     {"NAME", "TASK", "FAMILY", "CONTEXT", "PARAMETERS", "REV", NULL},
     {"name", "task", "family", "context", "parameters", "rev", NULL}},
    {"ls versions",
     "version",
     {"MODEL", "VERSION", "STAGE", "REGIONS", "ACCELERATORS", "FORMATS", "REV", NULL},
     {"model", "name", "stage", "regions", "accelerators", "formats", "rev", NULL}},
    {"ls aliases", "alias", {"NAME", "TARGETS", "REV", NULL}, {"name", "targets", "rev", NULL}},
    {"ls tenants",
     "tenant",
     {"NAME", "STATE", "REGIONS", "MODELS", "TITLE", "REV", NULL},
     {"name", "state", "regions", "models", "title", "rev", NULL}},
    {"tenant key ls",
     "key",
     {"TENANT", "ID", "STATE", "TITLE", "REV", NULL},
     {"tenant", "id", "state", "title", "rev", NULL}},
    {"ls quotas",
     "quota",
     {"TENANT", "MODEL", "REQUESTS/MIN", "TOKENS/MIN", "TOKENS/DAY", "CONCURRENT", "REV", NULL},
     {"tenant", "model", "requests_per_minute", "tokens_per_minute", "tokens_per_day", "concurrent",
      "rev", NULL}},
    {"ls prices",
     "price",
     {"NAME", "NODE", "TIER", "REGION", "MODEL", "IN/1K", "OUT/1K", "EGRESS/GIB", "REV", NULL},
     {"name", "node", "tier", "region", "model", "per_1k_input_tokens", "per_1k_output_tokens",
      "per_gib_egress", "rev", NULL}},
    {"ls policies", "policy", {"NAME", "VERSION", "REV", NULL}, {"name", "version", "rev", NULL}},
    {"policy ls", "policy", {"NAME", "VERSION", "REV", NULL}, {"name", "version", "rev", NULL}},
    {"policy history",
     "policy_version",
     {"VERSION", "REV", "CHANGED_MS", "AUTHOR", NULL},
     {"version", "rev", "changed_ms", "author", NULL}},
    {"ls settings", "setting", {"KEY", "VALUE", "REV", NULL}, {"key", "value", "rev", NULL}},
};

static const struct {
    const char *command, *kind;
} gets[] = {
    {"model get", "model"},   {"version get", "version"}, {"alias get", "alias"},
    {"tenant get", "tenant"}, {"price get", "price"},     {"setting get", "setting"},
    {"node get", "node"},     {"admin get", "admin"},
};

/* --- one value as text */

static void append(char text[TEXT_SIZE], const char *between, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, TEXT_SIZE - used, "%s%s", between, more);
}

static void print_number(const cJSON *item, char *out, size_t size)
{
    snprintf(out, size, "%.0f", cJSON_IsNumber(item) ? item->valuedouble : 0);
}

/* "llama/v1=90", or "cuda 2", as the first fields of a group have it. */
static void append_group(char text[TEXT_SIZE], const cJSON *group)
{
    char number[32];
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(group, "version");
    const cJSON *first = group->child;
    if (!first)
        return;
    append(text, "", cJSON_IsString(first) ? first->valuestring : "?");
    if (cJSON_IsString(version)) {
        append(text, "/", version->valuestring);
        print_number(cJSON_GetObjectItemCaseSensitive(group, "weight"), number, sizeof number);
        append(text, "=", number);
    } else if (first->next) {
        print_number(first->next, number, sizeof number);
        append(text, " ", number);
    }
}

static const char *text_of(const cJSON *item, char text[TEXT_SIZE])
{
    const cJSON *part;
    text[0] = 0;
    if (cJSON_IsString(item))
        append(text, "", item->valuestring);
    if (cJSON_IsBool(item))
        append(text, "", cJSON_IsTrue(item) ? "yes" : "no");
    if (cJSON_IsNumber(item) && item->valuedouble != 0)
        print_number(item, text, TEXT_SIZE);
    if (!cJSON_IsArray(item))
        return text;
    cJSON_ArrayForEach(part, item)
    {
        append(text, text[0] ? ", " : "", "");
        if (cJSON_IsObject(part))
            append_group(text, part);
        else
            append(text, "", cJSON_IsString(part) ? part->valuestring : "?");
    }
    return text;
}

/* --- printing */

static enum cli_exit print_list(const struct list *l, const cJSON *answer)
{
    char text[TEXT_SIZE];
    const cJSON *row;
    struct table t;
    table_init(&t, l->headers);
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(answer, "items"))
    {
        for (size_t i = 0; l->keys[i]; i++)
            table_add(&t, text_of(cJSON_GetObjectItemCaseSensitive(row, l->keys[i]), text));
    }
    table_print(&t, stdout);
    table_fini(&t);
    return CLI_DONE;
}

static enum cli_exit print_row(const cJSON *row)
{
    char text[TEXT_SIZE];
    const cJSON *field;
    cJSON_ArrayForEach(field, row)
    {
        bool is_long = cJSON_IsString(field) && strchr(field->valuestring, '\n');
        if (is_long)
            printf("%s:\n%s\n", field->string, field->valuestring);
        else if (text_of(field, text)[0])
            printf("%-14s %s\n", field->string, text);
    }
    return CLI_DONE;
}

static enum cli_exit ask(const struct cli *cli, const char *target, const char *missing,
                         const struct list *list)
{
    char consistent[ORDER_TARGET_MAX + 16];
    struct buf body;
    snprintf(consistent, sizeof consistent, "%s%s", target,
             flags_has(&cli->flags, "--consistent") ? "?consistent=1" : "");
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = control_get(cli, consistent, missing, &body);
    cJSON *json =
        code == CLI_DONE ? cJSON_ParseWithLength((const char *)body.data, body.size) : NULL;
    if (code == CLI_DONE && !json)
        code = say_error(CLI_FAILED, "no sane answer: the node: see its log");
    else if (code == CLI_DONE && cli->json)
        printf("%.*s\n", (int)body.size, (const char *)body.data);
    else if (code == CLI_DONE)
        code = list ? print_list(list, json) : print_row(json);
    cJSON_Delete(json);
    buf_fini(&body);
    return code;
}

enum cli_exit cli_rules_list(const struct cli *cli)
{
    char target[ORDER_TARGET_MAX];
    const struct list *l = lists;
    while (strcmp(l->command, cli->command->name) != 0)
        l++;
    order_row_target(l->kind, cli->flags.word_count > 0 ? cli->flags.words[0] : "", target,
                     sizeof target);
    return ask(cli, target, NULL, l);
}

enum cli_exit cli_rules_get(const struct cli *cli)
{
    char target[ORDER_TARGET_MAX], missing[ORDER_TARGET_MAX];
    size_t i = 0;
    while (strcmp(gets[i].command, cli->command->name) != 0)
        i++;
    order_row_target(gets[i].kind, cli->flags.words[0], target, sizeof target);
    snprintf(missing, sizeof missing, "no such %s: %.200s: see what there is with ls", gets[i].kind,
             cli->flags.words[0]);
    return ask(cli, target, missing, NULL);
}

enum cli_exit cli_voters_ls(const struct cli *cli)
{
    static const struct list voters = {
        "voters ls",
        "voters",
        {"NAME", "REGION", "ZONE", "STATE", "WANTED", "MATCH", "ID", NULL},
        {"name", "region", "zone", "state", "wanted", "match", "id", NULL}};
    return ask(cli, "/mesh/v1/voters", NULL, &voters);
}
