/* How connections open and break. conn.c carries their bytes in between; stream.c and listener.c
 * are their users, net.c and host.c break them from outside.
 *
 *   NONE ──SYN, a listener──> OPEN ──┐
 *   CONNECTING ──SYN_ACK──> OPEN ────┴──RST, silence, closed and acknowledged──> GONE */
#include "tests/sim/io/conn.h"

#define ORPHAN_MAX_US (60 * 1000000ull)
#define UNREACHABLE_MAX_US 20000

void sim_conn_start(struct io_stream *s)
{
    struct sim_conn *c = s->conn;
    struct sim_world *w = c->world;
    struct sim_host *to = sim_host_by_addr(s->host, &c->target);
    char text[IO_ADDR_TEXT_SIZE];
    io_addr_to_text(&c->target, text);
    TRACE(w->config.trace, s->host->name, "connect", LOG_UINT("stream", c->id),
          LOG_STR("addr", text));
    s->state = SIM_END_CONNECTING;
    sim_conn_ref(c);
    sim_end_peer(s)->host = to;
    if (!to) {
        s->give_up_us = w->now_us + rng_between(&w->rng, 1, UNREACHABLE_MAX_US);
        sim_queue_add(&w->queue, s->give_up_us, &s->retry);
        return;
    }
    s->retry_count = 2; /* a SYN is repeated after about a second */
    sim_queue_add(&w->queue, w->now_us + rng_between(&w->rng, 900000, 1100000), &s->retry);
    sim_conn_send(s, SIM_SYN, 0, 0);
}

static void open_end(struct io_stream *s)
{
    uint32_t window_bytes = s->conn->world->config.window_bytes;
    s->state = SIM_END_OPEN;
    s->is_established = true;
    s->give_up_us = 0;
    s->retry_count = 0;
    s->out.credit = window_bytes;
    sim_end_peer(s)->out.told = window_bytes;
    sim_queue_remove(&s->conn->world->queue, &s->retry);
}

static void on_syn(struct io_stream *s)
{
    struct sim_conn *c = s->conn;
    struct io_loop *loop = s->host->loop;
    if (s->state == SIM_END_OPEN) {
        sim_conn_send(s, SIM_SYN_ACK, 0, 0);
        return;
    }
    struct io_listener *l = loop && !loop->is_dead ? sim_listener_find(loop, &c->target) : NULL;
    if (!l || s->host->is_refusing) {
        TRACE(c->world->config.trace, s->host->name, "connect_refused", LOG_UINT("stream", c->id));
        sim_conn_send(s, SIM_RST, 0, 0);
        return;
    }
    struct sim_host *client = sim_end_peer(s)->host;
    if (!sim_listener_push(l, s))
        return;
    sim_host_source(client, &c->target, sim_host_next_port(client), &s->peer);
    sim_conn_ref(c);
    open_end(s);
    TRACE(c->world->config.trace, s->host->name, "stream_accepted", LOG_UINT("stream", c->id),
          LOG_STR("from", client->name));
    sim_conn_send(s, SIM_SYN_ACK, 0, 0);
}

void sim_conn_on_open_packet(struct io_stream *s, enum sim_packet_kind kind)
{
    if (kind == SIM_SYN) {
        on_syn(s);
        return;
    }
    if (s->state != SIM_END_CONNECTING)
        return;
    open_end(s);
    s->open_due = true;
    sim_ready_post(s->loop, &s->ready);
    sim_conn_take(s);
    sim_conn_transmit(s);
}

void sim_conn_on_reset(struct io_stream *s)
{
    if (s->state != SIM_END_CONNECTING)
        sim_conn_fail(s, ERR_RESET);
    else if (s->conn->target.family == IO_UNIX && !s->host->is_refusing)
        sim_conn_fail(s, ERR_NOT_FOUND); /* a listener's socket file goes with it */
    else
        sim_conn_fail(s, ERR_REFUSED);
}

void sim_conn_gone(struct io_stream *s)
{
    bool was_known = s->state == SIM_END_CONNECTING || s->state == SIM_END_OPEN;
    s->state = SIM_END_GONE;
    sim_queue_remove(&s->conn->world->queue, &s->retry);
    if (was_known)
        sim_conn_unref(s->conn);
}

void sim_conn_fail(struct io_stream *s, enum err e)
{
    struct sim_world *w = s->conn->world;
    struct sim_pipe *in = &sim_end_peer(s)->out;
    if (s->state == SIM_END_NONE || s->state == SIM_END_GONE)
        return;
    TRACE(w->config.trace, s->host->name, "stream_failed", LOG_UINT("stream", s->conn->id),
          LOG_ERR(e));
    s->fail = e;
    s->open_due |= s->state == SIM_END_CONNECTING;
    /* A loop polls for what its user waits for: to write on, or for a FIN to be taken. */
    s->has_noticed |= s->out.taken < s->out.total;
    if (s->state == SIM_END_OPEN && e == ERR_RESET && rng_chance(&w->rng, w->config.reset_discards))
        sim_pipe_consume(in, sim_pipe_unread(in));
    if (s->loop)
        sim_ready_post(s->loop, &s->ready);
    sim_conn_gone(s);
}

void sim_conn_reset(struct io_stream *s)
{
    sim_conn_send(s, SIM_RST, 0, 0);
    sim_conn_gone(s);
}

void sim_conn_end_if_done(struct io_stream *s)
{
    if (s->state != SIM_END_OPEN || !sim_end_is_orphan(s) || s->out.acked <= s->out.total)
        return;
    s->is_orderly = true;
    sim_conn_gone(s);
}

void sim_conn_close(struct io_stream *s)
{
    struct sim_world *w = s->conn->world;
    if (s->state == SIM_END_CONNECTING)
        sim_conn_gone(s);
    if (s->state != SIM_END_OPEN || s->orphan_until_us)
        return;
    TRACE(w->config.trace, s->host->name, "stream_closed", LOG_UINT("stream", s->conn->id),
          LOG_UINT("unsent", s->out.total - s->out.taken));
    if (sim_pipe_unread(&sim_end_peer(s)->out) > 0) {
        sim_conn_reset(s);
        return;
    }
    s->out.total = s->out.taken;
    s->is_finishing = true;
    s->orphan_until_us = w->now_us + ORPHAN_MAX_US;
    sim_conn_transmit(s);
    sim_conn_end_if_done(s);
}

static void crash_end(struct io_stream *s, enum sim_crash how)
{
    if (how == SIM_CRASH_POWER)
        sim_conn_gone(s);
    else if (s->backlog || (s->loop && how == SIM_CRASH_RESET && s->state == SIM_END_OPEN))
        sim_conn_reset(s);
    else if (s->loop)
        sim_conn_close(s);
    if (s->backlog)
        sim_listener_forget(s);
}

void sim_conns_crash(struct sim_host *h, enum sim_crash how)
{
    LIST_EACH_SAFE(it, tmp, &h->world->conns)
    {
        struct sim_conn *c = LIST_ENTRY(it, struct sim_conn, node);
        sim_conn_ref(c);
        for (size_t i = 0; i < 2; i++)
            if (c->ends[i].host == h && c->ends[i].state != SIM_END_NONE)
                crash_end(&c->ends[i], how);
        sim_conn_unref(c);
    }
}
