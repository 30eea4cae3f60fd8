/* Tests of base/map, the last one against a naive model under random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

static const uint8_t seed[16] = {1, 2, 3};

struct entry {
    char name[16];
    uint64_t seen;
    bool is_in;
};

static struct bytes key_of(const struct entry *e)
{
    return bytes_from_str(e->name);
}

static void an_empty_map_finds_nothing(void **state)
{
    (void)state;
    struct map m;
    size_t cursor = 0;
    map_init(&m, seed, 10);
    assert_null(map_get(&m, BYTES("a")));
    assert_null(map_remove(&m, BYTES("a")));
    assert_null(map_next(&m, &cursor));
    map_fini(&m);
}

static void what_was_put_is_found_until_removed(void **state)
{
    (void)state;
    struct map m;
    int one, two;
    map_init(&m, seed, 10);
    assert_int_equal(map_put(&m, BYTES("a"), &one), ERR_OK);
    assert_int_equal(map_put(&m, BYTES(""), &two), ERR_OK);
    assert_ptr_equal(map_get(&m, BYTES("a")), &one);
    assert_ptr_equal(map_get(&m, (struct bytes){NULL, 0}), &two);
    assert_ptr_equal(map_remove(&m, BYTES("a")), &one);
    assert_null(map_get(&m, BYTES("a")));
    assert_int_equal(m.count, 1);
    map_fini(&m);
}

static void putting_again_replaces_key_and_value(void **state)
{
    (void)state;
    struct map m;
    char old_key[] = "k", new_key[] = "k";
    int one, two;
    map_init(&m, seed, 1);
    assert_int_equal(map_put(&m, bytes_from_str(old_key), &one), ERR_OK);
    assert_int_equal(map_put(&m, bytes_from_str(new_key), &two), ERR_OK);
    old_key[0] = '?';
    assert_ptr_equal(map_get(&m, BYTES("k")), &two);
    assert_int_equal(m.count, 1);
    map_fini(&m);
}

static void a_full_map_refuses_new_keys_only(void **state)
{
    (void)state;
    struct map m;
    int value;
    map_init(&m, seed, 2);
    assert_int_equal(map_put(&m, BYTES("a"), &value), ERR_OK);
    assert_int_equal(map_put(&m, BYTES("b"), &value), ERR_OK);
    assert_int_equal(map_put(&m, BYTES("c"), &value), ERR_LIMIT);
    assert_int_equal(map_put(&m, BYTES("b"), &value), ERR_OK);
    assert_ptr_equal(map_remove(&m, BYTES("a")), &value);
    assert_int_equal(map_put(&m, BYTES("c"), &value), ERR_OK);
    map_fini(&m);
}

static void check_walk(const struct map *m, struct entry *entries, int count, uint64_t round)
{
    size_t cursor = 0, walked = 0;
    for (struct entry *e; (e = map_next(m, &cursor)); walked++) {
        assert_true(e->is_in);
        assert_true(e->seen != round);
        e->seen = round;
    }
    assert_int_equal(walked, m->count);
    for (int i = 0; i < count; i++)
        assert_ptr_equal(map_get(m, key_of(&entries[i])), entries[i].is_in ? &entries[i] : NULL);
}

static void random_operations_agree_with_a_plain_array(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct entry entries[COUNT];
    size_t count = 0;
    struct map m;
    struct rng rng;
    rng_init(&rng, 9);
    map_init(&m, seed, COUNT);
    for (int i = 0; i < COUNT; i++)
        snprintf(entries[i].name, sizeof entries[i].name, "key-%d", i);
    for (uint64_t round = 1; round <= 60000; round++) {
        struct entry *e = &entries[rng_below(&rng, COUNT)];
        /* Waves of growth and shrinking pass through every load. */
        if (rng_chance(&rng, round / 5000 % 2 ? 0.3 : 0.7)) {
            assert_int_equal(map_put(&m, key_of(e), e), ERR_OK);
            count += !e->is_in;
            e->is_in = true;
        } else {
            assert_ptr_equal(map_remove(&m, key_of(e)), e->is_in ? e : NULL);
            count -= e->is_in;
            e->is_in = false;
        }
        assert_int_equal(m.count, count);
        if (round % 500 == 0)
            check_walk(&m, entries, COUNT, round);
    }
    map_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(what_was_put_is_found_until_removed),
        cmocka_unit_test(putting_again_replaces_key_and_value),
        cmocka_unit_test(a_full_map_refuses_new_keys_only),
        cmocka_unit_test(random_operations_agree_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
