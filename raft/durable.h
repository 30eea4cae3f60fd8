/* What the core asks to have on disk, and what it is given when it starts: the contract between the
 * core (raft.h) and the store (store.h).
 *
 * The law of writes: they are carried out in the order of their tokens, each wholly or not at all,
 * as many in one commit as wait. PERSISTED(token) says that this one and all before it survive a
 * crash. A write that fails takes all later ones with it: the core then stops (raft.h). */
#ifndef RAFT_DURABLE_H
#define RAFT_DURABLE_H

#include "raft/entry.h"

struct raft_known { /* the newest start of a member that this node heard of */
    struct id id;
    uint64_t store, boot;
    uint32_t draw; /* of that start; 0: not known */
};

struct raft_hard {
    uint64_t term;
    struct id vote;                   /* in that term; zero: none */
    uint64_t store;                   /* the name of this disk; 0: never used */
    uint64_t boot;                    /* starts of this node on this disk */
    uint32_t draws[RAFT_STARTS_KEPT]; /* of start `boot`, the one before it ...; 0: not known */
    size_t known_count;
    struct raft_known known[RAFT_MEMBERS_MAX];
};

/* One write. Its parts in the order in which they are carried out. */
struct raft_write {
    uint64_t token;                /* strictly rising, from 1 at each start of the core */
    const struct raft_hard *hard;  /* NULL: unchanged */
    const struct raft_base *reset; /* not NULL: all records go, the log begins after it */
    uint64_t truncate_from;        /* not 0: records from here on go */
    struct bytes records;          /* then these are put at their indexes, in rising order ... */
    uint64_t first_index;          /* ... the first of them here, */
    uint64_t record_count;         /* so many */
    bool is_repair;                /* they replace unreadable ones in the middle of the log */
    const struct raft_base *trim;  /* not NULL: records up to its index go; it is the new base */
    const struct raft_snapshot
        *part;       /* not NULL: `data` of this snapshot's dump, at `offset`; 0: */
    uint64_t offset; /* begins it, what was staged of others goes; else it appends */
    struct bytes data;
    const struct raft_snapshot *made; /* not NULL: what to remember of the one that can be served */
};

/* All that a disk holds. A fresh disk: all zero (and first = 1). */
struct raft_boot {
    struct raft_hard hard;
    struct raft_base base; /* before the first record */
    /* Records base.index + 1 to `last` are stored, as the store knows from its own commits. A tail
     * that was never PERSISTED may be missing (torn: the store cuts it). What was PERSISTED is part
     * of the range though it be unreadable (corrupt: the core fetches it). */
    uint64_t last;
    /* What the state machine has durably. Above `last`: a snapshot was installed just before the
     * crash; then its base is needed, else applied_base is NULL. */
    uint64_t applied;
    const struct raft_base *applied_base;
    const struct raft_snapshot *snapshot; /* the newest that can be served; NULL: none */
    const struct raft_snapshot *staged;   /* one that was being fetched; NULL: none */
    uint64_t staged_size;                 /* so much of it is durable */
};

#endif
