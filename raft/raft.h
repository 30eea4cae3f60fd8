/* Raft: one log, the same for all; a prefix of it is committed and never changes. Ongaro's
 * dissertation (2014) with pre-vote, check-quorum, joint consensus, learners, ReadIndex, transfer.
 *
 *   follower ──> pre-candidate ──> candidate ──> leader        any ──> follower: a higher term, a
 *      │  (silence)       (quorum)       (quorum)  │           leader of this term, no quorum
 *      └───────────<───────────────────────────────┘           any ──> stopped: a disk failed, ...
 *
 * Deviations: who lags too far pulls a snapshot's parts, from any member; a voter is a node *and
 * its disk* (entry.h); unreadable records are fetched from members and proven by the chain; so is
 * what they have committed, by who hears no leader.
 *
 * Not here: sockets, clocks, disks, what commands mean, replicas beyond the members. Pure: the same
 * state and event give the same effects. Events' memory is the caller's for the call; effects point
 * into the core until the next step. The shell's law, in this order:
 *   1. persist: hand `write` to the store, in order; when it is durable: PERSISTED(token).
 *   2. send:    each message, but not before its `after` is durable (0: now), whatever happened to
 *               the role meanwhile. A crash loses what still waited.
 *   3. apply:   the records of apply_first to apply_last, in order, by raft_record; then APPLIED.
 *   4. the rest in any order.
 * A core that stopped (`stop`) does nothing any more. After DISK_FULL the shell may make a new one
 * from the store with is_full set; after any other reason the process ends. So it does when a
 * record that is to be applied cannot be read: the next start finds out and has it fetched. */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include "raft/durable.h"
#include "raft/entry.h"
#include "raft/message.h"
#include "raft/status.h"

#define RAFT_BATCH_MAX 1024 /* proposals of one event */

/* What the core cannot know. Deterministic, calls nothing back. */
struct raft_ops {
    /* The stored record at a durable index; lives until the next call. The core keeps recent ones
     * itself and asks for older ones: at start all of them, later for members that lag. Any error
     * means unreadable. */
    enum err (*read)(void *ctx, uint64_t index, struct bytes *ret_record);
};

struct raft_cfg { /* raft_cfg_init sets the defaults, in brackets */
    struct id self;
    uint64_t seed, now_ms;
    uint64_t fresh_store; /* random, not 0: this disk's name if it has none or must get a new one */
    uint32_t draw;        /* random, not 0: of this start (entry.h) */
    uint64_t election_ms, heartbeat_ms; /* silence before a campaign: once to twice [1000]; [100] */
    size_t append_bytes_max;            /* records of one message, one record at least [256 KiB] */
    size_t inflight_max;                /* messages unanswered, per member, at most 256 [64] */
    size_t inflight_bytes_max;          /* [4 MiB] */
    size_t uncommitted_bytes_max;       /* beyond it proposals are OVERLOADED [16 MiB] */
    size_t memory_bytes;                /* recent durable records kept in memory [4 MiB] */
    uint64_t snapshot_entries;          /* applied since the last one: wants_snapshot [10000] */
    uint64_t keep_entries; /* kept before a snapshot for members that lag, if they live [10000] */
    size_t chunk_size;     /* of snapshots, at most RAFT_CHUNK_MAX [256 KiB] */
    uint64_t snapshot_bytes_per_s; /* fetched [32 MiB] */
    size_t reads_max;              /* waiting [4096] */
    bool is_full;                  /* no room on the disk: as after EVENT_FULL */
    struct raft_ops ops;
    void *ctx;
};

enum raft_event_type {
    RAFT_TICK,      /* the deadline has come */
    RAFT_MESSAGE,   /* message */
    RAFT_PROPOSE,   /* proposals, count <= RAFT_BATCH_MAX: commands to append; outcome for each */
    RAFT_PERSISTED, /* index: the token */
    RAFT_WRITE_FAILED, /* err */
    RAFT_APPLIED,      /* index: up to there */
    RAFT_READ_INDEX,   /* tag: a read begins; answered in `reads` when it may run */
    RAFT_HAND_OVER, /* tag, id: lead no more; zero: to the best. Outcome when done or timed out */
    RAFT_CHANGE,    /* tag, targets, count: all members wanted. Voters must be caught-up learners,
                        * or voters; voters whose store changed are re-admitted by naming them */
    RAFT_SNAPSHOT_MADE, /* index (applied), size, content: durable and can be served, with all that
                         * was applied up to there; size 0: it failed */
    RAFT_CHUNK_READ,    /* tag, data (none: it cannot be served): answers a chunk order */
    RAFT_INSTALLED,     /* err: the snapshot ordered by `install` is the state now, durably; or not:
                         * it is then fetched anew */
    RAFT_UNREACHABLE,   /* id: messages to it were probably lost */
    RAFT_DISK,          /* is_full: no more room, or room again */
};

struct raft_proposal {
    uint64_t tag;
    struct bytes payload;
};

struct raft_target {
    struct id id;
    bool is_voter;
};

struct raft_event {
    uint64_t now_ms; /* monotonic; counts suspension */
    enum raft_event_type type;
    uint64_t tag, index, size; /* from here on: what the type says */
    struct id id;
    enum err err;
    bool is_full;
    size_t count;
    const struct raft_proposal *proposals;
    const struct raft_target *targets;
    const struct raft_message *message;
    struct bytes data;
    uint8_t content[CRYPTO_HASH_SIZE];
};

struct raft_send {
    uint64_t after; /* the token that it waits for; 0: none */
    struct raft_message message;
};

/* Of a proposal or change: OK: it is in this leader's log at (index, term): committed if the entry
 * applied at index has this term, never if it has another. Else it is nowhere: NOT_LEADER (leader:
 * a hint, may be zero), OVERLOADED, LIMIT, CHANGE_PENDING, NOT_CAUGHT_UP, INVALID. */
struct raft_outcome {
    uint64_t tag, index, term;
    enum err err;
    struct id leader;
};

struct raft_read_result { /* OK: the state as applied now has all that was committed at its begin */
    uint64_t tag, index;
    enum err err; /* NOT_LEADER: no leader known or it changed; TIMEOUT; OVERLOADED */
};

struct raft_chunk_order { /* read size bytes at offset of the snapshot at index: CHUNK_READ(tag) */
    uint64_t tag, index, offset, size;
};

struct raft_change {
    enum raft_role role;
    uint64_t term;
    struct id leader; /* zero: not known */
    enum raft_reason reason;
};

struct raft_effects {
    const struct raft_write *write; /* NULL: none */
    const struct raft_send *sends;
    uint64_t apply_first, apply_last; /* 0: none; durable here, too */
    const struct raft_outcome *outcomes;
    const struct raft_read_result *reads;
    const struct raft_chunk_order *chunks;
    const struct raft_change *changes;
    size_t send_count, outcome_count, read_count, chunk_count, change_count;
    const struct raft_snapshot *install; /* all is staged: check its hash, make it the state */
    bool wants_snapshot;                 /* of the applied state, then SNAPSHOT_MADE */
    enum err stop; /* not OK: IO, DISK_FULL, CORRUPT, UNSUPPORTED (an entry of a later version) */
};

struct raft;
void raft_cfg_init(struct raft_cfg *ret_cfg);
/* NO_MEMORY, INVALID, UNSUPPORTED: a stored entry of a later version, CORRUPT: the stored base is
 * no base. The first step, a tick at once, persists that this node starts. */
MUST_CHECK enum err raft_create(const struct raft_cfg *cfg, const struct raft_boot *boot,
                                struct raft **ret_raft);
void raft_destroy(struct raft *r);
void raft_step(struct raft *r, const struct raft_event *event, struct raft_effects *ret_effects);
uint64_t raft_deadline_ms(const struct raft *r);

bool raft_is_leader(const struct raft *r);
const struct raft_config *raft_config(const struct raft *r); /* the newest, committed or not */
/* The record at an index, until the next step or call. NOT_FOUND: not in the log, or unreadable. */
MUST_CHECK enum err raft_record(const struct raft *r, uint64_t index, struct bytes *ret_record);
void raft_status(const struct raft *r, struct raft_status *ret_status);
void raft_counts(const struct raft *r, struct raft_counts *ret_counts);

#endif
