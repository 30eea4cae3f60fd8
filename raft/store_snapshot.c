/* Files of snapshots: one block that describes it, then the dump. Made ones are INDEX in
 * snapshots_dir and get their description when the core knows of them (`made`); a file without one
 * is none. The one that is being fetched is `staged` beside the log. Called by the writer, by
 * workers of the shell, and at opening. */
#include "raft/store_inner.h"

#include <stdio.h>
#include <stdlib.h>

#define READ_SIZE (256u << 10)
#define SAVING "saving-"

struct raft_save {
    const struct raft_store *store;
    struct disk_file file;
    uint64_t index, size;
    struct crypto_hashing hashing;
};

/* --- descriptions */

static enum err write_descriptor(const struct disk_file *file, const struct raft_snapshot *snapshot)
{
    uint8_t block[2 * RAFT_BLOCK_SIZE];
    struct buf b;
    buf_init_fixed(&b, block, sizeof block);
    TRY(raft_descriptor_encode(snapshot, &b));
    struct bytes part = buf_bytes(&b);
    return disk_write(file, 0, &part, 1);
}

static enum err read_descriptor(const struct disk_file *file, struct raft_snapshot *ret_snapshot,
                                uint64_t *ret_size)
{
    uint8_t block[RAFT_BLOCK_SIZE];
    size_t got;
    uint64_t size;
    TRY(disk_read(file, 0, block, sizeof block, &got));
    TRY(disk_size(file, &size));
    TRY(raft_descriptor_decode(bytes_of(block, got), ret_snapshot));
    *ret_size = size - RAFT_BLOCK_SIZE;
    return ERR_OK;
}

static enum err hash_content(const struct disk_file *file, uint64_t size, uint8_t ret_hash[32])
{
    struct crypto_hashing hashing;
    enum err e = ERR_OK;
    uint8_t *data = malloc(READ_SIZE);
    if (!data)
        return ERR_NO_MEMORY;
    crypto_hashing_begin(&hashing);
    for (uint64_t at = 0; at < size && e == ERR_OK;) {
        size_t wanted = size - at < READ_SIZE ? (size_t)(size - at) : READ_SIZE, got = 0;
        e = disk_read(file, RAFT_BLOCK_SIZE + at, data, wanted, &got);
        if (e == ERR_OK && got < wanted)
            e = ERR_CORRUPT;
        crypto_hashing_add(&hashing, bytes_of(data, got));
        at += got;
    }
    crypto_hashing_end(&hashing, ret_hash);
    free(data);
    return e;
}

static enum err check_content(const struct disk_file *file, const struct raft_snapshot *snapshot)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    TRY(hash_content(file, snapshot->size, hash));
    return memcmp(hash, snapshot->content, sizeof hash) == 0 ? ERR_OK : ERR_CORRUPT;
}

/* --- what lies there */

struct found {
    uint64_t newest, below; /* 0: none; the greatest, and the greatest below a given limit */
    uint64_t limit;
    char junk[RAFT_STORE_NAME_MAX]; /* a name to remove; empty: none */
    bool is_saving_junk;
};

static bool find(void *ctx, const char *name)
{
    struct found *f = ctx;
    uint64_t number;
    bool is_snapshot = raft_store_number("", name, &number);
    if (is_snapshot && number < f->limit && number > f->below)
        f->below = number;
    if (is_snapshot && number > f->newest)
        f->newest = number;
    if (f->is_saving_junk && raft_store_number(SAVING, name, &number))
        raft_store_name(SAVING, number, f->junk);
    return true;
}

static bool find_older(void *ctx, const char *name)
{
    struct found *f = ctx;
    uint64_t number;
    if (!raft_store_number("", name, &number) || number >= f->limit)
        return true;
    raft_store_name("", number, f->junk);
    return false;
}

/* The one at `index` stays, and the one before it, which somebody may be fetching. */
static enum err prune(struct raft_writer *w, uint64_t index)
{
    struct found f = {.limit = index};
    TRY(disk_dir_list(w->snapshots_dir, find, &f));
    f.limit = f.below;
    for (;;) {
        f.junk[0] = '\0';
        TRY(disk_dir_list(w->snapshots_dir, find_older, &f));
        if (!f.junk[0])
            return ERR_OK;
        TRY(disk_remove(w->snapshots_dir, f.junk));
    }
}

/* --- the writer's */

enum err raft_snapshot_file_made(struct raft_writer *w, const struct raft_snapshot *made)
{
    char name[RAFT_STORE_NAME_MAX];
    struct disk_file file;
    raft_store_name("", made->base.index, name);
    enum err e = disk_open(w->snapshots_dir, name, DISK_WRITE, &file);
    TRY(raft_writer_note(w, w->snapshots_dir, name, "open", e));
    e = raft_writer_note(w, w->snapshots_dir, name, "write", write_descriptor(&file, made));
    if (e == ERR_OK)
        e = raft_writer_sync(w, &file, w->snapshots_dir, name);
    disk_close(&file);
    TRY(e);
    return raft_writer_note(w, w->snapshots_dir, NULL, "remove an old snapshot",
                            prune(w, made->base.index));
}

static enum err write_part(struct raft_writer *w, const struct raft_part *part)
{
    struct disk_file file;
    struct bytes data = bytes_of(part->data, part->size);
    enum disk_mode mode = part->offset == 0 ? DISK_EMPTY : DISK_WRITE;
    TRY(disk_open(w->dir, RAFT_STORE_STAGED, mode, &file));
    enum err e = part->offset == 0 ? write_descriptor(&file, &part->snapshot) : ERR_OK;
    if (e == ERR_OK)
        e = disk_write(&file, RAFT_BLOCK_SIZE + part->offset, &data, 1);
    if (e == ERR_OK && !part->next)
        e = raft_writer_sync(w, &file, w->dir, RAFT_STORE_STAGED);
    disk_close(&file);
    return e;
}

enum err raft_staged_write(struct raft_writer *w, const struct raft_part *parts)
{
    bool is_new = false;
    for (const struct raft_part *part = parts; part; part = part->next) {
        TRY(raft_writer_note(w, w->dir, RAFT_STORE_STAGED, "write", write_part(w, part)));
        is_new = is_new || part->offset == 0;
    }
    return is_new ? raft_writer_sync_dir(w, w->dir) : ERR_OK;
}

/* --- at opening */

static enum err load_snapshot(struct raft_store *s, const char *name)
{
    struct disk_file file;
    struct raft_snapshot snapshot;
    uint64_t size;
    TRY(disk_open(s->snapshots_dir, name, DISK_READ, &file));
    enum err e = read_descriptor(&file, &snapshot, &size);
    if (e == ERR_OK && size != snapshot.size)
        e = ERR_CORRUPT;
    if (e == ERR_OK)
        e = check_content(&file, &snapshot);
    disk_close(&file);
    if (e == ERR_OK)
        s->snapshot = snapshot;
    return e;
}

static enum err load_staged(struct raft_store *s)
{
    struct disk_file file;
    enum err e = disk_open(s->dir, RAFT_STORE_STAGED, DISK_READ, &file);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(e);
    e = read_descriptor(&file, &s->staged, &s->staged_size);
    disk_close(&file);
    if (e == ERR_CORRUPT || e == ERR_INVALID) { /* cut short by a crash: fetched anew */
        s->staged = (struct raft_snapshot){0};
        return disk_remove(s->dir, RAFT_STORE_STAGED);
    }
    if (s->staged_size > s->staged.size)
        s->staged_size = s->staged.size;
    return e;
}

enum err raft_snapshots_load(struct raft_store *s)
{
    for (;;) {
        struct found f = {.is_saving_junk = true};
        char name[RAFT_STORE_NAME_MAX];
        TRY(disk_dir_list(s->snapshots_dir, find, &f));
        if (f.junk[0])
            TRY(disk_remove(s->snapshots_dir, f.junk));
        if (f.junk[0])
            continue;
        if (f.newest == 0)
            return load_staged(s);
        raft_store_name("", f.newest, name);
        enum err e = load_snapshot(s, name);
        if (e == ERR_OK)
            return load_staged(s);
        if (e != ERR_CORRUPT && e != ERR_INVALID)
            return raft_writer_note(&s->writer, s->snapshots_dir, name, "read", e);
        TRY(disk_remove(s->snapshots_dir, name)); /* there are others to be had */
    }
}

/* --- saving */

static void discard(struct raft_save *save)
{
    char name[RAFT_STORE_NAME_MAX];
    raft_store_name(SAVING, save->index, name);
    disk_close(&save->file);
    if (disk_remove(save->store->snapshots_dir, name) != ERR_OK)
        return; /* it goes when the store is opened next */
}

void raft_save_abort(struct raft_save *save)
{
    if (save)
        discard(save);
    free(save);
}

enum err raft_save_open(struct raft_store *s, uint64_t index, struct raft_save **ret_save)
{
    static const uint8_t zeros[RAFT_BLOCK_SIZE];
    struct bytes block = bytes_of(zeros, sizeof zeros);
    char name[RAFT_STORE_NAME_MAX];
    struct raft_save *save = malloc(sizeof *save);
    if (!save)
        return ERR_NO_MEMORY;
    *save = (struct raft_save){.store = s, .index = index};
    raft_store_name(SAVING, index, name);
    enum err e = disk_open(s->snapshots_dir, name, DISK_EMPTY, &save->file);
    if (e != ERR_OK) {
        free(save);
        return e;
    }
    crypto_hashing_begin(&save->hashing);
    e = disk_write(&save->file, 0, &block, 1);
    if (e != ERR_OK) {
        raft_save_abort(save);
        return e;
    }
    *ret_save = save;
    return ERR_OK;
}

enum err raft_save_append(struct raft_save *save, struct bytes data)
{
    TRY(disk_write(&save->file, RAFT_BLOCK_SIZE + save->size, &data, 1));
    crypto_hashing_add(&save->hashing, data);
    save->size += data.size;
    return ERR_OK;
}

static enum err finish(struct raft_save *save)
{
    const struct raft_store *s = save->store;
    char from[RAFT_STORE_NAME_MAX], to[RAFT_STORE_NAME_MAX];
    raft_store_name(SAVING, save->index, from);
    raft_store_name("", save->index, to);
    if (!s->writer.no_sync)
        TRY(disk_sync(&save->file));
    TRY(disk_rename(s->snapshots_dir, from, s->snapshots_dir, to));
    return s->writer.no_sync ? ERR_OK : disk_dir_sync(s->snapshots_dir);
}

enum err raft_save_finish(struct raft_save *save, uint64_t *ret_size,
                          uint8_t ret_content[CRYPTO_HASH_SIZE])
{
    enum err e = finish(save);
    if (e == ERR_OK) {
        *ret_size = save->size;
        crypto_hashing_end(&save->hashing, ret_content);
        disk_close(&save->file);
        free(save);
    } else {
        raft_save_abort(save);
    }
    return e;
}

/* --- reading */

static enum err read_at(const struct disk_file *file, uint64_t offset, size_t size, struct buf *out)
{
    size_t got;
    if (offset > UINT64_MAX - RAFT_BLOCK_SIZE - size)
        return ERR_INVALID;
    TRY(buf_reserve(out, size));
    TRY(disk_read(file, RAFT_BLOCK_SIZE + offset, out->data + out->size, size, &got));
    if (got < size)
        return ERR_INVALID;
    out->size += size;
    return ERR_OK;
}

enum err raft_store_chunk(const struct raft_store *s, uint64_t index, uint64_t offset, size_t size,
                          struct buf *out)
{
    char name[RAFT_STORE_NAME_MAX];
    struct disk_file file;
    raft_store_name("", index, name);
    TRY(disk_open(s->snapshots_dir, name, DISK_READ, &file));
    enum err e = read_at(&file, offset, size, out);
    disk_close(&file);
    return e;
}

enum err raft_store_staged_read(const struct raft_store *s, uint64_t offset, size_t size,
                                struct buf *out)
{
    struct disk_file file;
    TRY(disk_open(s->dir, RAFT_STORE_STAGED, DISK_READ, &file));
    enum err e = read_at(&file, offset, size, out);
    disk_close(&file);
    return e;
}

enum err raft_store_staged_check(const struct raft_store *s, const struct raft_snapshot *snapshot)
{
    struct disk_file file;
    TRY(disk_open(s->dir, RAFT_STORE_STAGED, DISK_READ, &file));
    enum err e = check_content(&file, snapshot);
    disk_close(&file);
    return e;
}

enum err raft_store_staged_keep(struct raft_store *s, const struct raft_snapshot *snapshot)
{
    char name[RAFT_STORE_NAME_MAX];
    raft_store_name("", snapshot->base.index, name);
    TRY(disk_rename(s->dir, RAFT_STORE_STAGED, s->snapshots_dir, name));
    if (s->writer.no_sync)
        return ERR_OK;
    TRY(disk_dir_sync(s->snapshots_dir));
    return disk_dir_sync(s->dir);
}
