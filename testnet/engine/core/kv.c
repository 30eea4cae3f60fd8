/* Blocks, their free list in order of last use, and the index from hashes to blocks; see kv.h.
 * Called by model.c. */
#include "testnet/engine/core/kv.h"

#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

struct block {
    struct list free; /* linked when nobody holds it */
    uint64_t hash;
    uint32_t users;
    bool is_known; /* in the index under `hash` */
};

struct kv {
    struct block *blocks;
    uint32_t block_count;
    uint32_t block_tokens;
    uint32_t free_count;
    struct list free; /* the first is taken first */
    struct map index;
};

enum err kv_create(uint32_t block_count, uint32_t block_tokens, uint64_t seed, struct kv **ret_kv)
{
    CHECK(block_count > 0 && block_tokens > 0);
    if (block_count > KV_BLOCKS_MAX)
        return ERR_LIMIT;
    struct kv *kv = calloc(1, sizeof *kv);
    struct block *blocks = calloc(block_count, sizeof *blocks);
    if (!kv || !blocks) {
        free(kv);
        free(blocks);
        return ERR_NO_MEMORY;
    }
    uint64_t words[2] = {seed, ~seed};
    uint8_t key[16];
    memcpy(key, words, sizeof key);
    *kv = (struct kv){.blocks = blocks,
                      .block_count = block_count,
                      .block_tokens = block_tokens,
                      .free_count = block_count};
    map_init(&kv->index, key, block_count);
    list_init(&kv->free);
    for (uint32_t i = 0; i < block_count; i++)
        list_push_back(&kv->free, &blocks[i].free);
    *ret_kv = kv;
    return ERR_OK;
}

void kv_destroy(struct kv *kv)
{
    if (!kv)
        return;
    map_fini(&kv->index);
    free(kv->blocks);
    free(kv);
}

static struct bytes key_of(const uint64_t *hash)
{
    return bytes_of(hash, sizeof *hash);
}

static uint64_t hash_block(const struct kv *kv, uint64_t before, const uint32_t *tokens)
{
    uint64_t hash = before ^ 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < kv->block_tokens; i++) {
        hash = (hash ^ tokens[i]) * 0xBF58476D1CE4E5B9u;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool reserve(struct kv_hold *hold, size_t count)
{
    if (count <= hold->capacity)
        return true;
    size_t capacity = hold->capacity ? hold->capacity * 2 : 16;
    if (capacity < count)
        capacity = count;
    uint32_t *blocks = realloc(hold->blocks, capacity * sizeof *blocks);
    if (!blocks)
        return false;
    hold->blocks = blocks;
    hold->capacity = capacity;
    return true;
}

static void take(struct kv *kv, struct kv_hold *hold, struct block *b)
{
    if (b->users++ == 0) {
        list_remove(&b->free);
        kv->free_count--;
    }
    hold->blocks[hold->count++] = (uint32_t)(b - kv->blocks);
}

static void take_fresh(struct kv *kv, struct kv_hold *hold)
{
    struct block *b = LIST_ENTRY(kv->free.next, struct block, free);
    if (b->is_known)
        map_remove(&kv->index, key_of(&b->hash));
    b->is_known = false;
    take(kv, hold, b);
}

static size_t blocks_for(const struct kv *kv, size_t tokens)
{
    return (tokens + kv->block_tokens - 1) / kv->block_tokens;
}

/* Leading blocks of the tokens that are in the cache; *ret_idle of them are nobody's. */
static size_t find_prefix(const struct kv *kv, const uint32_t *tokens, size_t count,
                          size_t *ret_idle)
{
    size_t found = 0, idle = 0, most = count ? (count - 1) / kv->block_tokens : 0;
    uint64_t hash = 0;
    for (; found < most; found++) {
        hash = hash_block(kv, hash, tokens + found * kv->block_tokens);
        const struct block *b = map_get(&kv->index, key_of(&hash));
        if (!b)
            break;
        idle += b->users == 0;
    }
    *ret_idle = idle;
    return found;
}

bool kv_admit(struct kv *kv, struct kv_hold *hold, const uint32_t *tokens, size_t count,
              size_t *ret_cached)
{
    CHECK(hold->count == 0);
    size_t idle, needed = blocks_for(kv, count);
    size_t found = find_prefix(kv, tokens, count, &idle);
    if (kv->free_count - idle < needed - found || !reserve(hold, needed))
        return false;
    uint64_t hash = 0;
    for (size_t i = 0; i < found; i++) {
        hash = hash_block(kv, hash, tokens + i * kv->block_tokens);
        take(kv, hold, map_get(&kv->index, key_of(&hash)));
    }
    hold->known = found;
    hold->hash = hash;
    while (hold->count < needed)
        take_fresh(kv, hold);
    *ret_cached = found * kv->block_tokens;
    return true;
}

bool kv_grow(struct kv *kv, struct kv_hold *hold, size_t count)
{
    size_t needed = blocks_for(kv, count);
    if (needed <= hold->count)
        return true;
    if (needed - hold->count > kv->free_count || !reserve(hold, needed))
        return false;
    while (hold->count < needed)
        take_fresh(kv, hold);
    return true;
}

void kv_publish(struct kv *kv, struct kv_hold *hold, const uint32_t *tokens, size_t computed)
{
    size_t full = computed / kv->block_tokens;
    for (size_t i = hold->known; i < full; i++) {
        hold->hash = hash_block(kv, hold->hash, tokens + i * kv->block_tokens);
        struct block *b = &kv->blocks[hold->blocks[i]];
        if (b->is_known || map_get(&kv->index, key_of(&hold->hash)))
            continue; /* the same contents twice: the first stays the one that is found */
        b->hash = hold->hash;
        b->is_known = map_put(&kv->index, key_of(&b->hash), b) == ERR_OK;
    }
    if (full > hold->known)
        hold->known = full;
}

/* The tail goes first, so that of a prefix the end is given up before the beginning. */
void kv_release(struct kv *kv, struct kv_hold *hold)
{
    while (hold->count > 0) {
        struct block *b = &kv->blocks[hold->blocks[--hold->count]];
        if (--b->users > 0)
            continue;
        kv->free_count++;
        if (b->is_known)
            list_push_back(&kv->free, &b->free);
        else
            list_push_front(&kv->free, &b->free);
    }
    free(hold->blocks);
    *hold = (struct kv_hold){0};
}

void kv_forget(struct kv *kv)
{
    CHECK(kv->free_count == kv->block_count);
    for (uint32_t i = 0; i < kv->block_count; i++) {
        struct block *b = &kv->blocks[i];
        if (b->is_known)
            map_remove(&kv->index, key_of(&b->hash));
        b->is_known = false;
    }
}

uint32_t kv_block_count(const struct kv *kv)
{
    return kv->block_count;
}

uint32_t kv_block_tokens(const struct kv *kv)
{
    return kv->block_tokens;
}

uint32_t kv_blocks_used(const struct kv *kv)
{
    return kv->block_count - kv->free_count;
}
