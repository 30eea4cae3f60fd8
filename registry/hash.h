/* Inside the registry: the state's hash, a sum over all rows of BLAKE2b-256(size of key, key,
 * value), in four lanes modulo 2^64. The order does not matter, so it is kept up row by row and
 * found again by a scan. It notices faults; it does not stand up to somebody who makes rows to
 * fit. */
#ifndef REGISTRY_HASH_H
#define REGISTRY_HASH_H

#include "base/bytes.h"
#include "base/crypto.h"

#define REGISTRY_LANES 4

struct registry_hash {
    uint64_t lanes[REGISTRY_LANES];
};

struct registry_row_hash {
    uint8_t bytes[CRYPTO_HASH_SIZE];
};
/* `value` without its hash. */
struct registry_row_hash registry_hash_row(struct bytes key, struct bytes value);
void registry_hash_add(struct registry_hash *h, const struct registry_row_hash *row);
void registry_hash_subtract(struct registry_hash *h, const struct registry_row_hash *row);
void registry_hash_bytes(const struct registry_hash *h, uint8_t ret_hash[CRYPTO_HASH_SIZE]);
void registry_hash_from(struct registry_hash *ret_hash, const uint8_t hash[CRYPTO_HASH_SIZE]);

#endif
