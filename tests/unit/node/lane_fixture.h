/* A lane without a network: backends and peers as a test sets them, for what only reads them
 * (routing, metrics). Peers are linked by a real HTTP/2 session that nobody pulls. */
#ifndef TESTS_UNIT_NODE_LANE_FIXTURE_H
#define TESTS_UNIT_NODE_LANE_FIXTURE_H

#include "test_io_loop.h"

#include "node/egress/backend.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"
#include "node/mesh/core.h"
#include "node/mesh/orders.h"
#include "tests/support/trust_fixture.h"

#include <math.h>

#define LANE_PEERS_MAX 256

struct lane_world {
    struct lane lane;
    struct config config;
    struct identity identity;
    struct log log;
    struct mesh mesh;
    struct link links[LANE_PEERS_MAX];
    struct peer_slot slots[LANE_PEERS_MAX];
    struct facts facts[LANE_PEERS_MAX];
    struct facts_backend facts_backends[LANE_PEERS_MAX];
    struct facts_model facts_models[LANE_PEERS_MAX];
    struct backend backends[CONFIG_BACKENDS_MAX];
    struct facts_model models[CONFIG_BACKENDS_MAX];
    struct h2 *h2;
    struct exchange x;
};

static inline void lane_no_output(void *owner)
{
    (void)owner;
}

static inline uint64_t lane_wall_ms(void *ctx)
{
    (void)ctx;
    return FIXTURE_NOW_MS;
}

static inline void lane_no_sink(void *ctx, struct bytes line)
{
    (void)ctx;
    (void)line;
}

static inline const struct facts *lane_facts(void *owner)
{
    static const struct facts none = {.boot_ms = 1};
    (void)owner;
    return &none;
}

static inline int lane_setup(void **state)
{
    static const uint8_t seed[16] = {1};
    static const struct h2_ops h2_ops = {.on_output = lane_no_output};
    static const struct h2_cfg h2_cfg = {false, 100, 65535, 65535, 16384};
    struct lane_world *w = calloc(1, sizeof *w);
    struct lane *lane = &w->lane;
    struct fixture f;
    assert_non_null(w);
    assert_int_equal(crypto_init(), ERR_OK);
    fixture_init(&f, 1);
    fixture_identity(&f, 50, "edge-1", TIER_EDGE, "eu-west", &w->identity);
    config_defaults(&w->config);
    FIXTURE_SET(w->config.name, "edge-1");
    w->log = (struct log){.level = LOG_ERROR, .wall_ms = lane_wall_ms, .sink = lane_no_sink};
    assert_int_equal(io_loop_create(&lane->loop), ERR_OK);
    lane->config = &w->config;
    lane->identity = &w->identity;
    lane->log = &w->log;
    lane->version = "0.1.0";
    lane->mesh = &w->mesh;
    lane->facts = lane_facts;
    lane->state = LANE_READY;
    rng_init(&lane->rng, 1);
    candidates_init(&lane->candidates, seed);
    decisions_init(&lane->decisions);
    rollouts_init(&lane->rollouts);
    events_init(mesh_events(&w->mesh));
    policy_retry_init(&lane->retries, policy_retry_defaults);
    assert_int_equal(policies_init(&lane->policies), ERR_OK);
    assert_int_equal(h2_create(&h2_cfg, &h2_ops, NULL, &w->h2), ERR_OK);
    memcpy(w->x.scan.model, "m", 2);
    w->x.scan.model_size = 1;
    w->x.scan.max_tokens = -1;
    w->x.lane = lane;
    w->x.terms.cost_max_usd = NAN;
    w->x.deadline_ms = io_now_ms(lane->loop) + 600000;
    *state = w;
    return 0;
}

static inline int lane_teardown(void **state)
{
    struct lane_world *w = *state;
    candidates_fini(&w->lane.candidates);
    policies_fini(&w->lane.policies);
    rollouts_fini(&w->lane.rollouts);
    decisions_fini(&w->lane.decisions);
    h2_destroy(w->h2);
    io_loop_destroy(w->lane.loop);
    free(w);
    return 0;
}

/* Serves `model`, up, four places. */
static inline struct backend *lane_add_backend(struct lane_world *w, const char *model)
{
    size_t i = w->lane.backend_count++;
    struct backend *b = &w->backends[i];
    w->models[i] = (struct facts_model){.name = bytes_from_str(model), .loaded = true};
    b->lane = &w->lane;
    b->state = BACKEND_UP;
    b->has_client = true;
    b->cfg.concurrency = 4;
    snprintf(b->cfg.name, sizeof b->cfg.name, "backend-%zu", i + 1);
    b->models = &w->models[i];
    b->model_count = 1;
    w->lane.backends[i] = b;
    candidates_invalidate(&w->lane.candidates);
    return b;
}

/* Linked and alive, with one backend that serves `model`; capacity 4. */
static inline struct peer *lane_add_peer(struct lane_world *w, const char *model)
{
    size_t i = w->mesh.peer_count++;
    struct peer *p = &w->slots[i].peer;
    w->facts_models[i] = (struct facts_model){.name = bytes_from_str(model), .loaded = true};
    w->facts_backends[i] = (struct facts_backend){.name = BYTES("b"),
                                                  .kind = BYTES("openai"),
                                                  .state = FACTS_BACKEND_UP,
                                                  .concurrency = 4,
                                                  .models = &w->facts_models[i],
                                                  .model_count = 1};
    w->facts[i] = (struct facts){.backends = &w->facts_backends[i], .backend_count = 1};
    w->links[i].client = w->h2;
    p->id = (struct id){{(uint8_t)(i + 1), (uint8_t)(i >> 8)}};
    snprintf(p->name, sizeof p->name, "peer-%zu", i + 1);
    p->link = &w->links[i];
    p->state = PEER_ALIVE;
    p->facts = &w->facts[i];
    p->load.capacity = 4;
    p->load_ms = p->facts_ms = io_now_ms(w->lane.loop);
    w->slots[i].mesh = &w->mesh;
    w->mesh.peers[i] = &w->slots[i];
    candidates_invalidate(&w->lane.candidates);
    return p;
}

/* A view of one other region with one model, and `p` as its gateway. */
struct lane_region {
    struct summary_model model;
    struct summary_region region;
};

static inline void lane_add_region(struct lane_world *w, struct lane_region *r, const char *name,
                                   const char *model, struct peer *p)
{
    *r = (struct lane_region){
        .model = {.name = bytes_from_str(model), .capacity = 4, .nodes = 2},
        .region = {.name = name, .gateway_count = 1, .made_ms = io_now_ms(w->lane.loop)}};
    FIXTURE_SET(p->region, name);
    p->id.bytes[0] = (uint8_t)(1 + (peer_slot_of(p) - w->slots));
    r->region.gateways[0] = p->id;
    r->region.believed = (struct summary){&r->model, 1, 0};
    w->mesh.abroad.view = (struct summary_view){.regions = &r->region, .region_count = 1};
    candidates_invalidate(&w->lane.candidates);
}

#define LANE_TEST(name) cmocka_unit_test_setup_teardown(name, lane_setup, lane_teardown)

#endif
