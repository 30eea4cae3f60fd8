/* Inside the registry: the object, and how its files change rows. */
#ifndef REGISTRY_IMPL_H
#define REGISTRY_IMPL_H

#include "registry/hash.h"
#include "registry/row.h"

#define REGISTRY_VERIFIED_MAX 256 /* signatures that `check` found good, for `apply` */

struct registry_state {
    struct registry_head head; /* its hash is filled in when asked for */
    struct registry_hash hash;
    uint64_t change_count;    /* kept */
    uint64_t compacted_epoch; /* changes up to this one may be missing */
};

struct registry_reader {
    struct registry *registry;
    struct kv_txn *txn;
};

struct registry {
    struct kv *kv;
    struct kv_table rows, indexes, changes, meta;
    struct id mesh, root_id;
    uint8_t root[CRYPTO_PUBLIC_SIZE];
    struct registry_state committed, current;
    struct registry_reader writer; /* sees the open batch; txn is NULL outside one */
    struct buf undo;               /* how to take back what the present command did */
    bool undo_is_full;
    struct buf value; /* of the row being written */
    struct buf old;   /* the row that the present operation is about, as it stood */
    struct arena proposal_arena, command_arena;
    struct registry_result *results; /* REGISTRY_COMMANDS_MAX */
    uint8_t verified[REGISTRY_VERIFIED_MAX][CRYPTO_HASH_SIZE];
    size_t verified_next;
};

/* --- registry.c: the state in the table `meta` */
MUST_CHECK enum err registry_state_save(struct registry *r, const struct registry_state *state);
MUST_CHECK enum err registry_state_load(const struct registry_reader *reader,
                                        struct registry_state *ret_state);

/* --- rows.c: writes that can be taken back, hash and counts kept up. LIMIT with undo_is_full: the
 * command changes too much; else LMDB's. */
MUST_CHECK enum err registry_rows_get(const struct registry_reader *reader, struct bytes key,
                                      struct bytes *ret_value);
/* Of bytes that are not a public kind's: `value` without its hash, which is appended to it. */
MUST_CHECK enum err registry_rows_put_raw(struct registry *r, struct bytes key, struct buf *value);
/* Writes the row and its indexes, unless its fields stand so already (*ret_changed). */
MUST_CHECK enum err registry_rows_put(struct registry *r, const struct registry_row *row,
                                      bool *ret_changed);
/* NOT_FOUND. */
MUST_CHECK enum err registry_rows_remove(struct registry *r, enum registry_kind kind,
                                         struct bytes key);
/* Undoable writes to other tables; absent ones may be deleted. */
MUST_CHECK enum err registry_rows_write(struct registry *r, struct kv_table table, struct bytes key,
                                        struct bytes value);
MUST_CHECK enum err registry_rows_delete(struct registry *r, struct kv_table table,
                                         struct bytes key);
void registry_rows_forget_undo(struct registry *r);
/* Takes back every write since then; the caller restores `current`. */
MUST_CHECK enum err registry_rows_undo(struct registry *r);
/* CORRUPT when the hash at the value's end is not that of the row. */
MUST_CHECK enum err registry_rows_verify(struct bytes key, struct bytes value,
                                         struct registry_row_hash *ret_hash);

/* --- index.c */
#define REGISTRY_INDEX_KEYS_MAX (REGISTRY_TARGETS_MAX + 2)
struct registry_index_keys {
    struct registry_key_bytes keys[REGISTRY_INDEX_KEYS_MAX];
    size_t count;
};
/* The keys under which a row is found; none where row is NULL. INVALID: too long. */
MUST_CHECK enum err registry_index_keys_of(const struct registry_row *row,
                                           struct registry_index_keys *ret_keys);
MUST_CHECK enum err registry_index_update(struct registry *r,
                                          const struct registry_index_keys *before,
                                          const struct registry_index_keys *after,
                                          struct bytes key);

/* --- authors.c: a row of it, as loaded. CORRUPT. */
MUST_CHECK enum err registry_authors_check_row(struct bytes key, struct bytes row);

/* --- read.c */
MUST_CHECK enum err registry_read(const struct registry_reader *reader, enum registry_kind kind,
                                  struct bytes key, struct registry_row *ret_row);

#endif
