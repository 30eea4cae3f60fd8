/* Counts of durations with a bounded relative error, in the manner of Tene's HdrHistogram: exact
 * below 256, then 128 equal steps for each doubling, so a value is off by less than 1/128. Values
 * beyond the range (19 hours in microseconds) count as its end. 30 KiB, no allocation. */
#ifndef TESTNET_LOAD_CORE_HISTOGRAM_H
#define TESTNET_LOAD_CORE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_EXACT 256
#define HISTOGRAM_STEPS 128
#define HISTOGRAM_DOUBLINGS 28
#define HISTOGRAM_SLOTS (HISTOGRAM_EXACT + HISTOGRAM_DOUBLINGS * HISTOGRAM_STEPS)

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count, max;
    double sum;
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value that a share of all (0 to 1) does not exceed; the largest in its step, at most the
 * maximum seen. 0 when nothing was added. */
uint64_t histogram_at(const struct histogram *h, double share);
double histogram_mean(const struct histogram *h);

#endif
