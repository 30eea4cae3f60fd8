/* A simulated host's process: clocks, turns, tasks, end. Twin of node/io/uv_loop.c; timers and idle
 * lists are shared with it (node/io/timers.c). Kernel files post what is ready; world.c gives
 * turns. */
#include "tests/sim/io/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define TASKS_PER_TURN_MAX 4096 /* the rest waits for the next turn, as in the real loop */

static void on_wake(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    sim_loop_wake(LIST_ENTRY(event, struct io_loop, wake));
}

enum err sim_loop_create(struct sim_host *h, struct io_loop **ret_loop)
{
    struct io_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return ERR_NO_MEMORY;
    loop->world = h->world;
    loop->host = h;
    loop->wake.run = on_wake;
    io_timers_init(&loop->timers);
    struct list *lists[] = {&loop->runnable,   &loop->ready,    &loop->batch,     &loop->tasks,
                            &loop->last_tasks, &loop->streams,  &loop->lingering, &loop->listeners,
                            &loop->datagrams,  &loop->resolves, &loop->works,     &loop->signals};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        list_init(lists[i]);
    *ret_loop = loop;
    return ERR_OK;
}

enum err io_loop_create(struct io_loop **ret_loop)
{
    (void)ret_loop;
    return ERR_UNSUPPORTED; /* sim_host_create makes loops here */
}

void sim_loop_free(struct io_loop *loop)
{
    sim_loop_sleep(loop);
    sim_streams_close(&loop->lingering);
    sim_work_finish_all(loop);
    io_timers_fini(&loop->timers);
    loop->host->loop = NULL;
    TRACE(loop->world->config.trace, loop->host->name, "host_down",
          LOG_BOOL("crashed", loop->is_dead));
    free(loop);
}

void io_loop_destroy(struct io_loop *loop)
{
    if (!loop)
        return;
    CHECK(!loop->is_in_turn);
    CHECK(sim_loop_leaks(loop, true) == 0);
    sim_loop_free(loop);
}

void io_loop_run(struct io_loop *loop)
{
    (void)loop;
    CHECK(!"io_loop_run is not for simulated loops: sim_world_run_until");
}

void io_loop_stop(struct io_loop *loop)
{
    loop->is_stopped = true;
}

bool sim_loop_is_stopped(const struct io_loop *loop)
{
    return loop->is_stopped;
}

/* --- clocks */

uint64_t io_now_us(const struct io_loop *loop)
{
    return loop->world->now_us + loop->host->mono_offset_us;
}

uint64_t io_now_ms(const struct io_loop *loop)
{
    return io_now_us(loop) / 1000;
}

uint64_t io_wall_ms(const struct io_loop *loop)
{
    return loop->world->config.wall_ms + loop->world->now_us / 1000 +
           (uint64_t)loop->host->wall_offset_ms;
}

/* --- turns */

void sim_loop_wake(struct io_loop *loop)
{
    if (loop->is_dead || loop->is_in_turn || loop->host->is_paused)
        return;
    if (!list_is_linked(&loop->runnable))
        list_push_back(&loop->world->runnable, &loop->runnable);
}

void sim_loop_sleep(struct io_loop *loop)
{
    list_remove(&loop->runnable);
    sim_queue_remove(&loop->world->queue, &loop->wake);
}

void sim_ready_init(struct sim_ready *ready, void (*run)(struct sim_ready *ready))
{
    list_init(&ready->node);
    ready->run = run;
}

void sim_ready_post(struct io_loop *loop, struct sim_ready *ready)
{
    if (!list_is_linked(&ready->node))
        list_push_back(&loop->ready, &ready->node);
    sim_loop_wake(loop);
}

/* Timers ask for the heap on every start and stop: outside a turn that is the moment to take one,
 * since only its end sets the wake-up. */
struct io_timers *io_loop_timers(struct io_loop *loop)
{
    sim_loop_wake(loop);
    return &loop->timers;
}

static void set_wake_up(struct io_loop *loop)
{
    struct sim_queue *queue = &loop->world->queue;
    uint64_t next_ms = io_timers_next(&loop->timers);
    if (next_ms <= io_now_ms(loop)) {
        sim_loop_wake(loop);
        return;
    }
    uint64_t wake_us = next_ms == IO_TIMERS_NONE || next_ms > UINT64_MAX / 1000 - 1
                           ? UINT64_MAX
                           : next_ms * 1000 - loop->host->mono_offset_us;
    if (loop->wake.heap_index && loop->wake_us == wake_us)
        return;
    sim_queue_remove(queue, &loop->wake);
    loop->wake_us = wake_us;
    if (wake_us != UINT64_MAX)
        sim_queue_add(queue, wake_us, &loop->wake);
}

static void run_ready(struct io_loop *loop)
{
    struct list *node;
    while ((node = list_pop_front(&loop->ready)))
        list_push_back(&loop->batch, node);
    while (!loop->is_dead && (node = list_pop_front(&loop->batch))) {
        struct sim_ready *ready = LIST_ENTRY(node, struct sim_ready, node);
        ready->run(ready);
    }
}

static void run_tasks(struct io_loop *loop)
{
    struct list *node;
    for (size_t n = 0; n < TASKS_PER_TURN_MAX && !loop->is_dead; n++) {
        if (!(node = list_pop_front(&loop->tasks)) && !(node = list_pop_front(&loop->last_tasks)))
            break;
        struct io_task *task = LIST_ENTRY(node, struct io_task, node);
        task->run(task);
    }
}

void sim_loop_turn(struct io_loop *loop)
{
    loop->is_in_turn = true;
    run_ready(loop);
    if (!loop->is_dead && io_timers_next(&loop->timers) <= io_now_ms(loop))
        (void)io_timers_run(&loop->timers, io_now_ms(loop));
    run_tasks(loop);
    loop->is_in_turn = false;
    if (loop->is_dead)
        return;
    if (!list_is_empty(&loop->ready) || !list_is_empty(&loop->tasks) ||
        !list_is_empty(&loop->last_tasks))
        sim_loop_wake(loop);
    set_wake_up(loop);
}

/* --- tasks */

void io_task_init(struct io_task *task, void (*run)(struct io_task *task))
{
    list_init(&task->node);
    task->run = run;
}

void io_task_post(struct io_loop *loop, struct io_task *task)
{
    if (!list_is_linked(&task->node))
        list_push_back(&loop->tasks, &task->node);
    sim_loop_wake(loop);
}

void io_task_post_last(struct io_loop *loop, struct io_task *task)
{
    if (!list_is_linked(&task->node))
        list_push_back(&loop->last_tasks, &task->node);
    sim_loop_wake(loop);
}

void io_task_cancel(struct io_task *task)
{
    list_remove(&task->node);
}

/* --- what is left */

static size_t count_leaks(const struct io_loop *loop, const struct list *list, const char *kind,
                          bool print)
{
    size_t count = 0;
    LIST_EACH(it, list)
    count++;
    if (count && print)
        fprintf(stderr, "simulated host %s: %zu %s left open\n", loop->host->name, count, kind);
    return count;
}

/* A work cannot be cancelled: it is finished when the loop is destroyed, and no leak there. */
size_t sim_loop_leaks(const struct io_loop *loop, bool print)
{
    size_t count = count_leaks(loop, &loop->streams, "streams", print);
    count += count_leaks(loop, &loop->listeners, "listeners", print);
    count += count_leaks(loop, &loop->datagrams, "datagram sockets", print);
    count += count_leaks(loop, &loop->signals, "signal handlers", print);
    count += count_leaks(loop, &loop->resolves, "resolves", print);
    count += count_leaks(loop, &loop->tasks, "tasks", print);
    count += count_leaks(loop, &loop->last_tasks, "last tasks", print);
    if (loop->timers.count && print)
        fprintf(stderr, "simulated host %s: %zu timers left running\n", loop->host->name,
                loop->timers.count);
    return count + loop->timers.count;
}

enum err sim_loop_take_fd(struct io_loop *loop)
{
    if (loop->is_dead || loop->fd_count >= loop->host->fd_max)
        return ERR_FD_LIMIT;
    loop->fd_count++;
    return ERR_OK;
}
