/* Where raft's log, its hard state and its snapshots are kept: what durable.h asks for, on a disk.
 *
 *   loop:    add, add, add ── begin              end ── PERSISTED(token), begin the next …
 *   worker:                     └─> commit ──────┘      one sync for all that were added before
 *
 * The log is a row of preallocated files (segments) below dir; every commit is one write and one
 * fdatasync of whole blocks, wholly there after a crash or not at all, with the hard state beside
 * its records. Why not LMDB, with figures: store.md. Snapshots and the one being fetched are files
 * of their own: snapshots_dir/INDEX, and `staged`.
 *
 * What a crash may leave: a last commit that was never acknowledged, in part: it is cut off. What
 * was acknowledged and fails its checksum stays part of the log as unreadable (read: CORRUPT). A
 * write or sync that failed is never tried again: all later ones fail too, and the process ends.
 * DISK_FULL is the exception: nothing of that commit was begun; close, open, and go on with
 * raft_cfg.is_full. Before it comes to that raft_store_is_full says so, with room left for what is
 * under way and for many hard states.
 *
 * Threads: every function on the loop's thread, except those that say "worker"; these run beside
 * the loop's. One process per dir: a lock. */
#ifndef RAFT_STORE_H
#define RAFT_STORE_H

#include "base/buf.h"
#include "raft/durable.h"

#define RAFT_STORE_SEGMENT_SIZE (8u << 20)     /* default; 4 commits of the longest record */
#define RAFT_STORE_LOG_MAX (UINT64_C(1) << 30) /* default */

struct raft_store_cfg {
    const char *dir;           /* created when absent; its parent exists */
    const char *snapshots_dir; /* the same */
    uint64_t segment_size;     /* 0: the default; a multiple of 4096, at least 64 KiB */
    uint64_t log_size_max;     /* 0: the default; all segments together: is_full at that size */
    bool no_sync;              /* nothing is synced: tests, simulators, `run --dev` */
    bool is_full;              /* opened again after DISK_FULL: until a further segment is there */
};

struct raft_store;

/* LOCKED (another process has it), NOT_FOUND (no parent), UNSUPPORTED (a later format), CORRUPT
 * (hard state is lost: this disk must not vote; start it empty), PERMISSION, DISK_FULL, IO,
 * NO_MEMORY. `message` then says which file, and what to do. */
MUST_CHECK enum err raft_store_open(const struct raft_store_cfg *cfg, struct buf *message,
                                    struct raft_store **ret_store);
/* What was added and not committed is lost. No commit is under way. NULL is fine. */
void raft_store_close(struct raft_store *s);

/* What the disk holds, for raft_create; `applied` is the state machine's. applied_base is set if
 * that is above the log and a snapshot of this index is here. Valid until the next call of begin.
 * The caller loads `snapshot` into its state machine first if applied < base.index. */
void raft_store_boot(const struct raft_store *s, uint64_t applied, struct raft_boot *ret_boot);
/* As raft_ops.read: of durable records. NOT_FOUND: outside; CORRUPT, IO: unreadable. */
MUST_CHECK enum err raft_store_read(struct raft_store *s, uint64_t index, struct bytes *ret_record);

/* --- writing */

/* Takes a write over (all is copied); the next commit carries it out. LIMIT (what waits is longer
 * than a commit may be: core's limits are far below), NO_MEMORY: fatal, as a failed commit. */
MUST_CHECK enum err raft_store_add(struct raft_store *s, const struct raft_write *write);
/* Whether there is something to commit and no commit is under way; if so, it is now: call
 * raft_store_commit on a worker, then raft_store_end. */
bool raft_store_begin(struct raft_store *s);
/* While full: the same with nothing to commit, which finds out whether there is room again. */
bool raft_store_begin_probe(struct raft_store *s);
void raft_store_commit(struct raft_store *s); /* worker */
/* OK: everything up to *ret_token is durable. Else as above; nothing of it is acknowledged. */
MUST_CHECK enum err raft_store_end(struct raft_store *s, uint64_t *ret_token);
/* For RAFT_DISK: no room for a further segment, by the disk or by log_size_max. Changes in end. */
bool raft_store_is_full(const struct raft_store *s);
/* What failed, for people: file, call, reason. Empty: nothing did. */
const char *raft_store_failure(const struct raft_store *s);

/* --- snapshots. Each of these may block; one at a time per save, and one of the others. */

/* Writes a dump of the state as applied at index. DISK_FULL, IO: this snapshot is not made, nothing
 * else is harmed. */
struct raft_save;
MUST_CHECK enum err raft_save_open(struct raft_store *s, uint64_t index,
                                   struct raft_save **ret_save);                 /* worker */
MUST_CHECK enum err raft_save_append(struct raft_save *save, struct bytes data); /* worker */
/* Durable, and the rest for SNAPSHOT_MADE: the write that answers it (`made`) makes this the newest
 * one, and the one before the last goes. Frees the save. */
MUST_CHECK enum err raft_save_finish(struct raft_save *save, uint64_t *ret_size,
                                     uint8_t ret_content[CRYPTO_HASH_SIZE]); /* worker */
void raft_save_abort(struct raft_save *save);                                /* worker */

/* Appends `size` bytes at offset of the snapshot at index. NOT_FOUND, INVALID: beyond its end. */
MUST_CHECK enum err raft_store_chunk(const struct raft_store *s, uint64_t index, uint64_t offset,
                                     size_t size, struct buf *out); /* worker */

/* The order `install`: check that all of it is staged and has its hash (else CORRUPT), read it into
 * the state machine, then keep it as a snapshot of this node's, then INSTALLED. */
MUST_CHECK enum err raft_store_staged_check(const struct raft_store *s,
                                            const struct raft_snapshot *snapshot); /* worker */
MUST_CHECK enum err raft_store_staged_read(const struct raft_store *s, uint64_t offset, size_t size,
                                           struct buf *out); /* worker */
MUST_CHECK enum err raft_store_staged_keep(struct raft_store *s,
                                           const struct raft_snapshot *snapshot); /* worker */

#endif
