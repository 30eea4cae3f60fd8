/* Operators, size, type and dyn. Integer overflow is an error, never a wrap. */
#include "policy/cel_lib.h"
#include "policy/cel_text.h"
#include "policy/cel_time.h"
#include "policy/cel_types.h"

static struct cel_value overflow(void)
{
    return policy_cel_error(CEL_E_RANGE, "integer overflow");
}

static struct cel_value zero_divisor(void)
{
    return policy_cel_error(CEL_E_ARGUMENT, "division by zero");
}

static bool both(const struct cel_value *args, enum cel_kind kind)
{
    return args[0].kind == kind && args[1].kind == kind;
}

/* One text after the other. */
static struct cel_value concatenate(struct cel_vm *vm, struct cel_value a, struct cel_value b)
{
    uint64_t size = (uint64_t)a.size + b.size;
    uint8_t *data = size <= UINT32_MAX ? policy_cel_alloc(vm, size) : NULL;
    if (!data)
        return policy_cel_no_memory();
    if (!policy_cel_pay_bytes(vm, size))
        return policy_cel_no_budget();
    if (a.size)
        memcpy(data, a.data, a.size);
    if (b.size)
        memcpy(data + a.size, b.data, b.size);
    struct cel_value v = policy_cel_string(bytes_of(data, size));
    v.kind = a.kind;
    return v;
}

static struct cel_value join_lists(struct cel_vm *vm, struct cel_value a, struct cel_value b)
{
    uint64_t count = (uint64_t)a.size + b.size;
    struct cel_value *items =
        count <= UINT32_MAX ? policy_cel_alloc(vm, count * sizeof(*items)) : NULL;
    if (!items)
        return policy_cel_no_memory();
    if (!policy_cel_pay(vm, count))
        return policy_cel_no_budget();
    if (a.size)
        memcpy(items, a.items, a.size * sizeof(*items));
    if (b.size)
        memcpy(items + a.size, b.items, b.size * sizeof(*items));
    return (struct cel_value){.kind = CEL_LIST, .size = (uint32_t)count, .items = items};
}

static struct cel_value add_times(const struct cel_value *args)
{
    if (args[0].kind == CEL_TIMESTAMP && args[1].kind == CEL_DURATION)
        return policy_cel_time_add(args[0], args[1].integer);
    if (args[0].kind == CEL_DURATION && args[1].kind == CEL_TIMESTAMP)
        return policy_cel_time_add(args[1], args[0].integer);
    if (both(args, CEL_DURATION))
        return policy_cel_duration_add(args[0].integer, args[1].integer);
    return policy_cel_no_overload();
}

struct cel_value policy_cel_fn_add(const struct cel_args *in)
{
    int64_t i;
    uint64_t u;
    if (both(in->args, CEL_INT))
        return __builtin_add_overflow(in->args[0].integer, in->args[1].integer, &i)
                   ? overflow()
                   : policy_cel_int(i);
    if (both(in->args, CEL_UINT))
        return __builtin_add_overflow(in->args[0].uinteger, in->args[1].uinteger, &u)
                   ? overflow()
                   : policy_cel_uint(u);
    if (both(in->args, CEL_DOUBLE))
        return policy_cel_double(in->args[0].real + in->args[1].real);
    if (both(in->args, CEL_STRING) || both(in->args, CEL_BYTES))
        return concatenate(in->vm, in->args[0], in->args[1]);
    if (both(in->args, CEL_LIST))
        return join_lists(in->vm, in->args[0], in->args[1]);
    return add_times(in->args);
}

struct cel_value policy_cel_fn_sub(const struct cel_args *in)
{
    int64_t i;
    uint64_t u;
    if (both(in->args, CEL_INT))
        return __builtin_sub_overflow(in->args[0].integer, in->args[1].integer, &i)
                   ? overflow()
                   : policy_cel_int(i);
    if (both(in->args, CEL_UINT))
        return __builtin_sub_overflow(in->args[0].uinteger, in->args[1].uinteger, &u)
                   ? overflow()
                   : policy_cel_uint(u);
    if (both(in->args, CEL_DOUBLE))
        return policy_cel_double(in->args[0].real - in->args[1].real);
    if (both(in->args, CEL_TIMESTAMP))
        return policy_cel_time_between(in->args[0], in->args[1]);
    if (in->args[1].kind != CEL_DURATION)
        return policy_cel_no_overload();
    if (in->args[0].kind == CEL_TIMESTAMP)
        return policy_cel_time_sub(in->args[0], in->args[1].integer);
    if (in->args[0].kind != CEL_DURATION)
        return policy_cel_no_overload();
    return __builtin_sub_overflow(in->args[0].integer, in->args[1].integer, &i)
               ? policy_cel_error(CEL_E_RANGE, "duration out of range")
               : policy_cel_duration(i);
}

struct cel_value policy_cel_fn_mul(const struct cel_args *in)
{
    int64_t i;
    uint64_t u;
    if (both(in->args, CEL_INT))
        return __builtin_mul_overflow(in->args[0].integer, in->args[1].integer, &i)
                   ? overflow()
                   : policy_cel_int(i);
    if (both(in->args, CEL_UINT))
        return __builtin_mul_overflow(in->args[0].uinteger, in->args[1].uinteger, &u)
                   ? overflow()
                   : policy_cel_uint(u);
    if (both(in->args, CEL_DOUBLE))
        return policy_cel_double(in->args[0].real * in->args[1].real);
    return policy_cel_no_overload();
}

struct cel_value policy_cel_fn_div(const struct cel_args *in)
{
    if (both(in->args, CEL_INT)) {
        if (in->args[1].integer == 0)
            return zero_divisor();
        if (in->args[0].integer == INT64_MIN && in->args[1].integer == -1)
            return overflow();
        return policy_cel_int(in->args[0].integer / in->args[1].integer);
    }
    if (both(in->args, CEL_UINT))
        return in->args[1].uinteger ? policy_cel_uint(in->args[0].uinteger / in->args[1].uinteger)
                                    : zero_divisor();
    if (both(in->args, CEL_DOUBLE))
        return policy_cel_double(in->args[0].real / in->args[1].real);
    return policy_cel_no_overload();
}

struct cel_value policy_cel_fn_mod(const struct cel_args *in)
{
    if (both(in->args, CEL_INT)) {
        if (in->args[1].integer == 0)
            return zero_divisor();
        if (in->args[0].integer == INT64_MIN && in->args[1].integer == -1)
            return overflow();
        return policy_cel_int(in->args[0].integer % in->args[1].integer);
    }
    if (both(in->args, CEL_UINT))
        return in->args[1].uinteger ? policy_cel_uint(in->args[0].uinteger % in->args[1].uinteger)
                                    : zero_divisor();
    return policy_cel_no_overload();
}

struct cel_value policy_cel_fn_neg(const struct cel_args *in)
{
    if (in->args[0].kind == CEL_INT)
        return in->args[0].integer == INT64_MIN ? overflow() : policy_cel_int(-in->args[0].integer);
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_double(-in->args[0].real)
                                          : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_not(const struct cel_args *in)
{
    return in->args[0].kind == CEL_BOOL ? policy_cel_bool(!in->args[0].boolean)
                                        : policy_cel_no_overload();
}

/* Ordering texts touches them. */
static struct cel_value compare(struct cel_vm *vm, enum cel_op op, const struct cel_value *args)
{
    bool is_text = args[0].kind == CEL_STRING || args[0].kind == CEL_BYTES;
    if (is_text && !policy_cel_pay_bytes(vm, args[0].size))
        return policy_cel_no_budget();
    return policy_cel_compare(op, args[0], args[1]);
}

struct cel_value policy_cel_fn_lt(const struct cel_args *in)
{
    return compare(in->vm, CEL_OP_LT, in->args);
}

struct cel_value policy_cel_fn_le(const struct cel_args *in)
{
    return compare(in->vm, CEL_OP_LE, in->args);
}

struct cel_value policy_cel_fn_gt(const struct cel_args *in)
{
    return compare(in->vm, CEL_OP_GT, in->args);
}

struct cel_value policy_cel_fn_ge(const struct cel_args *in)
{
    return compare(in->vm, CEL_OP_GE, in->args);
}

struct cel_value policy_cel_fn_eq(const struct cel_args *in)
{
    return policy_cel_equals(in->vm, in->args[0], in->args[1]);
}

struct cel_value policy_cel_fn_ne(const struct cel_args *in)
{
    struct cel_value same = policy_cel_equals(in->vm, in->args[0], in->args[1]);
    return same.kind == CEL_BOOL ? policy_cel_bool(!same.boolean) : same;
}

struct cel_value policy_cel_fn_in(const struct cel_args *in)
{
    bool spent;
    if (in->args[1].kind == CEL_MAP) {
        bool found = policy_cel_map_find(in->vm, in->args[1], in->args[0], &spent);
        return spent ? policy_cel_no_budget() : policy_cel_bool(found);
    }
    if (in->args[1].kind != CEL_LIST)
        return policy_cel_no_overload();
    if (!policy_cel_pay(in->vm, in->args[1].size))
        return policy_cel_no_budget();
    for (uint32_t i = 0; i < in->args[1].size; i++) {
        struct cel_value same = policy_cel_equals(in->vm, in->args[1].items[i], in->args[0]);
        if (same.kind != CEL_BOOL || same.boolean)
            return same;
    }
    return policy_cel_bool(false);
}

struct cel_value policy_cel_fn_size(const struct cel_args *in)
{
    switch (in->args[0].kind) {
    case CEL_STRING:
        if (!policy_cel_pay_bytes(in->vm, in->args[0].size))
            return policy_cel_no_budget();
        return policy_cel_int((int64_t)policy_cel_code_count(policy_cel_bytes(in->args[0])));
    case CEL_BYTES:
    case CEL_LIST:
    case CEL_MAP: return policy_cel_int(in->args[0].size);
    default: return policy_cel_no_overload();
    }
}

struct cel_value policy_cel_fn_type(const struct cel_args *in)
{
    struct cel_value v = policy_cel_string(bytes_from_str(policy_cel_kind_name(in->args[0].kind)));
    v.kind = CEL_TYPE;
    return v;
}

struct cel_value policy_cel_fn_dyn(const struct cel_args *in)
{
    return in->args[0];
}
