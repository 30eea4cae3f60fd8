/* io_listener_*: bound addresses of a simulated process and the connections that wait there. Twin
 * of node/io/uv_listener.c. connect.c pushes, the loop's turn accepts. */
#include "tests/sim/io/conn.h"

#include <stdlib.h>

#define BACKLOG_MAX 128

struct io_listener {
    struct list node; /* loop->listeners */
    struct io_loop *loop;
    struct io_addr addr;
    void (*on_accept)(void *owner, struct io_stream *stream);
    void *owner;
    struct list backlog;
    size_t backlog_count;
    uint64_t dropped;
    struct sim_ready ready;
    bool *closed_flag; /* set when closed from inside on_accept */
};

struct io_listener *sim_listener_find(struct io_loop *loop, const struct io_addr *to)
{
    LIST_EACH(it, &loop->listeners)
    {
        struct io_listener *l = LIST_ENTRY(it, struct io_listener, node);
        if (sim_addr_hears(&l->addr, to))
            return l;
    }
    return NULL;
}

bool sim_listener_push(struct io_listener *l, struct io_stream *s)
{
    if (l->backlog_count == BACKLOG_MAX)
        return false;
    l->backlog_count++;
    s->backlog = l;
    sim_conn_ref(s->conn);
    list_push_back(&l->backlog, &s->node);
    sim_ready_post(l->loop, &l->ready);
    return true;
}

static void take_off(struct io_stream *s)
{
    list_remove(&s->node);
    s->backlog->backlog_count--;
    s->backlog = NULL;
}

void sim_listener_forget(struct io_stream *s)
{
    take_off(s);
    sim_conn_unref(s->conn);
}

static void accept_one(struct io_listener *l)
{
    struct io_stream *s = LIST_ENTRY(l->backlog.next, struct io_stream, node);
    if (sim_loop_take_fd(l->loop) != ERR_OK) {
        l->dropped++;
        TRACE(l->loop->world->config.trace, l->loop->host->name, "accept_dropped",
              LOG_UINT("stream", s->conn->id));
        sim_conn_reset(s);
        sim_listener_forget(s);
        return;
    }
    take_off(s); /* the backlog's reference becomes the user's */
    sim_stream_attach(s, l->loop);
    l->on_accept(l->owner, s);
}

static void on_ready(struct sim_ready *ready)
{
    struct io_listener *l = LIST_ENTRY(ready, struct io_listener, ready);
    bool is_closed = false;
    l->closed_flag = &is_closed;
    while (!is_closed && !list_is_empty(&l->backlog))
        accept_one(l);
    if (!is_closed)
        l->closed_flag = NULL;
}

static bool is_taken(struct io_loop *loop, const struct io_addr *addr)
{
    LIST_EACH(it, &loop->listeners)
    {
        const struct io_addr *other = &LIST_ENTRY(it, struct io_listener, node)->addr;
        if (sim_addr_hears(other, addr) || sim_addr_hears(addr, other))
            return true;
    }
    return false;
}

static enum err bind_addr(struct io_loop *loop, const struct io_addr *addr,
                          struct io_addr *ret_addr)
{
    struct io_addr a = *addr;
    if (!sim_host_owns(loop->host, &a))
        return ERR_ADDRESS_INVALID;
    if (a.family != IO_UNIX && a.port == 0) {
        do
            a.port = sim_host_next_port(loop->host);
        while (is_taken(loop, &a));
    }
    if (is_taken(loop, &a))
        return ERR_ADDRESS_IN_USE;
    *ret_addr = a;
    return ERR_OK;
}

enum err io_listen(struct io_loop *loop, const struct io_addr *addr,
                   void (*on_accept)(void *owner, struct io_stream *stream), void *owner,
                   struct io_listener **ret_listener)
{
    struct io_addr bound;
    TRY(bind_addr(loop, addr, &bound));
    TRY(sim_loop_take_fd(loop));
    struct io_listener *l = calloc(1, sizeof *l);
    if (!l) {
        loop->fd_count--;
        return ERR_NO_MEMORY;
    }
    l->loop = loop;
    l->addr = bound;
    l->on_accept = on_accept;
    l->owner = owner;
    list_init(&l->backlog);
    sim_ready_init(&l->ready, on_ready);
    list_push_back(&loop->listeners, &l->node);
    *ret_listener = l;
    return ERR_OK;
}

void io_listener_addr(const struct io_listener *l, struct io_addr *ret_addr)
{
    *ret_addr = l->addr;
}

uint64_t io_listener_dropped(const struct io_listener *l)
{
    return l->dropped;
}

void io_listener_close(struct io_listener *l)
{
    while (!list_is_empty(&l->backlog)) {
        struct io_stream *s = LIST_ENTRY(l->backlog.next, struct io_stream, node);
        sim_conn_reset(s);
        sim_listener_forget(s);
    }
    if (l->closed_flag)
        *l->closed_flag = true;
    list_remove(&l->node);
    list_remove(&l->ready.node);
    l->loop->fd_count--;
    free(l);
}

void sim_listeners_abandon(struct io_loop *loop)
{
    while (!list_is_empty(&loop->listeners))
        io_listener_close(LIST_ENTRY(loop->listeners.next, struct io_listener, node));
}
