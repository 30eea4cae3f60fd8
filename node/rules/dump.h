/* Snapshots: made, taken over, read in parts. Inside node/rules only. */
#ifndef NODE_RULES_DUMP_H
#define NODE_RULES_DUMP_H

#include "base/buf.h"
#include "raft/raft.h"
#include "raft/store.h"
#include "registry/registry.h"

struct rules;

#define DUMP_CHUNKS_MAX 32

struct rules_dump {
    /* making one */
    bool is_wanted, is_saving;
    struct raft_save *save;
    struct registry_save *source;
    struct raft_base base; /* of what it has */
    uint64_t index, offset, size, made_size;
    uint8_t made_content[CRYPTO_HASH_SIZE];
    struct buf slice;
    enum err err;
    /* taking one over */
    bool has_install, is_installing;
    struct raft_snapshot install;
    /* reading parts */
    struct raft_chunk_order chunks[DUMP_CHUNKS_MAX], chunk;
    size_t chunk_count;
    bool is_reading;
    struct buf data;
    enum err read_err;
};

void dump_init(struct rules *r);
void dump_want(struct rules *r);
void dump_install(struct rules *r, const struct raft_snapshot *snapshot);
void dump_read(struct rules *r, const struct raft_chunk_order *order);
/* At the start: the stored snapshot into the registry. */
MUST_CHECK enum err dump_load_stored(struct rules *r, const struct raft_snapshot *snapshot);
void dump_kick(struct rules *r); /* the registry is idle */
void dump_stop(struct rules *r);
void dump_fini(struct rules *r);

#endif
