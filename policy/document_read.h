/* How documents are read: a mapping by a table of keys, single values by their type, every mistake
 * kept with its place and its path, reading on behind it. Inside policy/document*.c only. */
#ifndef POLICY_DOCUMENT_READ_H
#define POLICY_DOCUMENT_READ_H

#include "base/yaml.h"
#include "policy/document.h"

#define POLICY_PATH_MAX 160

/* A strategy that is named before all are known. */
struct policy_reference {
    struct policy_reference *next;
    const struct policy_strategy **strategy;
    struct bytes name;
    size_t source;
    uint32_t line, column;
    char path[POLICY_PATH_MAX];
};

struct policy_program {
    struct policy_program *next;
    struct cel_program *program;
};

/* What is read into: rules, strategies, and what has to be freed with them. */
struct policy_making {
    struct arena *arena;
    struct policy_program *programs;
    struct policy_reference *references;
    struct cel_vm *vm; /* for what depends on nothing */
};

struct policy_reader {
    struct policy_making *making;
    struct arena *scratch; /* as long as the document's tree */
    struct policy_mistakes *mistakes;
    enum err failure; /* NO_MEMORY; reading went on, in vain */
    size_t source;
    struct bytes text; /* of this document */
    uint32_t line_offset;
    char path[POLICY_PATH_MAX]; /* of what is being read: "steps[1].where" */
};

void policy_mistake_at(struct policy_mistakes *mistakes, size_t source, uint32_t line,
                       uint32_t column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* At the item, behind its path. */
void policy_mistake(struct policy_reader *r, const struct yaml_item *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Into the order in which they stand. */
void policy_mistakes_sort(struct policy_mistakes *m);
/* Zeroed memory of the set; NULL: r->failure is set. */
void *policy_keep(struct policy_reader *r, size_t size);
struct bytes policy_keep_bytes(struct policy_reader *r, struct bytes text);

/* Goes down the path ("name", "name[2]"; index SIZE_MAX: none); what it returns leads back up. */
size_t policy_path_down(struct policy_reader *r, struct bytes name, size_t index);
void policy_path_up(struct policy_reader *r, size_t up);

enum policy_key_type {
    POLICY_KEY_OWN,      /* by `read` */
    POLICY_KEY_ITEM,     /* const struct yaml_item *, to be read later */
    POLICY_KEY_NAME,     /* struct bytes */
    POLICY_KEY_BOOL,     /* bool */
    POLICY_KEY_REAL,     /* double, min to max */
    POLICY_KEY_COUNT,    /* uint64_t, min to max */
    POLICY_KEY_DURATION, /* int64_t, ms */
};
struct policy_key {
    const char *name;
    enum policy_key_type type;
    size_t offset; /* in the owner, of what is read */
    double min, max;
    bool is_needed;
    void (*read)(struct policy_reader *r, const struct yaml_item *value, void *owner);
};
/* A row: POLICY_KEY("weight", COUNT, policy_share, weight, .max = 100) */
#define POLICY_KEY(text, kind, owner, field, ...)                                                  \
    {                                                                                              \
        .name = (text), .type = POLICY_KEY_##kind, .offset = offsetof(struct owner, field),        \
        __VA_ARGS__                                                                                \
    }
#define POLICY_OWN_KEY(text, function, ...)                                                        \
    {                                                                                              \
        .name = (text), .read = (function), __VA_ARGS__                                            \
    }
/* Reads each value of a mapping by its key. Keys that there are not, stand twice or are missing,
 * and what is no mapping, are mistakes. */
void policy_read_map(struct policy_reader *r, const struct yaml_item *map,
                     const struct policy_key *keys, size_t count, void *owner);
/* The value before `item` in the map that stands under the same key; NULL: none. */
const struct yaml_item *policy_stands_before(const struct yaml_item *map,
                                             const struct yaml_item *item);
/* Each item of a list of 1 to `max` with its index in the path. False: it is none. */
bool policy_read_list(struct policy_reader *r, const struct yaml_item *list, size_t max,
                      void (*read)(struct policy_reader *r, const struct yaml_item *item,
                                   size_t index, void *owner),
                      void *owner);

/* Single values. False: a mistake was kept, *ret is untouched. */
bool policy_read_scalar(struct policy_reader *r, const struct yaml_item *item,
                        struct bytes *ret_text); /* not kept */
bool policy_read_name(struct policy_reader *r, const struct yaml_item *item, struct bytes *ret);
bool policy_read_bool(struct policy_reader *r, const struct yaml_item *item, bool *ret);
bool policy_read_count(struct policy_reader *r, const struct yaml_item *item, uint64_t min,
                       uint64_t max, uint64_t *ret);
bool policy_read_real(struct policy_reader *r, const struct yaml_item *item, double min, double max,
                      double *ret);
bool policy_read_duration(struct policy_reader *r, const struct yaml_item *item, int64_t *ret_ms);

/* --- expressions (document_cel.c) */

/* A condition, or a text for is_text, that reads facts of `groups` (bits) alone. */
bool policy_read_expression(struct policy_reader *r, const struct yaml_item *item, unsigned groups,
                            bool is_text, struct policy_predicate *ret);

/* --- kinds of documents */

void policy_read_rule(struct policy_reader *r, const struct yaml_item *spec,
                      struct policy_rule *rule);
void policy_read_strategy(struct policy_reader *r, const struct yaml_item *spec,
                          struct policy_strategy *strategy);
extern const struct policy_strategy policy_presets[]; /* latency-first is the first */
/* Names a strategy; it is found when all documents are read. */
void policy_refer(struct policy_reader *r, const struct yaml_item *item, struct bytes *ret_name,
                  const struct policy_strategy **strategy);

#endif
