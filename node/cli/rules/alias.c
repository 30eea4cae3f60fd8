/* `grapevine alias set NAME MODEL/VERSION=WEIGHT,...`: a name for several versions, by weight. */
#include "node/cli/rules/order.h"

struct targets {
    struct registry_target items[REGISTRY_TARGETS_MAX];
    size_t count;
};

static enum cli_exit refuse(const char *text)
{
    return say_error(CLI_USAGE,
                     "not weighted versions: %.200s: write llama/v1=90,llama/v2=10, at most %d",
                     text, REGISTRY_TARGETS_MAX);
}

static bool read_target(struct bytes item, struct registry_target *t)
{
    struct bytes path = bytes_of(item.data, bytes_find(item, '='));
    size_t slash = path.size;
    while (slash > 0 && path.data[slash - 1] != '/')
        slash--;
    t->weight = 1;
    if (path.size < item.size && !bytes_to_u64(bytes_skip(item, path.size + 1), &t->weight))
        return false;
    t->model = bytes_of(path.data, slash ? slash - 1 : 0);
    t->version = bytes_skip(path, slash);
    return t->model.size > 0 && t->version.size > 0;
}

static enum cli_exit read_targets(const char *text, struct targets *t)
{
    for (struct bytes rest = bytes_from_str(text); rest.size > 0;) {
        struct bytes item = bytes_of(rest.data, bytes_find(rest, ','));
        if (t->count == REGISTRY_TARGETS_MAX || !read_target(bytes_trim(item), &t->items[t->count]))
            return refuse(text);
        t->count++;
        rest = bytes_skip(rest, item.size + 1);
    }
    return t->count > 0 ? CLI_DONE : refuse(text);
}

enum cli_exit cli_alias_set(const struct cli *cli)
{
    struct targets t = {.count = 0};
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_ALIAS};
    enum cli_exit code = read_targets(cli->flags.words[1], &t);
    if (code != CLI_DONE)
        return code;
    op.doc.alias.name = bytes_from_str(cli->flags.words[0]);
    memcpy(op.doc.alias.targets, t.items, sizeof t.items);
    op.doc.alias.target_count = t.count;
    return order_send(cli, &op, 1, "alias set");
}
