/* Tests of the raft core alone, one step at a time: what it refuses, what it bounds, and what ends
 * it. What cores do together: tests/sim (raft_sim, golden). */
#include "core_fixture.h"

/* --- the beginning */

static void a_start_is_durable_before_anything_is_sent(void **state)
{
    (void)state;
    struct raft_cfg cfg;
    struct raft_boot boot = {.base.index = 0};
    create(3, NULL);
    raft_destroy(f.core);
    raft_cfg_init(&cfg);
    cfg.self = self;
    cfg.fresh_store = 77;
    cfg.draw = 5;
    cfg.ops.read = read_nothing;
    assert_int_equal(raft_create(&cfg, &boot, &f.core), ERR_OK);
    step((struct raft_event){.type = RAFT_TICK});
    assert_non_null(f.e.write);
    assert_int_equal(f.e.write->hard->boot, 1);
    assert_int_equal(f.e.write->hard->store, 77);
    assert_int_equal(f.e.write->hard->draws[0], 5);
    receive((struct raft_message){.type = RAFT_PREVOTE, .next_term = 1});
    assert_int_equal(f.e.sends[0].after, 1);
}

static void bad_configuration_of_a_core_is_refused(void **state)
{
    (void)state;
    struct raft_cfg cfg;
    struct raft_boot boot = {.base.index = 0};
    struct raft *r = NULL;
    create(1, NULL);
    raft_cfg_init(&cfg);
    assert_int_equal(raft_create(&cfg, &boot, &r), ERR_INVALID);
    cfg.self = self;
    cfg.fresh_store = 1;
    assert_int_equal(raft_create(&cfg, &boot, &r), ERR_INVALID);
    cfg.draw = 1;
    cfg.ops.read = read_nothing;
    cfg.inflight_max = 100000;
    assert_int_equal(raft_create(&cfg, &boot, &r), ERR_INVALID);
    cfg.inflight_max = 1;
    boot.base.index = 5; /* cut behind what was applied */
    assert_int_equal(raft_create(&cfg, &boot, &r), ERR_CORRUPT);
}

/* --- a follower */

static void records_of_a_later_version_stop_the_node_before_anything_is_kept(void **state)
{
    (void)state;
    create(3, NULL);
    add_record(2, 5, BYTES("x"));
    f.storage[8] = 2; /* version */
    uint32_t crc = raft_crc32c(0, bytes_of(f.storage + 4, f.records.size - 4));
    for (int i = 0; i < 4; i++)
        f.storage[i] = (uint8_t)(crc >> (24 - 8 * i));
    receive(append_of(1));
    assert_int_equal(f.e.stop, ERR_UNSUPPORTED);
    assert_null(f.e.write);
    assert_int_equal(f.e.send_count, 0);
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(f.e.send_count, 0);
    assert_true(raft_deadline_ms(f.core) == UINT64_MAX);
}

static void a_record_that_breaks_the_chain_is_refused_and_counted(void **state)
{
    (void)state;
    create(3, NULL);
    add_record(2, 5, BYTES("x"));
    f.last_hash[0] ^= 1;
    add_record(3, 5, BYTES("y"));
    receive(append_of(2));
    assert_int_equal(refused(ERR_CORRUPT), 1);
    assert_int_equal(status().last, 2); /* the first was sound */
    assert_null(sent(RAFT_APPEND_REPLY));
}

static void a_record_in_the_wrong_place_is_refused(void **state)
{
    (void)state;
    create(3, NULL);
    add_record(3, 5, BYTES("x"));
    receive(append_of(1));
    assert_int_equal(refused(ERR_INVALID), 1);
    assert_int_equal(status().last, 1);
}

static void an_acknowledgement_waits_for_its_write(void **state)
{
    (void)state;
    create(3, NULL);
    add_record(2, 5, BYTES("x"));
    receive(append_of(1));
    assert_non_null(f.e.write);
    assert_int_equal(f.e.write->record_count, 1);
    assert_int_equal(f.e.sends[0].message.type, RAFT_APPEND_REPLY);
    assert_int_equal(f.e.sends[0].after, f.e.write->token);
}

static void nothing_is_applied_before_it_is_durable(void **state)
{
    (void)state;
    create(3, NULL);
    add_record(2, 5, BYTES("x"));
    struct raft_message m = append_of(1);
    m.commit = 2;
    receive(m);
    assert_int_equal(f.e.apply_last, 0);
    persist();
    assert_int_equal(f.e.apply_first, 2);
    assert_int_equal(f.e.apply_last, 2);
}

static void a_follower_with_a_live_leader_heeds_no_campaign(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){.type = RAFT_APPEND, .term = 5, .index = 1, .log_term = 1});
    persist();
    receive((struct raft_message){
        .type = RAFT_VOTE, .from = third, .term = 9, .index = 9, .log_term = 8});
    assert_int_equal(status().term, 5);
    receive((struct raft_message){
        .type = RAFT_PREVOTE, .from = third, .term = 8, .next_term = 9, .index = 9, .log_term = 8});
    assert_false(sent(RAFT_PREVOTE_REPLY)->ok);
    f.now_ms += 1000; /* the leader fell silent */
    receive((struct raft_message){
        .type = RAFT_VOTE, .from = third, .term = 9, .index = 9, .log_term = 8});
    assert_int_equal(status().term, 9);
    assert_true(sent(RAFT_VOTE_REPLY)->ok);
}

static void a_campaign_that_the_leader_wants_is_heeded(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){.type = RAFT_APPEND, .term = 5, .index = 1, .log_term = 1});
    receive((struct raft_message){
        .type = RAFT_VOTE, .from = third, .term = 6, .index = 9, .log_term = 5, .is_forced = true});
    assert_true(sent(RAFT_VOTE_REPLY)->ok);
}

static void a_leader_of_an_old_term_is_told(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){.type = RAFT_VOTE, .from = third, .term = 7, .log_term = 7});
    receive((struct raft_message){.type = RAFT_APPEND, .term = 5, .index = 1, .log_term = 1});
    assert_false(sent(RAFT_APPEND_REPLY)->ok);
    assert_int_equal(sent(RAFT_APPEND_REPLY)->term, 7);
}

static void absurd_numbers_are_refused(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){.type = RAFT_VOTE, .term = UINT64_MAX, .log_term = 9});
    receive((struct raft_message){.type = RAFT_APPEND, .term = 5, .index = UINT64_MAX});
    assert_int_equal(refused(ERR_INVALID), 2);
    assert_int_equal(status().term, 1);
}

static void a_full_disk_takes_no_records_and_says_so(void **state)
{
    (void)state;
    create(3, NULL);
    step((struct raft_event){.type = RAFT_DISK, .is_full = true});
    add_record(2, 5, BYTES("x"));
    receive(append_of(1));
    assert_true(sent(RAFT_APPEND_REPLY)->is_full);
    assert_int_equal(status().last, 1);
    f.now_ms += 5000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(status().role, RAFT_FOLLOWER); /* it does not campaign */
}

static void records_of_members_fill_a_gap_as_far_as_they_are_committed(void **state)
{
    (void)state;
    struct raft_cfg cfg;
    struct raft_boot boot = {.hard = {.term = 1, .store = 1, .boot = 4}, .applied = 1};
    create(3, NULL);
    raft_destroy(f.core);
    boot.base = (struct raft_base){.index = 1, .term = 1};
    boot.base.config =
        (struct raft_config){2, {{{{1}}, 1, 0, true, false}, {{{2}}, 2, 0, true, false}}};
    boot.last = 3; /* both unreadable */
    raft_cfg_init(&cfg);
    cfg.self = self;
    cfg.fresh_store = 77;
    cfg.draw = 5;
    cfg.ops.read = read_nothing;
    assert_int_equal(raft_create(&cfg, &boot, &f.core), ERR_OK);
    assert_int_equal(status().unreadable_first, 2);
    step((struct raft_event){.type = RAFT_TICK});
    persist();
    add_record(2, 1, BYTES("x"));
    add_record(3, 1, BYTES("y"));
    struct raft_message m = append_of(2);
    m.type = RAFT_FETCHED;
    m.index = 2;
    m.commit = 1;
    receive(m);
    assert_true(!f.e.write || !f.e.write->is_repair);
    m.commit = 2;
    receive(m);
    assert_true(f.e.write->is_repair);
    assert_int_equal(f.e.write->first_index, 2);
    assert_int_equal(f.e.write->record_count, 1);
    receive((struct raft_message){.type = RAFT_VOTE, .term = 9, .index = 9, .log_term = 9});
    assert_false(sent(RAFT_VOTE_REPLY)->ok); /* its own end is not known yet */
}

/* Records 2 and 3 are unreadable and not committed; `other` leads and has neither. */
static uint64_t ask_the_leader_of_a_gap(void)
{
    struct raft_cfg cfg;
    struct raft_boot boot = {.hard = {.term = 1, .store = 1, .boot = 4}, .applied = 1, .last = 3};
    create(3, NULL);
    raft_destroy(f.core);
    boot.base = (struct raft_base){.index = 1, .term = 1};
    boot.base.config =
        (struct raft_config){2, {{{{1}}, 1, 0, true, false}, {{{2}}, 2, 0, true, false}}};
    raft_cfg_init(&cfg);
    cfg.self = self;
    cfg.fresh_store = 77;
    cfg.draw = 5;
    cfg.ops.read = read_nothing;
    cfg.now_ms = f.now_ms;
    assert_int_equal(raft_create(&cfg, &boot, &f.core), ERR_OK);
    step((struct raft_event){.type = RAFT_TICK});
    persist();
    receive((struct raft_message){.type = RAFT_APPEND, .term = 5, .index = 1, .log_term = 1});
    persist();
    f.now_ms += 600;
    step((struct raft_event){.type = RAFT_TICK});
    const struct raft_message *question = sent(RAFT_FETCH);
    assert_non_null(question);
    assert_true(id_equal(&question->to, &other));
    assert_int_equal(status().last, 3);
    return question->context;
}

static struct raft_message nothing_there(uint64_t context, uint64_t last)
{
    return (struct raft_message){.type = RAFT_FETCHED,
                                 .term = 5,
                                 .index = 2,
                                 .commit = 1,
                                 .context = context,
                                 .hint = last + 1};
}

static void what_the_leader_has_not_goes_where_it_cannot_be_read(void **state)
{
    (void)state;
    receive(nothing_there(ask_the_leader_of_a_gap(), 1));
    assert_int_equal(status().last, 1);
    assert_int_equal(status().unreadable_first, 0);
    persist();
    assert_int_equal(status().durable, 1);
}

static void it_stays_if_the_leader_has_it_or_was_asked_before_or_leads_no_more(void **state)
{
    (void)state;
    uint64_t context = ask_the_leader_of_a_gap();
    receive(nothing_there(context, 2));
    receive(nothing_there(context - 1, 1));
    struct raft_message m = nothing_there(context, 1);
    m.hint = 0; /* of a member, or an older program */
    receive(m);
    m = nothing_there(context, 1);
    m.from = third;
    receive(m);
    assert_int_equal(status().last, 3);
    receive((struct raft_message){
        .type = RAFT_APPEND, .term = 6, .index = 1, .log_term = 1, .from = third});
    persist();
    receive(nothing_there(context, 1));
    assert_int_equal(status().last, 3);
}

/* FETCHED by `other`, which is in term 3: records 2 and 3. */
static struct raft_message two_fetched(uint64_t commit)
{
    add_record(2, 1, BYTES("x"));
    add_record(3, 1, BYTES("y"));
    struct raft_message m = append_of(2);
    m.type = RAFT_FETCHED;
    m.term = 3;
    m.index = 2;
    m.commit = commit;
    return m;
}

static void without_a_leader_what_members_committed_is_taken_and_no_more(void **state)
{
    (void)state;
    create(3, NULL);
    struct raft_message m = two_fetched(2);
    receive(m);
    assert_int_equal(status().last, 1);
    m.commit = 3;
    receive(m);
    persist();
    assert_int_equal(status().commit, 3);
    assert_int_equal(status().term, 3);
    assert_null(sent(RAFT_APPEND_REPLY));
}

static void with_a_leader_only_its_records_are_taken(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){
        .type = RAFT_APPEND, .term = 3, .index = 1, .log_term = 1, .from = third});
    persist();
    receive(two_fetched(3));
    assert_int_equal(status().last, 1);
}

static void who_refuses_a_pre_vote_and_has_more_is_asked_for_it(void **state)
{
    (void)state;
    create(3, NULL);
    f.now_ms += 3000;
    step((struct raft_event){.type = RAFT_TICK});
    struct raft_message m = {.type = RAFT_PREVOTE_REPLY, .term = 1, .next_term = 2, .commit = 1};
    receive(m);
    assert_null(sent(RAFT_FETCH));
    m.commit = 9;
    receive(m);
    assert_int_equal(sent(RAFT_FETCH)->index, 2);
    assert_int_equal(sent(RAFT_FETCH)->hint, 9);
}

static void a_failed_write_ends_it(void **state)
{
    (void)state;
    lead_alone(NULL);
    step((struct raft_event){.type = RAFT_WRITE_FAILED, .err = ERR_IO});
    assert_int_equal(f.e.stop, ERR_IO);
    assert_int_equal(f.e.changes[0].role, RAFT_STOPPED);
    step((struct raft_event){.type = RAFT_READ_INDEX, .tag = 1});
    assert_int_equal(f.e.read_count, 0);
}

/* --- a leader */

static void propose(uint64_t tag, struct bytes payload)
{
    struct raft_proposal p = {tag, payload};
    step((struct raft_event){.type = RAFT_PROPOSE, .proposals = &p, .count = 1});
}

static void little_room(struct raft_cfg *cfg)
{
    cfg->uncommitted_bytes_max = 1000;
    cfg->reads_max = 3;
    cfg->inflight_max = 2;
}

static void uncommitted_bytes_are_bounded(void **state)
{
    (void)state;
    static uint8_t payload[300];
    lead_alone(little_room);
    for (uint64_t tag = 1; tag <= 2; tag++) {
        propose(tag, bytes_of(payload, sizeof(payload)));
        assert_int_equal(f.e.outcomes[0].err, ERR_OK);
    }
    propose(3, bytes_of(payload, sizeof(payload)));
    assert_int_equal(f.e.outcomes[0].err, ERR_OVERLOADED);
    step((struct raft_event){.type = RAFT_PERSISTED, .index = UINT32_MAX});
    propose(4, bytes_of(payload, sizeof(payload)));
    assert_int_equal(f.e.outcomes[0].err, ERR_OK);
}

static void the_window_of_a_silent_member_is_bounded(void **state)
{
    (void)state;
    lead_alone(little_room);
    receive((struct raft_message){.type = RAFT_APPEND_REPLY, .term = 2, .index = 2, .ok = true});
    size_t sent_count = 0;
    for (uint64_t tag = 1; tag <= 9; tag++) {
        propose(tag, BYTES("x"));
        for (size_t i = 0; i < f.e.send_count; i++)
            sent_count += id_equal(&f.e.sends[i].message.to, &other);
    }
    assert_int_equal(sent_count, 2);
    assert_int_equal(status().progress[0].inflight, 2);
}

static void waiting_reads_are_bounded(void **state)
{
    (void)state;
    create(3, little_room);
    receive((struct raft_message){.type = RAFT_APPEND, .term = 5, .index = 1, .log_term = 1});
    for (uint64_t tag = 1; tag <= 3; tag++) {
        step((struct raft_event){.type = RAFT_READ_INDEX, .tag = tag});
        assert_int_equal(f.e.read_count, 0);
    }
    step((struct raft_event){.type = RAFT_READ_INDEX, .tag = 4});
    assert_int_equal(f.e.read_count, 1);
    assert_int_equal(f.e.reads[0].err, ERR_OVERLOADED);
    f.now_ms += 2000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(f.e.read_count, 3); /* nobody answered */
}

static void a_read_without_a_leader_is_refused_at_once(void **state)
{
    (void)state;
    create(3, NULL);
    step((struct raft_event){.type = RAFT_READ_INDEX, .tag = 1});
    assert_int_equal(f.e.reads[0].err, ERR_NOT_LEADER);
    propose(1, BYTES("x"));
    assert_int_equal(f.e.outcomes[0].err, ERR_NOT_LEADER);
}

static enum err change_to(const struct raft_target *targets, size_t count)
{
    step((struct raft_event){.type = RAFT_CHANGE, .targets = targets, .count = count, .tag = 1});
    assert_int_equal(f.e.outcome_count, 1);
    return f.e.outcomes[0].err;
}

static void changes_that_are_not_safe_are_refused(void **state)
{
    (void)state;
    const struct raft_target none[] = {{self, false}}, twice[] = {{self, true}, {self, true}};
    const struct raft_target stranger[] = {{self, true}, {{{9}}, true}};
    const struct raft_target lagging[] = {{self, true}, {other, true}, {third, false}};
    const struct raft_target same[] = {{self, true}, {other, false}, {third, false}};
    const struct raft_target fewer[] = {{self, true}, {other, false}};
    const struct raft_target alone[] = {{self, true}};
    lead_alone(NULL);
    assert_int_equal(change_to(none, 1), ERR_INVALID);
    assert_int_equal(change_to(twice, 2), ERR_INVALID);
    assert_int_equal(change_to(stranger, 2), ERR_INVALID);
    assert_int_equal(change_to(lagging, 3), ERR_NOT_CAUGHT_UP);
    assert_int_equal(change_to(same, 3), ERR_EXISTS);
    assert_int_equal(change_to(fewer, 2), ERR_OK);
    assert_int_equal(change_to(alone, 1), ERR_CHANGE_PENDING);
}

static void too_many_members_are_a_limit(void **state)
{
    (void)state;
    struct raft_target many[RAFT_MEMBERS_MAX + 1];
    lead_alone(NULL);
    for (size_t i = 0; i <= RAFT_MEMBERS_MAX; i++)
        many[i] = (struct raft_target){{{(uint8_t)(i + 1)}}, i == 0};
    assert_int_equal(change_to(many, RAFT_MEMBERS_MAX + 1), ERR_LIMIT);
    assert_int_equal(change_to(many, RAFT_MEMBERS_MAX), ERR_OK);
}

static void the_lead_goes_to_no_learner(void **state)
{
    (void)state;
    lead_alone(NULL);
    step((struct raft_event){.type = RAFT_HAND_OVER, .id = other, .tag = 1});
    assert_int_equal(f.e.outcomes[0].err, ERR_NOT_CAUGHT_UP);
    propose(2, BYTES("x"));
    assert_int_equal(f.e.outcomes[0].err, ERR_OK);
}

static void an_acknowledgement_of_what_is_not_there_is_refused(void **state)
{
    (void)state;
    lead_alone(NULL);
    receive((struct raft_message){.type = RAFT_APPEND_REPLY, .term = 2, .index = 99, .ok = true});
    assert_int_equal(refused(ERR_PROTOCOL), 1);
    assert_int_equal(status().progress[0].match, 0);
}

static void one_term_has_one_leader_and_this_is_it(void **state)
{
    (void)state;
    lead_alone(NULL);
    receive((struct raft_message){.type = RAFT_APPEND, .term = 2, .index = 1, .log_term = 1});
    assert_int_equal(refused(ERR_PROTOCOL), 1);
    assert_true(raft_is_leader(f.core));
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_is_durable_before_anything_is_sent),
        TEST(bad_configuration_of_a_core_is_refused),
        TEST(records_of_a_later_version_stop_the_node_before_anything_is_kept),
        TEST(a_record_that_breaks_the_chain_is_refused_and_counted),
        TEST(a_record_in_the_wrong_place_is_refused),
        TEST(an_acknowledgement_waits_for_its_write),
        TEST(nothing_is_applied_before_it_is_durable),
        TEST(a_follower_with_a_live_leader_heeds_no_campaign),
        TEST(a_campaign_that_the_leader_wants_is_heeded),
        TEST(a_leader_of_an_old_term_is_told),
        TEST(absurd_numbers_are_refused),
        TEST(a_full_disk_takes_no_records_and_says_so),
        TEST(records_of_members_fill_a_gap_as_far_as_they_are_committed),
        TEST(what_the_leader_has_not_goes_where_it_cannot_be_read),
        TEST(it_stays_if_the_leader_has_it_or_was_asked_before_or_leads_no_more),
        TEST(without_a_leader_what_members_committed_is_taken_and_no_more),
        TEST(with_a_leader_only_its_records_are_taken),
        TEST(who_refuses_a_pre_vote_and_has_more_is_asked_for_it),
        TEST(a_failed_write_ends_it),
        TEST(uncommitted_bytes_are_bounded),
        TEST(the_window_of_a_silent_member_is_bounded),
        TEST(waiting_reads_are_bounded),
        TEST(a_read_without_a_leader_is_refused_at_once),
        TEST(changes_that_are_not_safe_are_refused),
        TEST(too_many_members_are_a_limit),
        TEST(the_lead_goes_to_no_learner),
        TEST(an_acknowledgement_of_what_is_not_there_is_refused),
        TEST(one_term_has_one_leader_and_this_is_it),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
