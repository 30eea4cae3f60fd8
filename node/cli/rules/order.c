/* See order.h. Sequence numbers are the time: they rise, and nobody has to be asked for one.
 *
 * Happy path: key, signature, sent, committed. Failure modes: another command of the same
 * administrator had a greater number, or the clock went back (the registry's last one and one,
 * signed anew: nothing happened), the outcome is not known (the very same bytes again), refused
 * (the registry's words). */
#include "node/cli/rules/order.h"

#include "node/cli/clock.h"
#include "node/cli/control.h"
#include "node/cli/dir/nodedir.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

#define TARGET_COMMANDS "/mesh/v1/commands"
#define ANSWER_MAX (256 * 1024)
#define PAUSE_MS 200

struct outcome {
    enum { COMMITTED, REFUSED, UNKNOWN } kind;
    double index, epoch, last_sequence; /* of a refusal: the author's last one; 0: no matter */
    char reason[64], field[128], what[256];
};

/* --- what the node answers */

static void copy_text(const cJSON *object, const char *key, char *out, size_t size)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    snprintf(out, size, "%s", text ? text : "");
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static enum cli_exit read_outcome(struct bytes body, struct outcome *ret_outcome)
{
    cJSON *json = cJSON_ParseWithLength((const char *)body.data, body.size);
    char word[16];
    struct outcome o = {.index = number_of(json, "index"),
                        .epoch = number_of(json, "epoch"),
                        .last_sequence = number_of(json, "last_sequence")};
    copy_text(json, "outcome", word, sizeof word);
    copy_text(json, "reason", o.reason, sizeof o.reason);
    copy_text(json, "field", o.field, sizeof o.field);
    copy_text(json, "what", o.what, sizeof o.what);
    cJSON_Delete(json);
    if (strcmp(word, "committed") == 0)
        o.kind = COMMITTED;
    else if (strcmp(word, "refused") == 0)
        o.kind = REFUSED;
    else if (strcmp(word, "unknown") == 0)
        o.kind = UNKNOWN;
    else
        return say_error(CLI_FAILED, "no sane answer: the node: see its log");
    *ret_outcome = o;
    return CLI_DONE;
}

static enum cli_exit say_outcome(const struct cli *cli, const struct outcome *o,
                                 const struct buf *json, const char *done)
{
    if (cli->json && done)
        printf("%.*s\n", (int)json->size, (const char *)json->data);
    if (o->kind == REFUSED)
        return say_error(CLI_REFUSED, "refused (%s): %s%s%s", o->reason, o->field,
                         o->field[0] ? ": " : "", o->what);
    if (o->kind == UNKNOWN)
        return say_error(CLI_UNREACHABLE,
                         "outcome not known (%s): %s: it may have happened; look, or repeat it",
                         o->reason, o->what[0] ? o->what : "no leader answered");
    if (!cli->json && done)
        printf("%s (epoch %.0f)\n", done, o->epoch);
    return CLI_DONE;
}

/* --- sending */

static void pause_before(int attempt)
{
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    if (attempt > 0)
        nanosleep(&pause, NULL);
}

/* The same bytes until something is known of them. */
static enum cli_exit post(const struct cli *cli, struct bytes command, struct buf *json,
                          struct outcome *ret_outcome)
{
    enum cli_exit code = CLI_DONE;
    for (int attempt = 0; attempt < ORDER_ATTEMPTS; attempt++) {
        pause_before(attempt);
        buf_clear(json);
        code = control_post(cli, TARGET_COMMANDS, command, json);
        if (code == CLI_DONE)
            code = read_outcome(buf_bytes(json), ret_outcome);
        if (code != CLI_DONE || ret_outcome->kind != UNKNOWN)
            break;
    }
    return code;
}

static bool lost_a_race(const struct outcome *o)
{
    return o->kind == REFUSED && o->last_sequence > 0;
}

struct author {
    struct keyfile file;
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    struct id id;
};

static enum cli_exit load_author(const struct cli *cli, struct author *a)
{
    enum cli_exit code = nodedir_load_admin(&cli->flags, &a->file);
    if (code != CLI_DONE)
        return code;
    crypto_sign_keypair_from_seed(a->file.seed, a->key, a->secret);
    a->id = id_of_public_key(a->key);
    return CLI_DONE;
}

static enum cli_exit sign(const struct author *a, uint64_t sequence, const struct registry_op *ops,
                          size_t count, struct buf *out)
{
    struct registry_fault fault = {"", ""};
    struct registry_command command = {.mesh = id_of_public_key(a->file.root),
                                       .sequence = sequence,
                                       .not_after_ms = clock_now_ms() + ORDER_VALID_MS,
                                       .ops = ops,
                                       .op_count = count};
    buf_clear(out);
    enum err e = registry_command_sign(&command, a->secret, &fault, out);
    if (e == ERR_OK)
        return CLI_DONE;
    return say_error(e == ERR_INVALID ? CLI_USAGE : CLI_FAILED, "not a right command: %s: %s",
                     fault.field[0] ? fault.field : "it", fault.what[0] ? fault.what : err_text(e));
}

static enum cli_exit write_out(const char *path, struct bytes command)
{
    enum err e = files_write_new(path, command, 0600);
    if (e != ERR_OK)
        return say_file_error(e, path);
    printf("signed, not sent: %s: others add theirs with grapevine command cosign, then "
           "grapevine command send\n",
           path);
    return CLI_DONE;
}

/* A command that lost a race for its number did nothing: signed anew it is another one. */
static enum cli_exit sign_and_send(const struct cli *cli, const struct author *a,
                                   const struct registry_op *ops, size_t count, const char *done,
                                   struct buf *command)
{
    const char *out = flags_get(&cli->flags, "--out");
    struct outcome outcome = {.kind = UNKNOWN};
    uint64_t sequence = clock_now_ms();
    struct buf json;
    enum cli_exit code = CLI_DONE;
    buf_init(&json, ANSWER_MAX);
    for (int attempt = 0; code == CLI_DONE && attempt < ORDER_ATTEMPTS; attempt++) {
        pause_before(attempt);
        code = sign(a, sequence, ops, count, command);
        if (code != CLI_DONE || out)
            break;
        code = post(cli, buf_bytes(command), &json, &outcome);
        if (code == CLI_DONE && !lost_a_race(&outcome))
            break;
        sequence = (uint64_t)outcome.last_sequence + 1;
    }
    if (code == CLI_DONE)
        code = out ? write_out(out, buf_bytes(command)) : say_outcome(cli, &outcome, &json, done);
    buf_fini(&json);
    return code;
}

enum cli_exit order_send(const struct cli *cli, const struct registry_op *ops, size_t count,
                         const char *done)
{
    struct author author = {.file.chain_size = 0};
    struct buf command;
    buf_init(&command, REGISTRY_COMMAND_MAX);
    enum cli_exit code = load_author(cli, &author);
    if (code == CLI_DONE)
        code = sign_and_send(cli, &author, ops, count, done, &command);
    buf_fini(&command);
    keyfile_wipe(&author.file);
    crypto_wipe(author.secret, sizeof author.secret);
    return code;
}

enum cli_exit order_send_signed(const struct cli *cli, struct bytes command, const char *done)
{
    struct outcome outcome;
    struct buf json;
    buf_init(&json, ANSWER_MAX);
    enum cli_exit code = post(cli, command, &json, &outcome);
    if (code == CLI_DONE)
        code = say_outcome(cli, &outcome, &json, done);
    buf_fini(&json);
    return code;
}

/* --- looking things up */

/* Everything but what stands for itself in a path (RFC 3986, section 2.3) and the key's own "/". */
static void append_escaped(char *target, size_t size, const char *text)
{
    size_t used = strlen(target);
    for (; *text && used + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._~/", c);
        used += (size_t)snprintf(target + used, size - used, is_plain ? "%c" : "%%%02X", c);
    }
}

void order_row_target(const char *kind, const char *key, char *target, size_t size)
{
    snprintf(target, size, "/mesh/v1/registry/%s%s", kind, key[0] ? "/" : "");
    append_escaped(target, size, key);
}

struct cJSON *order_get_row(const struct cli *cli, const char *kind, const char *key,
                            enum cli_exit *ret_code)
{
    char target[ORDER_TARGET_MAX], missing[ORDER_TARGET_MAX];
    struct buf body;
    order_row_target(kind, key, target, sizeof target);
    snprintf(missing, sizeof missing, "no such %s: %.200s: see grapevine ls %ss", kind, key, kind);
    buf_init(&body, ANSWER_MAX);
    *ret_code = control_get(cli, target, missing, &body);
    cJSON *json =
        *ret_code == CLI_DONE ? cJSON_ParseWithLength((const char *)body.data, body.size) : NULL;
    if (*ret_code == CLI_DONE && !json)
        *ret_code = say_error(CLI_FAILED, "no sane answer: the node: see its log");
    buf_fini(&body);
    return json;
}
