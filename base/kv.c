/* The only file that includes LMDB. Two things beyond plain calls: a lock file that keeps the
 * environment to one opener (LMDB allows several, our callers' caches do not), and a check at
 * opening that the data file is whole. Called by the store.c of raft, registry and gossip. */
#include "base/kv.h"

#include "base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READERS_SIZE 8192    /* of LMDB's lock file, with its default of 126 readers */
#define ROOM_SIZE (64 << 10) /* a disk that lacks it takes no commit */

struct kv {
    MDB_env *env;
    struct disk_file lock;
};

/* A struct kv_txn is an MDB_txn and never anything else. */
static MDB_txn *mdb_of(struct kv_txn *txn)
{
    return (MDB_txn *)txn;
}

static enum err err_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS: return ERR_OK;
    case MDB_NOTFOUND: return ERR_NOT_FOUND;
    case MDB_KEYEXIST: return ERR_EXISTS;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_DBS_FULL:
    case MDB_READERS_FULL:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL: return ERR_LIMIT;
    case MDB_BAD_VALSIZE: return ERR_INVALID;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return ERR_CORRUPT;
    case MDB_VERSION_MISMATCH: return ERR_UNSUPPORTED;
    case MDB_PANIC: return ERR_IO; /* an earlier write failed; nothing more may be written */
    default: return rc > 0 ? err_from_errno(rc) : ERR_INTERNAL;
    }
}

static MDB_val val_of(struct bytes b)
{
    return (MDB_val){b.size, (void *)(uintptr_t)b.data};
}

static struct bytes bytes_of_val(MDB_val v)
{
    return bytes_of(v.mv_data, v.mv_size);
}

/* LMDB maps its table of readers and writes to it: on a full disk that would be a SIGBUS, so the
 * blocks are taken before. */
static enum err reserve_readers(const char *dir)
{
    struct disk_file file;
    TRY(disk_open(dir, "lock.mdb", DISK_CREATE, &file));
    int rc = posix_fallocate(file.fd, 0, READERS_SIZE);
    disk_close(&file);
    return rc == 0 || rc == EOPNOTSUPP || rc == EINVAL ? ERR_OK : err_from_errno(rc);
}

/* Reading a page that a torn file left as zeros may trip an assertion inside LMDB. While the file
 * is under suspicion, that leads back to the check instead of ending the process. */
static void on_assert(MDB_env *env, const char *message)
{
    (void)message;
    longjmp(*(jmp_buf *)mdb_env_get_userctx(env), 1);
}

struct page_set {
    size_t first, count;
    uint8_t *is_in; /* one byte a page */
};

/* `list` is LMDB's form of a list of pages: their number, then they. */
static void add_pages(struct page_set *pages, MDB_val list)
{
    size_t page;
    for (size_t at = sizeof page; at + sizeof page <= list.mv_size; at += sizeof page) {
        memcpy(&page, (const uint8_t *)list.mv_data + at, sizeof page);
        if (page >= pages->first && page - pages->first < pages->count)
            pages->is_in[page - pages->first] = 1;
    }
}

static enum err add_free_pages(MDB_env *env, struct page_set *pages)
{
    const MDB_dbi free_list = 0;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, list;
    jmp_buf jump;
    enum err e = err_of(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    if (e != ERR_OK)
        return e;
    e = err_of(mdb_cursor_open(txn, free_list, &cursor));
    if (e == ERR_OK) {
        mdb_env_set_userctx(env, &jump);
        mdb_env_set_assert(env, on_assert);
        if (setjmp(jump) == 0) {
            int rc = mdb_cursor_get(cursor, &key, &list, MDB_FIRST);
            for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor, &key, &list, MDB_NEXT))
                add_pages(pages, list);
        }
        mdb_env_set_assert(env, NULL);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return e;
}

/* Whether the pages that the file lacks are all free ones. */
static enum err check_missing_pages(MDB_env *env, size_t first, size_t count)
{
    struct page_set pages = {first, count, calloc(count, 1)};
    if (!pages.is_in)
        return ERR_NO_MEMORY;
    enum err e = add_free_pages(env, &pages);
    if (e == ERR_OK && memchr(pages.is_in, 0, count))
        e = ERR_CORRUPT;
    free(pages.is_in);
    return e;
}

/* The data file may end before its last page by right: pages that were taken and freed in one
 * transaction are never written. If any other page is missing, the file is torn. It is stretched
 * for the check, since touching a mapped page past the end of a file kills the process, and is
 * left as found when it is torn. */
static enum err check_file_size(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    int fd;
    mdb_env_info(env, &info);
    mdb_env_stat(env, &stat);
    mdb_env_get_fd(env, &fd);
    if (fstat(fd, &file) != 0)
        return err_from_errno(errno);
    size_t present = (size_t)file.st_size / stat.ms_psize;
    size_t wanted = info.me_last_pgno + 1;
    if (present >= wanted)
        return ERR_OK;
    if (ftruncate(fd, (off_t)(wanted * stat.ms_psize)) != 0)
        return err_from_errno(errno);
    enum err e = check_missing_pages(env, present, wanted - present);
    if (e != ERR_OK && ftruncate(fd, file.st_size) != 0)
        return err_from_errno(errno);
    return e;
}

static enum err open_env(const struct kv_cfg *cfg, MDB_env *env)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    size_t map_size = (cfg->map_size + page_size - 1) / page_size * page_size;
    TRY(err_of(mdb_env_set_maxdbs(env, cfg->tables_max)));
    TRY(err_of(mdb_env_set_mapsize(env, map_size)));
    TRY(err_of(mdb_env_open(env, cfg->dir, MDB_NOTLS | (cfg->no_sync ? MDB_NOSYNC : 0), 0600)));
    TRY(check_file_size(env));
    return cfg->no_sync ? ERR_OK : disk_dir_sync(cfg->dir);
}

static enum err open_in_dir(const struct kv_cfg *cfg, struct kv *kv)
{
    TRY(disk_dir_make(cfg->dir, true));
    TRY(disk_dir_lock(cfg->dir, &kv->lock));
    TRY(reserve_readers(cfg->dir));
    TRY(err_of(mdb_env_create(&kv->env)));
    return open_env(cfg, kv->env);
}

enum err kv_open(const struct kv_cfg *cfg, struct kv **ret_kv)
{
    struct kv *kv = malloc(sizeof *kv);
    if (!kv)
        return ERR_NO_MEMORY;
    *kv = (struct kv){.lock = {-1}};
    enum err e = open_in_dir(cfg, kv);
    if (e != ERR_OK) {
        kv_close(kv);
        return e;
    }
    *ret_kv = kv;
    return ERR_OK;
}

void kv_close(struct kv *kv)
{
    if (!kv)
        return;
    if (kv->env)
        mdb_env_close(kv->env);
    disk_close(&kv->lock);
    free(kv);
}

static enum err begin(struct kv *kv, unsigned flags, struct kv_txn **ret_txn)
{
    MDB_txn *txn;
    TRY(err_of(mdb_txn_begin(kv->env, NULL, flags, &txn)));
    *ret_txn = (struct kv_txn *)txn;
    return ERR_OK;
}

enum err kv_begin_read(struct kv *kv, struct kv_txn **ret_txn)
{
    return begin(kv, MDB_RDONLY, ret_txn);
}

enum err kv_begin_write(struct kv *kv, struct kv_txn **ret_txn)
{
    return begin(kv, 0, ret_txn);
}

enum err kv_sync(struct kv *kv)
{
    return err_of(mdb_env_sync(kv->env, 1));
}

/* LMDB calls it an I/O error when the disk took a part of a write. If no further page can be had it
 * was for want of room. */
static bool lacks_room(MDB_env *env)
{
    struct stat file;
    unsigned flags;
    int fd;
    mdb_env_get_flags(env, &flags);
    mdb_env_get_fd(env, &fd);
    if (!(flags & MDB_NOSYNC) || fstat(fd, &file) != 0)
        return false; /* it may be the sync that failed */
    int rc = posix_fallocate(fd, file.st_size, ROOM_SIZE);
    return rc == ENOSPC || rc == EDQUOT;
}

enum err kv_commit(struct kv_txn *txn)
{
    MDB_env *env = mdb_txn_env(mdb_of(txn));
    enum err e = err_of(mdb_txn_commit(mdb_of(txn)));
    return e == ERR_IO && lacks_room(env) ? ERR_DISK_FULL : e;
}

void kv_abort(struct kv_txn *txn)
{
    if (txn)
        mdb_txn_abort(mdb_of(txn));
}

enum err kv_table_open(struct kv *kv, const char *name, struct kv_table *ret_table)
{
    struct kv_txn *txn;
    MDB_dbi handle;
    TRY(kv_begin_write(kv, &txn));
    enum err e = err_of(mdb_dbi_open(mdb_of(txn), name, MDB_CREATE, &handle));
    if (e != ERR_OK) {
        kv_abort(txn);
        return e;
    }
    TRY(kv_commit(txn));
    ret_table->handle = handle;
    return ERR_OK;
}

enum err kv_get(struct kv_txn *txn, struct kv_table table, struct bytes key,
                struct bytes *ret_value)
{
    MDB_val k = val_of(key), v;
    TRY(err_of(mdb_get(mdb_of(txn), table.handle, &k, &v)));
    *ret_value = bytes_of_val(v);
    return ERR_OK;
}

static enum err put(struct kv_txn *txn, struct kv_table table, struct bytes key, struct bytes value,
                    unsigned flags)
{
    MDB_val k = val_of(key), v = val_of(value);
    return err_of(mdb_put(mdb_of(txn), table.handle, &k, &v, flags));
}

enum err kv_put(struct kv_txn *txn, struct kv_table table, struct bytes key, struct bytes value)
{
    return put(txn, table, key, value, 0);
}

enum err kv_append(struct kv_txn *txn, struct kv_table table, struct bytes key, struct bytes value)
{
    return put(txn, table, key, value, MDB_APPEND);
}

enum err kv_delete(struct kv_txn *txn, struct kv_table table, struct bytes key)
{
    MDB_val k = val_of(key);
    return err_of(mdb_del(mdb_of(txn), table.handle, &k, NULL));
}

enum err kv_clear(struct kv_txn *txn, struct kv_table table)
{
    return err_of(mdb_drop(mdb_of(txn), table.handle, 0));
}

static int first_pair(MDB_cursor *cursor, struct bytes from, MDB_val *ret_key, MDB_val *ret_value)
{
    *ret_key = val_of(from);
    return mdb_cursor_get(cursor, ret_key, ret_value, from.size ? MDB_SET_RANGE : MDB_FIRST);
}

enum err kv_scan(struct kv_txn *txn, struct kv_table table, struct bytes from,
                 bool (*on_pair)(void *ctx, struct bytes key, struct bytes value), void *ctx)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    TRY(err_of(mdb_cursor_open(mdb_of(txn), table.handle, &cursor)));
    int rc = first_pair(cursor, from, &k, &v);
    while (rc == MDB_SUCCESS && on_pair(ctx, bytes_of_val(k), bytes_of_val(v)))
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? ERR_OK : err_of(rc);
}

const char *kv_library_version(void)
{
    return mdb_version(NULL, NULL, NULL);
}
