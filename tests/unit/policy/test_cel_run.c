/* Tests of policy/cel_run*, cel_vm, cel_compile, cel_emit* and cel_fold: the semantics of errors
 * and of facts that are absent, bounds, and that a predicate allocates nothing. */
#include "cel_fixture.h"

static void one_side_decides_whatever_the_other_does(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"1/0 == 1 || true", "true"}, {"true || 1/0 == 1", "true"},
                    {"1/0 == 1 && false", "false"}, {"false && 1/0 == 1", "false"},
                    {"gone > 1 || true", "true"}, {"gone > 1 && false", "false"},
                    {"b ? 1 : 1/0", "1"}, {"[0, 1].exists(x, 1/x == 1)", "true"},
                    {"[0, 1].all(x, 1/x == 2)", "false"}, {"[].all(x, 1/0 == 1)", "true"});
    assert_fails("1/0 == 1 && true", "eval", "division by zero");
    assert_fails("false || 1/0 == 1", "eval", "division by zero");
    assert_fails("[0, 1].exists(x, 1/x == 2)", "eval", "division by zero");
    assert_fails("1/0 > 1 ? 1 : 2", "eval", "division by zero");
    assert_unchecked_fails("'a' && true", "no such overload");
    assert_unchecked_fails("false || 1", "no such overload");
    assert_unchecked_fails("1 ? 2 : 3", "no such overload");
    assert_outcome(unchecked_outcome_of("false && 32"), "false && 32", "false");
    assert_outcome(unchecked_outcome_of("32 || true"), "32 || true", "true");
}

static void an_absent_fact_is_told_apart_from_an_error(void **state)
{
    (void)state;
    assert_fails("gone > 1", "eval", "absent: gone is not known");
    assert_fails("1 + gone", "eval", "absent: gone");
    assert_fails("gone > 1 && 1/0 == 1", "eval", "absent: gone");
    assert_fails("1/0 == 1 && gone > 1", "eval", "absent: gone");
    assert_fails("gone.too == 'x'", "eval", "absent: gone.too");
    assert_fails("[gone]", "eval", "absent: gone");
    assert_fails("{'a': gone}", "eval", "absent: gone");
    assert_fails("l.map(x, gone)", "eval", "absent: gone");
    assert_fails("'a'.matches(gone.too)", "eval", "absent");
    ASSERT_ALL_GIVE({"has(gone.too)", "false"}, {"has(node.tier)", "true"},
                    {"has(gone.too) && gone.too == 'x'", "false"},
                    {"has(gone.too) ? gone.too : 'none'", "\"none\""});
    assert_outcome(unchecked_outcome_of("has(gone.too.x)"), "has(gone.too.x)", "false");
}

static void an_error_has_the_place_where_it_happened(void **state)
{
    (void)state;
    struct outcome o = outcome_of("l[0] +\n  l[9]");
    assert_string_equal(o.text, "index out of range");
    assert_int_equal(o.line, 2);
    assert_int_equal(o.column, 5);
    o = outcome_of("1 == 1 && gone < 3");
    assert_int_equal(o.column, 16);
}

static void macros_loop_over_lists_and_maps(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"l.all(x, x > -5)", "true"}, {"l.exists_one(x, x > 0)", "true"},
        {"[1, 1].exists_one(x, x == 1)", "false"}, {"l.filter(x, x >= 0)", "[3, 0]"},
        {"l.map(x, x > 0, x * 2)", "[6]"}, {"m.map(k, k)", "[\"a\"]"},
        {"m.all(k, v, k == 'a' && v == 1)", "true"}, {"l.exists(i, v, i == 1 && v == -1)", "true"},
        {"l.existsOne(i, v, i == v)", "false"}, {"l.transformList(i, v, i * v)", "[0, -1, 0]"},
        {"l.transformList(i, v, i > 0, v)", "[-1, 0]"},
        {"m.transformMap(k, v, k + string(v))", "{\"a\": \"a1\"}"},
        {"['x', 'y'].transformMapEntry(i, v, {v: i})", "{\"x\": 0, \"y\": 1}"},
        {"[[1, 2], [3]].map(x, x.map(y, x.size() * y))", "[[2, 4], [3]]"},
        {"cel.bind(x, 2, [1].map(y, cel.bind(x, x + y, x * 10)))", "[30]"});
    assert_fails("[1, 0].map(x, 1 / x)", "eval", "division by zero");
    assert_fails("[1, 0].exists_one(x, 1 / x == 1)", "eval", "division by zero");
    assert_fails("[1, 2].transformMapEntry(i, v, {'a': v})", "eval", "a key given twice");
    assert_unchecked_fails("i.map(x, x)", "no such overload");
    assert_unchecked_fails("l.exists_one(x, 1)", "no such overload");
    assert_unchecked_fails("l.filter(x, 1)", "no such overload");
    assert_unchecked_fails("l.transformMapEntry(i, v, v)", "no such overload");
}

static void what_is_not_there_is_an_error_or_a_none(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE(
        {"m.a + m['a']", "2"}, {"d[dyn(0)] == 1 || true", "true"}, {"[7, 8][dyn(1.0)]", "8"},
        {"[7, 8][dyn(1u)]", "8"}, {"m.?a.hasValue() && !m[?'b'].hasValue()", "true"},
        {"optional.of(m).a.value()", "1"}, {"optional.of([5])[?3].orValue(9)", "9"},
        {"optional.of({'x': {'y': 1}}).x.y.value()", "1"},
        {"has({'x': 1}.x) && !has({'x': 1}.y)", "true"}, {"has(optional.none().x)", "false"},
        {"{1: 'a', 2u: 'b', true: 'c'}[dyn(2.0)]", "\"b\""});
    assert_fails("m.b", "eval", "no such key");
    assert_fails("l[-1]", "eval", "index out of range");
    assert_fails("l[3]", "eval", "index out of range");
    assert_fails("[1][dyn(0.5)]", "eval", "index out of range");
    assert_fails("[1][dyn('a')]", "eval", "indexed by a number");
    assert_fails("{1: 1, 1: 2}", "eval", "a key given twice");
    assert_fails("{1.5: 1}", "eval", "cannot be the key");
    assert_unchecked_fails("i.a", "no such overload");
    assert_unchecked_fails("has(i.a)", "no such overload");
    assert_unchecked_fails("unknown.name + 1", "unknown function or name");
    assert_unchecked_fails("unknown(1, 2)", "unknown function or name");
}

static void cost_and_memory_are_bounded(void **state)
{
    (void)state;
    const struct cel_env env = cel_fuzz_env(false);
    static const char list[] = "[1,2,3,4,5,6,7,8,9,10]";
    char text[512];
    snprintf(text, sizeof(text), "%s.all(a, %s.all(b, %s.all(c, %s.all(d, a + b + c + d > i))))",
             list, list, list, list);
    struct outcome o = outcome_in(&env, text, 100000000);
    assert_outcome(o, text, "true");
    assert_true(o.cost > 10000);
    o = outcome_in(&env, text, 5000);
    assert_failure(o, text, "eval", "cost bound");
    assert_true(o.cost <= 5000);
    assert_failure(outcome_in(&env, "i == 1", 1), "i == 1", "eval", "cost bound");
    /* neither is dropped by an operator that drops errors */
    snprintf(text, sizeof(text), "%s.exists(a, %s.all(b, %s.all(c, a + b + c > i))) || true", list,
             list, list);
    assert_failure(outcome_in(&env, text, 500), text, "eval", "cost bound");
    snprintf(text, sizeof(text),
             "%s.map(a, %s.map(b, %s.map(c, [a, b, c, a, b, i]))).size() > 0 || true", list, list,
             list);
    assert_failure(outcome_in(&env, text, 100000000), text, "eval", "memory");
}

static void a_long_constant_is_made_at_run_time_within_the_bounds(void **state)
{
    (void)state;
    char text[9000];
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)text, sizeof(text) - 1);
    assert_int_equal(buf_append_str(&out, "size(["), ERR_OK);
    for (int k = 0; k < 1000; k++)
        assert_int_equal(buf_append_str(&out, "[1, 2],"), ERR_OK);
    assert_int_equal(buf_append_str(&out, "])"), ERR_OK);
    text[out.size] = 0;
    assert_gives(text, "1000");
}

/* `piece` so many times, with `between`. */
static void repeat(struct buf *out, const char *piece, const char *between, int count)
{
    for (int k = 0; k < count; k++)
        assert_int_equal(buf_printf(out, "%s%s", k ? between : "", piece), ERR_OK);
}

static uint64_t cost_of(const char *expression)
{
    struct outcome o = outcome_of(expression);
    if (o.phase)
        fail_msg("%s: %s", expression, o.text);
    return o.cost;
}

static void everything_that_is_touched_is_paid(void **state)
{
    (void)state;
    const struct cel_env env = cel_fuzz_env(false);
    char map[2000], text[2200];
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)map, sizeof(map) - 1);
    assert_int_equal(buf_append_str(&out, "{i: 0"), ERR_OK);
    for (int k = 0; k < 100; k++)
        assert_int_equal(buf_printf(&out, ", %d: 0", k), ERR_OK);
    assert_int_equal(buf_append_str(&out, "}"), ERR_OK);
    map[out.size] = 0;
    snprintf(text, sizeof(text), "size('%%s'.format([%s])) > 0", map);
    uint64_t shown = cost_of(text);
    snprintf(text, sizeof(text), "size(%s) > 0", map);
    assert_true(shown > cost_of(text) + 101 * 101 + 202);
    assert_true(cost_of("'%s'.format([[l, l, l, l]])") > cost_of("[[l, l, l, l]]") + 16);

    assert_true(cost_of("l.exists(x, x == 3)") <
                cost_of("l.exists(x, x == 4)")); /* the first is 3 */
    assert_true(cost_of("strings.quote(node.tier)") > cost_of("dyn(node.tier)"));
    assert_true(cost_of("l + l") >= 4 + 6);
    assert_true(cost_of("node.tier + node.tier") > 4);

    assert_failure(outcome_in(&env, "node.tier.matches('e')", 3), "match", "eval", "bound");
    assert_failure(outcome_in(&env, "node.tier.matches(node.tier)", 900), "match", "eval", "bound");
    assert_true(cost_of("node.tier.matches('e')") < 100);
    static const char hard[] = "('aaaaaaaaaaaa!' + node.tier).matches('^(a+)+$')";
    assert_outcome(outcome_in(&env, hard, 30000), hard, "false");
    assert_failure(outcome_in(&env, hard, 20000), hard, "eval", "bound");
}

static void what_compiling_may_cost_is_bounded(void **state)
{
    (void)state;
    const struct cel_env env = cel_fuzz_env(false);
    struct cel_program *p;
    struct cel_problem problem;
    struct cel_vm *vm;
    struct buf text, piece;
    buf_init(&text, POLICY_CEL_SOURCE_MAX);
    buf_init(&piece, 2000);
    repeat(&text, "node.tier.matches('a')", " || ", 130);
    assert_int_equal(policy_cel_compile(&env, buf_bytes(&text), &p, &problem), ERR_INVALID);
    assert_string_equal(problem.text, "more than 64 patterns");

    buf_clear(&text); /* constants of 13,000 each, of which some are not worked out any more */
    assert_int_equal(buf_append_str(&piece, "'"), ERR_OK);
    repeat(&piece, "ab", "", 220);
    assert_int_equal(buf_append_str(&piece, "'.lastIndexOf('"), ERR_OK);
    repeat(&piece, "ba", "", 219);
    assert_int_equal(buf_append_str(&piece, "') > 0"), ERR_OK);
    assert_int_equal(buf_append_byte(&piece, 0), ERR_OK);
    repeat(&text, (const char *)piece.data, " && ", 60);
    assert_int_equal(policy_cel_compile(&env, buf_bytes(&text), &p, &problem), ERR_OK);
    assert_int_equal(policy_cel_vm_create(65536, &vm), ERR_OK);
    (void)policy_cel_eval(vm, p, 0, cel_fuzz_facts());
    assert_true(policy_cel_vm_cost(vm) < 10);
    (void)policy_cel_eval(vm, p, 59, cel_fuzz_facts());
    assert_true(policy_cel_vm_cost(vm) > 10000);
    policy_cel_vm_destroy(vm);
    policy_cel_program_destroy(p);
    buf_fini(&text);
    buf_fini(&piece);
}

static void loops_beside_each_other_share_their_places(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, POLICY_CEL_SOURCE_MAX);
    repeat(&text, "l.exists(x, x > 0)", " && ", 300);
    assert_int_equal(buf_append_byte(&text, 0), ERR_OK);
    assert_gives((const char *)text.data, "true");
    buf_fini(&text);
}

static void constants_are_found_out_beforehand(void **state)
{
    (void)state;
    uint64_t folded =
        outcome_of("link.rtt < duration('1h') + duration('50ms') + duration('1s')").cost;
    assert_int_equal(folded, outcome_of("link.rtt < link.rtt").cost - 2);
    assert_gives("b || duration('x') == link.rtt",
                 "true"); /* what fails waits until it is reached */
    assert_fails("!b || duration('x') == link.rtt", "eval", "not a duration");
}

static void comparisons_work_either_way_round(void **state)
{
    (void)state;
    ASSERT_ALL_GIVE({"node.tier == 'edge'", "true"}, {"'edge' != node.tier", "false"},
                    {"0.4 < backend.gpu.load", "true"}, {"backend.gpu.load < 0.4", "false"},
                    {"backend.gpu.load < 1", "true"}, {"1u > backend.gpu.load", "true"},
                    {"duration('10ms') >= link.rtt", "false"},
                    {"link.rtt <= duration('20ms')", "true"}, {"x.y.z < 8", "true"},
                    {"x.y.z != 7", "false"}, {"y == b'\\xff\\x00'", "true"},
                    {"t > timestamp('2009-01-01T00:00:00Z')", "true"}, {"b == true", "true"},
                    {"d == null", "false"}, {"null != d", "true"});
    assert_unchecked_fails("node.tier < 1", "no such overload");
}

#define UNREAD 999
static size_t reads_of(const struct cel_program *p, size_t part, size_t reads[8])
{
    size_t count = 0;
    for (size_t fact = 0; fact < POLICY_CEL_FACTS_MAX; fact++)
        if (policy_cel_reads(p, part, fact) && count < 8)
            reads[count++] = fact;
    return count;
}

static void a_conjunction_comes_apart_into_parts_that_know_what_they_read(void **state)
{
    (void)state;
    const struct cel_env env = cel_fuzz_env(false);
    struct cel_program *p;
    struct cel_problem problem;
    struct cel_vm *vm;
    size_t reads[8] = {UNREAD};
    assert_int_equal(
        policy_cel_compile(&env, BYTES("node.tier == 'edge' && (i > 0 || has(gone.too)) && true"),
                           &p, &problem),
        ERR_OK);
    assert_int_equal(policy_cel_vm_create(1024, &vm), ERR_OK);
    assert_int_equal(policy_cel_part_count(p), 3);
    assert_int_equal(reads_of(p, 0, reads), 1);
    assert_int_equal(reads[0], 0);
    assert_int_equal(reads_of(p, 1, reads), 2);
    assert_int_equal(reads[0], 3);
    assert_int_equal(reads[1], 12);
    assert_int_equal(reads_of(p, 2, reads), 0);
    assert_int_equal(reads_of(p, POLICY_CEL_WHOLE, reads), 3);
    assert_true(policy_cel_eval(vm, p, 0, cel_fuzz_facts()).boolean);
    assert_false(policy_cel_eval(vm, p, 1, cel_fuzz_facts()).boolean);
    assert_true(policy_cel_eval(vm, p, 2, cel_fuzz_facts()).boolean);
    assert_false(policy_cel_eval(vm, p, POLICY_CEL_WHOLE, cel_fuzz_facts()).boolean);
    policy_cel_program_destroy(p);
    assert_int_equal(policy_cel_compile(&env, BYTES("b || b"), &p, &problem), ERR_OK);
    assert_int_equal(policy_cel_part_count(p), 1);
    assert_true(policy_cel_eval(vm, p, 0, cel_fuzz_facts()).boolean);
    policy_cel_program_destroy(p);
    policy_cel_vm_destroy(vm);
}

/* The sanitizers' runtime calls this for each allocation. */
static size_t allocations;
void __sanitizer_malloc_hook(const volatile void *pointer, size_t size)
{
    (void)pointer;
    (void)size;
    allocations++;
}

static void evaluating_allocates_nothing(void **state)
{
    (void)state;
    static const char *const expressions[] = {
        "node.tier == 'edge' && backend.gpu.load < 0.8 && link.rtt < duration('50ms')",
        "node.tier.startsWith('ed') && 'edge' in [node.tier, 'x'] && gone > 1",
        "l.exists(x, x > 2) && l.map(x, x + 1).size() == 3 && node.tier + 'a' == 'edgea'",
        "m.?a.orValue(1) == 1 && '%s'.format([node.tier]) == 'edge'",
        "node.tier.matches('^e.*e$')"};
    const struct cel_env env = cel_fuzz_env(false);
    struct cel_problem problem;
    struct cel_vm *vm;
    void *volatile probe = malloc(1);
    free(probe);
    if (!allocations)
        skip(); /* built without a sanitizer */
    assert_int_equal(policy_cel_vm_create(4096, &vm), ERR_OK);
    for (size_t k = 0; k < sizeof(expressions) / sizeof(expressions[0]); k++) {
        struct cel_program *p;
        assert_int_equal(policy_cel_compile(&env, bytes_from_str(expressions[k]), &p, &problem),
                         ERR_OK);
        size_t before = allocations;
        struct cel_value v = policy_cel_eval(vm, p, POLICY_CEL_WHOLE, cel_fuzz_facts());
        if (k < 4)
            assert_int_equal(allocations, before);
        else
            assert_true(allocations - before <= 1); /* PCRE2 keeps the frames of its first match */
        before = allocations;
        v = policy_cel_eval(vm, p, POLICY_CEL_WHOLE, cel_fuzz_facts());
        assert_int_equal(allocations, before);
        assert_true(v.kind == (k == 1 ? CEL_ABSENT : CEL_BOOL));
        policy_cel_program_destroy(p);
    }
    policy_cel_vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_side_decides_whatever_the_other_does),
        cmocka_unit_test(an_absent_fact_is_told_apart_from_an_error),
        cmocka_unit_test(an_error_has_the_place_where_it_happened),
        cmocka_unit_test(macros_loop_over_lists_and_maps),
        cmocka_unit_test(what_is_not_there_is_an_error_or_a_none),
        cmocka_unit_test(cost_and_memory_are_bounded),
        cmocka_unit_test(a_long_constant_is_made_at_run_time_within_the_bounds),
        cmocka_unit_test(everything_that_is_touched_is_paid),
        cmocka_unit_test(what_compiling_may_cost_is_bounded),
        cmocka_unit_test(loops_beside_each_other_share_their_places),
        cmocka_unit_test(constants_are_found_out_beforehand),
        cmocka_unit_test(comparisons_work_either_way_round),
        cmocka_unit_test(a_conjunction_comes_apart_into_parts_that_know_what_they_read),
        cmocka_unit_test(evaluating_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
