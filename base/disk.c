/* Plain calls of the system, complete (interrupted and short ones go on) and as errs. Called by the
 * stores of the cores, and by kv.c for its directory and lock. */
#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PARTS_MAX 8

static enum err path_in(const char *dir, const char *name, char ret_path[DISK_PATH_MAX])
{
    int n = snprintf(ret_path, DISK_PATH_MAX, "%s/%s", dir, name);
    return n < 0 || n >= DISK_PATH_MAX ? ERR_LIMIT : ERR_OK;
}

/* --- directories */

enum err disk_dir_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);
    close(fd);
    return e;
}

enum err disk_dir_make(const char *dir, bool sync)
{
    char parent[DISK_PATH_MAX];
    TRY(path_in(dir, "..", parent));
    if (mkdir(dir, 0700) != 0)
        return errno == EEXIST ? ERR_OK : err_from_errno(errno);
    return sync ? disk_dir_sync(parent) : ERR_OK;
}

enum err disk_dir_lock(const char *dir, struct disk_file *ret_lock)
{
    struct disk_file file;
    TRY(disk_open(dir, "lock", DISK_CREATE, &file));
    if (flock(file.fd, LOCK_EX | LOCK_NB) != 0) {
        int saved_errno = errno;
        disk_close(&file);
        return saved_errno == EWOULDBLOCK ? ERR_LOCKED : err_from_errno(saved_errno);
    }
    *ret_lock = file;
    return ERR_OK;
}

enum err disk_dir_list(const char *dir, bool (*on_name)(void *ctx, const char *name), void *ctx)
{
    DIR *stream = opendir(dir);
    if (!stream)
        return err_from_errno(errno);
    struct dirent *entry;
    bool go_on = true;
    errno = 0;
    while (go_on && (entry = readdir(stream))) {
        if (entry->d_name[0] != '.')
            go_on = on_name(ctx, entry->d_name);
        errno = 0;
    }
    enum err e = errno == 0 ? ERR_OK : err_from_errno(errno);
    closedir(stream);
    return e;
}

enum err disk_rename(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
    char old[DISK_PATH_MAX], new[DISK_PATH_MAX];
    TRY(path_in(from_dir, from, old));
    TRY(path_in(to_dir, to, new));
    return rename(old, new) == 0 ? ERR_OK : err_from_errno(errno);
}

enum err disk_remove(const char *dir, const char *name)
{
    char path[DISK_PATH_MAX];
    TRY(path_in(dir, name, path));
    return unlink(path) == 0 ? ERR_OK : err_from_errno(errno);
}

/* --- files */

enum err disk_open(const char *dir, const char *name, enum disk_mode mode,
                   struct disk_file *ret_file)
{
    static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_TRUNC};
    char path[DISK_PATH_MAX];
    TRY(path_in(dir, name, path));
    int fd = open(path, flags[mode] | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    ret_file->fd = fd;
    return ERR_OK;
}

void disk_close(struct disk_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

enum err disk_size(const struct disk_file *file, uint64_t *ret_size)
{
    struct stat stat;
    if (fstat(file->fd, &stat) != 0)
        return err_from_errno(errno);
    *ret_size = (uint64_t)stat.st_size;
    return ERR_OK;
}

enum err disk_read(const struct disk_file *file, uint64_t offset, void *ret_data, size_t size,
                   size_t *ret_got)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = pread(file->fd, (uint8_t *)ret_data + got, size - got, (off_t)(offset + got));
        if (n == 0)
            break;
        if (n > 0)
            got += (size_t)n;
        else if (errno != EINTR)
            return err_from_errno(errno);
    }
    *ret_got = got;
    return ERR_OK;
}

static void skip(struct iovec *parts, int *first, int count, size_t n)
{
    while (*first < count && n >= parts[*first].iov_len)
        n -= parts[(*first)++].iov_len;
    if (*first < count) {
        parts[*first].iov_base = (uint8_t *)parts[*first].iov_base + n;
        parts[*first].iov_len -= n;
    }
}

enum err disk_write(const struct disk_file *file, uint64_t offset, const struct bytes *parts,
                    size_t count)
{
    struct iovec vec[PARTS_MAX];
    int first = 0;
    CHECK(count <= PARTS_MAX);
    for (size_t i = 0; i < count; i++)
        vec[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].size};
    skip(vec, &first, (int)count, 0);
    while (first < (int)count) {
        ssize_t n = pwritev(file->fd, vec + first, (int)count - first, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return err_from_errno(errno);
        if (n > 0) {
            offset += (uint64_t)n;
            skip(vec, &first, (int)count, (size_t)n);
        }
    }
    return ERR_OK;
}

enum err disk_truncate(const struct disk_file *file, uint64_t size)
{
    return ftruncate(file->fd, (off_t)size) == 0 ? ERR_OK : err_from_errno(errno);
}

enum err disk_sync(const struct disk_file *file)
{
    return fdatasync(file->fd) == 0 ? ERR_OK : err_from_errno(errno);
}
