/* `grapevine log tail`: what the mesh was asked for lately, as its log has it; entry by entry. */
#include "node/cli/control.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

#define LINE_MAX 512

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "?";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* What the row is called: the first texts of its document. */
static void print_op(const cJSON *op)
{
    const cJSON *document = cJSON_GetObjectItemCaseSensitive(op, "document");
    int shown = 0;
    printf("%s", text_of(op, "op"));
    for (const cJSON *f = document ? document->child : NULL; f && shown < 2; f = f->next)
        if (cJSON_IsString(f) && f->valuestring[0] && strlen(f->valuestring) < LINE_MAX)
            printf("%s%s", shown++ ? "/" : " ", f->valuestring);
}

static void print_commands(const cJSON *entry)
{
    char when[32] = "";
    struct tm tm;
    time_t seconds = (time_t)(number_of(entry, "time_ms") / 1000);
    const cJSON *command, *op;
    if (gmtime_r(&seconds, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    cJSON_ArrayForEach(command, cJSON_GetObjectItemCaseSensitive(entry, "commands"))
    {
        printf("%-8.0f %-5.0f %s %.8s ", number_of(entry, "index"), number_of(entry, "term"), when,
               text_of(command, "author"));
        cJSON_ArrayForEach(op, cJSON_GetObjectItemCaseSensitive(command, "ops"))
        {
            print_op(op);
            printf("%s", op->next ? ", " : "\n");
        }
    }
}

static void print_entry(const cJSON *entry)
{
    const char *kind = text_of(entry, "kind");
    const cJSON *voters = cJSON_GetObjectItemCaseSensitive(entry, "voters");
    if (strcmp(kind, "command") == 0) {
        print_commands(entry);
        return;
    }
    printf("%-8.0f %-5.0f %s", number_of(entry, "index"), number_of(entry, "term"), kind);
    if (voters)
        printf(": %d voters", cJSON_GetArraySize(voters));
    printf("\n");
}

static enum cli_exit print(struct bytes lines)
{
    while (lines.size > 0) {
        size_t size = bytes_find(lines, '\n');
        cJSON *entry = cJSON_ParseWithLength((const char *)lines.data, size);
        if (!entry)
            return say_error(CLI_FAILED, "no sane answer: the node: see its log");
        print_entry(entry);
        cJSON_Delete(entry);
        lines = bytes_skip(lines, size + 1);
    }
    return CLI_DONE;
}

enum cli_exit cli_log_tail(const struct cli *cli)
{
    char target[64];
    const char *last = flags_get(&cli->flags, "--last");
    uint64_t number = 20;
    struct buf body;
    if (last && (!bytes_to_u64(bytes_from_str(last), &number) || number > 1000))
        return say_error(CLI_USAGE, "not a number up to 1000: --last %.100s: give a whole number",
                         last);
    snprintf(target, sizeof target, "/mesh/v1/log?last=%llu", (unsigned long long)number);
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = control_get(
        cli, target, "no log here: this node does not vote: ask one that does, with --node URL",
        &body);
    if (code == CLI_DONE && cli->json)
        fwrite(body.data, 1, body.size, stdout);
    else if (code == CLI_DONE)
        code = print(buf_bytes(&body));
    buf_fini(&body);
    return code;
}
