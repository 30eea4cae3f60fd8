/* Faults on command: orders, bounds, chances, and when they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/engine/faults.h"

static struct faults faults;

static struct fault order(const char *json)
{
    struct fault fault;
    struct buf message;
    uint8_t storage[256];
    buf_init_fixed(&message, storage, sizeof storage);
    assert_int_equal(faults_read(bytes_from_str(json), &fault, &message), ERR_OK);
    return fault;
}

static void add(const char *json, uint64_t now_us)
{
    struct fault fault = order(json);
    assert_int_equal(faults_add(&faults, &fault, now_us), ERR_OK);
}

static void an_order_says_all_that_it_can(void **state)
{
    struct fault f = order("{\"fault\":\"reset\",\"count\":3,\"after\":9,\"chance\":0.5}");
    assert_int_equal(f.kind, FAULT_RESET);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.after, 9);
    f = order("{\"fault\":\"lie\",\"for_ms\":20,\"shows\":\"full\"}");
    assert_true(f.shows_full && f.for_us == 20000);
    f = order("{\"fault\":\"error\",\"count\":1}");
    assert_int_equal(f.status, 500);
}

static void an_order_without_a_bound_or_with_a_word_too_many_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"fault\":\"slow\"}",
        "{\"fault\":\"none\",\"count\":1}",
        "{\"fault\":\"error\",\"count\":0}",
        "{\"fault\":\"error\",\"count\":\"1\"}",
        "{\"fault\":\"error\",\"count\":1e99}",
        "{\"fault\":\"slow\",\"count\":1}",
        "{\"fault\":\"slow\",\"for_ms\":1,\"celsius\":9}",
        "{\"fault\":\"error\",\"count\":1,\"cuont\":2}",
        "{\"fault\":\"lie\",\"for_ms\":1,\"shows\":\"half\"}",
        "{\"fault\":\"error\",\"count\":1,\"shows\":\"idle\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fault fault;
        struct buf message;
        uint8_t storage[256];
        buf_init_fixed(&message, storage, sizeof storage);
        assert_int_equal(faults_read(bytes_from_str(bad[i]), &fault, &message), ERR_INVALID);
        assert_true(message.size > 0);
    }
}

static void a_count_is_used_up_by_requests(void **state)
{
    faults_init(&faults, 1);
    add("{\"fault\":\"error\",\"count\":2}", 0);
    add("{\"fault\":\"busy\",\"count\":1}", 0);
    assert_int_equal(faults_of_request(&faults).kind, FAULT_ERROR);
    assert_int_equal(faults_of_request(&faults).kind, FAULT_ERROR);
    assert_int_equal(faults_of_request(&faults).kind, FAULT_BUSY);
    assert_int_equal(faults_of_request(&faults).kind, FAULT_NONE);
    assert_int_equal(faults.count, 0);
}

static void time_ends_what_is_bounded_by_time(void **state)
{
    bool reclaimed = false;
    faults_init(&faults, 1);
    add("{\"fault\":\"slow\",\"for_ms\":10,\"factor\":3}", 1000);
    add("{\"fault\":\"reclaim\",\"for_ms\":20}", 1000);
    assert_true(faults_deadline_us(&faults) == 11000);
    assert_false(faults_expire(&faults, 10999, &reclaimed));
    assert_non_null(faults_find(&faults, FAULT_SLOW));
    assert_true(faults_expire(&faults, 11000, &reclaimed));
    assert_null(faults_find(&faults, FAULT_SLOW));
    assert_false(reclaimed);
    assert_true(faults_expire(&faults, 21000, &reclaimed));
    assert_true(reclaimed);
    assert_true(faults_deadline_us(&faults) == UINT64_MAX);
}

static void a_chance_hits_its_share(void **state)
{
    int hit = 0;
    faults_init(&faults, 1);
    add("{\"fault\":\"error\",\"count\":1000000,\"chance\":0.2}", 0);
    for (int i = 0; i < 10000; i++)
        hit += faults_of_request(&faults).kind == FAULT_ERROR;
    assert_in_range(hit, 1850, 2150);
}

static void faults_of_the_accelerator_are_no_requests_affair(void **state)
{
    faults_init(&faults, 1);
    add("{\"fault\":\"heat\",\"for_ms\":10}", 0);
    add("{\"fault\":\"memory\",\"for_ms\":10}", 0);
    assert_int_equal(faults_of_request(&faults).kind, FAULT_NONE);
}

static void only_so_many_are_in_force_at_once(void **state)
{
    struct fault fault = order("{\"fault\":\"slow\",\"for_ms\":10}");
    faults_init(&faults, 1);
    for (int i = 0; i < FAULTS_MAX; i++)
        assert_int_equal(faults_add(&faults, &fault, 0), ERR_OK);
    assert_int_equal(faults_add(&faults, &fault, 0), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_says_all_that_it_can),
        cmocka_unit_test(an_order_without_a_bound_or_with_a_word_too_many_is_refused),
        cmocka_unit_test(a_count_is_used_up_by_requests),
        cmocka_unit_test(time_ends_what_is_bounded_by_time),
        cmocka_unit_test(a_chance_hits_its_share),
        cmocka_unit_test(faults_of_the_accelerator_are_no_requests_affair),
        cmocka_unit_test(only_so_many_are_in_force_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
