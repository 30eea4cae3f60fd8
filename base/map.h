/* Hash map from byte strings to pointers: seeded SipHash (no crafted collisions), open addressing.
 * Keys are borrowed: they live, unchanged, as long as their entry (usually inside the value). */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/bytes.h"
#include "base/err.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t capacity; /* power of two, or 0 */
    size_t count;
    size_t count_max;
    uint8_t seed[16];
};

/* count_max bounds the number of entries. Allocates nothing yet. */
void map_init(struct map *m, const uint8_t seed[16], size_t count_max);
void map_fini(struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, struct bytes key);
/* Adds, or replaces both key and value. ERR_LIMIT when full, ERR_NO_MEMORY. value is not NULL. */
MUST_CHECK enum err map_put(struct map *m, struct bytes key, void *value);
/* Removes and returns the value, or NULL. */
void *map_remove(struct map *m, struct bytes key);
/* Iterates in no useful order: start with *cursor = 0, ends with NULL. The map must not change. */
void *map_next(const struct map *m, size_t *cursor);

#endif
