/* What a model needs: a table of published configurations. */
#ifndef TESTNET_ENGINE_CORE_SHAPE_H
#define TESTNET_ENGINE_CORE_SHAPE_H

#include "base/bytes.h"

struct shape {
    const char *name;
    double params_billion;
    uint32_t kv_bytes; /* of one token at half precision; 0: it only embeds */
    uint32_t context;  /* tokens */
    uint32_t vocabulary;
    uint32_t width; /* of its hidden state, and of its embeddings */
    uint32_t weight_bits;
};

const struct shape *shape_find(struct bytes name);
const struct shape *shape_at(size_t index);

uint64_t shape_weight_bytes(const struct shape *shape);

#endif
