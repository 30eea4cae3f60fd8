/* The core's inside: its state, and what its files offer each other. election.c (terms, votes),
 * replication.c (the leader's side), receive.c (the follower's), config.c (members), read.c,
 * snapshot.c, repair.c, transfer.c, log.c (records in memory), post.c (effects). Read raft.h first. */
#ifndef RAFT_INNER_H
#define RAFT_INNER_H

#include "base/arena.h"
#include "base/rng.h"
#include "raft/log.h"
#include "raft/raft.h"

#define RAFT_SENDS_MAX 256   /* of one step; the rest goes with the next */
#define RAFT_CHANGES_MAX 16  /* of role, in one step */
#define RAFT_WRITES_MAX 1024 /* waiting for the disk; beyond it messages are not taken */
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
    struct raft_hard hard, hard_shown; /* the one shown is what a write points at */
    bool is_hard_dirty;
    uint64_t hard_token; /* of the last write with it */
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

/* --- post.c: what the shell must do */
/* A message of this node's, all common fields filled; NULL when no more fit into this step. It
 * leaves when the hard state and all records up to `index` are durable. */
struct raft_message *raft_post(struct raft *r, enum raft_message_type type, const struct id *to,
                               uint64_t index);
void raft_post_outcome(struct raft *r, uint64_t tag, enum err err, uint64_t index);
void raft_post_result(struct raft *r, uint64_t tag, enum err err, uint64_t index);
void raft_post_change(struct raft *r, enum raft_reason reason);
void raft_stop(struct raft *r, enum err err);
/* The write that is being made; whoever asks for it fills it. */
struct raft_write *raft_post_write(struct raft *r);
void raft_post_begin(struct raft *r);
void raft_post_end(struct raft *r, struct raft_effects *ret_effects);
void raft_post_persisted(struct raft *r, uint64_t token);
bool raft_is_durable(const struct raft *r, uint64_t token);
void raft_refuse(struct raft *r, enum err reason);

/* --- election.c */
void raft_follow(struct raft *r, uint64_t term, const struct id *leader, enum raft_reason reason);
void raft_campaign(struct raft *r, bool is_forced);
void raft_election_run(struct raft *r);
void raft_election_reset(struct raft *r);
void raft_election_persisted(struct raft *r);
bool raft_hears_leader(const struct raft *r);
void raft_on_prevote(struct raft *r, const struct raft_message *m);
void raft_on_prevote_reply(struct raft *r, const struct raft_message *m);
void raft_on_vote(struct raft *r, const struct raft_message *m);
void raft_on_vote_reply(struct raft *r, const struct raft_message *m);
void raft_on_timeout_now(struct raft *r, const struct raft_message *m);
void raft_fence(struct raft *r);

/* --- replication.c: the leader */
void raft_lead(struct raft *r);
MUST_CHECK enum err raft_append(struct raft *r, enum raft_kind kind, struct bytes payload);
void raft_replicate(struct raft *r);
void raft_heartbeat(struct raft *r);
void raft_commit(struct raft *r);
void raft_check_quorum(struct raft *r);
void raft_on_append_reply(struct raft *r, const struct raft_message *m);
void raft_propose(struct raft *r, const struct raft_event *e);
/* Records from `first` to at most `last` for one message; how many. */
uint64_t raft_gather(struct raft *r, uint64_t first, uint64_t last, struct bytes *ret_records);
void raft_peer_probe(struct raft_peer *p, uint64_t next);
struct raft_peer *raft_peer_find(struct raft *r, const struct id *id);

/* --- receive.c: messages */
void raft_receive(struct raft *r, const struct raft_message *m);
MUST_CHECK enum err raft_truncate(struct raft *r, uint64_t from);

/* --- config.c: members */
const struct raft_config *raft_now(const struct raft *r);
/* Majorities: of rows with a bit, of rows heard of; both of them in a joint configuration. */
bool raft_quorum(const struct raft *r, uint64_t rows);
uint64_t raft_quorum_index(const struct raft *r);
uint64_t raft_rows_of(const struct raft *r, const struct id *id, uint64_t store, uint64_t boot);
bool raft_is_voter(const struct raft *r); /* by id and disk */
bool raft_may_be_needed(const struct raft *r);
void raft_config_changed(struct raft *r, enum raft_reason reason);
void raft_config_committed(struct raft *r);
void raft_change_members(struct raft *r, const struct raft_event *e);
/* Which disk and start it speaks from; false: of an older state of its disk, not to be heard. */
bool raft_heed_sender(struct raft *r, const struct raft_message *m);
uint64_t raft_known_boot(const struct raft *r, const struct id *id, uint64_t *ret_store);

/* --- read.c */
void raft_read_begin(struct raft *r, uint64_t tag);
void raft_read_step(struct raft *r); /* after anything that may let reads go on */
void raft_read_drop(struct raft *r); /* the leader changed */
uint64_t raft_read_due_ms(const struct raft *r);
void raft_on_read(struct raft *r, const struct raft_message *m);
void raft_on_read_reply(struct raft *r, const struct raft_message *m);

/* --- snapshot.c */
void raft_offer(struct raft *r, struct raft_peer *p);
void raft_on_offer(struct raft *r, const struct raft_message *m);
void raft_on_get(struct raft *r, const struct raft_message *m);
void raft_on_chunk(struct raft *r, const struct raft_message *m);
void raft_chunk_read(struct raft *r, const struct raft_event *e);
void raft_snapshot_made(struct raft *r, const struct raft_event *e);
void raft_installed(struct raft *r, enum err err);
void raft_snapshot_run(struct raft *r);
void raft_snapshot_forget(struct raft *r);
uint64_t raft_snapshot_due_ms(const struct raft *r);

/* --- repair.c */
void raft_repair_run(struct raft *r);
void raft_repair_persisted(struct raft *r);
void raft_on_fetch(struct raft *r, const struct raft_message *m);
void raft_on_fetched(struct raft *r, const struct raft_message *m);

/* --- transfer.c */
void raft_hand_over(struct raft *r, uint64_t tag, const struct id *to);
void raft_hand_step(struct raft *r);
void raft_hand_end(struct raft *r, enum err err);

#endif
