/* Batched signing: one signature per kind and turn of the loop, each record with a proof of its
 * own, whatever is posted or cancelled while proofs are handed out. */
#include "test_io_loop.h"

#include "node/egress/signer.h"
#include "tests/support/trust_fixture.h"

#define ITEMS_MAX (2 * BATCH_LEAVES_MAX + 10)

struct job {
    struct signer_item item;
    struct world *world;
    enum batch_purpose purpose;
    uint8_t record[8];
    int signed_count;
    bool is_proved;
    struct job *posts_next; /* from within on_signed */
    struct job *cancels;
};

struct world {
    struct io_loop *loop;
    struct signer signer;
    struct fixture_key key;
    struct batch_cache cache;
    struct job jobs[ITEMS_MAX];
    int order[ITEMS_MAX];
    int order_count;
};

static struct bytes record_of(const struct job *j)
{
    return bytes_of(j->record, sizeof j->record);
}

static void post(struct job *j)
{
    signer_post(&j->world->signer, j->purpose, record_of(j), &j->item);
}

static void on_signed(struct signer_item *item, const struct batch_proof *proof)
{
    struct job *j = LIST_ENTRY(item, struct job, item);
    struct world *w = j->world;
    assert_false(list_is_linked(&item->node));
    j->signed_count++;
    j->is_proved =
        batch_verify(w->key.public_key, j->purpose, record_of(j), proof, &w->cache) == ERR_OK;
    w->order[w->order_count++] = (int)(j - w->jobs);
    if (j->posts_next)
        post(j->posts_next);
    if (j->cancels)
        signer_cancel(&j->cancels->item);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(crypto_init(), ERR_OK);
    assert_int_equal(io_loop_create(&w->loop), ERR_OK);
    fixture_key(1, &w->key);
    batch_cache_init(&w->cache);
    assert_int_equal(signer_init(&w->signer, w->loop, w->key.secret), ERR_OK);
    for (int i = 0; i < ITEMS_MAX; i++) {
        struct job *j = &w->jobs[i];
        list_init(&j->item.node);
        j->item.on_signed = on_signed;
        j->world = w;
        j->purpose = BATCH_ENVELOPE;
        memcpy(j->record, &i, sizeof i);
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    signer_fini(&w->signer);
    io_loop_destroy(w->loop);
    free(w);
    return 0;
}

static void nothing_is_signed_before_the_turn_ends(void **state)
{
    struct world *w = *state;
    post(&w->jobs[0]);
    assert_int_equal(w->jobs[0].signed_count, 0);
    RUN_UNTIL(w->loop, w->jobs[0].signed_count);
    assert_int_equal(w->jobs[0].signed_count, 1);
    assert_true(w->jobs[0].is_proved);
    assert_int_equal(w->signer.signatures, 1);
}

static void what_one_turn_posts_shares_a_signature(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 20; i++)
        post(&w->jobs[i]);
    RUN_UNTIL(w->loop, w->jobs[19].signed_count);
    assert_int_equal(w->signer.signatures, 1);
    assert_int_equal(w->signer.records, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(w->jobs[i].signed_count, 1);
        assert_true(w->jobs[i].is_proved);
        assert_int_equal(w->order[i], i);
    }
}

static void a_lone_record_does_not_wait_for_another_turn(void **state)
{
    struct world *w = *state;
    post(&w->jobs[0]);
    io_loop_stop(w->loop); /* no turn at all: only what the last one posted */
    io_loop_run(w->loop);
    assert_int_equal(w->jobs[0].signed_count, 1);
}

/* Posts two records each turn. */
struct pump {
    struct io_timer timer;
    struct world *world;
    int turns;
    int turns_max;
};

static void on_pump(struct io_timer *timer)
{
    struct pump *p = LIST_ENTRY(timer, struct pump, timer);
    post(&p->world->jobs[2 * p->turns]);
    post(&p->world->jobs[2 * p->turns + 1]);
    if (++p->turns < p->turns_max)
        io_timer_start(p->world->loop, timer, 0, on_pump);
}

static void run_pump(struct world *w, int turns)
{
    struct pump pump = {.world = w, .turns_max = turns};
    io_timer_start(w->loop, &pump.timer, 0, on_pump);
    RUN_UNTIL(w->loop, w->order_count == 2 * turns);
}

static void records_of_turns_in_a_row_share_a_signature(void **state)
{
    struct world *w = *state;
    run_pump(w, 3);
    assert_int_equal(w->signer.signatures, 1);
    assert_int_equal(w->signer.records, 6);
}

static void a_stream_of_records_does_not_put_the_signature_off_for_ever(void **state)
{
    struct world *w = *state;
    run_pump(w, 10 * (SIGNER_LOOKS_MAX + 1));
    assert_int_equal(w->signer.signatures, 10);
    assert_int_equal(w->order[0], 0);
}

static void envelopes_and_receipts_are_never_in_one_batch(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 10; i++) {
        w->jobs[i].purpose = i % 2 ? BATCH_RECEIPT : BATCH_ENVELOPE;
        post(&w->jobs[i]);
    }
    RUN_UNTIL(w->loop, w->order_count == 10);
    assert_int_equal(w->signer.signatures, 2);
    for (int i = 0; i < 10; i++)
        assert_true(w->jobs[i].is_proved);
}

static void more_than_a_batch_holds_takes_several(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < ITEMS_MAX; i++)
        post(&w->jobs[i]);
    RUN_UNTIL(w->loop, w->order_count == ITEMS_MAX);
    assert_int_equal(w->signer.signatures, 3);
    for (int i = 0; i < ITEMS_MAX; i++)
        assert_true(w->jobs[i].is_proved);
}

static void a_cancelled_record_is_not_signed(void **state)
{
    struct world *w = *state;
    post(&w->jobs[0]);
    post(&w->jobs[1]);
    signer_cancel(&w->jobs[0].item);
    signer_cancel(&w->jobs[0].item); /* harmless */
    RUN_UNTIL(w->loop, w->jobs[1].signed_count);
    assert_int_equal(w->jobs[0].signed_count, 0);
    assert_int_equal(w->signer.records, 1);
}

/* One exchange's end may abandon another that waits in the same batch. */
static void a_record_can_be_cancelled_by_one_signed_with_it(void **state)
{
    struct world *w = *state;
    w->jobs[0].cancels = &w->jobs[2];
    for (int i = 0; i < 4; i++)
        post(&w->jobs[i]);
    RUN_UNTIL(w->loop, w->jobs[3].signed_count);
    assert_int_equal(w->jobs[2].signed_count, 0);
    assert_true(w->jobs[1].is_proved && w->jobs[3].is_proved);
}

static void records_posted_by_a_signed_one_are_signed_too(void **state)
{
    struct world *w = *state;
    w->jobs[0].posts_next = &w->jobs[1];
    w->jobs[1].purpose = BATCH_RECEIPT;
    w->jobs[1].posts_next = &w->jobs[2]; /* an envelope again, from the receipts' half */
    post(&w->jobs[0]);
    RUN_UNTIL(w->loop, w->jobs[2].signed_count);
    assert_true(w->jobs[0].is_proved && w->jobs[1].is_proved && w->jobs[2].is_proved);
    assert_int_equal(w->signer.signatures, 3);
}

static void a_record_can_be_posted_again_after_it_was_signed(void **state)
{
    struct world *w = *state;
    post(&w->jobs[0]);
    RUN_UNTIL(w->loop, w->jobs[0].signed_count == 1);
    post(&w->jobs[0]);
    RUN_UNTIL(w->loop, w->jobs[0].signed_count == 2);
    assert_true(w->jobs[0].is_proved);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_signed_before_the_turn_ends),
        TEST(what_one_turn_posts_shares_a_signature),
        TEST(a_lone_record_does_not_wait_for_another_turn),
        TEST(records_of_turns_in_a_row_share_a_signature),
        TEST(a_stream_of_records_does_not_put_the_signature_off_for_ever),
        TEST(envelopes_and_receipts_are_never_in_one_batch),
        TEST(more_than_a_batch_holds_takes_several),
        TEST(a_cancelled_record_is_not_signed),
        TEST(a_record_can_be_cancelled_by_one_signed_with_it),
        TEST(records_posted_by_a_signed_one_are_signed_too),
        TEST(a_record_can_be_posted_again_after_it_was_signed),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
