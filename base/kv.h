/* The door to LMDB: one environment in one directory, a few named tables, one writer at a time. A
 * committed write transaction is durable when kv_commit returns (unless opened without sync).
 *
 * Threads: a write transaction begins and ends on one thread, and a second one waits for it; a
 * read transaction may move between threads, but is used by one at a time. Readers see the state
 * at their begin and hold its pages: keep them short.
 * What LMDB does not do: it has no checksums. A torn or foreign file gives ERR_CORRUPT; a flipped
 * bit inside a value is for the caller's own hash to find. */
#ifndef BASE_KV_H
#define BASE_KV_H

#include "base/bytes.h"
#include "base/err.h"

#define KV_KEY_SIZE_MAX 511 /* LMDB's limit */

struct kv;
struct kv_txn;
struct kv_table {
    unsigned handle;
};

struct kv_cfg {
    const char *dir;     /* created (0700) when absent */
    size_t map_size;     /* bytes of address space, the upper bound of the data; no memory yet */
    unsigned tables_max; /* named tables */
    bool no_sync;        /* commits are durable only after kv_sync */
};

/* ERR_LOCKED when it is open already, here or in another process; ERR_NOT_FOUND when dir's parent
 * is absent; ERR_PERMISSION, ERR_CORRUPT, ERR_UNSUPPORTED (another LMDB format), ERR_DISK_FULL,
 * ERR_IO. */
MUST_CHECK enum err kv_open(const struct kv_cfg *cfg, struct kv **ret_kv);
void kv_close(struct kv *kv);
/* Opens (creates) a table; once per table, outside transactions. */
MUST_CHECK enum err kv_table_open(struct kv *kv, const char *name, struct kv_table *ret_table);

MUST_CHECK enum err kv_begin_read(struct kv *kv, struct kv_txn **ret_txn);
MUST_CHECK enum err kv_begin_write(struct kv *kv, struct kv_txn **ret_txn);
/* Ends a write transaction durably. On failure nothing of it is stored; txn is gone either way.
 * DISK_FULL: with no_sync the same may be written again once there is room. */
MUST_CHECK enum err kv_commit(struct kv_txn *txn);
/* For no_sync: all that was committed is durable when it returns; may run beside transactions, on
 * any thread. Commits after it survive a crash of the process; a crash of the machine may leave a
 * file that is torn between them: for data that can be made again from elsewhere, with a check of
 * the caller's own. After a failure: never try again. */
MUST_CHECK enum err kv_sync(struct kv *kv);
/* Ends either kind, dropping writes. NULL is fine. */
void kv_abort(struct kv_txn *txn);

/* Keys have 1 to KV_KEY_SIZE_MAX bytes, else ERR_INVALID. A full map is ERR_LIMIT; the transaction
 * can then only be aborted. Values are borrowed from the map until the transaction ends (or its
 * next write). ERR_NOT_FOUND. */
MUST_CHECK enum err kv_get(struct kv_txn *txn, struct kv_table table, struct bytes key,
                           struct bytes *ret_value);
MUST_CHECK enum err kv_put(struct kv_txn *txn, struct kv_table table, struct bytes key,
                           struct bytes value);
/* The key must sort after every other: appended without a search. ERR_EXISTS otherwise. */
MUST_CHECK enum err kv_append(struct kv_txn *txn, struct kv_table table, struct bytes key,
                              struct bytes value);
MUST_CHECK enum err kv_delete(struct kv_txn *txn, struct kv_table table, struct bytes key);
/* Removes every pair. */
MUST_CHECK enum err kv_clear(struct kv_txn *txn, struct kv_table table);
/* Calls on_pair in key order from `from` (inclusive; empty: the first key) until it returns false
 * or the table ends. on_pair does not write. */
MUST_CHECK enum err kv_scan(struct kv_txn *txn, struct kv_table table, struct bytes from,
                            bool (*on_pair)(void *ctx, struct bytes key, struct bytes value),
                            void *ctx);

const char *kv_library_version(void);

#endif
