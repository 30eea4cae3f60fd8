/* What the load generator counts, judges good, and reports; and where it may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testnet/load/core/tally.h"
#include "testnet/load/options.h"
#include "testnet/load/report.h"

static struct tally tally;

static struct tally_result good(uint64_t intended_ms)
{
    uint64_t at_us = intended_ms * 1000;
    return (struct tally_result){.intended_us = at_us,
                                 .sent_us = at_us + 1000,
                                 .first_us = at_us + 101000,
                                 .done_us = at_us + 201000,
                                 .tokens = 11,
                                 .status = 200,
                                 .has_begun = true};
}

static void latency_counts_from_the_intended_start(void **state)
{
    struct tally_result r = good(0);
    r.sent_us = 90000; /* a stalled server kept it from being sent */
    tally_init(&tally, &(struct tally_cfg){.warm_up_us = 0});
    tally_add(&tally, &r);
    assert_true(tally.latency.max == 201000);
    assert_true(tally.service.max == 111000);
    assert_true(tally.lag.max == 90000);
    assert_true(tally.first.max == 101000);
}

static void warm_up_is_left_out(void **state)
{
    struct tally_result r = good(999);
    tally_init(&tally, &(struct tally_cfg){.warm_up_us = 1000000});
    tally_add(&tally, &r);
    assert_true(tally.count == 0 && tally.warm_up_count == 1 && tally.latency.count == 0);
    r = good(1000);
    tally_add(&tally, &r);
    assert_true(tally.count == 1 && tally.seconds[0][0] == 1);
}

static void an_answer_is_good_only_within_all_limits(void **state)
{
    static const struct tally_slo within = {101000, 10000, 201000};
    static const struct tally_slo beyond[] = {{100999, 0, 0}, {0, 9999, 0}, {0, 0, 200999}};
    struct tally_result r = good(0);
    tally_init(&tally, &(struct tally_cfg){.slo = within});
    tally_add(&tally, &r);
    assert_true(tally.good == 1);
    for (size_t i = 0; i < 3; i++) {
        tally_init(&tally, &(struct tally_cfg){.slo = beyond[i]});
        tally_add(&tally, &r);
        assert_true(tally.good == 0 && tally.outcomes[TALLY_OK] == 1);
    }
}

static void failures_count_apart_and_unbegun_ones_too(void **state)
{
    struct tally_result r = good(0);
    tally_init(&tally, &(struct tally_cfg){.warm_up_us = 0});
    r.outcome = TALLY_CUT;
    tally_add(&tally, &r);
    r.outcome = TALLY_REFUSED;
    r.has_begun = false;
    r.target = 1;
    tally_add(&tally, &r);
    assert_true(tally.count == 2 && tally.failed_unbegun == 1 && tally.good == 0);
    assert_true(tally.targets[0][1] == 1 && tally.targets[1][1] == 1);
    assert_true(tally.latency.count == 0 && tally.lag.count == 2);
}

static void summaries_and_lines_are_written(void **state)
{
    static const char *const names[] = {"http://127.0.0.1:1"};
    struct tally_result r = good(0);
    struct report report = {
        .tally = &tally, .target_count = 1, .tenant_count = 1, .targets = names};
    struct buf out;
    buf_init(&out, 1 << 20);
    tally_init(&tally, &(struct tally_cfg){.warm_up_us = 0});
    assert_int_equal(report_text(&report, &out), ERR_OK); /* of nothing */
    tally_add(&tally, &r);
    buf_clear(&out);
    assert_int_equal(report_json(&report, &out), ERR_OK);
    assert_non_null(memmem(out.data, out.size, "\"latency_ms\":{\"count\":1,", 24));
    assert_non_null(memmem(out.data, out.size, "\"max\":201.000", 13));
    buf_clear(&out);
    assert_int_equal(report_result(&r, "#a", "id", "edge-1", &out), ERR_OK);
    assert_true(bytes_starts_with(buf_bytes(&out), BYTES("{\"number\":0,\"outcome\":\"ok\"")));
    buf_fini(&out);
}

static void load_goes_nowhere_but_to_loopback_and_the_testnet(void **state)
{
    static const char *const good_ones[] = {"127.0.0.1:80", "127.9.9.9:80", "[::1]:80",
                                            "198.18.0.1:80", "198.19.255.255:1"};
    static const char *const bad_ones[] = {
        "198.17.255.255:80", "198.20.0.0:80", "10.0.0.1:80",  "192.168.1.1:80",        "8.8.8.8:80",
        "0.0.0.0:80",        "[::]:80",       "[fe80::1]:80", "[::ffff:198.18.0.1]:80"};
    struct io_addr addr;
    for (size_t i = 0; i < sizeof good_ones / sizeof good_ones[0]; i++) {
        assert_int_equal(io_addr_parse(bytes_from_str(good_ones[i]), &addr), ERR_OK);
        assert_true(options_may_load(&addr));
    }
    for (size_t i = 0; i < sizeof bad_ones / sizeof bad_ones[0]; i++) {
        if (io_addr_parse(bytes_from_str(bad_ones[i]), &addr) != ERR_OK)
            continue; /* not even an address here */
        assert_false(options_may_load(&addr));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latency_counts_from_the_intended_start),
        cmocka_unit_test(warm_up_is_left_out),
        cmocka_unit_test(an_answer_is_good_only_within_all_limits),
        cmocka_unit_test(failures_count_apart_and_unbegun_ones_too),
        cmocka_unit_test(summaries_and_lines_are_written),
        cmocka_unit_test(load_goes_nowhere_but_to_loopback_and_the_testnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
