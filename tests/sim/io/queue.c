/* The world's queue: a 4-ary heap ordered by (time, sequence), so that equal times run in the order
 * they were added. Slots carry the keys, events only their index: sifting touches no event but
 * those that move. Used by every file here. */
#include "tests/sim/io/internal.h"

#include <stdlib.h>

#define ARITY 4
#define CAPACITY_FIRST 1024

void sim_queue_fini(struct sim_queue *q)
{
    free(q->slots);
    *q = (struct sim_queue){0};
}

static inline bool is_before(const struct sim_slot *a, const struct sim_slot *b)
{
    return a->t_us != b->t_us ? a->t_us < b->t_us : a->sequence < b->sequence;
}

static inline void place(struct sim_queue *q, size_t index, struct sim_slot slot)
{
    q->slots[index] = slot;
    slot.event->heap_index = index;
}

static inline size_t parent_of(size_t index)
{
    return (index - 2) / ARITY + 1;
}

static void sift_up(struct sim_queue *q, size_t index, struct sim_slot slot)
{
    while (index > 1 && is_before(&slot, &q->slots[parent_of(index)])) {
        place(q, index, q->slots[parent_of(index)]);
        index = parent_of(index);
    }
    place(q, index, slot);
}

static void sift_down(struct sim_queue *q, size_t index, struct sim_slot slot)
{
    for (;;) {
        size_t first = (index - 1) * ARITY + 2;
        if (first > q->count)
            break;
        size_t last = first + ARITY - 1 < q->count ? first + ARITY - 1 : q->count;
        size_t least = first;
        for (size_t child = first + 1; child <= last; child++)
            if (is_before(&q->slots[child], &q->slots[least]))
                least = child;
        if (!is_before(&q->slots[least], &slot))
            break;
        place(q, index, q->slots[least]);
        index = least;
    }
    place(q, index, slot);
}

void sim_queue_add(struct sim_queue *q, uint64_t t_us, struct sim_event *event)
{
    CHECK(event->heap_index == 0);
    if (q->count == q->capacity) {
        q->capacity = q->capacity ? q->capacity * 2 : CAPACITY_FIRST;
        q->slots = realloc(q->slots, (q->capacity + 1) * sizeof(struct sim_slot));
        CHECK(q->slots != NULL);
    }
    q->count++;
    sift_up(q, q->count, (struct sim_slot){t_us, q->sequence++, event});
}

void sim_queue_remove(struct sim_queue *q, struct sim_event *event)
{
    size_t index = event->heap_index;
    if (index == 0)
        return;
    event->heap_index = 0;
    struct sim_slot last = q->slots[q->count--];
    if (last.event == event)
        return;
    if (index > 1 && is_before(&last, &q->slots[parent_of(index)]))
        sift_up(q, index, last);
    else
        sift_down(q, index, last);
}

struct sim_event *sim_queue_pop(struct sim_queue *q)
{
    struct sim_event *event = q->slots[1].event;
    sim_queue_remove(q, event);
    return event;
}
