/* io_datagram_*: lossy packets between hosts. Twin of node/io/uv_datagram.c. A letter is one
 * datagram under way or waiting in its socket; net.c says whether and when it arrives. */
#include "tests/sim/io/internal.h"

#include <stdlib.h>

#define INBOX_MAX 256
#define QUEUE_MAX_US 50000 /* what a narrow link may owe before the sender drops */
#define HEADERS_SIZE 28
#define REORDER_EXTRA_US 1000

struct io_datagram {
    struct list node; /* loop->datagrams */
    struct io_loop *loop;
    struct io_addr addr;
    void (*on_datagram)(void *owner, const struct io_addr *from, struct bytes data);
    void *owner;
    struct list inbox;
    size_t inbox_count;
    uint64_t dropped;
    struct sim_ready ready;
    bool *closed_flag; /* set when closed from inside on_datagram */
};

struct sim_letter {
    struct sim_event event;
    struct list node; /* world->letters or the inbox */
    struct sim_host *from_host;
    struct sim_host *to_host;
    struct io_addr from;
    struct io_addr to;
    size_t size;
    uint8_t data[];
};

static void drop_letter(struct sim_letter *letter)
{
    list_remove(&letter->node);
    free(letter);
}

void sim_letters_free(struct sim_world *w)
{
    LIST_EACH_SAFE(it, tmp, &w->letters)
    drop_letter(LIST_ENTRY(it, struct sim_letter, node));
}

static struct io_datagram *find_socket(struct io_loop *loop, const struct io_addr *to)
{
    LIST_EACH(it, &loop->datagrams)
    {
        struct io_datagram *d = LIST_ENTRY(it, struct io_datagram, node);
        if (sim_addr_hears(&d->addr, to))
            return d;
    }
    return NULL;
}

static void trace_letter(const struct sim_letter *letter, const char *event)
{
    const struct sim_world *w = letter->from_host->world;
    if (w->config.trace_packets)
        TRACE(w->config.trace, letter->from_host->name, event, LOG_STR("to", letter->to_host->name),
              LOG_UINT("size", letter->size));
}

static void on_arrival(struct sim_world *w, struct sim_event *event)
{
    (void)w;
    struct sim_letter *letter = LIST_ENTRY(event, struct sim_letter, event);
    struct io_loop *loop = letter->to_host->loop;
    struct io_datagram *d = NULL;
    if (loop && !loop->is_dead && sim_net_arrives(letter->from_host, letter->to_host))
        d = find_socket(loop, &letter->to);
    trace_letter(letter, d ? "datagram" : "datagram_lost");
    if (!d || d->inbox_count == INBOX_MAX) {
        drop_letter(letter);
        return;
    }
    list_remove(&letter->node);
    list_push_back(&d->inbox, &letter->node);
    d->inbox_count++;
    sim_ready_post(loop, &d->ready);
}

static void on_ready(struct sim_ready *ready)
{
    struct io_datagram *d = LIST_ENTRY(ready, struct io_datagram, ready);
    bool is_closed = false;
    d->closed_flag = &is_closed;
    while (!is_closed && !list_is_empty(&d->inbox)) {
        struct sim_letter *letter = LIST_ENTRY(d->inbox.next, struct sim_letter, node);
        list_remove(&letter->node);
        d->inbox_count--;
        d->on_datagram(d->owner, &letter->from, bytes_of(letter->data, letter->size));
        free(letter);
    }
    if (!is_closed)
        d->closed_flag = NULL;
}

/* --- opening and ending */

static bool is_taken(struct io_loop *loop, const struct io_addr *addr)
{
    LIST_EACH(it, &loop->datagrams)
    {
        const struct io_addr *other = &LIST_ENTRY(it, struct io_datagram, node)->addr;
        if (sim_addr_hears(other, addr) || sim_addr_hears(addr, other))
            return true;
    }
    return false;
}

enum err io_datagram_open(struct io_loop *loop, const struct io_addr *addr,
                          void (*on_datagram)(void *owner, const struct io_addr *from,
                                              struct bytes data),
                          void *owner, struct io_datagram **ret_datagram)
{
    struct io_addr bound = *addr;
    if (!sim_host_owns(loop->host, addr) || addr->family == IO_UNIX)
        return ERR_ADDRESS_INVALID;
    if (bound.port == 0) {
        do
            bound.port = sim_host_next_port(loop->host);
        while (is_taken(loop, &bound));
    }
    if (is_taken(loop, &bound))
        return ERR_ADDRESS_IN_USE;
    TRY(sim_loop_take_fd(loop));
    struct io_datagram *d = calloc(1, sizeof *d);
    if (!d) {
        loop->fd_count--;
        return ERR_NO_MEMORY;
    }
    d->loop = loop;
    d->addr = bound;
    d->on_datagram = on_datagram;
    d->owner = owner;
    list_init(&d->inbox);
    sim_ready_init(&d->ready, on_ready);
    list_push_back(&loop->datagrams, &d->node);
    *ret_datagram = d;
    return ERR_OK;
}

void io_datagram_addr(const struct io_datagram *d, struct io_addr *ret_addr)
{
    *ret_addr = d->addr;
}

uint64_t io_datagram_dropped(const struct io_datagram *d)
{
    return d->dropped;
}

static void empty_inbox(struct io_datagram *d)
{
    LIST_EACH_SAFE(it, tmp, &d->inbox)
    drop_letter(LIST_ENTRY(it, struct sim_letter, node));
    d->inbox_count = 0;
}

void io_datagram_close(struct io_datagram *d)
{
    empty_inbox(d);
    if (d->closed_flag)
        *d->closed_flag = true;
    list_remove(&d->node);
    list_remove(&d->ready.node);
    d->loop->fd_count--;
    free(d);
}

void sim_datagrams_crash(struct io_loop *loop)
{
    LIST_EACH(it, &loop->datagrams)
    empty_inbox(LIST_ENTRY(it, struct io_datagram, node));
}

void sim_datagrams_abandon(struct io_loop *loop)
{
    while (!list_is_empty(&loop->datagrams))
        io_datagram_close(LIST_ENTRY(loop->datagrams.next, struct io_datagram, node));
}

/* --- sending */

static void post(struct io_datagram *d, struct sim_host *to_host, const struct io_addr *to,
                 struct bytes data, uint64_t arrival_us)
{
    struct sim_world *w = d->loop->world;
    struct sim_letter *letter = malloc(sizeof *letter + data.size);
    CHECK(letter != NULL);
    *letter = (struct sim_letter){.event.run = on_arrival,
                                  .from_host = d->loop->host,
                                  .to_host = to_host,
                                  .to = *to,
                                  .size = data.size};
    sim_host_source(d->loop->host, to, d->addr.port, &letter->from);
    if (data.size)
        memcpy(letter->data, data.data, data.size);
    list_push_back(&w->letters, &letter->node);
    sim_queue_add(&w->queue, arrival_us, &letter->event);
}

/* The link's dice are thrown per copy: a duplicate has a jitter, and a fate, of its own. */
static void send_copy(struct io_datagram *d, struct sim_host *to_host, const struct io_addr *to,
                      struct bytes data)
{
    struct sim_host *from = d->loop->host;
    struct rng *rng = &from->world->rng;
    const struct sim_path *path = sim_path_of(from->world, from, to_host);
    uint64_t arrival_us;
    enum sim_departure departure =
        sim_net_depart(from, to_host, data.size + HEADERS_SIZE, QUEUE_MAX_US, &arrival_us);
    if (departure == SIM_CLOGGED)
        d->dropped++;
    if (departure != SIM_UNDER_WAY)
        return;
    if (path->link.loss > 0 && rng_chance(rng, path->link.loss))
        return;
    if (path->link.datagram_loss > 0 && rng_chance(rng, path->link.datagram_loss))
        return;
    if (path->link.reorder > 0 && rng_chance(rng, path->link.reorder))
        arrival_us += rng_below(rng, 4 * path->latency_us + REORDER_EXTRA_US);
    post(d, to_host, to, data, arrival_us);
}

void io_datagram_send(struct io_datagram *d, const struct io_addr *to, struct bytes data)
{
    CHECK(data.size <= IO_DATAGRAM_SIZE_MAX);
    struct sim_host *from = d->loop->host;
    struct sim_host *to_host = d->loop->is_dead ? NULL : sim_host_by_addr(from, to);
    if (!to_host)
        return;
    const struct sim_path *path = sim_path_of(from->world, from, to_host);
    send_copy(d, to_host, to, data);
    if (path->link.duplicate > 0 && rng_chance(&from->world->rng, path->link.duplicate))
        send_copy(d, to_host, to, data);
}
