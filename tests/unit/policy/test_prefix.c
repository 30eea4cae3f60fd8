/* Beginnings of prompts: told apart from their first different block on, by holder, fading, in a
 * table that keeps its size. */
#include "policy/prefix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define NOW 1000000
#define A 0x1111
#define B 0x2222

static const uint8_t seed[16] = {7};

/* One block for each letter. */
static struct policy_prefix prefix_of(const char *letters)
{
    struct policy_prefix p = {.count = 0};
    uint8_t block[POLICY_PREFIX_BLOCK];
    for (; *letters; letters++) {
        memset(block, *letters, sizeof block);
        policy_prefix_add(&p, seed, bytes_of(block, sizeof block));
    }
    return p;
}

static int setup(void **state)
{
    *state = policy_prefixes_create();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    policy_prefixes_destroy(*state);
    return 0;
}

static void give(struct policy_prefixes *t, const char *letters, uint64_t holder, uint64_t now_ms)
{
    const struct policy_prefix p = prefix_of(letters);
    policy_prefixes_give(t, &p, holder, now_ms);
}

static double held(const struct policy_prefixes *t, const char *letters, uint64_t holder,
                   uint64_t now_ms)
{
    const struct policy_prefix p = prefix_of(letters);
    return policy_prefixes_held(t, &p, holder, now_ms);
}

static void what_begins_alike_is_held_as_far_as_it_does(void **state)
{
    give(*state, "abcd", A, NOW);
    assert_float_equal(held(*state, "abcd", A, NOW), 4, 0.02);
    assert_float_equal(held(*state, "abcdefgh", A, NOW), 4, 0.02);
    assert_float_equal(held(*state, "abc", A, NOW), 3, 0.02);
    assert_float_equal(held(*state, "abx", A, NOW), 2, 0.02);
    assert_float_equal(held(*state, "xbcd", A, NOW), 0, 0);
    assert_float_equal(held(*state, "bcd", A, NOW), 0, 0);
    assert_float_equal(held(*state, "", A, NOW), 0, 0);
}

static void nobody_else_holds_it(void **state)
{
    give(*state, "abcd", A, NOW);
    assert_float_equal(held(*state, "abcd", B, NOW), 0, 0);
}

static void it_fades_until_it_is_given_again(void **state)
{
    give(*state, "ab", A, NOW);
    assert_float_equal(held(*state, "ab", A, NOW + POLICY_PREFIX_MS / 2), 1, 0.02);
    assert_float_equal(held(*state, "ab", A, NOW + POLICY_PREFIX_MS), 0, 0);
    give(*state, "ab", A, NOW + POLICY_PREFIX_MS);
    assert_float_equal(held(*state, "ab", A, NOW + POLICY_PREFIX_MS), 2, 0.02);
    assert_float_equal(held(*state, "ab", A, NOW), 2, 0.02); /* time that goes back */
}

static void blocks_beyond_the_most_do_not_count(void **state)
{
    char letters[POLICY_PREFIX_BLOCKS_MAX + 9];
    memset(letters, 'a', sizeof letters - 1);
    letters[sizeof letters - 1] = '\0';
    give(*state, letters, A, NOW);
    assert_float_equal(held(*state, letters, A, NOW), POLICY_PREFIX_BLOCKS_MAX, 0.2);
}

static uint64_t hash_of(const uint8_t key[16], const uint8_t block[POLICY_PREFIX_BLOCK])
{
    struct policy_prefix p = {.count = 0};
    policy_prefix_add(&p, key, bytes_of(block, POLICY_PREFIX_BLOCK));
    return p.chain[0];
}

static void every_bit_and_the_seed_make_another_block(void **state)
{
    static const uint8_t other[16] = {[15] = 7}, none[16] = {0};
    uint8_t block[POLICY_PREFIX_BLOCK] = {0};
    uint64_t plain = hash_of(seed, block);
    (void)state;
    assert_int_not_equal(hash_of(other, block), plain);
    assert_int_not_equal(hash_of(none, block), plain);
    for (size_t i = 0; i < 8 * sizeof block; i++) {
        block[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(hash_of(seed, block), plain);
        block[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(hash_of(seed, block), plain);
}

static void the_newest_of_many_are_kept(void **state)
{
    for (uint64_t i = 0; i < 200000; i++)
        give(*state, "a", i * 0x9e3779b97f4a7c15, NOW + i * 10);
    unsigned old = 0, new = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        old += held(*state, "a", i * 0x9e3779b97f4a7c15, NOW) > 0;
        new += held(*state, "a", (199999 - i) * 0x9e3779b97f4a7c15, NOW + 2000000) > 0;
    }
    assert_true(old < 100);
    assert_true(new > 990);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_begins_alike_is_held_as_far_as_it_does),
        TEST(nobody_else_holds_it),
        TEST(it_fades_until_it_is_given_again),
        TEST(blocks_beyond_the_most_do_not_count),
        TEST(every_bit_and_the_seed_make_another_block),
        TEST(the_newest_of_many_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
