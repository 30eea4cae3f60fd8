/* One field from text, by the registry's table; see document.h. Whether a whole document is right
 * is the registry's to say (registry_command_sign). */
#include "node/cli/rules/document.h"

#include "node/config/found.h"
#include "node/config/value.h"

#define NUMBER_TEXT_MAX 32

struct place { /* a field of a struct that the table describes */
    const struct registry_field *field;
    void *owner;
    uint64_t now_ms;
    struct arena *arena;
    struct buf *why;
};

static void *member(const struct place *p)
{
    return (uint8_t *)p->owner + p->field->offset;
}

static size_t *count_of(const struct place *p)
{
    return (size_t *)(void *)((uint8_t *)p->owner + p->field->count_offset);
}

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

/* --- single values */

static enum err set_text(const struct place *p, struct bytes text, struct bytes *ret_text)
{
    if (text.size > p->field->max && p->field->type < REGISTRY_TYPE_LABELS)
        return found_refuse(p->why, "expected a shorter text", text);
    *ret_text = arena_copy(p->arena, text);
    return text.size > 0 && !ret_text->data ? ERR_NO_MEMORY : ERR_OK;
}

static enum err set_number(const struct place *p, struct bytes text)
{
    uint64_t *number = member(p);
    const char *name = p->field->name;
    if (bytes_to_u64(text, number))
        return ERR_OK;
    if (ends_with(name, "_bytes"))
        return value_parse_size(text, number)
                   ? ERR_OK
                   : found_refuse(p->why, "expected a size such as 80GiB", text);
    if (!ends_with(name, "not_after_ms"))
        return found_refuse(p->why, "expected a whole number", text);
    if (!value_parse_duration(text, number))
        return found_refuse(p->why, "expected how long from now, such as 90d", text);
    *number += p->now_ms;
    return ERR_OK;
}

static enum err refuse_word(const struct place *p, struct bytes text)
{
    char expected[160] = "expected ";
    size_t used = strlen(expected);
    for (size_t i = 0; p->field->words[i]; i++) {
        const char *word = p->field->words[i];
        if (word[0] && used + strlen(word) + 3 < sizeof expected) {
            bool is_first = used == sizeof("expected ") - 1;
            memcpy(expected + used, is_first ? "" : ", ", is_first ? 0 : 2);
            used += is_first ? 0 : 2;
            memcpy(expected + used, word, strlen(word) + 1);
            used += strlen(word);
        }
    }
    return found_refuse(p->why, expected, text);
}

static enum err set_word(const struct place *p, struct bytes text)
{
    for (uint32_t i = 0; p->field->words[i]; i++)
        if (text.size > 0 && bytes_equal(text, bytes_from_str(p->field->words[i]))) {
            *(uint32_t *)member(p) = i;
            return ERR_OK;
        }
    return refuse_word(p, text);
}

static enum err set_digest(const struct place *p, struct bytes text)
{
    struct bytes hex = bytes_starts_with(text, BYTES("sha256:")) ? bytes_skip(text, 7) : text;
    if (crypto_hex_decode(hex, member(p), 32) == ERR_OK)
        return ERR_OK;
    return found_refuse(p->why, "expected the 64 hex digits of a SHA-256", text);
}

static enum err set_key(const struct place *p, struct bytes text)
{
    struct buf out;
    buf_init_fixed(&out, member(p), CRYPTO_PUBLIC_SIZE);
    if (crypto_base64_decode(text, &out) == ERR_OK && out.size == CRYPTO_PUBLIC_SIZE)
        return ERR_OK;
    return found_refuse(p->why, "expected a key, 43 characters of base64url", text);
}

static enum err set_id(const struct place *p, struct bytes text)
{
    if (id_from_text(text, member(p)) == ERR_OK)
        return ERR_OK;
    return found_refuse(p->why, "expected an id, 32 hex digits", text);
}

/* --- lists of texts */

static enum err add_item(const struct place *p, struct bytes text)
{
    struct bytes *items = member(p);
    size_t *count = count_of(p);
    if (*count == p->field->max)
        return found_refuse(p->why, "expected fewer items", text);
    TRY(set_text(p, text, &items[*count]));
    ++*count;
    return ERR_OK;
}

static enum err set_items(const struct place *p, struct bytes text)
{
    *count_of(p) = 0;
    while (text.size > 0) {
        struct bytes item = bytes_of(text.data, bytes_find(text, ','));
        TRY(add_item(p, bytes_trim(item)));
        text = bytes_skip(text, item.size + 1);
    }
    return ERR_OK;
}

static enum err set_field(const struct place *p, struct bytes text)
{
    switch (p->field->type) {
    case REGISTRY_TYPE_LABEL:
    case REGISTRY_TYPE_NAME:
    case REGISTRY_TYPE_TEXT:
    case REGISTRY_TYPE_DOCUMENT: return set_text(p, text, member(p));
    case REGISTRY_TYPE_ID: return set_id(p, text);
    case REGISTRY_TYPE_KEY: return set_key(p, text);
    case REGISTRY_TYPE_DIGEST: return set_digest(p, text);
    case REGISTRY_TYPE_NUMBER: return set_number(p, text);
    case REGISTRY_TYPE_WORD: return set_word(p, text);
    case REGISTRY_TYPE_LABELS:
    case REGISTRY_TYPE_NAMES: return set_items(p, text);
    case REGISTRY_TYPE_GROUPS: return found_refuse(p->why, "expected a list of mappings", text);
    }
    return ERR_INTERNAL;
}

static const struct registry_field *find(const struct registry_group *group, struct bytes name)
{
    for (size_t i = 0; i < group->field_count; i++) {
        const struct registry_field *f = &group->fields[i];
        if (!(f->flags & REGISTRY_ANSWERED) && bytes_equal(name, bytes_from_str(f->name)))
            return f;
    }
    return NULL;
}

enum err document_set(enum registry_kind kind, union registry_document *document,
                      struct bytes field, struct bytes text, uint64_t now_ms, struct arena *arena,
                      struct buf *why)
{
    const struct registry_schema *schema = registry_schema(kind);
    struct place p = {.owner = document, .now_ms = now_ms, .arena = arena, .why = why};
    CHECK(schema != NULL);
    p.field = find(&schema->group, field);
    return p.field ? set_field(&p, text) : ERR_NOT_FOUND;
}

/* --- YAML trees */

static enum err at(const struct document_source *s, const struct yaml_item *item)
{
    const struct yaml_item *place = item->key ? item->key : item;
    found_say(s->why, "%u:%u: ", place->line + s->line_offset, place->column);
    if (item->key)
        found_say(s->why, "%.*s: ", (int)item->key->text.size, (const char *)item->key->text.data);
    return ERR_INVALID;
}

static const char *near_field(const struct registry_group *group, struct bytes name)
{
    const char *near = NULL;
    unsigned best = 3; /* more than two letters apart is another word */
    for (size_t i = 0; i < group->field_count; i++) {
        unsigned distance = bytes_distance(name, bytes_from_str(group->fields[i].name));
        if (distance < best && !(group->fields[i].flags & REGISTRY_ANSWERED)) {
            best = distance;
            near = group->fields[i].name;
        }
    }
    return near;
}

static enum err refuse_unknown(const struct document_source *s, const struct registry_group *group,
                               const struct yaml_item *item)
{
    enum err e = at(s, item);
    const char *near = near_field(group, item->key->text);
    found_say(s->why, "no such field of %s", group->name);
    if (near)
        found_say(s->why, "; did you mean %s?", near);
    return e;
}

static enum err read_list(const struct document_source *s, const struct place *p,
                          const struct yaml_item *list)
{
    *count_of(p) = 0;
    for (const struct yaml_item *item = list->first; item; item = item->next) {
        size_t start = s->why->size;
        enum err e = item->kind == YAML_SCALAR ? add_item(p, item->text) : ERR_UNSUPPORTED;
        if (e == ERR_OK)
            continue;
        s->why->size = start;
        at(s, item);
        if (e == ERR_UNSUPPORTED)
            found_say(s->why, "expected a text, found %s", yaml_item_describe(item));
        return e == ERR_UNSUPPORTED ? ERR_INVALID : add_item(p, item->text);
    }
    return ERR_OK;
}

static enum err read_groups(const struct document_source *s, const struct place *p,
                            const struct yaml_item *list)
{
    size_t *count = count_of(p);
    *count = 0;
    for (const struct yaml_item *item = list->first; item; item = item->next) {
        if (*count == p->field->max) {
            at(s, item);
            found_say(s->why, "more than %llu items", (unsigned long long)p->field->max);
            return ERR_INVALID;
        }
        uint8_t *owner = (uint8_t *)member(p) + *count * p->field->group->size;
        TRY(document_read_map(s, p->field->group, item, owner));
        ++*count;
    }
    return ERR_OK;
}

static enum err read_value(const struct document_source *s, const struct place *p,
                           const struct yaml_item *item)
{
    bool is_list = p->field->type >= REGISTRY_TYPE_LABELS;
    if (is_list && item->kind == YAML_LIST)
        return p->field->type == REGISTRY_TYPE_GROUPS ? read_groups(s, p, item)
                                                      : read_list(s, p, item);
    size_t start = s->why->size;
    if (item->kind == YAML_SCALAR && set_field(p, item->text) == ERR_OK)
        return ERR_OK;
    s->why->size = start; /* again, behind its place */
    at(s, item);
    if (item->kind == YAML_SCALAR)
        return set_field(p, item->text);
    found_say(s->why, "expected %s, found %s", is_list ? "a list" : "a text",
              yaml_item_describe(item));
    return ERR_INVALID;
}

static bool stands_before(const struct yaml_item *map, const struct yaml_item *item)
{
    for (const struct yaml_item *other = map->first; other != item; other = other->next)
        if (bytes_equal(other->key->text, item->key->text))
            return true;
    return false;
}

enum err document_read_map(const struct document_source *s, const struct registry_group *group,
                           const struct yaml_item *map, void *owner)
{
    struct place p = {.owner = owner, .now_ms = s->now_ms, .arena = s->arena, .why = s->why};
    if (map->kind != YAML_MAP) {
        at(s, map);
        found_say(s->why, "expected a mapping of %s, found %s", group->name,
                  yaml_item_describe(map));
        return ERR_INVALID;
    }
    for (const struct yaml_item *item = map->first; item; item = item->next) {
        if (stands_before(map, item)) {
            at(s, item);
            found_say(s->why, "stands here twice");
            return ERR_INVALID;
        }
        p.field = find(group, item->key->text);
        if (!p.field)
            return refuse_unknown(s, group, item);
        TRY(read_value(s, &p, item));
    }
    return ERR_OK;
}
