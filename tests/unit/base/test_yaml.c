/* YAML as trees: what is refused, where documents of a stream end, and where in the text a
 * character of a scalar stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/yaml.h"

/* The place of the first `mark` in the value of the document's one key. */
static void assert_place(const char *text, char mark, unsigned line, unsigned column)
{
    struct arena arena;
    struct yaml_problem problem;
    const struct yaml_item *root;
    unsigned found_line, found_column;
    arena_init(&arena, YAML_ARENA_SIZE);
    if (yaml_tree_parse(bytes_from_str(text), &arena, &root, &problem) != ERR_OK)
        fail_msg("%s: %s", text, problem.text);
    const struct yaml_item *item = root->first;
    yaml_place_of(bytes_from_str(text), item, bytes_find(item->text, (uint8_t)mark), &found_line,
                  &found_column);
    if (found_line != line || found_column != column)
        fail_msg("%s\n%c stands at %u:%u, not %u:%u", text, mark, found_line, found_column, line,
                 column);
    arena_fini(&arena);
}

static void a_character_of_a_plain_scalar_has_its_place(void **state)
{
    assert_place("a: b + Z", 'Z', 1, 8);
    assert_place("\n\n  aa:   Z\n", 'Z', 3, 9);
    assert_place("a: ä + Z", 'Z', 1, 8);
    assert_place("a: one\n   two\n\n   Z\n", 'Z', 4, 4);
    assert_place("\xef\xbb\xbf"
                 "a: b Z",
                 'Z', 1, 6);
}

static void a_character_of_a_quoted_scalar_has_its_place(void **state)
{
    assert_place("a: 'b Z'", 'Z', 1, 7);
    assert_place("a: 'it''s Z'", 'Z', 1, 11);
    assert_place("a: \"\\\"b\\\" == Z\"", 'Z', 1, 14);
    assert_place("a: \"\\u00e4 \\x41 Z\"", 'Z', 1, 17);
    assert_place("a: \"\\ta\\n Z\"", 'Z', 1, 11);
    assert_place("a: \"one \\\n   two\n   Z\"", 'Z', 3, 4);
}

static void a_character_of_a_block_has_its_place(void **state)
{
    assert_place("a: |\n  one\n    Z\n", 'Z', 3, 5);
    assert_place("a: >-   # folded\n\n  one\n  two Z\n", 'Z', 4, 7);
    assert_place("a: |\r\n  one\r\n  Z\r\n", 'Z', 3, 3);
}

static void the_end_of_a_scalar_is_behind_its_last_character(void **state)
{
    assert_place("a: b +  \nc: d", '?', 1, 7);
    assert_place("a: 'b + '", '?', 1, 8);
    assert_place("a: ''", '?', 1, 5);
    assert_place("a:", '?', 1, 3);
}

static void a_stream_is_cut_where_a_document_begins(void **state)
{
    struct bytes rest = BYTES("--- # first\na: 1\n---\nb: |\n  ---\n--- \n---x: 1");
    static const struct {
        const char *text;
        unsigned lines;
    } all[] = {
        {"--- # first\na: 1\n", 2}, {"---\nb: |\n  ---\n", 3}, {"--- \n---x: 1", 2}, {"", 0}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        unsigned lines;
        struct bytes document = yaml_next_document(rest, &lines);
        assert_true(bytes_equal(document, bytes_from_str(all[i].text)));
        assert_int_equal(lines, all[i].lines);
        rest = bytes_skip(rest, document.size);
    }
}

static void assert_refused(const char *text, enum err expected, const char *what)
{
    struct arena arena;
    struct yaml_problem problem;
    const struct yaml_item *root;
    arena_init(&arena, YAML_ARENA_SIZE);
    assert_int_equal(yaml_tree_parse(bytes_from_str(text), &arena, &root, &problem), expected);
    assert_non_null(strstr(problem.text, what));
    arena_fini(&arena);
}

static void what_says_more_than_it_shows_is_refused(void **state)
{
    assert_refused("a: &x 1\nb: *x\n", ERR_INVALID, "aliases, anchors and tags");
    assert_refused("a: *x\n", ERR_INVALID, "aliases, anchors and tags");
    assert_refused("a: !!binary abc\n", ERR_INVALID, "aliases, anchors and tags");
    assert_refused("a: 1\n---\nb: 1\n", ERR_INVALID, "only one document");
    assert_refused("a: \"\xff\"\n", ERR_INVALID, "not valid YAML");
    assert_refused("[[[[[[[[[a]]]]]]]]]", ERR_LIMIT, "too deeply");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_of_a_plain_scalar_has_its_place),
        cmocka_unit_test(a_character_of_a_quoted_scalar_has_its_place),
        cmocka_unit_test(a_character_of_a_block_has_its_place),
        cmocka_unit_test(the_end_of_a_scalar_is_behind_its_last_character),
        cmocka_unit_test(a_stream_is_cut_where_a_document_begins),
        cmocka_unit_test(what_says_more_than_it_shows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
