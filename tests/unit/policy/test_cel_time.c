/* Tests of policy/cel_time, cel_time_text, cel_zone and cel_lib_time: exact to the nanosecond,
 * within their ranges, in zones whose data is handed in. */
#include "cel_fixture.h"

#include "policy/cel_time.h"

static void durations_are_exact_within_292_years(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"duration('1h2m3.5s')", "duration(\"3723.5s\")"},
        {"duration('-1.5ms')", "duration(\"-0.0015s\")"},
        {"duration('1us1ns')", "duration(\"0.000001001s\")"}, {"duration('0')", "duration(\"0s\")"},
        {"duration('+2µs')", "duration(\"0.000002s\")"},
        {"duration('9223372036.854775807s')", "duration(\"9223372036.854775807s\")"},
        {"duration('-9223372036.854775808s')", "duration(\"-9223372036.854775808s\")"},
        {"duration('1m').getSeconds() + duration('90m').getHours()", "61"},
        {"duration('1.234s').getMilliseconds() + duration('1h1m').getMinutes()", "295"});
    ASSERT_ALL_FAIL("eval", {"duration('9223372036.854775808s')", "range"},
                    {"duration('-9223372036.854775809s')", "range"},
                    {"duration('99999999999999999999s')", "range"},
                    {"duration('200000000h') + duration('1h')", "range"},
                    {"duration('9223372036s') + duration('1s')", "range"},
                    {"duration('-9223372036s') - duration('1s')", "range"},
                    {"duration('')", "not a"}, {"duration('1')", "not a duration"},
                    {"duration('1 s')", "not a"}, {"duration('.s')", "not a duration"},
                    {"duration('--1s')", "not a"});
}

static void timestamps_are_exact_between_the_years_1_and_9999(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"timestamp('2000-02-29T23:59:59.000000001+01:30')",
         "timestamp(\"2000-02-29T22:29:59.000000001Z\")"},
        {"timestamp('0001-01-01T00:00:00Z') + duration('1ns')",
         "timestamp(\"0001-01-01T00:00:00.000000001Z\")"},
        {"timestamp(0) - duration('1ns')", "timestamp(\"1969-12-31T23:59:59.999999999Z\")"},
        {"timestamp(1) - timestamp('1969-12-31T23:59:59.5Z')", "duration(\"1.5s\")"},
        {"duration('1s') + timestamp(1) == timestamp(2)", "true"},
        {"timestamp('2009-02-13t23:31:30z')", "timestamp(\"2009-02-13T23:31:30Z\")"});
    ASSERT_ALL_FAIL(
        "eval", {"timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')", "range"},
        {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", "range"},
        {"timestamp('0001-01-01T00:00:00+00:01')", "range"},
        {"timestamp('0000-01-01T00:00:00Z')", "range"}, {"timestamp(-62135596801)", "range"},
        {"timestamp('9999-12-31T00:00:00Z') - timestamp(0)", "range"},
        {"timestamp('2001-02-29T00:00:00Z')", "not a timestamp"},
        {"timestamp('1900-02-29T00:00:00Z')", "not a"},
        {"timestamp('2001-13-01T00:00:00Z')", "not"},
        {"timestamp('2001-01-01T24:00:00Z')", "not a"}, {"timestamp('2001-01-01')", "not a"},
        {"timestamp('2001-01-01T00:00:00')", "not a"},
        {"timestamp('2001-01-01T00:00:00.Z')", "not"},
        {"timestamp('2001-01-01T00:00:00+25:00')", "not a"});
}

static void fields_are_those_of_the_calendar(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"[t.getFullYear(), t.getMonth(), t.getDate(), t.getDayOfMonth()]", "[2009, 1, 13, 12]"},
        {"[t.getDayOfWeek(), t.getDayOfYear(), t.getHours(), t.getMinutes()]", "[5, 43, 23, 31]"},
        {"[t.getSeconds(), t.getMilliseconds()]", "[30, 999]"},
        {"[t.getDate('+00:29'), t.getDate('00:28'), t.getHours('-23:59')]", "[14, 13, 23]"},
        {"timestamp('9999-12-31T23:59:59Z').getFullYear('+00:01')", "10000"},
        {"timestamp('1600-12-31T00:00:00Z').getDayOfYear()", "365"});
    ASSERT_ALL_FAIL("eval", {"t.getHours('Europe/Nowhere')", "unknown time zone"},
                    {"t.getHours('')", "unknown"}, {"t.getHours('+24:00')", "unknown"},
                    {"t.getHours('1:2')", "unknown"});
    for (int64_t day = -800000; day < 2932896; day += 97) { /* both ways agree on every day */
        struct cel_civil c = policy_cel_civil(day * 86400 + 86399);
        assert_int_equal(policy_cel_days(c.year, c.month, c.day), day);
        assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second, 86399);
    }
}

/* --- zones */

static void assert_offset(const char *rule, const char *moment, int64_t seconds)
{
    struct cel_value v;
    int64_t offset;
    assert_int_equal(policy_cel_parse_time(CEL_TIMESTAMP, bytes_from_str(moment), &v), ERR_OK);
    if (!policy_cel_rule_offset(bytes_from_str(rule), v.integer, &offset) || offset != seconds)
        fail_msg("%s at %s", rule, moment);
}

static void rules_say_when_summer_is(void **state)
{
    (void)state;
    static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
    assert_offset(berlin, "2026-03-29T00:59:59Z", 3600);
    assert_offset(berlin, "2026-03-29T01:00:00Z", 7200);
    assert_offset(berlin, "2026-10-25T00:59:59Z", 7200);
    assert_offset(berlin, "2026-10-25T01:00:00Z", 3600);
    assert_offset("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 39600); /* southern */
    assert_offset("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", 36000);
    assert_offset("<+0330>-3:30", "2026-07-01T00:00:00Z", 12600);
    assert_offset("XXX3YYY2:30,J60/0,300", "2024-03-01T02:59:59Z", -10800); /* J60 is March 1st */
    assert_offset("XXX3YYY2:30,J60/0,300", "2024-03-01T03:00:00Z", -9000);
    static const char *const faulty[] = {"",
                                         "CE",
                                         "CET",
                                         "CET-1CEST",
                                         "CET-1CEST,M3.5.0",
                                         "CET-1CEST,M13.5.0,M10.5.0",
                                         "CET-1CEST,M3.6.0,M10.5.0",
                                         "<x-1",
                                         "CET-1CEST,M3.5.7,M1.1.1"};
    int64_t offset;
    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
        assert_false(policy_cel_rule_offset(bytes_from_str(faulty[i]), 0, &offset));
}

/* TZif data with one change, from -1:00 to +2:00 at second 1000, and a rule for what follows. */
static uint8_t zone_data[256];
static size_t zone_size;

static void put(uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;)
        zone_data[zone_size++] = (uint8_t)(value >> 8 * i);
}

static void put_header(unsigned time_count, unsigned type_count)
{
    const unsigned counts[] = {0, 0, 0, time_count, type_count, 0};
    memcpy(zone_data + zone_size, "TZif2", 5);
    memset(zone_data + zone_size + 5, 0, 15);
    zone_size += 20;
    for (size_t i = 0; i < 6; i++)
        put(counts[i], 4);
}

static void make_zone(const char *rule)
{
    zone_size = 0;
    put_header(0, 0);
    put_header(2, 2);
    put(1000, 8);
    put(2000, 8);
    put(1, 1);
    put(0, 1);
    put((uint32_t)-3600, 4);
    put(0, 2);
    put(7200, 4);
    put(1 << 8, 2);
    memcpy(zone_data + zone_size, rule, strlen(rule));
    zone_size += strlen(rule);
}

static struct bytes find_zone(void *zone_ctx, struct bytes name)
{
    *(int *)zone_ctx += 1;
    return bytes_equal(name, BYTES("Test/Zone")) ? bytes_of(zone_data, zone_size)
                                                 : (struct bytes){0};
}

static void zone_data_says_what_the_clock_showed(void **state)
{
    (void)state;
    int64_t offset;
    int asked = 0;
    make_zone("\nABC-5\n");
    struct bytes zone = bytes_of(zone_data, zone_size);
    assert_true(policy_cel_tzif_offset(zone, 999, &offset));
    assert_int_equal(offset, -3600);
    assert_true(policy_cel_tzif_offset(zone, 1000, &offset));
    assert_int_equal(offset, 7200);
    assert_true(policy_cel_tzif_offset(zone, 2000, &offset));
    assert_int_equal(offset, 18000);
    for (size_t size = 0; size + 7 < zone_size; size++)
        assert_false(policy_cel_tzif_offset(bytes_of(zone_data, size), 0, &offset));
    make_zone("\n\n");
    assert_true(policy_cel_tzif_offset(bytes_of(zone_data, zone_size), 5000, &offset));
    assert_int_equal(offset, -3600);

    struct cel_env env = cel_fuzz_env(false);
    env.zone = find_zone;
    env.zone_ctx = &asked;
    assert_outcome(outcome_in(&env, "timestamp(1500).getHours('Test/Zone')", 1000), "zone", "2");
    assert_true(asked > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_exact_within_292_years),
        cmocka_unit_test(timestamps_are_exact_between_the_years_1_and_9999),
        cmocka_unit_test(fields_are_those_of_the_calendar),
        cmocka_unit_test(rules_say_when_summer_is),
        cmocka_unit_test(zone_data_says_what_the_clock_showed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
