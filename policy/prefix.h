/* Who was lately given a prompt with this beginning: engines keep what they made of a prompt, and
 * need not make it again for the next one that begins alike (prefix caching). Nobody tells routers
 * what is still kept, so it is supposed from what was sent, as routers of vLLM and SGLang do; it
 * fades, since a cache is finite.
 *
 * A beginning is known by the hashes of its first block, its first two, and so on. The table has a
 * fixed size; what was used longest ago makes room. Not for threads. */
#ifndef POLICY_PREFIX_H
#define POLICY_PREFIX_H

#include "base/bytes.h"

#include <stdint.h>

#define POLICY_PREFIX_BLOCK 1024 /* bytes; what is left over at the end does not count */
#define POLICY_PREFIX_BLOCKS_MAX 32
#define POLICY_PREFIX_MS 300000 /* by then it is supposed to be gone, evenly until then */

struct policy_prefix {
    uint32_t count;                           /* of blocks */
    uint64_t chain[POLICY_PREFIX_BLOCKS_MAX]; /* [i]: of blocks 0 to i */
};

/* Adds the next block, of POLICY_PREFIX_BLOCK bytes; nothing when there are enough. */
void policy_prefix_add(struct policy_prefix *p, const uint8_t seed[16], struct bytes block);

struct policy_prefixes;
struct policy_prefixes *policy_prefixes_create(void); /* 1 MiB; NULL: no memory */
void policy_prefixes_destroy(struct policy_prefixes *t);
void policy_prefixes_give(struct policy_prefixes *t, const struct policy_prefix *p, uint64_t holder,
                          uint64_t now_ms);
/* How many blocks of it the holder supposedly has: from 0 to p->count. */
double policy_prefixes_held(const struct policy_prefixes *t, const struct policy_prefix *p,
                            uint64_t holder, uint64_t now_ms);

#endif
