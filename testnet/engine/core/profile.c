/* The table of profile.h. Bandwidth, arithmetic and memory are the vendors' data sheets' (peak,
 * dense); what servers reach of them is EFFICIENCY_*, the usual figures of public benchmarks.
 * Nothing here was measured on such a device: a profile is a plausible one, not a twin. */
#include "testnet/engine/core/profile.h"

/* Shares of the peak that batched inference reaches. */
#define EFFICIENCY_BANDWIDTH 0.75
#define EFFICIENCY_FLOPS 0.45
#define MEMORY_USABLE 0.9 /* vLLM's gpu_memory_utilization */

static const struct profile profiles[] = {
    {"cpu", NULL, "DDR4-3200 on two channels; 8 cores with AVX2", 51.2, 1.0, 16, 1.0, 20, 95, 3500,
     500, 4},
    {"pi5", NULL, "Raspberry Pi 5: LPDDR4X-4267 on 32 bits; 4 Cortex-A76", 17, 0.15, 8, 0.1, 3, 12,
     2400, 1000, 1},
    {"jetson", "Orin Nano", "Jetson Orin Nano 8GB Super data sheet: 102 GB/s, 67 TOPS sparse int8",
     102, 16.7, 8, 1.0, 7, 25, 1020, 1500, 4},
    {"jetson-agx", "AGX Orin",
     "Jetson AGX Orin 64GB data sheet: 204.8 GB/s, 170 TOPS sparse int8 "
     "of the GPU",
     204.8, 42.5, 64, 2.0, 15, 60, 1300, 1500, 16},
    {"t4", "Tesla T4", "T4 data sheet", 300, 65, 16, 1.5, 10, 70, 1590, 1500, 32},
    {"l4", "NVIDIA L4", "L4 data sheet, dense", 300, 121, 24, 2.0, 16, 72, 2040, 1200, 64},
    {"rtx4090", "NVIDIA GeForce RTX 4090", "Ada whitepaper, dense, FP32 accumulation", 1008, 165,
     24, 3.0, 20, 450, 2520, 1200, 64},
    {"a100", "NVIDIA A100-SXM4-80GB", "A100 80GB data sheet", 2039, 312, 80, 3.0, 60, 400, 1410,
     1500, 256},
    {"h100", "NVIDIA H100 80GB HBM3", "H100 SXM data sheet, dense", 3350, 989, 80, 5.0, 70, 700,
     1980, 1500, 256},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct profile *profile_at(size_t index)
{
    return index < COUNT(profiles) ? &profiles[index] : NULL;
}

const struct profile *profile_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(profiles); i++)
        if (bytes_equal(bytes_from_str(profiles[i].name), name))
            return &profiles[i];
    return NULL;
}

uint64_t profile_kv_tokens(const struct profile *profile, const struct shape *shape, double share)
{
    double usable = profile->memory_gib * 1073741824.0 * MEMORY_USABLE * share;
    double left = usable - (double)shape_weight_bytes(shape);
    if (left <= 0 || shape->kv_bytes == 0)
        return 0;
    return (uint64_t)(left / shape->kv_bytes);
}

uint64_t profile_step_us(const struct profile *profile, const struct shape *shape, uint64_t tokens,
                         uint64_t context_tokens)
{
    double bytes_per_us = profile->bandwidth_gbs * 1e3 * EFFICIENCY_BANDWIDTH;
    double flops_per_us = profile->tflops * 1e6 * EFFICIENCY_FLOPS;
    double reading_us = (double)shape_weight_bytes(shape) / bytes_per_us;
    double computing_us = (double)tokens * 2e9 * shape->params_billion / flops_per_us;
    double attention_us = (double)context_tokens * shape->kv_bytes / bytes_per_us;
    double slower_us = reading_us > computing_us ? reading_us : computing_us;
    return (uint64_t)(profile->overhead_us + slower_us + attention_us) + 1;
}

uint64_t profile_load_us(const struct profile *profile, const struct shape *shape)
{
    return (uint64_t)((double)shape_weight_bytes(shape) / (profile->load_gbs * 1e3)) + 1;
}
