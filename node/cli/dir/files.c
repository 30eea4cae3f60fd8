/* File input and output of the CLI; see files.h. A new file is written beside its place under a
 * random name, synced, moved there only if the place is free, and its directory synced. */
#include "node/cli/dir/files.h"

#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum err files_join(const char *dir, const char *name, char ret_path[FILES_PATH_MAX])
{
    int size = snprintf(ret_path, FILES_PATH_MAX, "%s/%s", dir, name);
    return size > 0 && size < FILES_PATH_MAX ? ERR_OK : ERR_LIMIT;
}

/* --- reading */

static enum err read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t chunk[16 * 1024];
        ssize_t size = read(fd, chunk, sizeof(chunk));
        if (size < 0 && errno == EINTR)
            continue;
        enum err e = size < 0 ? err_from_errno(errno) : ERR_OK;
        if (e == ERR_OK && size > 0)
            e = buf_append(out, bytes_of(chunk, (size_t)size));
        crypto_wipe(chunk, sizeof(chunk));
        if (e != ERR_OK || size == 0)
            return e;
    }
}

enum err files_read(const char *path, struct buf *out)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = read_all(fd, out);
    close(fd);
    return e;
}

enum err files_read_secret(const char *path, struct buf *out, bool *ret_is_exposed)
{
    struct stat info;
    *ret_is_exposed = false;
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe in its place must not hang us */
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = fstat(fd, &info) == 0 ? ERR_OK : err_from_errno(errno);
    if (e == ERR_OK && !S_ISREG(info.st_mode))
        e = ERR_INVALID;
    if (e == ERR_OK && (info.st_mode & (S_IRWXG | S_IRWXO))) {
        *ret_is_exposed = true;
        e = ERR_PERMISSION;
    }
    if (e == ERR_OK)
        e = read_all(fd, out);
    close(fd);
    return e;
}

bool files_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* --- writing */

static enum err write_all(int fd, struct bytes content)
{
    while (content.size) {
        ssize_t size = write(fd, content.data, content.size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return err_from_errno(errno);
        content = bytes_skip(content, (size_t)size);
    }
    return ERR_OK;
}

/* Some file systems cannot rename without replacing; there a check just before has to do. */
static enum err rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return ERR_OK;
    if (errno != EINVAL && errno != ENOSYS)
        return err_from_errno(errno);
    if (files_exists(to))
        return ERR_EXISTS;
    return rename(from, to) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err sync_dir_of(const char *path)
{
    char dir[FILES_PATH_MAX];
    const char *slash = strrchr(path, '/');
    bytes_to_str(slash ? bytes_of(path, (size_t)(slash - path)) : BYTES("."), dir, sizeof(dir));
    int fd = open(dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = fsync(fd) == 0 || errno == EINVAL ? ERR_OK : err_from_errno(errno);
    close(fd);
    return e;
}

static enum err write_synced(const char *path, struct bytes content, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return err_from_errno(errno);
    enum err e = write_all(fd, content);
    if (e == ERR_OK && (fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0))
        e = err_from_errno(errno);
    if (close(fd) != 0 && e == ERR_OK)
        e = err_from_errno(errno);
    if (e != ERR_OK)
        unlink(path);
    return e;
}

static enum err write_beside(const char *path, struct bytes content, unsigned mode,
                             char ret_temporary[FILES_PATH_MAX])
{
    uint64_t suffix;
    crypto_random(&suffix, sizeof(suffix));
    int size =
        snprintf(ret_temporary, FILES_PATH_MAX, "%s.%016llx.tmp", path, (unsigned long long)suffix);
    if (size < 0 || size >= FILES_PATH_MAX)
        return ERR_LIMIT;
    return write_synced(ret_temporary, content, mode);
}

enum err files_replace(const char *path, struct bytes content, unsigned mode)
{
    char temporary[FILES_PATH_MAX];
    TRY(write_beside(path, content, mode, temporary));
    if (rename(temporary, path) != 0) {
        enum err e = err_from_errno(errno);
        unlink(temporary);
        return e;
    }
    return sync_dir_of(path);
}

enum err files_write_new(const char *path, struct bytes content, unsigned mode)
{
    char temporary[FILES_PATH_MAX];
    TRY(write_beside(path, content, mode, temporary));
    enum err e = rename_new(temporary, path);
    if (e != ERR_OK) {
        unlink(temporary);
        return e;
    }
    e = sync_dir_of(path);
    if (e != ERR_OK)
        unlink(path);
    return e;
}

/* --- making, with a way back */

static enum err note(struct files_made *made, const char *path)
{
    char *copy = made->count < FILES_MADE_MAX ? strdup(path) : NULL;
    if (!copy)
        return made->count < FILES_MADE_MAX ? ERR_NO_MEMORY : ERR_LIMIT;
    made->paths[made->count++] = copy;
    return ERR_OK;
}

/* One level. Noted only if it was not there. */
static enum err make_level(const char *path, struct files_made *made)
{
    struct stat info;
    if (mkdir(path, 0700) == 0) {
        enum err e = note(made, path);
        if (e != ERR_OK)
            rmdir(path);
        return e;
    }
    if (errno != EEXIST)
        return err_from_errno(errno);
    if (stat(path, &info) != 0)
        return err_from_errno(errno);
    return S_ISDIR(info.st_mode) ? ERR_OK : ERR_EXISTS;
}

enum err files_make_dir(const char *path, struct files_made *made)
{
    char level[FILES_PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof(level))
        return size ? ERR_LIMIT : ERR_INVALID;
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        bytes_to_str(bytes_of(path, i), level, sizeof(level));
        TRY(make_level(level, made));
    }
    return ERR_OK;
}

enum err files_make(const char *path, struct bytes content, unsigned mode, struct files_made *made)
{
    TRY(files_write_new(path, content, mode));
    enum err e = note(made, path);
    if (e != ERR_OK)
        unlink(path);
    return e;
}

void files_undo(struct files_made *made)
{
    for (size_t i = made->count; i-- > 0;)
        (void)remove(made->paths[i]); /* what others put beside it keeps a directory alive */
    files_keep(made);
}

void files_keep(struct files_made *made)
{
    for (size_t i = 0; i < made->count; i++)
        free(made->paths[i]);
    made->count = 0;
}

/* --- temporary directories */

enum err files_make_temporary_dir(char ret_path[FILES_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");
    TRY(files_join(parent && parent[0] ? parent : "/tmp", "grapevine-XXXXXX", ret_path));
    return mkdtemp(ret_path) ? ERR_OK : err_from_errno(errno);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    (void)remove(path); /* the rest still goes */
    return 0;
}

void files_remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
