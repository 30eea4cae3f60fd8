/* Documents of the registry out of what people write: flags of a command, or YAML. Which fields a
 * kind has, and of what type, is the registry's table (registry/schema.h); nothing here knows a
 * kind by name.
 *
 *   apiVersion: grapevine/v1
 *   kind: Version                    # a kind of the registry, in capitals and small letters
 *   metadata: {model: llama, name: v2}     # the fields that are its key
 *   spec: {stage: production, memory_bytes: 80GiB, regions: [eu-west]}
 *
 * RoutePolicy and Strategy are policies: kept as they stand, and read by policy/. */
#ifndef NODE_CLI_RULES_DOCUMENT_H
#define NODE_CLI_RULES_DOCUMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/yaml.h"
#include "registry/registry.h"

#define DOCUMENT_FILE_MAX (1024 * 1024) /* bytes of a file of documents */
#define DOCUMENT_ARENA_MAX (32 * 1024 * 1024)
#define DOCUMENT_API "grapevine/v1"

/* Sets one field of `document` from text: lists by commas, "80GiB" for fields that end in _bytes,
 * "90d" (from now_ms on) or milliseconds since 1970 for those that end in not_after_ms. Texts are
 * copied into the arena. NOT_FOUND: no such field, or one that only the registry sets; INVALID;
 * `why` says what was expected, without the field's name. */
MUST_CHECK enum err document_set(enum registry_kind kind, union registry_document *document,
                                 struct bytes field, struct bytes text, uint64_t now_ms,
                                 struct arena *arena, struct buf *why);

/* All documents of a YAML file as operations that put them, at most `max`. INVALID, LIMIT: `why`
 * says "LINE:COLUMN: KEY: what was expected". NO_MEMORY. */
MUST_CHECK enum err document_read_all(struct bytes yaml, uint64_t now_ms, struct arena *arena,
                                      struct registry_op *ret_ops, size_t max, size_t *ret_count,
                                      struct buf *why);

/* --- for document_yaml.c */
struct document_source {
    struct bytes text;    /* of one document */
    unsigned line_offset; /* lines of the file before it */
    uint64_t now_ms;
    struct arena *arena;
    struct buf *why;
};
/* A mapping into a struct that the group describes. INVALID, NO_MEMORY. */
MUST_CHECK enum err document_read_map(const struct document_source *s,
                                      const struct registry_group *group,
                                      const struct yaml_item *map, void *owner);

#endif
