/* io_stream_*: the user's half of a stream. Twin of node/io/uv_stream.c. The kernel half (conn.c,
 * connect.c) posts `ready`; the user is told in its loop's next turn, from on_ready only. */
#include "tests/sim/io/conn.h"

static void on_ready(struct sim_ready *ready);
static void on_linger(struct sim_world *world, struct sim_event *event);

void sim_stream_init(struct io_stream *s)
{
    list_init(&s->node);
    sim_ready_init(&s->ready, on_ready);
    s->retry.run = sim_conn_on_retry;
    s->linger.run = on_linger;
}

void sim_stream_attach(struct io_stream *s, struct io_loop *loop)
{
    s->loop = loop;
    list_push_back(&loop->streams, &s->node);
}

enum err io_connect(struct io_loop *loop, const struct io_addr *addr,
                    const struct io_stream_ops *ops, void *owner, struct io_stream **ret_stream)
{
    CHECK(addr->family != IO_NONE);
    TRY(sim_loop_take_fd(loop));
    struct sim_conn *c;
    enum err e = sim_conn_create(loop->world, &c);
    if (e != ERR_OK) {
        loop->fd_count--;
        return e;
    }
    struct io_stream *s = &c->ends[0];
    c->target = *addr;
    s->peer = *addr;
    if (addr->family == IO_UNIX)
        s->peer = (struct io_addr){.family = IO_UNIX};
    s->host = loop->host;
    io_stream_set(s, ops, owner);
    sim_stream_attach(s, loop);
    sim_conn_start(s);
    *ret_stream = s;
    return ERR_OK;
}

void io_stream_set(struct io_stream *s, const struct io_stream_ops *ops, void *owner)
{
    s->ops = ops;
    s->owner = owner;
}

void io_stream_read(struct io_stream *s)
{
    s->is_reading = true;
    sim_ready_post(s->loop, &s->ready);
}

void io_stream_pause(struct io_stream *s)
{
    s->is_reading = false;
}

void io_stream_peer(const struct io_stream *s, struct io_addr *ret_addr)
{
    *ret_addr = s->peer;
}

/* --- writing */

size_t io_stream_queued(const struct io_stream *s)
{
    return (size_t)(s->out.total - s->out.taken);
}

static enum err append(struct io_stream *s, const struct bytes *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(sim_pipe_append(&s->out, parts[i]));
    return ERR_OK;
}

/* The kernel may take less than it has room for; the rest goes in the next turn. */
static bool take_short(struct io_stream *s)
{
    struct sim_world *w = s->conn->world;
    uint64_t size = s->out.total - s->out.taken;
    uint64_t acked = s->out.acked < s->out.total ? s->out.acked : s->out.total;
    uint64_t room = acked + w->config.send_buffer_bytes - s->out.taken;
    if (s->had_queue || s->state != SIM_END_OPEN || size < 2 || room < size ||
        !rng_chance(&w->rng, w->config.short_write))
        return false;
    s->out.taken += rng_below(&w->rng, size);
    s->write_due = true;
    sim_ready_post(s->loop, &s->ready);
    return true;
}

void io_stream_write(struct io_stream *s, const struct bytes *parts, size_t count)
{
    CHECK(count <= IO_PARTS_MAX);
    if (s->loop->is_dead || s->is_finishing)
        return;
    if (s->state == SIM_END_GONE) { /* broken: the user learns it from the loop */
        s->has_noticed = true;
        sim_ready_post(s->loop, &s->ready);
        return;
    }
    enum err e = append(s, parts, count);
    if (e == ERR_OK && !s->write_due && !take_short(s))
        sim_conn_take(s);
    if (e == ERR_OK && io_stream_queued(s) > IO_QUEUE_MAX)
        e = ERR_LIMIT;
    if (e != ERR_OK) {
        s->has_noticed = true;
        sim_conn_send(s, SIM_RST, 0, 0);
        sim_conn_fail(s, e);
        return;
    }
    sim_conn_transmit(s);
    s->had_queue = s->out.taken < s->out.total;
}

void io_stream_finish(struct io_stream *s)
{
    if (s->is_finishing || s->loop->is_dead)
        return;
    s->is_finishing = true;
    sim_conn_transmit(s);
}

/* --- ending */

static void detach(struct io_stream *s)
{
    struct sim_conn *c = s->conn;
    struct io_loop *loop = s->loop;
    list_remove(&s->node);
    list_remove(&s->ready.node);
    sim_queue_remove(&c->world->queue, &s->linger);
    s->ops = NULL;
    loop->fd_count--;
    s->loop = NULL;
}

void io_stream_close(struct io_stream *s)
{
    if (!s)
        return;
    CHECK(s->loop != NULL);
    detach(s);
    sim_conn_close(s);
    sim_conn_unref(s->conn);
}

void io_stream_reset(struct io_stream *s)
{
    if (s && s->state == SIM_END_OPEN && !s->loop->is_dead)
        sim_conn_reset(s);
    io_stream_close(s);
}

void sim_streams_close(struct list *streams)
{
    while (!list_is_empty(streams))
        io_stream_close(LIST_ENTRY(streams->next, struct io_stream, node));
}

void io_stream_close_gracefully(struct io_stream *s, uint64_t linger_ms)
{
    struct sim_world *w = s->conn->world;
    if (s->state == SIM_END_GONE || s->loop->is_dead || linger_ms == 0) {
        io_stream_close(s);
        return;
    }
    io_stream_finish(s);
    s->ops = NULL;
    s->is_lingering = true;
    list_remove(&s->node);
    list_push_back(&s->loop->lingering, &s->node);
    sim_queue_add(&w->queue, w->now_us + linger_ms * 1000, &s->linger);
    sim_ready_post(s->loop, &s->ready);
}

static void on_linger(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    struct io_stream *s = LIST_ENTRY(event, struct io_stream, linger);
    s->linger_due = true;
    sim_ready_post(s->loop, &s->ready);
}

static bool has_all(struct io_stream *s)
{
    const struct io_stream *peer = sim_end_peer(s);
    return peer->is_finishing && peer->out.arrived > peer->out.total;
}

static void linger(struct io_stream *s)
{
    struct sim_pipe *in = &sim_end_peer(s)->out;
    s->open_due = s->drain_due = false;
    if (s->write_due) {
        s->write_due = false;
        sim_conn_take(s);
        sim_conn_transmit(s);
    }
    sim_pipe_consume(in, sim_pipe_unread(in));
    sim_conn_tell_window(s, false);
    bool is_done = has_all(s) && s->out.acked > s->out.total;
    if (s->linger_due || s->state == SIM_END_GONE || is_done)
        io_stream_close(s);
}

/* --- telling the user: each step only while it still listens */

static void tell_open(struct io_stream *s)
{
    if (!s->open_due)
        return;
    s->open_due = false;
    s->fail_told = !s->is_established;
    if (s->ops && s->ops->on_open)
        s->ops->on_open(s->owner, s->is_established ? ERR_OK : s->fail);
}

static void tell_drain(struct io_stream *s)
{
    if (s->write_due) {
        s->write_due = false;
        sim_conn_take(s);
        sim_conn_transmit(s);
    }
    if (!s->drain_due)
        return;
    s->drain_due = false;
    if (io_stream_queued(s) == 0 && s->state == SIM_END_OPEN && s->ops && s->ops->on_drain)
        s->ops->on_drain(s->owner);
}

/* Where a read ends is the network's whim: parsers must see every split. */
static size_t choose_size(struct sim_world *w, size_t unread)
{
    size_t size = unread < IO_READ_SIZE ? unread : IO_READ_SIZE;
    if (size < 2 || !rng_chance(&w->rng, w->config.split))
        return size;
    uint64_t bound = 1ull << rng_between(&w->rng, 0, 14); /* sizes of every order of magnitude */
    uint64_t chosen = 1 + rng_below(&w->rng, bound);
    return chosen < size ? (size_t)chosen : size;
}

static void tell_read(struct io_stream *s)
{
    struct sim_pipe *in = &sim_end_peer(s)->out;
    struct sim_world *w = s->conn->world;
    struct io_loop *loop = s->loop;
    size_t unread = (size_t)sim_pipe_unread(in);
    if (!s->is_reading || unread == 0 || s->fail_told)
        return;
    size_t size = choose_size(w, unread);
    memcpy(loop->read_buffer, in->data + in->head, size);
    sim_pipe_consume(in, size);
    sim_conn_tell_window(s, false);
    if (w->config.trace_packets)
        TRACE(w->config.trace, s->host->name, "read", LOG_UINT("stream", s->conn->id),
              LOG_UINT("size", size));
    if (s->ops && s->ops->on_read)
        s->ops->on_read(s->owner, bytes_of(loop->read_buffer, size));
    memset(loop->read_buffer, 0xdb, size); /* it was lent for the call */
}

static void tell_eof(struct io_stream *s)
{
    if (!s->is_reading || s->eof_told || s->fail != ERR_OK || !has_all(s) ||
        sim_pipe_unread(&sim_end_peer(s)->out) > 0)
        return;
    s->eof_told = true;
    if (s->ops && s->ops->on_eof)
        s->ops->on_eof(s->owner);
}

/* As from a real socket, a failure shows when the user reads, then after what had arrived, or when
 * it has tried to write. */
static void tell_fail(struct io_stream *s)
{
    bool reads_on = s->is_reading && !s->eof_told;
    bool shows = reads_on ? sim_pipe_unread(&sim_end_peer(s)->out) == 0 : s->has_noticed;
    if (s->fail == ERR_OK || s->fail_told || !shows)
        return;
    s->fail_told = true;
    if (s->ops && s->ops->on_fail)
        s->ops->on_fail(s->owner, s->fail);
}

static void tell_rest_later(struct io_stream *s)
{
    bool more = sim_pipe_unread(&sim_end_peer(s)->out) > 0 || s->fail != ERR_OK ||
                (has_all(s) && !s->eof_told);
    if (s->is_reading && more && !s->fail_told && !s->eof_told)
        sim_ready_post(s->loop, &s->ready);
}

static void on_ready(struct sim_ready *ready)
{
    static void (*const steps[])(struct io_stream * s) = {tell_open, tell_drain, tell_read,
                                                          tell_eof,  tell_fail,  tell_rest_later};
    struct io_stream *s = LIST_ENTRY(ready, struct io_stream, ready);
    struct io_loop *loop = s->loop;
    struct sim_conn *c = s->conn;
    sim_conn_ref(c);
    if (s->is_lingering)
        linger(s);
    else
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
            if (s->loop && !loop->is_dead && !s->is_lingering)
                steps[i](s);
    sim_conn_unref(c);
}
