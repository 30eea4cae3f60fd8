/* Single behaviours of the whole core, on a table of a few nodes (core_world.h). */
#include "core_world.h"

static void a_newcomer_and_the_mesh_learn_of_each_other_through_one_contact(void **state)
{
    struct world *w = world_meet(8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(gossip_member_count(w->nodes[i].g), 8);
    world_free(w);
}

static void a_killed_node_is_down_everywhere_within_five_seconds(void **state)
{
    struct world *w = world_meet(8);
    world_run(w, 4000);
    world_stop(w, 5);
    assert_in_range(world_until(w, 5, GOSSIP_DOWN, 6000), 1000, 5000);
    world_run(w, 20000);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(w->nodes[i].changes[GOSSIP_DOWN], i == 5 ? 0 : 1);
    world_free(w);
}

static void in_a_mesh_of_two_the_survivor_notices(void **state)
{
    struct world *w = world_meet(2);
    world_run(w, 4000);
    world_stop(w, 1);
    (void)world_until(w, 1, GOSSIP_DOWN, 12000);
    world_free(w);
}

static void a_restarted_node_comes_back_under_a_greater_incarnation(void **state)
{
    struct world *w = world_meet(5);
    world_run(w, 4000);
    uint64_t before = world_view(w, 0, 3)->incarnation;
    world_stop(w, 3);
    (void)world_until(w, 3, GOSSIP_DOWN, 6000);
    world_start(w, 3);
    world_link(w, 3, 0);
    (void)world_until(w, 3, GOSSIP_ALIVE, 2000);
    assert_true(world_view(w, 1, 3)->incarnation > before);
    world_free(w);
}

static void a_node_that_lost_its_incarnation_goes_above_what_others_remember(void **state)
{
    struct world *w = world_meet(5);
    world_run(w, 4000);
    world_stop(w, 3);
    (void)world_until(w, 3, GOSSIP_DOWN, 6000);
    w->nodes[3].persisted = 0;
    world_start(w, 3);
    world_link(w, 3, 0);
    (void)world_until(w, 3, GOSSIP_ALIVE, 5000);
    world_free(w);
}

static void a_leaving_node_is_left_at_once_and_never_down(void **state)
{
    struct world *w = world_meet(6);
    world_run(w, 4000);
    world_step(w, 2, (struct gossip_event){.type = GOSSIP_GOODBYE});
    assert_in_range(world_until(w, 2, GOSSIP_LEFT, 500), 0, 500);
    world_stop(w, 2);
    world_run(w, 20000);
    assert_true(world_all_see(w, 2, GOSSIP_LEFT));
    world_free(w);
}

static void without_datagrams_between_two_both_stay_alive_by_links(void **state)
{
    struct world *w = world_meet(4);
    w->cut_datagrams[1][2] = w->cut_datagrams[2][1] = true;
    world_run(w, 60000);
    assert_int_equal(w->nodes[1].changes[GOSSIP_DOWN] + w->nodes[2].changes[GOSSIP_DOWN], 0);
    assert_true(world_sees(w, 1, 2, GOSSIP_ALIVE));
    world_free(w);
}

static void without_any_datagrams_all_stay_alive(void **state)
{
    struct world *w = world_meet(4);
    memset(w->cut_datagrams, 1, sizeof(w->cut_datagrams));
    world_run(w, 60000);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(w->nodes[i].changes[GOSSIP_SUSPECT] + w->nodes[i].changes[GOSSIP_DOWN], 0);
    world_free(w);
}

static void a_partition_of_a_minute_heals_by_itself(void **state)
{
    struct world *w = world_meet(8);
    world_run(w, 4000);
    for (size_t a = 0; a < 4; a++)
        for (size_t b = 4; b < 8; b++)
            w->cut[a][b] = w->cut[b][a] = true;
    world_run(w, 60000);
    assert_true(world_sees(w, 0, 7, GOSSIP_DOWN));
    assert_true(world_sees(w, 7, 0, GOSSIP_DOWN));
    memset(w->cut, 0, sizeof(w->cut));
    world_run(w, 20000);
    for (size_t i = 0; i < 8; i++)
        assert_true(world_all_see(w, i, GOSSIP_ALIVE));
    world_free(w);
}

static void a_stopped_observer_doubts_itself(void **state)
{
    struct world *w = world_meet(6);
    world_run(w, 4000);
    w->nodes[2].is_paused = true;
    world_run(w, 2000);
    w->nodes[2].is_paused = false;
    world_run(w, 20000);
    assert_int_equal(w->nodes[2].changes[GOSSIP_SUSPECT], 0);
    struct gossip_counts counts;
    gossip_counts(w->nodes[2].g, &counts);
    assert_true(counts.stalls > 0);
    world_free(w);
}

static void loads_reach_everybody_and_only_when_they_change(void **state)
{
    struct world *w = world_meet(9);
    for (int round = 0; round < 20; round++) {
        char text[24];
        snprintf(text, sizeof(text), "load %d", round);
        for (size_t i = 0; i < 9; i++)
            world_publish(w, i, GOSSIP_LOAD, text);
        world_run(w, 1000);
    }
    world_run(w, 3000);
    for (size_t a = 0; a < 9; a++)
        for (size_t b = 0; b < 9; b++)
            assert_true(
                bytes_equal(world_view(w, a, b)->records[GOSSIP_LOAD].payload, BYTES("load 19")));
    uint64_t version = world_view(w, 0, 1)->records[GOSSIP_LOAD].version;
    assert_in_range(version, 15, 21);
    world_publish(w, 1, GOSSIP_LOAD, "load 19");
    world_run(w, 3000);
    assert_int_equal(world_view(w, 0, 1)->records[GOSSIP_LOAD].version, version);
    world_free(w);
}

static void an_inventory_reaches_everybody_within_a_tenth_of_a_second(void **state)
{
    struct world *w = world_meet(10);
    world_run(w, 3000);
    char big[900];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    world_publish(w, 4, GOSSIP_INVENTORY, big);
    world_run(w, 100);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(world_view(w, i, 4)->records[GOSSIP_INVENTORY].payload.size, 899);
    world_free(w);
}

static void a_record_outside_its_owners_certificate_is_refused(void **state)
{
    struct world *w = world_meet(4);
    world_publish(w, 1, GOSSIP_INVENTORY, "!elsewhere");
    world_run(w, 5000);
    assert_null(world_view(w, 0, 1)->records[GOSSIP_INVENTORY].payload.data);
    struct gossip_counts counts;
    gossip_counts(w->nodes[0].g, &counts);
    assert_true(counts.refused[ERR_CERT_SCOPE] > 0);
    world_free(w);
}

static void a_replayed_or_altered_datagram_is_refused(void **state)
{
    struct world *w = world_meet(3);
    world_run(w, 3000);
    struct world_mail m = w->last;
    struct gossip_counts before, after;
    gossip_counts(w->nodes[m.to].g, &before);
    world_receive(w, m.from, m.to, false, bytes_of(m.data, m.size));
    m.data[m.size - 1] ^= 1;
    m.data[8] ^= 0x80; /* another sequence */
    world_receive(w, m.from, m.to, false, bytes_of(m.data, m.size));
    world_receive(w, m.from, m.to, false, bytes_of(m.data, 10));
    gossip_counts(w->nodes[m.to].g, &after);
    assert_int_equal(after.datagrams_refused - before.datagrams_refused, 3);
    assert_int_equal(after.refused[ERR_REPLAYED] - before.refused[ERR_REPLAYED], 1);
    world_free(w);
}

static void two_processes_of_one_identity_are_noticed(void **state)
{
    struct world *w = world_meet(4);
    world_run(w, 3000);
    struct world_node *twin = &w->nodes[w->count++]; /* a copied directory */
    *twin = w->nodes[2];
    world_start(w, 4);
    twin->id = id_of_public_key((uint8_t[32]){99}); /* so that the table knows the first one */
    struct world_node copy = w->nodes[4];
    struct gossip_effects effects;
    struct gossip_event up = {.now_ms = w->now_ms,
                              .wall_ms = WORLD_WALL_MS + w->now_ms,
                              .type = GOSSIP_LINK_UP,
                              .id = w->nodes[0].id};
    gossip_step(copy.g, &up, &effects);
    world_step(w, 0,
               (struct gossip_event){.type = GOSSIP_LINK_MESSAGE,
                                     .id = w->nodes[2].id,
                                     .data = effects.sends[0].data});
    world_run(w, 5000);
    assert_true(w->nodes[2].conflict);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newcomer_and_the_mesh_learn_of_each_other_through_one_contact),
        cmocka_unit_test(a_killed_node_is_down_everywhere_within_five_seconds),
        cmocka_unit_test(in_a_mesh_of_two_the_survivor_notices),
        cmocka_unit_test(a_restarted_node_comes_back_under_a_greater_incarnation),
        cmocka_unit_test(a_node_that_lost_its_incarnation_goes_above_what_others_remember),
        cmocka_unit_test(a_leaving_node_is_left_at_once_and_never_down),
        cmocka_unit_test(without_datagrams_between_two_both_stay_alive_by_links),
        cmocka_unit_test(without_any_datagrams_all_stay_alive),
        cmocka_unit_test(a_partition_of_a_minute_heals_by_itself),
        cmocka_unit_test(a_stopped_observer_doubts_itself),
        cmocka_unit_test(loads_reach_everybody_and_only_when_they_change),
        cmocka_unit_test(an_inventory_reaches_everybody_within_a_tenth_of_a_second),
        cmocka_unit_test(a_record_outside_its_owners_certificate_is_refused),
        cmocka_unit_test(a_replayed_or_altered_datagram_is_refused),
        cmocka_unit_test(two_processes_of_one_identity_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
