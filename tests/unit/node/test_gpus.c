/* GPUs as a scripted NVML tells of them (tests/support/nvml), which ctest puts where the library is
 * found: what is read, what is not known, a library that hangs and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "node/telemetry/gpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND_MS 1000
#define WAIT_STEPS 1000 /* of 10 ms */

struct world {
    char path[64];
    struct config config;
    struct log log;
    int lines;
    struct gpus gpus;
    uint64_t now_ms;
};

static uint64_t wall_ms(void *ctx)
{
    return 0;
}

static void count_line(void *ctx, struct bytes line)
{
    ((struct world *)ctx)->lines++;
}

/* In one piece, for the thread may be reading. */
static void script(struct world *w, const char *text)
{
    char next[sizeof w->path + 2];
    snprintf(next, sizeof next, "%s.n", w->path);
    FILE *file = fopen(next, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(next, w->path), 0);
}

/* Without a file there is no driver. */
static int setup(void **state)
{
    static struct world w;
    static const struct config_backend backends[] = {
        {.name = "a", .host = "127.0.0.1", .gpu = CONFIG_GPU_AUTO},
        {.name = "b", .host = "engine.lan", .gpu = 3},
        {.name = "c", .host = "engine.lan", .gpu = CONFIG_GPU_AUTO},
    };
    w = (struct world){.now_ms = SECOND_MS};
    w.log = (struct log){.wall_ms = wall_ms, .sink = count_line, .ctx = &w};
    snprintf(w.path, sizeof w.path, "/tmp/test_gpus.%d", (int)getpid());
    assert_int_equal(setenv("FAKE_NVML", w.path, 1), 0);
    config_defaults(&w.config);
    memcpy(w.config.backends, backends, sizeof backends);
    w.config.backend_count = 3;
    gpus_open(&w.gpus, &w.config, &w.log);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    gpus_close(&w->gpus);
    unlink(w->path);
    return 0;
}

static void nap(void)
{
    static const struct timespec ms = {.tv_nsec = 10 * 1000000};
    nanosleep(&ms, NULL);
}

/* Asks, and waits for the answer. */
static void look(struct world *w)
{
    uint64_t answers = w->gpus.reads + w->gpus.failures;
    w->now_ms += GPUS_RETRY_MS;
    gpus_look(&w->gpus, w->now_ms);
    for (int i = 0; i < WAIT_STEPS && w->gpus.is_asked; i++) {
        nap();
        gpus_look(&w->gpus, w->now_ms);
    }
    assert_int_equal(w->gpus.reads + w->gpus.failures, answers + 1);
}

static int64_t figure(struct world *w, size_t backend, enum figure which)
{
    struct figures f = gpus_figures(&w->gpus, &w->config.backends[backend]);
    uint32_t value;
    return figures_get(&f, which, &value) ? (int64_t)value : -1;
}

static void each_backend_has_the_figures_of_its_gpu(void **state)
{
    struct world *w = *state;
    script(w, "gpu 0 83 30720 40960 71\ngpu 1 99 1 2 99\ngpu 3 5 1024 81920 40\n");
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), -1);
    look(w);
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), 83);
    assert_int_equal(figure(w, 0, FIGURE_GPU_MEMORY), 75);
    assert_int_equal(figure(w, 0, FIGURE_GPU_CELSIUS), 71);
    assert_int_equal(figure(w, 1, FIGURE_GPU_LOAD), 5);
    assert_int_equal(figure(w, 1, FIGURE_GPU_MEMORY), 1);
    assert_int_equal(figure(w, 1, FIGURE_GPU_CELSIUS), 40);
    assert_int_equal(gpus_figures(&w->gpus, &w->config.backends[2]).known, 0);
    assert_null(gpus_find(&w->gpus, 1)); /* nobody uses it */
    assert_true(gpus_find(&w->gpus, 3)->memory_bytes == INT64_C(81920) << 20);
    assert_int_equal(w->lines, 0); /* all is as it should be */
}

static void they_are_read_once_a_second(void **state)
{
    struct world *w = *state;
    script(w, "gpu 0 10 1 2 40\n");
    look(w);
    uint64_t asked_ms = w->gpus.asked_ms;
    gpus_look(&w->gpus, asked_ms + GPUS_READ_MS - 1);
    assert_false(w->gpus.is_asked);
    gpus_look(&w->gpus, asked_ms + GPUS_READ_MS);
    assert_true(w->gpus.is_asked);
}

static void what_a_gpu_does_not_support_is_not_known(void **state)
{
    struct world *w = *state;
    script(w, "gpu 0 -1 10 40 -1\n");
    look(w);
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), -1);
    assert_int_equal(figure(w, 0, FIGURE_GPU_CELSIUS), -1);
    assert_int_equal(figure(w, 0, FIGURE_GPU_MEMORY), 25);
    assert_int_equal(gpus_figures(&w->gpus, &w->config.backends[1]).known, 0); /* not there */
}

static void a_driver_that_is_not_there_is_asked_again_and_said_once(void **state)
{
    struct world *w = *state;
    look(w);
    look(w);
    assert_int_equal(w->gpus.state, ERR_UNREACHABLE);
    assert_int_equal(w->gpus.failures, 2);
    assert_int_equal(w->lines, 1);
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), -1);
    gpus_look(&w->gpus, w->now_ms + GPUS_READ_MS);
    assert_false(w->gpus.is_asked); /* seldom */
    script(w, "gpu 0 10 1 2 40\n");
    look(w);
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), 10);
    assert_int_equal(w->lines, 2);
}

static void each_failure_has_its_reason(void **state)
{
    static const struct {
        const char *script;
        enum err state;
    } rows[] = {
        {"init 4\n", ERR_PERMISSION},
        {"init 9\n", ERR_UNREACHABLE},
        {"init 999\n", ERR_IO},
        {"gpu 1 1 1 1 1\n", ERR_NOT_FOUND},
        {"gpu 0 -1 -1 -1 -1\n", ERR_NOT_FOUND},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        script(w, rows[i].script);
        look(w);
        assert_int_equal(w->gpus.state, rows[i].state);
        assert_int_equal(w->gpus.read_ms, 0);
    }
}

static void a_driver_that_hangs_blocks_nobody_and_may_come_back(void **state)
{
    struct world *w = *state;
    script(w, "gpu 0 10 1 2 40\n");
    look(w);
    script(w, "gpu 0 90 1 2 40\nhang\n");
    w->now_ms += GPUS_READ_MS;
    gpus_look(&w->gpus, w->now_ms);
    gpus_look(&w->gpus, w->now_ms + GPUS_STALE_MS - 1);
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), 10);
    for (int i = 0; i < 3; i++)
        gpus_look(&w->gpus, w->now_ms + GPUS_STALE_MS + (uint64_t)i);
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), -1);
    assert_int_equal(w->gpus.state, ERR_TIMEOUT);
    assert_int_equal(w->gpus.failures, 1);
    assert_int_equal(w->lines, 1);
    script(w, "gpu 0 90 1 2 40\n");
    for (int i = 0; i < WAIT_STEPS && w->gpus.state != ERR_OK; i++) {
        nap();
        gpus_look(&w->gpus, w->now_ms + GPUS_STALE_MS);
    }
    assert_int_equal(figure(w, 0, FIGURE_GPU_LOAD), 90);
    assert_int_equal(w->lines, 2);
}

static void closing_does_not_wait_for_a_driver_that_hangs(void **state)
{
    struct world *w = *state;
    script(w, "gpu 0 10 1 2 40\nhang\n");
    gpus_look(&w->gpus, w->now_ms);
    assert_true(w->gpus.is_asked);
    gpus_close(&w->gpus); /* and the teardown again */
    assert_null(w->gpus.aside);
}

static void without_a_gpu_there_is_no_thread(void **state)
{
    struct world *w = *state;
    struct gpus none;
    w->config.backends[0].hardware = HARDWARE_CPU;
    w->config.backends[1].gpu = CONFIG_GPU_AUTO;
    gpus_open(&none, &w->config, &w->log);
    assert_null(none.aside);
    gpus_look(&none, w->now_ms);
    assert_int_equal(gpus_figures(&none, &w->config.backends[0]).known, 0);
    assert_int_equal(w->lines, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_backend_has_the_figures_of_its_gpu),
        TEST(they_are_read_once_a_second),
        TEST(what_a_gpu_does_not_support_is_not_known),
        TEST(a_driver_that_is_not_there_is_asked_again_and_said_once),
        TEST(each_failure_has_its_reason),
        TEST(a_driver_that_hangs_blocks_nobody_and_may_come_back),
        TEST(closing_does_not_wait_for_a_driver_that_hangs),
        TEST(without_a_gpu_there_is_no_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
