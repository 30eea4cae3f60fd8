/* Tests of raft/store_batch: fronts of this form, and of the one before. */
#include "store_fixture.h"

#include "raft/store_batch.h"

#define DRAWS_AT 162 /* in a front whose base has no members */
#define KNOWN_SIZE (ID_SIZE + 8 + 8)

static struct raft_batch_front encoded(struct buf *out)
{
    struct raft_batch_front front = {.nonce = 1, .segment = 2, .sequence = 3, .meta = {.last = 4}};
    fill_hard(&front.meta.hard, 5);
    assert_int_equal(raft_batch_encode(&front, NULL, out), ERR_OK);
    return front;
}

static void a_front_arrives_as_it_was_written(void **state)
{
    (void)state;
    uint8_t storage[RAFT_BLOCK_SIZE];
    struct raft_batch_front got;
    struct buf out;
    buf_init_fixed(&out, storage, sizeof storage);
    struct raft_batch_front front = encoded(&out);
    assert_int_equal(raft_batch_decode(buf_bytes(&out), &got), ERR_OK);
    assert_memory_equal(&got.meta, &front.meta, sizeof got.meta);
}

static void take_out(struct buf *b, size_t at, size_t size)
{
    memmove(b->data + at, b->data + at + size, b->size - at - size);
    b->size -= size;
}

static void put_u32(uint8_t *p, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        p[i] = (uint8_t)value;
}

/* Into the form that had no draws. */
static void make_old(struct buf *b)
{
    take_out(b, DRAWS_AT, 4 * RAFT_STARTS_KEPT);
    for (size_t i = 1; i <= 2; i++)
        take_out(b, DRAWS_AT + 1 + i * KNOWN_SIZE, 4);
    b->data[9] = 1;
    put_u32(b->data + 36, (uint32_t)b->size);
    put_u32(b->data + 4, raft_crc32c(0, bytes_skip(buf_bytes(b), 8)));
}

static void a_front_of_before_draws_were_kept_is_read(void **state)
{
    (void)state;
    uint8_t storage[RAFT_BLOCK_SIZE];
    struct raft_batch_front got;
    struct buf out;
    buf_init_fixed(&out, storage, sizeof storage);
    struct raft_hard hard = encoded(&out).meta.hard;
    make_old(&out);
    assert_int_equal(raft_batch_decode(buf_bytes(&out), &got), ERR_OK);
    memset(hard.draws, 0, sizeof hard.draws);
    hard.known[1].draw = 0;
    assert_memory_equal(&got.meta.hard, &hard, sizeof hard);
    assert_int_equal(got.meta.last, 4);
}

static void the_fullest_front_without_runs_fits_into_what_is_reserved(void **state)
{
    (void)state;
    static uint8_t storage[RAFT_BATCH_FRONT_MAX];
    struct raft_batch_front front = {.segment = 1};
    struct raft_config *config = &front.meta.base.config;
    struct buf out;
    front.meta.hard.known_count = config->count = RAFT_MEMBERS_MAX;
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
        config->members[i] =
            (struct raft_member){.id = {{(uint8_t)(i + 1)}}, .store = i == 0, .is_voter = i == 0};
    buf_init_fixed(&out, storage, RAFT_BATCH_FRONT_MAX - RAFT_BATCH_RUNS_MAX * RAFT_BATCH_RUN_SIZE);
    assert_int_equal(raft_batch_encode(&front, NULL, &out), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_front_arrives_as_it_was_written),
        cmocka_unit_test(a_front_of_before_draws_were_kept_is_read),
        cmocka_unit_test(the_fullest_front_without_runs_fits_into_what_is_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
