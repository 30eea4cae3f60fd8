/* The registry on disk is a copy of what the log says, so its commits are not synced: that would be
 * a second sync for every command. After a crash of the process the kernel still has all of it;
 * after one of the machine the files may be torn, and are made again from snapshot and log. Which
 * of the two it was, a mark beside them tells: the kernel's boot while they are open, "clean" once
 * they were closed in good order. */
#include "node/rules/inner.h"

#include "base/disk.h"

#define MARK "mark"
#define MARK_MAX 128
#define BOOT_DIR "/proc/sys/kernel/random"
#define BOOT_FILE "boot_id"

static size_t read_text(const char *dir, const char *name, char ret_text[MARK_MAX])
{
    struct disk_file file;
    size_t size = 0;
    ret_text[0] = 0;
    if (disk_open(dir, name, DISK_READ, &file) != ERR_OK)
        return 0;
    if (disk_read(&file, 0, ret_text, MARK_MAX - 1, &size) != ERR_OK)
        size = 0;
    disk_close(&file);
    while (size > 0 && ret_text[size - 1] == '\n')
        size--;
    ret_text[size] = 0;
    return size;
}

static enum err write_mark(const char *dir, const char *text)
{
    struct disk_file file;
    struct bytes part = bytes_from_str(text);
    TRY(disk_open(dir, MARK, DISK_EMPTY, &file));
    enum err e = disk_write(&file, 0, &part, 1);
    if (e == ERR_OK)
        e = disk_sync(&file);
    disk_close(&file);
    return e == ERR_OK ? disk_dir_sync(dir) : e;
}

/* Whatever is in it is torn, or may be. */
static enum err forget(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum err e = disk_remove(dir, names[i]);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_OK;
}

enum err clean_open(struct rules *r)
{
    char mark[MARK_MAX], boot[MARK_MAX];
    if (r->cfg.is_volatile)
        return ERR_OK;
    TRY(disk_dir_make(r->registry_dir, true));
    size_t size = read_text(BOOT_DIR, BOOT_FILE, boot);
    bool is_new = read_text(r->registry_dir, MARK, mark) == 0;
    bool is_good = strcmp(mark, "clean") == 0 || (size > 0 && strcmp(mark, boot) == 0);
    if (!is_good) {
        TRY(forget(r->registry_dir));
        if (!is_new)
            LOG(r->cfg.log, LOG_WARN, "registry_made_again",
                LOG_STR("because", "the machine stopped while it was open"));
    }
    return write_mark(r->registry_dir, size > 0 ? boot : "open");
}

/* After the last commit. */
void clean_close(struct rules *r)
{
    if (r->cfg.is_volatile || !r->registry || registry_sync(r->registry) != ERR_OK)
        return;
    if (write_mark(r->registry_dir, "clean") != ERR_OK)
        LOG(r->cfg.log, LOG_WARN, "registry_not_marked", LOG_STR("dir", r->registry_dir));
}
