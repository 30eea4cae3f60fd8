/* Files of the CLI: whole or not at all, secrets private, and a way back; the boot number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "node/cli/dir/boot.h"
#include "node/cli/dir/files.h"
#include "node/cli/dir/keyfile.h"

struct fixture {
    char dir[FILES_PATH_MAX];
    char path[FILES_PATH_MAX];
    uint8_t storage[8192];
    struct buf content;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_int_equal(crypto_init(), ERR_OK);
    assert_int_equal(files_make_temporary_dir(f->dir), ERR_OK);
    assert_int_equal(files_join(f->dir, "file", f->path), ERR_OK);
    buf_init_fixed(&f->content, f->storage, sizeof(f->storage));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    files_remove_tree(f->dir);
    assert_false(files_exists(f->dir));
    free(f);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static size_t entries_in(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void a_new_file_has_its_content_and_mode_whatever_the_umask(void **state)
{
    struct fixture *f = *state;
    mode_t before = umask(0277);
    assert_int_equal(files_write_new(f->path, BYTES("hello"), 0600), ERR_OK);
    umask(before);
    assert_int_equal(mode_of(f->path), 0600);
    assert_int_equal(files_read(f->path, &f->content), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&f->content), BYTES("hello")));
    assert_int_equal(entries_in(f->dir), 1);
}

static void a_file_that_exists_is_never_replaced(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(files_write_new(f->path, BYTES("first"), 0600), ERR_OK);
    assert_int_equal(files_write_new(f->path, BYTES("second"), 0600), ERR_EXISTS);
    assert_int_equal(files_read(f->path, &f->content), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&f->content), BYTES("first")));
    assert_int_equal(entries_in(f->dir), 1);
}

static void a_file_is_replaced_whole_and_nothing_stays_beside_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(files_write_new(f->path, BYTES("long and old"), 0644), ERR_OK);
    assert_int_equal(files_replace(f->path, BYTES("new"), 0600), ERR_OK);
    assert_int_equal(files_read(f->path, &f->content), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&f->content), BYTES("new")));
    assert_int_equal(mode_of(f->path), 0600);
    assert_int_equal(entries_in(f->dir), 1);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_not_equal(files_replace(f->path, BYTES("new"), 0600), ERR_OK);
    assert_int_equal(entries_in(f->dir), 1);
}

static void a_link_in_the_place_of_a_file_is_not_followed(void **state)
{
    struct fixture *f = *state;
    char target[FILES_PATH_MAX];
    assert_int_equal(files_join(f->dir, "target", target), ERR_OK);
    assert_int_equal(symlink(target, f->path), 0);
    assert_int_equal(files_write_new(f->path, BYTES("x"), 0600), ERR_EXISTS);
    assert_false(files_exists(target));
}

static void reading_is_bounded(void **state)
{
    struct fixture *f = *state;
    static uint8_t large[sizeof(f->storage) + 1];
    assert_int_equal(files_write_new(f->path, bytes_of(large, sizeof(large)), 0600), ERR_OK);
    assert_int_equal(files_read(f->path, &f->content), ERR_LIMIT);
    assert_int_equal(files_read(f->dir, &f->content), ERR_IO);
}

static void a_secret_that_others_can_read_is_not_read(void **state)
{
    struct fixture *f = *state;
    static const unsigned exposed[] = {0640, 0604, 0660, 0610};
    bool is_exposed = true;
    assert_int_equal(files_write_new(f->path, BYTES("secret"), 0600), ERR_OK);
    assert_int_equal(files_read_secret(f->path, &f->content, &is_exposed), ERR_OK);
    assert_false(is_exposed);
    for (size_t i = 0; i < sizeof(exposed) / sizeof(exposed[0]); i++) {
        buf_clear(&f->content);
        assert_int_equal(chmod(f->path, exposed[i]), 0);
        assert_int_equal(files_read_secret(f->path, &f->content, &is_exposed), ERR_PERMISSION);
        assert_true(is_exposed);
        assert_int_equal(f->content.size, 0);
    }
    assert_int_equal(chmod(f->path, 0400), 0);
    assert_int_equal(files_read_secret(f->path, &f->content, &is_exposed), ERR_OK);
}

static void a_secret_is_a_plain_file(void **state)
{
    struct fixture *f = *state;
    bool is_exposed;
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(files_read_secret(f->path, &f->content, &is_exposed), ERR_INVALID);
    assert_int_equal(files_read_secret(f->dir, &f->content, &is_exposed), ERR_INVALID);
}

static void what_was_made_is_taken_back_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char deep[FILES_PATH_MAX];
    char file[FILES_PATH_MAX];
    char other[FILES_PATH_MAX];
    struct files_made made = {.count = 0};
    assert_int_equal(files_join(f->dir, "a/b//c/", deep), ERR_OK);
    assert_int_equal(files_make_dir(deep, &made), ERR_OK);
    assert_int_equal(made.count, 3);
    assert_int_equal(files_join(f->dir, "a/b/c/key", file), ERR_OK);
    assert_int_equal(files_make(file, BYTES("k"), 0600, &made), ERR_OK);
    assert_int_equal(files_make(file, BYTES("k"), 0600, &made), ERR_EXISTS);
    assert_int_equal(files_join(f->dir, "a/theirs", other), ERR_OK);
    assert_int_equal(files_write_new(other, BYTES("x"), 0600), ERR_OK);
    files_undo(&made);
    assert_false(files_exists(file));
    assert_false(files_exists(deep));
    assert_true(files_exists(other));
}

static void a_directory_cannot_be_made_where_a_file_is(void **state)
{
    struct fixture *f = *state;
    struct files_made made = {.count = 0};
    assert_int_equal(files_write_new(f->path, BYTES("x"), 0600), ERR_OK);
    assert_int_equal(files_make_dir(f->path, &made), ERR_EXISTS);
    assert_int_equal(made.count, 0);
}

static void key_files_round_trip(void **state)
{
    struct fixture *f = *state;
    struct keyfile k = {.chain_size = 300};
    struct keyfile again = {.chain_size = 0};
    memset(k.seed, 1, sizeof(k.seed));
    memset(k.root, 2, sizeof(k.root));
    memset(k.chain, 3, k.chain_size);
    assert_int_equal(keyfile_encode(KEYFILE_ADMIN, &k, &f->content), ERR_OK);
    assert_int_equal(keyfile_decode(KEYFILE_ADMIN, buf_bytes(&f->content), &again), ERR_OK);
    assert_memory_equal(&k, &again, sizeof(k));
    assert_int_equal(keyfile_decode(KEYFILE_CERT, buf_bytes(&f->content), &again), ERR_INVALID);
    buf_clear(&f->content);
    assert_int_equal(keyfile_encode(KEYFILE_NODE, &k, &f->content), ERR_OK);
    assert_true(bytes_starts_with(buf_bytes(&f->content), BYTES("grapevine node key 1\nAQEB")));
    memset(again.seed, 0, sizeof(again.seed));
    again.root[0] = 9;
    assert_int_equal(keyfile_decode(KEYFILE_NODE, buf_bytes(&f->content), &again), ERR_OK);
    assert_memory_equal(k.seed, again.seed, sizeof(k.seed));
    assert_int_equal(again.root[0], 9);
}

static void damaged_key_files_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "grapevine node key 1",
        "grapevine node key 1\n",
        "grapevine node key 1\nAQEB\n",
        "grapevine node key 2\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n",
        "grapevine node key 1\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n",
        "grapevine node key 1\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF\n",
        "grapevine node key 1\n!QEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n",
    };
    struct keyfile k = {.chain_size = 7};
    assert_int_equal(
        keyfile_decode(KEYFILE_NODE,
                       BYTES("grapevine node key 1\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n"),
                       &k),
        ERR_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(keyfile_decode(KEYFILE_NODE, bytes_from_str(wrong[i]), &k), ERR_INVALID);
    assert_int_equal(k.chain_size, 7);
}

static void the_boot_number_rises_with_every_start(void **state)
{
    struct fixture *f = *state;
    struct boot boot;
    uint64_t last_ms = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(boot_open(f->dir, &boot), CLI_DONE);
        assert_true(boot.boot_ms > last_ms);
        last_ms = boot.boot_ms;
        boot_close(&boot);
    }
}

static void members_addresses_last_until_the_next_start(void **state)
{
    struct fixture *f = *state;
    struct boot boot;
    assert_int_equal(boot_open(f->dir, &boot), CLI_DONE);
    assert_int_equal(boot.peers.size, 0);
    assert_int_equal(boot.peers_error, ERR_OK);
    assert_int_equal(boot_save_peers(&boot, BYTES("a:1\n")), ERR_OK);
    assert_int_equal(boot_save_peers(&boot, BYTES("b:2\n")), ERR_OK);
    boot_close(&boot);
    assert_int_equal(boot_open(f->dir, &boot), CLI_DONE);
    assert_true(bytes_equal(buf_bytes(&boot.peers), BYTES("b:2\n")));
    assert_int_equal(chmod(boot.peers_path, 0600) | unlink(boot.peers_path), 0);
    assert_int_equal(mkdir(boot.peers_path, 0700), 0);
    boot_close(&boot);
    assert_int_equal(boot_open(f->dir, &boot), CLI_DONE); /* lost, and the node starts */
    assert_int_not_equal(boot.peers_error, ERR_OK);
    assert_int_equal(boot.peers.size, 0);
    boot_close(&boot);
}

static void a_node_runs_only_once(void **state)
{
    struct fixture *f = *state;
    struct boot first;
    struct boot second;
    assert_int_equal(boot_open(f->dir, &first), CLI_DONE);
    assert_int_equal(boot_open(f->dir, &second), CLI_FAILED);
    boot_close(&first);
    assert_int_equal(boot_open(f->dir, &second), CLI_DONE);
    boot_close(&second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_has_its_content_and_mode_whatever_the_umask),
        TEST(a_file_that_exists_is_never_replaced),
        TEST(a_file_is_replaced_whole_and_nothing_stays_beside_it),
        TEST(a_link_in_the_place_of_a_file_is_not_followed),
        TEST(reading_is_bounded),
        TEST(a_secret_that_others_can_read_is_not_read),
        TEST(a_secret_is_a_plain_file),
        TEST(what_was_made_is_taken_back_and_nothing_else),
        TEST(a_directory_cannot_be_made_where_a_file_is),
        TEST(key_files_round_trip),
        TEST(damaged_key_files_are_refused),
        TEST(the_boot_number_rises_with_every_start),
        TEST(members_addresses_last_until_the_next_start),
        TEST(a_node_runs_only_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
