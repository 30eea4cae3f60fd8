/* Recorded decisions under other policies: what moves, what is refused, what stays as it was then,
 * and that lines which are no decisions are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOOK(node, tier, verdict, price)                                                           \
    "{\"verdict\":\"" verdict "\",\"answer_ms\":100,\"cost_usd\":0.5,\"learned\":{\"first_us\":"   \
    "1000,\"own_inflight\":0,\"weight\":1},\"facts\":{\"node.name\":\"" node                       \
    "\",\"node.tier\":\"" tier "\",\"model.name\":\"m\",\"node.age\":\"1500us\",\"link.rtt\":"     \
    "\"8ms\",\"price.input\":" price ",\"price.output\":" price "}}"
#define RECORD(looks)                                                                              \
    "{\"id\":\"r1\",\"attempt\":1,\"policy\":\"old\",\"request\":{\"request.model\":\"alias\","    \
    "\"request.stream\":false,\"request.input_tokens\":100,\"request.output_tokens\":100},"        \
    "\"candidates\":[" looks "]}"

static struct policy_replayed replay(const char *spec, const char *record)
{
    char text[1024];
    struct policy_set *set;
    struct policy_mistakes mistakes;
    struct policy_replayed d;
    struct cel_vm *vm;
    snprintf(text, sizeof text,
             "apiVersion: grapevine/v1\nkind: RoutePolicy\nmetadata: {name: new}\nspec: {%s}\n",
             spec);
    const struct policy_source source = {.text = bytes_from_str(text)};
    if (policy_set_create(&source, 1, &set, &mistakes) != ERR_OK)
        fail_msg("%s", mistakes.items[0].text);
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    assert_int_equal(policy_replay(set, vm, bytes_from_str(record), &d), ERR_OK);
    policy_cel_vm_destroy(vm);
    policy_set_destroy(set);
    return d;
}

static void what_still_is_the_best_does_not_move(void **state)
{
    (void)state;
    struct policy_replayed d =
        replay("strategy: cost-optimized",
               RECORD(LOOK("a", "edge", "chosen", "0.001") "," LOOK("b", "cloud", "spare", "0.1")));
    assert_string_equal(d.id, "r1");
    assert_string_equal(d.rule, "new");
    assert_string_equal(d.from, "a");
    assert_string_equal(d.to, "a");
    assert_false(d.is_moved);
    assert_true(d.answer_us == 100e3 && d.cost_usd == 0.5);
    assert_true(d.new_cost_usd > 0 && d.new_cost_usd < 0.001);
}

static void what_another_policy_sends_elsewhere_moves(void **state)
{
    (void)state;
    struct policy_replayed d = replay(
        "require: ['node.tier == \"cloud\"']",
        RECORD(LOOK("a", "edge", "chosen", "0.001") "," LOOK("b", "cloud", "step_failed", "0.1")));
    assert_true(d.is_moved);
    assert_string_equal(d.to, "b");
}

static void who_could_not_be_used_then_cannot_be_used_now(void **state)
{
    (void)state;
    struct policy_replayed d = replay(
        "require: ['node.tier == \"cloud\"']",
        RECORD(LOOK("a", "edge", "chosen", "0.001") "," LOOK("b", "cloud", "breaker", "0.1")));
    assert_true(d.is_moved);
    assert_string_equal(d.to, "");
    assert_int_equal(d.none, POLICY_BREAKER);
}

static void a_request_that_was_refused_may_be_served(void **state)
{
    (void)state;
    struct policy_replayed d =
        replay("strategy: latency-first", RECORD(LOOK("a", "edge", "require_failed", "0.001")));
    assert_string_equal(d.from, "");
    assert_string_equal(d.to, "a");
    assert_true(d.is_moved && isnan(d.answer_us));
}

static void lines_that_are_no_decisions_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "7",
        "{\"request\":{}}",
        "{\"request\":[],\"candidates\":[]}",
        "{\"request\":{\"request.nix\":1},\"candidates\":[]}",
        "{\"request\":{},\"candidates\":[{\"facts\":{\"link.rtt\":-1}}]}",
    };
    struct policy_set *set;
    struct policy_mistakes mistakes;
    struct cel_vm *vm;
    (void)state;
    assert_int_equal(policy_set_create(NULL, 0, &set, &mistakes), ERR_OK);
    assert_int_equal(policy_cel_vm_create(POLICY_VM_BYTES, &vm), ERR_OK);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct policy_replayed d;
        assert_int_equal(policy_replay(set, vm, bytes_from_str(lines[i]), &d), ERR_INVALID);
    }
    policy_cel_vm_destroy(vm);
    policy_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_still_is_the_best_does_not_move),
        cmocka_unit_test(what_another_policy_sends_elsewhere_moves),
        cmocka_unit_test(who_could_not_be_used_then_cannot_be_used_now),
        cmocka_unit_test(a_request_that_was_refused_may_be_served),
        cmocka_unit_test(lines_that_are_no_decisions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
