/* The state's hash; see hash.h. Called by rows.c at every change, by load.c and by the scan. */
#include "registry/hash.h"

struct registry_row_hash registry_hash_row(struct bytes key, struct bytes value)
{
    struct registry_row_hash row;
    const uint8_t size[2] = {(uint8_t)(key.size >> 8), (uint8_t)key.size};
    const struct bytes parts[] = {bytes_of(size, sizeof(size)), key, value};
    crypto_hash_parts(parts, sizeof(parts) / sizeof(parts[0]), row.bytes);
    return row;
}

static uint64_t lane_of(const uint8_t hash[CRYPTO_HASH_SIZE], size_t lane)
{
    return bytes_big_endian(hash + lane * 8, 8);
}

void registry_hash_add(struct registry_hash *h, const struct registry_row_hash *row)
{
    for (size_t lane = 0; lane < REGISTRY_LANES; lane++)
        h->lanes[lane] += lane_of(row->bytes, lane);
}

void registry_hash_subtract(struct registry_hash *h, const struct registry_row_hash *row)
{
    for (size_t lane = 0; lane < REGISTRY_LANES; lane++)
        h->lanes[lane] -= lane_of(row->bytes, lane);
}

void registry_hash_bytes(const struct registry_hash *h, uint8_t ret_hash[CRYPTO_HASH_SIZE])
{
    for (size_t i = 0; i < CRYPTO_HASH_SIZE; i++)
        ret_hash[i] = (uint8_t)(h->lanes[i / 8] >> (56 - i % 8 * 8));
}

void registry_hash_from(struct registry_hash *ret_hash, const uint8_t hash[CRYPTO_HASH_SIZE])
{
    for (size_t lane = 0; lane < REGISTRY_LANES; lane++)
        ret_hash->lanes[lane] = lane_of(hash, lane);
}
