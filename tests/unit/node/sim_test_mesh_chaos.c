/* Four nodes that list each other, under seeded faults: calls never mix, each ends once, and when
 * the faults end every pair is left with exactly one link that both sides use. */
#include "tests/unit/node/sim_test_mesh_world.h"

#define CALLS_MAX 400
#ifndef SEEDS
#define SEEDS 40 /* more by hand: -DSEEDS=2000 */
#endif

static struct world w;
static struct rng rng;
static struct call calls[CALLS_MAX];
static size_t call_count;

static void start(uint64_t seed)
{
    static const char *const contacts[NODES_MAX] = {"a:7300", "b:7300", "c:7300", "d:7300"};
    rng_init(&rng, seed);
    memset(calls, 0, sizeof(calls));
    call_count = 0;
    world_init(&w, seed);
    for (size_t i = 0; i < NODES_MAX; i++) {
        world_node(&w, i);
        w.nodes[i].cfg.rekey_bytes = 200000;
        for (size_t k = 0; k < NODES_MAX; k++)
            node_contact(&w.nodes[i], contacts[k]); /* itself too */
        node_open(&w.nodes[i]);
    }
}

static void make_call(void)
{
    struct node *from = &w.nodes[rng_below(&rng, NODES_MAX)],
                *to = &w.nodes[rng_below(&rng, NODES_MAX)];
    struct peer *p = node_peer(from, to);
    if (!p || !mesh_peer_is_usable(p) || call_count == CALLS_MAX)
        return;
    struct call *c = &calls[call_count];
    c->tag = (uint8_t)call_count;
    if (call_start(c, p, "/echo", 1 + rng_below(&rng, 200000)) == ERR_OK)
        call_count++;
}

static void make_fault(void)
{
    const char *one = host_of(rng_below(&rng, NODES_MAX)),
               *other = host_of(rng_below(&rng, NODES_MAX));
    switch (rng_below(&rng, 6)) {
    case 0: sim_host_pause(w.sim, one); break;
    case 1: sim_host_resume(w.sim, one); break;
    case 2: sim_partition(w.sim, one, other); break;
    case 3: sim_link_block(w.sim, one, other); break;
    case 4: sim_heal(w.sim, one, other); break;
    default:
        sim_streams_reset(w.sim, one, other, 0.5,
                          rng_chance(&rng, 0.5) ? SIM_RESET_BOTH : SIM_RESET_FIRST);
        break;
    }
}

static void calm_down(void)
{
    for (size_t i = 0; i < NODES_MAX; i++)
        sim_host_resume(w.sim, host_of(i));
    sim_heal(w.sim, NULL, NULL);
}

static bool is_settled(void)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (node_links(&w.nodes[i]) != NODES_MAX - 1)
            return false;
        for (size_t k = 0; k < NODES_MAX; k++) {
            if (i != k && !node_knows(&w.nodes[i], &w.nodes[k]))
                return false;
        }
    }
    return true;
}

static void assert_calls_ended_well(void)
{
    for (size_t i = 0; i < call_count; i++) {
        assert_int_equal(calls[i].closes, 1);
        assert_false(calls[i].mismatch);
        assert_true(calls[i].reason != ERR_OK || call_is_good(&calls[i]));
    }
    for (size_t i = 0; i < NODES_MAX; i++)
        assert_true(list_is_empty(&w.nodes[i].served));
}

static void faults_never_mix_streams_and_leave_one_link_per_pair(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        start(seed);
        for (int step = 0; step < 200; step++) {
            world_run(&w, rng_below(&rng, 200 * MS));
            if (rng_chance(&rng, 0.3))
                make_fault();
            else
                make_call();
        }
        calm_down();
        WORLD_UNTIL(&w, is_settled());
        world_run(&w, 40 * SECOND);
        if (!is_settled())
            fail_msg("not settled, seed %u", (unsigned)seed);
        assert_calls_ended_well();
        for (size_t i = 0; i < NODES_MAX; i++)
            assert_int_equal(node_counts(&w.nodes[i]).records_bad, 0);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_never_mix_streams_and_leave_one_link_per_pair)};
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
