/* The network: what each directed pair of hosts does to packets, and the scenario's hands on it.
 * Stream and datagram files ask it when a packet arrives, and again whether it does. */
#include "tests/sim/io/conn.h"

#define LATENCY_LEAST_US 1 /* nothing arrives at the instant it is sent: time must pass in a loop */

enum sim_departure sim_net_depart(struct sim_host *from, struct sim_host *to, size_t size,
                                  uint64_t queue_max_us, uint64_t *ret_arrival_us)
{
    struct sim_world *w = from->world;
    struct sim_path *path = sim_path_of(w, from, to);
    if (path->is_blocked || !from->is_powered)
        return SIM_LOST;
    uint64_t leaves_us = path->free_us > w->now_us ? path->free_us : w->now_us;
    if (path->link.bytes_per_s && size) {
        if (leaves_us - w->now_us > queue_max_us)
            return SIM_CLOGGED;
        leaves_us += (size * 1000000 + path->link.bytes_per_s - 1) / path->link.bytes_per_s;
        path->free_us = leaves_us;
    }
    uint64_t jitter_us =
        path->link.jitter_us ? rng_below(&w->rng, (uint64_t)path->link.jitter_us + 1) : 0;
    *ret_arrival_us = leaves_us + path->latency_us + jitter_us;
    return SIM_UNDER_WAY;
}

bool sim_net_arrives(struct sim_host *from, struct sim_host *to)
{
    return to->is_powered && !sim_path_of(from->world, from, to)->is_blocked;
}

/* --- faults: each changes every pair that the two names mean */

struct change {
    const struct sim_link *link; /* NULL: blocks or heals */
    bool is_blocked;
};

static void change_path(struct sim_world *w, struct sim_host *from, struct sim_host *to,
                        const struct change *change)
{
    struct sim_path *path = sim_path_of(w, from, to);
    if (change->link) {
        path->link = *change->link;
        path->latency_us =
            rng_between(&w->rng, path->link.latency_min_us, path->link.latency_max_us);
        if (path->latency_us < LATENCY_LEAST_US)
            path->latency_us = LATENCY_LEAST_US;
        TRACE(w->config.trace, from->name, "link_set", LOG_STR("to", to->name),
              LOG_UINT("latency_us", path->latency_us));
        return;
    }
    if (from == to || path->is_blocked == change->is_blocked)
        return;
    path->is_blocked = change->is_blocked;
    TRACE(w->config.trace, from->name, change->is_blocked ? "link_blocked" : "link_healed",
          LOG_STR("to", to->name));
}

static void change_paths(struct sim_world *w, const char *from, const char *to,
                         const struct change *change)
{
    if (from && to) {
        change_path(w, sim_host_find(w, from), sim_host_find(w, to), change);
        return;
    }
    const struct sim_host *only_from = from ? sim_host_find(w, from) : NULL;
    const struct sim_host *only_to = to ? sim_host_find(w, to) : NULL;
    for (size_t i = 0; i < w->host_count; i++)
        for (size_t k = 0; k < w->host_count; k++)
            if (i != k && (!only_from || only_from == w->hosts[i]) &&
                (!only_to || only_to == w->hosts[k]))
                change_path(w, w->hosts[i], w->hosts[k], change);
}

void sim_link_set(struct sim_world *world, const char *from, const char *to,
                  const struct sim_link *link)
{
    CHECK(link->latency_min_us <= link->latency_max_us);
    change_paths(world, from, to, &(struct change){.link = link});
}

void sim_link_block(struct sim_world *world, const char *from, const char *to)
{
    change_paths(world, from, to, &(struct change){.is_blocked = true});
}

void sim_link_heal(struct sim_world *world, const char *from, const char *to)
{
    change_paths(world, from, to, &(struct change){.is_blocked = false});
}

void sim_partition(struct sim_world *world, const char *a, const char *b)
{
    sim_link_block(world, a, b);
    sim_link_block(world, b, a);
}

void sim_heal(struct sim_world *world, const char *a, const char *b)
{
    sim_link_heal(world, a, b);
    sim_link_heal(world, b, a);
}

static bool is_end_on(const struct io_stream *s, const struct sim_host *h)
{
    return !h || s->host == h;
}

/* Both ends forget; those who are told see a reset in their next turn. */
static void break_conn(struct sim_conn *c, struct io_stream *first, enum sim_reset which)
{
    struct io_stream *second = sim_end_peer(first);
    sim_conn_ref(c);
    sim_conn_fail(first, ERR_RESET);
    if (which == SIM_RESET_BOTH)
        sim_conn_fail(second, ERR_RESET);
    sim_conn_unref(c);
}

void sim_streams_reset(struct sim_world *world, const char *a, const char *b, double probability,
                       enum sim_reset which)
{
    const struct sim_host *host_a = a ? sim_host_find(world, a) : NULL;
    const struct sim_host *host_b = b ? sim_host_find(world, b) : NULL;
    LIST_EACH_SAFE(it, tmp, &world->conns)
    {
        struct sim_conn *c = LIST_ENTRY(it, struct sim_conn, node);
        struct io_stream *client = &c->ends[0], *server = &c->ends[1];
        if (client->state != SIM_END_OPEN || server->state != SIM_END_OPEN)
            continue;
        bool forth = is_end_on(client, host_a) && is_end_on(server, host_b);
        bool back = is_end_on(server, host_a) && is_end_on(client, host_b);
        if ((!forth && !back) || !rng_chance(&world->rng, probability))
            continue;
        TRACE(world->config.trace, client->host->name, "stream_broken", LOG_UINT("stream", c->id),
              LOG_STR("to", server->host->name));
        break_conn(c, forth ? client : server, which);
    }
}
