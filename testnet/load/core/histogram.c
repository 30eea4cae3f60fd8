/* See histogram.h. */
#include "testnet/load/core/histogram.h"

#include <math.h>
#include <stddef.h>

static size_t slot_of(uint64_t value)
{
    if (value < HISTOGRAM_EXACT)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 7; /* leaves 128 to 255 */
    size_t slot = HISTOGRAM_EXACT + (size_t)(shift - 1) * HISTOGRAM_STEPS +
                  (size_t)(value >> shift) - HISTOGRAM_STEPS;
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

static uint64_t largest_in(size_t slot)
{
    if (slot < HISTOGRAM_EXACT)
        return slot;
    size_t beyond = slot - HISTOGRAM_EXACT;
    unsigned shift = (unsigned)(beyond / HISTOGRAM_STEPS) + 1;
    return ((beyond % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->slots[slot_of(value)]++;
    h->count++;
    h->sum += (double)value;
    if (value > h->max)
        h->max = value;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)h->count), below = 0;
    if (wanted == 0)
        wanted = 1;
    for (size_t i = 0; i < HISTOGRAM_SLOTS && h->count; i++) {
        below += h->slots[i];
        if (below >= wanted)
            return largest_in(i) < h->max && i + 1 < HISTOGRAM_SLOTS ? largest_in(i) : h->max;
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? h->sum / (double)h->count : 0;
}
