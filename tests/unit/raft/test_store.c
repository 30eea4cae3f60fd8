/* Tests of raft's store when nothing goes wrong: what is written is there again after reopening. */
#include "store_checks.h"

static void a_fresh_directory_holds_nothing(void **state)
{
    struct world *w = *state;
    struct raft_boot boot;
    raft_store_boot(w->store, 0, &boot);
    assert_int_equal(boot.hard.store, 0);
    assert_int_equal(boot.last, 0);
    assert_null(boot.snapshot);
    assert_null(boot.staged);
    assert_false(raft_store_begin(w->store));
    check_range(w, 0, 0);
    reopen_world(w);
    check_range(w, 0, 0);
}

static void records_are_there_at_once_and_after_reopening(void **state)
{
    struct world *w = *state;
    append(w, 1, 5, 1);
    append(w, 6, 1, 2);
    check_records(w, 1, 5, 1);
    check_record(w, 6, 2);
    check_range(w, 0, 6);
    reopen_world(w);
    check_records(w, 1, 5, 1);
    check_record(w, 6, 2);
    check_range(w, 0, 6);
    append(w, 7, 3, 2);
    check_records(w, 6, 9, 2);
}

static void records_are_not_there_before_they_are_durable(void **state)
{
    struct world *w = *state;
    uint64_t token;
    add(w, records_write(w, 1, 2, 1, 50));
    check_read(w, 1, ERR_NOT_FOUND);
    assert_true(raft_store_begin(w->store));
    assert_false(raft_store_begin(w->store)); /* one at a time */
    raft_store_commit(w->store);
    check_read(w, 1, ERR_NOT_FOUND);
    assert_int_equal(raft_store_end(w->store, &token), ERR_OK);
    assert_int_equal(token, w->token);
    check_records(w, 1, 2, 1);
}

static void what_waits_is_committed_together_in_order(void **state)
{
    struct world *w = *state;
    struct raft_hard hard;
    uint64_t token;
    for (uint64_t i = 1; i <= 20; i++) {
        struct raft_write write = records_write(w, i, 1, 1, 30);
        fill_hard(&hard, i);
        write.hard = &hard;
        add(w, write);
    }
    assert_true(raft_store_begin(w->store));
    add(w, records_write(w, 21, 1, 2, 30)); /* while the others are under way */
    raft_store_commit(w->store);
    assert_int_equal(raft_store_end(w->store, &token), ERR_OK);
    assert_int_equal(token, 20);
    check_range(w, 0, 20);
    assert_int_equal(commit(w), ERR_OK);
    reopen_world(w);
    check_records(w, 1, 20, 1);
    check_record(w, 21, 2);
    check_term(w, 20);
}

static void a_truncated_end_is_replaced(void **state)
{
    struct world *w = *state;
    append(w, 1, 10, 1);
    struct raft_write write = records_write(w, 6, 2, 2, 100);
    write.truncate_from = 6;
    write_now(w, write);
    check_range(w, 0, 7);
    reopen_world(w);
    check_range(w, 0, 7);
    check_records(w, 1, 5, 1);
    check_records(w, 6, 7, 2);
    write_now(w, (struct raft_write){.truncate_from = 3});
    check_range(w, 0, 2);
    reopen_world(w);
    check_range(w, 0, 2);
    append(w, 3, 1, 3);
    reopen_world(w);
    check_record(w, 2, 1);
    check_record(w, 3, 3);
}

static void truncations_and_records_of_one_commit_keep_their_order(void **state)
{
    struct world *w = *state;
    append(w, 1, 4, 1);
    add(w, records_write(w, 5, 6, 1, 100));
    struct raft_write write = records_write(w, 8, 1, 2, 100);
    write.truncate_from = 8;
    add(w, write);
    add(w, records_write(w, 9, 3, 2, 100));
    add(w, (struct raft_write){.truncate_from = 11});
    assert_int_equal(commit(w), ERR_OK);
    for (int i = 0; i < 2; i++) {
        check_range(w, 0, 10);
        check_records(w, 1, 7, 1);
        check_records(w, 8, 10, 2);
        reopen_world(w);
    }
}

static void a_trimmed_log_begins_later(void **state)
{
    struct world *w = *state;
    struct raft_base base;
    struct raft_boot boot;
    append(w, 1, 10, 1);
    fill_base(&base, 4, 1);
    write_now(w, (struct raft_write){.trim = &base});
    for (int i = 0; i < 2; i++) {
        check_range(w, 4, 10);
        check_records(w, 5, 10, 1);
        raft_store_boot(w->store, 0, &boot);
        assert_memory_equal(&boot.base, &base, sizeof base);
        reopen_world(w);
    }
}

static void a_reset_log_is_empty_and_goes_on_behind_its_base(void **state)
{
    struct world *w = *state;
    struct raft_base base;
    append(w, 1, 10, 1);
    fill_base(&base, 7, 3); /* also what is behind it goes */
    write_now(w, (struct raft_write){.reset = &base});
    check_range(w, 7, 7);
    reopen_world(w);
    check_range(w, 7, 7);
    fill_base(&base, 100, 4);
    add(w, (struct raft_write){.reset = &base});
    add(w, records_write(w, 101, 2, 4, 100));
    assert_int_equal(commit(w), ERR_OK);
    reopen_world(w);
    check_range(w, 100, 102);
    check_records(w, 101, 102, 4);
}

static void repaired_records_replace_those_in_the_middle(void **state)
{
    struct world *w = *state;
    append(w, 1, 9, 1);
    struct raft_write write = records_write(w, 4, 2, 2, 64);
    write.is_repair = true;
    write_now(w, write);
    for (int i = 0; i < 2; i++) {
        check_range(w, 0, 9);
        check_records(w, 1, 3, 1);
        check_records(w, 4, 5, 2);
        check_records(w, 6, 9, 1);
        reopen_world(w);
    }
}

static void hard_states_and_records_survive_many_segments(void **state)
{
    struct world *w = *state;
    struct raft_hard hard;
    char path[256];
    for (uint64_t i = 1; i <= 300; i++) {
        struct raft_write write = records_write(w, i, 1, 1, i % 7 * 300);
        fill_hard(&hard, i);
        write.hard = &hard;
        write_now(w, write);
    }
    assert_true(newest_segment(w, path) > 10);
    for (int i = 0; i < 2; i++) {
        check_range(w, 0, 300);
        check_records(w, 1, 300, 1);
        check_term(w, 300);
        reopen_world(w);
    }
}

static size_t count_files(const struct world *w)
{
    size_t count = 0;
    DIR *stream = opendir(w->dir);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

static void segments_of_trimmed_records_are_used_again(void **state)
{
    struct world *w = *state;
    struct raft_base base;
    for (uint64_t i = 1; i <= 1000; i++) {
        struct raft_write write = records_write(w, i, 1, 1, 1000);
        fill_base(&base, i > 30 ? i - 30 : 0, 1);
        write.trim = base.index ? &base : NULL;
        write_now(w, write);
    }
    assert_true(count_files(w) < 12);
    reopen_world(w);
    check_range(w, 970, 1000);
    check_records(w, 971, 1000, 1);
}

static void a_batch_longer_than_a_segment_is_whole(void **state)
{
    struct world *w = *state;
    append(w, 1, 1, 1);
    write_now(w, records_write(w, 2, 3, 1, 200000));
    append(w, 5, 1, 1);
    for (int i = 0; i < 2; i++) {
        check_range(w, 0, 5);
        check_records(w, 1, 5, 1);
        reopen_world(w);
    }
    struct raft_base base;
    fill_base(&base, 4, 1);
    write_now(w, (struct raft_write){.trim = &base});
    append(w, 6, 1, 1);
    reopen_world(w);
    check_records(w, 5, 6, 1);
}

static void a_second_opener_is_refused(void **state)
{
    struct world *w = *state;
    struct raft_store *other;
    buf_clear(&w->message);
    assert_int_equal(raft_store_open(&w->cfg, &w->message, &other), ERR_LOCKED);
    assert_true(w->message.size > 0);
}

static void a_later_format_is_refused(void **state)
{
    struct world *w = *state;
    char path[256];
    uint8_t block[4096], *p = block;
    append(w, 1, 1, 1);
    close_world(w);
    newest_segment(w, path);
    FILE *f = fopen(path, "r+");
    assert_int_equal(fread(block, 1, sizeof block, f), sizeof block);
    uint32_t size = (uint32_t)p[36] << 24 | (uint32_t)p[37] << 16 | (uint32_t)p[38] << 8 | p[39];
    p[9]++;
    uint32_t crc = raft_crc32c(0, bytes_of(p + 8, size - 8));
    for (int i = 0; i < 4; i++)
        p[4 + i] = (uint8_t)(crc >> (24 - 8 * i));
    rewind(f);
    assert_int_equal(fwrite(block, 1, sizeof block, f), sizeof block);
    fclose(f);
    buf_clear(&w->message);
    assert_int_equal(raft_store_open(&w->cfg, &w->message, &w->store), ERR_UNSUPPORTED);
    w->store = NULL;
}

static void without_sync_it_works_the_same(void **state)
{
    struct world *w = *state;
    struct raft_hard hard;
    w->cfg.no_sync = true;
    reopen_world(w);
    for (uint64_t i = 1; i <= 200; i++) {
        struct raft_write write = records_write(w, i, 1, 1, 1000);
        fill_hard(&hard, i);
        write.hard = &hard;
        write_now(w, write);
    }
    reopen_world(w);
    check_records(w, 1, 200, 1);
    check_term(w, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_fresh_directory_holds_nothing),
        STORE_TEST(records_are_there_at_once_and_after_reopening),
        STORE_TEST(records_are_not_there_before_they_are_durable),
        STORE_TEST(what_waits_is_committed_together_in_order),
        STORE_TEST(a_truncated_end_is_replaced),
        STORE_TEST(truncations_and_records_of_one_commit_keep_their_order),
        STORE_TEST(a_trimmed_log_begins_later),
        STORE_TEST(a_reset_log_is_empty_and_goes_on_behind_its_base),
        STORE_TEST(repaired_records_replace_those_in_the_middle),
        STORE_TEST(hard_states_and_records_survive_many_segments),
        STORE_TEST(segments_of_trimmed_records_are_used_again),
        STORE_TEST(a_batch_longer_than_a_segment_is_whole),
        STORE_TEST(a_second_opener_is_refused),
        STORE_TEST(a_later_format_is_refused),
        STORE_TEST(without_sync_it_works_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
