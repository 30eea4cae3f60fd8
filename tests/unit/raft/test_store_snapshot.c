/* Tests of raft's store as keeper of snapshots: made ones that can be served, and parts of one that
 * is being fetched. */
#include "store_fixture.h"

static uint8_t dump[300000];

static struct bytes dump_of(uint64_t index)
{
    for (size_t i = 0; i < sizeof dump; i++)
        dump[i] = (uint8_t)(i * 7 + index);
    return bytes_of(dump, sizeof dump);
}

static struct raft_snapshot describe(uint64_t index)
{
    struct raft_snapshot s = {.size = sizeof dump};
    fill_base(&s.base, index, 2);
    crypto_hash(dump_of(index), s.content);
    return s;
}

static void save(struct world *w, uint64_t index)
{
    struct raft_save *save;
    struct bytes rest = dump_of(index);
    struct raft_snapshot expected = describe(index);
    uint8_t content[CRYPTO_HASH_SIZE];
    uint64_t size;
    assert_int_equal(raft_save_open(w->store, index, &save), ERR_OK);
    for (; rest.size > 0; rest = bytes_skip(rest, 70000)) {
        size_t part = rest.size < 70000 ? rest.size : 70000;
        assert_int_equal(raft_save_append(save, bytes_of(rest.data, part)), ERR_OK);
    }
    assert_int_equal(raft_save_finish(save, &size, content), ERR_OK);
    assert_int_equal(size, sizeof dump);
    assert_memory_equal(content, expected.content, sizeof content);
}

static void make(struct world *w, uint64_t index)
{
    struct raft_snapshot made = describe(index);
    save(w, index);
    write_now(w, (struct raft_write){.made = &made});
}

static void check_chunk(struct world *w, uint64_t index, uint64_t offset, size_t size)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(raft_store_chunk(w->store, index, offset, size, &out), ERR_OK);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, dump_of(index).data + offset, size);
    buf_fini(&out);
}

static void check_no_chunk(struct world *w, uint64_t index, uint64_t offset, enum err expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(raft_store_chunk(w->store, index, offset, 100, &out), expected);
    assert_int_equal(out.size, 0);
    buf_fini(&out);
}

static void a_made_snapshot_is_served_and_known_after_reopening(void **state)
{
    struct world *w = *state;
    struct raft_snapshot expected = describe(50);
    struct raft_boot boot;
    make(w, 50);
    for (int i = 0; i < 2; i++) {
        check_chunk(w, 50, 0, 1000);
        check_chunk(w, 50, sizeof dump - 10, 10);
        check_no_chunk(w, 50, sizeof dump - 10, ERR_INVALID);
        check_no_chunk(w, 50, UINT64_MAX - 5, ERR_INVALID);
        check_no_chunk(w, 51, 0, ERR_NOT_FOUND);
        reopen_world(w);
        raft_store_boot(w->store, 0, &boot);
        assert_memory_equal(boot.snapshot, &expected, sizeof expected);
    }
}

static void the_two_newest_snapshots_are_kept(void **state)
{
    struct world *w = *state;
    for (uint64_t index = 10; index <= 50; index += 10)
        make(w, index);
    check_chunk(w, 50, 0, 10);
    check_chunk(w, 40, 0, 10);
    check_no_chunk(w, 30, 0, ERR_NOT_FOUND);
    check_no_chunk(w, 10, 0, ERR_NOT_FOUND);
}

static void one_that_was_not_finished_or_not_announced_is_none(void **state)
{
    struct world *w = *state;
    struct raft_save *unfinished;
    char left[256];
    struct raft_boot boot;
    make(w, 10);
    save(w, 20);
    assert_int_equal(raft_save_open(w->store, 30, &unfinished), ERR_OK);
    assert_int_equal(raft_save_append(unfinished, BYTES("part")), ERR_OK);
    raft_save_abort(unfinished);
    snprintf(left, sizeof left, "%s/saving-%016x", w->snapshots, 40); /* as a crash leaves it */
    fclose(fopen(left, "w"));
    reopen_world(w);
    assert_int_equal(access(left, F_OK), -1);
    raft_store_boot(w->store, 0, &boot);
    assert_int_equal(boot.snapshot->base.index, 10);
    check_no_chunk(w, 20, 0, ERR_NOT_FOUND);
}

static void a_damaged_snapshot_is_not_served_after_reopening(void **state)
{
    struct world *w = *state;
    struct raft_boot boot;
    char path[256];
    make(w, 10);
    make(w, 20);
    close_world(w);
    snprintf(path, sizeof path, "%s/%016x", w->snapshots, 20);
    FILE *f = fopen(path, "r+");
    fseek(f, 100000, SEEK_SET);
    fputc('!', f);
    fclose(f);
    open_world(w);
    raft_store_boot(w->store, 0, &boot);
    assert_int_equal(boot.snapshot->base.index, 10);
    check_no_chunk(w, 20, 0, ERR_NOT_FOUND);
}

/* --- fetching one */

static void stage(struct world *w, const struct raft_snapshot *s, uint64_t from, uint64_t to)
{
    for (; from < to; from += 50000) {
        struct bytes data = bytes_of(dump_of(s->base.index).data + from, 50000);
        add(w, (struct raft_write){.part = s, .offset = from, .data = data});
    }
    assert_int_equal(commit(w), ERR_OK);
}

static void a_fetched_snapshot_is_resumed_checked_read_and_kept(void **state)
{
    struct world *w = *state;
    struct raft_snapshot s = describe(70);
    struct raft_boot boot;
    struct buf out;
    buf_init(&out, 1 << 20);
    stage(w, &s, 0, 150000);
    reopen_world(w);
    raft_store_boot(w->store, 0, &boot);
    assert_memory_equal(boot.staged, &s, sizeof s);
    assert_int_equal(boot.staged_size, 150000);
    assert_null(boot.applied_base);
    assert_int_equal(raft_store_staged_check(w->store, &s), ERR_CORRUPT);
    stage(w, &s, 150000, sizeof dump);
    assert_int_equal(raft_store_staged_check(w->store, &s), ERR_OK);
    assert_int_equal(raft_store_staged_read(w->store, 100, sizeof dump - 100, &out), ERR_OK);
    assert_memory_equal(out.data, dump_of(70).data + 100, sizeof dump - 100);
    buf_fini(&out);
    reopen_world(w); /* a crash after it became the state: the log is told from where it goes on */
    raft_store_boot(w->store, 70, &boot);
    assert_memory_equal(boot.applied_base, &s.base, sizeof s.base);
    assert_int_equal(raft_store_staged_keep(w->store, &s), ERR_OK);
    check_chunk(w, 70, 1000, 1000);
    write_now(w, (struct raft_write){.reset = &s.base});
    reopen_world(w);
    raft_store_boot(w->store, 70, &boot);
    assert_int_equal(boot.base.index, 70);
    assert_null(boot.applied_base);
    assert_null(boot.staged);
    assert_memory_equal(boot.snapshot, &s, sizeof s);
}

static void another_snapshots_first_part_replaces_what_was_staged(void **state)
{
    struct world *w = *state;
    struct raft_snapshot first = describe(70), second = describe(90);
    struct raft_boot boot;
    stage(w, &first, 0, 200000);
    stage(w, &second, 0, 50000);
    reopen_world(w);
    raft_store_boot(w->store, 0, &boot);
    assert_memory_equal(boot.staged, &second, sizeof second);
    assert_int_equal(boot.staged_size, 50000);
}

static void wrong_bytes_are_noticed_before_they_become_the_state(void **state)
{
    struct world *w = *state;
    struct raft_snapshot s = describe(70);
    s.content[5] ^= 1;
    stage(w, &s, 0, sizeof dump);
    assert_int_equal(raft_store_staged_check(w->store, &s), ERR_CORRUPT);
}

static void a_staged_file_with_a_torn_head_is_fetched_anew(void **state)
{
    struct world *w = *state;
    struct raft_snapshot s = describe(70);
    struct raft_boot boot;
    char path[256];
    stage(w, &s, 0, 50000);
    close_world(w);
    snprintf(path, sizeof path, "%s/staged", w->dir);
    assert_int_equal(truncate(path, 300), 0);
    open_world(w);
    raft_store_boot(w->store, 0, &boot);
    assert_null(boot.staged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_made_snapshot_is_served_and_known_after_reopening),
        STORE_TEST(the_two_newest_snapshots_are_kept),
        STORE_TEST(one_that_was_not_finished_or_not_announced_is_none),
        STORE_TEST(a_damaged_snapshot_is_not_served_after_reopening),
        STORE_TEST(a_fetched_snapshot_is_resumed_checked_read_and_kept),
        STORE_TEST(another_snapshots_first_part_replaces_what_was_staged),
        STORE_TEST(wrong_bytes_are_noticed_before_they_become_the_state),
        STORE_TEST(a_staged_file_with_a_torn_head_is_fetched_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
