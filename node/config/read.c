/* Walks the YAML tree beside the schema: maps and lists here, single values in value.c. Every
 * refusal goes through begin(), so that all messages start with the place and the key. */
#include "node/config/read.h"

#include "node/config/found.h"
#include "node/config/value.h"

#include <stdio.h>

static void begin(struct reader *r, const struct yaml_item *item, struct bytes key)
{
    found_say(r->message, "%s:", r->where);
    if (r->has_lines)
        found_say(r->message, "%u:%u:", item->line, item->column);
    found_say(r->message, " %s", r->path);
    if (key.size > CONFIG_TEXT_MAX)
        key.size = CONFIG_TEXT_MAX;
    if (buf_append_json_escaped(r->message, key) == ERR_OK)
        found_say(r->message, ": ");
}

static void say_keys(struct reader *r, const char *section)
{
    const char *separator = "expected one of ";
    for (size_t i = 0; i < schema_count(); i++) {
        if (strcmp(schema_row(i)->section, section) != 0)
            continue;
        found_say(r->message, "%s%s", separator, schema_row(i)->key);
        separator = ", ";
    }
}

static enum err refuse_key(struct reader *r, const char *section, const struct yaml_item *item,
                           struct bytes key)
{
    const char *near = schema_near(section, key);
    begin(r, item, key);
    found_say(r->message, "unknown key; ");
    if (near)
        found_say(r->message, "did you mean %s%s?", r->path, near);
    else
        say_keys(r, section);
    return ERR_INVALID;
}

static enum err refuse_kind(struct reader *r, const struct yaml_item *item, struct bytes key,
                            const char *expected)
{
    begin(r, item, key);
    found_say(r->message, "expected %s, found %s", expected, yaml_item_describe(item));
    return ERR_INVALID;
}

static struct bytes text_of(const struct yaml_item *value)
{
    return yaml_item_is_null(value) ? BYTES("") : value->text;
}

static enum err refuse_value(struct reader *r, const struct yaml_item *item, struct bytes key,
                             const struct buf *why)
{
    begin(r, item, key);
    found_say(r->message, "%.*s", (int)why->size, (char *)why->data);
    return ERR_INVALID;
}

static enum err read_scalar(struct reader *r, const struct schema_row *row,
                            const struct yaml_item *value, struct bytes key, void *owner)
{
    if (value->kind != YAML_SCALAR)
        return refuse_kind(r, value, key, "one value");
    uint8_t storage[512];
    struct buf why;
    buf_init_fixed(&why, storage, sizeof(storage));
    if (value_parse(row, text_of(value), value->quoted, owner, &why) == ERR_OK)
        return ERR_OK;
    return refuse_value(r, value, key, &why);
}

static enum err refuse_duplicates(struct reader *r, const struct yaml_item *map)
{
    for (const struct yaml_item *a = map->first; a; a = a->next) {
        for (const struct yaml_item *b = map->first; b != a; b = b->next) {
            if (!bytes_equal(a->key->text, b->key->text))
                continue;
            begin(r, a->key, a->key->text);
            found_say(r->message, "given twice, first in line %u", b->key->line);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static enum err read_row(struct reader *r, const struct schema_row *row,
                         const struct yaml_item *value, void *owner);

static enum err read_map(struct reader *r, const char *section, const struct yaml_item *map,
                         void *owner)
{
    TRY(refuse_duplicates(r, map));
    for (const struct yaml_item *value = map->first; value; value = value->next) {
        const struct schema_row *row = schema_find(section, value->key->text);
        if (!row)
            return refuse_key(r, section, value->key, value->key->text);
        TRY(read_row(r, row, value, owner));
    }
    return ERR_OK;
}

static enum err read_peers(struct reader *r, const struct schema_row *row,
                           const struct yaml_item *list)
{
    static const struct schema_row peer = {.key = "peers", .type = SCHEMA_PEER};
    size_t count = 0;
    for (const struct yaml_item *item = list->first; item; item = item->next) {
        if (count == CONFIG_PEERS_MAX) {
            begin(r, item, bytes_from_str(row->key));
            found_say(r->message, "at most %d peers", CONFIG_PEERS_MAX);
            return ERR_INVALID;
        }
        TRY(read_scalar(r, &peer, item, bytes_from_str(row->key), r->config->peers[count]));
        count++;
    }
    r->config->peer_count = count;
    return ERR_OK;
}

static enum err read_label(struct reader *r, const struct yaml_item *value,
                           struct config_label *ret_label)
{
    uint8_t storage[512];
    struct buf why;
    struct bytes key = value->key->text;
    buf_init_fixed(&why, storage, sizeof(storage));
    if (value_parse_label_key(key, ret_label->key, &why) != ERR_OK)
        return refuse_value(r, value->key, key, &why);
    if (value->kind != YAML_SCALAR)
        return refuse_kind(r, value, key, "one value");
    if (value_parse_label(text_of(value), ret_label->value, &why) != ERR_OK)
        return refuse_value(r, value, key, &why);
    return ERR_OK;
}

static enum err read_labels(struct reader *r, const struct yaml_item *map)
{
    size_t count = 0;
    TRY(refuse_duplicates(r, map));
    for (const struct yaml_item *value = map->first; value; value = value->next) {
        if (count == CONFIG_LABELS_MAX) {
            begin(r, value->key, value->key->text);
            found_say(r->message, "at most %d labels", CONFIG_LABELS_MAX);
            return ERR_INVALID;
        }
        TRY(read_label(r, value, &r->config->labels[count]));
        count++;
    }
    r->config->label_count = count;
    return ERR_OK;
}

/* Their messages are of "node.labels.", and the section's other rows come after it. */
static enum err read_labels_row(struct reader *r, const struct schema_row *row,
                                const struct yaml_item *value)
{
    if (value->kind != YAML_MAP && !yaml_item_is_null(value))
        return refuse_kind(r, value, bytes_from_str(row->key), "a mapping of keys to values");
    snprintf(r->path, sizeof(r->path), "%s.%s.", row->section, row->key);
    TRY(read_labels(r, value));
    snprintf(r->path, sizeof(r->path), "%s.", row->section);
    return ERR_OK;
}

void read_default_backend(struct config_backend *ret_backend)
{
    *ret_backend = (struct config_backend){0};
    for (size_t i = 0; i < schema_count(); i++) {
        const struct schema_row *row = schema_row(i);
        struct buf why;
        buf_init_fixed(&why, NULL, 0);
        if (strcmp(row->section, SCHEMA_IN_BACKEND) == 0 && row->default_text)
            CHECK(value_parse(row, bytes_from_str(row->default_text), false, ret_backend, &why) ==
                  ERR_OK);
    }
}

static enum err read_backend(struct reader *r, const struct yaml_item *item, size_t index)
{
    struct config_backend *backend = &r->config->backends[index];
    snprintf(r->path, sizeof(r->path), "backends[%zu].", index);
    if (item->kind != YAML_MAP)
        return refuse_kind(r, item, BYTES("name"), "a mapping with name and url");
    read_default_backend(backend);
    TRY(read_map(r, SCHEMA_IN_BACKEND, item, backend));
    if (backend->name[0] && backend->url[0])
        return ERR_OK;
    begin(r, item, backend->name[0] ? BYTES("url") : BYTES("name"));
    found_say(r->message, "missing; every backend needs a name and a url");
    return ERR_INVALID;
}

static enum err read_backends(struct reader *r, const struct schema_row *row,
                              const struct yaml_item *list)
{
    size_t count = 0;
    for (const struct yaml_item *item = list->first; item; item = item->next) {
        if (count == CONFIG_BACKENDS_MAX) {
            begin(r, item, bytes_from_str(row->key));
            found_say(r->message, "at most %d backends", CONFIG_BACKENDS_MAX);
            return ERR_INVALID;
        }
        TRY(read_backend(r, item, count));
        r->path[0] = 0;
        count++;
    }
    r->config->backend_count = count;
    return ERR_OK;
}

/* Nothing after the colon leaves a section at its defaults and a list empty. */
static enum err read_section(struct reader *r, const struct schema_row *row,
                             const struct yaml_item *value)
{
    if (yaml_item_is_null(value))
        return ERR_OK;
    if (value->kind != YAML_MAP)
        return refuse_kind(r, value, bytes_from_str(row->key), "a mapping of keys");
    snprintf(r->path, sizeof(r->path), "%s.", row->key);
    TRY(read_map(r, row->key, value, r->config));
    r->path[0] = 0;
    return ERR_OK;
}

static enum err read_row(struct reader *r, const struct schema_row *row,
                         const struct yaml_item *value, void *owner)
{
    if (row->type == SCHEMA_SECTION)
        return read_section(r, row, value);
    if (row->type == SCHEMA_LABELS)
        return read_labels_row(r, row, value);
    if (row->type != SCHEMA_PEERS && row->type != SCHEMA_BACKENDS)
        return read_scalar(r, row, value, bytes_from_str(row->key), owner);
    if (value->kind != YAML_LIST && !yaml_item_is_null(value))
        return refuse_kind(r, value, bytes_from_str(row->key), "a list");
    return row->type == SCHEMA_PEERS ? read_peers(r, row, value) : read_backends(r, row, value);
}

enum err read_document(struct reader *r, const struct yaml_item *root)
{
    if (yaml_item_is_null(root))
        return ERR_OK;
    if (root->kind == YAML_MAP)
        return read_map(r, "", root, r->config);
    found_say(r->message, "%s:%u:%u: expected keys such as node: and listen:, found %s", r->where,
              root->line, root->column, yaml_item_describe(root));
    return ERR_INVALID;
}

enum err read_assignment(struct reader *r, struct bytes key, const struct yaml_item *value)
{
    struct bytes head = bytes_of(key.data, bytes_find(key, '.'));
    const struct schema_row *row = schema_find("", head);
    if (!row || head.size == key.size)
        return row ? read_row(r, row, value, r->config) : refuse_key(r, "", value, head);
    struct bytes rest = bytes_skip(key, head.size + 1);
    if (row->type != SCHEMA_SECTION) {
        begin(r, value, key);
        found_say(r->message, "%s has no keys to set one by one; set it as a whole", row->key);
        return ERR_INVALID;
    }
    snprintf(r->path, sizeof(r->path), "%s.", row->key);
    const struct schema_row *inner = schema_find(row->key, rest);
    return inner ? read_row(r, inner, value, r->config) : refuse_key(r, row->key, value, rest);
}
