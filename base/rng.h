/* Seeded pseudo-random numbers (xoshiro256**, seeded by splitmix64). For choices and jitter, never
 * for keys: those come from crypto_random. Same seed, same sequence, on every machine. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Uniform in [0, bound), without modulo bias; 0 when bound is 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);
/* Uniform in [lo, hi]. */
uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi);
/* Uniform in [0, 1). */
double rng_unit(struct rng *r);
/* True with this probability. */
bool rng_chance(struct rng *r, double probability);

#endif
