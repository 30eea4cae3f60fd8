/* One run of load: takes arrivals from the plan when they are due, sends them, follows the answers,
 * adds up what came of them. Ends when all are done, or when it is stopped. */
#ifndef TESTNET_LOAD_RUN_H
#define TESTNET_LOAD_RUN_H

#include "testnet/load/conn.h"
#include "testnet/load/core/plan.h"
#include "testnet/load/core/talk.h"
#include "testnet/load/core/tally.h"

#define RUN_KEY_SIZE 128

struct run_cfg {
    struct plan_cfg plan;
    struct talk_cfg talk;
    struct tally_cfg tally;
    struct io_addr targets[TALLY_TARGETS_MAX]; /* taken in turn */
    char prefixes[TALLY_TARGETS_MAX][256];
    size_t target_count;
    char keys[TALLY_TENANTS_MAX][RUN_KEY_SIZE]; /* bearer tokens of tenants; "": none */
    uint64_t timeout_ms;
    uint32_t open_max;    /* requests at once; more are counted as not sent */
    uint32_t connections; /* to a target at once, for which requests wait; 0: no limit */
    double abandoned;     /* share of the clients that leave at the first piece of a stream */
    bool checks_marks;    /* an answer without its prompt's mark is somebody else's */
    bool spins;           /* burns a core to start on the microsecond, not the millisecond */
};

struct run {
    struct run_cfg cfg;
    struct io_loop *loop;
    struct plan plan;
    struct rng rng; /* who leaves */
    struct talk talk;
    struct tally tally;
    struct load_target targets[TALLY_TARGETS_MAX];
    struct plan_arrival next;
    bool has_next;
    uint64_t start_us, number;
    uint32_t open_count;
    struct list calls; /* under way */
    struct io_timer timer;
    struct io_task task;
    /* One result, as it ends; fields beyond it are the answer's own head. */
    void (*on_result)(void *owner, const struct tally_result *result, const char *mark,
                      const char *request_id, const char *node);
    void (*on_done)(void *owner);
    void *owner;
};

/* The trace, if there is one, is read into r->plan between init and start. */
void run_init(struct run *r, struct io_loop *loop, const struct run_cfg *cfg);
void run_start(struct run *r);
/* No new ones; those under way are given up and counted as timed out. */
void run_stop(struct run *r);
void run_fini(struct run *r);

#endif
