/* The log as the core sees it: where it begins and ends, the terms of all of it, its
 * configurations, and the bytes of its newest records, one after another in one block. Older ones
 * are asked for from the store (raft_ops). Owned by struct raft; only core files call it. */
#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft/raft.h"

struct raft_run { /* neighbouring entries of one term; term 0: unreadable */
    uint64_t first, term;
};

struct raft_config_at {
    uint64_t index;
    struct raft_config config;
};

struct raft_log {
    struct raft_base base;
    uint64_t last, written, durable; /* written: handed to the store */
    uint8_t last_hash[CRYPTO_HASH_SIZE];
    uint64_t bad_first, bad_last; /* unreadable somewhere between; 0: none */
    uint64_t memory_first;        /* index of the first record in memory */
    uint8_t *bytes;               /* of records: from head on, size of them */
    size_t head, size, capacity;
    size_t *ends; /* where the record at memory_first + i ends, counted from head */
    size_t end_count, end_capacity;
    size_t dropped; /* what `ends` count too much, since records were dropped at the head */
    struct raft_run *runs;
    size_t run_count, run_capacity;
    struct raft_config_at *configs;
    size_t config_count, config_capacity;
    size_t memory_bytes;
    struct raft_ops ops;
    void *ctx;
};

/* Takes over what is stored. CORRUPT, UNSUPPORTED, NO_MEMORY. */
MUST_CHECK enum err raft_log_open(struct raft_log *l, const struct raft_cfg *cfg,
                                  const struct raft_boot *boot);
void raft_log_close(struct raft_log *l);
/* Reads all that is stored again, after a repair. */
MUST_CHECK enum err raft_log_scan(struct raft_log *l);

/* 0: not known: before the base, after the last, or unreadable. */
uint64_t raft_log_term(const struct raft_log *l, uint64_t index);
uint64_t raft_log_last_term(const struct raft_log *l);
/* The last index <= `index` whose term is <= `term`, not below the base. */
uint64_t raft_log_find(const struct raft_log *l, uint64_t index, uint64_t term);
const struct raft_config_at *raft_log_config(const struct raft_log *l, uint64_t index);

/* Appends a record whose place and chain were checked. NO_MEMORY: nothing changed. */
MUST_CHECK enum err raft_log_append(struct raft_log *l, const struct raft_entry *entry);
/* Drops records from an index on; it is above the base. CORRUPT: the one before cannot be read. */
MUST_CHECK enum err raft_log_truncate(struct raft_log *l, uint64_t from);
void raft_log_trim(struct raft_log *l, const struct raft_base *base);
void raft_log_reset(struct raft_log *l, const struct raft_base *base);
/* Drops durable records up to `committed` from memory, if there are more than memory_bytes of all.
 */
void raft_log_shrink(struct raft_log *l, uint64_t committed);
/* Bytes of the records after an index that raft_log_shrink was not given yet. */
size_t raft_log_bytes_after(const struct raft_log *l, uint64_t index);

MUST_CHECK enum err raft_log_record(const struct raft_log *l, uint64_t index,
                                    struct bytes *ret_record);
/* Records from `first` on in memory: all up to `last` that fit into size_max, at least one; the
 * number of them. */
uint64_t raft_log_slice(const struct raft_log *l, uint64_t first, uint64_t last, size_t size_max,
                        struct bytes *ret_records);
/* Hash of the record at an index that is in the log, or of the base. */
MUST_CHECK enum err raft_log_hash(const struct raft_log *l, uint64_t index,
                                  uint8_t ret_hash[CRYPTO_HASH_SIZE]);
MUST_CHECK enum err raft_log_base_at(const struct raft_log *l, uint64_t index,
                                     struct raft_base *ret_base);

#endif
