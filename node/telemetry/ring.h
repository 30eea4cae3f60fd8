/* What is kept of requests for a while, by their id: entries of bytes, laid down one after the
 * other in a ring, the oldest forgotten by number, bytes and age. Of receipts and decisions. */
#ifndef NODE_TELEMETRY_RING_H
#define NODE_TELEMETRY_RING_H

#include "base/bytes.h"
#include "base/err.h"

struct ring_entry {
    uint64_t id_hash;
    uint64_t at_ms;
    uint32_t offset;
    uint32_t size;
};

struct ring {
    uint32_t bytes_max; /* below 2^31; memory is taken when the first entry comes, untouched
                             pages cost nothing */
    uint32_t entries_max;
    uint64_t age_ms;
    uint8_t *bytes;
    struct ring_entry *entries; /* a FIFO */
    uint32_t first;
    uint32_t count;
    uint32_t write_offset;
    uint8_t seed[16];
};

void ring_init(struct ring *r, uint32_t bytes_max, uint32_t entries_max, uint64_t age_ms);
void ring_fini(struct ring *r);
/* Room for an entry, to be filled in before the next call; not aligned. size: at most bytes_max.
 * NO_MEMORY. */
MUST_CHECK enum err ring_add(struct ring *r, struct bytes id, size_t size, uint64_t now_ms,
                             uint8_t **ret_at);
/* The next older entry under this id (empty: of any), newest first: begin with *cursor = 0. False:
 * there is none that is young enough. Two ids may have the same hash: look at what it says. */
bool ring_next(const struct ring *r, struct bytes id, uint64_t now_ms, uint32_t *cursor,
               struct bytes *ret_entry);

#endif
