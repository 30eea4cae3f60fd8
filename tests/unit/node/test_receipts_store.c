/* The store of receipts: what is asked for verifies with its whole trail, the newest wins, age and
 * number and bytes are bounded. */
#include "test_io_loop.h"

#include "node/cli/observe/receipt_verify.h"
#include "node/telemetry/receipts.h"
#include "node/trust/receipt_json.h"
#include "tests/support/trust_fixture.h"

#include <cjson/cJSON.h>

struct world {
    struct io_loop *loop;
    struct fixture f;
    struct fixture_receipts chain;
    struct receipts store;
    struct buf out;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_int_equal(crypto_init(), ERR_OK);
    assert_int_equal(io_loop_create(&w->loop), ERR_OK);
    fixture_init(&w->f, 1);
    fixture_receipts(&w->f, 1, &w->chain);
    receipts_init(&w->store, w->loop, &w->chain.nodes[0]);
    buf_init(&w->out, RECEIPT_JSON_MAX);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    receipts_fini(&w->store);
    io_loop_destroy(w->loop);
    buf_fini(&w->out);
    free(w);
    return 0;
}

static enum err add(struct world *w, const char *id, struct bytes below)
{
    struct receipt r = w->chain.receipts[0];
    FIXTURE_SET(r.request_id, id);
    return receipts_add(&w->store, &r, below);
}

static enum err ask(struct world *w, const char *id)
{
    buf_clear(&w->out);
    return receipts_json(&w->store, bytes_from_str(id), NULL, &w->out);
}

static cJSON *hop_of(struct world *w, int index, cJSON **ret_root)
{
    *ret_root = cJSON_ParseWithLength((const char *)w->out.data, w->out.size);
    const cJSON *hops = cJSON_GetObjectItemCaseSensitive(*ret_root, "hops");
    return cJSON_GetArrayItem(hops, index);
}

static void assert_verifies(struct world *w, size_t hops)
{
    struct buf report;
    cJSON *root;
    buf_init(&report, RECEIPT_VERIFY_REPORT_MAX);
    assert_int_equal(receipt_verify_json(buf_bytes(&w->out), w->f.root.public_key, &report),
                     ERR_OK);
    buf_fini(&report);
    assert_non_null(hop_of(w, (int)hops - 1, &root));
    cJSON_Delete(root);
    assert_null(hop_of(w, (int)hops, &root));
    cJSON_Delete(root);
}

static void what_was_answered_here_can_be_asked_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "req-1"), ERR_NOT_FOUND);
    assert_int_equal(add(w, "req-1", bytes_of(NULL, 0)), ERR_OK);
    assert_int_equal(ask(w, "req-1"), ERR_OK);
    assert_verifies(w, 1);
    assert_int_equal(ask(w, "req-1"), ERR_OK); /* as often as one likes */
    assert_verifies(w, 1);
    assert_int_equal(ask(w, "req-2"), ERR_NOT_FOUND);
    assert_int_equal(ask(w, ""), ERR_NOT_FOUND);
}

static void nothing_is_taken_before_the_first_receipt(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "req-1"), ERR_NOT_FOUND);
    assert_null(w->store.ring.bytes);
    assert_null(w->store.ring.entries);
}

static void the_trail_from_below_is_kept_and_verifies(void **state)
{
    struct world *w = *state;
    struct buf below;
    fixture_receipts(&w->f, 3, &w->chain);
    buf_init(&below, RECEIPT_CHAIN_WIRE_MAX);
    assert_int_equal(receipt_chain_encode(&w->chain.entries[1], 2, &below), ERR_OK);
    assert_int_equal(receipts_add(&w->store, &w->chain.receipts[0], buf_bytes(&below)), ERR_OK);
    buf_fini(&below); /* it was copied */
    assert_int_equal(ask(w, w->chain.receipts[0].request_id), ERR_OK);
    assert_verifies(w, 3);
}

static void a_trail_that_is_none_is_an_error_when_asked_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(add(w, "req-1", BYTES("garbage")), ERR_OK);
    assert_int_not_equal(ask(w, "req-1"), ERR_OK);
    assert_int_equal(w->out.size, 0);
}

static void the_newest_of_one_id_wins(void **state)
{
    struct world *w = *state;
    cJSON *root;
    w->chain.receipts[0].status = 500;
    assert_int_equal(add(w, "req-1", bytes_of(NULL, 0)), ERR_OK);
    w->chain.receipts[0].status = 201;
    assert_int_equal(add(w, "req-1", bytes_of(NULL, 0)), ERR_OK);
    assert_int_equal(ask(w, "req-1"), ERR_OK);
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(hop_of(w, 0, &root), "status");
    assert_int_equal(status->valueint, 201);
    cJSON_Delete(root);
}

static void after_fifteen_minutes_it_is_gone(void **state)
{
    struct world *w = *state;
    assert_int_equal(add(w, "req-1", bytes_of(NULL, 0)), ERR_OK);
    w->store.ring.entries[0].at_ms = io_now_ms(w->loop) - RECEIPTS_AGE_MS;
    assert_int_equal(ask(w, "req-1"), ERR_OK);
    w->store.ring.entries[0].at_ms--;
    assert_int_equal(ask(w, "req-1"), ERR_NOT_FOUND);
}

static void the_oldest_gives_way_beyond_ten_thousand(void **state)
{
    struct world *w = *state;
    char id[32];
    for (int i = 0; i < RECEIPTS_MAX + 3; i++) {
        snprintf(id, sizeof id, "req-%d", i);
        assert_int_equal(add(w, id, bytes_of(NULL, 0)), ERR_OK);
    }
    assert_int_equal(w->store.ring.count, RECEIPTS_MAX);
    assert_int_equal(ask(w, "req-2"), ERR_NOT_FOUND);
    assert_int_equal(ask(w, "req-3"), ERR_OK);
    assert_verifies(w, 1);
    assert_int_equal(ask(w, id), ERR_OK);
}

/* Long trails: the ring's bytes run out before its entries do. Whatever is still listed reads back
 * whole, in every round of the ring. */
static void the_ring_holds_what_fits_and_nothing_is_torn(void **state)
{
    struct world *w = *state;
    struct buf below;
    char id[32];
    int oldest = 0;
    fixture_receipts(&w->f, RECEIPT_HOPS_MAX, &w->chain);
    buf_init(&below, RECEIPT_CHAIN_WIRE_MAX);
    assert_int_equal(receipt_chain_encode(&w->chain.entries[1], RECEIPT_HOPS_MAX - 1, &below),
                     ERR_OK);
    int rounds = (int)(3 * RECEIPTS_RING_BYTES / below.size);
    for (int i = 0; i < rounds; i++) {
        snprintf(id, sizeof id, "req-%d", i);
        assert_int_equal(add(w, id, i % 3 ? buf_bytes(&below) : bytes_of(NULL, 0)), ERR_OK);
        oldest = i + 1 - (int)w->store.ring.count;
        if (i % 97)
            continue;
        for (int k = oldest; k <= i; k += 50) {
            snprintf(id, sizeof id, "req-%d", k);
            assert_int_equal(ask(w, id), ERR_OK);
        }
        snprintf(id, sizeof id, "req-%d", oldest - 1);
        assert_int_equal(ask(w, id), ERR_NOT_FOUND);
    }
    assert_true(oldest > 0 && w->store.ring.count < RECEIPTS_MAX);
    buf_fini(&below);
}

static void a_trail_beyond_any_is_refused(void **state)
{
    struct world *w = *state;
    size_t size = RECEIPT_RECORD_MAX + RECEIPT_CHAIN_WIRE_MAX + 1;
    uint8_t *large = calloc(1, size);
    assert_int_equal(add(w, "req-1", bytes_of(large, size)), ERR_LIMIT);
    assert_int_equal(ask(w, "req-1"), ERR_NOT_FOUND);
    free(large);
}

static void an_answer_without_room_is_an_error(void **state)
{
    struct world *w = *state;
    struct buf small;
    assert_int_equal(add(w, "req-1", bytes_of(NULL, 0)), ERR_OK);
    buf_init(&small, 100);
    assert_int_equal(receipts_json(&w->store, BYTES("req-1"), NULL, &small), ERR_LIMIT);
    buf_fini(&small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_answered_here_can_be_asked_for),
        TEST(nothing_is_taken_before_the_first_receipt),
        TEST(the_trail_from_below_is_kept_and_verifies),
        TEST(a_trail_that_is_none_is_an_error_when_asked_for),
        TEST(the_newest_of_one_id_wins),
        TEST(after_fifteen_minutes_it_is_gone),
        TEST(the_oldest_gives_way_beyond_ten_thousand),
        TEST(the_ring_holds_what_fits_and_nothing_is_torn),
        TEST(a_trail_beyond_any_is_refused),
        TEST(an_answer_without_room_is_an_error),
    };
    return cmocka_run_group_tests(tests, io_group_setup, NULL);
}
