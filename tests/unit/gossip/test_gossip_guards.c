/* What the core does not believe, told by peers that speak its language well: records and
 * accusations made by hand. Guards that a world of honest nodes would hardly miss. */
#include "core_tell.h"

#define HOUR_S UINT64_C(3600)

static uint64_t wall_s(const struct world *w)
{
    return (WORLD_WALL_MS + w->now_ms) / 1000;
}

static uint64_t refused(const struct world *w, size_t i, enum err reason)
{
    struct gossip_counts counts;
    gossip_counts(w->nodes[i].g, &counts);
    return counts.refused[reason];
}

/* An inventory of node 1, newer than what there is. */
static struct gossip_signed inventory(const struct world *w, uint64_t version)
{
    return (struct gossip_signed){.kind = GOSSIP_INVENTORY,
                                  .incarnation = world_view(w, 1, 1)->incarnation,
                                  .version = version,
                                  .issued_s = wall_s(w),
                                  .payload = BYTES("models")};
}

static bool knows_inventory(const struct world *w, uint64_t version)
{
    return world_view(w, 0, 1)->records[GOSSIP_INVENTORY].version == version;
}

/* --- introductions */

/* Node 1 tells node 0 of a third one, which does not run, under a record of that age. */
static struct world *introduce(uint64_t age_s, uint8_t signing_key)
{
    struct world *w = world_meet(2);
    struct world_node *stranger = &w->nodes[w->count++];
    uint8_t payload[33] = {77, [32] = 'x'};
    stranger->key[0] = 77;
    stranger->id = id_of_public_key(stranger->key);
    struct gossip_signed said = {.kind = GOSSIP_NODE,
                                 .incarnation = 17,
                                 .version = 1,
                                 .issued_s = wall_s(w) - age_s,
                                 .payload = bytes_of(payload, sizeof payload)};
    tell_record(w, 1, 0, stranger->key, (uint8_t[32]){signing_key}, said);
    return w;
}

static void a_record_of_yesterday_introduces_its_owner(void **state)
{
    struct world *w = introduce(23 * HOUR_S, 77);
    assert_non_null(world_view(w, 0, 2));
    world_free(w);
}

static void a_record_of_the_day_before_introduces_nobody(void **state)
{
    struct world *w = introduce(25 * HOUR_S, 77);
    assert_null(world_view(w, 0, 2));
    assert_int_equal(refused(w, 0, ERR_REPLAYED), 1);
    world_free(w);
}

static void nobody_introduces_another(void **state)
{
    struct world *w = introduce(0, 2);
    assert_null(world_view(w, 0, 2));
    assert_int_equal(refused(w, 0, ERR_BAD_SIGNATURE), 1);
    world_free(w);
}

/* Node 0 hears of the owner of `key`, for whom there is no place at the table. */
static void meet_by_itself(struct world *w, const uint8_t *key)
{
    uint8_t payload[33] = {[32] = 'x'};
    struct gossip_effects effects;
    struct buf message;
    memcpy(payload, key, 32);
    buf_init(&message, 4096);
    put_record(&message, key, key,
               (struct gossip_signed){.kind = GOSSIP_NODE,
                                      .incarnation = 17,
                                      .version = 1,
                                      .issued_s = wall_s(w),
                                      .payload = bytes_of(payload, sizeof payload)});
    struct gossip_event e = {.now_ms = w->now_ms,
                             .now_us = w->now_ms * 1000,
                             .wall_ms = WORLD_WALL_MS + w->now_ms,
                             .type = GOSSIP_LINK_MESSAGE,
                             .id = w->nodes[1].id,
                             .data = buf_bytes(&message)};
    gossip_step(w->nodes[0].g, &e, &effects);
    buf_fini(&message);
}

/* It left, and its place was needed. */
static void who_was_forgotten_is_not_introduced_again(void **state)
{
    struct world *w = world_meet(2);
    uint64_t incarnation = world_view(w, 0, 1)->incarnation;
    world_step(w, 1, (struct gossip_event){.type = GOSSIP_GOODBYE});
    (void)world_until(w, 1, GOSSIP_LEFT, 100);
    for (uint8_t i = 1; i < 100 && world_view(w, 0, 1); i++)
        meet_by_itself(w, (uint8_t[32]){200, i});
    assert_null(world_view(w, 0, 1));
    uint8_t payload[33] = {2, [32] = 'x'};
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key,
                (struct gossip_signed){.kind = GOSSIP_NODE,
                                       .incarnation = incarnation,
                                       .version = 2,
                                       .issued_s = wall_s(w),
                                       .payload = bytes_of(payload, sizeof payload)});
    assert_int_equal(refused(w, 0, ERR_REPLAYED), 1);
    assert_null(world_view(w, 0, 1));
    world_free(w);
}

/* --- records */

static void a_record_from_the_future_is_refused(void **state)
{
    struct world *w = world_meet(2);
    struct gossip_signed soon = inventory(w, 5), later = inventory(w, 6), absurd = inventory(w, 7);
    soon.issued_s += 4 * 60;
    later.issued_s += 6 * 60;
    absurd.incarnation = UINT64_MAX;
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, soon);
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, later);
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, absurd);
    assert_true(knows_inventory(w, 5));
    assert_int_equal(refused(w, 0, ERR_CLOCK_SKEW), 2);
    world_free(w);
}

static void a_member_keeps_its_key(void **state)
{
    struct world *w = world_meet(2);
    uint8_t payload[33] = {99, [32] = 'x'};
    struct gossip_signed said = inventory(w, 5);
    said.kind = GOSSIP_NODE;
    said.payload = bytes_of(payload, sizeof payload);
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, said);
    assert_int_equal(world_view(w, 0, 1)->records[GOSSIP_NODE].payload.data[0], 2);
    assert_int_equal(refused(w, 0, ERR_BAD_SIGNATURE), 1);
    world_free(w);
}

/* Five minutes are for clocks that differ. */
static void whose_certificate_has_ended_is_down_and_not_listened_to(void **state)
{
    struct world *w = world_meet(3);
    uint8_t payload[34] = {2, [32] = '~', 'x'};
    world_step(w, 1,
               (struct gossip_event){.type = GOSSIP_PUBLISH,
                                     .kind = GOSSIP_NODE,
                                     .data = bytes_of(payload, sizeof payload)});
    world_run(w, 4 * 60 * 1000);
    assert_true(world_sees(w, 0, 1, GOSSIP_ALIVE));
    world_run(w, 75 * 1000);
    assert_true(world_sees(w, 0, 1, GOSSIP_DOWN));
    struct gossip_signed said = inventory(w, 6);
    said.incarnation += 1000; /* a refutation */
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, said);
    assert_false(knows_inventory(w, 6));
    assert_true(refused(w, 0, ERR_CERT_EXPIRED) > 0);
    assert_true(world_sees(w, 0, 1, GOSSIP_DOWN));
    world_free(w);
}

/* Its receiver knows none of the sequences that came before it was started. */
static void a_datagram_of_an_hour_ago_is_refused_by_who_has_just_started(void **state)
{
    struct world *w = world_meet(3);
    world_run(w, 3000);
    struct world_mail m = w->last;
    m.data = malloc(m.size);
    memcpy(m.data, w->last.data, m.size);
    world_run(w, HOUR_S * 1000);
    world_stop(w, m.to);
    world_start(w, m.to);
    world_link(w, m.to, m.from);
    world_run(w, 100);
    uint64_t before = refused(w, m.to, ERR_REPLAYED);
    world_receive(w, m.from, m.to, false, bytes_of(m.data, m.size));
    assert_int_equal(refused(w, m.to, ERR_REPLAYED), before + 1);
    free(m.data);
    world_free(w);
}

/* The table of this world has 64 places. */
static void a_full_table_takes_nobody_and_loses_nobody_who_lives(void **state)
{
    struct world *w = world_meet(2);
    for (uint8_t i = 1; i <= 62; i++)
        meet_by_itself(w, (uint8_t[32]){200, i});
    assert_int_equal(gossip_member_count(w->nodes[0].g), 64);
    assert_int_equal(refused(w, 0, ERR_LIMIT), 0);
    for (uint8_t i = 63; i <= 80; i++)
        meet_by_itself(w, (uint8_t[32]){200, i});
    assert_int_equal(gossip_member_count(w->nodes[0].g), 64);
    assert_int_equal(refused(w, 0, ERR_LIMIT), 18);
    assert_true(world_sees(w, 0, 1, GOSSIP_ALIVE));
    world_free(w);
}

static void who_sends_much_that_is_refused_is_not_listened_to_for_a_minute(void **state)
{
    struct world *w = world_meet(2);
    for (uint64_t i = 0; i < 64; i++) {
        tell_record(w, 1, 0, w->nodes[1].key, w->nodes[0].key, inventory(w, 100 + i));
        world_run(w, 60); /* not too many a second */
    }
    assert_int_equal(refused(w, 0, ERR_BAD_SIGNATURE), 64);
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, inventory(w, 5));
    assert_false(knows_inventory(w, 5));
    world_run(w, 61000);
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, inventory(w, 6));
    assert_true(knows_inventory(w, 6));
    world_free(w);
}

static uint64_t bytes_out(const struct world *w, size_t i)
{
    struct gossip_counts counts;
    gossip_counts(w->nodes[i].g, &counts);
    return counts.link_bytes_out;
}

static void an_owner_has_two_dozen_versions_a_second(void **state)
{
    struct world *w = world_meet(2);
    world_run(w, 2000);
    for (uint64_t version = 1; version <= 40; version++)
        tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, inventory(w, version));
    assert_in_range(world_view(w, 0, 1)->records[GOSSIP_INVENTORY].version, 20, 24);
    world_run(w, 1000);
    tell_record(w, 1, 0, w->nodes[1].key, w->nodes[1].key, inventory(w, 41));
    assert_true(knows_inventory(w, 41));
    world_free(w);
}

static void what_three_announce_at_once_is_asked_for_twice(void **state)
{
    struct world *w = world_meet(4);
    struct gossip_entry entry = {.ref = ref_of(&w->nodes[1].id),
                                 .kinds = 1u << GOSSIP_INVENTORY,
                                 .incarnation = world_view(w, 0, 1)->incarnation};
    struct buf message;
    entry.versions[GOSSIP_INVENTORY] = (struct gossip_wire_version){entry.incarnation, 9};
    buf_init(&message, 256);
    assert_int_equal(gossip_wire_put_versions(&message, 1), ERR_OK);
    assert_int_equal(gossip_wire_put_entry(&message, &entry), ERR_OK);
    uint64_t bytes[4] = {bytes_out(w, 0)};
    for (size_t from = 1; from <= 3; from++) {
        world_receive(w, from, 0, true, buf_bytes(&message));
        bytes[from] = bytes_out(w, 0);
    }
    assert_int_equal(bytes[2] - bytes[1], bytes[1] - bytes[0]);
    assert_true(bytes[3] - bytes[2] < bytes[1] - bytes[0]);
    buf_fini(&message);
    world_free(w);
}

/* --- accusations */

static void an_accusation_in_anothers_name_is_not_refuted(void **state)
{
    struct world *w = world_meet(3);
    uint64_t before = world_view(w, 0, 0)->incarnation;
    tell_accusation(w, 1, 0, 2, 0, w->nodes[1].key);
    assert_int_equal(world_view(w, 0, 0)->incarnation, before);
    tell_accusation(w, 1, 0, 1, 0, w->nodes[1].key);
    assert_int_equal(world_view(w, 0, 0)->incarnation, before + 1);
    world_free(w);
}

static void who_was_often_wrong_is_not_believed_for_a_while(void **state)
{
    struct world *w = world_meet(4);
    world_run(w, 4000);
    for (int i = 0; i < 16; i++) {
        tell_accusation(w, 1, 0, 1, 2, w->nodes[1].key);
        world_run(w, 600);
        assert_true(world_sees(w, 0, 2, GOSSIP_ALIVE));
    }
    assert_int_equal(w->nodes[0].changes[GOSSIP_SUSPECT], 16);
    tell_accusation(w, 1, 0, 1, 2, w->nodes[1].key);
    assert_true(world_sees(w, 0, 2, GOSSIP_ALIVE));
    assert_int_equal(refused(w, 0, ERR_OVERLOADED), 1);
    tell_accusation(w, 3, 0, 3, 2, w->nodes[3].key);
    assert_true(world_sees(w, 0, 2, GOSSIP_SUSPECT));
    world_free(w);
}

static void who_is_accused_without_end_refutes_a_few_times_a_second(void **state)
{
    struct world *w = world_meet(3);
    uint64_t before = world_view(w, 0, 0)->incarnation;
    for (int i = 0; i < 100; i++) {
        tell_accusation(w, 1, 0, 1, 0, w->nodes[1].key);
        world_run(w, 10);
    }
    assert_in_range(world_view(w, 0, 0)->incarnation - before, 2, 4);
    world_free(w);
}

static void what_a_node_speaks_under_is_persisted(void **state)
{
    struct world *w = world_meet(3);
    assert_true(w->nodes[0].persisted >= world_view(w, 0, 0)->incarnation);
    world_free(w);
}

/* It has spoken under more than its clock gives, and does not know it. */
static void who_lost_its_past_is_told_of_it_at_once(void **state)
{
    struct world *w = world_meet(5);
    world_run(w, 4000);
    for (int i = 0; i < 60; i++) {
        tell_accusation(w, 1, 4, 1, 4, w->nodes[1].key);
        world_run(w, 450);
    }
    world_stop(w, 4);
    (void)world_until(w, 4, GOSSIP_DOWN, 6000);
    w->nodes[4].persisted = 0;
    world_start(w, 4);
    world_link(w, 4, 0);
    (void)world_until(w, 4, GOSSIP_ALIVE, 500);
    world_free(w);
}

/* As a second process of one key would speak, which goes above us in its turn. */
static void two_of_one_key_do_not_chase_each_other(void **state)
{
    struct world *w = world_meet(3);
    uint64_t raised = 0;
    for (int i = 0; i < 60; i++) {
        uint64_t before = world_view(w, 0, 0)->incarnation;
        tell_record(w, 1, 0, w->nodes[0].key, w->nodes[0].key,
                    (struct gossip_signed){.kind = GOSSIP_INVENTORY,
                                           .incarnation = before + 1,
                                           .version = 1,
                                           .issued_s = wall_s(w),
                                           .payload = BYTES("theirs")});
        raised += world_view(w, 0, 0)->incarnation > before;
        world_run(w, 50);
    }
    assert_in_range(raised, 1, 3); /* in three seconds */
    world_free(w);
}

/* --- our own health */

static void who_hears_nobody_blames_itself_and_slows_down(void **state)
{
    struct world *w = world_meet(5);
    struct gossip_counts before, after;
    world_run(w, 4000);
    for (size_t i = 1; i < 5; i++)
        w->cut[i][0] = true;
    gossip_counts(w->nodes[0].g, &before);
    world_run(w, 8000);
    gossip_counts(w->nodes[0].g, &after);
    assert_int_equal(before.health, 0);
    assert_true(after.health >= 6);
    assert_true(after.probes - before.probes <= 6);
    world_free(w);
}

static uint64_t suspicions(const struct world *w, size_t i)
{
    struct gossip_counts counts;
    gossip_counts(w->nodes[i].g, &counts);
    return counts.suspicions;
}

/* Node 4 starts anew, and soon hears nobody. */
static struct world *start_deaf(void)
{
    struct world *w = world_meet(5);
    world_run(w, 4000);
    world_stop(w, 4);
    world_start(w, 4);
    world_link(w, 4, 0);
    world_run(w, 50);
    for (size_t i = 0; i < 4; i++)
        w->cut[i][4] = true;
    return w;
}

static void who_has_just_started_accuses_nobody(void **state)
{
    struct world *w = start_deaf();
    world_run(w, 2400);
    assert_int_equal(suspicions(w, 4), 0);
    world_run(w, 4000);
    assert_true(suspicions(w, 4) > 0);
    world_free(w);
}

static void who_has_just_started_accuses_nobody_while_it_meets_others(void **state)
{
    struct world *w = start_deaf();
    struct world_node *newcomer = &w->nodes[w->count++];
    uint8_t payload[33] = {77, [32] = 'x'};
    newcomer->key[0] = 77;
    newcomer->id = id_of_public_key(newcomer->key);
    world_run(w, 2000);
    tell_record(w, 0, 4, newcomer->key, newcomer->key,
                (struct gossip_signed){.kind = GOSSIP_NODE,
                                       .incarnation = 17,
                                       .version = 1,
                                       .issued_s = wall_s(w),
                                       .payload = bytes_of(payload, sizeof payload)});
    world_run(w, 2400);
    assert_int_equal(suspicions(w, 4), 0);
    world_free(w);
}

static void whom_others_reach_is_no_suspect(void **state)
{
    struct world *w = world_meet(6);
    world_run(w, 4000);
    w->cut[1][2] = w->cut[2][1] = true;
    world_run(w, 30000);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(w->nodes[i].changes[GOSSIP_SUSPECT], 0);
    world_free(w);
}

/* The refutation came while the observer was stopped, and was lost. */
static void a_suspect_has_its_time_though_its_judge_was_stopped(void **state)
{
    struct world *w = world_meet(6);
    world_run(w, 4000);
    for (size_t accuser = 1; accuser <= 3; accuser++)
        tell_accusation(w, accuser, 0, accuser, 5, w->nodes[accuser].key);
    world_run(w, 1);
    w->nodes[0].is_paused = true;
    world_run(w, 3000);
    w->nodes[0].is_paused = false;
    world_run(w, 5000);
    assert_int_equal(w->nodes[0].changes[GOSSIP_SUSPECT], 1);
    assert_int_equal(w->nodes[0].changes[GOSSIP_DOWN], 0);
    assert_true(world_sees(w, 0, 5, GOSSIP_ALIVE));
    world_free(w);
}

/* What it would tell now the others have long judged. */
static void after_a_long_stop_nobody_is_suspect_for_what_was_before(void **state)
{
    struct world *w = world_meet(6);
    struct gossip_counts counts;
    world_run(w, 4000);
    for (size_t i = 1; i < 6; i++)
        w->cut[0][i] = w->cut[i][0] = true;
    while (w->nodes[0].changes[GOSSIP_SUSPECT] == 0)
        world_run(w, 1);
    w->nodes[0].is_paused = true;
    world_run(w, 20000);
    w->nodes[0].is_paused = false;
    world_run(w, 2);
    gossip_counts(w->nodes[0].g, &counts);
    assert_int_equal(counts.members[GOSSIP_SUSPECT], 0);
    world_free(w);
}

static void who_speaks_to_us_is_not_down_by_our_word_alone(void **state)
{
    struct world *w = world_meet(2);
    world_run(w, 4000);
    w->cut[0][1] = true;
    world_run(w, 7000);
    assert_true(world_sees(w, 0, 1, GOSSIP_SUSPECT));
    world_free(w);
}

/* --- ways */

static void where_datagrams_fail_news_goes_over_links(void **state)
{
    struct world *w = world_meet(2);
    w->cut_datagrams[0][1] = w->cut_datagrams[1][0] = true;
    world_run(w, 15000);
    for (int i = 0; i < 5; i++) {
        world_publish(w, 1, GOSSIP_INVENTORY, (char[2]){(char)('a' + i)});
        world_run(w, 60);
        assert_int_equal(world_view(w, 0, 1)->records[GOSSIP_INVENTORY].payload.data[0], 'a' + i);
        world_run(w, 1300);
    }
    world_free(w);
}

static void a_new_link_tells_a_newcomer_of_everybody_at_once(void **state)
{
    struct world *w = world_meet(12);
    world_run(w, 10000);
    world_stop(w, 11);
    (void)world_until(w, 11, GOSSIP_DOWN, 6000);
    world_start(w, 11);
    world_link(w, 11, 0);
    world_run(w, 10);
    assert_int_equal(gossip_member_count(w->nodes[11].g), 12);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_of_yesterday_introduces_its_owner),
        cmocka_unit_test(a_record_of_the_day_before_introduces_nobody),
        cmocka_unit_test(nobody_introduces_another),
        cmocka_unit_test(who_was_forgotten_is_not_introduced_again),
        cmocka_unit_test(a_record_from_the_future_is_refused),
        cmocka_unit_test(a_member_keeps_its_key),
        cmocka_unit_test(whose_certificate_has_ended_is_down_and_not_listened_to),
        cmocka_unit_test(a_datagram_of_an_hour_ago_is_refused_by_who_has_just_started),
        cmocka_unit_test(a_full_table_takes_nobody_and_loses_nobody_who_lives),
        cmocka_unit_test(who_sends_much_that_is_refused_is_not_listened_to_for_a_minute),
        cmocka_unit_test(an_owner_has_two_dozen_versions_a_second),
        cmocka_unit_test(what_three_announce_at_once_is_asked_for_twice),
        cmocka_unit_test(an_accusation_in_anothers_name_is_not_refuted),
        cmocka_unit_test(who_was_often_wrong_is_not_believed_for_a_while),
        cmocka_unit_test(who_is_accused_without_end_refutes_a_few_times_a_second),
        cmocka_unit_test(what_a_node_speaks_under_is_persisted),
        cmocka_unit_test(who_lost_its_past_is_told_of_it_at_once),
        cmocka_unit_test(two_of_one_key_do_not_chase_each_other),
        cmocka_unit_test(who_hears_nobody_blames_itself_and_slows_down),
        cmocka_unit_test(who_has_just_started_accuses_nobody),
        cmocka_unit_test(who_has_just_started_accuses_nobody_while_it_meets_others),
        cmocka_unit_test(whom_others_reach_is_no_suspect),
        cmocka_unit_test(a_suspect_has_its_time_though_its_judge_was_stopped),
        cmocka_unit_test(after_a_long_stop_nobody_is_suspect_for_what_was_before),
        cmocka_unit_test(who_speaks_to_us_is_not_down_by_our_word_alone),
        cmocka_unit_test(where_datagrams_fail_news_goes_over_links),
        cmocka_unit_test(a_new_link_tells_a_newcomer_of_everybody_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
