/* Tests of base/kv: transactions, order, limits, the lock, and files that come back damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/kv.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    char root[64], dir[80];
    struct kv_cfg cfg;
    struct kv *kv;
    struct kv_table table;
};

static const char *const world_files[] = {"data.mdb", "lock.mdb", "lock"};

static void open_world(struct world *w)
{
    assert_int_equal(kv_open(&w->cfg, &w->kv), ERR_OK);
    assert_int_equal(kv_table_open(w->kv, "things", &w->table), ERR_OK);
}

static void reopen_world(struct world *w)
{
    kv_close(w->kv);
    w->kv = NULL;
    open_world(w);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->root, sizeof w->root, "/tmp/test_kv.XXXXXX");
    if (!mkdtemp(w->root))
        return -1;
    snprintf(w->dir, sizeof w->dir, "%s/data", w->root);
    w->cfg = (struct kv_cfg){.dir = w->dir, .map_size = 16 << 20, .tables_max = 2, .no_sync = true};
    open_world(w);
    *state = w;
    return 0;
}

static void path_of(const struct world *w, const char *name, char ret_path[PATH_MAX])
{
    snprintf(ret_path, PATH_MAX, "%s/%s", w->dir, name);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    kv_close(w->kv);
    for (int i = 0; i < 3; i++) {
        path_of(w, world_files[i], path);
        unlink(path);
    }
    int rc = rmdir(w->dir) | rmdir(w->root); /* nothing else was left there */
    free(w);
    return rc;
}

static void put(struct world *w, const char *key, const char *value)
{
    struct kv_txn *txn;
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, w->table, bytes_from_str(key), bytes_from_str(value)), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
}

static void check_value(struct world *w, const char *key, const char *expected)
{
    struct kv_txn *txn;
    struct bytes value = BYTES("untouched");
    assert_int_equal(kv_begin_read(w->kv, &txn), ERR_OK);
    enum err e = kv_get(txn, w->table, bytes_from_str(key), &value);
    assert_int_equal(e, expected ? ERR_OK : ERR_NOT_FOUND);
    assert_true(bytes_equal(value, bytes_from_str(expected ? expected : "untouched")));
    kv_abort(txn);
}

static void committed_data_survives_reopening(void **state)
{
    struct world *w = *state;
    put(w, "a", "1");
    reopen_world(w);
    check_value(w, "a", "1");
    check_value(w, "b", NULL);
}

static void synced_commits_work_the_same(void **state)
{
    struct world *w = *state;
    w->cfg.no_sync = false;
    reopen_world(w);
    put(w, "a", "1");
    reopen_world(w);
    check_value(w, "a", "1");
}

static void commits_without_sync_are_made_durable_by_one_sync_while_others_go_on(void **state)
{
    struct world *w = *state;
    struct kv_txn *txn;
    put(w, "a", "1");
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, w->table, BYTES("b"), BYTES("2")), ERR_OK);
    assert_int_equal(kv_sync(w->kv), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    reopen_world(w);
    check_value(w, "a", "1");
    check_value(w, "b", "2");
}

static void an_aborted_write_is_lost(void **state)
{
    struct world *w = *state;
    struct kv_txn *txn;
    put(w, "a", "1");
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, w->table, BYTES("a"), BYTES("2")), ERR_OK);
    kv_abort(txn);
    kv_abort(NULL);
    check_value(w, "a", "1");
}

/* Runs `act` in a child process, which ends without closing anything. */
static int in_child(int (*act)(struct world *w), struct world *w)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(act(w));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int write_and_die(struct world *w)
{
    struct kv_txn *txn;
    if (kv_open(&w->cfg, &w->kv) || kv_table_open(w->kv, "things", &w->table))
        return 1;
    if (kv_begin_write(w->kv, &txn) || kv_put(txn, w->table, BYTES("a"), BYTES("1")) ||
        kv_commit(txn))
        return 2;
    if (kv_begin_write(w->kv, &txn) || kv_put(txn, w->table, BYTES("b"), BYTES("2")))
        return 3;
    return 0;
}

static void a_process_that_dies_keeps_commits_and_loses_the_rest(void **state)
{
    struct world *w = *state;
    kv_close(w->kv);
    w->kv = NULL;
    assert_int_equal(in_child(write_and_die, w), 0);
    open_world(w);
    check_value(w, "a", "1");
    check_value(w, "b", NULL);
}

static int open_again(struct world *w)
{
    struct kv *other;
    return (int)kv_open(&w->cfg, &other);
}

static void a_second_process_is_locked_out_until_the_first_closes(void **state)
{
    struct world *w = *state;
    assert_int_equal(in_child(open_again, w), ERR_LOCKED);
    assert_int_equal(open_again(w), ERR_LOCKED);
    kv_close(w->kv);
    w->kv = NULL;
    assert_int_equal(in_child(open_again, w), ERR_OK);
    open_world(w);
}

static void readers_see_the_state_at_their_begin(void **state)
{
    struct world *w = *state;
    struct kv_txn *reader;
    struct bytes value;
    put(w, "a", "old");
    assert_int_equal(kv_begin_read(w->kv, &reader), ERR_OK);
    put(w, "a", "new");
    assert_int_equal(kv_get(reader, w->table, BYTES("a"), &value), ERR_OK);
    assert_true(bytes_equal(value, BYTES("old")));
    kv_abort(reader);
    check_value(w, "a", "new");
}

static void deleting_removes_once(void **state)
{
    struct world *w = *state;
    struct kv_txn *txn;
    put(w, "a", "1");
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_delete(txn, w->table, BYTES("a")), ERR_OK);
    assert_int_equal(kv_delete(txn, w->table, BYTES("a")), ERR_NOT_FOUND);
    assert_int_equal(kv_commit(txn), ERR_OK);
    check_value(w, "a", NULL);
}

static void tables_are_separate(void **state)
{
    struct world *w = *state;
    struct kv_table other, third;
    struct kv_txn *txn;
    struct bytes value;
    put(w, "a", "1");
    assert_int_equal(kv_table_open(w->kv, "other", &other), ERR_OK);
    assert_int_equal(kv_begin_read(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_get(txn, other, BYTES("a"), &value), ERR_NOT_FOUND);
    kv_abort(txn);
    assert_int_equal(kv_table_open(w->kv, "third", &third), ERR_LIMIT);
}

static void keys_have_one_to_511_bytes(void **state)
{
    struct world *w = *state;
    uint8_t key[KV_KEY_SIZE_MAX + 1] = {1};
    struct kv_txn *txn;
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, w->table, bytes_of(key, 512), BYTES("v")), ERR_INVALID);
    assert_int_equal(kv_put(txn, w->table, bytes_of(key, 0), BYTES("v")), ERR_INVALID);
    assert_int_equal(kv_put(txn, w->table, bytes_of(key, 511), BYTES("")), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
}

static bool list_pair(void *ctx, struct bytes key, struct bytes value)
{
    struct buf *out = ctx;
    assert_int_equal(buf_append(out, key), ERR_OK);
    assert_int_equal(buf_append_byte(out, '='), ERR_OK);
    assert_int_equal(buf_append(out, value), ERR_OK);
    assert_int_equal(buf_append_byte(out, ' '), ERR_OK);
    return !bytes_equal(value, BYTES("stop"));
}

static void check_scan(struct world *w, const char *from, const char *expected)
{
    struct kv_txn *txn;
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(kv_begin_read(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_scan(txn, w->table, bytes_from_str(from), list_pair, &out), ERR_OK);
    kv_abort(txn);
    assert_true(bytes_equal(buf_bytes(&out), bytes_from_str(expected)));
    buf_fini(&out);
}

static void scans_go_in_key_order_from_the_given_key(void **state)
{
    struct world *w = *state;
    check_scan(w, "", "");
    put(w, "c", "3");
    put(w, "a", "1");
    put(w, "\xff", "5");
    put(w, "b", "2");
    put(w, "bb", "4");
    check_scan(w, "", "a=1 b=2 bb=4 c=3 \xff=5 ");
    check_scan(w, "b", "b=2 bb=4 c=3 \xff=5 ");
    check_scan(w, "ba", "bb=4 c=3 \xff=5 ");
    check_scan(w, "\xff\xff", "");
    put(w, "bb", "stop");
    check_scan(w, "", "a=1 b=2 bb=stop ");
}

static void a_table_is_emptied_by_itself_and_can_be_undone(void **state)
{
    struct world *w = *state;
    struct kv_txn *txn;
    struct kv_table other;
    assert_int_equal(kv_table_open(w->kv, "others", &other), ERR_OK);
    put(w, "a", "1");
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, other, BYTES("o"), BYTES("2")), ERR_OK);
    assert_int_equal(kv_clear(txn, w->table), ERR_OK);
    assert_int_equal(kv_append(txn, w->table, BYTES("A"), BYTES("3")), ERR_OK);
    kv_abort(txn);
    check_scan(w, "", "a=1 ");
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_put(txn, other, BYTES("o"), BYTES("2")), ERR_OK);
    assert_int_equal(kv_clear(txn, w->table), ERR_OK);
    assert_int_equal(kv_append(txn, w->table, BYTES("A"), BYTES("3")), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    check_scan(w, "", "A=3 ");
    w->table = other;
    check_scan(w, "", "o=2 ");
}

static void appended_keys_must_grow(void **state)
{
    struct world *w = *state;
    struct kv_txn *txn;
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    assert_int_equal(kv_append(txn, w->table, BYTES("b"), BYTES("1")), ERR_OK);
    assert_int_equal(kv_append(txn, w->table, BYTES("d"), BYTES("2")), ERR_OK);
    assert_int_equal(kv_append(txn, w->table, BYTES("d"), BYTES("x")), ERR_EXISTS);
    assert_int_equal(kv_append(txn, w->table, BYTES("c"), BYTES("x")), ERR_EXISTS);
    assert_int_equal(kv_append(txn, w->table, BYTES("e"), BYTES("3")), ERR_OK);
    assert_int_equal(kv_commit(txn), ERR_OK);
    check_scan(w, "", "b=1 d=2 e=3 ");
}

static void a_full_map_is_a_limit_and_the_rest_stays_readable(void **state)
{
    struct world *w = *state;
    static uint8_t big[100000];
    struct kv_txn *txn;
    enum err e = ERR_OK;
    put(w, "a", "1");
    assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
    for (uint32_t i = 0; i < 1000 && e == ERR_OK; i++)
        e = kv_put(txn, w->table, bytes_of(&i, sizeof i), bytes_of(big, sizeof big));
    assert_int_equal(e, ERR_LIMIT);
    assert_int_not_equal(kv_commit(txn), ERR_OK);
    check_value(w, "a", "1");
    put(w, "b", "2");
    check_value(w, "b", "2");
}

/* Many puts and deletes in few transactions: the file then often ends before its last page. */
static void churn(struct world *w, struct rng *rng, int rounds)
{
    static uint8_t value[9000];
    for (int round = 0; round < rounds; round++) {
        struct kv_txn *txn;
        assert_int_equal(kv_begin_write(w->kv, &txn), ERR_OK);
        uint32_t first = (uint32_t)rng_below(rng, 1000), count = (uint32_t)rng_below(rng, 300);
        for (uint32_t i = first; i < first + count; i++) {
            struct bytes v = bytes_of(value, rng_below(rng, rng_chance(rng, 0.1) ? 9000 : 200));
            assert_int_equal(kv_put(txn, w->table, bytes_of(&i, sizeof i), v), ERR_OK);
        }
        for (uint32_t i = first; i < first + count; i++)
            if (rng_chance(rng, 0.9))
                assert_int_equal(kv_delete(txn, w->table, bytes_of(&i, sizeof i)), ERR_OK);
        assert_int_equal(kv_commit(txn), ERR_OK);
    }
}

static void churned_files_open_again(void **state)
{
    struct world *w = *state;
    struct rng rng;
    rng_init(&rng, 14);
    for (int i = 0; i < 40; i++) {
        churn(w, &rng, 5);
        reopen_world(w);
    }
}

static bool count_pair(void *ctx, struct bytes key, struct bytes value)
{
    (void)key;
    (void)value;
    ++*(int *)ctx;
    return true;
}

static off_t size_of_data(const struct world *w)
{
    char path[PATH_MAX];
    struct stat file;
    path_of(w, "data.mdb", path);
    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

/* Opens what is left of a torn file and reads everything; leaves it closed. */
static enum err read_all(struct world *w)
{
    int pairs = 0;
    struct kv_txn *txn;
    enum err e = kv_open(&w->cfg, &w->kv);
    if (e != ERR_OK)
        return e;
    assert_int_equal(kv_table_open(w->kv, "things", &w->table), ERR_OK);
    assert_int_equal(kv_begin_read(w->kv, &txn), ERR_OK);
    e = kv_scan(txn, w->table, BYTES(""), count_pair, &pairs);
    kv_abort(txn);
    kv_close(w->kv);
    w->kv = NULL;
    return e;
}

/* Cuts the file shorter and shorter. Each time it is refused, left alone, and refused again; unless
 * only free pages are missing: then everything can be read. Returns how often it was refused. */
static int tear(struct world *w, off_t step)
{
    char path[PATH_MAX];
    int refused = 0;
    path_of(w, "data.mdb", path);
    kv_close(w->kv);
    w->kv = NULL;
    for (off_t size = size_of_data(w) - 1; size > 0; size -= step) {
        assert_int_equal(truncate(path, size), 0);
        enum err e = read_all(w);
        if (e == ERR_OK)
            continue;
        assert_int_equal(e, ERR_CORRUPT);
        assert_int_equal(size_of_data(w), size);
        assert_int_equal(read_all(w), ERR_CORRUPT);
        refused++;
    }
    return refused;
}

static void a_torn_file_is_corrupt_and_never_a_crash(void **state)
{
    struct world *w = *state;
    struct rng rng;
    rng_init(&rng, 15);
    churn(w, &rng, 30);
    assert_true(tear(w, 5000) > 10);
}

/* A reader keeps pages from being used again, so that the list of free pages grows over several
 * pages and is torn too. */
static void a_torn_list_of_free_pages_is_no_crash_either(void **state)
{
    struct world *w = *state;
    struct kv_txn *reader;
    char key[16];
    assert_int_equal(kv_begin_read(w->kv, &reader), ERR_OK);
    for (int i = 0; i < 700; i++) {
        snprintf(key, sizeof key, "%d", i);
        put(w, key, "value");
    }
    kv_abort(reader);
    assert_true(tear(w, 4096) > 100);
}

static void a_file_of_something_else_is_corrupt(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    static uint8_t page[8192];
    kv_close(w->kv);
    w->kv = NULL;
    path_of(w, "data.mdb", path);
    int fd = open(path, O_WRONLY | O_TRUNC);
    memset(page, 'x', sizeof page);
    assert_int_equal(write(fd, page, sizeof page), sizeof page);
    close(fd);
    assert_int_equal(open_again(w), ERR_CORRUPT);
}

/* --- a full disk, where a small tmpfs may be mounted; else skipped */

static bool mount_small(struct world *w)
{
    char path[PATH_MAX];
    kv_close(w->kv);
    w->kv = NULL;
    for (int i = 0; i < 3; i++) {
        path_of(w, world_files[i], path);
        unlink(path);
    }
    bool is_mounted = mount("tmpfs", w->dir, "tmpfs", 0, "size=256k") == 0;
    open_world(w);
    return is_mounted;
}

static void unmount(struct world *w)
{
    kv_close(w->kv);
    w->kv = NULL;
    assert_int_equal(umount(w->dir), 0);
    open_world(w);
}

static enum err write_many(struct world *w, uint8_t first, size_t count)
{
    static const uint8_t page[2500];
    struct kv_txn *txn;
    enum err e = kv_begin_write(w->kv, &txn);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        uint8_t key[] = {first, (uint8_t)i};
        e = kv_put(txn, w->table, bytes_of(key, 2), bytes_of(page, sizeof page));
    }
    return e == ERR_OK ? kv_commit(txn) : e;
}

/* Of a commit of many pages the disk takes some, of one of a page none. */
static void a_commit_without_room_is_told_and_goes_through_when_there_is_room(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    if (!mount_small(w))
        skip();
    put(w, "a", "1");
    path_of(w, "ballast", path);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 128 << 10), 0);
    close(fd);
    assert_int_equal(write_many(w, 1, 100), ERR_DISK_FULL);
    uint8_t n = 2;
    while (write_many(w, n, 1) == ERR_OK)
        assert_true(++n < 100);
    assert_int_equal(write_many(w, n, 1), ERR_DISK_FULL);
    check_value(w, "a", "1");
    unlink(path);
    assert_int_equal(write_many(w, n, 1), ERR_OK);
    assert_int_equal(write_many(w, 1, 20), ERR_OK);
    reopen_world(w);
    check_value(w, "a", "1");
    unmount(w);
}

static void a_directory_without_parent_is_not_found(void **state)
{
    struct world *w = *state;
    struct kv *kv = NULL;
    struct kv_cfg cfg = w->cfg;
    cfg.dir = "/tmp/test_kv.absent/data";
    assert_int_equal(kv_open(&cfg, &kv), ERR_NOT_FOUND);
    assert_null(kv);
    kv_close(NULL);
}

static void the_directory_is_private(void **state)
{
    struct world *w = *state;
    struct stat dir;
    assert_int_equal(stat(w->dir, &dir), 0);
    assert_int_equal(dir.st_mode & 0777, 0700);
}

static void open_and_close_leave_no_descriptor(void **state)
{
    struct world *w = *state;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 5; i++)
        reopen_world(w);
    assert_int_equal(open_again(w), ERR_LOCKED);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

#define KV_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KV_TEST(committed_data_survives_reopening),
        KV_TEST(synced_commits_work_the_same),
        KV_TEST(commits_without_sync_are_made_durable_by_one_sync_while_others_go_on),
        KV_TEST(an_aborted_write_is_lost),
        KV_TEST(a_process_that_dies_keeps_commits_and_loses_the_rest),
        KV_TEST(a_second_process_is_locked_out_until_the_first_closes),
        KV_TEST(readers_see_the_state_at_their_begin),
        KV_TEST(deleting_removes_once),
        KV_TEST(tables_are_separate),
        KV_TEST(keys_have_one_to_511_bytes),
        KV_TEST(scans_go_in_key_order_from_the_given_key),
        KV_TEST(a_table_is_emptied_by_itself_and_can_be_undone),
        KV_TEST(appended_keys_must_grow),
        KV_TEST(a_full_map_is_a_limit_and_the_rest_stays_readable),
        KV_TEST(churned_files_open_again),
        KV_TEST(a_torn_file_is_corrupt_and_never_a_crash),
        KV_TEST(a_torn_list_of_free_pages_is_no_crash_either),
        KV_TEST(a_file_of_something_else_is_corrupt),
        KV_TEST(a_commit_without_room_is_told_and_goes_through_when_there_is_room),
        KV_TEST(a_directory_without_parent_is_not_found),
        KV_TEST(the_directory_is_private),
        KV_TEST(open_and_close_leave_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
