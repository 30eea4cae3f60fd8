/* What every io test needs: turning a loop until something is true, a loopback address, counting
 * descriptors. Pairs of streams are in test_io_fixture.h. */
#ifndef TESTS_UNIT_NODE_TEST_IO_LOOP_H
#define TESTS_UNIT_NODE_TEST_IO_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "node/io/stream.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 20000

static inline int count_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static inline void on_turn_over(struct io_timer *timer)
{
    io_loop_stop(timer->loop);
}

static inline void run_for(struct io_loop *loop, uint64_t delay_ms)
{
    struct io_timer timer = {0};
    io_timer_start(loop, &timer, delay_ms, on_turn_over);
    io_loop_run(loop);
    io_timer_stop(&timer);
}

#define RUN_UNTIL(loop, cond)                                                                      \
    do {                                                                                           \
        uint64_t give_up_us = io_now_us(loop) + PATIENCE_MS * 1000ull;                             \
        while (!(cond)) {                                                                          \
            if (io_now_us(loop) > give_up_us)                                                      \
                fail_msg("never came true: %s", #cond);                                            \
            run_for(loop, 1);                                                                      \
        }                                                                                          \
    } while (0)

static inline struct io_addr loopback(uint16_t port)
{
    return (struct io_addr){.family = IO_IPV4, .port = port, .ip = {127, 0, 0, 1}};
}

/* The first loop of a process makes descriptors that stay (libuv's signal pipe). */
static inline int io_group_setup(void **state)
{
    struct io_loop *loop;
    (void)state;
    if (io_loop_create(&loop) != ERR_OK)
        return -1;
    io_loop_destroy(loop);
    return 0;
}

#endif
