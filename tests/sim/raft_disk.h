/* What a node of raft_sim keeps: the state machine, and the disk with its queue of writes. */
#ifndef TESTS_SIM_RAFT_DISK_H
#define TESTS_SIM_RAFT_DISK_H

#include "raft/raft.h"

#define RAFT_KEYS 3
#define RAFT_SESSIONS 128

/* --- the state machine */

struct raft_machine {
    uint64_t applied, term; /* index and term of the last entry */
    uint64_t values[RAFT_KEYS];
    struct raft_session {
        uint64_t sequence, result;
    } sessions[RAFT_SESSIONS]; /* by client's number: what it was answered last */
    uint64_t digest;           /* of all that was applied, in order */
};

struct raft_command {
    uint64_t client, sequence;
    bool is_cas;
    uint8_t key;
    uint64_t value, expected;
};

/* --- disks */

struct raft_stored {
    uint8_t *bytes;
    uint32_t size;
    uint64_t term;
    uint64_t digest; /* of the record: enough to tell two apart */
    bool is_rotten;
};

struct raft_queued_write {
    struct raft_queued_write *next;
    struct raft_write write;
    struct raft_hard hard;
    struct raft_base reset, trim;
    struct raft_snapshot part, made;
    uint8_t *bytes; /* of records or data */
    uint8_t *dump;  /* that becomes the snapshot `made` */
    uint64_t done_ms;
};

struct raft_disk {
    struct raft_hard hard;
    struct raft_base base;
    struct raft_stored *records; /* of base.index + 1 .. last */
    size_t record_count, record_capacity;
    struct raft_snapshot snapshot, staged;
    uint8_t *snapshot_bytes,
        *dump_bytes; /* of `snapshot`; of the newest dump, that may become it */
    size_t dump_size;
    uint64_t dump_index;
    uint8_t *staged_bytes;
    uint64_t staged_size;
    struct raft_machine machine; /* durable */
    struct raft_base machine_base;
    bool has_machine_base;
    struct raft_queued_write *first, *last;
    bool is_full, fails; /* fails: the next write does */
    uint64_t slow_until_ms;
};

#endif
