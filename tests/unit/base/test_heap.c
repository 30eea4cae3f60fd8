/* Tests of base/heap: the first is always the one that comes before all others, whatever was added
 * and taken out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"

#define ITEMS 200

struct item {
    uint64_t value;
    bool is_in;
    struct heap_node node;
};

static bool is_less(const struct heap_node *a, const struct heap_node *b)
{
    return HEAP_ENTRY(a, struct item, node)->value < HEAP_ENTRY(b, struct item, node)->value;
}

static struct item *first_of(const struct heap *h)
{
    return h->first ? HEAP_ENTRY(h->first, struct item, node) : NULL;
}

static void an_empty_one_has_no_first(void **state)
{
    (void)state;
    struct heap h;
    struct item one = {.value = 1};
    heap_init(&h, is_less);
    assert_null(first_of(&h));
    heap_add(&h, &one.node);
    assert_ptr_equal(first_of(&h), &one);
    heap_remove(&h, &one.node);
    assert_null(first_of(&h));
}

static void they_come_out_in_order(void **state)
{
    (void)state;
    struct heap h;
    struct rng rng;
    struct item items[ITEMS] = {{.value = 0}};
    rng_init(&rng, 1);
    heap_init(&h, is_less);
    for (int i = 0; i < ITEMS; i++) {
        items[i].value = rng_below(&rng, 50);
        heap_add(&h, &items[i].node);
    }
    uint64_t last = 0;
    for (int i = 0; i < ITEMS; i++) {
        struct item *first = first_of(&h);
        assert_true(first->value >= last);
        last = first->value;
        heap_remove(&h, &first->node);
    }
    assert_null(first_of(&h));
}

static uint64_t least(const struct item *items)
{
    uint64_t value = UINT64_MAX;
    for (int i = 0; i < ITEMS; i++)
        if (items[i].is_in && items[i].value < value)
            value = items[i].value;
    return value;
}

static void any_can_be_taken_out(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct heap h;
        struct rng rng;
        struct item items[ITEMS] = {{.value = 0}};
        rng_init(&rng, seed);
        heap_init(&h, is_less);
        for (int step = 0; step < 5000; step++) {
            struct item *item = &items[rng_below(&rng, ITEMS)];
            if (item->is_in) {
                heap_remove(&h, &item->node);
            } else {
                item->value = rng_below(&rng, 1000);
                heap_add(&h, &item->node);
            }
            item->is_in = !item->is_in;
            assert_int_equal(first_of(&h) ? first_of(&h)->value : UINT64_MAX, least(items));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_no_first),
        cmocka_unit_test(they_come_out_in_order),
        cmocka_unit_test(any_can_be_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
