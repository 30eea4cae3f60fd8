/* Tests of base/disk: files, directories and locks on a real disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/disk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    char root[64], dir[80];
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->root, sizeof w->root, "/tmp/test_disk.XXXXXX");
    if (!mkdtemp(w->root))
        return -1;
    snprintf(w->dir, sizeof w->dir, "%s/data", w->root);
    *state = w;
    return disk_dir_make(w->dir, true) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"a", "b", "lock"};
    for (int i = 0; i < 3; i++)
        if (disk_remove(w->dir, names[i]) != ERR_OK)
            continue;
    int rc = rmdir(w->dir) | rmdir(w->root); /* nothing else was left there */
    free(w);
    return rc;
}

static void what_was_written_in_parts_is_read_at_any_offset(void **state)
{
    struct world *w = *state;
    struct disk_file file;
    struct bytes parts[] = {BYTES("one "), BYTES(""), BYTES("two "), BYTES("three")};
    char text[16];
    size_t got;
    uint64_t size;
    assert_int_equal(disk_open(w->dir, "a", DISK_CREATE, &file), ERR_OK);
    assert_int_equal(disk_write(&file, 2, parts, 4), ERR_OK);
    assert_int_equal(disk_sync(&file), ERR_OK);
    assert_int_equal(disk_size(&file, &size), ERR_OK);
    assert_int_equal(size, 15);
    assert_int_equal(disk_read(&file, 6, text, sizeof text, &got), ERR_OK);
    assert_int_equal(got, 9);
    assert_memory_equal(text, "two three", 9);
    assert_int_equal(disk_truncate(&file, 7), ERR_OK);
    assert_int_equal(disk_read(&file, 6, text, sizeof text, &got), ERR_OK);
    assert_int_equal(got, 1);
    disk_close(&file);
    disk_close(&file);
}

static void modes_create_keep_and_empty(void **state)
{
    struct world *w = *state;
    struct disk_file file;
    struct bytes text = BYTES("text");
    uint64_t size;
    assert_int_equal(disk_open(w->dir, "a", DISK_WRITE, &file), ERR_NOT_FOUND);
    assert_int_equal(disk_open(w->dir, "a", DISK_CREATE, &file), ERR_OK);
    assert_int_equal(disk_write(&file, 0, &text, 1), ERR_OK);
    disk_close(&file);
    assert_int_equal(disk_open(w->dir, "a", DISK_CREATE, &file), ERR_OK);
    assert_int_equal(disk_size(&file, &size), ERR_OK);
    assert_int_equal(size, 4);
    disk_close(&file);
    assert_int_equal(disk_open(w->dir, "a", DISK_READ, &file), ERR_OK);
    assert_int_equal(disk_write(&file, 0, &text, 1), ERR_IO);
    disk_close(&file);
    assert_int_equal(disk_open(w->dir, "a", DISK_EMPTY, &file), ERR_OK);
    assert_int_equal(disk_size(&file, &size), ERR_OK);
    assert_int_equal(size, 0);
    disk_close(&file);
}

static bool count_names(void *ctx, const char *name)
{
    *(int *)ctx += name[0];
    return true;
}

static void names_are_listed_renamed_and_removed(void **state)
{
    struct world *w = *state;
    struct disk_file file;
    int sum = 0;
    assert_int_equal(disk_open(w->dir, "a", DISK_CREATE, &file), ERR_OK);
    disk_close(&file);
    assert_int_equal(disk_rename(w->dir, "a", w->dir, "b"), ERR_OK);
    assert_int_equal(disk_dir_sync(w->dir), ERR_OK);
    assert_int_equal(disk_dir_list(w->dir, count_names, &sum), ERR_OK);
    assert_int_equal(sum, 'b');
    assert_int_equal(disk_remove(w->dir, "a"), ERR_NOT_FOUND);
    assert_int_equal(disk_remove(w->dir, "b"), ERR_OK);
    assert_int_equal(disk_dir_list("/nonexistent", count_names, &sum), ERR_NOT_FOUND);
    assert_int_equal(disk_dir_make("/nonexistent/below", true), ERR_NOT_FOUND);
    assert_int_equal(disk_dir_make(w->dir, true), ERR_OK);
}

static void a_lock_has_one_holder(void **state)
{
    struct world *w = *state;
    struct disk_file lock, other;
    assert_int_equal(disk_dir_lock(w->dir, &lock), ERR_OK);
    assert_int_equal(disk_dir_lock(w->dir, &other), ERR_LOCKED);
    disk_close(&lock);
    assert_int_equal(disk_dir_lock(w->dir, &lock), ERR_OK);
    disk_close(&lock);
}

/* A limit of the file's size stops a write in its middle, as a full disk does. */
static int write_beyond_a_limit(struct world *w)
{
    static uint8_t data[8192];
    struct disk_file file;
    struct bytes parts[] = {bytes_of(data, 4096), bytes_of(data, 4096)};
    struct rlimit limit = {6000, 6000};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) || disk_open(w->dir, "a", DISK_CREATE, &file))
        return 200;
    return (int)disk_write(&file, 0, parts, 2);
}

static void a_write_that_stops_in_its_middle_fails(void **state)
{
    struct world *w = *state;
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(write_beyond_a_limit(w));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), ERR_LIMIT);
}

#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(what_was_written_in_parts_is_read_at_any_offset),
        DISK_TEST(modes_create_keep_and_empty),
        DISK_TEST(names_are_listed_renamed_and_removed),
        DISK_TEST(a_lock_has_one_holder),
        DISK_TEST(a_write_that_stops_in_its_middle_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
