/* The table of shape.h. */
#include "testnet/engine/core/shape.h"

/* Layers, KV heads and head sizes are the models' published configurations:
 * KV bytes = 2 (K and V) x layers x KV heads x head size x 2 bytes. */
static const struct shape shapes[] = {
    {"smollm2-135m", 0.1345, 2 * 30 * 3 * 64 * 2, 8192, 49152, 576, 4},
    {"qwen2.5-0.5b", 0.494, 2 * 24 * 2 * 64 * 2, 32768, 151936, 896, 16},
    {"llama-3.2-3b", 3.21, 2 * 28 * 8 * 128 * 2, 131072, 128256, 3072, 16},
    {"llama-3.1-8b", 8.03, 2 * 32 * 8 * 128 * 2, 131072, 128256, 4096, 16},
    {"llama-3.1-8b-q4", 8.03, 2 * 32 * 8 * 128 * 2, 131072, 128256, 4096, 4},
    {"llama-3.1-70b-q4", 70.6, 2 * 80 * 8 * 128 * 2, 131072, 128256, 8192, 4},
    {"bge-m3", 0.568, 0, 8192, 250002, 1024, 16},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct shape *shape_at(size_t index)
{
    return index < COUNT(shapes) ? &shapes[index] : NULL;
}

const struct shape *shape_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(shapes); i++)
        if (bytes_equal(bytes_from_str(shapes[i].name), name))
            return &shapes[i];
    return NULL;
}

uint64_t shape_weight_bytes(const struct shape *shape)
{
    return (uint64_t)(shape->params_billion * 1e9 * shape->weight_bits / 8);
}
