/* Is the peer there, and how far? While a stream is open a ping every MESH_PING_INTERVAL_MS,
 * whether or not the last one was answered: it is a sign of life to the peer, whose own pings may
 * wait behind a long write queue. While none is, one now and then keeps the way open. The answer
 * gives the round trip. One unanswered for long makes the peer late, then cuts the link, unless
 * bytes of any kind came since. If this process itself was paused, the silence may be its own: the
 * wait begins again. */
#include "node/mesh/core.h"

#define RTT_WEIGHT 8 /* RFC 6298: alpha = 1/8 */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t remaining(uint64_t deadline_ms, uint64_t now_ms)
{
    return deadline_ms > now_ms ? deadline_ms - now_ms : MESH_PING_INTERVAL_MS;
}

static uint64_t cut_at_ms(const struct link *l)
{
    return later(l->ping.asked_ms, l->read_ms) + MESH_PING_TIMEOUT_MS;
}

static bool is_busy(const struct link *l)
{
    return l->ping.is_unanswered || l->state == LINK_DRAINING || h2_stream_count(l->client) > 0 ||
           h2_stream_count(l->server) > 0;
}

static uint64_t interval_ms(const struct link *l)
{
    return is_busy(l) ? MESH_PING_INTERVAL_MS : MESH_KEEPALIVE_MS;
}

/* The next ping, or the moment before it at which something must be judged. */
static uint64_t next_delay_ms(const struct link *l, uint64_t now_ms)
{
    uint64_t ask_ms = l->ping.last_ms + interval_ms(l);
    uint64_t delay_ms = ask_ms > now_ms ? ask_ms - now_ms : 0;
    if (!l->ping.is_unanswered)
        return delay_ms;
    uint64_t suspect_ms = remaining(l->ping.asked_ms + MESH_SUSPECT_MS, now_ms);
    uint64_t cut_ms = remaining(cut_at_ms(l), now_ms);
    delay_ms = suspect_ms < delay_ms ? suspect_ms : delay_ms;
    return cut_ms < delay_ms ? cut_ms : delay_ms;
}

static void ask(struct link *l, uint64_t now_ms)
{
    struct link_ping *p = &l->ping;
    if (!p->is_unanswered) {
        p->is_unanswered = true;
        p->first_id = p->next_id;
        p->asked_ms = now_ms;
    }
    p->is_due = true;
    p->last_ms = now_ms;
    link_output(l);
}

uint64_t link_ping_take(struct link *l)
{
    struct link_ping *p = &l->ping;
    uint64_t id = p->next_id++;
    p->is_due = false;
    p->sent[id % LINK_PINGS_KEPT].us = io_now_us(l->mesh->cfg.loop);
    p->sent[id % LINK_PINGS_KEPT].ms = mesh_now_ms(l->mesh);
    return id;
}

/* Asked by the timer, and before bytes are read: whichever the loop does first after a pause. */
void link_ping_notice_stall(struct link *l)
{
    uint64_t now_ms = mesh_now_ms(l->mesh);
    if (!l->ping.due_ms || now_ms <= l->ping.due_ms + MESH_PING_INTERVAL_MS)
        return;
    l->ping.asked_ms = l->ping.due_ms = now_ms;
    l->mesh->stalled_ms = now_ms;
}

static enum err judge(const struct link *l, uint64_t now_ms)
{
    if (l->ping.is_unanswered && now_ms >= cut_at_ms(l))
        return ERR_TIMEOUT;
    if (io_wall_ms(l->mesh->cfg.loop) > l->not_after_ms + CERT_SKEW_MS)
        return ERR_CERT_EXPIRED;
    return ERR_OK;
}

static void on_tick(struct io_timer *timer);

static void await_tick(struct link *l, uint64_t delay_ms)
{
    l->ping.due_ms = mesh_now_ms(l->mesh) + delay_ms;
    io_timer_start(l->mesh->cfg.loop, &l->ping.timer, delay_ms, on_tick);
}

static void on_tick(struct io_timer *timer)
{
    struct link *l = LIST_ENTRY(timer, struct link, ping.timer);
    uint64_t now_ms = mesh_now_ms(l->mesh);
    link_ping_notice_stall(l);
    enum err e = judge(l, now_ms);
    if (e != ERR_OK) {
        link_end(l, e);
        return;
    }
    if (now_ms - l->ping.last_ms >= interval_ms(l))
        ask(l, now_ms);
    if (l->state == LINK_DRAINING)
        link_output(l); /* sees whether the last stream has ended */
    await_tick(l, next_delay_ms(l, now_ms));
    peer_refresh(l->peer);
}

void link_ping_start(struct link *l)
{
    ask(l, mesh_now_ms(l->mesh));
    await_tick(l, MESH_PING_INTERVAL_MS);
}

void link_ping_wake(struct link *l)
{
    uint64_t now_ms = mesh_now_ms(l->mesh);
    l->used_ms = now_ms;
    link_ping_notice_stall(l);
    if (l->ping.due_ms <= now_ms + MESH_PING_INTERVAL_MS)
        return;
    if (now_ms - l->ping.last_ms >= MESH_PING_INTERVAL_MS)
        ask(l, now_ms);
    await_tick(l, next_delay_ms(l, now_ms));
}

void link_ping_stop(struct link *l)
{
    io_timer_stop(&l->ping.timer);
}

static void measure(struct link *l, uint64_t sent_us)
{
    struct peer *p = l->peer;
    uint64_t rtt_us = later(io_now_us(l->mesh->cfg.loop) - sent_us, 1);
    gossip_driver_tell_rtt(p, rtt_us);
    if (p->link == l)
        p->rtt_us = p->rtt_us ? (p->rtt_us * (RTT_WEIGHT - 1) + rtt_us) / RTT_WEIGHT : rtt_us;
}

/* Pings up to this one are answered; the next one, if it was written, is the oldest unanswered. */
static void settle(struct link *l, uint64_t id)
{
    struct link_ping *p = &l->ping;
    p->first_id = id + 1;
    p->is_unanswered = p->first_id < p->next_id;
    if (p->is_unanswered && p->next_id - p->first_id <= LINK_PINGS_KEPT)
        p->asked_ms = later(p->sent[p->first_id % LINK_PINGS_KEPT].ms, l->mesh->stalled_ms);
}

void link_ping_on_pong(struct link *l, struct bytes body)
{
    struct link_ping *p = &l->ping;
    uint64_t id = 0;
    for (size_t i = 0; i < body.size; i++)
        id = id << 8 | body.data[i];
    if (!p->is_unanswered || id < p->first_id || id >= p->next_id)
        return;
    if (p->next_id - id <= LINK_PINGS_KEPT)
        measure(l, p->sent[id % LINK_PINGS_KEPT].us);
    settle(l, id);
    peer_refresh(l->peer);
}

bool link_ping_is_late(const struct link *l)
{
    return l->ping.is_unanswered && mesh_now_ms(l->mesh) - l->ping.asked_ms >= MESH_SUSPECT_MS;
}
