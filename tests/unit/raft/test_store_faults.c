/* Tests of raft's store on disks that fail, with real faults: a file system that is full, calls
 * that fail because their descriptor is another file's, a process that is killed at any moment. */
#include "store_checks.h"

#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* --- a full disk */

/* Where tmpfs of a given size may be mounted; else the test is skipped. */
static void mount_small(struct world *w, const char *size)
{
    char options[64];
    close_world(w);
    empty_dir(w->dir);
    empty_dir(w->snapshots);
    snprintf(options, sizeof options, "size=%s", size);
    if (mount("tmpfs", w->root, "tmpfs", 0, options) != 0)
        skip();
    open_world(w);
}

static void unmount(struct world *w)
{
    close_world(w);
    empty_dir(w->dir);
    empty_dir(w->snapshots);
    assert_int_equal(umount(w->root), 0);
    open_world(w);
}

static enum err write_terms(struct world *w, uint64_t *term, uint64_t count)
{
    struct raft_hard hard;
    enum err e = ERR_OK;
    for (uint64_t i = 0; i < count && e == ERR_OK; i++) {
        fill_hard(&hard, ++*term);
        add(w, (struct raft_write){.hard = &hard});
        e = commit(w);
    }
    return e;
}

static enum err write_one(struct world *w, uint64_t index)
{
    add(w, records_write(w, index, 1, 1, 1000));
    return commit(w);
}

static void a_full_disk_is_announced_with_room_left_and_then_refused_whole(void **state)
{
    struct world *w = *state;
    uint64_t index = 0, term = 0, after_full = 0;
    w->cfg.segment_size = 512 << 10;
    mount_small(w, "3m");
    while (!raft_store_is_full(w->store))
        assert_int_equal(write_one(w, ++index), ERR_OK);
    for (; write_one(w, index + 1) == ERR_OK; after_full++)
        index++;
    assert_true(after_full > 50);
    assert_true(strlen(raft_store_failure(w->store)) > 0);
    reopen_world(w);
    check_range(w, 0, index);
    check_records(w, 1, index, 1);
    assert_int_equal(write_terms(w, &term, 10), ERR_OK); /* there is room for votes */
    assert_true(raft_store_is_full(w->store));
    assert_int_equal(write_one(w, index + 1), ERR_DISK_FULL);
    reopen_world(w);
    check_term(w, 10);
    unmount(w);
}

static void room_is_noticed_by_a_probe(void **state)
{
    struct world *w = *state;
    char ballast[128];
    uint64_t index = 0, token = 7;
    mount_small(w, "1m");
    snprintf(ballast, sizeof ballast, "%s/ballast", w->root);
    int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 600 << 10), 0);
    close(fd);
    while (!raft_store_is_full(w->store))
        assert_int_equal(write_one(w, ++index), ERR_OK);
    for (int i = 0; i < 2; i++) {
        assert_true(raft_store_begin_probe(w->store));
        raft_store_commit(w->store);
        assert_int_equal(raft_store_end(w->store, &token), ERR_OK);
        assert_int_equal(raft_store_is_full(w->store), i == 0);
        if (i == 0)
            unlink(ballast);
    }
    check_records(w, 1, index, 1);
    unmount(w);
}

static void one_that_found_no_room_is_full_when_opened_again_until_a_segment_is_there(void **state)
{
    struct world *w = *state;
    char ballast[128];
    uint64_t token;
    w->cfg.is_full = true;
    mount_small(w, "1m");
    snprintf(ballast, sizeof ballast, "%s/ballast", w->root);
    int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    while (write(fd, w->root, 1) == 1 && lseek(fd, 4095, SEEK_CUR) > 0)
        ; /* page by page */
    close(fd);
    reopen_world(w);
    for (int i = 0; i < 3; i++) {
        assert_true(raft_store_is_full(w->store));
        if (i == 2)
            unlink(ballast);
        assert_true(raft_store_begin_probe(w->store));
        raft_store_commit(w->store);
        assert_int_equal(raft_store_end(w->store, &token), ERR_OK);
    }
    assert_false(raft_store_is_full(w->store));
    unmount(w);
}

static void the_logs_limit_is_as_a_full_disk_until_it_is_trimmed(void **state)
{
    struct world *w = *state;
    struct raft_base base;
    uint64_t index = 0;
    w->cfg.log_size_max = 8 << 16;
    reopen_world(w);
    while (!raft_store_is_full(w->store))
        assert_int_equal(write_one(w, ++index), ERR_OK);
    fill_base(&base, index - 2, 1);
    write_now(w, (struct raft_write){.trim = &base});
    assert_int_equal(write_one(w, ++index), ERR_OK); /* what was trimmed is used again */
    assert_false(raft_store_is_full(w->store));
    for (int i = 0; i < 50; i++)
        assert_int_equal(write_one(w, ++index), ERR_OK);
    reopen_world(w);
    check_range(w, base.index, index);
}

/* --- calls that fail */

/* Puts another file under the descriptor that the store writes its newest segment with. */
static void replace_descriptor(const struct world *w, const char *path, int flags)
{
    char wanted[256], link[64], target[256];
    int replaced = 0, other = open(path, flags);
    assert_true(other >= 0);
    newest_segment(w, wanted);
    for (int fd = 3; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        if (strcmp(target, wanted) == 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR) {
            assert_int_equal(dup2(other, fd), fd);
            replaced++;
        }
    }
    close(other);
    assert_int_equal(replaced, 1);
}

static void check_stopped(struct world *w, enum err expected)
{
    struct raft_write write = records_write(w, 3, 1, 1, 10);
    write.token = ++w->token;
    assert_int_equal(raft_store_add(w->store, &write), expected);
    assert_false(raft_store_begin(w->store));
    assert_false(raft_store_begin_probe(w->store));
    assert_true(strlen(raft_store_failure(w->store)) > 10);
    reopen_world(w);
    check_range(w, 0, 1);
    check_record(w, 1, 1);
}

static void a_failed_write_stops_the_store_for_good(void **state)
{
    struct world *w = *state;
    append(w, 1, 1, 1);
    replace_descriptor(w, "/dev/null", O_RDONLY);
    assert_int_equal(write_one(w, 2), ERR_IO);
    check_stopped(w, ERR_IO);
}

static void a_failed_sync_stops_the_store_for_good(void **state)
{
    struct world *w = *state;
    append(w, 1, 1, 1);
    replace_descriptor(w, "/dev/null", O_RDWR); /* takes every write, but cannot be synced */
    assert_int_equal(write_one(w, 2), ERR_IO);
    assert_non_null(strstr(raft_store_failure(w->store), "sync"));
    check_stopped(w, ERR_IO);
}

static void a_disk_that_is_full_in_spite_of_allocated_space_is_full(void **state)
{
    struct world *w = *state;
    append(w, 1, 1, 1);
    replace_descriptor(w, "/dev/full", O_RDWR);
    assert_int_equal(write_one(w, 2), ERR_DISK_FULL);
    check_stopped(w, ERR_DISK_FULL);
}

static void a_directory_that_cannot_be_made_says_which(void **state)
{
    struct world *w = *state;
    struct raft_store *other;
    struct raft_store_cfg cfg = {.dir = "/nonexistent/raft", .snapshots_dir = w->snapshots};
    buf_clear(&w->message);
    assert_int_equal(raft_store_open(&cfg, &w->message, &other), ERR_NOT_FOUND);
    assert_memory_equal(w->message.data, "/nonexistent/raft", 17);
}

/* --- a process that is killed */

/* Appends for ever, several writes to a commit, and says what was acknowledged. */
static int write_until_killed(struct world *w, int acknowledged, uint64_t seed)
{
    struct rng rng;
    struct raft_boot boot;
    struct raft_base base;
    struct raft_hard hard;
    rng_init(&rng, seed);
    raft_store_boot(w->store, 0, &boot);
    uint64_t last = boot.last, first = boot.base.index;
    for (;;) {
        for (uint64_t i = 1 + rng_below(&rng, 4); i > 0; i--) {
            struct raft_write write = records_write(w, last + 1, 1, 1, rng_below(&rng, 9000));
            fill_hard(&hard, ++last);
            write.hard = &hard;
            if (last > first + 100) {
                fill_base(&base, first = last - 50, 1);
                write.trim = &base;
            }
            add(w, write);
        }
        if (commit(w) != ERR_OK || write(acknowledged, &last, sizeof last) != sizeof last)
            return 1;
    }
}

static void a_killed_process_has_lost_nothing_that_it_acknowledged(void **state)
{
    struct world *w = *state;
    struct rng rng;
    uint64_t acknowledged = 0;
    rng_init(&rng, 5);
    for (uint64_t round = 0; round < 25; round++) {
        int pipe_of[2], status;
        struct raft_boot boot;
        close_world(w);
        assert_int_equal(pipe(pipe_of), 0);
        pid_t child = fork();
        if (child == 0) {
            open_world(w);
            _exit(write_until_killed(w, pipe_of[1], round));
        }
        close(pipe_of[1]);
        usleep((useconds_t)rng_below(&rng, 60000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        for (uint64_t said; read(pipe_of[0], &said, sizeof said) == sizeof said;)
            acknowledged = said;
        close(pipe_of[0]);
        open_world(w);
        raft_store_boot(w->store, 0, &boot);
        assert_true(boot.last >= acknowledged);
        assert_true(boot.last == 0 || boot.hard.term == boot.last);
        check_records(w, boot.base.index + 1, boot.last, 1);
    }
    assert_true(acknowledged > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_full_disk_is_announced_with_room_left_and_then_refused_whole),
        STORE_TEST(room_is_noticed_by_a_probe),
        STORE_TEST(one_that_found_no_room_is_full_when_opened_again_until_a_segment_is_there),
        STORE_TEST(the_logs_limit_is_as_a_full_disk_until_it_is_trimmed),
        STORE_TEST(a_failed_write_stops_the_store_for_good),
        STORE_TEST(a_failed_sync_stops_the_store_for_good),
        STORE_TEST(a_disk_that_is_full_in_spite_of_allocated_space_is_full),
        STORE_TEST(a_directory_that_cannot_be_made_says_which),
        STORE_TEST(a_killed_process_has_lost_nothing_that_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
