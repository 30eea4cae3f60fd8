/* What one model counted since the start: totals and histograms, as engines export them. The
 * buckets are vLLM's. Written by model.c, read by the writers of metrics. */
#ifndef TESTNET_ENGINE_CORE_STATS_H
#define TESTNET_ENGINE_CORE_STATS_H

#include <stddef.h>
#include <stdint.h>

/* One request, in microseconds of the engine's time. */
struct stats_times {
    uint64_t submitted_us, admitted_us, first_us, done_us;
    uint32_t prompt, cached, output; /* tokens */
};

#define STATS_BUCKETS_MAX 24
struct stats_histogram {
    uint64_t counts[STATS_BUCKETS_MAX]; /* each bucket alone; the last: above all bounds */
    uint64_t count;
    double sum;
};

enum stats_series {
    STATS_FIRST_TOKEN, /* seconds from submission */
    STATS_INTER_TOKEN,
    STATS_END_TO_END,
    STATS_QUEUE,
    STATS_PREFILL,
    STATS_DECODE,
    STATS_INFERENCE,
    STATS_STEP_TOKENS,
    STATS_SERIES_COUNT
};

struct stats {
    uint64_t prompt_tokens, cached_tokens, output_tokens, preemptions, steps, sequence_steps;
    uint64_t finished_stop, finished_length, finished_abort;
    uint64_t queried_tokens;       /* of prefix look-ups */
    uint64_t prompt_us, output_us; /* summed over requests */
    uint32_t longest;              /* prompt and answer of one request */
    struct stats_histogram series[STATS_SERIES_COUNT];
};

/* Upper bounds of the buckets of a series; *ret_count of them. */
const double *stats_bounds(enum stats_series series, size_t *ret_count);
void stats_add(struct stats *s, enum stats_series series, double value);
/* A request that has ended by itself or at its limit. */
void stats_finish(struct stats *s, const struct stats_times *times, int was_stopped);

#endif
