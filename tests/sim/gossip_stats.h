/* Figures of a swarm: histograms of milliseconds and counters, and the summary made of them. */
#ifndef TESTS_SIM_GOSSIP_STATS_H
#define TESTS_SIM_GOSSIP_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_STEP_MS 10
#define HISTOGRAM_BUCKETS 3000

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS + 1]; /* the last: all that is longer */
    uint64_t total;
    uint64_t max_ms;
};
void histogram_add(struct histogram *h, uint64_t ms);
/* 0 where nothing was added. */
uint64_t histogram_at(const struct histogram *h, double share);

#define STATS_DEATHS_MAX 4096
struct swarm_death { /* of a process that was well, and how others came to know */
    size_t node;
    uint64_t life;
    uint64_t at_us, suspected_us, down_us, last_down_us;
};

struct swarm_stats {
    struct swarm_death deaths[STATS_DEATHS_MAX];
    size_t death_count;
    struct histogram first_suspicion, first_down, last_down, converged, load_age, load_delay,
        summary_delay, age_error; /* records that seem younger than they are */
    uint64_t seeds, simulated_us, steps, faults;
    uint64_t false_downs, false_suspicions, suspicions, downs, refutations, conflicts, refusals;
    /* while is_measuring, of all nodes: as the wire sees it, IP and UDP headers in */
    uint64_t measured_us, node_us, datagrams, datagram_bytes, messages, message_bytes;
    uint64_t rumours_max, members_max, sends_max, unreachable;
    uint64_t digest;
};
/* Deaths become times; then the list is empty. */
void swarm_stats_settle(struct swarm_stats *s);
void swarm_stats_add(struct swarm_stats *sum, const struct swarm_stats *s);
void swarm_stats_print(const struct swarm_stats *s, FILE *out, const char *scenario, bool is_ok,
                       const char *failed_seed);

#endif
