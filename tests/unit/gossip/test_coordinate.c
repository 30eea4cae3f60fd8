/* Tests of gossip/coordinate: what one update may do, what it refuses, validity and the wire form.
 * Accuracy and liars in whole worlds: test_coordinate_worlds.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/gossip/coordinate_world.h"

/* A node that agrees with its only peer, 20 ms away, on everything. */
static void settle(struct world *w)
{
    setup(w, 2, 1);
    set_truth(w, 0, 1, 20e3);
    for (int i = 0; i < 1000; i++) {
        measure(w, 0, 1);
        measure(w, 1, 0);
    }
    assert_true(fabs(gossip_coordinate_distance_us(&w->selves[0].own, &w->selves[1].own) - 20e3) <
                1);
}

static double step_of(const struct gossip_coordinate *before, const struct gossip_coordinate *after)
{
    double sum = 0;
    for (int k = 0; k < DIMENSIONS; k++)
        sum += pow(after->position[k] - before->position[k], 2);
    return sqrt(sum);
}

static void one_lie_moves_a_settled_node_by_a_small_step(void **state)
{
    (void)state;
    static lie_fn *const lies[] = {drag_to_a_corner, throw_anywhere, push_by_delay, lift_the_height,
                                   absurd_adjustment};
    struct rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct gossip_coordinate_self self;
        gossip_coordinate_init(&self);
        self.own.position[0] = 20e-3;
        self.own.height = 2e-3;
        self.own.error = 0.1;
        self.sample_count = GOSSIP_COORDINATE_WARM_SAMPLES; /* all residuals are 0 */
        struct gossip_coordinate before = self.own;
        struct gossip_rtt_filter filter = {0};
        int64_t rtt_us = 20000;
        struct gossip_coordinate claim = lies[i](&self.own, &rng, &rtt_us);
        claim.error = 0;
        assert_int_equal(gossip_coordinate_update(&self, &filter, &claim, rtt_us, &rng), ERR_OK);
        double step_max_s = GOSSIP_COORDINATE_PULL_MIN_S / 8 + 1e-6;
        assert_true(step_of(&before, &self.own) <= step_max_s);
        assert_true(fabs(self.own.height - before.height) <= step_max_s);
        assert_true(fabs(self.own.adjustment) <= GOSSIP_COORDINATE_PULL_MIN_S / 40 + 1e-6);
        assert_true(self.own.error <= before.error + GOSSIP_COORDINATE_ERROR_MAX / 8);
    }
}

/* 0.1 ms of truth against 5 ms of disagreement would be an error of 50. */
static void one_lie_raises_the_error_of_a_settled_node_by_little(void **state)
{
    (void)state;
    struct gossip_coordinate_self self;
    gossip_coordinate_init(&self);
    self.own.error = 0.1;
    struct rng rng;
    rng_init(&rng, 1);
    int64_t rtt_us = 100;
    struct gossip_coordinate claim = drag_to_a_corner(&self.own, &rng, &rtt_us);
    struct gossip_rtt_filter filter = {0};
    assert_int_equal(gossip_coordinate_update(&self, &filter, &claim, rtt_us, &rng), ERR_OK);
    assert_true(self.own.error <= 0.1 + GOSSIP_COORDINATE_ERROR_MAX / 8);
}

/* --- one update ------------------------------------------------------------------------------ */

static void coincident_nodes_part_in_a_random_direction(void **state)
{
    (void)state;
    static struct world w;
    setup(&w, 2, 1);
    set_truth(&w, 0, 1, 20e3);
    struct rng before = w.rng;
    assert_int_equal(
        gossip_coordinate_update(&w.selves[0], &w.filters[0][1], &w.selves[1].own, 20000, &w.rng),
        ERR_OK);
    assert_memory_not_equal(&before, &w.rng, sizeof before);
    for (int k = 0; k < DIMENSIONS; k++)
        assert_true(w.selves[0].own.position[k] != 0);
}

/* Not even at the origin, from where gravity has no direction. */
static void nodes_apart_need_no_randomness(void **state)
{
    (void)state;
    struct gossip_coordinate_self self;
    gossip_coordinate_init(&self);
    struct gossip_coordinate peer = self.own;
    peer.position[0] = 20e-3;
    struct gossip_rtt_filter filter = {0};
    assert_int_equal(gossip_coordinate_update(&self, &filter, &peer, 20020, NULL), ERR_OK);
}

static void a_round_trip_of_zero_counts_as_one_microsecond(void **state)
{
    (void)state;
    struct gossip_coordinate_self selves[2];
    for (int i = 0; i < 2; i++) {
        gossip_coordinate_init(&selves[i]);
        selves[i].own.error = 0.1;
        struct gossip_coordinate peer = selves[i].own;
        struct gossip_rtt_filter filter = {0};
        struct rng rng;
        rng_init(&rng, 1);
        assert_int_equal(gossip_coordinate_update(&selves[i], &filter, &peer, i, &rng), ERR_OK);
        assert_int_equal(filter.samples_us[0], 1);
    }
    assert_memory_equal(&selves[0], &selves[1], sizeof selves[0]);
}

/* Without any, no sample would ever weigh again. */
static void perfect_agreement_leaves_a_trace_of_doubt(void **state)
{
    (void)state;
    struct gossip_coordinate_self self;
    gossip_coordinate_init(&self);
    struct gossip_coordinate peer = self.own;
    peer.position[0] = 20e-3;
    struct gossip_rtt_filter filter = {0};
    peer.error = self.own.error = 2e-6;
    for (int i = 0; i < 100; i++)
        assert_int_equal(gossip_coordinate_update(&self, &filter, &peer, 20020, NULL), ERR_OK);
    assert_true(self.own.error == 1e-6);
}

static void distance_is_symmetric_and_counts_heights_and_adjustments(void **state)
{
    (void)state;
    struct gossip_coordinate a = {.position = {0.003}, .height = 0.01, .adjustment = 0.002};
    struct gossip_coordinate b = {.position = {0, 0.004}, .height = 0.02, .adjustment = -0.001};
    double there_us = gossip_coordinate_distance_us(&a, &b);
    assert_true(there_us == gossip_coordinate_distance_us(&b, &a));
    assert_true(fabs(there_us - 36e3) < 1e-6);
    b.adjustment = -1; /* would make it negative: then adjustments do not count */
    assert_true(fabs(gossip_coordinate_distance_us(&a, &b) - 35e3) < 1e-6);
}

static void refused_input_changes_nothing(void **state)
{
    (void)state;
    static struct world w;
    settle(&w);
    struct gossip_coordinate good = w.selves[1].own;
    struct gossip_coordinate bad = good;
    bad.position[7] = NAN;
    const struct {
        const struct gossip_coordinate *peer;
        int64_t rtt_us;
    } cases[] = {{&good, -1},
                 {&good, INT64_MIN},
                 {&good, GOSSIP_RTT_MAX_US + 1},
                 {&good, INT64_MAX},
                 {&bad, 20000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world before = w;
        assert_int_equal(gossip_coordinate_update(&w.selves[0], &w.filters[0][1], cases[i].peer,
                                                  cases[i].rtt_us, &w.rng),
                         ERR_INVALID);
        assert_memory_equal(&before.selves[0], &w.selves[0], sizeof w.selves[0]);
        assert_memory_equal(&before.filters[0][1], &w.filters[0][1], sizeof w.filters[0][1]);
    }
}

static void round_trips_at_the_limits_are_taken(void **state)
{
    (void)state;
    static const int64_t limits_us[] = {0, 1, GOSSIP_RTT_MAX_US};
    for (size_t i = 0; i < sizeof limits_us / sizeof *limits_us; i++) {
        static struct world w;
        setup(&w, 2, 1);
        for (int j = 0; j < 100; j++) {
            struct gossip_coordinate before = w.selves[0].own;
            assert_int_equal(gossip_coordinate_update(&w.selves[0], &w.filters[0][1],
                                                      &w.selves[1].own, limits_us[i], &w.rng),
                             ERR_OK);
            assert_memory_not_equal(&before, &w.selves[0].own, sizeof before);
            assert_true(gossip_coordinate_is_valid(&w.selves[0].own));
        }
    }
}

static void a_state_gone_bad_starts_afresh(void **state)
{
    (void)state;
    static struct world w;
    struct gossip_coordinate_self fresh;
    gossip_coordinate_init(&fresh);
    for (int i = 0; i < 5; i++) {
        settle(&w);
        struct gossip_coordinate_self *self = &w.selves[0];
        double *const fields[] = {&self->own.position[3], &self->own.height, &self->own.error,
                                  &self->residuals[5], &self->own.position[0]};
        *fields[i] = i < 4 ? NAN : INFINITY;
        measure(&w, 0, 1);
        assert_memory_equal(self, &fresh, sizeof fresh);
    }
}

static void the_filter_kills_a_single_spike(void **state)
{
    (void)state;
    static struct world w;
    settle(&w);
    struct gossip_coordinate before = w.selves[0].own;
    set_truth(&w, 0, 1, 900e3);
    measure(&w, 0, 1);
    assert_true(step_of(&before, &w.selves[0].own) < 1e-6);
    measure(&w, 0, 1); /* the second in a row is the median, no spike */
    assert_true(step_of(&before, &w.selves[0].own) > 100e-6);
}

/* The bound on disagreement slows this, but must not forbid it. */
static void a_path_that_changes_for_good_is_learned(void **state)
{
    (void)state;
    static struct world w;
    settle(&w);
    set_truth(&w, 0, 1, 120e3);
    for (int i = 0; i < 100; i++) {
        measure(&w, 0, 1);
        measure(&w, 1, 0);
    }
    double distance_us = gossip_coordinate_distance_us(&w.selves[0].own, &w.selves[1].own);
    assert_true(fabs(distance_us - 120e3) < 1e3);
}

/* --- validity and wire ----------------------------------------------------------------------- */

static const struct gossip_coordinate extreme = {
    .position = {10, -10, 0, 1e-8, -1e-8, 0.1234567, -9.99999999, 3},
    .height = GOSSIP_COORDINATE_HEIGHT_MIN_S,
    .adjustment = -10,
    .error = GOSSIP_COORDINATE_ERROR_MAX,
};

static void validity_has_bounds_for_every_component(void **state)
{
    (void)state;
    static const double outside[][4] = {/* position, height, adjustment, error */
                                        {10.001, 1, 0, 0},    {-10.001, 1, 0, 0}, {NAN, 1, 0, 0},
                                        {-INFINITY, 1, 0, 0}, {0, 0, 0, 0},       {0, 9e-6, 0, 0},
                                        {0, 10.001, 0, 0},    {0, NAN, 0, 0},     {0, 1, 10.001, 0},
                                        {0, 1, NAN, 0},       {0, 1, 0, 1.501},   {0, 1, 0, -1e-9},
                                        {0, 1, 0, INFINITY},  {0, 1, 0, NAN}};
    assert_true(gossip_coordinate_is_valid(&extreme));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        struct gossip_coordinate c = {.position = {[7] = outside[i][0]},
                                      .height = outside[i][1],
                                      .adjustment = outside[i][2],
                                      .error = outside[i][3]};
        assert_false(gossip_coordinate_is_valid(&c));
    }
}

static void what_was_encoded_decodes_the_same_to_10_ns(void **state)
{
    (void)state;
    uint8_t wire[GOSSIP_COORDINATE_SIZE];
    gossip_coordinate_encode(&extreme, wire);
    struct gossip_coordinate c;
    assert_int_equal(gossip_coordinate_decode(bytes_of(wire, sizeof wire), &c), ERR_OK);
    for (int k = 0; k < DIMENSIONS; k++)
        assert_true(fabs(c.position[k] - extreme.position[k]) <= 5.1e-9);
    assert_true(c.height == extreme.height);
    assert_true(c.adjustment == extreme.adjustment);
    assert_true(c.error == extreme.error);
}

static void the_wire_form_never_changes(void **state)
{
    (void)state;
    static const uint8_t expected[GOSSIP_COORDINATE_SIZE] = {
        0x3b, 0x9a, 0xca, 0x00, 0xc4, 0x65, 0x36, 0x00, 0,    0,    0,    0,    0,    0,    0,
        1,    0xff, 0xff, 0xff, 0xff, 0x00, 0xbc, 0x61, 0x46, 0xc4, 0x65, 0x36, 0x01, 0x11, 0xe1,
        0xa3, 0x00, 0,    0,    0x03, 0xe8, 0xc4, 0x65, 0x36, 0x00, 0x00, 0x16, 0xe3, 0x60};
    uint8_t wire[GOSSIP_COORDINATE_SIZE];
    gossip_coordinate_encode(&extreme, wire);
    assert_memory_equal(wire, expected, sizeof wire);
}

static void other_sizes_are_refused(void **state)
{
    (void)state;
    uint8_t wire[GOSSIP_COORDINATE_SIZE + 1] = {0};
    gossip_coordinate_encode(&extreme, wire);
    struct gossip_coordinate c = extreme;
    for (size_t size = 0; size <= sizeof wire; size++)
        if (size != GOSSIP_COORDINATE_SIZE)
            assert_int_equal(gossip_coordinate_decode(bytes_of(wire, size), &c), ERR_INVALID);
    assert_memory_equal(&c, &extreme, sizeof c);
}

static void hostile_bytes_decode_to_something_valid_or_not_at_all(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    int accepted = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t wire[GOSSIP_COORDINATE_SIZE];
        gossip_coordinate_encode(&extreme, wire);
        for (int k = 0; k < 2; k++)
            wire[rng_below(&rng, sizeof wire)] = (uint8_t)rng_next(&rng);
        struct gossip_coordinate c = {0};
        bool is_taken = gossip_coordinate_decode(bytes_of(wire, sizeof wire), &c) == ERR_OK;
        assert_int_equal(is_taken, gossip_coordinate_is_valid(&c));
        accepted += is_taken;
        if (!is_taken)
            continue;
        uint8_t again[GOSSIP_COORDINATE_SIZE];
        gossip_coordinate_encode(&c, again);
        assert_memory_equal(wire, again, sizeof wire);
    }
    assert_in_range(accepted, 1000, 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_lie_moves_a_settled_node_by_a_small_step),
        cmocka_unit_test(one_lie_raises_the_error_of_a_settled_node_by_little),
        cmocka_unit_test(coincident_nodes_part_in_a_random_direction),
        cmocka_unit_test(nodes_apart_need_no_randomness),
        cmocka_unit_test(a_round_trip_of_zero_counts_as_one_microsecond),
        cmocka_unit_test(perfect_agreement_leaves_a_trace_of_doubt),
        cmocka_unit_test(distance_is_symmetric_and_counts_heights_and_adjustments),
        cmocka_unit_test(refused_input_changes_nothing),
        cmocka_unit_test(round_trips_at_the_limits_are_taken),
        cmocka_unit_test(a_state_gone_bad_starts_afresh),
        cmocka_unit_test(the_filter_kills_a_single_spike),
        cmocka_unit_test(a_path_that_changes_for_good_is_learned),
        cmocka_unit_test(validity_has_bounds_for_every_component),
        cmocka_unit_test(what_was_encoded_decodes_the_same_to_10_ns),
        cmocka_unit_test(the_wire_form_never_changes),
        cmocka_unit_test(other_sizes_are_refused),
        cmocka_unit_test(hostile_bytes_decode_to_something_valid_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
