/* Two regions of three, all of them gateways. */
#include "core_tell.h"

static struct world *two_regions(void)
{
    struct world *w = world_make(6);
    for (size_t i = 3; i < 6; i++) {
        world_stop(w, i);
        w->nodes[i].name[0] = '@';
        world_start(w, i);
    }
    for (size_t i = 1; i < 6; i++)
        world_link(w, i, 0);
    for (size_t i = 0; i < 6; i++)
        (void)world_until(w, i, GOSSIP_ALIVE, 20000);
    world_run(w, 4000);
    return w;
}

static uint64_t probes(const struct world *w, size_t i)
{
    struct gossip_counts counts;
    gossip_counts(w->nodes[i].g, &counts);
    return counts.probes;
}

static void whom_its_own_region_accuses_is_looked_at_once_a_second(void **state)
{
    struct world *w = two_regions();
    uint64_t before = probes(w, 0);
    tell_accusation(w, 3, 0, 3, 5, w->nodes[3].key);
    assert_int_equal(probes(w, 0), before + 1);
    world_run(w, 10); /* it answers, and has refuted */
    assert_int_equal(world_view(w, 0, 5)->state, GOSSIP_ALIVE);
    before = probes(w, 0);
    for (int i = 0; i < 20; i++)
        tell_accusation(w, 3, 0, 3, 5, w->nodes[3].key);
    assert_int_equal(probes(w, 0), before);
    world_free(w);
}

static void who_is_dead_abroad_is_down_as_soon_as_at_home(void **state)
{
    for (size_t victim = 3; victim < 6; victim++) {
        struct world *w = two_regions();
        world_stop(w, victim);
        uint64_t took_ms = world_until(w, victim, GOSSIP_DOWN, 7000);
        assert_true(took_ms > 1600);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_its_own_region_accuses_is_looked_at_once_a_second),
        cmocka_unit_test(who_is_dead_abroad_is_down_as_soon_as_at_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
