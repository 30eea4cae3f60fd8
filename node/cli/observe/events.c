/* `grapevine events`: lines of JSON as the running node sends them, passed on (-o json) or put into
 * words, until the reader or the node goes away. */
#include "node/cli/control.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

#define LINE_MAX_SIZE (64 * 1024)
#define LAST_MAX 256

struct follow {
    bool json;
    struct buf line; /* a piece of one that is not whole yet */
};

/* --- one line in words */

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

static void print_time(const cJSON *event)
{
    const cJSON *time_ms = cJSON_GetObjectItemCaseSensitive(event, "time_ms");
    double ms = cJSON_IsNumber(time_ms) && time_ms->valuedouble > 0 ? time_ms->valuedouble : 0;
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[32] = "?";
    if (gmtime_r(&seconds, &utc))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    printf("%s.%03dZ", text, (int)(ms - (double)seconds * 1000));
}

static void print_words(const cJSON *event)
{
    const cJSON *accuser;
    const char *before = "  by ";
    print_time(event);
    const char *policy = text_of(event, "policy");
    printf("  %-9s  %s", text_of(event, "event"), policy[0] ? policy : text_of(event, "node"));
    if (text_of(event, "reason")[0])
        printf("  %s", text_of(event, "reason"));
    cJSON_ArrayForEach(accuser, cJSON_GetObjectItemCaseSensitive(event, "accusers"))
    {
        printf("%s%s", before, cJSON_IsString(accuser) ? accuser->valuestring : "?");
        before = ",";
    }
    putchar('\n');
}

static void print_line(const struct follow *f, struct bytes line)
{
    if (f->json) {
        fwrite(line.data, 1, line.size, stdout);
        putchar('\n');
        return;
    }
    cJSON *event = cJSON_ParseWithLength((const char *)line.data, line.size);
    if (cJSON_IsObject(event))
        print_words(event);
    cJSON_Delete(event);
}

/* --- pieces into lines */

static bool on_data(void *owner, struct bytes data)
{
    struct follow *f = owner;
    while (data.size > 0) {
        struct bytes part = bytes_of(data.data, bytes_find(data, '\n'));
        if (buf_append(&f->line, part) != ERR_OK)
            return false;
        if (part.size < data.size) {
            print_line(f, buf_bytes(&f->line));
            buf_clear(&f->line);
        }
        data = bytes_skip(data, part.size + 1);
    }
    return fflush(stdout) == 0;
}

enum cli_exit cli_events(const struct cli *cli)
{
    char target[64];
    uint64_t last = 20;
    struct follow f = {.json = cli->json};
    const char *given = flags_get(&cli->flags, "--last");
    if (given && (!bytes_to_u64(bytes_from_str(given), &last) || last > LAST_MAX))
        return say_error(CLI_USAGE, "not a number from 0 to %d: --last %.100s: give a whole number",
                         LAST_MAX, given);
    snprintf(target, sizeof(target), "/mesh/v1/events?last=%llu", (unsigned long long)last);
    buf_init(&f.line, LINE_MAX_SIZE);
    enum cli_exit code = control_follow(cli, target, on_data, &f);
    buf_fini(&f.line);
    return code;
}
