/* Latencies of the last minute as a sketch that answers quantiles with a bounded relative error and
 * can be merged with others. After DDSketch (Masson, Rim, Lee 2019): bucket i holds the values in
 * (g^(i-1), g^i], g = (1 + e) / (1 - e), and its middle is within e of all of them.
 *
 *     ring:   [ 10 s ][ 10 s ][ 10 s ][ 10 s ][ 10 s ][ now ]      the oldest is forgotten whole
 *     window: a run of buckets; what lies below the run is counted in its lowest (collapsed)
 *
 * Not: exact counts under load. A bucket that would pass 65,535 halves all of its window, so that
 * the shape stays; and a window spans a factor of 360,000 below its largest value.
 * Time that goes back counts into the newest window. */
#ifndef POLICY_SKETCH_H
#define POLICY_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_SKETCH_ERROR 0.02 /* relative, of a value between the limits below */
#define POLICY_SKETCH_MIN_US 1   /* smaller values count as this */
#define POLICY_SKETCH_MAX_US UINT64_C(3600000000) /* larger ones as this */
#define POLICY_SKETCH_WINDOWS 6
#define POLICY_SKETCH_WINDOW_MS 10000
#define POLICY_SKETCH_RUN 320 /* buckets of a window: the whole ring stays below 4 KiB */

struct policy_sketch_window {
    uint32_t count; /* sum of the buckets */
    uint16_t first; /* bucket that buckets[0] stands for */
    uint16_t buckets[POLICY_SKETCH_RUN];
};

struct policy_sketch { /* plain: may be copied and compared; the caller's storage */
    uint64_t newest;   /* number of the newest window: its start divided by its length */
    struct policy_sketch_window windows[POLICY_SKETCH_WINDOWS];
};

void policy_sketch_init(struct policy_sketch *s);
void policy_sketch_add(struct policy_sketch *s, uint64_t latency_us, uint64_t now_ms);
/* Adds what `from` knows, window by window of the same time; both are of the same clock. */
void policy_sketch_merge(struct policy_sketch *s, const struct policy_sketch *from);
/* How many values it stands for. */
uint64_t policy_sketch_count(const struct policy_sketch *s, uint64_t now_ms);
/* The value that a share of `quantile` (0..1, cut to it) of all is not above; false: it is empty,
 * or the quantile is not a number. About 3,000 additions: not for every request. */
bool policy_sketch_quantile(const struct policy_sketch *s, double quantile, uint64_t now_ms,
                            uint64_t *ret_us);

#endif
