/* A file of documents: split where YAML begins a new one, each put under its kind; see
 * document.h. */
#include "node/cli/rules/document.h"

#include "node/config/found.h"

static const struct {
    const char *text;
    enum registry_kind kind;
} kinds[] = {
    {"Model", REGISTRY_MODEL},        {"Version", REGISTRY_VERSION}, {"Alias", REGISTRY_ALIAS},
    {"Tenant", REGISTRY_TENANT},      {"Quota", REGISTRY_QUOTA},     {"Price", REGISTRY_PRICE},
    {"RoutePolicy", REGISTRY_POLICY}, {"Strategy", REGISTRY_POLICY}, {"Setting", REGISTRY_SETTING},
    {"Cosign", REGISTRY_COSIGN},      {"Voters", REGISTRY_VOTERS},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static enum err refuse(const struct document_source *s, const struct yaml_item *item,
                       const char *key, const char *what)
{
    found_say(s->why, "%u:%u: %s: %s", item->line + s->line_offset, item->column, key, what);
    return ERR_INVALID;
}

struct parts {
    const struct yaml_item *api, *kind, *metadata, *spec, *tests;
};

static enum err take_parts(const struct document_source *s, const struct yaml_item *root,
                           struct parts *ret_parts)
{
    struct parts parts = {NULL, NULL, NULL, NULL, NULL};
    const struct {
        const char *key;
        const struct yaml_item **part;
    } rows[] = {{"apiVersion", &parts.api},
                {"kind", &parts.kind},
                {"metadata", &parts.metadata},
                {"spec", &parts.spec},
                {"tests", &parts.tests}};
    if (root->kind != YAML_MAP)
        return refuse(s, root, "document", "expected apiVersion, kind, metadata and spec");
    for (const struct yaml_item *item = root->first; item; item = item->next) {
        const struct yaml_item **part = NULL;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (bytes_equal(item->key->text, bytes_from_str(rows[i].key)))
                part = rows[i].part;
        if (!part)
            return refuse(s, item->key, "document",
                          "no such key here: apiVersion, kind, metadata and spec are");
        if (*part)
            return refuse(s, item->key, "document", "this key stands here twice");
        *part = item;
    }
    *ret_parts = parts;
    return ERR_OK;
}

static enum err find_kind(const struct document_source *s, const struct yaml_item *item,
                          const struct yaml_item *root, enum registry_kind *ret_kind)
{
    for (size_t i = 0; item && i < KINDS; i++)
        if (item->kind == YAML_SCALAR && bytes_equal(item->text, bytes_from_str(kinds[i].text))) {
            *ret_kind = kinds[i].kind;
            return ERR_OK;
        }
    refuse(s, item ? item : root, "kind", "expected");
    for (size_t i = 0; i < KINDS; i++)
        found_say(s->why, "%s%s", i == 0 ? " " : i + 1 == KINDS ? " or " : ", ", kinds[i].text);
    return ERR_INVALID;
}

/* Its text is the document; only its name is looked at here. */
static enum err read_policy(const struct document_source *s, const struct parts *parts,
                            const struct yaml_item *root, struct registry_op *op)
{
    static const char expected[] = "a policy needs metadata: {name: ...}";
    const struct yaml_item *name = parts->metadata ? parts->metadata->first : NULL;
    if (!name || parts->metadata->kind != YAML_MAP || name->next || name->kind != YAML_SCALAR ||
        !bytes_equal(name->key->text, BYTES("name")))
        return refuse(s, parts->metadata ? parts->metadata : root, "metadata", expected);
    op->doc.policy.name = name->text;
    op->doc.policy.document = s->text;
    return ERR_OK;
}

static enum err read_document(const struct document_source *s, const struct yaml_item *root,
                              struct registry_op *op)
{
    struct parts parts;
    TRY(take_parts(s, root, &parts));
    if (!parts.api || parts.api->kind != YAML_SCALAR ||
        !bytes_equal(parts.api->text, BYTES(DOCUMENT_API)))
        return refuse(s, parts.api ? parts.api : root, "apiVersion", "expected " DOCUMENT_API);
    *op = (struct registry_op){.verb = REGISTRY_PUT};
    TRY(find_kind(s, parts.kind, root, &op->kind));
    if (op->kind == REGISTRY_POLICY)
        return read_policy(s, &parts, root, op);
    if (parts.tests)
        return refuse(s, parts.tests->key, "tests", "only policies have tests");
    const struct registry_group *group = &registry_schema(op->kind)->group;
    if (parts.metadata)
        TRY(document_read_map(s, group, parts.metadata, &op->doc));
    return parts.spec ? document_read_map(s, group, parts.spec, &op->doc) : ERR_OK;
}

static enum err read_one(struct document_source *s, struct registry_op *op, bool *ret_is_empty)
{
    const struct yaml_item *root;
    struct yaml_problem problem;
    enum err e = yaml_tree_parse(s->text, s->arena, &root, &problem);
    if (e == ERR_INVALID || e == ERR_LIMIT)
        found_say(s->why, "%u:%u: %s", problem.line + s->line_offset, problem.column, problem.text);
    TRY(e);
    *ret_is_empty = yaml_item_is_null(root);
    return *ret_is_empty ? ERR_OK : read_document(s, root, op);
}

enum err document_read_all(struct bytes yaml, uint64_t now_ms, struct arena *arena,
                           struct registry_op *ret_ops, size_t max, size_t *ret_count,
                           struct buf *why)
{
    struct document_source s = {.now_ms = now_ms, .arena = arena, .why = why};
    size_t count = 0;
    if (yaml.size > DOCUMENT_FILE_MAX) {
        found_say(why, "larger than 1 MiB: apply it in parts");
        return ERR_LIMIT;
    }
    while (yaml.size > 0) {
        unsigned lines;
        struct registry_op op;
        bool is_empty;
        s.text = yaml_next_document(yaml, &lines);
        TRY(read_one(&s, &op, &is_empty));
        if (!is_empty && count == max) {
            found_say(why, "%u:1: more than %zu documents: apply them in parts", s.line_offset + 1,
                      max);
            return ERR_LIMIT;
        }
        if (!is_empty)
            ret_ops[count++] = op;
        s.line_offset += lines;
        yaml = bytes_skip(yaml, s.text.size);
    }
    *ret_count = count;
    return ERR_OK;
}
