/* Tests of base/list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct list link;
};

static void check_values(const struct list *head, const int *expected, int count)
{
    int i = 0;
    LIST_EACH(it, head)
    {
        assert_true(i < count);
        assert_int_equal(LIST_ENTRY(it, struct item, link)->value, expected[i++]);
    }
    assert_int_equal(i, count);
    for (const struct list *it = head->prev; it != head; it = it->prev)
        assert_int_equal(LIST_ENTRY(it, struct item, link)->value, expected[--i]);
    assert_int_equal(i, 0);
}

static void pushes_go_to_the_named_end(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    list_init(&head);
    assert_true(list_is_empty(&head));
    list_push_back(&head, &b.link);
    list_push_back(&head, &c.link);
    list_push_front(&head, &a.link);
    assert_false(list_is_empty(&head));
    check_values(&head, (const int[]){1, 2, 3}, 3);
}

static void a_removed_node_is_unlinked_and_may_be_removed_again(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    list_init(&head);
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    list_push_back(&head, &c.link);
    assert_true(list_is_linked(&b.link));
    list_remove(&b.link);
    list_remove(&b.link);
    assert_false(list_is_linked(&b.link));
    check_values(&head, (const int[]){1, 3}, 2);
}

static void popping_empties_from_the_front(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2};
    list_init(&head);
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    assert_ptr_equal(list_pop_front(&head), &a.link);
    assert_false(list_is_linked(&a.link));
    assert_ptr_equal(list_pop_front(&head), &b.link);
    assert_null(list_pop_front(&head));
    assert_true(list_is_empty(&head));
}

static void the_safe_walk_survives_removal_of_every_node(void **state)
{
    (void)state;
    struct list head;
    struct item items[5];
    int seen = 0;
    list_init(&head);
    for (int i = 0; i < 5; i++)
        list_push_back(&head, &items[i].link);
    LIST_EACH_SAFE(it, next, &head)
    {
        list_remove(it);
        seen++;
    }
    assert_int_equal(seen, 5);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes_go_to_the_named_end),
        cmocka_unit_test(a_removed_node_is_unlinked_and_may_be_removed_again),
        cmocka_unit_test(popping_empties_from_the_front),
        cmocka_unit_test(the_safe_walk_survives_removal_of_every_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
