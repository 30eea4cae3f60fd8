/* `grapevine explain` and `grapevine decisions export`: why a request went where it went, as the
 * node says it (-o json) or for people. */
#include "node/cli/control.h"
#include "node/cli/observe/request_id.h"
#include "node/cli/table.h"

#include <cjson/cJSON.h>

#define TEXT_SIZE 160

static const cJSON *item_of(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(item_of(object, key));
    return text ? text : "";
}

/* "" where the node does not know. */
static const char *number_of(const cJSON *object, const char *key, const char *unit,
                             char text[TEXT_SIZE])
{
    const cJSON *item = item_of(object, key);
    text[0] = 0;
    if (cJSON_IsNumber(item))
        snprintf(text, TEXT_SIZE, "%.6g%s", item->valuedouble, unit);
    return text;
}

static const char *fact_of(const cJSON *look, const char *name)
{
    return text_of(item_of(look, "facts"), name);
}

static const char *fact_number(const cJSON *look, const char *name, char text[TEXT_SIZE])
{
    return number_of(item_of(look, "facts"), name, "", text);
}

static void add_look(struct table *t, const cJSON *look)
{
    char text[TEXT_SIZE];
    table_add(t, text_of(look, "verdict"));
    table_add(t, fact_of(look, "node.name"));
    table_add(t, fact_of(look, "backend.name"));
    snprintf(text, sizeof text, "%s%s%s", fact_of(look, "model.name"),
             *fact_of(look, "model.version") ? "/" : "", fact_of(look, "model.version"));
    table_add(t, text);
    table_add(t, text_of(look, "step"));
    table_add(t, number_of(look, "score", "", text));
    table_add(t, number_of(look, "answer_ms", "ms", text));
    table_add(t, number_of(look, "cost_usd", " USD", text));
    table_add(t, fact_of(look, "link.rtt"));
    table_add(t, fact_number(look, "backend.inflight", text));
    table_add(t, fact_number(look, "backend.queued", text));
    table_add(t, fact_number(look, "backend.gpu.load", text));
    table_add(t, fact_of(look, "node.age"));
}

static void print_looks(const cJSON *decision)
{
    static const char *const headers[] = {"VERDICT", "NODE", "BACKEND",   "MODEL", "STEP",
                                          "SCORE",   "TIME", "COST",      "RTT",   "INFLIGHT",
                                          "QUEUED",  "GPU",  "FACTS AGE", NULL};
    const cJSON *look;
    struct table t;
    table_init(&t, headers);
    cJSON_ArrayForEach(look, item_of(decision, "candidates"))
    {
        add_look(&t, look);
    }
    table_print(&t, stdout);
    table_fini(&t);
}

static void print_decision(const cJSON *decision)
{
    char text[TEXT_SIZE];
    const cJSON *request = item_of(decision, "request");
    printf("attempt   %s", number_of(decision, "attempt", "", text));
    printf(", %s hops from the client\n", number_of(decision, "hop", "", text));
    printf("policy    %s", text_of(decision, "policy"));
    printf(", version %s", number_of(decision, "policy_version", "", text));
    printf(", under epoch %s\n", number_of(decision, "epoch", "", text));
    printf("asked     %s%s%s\n", text_of(request, "request.model"),
           *text_of(request, "request.tenant") ? " by " : "", text_of(request, "request.tenant"));
    if (*text_of(decision, "model") &&
        strcmp(text_of(decision, "model"), text_of(request, "request.model")) != 0)
        printf("given     %s\n", text_of(decision, "model"));
    printf("because   %s%s\n\n", text_of(decision, "reason"),
           cJSON_IsFalse(item_of(decision, "all_seen")) ? " (a sample of the candidates)" : "");
    print_looks(decision);
}

static enum cli_exit print(const struct cli *cli, const struct buf *body)
{
    if (cli->json) {
        printf("%.*s\n", (int)body->size, (const char *)body->data);
        return CLI_DONE;
    }
    cJSON *answer = cJSON_ParseWithLength((const char *)body->data, body->size);
    const cJSON *decision;
    bool is_first = true;
    if (!answer)
        return say_error(CLI_FAILED,
                         "explain: the node's answer is not JSON: is it another version?");
    cJSON_ArrayForEach(decision, item_of(answer, "decisions"))
    {
        if (!is_first)
            putchar('\n');
        is_first = false;
        print_decision(decision);
    }
    cJSON_Delete(answer);
    return CLI_DONE;
}

enum cli_exit cli_explain(const struct cli *cli)
{
    char target[REQUEST_ID_MAX + 64];
    char missing[REQUEST_ID_MAX + 192];
    struct buf body;
    const char *id = cli->flags.words[0];
    if (!cli_is_request_id(id))
        return say_error(CLI_USAGE, "not a request id: %.200s: give an answer's x-request-id", id);
    snprintf(target, sizeof target, "/mesh/v1/explain/%s", id);
    snprintf(missing, sizeof missing,
             "nothing is known of request %s: ask a node that it passed, within 15 minutes", id);
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = control_get(cli, target, missing, &body);
    if (code == CLI_DONE)
        code = print(cli, &body);
    buf_fini(&body);
    return code;
}

enum cli_exit cli_decisions_export(const struct cli *cli)
{
    char target[64];
    struct buf body;
    const char *last = flags_get(&cli->flags, "--last");
    uint64_t count = 0;
    if (last && !bytes_to_u64(bytes_from_str(last), &count))
        return say_error(CLI_USAGE, "--last: %.64s: expected a number", last);
    snprintf(target, sizeof target, "/mesh/v1/decisions?last=%llu",
             last ? (unsigned long long)count : 1000ull);
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = control_get(cli, target, NULL, &body);
    if (code == CLI_DONE)
        fwrite(body.data, 1, body.size, stdout);
    buf_fini(&body);
    return code;
}
