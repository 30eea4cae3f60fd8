/* Tests of raft's store on files that come back damaged: what a crash cut short is gone, what was
 * acknowledged stays part of the log though it be unreadable, and nothing wrong is ever read. */
#include "store_checks.h"

#include "base/rng.h"
#include "raft/store_batch.h"

#include <sys/stat.h>

#define BLOCK RAFT_BLOCK_SIZE

/* --- damage */

static void read_file(const char *path, uint64_t offset, void *data, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, (long)offset, SEEK_SET);
    assert_int_equal(fread(data, 1, size, f), size);
    fclose(f);
}

static void write_file(const char *path, uint64_t offset, const void *data, size_t size)
{
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, (long)offset, SEEK_SET);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void flip(const char *path, uint64_t offset)
{
    uint8_t byte;
    read_file(path, offset, &byte, 1);
    byte ^= 0x40;
    write_file(path, offset, &byte, 1);
}

/* Batch `n` (from 0) of batches of one block each in the first segment; +0 is its front. */
static void flip_in_batch(const struct world *w, int n, uint64_t at)
{
    char path[256];
    snprintf(path, sizeof path, "%s/log-%016x", w->dir, 1);
    flip(path, (uint64_t)n * BLOCK + at);
}

static uint64_t front_size(const struct world *w, int n)
{
    char path[256];
    uint8_t p[4];
    snprintf(path, sizeof path, "%s/log-%016x", w->dir, 1);
    read_file(path, (uint64_t)n * BLOCK + 36, p, 4);
    return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

struct mark {
    uint8_t block[BLOCK];
};

static void keep_mark(const struct world *w, struct mark *ret_mark)
{
    char path[256];
    snprintf(path, sizeof path, "%s/mark", w->dir);
    read_file(path, 0, ret_mark->block, BLOCK);
}

static void restore_mark(const struct world *w, const struct mark *mark)
{
    char path[256];
    snprintf(path, sizeof path, "%s/mark", w->dir);
    write_file(path, 0, mark->block, BLOCK);
}

static void append_with_term(struct world *w, uint64_t index)
{
    struct raft_hard hard;
    struct raft_write write = records_write(w, index, 1, 1, 100);
    fill_hard(&hard, index);
    write.hard = &hard;
    write_now(w, write);
}

/* Five batches, of which the last was never acknowledged. */
static void write_and_forget_the_last(struct world *w)
{
    struct mark mark;
    for (uint64_t i = 1; i <= 4; i++)
        append_with_term(w, i);
    keep_mark(w, &mark);
    append_with_term(w, 5);
    close_world(w);
    restore_mark(w, &mark);
}

static void check_four_and_go_on(struct world *w)
{
    open_world(w);
    check_range(w, 0, 4);
    check_records(w, 1, 4, 1);
    check_term(w, 4);
    append(w, 5, 1, 2);
    append(w, 6, 1, 2);
    reopen_world(w);
    check_records(w, 1, 4, 1);
    check_records(w, 5, 6, 2);
}

/* --- a torn end */

static void a_last_batch_with_a_torn_body_is_cut(void **state)
{
    struct world *w = *state;
    write_and_forget_the_last(w);
    flip_in_batch(w, 4, front_size(w, 4) + 70);
    check_four_and_go_on(w);
}

static void a_last_batch_with_a_torn_front_is_cut(void **state)
{
    struct world *w = *state;
    write_and_forget_the_last(w);
    flip_in_batch(w, 4, 100);
    check_four_and_go_on(w);
}

static void a_file_that_ends_in_the_last_batch_is_cut(void **state)
{
    struct world *w = *state;
    char path[256];
    write_and_forget_the_last(w);
    newest_segment(w, path);
    assert_int_equal(truncate(path, 4 * BLOCK + 1000), 0);
    check_four_and_go_on(w);
}

static void a_whole_last_batch_is_kept_though_nobody_knew_of_it(void **state)
{
    struct world *w = *state;
    write_and_forget_the_last(w);
    open_world(w);
    check_records(w, 1, 5, 1);
    check_term(w, 5);
}

static void a_torn_first_batch_leaves_a_fresh_directory(void **state)
{
    struct world *w = *state;
    char path[256];
    append_with_term(w, 1);
    close_world(w);
    snprintf(path, sizeof path, "%s/mark", w->dir);
    assert_int_equal(truncate(path, 0), 0);
    flip_in_batch(w, 0, 80);
    open_world(w);
    check_range(w, 0, 0);
    append_with_term(w, 1);
    reopen_world(w);
    check_records(w, 1, 1, 1);
}

/* --- what was acknowledged */

static void an_acknowledged_last_record_stays_in_the_log_as_unreadable(void **state)
{
    struct world *w = *state;
    for (uint64_t i = 1; i <= 5; i++)
        append_with_term(w, i);
    close_world(w);
    flip_in_batch(w, 4, front_size(w, 4) + 70);
    open_world(w);
    check_range(w, 0, 5);
    check_records(w, 1, 4, 1);
    check_read(w, 5, ERR_CORRUPT);
    check_term(w, 5);
}

static void an_acknowledged_last_front_takes_no_vote_with_it(void **state)
{
    struct world *w = *state;
    for (uint64_t i = 1; i <= 5; i++)
        append_with_term(w, i);
    close_world(w);
    flip_in_batch(w, 4, 100);
    open_world(w);
    check_range(w, 0, 5);
    check_records(w, 1, 4, 1);
    check_read(w, 5, ERR_CORRUPT);
    check_term(w, 5);
    append_with_term(w, 6);
    reopen_world(w);
    check_read(w, 5, ERR_CORRUPT);
    check_record(w, 6, 1);
    check_term(w, 6);
}

static void a_file_cut_below_what_was_acknowledged_leaves_unreadable_records(void **state)
{
    struct world *w = *state;
    char path[256];
    for (uint64_t i = 1; i <= 5; i++)
        append_with_term(w, i);
    close_world(w);
    newest_segment(w, path);
    assert_int_equal(truncate(path, 4 * BLOCK), 0);
    open_world(w);
    check_range(w, 0, 5);
    check_records(w, 1, 4, 1);
    check_read(w, 5, ERR_CORRUPT);
    check_term(w, 5);
    append_with_term(w, 6);
    reopen_world(w);
    check_record(w, 6, 1);
}

static void a_bad_record_in_the_middle_is_the_only_one_lost_and_can_be_repaired(void **state)
{
    struct world *w = *state;
    append(w, 1, 3, 1);
    append(w, 4, 5, 1);
    append(w, 9, 1, 1);
    close_world(w);
    flip_in_batch(w, 1, front_size(w, 1) + 2 * 160 + 90); /* in the payload of index 6 */
    open_world(w);
    check_range(w, 0, 9);
    check_records(w, 1, 5, 1);
    check_read(w, 6, ERR_CORRUPT);
    check_records(w, 7, 9, 1);
    struct raft_write write = records_write(w, 6, 1, 1, 100);
    write.is_repair = true;
    write_now(w, write);
    check_records(w, 1, 9, 1);
    reopen_world(w);
    check_records(w, 1, 9, 1);
    check_range(w, 0, 9);
}

static void a_lost_batch_in_the_middle_makes_its_records_unreadable(void **state)
{
    struct world *w = *state;
    for (uint64_t i = 1; i <= 6; i++)
        append_with_term(w, i);
    close_world(w);
    flip_in_batch(w, 2, 100);
    open_world(w);
    check_range(w, 0, 6);
    check_records(w, 1, 2, 1);
    check_read(w, 3, ERR_CORRUPT);
    check_records(w, 4, 6, 1);
    check_term(w, 6);
}

static void records_that_a_lost_batch_had_replaced_are_never_read(void **state)
{
    struct world *w = *state;
    append(w, 1, 6, 1);
    struct raft_write write = records_write(w, 4, 1, 2, 100);
    write.truncate_from = 4;
    write_now(w, write);
    append(w, 5, 2, 2);
    close_world(w);
    flip_in_batch(w, 1, 100);
    open_world(w);
    check_range(w, 0, 6);
    check_records(w, 1, 3, 1);
    check_read(w, 4, ERR_CORRUPT);
    check_records(w, 5, 6, 2);
}

static void before_several_lost_batches_nothing_is_sure(void **state)
{
    struct world *w = *state;
    for (uint64_t i = 1; i <= 8; i++)
        append_with_term(w, i);
    close_world(w);
    flip_in_batch(w, 3, 100);
    flip_in_batch(w, 4, 100);
    open_world(w);
    check_range(w, 0, 8);
    for (uint64_t i = 1; i <= 5; i++)
        check_read(w, i, ERR_CORRUPT);
    check_records(w, 6, 8, 1);
    check_term(w, 8);
}

static void a_missing_segment_is_unreadable(void **state)
{
    struct world *w = *state;
    char path[256];
    for (uint64_t i = 1; i <= 40; i++)
        append_with_term(w, i);
    close_world(w);
    assert_true(newest_segment(w, path) >= 3);
    snprintf(path, sizeof path, "%s/log-%016x", w->dir, 2);
    assert_int_equal(unlink(path), 0);
    open_world(w);
    check_range(w, 0, 40);
    check_read(w, 20, ERR_CORRUPT);
    check_record(w, 40, 1);
    check_term(w, 40);
}

static void damage_while_it_is_open_is_noticed(void **state)
{
    struct world *w = *state;
    append(w, 1, 1, 1);
    flip_in_batch(w, 0, front_size(w, 0) + 80);
    check_read(w, 1, ERR_CORRUPT);
}

/* --- anything anywhere */

struct model {
    uint64_t base, last, term;
    uint64_t terms[4096];
};

static void random_write(struct world *w, struct rng *rng, struct model *m)
{
    struct raft_write write = {0};
    struct raft_hard hard;
    struct raft_base base;
    uint64_t first = m->last + 1;
    uint64_t count = 1 + rng_below(rng, 5);
    if (m->last > m->base + 5 && rng_below(rng, 6) == 0)
        first = write.truncate_from = m->last - rng_below(rng, 4);
    if (rng_below(rng, 4) == 0) {
        fill_hard(&hard, ++m->term);
        write.hard = &hard;
    }
    struct raft_write records = records_write(w, first, count, m->term, rng_below(rng, 3000));
    write.first_index = first;
    write.record_count = count;
    write.records = records.records;
    for (uint64_t i = 0; i < count; i++)
        m->terms[first + i] = m->term;
    m->last = first + count - 1;
    if (m->last > m->base + 60 && rng_below(rng, 5) == 0) {
        m->base = m->last - 40;
        fill_base(&base, m->base, 1);
        write.trim = &base;
    }
    add(w, write);
    if (rng_below(rng, 3) > 0)
        assert_int_equal(commit(w), ERR_OK);
}

static void random_damage(struct world *w, struct rng *rng)
{
    char path[256];
    struct stat stat_of;
    unsigned long long newest = newest_segment(w, path);
    snprintf(path, sizeof path, "%s/log-%016llx", w->dir, newest - rng_below(rng, 2));
    if (stat(path, &stat_of) != 0)
        return;
    uint64_t block = rng_below(rng, (uint64_t)stat_of.st_size / BLOCK) * BLOCK;
    if (rng_below(rng, 2))
        flip(path, block + rng_below(rng, rng_below(rng, 2) ? BLOCK : 300));
    else
        write_file(path, block, (uint8_t[BLOCK]){0}, BLOCK);
}

static void check_model(struct world *w, const struct model *m, uint64_t *ret_unreadable)
{
    struct bytes record;
    check_range(w, m->base, m->last);
    check_term(w, m->term);
    for (uint64_t i = m->base + 1; i <= m->last; i++) {
        enum err e = raft_store_read(w->store, i, &record);
        if (e == ERR_OK)
            check_record(w, i, m->terms[i]);
        else
            assert_int_equal(e, ERR_CORRUPT);
        *ret_unreadable += e != ERR_OK;
    }
}

static void whatever_is_damaged_nothing_wrong_is_read_and_no_vote_is_lost(void **state)
{
    struct world *w = *state;
    struct rng rng;
    uint64_t unreadable = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct model m = {.term = 1};
        struct raft_hard hard;
        rng_init(&rng, seed);
        close_world(w);
        empty_dir(w->dir);
        open_world(w);
        fill_hard(&hard, 1);
        write_now(w, (struct raft_write){.hard = &hard});
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < 25; i++)
                random_write(w, &rng, &m);
            assert_int_equal(commit(w), ERR_OK);
            close_world(w);
            for (uint64_t i = rng_below(&rng, 4); i > 0; i--)
                random_damage(w, &rng);
            open_world(w);
            check_model(w, &m, &unreadable);
        }
    }
    assert_true(unreadable > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_last_batch_with_a_torn_body_is_cut),
        STORE_TEST(a_last_batch_with_a_torn_front_is_cut),
        STORE_TEST(a_file_that_ends_in_the_last_batch_is_cut),
        STORE_TEST(a_whole_last_batch_is_kept_though_nobody_knew_of_it),
        STORE_TEST(a_torn_first_batch_leaves_a_fresh_directory),
        STORE_TEST(an_acknowledged_last_record_stays_in_the_log_as_unreadable),
        STORE_TEST(an_acknowledged_last_front_takes_no_vote_with_it),
        STORE_TEST(a_file_cut_below_what_was_acknowledged_leaves_unreadable_records),
        STORE_TEST(a_bad_record_in_the_middle_is_the_only_one_lost_and_can_be_repaired),
        STORE_TEST(a_lost_batch_in_the_middle_makes_its_records_unreadable),
        STORE_TEST(records_that_a_lost_batch_had_replaced_are_never_read),
        STORE_TEST(before_several_lost_batches_nothing_is_sure),
        STORE_TEST(a_missing_segment_is_unreadable),
        STORE_TEST(damage_while_it_is_open_is_noticed),
        STORE_TEST(whatever_is_damaged_nothing_wrong_is_read_and_no_vote_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
