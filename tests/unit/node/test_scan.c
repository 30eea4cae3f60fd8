/* The scan of a request body: what it finds, at its true place only, and what it refuses. Random
 * texts are in test_scan_property.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/ingress/scan.h"

static enum err scan_text(struct scan *s, struct bytes text)
{
    scan_init(s);
    enum err e = scan_feed(s, text);
    return e == ERR_OK ? scan_finish(s) : e;
}

#define SCAN(s, literal) scan_text((s), BYTES(literal))

static void assert_model(const struct scan *s, const char *model)
{
    assert_int_equal(s->model_kind, SCAN_STRING);
    assert_string_equal(s->model, model);
    assert_int_equal(s->model_size, strlen(model));
}

static void what_routing_needs_is_found_in_any_order(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"model\":\"m\",\"stream\":true,\"max_tokens\":16}"), ERR_OK);
    assert_model(&s, "m");
    assert_int_equal(s.stream_kind, SCAN_TRUE);
    assert_int_equal(s.max_tokens, 16);
    assert_int_equal(
        SCAN(&s, " {\"max_tokens\":16 ,\n\"stream\":false,\"x\":[],\"model\":\"m\"}\r\n"), ERR_OK);
    assert_model(&s, "m");
    assert_int_equal(s.stream_kind, SCAN_FALSE);
    assert_int_equal(s.max_tokens, 16);
}

static void a_model_inside_a_string_or_a_nested_value_is_not_the_model(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"a\":\"\\\"model\\\":\\\"evil\\\",\",\"b\":{\"model\":\"evil\"},"
                              "\"c\":[\"model\",{\"stream\":true}],\"model\":\"good\"}"),
                     ERR_OK);
    assert_model(&s, "good");
    assert_int_equal(s.stream_kind, SCAN_ABSENT);
    assert_int_equal(SCAN(&s, "{\"a\":{\"model\":\"evil\"}}"), ERR_MISSING_MODEL);
    assert_int_equal(s.model_kind, SCAN_ABSENT);
}

static void keys_and_names_are_compared_decoded(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"m\\u006fd\\u0065l\":\"a\\u00e9\\ud83c\\udf47\\n\\/\"}"), ERR_OK);
    assert_model(&s, "a\xC3\xA9\xF0\x9F\x8D\x87\n/");
    assert_int_equal(SCAN(&s, "{\"Model\":\"m\",\"model \":\"m\",\"mode\":\"m\"}"),
                     ERR_MISSING_MODEL);
}

static void a_lone_surrogate_becomes_the_replacement_character(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"model\":\"a\\ud800b\\udc00\\ud800\\ud800\\udc00\\ud801\"}"),
                     ERR_OK);
    assert_model(&s, "a\xEF\xBF\xBD"
                     "b\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x90\x80\x80\xEF\xBF\xBD");
}

static void a_key_that_decides_routing_comes_once(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"model\":\"a\",\"model\":\"a\"}"), ERR_INVALID_REQUEST);
    assert_string_equal(s.detail, "a key that decides routing comes twice");
    assert_int_equal(SCAN(&s, "{\"model\":\"a\",\"mod\\u0065l\":\"b\"}"), ERR_INVALID_REQUEST);
    assert_int_equal(SCAN(&s, "{\"stream\":true,\"model\":\"a\",\"stream\":0}"),
                     ERR_INVALID_REQUEST);
    assert_int_equal(SCAN(&s, "{\"model\":\"a\",\"n\":1,\"n\":2,\"x\":{\"model\":1}}"), ERR_OK);
}

static void a_key_in_another_case_counts_as_the_same(void **state)
{
    struct scan s;
    (void)state;
    scan_init(&s);
    assert_int_equal(scan_feed(&s, BYTES("{\"model\":\"a\",\"Model\":\"b\"}")),
                     ERR_INVALID_REQUEST);
    scan_init(&s);
    assert_int_equal(scan_feed(&s, BYTES("{\"MODEL\":\"a\"}")), ERR_OK);
    assert_int_equal(scan_finish(&s), ERR_MISSING_MODEL);
}

static void a_request_without_a_usable_model_says_so(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"model\":\"\"}",
        "{\"model\":null}",
        "{\"model\":7}",
        "{\"model\":[\"m\"]}",
        "{\"model\":{}}",
        "{\"model\":true}",
        "{\"model\":\"a\\u0000b\"}",
        "{\"messages\":[]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct scan s;
        assert_int_equal(scan_text(&s, bytes_from_str(texts[i])), ERR_MISSING_MODEL);
        assert_non_null(s.detail);
    }
}

static void a_models_name_has_a_bound(void **state)
{
    char text[400];
    struct scan s;
    for (size_t size = SCAN_MODEL_MAX; size <= SCAN_MODEL_MAX + 1; size++) {
        struct bytes start = BYTES("{\"model\":\"");
        memcpy(text, start.data, start.size);
        memset(text + start.size, 'm', size);
        memcpy(text + start.size + size, "\"}", 3);
        assert_int_equal(scan_text(&s, bytes_from_str(text)),
                         size <= SCAN_MODEL_MAX ? ERR_OK : ERR_INVALID_REQUEST);
    }
}

static void max_tokens_is_the_larger_plain_number(void **state)
{
    static const struct {
        const char *text;
        int64_t max_tokens;
    } cases[] = {
        {"{\"model\":\"m\"}", -1},
        {"{\"model\":\"m\",\"max_tokens\":0}", 0},
        {"{\"model\":\"m\",\"max_tokens\":5,\"max_completion_tokens\":7}", 7},
        {"{\"model\":\"m\",\"max_completion_tokens\":7,\"max_tokens\":5}", 7},
        {"{\"model\":\"m\",\"max_completion_tokens\":null,\"max_tokens\":5}", 5},
        {"{\"model\":\"m\",\"max_tokens\":-1}", -1},
        {"{\"model\":\"m\",\"max_tokens\":-16}", -1},
        {"{\"model\":\"m\",\"max_tokens\":1e3}", -1},
        {"{\"model\":\"m\",\"max_tokens\":16.0}", -1},
        {"{\"model\":\"m\",\"max_tokens\":\"16\"}", -1},
        {"{\"model\":\"m\",\"x\":{\"max_tokens\":16}}", -1},
        {"{\"model\":\"m\",\"max_tokens\":[16],\"n\":2}", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scan s;
        assert_int_equal(scan_text(&s, bytes_from_str(cases[i].text)), ERR_OK);
        assert_int_equal(s.max_tokens, cases[i].max_tokens);
    }
}

static void a_number_beyond_all_bounds_stays_large_and_positive(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"model\":\"m\",\"max_tokens\":99999999999999999999999999999}"),
                     ERR_OK);
    assert_true(s.max_tokens > 100000000000000000);
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        uint64_t offset;
    } cases[] = {
        {"{\"model\":\"m\"", 12},
        {"{\"model\":\"m\"} x", 15},
        {"{model:\"m\"}", 2},
        {"{\"a\":01}", 7},
        {"{\"a\":1.}", 8},
        {"{\"a\":.5}", 6},
        {"{\"a\":+1}", 6},
        {"{\"a\":1e}", 8},
        {"{\"a\":-}", 7},
        {"{\"a\":tru}", 9},
        {"{\"a\":nul", 8},
        {"{\"a\":[1,]}", 9},
        {"{\"a\":1,}", 8},
        {"{,}", 2},
        {"{\"a\" 1}", 6},
        {"{\"a\":1 \"b\":2}", 8},
        {"{\"a\":[1}", 8},
        {"{\"a\":\"\\x\"}", 8},
        {"{\"a\":\"\\u12G4\"}", 11},
        {"{\"a\":\"\n\"}", 7},
        {"{\"a\":\"\x1F\"}", 7},
        {"{\"a\":\x01}", 6},
        {"{'a':1}", 2},
        {"\xEF\xBB\xBF{}", 1},
        {"{} {}", 4},
        {"{\"a\":NaN}", 6},
        {"{\"a\":/*c*/1}", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scan s;
        assert_int_equal(scan_text(&s, bytes_from_str(cases[i].text)), ERR_INVALID_JSON);
        assert_non_null(s.detail);
        assert_int_equal(s.offset, cases[i].offset);
    }
}

static void an_empty_or_blank_body_is_not_json(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, ""), ERR_INVALID_JSON);
    assert_string_equal(s.detail, "the body is empty");
    assert_int_equal(SCAN(&s, " \r\n"), ERR_INVALID_JSON);
}

static void a_body_that_is_no_object_is_refused(void **state)
{
    static const char *const texts[] = {
        "[]", "[{\"model\":\"m\"}]", "\"model\"", "17", "-1", "true", "null"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct scan s;
        assert_int_equal(scan_text(&s, bytes_from_str(texts[i])), ERR_INVALID_REQUEST);
        assert_string_equal(s.detail, "the body must be a JSON object");
    }
}

static enum err scan_nested(struct scan *s, size_t depth)
{
    static uint8_t text[2 * SCAN_DEPTH_MAX + 64];
    struct bytes start = BYTES("{\"model\":\"m\",\"x\":");
    memcpy(text, start.data, start.size);
    memset(text + start.size, '[', depth - 1);
    memset(text + start.size + depth - 1, ']', depth - 1);
    text[start.size + 2 * depth - 2] = '}';
    return scan_text(s, bytes_of(text, start.size + 2 * depth - 1));
}

static void nesting_has_a_bound(void **state)
{
    struct scan s;
    assert_int_equal(scan_nested(&s, SCAN_DEPTH_MAX), ERR_OK);
    assert_int_equal(scan_nested(&s, SCAN_DEPTH_MAX + 1), ERR_INVALID_JSON);
    assert_string_equal(s.detail, "it is nested too deeply");
}

static void every_cut_of_a_body_gives_the_same(void **state)
{
    struct bytes text = BYTES("{\"mod\\u0065l\":\"\\ud83c\\udf47\",\"t\":[1.5e-3,true,\"x\\\\\"],"
                              "\"max_tokens\":120,\"stream\":false}");
    for (size_t cut = 0; cut <= text.size; cut++) {
        struct scan s;
        scan_init(&s);
        assert_int_equal(scan_feed(&s, bytes_of(text.data, cut)), ERR_OK);
        assert_int_equal(scan_feed(&s, bytes_skip(text, cut)), ERR_OK);
        assert_int_equal(scan_finish(&s), ERR_OK);
        assert_model(&s, "\xF0\x9F\x8D\x87");
        assert_int_equal(s.max_tokens, 120);
        assert_int_equal(s.stream_kind, SCAN_FALSE);
    }
}

static void the_text_in_strings_is_counted_without_keys_and_escapes(void **state)
{
    struct scan s;
    assert_int_equal(SCAN(&s, "{\"model\":\"m\",\"messages\":[{\"content\":\"12345\\n678\"}]}"),
                     ERR_OK);
    assert_int_equal(s.text_bytes, 1 + 8);
}

/* Long strings are read 16 bytes at a time: the end may stand at any place in such a step. */
static void long_strings_end_where_they_end(void **state)
{
    static uint8_t text[200];
    for (size_t size = 0; size < 100; size++) {
        struct scan s;
        struct bytes start = BYTES("{\"model\":\"m\",\"p\":\"");
        memcpy(text, start.data, start.size);
        memset(text + start.size, 0xC3, size);
        memcpy(text + start.size + size, "\"}", 2);
        assert_int_equal(scan_text(&s, bytes_of(text, start.size + size + 2)), ERR_OK);
        assert_int_equal(s.text_bytes, size + 1);
        text[start.size + size / 2] = 0x1F;
        assert_int_equal(scan_text(&s, bytes_of(text, start.size + size + 2)), ERR_INVALID_JSON);
    }
}

static void after_an_error_nothing_is_accepted(void **state)
{
    struct scan s;
    scan_init(&s);
    assert_int_equal(scan_feed(&s, BYTES("{]")), ERR_INVALID_JSON);
    assert_int_not_equal(scan_feed(&s, BYTES("{\"model\":\"m\"}")), ERR_OK);
    assert_int_not_equal(scan_finish(&s), ERR_OK);
}

static void the_models_place_in_the_body_is_known(void **state)
{
    static const char *const bodies[] = {
        "{\"model\":\"llama\"}",
        "{ \"stream\":true,\"x\":{\"model\":\"no\"}, \"model\" : \"ll\\u0061\\\"ma\" , \"n\":1}",
        "{\"model\":\"\",\"a\":\"b\"}",
    };
    static const char *const texts[] = {"\"llama\"", "\"ll\\u0061\\\"ma\"", "\"\""};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        for (size_t step = 1; step <= strlen(bodies[i]); step++) {
            struct scan s;
            scan_init(&s);
            for (struct bytes rest = bytes_from_str(bodies[i]); rest.size > 0;) {
                size_t n = rest.size < step ? rest.size : step;
                assert_int_equal(scan_feed(&s, bytes_of(rest.data, n)), ERR_OK);
                rest = bytes_skip(rest, n);
            }
            assert_true(bytes_equal(
                bytes_of(bodies[i] + s.model_start, (size_t)(s.model_end - s.model_start)),
                bytes_from_str(texts[i])));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_models_place_in_the_body_is_known),
        cmocka_unit_test(what_routing_needs_is_found_in_any_order),
        cmocka_unit_test(a_key_in_another_case_counts_as_the_same),
        cmocka_unit_test(a_model_inside_a_string_or_a_nested_value_is_not_the_model),
        cmocka_unit_test(keys_and_names_are_compared_decoded),
        cmocka_unit_test(a_lone_surrogate_becomes_the_replacement_character),
        cmocka_unit_test(a_key_that_decides_routing_comes_once),
        cmocka_unit_test(a_request_without_a_usable_model_says_so),
        cmocka_unit_test(a_models_name_has_a_bound),
        cmocka_unit_test(max_tokens_is_the_larger_plain_number),
        cmocka_unit_test(a_number_beyond_all_bounds_stays_large_and_positive),
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(an_empty_or_blank_body_is_not_json),
        cmocka_unit_test(a_body_that_is_no_object_is_refused),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(every_cut_of_a_body_gives_the_same),
        cmocka_unit_test(the_text_in_strings_is_counted_without_keys_and_escapes),
        cmocka_unit_test(long_strings_end_where_they_end),
        cmocka_unit_test(after_an_error_nothing_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
