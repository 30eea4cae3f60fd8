/* Tests of raft/starts: disks that are older than somebody remembers, on both sides. */
#include "core_fixture.h"

static void a_disk_older_than_others_remember_is_fenced(void **state)
{
    (void)state;
    create(3, NULL); /* its fifth start */
    assert_true(status().is_voter);
    receive((struct raft_message){.type = RAFT_LOST, .known_store = 1, .known_boot = 6});
    assert_false(status().is_voter);
    assert_int_equal(f.e.change_count, 1);
    assert_int_equal(f.e.changes[0].reason, RAFT_REASON_FENCED);
    assert_int_equal(f.e.write->hard->store, 77);
    f.now_ms += 5000;
    step((struct raft_event){.type = RAFT_TICK});
    assert_int_equal(status().role, RAFT_FOLLOWER);
}

static void a_member_that_speaks_from_an_older_start_is_not_heard(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){.type = RAFT_PREVOTE, .next_term = 2, .boot = 5});
    receive((struct raft_message){.type = RAFT_PREVOTE, .next_term = 2, .boot = 4});
    assert_null(sent(RAFT_PREVOTE_REPLY));
    assert_non_null(sent(RAFT_LOST));
    assert_int_equal(sent(RAFT_LOST)->known_boot, 5);
}

static void told_of(uint64_t known_boot, uint32_t known_draw)
{
    receive((struct raft_message){
        .type = RAFT_LOST, .known_store = 1, .known_boot = known_boot, .known_draw = known_draw});
}

static void a_copy_of_its_disk_that_caught_up_with_its_starts_is_fenced(void **state)
{
    (void)state;
    for (uint64_t known = 4; known <= 5; known++) {
        create(3, NULL); /* its fifth start; it drew 5, and 4 and 3 before */
        told_of(known, (uint32_t)known);
        assert_true(status().is_voter);
        told_of(known, 9);
        assert_false(status().is_voter);
        assert_int_equal(f.e.write->hard->store, 77);
        raft_destroy(f.core);
    }
    create(3, NULL);
}

static void what_is_not_known_of_a_start_contradicts_nothing(void **state)
{
    (void)state;
    create(3, NULL);
    told_of(4, 0); /* of a program that drew no numbers */
    told_of(2, 9); /* likewise, here */
    assert_true(status().is_voter);
}

static bool hears_start(uint64_t boot, const uint32_t draws[RAFT_STARTS_KEPT])
{
    struct raft_message m = {.type = RAFT_PREVOTE, .next_term = 2, .boot = boot};
    memcpy(m.draws, draws, sizeof(m.draws));
    receive(m);
    assert_true((sent(RAFT_LOST) == NULL) == (sent(RAFT_PREVOTE_REPLY) != NULL));
    return sent(RAFT_LOST) == NULL;
}

static void a_member_whose_disk_is_a_copy_that_caught_up_is_not_heard(void **state)
{
    (void)state;
    const uint32_t heard[RAFT_STARTS_KEPT] = {6, 5}, copy[RAFT_STARTS_KEPT] = {7, 5};
    const uint32_t copy_later[RAFT_STARTS_KEPT] = {8, 7, 5}, later[RAFT_STARTS_KEPT] = {9, 6, 5};
    create(3, NULL);
    assert_true(hears_start(2, heard));
    assert_false(hears_start(2, copy));
    assert_int_equal(sent(RAFT_LOST)->known_boot, 2);
    assert_int_equal(sent(RAFT_LOST)->known_draw, 6);
    assert_false(hears_start(3, copy_later));
    assert_int_equal(sent(RAFT_LOST)->known_draw, 6);
    assert_true(hears_start(3, later));
}

static void starts_are_compared_as_far_back_as_they_are_kept(void **state)
{
    (void)state;
    uint32_t draws[RAFT_STARTS_KEPT] = {6};
    create(3, NULL);
    assert_true(hears_start(2, draws));
    for (uint32_t i = 0; i < RAFT_STARTS_KEPT; i++)
        draws[i] = 100 + i;
    assert_false(hears_start(2 + RAFT_STARTS_KEPT - 1, draws));
    assert_true(hears_start(2 + RAFT_STARTS_KEPT, draws));
}

static void a_start_without_a_number_is_refused(void **state)
{
    (void)state;
    create(3, NULL);
    struct raft_message m = {
        .type = RAFT_PREVOTE, .from = other, .to = self, .store = 2, .boot = 1, .next_term = 2};
    step((struct raft_event){.type = RAFT_MESSAGE, .message = &m});
    assert_int_equal(refused(ERR_INVALID), 1);
    assert_int_equal(f.e.send_count, 0);
}

static void messages_tell_of_the_starts_before(void **state)
{
    (void)state;
    create(3, NULL);
    receive((struct raft_message){.type = RAFT_PREVOTE, .next_term = 2, .draws = {8}});
    const struct raft_message *m = sent(RAFT_PREVOTE_REPLY);
    assert_int_equal(m->boot, 5);
    for (uint32_t i = 0; i < RAFT_STARTS_KEPT; i++)
        assert_int_equal(m->draws[i], i < 3 ? 5 - i : 0);
    assert_int_equal(m->known_boot, 1);
    assert_int_equal(m->known_draw, 8);
    assert_int_equal(f.e.write->hard->known[0].draw, 8);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_disk_older_than_others_remember_is_fenced),
        TEST(a_member_that_speaks_from_an_older_start_is_not_heard),
        TEST(a_copy_of_its_disk_that_caught_up_with_its_starts_is_fenced),
        TEST(what_is_not_known_of_a_start_contradicts_nothing),
        TEST(a_member_whose_disk_is_a_copy_that_caught_up_is_not_heard),
        TEST(starts_are_compared_as_far_back_as_they_are_kept),
        TEST(a_start_without_a_number_is_refused),
        TEST(messages_tell_of_the_starts_before),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
