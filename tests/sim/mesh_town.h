/* A town: several whole nodes, their engines and their users in one simulated world, and the
 * picture of what is well at any moment, by which verdicts are made.
 *
 *   mesh_sim.c       options, seeds, summary       mesh_scenario.c  one seed from start to end
 *   mesh_town.c      nodes: start, crash, drain    mesh_calm.c      what is well since when
 *   mesh_engine.c    scripted engines              mesh_user.c      HTTP clients
 *   mesh_faults.c    faults and their healing      mesh_verdict.c   is this outcome allowed?
 *   mesh_check.c     what must hold at the end     mesh_trust.c     identities
 *   mesh_rules.c     log and registry, changes
 *
 * Hosts: nodes first, then engines, then users; a host's number is its place in that order. */
#ifndef TESTS_SIM_MESH_TOWN_H
#define TESTS_SIM_MESH_TOWN_H

#include "base/rng.h"
#include "node/node.h"
#include "node/rules/rules.h"
#include "tests/sim/io/world.h"
#include "tests/sim/mesh_calm.h"
#include "tests/sim/mesh_engine.h"
#include "tests/sim/mesh_job.h"
#include "tests/sim/mesh_user.h"

#include <stdio.h>

#define TOWN_NODES_MAX 4
#define TOWN_ENGINES_MAX 4
#define TOWN_USERS_MAX 2
#define TOWN_HOSTS_MAX (TOWN_NODES_MAX + TOWN_ENGINES_MAX + TOWN_USERS_MAX)
#define TOWN_JOBS_MAX 2048
#define TOWN_CHANGES_MAX 1024
#define TOWN_MS UINT64_C(1000)
#define TOWN_SECOND UINT64_C(1000000)
#define TOWN_DEADLINE_MS 20000 /* limits.request_timeout; in some towns less */

struct town_node {
    struct town *town;
    size_t index;
    char name[CERT_NAME_MAX + 1];
    struct config config;
    struct identity identity;
    struct log log;
    struct io_loop *loop;
    struct node *node; /* NULL: does not run */
    char rules_dir[128];
    uint64_t boot_ms;
    uint64_t incarnation;     /* on its disk */
    uint64_t start_order;     /* how often it was started */
    bool restarts;            /* after it has drained */
    struct calm lives;        /* has not crashed */
    struct calm up;           /* serves */
    struct calm runs;         /* is not paused */
    struct calm stays;        /* does not drain */
    struct calm opens;        /* has file descriptors left */
    uint64_t drain_us;        /* when it began to drain last */
    uint64_t linger_until_us; /* closed, but its loop still sends what was queued */
    int64_t clock_ms;         /* its wall clock is off by so much */
};

struct town_stats {
    uint64_t jobs, faults, restarts, receipts_checked, engine_cancels;
    uint64_t outcomes[JOB_OUTCOMES];
    uint64_t retried;   /* jobs that reached engines more than once */
    uint64_t hedges[3]; /* at nodes as they are at the end: won, lost, failed */
    uint64_t hops[4];
    size_t in_flight_max, queued_max;
};

struct town_options {
    uint64_t steps; /* requests of the busy phase */
    bool prints_log;
    bool is_calm; /* no faults whatever the seed says */
    bool traces_packets;
    FILE *trace_file; /* NULL: none */
};

struct town_change;

struct town {
    uint64_t seed;
    struct town_options options;
    struct rng rng;
    struct sim_world *world;
    struct sim_config sim;
    struct trace trace;
    struct town_node nodes[TOWN_NODES_MAX];
    size_t node_count;
    uint64_t deadline_ms;
    uint64_t hedge_after_ms; /* at the ingress; in most towns 0: no hedges */
    struct engine engines[TOWN_ENGINES_MAX];
    size_t engine_count;
    struct io_loop *user_loops[TOWN_USERS_MAX];
    size_t user_count;
    struct list users; /* connections */
    struct job *jobs[TOWN_JOBS_MAX];
    size_t job_count;
    size_t jobs_pending;
    bool had_faults;                                  /* any, so far */
    bool is_over;                                     /* samplers stop */
    struct calm path[TOWN_HOSTS_MAX][TOWN_HOSTS_MAX]; /* symmetric: [smaller][larger] */
    struct calm peer[TOWN_NODES_MAX][TOWN_NODES_MAX]; /* i has a link to j and takes it for alive */
    /* rules */
    char rules_dir[64];
    unsigned changes;           /* submitted */
    struct town_change *change; /* NULL: none is under way */
    unsigned acknowledged[TOWN_CHANGES_MAX];
    size_t acknowledged_count;
    struct town_stats stats;
    unsigned failures;
};

/* --- mesh_town.c */
MUST_CHECK enum err town_create(uint64_t seed, const struct town_options *options,
                                struct town **ret_town);
void town_destroy(struct town *t);
static inline uint64_t town_now_us(const struct town *t)
{
    return sim_world_now_us(t->world);
}
static inline void town_run(struct town *t, uint64_t us)
{
    sim_world_run_until(t->world, town_now_us(t) + us);
}
/* An invariant was broken: says so on stderr with the seed. */
void town_fail(struct town *t, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t town_host_of_engine(const struct town *t, size_t engine);
size_t town_host_of_user(const struct town *t, size_t user);
const char *town_host_name(const struct town *t, size_t host, char ret_name[SIM_NAME_SIZE]);
void town_node_start(struct town_node *n);
void town_node_crash(struct town_node *n, enum sim_crash how);
/* Closes it in good order. */
void town_node_stop(struct town_node *n);
/* Drains it; it stops when it says that it is drained, and starts again within a second. */
void town_node_drain(struct town_node *n);
/* A job whose texts are written; kept by the town. */
struct job *town_job(struct town *t, enum job_kind kind, size_t ingress, const char *model,
                     size_t body_bytes, size_t answer_bytes);
struct job *town_job_find(struct town *t, struct bytes id);

/* --- mesh_trust.c */
void town_make_identity(size_t number, const struct config *config, uint64_t now_ms,
                        struct identity *ret_identity);

/* --- mesh_rules.c */
void town_rules_create(struct town *t);
void town_rules_begin(struct town *t); /* changes from now on */
void town_rules_remove(const struct town *t);
void town_check_rules(struct town *t);

/* --- mesh_calm.c */
struct calm *town_path(struct town *t, size_t host_a, size_t host_b);
/* Reads what nodes say about their peers from the trace. */
void town_watch_trace(struct town *t, struct bytes line);
/* Every node reaches every other one, everything is well since `for_us`. */
bool town_is_well(struct town *t, uint64_t for_us);

/* --- mesh_verdict.c */
void town_judge(struct job *j);                                 /* when it is over */
void town_judge_arrival(struct job *j, const struct engine *e); /* at an engine, whole */
/* Nothing at all was disturbed since t_us. */
bool town_is_calm_since(struct town *t, uint64_t t_us);

/* --- mesh_faults.c */
void town_plan_faults(struct town *t, uint64_t from_us, uint64_t until_us);

/* --- mesh_check.c */
void town_sample_queues(struct town *t);
/* Streams that were closed gracefully still send. */
bool town_is_lingering(const struct io_loop *loop);
void town_check_metrics(struct town *t);
void town_check_receipts(struct town *t);
void town_check_engines(struct town *t);

/* --- mesh_scenario.c: town_live in parts, for tests that want a moment of their own */
void town_begin(struct town *t); /* everything starts, until all is well */
bool town_run_until_answered(struct town *t, uint64_t limit_us);
void town_end(struct town *t); /* comes to rest, is checked and taken down; not freed */
/* Runs one seed; the number of broken invariants. */
unsigned town_live(uint64_t seed, const struct town_options *options, struct town_stats *ret_stats);

#endif
