/* What the store's files share: the batch that is gathered on the loop and committed on a worker,
 * the writer that does it, and the files of snapshots. Nobody else includes this. */
#ifndef RAFT_STORE_INNER_H
#define RAFT_STORE_INNER_H

#include "base/disk.h"
#include "raft/store.h"
#include "raft/store_index.h"

#define RAFT_STORE_NAME_MAX 32
#define RAFT_STORE_FAILURE_MAX 256
#define RAFT_STORE_SPARES_MAX 16 /* segments kept for another turn; the rest are removed */

/* Names beside log-N, spare-N and the lock. */
#define RAFT_STORE_MAKING "making"
#define RAFT_STORE_LARGE "large"
#define RAFT_STORE_MARK "mark"
#define RAFT_STORE_STAGED "staged"

struct raft_part { /* of a snapshot that is being fetched */
    struct raft_part *next;
    struct raft_snapshot snapshot;
    uint64_t offset;
    size_t size;
    uint8_t data[];
};

struct raft_batch {
    struct raft_batch *next;
    uint64_t token;  /* of the last write in it */
    uint64_t lowest; /* index touched; 0: none */
    struct raft_batch_meta meta;
    struct raft_batch_run *runs;
    uint32_t *sizes; /* of each record */
    size_t run_count, run_capacity, record_count, record_capacity;
    struct buf body;
    struct raft_part *parts, **parts_end;
    bool has_made;
    struct raft_snapshot made;
};

struct raft_filling { /* a file of zeros in the making */
    struct disk_file file;
    uint64_t size; /* so much of it is there */
};

/* The worker's. Between commits, and while opening, the loop's. */
struct raft_writer {
    const char *dir, *snapshots_dir;
    bool no_sync;
    uint64_t segment_size, log_size_max;
    struct disk_file file, mark;    /* the segment that is written; mark_batch's */
    uint64_t segment, size, offset; /* its number, its bytes, where the next batch goes */
    uint64_t nonce, sequence;       /* of it; of the last batch */
    uint64_t lowest;                /* of the last batch */
    struct raft_filling making;     /* the next spare */
    uint64_t spares[RAFT_STORE_SPARES_MAX];
    uint64_t spare_next;
    size_t spare_count;
    size_t kept; /* segments that are needed */
    bool is_full;
    struct buf front;
    char failure[RAFT_STORE_FAILURE_MAX];
};

struct raft_commit {          /* one, from begin to end */
    struct raft_batch *batch; /* NULL: only a look for room */
    uint64_t retire_first;    /* segments that go, */
    size_t retire_count;      /* so many */
    size_t segments_kept;
    enum err err;
    uint64_t segment; /* where it was written, */
    uint64_t body_at; /* records begin here */
};

struct raft_segment {
    struct disk_file file; /* not open: it is missing */
};

struct raft_store {
    char *dir, *snapshots_dir;
    struct disk_file lock;
    struct raft_writer writer;
    struct raft_index index;
    struct raft_segment *segments; /* index.segment_first + i */
    size_t segment_count;
    struct raft_batch_meta meta, next; /* durable; after all that was added */
    uint64_t durable_end;              /* of the segment that is written */
    struct raft_batch *first, *last, *idle;
    struct raft_commit commit;
    bool is_busy, is_full;
    enum err failed;
    char failure[RAFT_STORE_FAILURE_MAX];
    uint64_t retire_first;
    size_t retire_count;
    struct raft_snapshot snapshot, staged; /* at opening; base.index 0: none */
    uint64_t staged_size;
    uint8_t *window; /* of a segment: what was read last */
    size_t window_size, window_capacity;
    uint64_t window_segment, window_at;
};

/* store_writer.c */
void raft_writer_init(struct raft_writer *w, const struct raft_store *s,
                      const struct raft_store_cfg *cfg);
void raft_writer_fini(struct raft_writer *w);
/* Notes what failed, for people; returns e, which may be OK. */
MUST_CHECK enum err raft_writer_note(struct raft_writer *w, const char *dir, const char *name,
                                     const char *call, enum err e);
MUST_CHECK enum err raft_writer_sync(struct raft_writer *w, const struct disk_file *file,
                                     const char *dir, const char *name);
MUST_CHECK enum err raft_writer_sync_dir(struct raft_writer *w, const char *dir);
/* Makes the next segment current, from a spare or anew, of at least `size` bytes. */
MUST_CHECK enum err raft_writer_advance(struct raft_writer *w, uint64_t size);
void raft_writer_commit(struct raft_writer *w, struct raft_commit *c);
/* "log-000000000000002a", and the number back; false: it is no such name. */
void raft_store_name(const char *prefix, uint64_t number, char ret_name[RAFT_STORE_NAME_MAX]);
bool raft_store_number(const char *prefix, const char *name, uint64_t *ret_number);

/* store_batch_add.c */
struct raft_batch *raft_batch_create(void);
void raft_batch_destroy(struct raft_batch *b);
void raft_batch_clear(struct raft_batch *b);
MUST_CHECK enum err raft_batch_add(struct raft_batch *b, const struct raft_write *write);

/* store_load.c: what is on the disk, into an empty store */
MUST_CHECK enum err raft_store_load(struct raft_store *s);

/* store_snapshot.c */
MUST_CHECK enum err raft_staged_write(struct raft_writer *w, const struct raft_part *parts);
MUST_CHECK enum err raft_snapshot_file_made(struct raft_writer *w,
                                            const struct raft_snapshot *made);
/* Of what lies in both folders: the newest whole one, and the staged one. */
MUST_CHECK enum err raft_snapshots_load(struct raft_store *s);

#endif
