/* Tests of node/reclaim: which answers of a cloud say that the machine is taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/reclaim.h"

static void check(const char *body, bool expected)
{
    if (reclaim_is_notice(bytes_from_str(body)) != expected)
        fail_msg("%s", body);
}

static void the_notice_of_aws_names_an_action(void **state)
{
    check("{\"action\":\"terminate\",\"time\":\"2026-12-01T05:00:00Z\"}", true);
    check("{\"action\": \"stop\", \"time\": \"2026-12-01T05:00:00Z\"}", true);
    check("{\"action\":\"hibernate\"}", true);
    check("{\"action\":\"none\"}", false);
    check("{\"action\":7}", false);
}

static void the_notice_of_gcp_is_a_word(void **state)
{
    check("TRUE", true);
    check("TRUE\n", true);
    check("FALSE", false);
    check("TRUE FALSE", false);
}

static void the_notice_of_azure_is_one_of_its_events(void **state)
{
    check("{\"DocumentIncarnation\":1,\"Events\":[]}", false);
    check("{\"Events\":[{\"EventType\":\"Freeze\"},{\"EventType\":\"Preempt\"}]}", true);
    check("{\"Events\":[{\"EventType\":\"Terminate\"}]}", true);
    check("{\"Events\":[{\"EventType\":\"Reboot\"},{\"EventType\":1},7]}", false);
    check("{\"Events\":{\"EventType\":7}}", false);
}

static void anything_else_is_none(void **state)
{
    check("", false);
    check("<html>404</html>", false);
    check("{\"action\":\"terminate\"", false);
    check("[]", false);
    check("\"terminate\"", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_notice_of_aws_names_an_action),
        cmocka_unit_test(the_notice_of_gcp_is_a_word),
        cmocka_unit_test(the_notice_of_azure_is_one_of_its_events),
        cmocka_unit_test(anything_else_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
