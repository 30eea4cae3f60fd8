/* Differences of texts, as diff -u writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/cli/policy/line_diff.h"

static void assert_diff(const char *from, const char *to, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(line_diff(bytes_from_str(from), bytes_from_str(to), &out), ERR_OK);
    if (!bytes_equal(buf_bytes(&out), bytes_from_str(expected)))
        fail_msg("%.*s\n--- not\n%s", (int)out.size, (const char *)out.data, expected);
    buf_fini(&out);
}

static void the_same_text_has_no_difference(void **state)
{
    assert_diff("", "", "");
    assert_diff("a\nb\n", "a\nb\n", "");
}

static void lines_come_go_and_change(void **state)
{
    assert_diff("a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n");
    assert_diff("a\nc\n", "a\nb\nc\n", "@@ -1,2 +1,3 @@\n a\n+b\n c\n");
    assert_diff("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
    assert_diff("", "a\n", "@@ -0,0 +1,1 @@\n+a\n");
    assert_diff("a\n", "", "@@ -1,1 +0,0 @@\n-a\n");
    assert_diff("a", "b", "@@ -1,1 +1,1 @@\n-a\n+b\n");
}

static void what_moved_is_taken_out_once(void **state)
{
    assert_diff("a\nb\nc\nd\n", "b\nc\nd\na\n", "@@ -1,4 +1,4 @@\n-a\n b\n c\n d\n+a\n");
}

static void only_lines_near_a_change_are_shown(void **state)
{
    assert_diff("1\n2\n3\n4\n5\nx\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\ny\n6\n7\n8\n9\n",
                "@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-x\n+y\n 6\n 7\n 8\n");
}

static void changes_far_from_each_other_are_apart(void **state)
{
    assert_diff("x\n1\n2\n3\n4\n5\n6\n7\n8\nx\n", "y\n1\n2\n3\n4\n5\n6\n7\n8\ny\n",
                "@@ -1,4 +1,4 @@\n-x\n+y\n 1\n 2\n 3\n@@ -7,4 +7,4 @@\n 6\n 7\n 8\n-x\n+y\n");
    assert_diff("x\n1\n2\n3\n4\n5\n6\nx\n", "y\n1\n2\n3\n4\n5\n6\ny\n",
                "@@ -1,8 +1,8 @@\n-x\n+y\n 1\n 2\n 3\n 4\n 5\n 6\n-x\n+y\n");
}

static void what_is_too_long_to_compare_is_replaced(void **state)
{
    static char from[2 * LINE_DIFF_LINES_MAX + 64], to[2 * LINE_DIFF_LINES_MAX + 64];
    struct buf out;
    for (size_t i = 0; i < LINE_DIFF_LINES_MAX + 1; i++)
        memcpy(from + 2 * i, "a\n", 2), memcpy(to + 2 * i, i % 2 ? "a\n" : "b\n", 2);
    buf_init(&out, 1 << 20);
    assert_int_equal(line_diff(bytes_from_str(from), bytes_from_str(to), &out), ERR_OK);
    assert_true(bytes_starts_with(buf_bytes(&out), BYTES("@@ -1,4097 +1,4097 @@\n-a\n-a\n")));
    buf_fini(&out);
    buf_init(&out, 64);
    assert_int_equal(line_diff(bytes_from_str(from), bytes_from_str(to), &out), ERR_LIMIT);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_text_has_no_difference),
        cmocka_unit_test(lines_come_go_and_change),
        cmocka_unit_test(what_moved_is_taken_out_once),
        cmocka_unit_test(only_lines_near_a_change_are_shown),
        cmocka_unit_test(changes_far_from_each_other_are_apart),
        cmocka_unit_test(what_is_too_long_to_compare_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
