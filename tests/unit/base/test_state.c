/* Tests of base/state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/state.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDLE, OPEN, CLOSED };

static const struct state_row rows[] = {
    [IDLE] = {"idle", STATE_BIT(OPEN) | STATE_BIT(CLOSED)},
    [OPEN] = {"open", STATE_BIT(CLOSED)},
    [CLOSED] = {"closed", 0},
};
static const struct state_table door = {"door", rows, 3};

static void an_allowed_move_is_made(void **state)
{
    (void)state;
    int now = IDLE;
    state_move(&door, &now, OPEN);
    assert_int_equal(now, OPEN);
    state_move(&door, &now, CLOSED);
    assert_int_equal(now, CLOSED);
}

static void states_have_names_and_strangers_none(void **state)
{
    (void)state;
    assert_string_equal(state_name(&door, OPEN), "open");
    assert_string_equal(state_name(&door, 3), "?");
    assert_string_equal(state_name(&door, -1), "?");
}

/* What a move says before it ends the process; "" when it was let through. */
static void words_of_a_move(int from, int to, char *ret_words, size_t size)
{
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        state_move(&door, &from, to);
        _exit(0);
    }
    close(fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t n = read(fds[0], ret_words, size - 1);
    close(fds[0]);
    ret_words[n > 0 ? n : 0] = '\0';
    assert_int_equal(n > 0, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_forbidden_move_names_machine_and_states_and_aborts(void **state)
{
    (void)state;
    char words[256];
    words_of_a_move(CLOSED, OPEN, words, sizeof words);
    assert_non_null(strstr(words, "door"));
    assert_non_null(strstr(words, "closed"));
    assert_non_null(strstr(words, "open"));
}

static void moves_to_itself_or_out_of_the_table_are_forbidden(void **state)
{
    (void)state;
    char words[256];
    words_of_a_move(OPEN, OPEN, words, sizeof words);
    assert_string_not_equal(words, "");
    words_of_a_move(OPEN, 3, words, sizeof words);
    assert_string_not_equal(words, "");
    words_of_a_move(OPEN, 40, words, sizeof words);
    assert_string_not_equal(words, "");
    words_of_a_move(-1, OPEN, words, sizeof words);
    assert_string_not_equal(words, "");
    words_of_a_move(IDLE, OPEN, words, sizeof words);
    assert_string_equal(words, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allowed_move_is_made),
        cmocka_unit_test(states_have_names_and_strangers_none),
        cmocka_unit_test(a_forbidden_move_names_machine_and_states_and_aborts),
        cmocka_unit_test(moves_to_itself_or_out_of_the_table_are_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
