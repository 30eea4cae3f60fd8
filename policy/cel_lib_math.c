/* The math extension. Functions of doubles take doubles alone. */
#include "policy/cel_lib.h"

#include <math.h>

static bool is_number(struct cel_value v)
{
    return v.kind >= CEL_INT && v.kind <= CEL_DOUBLE;
}

/* The extreme of some numbers of any types: of equal ones the first. */
static struct cel_value extreme(struct cel_vm *vm, const struct cel_value *args, size_t count,
                                enum cel_op better)
{
    if (count == 1 && args[0].kind == CEL_LIST) {
        count = args[0].size;
        args = args[0].items;
        if (!policy_cel_pay(vm, count))
            return policy_cel_no_budget();
        if (!count)
            return policy_cel_error(CEL_E_ARGUMENT, "an empty list has no greatest or least");
    }
    struct cel_value best = args[0];
    for (size_t i = 0; i < count; i++) {
        if (!is_number(args[i]))
            return policy_cel_no_overload();
        if (policy_cel_compare(better, args[i], best).boolean)
            best = args[i];
    }
    return best;
}

struct cel_value policy_cel_fn_greatest(const struct cel_args *in)
{
    return extreme(in->vm, in->args, in->count, CEL_OP_GT);
}

struct cel_value policy_cel_fn_least(const struct cel_args *in)
{
    return extreme(in->vm, in->args, in->count, CEL_OP_LT);
}

struct cel_value policy_cel_fn_ceil(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_double(ceil(d)) : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_floor(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_double(floor(d)) : policy_cel_no_overload();
}

/* Halves go away from zero. */
struct cel_value policy_cel_fn_round(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_double(round(d)) : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_trunc(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_double(trunc(d)) : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_is_nan(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_bool(isnan(d)) : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_is_inf(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_bool(isinf(d)) : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_is_finite(const struct cel_args *in)
{
    double d = in->args[0].real;
    return in->args[0].kind == CEL_DOUBLE ? policy_cel_bool(isfinite(d)) : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_sqrt(const struct cel_args *in)
{
    switch (in->args[0].kind) {
    case CEL_INT: return policy_cel_double(sqrt((double)in->args[0].integer));
    case CEL_UINT: return policy_cel_double(sqrt((double)in->args[0].uinteger));
    case CEL_DOUBLE: return policy_cel_double(sqrt(in->args[0].real));
    default: return policy_cel_no_overload();
    }
}

struct cel_value policy_cel_fn_abs(const struct cel_args *in)
{
    switch (in->args[0].kind) {
    case CEL_INT:
        if (in->args[0].integer == INT64_MIN)
            return policy_cel_error(CEL_E_RANGE, "integer overflow");
        return policy_cel_int(in->args[0].integer < 0 ? -in->args[0].integer : in->args[0].integer);
    case CEL_UINT: return in->args[0];
    case CEL_DOUBLE: return policy_cel_double(fabs(in->args[0].real));
    default: return policy_cel_no_overload();
    }
}

struct cel_value policy_cel_fn_sign(const struct cel_args *in)
{
    switch (in->args[0].kind) {
    case CEL_INT: return policy_cel_int((in->args[0].integer > 0) - (in->args[0].integer < 0));
    case CEL_UINT: return policy_cel_uint(in->args[0].uinteger > 0);
    case CEL_DOUBLE:
        if (isnan(in->args[0].real))
            return in->args[0];
        return policy_cel_double((in->args[0].real > 0) - (in->args[0].real < 0));
    default: return policy_cel_no_overload();
    }
}

/* Both int or both uint, else no overload; the result has their kind. */
static struct cel_value bits(const struct cel_value *args, uint64_t result)
{
    bool fits =
        args[0].kind == args[1].kind && (args[0].kind == CEL_INT || args[0].kind == CEL_UINT);
    struct cel_value v = {.kind = args[0].kind, .uinteger = result};
    return fits ? v : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_bit_and(const struct cel_args *in)
{
    return bits(in->args, in->args[0].uinteger & in->args[1].uinteger);
}

struct cel_value policy_cel_fn_bit_or(const struct cel_args *in)
{
    return bits(in->args, in->args[0].uinteger | in->args[1].uinteger);
}

struct cel_value policy_cel_fn_bit_xor(const struct cel_args *in)
{
    return bits(in->args, in->args[0].uinteger ^ in->args[1].uinteger);
}

struct cel_value policy_cel_fn_bit_not(const struct cel_args *in)
{
    const struct cel_value twice[2] = {in->args[0], in->args[0]};
    return bits(twice, ~in->args[0].uinteger);
}

/* Shifts are logical, of int too, and by 64 or more leave nothing. */
static struct cel_value shift(const struct cel_value *args, bool left)
{
    const struct cel_value twice[2] = {args[0], args[0]};
    if (args[1].kind != CEL_INT)
        return policy_cel_no_overload();
    if (args[1].integer < 0)
        return policy_cel_error(CEL_E_ARGUMENT, "shift by a negative offset");
    if (args[1].integer >= 64)
        return bits(twice, 0);
    uint64_t value = args[0].uinteger;
    return bits(twice, left ? value << args[1].integer : value >> args[1].integer);
}

struct cel_value policy_cel_fn_shift_left(const struct cel_args *in)
{
    return shift(in->args, true);
}

struct cel_value policy_cel_fn_shift_right(const struct cel_args *in)
{
    return shift(in->args, false);
}
