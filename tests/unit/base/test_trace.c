/* Tests of base/trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/trace.h"
#include "tests/unit/base/log_capture.h"

static struct log_capture capture;
static const struct trace to_capture = {log_capture_now, log_capture_sink, &capture};

static void a_line_has_time_node_event_and_fields(void **state)
{
    (void)state;
    const struct trace *trace = &to_capture;
    capture = (struct log_capture){.now = 123};
    TRACE(trace, "edge-1", "link_state", LOG_STR("from", "dialing"), LOG_ERR(ERR_TIMEOUT));
    assert_string_equal(capture.line, "{\"t_us\":123,\"node\":\"edge-1\",\"event\":\"link_state\","
                                      "\"from\":\"dialing\",\"reason\":\"timeout\"}\n");
}

static void the_world_itself_has_no_node(void **state)
{
    (void)state;
    const struct trace *trace = &to_capture;
    capture = (struct log_capture){.now = 5};
    TRACE(trace, NULL, "partition");
    assert_string_equal(capture.line, "{\"t_us\":5,\"event\":\"partition\"}\n");
}

static int expensive(int *calls)
{
    return ++*calls;
}

static void without_a_trace_nothing_is_even_computed(void **state)
{
    (void)state;
    const struct trace *trace = NULL;
    int calls = 0;
    TRACE(trace, "edge-1", "x", LOG_INT("value", expensive(&calls)));
    trace_write(NULL, "edge-1", "x", NULL, 0);
    assert_int_equal(calls, 0);
    trace = &to_capture;
    TRACE(trace, "edge-1", "x", LOG_INT("value", expensive(&calls)));
    assert_int_equal(calls, 1);
}

static void a_long_line_is_cut_and_stays_json(void **state)
{
    (void)state;
    static char text[5000];
    const struct trace *trace = &to_capture;
    memset(text, '"', sizeof text - 1);
    TRACE(trace, text, "x");
    assert_true(log_capture_is_json_line(&capture));
    assert_in_range(capture.size, 2000, 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_node_event_and_fields),
        cmocka_unit_test(the_world_itself_has_no_node),
        cmocka_unit_test(without_a_trace_nothing_is_even_computed),
        cmocka_unit_test(a_long_line_is_cut_and_stays_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
