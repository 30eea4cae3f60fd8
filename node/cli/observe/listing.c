/* `grapevine status`, `ls nodes`, `ls models`: what the running node says, as it says it (-o json)
 * or as tables. */
#include "node/cli/control.h"
#include "node/cli/table.h"

#include <cjson/cJSON.h>

#define TEXT_SIZE 128
#define NAMES_SIZE 256

typedef enum cli_exit print_function(const cJSON *answer);

/* --- members */

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

static bool number_of(const cJSON *object, const char *key, double *ret_number)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item))
        return false;
    *ret_number = item->valuedouble;
    return true;
}

/* "-" (by way of "") where the node does not know. */
static const char *format_number(const cJSON *object, const char *key, const char *format,
                                 char text[TEXT_SIZE])
{
    double number;
    text[0] = 0;
    if (!number_of(object, key, &number))
        return text;
    if (strcmp(format, "ms") == 0)
        snprintf(text, TEXT_SIZE, "%.1fms", number);
    else if (strcmp(format, "%") == 0)
        snprintf(text, TEXT_SIZE, "%.0f%%", number * 100);
    else if (strcmp(format, "age") == 0)
        table_age(number > 0 ? (uint64_t)number : 0, text);
    else
        snprintf(text, TEXT_SIZE, "%.0f", number);
    return text;
}

static void append_name(char names[NAMES_SIZE], const char *name)
{
    size_t used = strlen(names);
    if (used + strlen(name) + 6 < NAMES_SIZE)
        snprintf(names + used, NAMES_SIZE - used, "%s%s", used ? "," : "", name);
    else if (used + 5 < NAMES_SIZE && !strstr(names, ",..."))
        snprintf(names + used, NAMES_SIZE - used, ",...");
}

/* --- status */

static enum cli_exit print_status(const cJSON *answer)
{
    char text[TEXT_SIZE];
    double uptime_s = 0;
    printf("node      %s\nmesh      %s\nstate     %s\n", text_of(answer, "node"),
           text_of(answer, "mesh"), text_of(answer, "state"));
    printf("alive     %s\n", format_number(answer, "alive", "", text));
    printf("inflight  %s\n", format_number(answer, "inflight", "", text));
    printf("epoch     %s\n", format_number(answer, "epoch", "", text));
    if (number_of(answer, "uptime_s", &uptime_s))
        table_age((uint64_t)uptime_s * 1000, text);
    printf("up        %s\n", text);
    return CLI_DONE;
}

/* --- nodes */

static void list_models(const cJSON *node, char names[NAMES_SIZE])
{
    const cJSON *backend, *model;
    names[0] = 0;
    cJSON_ArrayForEach(backend, cJSON_GetObjectItemCaseSensitive(node, "backends"))
    {
        cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(backend, "models"))
            append_name(names, text_of(model, "name"));
    }
}

static void add_node(struct table *t, const cJSON *node)
{
    char text[TEXT_SIZE];
    char names[NAMES_SIZE];
    const cJSON *load = cJSON_GetObjectItemCaseSensitive(node, "load");
    bool is_self = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(node, "self"));
    snprintf(names, sizeof(names), "%.200s%s", text_of(node, "name"), is_self ? "*" : "");
    table_add(t, names);
    table_add(t, text_of(node, "tier"));
    table_add(t, text_of(node, "region"));
    table_add(t, text_of(node, "zone"));
    const char *conflict = text_of(node, "conflict");
    snprintf(text, sizeof(text), "%s%s%s%s", text_of(node, "state"), *conflict ? ", " : "",
             conflict, *conflict ? " twice" : "");
    table_add(t, text);
    table_add(t, format_number(node, "age_ms", "age", text));
    table_add(t, format_number(node, "rtt_ms", "ms", text));
    table_add(t, format_number(load, "inflight", "", text));
    table_add(t, format_number(load, "queued", "", text));
    table_add(t, format_number(load, "utilization", "%", text));
    table_add(t, text_of(node, "mesh"));
    list_models(node, names);
    table_add(t, names);
}

static enum cli_exit print_nodes(const cJSON *answer)
{
    static const char *const headers[] = {"NAME", "TIER",   "REGION",   "ZONE",   "STATE",
                                          "AGE",  "RTT",    "INFLIGHT", "QUEUED", "BUSY",
                                          "MESH", "MODELS", NULL};
    const cJSON *node;
    struct table t;
    table_init(&t, headers);
    cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(answer, "nodes")) add_node(&t, node);
    table_print(&t, stdout);
    table_fini(&t);
    return CLI_DONE;
}

/* --- models */

static void add_model(struct table *t, const cJSON *model)
{
    char names[NAMES_SIZE], regions[NAMES_SIZE];
    const cJSON *version, *node, *region;
    cJSON_ArrayForEach(version, cJSON_GetObjectItemCaseSensitive(model, "versions"))
    {
        names[0] = regions[0] = 0;
        cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(version, "nodes"))
            append_name(names, cJSON_IsString(node) ? node->valuestring : "?");
        cJSON_ArrayForEach(region, cJSON_GetObjectItemCaseSensitive(version, "regions"))
            append_name(regions, cJSON_IsString(region) ? region->valuestring : "?");
        table_add(t, text_of(model, "name"));
        table_add(t, text_of(version, "version"));
        table_add(t, names);
        table_add(t, regions);
    }
}

static enum cli_exit print_models(const cJSON *answer)
{
    static const char *const headers[] = {"MODEL", "VERSION", "NODES", "OTHER REGIONS", NULL};
    const cJSON *model;
    struct table t;
    table_init(&t, headers);
    cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(answer, "models"))
        add_model(&t, model);
    table_print(&t, stdout);
    table_fini(&t);
    return CLI_DONE;
}

/* --- asking and printing */

static enum cli_exit print(const struct cli *cli, struct bytes body, print_function *print_it)
{
    if (cli->json) {
        fwrite(body.data, 1, body.size, stdout);
        if (body.size && body.data[body.size - 1] != '\n')
            putchar('\n');
        return CLI_DONE;
    }
    cJSON *answer = cJSON_ParseWithLength((const char *)body.data, body.size);
    enum cli_exit code = cJSON_IsObject(answer)
                             ? print_it(answer)
                             : say_error(CLI_FAILED, "no sane answer: the node: see its log");
    cJSON_Delete(answer);
    return code;
}

static enum cli_exit ask(const struct cli *cli, const char *target, print_function *print_it)
{
    struct buf body;
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = control_get(cli, target, NULL, &body);
    if (code == CLI_DONE)
        code = print(cli, buf_bytes(&body), print_it);
    buf_fini(&body);
    return code;
}

enum cli_exit cli_status(const struct cli *cli)
{
    return ask(cli, "/mesh/v1/status", print_status);
}

enum cli_exit cli_ls_nodes(const struct cli *cli)
{
    return ask(cli, "/mesh/v1/nodes", print_nodes);
}

enum cli_exit cli_ls_models(const struct cli *cli)
{
    return ask(cli, "/mesh/v1/models", print_models);
}
