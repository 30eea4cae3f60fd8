/* What repair brings, and by which way. */
#include "core_world.h"

#define PAYLOAD_SIZE 300

static bool knows_summaries(const struct world *w, size_t at)
{
    bool knows = true;
    for (size_t of = 0; of < 4; of++)
        knows &= world_view(w, at, of)->records[GOSSIP_SUMMARY].payload.size == PAYLOAD_SIZE;
    return knows;
}

/* A member that lacks four records at once is given them in one datagram. */
static void many_short_records_pass_where_only_short_datagrams_do(void **state)
{
    struct world *w = world_meet(5);
    char text[PAYLOAD_SIZE + 1] = "";
    memset(text, 's', PAYLOAD_SIZE);
    w->nodes[4].is_paused = true;
    for (size_t i = 0; i < 4; i++)
        world_publish(w, i, GOSSIP_SUMMARY, text);
    for (size_t i = 0; i < 4; i++) {
        while (!knows_summaries(w, i) && w->now_ms < 20000)
            world_run(w, 10);
        assert_true(knows_summaries(w, i));
    }
    w->nodes[4].is_paused = false;
    w->datagram_max = 800;
    assert_false(knows_summaries(w, 4));
    world_run(w, 20000);
    assert_true(knows_summaries(w, 4));
    world_free(w);
}

static uint64_t link_bytes(const struct world *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct gossip_counts counts;
        gossip_counts(w->nodes[i].g, &counts);
        bytes += counts.link_bytes_out;
    }
    return bytes;
}

/* New versions each time: nothing is needed twice. */
static void where_long_datagrams_pass_links_are_left_alone(void **state)
{
    struct world *w = world_meet(5);
    char text[PAYLOAD_SIZE + 1] = "";
    memset(text, 's', PAYLOAD_SIZE);
    world_run(w, 4000);
    uint64_t before = link_bytes(w);
    for (int round = 0; round < 20; round++) {
        text[0] = (char)('a' + round);
        for (size_t i = 0; i < 4; i++)
            world_publish(w, i, GOSSIP_SUMMARY, text);
        world_run(w, 2000);
    }
    assert_int_equal(link_bytes(w) - before, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_short_records_pass_where_only_short_datagrams_do),
        cmocka_unit_test(where_long_datagrams_pass_links_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
