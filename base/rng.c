/* xoshiro256** 1.0 (Blackman and Vigna, 2018), seeded by splitmix64 as its authors advise.
 * Simulated worlds and jitter draw from it; its sequence is pinned by tests, since every recorded
 * seed depends on it. */
#include "base/rng.h"

#include "base/err.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t rotate_left(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void rng_init(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->state[i] = splitmix64(&seed);
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The high half of x * bound is uniform once the few x whose low half falls under 2^64 mod bound
 * are thrown away (Lemire, 2019). */
uint64_t rng_below(struct rng *r, uint64_t bound)
{
    if (bound == 0)
        return 0;
    wide product = (wide)rng_next(r) * bound;
    if ((uint64_t)product < bound) {
        uint64_t threshold = (0 - bound) % bound;
        while ((uint64_t)product < threshold)
            product = (wide)rng_next(r) * bound;
    }
    return (uint64_t)(product >> 64);
}

uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi)
{
    CHECK(lo <= hi);
    uint64_t count = hi - lo + 1;
    return count ? lo + rng_below(r, count) : rng_next(r);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

bool rng_chance(struct rng *r, double probability)
{
    return rng_unit(r) < probability;
}
