/* Inside the registry: the form of snapshots. A head, then every row in key order, none of the
 * secondary keys and changes:
 *
 *   "grapevine registry 1\n" | mesh 16 | feature 8 | index 8 | term 8 | epoch 8 | time_ms 8 |
 *   chain 32 | hash 32 | rows 8 | { key size 2, key, value size 4, value with its hash } … */
#ifndef REGISTRY_SNAPSHOT_H
#define REGISTRY_SNAPSHOT_H

#include "registry/impl.h"

#define REGISTRY_SNAPSHOT_MAGIC "grapevine registry 1\n"
#define REGISTRY_SNAPSHOT_HEAD_SIZE (21 + ID_SIZE + 5 * 8 + 2 * CRYPTO_HASH_SIZE + 8)
#define REGISTRY_SNAPSHOT_ROW_MAX (2 + KV_KEY_SIZE_MAX + 4 + REGISTRY_ROW_MAX)

struct registry_snapshot_head {
    uint64_t feature, row_count;
    struct registry_head head;
};

#endif
