/* A world of nodes that measure each other, for the tests of gossip/coordinate: true round trips, a
 * state for each node, and liars that claim what they like. Seeded. */
#ifndef TESTS_UNIT_GOSSIP_COORDINATE_WORLD_H
#define TESTS_UNIT_GOSSIP_COORDINATE_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gossip/coordinate.h"

#define NODES_MAX 50
#define DIMENSIONS GOSSIP_COORDINATE_DIMENSIONS

typedef struct gossip_coordinate lie_fn(const struct gossip_coordinate *victim, struct rng *rng,
                                        int64_t *rtt_us);

/* The last `liars` nodes lie. */
struct world {
    int nodes;
    int liars;
    lie_fn *lie;
    double noise; /* each round trip is up to this share longer or shorter */
    struct rng rng;
    double truth_us[NODES_MAX][NODES_MAX];
    struct gossip_coordinate_self selves[NODES_MAX];
    struct gossip_rtt_filter filters[NODES_MAX][NODES_MAX];
};

static inline void setup(struct world *w, int nodes, uint64_t seed)
{
    *w = (struct world){.nodes = nodes};
    rng_init(&w->rng, seed);
    for (int i = 0; i < nodes; i++)
        gossip_coordinate_init(&w->selves[i]);
}

static inline void set_truth(struct world *w, int i, int j, double rtt_us)
{
    w->truth_us[i][j] = w->truth_us[j][i] = rtt_us;
}

static inline void measure(struct world *w, int i, int j)
{
    struct gossip_coordinate peer = w->selves[j].own;
    double stretch = 1 + w->noise * (2 * rng_unit(&w->rng) - 1);
    int64_t rtt_us = llround(w->truth_us[i][j] * stretch);
    if (j >= w->nodes - w->liars)
        peer = w->lie(&w->selves[i].own, &w->rng, &rtt_us);
    assert_int_equal(
        gossip_coordinate_update(&w->selves[i], &w->filters[i][j], &peer, rtt_us, &w->rng), ERR_OK);
}

/* In each cycle every node measures one random node; drawing itself, it rests. */
static inline void simulate(struct world *w, int cycles)
{
    for (int cycle = 0; cycle < cycles; cycle++) {
        for (int i = 0; i < w->nodes; i++) {
            int j = (int)rng_below(&w->rng, (uint64_t)w->nodes);
            if (j != i)
                measure(w, i, j);
        }
    }
}

/* All liars at one far corner, so that their pulls add up. */
static inline struct gossip_coordinate drag_to_a_corner(const struct gossip_coordinate *victim,
                                                        struct rng *rng, int64_t *rtt_us)
{
    struct gossip_coordinate c = {.height = GOSSIP_COORDINATE_HEIGHT_MIN_S};
    for (int k = 0; k < DIMENSIONS; k++)
        c.position[k] = GOSSIP_COORDINATE_BOUND_S;
    return c;
}

static inline struct gossip_coordinate throw_anywhere(const struct gossip_coordinate *victim,
                                                      struct rng *rng, int64_t *rtt_us)
{
    struct gossip_coordinate c = {.height = GOSSIP_COORDINATE_HEIGHT_MIN_S};
    for (int k = 0; k < DIMENSIONS; k++)
        c.position[k] = 20 * rng_unit(rng) - 10;
    return c;
}

/* Beside the victim, with answers held back: pushes it away, each time to another side. */
static inline struct gossip_coordinate push_by_delay(const struct gossip_coordinate *victim,
                                                     struct rng *rng, int64_t *rtt_us)
{
    struct gossip_coordinate c = *victim;
    for (int k = 0; k < DIMENSIONS; k++)
        c.position[k] += 1e-3 * (rng_unit(rng) - 0.5);
    c.adjustment = c.error = 0;
    *rtt_us = 9000000;
    return c;
}

/* Hardly beside the victim and very high: the share of the height in the way has no limit. */
static inline struct gossip_coordinate lift_the_height(const struct gossip_coordinate *victim,
                                                       struct rng *rng, int64_t *rtt_us)
{
    struct gossip_coordinate c = *victim;
    c.position[0] += 2e-6;
    c.height = 5;
    c.adjustment = c.error = 0;
    *rtt_us = GOSSIP_RTT_MAX_US;
    return c;
}

/* Honest place, an adjustment that makes every distance absurd. */
static inline struct gossip_coordinate absurd_adjustment(const struct gossip_coordinate *victim,
                                                         struct rng *rng, int64_t *rtt_us)
{
    struct gossip_coordinate c = *victim;
    c.position[1] += 10e-3;
    c.adjustment = GOSSIP_COORDINATE_BOUND_S;
    c.error = 0;
    return c;
}

#endif
