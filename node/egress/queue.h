/* Those that wait for a place at a backend: who is let in next, and who gives way when there are
 * too many. Pure: time comes with the calls. Each of them costs O(log n) of the tenants that wait;
 * nothing is allocated but at the start.
 *
 * Who is next: the highest priority, and in it tenants share by self-clocked fair queueing (S. J.
 * Golestani, "A self-clocked fair queueing scheme for broadband applications", INFOCOM 1994):
 *
 *   finish of a tenant's first call = max(v, finish of its call before) + cost
 *   next = the least finish; v = the finish of the one let in last
 *
 * so that among tenants who always have somebody waiting what any two got, in cost, differs by at
 * most one call of each, and one that comes anew waits behind no more than that of each other. Of
 * tenants that do not wait nothing has to be known, since v is past what they had. A tenant's own
 * are let in as they came.
 *
 * Nobody starves: every QUEUE_AGE_EVERY-th place is given within the priority of the call that has
 * waited longest of all, whatever that is, and in it fairly as ever.
 *
 * Who gives way in a full queue, the newcomer counted in: the lowest priority that has more waiting
 * than is kept for each (a QUEUE_KEPT_DIVISOR-th of the queue), in it the tenant that has most
 * waiting, of these the newest. */
#ifndef NODE_EGRESS_QUEUE_H
#define NODE_EGRESS_QUEUE_H

#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"

#include <stdint.h>

#define QUEUE_PRIORITY_MAX 4 /* beyond it, up or down (-4), nothing is told apart */
#define QUEUE_PRIORITIES (2 * QUEUE_PRIORITY_MAX + 1)
#define QUEUE_COST_MAX (1 << 20)
#define QUEUE_AGE_EVERY 8
#define QUEUE_KEPT_DIVISOR 32 /* all priorities together: less than a third */

struct queue_flow;

struct queue_item {          /* of a call; zero-initialised while it is in no queue */
    struct queue_flow *flow; /* its tenant, with one priority; NULL: it is not in a queue */
    struct list of_flow;     /* oldest first, as is the next */
    struct list of_all;
    uint32_t cost;
    uint64_t number; /* in the order they came */
};

struct queue_priority {
    uint64_t v;         /* finish of the one let in last */
    struct heap finish; /* flows: who is next */
    struct heap most;   /* flows: whose newest gives way */
    uint32_t count;
};

struct queue { /* zero: for reading, an empty one */
    struct queue_priority priorities[QUEUE_PRIORITIES];
    struct list all;
    struct queue_flow *flows;   /* count_max + 1 of them */
    struct queue_flow *unused;  /* of these, by `next` */
    struct queue_flow **by_key; /* chains by `next` */
    uint32_t key_mask;
    uint32_t count;
    uint32_t count_max;
    uint32_t turns; /* places given so far */
    uint64_t numbers;
    uint64_t pace_us;  /* between places given while somebody waits, on average; 0: not known */
    uint64_t place_us; /* when one was given last, or when the first began to wait */
};

/* NO_MEMORY. */
MUST_CHECK enum err queue_init(struct queue *q, uint32_t count_max);
void queue_fini(struct queue *q); /* must be empty */

/* 0..QUEUE_PRIORITIES-1, greater is more important: an index of priorities[]. */
uint32_t queue_priority_of(int64_t priority);
/* ... and back: -QUEUE_PRIORITY_MAX..QUEUE_PRIORITY_MAX. */
int queue_priority_number(uint32_t index);

/* Puts it in. Returns who has to give way and is not in the queue (any more): NULL, another one, or
 * `item` itself. tenant: the same for all of one tenant. cost: 1..QUEUE_COST_MAX, in any unit. */
struct queue_item *queue_push(struct queue *q, struct queue_item *item, uint64_t tenant,
                              uint32_t priority, uint32_t cost, uint64_t now_us);
/* There is a place: takes out who gets it. NULL: nobody waits. */
struct queue_item *queue_pop(struct queue *q, uint64_t now_us);
/* It does not want to wait any more. */
void queue_remove(struct queue *q, struct queue_item *item);

/* How long one more of this priority would wait, by how places were given lately to those that
 * waited, behind all that are at least as important. */
uint64_t queue_wait_us(const struct queue *q, uint32_t priority, uint64_t now_us);

#endif
