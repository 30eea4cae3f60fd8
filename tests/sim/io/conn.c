/* The kernel half of an open stream, per end: what it took from its user goes out in segments as
 * far as the peer's window allows, is acknowledged, repeated after silence, given up after long
 * silence.
 *
 * Happy path: take -> transmit -> (DATA) receive -> (ACK) credit grows -> take...
 * Failure modes: silence (retry, then ERR_TIMEOUT), data for an end that is gone or closed (RST).
 * Opening and breaking are connect.c; the user's half is stream.c. */
#include "tests/sim/io/conn.h"

#define SEGMENT_MAX (16 * 1024)
#define RETRY_BASE_US 200000

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void sim_conn_take(struct io_stream *s)
{
    struct sim_pipe *out = &s->out;
    if (s->state != SIM_END_OPEN)
        return;
    uint64_t limit = min_u64(out->acked, out->total) + s->conn->world->config.send_buffer_bytes;
    if (limit > out->taken)
        out->taken = min_u64(out->total, limit);
    if (!s->had_queue || out->taken < out->total)
        return;
    s->had_queue = false;
    if (sim_end_is_orphan(s))
        return;
    s->drain_due = true;
    sim_ready_post(s->loop, &s->ready);
}

/* Generous: a repeat that was not needed is harmless but slows a narrow link down further. */
static uint64_t retry_delay_us(struct io_stream *s)
{
    struct sim_world *w = s->conn->world;
    struct sim_host *to = sim_end_peer(s)->host;
    const struct sim_path *path = sim_path_of(w, s->host, to);
    uint64_t pause_us = (uint64_t)RETRY_BASE_US << s->retry_count;
    pause_us = min_u64(pause_us, (uint64_t)w->config.retry_max_ms * 1000);
    uint64_t queued_us = path->free_us > w->now_us ? path->free_us - w->now_us : 0;
    return pause_us + path->latency_us + sim_path_of(w, to, s->host)->latency_us + queued_us;
}

static void arm_retry(struct io_stream *s)
{
    struct sim_world *w = s->conn->world;
    s->retry_mark = s->out.acked;
    s->was_heard = false;
    sim_queue_add(&w->queue, w->now_us + retry_delay_us(s), &s->retry);
}

void sim_conn_transmit(struct io_stream *s)
{
    struct sim_pipe *out = &s->out;
    if (s->state != SIM_END_OPEN)
        return;
    uint64_t allowed = min_u64(out->taken, out->credit);
    while (out->sent < allowed) {
        uint64_t end = min_u64(out->sent + SEGMENT_MAX, allowed);
        sim_conn_send(s, SIM_DATA, out->sent, end);
        out->sent = end;
    }
    if (s->is_finishing && out->sent == out->total) {
        sim_conn_send(s, SIM_DATA, out->total, out->total + 1);
        out->sent = out->total + 1;
    }
    bool expects_answer = out->sent > out->acked || out->taken > out->sent;
    if (expects_answer && !s->retry.heap_index)
        arm_retry(s);
}

/* The peer's window is told when data comes, and again when reading has opened a good part of it.
 * */
void sim_conn_tell_window(struct io_stream *s, bool always)
{
    struct sim_pipe *in = &sim_end_peer(s)->out;
    uint32_t window_bytes = s->conn->world->config.window_bytes;
    uint64_t credit = in->read + window_bytes;
    if (s->state != SIM_END_OPEN || (!always && credit - in->told < window_bytes / 4 + 1))
        return;
    in->told = credit;
    sim_conn_send(s, SIM_ACK, in->arrived, credit);
}

static void receive_data(struct io_stream *s, uint64_t start, uint64_t end)
{
    struct sim_pipe *in = &sim_end_peer(s)->out;
    bool is_new = start <= in->arrived && end > in->arrived;
    if (is_new)
        in->arrived = end;
    if (sim_end_is_orphan(s) && sim_pipe_unread(in) > 0) {
        sim_conn_reset(s);
        return;
    }
    sim_conn_tell_window(s, true);
    if (is_new && s->loop)
        sim_ready_post(s->loop, &s->ready);
    sim_conn_end_if_done(s);
}

static void receive_ack(struct io_stream *s, uint64_t acked, uint64_t credit)
{
    struct sim_pipe *out = &s->out;
    s->was_heard = true;
    s->give_up_us = 0;
    if (acked > out->acked)
        out->acked = acked;
    if (credit > out->credit)
        out->credit = credit;
    if (out->sent < out->acked) /* a repeat crossed its acknowledgement */
        out->sent = out->acked;
    sim_conn_take(s);
    sim_conn_transmit(s);
    if (s->is_lingering && s->loop)
        sim_ready_post(s->loop, &s->ready);
    sim_conn_end_if_done(s);
}

/* A late FIN for an end that has closed in order is acknowledged, as from TIME_WAIT. */
static void receive_when_gone(struct io_stream *s, enum sim_packet_kind kind, uint64_t start,
                              uint64_t end)
{
    struct sim_pipe *in = &sim_end_peer(s)->out;
    bool is_fin = kind == SIM_DATA && start == in->total && end > in->total;
    if (s->is_orderly && is_fin && start <= in->arrived) {
        in->arrived = end;
        sim_conn_send(s, SIM_ACK, end, in->told);
    } else if (kind != SIM_RST && kind != SIM_ACK) {
        sim_conn_send(s, SIM_RST, 0, 0);
    }
}

void sim_conn_receive(struct io_stream *s, enum sim_packet_kind kind, uint64_t start, uint64_t end)
{
    if (s->state == SIM_END_GONE)
        receive_when_gone(s, kind, start, end);
    else if (kind == SIM_SYN || kind == SIM_SYN_ACK)
        sim_conn_on_open_packet(s, kind);
    else if (kind == SIM_RST && s->state != SIM_END_NONE)
        sim_conn_on_reset(s);
    else if (s->state == SIM_END_OPEN && kind == SIM_DATA)
        receive_data(s, start, end);
    else if (s->state == SIM_END_OPEN && kind == SIM_ACK)
        receive_ack(s, start, end);
}

/* --- silence */

static void set_give_up(struct io_stream *s)
{
    struct sim_world *w = s->conn->world;
    const struct sim_config *config = &w->config;
    bool connects = s->state == SIM_END_CONNECTING;
    uint64_t min_ms = connects ? config->connect_timeout_min_ms : config->stream_timeout_min_ms;
    uint64_t max_ms = connects ? config->connect_timeout_max_ms : config->stream_timeout_max_ms;
    s->give_up_us = w->now_us + 1000 * rng_between(&w->rng, min_ms, max_ms);
}

/* Everything unacknowledged goes again; with nothing to repeat, an empty segment asks for the
 * window, in case its news was lost. */
static void repeat(struct io_stream *s)
{
    s->out.sent = s->out.acked;
    uint64_t before = s->out.sent;
    sim_conn_transmit(s);
    if (s->out.sent == before)
        sim_conn_send(s, SIM_DATA, before, before);
}

static void retry_open(struct io_stream *s)
{
    struct sim_pipe *out = &s->out;
    struct sim_world *w = s->conn->world;
    if (s->orphan_until_us && w->now_us >= s->orphan_until_us) {
        sim_conn_reset(s);
        return;
    }
    bool is_owed = out->sent > out->acked || out->taken > out->sent;
    if (!is_owed || out->acked > s->retry_mark) {
        s->retry_count = 0;
        if (is_owed) /* else the next transmit arms it again */
            arm_retry(s);
        return;
    }
    s->retry_count += s->retry_count < 16;
    if (!s->was_heard && !s->give_up_us)
        set_give_up(s);
    arm_retry(s);
    repeat(s);
}

void sim_conn_on_retry(struct sim_world *w, struct sim_event *event)
{
    struct io_stream *s = LIST_ENTRY(event, struct io_stream, retry);
    struct sim_conn *c = s->conn;
    sim_conn_ref(c);
    if (s->give_up_us && w->now_us >= s->give_up_us) {
        sim_conn_fail(s, sim_end_peer(s)->host ? ERR_TIMEOUT : ERR_UNREACHABLE);
    } else if (s->state == SIM_END_CONNECTING) {
        if (!s->give_up_us)
            set_give_up(s);
        s->retry_count += s->retry_count < 16;
        arm_retry(s);
        sim_conn_send(s, SIM_SYN, 0, 0);
    } else {
        retry_open(s);
    }
    sim_conn_unref(c);
}
