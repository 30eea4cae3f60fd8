/* A mesh of more nodes than anybody keeps links to: whom each one links with. */
#include "tests/unit/node/sim_test_mesh_world.h"

#define MANY 44

static struct node nodes[MANY];
static struct facts_model models[MANY];
static struct facts_backend backends[MANY];
static char names[MANY][16], model_names[MANY][16], addresses[MANY][24];
static struct sim_world *sim;

/* Node 0 is everybody's contact; all but the last one serve "common", that one has a model of its
 * own. */
static void add(size_t i)
{
    struct io_loop *loop;
    struct node *n = &nodes[i];
    snprintf(names[i], sizeof names[i], "n%zu", i);
    snprintf(addresses[i], sizeof addresses[i], "n%zu:7300", i);
    snprintf(model_names[i], sizeof model_names[i], "%s", i == MANY - 1 ? "rare" : "common");
    assert_int_equal(sim_host_create(sim, names[i], NULL, &loop), ERR_OK);
    node_init(n, loop, 1, (uint8_t)(100 + i), names[i]);
    node_listen(n, "0.0.0.0:7300");
    n->cfg.advertise = addresses[i];
    if (i > 0)
        node_contact(n, "n0:7300");
    models[i] = (struct facts_model){.name = bytes_from_str(model_names[i])};
    backends[i] = (struct facts_backend){.name = BYTES("b"),
                                         .kind = BYTES("openai"),
                                         .state = FACTS_BACKEND_UP,
                                         .concurrency = 4,
                                         .models = &models[i],
                                         .model_count = 1};
    n->facts.load.capacity = 4;
    n->facts.backends = &backends[i];
    n->facts.backend_count = 1;
    node_open(n);
}

static size_t wanted_by(const struct node *n)
{
    size_t count = 0;
    for (size_t i = 0; i < n->mesh->peer_count; i++)
        count += n->mesh->peers[i]->wants_link;
    return count;
}

static void links_are_few_and_lead_to_every_model(void **state)
{
    struct sim_config config;
    sim_config_init(&config, 1);
    config.wall_ms = FIXTURE_NOW_MS;
    crypto_seed_for_simulation(1);
    assert_int_equal(sim_world_create(&config, &sim), ERR_OK);
    for (size_t i = 0; i < MANY; i++)
        add(i);
    sim_world_run_until(sim, 20 * SECOND);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(mesh_peer_count(nodes[i].mesh), MANY - 1);
        assert_in_range(wanted_by(&nodes[i]), MESH_LINKS_WANTED_MAX, MESH_LINKS_WANTED_MAX + 1);
        for (size_t k = 0; k < MANY; k++)
            assert_true(i == k || node_sees(&nodes[i], &nodes[k], PEER_ALIVE));
        if (i != MANY - 1)
            assert_true(node_knows(&nodes[i], &nodes[MANY - 1]));
    }
    for (size_t i = 0; i < MANY; i++)
        node_fini(&nodes[i]);
    assert_int_equal(sim_world_leaks(sim, true), 0);
    sim_world_run_until(sim, 30 * SECOND);
    sim_world_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(links_are_few_and_lead_to_every_model)};
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
