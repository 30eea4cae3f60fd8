/* Request bodies in segments: bounds, sharing one pool, reading, hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/rng.h"
#include "node/ingress/body.h"

#define SEGMENT BODY_SEGMENT_SIZE
#define PATTERN_SIZE (4 * SEGMENT + 100)

static uint8_t pattern[PATTERN_SIZE];

static int setup(void **state)
{
    struct rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)rng_next(&rng);
    return crypto_init() == ERR_OK ? 0 : -1;
}

static void assert_reads(const struct body *b, size_t parts_max, size_t bytes_max, size_t size)
{
    struct body_cursor c;
    struct bytes parts[8];
    size_t done = 0;
    body_cursor_init(b, &c);
    for (size_t count; (count = body_next(&c, parts, parts_max, bytes_max)) > 0;) {
        size_t step = 0;
        assert_true(count <= parts_max);
        for (size_t i = 0; i < count; i++) {
            assert_true(parts[i].size > 0);
            assert_memory_equal(parts[i].data, pattern + done, parts[i].size);
            done += parts[i].size;
            step += parts[i].size;
        }
        assert_true(step <= bytes_max);
        assert_int_equal(body_cursor_at_end(&c), done == size);
    }
    assert_int_equal(done, size);
    assert_true(body_cursor_at_end(&c));
}

static void a_body_reads_back_as_it_came(void **state)
{
    struct body_pool pool;
    struct body b;
    struct rng rng;
    rng_init(&rng, 2);
    body_pool_init(&pool, 1 << 20);
    for (int round = 0; round < 50; round++) {
        size_t size = 0, want = (size_t)rng_below(&rng, PATTERN_SIZE + 1);
        body_init(&b, &pool, PATTERN_SIZE);
        while (size < want) {
            size_t n = (size_t)rng_between(&rng, 0, want - size);
            assert_int_equal(body_append(&b, bytes_of(pattern + size, n)), ERR_OK);
            size += n;
        }
        assert_int_equal(b.size, want);
        assert_reads(&b, (size_t)rng_between(&rng, 1, 8), (size_t)rng_between(&rng, 1, 40000),
                     want);
        body_clear(&b);
        assert_int_equal(pool.used_bytes, 0);
    }
    body_pool_fini(&pool);
}

static void its_hash_is_that_of_the_bytes_however_they_came(void **state)
{
    static const size_t sizes[] = {0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, PATTERN_SIZE};
    struct body_pool pool;
    body_pool_init(&pool, 1 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t whole[DIGEST_SIZE], pieces[DIGEST_SIZE];
        struct digest d;
        struct body b;
        body_init(&b, &pool, PATTERN_SIZE);
        for (size_t at = 0; at < sizes[i]; at += 1000)
            assert_int_equal(body_append(&b, bytes_of(pattern + at,
                                                      sizes[i] - at < 1000 ? sizes[i] - at : 1000)),
                             ERR_OK);
        digest_init(&d);
        digest_update(&d, bytes_of(pattern, sizes[i]));
        digest_final(&d, whole);
        body_hash(&b, pieces);
        assert_memory_equal(whole, pieces, sizeof whole);
        body_clear(&b);
    }
    body_pool_fini(&pool);
}

static void one_byte_over_the_limit_is_too_large(void **state)
{
    struct body_pool pool;
    struct body b;
    body_pool_init(&pool, 1 << 20);
    body_init(&b, &pool, 10);
    assert_int_equal(body_append(&b, bytes_of(pattern, 10)), ERR_OK);
    assert_int_equal(body_append(&b, bytes_of(pattern, 0)), ERR_OK);
    assert_int_equal(body_append(&b, bytes_of(pattern, 1)), ERR_BODY_TOO_LARGE);
    assert_int_equal(b.size, 10);
    body_clear(&b);
    body_pool_fini(&pool);
}

static void the_pools_bound_holds_over_all_bodies(void **state)
{
    struct body_pool pool;
    struct body a, b;
    body_pool_init(&pool, 2 * SEGMENT + 1000);
    body_init(&a, &pool, 1 << 20);
    body_init(&b, &pool, 1 << 20);
    assert_int_equal(body_append(&a, bytes_of(pattern, SEGMENT)), ERR_OK);
    assert_int_equal(body_append(&b, bytes_of(pattern, SEGMENT)), ERR_OK);
    assert_int_equal(body_append(&b, bytes_of(pattern, 1)), ERR_OVERLOADED);
    assert_true(pool.used_bytes <= pool.max_bytes);
    body_clear(&a);
    assert_int_equal(body_append(&b, bytes_of(pattern, 1)), ERR_OK);
    body_clear(&b);
    body_clear(&b); /* harmless */
    assert_int_equal(pool.used_bytes, 0);
    body_pool_fini(&pool);
}

static void given_back_segments_are_kept_up_to_a_bound(void **state)
{
    static uint8_t large[SEGMENT * (BODY_IDLE_SEGMENTS_MAX + 8)];
    struct body_pool pool;
    struct body b;
    body_pool_init(&pool, sizeof large * 2);
    body_init(&b, &pool, sizeof large);
    assert_int_equal(body_append(&b, bytes_of(large, sizeof large)), ERR_OK);
    body_clear(&b);
    assert_int_equal(pool.idle_count, BODY_IDLE_SEGMENTS_MAX);
    assert_int_equal(body_append(&b, bytes_of(large, SEGMENT)), ERR_OK);
    assert_int_equal(pool.idle_count, BODY_IDLE_SEGMENTS_MAX - 1);
    body_clear(&b);
    body_pool_fini(&pool);
}

static size_t read_whole(const struct body *b, uint8_t *out)
{
    struct body_cursor c;
    struct bytes part;
    size_t size = 0;
    body_cursor_init(b, &c);
    while (body_next(&c, &part, 1, SEGMENT) > 0) {
        memcpy(out + size, part.data, part.size);
        size += part.size;
    }
    return size;
}

static void a_splice_changes_nothing_else(void **state)
{
    static uint8_t wanted[PATTERN_SIZE + 600], got[PATTERN_SIZE + 600];
    struct body_pool pool;
    struct rng rng;
    rng_init(&rng, 3);
    body_pool_init(&pool, 1 << 20);
    for (int round = 0; round < 300; round++) {
        struct body b;
        size_t size = (size_t)rng_between(&rng, 2, PATTERN_SIZE);
        size_t start = (size_t)rng_between(&rng, 1, size - 1);
        size_t most = size - start < 40000 ? size - start : 40000;
        size_t end = start + (size_t)rng_between(&rng, 1, most);
        size_t text_size = (size_t)rng_between(&rng, 1, 600);
        body_init(&b, &pool, PATTERN_SIZE + 600);
        assert_int_equal(body_append(&b, bytes_of(pattern, size)), ERR_OK);
        assert_int_equal(body_splice(&b, start, end, bytes_of(pattern, text_size)), ERR_OK);
        memcpy(wanted, pattern, start);
        memcpy(wanted + start, pattern, text_size);
        memcpy(wanted + start + text_size, pattern + end, size - end);
        assert_int_equal(b.size, size - (end - start) + text_size);
        assert_int_equal(read_whole(&b, got), b.size);
        assert_memory_equal(got, wanted, b.size);
        if (b.size < PATTERN_SIZE) {
            assert_int_equal(body_append(&b, BYTES("!")), ERR_OK);
            assert_int_equal(read_whole(&b, got), b.size);
            assert_int_equal(got[b.size - 1], '!');
        }
        body_clear(&b);
    }
    body_pool_fini(&pool);
}

static void a_splice_that_does_not_fit_changes_nothing(void **state)
{
    static uint8_t got[2 * SEGMENT];
    struct body_pool pool;
    struct body b;
    body_pool_init(&pool, 2 * SEGMENT); /* one segment, and not two */
    body_init(&b, &pool, SEGMENT);
    assert_int_equal(body_append(&b, bytes_of(pattern, SEGMENT)), ERR_OK);
    assert_int_equal(body_splice(&b, 5, 6, BYTES("xx")), ERR_BODY_TOO_LARGE);
    assert_int_equal(body_splice(&b, 5, 6, BYTES("x")), ERR_OVERLOADED);
    assert_int_equal(read_whole(&b, got), SEGMENT);
    assert_memory_equal(got, pattern, SEGMENT);
    body_clear(&b);
    body_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_reads_back_as_it_came),
        cmocka_unit_test(a_splice_changes_nothing_else),
        cmocka_unit_test(a_splice_that_does_not_fit_changes_nothing),
        cmocka_unit_test(its_hash_is_that_of_the_bytes_however_they_came),
        cmocka_unit_test(one_byte_over_the_limit_is_too_large),
        cmocka_unit_test(the_pools_bound_holds_over_all_bodies),
        cmocka_unit_test(given_back_segments_are_kept_up_to_a_bound),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
