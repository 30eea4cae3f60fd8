/* `grapevine receipt get` and `receipt verify`. What makes a receipt valid is receipt_verify.c's.
 */
#include "node/cli/control.h"
#include "node/cli/dir/files.h"
#include "node/cli/observe/receipt_verify.h"
#include "node/cli/observe/request_id.h"
#include "node/trust/receipt_json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

enum cli_exit cli_receipt_get(const struct cli *cli)
{
    char target[REQUEST_ID_MAX + 64];
    char missing[REQUEST_ID_MAX + 128];
    struct buf body;
    const char *id = cli->flags.words[0];
    if (!cli_is_request_id(id))
        return say_error(CLI_USAGE, "not a request id: %.200s: give an answer's x-request-id", id);
    snprintf(target, sizeof(target), "/mesh/v1/receipts/%s", id);
    snprintf(missing, sizeof(missing),
             "no such receipt: %s: ask the node that the request entered, within 15 minutes", id);
    buf_init(&body, CONTROL_BODY_MAX);
    enum cli_exit code = control_get(cli, target, missing, &body);
    if (code == CLI_DONE) {
        fwrite(body.data, 1, body.size, stdout);
        if (body.size && body.data[body.size - 1] != '\n')
            putchar('\n');
    }
    buf_fini(&body);
    return code;
}

/* Base64url, as init prints it, or hex. */
static enum err parse_root(const char *text, uint8_t ret_root[CRYPTO_PUBLIC_SIZE])
{
    uint8_t storage[CRYPTO_PUBLIC_SIZE];
    struct buf out;
    struct bytes given = bytes_from_str(text);
    if (given.size == 2 * CRYPTO_PUBLIC_SIZE)
        return crypto_hex_decode(given, ret_root, CRYPTO_PUBLIC_SIZE);
    buf_init_fixed(&out, storage, sizeof(storage));
    if (crypto_base64_decode(given, &out) != ERR_OK || out.size != CRYPTO_PUBLIC_SIZE)
        return ERR_INVALID;
    memcpy(ret_root, storage, sizeof(storage));
    return ERR_OK;
}

static enum cli_exit print_report(const struct cli *cli, enum err e, const struct buf *report)
{
    if (!cli->json) {
        printf("%.*s%s", (int)report->size, (const char *)report->data,
               report->size && report->data[report->size - 1] == '\n' ? "" : "\n");
        return e == ERR_OK ? CLI_DONE : CLI_FAILED;
    }
    struct buf json;
    buf_init(&json, 8 * RECEIPT_VERIFY_REPORT_MAX);
    if (buf_printf(&json, "{\"valid\":%s,\"report\":\"", e == ERR_OK ? "true" : "false") ==
            ERR_OK &&
        buf_append_json_escaped(&json, buf_bytes(report)) == ERR_OK)
        printf("%.*s\"}\n", (int)json.size, (const char *)json.data);
    buf_fini(&json);
    return e == ERR_OK ? CLI_DONE : CLI_FAILED;
}

enum cli_exit cli_receipt_verify(const struct cli *cli)
{
    uint8_t root[CRYPTO_PUBLIC_SIZE];
    const char *path = cli->flags.words[0];
    const char *given = flags_get(&cli->flags, "--root");
    struct buf text;
    struct buf report;
    if (given && parse_root(given, root) != ERR_OK)
        return say_error(CLI_USAGE,
                         "not a public key: --root %.100s: give the one that init printed", given);
    buf_init(&text, RECEIPT_JSON_MAX + 1024);
    buf_init(&report, RECEIPT_VERIFY_REPORT_MAX);
    enum err e = files_read(path, &text);
    enum cli_exit code = e == ERR_OK ? CLI_DONE : say_file_error(e, path);
    if (code == CLI_DONE) {
        e = receipt_verify_json(buf_bytes(&text), given ? root : NULL, &report);
        code = print_report(cli, e, &report);
    }
    buf_fini(&text);
    buf_fini(&report);
    return code;
}
