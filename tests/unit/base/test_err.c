/* Tests of base/err: the table, the mapping from errno, and CHECK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void every_error_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < ERR_COUNT; a++) {
        assert_int_not_equal(err_word((enum err)a)[0], '\0');
        assert_int_not_equal(err_text((enum err)a)[0], '\0');
        for (int b = a + 1; b < ERR_COUNT; b++)
            assert_string_not_equal(err_word((enum err)a), err_word((enum err)b));
    }
}

static void words_are_snake_case(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++)
        for (const char *c = err_word((enum err)e); *c; c++)
            assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
}

static void only_ok_is_without_a_class(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++)
        assert_int_equal(err_class((enum err)e) == ERR_CLASS_NONE, e == ERR_OK);
    assert_int_equal(err_class(ERR_OVERLOADED), ERR_CLASS_RETRY);
    assert_int_equal(err_class(ERR_INVALID_JSON), ERR_CLASS_REJECT);
    assert_int_equal(err_class(ERR_DISK_FULL), ERR_CLASS_FATAL);
}

static void an_unknown_error_reads_as_internal(void **state)
{
    (void)state;
    assert_string_equal(err_word((enum err)9999), "internal");
    assert_string_equal(err_word((enum err) - 1), "internal");
    assert_int_equal(err_class(ERR_COUNT), ERR_CLASS_FATAL);
}

static void errno_maps_to_the_fitting_error(void **state)
{
    (void)state;
    assert_int_equal(err_from_errno(ENOSPC), ERR_DISK_FULL);
    assert_int_equal(err_from_errno(ECONNREFUSED), ERR_REFUSED);
    assert_int_equal(err_from_errno(EPIPE), ERR_RESET);
    assert_int_equal(err_from_errno(EADDRINUSE), ERR_ADDRESS_IN_USE);
    assert_int_equal(err_from_errno(EMFILE), ERR_FD_LIMIT);
    assert_int_equal(err_from_errno(EIO), ERR_IO);
    assert_int_equal(err_from_errno(123456), ERR_IO);
}

static enum err twice(enum err e, int *ret_reached)
{
    TRY(e);
    *ret_reached = 1;
    return ERR_OK;
}

static void try_returns_the_first_failure(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(twice(ERR_TIMEOUT, &reached), ERR_TIMEOUT);
    assert_int_equal(reached, 0);
    assert_int_equal(twice(ERR_OK, &reached), ERR_OK);
    assert_int_equal(reached, 1);
}

static void a_failed_check_names_its_condition_and_aborts(void **state)
{
    (void)state;
    int fds[2], status;
    char out[256] = "";
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(read(fds[0], out, sizeof out - 1) > 0);
    close(fds[0]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(out, "test_err.c:"));
    assert_non_null(strstr(out, "1 + 1 == 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_word_of_its_own),
        cmocka_unit_test(words_are_snake_case),
        cmocka_unit_test(only_ok_is_without_a_class),
        cmocka_unit_test(an_unknown_error_reads_as_internal),
        cmocka_unit_test(errno_maps_to_the_fitting_error),
        cmocka_unit_test(try_returns_the_first_failure),
        cmocka_unit_test(a_failed_check_names_its_condition_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
