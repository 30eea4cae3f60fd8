/* The registry: the replicated state of a mesh. Committed log entries go in, in order; rows in LMDB
 * come out, the same on every replica to the byte. What rows are: types.h; what changes them:
 * command.h (both are part of this header). Why, tables of roles and limits: README.md.
 *
 * Not here: consensus, sending, certificates, what policies mean, which of several voters or nodes
 * is best. No clock: the time of the state is the greatest that leaders put into proposals.
 *
 *   registry_begin ─> registry_apply … ─> registry_commit     one batch, any number of entries,
 *                          │ fails              │             one LMDB commit; the log is the truth
 *                          └─> registry_abort <─┘ fails       for what was not committed
 *
 * Refused commands change no row of rules and do not count in the epoch. A genuine one (signed, of
 * an author who may act, complete, in time) uses up its sequence number all the same, so that
 * nobody can play it again when it would succeed.
 *
 * Threads: begin, apply, check, commit, abort and load on one thread (a batch's stay on the one it
 * began on). Readers: any number, each used by one thread at a time, while the writer works. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "registry/command.h"

#define REGISTRY_FEATURE 1         /* the level that this program knows; setting mesh.feature */
#define REGISTRY_CHANGES_MAX 10000 /* kept for watchers */
#define REGISTRY_REPEATS_MAX 16    /* last results kept per author */

struct registry_cfg {
    const char *dir; /* of LMDB, created when absent */
    size_t map_size; /* bytes of address space, bound of the data; 1 GiB is ample */
    struct id mesh;
    uint8_t root[CRYPTO_PUBLIC_SIZE]; /* the mesh's id is this key's */
    bool no_sync; /* commits are durable only after registry_sync: kv.h says what that means */
};

struct registry;
/* INVALID (the mesh is not the root's), WRONG_MESH (the data is another mesh's), UNSUPPORTED (its
 * format or feature level is newer), CORRUPT, the errors of kv_open. */
MUST_CHECK enum err registry_open(const struct registry_cfg *cfg, struct registry **ret_registry);
void registry_close(struct registry *r); /* aborts an open batch; readers are closed before */

/* Where the state stands. */
struct registry_head {
    uint64_t index, term; /* applied; 0: nothing yet */
    uint8_t chain[CRYPTO_HASH_SIZE];
    uint64_t epoch;   /* commands that changed rules */
    uint64_t time_ms; /* of the state */
    uint8_t hash[CRYPTO_HASH_SIZE];
    uint64_t rows[REGISTRY_KINDS]; /* by kind */
};
/* Of the open batch, or as committed. On the writer's thread. */
void registry_head(const struct registry *r, struct registry_head *ret_head);

/* --- writing */

MUST_CHECK enum err registry_begin(struct registry *r);
/* Ends the batch, durably. On failure nothing of it is stored. */
MUST_CHECK enum err registry_commit(struct registry *r);
void registry_abort(struct registry *r);               /* fine without a batch */
MUST_CHECK enum err registry_sync(struct registry *r); /* for no_sync; on any thread */

struct registry_entry {
    uint64_t index, term; /* index: one above the applied one */
    uint8_t chain[CRYPTO_HASH_SIZE];
    struct bytes proposal; /* empty for entries that carry no commands */
};
struct registry_result { /* of one command */
    enum err err;        /* OK, or why it was refused */
    struct registry_fault fault;
    struct id author; /* zero where it could not be told */
    uint64_t sequence;
    uint64_t index, epoch; /* committed or refused at; a repeat: the first's (a node's: epoch) */
    uint32_t changed;      /* kinds, as bits 1 << kind */
    bool is_repeat;        /* the very same command was applied before: this is its result */
};
struct registry_applied {
    const struct registry_result *results; /* one per command; until the next apply or check */
    size_t count;
    uint32_t changed; /* by all of them */
};
/* Inside a batch. OK also when every command is refused. Anything else is fatal: the state is as
 * before the entry, abort the batch and stop applying. UNSUPPORTED: a genuine command that this
 * program does not know, a newer feature level, a proposal in a newer form; INVALID: not the next
 * index, or not a proposal; CORRUPT: rows fail their check; LIMIT: the map is full; IO, DISK_FULL,
 * NO_MEMORY. */
MUST_CHECK enum err registry_apply(struct registry *r, const struct registry_entry *entry,
                                   struct registry_applied *ret_applied);
/* What would become of one signed command if it were applied now, at time_ms: before a leader
 * proposes it, or to try one. Inside a batch; changes nothing. The signatures it verified are
 * remembered for apply. Errors as apply's, but what this program does not know is refused. */
MUST_CHECK enum err registry_check(struct registry *r, uint64_t time_ms, struct bytes command,
                                   struct registry_result *ret_result);

/* --- reading: a consistent view, as of the commit before it was opened or renewed. Rows and texts
 * are valid until it is renewed or closed. Old views hold disk pages: renew after each commit. */

struct registry_reader;
MUST_CHECK enum err registry_reader_open(struct registry *r, struct registry_reader **ret_reader);
MUST_CHECK enum err registry_reader_renew(struct registry_reader *reader);
void registry_reader_close(struct registry_reader *reader);
MUST_CHECK enum err registry_reader_head(const struct registry_reader *reader,
                                         struct registry_head *ret_head);

struct registry_row {
    enum registry_kind kind;
    uint64_t rev;     /* epoch of its last change: for if_rev */
    uint64_t time_ms; /* of that change */
    struct id author; /* of that change */
    union registry_document doc;
};
/* By key: the fields marked IN_KEY, in their order; an id as its 16 bytes, a number as 8 big-endian
 * ones, VOTERS: none; `second` is empty where there is one part. NOT_FOUND, CORRUPT. */
MUST_CHECK enum err registry_get(const struct registry_reader *reader, enum registry_kind kind,
                                 struct bytes first, struct bytes second,
                                 struct registry_row *ret_row);
/* Until false. */
typedef bool registry_on_row(void *ctx, const struct registry_row *row);
/* In key order: all rows of a kind, or those whose first part is `first` (of kinds with two). */
MUST_CHECK enum err registry_scan(const struct registry_reader *reader, enum registry_kind kind,
                                  struct bytes first, registry_on_row *on_row, void *ctx);
enum registry_index {
    REGISTRY_NODE_BY_NAME = 1,  /* not the revoked */
    REGISTRY_ADMIN_BY_NAME = 2, /* the active */
    REGISTRY_KEY_BY_HASH = 3,
    REGISTRY_NODE_BY_REGION = 4,
    REGISTRY_ALIAS_BY_MODEL = 5, /* aliases with a version of it */
};
MUST_CHECK enum err registry_find(const struct registry_reader *reader, enum registry_index index,
                                  struct bytes value, struct registry_row *ret_row);
MUST_CHECK enum err registry_find_all(const struct registry_reader *reader,
                                      enum registry_index index, struct bytes value,
                                      registry_on_row *on_row, void *ctx);

/* A known setting's value, its default where it is not set; *ret_rev 0: not set. NOT_FOUND: neither
 * known nor set. */
MUST_CHECK enum err registry_setting(const struct registry_reader *reader, const char *key,
                                     struct bytes *ret_value, uint64_t *ret_rev);
/* Of the known ones with a number (booleans: 0 and 1). */
MUST_CHECK enum err registry_setting_number(const struct registry_reader *reader, const char *key,
                                            uint64_t *ret_value);
/* 0: none used yet; the next command's is above it. */
MUST_CHECK enum err registry_sequence(const struct registry_reader *reader, const struct id *author,
                                      uint64_t *ret_last);
/* Whose API key this is. NOT_FOUND, REVOKED (the key, or the tenant is suspended), EXPIRED. */
MUST_CHECK enum err registry_authenticate(const struct registry_reader *reader, struct bytes text,
                                          uint64_t now_ms, struct registry_row *ret_tenant);
/* The sheet that applies to a model on a node. NOT_FOUND. */
MUST_CHECK enum err registry_price_find(const struct registry_reader *reader,
                                        const struct registry_node *node, struct bytes model,
                                        struct registry_row *ret_row);

/* --- rules that rows imply. Pure. */

/* The target for a request's hash, weighted, the same each time; `usable` has a bit per target.
 * target_count: none is usable. */
size_t registry_alias_choose(const struct registry_alias *alias, uint64_t hash, uint32_t usable);
bool registry_version_is_routable(const struct registry_version *version); /* by its stage */
bool registry_version_fits_hardware(const struct registry_version *version,
                                    const struct registry_node *node);
bool registry_region_is_allowed(const struct bytes *regions, size_t count, struct bytes region);

/* --- watching */

struct registry_change {
    uint64_t epoch, index, time_ms;
    struct id author;
    enum registry_verb verb;
    enum registry_kind kind;
    struct bytes name; /* "gpt/v2": the key as people write it */
};
/* Changes of epochs above `from`, oldest first, until false. COMPACTED: some of them are not kept
 * (also after a load: history is each replica's own). */
MUST_CHECK enum err registry_watch(const struct registry_reader *reader, uint64_t from,
                                   bool (*on_change)(void *ctx, const struct registry_change *c),
                                   void *ctx);

/* --- snapshots: one stream of bytes, the same on every replica at the same index */

struct registry_save;
/* Of the last committed state, which it keeps while it is open. */
MUST_CHECK enum err registry_save_open(struct registry *r, struct registry_save **ret_save,
                                       uint64_t *ret_size);
/* Appends the bytes from `offset`, at most size_max; quick when it continues the one before. */
MUST_CHECK enum err registry_save_read(struct registry_save *save, uint64_t offset, size_t size_max,
                                       struct buf *out);
void registry_save_close(struct registry_save *save);

struct registry_load;
/* Replaces the whole state in one transaction; no batch is open. The bytes in order, in pieces of
 * any size. Errors of append and finish leave the state as it was: INVALID, WRONG_MESH,
 * UNSUPPORTED, CORRUPT (the hash is not the head's); after them only abort. */
MUST_CHECK enum err registry_load_begin(struct registry *r, struct registry_load **ret_load);
MUST_CHECK enum err registry_load_append(struct registry_load *load, struct bytes data);
MUST_CHECK enum err registry_load_finish(struct registry_load *load); /* frees it when OK */
void registry_load_abort(struct registry_load *load);

/* The hash of all rows, by a scan that also checks each of them. CORRUPT. */
MUST_CHECK enum err registry_rehash(const struct registry_reader *reader,
                                    uint8_t ret_hash[CRYPTO_HASH_SIZE]);

#endif
