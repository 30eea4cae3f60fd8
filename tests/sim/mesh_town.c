/* A town's machines: hosts and their paths, nodes with their configurations, starting and ending
 * them, jobs, and how a broken invariant is told. */
#include "tests/sim/mesh_town.h"

#include <stdarg.h>
#include <stdlib.h>

#define LINGER_MAX_US (3 * TOWN_SECOND) /* beyond the nodes' own limits */

static const char *const node_names[TOWN_NODES_MAX] = {"edge-1", "regional-1", "cloud-1", "edge-2"};
static const enum tier node_tiers[TOWN_NODES_MAX] = {TIER_EDGE, TIER_REGIONAL, TIER_CLOUD,
                                                     TIER_EDGE};

void town_fail(struct town *t, const char *invariant, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "mesh_sim: seed %llu: %s: at %.3f s: ", (unsigned long long)t->seed, invariant,
            (double)town_now_us(t) / 1e6);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    t->failures++;
    TRACE(&t->trace, NULL, "broken", LOG_STR("invariant", invariant));
}

/* --- trace and log */

static uint64_t trace_now_us(void *ctx)
{
    const struct town *t = ctx;
    return t->world ? town_now_us(t) : 0;
}

static void trace_sink(void *ctx, struct bytes line)
{
    struct town *t = ctx;
    if (t->options.trace_file)
        fwrite(line.data, 1, line.size, t->options.trace_file);
    town_watch_trace(t, line);
}

static uint64_t log_wall_ms(void *ctx)
{
    const struct town_node *n = ctx;
    return io_wall_ms(n->loop);
}

static void log_sink(void *ctx, struct bytes line)
{
    const struct town_node *n = ctx;
    if (n->town->options.prints_log)
        fprintf(stderr, "%12.6f %-10s %.*s", (double)town_now_us(n->town) / 1e6, n->name,
                (int)line.size, (const char *)line.data);
}

/* --- hosts */

size_t town_host_of_engine(const struct town *t, size_t engine)
{
    (void)t;
    return TOWN_NODES_MAX + engine;
}

size_t town_host_of_user(const struct town *t, size_t user)
{
    (void)t;
    return TOWN_NODES_MAX + TOWN_ENGINES_MAX + user;
}

const char *town_host_name(const struct town *t, size_t host, char ret_name[SIM_NAME_SIZE])
{
    if (host < TOWN_NODES_MAX)
        snprintf(ret_name, SIM_NAME_SIZE, "%s", t->nodes[host].name);
    else if (host < TOWN_NODES_MAX + TOWN_ENGINES_MAX)
        snprintf(ret_name, SIM_NAME_SIZE, "engine-%zu", host - TOWN_NODES_MAX + 1);
    else
        snprintf(ret_name, SIM_NAME_SIZE, "users-%zu",
                 host - TOWN_NODES_MAX - TOWN_ENGINES_MAX + 1);
    return ret_name;
}

/* --- nodes */

static void on_ready(void *owner)
{
    struct town_node *n = owner;
    calm_mend(&n->up, town_now_us(n->town));
}

static void on_start_again(void *ctx)
{
    struct town_node *n = ctx;
    calm_mend(&n->stays, town_now_us(n->town));
    town_node_start(n);
}

static void on_stop(void *ctx)
{
    struct town_node *n = ctx;
    if (n->node)
        town_node_stop(n);
}

static enum err on_persist(void *owner, uint64_t incarnation)
{
    struct town_node *n = owner;
    CHECK(incarnation > n->incarnation);
    n->incarnation = incarnation;
    return ERR_OK;
}

static void on_drained(void *owner)
{
    struct town_node *n = owner;
    struct town *t = n->town;
    TRACE(&t->trace, n->name, "node_drained", LOG_UINT("order", n->start_order));
    sim_world_at(t->world, town_now_us(t) + TOWN_MS, on_stop, n);
}

void town_node_start(struct town_node *n)
{
    struct town *t = n->town;
    struct buf message;
    buf_init(&message, 4096);
    CHECK(sim_host_create(t->world, n->name, NULL, &n->loop) == ERR_OK);
    sim_host_limit_fds(t->world, n->name, SIZE_MAX); /* a fault of the process before */
    uint64_t wall_ms = io_wall_ms(n->loop);
    n->boot_ms = n->boot_ms < wall_ms ? wall_ms : n->boot_ms + 1;
    n->start_order++;
    struct node_cfg cfg = {.loop = n->loop,
                           .config = &n->config,
                           .identity = &n->identity,
                           .log = &n->log,
                           .trace = &t->trace,
                           .seed = rng_next(&t->rng),
                           .boot_ms = n->boot_ms,
                           .gossip_key = {7},
                           .incarnation = n->incarnation,
                           .persist_incarnation = on_persist,
                           .rules_dir = n->rules_dir,
                           .rules_are_volatile = true,
                           .control_path = "/control.sock",
                           .version = "0.1.0",
                           .allow_insecure_http = true,
                           .hedge_after_ms = t->hedge_after_ms,
                           .on_ready = on_ready,
                           .on_drained = on_drained,
                           .owner = n};
    enum err e = node_open(&cfg, &message, &n->node);
    if (e != ERR_OK)
        fprintf(stderr, "%.*s\n", (int)message.size, (const char *)message.data);
    CHECK(e == ERR_OK);
    buf_fini(&message);
}

/* What it thought of others begins anew. */
static void forget_peers(struct town_node *n)
{
    struct town *t = n->town;
    for (size_t i = 0; i < t->node_count; i++)
        if (!t->peer[n->index][i].faults)
            calm_break(&t->peer[n->index][i]);
}

static void close_node(struct town_node *n)
{
    struct node *node = n->node;
    n->node = NULL;
    if (!n->up.faults)
        calm_break(&n->up);
    node_close(node);
    forget_peers(n);
}

static void free_loop(struct town_node *n)
{
    io_loop_destroy(n->loop);
    n->loop = NULL;
}

void town_node_crash(struct town_node *n, enum sim_crash how)
{
    calm_break(&n->lives);
    calm_mend(&n->lives, town_now_us(n->town)); /* an instant: the rest is not being up */
    sim_host_crash(n->town->world, n->name, how);
    close_node(n);
    free_loop(n);
}

/* A real loop is destroyed only when the streams that were closed gracefully have sent their
 * queues. */
static void on_linger(void *ctx)
{
    struct town_node *n = ctx;
    struct town *t = n->town;
    if (town_is_lingering(n->loop) && town_now_us(t) < n->linger_until_us) {
        sim_world_at(t->world, town_now_us(t) + TOWN_MS, on_linger, n);
        return;
    }
    free_loop(n);
    if (n->restarts)
        sim_world_at(t->world, town_now_us(t) + rng_below(&t->rng, TOWN_SECOND), on_start_again, n);
}

void town_node_stop(struct town_node *n)
{
    struct town *t = n->town;
    TRACE(&t->trace, n->name, "node_stopped", LOG_UINT("order", n->start_order));
    close_node(n);
    n->linger_until_us = town_now_us(t) + LINGER_MAX_US;
    on_linger(n);
}

void town_node_drain(struct town_node *n)
{
    n->restarts = true;
    n->drain_us = town_now_us(n->town);
    calm_break(&n->stays);
    node_drain(n->node);
}

/* --- jobs */

struct job *town_job(struct town *t, enum job_kind kind, size_t ingress, const char *model,
                     size_t body_bytes, size_t answer_bytes)
{
    CHECK(t->job_count < TOWN_JOBS_MAX);
    struct job *j = calloc(1, sizeof *j);
    CHECK(j != NULL);
    *j = (struct job){.town = t,
                      .index = t->job_count,
                      .kind = kind,
                      .path = "/v1/chat/completions",
                      .ingress = ingress,
                      .quit_upload_at = SIZE_MAX,
                      .quit_after_us = UINT64_MAX,
                      .quit_answer_at = SIZE_MAX,
                      .engine = -1};
    snprintf(j->id, sizeof j->id, "job-%llu-%zu", (unsigned long long)t->seed, j->index);
    snprintf(j->model, sizeof j->model, "%s", model);
    CHECK(job_write_texts(j, body_bytes, answer_bytes) == ERR_OK);
    t->jobs[t->job_count++] = j;
    t->jobs_pending++;
    t->stats.jobs++;
    return j;
}

struct job *town_job_find(struct town *t, struct bytes id)
{
    for (size_t i = 0; i < t->job_count; i++)
        if (bytes_equal(id, bytes_from_str(t->jobs[i]->id)))
            return t->jobs[i];
    return NULL;
}

/* --- the town */

static void set_text(char *out, size_t size, const char *text)
{
    bytes_to_str(bytes_from_str(text), out, size);
}

static void init_node(struct town *t, size_t i)
{
    struct town_node *n = &t->nodes[i];
    struct config *c = &n->config;
    n->town = t;
    n->index = i;
    set_text(n->name, sizeof n->name, node_names[i]);
    config_defaults(c);
    set_text(c->name, sizeof c->name, node_names[i]);
    set_text(c->region, sizeof c->region, i == 2 ? "us-east" : "eu-west");
    set_text(c->listen_http, sizeof c->listen_http, "0.0.0.0:7380");
    set_text(c->listen_mesh, sizeof c->listen_mesh, "0.0.0.0:7300");
    snprintf(c->advertise, sizeof c->advertise, "%s:7300", n->name);
    c->tier = node_tiers[i];
    c->limits.request_timeout_ms = t->deadline_ms;
    n->log = (struct log){.level = t->options.prints_log || t->seed % 8 == 5 ? LOG_DEBUG : LOG_INFO,
                          .wall_ms = log_wall_ms,
                          .sink = log_sink,
                          .ctx = n};
    calm_break(&n->up);
}

static void init_engine(struct town *t, size_t i, size_t node)
{
    struct engine *e = &t->engines[i];
    struct config *c = &t->nodes[node].config;
    struct config_backend *b = &c->backends[c->backend_count++];
    *e = (struct engine){
        .town = t, .index = i, .node = node, .idle_ms = rng_between(&t->rng, 100, 5000)};
    snprintf(e->name, sizeof e->name, "engine-%zu", i + 1);
    e->models[e->model_count++] = "common";
    e->models[e->model_count++] = i == 0 ? "rare" : "twin";
    *b = (struct config_backend){.port = ENGINE_PORT,
                                 .kind = rng_chance(&t->rng, 0.5) ? BACKEND_AUTO : BACKEND_OPENAI,
                                 .concurrency = (uint32_t)rng_between(&t->rng, 4, 8)};
    snprintf(b->name, sizeof b->name, "backend-%zu", i + 1);
    snprintf(b->url, sizeof b->url, "http://%s:%d", e->name, ENGINE_PORT);
    snprintf(b->host, sizeof b->host, "%s", e->name);
}

/* Node i lists node k. */
static void add_contact(struct town *t, size_t i, size_t k)
{
    struct config *c = &t->nodes[i].config;
    snprintf(c->peers[c->peer_count++], CONFIG_TEXT_MAX, "%s:7300", t->nodes[k].name);
}

static void init_links(struct town *t)
{
    unsigned shape = (unsigned)rng_below(&t->rng, 4);
    for (size_t i = 0; i < t->node_count; i++)
        for (size_t k = 0; k < t->node_count; k++) {
            if (i != k)
                calm_break(&t->peer[i][k]);
            bool both = shape == 0 && i != k;
            bool upward = shape == 1 && i < k;
            bool downward = shape == 2 && i > k;
            bool chain = shape == 3 && k == i + 1;
            if (both || upward || downward || chain)
                add_contact(t, i, k);
        }
}

static void init_sim(struct town *t)
{
    struct sim_config *c = &t->sim;
    sim_config_init(c, rng_next(&t->rng));
    c->trace = &t->trace;
    c->trace_packets = t->options.traces_packets;
    if (rng_chance(&t->rng, 0.3))
        c->split = 0.9;
    if (rng_chance(&t->rng, 0.3))
        c->short_write = 0.6;
    if (rng_chance(&t->rng, 0.3))
        c->link.latency_max_us = 30 * 1000;
    if (rng_chance(&t->rng, 0.2))
        c->window_bytes = 8 * 1024;
}

static void create_hosts(struct town *t)
{
    struct io_loop *loop;
    for (size_t i = 0; i < t->node_count; i++) { /* so that every name is known from the start */
        CHECK(sim_host_create(t->world, t->nodes[i].name, NULL, &loop) == ERR_OK);
        io_loop_destroy(loop);
    }
    for (size_t i = 0; i < t->engine_count; i++)
        CHECK(sim_host_create(t->world, t->engines[i].name, NULL, &t->engines[i].loop) == ERR_OK);
    for (size_t i = 0; i < t->user_count; i++) {
        char name[SIM_NAME_SIZE];
        town_host_name(t, town_host_of_user(t, i), name);
        CHECK(sim_host_create(t->world, name, NULL, &t->user_loops[i]) == ERR_OK);
    }
}

enum err town_create(uint64_t seed, const struct town_options *options, struct town **ret_town)
{
    struct town *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    t->seed = seed;
    t->options = *options;
    t->trace = (struct trace){trace_now_us, trace_sink, t};
    rng_init(&t->rng, seed);
    crypto_seed_for_simulation(seed);
    list_init(&t->users);
    init_sim(t);
    t->deadline_ms = seed % 5 == 3 ? 2500 : TOWN_DEADLINE_MS;
    if (seed % 3 == 1)
        t->hedge_after_ms = rng_between(&t->rng, 1, rng_chance(&t->rng, 0.5) ? 20 : 400);
    t->node_count = rng_chance(&t->rng, 0.25) ? 4 : 3;
    t->engine_count = t->node_count == 4 ? 3 : (size_t)rng_between(&t->rng, 2, 3);
    t->user_count = TOWN_USERS_MAX;
    for (size_t i = 0; i < t->node_count; i++)
        init_node(t, i);
    if (rng_chance(&t->rng, 0.25)) /* it has no engine: nobody wants to dial it */
        set_text(t->nodes[0].config.advertise, sizeof t->nodes[0].config.advertise, "none");
    for (size_t i = 0; i < t->engine_count; i++)
        init_engine(t, i, 1 + i % (t->node_count - 1));
    init_links(t);
    for (size_t i = 0; i < t->node_count; i++)
        town_make_identity(i, &t->nodes[i].config, t->sim.wall_ms, &t->nodes[i].identity);
    enum err e = sim_world_create(&t->sim, &t->world);
    if (e != ERR_OK) {
        free(t);
        return e;
    }
    create_hosts(t);
    town_rules_create(t);
    *ret_town = t;
    return ERR_OK;
}

void town_destroy(struct town *t)
{
    sim_world_destroy(t->world);
    town_rules_remove(t);
    for (size_t i = 0; i < t->job_count; i++) {
        job_fini(t->jobs[i]);
        free(t->jobs[i]);
    }
    free(t);
}
