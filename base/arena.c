/* Bump allocation in a chain of blocks, newest first. One arena serves one request or one document
 * and is given back whole. Under AddressSanitizer the unused part of a block is poisoned, so that
 * an overrun is caught here as it would be with malloc. */
#include "base/arena.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define ALIGNMENT 16
#define BLOCK_SIZE_MIN 2048  /* most requests fit in one */
#define BLOCK_SIZE_MAX 65536 /* larger blocks hold a single large allocation and are never kept */

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    _Alignas(ALIGNMENT) uint8_t data[];
};

void arena_init(struct arena *a, size_t size_max)
{
    *a = (struct arena){.size_max = size_max};
}

static void free_block(struct arena_block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
    free(block);
}

void arena_fini(struct arena *a)
{
    while (a->head) {
        struct arena_block *next = a->head->next;
        free_block(a->head);
        a->head = next;
    }
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = NULL;
    for (struct arena_block *block = a->head, *next; block; block = next) {
        next = block->next;
        if (kept || block->size > BLOCK_SIZE_MAX)
            free_block(block);
        else
            kept = block;
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
        ASAN_POISON_MEMORY_REGION(kept->data, kept->size);
    }
    a->head = kept;
    a->used = 0;
}

/* Blocks double, so that their number stays logarithmic in what is asked for. */
static size_t block_size_for(const struct arena *a, size_t size)
{
    size_t block_size = a->head ? a->head->size * 2 : BLOCK_SIZE_MIN;
    if (block_size > BLOCK_SIZE_MAX)
        block_size = BLOCK_SIZE_MAX;
    return block_size < size ? size : block_size;
}

static struct arena_block *add_block(struct arena *a, size_t size)
{
    size_t block_size = block_size_for(a, size);
    struct arena_block *block = malloc(sizeof *block + block_size);
    if (!block)
        return NULL;
    block->next = a->head;
    block->used = 0;
    block->size = block_size;
    a->head = block;
    ASAN_POISON_MEMORY_REGION(block->data, block->size);
    return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t room = a->size_max - a->used;
    if (size > room)
        return NULL;
    size_t rounded = (size + (size == 0) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded < size || rounded > room)
        return NULL;
    struct arena_block *block = a->head;
    if (!block || block->size - block->used < rounded)
        block = add_block(a, rounded);
    if (!block)
        return NULL;
    void *p = block->data + block->used;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    block->used += rounded;
    a->used += rounded;
    return p;
}

void *arena_calloc(struct arena *a, size_t size)
{
    void *p = arena_alloc(a, size);
    if (p)
        memset(p, 0, size);
    return p;
}

struct bytes arena_copy(struct arena *a, struct bytes data)
{
    if (data.size == 0)
        return bytes_of(NULL, 0);
    uint8_t *p = arena_alloc(a, data.size);
    if (p)
        memcpy(p, data.data, data.size);
    return bytes_of(p, data.size);
}

char *arena_str(struct arena *a, struct bytes data)
{
    char *str = data.size < SIZE_MAX ? arena_alloc(a, data.size + 1) : NULL;
    if (str)
        bytes_to_str(data, str, data.size + 1);
    return str;
}
