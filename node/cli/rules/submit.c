/* See submit.h. */
#include "node/cli/rules/submit.h"

#include "node/cli/clock.h"
#include "node/cli/control.h"

#include <cjson/cJSON.h>

#define TARGET "/mesh/v1/commands"
#define VALID_MS (5 * 60 * 1000)
#define ANSWER_MAX 4096
#define TRIES 3

static const char *text_of(const cJSON *object, const char *key, const char *standard)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : standard;
}

static enum cli_exit explain(const cJSON *answer)
{
    const char *outcome = text_of(answer, "outcome", "");
    const char *field = text_of(answer, "field", "");
    if (strcmp(outcome, "committed") == 0)
        return CLI_DONE;
    if (strcmp(outcome, "refused") == 0)
        return say_error(CLI_REFUSED, "refused (%s): %s%s%s", text_of(answer, "reason", "?"), field,
                         *field ? ": " : "", text_of(answer, "what", "?"));
    if (strcmp(outcome, "unknown") == 0)
        return say_error(CLI_FAILED, "unknown outcome: the mesh: it may or may not have happened; "
                                     "look, and try again");
    return say_error(CLI_FAILED, "no sane answer: the node: see its log");
}

/* *ret_last: the number was used before; that was the last one. Else 0. */
static enum cli_exit hand_in(const struct cli *cli, struct bytes command, uint64_t *ret_last)
{
    struct buf body;
    *ret_last = 0;
    buf_init(&body, ANSWER_MAX);
    enum cli_exit code = control_post(cli, TARGET, command, &body);
    cJSON *answer =
        code == CLI_DONE ? cJSON_ParseWithLength((const char *)body.data, body.size) : NULL;
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(answer, "last_sequence");
    if (code == CLI_DONE && cJSON_IsNumber(last) && last->valuedouble > 0)
        *ret_last = (uint64_t)last->valuedouble;
    else if (code == CLI_DONE)
        code = explain(answer);
    cJSON_Delete(answer);
    buf_fini(&body);
    return code;
}

static enum cli_exit submit(const struct cli *cli, const struct keyfile *admin,
                            struct registry_command *command, uint64_t *ret_last)
{
    uint8_t public_key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct registry_fault fault = {.what = ""};
    struct buf wire;
    *ret_last = 0;
    crypto_sign_keypair_from_seed(admin->seed, public_key, secret);
    buf_init(&wire, REGISTRY_COMMAND_MAX);
    enum err e = registry_command_sign(command, secret, &fault, &wire);
    crypto_wipe(secret, sizeof secret);
    enum cli_exit code = e == ERR_OK ? hand_in(cli, buf_bytes(&wire), ret_last)
                                     : say_error(CLI_USAGE, "not a command: %s: %s", fault.field,
                                                 *fault.what ? fault.what : err_text(e));
    buf_fini(&wire);
    return code;
}

enum cli_exit submit_ops(const struct cli *cli, const struct keyfile *admin,
                         const struct registry_op *ops, size_t count)
{
    uint64_t now_ms = clock_now_ms(), last;
    struct registry_command command = {.mesh = id_of_public_key(admin->root),
                                       .sequence = now_ms,
                                       .not_after_ms = now_ms + VALID_MS,
                                       .ops = ops,
                                       .op_count = count};
    enum cli_exit code = submit(cli, admin, &command, &last);
    for (int i = 0; i < TRIES && last > 0; i++) { /* a clock was ahead, or two sign at once */
        command.sequence = last + 1;
        code = submit(cli, admin, &command, &last);
    }
    return last > 0 ? say_error(CLI_FAILED, "others sign with this key: the administrator's key: "
                                            "try again")
                    : code;
}
