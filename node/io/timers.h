/* The timer heap that every loop embeds, shared by the real loop (uv_loop.c) and the simulated one
 * (tests/sim/io/). Private to loop implementations; users see io_timer_* and io_idle_* of loop.h.
 *
 * A heap knows no clock: io_timer_start takes `now` from io_now_ms of the loop, and the loop calls
 * io_timers_run whenever io_timers_next has been reached. */
#ifndef NODE_IO_TIMERS_H
#define NODE_IO_TIMERS_H

#include "node/io/loop.h"

#define IO_TIMERS_NONE UINT64_MAX

struct io_timers {
    struct io_timer *
        *slots; /* binary heap, 1-based; earliest deadline, then lowest sequence first */
    size_t count;
    size_t capacity;
    uint64_t sequence; /* of the next timer started */
};

void io_timers_init(struct io_timers *timers);
/* CHECK-fails when a timer still runs. */
void io_timers_fini(struct io_timers *timers);
/* The earliest deadline, or IO_TIMERS_NONE. May lie in the past. */
uint64_t io_timers_next(const struct io_timers *timers);
/* Fires every timer due at now_ms, in order, and returns how many. A timer that a callback starts
 * with delay 0 waits for the next call, so a timer re-arming itself never traps the loop: the
 * caller runs again in its next turn, at the same now_ms if need be, when io_timers_next says so.
 */
size_t io_timers_run(struct io_timers *timers, uint64_t now_ms);

/* Each loop implementation provides this. */
struct io_timers *io_loop_timers(struct io_loop *loop);

#endif
