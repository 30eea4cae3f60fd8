/* See aside.h. The thread is detached and owns everything once it is told to end, so that closing
 * never waits. Its twin in the simulator is tests/sim/io/aside.c. */
#include "node/io/aside.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct io_aside {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    bool is_working;
    bool is_closed;
    void (*work)(void *space);
    max_align_t space[];
};

static void release(struct io_aside *a)
{
    pthread_mutex_destroy(&a->mutex);
    pthread_cond_destroy(&a->moved);
    free(a);
}

static bool wait_for_work(struct io_aside *a)
{
    pthread_mutex_lock(&a->mutex);
    while (!a->is_working && !a->is_closed)
        pthread_cond_wait(&a->moved, &a->mutex);
    bool is_closed = a->is_closed;
    pthread_mutex_unlock(&a->mutex);
    return !is_closed;
}

static void *run(void *arg)
{
    struct io_aside *a = arg;
    while (wait_for_work(a)) {
        a->work(a->space);
        pthread_mutex_lock(&a->mutex);
        a->is_working = false;
        pthread_mutex_unlock(&a->mutex);
    }
    release(a);
    return NULL;
}

/* Signals are the loop's. */
static bool start(struct io_aside *a)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, NULL, run, a) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started)
        pthread_detach(thread);
    return is_started;
}

enum err io_aside_open(size_t size, void (*work)(void *space), struct io_aside **ret_aside)
{
    struct io_aside *a = calloc(1, sizeof *a + size);
    if (!a)
        return ERR_NO_MEMORY;
    a->work = work;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->moved, NULL);
    if (!start(a)) {
        release(a);
        return ERR_LIMIT;
    }
    *ret_aside = a;
    return ERR_OK;
}

void *io_aside_space(struct io_aside *a)
{
    pthread_mutex_lock(&a->mutex);
    bool is_working = a->is_working;
    pthread_mutex_unlock(&a->mutex);
    return is_working ? NULL : a->space;
}

static void tell(struct io_aside *a, bool is_closed)
{
    pthread_mutex_lock(&a->mutex);
    CHECK(is_closed || !a->is_working);
    a->is_working = true;
    a->is_closed = is_closed;
    pthread_cond_signal(&a->moved);
    pthread_mutex_unlock(&a->mutex);
}

void io_aside_ask(struct io_aside *a)
{
    tell(a, false);
}

void io_aside_close(struct io_aside *a)
{
    if (a)
        tell(a, true);
}
