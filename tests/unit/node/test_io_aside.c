/* A thread beside the loop: its space changes hands, and closing never waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/io/aside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define WAIT_STEPS 1000 /* of 10 ms */

struct space {
    int rounds;
    pthread_t thread;
    atomic_bool *may_return; /* NULL: at once */
    atomic_bool *has_begun, *has_returned;
};

static void nap(void)
{
    static const struct timespec ms = {.tv_nsec = 10 * 1000000};
    nanosleep(&ms, NULL);
}

static void work(void *ctx)
{
    struct space *s = ctx;
    s->rounds++;
    s->thread = pthread_self();
    if (s->has_begun)
        *s->has_begun = true;
    while (s->may_return && !*s->may_return)
        nap();
    if (s->has_returned)
        *s->has_returned = true;
}

static struct space *wait_until_idle(struct io_aside *a)
{
    for (int i = 0; i < WAIT_STEPS && !io_aside_space(a); i++)
        nap();
    assert_non_null(io_aside_space(a));
    return io_aside_space(a);
}

static void wait_for(const atomic_bool *flag)
{
    for (int i = 0; i < WAIT_STEPS && !*flag; i++)
        nap();
    assert_true(*flag);
}

static void its_space_keeps_what_each_round_left(void **state)
{
    struct io_aside *a;
    assert_int_equal(io_aside_open(sizeof(struct space), work, &a), ERR_OK);
    assert_int_equal(((struct space *)io_aside_space(a))->rounds, 0);
    for (int i = 1; i <= 3; i++) {
        io_aside_ask(a);
        struct space *s = wait_until_idle(a);
        assert_int_equal(s->rounds, i);
        assert_false(pthread_equal(s->thread, pthread_self()));
    }
    io_aside_close(a);
}

static void its_space_is_not_the_caller_s_while_it_works(void **state)
{
    atomic_bool may_return = false;
    struct io_aside *a;
    assert_int_equal(io_aside_open(sizeof(struct space), work, &a), ERR_OK);
    ((struct space *)io_aside_space(a))->may_return = &may_return;
    io_aside_ask(a);
    assert_null(io_aside_space(a));
    may_return = true;
    assert_int_equal(wait_until_idle(a)->rounds, 1);
    io_aside_close(a);
}

static void closing_does_not_wait_for_its_work(void **state)
{
    static atomic_bool may_return, has_begun, has_returned;
    struct io_aside *a;
    assert_int_equal(io_aside_open(sizeof(struct space), work, &a), ERR_OK);
    *(struct space *)io_aside_space(a) = (struct space){
        .may_return = &may_return, .has_begun = &has_begun, .has_returned = &has_returned};
    io_aside_ask(a);
    wait_for(&has_begun);
    io_aside_close(a);
    assert_false(has_returned);
    may_return = true;
    wait_for(&has_returned);
}

static void closing_one_that_never_worked_and_none_is_fine(void **state)
{
    struct io_aside *a;
    assert_int_equal(io_aside_open(1, work, &a), ERR_OK);
    io_aside_close(a);
    io_aside_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_space_keeps_what_each_round_left),
        cmocka_unit_test(its_space_is_not_the_caller_s_while_it_works),
        cmocka_unit_test(closing_does_not_wait_for_its_work),
        cmocka_unit_test(closing_one_that_never_worked_and_none_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
