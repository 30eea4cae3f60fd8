/* The KV cache of one model: a budget of blocks, shared prefixes, least recently used ones given up
 * first. Follows vLLM's automatic prefix caching: a full block is known by the hash of its tokens
 * and of all before it; a block that nobody uses keeps its contents until it is needed. With blocks
 * of one token it stands in for llama.cpp's slots, which reuse exactly the common prefix. */
#ifndef TESTNET_ENGINE_CORE_KV_H
#define TESTNET_ENGINE_CORE_KV_H

#include "base/bytes.h"
#include "base/err.h"

#define KV_BLOCKS_MAX (1u << 18) /* about 20 MB of bookkeeping */

struct kv;

/* What one sequence holds; zero-initialised before its first use. */
struct kv_hold {
    uint32_t *blocks;
    size_t count;
    size_t capacity;
    size_t known;  /* leading blocks that can be found by their hash */
    uint64_t hash; /* of the last of those */
};

/* NO_MEMORY; LIMIT: more than KV_BLOCKS_MAX. block_count >= 1. */
MUST_CHECK enum err kv_create(uint32_t block_count, uint32_t block_tokens, uint64_t seed,
                              struct kv **ret_kv);
void kv_destroy(struct kv *kv);

/* Takes blocks for all `count` tokens, those first that hold them already; *ret_cached of them (at
 * most count - 1) need not be computed. False: not enough blocks are free now, nothing is taken. */
bool kv_admit(struct kv *kv, struct kv_hold *hold, const uint32_t *tokens, size_t count,
              size_t *ret_cached);
/* Makes room for `count` tokens in all. False: no block is free. */
bool kv_grow(struct kv *kv, struct kv_hold *hold, size_t count);
/* The first `computed` tokens are in the cache now: others may find their full blocks. */
void kv_publish(struct kv *kv, struct kv_hold *hold, const uint32_t *tokens, size_t computed);
void kv_release(struct kv *kv, struct kv_hold *hold);
/* Forgets all contents; nothing may be held. */
void kv_forget(struct kv *kv);

uint32_t kv_block_count(const struct kv *kv);
uint32_t kv_block_tokens(const struct kv *kv);
uint32_t kv_blocks_used(const struct kv *kv);

#endif
