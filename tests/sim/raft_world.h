/* A world of raft cores: nodes with a disk, a state machine and a shell that obeys the law of
 * effects, a network between them, clients with histories, operators, faults, and checkers that
 * look after every step. One seed, one world, byte for byte. Its state is here and in raft_disk.h;
 * what the rooms offer each other is in raft_parts.h:
 *
 *   raft_world.c    time, the queue of what happens, nodes that start and crash
 *   raft_shell.c    events into a core, effects out of it, in the order of the contract
 *   raft_disk.c     what is durable: writes that complete late, fail, are lost, rot
 *   raft_machine.c  the state machine: registers with compare-and-set and sessions
 *   raft_net.c      messages: lost, doubled, late, cut off
 *   raft_client.c   clients and their histories; raft_linear.c judges them
 *   raft_members.c  operators: changes of members, transfers, re-admission
 *   raft_faults.c   what goes wrong, and its mending
 *   raft_check.c    invariants; raft_rules.c those of them that every Raft has to keep
 *   raft_scenario.c one seed from start to end; raft_sim.c the program */
#ifndef TESTS_SIM_RAFT_WORLD_H
#define TESTS_SIM_RAFT_WORLD_H

#include "base/rng.h"
#include "raft/raft.h"
#include "tests/sim/raft_disk.h"
#include "tests/sim/raft_rules.h"

#include <stdio.h>

#define RAFT_NODES 8
#define RAFT_CLIENTS 6
#define RAFT_OPS 600
#define RAFT_ELECTION_MS 150
#define RAFT_HEARTBEAT_MS 30

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
    bool was_fetched; /* this step took records of a member that need not lead */
    uint64_t heard_ms[RAFT_NODES], led_since_ms; /* by its own clock */
    uint64_t commit_before, now_before_ms;       /* this step */
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
    bool reads, ends_with_reads, snapshots, slow_disks, small_windows, small_memory;
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

struct raft_happening;

struct raft_world {
    struct raft_options options;
    struct rng rng;
    struct raft_features features;
    uint64_t now_ms, order, same_ms; /* same_ms: events since the clock moved */
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
    struct rules rules;
    bool is_calm;            /* no more faults: everything must come to an end */
    struct raft_disk backup; /* an old copy of a disk */
    struct raft_node *backup_of;
    size_t voters_min;
    struct raft_node *damaged; /* the one whose disk lost something; at most one at a time */
    struct raft_stats stats;
    const char *broken; /* the invariant */
    char why[256];
};

#endif
