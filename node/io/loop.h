/* The event loop of one lane, its clocks, timers, deferred tasks, signals and workers.
 *
 * Implemented twice behind the same headers, chosen at link time: on libuv (node/io/uv_*.c) and
 * deterministically (tests/sim/io/). Everything on a loop is called from its one thread. Callbacks
 * are never called from inside the function that starts an operation, always later from the loop,
 * except where a header says so.
 *
 * Nothing here blocks. Objects (streams, listeners, sockets) are owned by their loop's user, who
 * ends them with the _close function; after that call returns no callback of theirs comes any more.
 */
#ifndef NODE_IO_LOOP_H
#define NODE_IO_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_loop;

/* Real loops only; a simulated loop is made by its world (tests/sim/io/world.h). Makes the process
 * ignore SIGPIPE. */
MUST_CHECK enum err io_loop_create(struct io_loop **ret_loop);
/* Every object on it must have been closed, every timer stopped; CHECK-fails otherwise. Runs
 * what closing still needs: streams closed gracefully to their end, jobs with their `done`. */
void io_loop_destroy(struct io_loop *loop);
/* Runs until io_loop_stop. */
void io_loop_run(struct io_loop *loop);
void io_loop_stop(struct io_loop *loop);

/* Monotonic, cached once per turn of the loop. */
uint64_t io_now_ms(const struct io_loop *loop);
/* Monotonic, read now: for measuring. */
uint64_t io_now_us(const struct io_loop *loop);
/* Since 1970, may step. */
uint64_t io_wall_ms(const struct io_loop *loop);

/* --- timers: one-shot; plain storage of the caller, zero-initialised before the first start. start
 * on a running timer moves it; stop is synchronous and harmless on a stopped one. O(log n). A timer
 * that a timer's callback starts with delay 0 fires in the next turn. */
struct io_timer {
    uint64_t deadline_ms;
    uint64_t sequence; /* ties fire in the order they were started */
    size_t heap_index; /* 1-based; 0: not running */
    struct io_loop *loop;
    void (*on_fire)(struct io_timer *timer);
};
void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms,
                    void (*on_fire)(struct io_timer *timer));
void io_timer_stop(struct io_timer *timer);
static inline bool io_timer_is_running(const struct io_timer *timer)
{
    return timer->heap_index != 0;
}

/* --- idle lists: many objects with the same time-out, O(1) to touch: a FIFO with one timer. */
struct io_idle_list {
    struct list entries; /* oldest first */
    struct io_timer timer;
    struct io_loop *loop;
    uint64_t timeout_ms;
};
struct io_idle {
    struct list node;
    uint64_t deadline_ms;
    struct io_idle_list *list;
    void (*on_idle)(struct io_idle *idle); /* it has been taken off the list */
};
void io_idle_list_init(struct io_idle_list *l, struct io_loop *loop, uint64_t timeout_ms);
void io_idle_list_fini(struct io_idle_list *l); /* must be empty */
/* (Re)starts the time-out of this entry. */
void io_idle_touch(struct io_idle_list *l, struct io_idle *idle,
                   void (*on_idle)(struct io_idle *idle));
/* Harmless when not running. An entry is zero-initialised before its first use. */
void io_idle_stop(struct io_idle *idle);

/* --- tasks: run once, at the end of the current turn of the loop, before it sleeps. Posting a task
 * that already waits does nothing. Used to batch what one turn produced (one signature, one
 * write). One that is posted last runs when no other waits, so that it finds what they made. */
struct io_task {
    struct list node; /* io_task_init first */
    void (*run)(struct io_task *task);
};
void io_task_init(struct io_task *task, void (*run)(struct io_task *task));
void io_task_post(struct io_loop *loop, struct io_task *task);
void io_task_post_last(struct io_loop *loop, struct io_task *task);
void io_task_cancel(struct io_task *task);

/* --- signals (real: SIGTERM, SIGINT, SIGHUP; the simulator never raises one) */
struct io_signals;
MUST_CHECK enum err io_signals_open(struct io_loop *loop,
                                    void (*on_signal)(void *owner, int signal_number), void *owner,
                                    struct io_signals **ret_signals);
void io_signals_close(struct io_signals *signals);

/* --- worker: blocking work off the loop. `work` runs on another thread (simulated: at a seeded
 * later time on this one) and touches only `ctx`; then `done` runs on the loop. ERR_LIMIT: 64 wait
 * already. */
MUST_CHECK enum err io_work(struct io_loop *loop, void (*work)(void *ctx), void (*done)(void *ctx),
                            void *ctx);
/* The jobs of this ctx: on return none of them runs or will, and no `done` comes. Waits for one
 * that runs. */
void io_work_revoke(struct io_loop *loop, const void *ctx);

/* --- name resolution: on_done gets ERR_OK and one address (IPv4 if there is one), or
 * ERR_RESOLVE / ERR_TIMEOUT. Numeric hosts never leave the machine. After cancel no callback comes;
 * after on_done the handle is gone. ERR_LIMIT: 64 are under way. */
struct io_addr;
struct io_resolve;
MUST_CHECK enum err io_resolve_start(struct io_loop *loop, const char *host, uint16_t port,
                                     void (*on_done)(void *owner, enum err e,
                                                     const struct io_addr *addr),
                                     void *owner, struct io_resolve **ret_resolve);
void io_resolve_cancel(struct io_resolve *resolve);

const char *io_library_version(void);

#endif
