/* One commit of the log as bytes: whole blocks, which hold all that must be known to go on from
 * here (hard state, base, last index) and runs of records. Big-endian:
 *
 *   magic u32 | crc32c u32 of the rest of the front | version u16 | zero u16 | nonce u64
 *   | segment u64 | sequence u64 | front size u32 | body size u32 | body's crc32c u32
 *   | lowest of the batch before u64 | last u64 | base | hard | run count u32 | runs
 *   | body | zeros up to a block
 *
 * The nonce is drawn for each segment and known to nobody: no payload can pass for a front. Also
 * the mark's bytes (store.c) are a front without runs. A decoder of what a disk gives back. */
#ifndef RAFT_STORE_BATCH_H
#define RAFT_STORE_BATCH_H

#include "raft/durable.h"

#define RAFT_BLOCK_SIZE 4096
#define RAFT_BATCH_RUNS_MAX 4096 /* of one batch */
#define RAFT_BATCH_RUN_SIZE 17
/* A front without runs: both members' tables full. */
#define RAFT_BATCH_FRONT_MAX (1664 + RAFT_BATCH_RUNS_MAX * RAFT_BATCH_RUN_SIZE)

struct raft_batch_run { /* records in a row, as in raft_write */
    uint64_t first;
    uint32_t count, size; /* bytes in the body, where runs stand one after another */
    bool is_repair;       /* replaces; else everything from `first` on goes */
};

struct raft_batch_meta { /* what holds after a batch */
    uint64_t last;
    struct raft_base base;
    struct raft_hard hard;
};

struct raft_batch_front {
    uint64_t nonce, segment, sequence;
    uint32_t front_size, body_size, body_crc;
    uint64_t lowest_before; /* the batch before touched indexes from here on; 0: none */
    struct raft_batch_meta meta;
    size_t run_count;
    const uint8_t *runs; /* encoded: raft_batch_run */
};

/* `front`'s sizes are set here, its runs are taken from `runs`. */
MUST_CHECK enum err raft_batch_encode(struct raft_batch_front *front,
                                      const struct raft_batch_run *runs, struct buf *out);
/* Reads the front at the head of `data`; `runs` points into it. NOT_FOUND: there is none, or a
 * damaged one, or it is longer than `data`; UNSUPPORTED: of a later version; INVALID: nonsense
 * under a right checksum. */
MUST_CHECK enum err raft_batch_decode(struct bytes data, struct raft_batch_front *ret_front);
void raft_batch_run_at(const struct raft_batch_front *front, size_t i,
                       struct raft_batch_run *ret_run);
/* Bytes on the disk: whole blocks. */
uint64_t raft_batch_extent(const struct raft_batch_front *front);

/* The descriptor of a snapshot, which fills the first block of its file. */
MUST_CHECK enum err raft_descriptor_encode(const struct raft_snapshot *snapshot, struct buf *out);
/* CORRUPT, UNSUPPORTED, INVALID. */
MUST_CHECK enum err raft_descriptor_decode(struct bytes data, struct raft_snapshot *ret_snapshot);

#endif
