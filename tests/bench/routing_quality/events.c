/* A binary heap. */
#include "tests/bench/routing_quality/events.h"

#include <stdlib.h>

struct events {
    struct event *items;
    size_t count, capacity;
    uint64_t order;
};

struct events *events_create(void)
{
    struct events *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    return h;
}

void events_destroy(struct events *h)
{
    free(h->items);
    free(h);
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void events_put(struct events *h, uint64_t at_us, int kind, uint32_t of)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? 2 * h->capacity : 1024;
        h->items = realloc(h->items, h->capacity * sizeof *h->items);
        if (!h->items)
            abort();
    }
    struct event event = {at_us, h->order++, kind, of};
    size_t at = h->count++;
    for (; at > 0 && is_before(&event, &h->items[(at - 1) / 2]); at = (at - 1) / 2)
        h->items[at] = h->items[(at - 1) / 2];
    h->items[at] = event;
}

bool events_take(struct events *h, struct event *ret_event)
{
    if (h->count == 0)
        return false;
    *ret_event = h->items[0];
    struct event last = h->items[--h->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && is_before(&h->items[child + 1], &h->items[child]))
            child++;
        if (!is_before(&h->items[child], &last))
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    if (h->count > 0)
        h->items[at] = last;
    return true;
}
