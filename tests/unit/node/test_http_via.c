/* The Via field by which a mesh knows its own requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/http/via.h"

#include <stdio.h>

static const struct id mesh = {{1, 2, 3}};
static const struct id other = {{1, 2, 4}};

static bool names(const char *first, const char *second)
{
    struct http_field fields[] = {{HTTP_OTHER, BYTES("x"), BYTES("1.1 grapevine-")},
                                  {HTTP_VIA, BYTES("via"), bytes_from_str(first)},
                                  {HTTP_HOST, BYTES("host"), BYTES("a")},
                                  {HTTP_VIA, BYTES("Via"), bytes_from_str(second)}};
    struct http_head head = {.fields = fields, .field_count = 4};
    return http_via_names(&head, &mesh);
}

static void the_own_mark_is_known(void **state)
{
    char text[HTTP_VIA_SIZE];
    http_via_text(&mesh, text);
    assert_string_equal(text, "1.1 grapevine-01020300000000000000000000000000");
    assert_true(names(text, "1.1 proxy"));
}

static void it_is_known_in_a_list_and_in_any_of_the_fields(void **state)
{
    char text[HTTP_VIA_SIZE], list[200];
    http_via_text(&mesh, text);
    snprintf(list, sizeof list, "1.0 fred, %s, 1.1 nginx (it)", text);
    assert_true(names(list, "1.1 proxy"));
    assert_true(names("1.1 proxy", list));
}

static void another_mesh_s_mark_is_none(void **state)
{
    char text[HTTP_VIA_SIZE];
    http_via_text(&other, text);
    assert_false(names(text, "1.1 grapevine-"));
    assert_false(names("", "1.1 proxy"));
    struct http_head none = {.field_count = 0};
    assert_false(http_via_names(&none, &mesh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_mark_is_known),
        cmocka_unit_test(it_is_known_in_a_list_and_in_any_of_the_fields),
        cmocka_unit_test(another_mesh_s_mark_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
