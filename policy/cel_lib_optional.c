/* Optionals: values that may not be there. `or` and `orValue` are code of their own (cel_emit.c),
 * because what follows them is not always evaluated. */
#include "policy/cel_lib.h"

struct cel_value policy_cel_fn_optional_none(const struct cel_args *in)
{
    (void)in;
    return policy_cel_none();
}

struct cel_value policy_cel_fn_optional_of(const struct cel_args *in)
{
    return policy_cel_some(in->vm, in->args[0]);
}

/* Is it what a value of its type is before anybody set it? */
static bool is_zero(struct cel_value v)
{
    switch (v.kind) {
    case CEL_NULL: return true;
    case CEL_BOOL: return !v.boolean;
    case CEL_INT:
    case CEL_UINT:
    case CEL_DURATION: return v.uinteger == 0;
    case CEL_DOUBLE: return v.real == 0;
    case CEL_STRING:
    case CEL_BYTES:
    case CEL_LIST:
    case CEL_MAP:
    case CEL_OPTIONAL: return v.size == 0;
    case CEL_TIMESTAMP: return v.integer == 0 && v.size == 0;
    default: return false;
    }
}

struct cel_value policy_cel_fn_optional_of_non_zero(const struct cel_args *in)
{
    return is_zero(in->args[0]) ? policy_cel_none() : policy_cel_some(in->vm, in->args[0]);
}

struct cel_value policy_cel_fn_has_value(const struct cel_args *in)
{
    return in->args[0].kind == CEL_OPTIONAL ? policy_cel_bool(in->args[0].size)
                                            : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_value(const struct cel_args *in)
{
    if (in->args[0].kind != CEL_OPTIONAL)
        return policy_cel_no_overload();
    return in->args[0].size ? in->args[0].items[0]
                            : policy_cel_error(CEL_E_ARGUMENT, "optional.none() has no value");
}

/* The values of those optionals of a list that have one. */
struct cel_value policy_cel_fn_unwrap(const struct cel_args *in)
{
    struct cel_value list = {.kind = CEL_LIST};
    if (in->args[0].kind != CEL_LIST)
        return policy_cel_no_overload();
    if (!policy_cel_pay(in->vm, in->args[0].size))
        return policy_cel_no_budget();
    for (uint32_t i = 0; i < in->args[0].size; i++) {
        struct cel_value item = in->args[0].items[i];
        if (item.kind != CEL_OPTIONAL)
            return policy_cel_no_overload();
        if (item.size && !policy_cel_append(in->vm, &list, item.items[0]))
            return policy_cel_no_memory();
    }
    return list;
}

struct cel_value policy_cel_fn_first(const struct cel_args *in)
{
    if (in->args[0].kind != CEL_LIST)
        return policy_cel_no_overload();
    return in->args[0].size ? policy_cel_some(in->vm, in->args[0].items[0]) : policy_cel_none();
}

struct cel_value policy_cel_fn_last(const struct cel_args *in)
{
    if (in->args[0].kind != CEL_LIST)
        return policy_cel_no_overload();
    return in->args[0].size ? policy_cel_some(in->vm, in->args[0].items[in->args[0].size - 1])
                            : policy_cel_none();
}
