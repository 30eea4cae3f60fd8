/* Mistakes with their place, mappings by tables of keys, single values; see document_read.h. */
#include "policy/document_read.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "policy/cel_text.h"

#define SHOWN_MAX 40 /* bytes of a wrong value that a mistake repeats */
#define NEAR_MAX 3   /* letters apart is another word */

/* For terminals: what a document says may have been cut, or be made of control characters. */
static void make_plain(char *text)
{
    for (struct bytes rest = bytes_from_str(text); rest.size;) {
        size_t size = utf8_size(rest);
        if (size == 0 || rest.data[0] < ' ' || rest.data[0] == 0x7f)
            text[rest.data - (const uint8_t *)text] = '?';
        rest = bytes_skip(rest, size ? size : 1);
    }
}

static void keep_mistake(struct policy_mistakes *m, size_t source, uint32_t line, uint32_t column,
                         const char *path, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

static void keep_mistake(struct policy_mistakes *m, size_t source, uint32_t line, uint32_t column,
                         const char *path, const char *format, va_list args)
{
    if (m->count == POLICY_MISTAKES_MAX)
        return;
    struct policy_mistake *mistake = &m->items[m->count];
    m->source[m->count++] = source;
    mistake->line = line;
    mistake->column = column;
    int size = snprintf(mistake->text, sizeof mistake->text, "%s%s", path, path[0] ? ": " : "");
    vsnprintf(mistake->text + size, sizeof mistake->text - (size_t)size, format, args);
    make_plain(mistake->text);
}

void policy_mistake_at(struct policy_mistakes *mistakes, size_t source, uint32_t line,
                       uint32_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_mistake(mistakes, source, line, column, "", format, args);
    va_end(args);
}

void policy_mistake(struct policy_reader *r, const struct yaml_item *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_mistake(r->mistakes, r->source, at->line + r->line_offset, at->column, r->path, format,
                 args);
    va_end(args);
}

static bool stands_behind(const struct policy_mistakes *m, size_t a, size_t b)
{
    const struct policy_mistake *one = &m->items[a], *other = &m->items[b];
    if (m->source[a] != m->source[b])
        return m->source[a] > m->source[b];
    return one->line != other->line ? one->line > other->line : one->column > other->column;
}

void policy_mistakes_sort(struct policy_mistakes *m)
{
    for (size_t i = 1; i < m->count; i++)
        for (size_t k = i; k > 0 && stands_behind(m, k - 1, k); k--) {
            struct policy_mistake mistake = m->items[k];
            size_t source = m->source[k];
            m->items[k] = m->items[k - 1];
            m->source[k] = m->source[k - 1];
            m->items[k - 1] = mistake;
            m->source[k - 1] = source;
        }
}

void *policy_keep(struct policy_reader *r, size_t size)
{
    void *p = arena_calloc(r->making->arena, size);
    if (!p)
        r->failure = ERR_NO_MEMORY;
    return p;
}

struct bytes policy_keep_bytes(struct policy_reader *r, struct bytes text)
{
    struct bytes copy = arena_copy(r->making->arena, text);
    if (text.size && !copy.data) {
        r->failure = ERR_NO_MEMORY;
        return bytes_of(NULL, 0);
    }
    return copy;
}

size_t policy_path_down(struct policy_reader *r, struct bytes name, size_t index)
{
    size_t up = strlen(r->path), room = sizeof r->path - up;
    int shown = name.size < SHOWN_MAX ? (int)name.size : SHOWN_MAX;
    if (index == SIZE_MAX)
        snprintf(r->path + up, room, "%s%.*s", up ? "." : "", shown, (const char *)name.data);
    else
        snprintf(r->path + up, room, "[%zu]", index);
    return up;
}

void policy_path_up(struct policy_reader *r, size_t up)
{
    r->path[up] = 0;
}

/* --- single values */

static bool refuse(struct policy_reader *r, const struct yaml_item *item, const char *expected)
{
    int shown = item->text.size < SHOWN_MAX ? (int)item->text.size : SHOWN_MAX;
    if (item->kind == YAML_SCALAR && !yaml_item_is_null(item))
        policy_mistake(r, item, "expected %s, found %s%.*s%s", expected, item->quoted ? "\"" : "",
                       shown, (const char *)item->text.data, item->quoted ? "\"" : "");
    else
        policy_mistake(r, item, "expected %s, found %s", expected, yaml_item_describe(item));
    return false;
}

bool policy_read_scalar(struct policy_reader *r, const struct yaml_item *item,
                        struct bytes *ret_text)
{
    if (item->kind != YAML_SCALAR || yaml_item_is_null(item))
        return refuse(r, item, "text");
    *ret_text = item->text;
    return true;
}

bool policy_read_name(struct policy_reader *r, const struct yaml_item *item, struct bytes *ret)
{
    struct bytes text;
    if (!policy_read_scalar(r, item, &text))
        return false;
    bool is_name = text.size > 0 && text.size <= POLICY_NAME_MAX;
    for (size_t i = 0; i < text.size && is_name; i++)
        is_name =
            text.data[i] > ' ' && text.data[i] <= '~' && text.data[i] != '=' && text.data[i] != ',';
    if (!is_name)
        return refuse(r, item, "a name of visible ASCII, no space, = or ,");
    *ret = policy_keep_bytes(r, text);
    return true;
}

bool policy_read_bool(struct policy_reader *r, const struct yaml_item *item, bool *ret)
{
    bool is_true = bytes_equal(item->text, BYTES("true"));
    bool is_bool = is_true || bytes_equal(item->text, BYTES("false"));
    if (item->kind != YAML_SCALAR || item->quoted || !is_bool)
        return refuse(r, item, "true or false");
    *ret = is_true;
    return true;
}

bool policy_read_count(struct policy_reader *r, const struct yaml_item *item, uint64_t min,
                       uint64_t max, uint64_t *ret)
{
    char expected[80];
    uint64_t value;
    snprintf(expected, sizeof expected, "a whole number, %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    if (item->kind != YAML_SCALAR || item->quoted || !bytes_to_u64(item->text, &value) ||
        value < min || value > max)
        return refuse(r, item, expected);
    *ret = value;
    return true;
}

bool policy_read_real(struct policy_reader *r, const struct yaml_item *item, double min, double max,
                      double *ret)
{
    char expected[80];
    double value;
    snprintf(expected, sizeof expected, "a number, %g to %g", min, max);
    if (item->kind != YAML_SCALAR || item->quoted || !policy_cel_parse_double(item->text, &value) ||
        !(value >= min && value <= max))
        return refuse(r, item, expected);
    *ret = value;
    return true;
}

bool policy_read_duration(struct policy_reader *r, const struct yaml_item *item, int64_t *ret_ms)
{
    struct cel_value v;
    if (item->kind != YAML_SCALAR ||
        policy_cel_parse_time(CEL_DURATION, item->text, &v) != ERR_OK || v.integer < 1000000)
        return refuse(r, item, "a duration of at least a millisecond, such as 50ms or 1m30s");
    *ret_ms = v.integer / 1000000;
    return true;
}

/* --- mappings and lists */

static const struct policy_key *find_key(const struct policy_key *keys, size_t count,
                                         struct bytes name)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(name, bytes_from_str(keys[i].name)))
            return &keys[i];
    return NULL;
}

static void refuse_key(struct policy_reader *r, const struct yaml_item *key,
                       const struct policy_key *keys, size_t count)
{
    const char *near = NULL;
    char all[200] = "";
    unsigned best = NEAR_MAX;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = bytes_distance(key->text, bytes_from_str(keys[i].name));
        near = distance < best ? keys[i].name : near;
        best = distance < best ? distance : best;
        size_t size = strlen(all);
        snprintf(all + size, sizeof all - size, "%s%s", i ? ", " : "", keys[i].name);
    }
    size_t up = policy_path_down(r, key->text, SIZE_MAX);
    if (near)
        policy_mistake(r, key, "no such key; did you mean %s?", near);
    else
        policy_mistake(r, key, "no such key; there are %s", all);
    policy_path_up(r, up);
}

const struct yaml_item *policy_stands_before(const struct yaml_item *map,
                                             const struct yaml_item *item)
{
    for (const struct yaml_item *other = map->first; other != item; other = other->next)
        if (bytes_equal(other->key->text, item->key->text))
            return other;
    return NULL;
}

static void read_typed(struct policy_reader *r, const struct yaml_item *item,
                       const struct policy_key *key, void *owner)
{
    void *field = (uint8_t *)owner + key->offset;
    switch (key->type) {
    case POLICY_KEY_OWN: key->read(r, item, owner); break;
    case POLICY_KEY_ITEM: *(const struct yaml_item **)field = item; break;
    case POLICY_KEY_NAME: policy_read_name(r, item, field); break;
    case POLICY_KEY_BOOL: policy_read_bool(r, item, field); break;
    case POLICY_KEY_REAL: policy_read_real(r, item, key->min, key->max, field); break;
    case POLICY_KEY_COUNT:
        policy_read_count(r, item, (uint64_t)key->min, (uint64_t)key->max, field);
        break;
    case POLICY_KEY_DURATION: policy_read_duration(r, item, field); break;
    }
}

static void read_value(struct policy_reader *r, const struct yaml_item *map,
                       const struct yaml_item *item, const struct policy_key *keys, size_t count,
                       void *owner)
{
    const struct policy_key *key = find_key(keys, count, item->key->text);
    const struct yaml_item *before = key ? policy_stands_before(map, item) : NULL;
    if (!key) {
        refuse_key(r, item->key, keys, count);
        return;
    }
    size_t up = policy_path_down(r, item->key->text, SIZE_MAX);
    if (before)
        policy_mistake(r, item->key, "stands here twice, first in line %u",
                       before->key->line + r->line_offset);
    else
        read_typed(r, item, key, owner);
    policy_path_up(r, up);
}

void policy_read_map(struct policy_reader *r, const struct yaml_item *map,
                     const struct policy_key *keys, size_t count, void *owner)
{
    if (map->kind != YAML_MAP) {
        policy_mistake(r, map, "expected a mapping, found %s", yaml_item_describe(map));
        return;
    }
    for (const struct yaml_item *item = map->first; item; item = item->next)
        read_value(r, map, item, keys, count, owner);
    for (size_t i = 0; i < count; i++) {
        bool is_there = !keys[i].is_needed;
        for (const struct yaml_item *item = map->first; item && !is_there; item = item->next)
            is_there = bytes_equal(item->key->text, bytes_from_str(keys[i].name));
        if (!is_there)
            policy_mistake(r, map, "%s is missing", keys[i].name);
    }
}

bool policy_read_list(struct policy_reader *r, const struct yaml_item *list, size_t max,
                      void (*read)(struct policy_reader *r, const struct yaml_item *item,
                                   size_t index, void *owner),
                      void *owner)
{
    size_t index = 0;
    if (list->kind != YAML_LIST || !list->first) {
        policy_mistake(r, list, "expected a list, found %s",
                       list->kind == YAML_LIST ? "an empty one" : yaml_item_describe(list));
        return false;
    }
    for (const struct yaml_item *item = list->first; item; item = item->next, index++) {
        size_t up = policy_path_down(r, BYTES(""), index);
        if (index == max)
            policy_mistake(r, item, "one too many: there may be %zu", max);
        if (index < max)
            read(r, item, index, owner);
        policy_path_up(r, up);
        if (index == max)
            return false;
    }
    return true;
}
