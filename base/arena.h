/* Bump allocator: many small allocations, freed together. One per request. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"
#include "base/err.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* newest first */
    size_t used;              /* bytes handed out */
    size_t size_max;          /* bytes that may be handed out */
};

void arena_init(struct arena *a, size_t size_max);
/* Frees everything. */
void arena_fini(struct arena *a);
/* Forgets everything and keeps one block for reuse. */
void arena_reset(struct arena *a);
/* 16-byte aligned, not zeroed; NULL when size_max or the memory is exhausted. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_calloc(struct arena *a, size_t size);
/* Copies of the data; a NULL data with size > 0 means no room. arena_str adds a NUL; NULL when no
 * room. */
struct bytes arena_copy(struct arena *a, struct bytes data);
char *arena_str(struct arena *a, struct bytes data);

#endif
