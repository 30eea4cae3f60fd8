/* node/http/http.c and write.c: names, methods, hop-by-hop fields, statuses, writing. */
#include "node/http/http.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (int name = HTTP_OTHER + 1; name < HTTP_NAME_COUNT; name++) {
        struct bytes text = http_name_text((enum http_name)name);
        uint8_t copy[64];
        for (size_t i = 0; i < text.size; i++)
            copy[i] = text.data[i];
        assert_int_equal(http_name_of(bytes_of(copy, text.size)), name);
        for (size_t i = 0; i < text.size; i += 2)
            copy[i] = (uint8_t)toupper(copy[i]);
        assert_int_equal(http_name_of(bytes_of(copy, text.size)), name);
        for (size_t i = 0; i < text.size; i++)
            copy[i] = (uint8_t)toupper(copy[i]);
        assert_int_equal(http_name_of(bytes_of(copy, text.size)), name);
    }
}

static void a_name_that_differs_in_any_byte_is_another(void **state)
{
    (void)state;
    for (int name = HTTP_OTHER + 1; name < HTTP_NAME_COUNT; name++) {
        struct bytes text = http_name_text((enum http_name)name);
        uint8_t copy[64];
        memcpy(copy, text.data, text.size);
        for (size_t i = 0; i < text.size; i++) {
            for (int byte = 0; byte < 256; byte++) {
                copy[i] = (uint8_t)byte;
                enum http_name found = http_name_of(bytes_of(copy, text.size));
                bool same =
                    byte == text.data[i] || (isupper(byte) && tolower(byte) == text.data[i]);
                assert_int_equal(found, same ? name : (int)HTTP_OTHER);
            }
            copy[i] = text.data[i];
        }
        assert_int_equal(http_name_of(bytes_of(copy, text.size - 1)), HTTP_OTHER);
    }
    assert_int_equal(http_name_of(bytes_of(NULL, 0)), HTTP_OTHER);
}

static void methods_are_case_sensitive(void **state)
{
    (void)state;
    for (int m = HTTP_GET; m <= HTTP_OPTIONS; m++)
        assert_int_equal(http_method_of(http_method_text((enum http_method)m)), m);
    assert_int_equal(http_method_of(BYTES("get")), HTTP_METHOD_OTHER);
    assert_int_equal(http_method_of(BYTES("")), HTTP_METHOD_OTHER);
    assert_int_equal(http_method_text((enum http_method)99).size, 0);
}

static struct http_field field(const char *name, const char *value)
{
    struct bytes n = bytes_from_str(name);
    return (struct http_field){http_name_of(n), n, bytes_from_str(value)};
}

static void hop_by_hop_fields_are_the_fixed_ones_and_those_connection_names(void **state)
{
    (void)state;
    struct http_field fields[] = {
        field("Connection", "close, X-Mine ,, host"),
        field("connection", "other,content-length"),
        field("x-mine", "1"),
        field("Other", "1"),
        field("x-min", "1"),
        field("te", "trailers"),
        field("Host", "a"),
        field("content-length", "3"),
        field("grapevine-path", "a"),
    };
    const bool expected[] = {true, true, true, true, false, true, false, false, false};
    struct http_head head = {.fields = fields, .field_count = sizeof fields / sizeof fields[0]};
    for (size_t i = 0; i < head.field_count; i++)
        assert_int_equal(http_is_hop_by_hop(&head, &fields[i]), expected[i]);
}

static void the_first_field_of_an_id_is_found(void **state)
{
    (void)state;
    struct http_field fields[] = {field("x", "1"), field("server", "2"), field("Server", "3")};
    struct http_head head = {.fields = fields, .field_count = 3};
    assert_ptr_equal(http_find(&head, HTTP_SERVER), &fields[1]);
    assert_null(http_find(&head, HTTP_HOST));
}

static void statuses_without_a_body_are_known(void **state)
{
    (void)state;
    assert_true(http_status_has_no_body(100));
    assert_true(http_status_has_no_body(204));
    assert_true(http_status_has_no_body(304));
    assert_false(http_status_has_no_body(200));
    assert_false(http_status_has_no_body(404));
}

static void a_head_is_written_as_it_goes_on_the_wire(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(http_write_status_line(&out, 200), ERR_OK);
    assert_int_equal(http_write_status_line(&out, 499), ERR_OK);
    assert_int_equal(http_write_status_line(&out, 599), ERR_OK);
    assert_int_equal(http_write_field(&out, BYTES("a"), BYTES("")), ERR_OK);
    assert_int_equal(http_write_field_decimal(&out, BYTES("n"), 0), ERR_OK);
    assert_int_equal(http_write_field_decimal(&out, BYTES("n"), UINT64_MAX), ERR_OK);
    struct bytes expected = BYTES("HTTP/1.1 200 OK\r\nHTTP/1.1 499 Client Closed Request\r\n"
                                  "HTTP/1.1 599 Unknown\r\na: \r\nn: 0\r\n"
                                  "n: 18446744073709551615\r\n");
    assert_true(bytes_equal(buf_bytes(&out), expected));
    assert_int_equal(http_write_status_line(&out, 42), ERR_INVALID);
    buf_fini(&out);
}

static void writing_stops_at_the_limit_of_the_buf(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 8);
    assert_int_equal(http_write_status_line(&out, 200), ERR_LIMIT);
    assert_int_equal(http_write_field(&out, BYTES("name"), BYTES("v")), ERR_LIMIT);
    assert_int_equal(out.size, 0);
    buf_fini(&out);
}

static void chunk_heads_are_shortest_hexadecimal(void **state)
{
    (void)state;
    const struct {
        size_t size;
        const char *text;
    } cases[] = {{0, "0\r\n"},   {1, "1\r\n"},         {15, "f\r\n"},
                 {16, "10\r\n"}, {0x1234, "1234\r\n"}, {SIZE_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[HTTP_CHUNK_HEAD_MAX];
        size_t size = http_chunk_head(cases[i].size, out);
        assert_true(bytes_equal(bytes_of(out, size), bytes_from_str(cases[i].text)));
    }
}

static void the_library_tells_its_version(void **state)
{
    (void)state;
    assert_int_equal(http_library_version()[1], '.');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_in_any_case),
        cmocka_unit_test(a_name_that_differs_in_any_byte_is_another),
        cmocka_unit_test(methods_are_case_sensitive),
        cmocka_unit_test(hop_by_hop_fields_are_the_fixed_ones_and_those_connection_names),
        cmocka_unit_test(the_first_field_of_an_id_is_found),
        cmocka_unit_test(statuses_without_a_body_are_known),
        cmocka_unit_test(a_head_is_written_as_it_goes_on_the_wire),
        cmocka_unit_test(writing_stops_at_the_limit_of_the_buf),
        cmocka_unit_test(chunk_heads_are_shortest_hexadecimal),
        cmocka_unit_test(the_library_tells_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
