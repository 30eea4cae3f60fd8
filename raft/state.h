/* The core's state. What its files do with it, and offer each other, is inner.h's. */
#ifndef RAFT_STATE_H
#define RAFT_STATE_H

#include "base/arena.h"
#include "base/rng.h"
#include "raft/log.h"
#include "raft/raft.h"

#define RAFT_SENDS_MAX 256   /* of one step; the rest goes with the next */
#define RAFT_CHANGES_MAX 16  /* of role, in one step */
#define RAFT_WRITES_MAX 1024 /* waiting for the disk */
#define RAFT_WRITES_SPARE 64 /* of them, for what the shell reports; messages are not taken then */
#define RAFT_INFLIGHT_MAX 256
#define RAFT_NEVER UINT64_MAX

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SNAPSHOT };

struct raft_inflight {
    uint64_t last;
    size_t bytes;
};

struct raft_peer { /* another member, by id */
    struct id id;
    uint64_t store, boot; /* that it speaks from; 0: not heard yet */
    int state;            /* enum raft_progress_state */
    uint64_t match, next;
    bool is_paused; /* probing: one at a time */
    uint64_t heard_ms;
    uint64_t context; /* the greatest that it echoed */
    uint64_t have;    /* its newest snapshot */
    struct raft_inflight inflight[RAFT_INFLIGHT_MAX];
    size_t inflight_head, inflight_count, inflight_bytes;
};

struct raft_waiting_write {
    uint64_t token;
    uint64_t last; /* the log is durable up to here with it, unless truncated since */
};

struct raft_read {
    uint64_t tag;      /* of the shell, or the context of another member's question */
    uint64_t index;    /* 0: not known yet */
    uint64_t context;  /* of the round or question that it waits for; 0: none yet */
    uint64_t due_ms;   /* then it is given up */
    bool is_remote;    /* asked by `from` */
    bool is_confirmed; /* only the state machine is waited for */
    struct id from;
};

struct raft_fetch { /* of a snapshot */
    bool is_active, is_staged, is_asked;
    struct id source;
    struct raft_snapshot snapshot; /* base.index 0: not known yet */
    uint64_t offset, token;        /* staged; of the last part's write */
    uint64_t due_ms;               /* next question, or the answer is overdue */
    unsigned failures;
};

struct raft_serving { /* a part that the shell was asked for */
    bool is_used;
    struct id to;
    uint64_t tag, offset;
    struct raft_snapshot snapshot;
};

struct raft {
    struct raft_cfg cfg;
    struct rng rng;
    uint64_t now_ms;
    enum raft_role role;
    struct raft_hard hard, hard_shown;  /* the one shown is what a write points at */
    bool is_hard_dirty, is_known_dirty; /* the latter: nobody waits for it */
    uint64_t hard_token;                /* of the last write with it */
    struct id leader;
    uint64_t heard_leader_ms, election_due_ms, heartbeat_due_ms, quorum_due_ms;
    bool has_heard_leader; /* since start or since it was given up */
    bool is_full, is_fenced;
    enum err stop;

    struct raft_log log;
    uint64_t commit, handed, applied;
    struct raft_base base_shown;

    uint64_t votes_granted; /* bits by row of the configuration */
    uint64_t vote_token;    /* own vote counts when this is durable */
    bool has_own_vote, is_forced;

    struct raft_peer peers[RAFT_MEMBERS_MAX];
    size_t peer_count;
    uint64_t term_start; /* index of the leader's NOOP */

    uint64_t context; /* the last round's or question's: never used twice */
    uint64_t round;   /* of a leader, or the question of a follower, under way; 0: none */
    uint64_t question_due_ms;
    struct raft_read *waiting_reads;
    size_t read_count;

    struct id hand_to;
    uint64_t hand_tag, hand_due_ms;
    bool is_handing, is_hand_sent;

    struct raft_snapshot snapshot; /* that can be served; base.index 0: none */
    bool is_snapshot_ordered, needs_snapshot;
    struct raft_fetch fetch;
    bool is_installing;
    struct raft_serving serving[RAFT_MEMBERS_MAX];
    uint64_t chunk_tag;
    size_t next_source;
    uint64_t repair_token, repair_due_ms;
    uint64_t repair_question; /* context of the last one about the present gap; 0: none */
    size_t next_repairer;

    struct raft_waiting_write writes[RAFT_WRITES_MAX];
    size_t write_head, write_count;
    uint64_t token; /* of the last write */

    /* effects of this step */
    struct arena arena;
    struct raft_write write;
    bool has_write;
    struct raft_send sends[RAFT_SENDS_MAX];
    struct raft_outcome *outcomes;
    struct raft_read_result *results;
    struct raft_chunk_order chunks[RAFT_MEMBERS_MAX];
    struct raft_change changes[RAFT_CHANGES_MAX];
    size_t send_count, outcome_count, result_count, chunk_count, change_count;
    const struct raft_snapshot *install;
    bool wants_snapshot;
    struct raft_counts counts;
};

#endif
