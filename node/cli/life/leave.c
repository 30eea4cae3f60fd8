/* `grapevine leave`: the running node says goodbye to the mesh, drains and ends; this command waits
 * for it. */
#include "node/cli/control.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#define ANSWER_MAX 1024

static int number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valueint : 0;
}

static enum cli_exit report(const struct cli *cli, struct bytes json)
{
    cJSON *answer = cJSON_ParseWithLength((const char *)json.data, json.size);
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "node"));
    if (cli->json)
        printf("%.*s", (int)json.size, (const char *)json.data);
    else
        printf("%s says goodbye to %d others and finishes %d requests\n", name ? name : "the node",
               number_of(answer, "members") - 1, number_of(answer, "inflight"));
    fflush(stdout); /* the end may be some minutes away */
    enum cli_exit code = control_await_end(cli);
    if (code == CLI_DONE && !cli->json)
        printf("%s has left and stopped\n", name ? name : "the node");
    cJSON_Delete(answer);
    return code;
}

enum cli_exit cli_leave(const struct cli *cli)
{
    struct buf json;
    buf_init(&json, ANSWER_MAX);
    enum cli_exit code = control_post(cli, "/mesh/v1/leave", BYTES(""), &json);
    if (code == CLI_DONE)
        code = report(cli, buf_bytes(&json));
    buf_fini(&json);
    return code;
}
