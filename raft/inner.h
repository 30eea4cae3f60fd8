/* The core's inside: what its files offer each other. election.c (terms, votes), replication.c (the
 * leader's side), receive.c (the follower's), config.c (members), starts.c (their disks), read.c,
 * snapshot.c, repair.c, transfer.c, log.c (records in memory), post.c (effects). Read raft.h first.
 */
#ifndef RAFT_INNER_H
#define RAFT_INNER_H

#include "raft/state.h"

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
bool raft_has_room(const struct raft *r); /* for another write: the disk keeps up */
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
/* FETCHED while no leader is heard: takes what is committed. */
void raft_take_committed(struct raft *r, const struct raft_message *m);
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
bool raft_is_member(const struct raft_config *config, const struct id *id);

/* --- starts.c: disks and starts of others */
/* Which disk and start it speaks from; false: of an older state of its disk, not to be heard.
 * Fences this node where the sender knows a start of its disk that this disk knows nothing of. */
bool raft_heed_sender(struct raft *r, const struct raft_message *m);
/* NULL: never heard of. */
const struct raft_known *raft_known(const struct raft *r, const struct id *id);

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
/* Asks the sender for what it has committed, where this node hears no leader and has less. */
void raft_catch_up(struct raft *r, const struct raft_message *m);
void raft_on_fetch(struct raft *r, const struct raft_message *m);
void raft_on_fetched(struct raft *r, const struct raft_message *m);

/* --- transfer.c */
void raft_hand_over(struct raft *r, uint64_t tag, const struct id *to);
void raft_hand_step(struct raft *r);
void raft_hand_end(struct raft *r, enum err err);

#endif
