/* Where each record of the log is, and how many live ones each segment has. Owned by the store. */
#ifndef RAFT_STORE_INDEX_H
#define RAFT_STORE_INDEX_H

#include "raft/store_batch.h"

#define RAFT_STORE_ENTRIES_MAX (UINT64_C(1) << 28) /* 60 bytes each at least: 16 GiB of log */

struct raft_place {
    uint32_t segment, offset, size; /* size 0: unreadable */
};

struct raft_index {
    uint64_t first; /* index of places[head] */
    struct raft_place *places;
    size_t head, count, capacity;
    uint32_t segment_first; /* live[0]'s */
    uint32_t *live;         /* records that are to be found in a segment */
    size_t segment_count;
};

void raft_index_init(struct raft_index *x);
void raft_index_fini(struct raft_index *x);
/* Segments come in rising order, and go from the lowest on when nothing in them is live. */
MUST_CHECK enum err raft_index_add_segment(struct raft_index *x, uint32_t segment);
bool raft_index_is_first_dead(const struct raft_index *x);
void raft_index_remove_segment(struct raft_index *x);

/* What a batch changes: `places` of the runs' records in order. Afterwards exactly the indexes from
 * meta->base.index + 1 to meta->last are there; unreadable if nobody wrote them. LIMIT,
 * NO_MEMORY. */
MUST_CHECK enum err raft_index_apply(struct raft_index *x, const struct raft_batch_meta *meta,
                                     const struct raft_batch_run *runs, size_t run_count,
                                     const struct raft_place *places);
/* From `index` on everything is unreadable. */
void raft_index_doubt(struct raft_index *x, uint64_t index);
/* NULL: not in the log. */
const struct raft_place *raft_index_find(const struct raft_index *x, uint64_t index);

#endif
