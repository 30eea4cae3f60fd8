/* Tests of raft/election: who is alone, and what a full disk may still do. */
#include "core_fixture.h"

/* --- a start */

static void even_a_voter_without_others_waits_for_whoever_may_tell_it(void **state)
{
    (void)state;
    create(1, NULL);
    assert_int_equal(status().role, RAFT_FOLLOWER);
    assert_in_range(raft_deadline_ms(f.core), NOW + 1000, NOW + 2000);
    receive((struct raft_message){.type = RAFT_LOST, .known_store = 1, .known_boot = 6});
    persist();
    f.now_ms += 5000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(status().role, RAFT_FOLLOWER);
    assert_int_equal(status().term, 1);
}

static void its_candidacy_is_durable_first(void **state)
{
    (void)state;
    create(1, NULL);
    f.now_ms += 2000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(status().role, RAFT_CANDIDATE);
    assert_int_equal(f.e.write->hard->term, 2);
    assert_true(id_equal(&f.e.write->hard->vote, &self));
    persist();
    assert_int_equal(status().role, RAFT_LEADER);
}

static void leave_others(struct raft_config *config)
{
    config->members[0].was_voter = true;
    config->members[1] = (struct raft_member){{{2}}, 2, 0, false, true};
    config->members[2] = (struct raft_member){{{3}}, 3, 0, false, true};
}

static void come_alone(struct raft_config *config)
{
    config->members[0].was_voter = true;
    config->members[0].is_voter = false;
    config->members[1] = (struct raft_member){{{2}}, 2, 0, true, false};
}

static void who_is_alone_in_one_half_of_a_joint_configuration_does_not_lead(void **state)
{
    (void)state;
    void (*const halves[])(struct raft_config * config) = {leave_others, come_alone};
    for (size_t i = 0; i < 2; i++) {
        start(1, NULL, halves[i]);
        persist();
        f.now_ms += 2000;
        step((struct raft_event){.type = RAFT_TICK});
        assert_int_equal(status().role, RAFT_PRE_CANDIDATE);
        raft_destroy(f.core);
    }
    create(1, NULL);
}

static void name_another_disk(struct raft_config *config)
{
    config->members[0].store = 8;
}

static void who_is_alone_by_name_but_not_by_disk_does_not_lead(void **state)
{
    (void)state;
    start(1, NULL, name_another_disk);
    persist();
    f.now_ms += 5000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(status().role, RAFT_FOLLOWER);
    assert_int_equal(status().term, 1);
}

/* --- a full disk */

static void win(void)
{
    create(3, NULL);
    f.now_ms += 2000;
    step((struct raft_event){.type = RAFT_TICK});
    receive(
        (struct raft_message){.type = RAFT_PREVOTE_REPLY, .term = 1, .next_term = 2, .ok = true});
    persist();
    receive((struct raft_message){.type = RAFT_VOTE_REPLY, .term = 2, .ok = true});
    persist();
    assert_true(raft_is_leader(f.core));
}

static void a_leader_whose_disk_is_full_steps_down_at_once(void **state)
{
    (void)state;
    win();
    step((struct raft_event){.type = RAFT_DISK, .is_full = true});
    assert_int_equal(status().role, RAFT_FOLLOWER);
    assert_int_equal(f.e.changes[0].reason, RAFT_REASON_FULL);
    assert_int_equal(f.e.stop, ERR_OK);
    for (int i = 0; i < 10; i++) {
        f.now_ms += 2000;
        step((struct raft_event){.type = RAFT_TICK});
        assert_int_equal(status().role, RAFT_FOLLOWER);
    }
}

static void a_full_disk_takes_no_vote(void **state)
{
    (void)state;
    create(3, NULL);
    step((struct raft_event){.type = RAFT_DISK, .is_full = true});
    receive((struct raft_message){
        .type = RAFT_VOTE, .term = 7, .next_term = 7, .index = 9, .log_term = 6});
    assert_false(sent(RAFT_VOTE_REPLY)->ok);
    step((struct raft_event){.type = RAFT_DISK});
    receive((struct raft_message){
        .type = RAFT_VOTE, .term = 7, .next_term = 7, .index = 9, .log_term = 6});
    assert_true(sent(RAFT_VOTE_REPLY)->ok);
}

static void a_node_with_a_full_disk_reads_on(void **state)
{
    (void)state;
    create(3, NULL);
    step((struct raft_event){.type = RAFT_DISK, .is_full = true});
    receive((struct raft_message){
        .type = RAFT_APPEND, .term = 5, .index = 1, .log_term = 1, .commit = 1});
    persist();
    step((struct raft_event){.type = RAFT_READ_INDEX, .tag = 3});
    uint64_t context = sent(RAFT_READ)->context;
    receive((struct raft_message){
        .type = RAFT_READ_REPLY, .term = 5, .context = context, .index = 1, .ok = true});
    assert_int_equal(f.e.read_count, 1);
    assert_int_equal(f.e.reads[0].err, ERR_OK);
    assert_int_equal(f.e.reads[0].tag, 3);
}

static void be_full(struct raft_cfg *cfg)
{
    cfg->is_full = true;
}

static void a_write_that_finds_no_room_ends_the_core_and_the_next_one_only_follows(void **state)
{
    (void)state;
    win();
    step((struct raft_event){.type = RAFT_WRITE_FAILED, .err = ERR_DISK_FULL});
    assert_int_equal(f.e.stop, ERR_DISK_FULL);
    assert_null(f.e.write);
    raft_destroy(f.core);
    create(1, be_full); /* even where nobody else votes */
    f.now_ms += 5000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(status().role, RAFT_FOLLOWER);
    step((struct raft_event){.type = RAFT_DISK}); /* room again */
    f.now_ms += 2000;
    step((struct raft_event){.type = RAFT_TICK});
    persist();
    assert_true(raft_is_leader(f.core));
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(even_a_voter_without_others_waits_for_whoever_may_tell_it),
        TEST(its_candidacy_is_durable_first),
        TEST(who_is_alone_in_one_half_of_a_joint_configuration_does_not_lead),
        TEST(who_is_alone_by_name_but_not_by_disk_does_not_lead),
        TEST(a_leader_whose_disk_is_full_steps_down_at_once),
        TEST(a_full_disk_takes_no_vote),
        TEST(a_node_with_a_full_disk_reads_on),
        TEST(a_write_that_finds_no_room_ends_the_core_and_the_next_one_only_follows),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
