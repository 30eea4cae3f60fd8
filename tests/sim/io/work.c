/* What a process asks of its machine: workers, name resolution, signals. Twin of node/io/uv_work.c
 * and its like. Answers come after a seeded delay, in a turn of the loop. */
#include "tests/sim/io/internal.h"

#include <stdlib.h>

#define WORKS_MAX 64
#define RESOLVES_MAX 64

struct sim_work {
    struct sim_event event;
    struct sim_ready ready;
    struct list node; /* loop->works */
    struct io_loop *loop;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

struct io_resolve {
    struct sim_event event;
    struct sim_ready ready;
    struct list node; /* loop->resolves */
    struct io_loop *loop;
    void (*on_done)(void *owner, enum err e, const struct io_addr *addr);
    void *owner;
    enum err result;
    struct io_addr addr;
};

struct sim_name {
    struct list node;
    char name[256];
    struct io_addr ip;
    enum err fail; /* ERR_OK: ip is valid */
};

struct io_signals {
    struct list node;
    struct io_loop *loop;
};

/* --- workers */

static void on_work_due(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    struct sim_work *work = LIST_ENTRY(event, struct sim_work, event);
    sim_ready_post(work->loop, &work->ready);
}

static void work_free(struct sim_work *work)
{
    sim_queue_remove(&work->loop->world->queue, &work->event);
    list_remove(&work->ready.node);
    list_remove(&work->node);
    work->loop->work_count--;
    free(work);
}

/* Both halves at once: `work` touches only its ctx, so nobody can tell it did not run earlier. */
static void finish_work(struct sim_ready *ready)
{
    struct sim_work *heap = LIST_ENTRY(ready, struct sim_work, ready);
    struct sim_work work = *heap;
    work_free(heap);
    work.work(work.ctx);
    work.done(work.ctx);
}

enum err io_work(struct io_loop *loop, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx)
{
    struct sim_world *w = loop->world;
    if (loop->work_count == WORKS_MAX || loop->is_dead)
        return ERR_LIMIT;
    struct sim_work *item = calloc(1, sizeof *item);
    if (!item)
        return ERR_NO_MEMORY;
    *item = (struct sim_work){
        .event.run = on_work_due, .loop = loop, .work = work, .done = done, .ctx = ctx};
    sim_ready_init(&item->ready, finish_work);
    list_push_back(&loop->works, &item->node);
    loop->work_count++;
    uint64_t delay_us = rng_between(&w->rng, w->config.work_min_us, w->config.work_max_us);
    sim_queue_add(&w->queue, w->now_us + delay_us, &item->event);
    return ERR_OK;
}

/* A job that had not come back yet has not run either: its effects come with its end. */
void io_work_revoke(struct io_loop *loop, const void *ctx)
{
    LIST_EACH_SAFE(it, tmp, &loop->works)
    if (LIST_ENTRY(it, struct sim_work, node)->ctx == ctx)
        work_free(LIST_ENTRY(it, struct sim_work, node));
}

/* A worker cannot be called back: whoever started it gets its ctx back before the loop goes. */
void sim_work_finish_all(struct io_loop *loop)
{
    while (!list_is_empty(&loop->works))
        finish_work(&LIST_ENTRY(loop->works.next, struct sim_work, node)->ready);
}

void sim_works_abandon(struct io_loop *loop)
{
    while (!list_is_empty(&loop->works))
        work_free(LIST_ENTRY(loop->works.next, struct sim_work, node));
    while (!list_is_empty(&loop->resolves))
        io_resolve_cancel(LIST_ENTRY(loop->resolves.next, struct io_resolve, node));
    while (!list_is_empty(&loop->signals))
        io_signals_close(LIST_ENTRY(loop->signals.next, struct io_signals, node));
}

/* --- names */

void sim_name_set(struct sim_world *world, const char *name, const char *ip, enum err e)
{
    CHECK((ip != NULL) == (e == ERR_OK) && strlen(name) < sizeof((struct sim_name *)0)->name);
    struct sim_name *entry = map_get(&world->names, bytes_from_str(name));
    if (!entry) {
        entry = calloc(1, sizeof *entry);
        CHECK(entry != NULL);
        bytes_to_str(bytes_from_str(name), entry->name, sizeof entry->name);
        list_push_back(&world->name_list, &entry->node);
        CHECK(map_put(&world->names, bytes_from_str(entry->name), entry) == ERR_OK);
    }
    entry->fail = e;
    if (ip)
        CHECK(sim_ip_parse(ip, &entry->ip) == ERR_OK);
}

void sim_names_free(struct sim_world *w)
{
    LIST_EACH_SAFE(it, tmp, &w->name_list)
    free(LIST_ENTRY(it, struct sim_name, node));
}

static enum err look_up(struct sim_world *w, const char *host, struct io_addr *ret_ip)
{
    if (sim_ip_parse(host, ret_ip) == ERR_OK)
        return ERR_OK;
    const struct sim_name *entry = map_get(&w->names, bytes_from_str(host));
    if (entry && entry->fail != ERR_OK)
        return entry->fail;
    if (entry) {
        *ret_ip = entry->ip;
        return ERR_OK;
    }
    if (strcmp(host, "localhost") == 0)
        return sim_ip_parse("127.0.0.1", ret_ip);
    for (size_t i = 0; i < w->host_count; i++)
        if (strcmp(w->hosts[i]->name, host) == 0) {
            *ret_ip = w->hosts[i]->ip;
            return ERR_OK;
        }
    return ERR_RESOLVE;
}

static void on_resolve_due(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    struct io_resolve *r = LIST_ENTRY(event, struct io_resolve, event);
    sim_ready_post(r->loop, &r->ready);
}

static void tell_resolved(struct sim_ready *ready)
{
    struct io_resolve *heap = LIST_ENTRY(ready, struct io_resolve, ready);
    struct io_resolve r = *heap;
    io_resolve_cancel(heap);
    r.on_done(r.owner, r.result, r.result == ERR_OK ? &r.addr : NULL);
}

enum err io_resolve_start(struct io_loop *loop, const char *host, uint16_t port,
                          void (*on_done)(void *owner, enum err e, const struct io_addr *addr),
                          void *owner, struct io_resolve **ret_resolve)
{
    struct sim_world *w = loop->world;
    if (loop->resolve_count == RESOLVES_MAX)
        return ERR_LIMIT;
    struct io_resolve *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    r->event.run = on_resolve_due;
    sim_ready_init(&r->ready, tell_resolved);
    r->loop = loop;
    r->on_done = on_done;
    r->owner = owner;
    r->result = look_up(w, host, &r->addr);
    r->addr.port = port;
    list_push_back(&loop->resolves, &r->node);
    loop->resolve_count++;
    uint64_t delay_us = rng_between(&w->rng, w->config.resolve_min_us, w->config.resolve_max_us);
    sim_queue_add(&w->queue, w->now_us + delay_us, &r->event);
    *ret_resolve = r;
    return ERR_OK;
}

void io_resolve_cancel(struct io_resolve *resolve)
{
    sim_queue_remove(&resolve->loop->world->queue, &resolve->event);
    list_remove(&resolve->ready.node);
    list_remove(&resolve->node);
    resolve->loop->resolve_count--;
    free(resolve);
}

/* --- signals: never raised here, but owed a close like everything else */

enum err io_signals_open(struct io_loop *loop, void (*on_signal)(void *owner, int signal_number),
                         void *owner, struct io_signals **ret_signals)
{
    (void)on_signal;
    (void)owner;
    struct io_signals *signals = calloc(1, sizeof *signals);
    if (!signals)
        return ERR_NO_MEMORY;
    signals->loop = loop;
    list_push_back(&loop->signals, &signals->node);
    *ret_signals = signals;
    return ERR_OK;
}

void io_signals_close(struct io_signals *signals)
{
    list_remove(&signals->node);
    free(signals);
}

const char *io_library_version(void)
{
    return "simulated";
}
