/* A store in a directory of its own, with a chain of records to put into it and what should be
 * there afterwards. For the tests of raft's store. */
#ifndef TESTS_UNIT_RAFT_STORE_FIXTURE_H
#define TESTS_UNIT_RAFT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/disk.h"
#include "raft/store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    char root[64], dir[80], snapshots[96];
    struct raft_store_cfg cfg;
    struct raft_store *store;
    struct buf message, records;
    uint8_t hash[CRYPTO_HASH_SIZE]; /* of the newest record that was built */
    uint64_t token;
};

static inline void open_world(struct world *w)
{
    buf_clear(&w->message);
    enum err e = raft_store_open(&w->cfg, &w->message, &w->store);
    if (e != ERR_OK)
        print_error("%.*s\n", (int)w->message.size, (const char *)w->message.data);
    assert_int_equal(e, ERR_OK);
}

static inline void close_world(struct world *w)
{
    raft_store_close(w->store);
    w->store = NULL;
}

static inline void reopen_world(struct world *w)
{
    close_world(w);
    open_world(w);
}

static inline int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->root, sizeof w->root, "/tmp/test_store.XXXXXX");
    if (crypto_init() != ERR_OK || !mkdtemp(w->root))
        return -1;
    snprintf(w->dir, sizeof w->dir, "%s/raft", w->root);
    snprintf(w->snapshots, sizeof w->snapshots, "%s/snapshots", w->root);
    w->cfg = (struct raft_store_cfg){
        .dir = w->dir, .snapshots_dir = w->snapshots, .segment_size = 1 << 16};
    buf_init(&w->message, 1024);
    buf_init(&w->records, 64 << 20);
    open_world(w);
    *state = w;
    return 0;
}

static inline void empty_dir(const char *dir)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    if (stream)
        closedir(stream);
    rmdir(dir);
}

static inline int tear_down(void **state)
{
    struct world *w = *state;
    close_world(w);
    buf_fini(&w->message);
    buf_fini(&w->records);
    empty_dir(w->dir);
    empty_dir(w->snapshots);
    int rc = rmdir(w->root);
    free(w);
    return rc;
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* --- writes */

/* Appends to w->records the record of an index, chained to the one built before; its payload says
 * index and term, and is `size` long. */
static inline void build(struct world *w, uint64_t index, uint64_t term, size_t size)
{
    static uint8_t payload[RAFT_PAYLOAD_MAX];
    struct raft_entry e = {.kind = RAFT_COMMAND, .term = term, .index = index};
    size_t at = w->records.size;
    memset(payload, (int)(index * 31 + term), size);
    memcpy(e.prev, w->hash, sizeof e.prev);
    e.payload = bytes_of(payload, size);
    assert_int_equal(raft_entry_append(&w->records, &e), ERR_OK);
    raft_entry_hash(bytes_skip(buf_bytes(&w->records), at), w->hash);
}

static inline struct raft_write records_write(struct world *w, uint64_t first, uint64_t count,
                                              uint64_t term, size_t size)
{
    buf_clear(&w->records);
    for (uint64_t i = 0; i < count; i++)
        build(w, first + i, term, size);
    return (struct raft_write){
        .first_index = first, .record_count = count, .records = buf_bytes(&w->records)};
}

static inline void add(struct world *w, struct raft_write write)
{
    write.token = ++w->token;
    assert_int_equal(raft_store_add(w->store, &write), ERR_OK);
}

static inline enum err commit(struct world *w)
{
    uint64_t token = w->token; /* nothing may wait */
    enum err e = ERR_OK;
    while (e == ERR_OK && raft_store_begin(w->store)) {
        raft_store_commit(w->store);
        e = raft_store_end(w->store, &token);
    }
    if (e == ERR_OK)
        assert_int_equal(token, w->token);
    return e;
}

static inline void write_now(struct world *w, struct raft_write write)
{
    add(w, write);
    assert_int_equal(commit(w), ERR_OK);
}

static inline void append(struct world *w, uint64_t first, uint64_t count, uint64_t term)
{
    write_now(w, records_write(w, first, count, term, 100));
}

static inline void fill_hard(struct raft_hard *hard, uint64_t term)
{
    *hard = (struct raft_hard){.term = term, .store = 77, .boot = term + 1, .known_count = 2};
    hard->vote.bytes[0] = (uint8_t)term;
    hard->known[1].id.bytes[3] = 9;
    hard->known[1].store = 5;
    hard->known[1].draw = 6;
    for (uint32_t i = 0; i < RAFT_STARTS_KEPT; i++)
        hard->draws[i] = UINT32_MAX - i;
}

static inline void fill_base(struct raft_base *base, uint64_t index, uint64_t term)
{
    *base = (struct raft_base){.index = index, .term = term, .config_index = 1};
    memset(base->hash, (int)index, sizeof base->hash);
    base->config.count = 1;
    base->config.members[0] = (struct raft_member){.store = 3, .is_voter = true};
    base->config.members[0].id.bytes[0] = 1;
}

/* The newest segment's path; its number. */
static inline unsigned long long newest_segment(const struct world *w, char ret_path[256])
{
    DIR *stream = opendir(w->dir);
    unsigned long long newest = 0, number;
    struct dirent *entry;
    while ((entry = readdir(stream)))
        if (sscanf(entry->d_name, "log-%llx", &number) == 1 && number > newest)
            newest = number;
    closedir(stream);
    snprintf(ret_path, 256, "%s/log-%016llx", w->dir, newest);
    return newest;
}

#endif
