/* Tests of base/log and of the field encoder behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/rng.h"
#include "tests/unit/base/log_capture.h"

#include <stdio.h>

static struct log_capture capture;

static struct log make_log(enum log_format format)
{
    capture = (struct log_capture){.now = UINT64_C(1795367943123)};
    return (struct log){
        .level = LOG_INFO,
        .format = format,
        .wall_ms = log_capture_now,
        .sink = log_capture_sink,
        .ctx = &capture,
    };
}

static void a_text_line_has_time_level_event_and_fields(void **state)
{
    (void)state;
    struct log log = make_log(LOG_TEXT);
    LOG(&log, LOG_INFO, "link_up", LOG_STR("peer", "edge-1"), LOG_UINT("rtt_ms", 3));
    assert_string_equal(capture.line,
                        "2026-11-22T17:19:03.123Z INFO link_up peer=edge-1 rtt_ms=3\n");
}

static void a_json_line_has_the_same(void **state)
{
    (void)state;
    struct log log = make_log(LOG_JSON);
    LOG(&log, LOG_WARN, "link_up", LOG_STR("peer", "edge-1"), LOG_UINT("rtt_ms", 3));
    assert_string_equal(capture.line, "{\"ts\":\"2026-11-22T17:19:03.123Z\",\"level\":\"warn\","
                                      "\"event\":\"link_up\",\"peer\":\"edge-1\",\"rtt_ms\":3}\n");
}

static void a_named_node_stands_in_every_json_line(void **state)
{
    (void)state;
    struct log log = make_log(LOG_JSON);
    log.node = "edge-1";
    LOG(&log, LOG_INFO, "x");
    assert_string_equal(capture.line, "{\"ts\":\"2026-11-22T17:19:03.123Z\",\"level\":\"info\","
                                      "\"node\":\"edge-1\",\"event\":\"x\"}\n");
}

static void every_kind_of_field_has_its_form(void **state)
{
    (void)state;
    struct log log = make_log(LOG_TEXT);
    struct id id = {{0xab}};
    LOG(&log, LOG_ERROR, "x", LOG_INT("a", INT64_MIN), LOG_UINT("b", UINT64_MAX),
        LOG_BOOL("c", true), LOG_ERR(ERR_DISK_FULL), LOG_ID("d", &id),
        LOG_BYTES("e", BYTES("raw")));
    assert_string_equal(capture.line + 25,
                        "ERROR x a=-9223372036854775808 b=18446744073709551615 c=true "
                        "reason=disk_full d=ab000000000000000000000000000000 e=raw\n");
}

static void numbers_and_flags_are_bare_in_json(void **state)
{
    (void)state;
    struct log log = make_log(LOG_JSON);
    LOG(&log, LOG_ERROR, "x", LOG_INT("a", -5), LOG_BOOL("b", false), LOG_STR("c", NULL),
        LOG_ID("d", NULL), LOG_ERR(ERR_OK));
    assert_non_null(
        strstr(capture.line, "\"a\":-5,\"b\":false,\"c\":null,\"d\":null,\"reason\":\"ok\"}"));
}

static void text_values_that_are_no_word_are_quoted_and_escaped(void **state)
{
    (void)state;
    struct log log = make_log(LOG_TEXT);
    LOG(&log, LOG_INFO, "x", LOG_STR("a", "two words"), LOG_STR("b", ""),
        LOG_STR("c", "say \"hi\""), LOG_STR("d", "a=b"), LOG_STR("e", "line\nbreak\x1b[31m"),
        LOG_STR("f", "caf\xc3\xa9"), LOG_BYTES("g", BYTES("\xff\0")), LOG_STR("h", "back\\slash"));
    assert_string_equal(capture.line + 25,
                        "INFO x a=\"two words\" b=\"\" c=\"say \\\"hi\\\"\" d=\"a=b\" "
                        "e=\"line\\nbreak\\u001b[31m\" f=\"caf\xc3\xa9\" g=\"\xef\xbf\xbd\\u0000\" "
                        "h=\"back\\\\slash\"\n");
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct log log = make_log(LOG_TEXT);
    LOG(&log, LOG_DEBUG, "x");
    assert_int_equal(capture.lines, 0);
    LOG(&log, LOG_INFO, "x");
    assert_int_equal(capture.lines, 1);
    log.level = LOG_ERROR;
    LOG(&log, LOG_WARN, "x");
    assert_int_equal(capture.lines, 1);
}

static void times_are_right_at_the_turns_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        uint64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(951868799999), "2000-02-29T23:59:59.999Z"},
        {UINT64_C(951868800000), "2000-03-01T00:00:00.000Z"},
        {UINT64_C(1709164800000), "2024-02-29T00:00:00.000Z"},
        {UINT64_C(1735689599999), "2024-12-31T23:59:59.999Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
        {UINT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {UINT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    struct log log = make_log(LOG_TEXT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        capture.now = cases[i].wall_ms;
        LOG(&log, LOG_INFO, "x");
        assert_memory_equal(capture.line, cases[i].text, 24);
    }
}

/* Each day from 1970 to 2400 once, counted with the plain rules of the calendar. */
static void every_day_follows_the_one_before(void **state)
{
    (void)state;
    static const unsigned month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct log log = make_log(LOG_TEXT);
    uint64_t day_number = 0;
    for (unsigned year = 1970; year <= 2400; year++)
        for (unsigned month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            unsigned days = month_days[month - 1] + (month == 2 && leap);
            for (unsigned day = 1; day <= days; day++) {
                unsigned y, m, d;
                capture.now = day_number++ * 86400000;
                LOG(&log, LOG_INFO, "x");
                assert_int_equal(sscanf(capture.line, "%u-%u-%uT", &y, &m, &d), 3);
                assert_true(y == year && m == month && d == day);
            }
        }
}

static char long_text[5000];

static void a_long_text_value_is_cut_and_marked(void **state)
{
    (void)state;
    struct log log = make_log(LOG_TEXT);
    memset(long_text, 'a', sizeof long_text - 1);
    LOG(&log, LOG_INFO, "x", LOG_STR("a", long_text), LOG_STR("b", "dropped"));
    assert_in_range(capture.size, 2000, 2048);
    assert_string_equal(capture.line + capture.size - 7, "aa...\"\n");
    LOG(&log, LOG_INFO, long_text);
    assert_in_range(capture.size, 2000, 2048);
    assert_string_equal(capture.line + capture.size - 6, "aa...\n");
}

static void a_long_json_value_is_cut_and_the_object_closed(void **state)
{
    (void)state;
    struct log log = make_log(LOG_JSON);
    memset(long_text, 'a', sizeof long_text - 1);
    LOG(&log, LOG_INFO, "x", LOG_STR("a", long_text), LOG_STR("b", "dropped"));
    assert_in_range(capture.size, 2000, 2048);
    assert_string_equal(capture.line + capture.size - 8, "aa...\"}\n");
    assert_true(log_capture_is_json_line(&capture));
}

static void fields_without_room_leave_a_mark(void **state)
{
    (void)state;
    struct log_field fields[300];
    for (size_t i = 0; i < 300; i++)
        fields[i] = LOG_UINT("number", 123456789);
    struct log log = make_log(LOG_JSON);
    log_write(&log, LOG_INFO, "x", fields, 300);
    assert_true(log_capture_is_json_line(&capture));
    assert_non_null(strstr(capture.line, ",\"more\":\"...\"}\n"));
    log = make_log(LOG_TEXT);
    log_write(&log, LOG_INFO, "x", fields, 300);
    assert_non_null(strstr(capture.line, "number=123456789 ...\n"));
}

/* Any bytes, any size near the limit: always one valid JSON line of at most 2 KiB. */
static void json_lines_are_valid_whatever_the_fields_hold(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 12);
    for (int round = 0; round < 3000; round++) {
        static uint8_t bytes[3][1400];
        struct log_field fields[6];
        struct log log = make_log(LOG_JSON);
        bool only_ascii = rng_chance(&rng, 0.5);
        for (int i = 0; i < 3; i++) {
            size_t size = rng_below(&rng, sizeof bytes[i]);
            for (size_t j = 0; j < size; j++)
                bytes[i][j] = (uint8_t)(only_ascii ? rng_between(&rng, 32, 126) : rng_next(&rng));
            fields[2 * i] = LOG_BYTES("text", bytes_of(bytes[i], size));
            fields[2 * i + 1] = LOG_INT("number", rng_next(&rng));
        }
        log_write(&log, LOG_INFO, "x", fields, rng_below(&rng, 7));
        assert_true(capture.size <= 2048);
        assert_true(log_capture_is_json_line(&capture));
    }
}

static void text_lines_hold_no_second_line_and_no_controls(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 13);
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[60];
        struct log log = make_log(LOG_TEXT);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)rng_next(&rng);
        LOG(&log, LOG_INFO, "x", LOG_BYTES("text", bytes_of(bytes, sizeof bytes)));
        assert_int_equal(strlen(capture.line), capture.size);
        assert_true(utf8_is_valid(bytes_from_str(capture.line)));
        for (size_t i = 0; i + 1 < capture.size; i++)
            assert_true((uint8_t)capture.line[i] >= 32 && capture.line[i] != 127);
    }
}

static void level_names_read_back(void **state)
{
    (void)state;
    enum log_level level = LOG_WARN;
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        struct bytes name = bytes_from_str(log_level_name((enum log_level)i));
        assert_int_equal(log_level_parse(name, &level), ERR_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse(BYTES("INFO"), &level), ERR_INVALID);
    assert_int_equal(log_level_parse(BYTES(""), &level), ERR_INVALID);
    assert_int_equal(level, LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_event_and_fields),
        cmocka_unit_test(a_json_line_has_the_same),
        cmocka_unit_test(a_named_node_stands_in_every_json_line),
        cmocka_unit_test(every_kind_of_field_has_its_form),
        cmocka_unit_test(numbers_and_flags_are_bare_in_json),
        cmocka_unit_test(text_values_that_are_no_word_are_quoted_and_escaped),
        cmocka_unit_test(lines_below_the_level_are_dropped),
        cmocka_unit_test(times_are_right_at_the_turns_of_the_calendar),
        cmocka_unit_test(every_day_follows_the_one_before),
        cmocka_unit_test(a_long_text_value_is_cut_and_marked),
        cmocka_unit_test(a_long_json_value_is_cut_and_the_object_closed),
        cmocka_unit_test(fields_without_room_leave_a_mark),
        cmocka_unit_test(json_lines_are_valid_whatever_the_fields_hold),
        cmocka_unit_test(text_lines_hold_no_second_line_and_no_controls),
        cmocka_unit_test(level_names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
