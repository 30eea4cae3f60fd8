/* What the simulated network and its hosts do to streams: partitions, resets, crashes, pauses,
 * narrow and lossy links. The orderly behaviour is in sim_test_io_stream.c. */
#include "tests/unit/node/sim_test_io_pair.h"

#include "base/rng.h"
#include "node/io/datagram.h"

static void a_partition_holds_bytes_and_delivers_them_when_healed(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_partition(w->world, "a", "b");
    peer_send(&w->client, "held");
    run_for(w, 15 * SECOND);
    assert_int_equal(w->server.reads, 0);
    assert_int_equal(w->client.fails, 0);
    sim_heal(w->world, "a", "b");
    run_for(w, 15 * SECOND);
    assert_true(peer_has(&w->server, "held"));
    assert_int_equal(w->client.fails, 0);
}

static void a_long_partition_times_the_sender_out(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_partition(w->world, "a", "b");
    peer_send(&w->client, "lost");
    run_for(w, 55 * SECOND);
    assert_int_equal(w->client.fails, 0);
    run_for(w, 90 * SECOND);
    assert_int_equal(w->client.fails, 1);
    assert_int_equal(w->client.fail_err, ERR_TIMEOUT);
    assert_int_equal(w->server.fails + w->server.eofs, 0); /* it sends nothing: it cannot know */
    sim_heal(w->world, "a", "b");
    peer_send(&w->server, "anybody?");
    run_for(w, 30 * SECOND);
    assert_int_equal(w->server.fail_err, ERR_RESET);
}

static void in_a_partition_connects_time_out(void **state)
{
    struct pair *w = *state;
    pair_listen(w);
    sim_partition(w->world, "a", "b");
    pair_connect(w);
    run_for(w, 15 * SECOND);
    assert_int_equal(w->client.opens, 0);
    run_for(w, 150 * SECOND);
    assert_int_equal(w->client.open_err, ERR_TIMEOUT);
    assert_int_equal(w->accepts, 0);
}

static void a_connect_survives_a_short_partition(void **state)
{
    struct pair *w = *state;
    pair_listen(w);
    sim_partition(w->world, "a", "b");
    pair_connect(w);
    run_for(w, 3 * SECOND);
    sim_heal(w->world, "a", "b");
    run_for(w, 12 * SECOND);
    assert_int_equal(w->client.opens, 1);
    assert_int_equal(w->client.open_err, ERR_OK);
    assert_int_equal(w->accepts, 1);
}

static void an_asymmetric_partition_lets_one_direction_pass(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_link_block(w->world, "b", "a");
    peer_send(&w->client, "one way");
    peer_send(&w->server, "no way");
    run_for(w, 5 * SECOND);
    assert_true(peer_has(&w->server, "one way"));
    assert_int_equal(w->client.reads, 0);
    run_for(w, 150 * SECOND); /* a hears no acknowledgement, nor does a hear b's data */
    assert_int_equal(w->client.fail_err, ERR_TIMEOUT);
    assert_int_equal(w->server.fail_err, ERR_TIMEOUT);
}

static void a_reset_breaks_both_ends(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_streams_reset(w->world, "b", "a", 1.0, SIM_RESET_BOTH);
    assert_int_equal(w->client.fails + w->server.fails, 0);
    run_for(w, SECOND);
    assert_int_equal(w->client.fail_err, ERR_RESET);
    assert_int_equal(w->server.fail_err, ERR_RESET);
}

static void a_one_sided_reset_leaves_the_other_end_half_open(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_streams_reset(w->world, "b", NULL, 1.0, SIM_RESET_FIRST);
    run_for(w, 60 * SECOND);
    assert_int_equal(w->server.fail_err, ERR_RESET);
    assert_int_equal(w->client.fails, 0);
    peer_send(&w->client, "hello?");
    run_for(w, SECOND);
    assert_int_equal(w->client.fail_err, ERR_RESET);
}

/* Ends the process on b as its owner would: closing everything, then the loop. */
static void end_b(struct pair *w)
{
    peer_close(&w->server);
    io_listener_close(w->listener);
    w->listener = NULL;
    io_loop_destroy(w->b);
    w->b = NULL;
}

static void a_killed_process_resets_or_ends_its_streams_at_once(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_host_crash(w->world, "b", SIM_CRASH_KILL);
    end_b(w);
    run_for(w, SECOND);
    assert_int_equal(w->client.eofs, 1);
    peer_close(&w->client);
    pair_connect(w);
    run_for(w, SECOND);
    assert_int_equal(w->client.open_err, ERR_REFUSED);
}

static void a_power_loss_is_noticed_by_nobody_who_is_silent(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_host_crash(w->world, "b", SIM_CRASH_POWER);
    peer_send(&w->server, "from the dead");
    end_b(w);
    run_for(w, 1000 * SECOND);
    assert_int_equal(w->client.reads + w->client.eofs + w->client.fails, 0);
    assert_int_equal(sim_host_create(w->world, "b", NULL, &w->b), ERR_OK);
    run_for(w, 1000 * SECOND);
    assert_int_equal(w->client.eofs + w->client.fails, 0);
    peer_send(&w->client, "are you there?");
    run_for(w, SECOND);
    assert_int_equal(w->client.fail_err, ERR_RESET);
}

static void sending_to_a_host_without_power_times_out(void **state)
{
    struct pair *w = *state;
    pair_open(w);
    sim_host_crash(w->world, "b", SIM_CRASH_POWER);
    end_b(w);
    peer_send(&w->client, "hello?");
    run_for(w, 150 * SECOND);
    assert_int_equal(w->client.fail_err, ERR_TIMEOUT);
}

static void a_crashed_loop_can_be_abandoned_with_everything_on_it(void **state)
{
    static struct io_timer timer;
    struct pair *w = *state;
    struct io_datagram *d;
    struct io_signals *signals;
    struct io_resolve *resolve;
    pair_open(w);
    timer = (struct io_timer){0};
    io_timer_start(w->b, &timer, 1000, NULL);
    assert_int_equal(io_datagram_open(w->b, &w->addr, NULL, NULL, &d), ERR_OK);
    assert_int_equal(io_signals_open(w->b, NULL, NULL, &signals), ERR_OK);
    assert_int_equal(io_resolve_start(w->b, "a", 1, NULL, NULL, &resolve), ERR_OK);
    assert_true(sim_world_leaks(w->world, false) >= 6);
    sim_host_crash(w->world, "b", SIM_CRASH_RESET);
    sim_loop_abandon(w->b);
    w->server.stream = NULL;
    w->listener = NULL;
    run_for(w, 5 * SECOND);
    assert_int_equal(w->client.fail_err, ERR_RESET);
}

static void a_paused_host_keeps_its_connections_and_catches_up(void **state)
{
    struct pair *w = *state;
    struct peer second = {0};
    pair_open(w);
    sim_host_pause(w->world, "b");
    peer_send(&w->client, "waiting");
    assert_int_equal(io_connect(w->a, &w->addr, &peer_ops, &second, &second.stream), ERR_OK);
    run_for(w, 300 * SECOND);
    assert_int_equal(w->server.reads, 0);
    assert_int_equal(w->client.fails, 0);
    assert_int_equal(second.open_err, ERR_OK); /* its kernel has taken the connection */
    assert_int_equal(second.opens, 1);
    assert_int_equal(w->accepts, 1);
    sim_host_resume(w->world, "b");
    run_for(w, SECOND);
    assert_true(peer_has(&w->server, "waiting"));
    assert_int_equal(w->accepts, 2);
    peer_close(&second);
}

static int fire_count;
static void count_fire(struct io_timer *timer)
{
    (void)timer;
    fire_count++;
}

static void timers_of_a_paused_host_fire_when_it_goes_on(void **state)
{
    struct pair *w = *state;
    struct io_timer timer = {0};
    fire_count = 0;
    io_timer_start(w->b, &timer, 10, count_fire);
    sim_host_pause(w->world, "b");
    run_for(w, SECOND);
    assert_int_equal(fire_count, 0);
    sim_host_resume(w->world, "b");
    run_for(w, 0);
    assert_int_equal(fire_count, 1);
}

static void a_refusing_host_refuses_although_it_listens(void **state)
{
    struct pair *w = *state;
    pair_listen(w);
    sim_host_refuse(w->world, "b", true);
    pair_connect(w);
    run_for(w, SECOND);
    assert_int_equal(w->client.open_err, ERR_REFUSED);
    assert_int_equal(w->accepts, 0);
}

static void a_narrow_link_takes_its_time(void **state)
{
    struct pair *w = *state;
    struct sim_link link = {.latency_min_us = 1000, .latency_max_us = 1000, .bytes_per_s = 10000};
    pair_open(w);
    sim_link_set(w->world, "a", "b", &link);
    peer_send_many(&w->client, 100000);
    run_for(w, 8 * SECOND);
    assert_true(w->server.in.size > 50000 && w->server.in.size < 85000);
    run_for(w, 5 * SECOND);
    assert_true(peer_has_many(&w->server, 100000));
}

static void a_lossy_link_delivers_all_in_order_but_later(void **state)
{
    struct pair *w = *state;
    struct sim_link link = {
        .latency_min_us = 1000, .latency_max_us = 5000, .jitter_us = 5000, .loss = 0.3};
    sim_link_set(w->world, NULL, NULL, &link);
    w->server.echoes = true;
    pair_open(w);
    peer_send_many(&w->client, 1000000);
    run_for(w, 60 * SECOND);
    assert_true(peer_has_many(&w->client, 1000000));
}

/* --- all at once: whatever happens, what arrives is what was sent, in order, and nothing is left
 * */

static void shake(struct pair *w, struct rng *rng)
{
    static const enum sim_reset resets[] = {SIM_RESET_BOTH, SIM_RESET_FIRST};
    switch (rng_below(rng, 12)) {
    case 0: sim_partition(w->world, "a", "b"); break;
    case 1: sim_link_block(w->world, "a", "b"); break;
    case 2: sim_link_block(w->world, "b", "a"); break;
    case 3: sim_host_pause(w->world, rng_below(rng, 2) ? "a" : "b"); break;
    case 4: sim_streams_reset(w->world, NULL, NULL, 0.3, resets[rng_below(rng, 2)]); break;
    case 5: io_stream_pause(w->server.stream); break;
    case 6: io_stream_read(w->server.stream); break;
    default:
        sim_heal(w->world, NULL, NULL);
        sim_host_resume(w->world, "a");
        sim_host_resume(w->world, "b");
    }
}

static void whatever_happens_what_arrives_is_a_prefix_of_what_was_sent(void **state)
{
    (void)state;
    int completed = 0, failed = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sim_config config;
        struct rng rng;
        sim_config_init(&config, seed);
        rng_init(&rng, seed);
        struct pair *w = pair_create(&config);
        w->server.echoes = rng_below(&rng, 2);
        pair_open(w);
        peer_send_many(&w->client, 400000);
        io_stream_finish(w->client.stream);
        for (int i = 0; i < 60; i++) {
            shake(w, &rng);
            run_for(w, rng_below(&rng, rng_below(&rng, 2) ? 10 * MS : 10 * SECOND));
        }
        sim_heal(w->world, NULL, NULL);
        sim_host_resume(w->world, "a");
        sim_host_resume(w->world, "b");
        io_stream_read(w->server.stream);
        run_for(w, 400 * SECOND);
        assert_true(peer_has_many(&w->server, w->server.in.size));
        assert_true(peer_has_many(&w->client, w->client.in.size));
        assert_true(w->server.eofs + w->server.fails + w->client.fails > 0);
        if (w->server.eofs)
            assert_true(peer_has_many(&w->server, 400000));
        completed += w->server.eofs;
        failed += w->client.fails;
        pair_destroy(w);
    }
    assert_true(completed > 30);
    assert_true(failed > 30);
}

static void a_crash_at_any_moment_leaves_nothing_behind(void **state)
{
    static const enum sim_crash crashes[] = {SIM_CRASH_KILL, SIM_CRASH_RESET, SIM_CRASH_POWER};
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim_config config;
        struct rng rng;
        sim_config_init(&config, seed);
        rng_init(&rng, seed);
        struct pair *w = pair_create(&config);
        w->server.echoes = true;
        pair_listen(w);
        pair_connect(w);
        peer_send_many(&w->client, 300000);
        run_for(w, rng_below(&rng, 100 * MS));
        enum sim_crash how = crashes[rng_below(&rng, 3)];
        sim_host_crash(w->world, "b", how);
        if (rng_below(&rng, 2))
            run_for(w, rng_below(&rng, 100 * MS));
        end_b(w);
        if (rng_below(&rng, 2))
            assert_int_equal(sim_host_create(w->world, "b", NULL, &w->b), ERR_OK);
        run_for(w, 200 * SECOND);
        assert_true(peer_has_many(&w->client, w->client.in.size));
        if (how != SIM_CRASH_POWER) /* who had sent everything may wait for ever */
            assert_true(w->client.eofs + w->client.fails > 0 || w->client.open_err != ERR_OK);
        pair_destroy(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(a_partition_holds_bytes_and_delivers_them_when_healed),
        PAIR_TEST(a_long_partition_times_the_sender_out),
        PAIR_TEST(in_a_partition_connects_time_out),
        PAIR_TEST(a_connect_survives_a_short_partition),
        PAIR_TEST(an_asymmetric_partition_lets_one_direction_pass),
        PAIR_TEST(a_reset_breaks_both_ends),
        PAIR_TEST(a_one_sided_reset_leaves_the_other_end_half_open),
        PAIR_TEST(a_killed_process_resets_or_ends_its_streams_at_once),
        PAIR_TEST(a_power_loss_is_noticed_by_nobody_who_is_silent),
        PAIR_TEST(sending_to_a_host_without_power_times_out),
        PAIR_TEST(a_crashed_loop_can_be_abandoned_with_everything_on_it),
        PAIR_TEST(a_paused_host_keeps_its_connections_and_catches_up),
        PAIR_TEST(timers_of_a_paused_host_fire_when_it_goes_on),
        PAIR_TEST(a_refusing_host_refuses_although_it_listens),
        PAIR_TEST(a_narrow_link_takes_its_time),
        PAIR_TEST(a_lossy_link_delivers_all_in_order_but_later),
        cmocka_unit_test(a_crash_at_any_moment_leaves_nothing_behind),
        cmocka_unit_test(whatever_happens_what_arrives_is_a_prefix_of_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
