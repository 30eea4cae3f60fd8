/* Signed commands in files, on their way from administrator to administrator: `command cosign`,
 * `command send`, `command show`. */
#include "node/admin/commands.h"
#include "node/cli/dir/nodedir.h"
#include "node/cli/rules/order.h"

#include <stdio.h>

struct file {
    struct buf wire;
    struct arena arena;
    struct registry_signed command;
};

static void init(struct file *f)
{
    buf_init(&f->wire, REGISTRY_COMMAND_MAX);
    arena_init(&f->arena, REGISTRY_ARENA_MAX);
}

static void fini(struct file *f)
{
    arena_fini(&f->arena);
    buf_fini(&f->wire);
}

static enum cli_exit load(struct file *f, const char *path)
{
    enum err e = files_read(path, &f->wire);
    if (e != ERR_OK)
        return say_file_error(e, path);
    e = registry_command_decode(buf_bytes(&f->wire), &f->arena, &f->command);
    if (e != ERR_OK)
        return say_error(CLI_FAILED, "no command (%s): %s: give a file that --out wrote",
                         err_text(e), path);
    if (registry_command_verify(&f->command) != ERR_OK)
        return say_error(CLI_REFUSED, "the signature does not verify: %s: it was altered", path);
    return CLI_DONE;
}

/* --- cosign */

static enum cli_exit cosign(const struct cli *cli, const struct file *f, struct buf *out)
{
    struct keyfile admin = {.chain_size = 0};
    uint8_t key[CRYPTO_PUBLIC_SIZE], secret[CRYPTO_SECRET_SIZE];
    enum cli_exit code = nodedir_load_admin(&cli->flags, &admin);
    if (code != CLI_DONE)
        return code;
    crypto_sign_keypair_from_seed(admin.seed, key, secret);
    enum err e = registry_command_cosign(buf_bytes(&f->wire), secret, out);
    crypto_wipe(secret, sizeof secret);
    keyfile_wipe(&admin);
    if (e == ERR_EXISTS)
        return say_error(CLI_REFUSED, "signed by this key already: %s: another's is needed",
                         cli->flags.words[0]);
    return e == ERR_OK
               ? CLI_DONE
               : say_error(CLI_FAILED, "not signed: %s: %s", cli->flags.words[0], err_text(e));
}

enum cli_exit cli_command_cosign(const struct cli *cli)
{
    struct file f;
    struct buf out;
    const char *path = flags_get(&cli->flags, "--out");
    if (!path)
        return say_error(CLI_USAGE, "needed: --out FILE: where the command with both goes");
    init(&f);
    buf_init(&out, REGISTRY_COMMAND_MAX);
    enum cli_exit code = load(&f, cli->flags.words[0]);
    if (code == CLI_DONE)
        code = cosign(cli, &f, &out);
    if (code == CLI_DONE) {
        enum err e = files_write_new(path, buf_bytes(&out), 0600);
        code = e == ERR_OK ? CLI_DONE : say_file_error(e, path);
    }
    if (code == CLI_DONE)
        printf("cosigned: %s\n", path);
    buf_fini(&out);
    fini(&f);
    return code;
}

enum cli_exit cli_command_send(const struct cli *cli)
{
    struct file f;
    init(&f);
    enum cli_exit code = load(&f, cli->flags.words[0]);
    if (code == CLI_DONE)
        code = order_send_signed(cli, buf_bytes(&f.wire), "done");
    fini(&f);
    return code;
}

/* --- show: what one is asked to sign */

enum cli_exit cli_command_show(const struct cli *cli)
{
    struct file f;
    struct buf out;
    init(&f);
    buf_init(&out, 8 * REGISTRY_COMMAND_MAX);
    enum cli_exit code = load(&f, cli->flags.words[0]);
    if (code == CLI_DONE && commands_json(&f.command, &out) != ERR_OK)
        code =
            say_error(CLI_FAILED, "too long to print: %s: send it as it is", cli->flags.words[0]);
    if (code == CLI_DONE)
        printf("%.*s\n", (int)out.size, (const char *)out.data);
    buf_fini(&out);
    fini(&f);
    return code;
}
