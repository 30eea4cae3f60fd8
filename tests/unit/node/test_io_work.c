/* Jobs, name resolution and signals on the real loop. No name here leaves the machine. */
#include "test_io_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

struct job {
    pthread_t loop_thread;
    bool on_other_thread;
    bool done_on_loop_thread;
    atomic_int worked;
    int done;
    int *done_total;
};

static void work(void *ctx)
{
    struct job *j = ctx;
    j->on_other_thread = !pthread_equal(pthread_self(), j->loop_thread);
    j->worked++;
}

static void done(void *ctx)
{
    struct job *j = ctx;
    j->done_on_loop_thread = pthread_equal(pthread_self(), j->loop_thread);
    j->done++;
    if (j->done_total)
        ++*j->done_total;
}

static void a_job_runs_on_another_thread_and_reports_on_the_loop(void **state)
{
    struct world *w = *state;
    struct job j = {.loop_thread = pthread_self()};
    assert_int_equal(io_work(w->loop, work, done, &j), ERR_OK);
    assert_int_equal(j.done, 0);
    RUN_UNTIL(w->loop, j.done);
    assert_true(j.on_other_thread && j.done_on_loop_thread);
}

static void at_most_64_jobs_wait(void **state)
{
    struct world *w = *state;
    struct job jobs[65];
    int total = 0;
    for (int i = 0; i < 65; i++)
        jobs[i] = (struct job){.loop_thread = pthread_self(), .done_total = &total};
    for (int i = 0; i < 64; i++)
        assert_int_equal(io_work(w->loop, work, done, &jobs[i]), ERR_OK);
    assert_int_equal(io_work(w->loop, work, done, &jobs[64]), ERR_LIMIT);
    RUN_UNTIL(w->loop, total == 64);
    assert_int_equal(io_work(w->loop, work, done, &jobs[64]), ERR_OK);
    RUN_UNTIL(w->loop, total == 65);
}

static void destroying_the_loop_waits_for_jobs(void **state)
{
    struct job j = {.loop_thread = pthread_self()};
    struct io_loop *loop;
    assert_int_equal(io_loop_create(&loop), ERR_OK);
    assert_int_equal(io_work(loop, work, done, &j), ERR_OK);
    io_loop_destroy(loop);
    assert_int_equal(j.done, 1);
}

static void take_a_nap(void *ctx)
{
    static const struct timespec nap = {.tv_nsec = 50 * 1000000};
    nanosleep(&nap, NULL);
    work(ctx);
}

static void a_revoked_job_has_ended_and_does_not_report(void **state)
{
    struct world *w = *state;
    int total = 0;
    struct job revoked = {.loop_thread = pthread_self(), .done_total = &total};
    struct job other = {.loop_thread = pthread_self(), .done_total = &total};
    for (int i = 0; i < 20; i++) /* more than there are threads: some wait */
        assert_int_equal(io_work(w->loop, take_a_nap, done, &revoked), ERR_OK);
    assert_int_equal(io_work(w->loop, work, done, &other), ERR_OK);
    io_work_revoke(w->loop, &revoked);
    int worked = revoked.worked;
    RUN_UNTIL(w->loop, other.done);
    io_work_revoke(w->loop, &revoked);
    assert_int_equal(revoked.worked, worked);
    assert_int_equal(revoked.done, 0);
    assert_int_equal(total, 1);
}

/* --- names */

struct answer {
    int count;
    enum err err;
    struct io_addr addr;
};

static void on_answer(void *owner, enum err e, const struct io_addr *addr)
{
    struct answer *a = owner;
    a->count++;
    a->err = e;
    assert_int_equal(addr != NULL, e == ERR_OK);
    if (addr)
        a->addr = *addr;
}

static struct answer ask(struct world *w, const char *host, uint16_t port)
{
    struct answer a = {0};
    struct io_resolve *r;
    assert_int_equal(io_resolve_start(w->loop, host, port, on_answer, &a, &r), ERR_OK);
    assert_int_equal(a.count, 0);
    RUN_UNTIL(w->loop, a.count);
    run_for(w->loop, 2);
    assert_int_equal(a.count, 1);
    return a;
}

static void localhost_is_a_loopback_address(void **state)
{
    struct answer a = ask(*state, "localhost", 80);
    assert_int_equal(a.err, ERR_OK);
    assert_true(io_addr_is_loopback(&a.addr));
    assert_int_equal(a.addr.port, 80);
}

static void numeric_hosts_are_taken_as_they_are(void **state)
{
    struct answer a = ask(*state, "198.51.100.7", 7300);
    struct io_addr wanted;
    assert_int_equal(a.err, ERR_OK);
    assert_int_equal(io_addr_parse(BYTES("198.51.100.7:7300"), &wanted), ERR_OK);
    assert_true(io_addr_equal(&a.addr, &wanted));
    a = ask(*state, "2001:db8::1", 7300);
    assert_int_equal(io_addr_parse(BYTES("[2001:db8::1]:7300"), &wanted), ERR_OK);
    assert_true(io_addr_equal(&a.addr, &wanted));
}

static void what_is_no_name_does_not_resolve(void **state)
{
    char label[80], long_name[600];
    memset(label, 'x', sizeof label);
    label[79] = 0; /* labels end at 63 */
    memset(long_name, 'y', sizeof long_name);
    long_name[599] = 0;
    assert_int_equal(ask(*state, label, 1).err, ERR_RESOLVE);
    assert_int_equal(ask(*state, long_name, 1).err, ERR_RESOLVE);
    assert_int_equal(ask(*state, "bad..name", 1).err, ERR_RESOLVE);
}

static void a_cancelled_look_up_never_answers(void **state)
{
    struct world *w = *state;
    struct answer a = {0};
    struct io_resolve *r;
    assert_int_equal(io_resolve_start(w->loop, "localhost", 1, on_answer, &a, &r), ERR_OK);
    io_resolve_cancel(r);
    assert_int_equal(io_resolve_start(w->loop, "127.0.0.1", 1, on_answer, &a, &r), ERR_OK);
    io_resolve_cancel(r);
    assert_int_equal(io_resolve_start(w->loop, "localhost", 1, on_answer, &a, &r), ERR_OK);
    usleep(20000); /* answered on its thread, not yet on the loop */
    io_resolve_cancel(r);
    run_for(w->loop, 20);
    assert_int_equal(a.count, 0);
}

static struct io_resolve *own_look_up;
static void cancel_itself(void *owner, enum err e, const struct io_addr *addr)
{
    on_answer(owner, e, addr);
    io_resolve_cancel(own_look_up);
}

static void cancelling_inside_the_answer_is_harmless(void **state)
{
    struct world *w = *state;
    const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        struct answer a = {0};
        assert_int_equal(io_resolve_start(w->loop, hosts[i], 1, cancel_itself, &a, &own_look_up),
                         ERR_OK);
        RUN_UNTIL(w->loop, a.count);
    }
}

static void look_ups_are_limited(void **state)
{
    struct world *w = *state;
    struct answer a = {0};
    struct io_resolve *r;
    for (int i = 0; i < 64; i++)
        assert_int_equal(io_resolve_start(w->loop, "127.0.0.1", 1, on_answer, &a, &r), ERR_OK);
    assert_int_equal(io_resolve_start(w->loop, "127.0.0.1", 1, on_answer, &a, &r), ERR_LIMIT);
    RUN_UNTIL(w->loop, a.count == 64);
}

/* --- signals */

static void on_signal(void *owner, int signal_number)
{
    int *seen = owner;
    seen[signal_number]++;
}

static void signals_reach_the_loop_until_they_are_closed(void **state)
{
    struct world *w = *state;
    int seen[65] = {0};
    struct io_signals *s;
    assert_int_equal(io_signals_open(w->loop, on_signal, seen, &s), ERR_OK);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGINT);
    RUN_UNTIL(w->loop, seen[SIGTERM] && seen[SIGHUP] && seen[SIGINT]);
    kill(getpid(), SIGTERM);
    io_signals_close(s);
    run_for(w->loop, 10);
    assert_int_equal(seen[SIGTERM], 1);
}

static void a_broken_pipe_does_not_end_the_process(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_job_runs_on_another_thread_and_reports_on_the_loop),
        WORLD_TEST(at_most_64_jobs_wait),
        WORLD_TEST(destroying_the_loop_waits_for_jobs),
        WORLD_TEST(a_revoked_job_has_ended_and_does_not_report),
        WORLD_TEST(localhost_is_a_loopback_address),
        WORLD_TEST(numeric_hosts_are_taken_as_they_are),
        WORLD_TEST(what_is_no_name_does_not_resolve),
        WORLD_TEST(a_cancelled_look_up_never_answers),
        WORLD_TEST(cancelling_inside_the_answer_is_harmless),
        WORLD_TEST(look_ups_are_limited),
        WORLD_TEST(signals_reach_the_loop_until_they_are_closed),
        WORLD_TEST(a_broken_pipe_does_not_end_the_process),
    };
    return cmocka_run_group_tests_name("io_work", tests, io_group_setup, NULL);
}
