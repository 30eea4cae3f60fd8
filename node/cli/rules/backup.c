/* `snapshot save`: the rules of the mesh as one file, from a running node. `snapshot restore` and
 * `recover`: a mesh out of that file, or out of one node's log, when the voters are lost. Both work
 * on a directory in which no node runs. */
#include "node/cli/clock.h"
#include "node/cli/control.h"
#include "node/cli/dir/boot.h"
#include "node/cli/dir/nodedir.h"
#include "node/rules/rules.h"

#include <stdio.h>

#define MESSAGE_MAX 512
#define SNAPSHOT_MAX (512u * 1024 * 1024)

/* --- save */

enum cli_exit cli_snapshot_save(const struct cli *cli)
{
    const char *path = cli->flags.words[0];
    struct buf body;
    buf_init(&body, SNAPSHOT_MAX);
    enum cli_exit code = control_get(cli, "/mesh/v1/snapshot", NULL, &body);
    enum err e = code == CLI_DONE ? files_write_new(path, buf_bytes(&body), 0600) : ERR_OK;
    if (e != ERR_OK)
        code = say_file_error(e, path);
    if (code == CLI_DONE && cli->json)
        printf("{\"file\":\"%s\",\"bytes\":%zu}\n", path, body.size);
    else if (code == CLI_DONE)
        printf("saved %zu bytes: %s\n", body.size, path);
    buf_fini(&body);
    return code;
}

/* --- offline */

struct offline {
    char dir[FILES_PATH_MAX], data[FILES_PATH_MAX], text[MESSAGE_MAX];
    struct identity identity;
    struct boot boot; /* its lock keeps a running node out */
    struct buf message;
};

static enum cli_exit open_offline(const struct cli *cli, struct offline *o)
{
    enum cli_exit code = nodedir_find(&cli->flags, o->dir);
    if (code == CLI_DONE && !flags_has(&cli->flags, "--yes"))
        code = say_error(CLI_USAGE,
                         "this begins a new history: %s: read raft/README.md, make sure that no "
                         "former voter runs, and say --yes",
                         o->dir);
    if (code == CLI_DONE && files_join(o->dir, NODEDIR_DATA, o->data) != ERR_OK)
        code = say_file_error(ERR_LIMIT, o->dir);
    if (code == CLI_DONE)
        code = nodedir_load_identity(o->dir, clock_now_ms(), &o->identity);
    if (code == CLI_DONE)
        code = boot_open(o->dir, &o->boot);
    buf_init_fixed(&o->message, (uint8_t *)o->text, sizeof o->text - 1);
    return code;
}

static void close_offline(struct offline *o)
{
    boot_close(&o->boot);
    identity_wipe(&o->identity);
}

static enum cli_exit say_failure(struct offline *o, enum err e, const char *what)
{
    o->text[o->message.size] = 0;
    if (o->message.size > 0)
        return say_error(CLI_FAILED, "not recovered: %s", o->text);
    return say_error(CLI_FAILED, "not recovered (%s): %s: %s", err_text(e), o->data, what);
}

static void print(const struct cli *cli, const struct rules_recovered *r)
{
    if (cli->json)
        printf("{\"index\":%llu,\"term\":%llu,\"voters_before\":%zu}\n",
               (unsigned long long)r->index, (unsigned long long)r->term, r->voter_count);
    else
        printf("this node alone votes from now on: the new history begins at index %llu, term "
               "%llu\nrun it, then: grapevine voters auto 3; former voters, and nodes that were "
               "further, "
               "start with empty data directories\n",
               (unsigned long long)r->index, (unsigned long long)r->term);
}

enum cli_exit cli_recover(const struct cli *cli)
{
    struct offline o = {.message.size = 0};
    struct rules_recovered recovered = {.voter_count = 0};
    enum cli_exit code = open_offline(cli, &o);
    if (code == CLI_DONE) {
        enum err e = rules_recover(o.data, &o.identity, &o.message, &recovered);
        if (e == ERR_NOT_FOUND)
            code = say_failure(&o, e,
                               "this node never voted: take a voter's directory, or a "
                               "snapshot");
        else if (e != ERR_OK)
            code = say_failure(&o, e, "take another voter's directory, or a snapshot");
    }
    if (code == CLI_DONE)
        print(cli, &recovered);
    close_offline(&o);
    return code;
}

/* --- restore */

struct parts {
    struct bytes whole, rest;
};

static enum err read_part(void *ctx, struct buf *out)
{
    struct parts *p = ctx;
    size_t size = p->rest.size < RULES_RESTORE_PART_MAX ? p->rest.size : RULES_RESTORE_PART_MAX;
    TRY(buf_append(out, bytes_of(p->rest.data, size)));
    p->rest = bytes_skip(p->rest, size);
    return ERR_OK;
}

static enum err rewind_parts(void *ctx)
{
    struct parts *p = ctx;
    p->rest = p->whole;
    return ERR_OK;
}

static enum cli_exit restore(const struct cli *cli, struct offline *o, struct bytes whole)
{
    struct parts parts = {whole, whole};
    struct rules_recovered restored = {.voter_count = 0};
    enum err e = rules_restore(o->data, &o->identity, read_part, rewind_parts, &parts, &o->message,
                               &restored);
    if (e == ERR_EXISTS)
        return say_failure(o, e, "move its raft, registry and snapshots folders away first");
    if (e != ERR_OK)
        return say_failure(o, e, "is that a whole snapshot of this mesh?");
    print(cli, &restored);
    return CLI_DONE;
}

enum cli_exit cli_snapshot_restore(const struct cli *cli)
{
    struct offline o = {.message.size = 0};
    struct buf whole;
    const char *path = cli->flags.words[0];
    buf_init(&whole, SNAPSHOT_MAX);
    enum err e = files_read(path, &whole);
    enum cli_exit code = e == ERR_OK ? open_offline(cli, &o) : say_file_error(e, path);
    if (code == CLI_DONE)
        code = restore(cli, &o, buf_bytes(&whole));
    close_offline(&o);
    buf_fini(&whole);
    return code;
}
