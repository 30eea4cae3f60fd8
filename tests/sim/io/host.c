/* Hosts: creation, addresses, faults of one machine. A host stays for ever, its process (the loop,
 * loop.c) comes and goes. Called by scenarios; the address rules by the files of the kernel half.
 * */
#include "tests/sim/io/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define PORT_FIRST 32768
#define PORT_LAST 60999
#define MONO_OFFSET_MAX_US (48ull * 3600 * 1000 * 1000)

static struct sim_host *find(struct sim_world *w, const char *name)
{
    for (size_t i = 0; i < w->host_count; i++)
        if (strcmp(w->hosts[i]->name, name) == 0)
            return w->hosts[i];
    return NULL;
}

struct sim_host *sim_host_find(struct sim_world *w, const char *name)
{
    struct sim_host *h = find(w, name);
    CHECK(h != NULL);
    return h;
}

static void make_key(const struct io_addr *ip, uint8_t ret_key[SIM_IP_KEY_SIZE])
{
    ret_key[0] = (uint8_t)ip->family;
    memcpy(ret_key + 1, ip->ip, 16);
}

enum err sim_ip_parse(const char *ip, struct io_addr *ret_ip)
{
    char text[IO_ADDR_TEXT_SIZE];
    bool is_ipv6 = strchr(ip, ':') != NULL;
    if (strlen(ip) + sizeof "[]:0" > sizeof text)
        return ERR_INVALID;
    snprintf(text, sizeof text, "%s%s%s:0", is_ipv6 ? "[" : "", ip, is_ipv6 ? "]" : "");
    return io_addr_parse(bytes_from_str(text), ret_ip);
}

static void init_paths(struct sim_world *w, struct sim_host *h)
{
    sim_link_set(w, h->name, h->name, &w->config.local);
    for (size_t i = 0; i < h->index; i++) {
        sim_link_set(w, h->name, w->hosts[i]->name, &w->config.link);
        sim_link_set(w, w->hosts[i]->name, h->name, &w->config.link);
    }
}

static enum err add_host(struct sim_world *w, const char *name, const char *ip,
                         struct sim_host **ret_host)
{
    if (w->host_count == SIM_HOSTS_MAX)
        return ERR_LIMIT;
    struct io_addr addr;
    char next_ip[32];
    size_t number = w->host_count + 1;
    snprintf(next_ip, sizeof next_ip, "10.0.%zu.%zu", number / 256, number % 256);
    TRY(sim_ip_parse(ip ? ip : next_ip, &addr));
    struct sim_host *h = calloc(1, sizeof *h);
    if (!h)
        return ERR_NO_MEMORY;
    h->world = w;
    h->index = w->host_count;
    h->ip = addr;
    h->fd_max = SIZE_MAX;
    h->next_port = PORT_FIRST;
    bytes_to_str(bytes_from_str(name), h->name, sizeof h->name);
    make_key(&addr, h->ip_key);
    struct bytes key = bytes_of(h->ip_key, sizeof h->ip_key);
    enum err e = map_get(&w->hosts_by_ip, key) ? ERR_EXISTS : map_put(&w->hosts_by_ip, key, h);
    if (e != ERR_OK) {
        free(h);
        return e;
    }
    w->hosts[w->host_count++] = h;
    init_paths(w, h);
    *ret_host = h;
    return ERR_OK;
}

enum err sim_host_create(struct sim_world *world, const char *name, const char *ip,
                         struct io_loop **ret_loop)
{
    CHECK(name[0] && strlen(name) < SIM_NAME_SIZE);
    struct sim_host *h = find(world, name);
    if (h && h->loop)
        return ERR_EXISTS;
    if (!h)
        TRY(add_host(world, name, ip, &h));
    struct io_loop *loop;
    TRY(sim_loop_create(h, &loop));
    h->loop = loop;
    h->is_powered = true;
    h->is_paused = false;
    h->mono_offset_us = 1000 * 1000 + rng_below(&world->rng, MONO_OFFSET_MAX_US);
    char ip_text[IO_ADDR_TEXT_SIZE];
    io_addr_to_text(&h->ip, ip_text);
    TRACE(world->config.trace, h->name, "host_up", LOG_STR("ip", ip_text));
    *ret_loop = loop;
    return ERR_OK;
}

struct io_loop *sim_host_loop(struct sim_world *world, const char *name)
{
    return sim_host_find(world, name)->loop;
}

const char *sim_host_name(const struct io_loop *loop)
{
    return loop->host->name;
}

void sim_host_ip(struct sim_world *world, const char *name, struct io_addr *ret_ip)
{
    *ret_ip = sim_host_find(world, name)->ip;
}

uint16_t sim_host_next_port(struct sim_host *h)
{
    uint16_t port = h->next_port;
    h->next_port = port == PORT_LAST ? PORT_FIRST : (uint16_t)(port + 1);
    return port;
}

/* --- addresses */

struct sim_host *sim_host_by_addr(struct sim_host *self, const struct io_addr *a)
{
    if (io_addr_is_loopback(a) || io_addr_is_any(a))
        return self;
    uint8_t key[SIM_IP_KEY_SIZE];
    make_key(a, key);
    return map_get(&self->world->hosts_by_ip, bytes_of(key, sizeof key));
}

static bool is_same_ip(const struct io_addr *a, const struct io_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == IO_IPV4 ? 4 : 16) == 0;
}

bool sim_host_owns(const struct sim_host *h, const struct io_addr *a)
{
    return io_addr_is_loopback(a) || io_addr_is_any(a) || is_same_ip(&h->ip, a);
}

bool sim_addr_hears(const struct io_addr *bound, const struct io_addr *to)
{
    if (bound->family == IO_UNIX || to->family == IO_UNIX)
        return bound->family == to->family && strcmp(bound->path, to->path) == 0;
    if (bound->port != to->port)
        return false;
    if (io_addr_is_any(bound)) /* :: hears IPv4, too */
        return bound->family == IO_IPV6 || to->family == IO_IPV4;
    return is_same_ip(bound, to) || (io_addr_is_any(to) && io_addr_is_loopback(bound));
}

void sim_host_source(const struct sim_host *h, const struct io_addr *to, uint16_t port,
                     struct io_addr *ret_from)
{
    struct io_addr from = h->ip;
    if (to->family == IO_UNIX)
        from = (struct io_addr){.family = IO_UNIX};
    else if (io_addr_is_loopback(to))
        from = *to;
    if (to->family != IO_UNIX)
        from.port = port;
    *ret_from = from;
}

/* --- faults */

void sim_host_pause(struct sim_world *world, const char *name)
{
    struct sim_host *h = sim_host_find(world, name);
    if (h->is_paused || !h->loop || h->loop->is_dead)
        return;
    h->is_paused = true;
    sim_loop_sleep(h->loop);
    TRACE(world->config.trace, h->name, "host_paused", LOG_BOOL("paused", true));
}

void sim_host_resume(struct sim_world *world, const char *name)
{
    struct sim_host *h = sim_host_find(world, name);
    if (!h->is_paused)
        return;
    h->is_paused = false;
    TRACE(world->config.trace, h->name, "host_paused", LOG_BOOL("paused", false));
    if (h->loop)
        sim_loop_wake(h->loop);
}

void sim_host_crash(struct sim_world *world, const char *name, enum sim_crash how)
{
    static const char *const words[] = {"kill", "reset", "power"};
    struct sim_host *h = sim_host_find(world, name);
    CHECK(h->loop != NULL);
    if (h->loop->is_dead)
        return;
    TRACE(world->config.trace, h->name, "host_crashed", LOG_STR("how", words[how]));
    h->is_paused = false;
    h->loop->is_dead = true;
    sim_loop_sleep(h->loop);
    sim_conns_crash(h, how);
    sim_datagrams_crash(h->loop);
    h->is_powered = how != SIM_CRASH_POWER;
}

void sim_loop_abandon(struct io_loop *loop)
{
    CHECK(loop->is_dead && !loop->is_in_turn);
    sim_listeners_abandon(loop);
    sim_datagrams_abandon(loop);
    sim_works_abandon(loop);
    sim_streams_close(&loop->streams);
    loop->timers.count = 0;
    sim_loop_free(loop);
}

void sim_host_step_clock(struct sim_world *world, const char *name, int64_t by_ms)
{
    struct sim_host *h = sim_host_find(world, name);
    h->wall_offset_ms += by_ms;
    TRACE(world->config.trace, h->name, "clock_stepped", LOG_INT("by_ms", by_ms));
}

void sim_host_limit_fds(struct sim_world *world, const char *name, size_t count_max)
{
    sim_host_find(world, name)->fd_max = count_max;
}

void sim_host_refuse(struct sim_world *world, const char *name, bool refuses)
{
    sim_host_find(world, name)->is_refusing = refuses;
}
