/* What an accelerator can do: a table of public figures, and the cost of one step of a batch on it
 * by the roofline model (Williams et al., 2009): a step takes as long as the
 * slower of reading all weights once and of the arithmetic for its tokens, plus reading the batch's
 * KV cache, plus what the host needs. No sockets, no clock. */
#ifndef TESTNET_ENGINE_CORE_PROFILE_H
#define TESTNET_ENGINE_CORE_PROFILE_H

#include "testnet/engine/core/shape.h"

struct profile {
    const char *name;
    const char *device;   /* as its exporter calls it; NULL: no accelerator that has one */
    const char *source;   /* of the figures */
    double bandwidth_gbs; /* memory */
    double tflops;        /* dense, half precision (CPUs: what int8 dot products reach) */
    double memory_gib;
    double load_gbs; /* weights from storage */
    double watts_idle, watts_max;
    uint32_t clock_mhz;
    uint32_t overhead_us;   /* of the host, a step */
    uint32_t sequences_max; /* batch that servers are usually given there */
};

/* NULL: no such profile. */
const struct profile *profile_find(struct bytes name);
/* The table in order; NULL behind its end. */
const struct profile *profile_at(size_t index);

/* KV tokens that fit beside the weights of `shape` when `share` of the memory is its own. */
uint64_t profile_kv_tokens(const struct profile *profile, const struct shape *shape, double share);
/* One step over `tokens` new tokens whose attention reads `context_tokens` of KV. At least 1. */
uint64_t profile_step_us(const struct profile *profile, const struct shape *shape, uint64_t tokens,
                         uint64_t context_tokens);
uint64_t profile_load_us(const struct profile *profile, const struct shape *shape);

#endif
