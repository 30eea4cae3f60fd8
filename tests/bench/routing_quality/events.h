/* Events in the order of their time, those of one time in the order in which they were put. */
#ifndef BENCH_ROUTING_QUALITY_EVENTS_H
#define BENCH_ROUTING_QUALITY_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
    uint64_t at_us, order;
    int kind;
    uint32_t of;
};
struct events;

struct events *events_create(void);
void events_destroy(struct events *e);
void events_put(struct events *e, uint64_t at_us, int kind, uint32_t of);
bool events_take(struct events *e, struct event *ret_event); /* false: empty */

#endif
