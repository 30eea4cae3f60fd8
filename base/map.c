/* Open addressing with linear probing. Removing shifts the following entries back instead of
 * leaving gravestones, so a map that lives as long as the process never slows down. */
#include "base/map.h"

#include "base/crypto.h"

#include <stdlib.h>

#define CAPACITY_MIN 8

struct map_slot {
    struct bytes key;
    void *value; /* NULL: free */
    uint64_t hash;
};

void map_init(struct map *m, const uint8_t seed[16], size_t count_max)
{
    *m = (struct map){.count_max = count_max};
    memcpy(m->seed, seed, sizeof m->seed);
}

void map_fini(struct map *m)
{
    free(m->slots);
    m->slots = NULL;
    m->capacity = 0;
    m->count = 0;
}

/* The slot that holds the key, or the free one where it belongs. There is always a free one. */
static size_t find_slot(const struct map *m, struct bytes key, uint64_t hash)
{
    size_t mask = m->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        const struct map_slot *slot = &m->slots[i];
        if (!slot->value || (slot->hash == hash && bytes_equal(slot->key, key)))
            return i;
    }
}

void *map_get(const struct map *m, struct bytes key)
{
    if (m->count == 0)
        return NULL;
    return m->slots[find_slot(m, key, crypto_siphash(m->seed, key))].value;
}

static enum err grow(struct map *m)
{
    if (m->capacity > SIZE_MAX / 2)
        return ERR_NO_MEMORY;
    struct map bigger = *m;
    bigger.capacity = m->capacity ? m->capacity * 2 : CAPACITY_MIN;
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < m->capacity; i++) {
        const struct map_slot *slot = &m->slots[i];
        if (slot->value)
            bigger.slots[find_slot(&bigger, slot->key, slot->hash)] = *slot;
    }
    free(m->slots);
    *m = bigger;
    return ERR_OK;
}

enum err map_put(struct map *m, struct bytes key, void *value)
{
    CHECK(value);
    struct map_slot added = {key, value, crypto_siphash(m->seed, key)};
    if (m->capacity) {
        struct map_slot *slot = &m->slots[find_slot(m, key, added.hash)];
        if (slot->value) {
            *slot = added;
            return ERR_OK;
        }
    }
    if (m->count >= m->count_max)
        return ERR_LIMIT;
    if (m->count >= m->capacity / 4 * 3)
        TRY(grow(m));
    m->slots[find_slot(m, key, added.hash)] = added;
    m->count++;
    return ERR_OK;
}

/* Closes the hole at `hole`: an entry behind it moves in, unless its home lies after the hole. */
static void shift_back(struct map *m, size_t hole)
{
    size_t mask = m->capacity - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t from_home = (i - m->slots[i].hash) & mask;
        if (from_home < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *m, struct bytes key)
{
    if (m->count == 0)
        return NULL;
    size_t i = find_slot(m, key, crypto_siphash(m->seed, key));
    void *value = m->slots[i].value;
    if (value) {
        shift_back(m, i);
        m->count--;
    }
    return value;
}

void *map_next(const struct map *m, size_t *cursor)
{
    while (*cursor < m->capacity) {
        void *value = m->slots[(*cursor)++].value;
        if (value)
            return value;
    }
    return NULL;
}
