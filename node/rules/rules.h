/* The rules of the mesh as one node has them: raft's log where this node is a member, a copy of the
 * committed log that it pulls from others where it is not, and the registry that the log fills.
 * The shell around the two cores (raft/raft.h, registry/registry.h); the one header of node/rules
 * that other folders include.
 *
 *   opened ──attached──> following ──(configuration names us)──> member ──> following …
 *                              any ──(disk, unknown entry, wrong hash)──> stopped
 *
 * A follower that stops applies nothing more and says why in rules_status; requests go on under the
 * last rules. A member whose disk fails ends the process (on_fatal): fsync is never tried twice. A
 * disk without room is no such failure: the node leads no more, takes no new entries, serves what
 * it has, and goes on by itself when there is room (room.c).
 *
 * Not here: what rules mean for requests (routing, ingress), certificates (trust), links (mesh). */
#ifndef NODE_RULES_RULES_H
#define NODE_RULES_RULES_H

#include "base/log.h"
#include "base/trace.h"
#include "node/mesh/mesh.h"
#include "node/trust/cert.h"
#include "raft/raft.h"
#include "registry/registry.h"

#define RULES_CALLS_MAX 1024 /* commands and consistent reads under way at one node */
#define RULES_CALL_TIMEOUT_MS 10000

struct rules;
struct order;

struct rules_ops {
    /* Committed commands changed rows of these kinds (bits 1 << kind; all after a snapshot):
     * readers show the new epoch from now on. */
    void (*on_change)(void *owner, uint32_t kinds);
    /* This node must not go on: its log cannot be kept. Called once. */
    void (*on_fatal)(void *owner, enum err reason);
};

struct rules_cfg {
    struct io_loop *loop;
    const struct identity *identity; /* borrowed, lives longer */
    const struct log *log;
    const struct trace *trace; /* may be NULL */
    uint64_t seed;
    const char *dir;  /* D/data: raft/, registry/, snapshots/ below it; NULL: this node keeps no
                        * rules (tests of other parts): no reader, nobody refused */
    bool is_volatile; /* nothing is synced: `run --dev`, simulations */
    struct bytes admission;    /* the signed command that admits this node; empty: none */
    uint64_t snapshot_entries; /* applied between two snapshots, and kept before one; 0: 10000 */
};

/* Opens what is on disk, the directory's lock included. Errors of the stores, with `message` saying
 * where and what to do. */
MUST_CHECK enum err rules_open(const struct rules_cfg *cfg, const struct rules_ops *ops,
                               void *owner, struct buf *message, struct rules **ret_rules);
/* Takes part from now on: links, gossip's facts of who has what. */
void rules_attach(struct rules *r, struct mesh *m);
/* Every call gets CANCELLED. A leader that drains hands over first (rules_drain). NULL is fine. */
void rules_drain(struct rules *r);
void rules_close(struct rules *r);

/* Writes the log of a new mesh: this node the only voter, `genesis` (a signed command of the mesh
 * root's) its first command. EXISTS: there is a log. Before rules_open; nothing else has the
 * directory open. */
MUST_CHECK enum err rules_found(const char *dir, const struct identity *identity, bool is_volatile,
                                uint64_t wall_ms, struct bytes genesis);

/* --- by hand, while nothing has the directory open (recover.c) */

struct rules_recovered {
    uint64_t index, term, epoch;       /* where the new history begins; epoch: of a snapshot */
    struct id voters[RAFT_VOTERS_MAX]; /* who voted before */
    size_t voter_count;
};
/* Most voters are lost for good: this node alone votes from now on, with all that its log has, also
 * what was never committed. NOT_FOUND: no log here; CORRUPT: one with holes. */
MUST_CHECK enum err rules_recover(const char *dir, const struct identity *identity,
                                  struct buf *message, struct rules_recovered *ret_recovered);
#define RULES_RESTORE_PART_MAX (1u << 20)
/* The same out of a saved snapshot. `read` appends its next bytes, at most RULES_RESTORE_PART_MAX,
 * nothing at its end; it is read twice, after `rewind`. EXISTS: there is a log here already;
 * INVALID, CORRUPT, WRONG_MESH: no snapshot of this mesh. */
MUST_CHECK enum err rules_restore(const char *dir, const struct identity *identity,
                                  enum err (*read)(void *ctx, struct buf *out),
                                  enum err (*rewind)(void *ctx), void *ctx, struct buf *message,
                                  struct rules_recovered *ret_restored);

/* --- what is known */

struct rules_status {
    uint64_t epoch, applied, commit, term; /* 0: nothing yet; term: members only */
    bool has_hash;
    uint8_t hash[CRYPTO_HASH_SIZE]; /* of the state at `applied` */
    bool has_leader;
    struct id leader; /* as raft says to members, gossip to others */
    bool is_member, is_voter, is_leader;
    bool has_quorum; /* this node knows of a leader that commits */
    uint64_t age_ms; /* since a leader last confirmed our commit index; UINT64_MAX: none did */
    struct id voters[RAFT_VOTERS_MAX];
    size_t voter_count;
    bool is_admitted;            /* by the rules that it has */
    enum err stopped;            /* why nothing more is applied; OK otherwise */
    bool is_disk_full;           /* it only follows until there is room: the log names the place */
    bool is_diverged;            /* another replica has another hash at the same index */
    enum err refusal;            /* of this node's admission, the newest; OK: none */
    const char *refused_because; /* in English; "" where the reason says it */
};
void rules_status(const struct rules *r, struct rules_status *ret_status);
/* For gauges and logs; zeros where this node is no member. */
void rules_raft_status(const struct rules *r, struct raft_status *ret_status,
                       struct raft_counts *ret_counts);

#define RULES_COMMIT_SLOTS 14
struct rules_counts {
    uint64_t committed, refused, unknown; /* commands that were brought to this node */
    uint64_t waiting;                     /* ... and reads that are under way */
    uint64_t commits, commit_total_us;    /* of the log's disk; by time: up to 64 us << i */
    uint64_t commit_slots[RULES_COMMIT_SLOTS];
    uint64_t ranges_pulled, bytes_pulled, lies; /* as a replica */
    uint64_t sources_left;                      /* ... that gave nothing while others had news */
    uint64_t pullers, pullers_refused;          /* by this node: waiting now; too many */
};
void rules_counts(const struct rules *r, struct rules_counts *ret_counts);

/* The newest rules that are in force here; valid until the loop's turn ends. NULL: none yet. */
const struct registry_reader *rules_reader(const struct rules *r);

/* The record at an index of the log, for whoever prints it; valid until the loop's turn ends.
 * NOT_FOUND: not in this node's log, which only members keep. */
MUST_CHECK enum err rules_record(struct rules *r, uint64_t index, struct bytes *ret_record);
/* The state as applied here, for a backup: registry_save_read, then registry_save_close.
 * OVERLOADED: something is being applied just now. STARTING: no rules yet. */
MUST_CHECK enum err rules_save(struct rules *r, struct registry_save **ret_save,
                               uint64_t *ret_size);

/* --- commands and consistent reads: embedded in the caller's object */

struct rules_call {
    /* Commands: result->err OK: committed, in force here as of result->epoch; a refusal: the
     * registry's reason and fault; UNKNOWN_OUTCOME: it may or may not happen, repeat the very same
     * command to find out; TIMEOUT: it did not, nobody leads. Reads: `result` has the index whose
     * effects the reader shows now. Never called from inside rules_submit or rules_read. */
    void (*on_done)(struct rules_call *call, const struct registry_result *result);
    struct order *order; /* while it is under way */
};
/* Any node: forwarded to the leader over links; copied. INVALID: empty or too long; OVERLOADED,
 * DRAINING, NO_MEMORY. */
MUST_CHECK enum err rules_submit(struct rules *r, struct rules_call *call, struct bytes command);
/* Linearizable: done when all that was committed before now is applied here. OVERLOADED. */
MUST_CHECK enum err rules_read(struct rules *r, struct rules_call *call);
/* No callback comes; the command may still happen. */
void rules_cancel(struct rules_call *call);
/* `voters ls`, transfer: leadership goes to this voter (zero: the best). NOT_LEADER. */
MUST_CHECK enum err rules_hand_over(struct rules *r, const struct id *to);

/* --- those who watch: told once per turn in which the epoch moved */
struct rules_watcher {
    struct list node;
    void (*on_epoch)(struct rules_watcher *watcher);
};
void rules_watch(struct rules *r, struct rules_watcher *watcher);
void rules_unwatch(struct rules_watcher *watcher);

/* --- for the mesh: who may be here */

/* OK; REVOKED; NOT_ADMITTED: it may only bring its admission (RULES_COMMAND_TARGET). A node that
 * has no rules yet admits every certificate of its mesh. */
MUST_CHECK enum err rules_admit(const struct rules *r, const struct id *node);

/* Whether the rules have this key of gossip. NOT_FOUND: no key of so high a number yet;
 * NOT_ALLOWED: another one, or an old number. OK where there are no rules. */
MUST_CHECK enum err rules_check_key(const struct rules *r, uint64_t number,
                                    const uint8_t key[CRYPTO_AEAD_KEY_SIZE]);

/* The peer came, went or said something new: who pulls may go on. O(1) but for one look a turn. */
void rules_on_peer(struct rules *r, const struct peer *peer);
/* It judges by the rules of this epoch: where that is news, they are asked of it, if whoever is
 * being asked does not give them in a moment. */
void rules_hear_epoch(struct rules *r, const struct peer *peer, uint64_t epoch);

/* Paths on links that are ours; all begin with it. */
#define RULES_TARGET "/mesh/v1/rules/"
#define RULES_COMMAND_TARGET "/mesh/v1/rules/command"
bool rules_owns(struct bytes target);
/* As mesh_ops.on_request, for those paths. */
MUST_CHECK enum err rules_accept(struct rules *r, struct peer *peer, struct h2_stream *s,
                                 const struct http_head *head, bool ended,
                                 struct mesh_stream **ret_stream);

#endif
