/* A world of raft cores: nodes with a disk, a state machine and a shell that obeys the law of effects,
 * a network between them, clients with histories, operators, faults, and checkers that look after
 * every step. One seed, one world, byte for byte. The rooms:
 *
 *   raft_world.c    time, the queue of what happens, nodes that start and crash
 *   raft_shell.c    events into a core, effects out of it, in the order of the contract
 *   raft_disk.c     what is durable: writes that complete late, fail, are lost, rot
 *   raft_machine.c  the state machine: registers with compare-and-set and sessions
 *   raft_net.c      messages: lost, doubled, late, cut off
 *   raft_client.c   clients and their histories; raft_linear.c judges them
 *   raft_members.c  operators: changes of members, transfers, re-admission
 *   raft_faults.c   what goes wrong, and its mending
 *   raft_check.c    invariants
 *   raft_scenario.c one seed from start to end; raft_sim.c the program */
#ifndef TESTS_SIM_RAFT_WORLD_H
#define TESTS_SIM_RAFT_WORLD_H

#include "base/rng.h"
#include "raft/raft.h"

#include <stdio.h>

#define RAFT_NODES 8
#define RAFT_KEYS 3
#define RAFT_CLIENTS 6
#define RAFT_SESSIONS 128
#define RAFT_OPS 600
#define RAFT_ELECTION_MS 150
#define RAFT_HEARTBEAT_MS 30

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

/* --- nodes */

struct raft_node;
struct raft_letter { /* a message on its way, or waiting for a write */
    struct raft_letter *next;
    struct raft_message message;
    struct raft_snapshot snapshot;
    uint64_t after;
};

struct raft_node {
    struct raft_world *world;
    size_t number;
    struct id id;
    char name[24];
    struct raft_disk disk;
    struct raft *core; /* NULL: down */
    uint64_t life;     /* starts; what was meant for an earlier one is dropped */
    struct raft_machine machine;
    struct raft_letter *held; /* sends waiting for their write, in order */
    struct raft_letter **held_end;
    uint64_t tick_due_ms, paused_until_ms;
    int64_t clock_offset_ms;
    unsigned clock_percent;  /* of the world's speed */
    bool is_full, is_gone;   /* gone: for good, no restart */
    bool is_crashing;        /* at a boundary of the step under way */
    struct raft_status seen; /* by the checker, last */
    bool has_seen;
    uint64_t commit_before; /* this step */
};

/* --- clients */

struct raft_op {
    uint64_t client, key, value, expected, result;
    uint64_t called, returned; /* order of events; returned 0: never */
    enum { RAFT_OP_READ, RAFT_OP_WRITE, RAFT_OP_CAS } type;
    bool is_unknown; /* it may have happened, or may yet */
};

struct raft_client {
    uint64_t name, sequence; /* a new name after each outcome that stays unknown */
    struct raft_op *op;      /* under way; NULL: none */
    uint64_t tag;            /* of the attempt */
    uint64_t index, term;    /* of a proposal that was accepted */
    struct raft_node *at;
    uint64_t next_ms, give_up_ms;
    unsigned attempts;
    bool was_tried;    /* an attempt ended without its outcome being known */
    bool is_last_done; /* the one that each does after all was mended */
};

/* --- the world */

struct raft_features { /* of this seed; chances per thousand events, or on and off */
    unsigned drop, duplicate, tail;
    unsigned crash, crash_boundary, partition, one_way, clog, pause, skew;
    unsigned disk_slow, disk_full, disk_fail, rot, wipe, rollback;
    unsigned change, transfer, unreachable;
    bool through_bytes; /* every message is encoded and decoded */
    bool snapshots, slow_disks, small_windows, small_memory;
};

struct raft_options {
    uint64_t seed;
    uint64_t steps; /* events of the busy part */
    const char *scenario;
    FILE *trace;
};

struct raft_stats {
    uint64_t steps, messages, elections, commits, acknowledged, unknown, reads, crashes, wipes,
        rots, rollbacks, changes, joint, transfers, snapshots, installs, chunks, repairs,
        truncations, disk_failures, lost_writes, linear_states, virtual_ms, boundaries[6];
};

struct raft_truth { /* what some node once held for committed */
    uint64_t term, digest;
    uint64_t leader_term; /* of who committed it first */
};

struct raft_happening;

struct raft_world {
    struct raft_options options;
    struct rng rng;
    struct raft_features features;
    uint64_t now_ms, order;
    struct raft_happening **queue;
    size_t queue_count, queue_capacity;
    struct raft_node nodes[RAFT_NODES];
    size_t node_count, voter_count;
    bool cut[RAFT_NODES][RAFT_NODES];
    uint64_t clogged_until_ms[RAFT_NODES][RAFT_NODES];
    struct raft_client clients[RAFT_CLIENTS];
    struct raft_op ops[RAFT_OPS];
    size_t op_count;
    uint64_t next_client, next_tag;
    struct raft_truth *truth; /* by index - 1 */
    size_t truth_count, truth_capacity;
    struct raft_seen_record {
        uint64_t index, term, digest;
    } * seen_records; /* open addressing by index and term */
    size_t seen_count, seen_capacity;
    uint64_t leader_terms[4096]; /* node number + 1 of the leader of a term */
    bool is_calm;                /* no more faults: everything must come to an end */
    struct raft_disk backup;     /* an old copy of a disk */
    struct raft_node *backup_of;
    size_t voters_min;
    struct raft_node *damaged; /* the one whose disk lost something; at most one at a time */
    struct raft_stats stats;
    const char *broken; /* the invariant */
    char why[256];
};

/* --- raft_world.c */
enum raft_happens {
    RAFT_HAPPENS_TICK,
    RAFT_HAPPENS_LETTER,
    RAFT_HAPPENS_WRITTEN,
    RAFT_HAPPENS_APPLIED,
    RAFT_HAPPENS_DUMPED,
    RAFT_HAPPENS_CHUNK,
    RAFT_HAPPENS_INSTALLED,
    RAFT_HAPPENS_RESTART,
    RAFT_HAPPENS_CLIENT,
    RAFT_HAPPENS_MEMBERS,
    RAFT_HAPPENS_HEAL,
};

struct raft_happening {
    uint64_t at_ms, order;
    enum raft_happens type;
    struct raft_node *node;
    uint64_t life; /* of the node; 0: any */
    uint64_t a, b, c;
    struct raft_letter *letter;
};

void world_at(struct raft_world *w, uint64_t at_ms, const struct raft_happening *h);
/* The next event happens; false: there is none before `until_ms`. */
bool world_run_one(struct raft_world *w, uint64_t until_ms);
void world_init(struct raft_world *w, const struct raft_options *options);
void world_fini(struct raft_world *w);
void node_start(struct raft_node *n);
void node_crash(struct raft_node *n);
struct raft_node *world_node(struct raft_world *w, const struct id *id);
struct raft_node *world_leader(struct raft_world *w); /* of the greatest term; NULL */
bool world_chance(struct raft_world *w, unsigned per_thousand);
uint64_t node_now_ms(const struct raft_node *n);
__attribute__((format(printf, 3, 4))) void world_break(struct raft_world *w, const char *invariant,
                                                       const char *format, ...);
void world_trace(struct raft_world *w, const struct raft_node *n, const char *event);

/* --- raft_shell.c */
void shell_step(struct raft_node *n, struct raft_event *event);
void shell_written(struct raft_node *n);
void shell_dumped(struct raft_node *n);
void shell_installed(struct raft_node *n);
void shell_chunk(struct raft_node *n, uint64_t tag, uint64_t index, uint64_t offset, uint64_t size);
void shell_save_machine(struct raft_node *n);
void shell_drop_held(struct raft_node *n);

/* --- raft_disk.c */
void disk_init_voter(struct raft_disk *d, const struct raft_config *config, uint64_t store);
void disk_submit(struct raft_node *n, const struct raft_write *write);
/* What the core is given at start; lives as long as the disk is not touched. */
void disk_boot(struct raft_disk *d, struct raft_boot *ret_boot);
enum err disk_read(void *node, uint64_t index, struct bytes *ret_record);
/* The first queued write becomes durable. */
void disk_complete(struct raft_node *n);
/* What was queued is lost, but for so many that were done and not reported. */
void disk_crash(struct raft_node *n, size_t done);
void disk_free(struct raft_disk *d);
/* The image, without the queue. */
void disk_copy(const struct raft_disk *from, struct raft_disk *ret_disk);
uint64_t disk_last(const struct raft_disk *d);
struct raft_stored *disk_record(struct raft_disk *d, uint64_t index);
uint64_t record_digest(struct bytes record);

/* --- raft_machine.c */
size_t machine_encode(const struct raft_command *c, uint8_t out[64]);
bool machine_decode(struct bytes payload, struct raft_command *ret_command);
uint64_t machine_apply(struct raft_machine *m, const struct raft_entry *e);
size_t machine_dump(const struct raft_machine *m, uint8_t **ret_bytes);
bool machine_load(struct bytes dump, struct raft_machine *ret_machine);

/* --- raft_net.c */
struct raft_letter *letter_copy(const struct raft_message *m);
void letter_free(struct raft_letter *l);
void net_send(struct raft_world *w, struct raft_letter *letter);

/* --- raft_client.c */
void client_run(struct raft_world *w, size_t number);
void client_outcome(struct raft_node *n, const struct raft_outcome *o);
void client_read(struct raft_node *n, const struct raft_read_result *result);
void client_applied(struct raft_node *n, const struct raft_entry *e, uint64_t result);
void client_kick(struct raft_world *w, size_t number);
/* Of those who wait at a node that went down, or anywhere: they ask somebody else in time. */
bool clients_are_idle(const struct raft_world *w);

/* --- raft_linear.c: false: no order of these operations explains their results */
bool linear_check(const struct raft_op *ops, size_t count, uint64_t key, uint64_t *ret_states);

/* --- raft_members.c */
void members_run(struct raft_world *w);
void members_disturb(struct raft_world *w);
bool members_are_settled(struct raft_world *w);

/* --- raft_faults.c */
void faults_choose(struct raft_world *w);
void faults_run(struct raft_world *w);
void faults_heal(struct raft_world *w);
void faults_end(struct raft_world *w); /* all is mended */
bool faults_boundary(struct raft_node *n, size_t boundary);

/* --- raft_check.c */
void check_step(struct raft_node *n, const struct raft_effects *e);
void check_write(struct raft_node *n, const struct raft_write *write);
void check_send(struct raft_node *n, const struct raft_message *m);
void check_apply(struct raft_node *n, const struct raft_entry *e);
void check_start(struct raft_node *n);
void check_end(struct raft_world *w);

/* --- raft_scenario.c */
bool scenario_exists(const char *name);
void scenario_list(FILE *out);
/* True: every invariant held. */
bool scenario_run(const struct raft_options *options, struct raft_stats *ret_stats);

#endif
