/* Make-believe keys for the nodes of core_nodes.h: a signature is a hash of key and message, a
 * payload of kind NODE is a key and a name. */
#ifndef TESTS_UNIT_GOSSIP_CORE_KEYS_H
#define TESTS_UNIT_GOSSIP_CORE_KEYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gossip/gossip.h"

#define WORLD_WALL_MS 1790000000000ull

struct world_node {
    struct gossip *g; /* NULL: not running */
    uint8_t key[32];
    struct id id;
    char name[24];
    uint64_t persisted;
    bool is_paused;
    size_t changes[4]; /* by what others became here */
    size_t refusals;
    bool conflict;
};

/* --- make-believe */

static inline const char *world_region(const char *name)
{
    return name[0] == '@' ? "abroad" : "here";
}

static inline enum err world_check(void *ctx, enum gossip_kind kind, const char *name,
                                   const char *region, struct bytes payload, uint64_t wall_ms,
                                   struct gossip_owner *ret_owner)
{
    if (kind != GOSSIP_NODE)
        return payload.size > 0 && payload.data[0] == '!' ? ERR_CERT_SCOPE : ERR_OK;
    if (payload.size < 33)
        return ERR_INVALID;
    bool ends_soon = payload.data[32] == '~';
    *ret_owner = (struct gossip_owner){.not_after_ms = ends_soon ? WORLD_WALL_MS : UINT64_MAX / 4};
    memcpy(ret_owner->key, payload.data, 32);
    bytes_to_str(bytes_skip(payload, 32), ret_owner->name, sizeof(ret_owner->name));
    snprintf(ret_owner->region, sizeof(ret_owner->region), "%s", world_region(ret_owner->name));
    return ERR_OK;
}

static inline void world_hash(const uint8_t *key, struct bytes message, uint8_t ret[64])
{
    struct bytes parts[2] = {bytes_of(key, 32), message};
    crypto_hash_parts(parts, 2, ret);
    memcpy(ret + 32, ret, 32);
}

static inline void world_sign(void *ctx, struct bytes message, uint8_t ret_signature[64])
{
    world_hash(((struct world_node *)ctx)->key, message, ret_signature);
}

static inline bool world_verify(void *ctx, const uint8_t key[32], struct bytes message,
                                const uint8_t signature[64])
{
    uint8_t wanted[64];
    world_hash(key, message, wanted);
    return memcmp(wanted, signature, 64) == 0;
}

static inline enum err world_share(void *ctx, const uint8_t key[32], uint8_t ret_secret[32])
{
    for (int i = 0; i < 32; i++)
        ret_secret[i] = ((struct world_node *)ctx)->key[i] ^ key[i];
    return ERR_OK;
}

static const struct gossip_ops world_ops = {world_check, world_sign, world_verify, world_share};

#endif
