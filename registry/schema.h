/* The fields of every kind as data: one table that the rows' codec, the door to protobuf, the
 * checks of input and the printing of JSON go by, and that a reader of YAML may go by. */
#ifndef REGISTRY_SCHEMA_H
#define REGISTRY_SCHEMA_H

#include "registry/types.h"

#include "base/buf.h"
#include "base/err.h"

enum registry_type {
    REGISTRY_TYPE_LABEL,    /* struct bytes: [a-z0-9-], as in DNS */
    REGISTRY_TYPE_NAME,     /* struct bytes: visible ASCII without '=' and ',' */
    REGISTRY_TYPE_TEXT,     /* struct bytes: UTF-8 on one line */
    REGISTRY_TYPE_DOCUMENT, /* struct bytes: UTF-8, lines and tabs */
    REGISTRY_TYPE_ID,       /* struct id; hex in texts */
    REGISTRY_TYPE_KEY,      /* 32 bytes; base64url in texts */
    REGISTRY_TYPE_DIGEST,   /* 32 bytes; hex in texts */
    REGISTRY_TYPE_NUMBER,   /* uint64_t */
    REGISTRY_TYPE_WORD,     /* uint32_t: an index into `words` */
    REGISTRY_TYPE_LABELS,   /* struct bytes[], count */
    REGISTRY_TYPE_NAMES,
    REGISTRY_TYPE_GROUPS, /* struct[] described by `group`, count */
};

enum registry_field_flags {
    REGISTRY_IN_KEY = 1,   /* first or second part of the row's key; of ids: unique */
    REGISTRY_NEEDED = 2,   /* not empty, not zero */
    REGISTRY_ANSWERED = 4, /* set by the registry: empty or zero in commands */
    REGISTRY_STATE = 8,    /* what REGISTRY_MOVE sets */
    REGISTRY_SECRET = 16,  /* not printed */
};

struct registry_field {
    const char *name; /* in JSON, YAML, errors and wire.proto */
    enum registry_type type;
    unsigned flags;
    size_t offset, count_offset; /* in the kind's struct; of the count of a list */
    uint64_t max;                /* bytes of a text, value of a number, items of a list */
    uint64_t item_max;           /* bytes of a text in a list */
    const char *const *words;    /* NULL-terminated; a hole is "" */
    const struct registry_group *group;
};

struct registry_group {
    const char *name; /* "node", "gossip_key" */
    size_t size;      /* of the struct */
    const struct registry_field *fields;
    size_t field_count;
};

struct registry_schema {
    struct registry_group group;
    uint32_t rows_max;
};

/* NULL: no such kind. */
const struct registry_schema *registry_schema(enum registry_kind kind);
/* The kind of that name; 0: none. */
enum registry_kind registry_kind_of(struct bytes name);
const char *registry_kind_name(enum registry_kind kind); /* "?" for none */

/* Appends the document as a JSON object, secrets left out. LIMIT, NO_MEMORY. */
MUST_CHECK enum err registry_json_append(const struct registry_group *group, const void *document,
                                         struct buf *out);

#endif
