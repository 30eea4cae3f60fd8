/* What can be seen of a core: roles, reasons of its changes, and everything that is counted. Words
 * for logs, metrics and tests. */
#ifndef RAFT_STATUS_H
#define RAFT_STATUS_H

#include "base/err.h"
#include "raft/entry.h"

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER, RAFT_STOPPED };
const char *raft_role_name(enum raft_role role); /* "follower" "pre_candidate" ... */

#define RAFT_REASONS(X)                                                                            \
    X(STARTED, "started")                                                                          \
    X(SILENCE, "no_leader_heard")                                                                  \
    X(PREVOTE_WON, "prevote_won")                                                                  \
    X(VOTE_LOST, "election_failed")                                                                \
    X(ELECTED, "elected")                                                                          \
    X(HIGHER_TERM, "higher_term")                                                                  \
    X(LEADER_SEEN, "leader_seen")                                                                  \
    X(NO_QUORUM, "no_quorum")                                                                      \
    X(REMOVED, "removed")                                                                          \
    X(TRANSFER, "transfer")                                                                        \
    X(FULL, "disk_full")                                                                           \
    X(FENCED, "disk_lost_or_rolled_back")                                                          \
    X(CONFIG, "members_changed")                                                                   \
    X(ROLLBACK, "members_rolled_back")                                                             \
    X(FAILED, "failed")
enum raft_reason {
#define RAFT_REASON_ENUM(constant, word) RAFT_REASON_##constant,
    RAFT_REASONS(RAFT_REASON_ENUM)
#undef RAFT_REASON_ENUM
};
const char *raft_reason_name(enum raft_reason reason);

struct raft_progress {
    struct id id;
    const char *state; /* "probe" "replicate" "snapshot" */
    uint64_t match, next, heard_ms, store;
    size_t inflight, inflight_bytes;
    bool is_learner, is_fenced; /* fenced: another disk than the voter's of this name */
};

struct raft_counts {
    uint64_t elections, prevotes, step_downs, terms, proposals, refused_proposals, appends_in,
        appends_out, rejects_in, rejects_out, duplicates, truncations, writes, reads, read_rounds,
        reads_failed, changes, transfers, transfers_failed, snapshots, chunks_in, chunks_out,
        offers_out, fetched;
    uint64_t messages_in, messages_out, stale /* of older terms */, refused[ERR_COUNT];
};

struct raft_status {
    enum raft_role role;
    uint64_t term, commit, applied, last, durable, base /* before the first record */;
    struct id leader, vote;
    bool is_voter, is_fenced, is_full, is_installing, is_handing_over;
    uint64_t unreadable_first, unreadable_last; /* 0: none */
    size_t uncommitted_bytes, reads_waiting, writes_waiting;
    size_t progress_count; /* of a leader */
    struct raft_progress progress[RAFT_MEMBERS_MAX];
};

#endif
