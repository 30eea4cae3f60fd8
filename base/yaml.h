/* The door to libyaml: one YAML document as a small tree in an arena, every item with its place in
 * the text. Strict where a document should be: no aliases, anchors, tags, second document or
 * key that is not a plain text. Knows nothing of what the keys mean. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#define YAML_SIZE_MAX (128 * 1024) /* bytes of a document: ten times the largest of sense */
#define YAML_DEPTH_MAX 8           /* tests of policies need 8, configurations 4 */
#define YAML_ITEMS_MAX 4096        /* 64 backends of 5 keys, 64 peers, and room */
#define YAML_ARENA_SIZE (YAML_SIZE_MAX * 2 + YAML_ITEMS_MAX * 192)

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_item {
    enum yaml_kind kind;
    bool quoted; /* scalar: stood in quotes or was a block, so it is text whatever it looks like */
    unsigned line;
    unsigned column;             /* both from 1 */
    struct bytes text;           /* scalar, in UTF-8 */
    const struct yaml_item *key; /* in a map: the key (a scalar) that this value stands under */
    struct yaml_item *first;     /* list, map: its items in order */
    struct yaml_item *next;
};

struct yaml_problem {
    unsigned line;
    unsigned column;
    char text[160];
};

/* Parses the one document in `text`; an empty one gives an empty scalar. Items live in the arena.
 * INVALID, with *ret_problem filled in; LIMIT (too large, too deep, too many items) likewise;
 * NO_MEMORY. */
MUST_CHECK enum err yaml_tree_parse(struct bytes text, struct arena *arena,
                                    const struct yaml_item **ret_root,
                                    struct yaml_problem *ret_problem);
/* Takes the first document off a stream of several: up to the next line that begins with "---".
 * *ret_lines: line ends in it. Empty when `rest` is. */
struct bytes yaml_next_document(struct bytes rest, unsigned *ret_lines);
/* Where in the document `text` stands what became byte `offset` of a scalar (yaml_place.c); behind
 * its last character where offset is its size or that of a blank. */
void yaml_place_of(struct bytes text, const struct yaml_item *item, size_t offset,
                   unsigned *ret_line, unsigned *ret_column);
/* Nothing was written: an empty plain scalar, "~" or "null". */
bool yaml_item_is_null(const struct yaml_item *item);
/* "text", "a list" or "a mapping", for messages. */
const char *yaml_item_describe(const struct yaml_item *item);

const char *yaml_library_version(void);

#endif
