/* The door to files that have to survive a crash: directories with one owner, files read and
 * written at offsets, and the syncs that make them durable. Blocking; for workers and for opening.
 * Streams of bytes, sockets and configuration files are not for this door.
 *
 * A path is a directory and a name in it. What was written is durable when disk_sync returned OK; a
 * file that was created, renamed or removed is so when its directory was synced. After a failed
 * sync the data may be gone though a second one succeeds: never try again, stop. */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include "base/bytes.h"
#include "base/err.h"

#define DISK_PATH_MAX 1024

struct disk_file {
    int fd; /* negative: not open */
};
enum disk_mode {
    DISK_READ,   /* it exists */
    DISK_WRITE,  /* it exists; reading and writing */
    DISK_CREATE, /* created when absent, else as it is */
    DISK_EMPTY,  /* created, or emptied */
};

/* Created (0700) when absent, durably if `sync`. NOT_FOUND: its parent is absent; PERMISSION, IO,
 * DISK_FULL. */
MUST_CHECK enum err disk_dir_make(const char *dir, bool sync);
MUST_CHECK enum err disk_dir_sync(const char *dir);
/* Holds the file `lock` in it until closed. LOCKED: somebody does, here or in another process. */
MUST_CHECK enum err disk_dir_lock(const char *dir, struct disk_file *ret_lock);
/* Names in it, in no order, until false. on_name neither creates nor removes. */
MUST_CHECK enum err disk_dir_list(const char *dir, bool (*on_name)(void *ctx, const char *name),
                                  void *ctx);
MUST_CHECK enum err disk_rename(const char *from_dir, const char *from, const char *to_dir,
                                const char *to);
MUST_CHECK enum err disk_remove(const char *dir, const char *name); /* NOT_FOUND */

MUST_CHECK enum err disk_open(const char *dir, const char *name, enum disk_mode mode,
                              struct disk_file *ret_file);
void disk_close(struct disk_file *file); /* fine when not open */
MUST_CHECK enum err disk_size(const struct disk_file *file, uint64_t *ret_size);
/* *ret_got < size: the file ends there. */
MUST_CHECK enum err disk_read(const struct disk_file *file, uint64_t offset, void *ret_data,
                              size_t size, size_t *ret_got);
/* All parts in a row. DISK_FULL and IO: some of it may be written. */
MUST_CHECK enum err disk_write(const struct disk_file *file, uint64_t offset,
                               const struct bytes *parts, size_t count);
MUST_CHECK enum err disk_truncate(const struct disk_file *file, uint64_t size);
/* Data, and the size of the file. */
MUST_CHECK enum err disk_sync(const struct disk_file *file);

#endif
