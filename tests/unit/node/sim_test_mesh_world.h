/* Nodes of mesh_fixture.h on hosts "a", "b", "c", "d" of a simulated world. */
#ifndef TESTS_UNIT_NODE_SIM_TEST_MESH_WORLD_H
#define TESTS_UNIT_NODE_SIM_TEST_MESH_WORLD_H

#include "node/mesh/core.h"
#include "tests/sim/io/world.h"
#include "tests/unit/node/mesh_fixture.h"

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define NODES_MAX 4

struct world {
    struct sim_world *sim;
    struct node nodes[NODES_MAX];
    bool is_up[NODES_MAX];
};

static inline const char *host_of(size_t i)
{
    static const char *const names[NODES_MAX] = {"a", "b", "c", "d"};
    return names[i];
}

static inline void world_init_with(struct world *w, const struct sim_config *config)
{
    *w = (struct world){0};
    crypto_seed_for_simulation(config->seed);
    assert_int_equal(sim_world_create(config, &w->sim), ERR_OK);
}

static inline void world_init(struct world *w, uint64_t seed)
{
    struct sim_config config;
    sim_config_init(&config, seed);
    config.wall_ms = FIXTURE_NOW_MS;
    world_init_with(w, &config);
}

/* Node i, not open yet, listening on port 7300 of its host. */
static inline struct node *world_node(struct world *w, size_t i)
{
    struct io_loop *loop;
    char name[] = "node-a";
    name[5] = host_of(i)[0];
    assert_int_equal(sim_host_create(w->sim, host_of(i), NULL, &loop), ERR_OK);
    node_init(&w->nodes[i], loop, 1, (uint8_t)(100 + i), name);
    node_listen(&w->nodes[i], "0.0.0.0:7300");
    w->is_up[i] = true;
    return &w->nodes[i];
}

static inline void world_run(struct world *w, uint64_t us)
{
    sim_world_run_until(w->sim, sim_world_now_us(w->sim) + us);
}

#define WORLD_UNTIL(w, cond)                                                                       \
    do {                                                                                           \
        uint64_t give_up_us_ = sim_world_now_us((w)->sim) + 60 * SECOND;                           \
        while (!(cond)) {                                                                          \
            if (sim_world_now_us((w)->sim) > give_up_us_)                                          \
                fail_msg("never came true: %s", #cond);                                            \
            world_run((w), MS);                                                                    \
        }                                                                                          \
    } while (0)

static inline void world_stop(struct world *w, size_t i)
{
    node_fini(&w->nodes[i]);
    io_loop_destroy(w->nodes[i].loop);
    w->is_up[i] = false;
}

static inline void world_fini(struct world *w)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (w->is_up[i])
            node_fini(&w->nodes[i]);
    }
    assert_int_equal(sim_world_leaks(w->sim, true), 0);
    world_run(w, 5 * SECOND);
    sim_world_destroy(w->sim);
}

/* The usual world: a and b up, a has dialled b. */
static inline void world_pair(struct world *w, uint64_t seed)
{
    world_init(w, seed);
    node_contact(world_node(w, 0), "b:7300");
    world_node(w, 1);
    node_open(&w->nodes[1]);
    node_open(&w->nodes[0]);
}

static inline void world_link(struct world *w)
{
    struct node *a = &w->nodes[0], *b = &w->nodes[1];
    WORLD_UNTIL(w, node_knows(a, b) && node_knows(b, a));
}

static inline size_t node_links(const struct node *n)
{
    size_t count = 0;
    LIST_EACH(it, &n->mesh->links)
    count++;
    return count;
}

#endif
