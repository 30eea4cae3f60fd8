/* The real loop: clocks, tasks, the alarm behind the timer heap, and the end of everything.
 *
 * One turn of libuv is: timers, then `prepare`, then sleeping in epoll, then what epoll brought.
 * Tasks run in `prepare`, so whatever a timer or a socket callback posted runs before the next
 * sleep, once for all that the turn produced. The same place arms the alarm, at most once a turn
 * and only when the earliest deadline moved forward: stopping or postponing a timer leaves the
 * alarm alone, at the cost of one wake-up that finds nothing due. */
#include "node/io/uv_loop.h"
#include "node/io/uv_batch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define US_PER_MS 1000
#define NS_PER_US 1000

static struct list *next_task(struct io_loop *loop)
{
    struct list *node = list_pop_front(&loop->tasks);
    return node ? node : list_pop_front(&loop->last_tasks);
}

static bool has_tasks(const struct io_loop *loop)
{
    return !list_is_empty(&loop->tasks) || !list_is_empty(&loop->last_tasks);
}

static void run_tasks(struct io_loop *loop)
{
    struct list *node;
    for (int n = 0; n < IO_TASKS_PER_TURN_MAX && (node = next_task(loop)); n++) {
        struct io_task *task = LIST_ENTRY(node, struct io_task, node);
        task->run(task);
    }
}

static void on_alarm(uv_timer_t *handle)
{
    struct io_loop *loop = handle->data;
    loop->armed_ms = IO_TIMERS_NONE;
    io_timers_run(&loop->timers, uv_now(&loop->uv));
}

static void arm_alarm(struct io_loop *loop)
{
    uint64_t next_ms = has_tasks(loop) ? 0 : io_timers_next(&loop->timers);
    if (next_ms >= loop->armed_ms)
        return;
    uint64_t now_ms = uv_now(&loop->uv);
    CHECK(uv_timer_start(&loop->alarm, on_alarm, next_ms > now_ms ? next_ms - now_ms : 0, 0) == 0);
    loop->armed_ms = next_ms;
}

static void on_prepare(uv_prepare_t *handle)
{
    struct io_loop *loop = handle->data;
    run_tasks(loop);
    io_send_held(loop);
    arm_alarm(loop);
}

static void start_handles(struct io_loop *loop)
{
    CHECK(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
    CHECK(uv_prepare_start(&loop->prepare, on_prepare) == 0);
    CHECK(uv_timer_init(&loop->uv, &loop->alarm) == 0);
    loop->prepare.data = loop;
    loop->alarm.data = loop;
}

enum err io_loop_create(struct io_loop **ret_loop)
{
    struct io_loop *loop = malloc(sizeof *loop);
    if (!loop)
        return ERR_NO_MEMORY;
    memset(loop, 0, offsetof(struct io_loop, read_buffer));
    int r = uv_loop_init(&loop->uv);
    if (r != 0) {
        free(loop);
        return io_err_from_uv(r);
    }
    /* A peer that went away is an error code of a write, never the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    loop->uv.data = loop;
    loop->armed_ms = IO_TIMERS_NONE;
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    io_timers_init(&loop->timers);
    list_init(&loop->tasks);
    list_init(&loop->last_tasks);
    list_init(&loop->jobs);
    list_init(&loop->free_streams);
    list_init(&loop->held);
    loop->batch = io_batch_create();
    start_handles(loop);
    *ret_loop = loop;
    return ERR_OK;
}

/* Streams that linger are sent to their end (each has its deadline), and jobs run to theirs: their
 * `done` owns what ctx points to. */
static void finish_pending(struct io_loop *loop)
{
    io_send_held(loop);
    while (loop->linger_count || loop->work_count)
        uv_run(&loop->uv, UV_RUN_ONCE);
    CHECK(loop->object_count == 0);
    CHECK(!has_tasks(loop));
    io_timers_fini(&loop->timers);
}

void io_loop_destroy(struct io_loop *loop)
{
    if (!loop)
        return;
    CHECK(loop->object_count == 0);
    CHECK(loop->timers.count == loop->linger_count); /* one linger timer each, none of a user */
    finish_pending(loop);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* close callbacks, cancelled look-ups */
    CHECK(uv_loop_close(&loop->uv) == 0);
    io_free_streams_release(loop);
    io_batch_destroy(loop->batch);
    if (loop->reserve_fd >= 0)
        close(loop->reserve_fd);
    free(loop);
}

void io_loop_run(struct io_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    run_tasks(loop); /* what the last turn posted */
    io_send_held(loop);
}

void io_loop_stop(struct io_loop *loop)
{
    uv_stop(&loop->uv);
}

uint64_t io_now_ms(const struct io_loop *loop)
{
    return uv_now(&loop->uv);
}

uint64_t io_now_us(const struct io_loop *loop)
{
    (void)loop;
    return uv_hrtime() / NS_PER_US;
}

uint64_t io_wall_ms(const struct io_loop *loop)
{
    (void)loop;
    uv_timeval64_t now;
    CHECK(uv_gettimeofday(&now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / US_PER_MS;
}

struct io_timers *io_loop_timers(struct io_loop *loop)
{
    return &loop->timers;
}

void io_task_init(struct io_task *task, void (*run)(struct io_task *task))
{
    list_init(&task->node);
    task->run = run;
}

void io_task_post(struct io_loop *loop, struct io_task *task)
{
    if (!list_is_linked(&task->node))
        list_push_back(&loop->tasks, &task->node);
}

void io_task_post_last(struct io_loop *loop, struct io_task *task)
{
    if (!list_is_linked(&task->node))
        list_push_back(&loop->last_tasks, &task->node);
}

void io_task_cancel(struct io_task *task)
{
    list_remove(&task->node);
}

void io_lend_read_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *ret_buf)
{
    (void)suggested_size;
    struct io_loop *loop = handle->loop->data;
    *ret_buf = uv_buf_init((char *)loop->read_buffer, sizeof loop->read_buffer);
}

const char *io_library_version(void)
{
    return uv_version_string();
}
