/* libyaml's event stream folded into a tree of yaml_items. Only this file includes yaml.h of
 * libyaml; its marks count from 0, ours from 1. Recursion is bounded by YAML_DEPTH_MAX. Called by
 * whoever reads documents. */
#include "base/yaml.h"

#include <stdio.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    struct arena *arena;
    size_t item_count;
    struct yaml_problem *problem;
};

static enum err fail_at(struct builder *b, yaml_mark_t mark, enum err e, const char *text)
{
    b->problem->line = (unsigned)mark.line + 1;
    b->problem->column = (unsigned)mark.column + 1;
    snprintf(b->problem->text, sizeof(b->problem->text), "%s", text);
    return e;
}

static enum err fail_parser(struct builder *b)
{
    if (b->parser.error == YAML_MEMORY_ERROR)
        return ERR_NO_MEMORY;
    /* The reader (bad UTF-8, control characters) knows only an offset; the place is then where
     * parsing stood. */
    yaml_mark_t mark =
        b->parser.error == YAML_READER_ERROR ? b->parser.mark : b->parser.problem_mark;
    char text[sizeof(b->problem->text)];
    snprintf(text, sizeof(text), "not valid YAML: %s",
             b->parser.problem ? b->parser.problem : "malformed");
    return fail_at(b, mark, ERR_INVALID, text);
}

static enum err next_event(struct builder *b, yaml_event_t *ret_event)
{
    return yaml_parser_parse(&b->parser, ret_event) ? ERR_OK : fail_parser(b);
}

static enum err new_item(struct builder *b, const yaml_event_t *event, enum yaml_kind kind,
                         struct yaml_item **ret_item)
{
    if (++b->item_count > YAML_ITEMS_MAX)
        return fail_at(b, event->start_mark, ERR_LIMIT, "too many items for a document");
    struct yaml_item *item = arena_calloc(b->arena, sizeof(*item));
    if (!item)
        return ERR_NO_MEMORY;
    item->kind = kind;
    item->line = (unsigned)event->start_mark.line + 1;
    item->column = (unsigned)event->start_mark.column + 1;
    *ret_item = item;
    return ERR_OK;
}

/* Anchors and tags would let a document say more than what stands in it. */
static bool is_decorated(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT: return true;
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor || event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    default: return false;
    }
}

static enum err build_scalar(struct builder *b, const yaml_event_t *event,
                             struct yaml_item **ret_item)
{
    struct yaml_item *item;
    TRY(new_item(b, event, YAML_SCALAR, &item));
    item->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    item->text =
        arena_copy(b->arena, bytes_of(event->data.scalar.value, event->data.scalar.length));
    if (item->text.size && !item->text.data)
        return ERR_NO_MEMORY;
    *ret_item = item;
    return ERR_OK;
}

static enum err build_next(struct builder *b, int depth, struct yaml_item **ret_item);

/* The items up to the end event; in a map every value is linked, with its key hanging on it. */
static enum err build_children(struct builder *b, struct yaml_item *parent, int depth)
{
    struct yaml_item **tail = &parent->first;
    for (;;) {
        struct yaml_item *item;
        TRY(build_next(b, depth + 1, &item));
        if (!item)
            return ERR_OK;
        if (parent->kind == YAML_MAP) {
            struct yaml_item *key = item;
            if (key->kind != YAML_SCALAR) {
                yaml_mark_t mark = {0, key->line - 1, key->column - 1};
                return fail_at(b, mark, ERR_INVALID, "a key must be a word");
            }
            TRY(build_next(b, depth + 1, &item));
            CHECK(item); /* libyaml gives an empty scalar for a value that is missing */
            item->key = key;
        }
        *tail = item;
        tail = &item->next;
    }
}

static enum err build_event(struct builder *b, const yaml_event_t *event, int depth,
                            struct yaml_item **ret_item)
{
    if (is_decorated(event))
        return fail_at(b, event->start_mark, ERR_INVALID,
                       "aliases, anchors and tags are not supported here");
    if (event->type == YAML_SCALAR_EVENT)
        return build_scalar(b, event, ret_item);
    if (event->type != YAML_SEQUENCE_START_EVENT && event->type != YAML_MAPPING_START_EVENT) {
        *ret_item = NULL; /* the end of the enclosing list or map */
        return ERR_OK;
    }
    if (depth >= YAML_DEPTH_MAX)
        return fail_at(b, event->start_mark, ERR_LIMIT, "nested too deeply for a document");
    struct yaml_item *item;
    TRY(new_item(b, event, event->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST, &item));
    TRY(build_children(b, item, depth));
    *ret_item = item;
    return ERR_OK;
}

/* *ret_item is NULL where a list, map or document ends. */
static enum err build_next(struct builder *b, int depth, struct yaml_item **ret_item)
{
    yaml_event_t event;
    TRY(next_event(b, &event));
    enum err e = build_event(b, &event, depth, ret_item);
    yaml_event_delete(&event);
    return e;
}

/* Takes one event whose content does not matter. */
static enum err skip_event(struct builder *b, yaml_event_type_t *ret_type, yaml_mark_t *ret_mark)
{
    yaml_event_t event;
    TRY(next_event(b, &event));
    *ret_type = event.type;
    *ret_mark = event.start_mark;
    yaml_event_delete(&event);
    return ERR_OK;
}

static enum err build_document(struct builder *b, struct yaml_item **ret_root)
{
    yaml_event_type_t type;
    yaml_mark_t mark;
    TRY(skip_event(b, &type, &mark)); /* stream start */
    TRY(skip_event(b, &type, &mark)); /* document start */
    if (type == YAML_STREAM_END_EVENT) {
        struct yaml_item *empty = arena_calloc(b->arena, sizeof(*empty));
        if (!empty)
            return ERR_NO_MEMORY;
        empty->line = empty->column = 1;
        *ret_root = empty;
        return ERR_OK;
    }
    struct yaml_item *root;
    TRY(build_next(b, 0, &root));
    TRY(skip_event(b, &type, &mark)); /* document end */
    TRY(skip_event(b, &type, &mark));
    if (type != YAML_STREAM_END_EVENT)
        return fail_at(b, mark, ERR_INVALID, "only one document is expected in the file");
    *ret_root = root;
    return ERR_OK;
}

enum err yaml_tree_parse(struct bytes text, struct arena *arena, const struct yaml_item **ret_root,
                         struct yaml_problem *ret_problem)
{
    struct builder b = {.arena = arena, .problem = ret_problem};
    *ret_problem = (struct yaml_problem){1, 1, ""};
    if (text.size > YAML_SIZE_MAX)
        return fail_at(&b, (yaml_mark_t){0, 0, 0}, ERR_LIMIT,
                       "larger than a document can be (128 KiB)");
    if (!yaml_parser_initialize(&b.parser))
        return ERR_NO_MEMORY;
    yaml_parser_set_input_string(&b.parser, text.size ? text.data : (const uint8_t *)"", text.size);
    struct yaml_item *root = NULL;
    enum err e = build_document(&b, &root);
    yaml_parser_delete(&b.parser);
    if (e == ERR_OK)
        *ret_root = root;
    return e;
}

/* "---" at the beginning of a line begins a document wherever it stands (YAML 1.2, 9.1.2). */
static bool is_separator(struct bytes line)
{
    return bytes_starts_with(line, BYTES("---")) &&
           (line.size == 3 || line.data[3] == ' ' || line.data[3] == '\t' || line.data[3] == '\r');
}

struct bytes yaml_next_document(struct bytes rest, unsigned *ret_lines)
{
    size_t size = 0;
    *ret_lines = 0;
    while (size < rest.size) {
        struct bytes line = bytes_skip(rest, size);
        line.size = bytes_find(line, '\n');
        if (size > 0 && is_separator(line))
            break;
        size += line.size < rest.size - size ? line.size + 1 : line.size;
        ++*ret_lines;
    }
    return bytes_of(rest.data, size);
}

bool yaml_item_is_null(const struct yaml_item *item)
{
    if (item->kind != YAML_SCALAR || item->quoted)
        return false;
    return item->text.size == 0 || bytes_equal(item->text, BYTES("~")) ||
           bytes_equal_nocase(item->text, BYTES("null"));
}

const char *yaml_item_describe(const struct yaml_item *item)
{
    switch (item->kind) {
    case YAML_LIST: return "a list";
    case YAML_MAP: return "a mapping";
    default: return yaml_item_is_null(item) ? "nothing" : "text";
    }
}

const char *yaml_library_version(void)
{
    return yaml_get_version_string();
}
