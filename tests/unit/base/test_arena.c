/* Tests of base/arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/rng.h"

#include <string.h>

static void memory_is_aligned_and_distinct(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *before = NULL;
    for (size_t size = 0; size < 100; size++) {
        uint8_t *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_ptr_not_equal(p, before);
        memset(p, 0xaa, size);
        before = p;
    }
    arena_fini(&a);
}

static void allocations_never_overlap(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static struct bytes given[COUNT];
    struct arena a;
    struct rng rng;
    rng_init(&rng, 2);
    arena_init(&a, 64 << 20);
    for (int i = 0; i < COUNT; i++) {
        size_t size = rng_below(&rng, rng_chance(&rng, 0.02) ? 200000 : 300);
        uint8_t *p = arena_alloc(&a, size);
        assert_non_null(p);
        memset(p, i & 255, size);
        given[i] = bytes_of(p, size);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t j = 0; j < given[i].size; j++)
            if (given[i].data[j] != (i & 255))
                fail_msg("allocation %d was overwritten", i);
    arena_fini(&a);
}

static void the_limit_holds_and_leaves_the_arena_usable(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    assert_null(arena_alloc(&a, 65));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_non_null(arena_alloc(&a, 48));
    assert_null(arena_alloc(&a, 17));
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, 0));
    assert_int_equal(a.used, 64);
    arena_fini(&a);
}

static void calloc_gives_zeros_even_from_reused_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    memset(arena_alloc(&a, 256), 0xff, 256);
    arena_reset(&a);
    const uint8_t *p = arena_calloc(&a, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(p[i], 0);
    arena_fini(&a);
}

static void reset_reuses_one_block(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    void *first = arena_alloc(&a, 100);
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 5000));
    arena_reset(&a);
    struct arena_block *kept = a.head;
    assert_non_null(kept);
    assert_non_null(arena_alloc(&a, 100));
    assert_ptr_equal(a.head, kept);
    arena_fini(&a);
}

static void reset_does_not_hold_on_to_a_huge_block(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 8 << 20);
    assert_non_null(arena_alloc(&a, 4 << 20));
    arena_reset(&a);
    assert_null(a.head);
    arena_reset(&a);
    arena_fini(&a);
}

static void copies_are_equal_and_separate(void **state)
{
    (void)state;
    struct arena a;
    char text[] = "model";
    arena_init(&a, 1024);
    struct bytes copy = arena_copy(&a, bytes_from_str(text));
    char *str = arena_str(&a, bytes_from_str(text));
    text[0] = 'x';
    assert_true(bytes_equal(copy, BYTES("model")));
    assert_string_equal(str, "model");
    assert_string_equal(arena_str(&a, (struct bytes){NULL, 0}), "");
    assert_int_equal(arena_copy(&a, (struct bytes){NULL, 0}).size, 0);
    arena_fini(&a);
}

static void a_copy_without_room_has_no_data(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4);
    struct bytes copy = arena_copy(&a, BYTES("too long"));
    assert_null(copy.data);
    assert_int_equal(copy.size, 8);
    assert_null(arena_str(&a, BYTES("too long")));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_distinct),
        cmocka_unit_test(allocations_never_overlap),
        cmocka_unit_test(the_limit_holds_and_leaves_the_arena_usable),
        cmocka_unit_test(calloc_gives_zeros_even_from_reused_memory),
        cmocka_unit_test(reset_reuses_one_block),
        cmocka_unit_test(reset_does_not_hold_on_to_a_huge_block),
        cmocka_unit_test(copies_are_equal_and_separate),
        cmocka_unit_test(a_copy_without_room_has_no_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
