/* Applying committed entries on a worker, and checking commands there. Inside node/rules only. */
#ifndef NODE_RULES_APPLY_H
#define NODE_RULES_APPLY_H

#include "raft/raft.h"
#include "registry/registry.h"

struct rules;
struct order;

struct check { /* of one order, on the worker */
    struct bytes command;
    struct order *order; /* NULL: given up meanwhile */
    struct registry_result result;
};

struct outcome { /* of one command that this node proposed */
    uint64_t index, term;
    size_t place; /* in the proposal */
    struct registry_result result;
};

struct rules_apply {
    bool is_busy; /* a job is on the worker */
    uint64_t to;  /* committed up to here */
    /* the job */
    struct buf records;
    uint64_t first, count;
    uint64_t again_ms; /* the disk was full: not tried before */
    bool is_probe;     /* nothing to apply: is there room again? */
    uint64_t time_ms;  /* of the checks */
    struct check checks[REGISTRY_COMMANDS_MAX];
    size_t check_count;
    struct outcome *outcomes; /* of every command in the batch */
    size_t outcome_count, outcome_room;
    struct raft_base base; /* after it */
    struct registry_head head;
    uint32_t changed;
    enum err err;
};

void apply_init(struct rules *r);
/* There is something to apply or to check. */
void apply_kick(struct rules *r);
void apply_stop(struct rules *r);
void apply_fini(struct rules *r);
/* The reader shows what the registry has; `changed`: bits of kinds, told to whoever follows. */
MUST_CHECK enum err apply_renew(struct rules *r, uint32_t changed);

#endif
