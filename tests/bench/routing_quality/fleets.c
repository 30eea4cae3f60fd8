/* The fleets. Figures of accelerators are the testnet's; prices are in the proportions that clouds
 * ask for such hardware. */
#include "tests/bench/routing_quality/world.h"

#define L4(price, flaw, spot)                                                                      \
    {                                                                                              \
        "l4", 32, POLICY_REGIONAL, 0, POLICY_GPU, price, flaw, spot                                \
    }
#define SOUND_L4 L4(0.002, MEMBER_SOUND, false)

const struct fleet fleets[] = {
    {.name = "alike",
     .shape = "llama-3.1-8b-q4",
     .members = {SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4},
     .count = 8,
     .regions = 1},
    {.name = "mixed",
     .shape = "qwen2.5-0.5b",
     .members = {{"rtx4090", 32, POLICY_REGIONAL, 0, POLICY_GPU, 0.001, 0, false},
                 {"l4", 32, POLICY_REGIONAL, 0, POLICY_GPU, 0.001, 0, false},
                 {"l4", 32, POLICY_REGIONAL, 0, POLICY_GPU, 0.001, 0, false},
                 {"t4", 16, POLICY_REGIONAL, 0, POLICY_GPU, 0.001, 0, false},
                 {"jetson-agx", 8, POLICY_EDGE, 0, POLICY_NPU, 0.001, 0, false},
                 {"jetson-agx", 8, POLICY_EDGE, 0, POLICY_NPU, 0.001, 0, false},
                 {"jetson", 4, POLICY_EDGE, 0, POLICY_NPU, 0.001, 0, false},
                 {"cpu", 4, POLICY_EDGE, 0, POLICY_CPU, 0.001, 0, false}},
     .count = 8,
     .regions = 1},
    {.name = "tiers",
     .shape = "llama-3.2-3b",
     .members = {{"jetson-agx", 8, POLICY_EDGE, 0, POLICY_NPU, 0.0002, 0, false},
                 {"jetson-agx", 8, POLICY_EDGE, 0, POLICY_NPU, 0.0002, 0, false},
                 {"jetson-agx", 8, POLICY_EDGE, 1, POLICY_NPU, 0.0002, 0, false},
                 {"jetson-agx", 8, POLICY_EDGE, 1, POLICY_NPU, 0.0002, 0, false},
                 {"l4", 32, POLICY_REGIONAL, 0, POLICY_GPU, 0.0006, 0, false},
                 {"l4", 32, POLICY_REGIONAL, 1, POLICY_GPU, 0.0006, 0, false},
                 {"a100", 64, POLICY_CLOUD, 2, POLICY_GPU, 0.0015, 0, false},
                 {"a100", 64, POLICY_CLOUD, 2, POLICY_GPU, 0.0015, 0, false}},
     .count = 8,
     .regions = 2,
     .ceiling_us = 15000000},
    {.name = "spot",
     .shape = "llama-3.1-8b-q4",
     .members = {L4(0.0007, MEMBER_SOUND, true), L4(0.0007, MEMBER_SOUND, true),
                 L4(0.0007, MEMBER_SOUND, true), L4(0.0007, MEMBER_GOES, true), SOUND_L4, SOUND_L4,
                 SOUND_L4, SOUND_L4},
     .count = 8,
     .regions = 1,
     .ceiling_us = 15000000},
    {.name = "failing",
     .shape = "llama-3.1-8b-q4",
     .members = {L4(0.002, MEMBER_FAILS, false), SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4,
                 SOUND_L4, SOUND_L4},
     .count = 8,
     .regions = 1},
    {.name = "lying",
     .shape = "llama-3.1-8b-q4",
     .members = {L4(0.002, MEMBER_LIES, false), SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4, SOUND_L4,
                 SOUND_L4, SOUND_L4},
     .count = 8,
     .regions = 1},
};
const size_t fleet_count = sizeof fleets / sizeof fleets[0];
