/* See queue.h. Called by backend_queue.c. A flow is a tenant with one priority and lives as long as
 * somebody of it waits: so there are never more of them than calls. */
#include "node/egress/queue.h"

#include <stdlib.h>

#define PACE_WEIGHT 8 /* a new interval counts for an eighth */

struct queue_flow {
    uint64_t tenant;
    uint32_t priority;
    uint32_t count;
    uint64_t finish;   /* of its first call */
    struct list items; /* of_flow */
    struct heap_node by_finish, by_most;
    struct queue_flow *next; /* of the same chain */
};

static struct queue_item *first_of(const struct queue_flow *f)
{
    return LIST_ENTRY(f->items.next, struct queue_item, of_flow);
}

static struct queue_item *last_of(const struct queue_flow *f)
{
    return LIST_ENTRY(f->items.prev, struct queue_item, of_flow);
}

static bool is_sooner(const struct heap_node *a, const struct heap_node *b)
{
    const struct queue_flow *f = HEAP_ENTRY(a, struct queue_flow, by_finish);
    const struct queue_flow *g = HEAP_ENTRY(b, struct queue_flow, by_finish);
    return f->finish != g->finish ? f->finish < g->finish
                                  : first_of(f)->number < first_of(g)->number;
}

/* Of those that have as many the one that came last. */
static bool has_more(const struct heap_node *a, const struct heap_node *b)
{
    const struct queue_flow *f = HEAP_ENTRY(a, struct queue_flow, by_most);
    const struct queue_flow *g = HEAP_ENTRY(b, struct queue_flow, by_most);
    return f->count != g->count ? f->count > g->count : last_of(f)->number > last_of(g)->number;
}

enum err queue_init(struct queue *q, uint32_t count_max)
{
    size_t chains = 16;
    while (chains <= count_max)
        chains *= 2;
    *q = (struct queue){.count_max = count_max, .key_mask = (uint32_t)chains - 1};
    q->flows = calloc((size_t)count_max + 1, sizeof *q->flows);
    q->by_key = calloc(chains, sizeof *q->by_key);
    if (!q->flows || !q->by_key) {
        free(q->flows);
        free(q->by_key);
        *q = (struct queue){.count = 0};
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i <= count_max; i++) {
        q->flows[i].next = q->unused;
        q->unused = &q->flows[i];
    }
    for (size_t i = 0; i < QUEUE_PRIORITIES; i++) {
        heap_init(&q->priorities[i].finish, is_sooner);
        heap_init(&q->priorities[i].most, has_more);
    }
    list_init(&q->all);
    return ERR_OK;
}

void queue_fini(struct queue *q)
{
    CHECK(q->count == 0);
    free(q->flows);
    free(q->by_key);
}

uint32_t queue_priority_of(int64_t priority)
{
    int64_t most = QUEUE_PRIORITY_MAX;
    return (uint32_t)((priority > most ? most : priority < -most ? -most : priority) + most);
}

int queue_priority_number(uint32_t index)
{
    return (int)index - QUEUE_PRIORITY_MAX;
}

/* --- flows */

static struct queue_flow **chain_of(struct queue *q, uint64_t tenant, uint32_t priority)
{
    return &q->by_key[(tenant + priority) & q->key_mask];
}

static struct queue_flow *find_flow(struct queue *q, uint64_t tenant, uint32_t priority)
{
    struct queue_flow *f = *chain_of(q, tenant, priority);
    while (f && (f->tenant != tenant || f->priority != priority))
        f = f->next;
    return f;
}

static struct queue_flow *make_flow(struct queue *q, uint64_t tenant, uint32_t priority)
{
    struct queue_flow *f = q->unused;
    struct queue_flow **chain = chain_of(q, tenant, priority);
    CHECK(f != NULL);
    q->unused = f->next;
    *f = (struct queue_flow){.tenant = tenant, .priority = priority, .next = *chain};
    list_init(&f->items);
    *chain = f;
    return f;
}

static void forget_flow(struct queue *q, struct queue_flow *f)
{
    struct queue_flow **at = chain_of(q, f->tenant, f->priority);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->next = q->unused;
    q->unused = f;
}

/* --- calls */

static void put_in(struct queue *q, struct queue_flow *f, struct queue_item *item)
{
    struct queue_priority *p = &q->priorities[f->priority];
    if (f->count > 0)
        heap_remove(&p->most, &f->by_most);
    item->flow = f;
    list_push_back(&f->items, &item->of_flow);
    list_push_back(&q->all, &item->of_all);
    f->count++;
    p->count++;
    q->count++;
    heap_add(&p->most, &f->by_most);
    if (f->count > 1)
        return;
    f->finish = p->v + item->cost;
    heap_add(&p->finish, &f->by_finish);
}

/* The finish of the next follows upon the one of a call that was let in, and is as if one that left
 * had never come: but not so that its time in the queue were saved up for those behind it. */
static void renew(struct queue *q, struct queue_flow *f, uint32_t cost_before, bool is_charged)
{
    struct queue_priority *p = &q->priorities[f->priority];
    uint64_t before = is_charged ? f->finish : f->finish - cost_before;
    f->finish = (before > p->v ? before : p->v) + first_of(f)->cost;
    heap_add(&p->finish, &f->by_finish);
}

static void take_out(struct queue *q, struct queue_item *item, bool is_charged)
{
    struct queue_flow *f = item->flow;
    struct queue_priority *p = &q->priorities[f->priority];
    bool was_first = first_of(f) == item;
    heap_remove(&p->most, &f->by_most);
    if (was_first)
        heap_remove(&p->finish, &f->by_finish);
    list_remove(&item->of_flow);
    list_remove(&item->of_all);
    item->flow = NULL;
    f->count--;
    p->count--;
    q->count--;
    if (f->count == 0) {
        forget_flow(q, f);
        return;
    }
    heap_add(&p->most, &f->by_most);
    if (was_first)
        renew(q, f, item->cost, is_charged);
}

static struct queue_item *least(const struct queue *q)
{
    uint32_t kept = q->count_max / QUEUE_KEPT_DIVISOR;
    uint32_t i = 0;
    while (q->priorities[i].count <= kept)
        i++; /* not all of them can be within what is kept */
    return last_of(HEAP_ENTRY(q->priorities[i].most.first, struct queue_flow, by_most));
}

struct queue_item *queue_push(struct queue *q, struct queue_item *item, uint64_t tenant,
                              uint32_t priority, uint32_t cost, uint64_t now_us)
{
    CHECK(!item->flow && priority < QUEUE_PRIORITIES && cost > 0 && cost <= QUEUE_COST_MAX);
    struct queue_flow *f = find_flow(q, tenant, priority);
    if (q->count == 0)
        q->place_us = now_us;
    item->cost = cost;
    item->number = q->numbers++;
    put_in(q, f ? f : make_flow(q, tenant, priority), item);
    if (q->count <= q->count_max)
        return NULL;
    struct queue_item *gives_way = least(q);
    take_out(q, gives_way, false);
    return gives_way;
}

void queue_remove(struct queue *q, struct queue_item *item)
{
    take_out(q, item, false);
}

static uint32_t next_priority(struct queue *q)
{
    uint32_t i = QUEUE_PRIORITIES - 1;
    if (++q->turns % QUEUE_AGE_EVERY == 0)
        return LIST_ENTRY(q->all.next, struct queue_item, of_all)->flow->priority;
    while (q->priorities[i].count == 0)
        i--;
    return i;
}

static void note_place(struct queue *q, uint64_t now_us)
{
    uint64_t interval_us = now_us - q->place_us;
    q->place_us = now_us;
    if (q->pace_us == 0)
        q->pace_us = interval_us;
    else
        q->pace_us = (q->pace_us * (PACE_WEIGHT - 1) + interval_us) / PACE_WEIGHT;
}

struct queue_item *queue_pop(struct queue *q, uint64_t now_us)
{
    if (q->count == 0)
        return NULL;
    note_place(q, now_us);
    struct queue_priority *p = &q->priorities[next_priority(q)];
    struct queue_flow *f = HEAP_ENTRY(p->finish.first, struct queue_flow, by_finish);
    struct queue_item *item = first_of(f);
    p->v = f->finish;
    take_out(q, item, true);
    return item;
}

/* A place that lets wait longer than usual counts for what it is. */
uint64_t queue_wait_us(const struct queue *q, uint32_t priority, uint64_t now_us)
{
    uint64_t since_us = q->count > 0 ? now_us - q->place_us : 0;
    uint64_t pace_us = since_us > q->pace_us ? since_us : q->pace_us;
    uint64_t ahead = 0;
    for (uint32_t i = priority; i < QUEUE_PRIORITIES; i++)
        ahead += q->priorities[i].count;
    return (ahead + 1) * pace_us;
}
