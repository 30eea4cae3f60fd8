/* Inside the registry: reaching into documents by their description. */
#ifndef REGISTRY_FIELDS_H
#define REGISTRY_FIELDS_H

#include "registry/schema.h"

static inline const void *registry_field_of(const struct registry_field *f, const void *document)
{
    return (const uint8_t *)document + f->offset;
}

static inline void *registry_field_in(const struct registry_field *f, void *document)
{
    return (uint8_t *)document + f->offset;
}

/* Items of a list, 1 or 0 otherwise never asked. */
static inline size_t registry_field_count(const struct registry_field *f, const void *document)
{
    return *(const size_t *)(const void *)((const uint8_t *)document + f->count_offset);
}

static inline void registry_field_set_count(const struct registry_field *f, void *document,
                                            size_t count)
{
    *(size_t *)(void *)((uint8_t *)document + f->count_offset) = count;
}

static inline bool registry_field_is_text(const struct registry_field *f)
{
    return f->type <= REGISTRY_TYPE_DOCUMENT;
}

/* Of ids, keys and digests; 0 for others. */
static inline size_t registry_field_fixed_size(const struct registry_field *f)
{
    switch (f->type) {
    case REGISTRY_TYPE_ID: return ID_SIZE;
    case REGISTRY_TYPE_KEY:
    case REGISTRY_TYPE_DIGEST: return 32;
    default: return 0;
    }
}

static inline bool registry_field_is_list(const struct registry_field *f)
{
    return f->type >= REGISTRY_TYPE_LABELS;
}

/* No text, no item, zero. */
bool registry_field_is_empty(const struct registry_field *f, const void *document);

#endif
