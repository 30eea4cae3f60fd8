/* See events.h. */
#include "tests/bench/routing_quality/events.h"

#include "base/heap.h"

#include <stdlib.h>

struct entry {
    struct heap_node node;
    struct event event;
};

struct events {
    struct heap heap;
    uint64_t order;
};

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct event *x = &HEAP_ENTRY(a, const struct entry, node)->event;
    const struct event *y = &HEAP_ENTRY(b, const struct entry, node)->event;
    return x->at_us != y->at_us ? x->at_us < y->at_us : x->order < y->order;
}

struct events *events_create(void)
{
    struct events *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    heap_init(&e->heap, is_before);
    return e;
}

void events_destroy(struct events *e)
{
    struct event event;
    while (events_take(e, &event))
        continue;
    free(e);
}

void events_put(struct events *e, uint64_t at_us, int kind, uint32_t of)
{
    struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        abort();
    entry->event = (struct event){at_us, e->order++, kind, of};
    heap_add(&e->heap, &entry->node);
}

bool events_take(struct events *e, struct event *ret_event)
{
    if (!e->heap.first)
        return false;
    struct entry *first = HEAP_ENTRY(e->heap.first, struct entry, node);
    heap_remove(&e->heap, &first->node);
    *ret_event = first->event;
    free(first);
    return true;
}
