/* See prefix.h. A hash table of sets: a key has a few places it may be in. Called by node/routing
 * for the candidates that a decision looks at, and for whom it chose. */
#include "policy/prefix.h"

#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define SETS 16384
#define WAYS 4
#define SLOT_MS 1024 /* what times are kept in */

struct entry {
    uint64_t key;
    uint64_t given; /* in SLOT_MS, and one more: 0 is an empty place */
};

struct policy_prefixes {
    struct entry sets[SETS][WAYS];
};

static uint64_t word(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

__extension__ typedef unsigned __int128 wide;

/* Multiplies and folds 16 bytes at a time, as wyhash does: a tenth of what SipHash takes, which for
 * a long prompt was more than all else that is done with it. As strong as is needed: who does not
 * know the seed cannot look for two blocks of one hash, and would only mislead a guess. */
static uint64_t fold(const uint8_t seed[16], struct bytes block)
{
    uint64_t secret = word(seed) ^ UINT64_C(0xa0761d6478bd642f); /* a seed of zeros would do, too */
    uint64_t state = word(seed + 8) ^ UINT64_C(0xe7037ed1a0b428db);
    CHECK(block.size == POLICY_PREFIX_BLOCK);
    for (size_t i = 0; i < POLICY_PREFIX_BLOCK; i += 16) {
        wide product = (wide)(word(block.data + i) ^ secret) * (word(block.data + i + 8) ^ state);
        state = (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    return state;
}

void policy_prefix_add(struct policy_prefix *p, const uint8_t seed[16], struct bytes block)
{
    uint64_t pair[2] = {p->count > 0 ? p->chain[p->count - 1] : 0, fold(seed, block)};
    if (p->count < POLICY_PREFIX_BLOCKS_MAX)
        p->chain[p->count++] = crypto_siphash(seed, bytes_of(pair, sizeof pair));
}

struct policy_prefixes *policy_prefixes_create(void)
{
    return calloc(1, sizeof(struct policy_prefixes));
}

void policy_prefixes_destroy(struct policy_prefixes *t)
{
    free(t);
}

/* Both are hashes: their bits are as good as any. */
static uint64_t key_of(uint64_t chain, uint64_t holder)
{
    return (chain ^ holder) * UINT64_C(0x9e3779b97f4a7c15);
}

static const struct entry *find(const struct policy_prefixes *t, uint64_t key)
{
    const struct entry *set = t->sets[key >> 50];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].key == key && set[i].given > 0)
            return &set[i];
    return NULL;
}

static void put(struct policy_prefixes *t, uint64_t key, uint64_t given)
{
    struct entry *set = t->sets[key >> 50], *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key) {
            oldest = &set[i];
            break;
        }
        if (set[i].given < oldest->given)
            oldest = &set[i];
    }
    *oldest = (struct entry){key, given};
}

void policy_prefixes_give(struct policy_prefixes *t, const struct policy_prefix *p, uint64_t holder,
                          uint64_t now_ms)
{
    for (uint32_t i = 0; i < p->count; i++)
        put(t, key_of(p->chain[i], holder), 1 + now_ms / SLOT_MS);
}

/* Whoever has a beginning has those within it, so the longest is found by halving. */
double policy_prefixes_held(const struct policy_prefixes *t, const struct policy_prefix *p,
                            uint64_t holder, uint64_t now_ms)
{
    const struct entry *longest = NULL;
    uint32_t low = 0, high = p->count;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        const struct entry *e = find(t, key_of(p->chain[middle - 1], holder));
        if (e) {
            longest = e;
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    if (!longest)
        return 0;
    uint64_t given_ms = (longest->given - 1) * SLOT_MS;
    uint64_t age_ms = now_ms > given_ms ? now_ms - given_ms : 0;
    return age_ms < POLICY_PREFIX_MS ? low * (1 - (double)age_ms / POLICY_PREFIX_MS) : 0;
}
