/* Properties of expressions; see cel_fuzz.h. CHECK aborts where one does not hold. */
#include "tests/support/cel_fuzz.h"

#include <stdio.h>

#define VM_BYTES 65536
#define SHOWN_MAX 16384

static const struct cel_type int_type = {.kind = CEL_T_INT}, string_type = {.kind = CEL_T_STRING};
static const struct cel_type dyn_type = {.kind = CEL_T_DYN};
static const struct cel_type list_type = {
    .kind = CEL_T_LIST, .params = {&int_type}, .param_count = 1};
static const struct cel_type map_type = {
    .kind = CEL_T_MAP, .params = {&string_type, &int_type}, .param_count = 2};
static const struct cel_type double_type = {.kind = CEL_T_DOUBLE};
static const struct cel_type duration_type = {.kind = CEL_T_DURATION};
static const struct cel_type timestamp_type = {.kind = CEL_T_TIMESTAMP};
static const struct cel_type bytes_type = {.kind = CEL_T_BYTES};
static const struct cel_type bool_type = {.kind = CEL_T_BOOL};

static const struct cel_fact facts[] = {
    {"node.tier", &string_type, 0, 0},
    {"backend.gpu.load", &double_type, 1, 0},
    {"link.rtt", &duration_type, 1, 1},
    {"i", &int_type, 0, 1},
    {"l", &list_type, 0, 2},
    {"m", &map_type, 0, 3},
    {"d", &dyn_type, 0, 4},
    {"t", &timestamp_type, 0, 5},
    {"y", &bytes_type, 0, 6},
    {"b", &bool_type, 0, 7},
    {"x.y.z", &int_type, 1, 2},
    {"gone", &int_type, 1, 3},
    {"gone.too", &string_type, 1, 4},
};

static const struct cel_value numbers[] = {
    {.kind = CEL_INT, .integer = 3}, {.kind = CEL_INT, .integer = -1}, {.kind = CEL_INT}};
static const struct cel_value entries[] = {
    {.kind = CEL_STRING, .size = 1, .data = (const uint8_t *)"a"}, {.kind = CEL_INT, .integer = 1}};
static const struct cel_value group_0[] = {
    {.kind = CEL_STRING, .size = 4, .data = (const uint8_t *)"edge"},
    {.kind = CEL_INT, .integer = INT64_MIN},
    {.kind = CEL_LIST, .size = 3, .items = numbers},
    {.kind = CEL_MAP, .size = 1, .items = entries},
    {.kind = CEL_DOUBLE, .real = -0.0},
    {.kind = CEL_TIMESTAMP, .size = 999999999, .integer = 1234567890},
    {.kind = CEL_BYTES, .size = 2, .data = (const uint8_t *)"\xff\x00"},
    {.kind = CEL_BOOL, .boolean = true},
};
static const struct cel_value group_1[] = {
    {.kind = CEL_DOUBLE, .real = 0.5},
    {.kind = CEL_DURATION, .integer = 20000000},
    {.kind = CEL_INT, .integer = 7},
    {.kind = CEL_ABSENT},
    {.kind = CEL_ABSENT},
};

struct cel_env cel_fuzz_env(bool with_container)
{
    return (struct cel_env){.facts = facts,
                            .fact_count = sizeof(facts) / sizeof(facts[0]),
                            .container = with_container ? "x.y" : NULL};
}

const struct cel_value *const *cel_fuzz_facts(void)
{
    static const struct cel_value *const groups[] = {group_0, group_1, NULL, NULL};
    return groups;
}

void cel_fuzz_check_problem(const struct cel_problem *problem, struct bytes text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    CHECK(problem->line >= 1 && problem->line <= lines);
    CHECK(problem->column >= 1 && problem->column <= text.size + 1);
    CHECK(problem->text[0] && strlen(problem->text) < sizeof(problem->text));
}

/* The kind of value that a type promises; true for those that promise none. */
static bool has_type(struct cel_value v, const struct cel_type *type)
{
    switch (type->kind) {
    case CEL_T_NULL: return v.kind == CEL_NULL;
    case CEL_T_BOOL: return v.kind == CEL_BOOL;
    case CEL_T_INT: return v.kind == CEL_INT;
    case CEL_T_UINT: return v.kind == CEL_UINT;
    case CEL_T_DOUBLE: return v.kind == CEL_DOUBLE;
    case CEL_T_STRING: return v.kind == CEL_STRING;
    case CEL_T_BYTES: return v.kind == CEL_BYTES;
    case CEL_T_DURATION: return v.kind == CEL_DURATION || v.kind == CEL_NULL;
    case CEL_T_TIMESTAMP: return v.kind == CEL_TIMESTAMP || v.kind == CEL_NULL;
    case CEL_T_TYPE: return v.kind == CEL_TYPE;
    case CEL_T_LIST: return v.kind == CEL_LIST;
    case CEL_T_MAP: return v.kind == CEL_MAP;
    case CEL_T_ABSTRACT: return v.kind == CEL_OPTIONAL || v.kind == CEL_NULL;
    default: return true;
    }
}

static bool is_final(struct cel_value v)
{
    return v.kind == CEL_ERROR && v.error >= CEL_E_BUDGET;
}

static struct cel_vm *new_vm(uint64_t budget)
{
    struct cel_vm *vm;
    CHECK(policy_cel_vm_create(VM_BYTES, &vm) == ERR_OK);
    policy_cel_vm_set_budget(vm, budget);
    return vm;
}

static bool is_true(struct cel_value v)
{
    return v.kind == CEL_BOOL && v.boolean;
}

void cel_fuzz_check_program(const struct cel_program *program, uint64_t budget, bool is_checked)
{
    struct cel_vm *vm = new_vm(budget);
    struct cel_problem problem;
    struct cel_value v = policy_cel_eval(vm, program, POLICY_CEL_WHOLE, cel_fuzz_facts());
    CHECK(policy_cel_vm_cost(vm) <= budget);
    if (v.kind >= CEL_ERROR) {
        policy_cel_locate(program, v, &problem);
        CHECK(problem.line >= 1 && problem.text[0]);
    } else if (is_checked) {
        CHECK(has_type(v, policy_cel_program_type(program)));
    }
    bool whole = is_true(v), final = is_final(v), all = true;
    size_t parts = policy_cel_part_count(program);
    for (size_t i = 0; i < parts; i++) {
        v = policy_cel_eval(vm, program, i, cel_fuzz_facts());
        final |= is_final(v);
        all &= is_true(v);
    }
    CHECK(final || whole == all);
    policy_cel_vm_destroy(vm);
}

static void show(const struct cel_program *program, struct buf *out, bool *ret_is_final)
{
    struct cel_vm *vm = new_vm(20000);
    struct cel_value v = policy_cel_eval(vm, program, POLICY_CEL_WHOLE, cel_fuzz_facts());
    *ret_is_final = is_final(v);
    if (policy_cel_show(v, out) != ERR_OK)
        buf_clear(out);
    policy_cel_vm_destroy(vm);
}

void cel_fuzz_compare(const struct cel_program *a, const struct cel_program *b)
{
    struct buf shown[2];
    bool final[2];
    buf_init(&shown[0], SHOWN_MAX);
    buf_init(&shown[1], SHOWN_MAX);
    show(a, &shown[0], &final[0]);
    show(b, &shown[1], &final[1]);
    CHECK(final[0] || final[1] || bytes_equal(buf_bytes(&shown[0]), buf_bytes(&shown[1])));
    buf_fini(&shown[0]);
    buf_fini(&shown[1]);
}
