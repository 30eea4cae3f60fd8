/* The world: its creation and end, the passing of time, calls of the scenario. Hosts are host.c's,
 * the network is net.c's. Called by scenarios (world.h). */
#include "tests/sim/io/internal.h"

#include <stdlib.h>

/* Turns without time passing after which a node must be spinning. */
#define TURNS_AT_ONCE_MAX (1u << 20)

struct sim_call {
    struct sim_event event;
    struct list node;
    void (*fn)(void *ctx);
    void *ctx;
};

void sim_config_init(struct sim_config *config, uint64_t seed)
{
    *config = (struct sim_config){
        .seed = seed,
        .link = {.latency_min_us = 200, .latency_max_us = 2000, .jitter_us = 100},
        .local = {.latency_min_us = 5, .latency_max_us = 30, .jitter_us = 10},
        .window_bytes = 64 * 1024,
        .send_buffer_bytes = 64 * 1024,
        .split = 0.25,
        .short_write = 0.1,
        .reset_discards = 0.5,
        .wall_ms = 1767225600000,
        .stream_timeout_min_ms = 60 * 1000,
        .stream_timeout_max_ms = 120 * 1000,
        .connect_timeout_min_ms = 20 * 1000,
        .connect_timeout_max_ms = 130 * 1000,
        .retry_max_ms = 10 * 1000,
        .work_min_us = 50,
        .work_max_us = 20 * 1000,
        .resolve_min_us = 100,
        .resolve_max_us = 50 * 1000,
    };
}

static const uint8_t
    map_seed[16]; /* zero: maps here are only looked up, never iterated for effect */

enum err sim_world_create(const struct sim_config *config, struct sim_world **ret_world)
{
    CHECK(config->window_bytes > 0 && config->send_buffer_bytes > 0);
    struct sim_world *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    w->paths = calloc((size_t)SIM_HOSTS_MAX * SIM_HOSTS_MAX, sizeof *w->paths);
    if (!w->paths) {
        free(w);
        return ERR_NO_MEMORY;
    }
    w->config = *config;
    rng_init(&w->rng, config->seed);
    list_init(&w->runnable);
    list_init(&w->conns);
    list_init(&w->calls);
    list_init(&w->letters);
    list_init(&w->name_list);
    map_init(&w->hosts_by_ip, map_seed, SIM_HOSTS_MAX);
    map_init(&w->names, map_seed, 4096);
    *ret_world = w;
    return ERR_OK;
}

void sim_world_destroy(struct sim_world *world)
{
    if (!world)
        return;
    for (size_t i = 0; i < world->host_count; i++)
        if (world->hosts[i]->loop)
            io_loop_destroy(world->hosts[i]->loop);
    sim_conns_free(world);
    sim_letters_free(world);
    LIST_EACH_SAFE(it, tmp, &world->calls)
    free(LIST_ENTRY(it, struct sim_call, node));
    sim_names_free(world);
    map_fini(&world->names);
    map_fini(&world->hosts_by_ip);
    for (size_t i = 0; i < world->host_count; i++)
        free(world->hosts[i]);
    sim_queue_fini(&world->queue);
    free(world->paths);
    free(world);
}

uint64_t sim_world_now_us(const struct sim_world *world)
{
    return world->now_us;
}

uint64_t sim_world_step_count(const struct sim_world *world)
{
    return world->step_count;
}

static void pass_time(struct sim_world *w, uint64_t t_us)
{
    if (t_us == w->now_us)
        return;
    w->now_us = t_us;
    w->turns_at_now = 0;
}

/* All that arrives at one instant is there before anybody has a turn: turns see batches. */
bool sim_world_step(struct sim_world *world)
{
    uint64_t next_us = sim_queue_next_us(&world->queue);
    if (!list_is_empty(&world->runnable) && next_us > world->now_us) {
        world->step_count++;
        CHECK(++world->turns_at_now < TURNS_AT_ONCE_MAX);
        sim_loop_turn(LIST_ENTRY(list_pop_front(&world->runnable), struct io_loop, runnable));
        return true;
    }
    if (next_us == UINT64_MAX)
        return false;
    world->step_count++;
    pass_time(world, next_us);
    struct sim_event *event = sim_queue_pop(&world->queue);
    event->run(world, event);
    return true;
}

void sim_world_run_until(struct sim_world *world, uint64_t t_us)
{
    CHECK(t_us >= world->now_us);
    while (!list_is_empty(&world->runnable) || sim_queue_next_us(&world->queue) <= t_us)
        (void)sim_world_step(world);
    pass_time(world, t_us);
}

static void on_call(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    struct sim_call *call = LIST_ENTRY(event, struct sim_call, event);
    void (*fn)(void *ctx) = call->fn;
    void *ctx = call->ctx;
    list_remove(&call->node);
    free(call);
    fn(ctx);
}

void sim_world_at(struct sim_world *world, uint64_t t_us, void (*fn)(void *ctx), void *ctx)
{
    struct sim_call *call = calloc(1, sizeof *call);
    CHECK(call != NULL);
    call->event.run = on_call;
    call->fn = fn;
    call->ctx = ctx;
    list_push_back(&world->calls, &call->node);
    sim_queue_add(&world->queue, t_us > world->now_us ? t_us : world->now_us, &call->event);
}

size_t sim_world_leaks(const struct sim_world *world, bool print)
{
    size_t count = 0;
    for (size_t i = 0; i < world->host_count; i++)
        if (world->hosts[i]->loop)
            count += sim_loop_leaks(world->hosts[i]->loop, print);
    return count;
}
