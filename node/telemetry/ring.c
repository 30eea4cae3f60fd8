/* See ring.h. */
#include "node/telemetry/ring.h"

#include "base/crypto.h"

#include <stdlib.h>

void ring_init(struct ring *r, uint32_t bytes_max, uint32_t entries_max, uint64_t age_ms)
{
    *r = (struct ring){.bytes_max = bytes_max, .entries_max = entries_max, .age_ms = age_ms};
    crypto_random(r->seed, sizeof r->seed);
}

void ring_fini(struct ring *r)
{
    free(r->bytes);
    free(r->entries);
    r->bytes = NULL;
    r->entries = NULL;
}

static enum err take_memory(struct ring *r)
{
    if (r->bytes)
        return ERR_OK;
    uint8_t *bytes = malloc(r->bytes_max);
    struct ring_entry *entries = malloc(r->entries_max * sizeof *entries);
    if (!bytes || !entries) {
        free(bytes);
        free(entries);
        return ERR_NO_MEMORY;
    }
    r->bytes = bytes;
    r->entries = entries;
    return ERR_OK;
}

static void drop_oldest(struct ring *r)
{
    r->first = (r->first + 1) % r->entries_max;
    r->count--;
}

static bool overlaps(const struct ring_entry *e, uint32_t offset, uint32_t size)
{
    return e->offset < offset + size && offset < e->offset + e->size;
}

/* Entries are laid down in order, so whatever stands in the way is the oldest. */
static uint32_t make_room(struct ring *r, uint32_t size)
{
    if (r->write_offset + size > r->bytes_max) {
        while (r->count > 0 && r->entries[r->first].offset >= r->write_offset)
            drop_oldest(r);
        r->write_offset = 0;
    }
    while (r->count > 0 && overlaps(&r->entries[r->first], r->write_offset, size))
        drop_oldest(r);
    if (r->count == r->entries_max)
        drop_oldest(r);
    uint32_t offset = r->write_offset;
    r->write_offset += size;
    return offset;
}

enum err ring_add(struct ring *r, struct bytes id, size_t size, uint64_t now_ms, uint8_t **ret_at)
{
    CHECK(size <= r->bytes_max);
    TRY(take_memory(r));
    uint32_t offset = make_room(r, (uint32_t)size);
    r->entries[(r->first + r->count) % r->entries_max] =
        (struct ring_entry){.id_hash = crypto_siphash(r->seed, id),
                            .at_ms = now_ms,
                            .offset = offset,
                            .size = (uint32_t)size};
    r->count++;
    *ret_at = r->bytes + offset;
    return ERR_OK;
}

bool ring_next(const struct ring *r, struct bytes id, uint64_t now_ms, uint32_t *cursor,
               struct bytes *ret_entry)
{
    uint64_t hash = crypto_siphash(r->seed, id);
    while (*cursor < r->count) {
        uint32_t i = r->count - ++*cursor;
        const struct ring_entry *e = &r->entries[(r->first + i) % r->entries_max];
        if (now_ms - e->at_ms > r->age_ms)
            return false;
        if (id.size > 0 && e->id_hash != hash)
            continue;
        *ret_entry = bytes_of(r->bytes + e->offset, e->size);
        return true;
    }
    return false;
}
