/* Buckets and sums, see stats.h. */
#include "testnet/engine/core/stats.h"

static const double first_token[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                     0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10,
                                     20,    40,    80,   160,  640,  2560};
static const double inter_token[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                     0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
static const double request[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                 30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
static const double step_tokens[] = {1,   8,    16,   32,   64,   128,  256,
                                     512, 1024, 2048, 4096, 8192, 16384};

#define BOUNDS(table) (*ret_count = sizeof(table) / sizeof((table)[0]), (table))

const double *stats_bounds(enum stats_series series, size_t *ret_count)
{
    switch (series) {
    case STATS_FIRST_TOKEN: return BOUNDS(first_token);
    case STATS_INTER_TOKEN: return BOUNDS(inter_token);
    case STATS_STEP_TOKENS: return BOUNDS(step_tokens);
    default: return BOUNDS(request);
    }
}

void stats_add(struct stats *s, enum stats_series series, double value)
{
    size_t count, i = 0;
    const double *bounds = stats_bounds(series, &count);
    struct stats_histogram *h = &s->series[series];
    while (i < count && value > bounds[i])
        i++;
    h->counts[i]++;
    h->count++;
    h->sum += value;
}

void stats_finish(struct stats *s, const struct stats_times *t, int was_stopped)
{
    if (was_stopped)
        s->finished_stop++;
    else
        s->finished_length++;
    uint64_t prefill_us = t->first_us - t->admitted_us;
    uint64_t decode_us = t->done_us - t->first_us;
    s->prompt_us += prefill_us;
    s->output_us += decode_us;
    if (t->prompt + t->output > s->longest)
        s->longest = t->prompt + t->output;
    stats_add(s, STATS_END_TO_END, (double)(t->done_us - t->submitted_us) / 1e6);
    stats_add(s, STATS_QUEUE, (double)(t->admitted_us - t->submitted_us) / 1e6);
    stats_add(s, STATS_PREFILL, (double)prefill_us / 1e6);
    stats_add(s, STATS_DECODE, (double)decode_us / 1e6);
    stats_add(s, STATS_INFERENCE, (double)(t->done_us - t->admitted_us) / 1e6);
}
