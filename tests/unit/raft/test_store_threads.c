/* Tests of raft's store with a worker: commits beside reads, as the shell runs them. For the thread
 * sanitizer, which sees what the eye does not. */
#include "store_checks.h"

#include <pthread.h>

static void *work(void *ctx)
{
    raft_store_commit(ctx);
    return NULL;
}

static void records_are_read_while_others_are_committed(void **state)
{
    struct world *w = *state;
    struct raft_base base;
    uint64_t durable = 0;
    for (uint64_t i = 1; i <= 400; i++) {
        pthread_t worker;
        uint64_t token;
        struct raft_write write = records_write(w, i, 1, 1, 1500);
        fill_base(&base, durable > 40 ? durable - 40 : 0, 1);
        write.trim = base.index ? &base : NULL;
        add(w, write);
        assert_true(raft_store_begin(w->store));
        assert_int_equal(pthread_create(&worker, NULL, work, w->store), 0);
        for (uint64_t k = durable > 40 ? durable - 30 : 1; k <= durable; k++)
            check_record(w, k, 1);
        add(w, (struct raft_write){.hard = &(struct raft_hard){.term = i}});
        assert_int_equal(pthread_join(worker, NULL), 0);
        assert_int_equal(raft_store_end(w->store, &token), ERR_OK);
        durable = i;
        assert_int_equal(commit(w), ERR_OK);
    }
}

struct saver {
    struct world *w;
    uint64_t size;
    uint8_t content[CRYPTO_HASH_SIZE];
};

static void *save(void *ctx)
{
    struct saver *s = ctx;
    struct raft_save *save;
    if (raft_save_open(s->w->store, 9, &save) != ERR_OK)
        return NULL;
    for (int i = 0; i < 50; i++)
        if (raft_save_append(save, BYTES("a part of the state, which is dumped beside")) != ERR_OK)
            return NULL;
    return raft_save_finish(save, &s->size, s->content) == ERR_OK ? s : NULL;
}

static void a_snapshot_is_saved_while_the_log_grows(void **state)
{
    struct world *w = *state;
    struct saver saver = {.w = w};
    pthread_t worker;
    void *done;
    append(w, 1, 9, 1);
    assert_int_equal(pthread_create(&worker, NULL, save, &saver), 0);
    for (uint64_t i = 10; i < 60; i++)
        append(w, i, 1, 1);
    assert_int_equal(pthread_join(worker, &done), 0);
    assert_non_null(done);
    struct raft_snapshot made = {.size = saver.size};
    fill_base(&made.base, 9, 1);
    memcpy(made.content, saver.content, sizeof made.content);
    write_now(w, (struct raft_write){.made = &made});
    reopen_world(w);
    struct raft_boot boot;
    raft_store_boot(w->store, 0, &boot);
    assert_int_equal(boot.snapshot->base.index, 9);
    check_records(w, 1, 59, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(records_are_read_while_others_are_committed),
        STORE_TEST(a_snapshot_is_saved_while_the_log_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
