/* Timers and idle lists: an intrusive binary heap, and FIFOs that share one timer of it each.
 * Knows no clock and no event library; both loop implementations embed it (timers.h). */
#include "node/io/timers.h"

#include <stdlib.h>

#define CAPACITY_FIRST 64

void io_timers_init(struct io_timers *timers)
{
    *timers = (struct io_timers){.sequence = 1};
}

void io_timers_fini(struct io_timers *timers)
{
    CHECK(timers->count == 0);
    free(timers->slots);
    *timers = (struct io_timers){.sequence = 1};
}

uint64_t io_timers_next(const struct io_timers *timers)
{
    return timers->count ? timers->slots[1]->deadline_ms : IO_TIMERS_NONE;
}

static inline bool is_before(const struct io_timer *a, const struct io_timer *b)
{
    if (a->deadline_ms != b->deadline_ms)
        return a->deadline_ms < b->deadline_ms;
    return a->sequence < b->sequence;
}

static inline void place(struct io_timers *timers, struct io_timer *timer, size_t index)
{
    timers->slots[index] = timer;
    timer->heap_index = index;
}

static void sift_up(struct io_timers *timers, struct io_timer *timer, size_t index)
{
    while (index > 1 && is_before(timer, timers->slots[index / 2])) {
        place(timers, timers->slots[index / 2], index);
        index /= 2;
    }
    place(timers, timer, index);
}

static void sift_down(struct io_timers *timers, struct io_timer *timer, size_t index)
{
    for (;;) {
        size_t child = index * 2;
        if (child > timers->count)
            break;
        if (child < timers->count && is_before(timers->slots[child + 1], timers->slots[child]))
            child++;
        if (!is_before(timers->slots[child], timer))
            break;
        place(timers, timers->slots[child], index);
        index = child;
    }
    place(timers, timer, index);
}

static void settle(struct io_timers *timers, struct io_timer *timer, size_t index)
{
    if (index > 1 && is_before(timer, timers->slots[index / 2]))
        sift_up(timers, timer, index);
    else
        sift_down(timers, timer, index);
}

/* Timers are embedded in objects that are themselves limited, so the array is too. Starting a timer
 * cannot fail for its callers; without memory for one pointer nothing else would work either. */
static void reserve_slot(struct io_timers *timers)
{
    if (timers->count < timers->capacity)
        return;
    size_t capacity = timers->capacity ? timers->capacity * 2 : CAPACITY_FIRST;
    struct io_timer **slots = realloc(timers->slots, (capacity + 1) * sizeof(struct io_timer *));
    CHECK(slots != NULL);
    timers->slots = slots;
    timers->capacity = capacity;
}

static void start_at(struct io_loop *loop, struct io_timer *timer, uint64_t deadline_ms,
                     void (*on_fire)(struct io_timer *timer))
{
    struct io_timers *timers = io_loop_timers(loop);
    CHECK(timer->heap_index == 0 || timer->loop == loop);
    timer->deadline_ms = deadline_ms;
    timer->sequence = timers->sequence++;
    timer->loop = loop;
    timer->on_fire = on_fire;
    if (timer->heap_index) {
        settle(timers, timer, timer->heap_index);
        return;
    }
    reserve_slot(timers);
    timers->count++;
    sift_up(timers, timer, timers->count);
}

void io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms,
                    void (*on_fire)(struct io_timer *timer))
{
    uint64_t now_ms = io_now_ms(loop);
    uint64_t latest_ms = IO_TIMERS_NONE - 1;
    start_at(loop, timer, delay_ms < latest_ms - now_ms ? now_ms + delay_ms : latest_ms, on_fire);
}

static void take_out(struct io_timers *timers, struct io_timer *timer)
{
    size_t index = timer->heap_index;
    struct io_timer *last = timers->slots[timers->count];
    timers->count--;
    timer->heap_index = 0;
    if (last != timer)
        settle(timers, last, index);
}

void io_timer_stop(struct io_timer *timer)
{
    if (timer->heap_index)
        take_out(io_loop_timers(timer->loop), timer);
}

size_t io_timers_run(struct io_timers *timers, uint64_t now_ms)
{
    uint64_t sequence_limit = timers->sequence;
    size_t fired = 0;
    while (timers->count) {
        struct io_timer *timer = timers->slots[1];
        if (timer->deadline_ms > now_ms)
            break;
        /* Started by a callback of this very run: next turn. Only an idle list starts its timer
         * with a deadline in the past, and each such start has used up one entry. */
        if (timer->sequence >= sequence_limit && timer->deadline_ms == now_ms)
            break;
        take_out(timers, timer);
        fired++;
        timer->on_fire(timer);
    }
    return fired;
}

void io_idle_list_init(struct io_idle_list *l, struct io_loop *loop, uint64_t timeout_ms)
{
    CHECK(timeout_ms > 0);
    *l = (struct io_idle_list){.loop = loop, .timeout_ms = timeout_ms};
    list_init(&l->entries);
}

void io_idle_list_fini(struct io_idle_list *l)
{
    CHECK(list_is_empty(&l->entries));
    io_timer_stop(&l->timer);
}

static void on_oldest_due(struct io_timer *timer);

/* The timer runs for what was the oldest entry when it was started, and is not moved when that
 * entry is touched: it fires once too early and is then set to the entry that is oldest now. */
static void arm_for_oldest(struct io_idle_list *l)
{
    struct io_idle *oldest = LIST_ENTRY(l->entries.next, struct io_idle, node);
    start_at(l->loop, &l->timer, oldest->deadline_ms, on_oldest_due);
}

/* One entry a call, and nothing is touched after its callback, so that on_idle may even end the
 * list. */
static void on_oldest_due(struct io_timer *timer)
{
    struct io_idle_list *l = LIST_ENTRY(timer, struct io_idle_list, timer);
    if (list_is_empty(&l->entries))
        return;
    struct io_idle *oldest = LIST_ENTRY(l->entries.next, struct io_idle, node);
    if (oldest->deadline_ms > io_now_ms(l->loop)) {
        arm_for_oldest(l);
        return;
    }
    io_idle_stop(oldest);
    if (!list_is_empty(&l->entries))
        arm_for_oldest(l);
    oldest->on_idle(oldest);
}

void io_idle_touch(struct io_idle_list *l, struct io_idle *idle,
                   void (*on_idle)(struct io_idle *idle))
{
    io_idle_stop(idle);
    uint64_t now_ms = io_now_ms(l->loop);
    uint64_t latest_ms = IO_TIMERS_NONE - 1;
    idle->deadline_ms = l->timeout_ms < latest_ms - now_ms ? now_ms + l->timeout_ms : latest_ms;
    idle->on_idle = on_idle;
    idle->list = l;
    list_push_back(&l->entries, &idle->node);
    if (!io_timer_is_running(&l->timer))
        arm_for_oldest(l);
}

void io_idle_stop(struct io_idle *idle)
{
    if (!idle->list)
        return;
    list_remove(&idle->node);
    idle->list = NULL;
}
