/* `grapevine apply -f FILE`: all documents of a file in one command: all of them take effect, or
 * none. `policy apply` takes policies alone. */
#include "node/cli/clock.h"
#include "node/cli/dir/files.h"
#include "node/cli/gate.h"
#include "node/cli/rules/document.h"
#include "node/cli/rules/order.h"

#include <stdio.h>
#include <stdlib.h>

struct apply {
    const struct cli *cli;
    const char *path;
    struct buf yaml;
    struct arena arena;
    struct registry_op *ops; /* REGISTRY_OPS_MAX */
    size_t count;
};

static enum cli_exit read_documents(struct apply *a)
{
    char text[512];
    struct buf why;
    buf_init_fixed(&why, (uint8_t *)text, sizeof text - 1);
    enum err e = files_read(a->path, &a->yaml);
    if (e != ERR_OK)
        return say_file_error(e, a->path);
    e = document_read_all(buf_bytes(&a->yaml), clock_now_ms(), &a->arena, a->ops, REGISTRY_OPS_MAX,
                          &a->count, &why);
    text[why.size] = 0;
    if (e == ERR_NO_MEMORY)
        return say_error(CLI_FAILED, "%s: %s: apply it in parts", err_text(e), a->path);
    if (e != ERR_OK)
        return say_error(CLI_USAGE, "not applied: %s:%s", a->path, text);
    return a->count > 0 ? CLI_DONE
                        : say_error(CLI_USAGE, "no document: %s: nothing to apply", a->path);
}

static enum cli_exit refuse_others(const struct apply *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->ops[i].kind != REGISTRY_POLICY)
            return say_error(CLI_USAGE, "not a policy: %s: document %zu: use grapevine apply",
                             a->path, i + 1);
    return CLI_DONE;
}

static enum cli_exit apply(struct apply *a)
{
    char done[64];
    enum cli_exit code = read_documents(a);
    if (code == CLI_DONE && strcmp(a->cli->command->name, "policy apply") == 0)
        code = refuse_others(a);
    if (code == CLI_DONE)
        code = gate_policies(a->cli, a->ops, a->count, buf_bytes(&a->yaml), a->path);
    if (code != CLI_DONE)
        return code;
    snprintf(done, sizeof done, "%zu document%s applied", a->count, a->count == 1 ? "" : "s");
    return order_send(a->cli, a->ops, a->count, done);
}

enum cli_exit cli_apply(const struct cli *cli)
{
    struct apply a = {.cli = cli, .path = flags_get(&cli->flags, "-f")};
    if (!a.path)
        return say_error(CLI_USAGE, "needed: -f FILE: a file of documents, or - for stdin");
    a.ops = calloc(REGISTRY_OPS_MAX, sizeof *a.ops);
    buf_init(&a.yaml, DOCUMENT_FILE_MAX + 1);
    arena_init(&a.arena, DOCUMENT_ARENA_MAX);
    enum cli_exit code =
        a.ops ? apply(&a) : say_error(CLI_FAILED, "%s: try again", err_text(ERR_NO_MEMORY));
    arena_fini(&a.arena);
    buf_fini(&a.yaml);
    free(a.ops);
    return code;
}
