/* struct rules: what the files of this folder share. Nobody else includes it.
 *
 *   rules.c     opening, closing, questions     orders.c    commands and reads under way
 *   core.c      steps raft, obeys its effects   forward.c   ... to the leader, over links
 *   persist.c   the log's commits on a worker   pull.c      a replica: the log from others
 *   room.c      a full disk
 *   apply.c     applying on a worker            serve.c     ... for others
 *   dump.c      snapshots made and installed    voters.c    who should vote
 *   clean.c     the registry after a crash of the machine
 *   member.c    a member or not
 *   post.c      raft's messages over links      compare.c   gossip: said and heard of the rules
 *   ask.c       requests on links, both sides   checkpoint.c, wire.c
 *
 * Two workers at most touch what is on disk: one commits the log, one changes the registry. */
#ifndef NODE_RULES_INNER_H
#define NODE_RULES_INNER_H

#include "base/rng.h"
#include "node/rules/apply.h"
#include "node/rules/core.h"
#include "node/rules/dump.h"
#include "node/rules/orders.h"
#include "node/rules/post.h"
#include "node/rules/pull.h"
#include "node/rules/rules.h"
#include "node/rules/voters.h"
#include "raft/store.h"

#define RULES_SECOND_MS 1000
#define RULES_SENDS_BYTES_MAX (64u << 20) /* that wait for the disk; beyond it they are lost */
#define RULES_BATCH_ENTRIES 1024          /* applied in one LMDB commit */
#define RULES_BATCH_BYTES (4u << 20)
#define RULES_PATH_MAX 4096
#define RULES_REGISTRY_MAP_SIZE ((size_t)1 << 30)
#define RULES_HASHES_KEPT 64
#define RULES_COMMIT_SLOT_US UINT64_C(64)

struct rules_hash { /* of the state at an index */
    uint64_t index;
    uint8_t hash[CRYPTO_HASH_SIZE];
};

struct rules {
    struct rules_cfg cfg; /* dir and admission are copies */
    const struct rules_ops *ops;
    void *owner;
    struct mesh *mesh; /* NULL: not attached */
    struct rng rng;
    char dir[RULES_PATH_MAX], store_dir[RULES_PATH_MAX], snapshots_dir[RULES_PATH_MAX],
        registry_dir[RULES_PATH_MAX];
    struct buf admission;
    bool is_draining;
    bool is_closing;
    enum err stopped;
    bool is_fatal_told;
    struct io_task fatal;
    bool is_diverged;

    struct raft_store *store;
    bool is_committing; /* a commit is on the worker */
    bool has_committed;
    bool is_log_full, is_registry_full; /* no room on the disk for it */
    struct raft_snapshot snapshot;      /* the newest that can be served; size 0: none */
    uint64_t durable_token;
    uint64_t commit_began_us;
    uint64_t
        commit_slots[RULES_COMMIT_SLOTS]; /* commits that took up to RULES_COMMIT_SLOT_US << i */
    uint64_t commits, commit_total_us;

    struct registry *registry;
    struct registry_reader *reader;
    struct registry_head head; /* as the reader shows it */
    struct raft_base applied;  /* likewise */
    struct rules_hash hashes[RULES_HASHES_KEPT];
    size_t hash_next;

    struct raft *raft; /* NULL: this node pulls */
    bool is_stepping;
    struct io_timer tick;
    struct io_timer restart; /* the store and the core anew: the disk was full */
    uint64_t restarted_ms;
    uint64_t heard_ms;     /* when a leader last confirmed our commit index */
    uint64_t known_commit; /* of a replica: as others say */

    struct io_timer second;
    struct io_task peers;
    struct list asks, visits;
    struct list watchers;
    struct io_task watch;
    uint32_t changed; /* to be told */

    struct rules_orders orders;
    struct rules_apply apply;
    struct rules_dump dump;
    struct rules_post post;
    struct rules_pull pull;
    struct rules_serve serve;
    struct rules_voters voters;
    struct rules_admission admit;
    struct rules_ask member; /* are we one? */
};

static inline uint64_t rules_now_ms(const struct rules *r)
{
    return io_now_ms(r->cfg.loop);
}
static inline const struct id *rules_self(const struct rules *r)
{
    return &r->cfg.identity->node;
}
/* This node can go on as far as its own disk and state go. */
static inline bool rules_goes_on(const struct rules *r)
{
    return r->stopped == ERR_OK && !r->is_closing;
}

#endif
