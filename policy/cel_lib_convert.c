/* Conversions between types. What does not fit is an error, never a nearby value; doubles lose
 * their fraction when they become integers. */
#include "policy/cel_lib.h"
#include "policy/cel_text.h"
#include "policy/cel_time.h"

#include <math.h>

#include "base/utf8.h"

static struct cel_value out_of_range(void)
{
    return policy_cel_error(CEL_E_RANGE, "out of the range of the type");
}

static struct cel_value unreadable(void)
{
    return policy_cel_error(CEL_E_ARGUMENT, "type conversion error: the text is no such value");
}

struct cel_value policy_cel_fn_to_bool(const struct cel_args *in)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    if (in->args[0].kind == CEL_BOOL)
        return in->args[0];
    if (in->args[0].kind != CEL_STRING)
        return policy_cel_no_overload();
    for (size_t i = 0; i < 6; i++) {
        if (bytes_equal(policy_cel_bytes(in->args[0]), bytes_from_str(yes[i])))
            return policy_cel_bool(true);
        if (bytes_equal(policy_cel_bytes(in->args[0]), bytes_from_str(no[i])))
            return policy_cel_bool(false);
    }
    return unreadable();
}

struct cel_value policy_cel_fn_to_int(const struct cel_args *in)
{
    struct cel_value v = in->args[0];
    int64_t i;
    switch (v.kind) {
    case CEL_INT: return v;
    case CEL_TIMESTAMP: return policy_cel_int(v.integer);
    case CEL_UINT:
        return v.uinteger > INT64_MAX ? out_of_range() : policy_cel_int((int64_t)v.uinteger);
    case CEL_DOUBLE: /* the bounds themselves are excluded, as 2^63 - 1 is no double */
        return v.real > -0x1p63 && v.real < 0x1p63 ? policy_cel_int((int64_t)v.real)
                                                   : out_of_range();
    case CEL_STRING:
        return policy_cel_parse_int(policy_cel_bytes(v), &i) ? policy_cel_int(i) : unreadable();
    default: return policy_cel_no_overload();
    }
}

struct cel_value policy_cel_fn_to_uint(const struct cel_args *in)
{
    struct cel_value v = in->args[0];
    uint64_t u;
    switch (v.kind) {
    case CEL_UINT: return v;
    case CEL_INT: return v.integer < 0 ? out_of_range() : policy_cel_uint(v.uinteger);
    case CEL_DOUBLE:
        return v.real >= 0 && v.real < 0x1p64 ? policy_cel_uint((uint64_t)v.real) : out_of_range();
    case CEL_STRING:
        return bytes_to_u64(policy_cel_bytes(v), &u) ? policy_cel_uint(u) : unreadable();
    default: return policy_cel_no_overload();
    }
}

struct cel_value policy_cel_fn_to_double(const struct cel_args *in)
{
    struct cel_value v = in->args[0];
    double d;
    switch (v.kind) {
    case CEL_DOUBLE: return v;
    case CEL_INT: return policy_cel_double((double)v.integer);
    case CEL_UINT: return policy_cel_double((double)v.uinteger);
    case CEL_STRING:
        return policy_cel_parse_double(policy_cel_bytes(v), &d) ? policy_cel_double(d)
                                                                : unreadable();
    default: return policy_cel_no_overload();
    }
}

static enum err append_scalar(struct cel_value v, struct buf *out)
{
    switch (v.kind) {
    case CEL_BOOL: return buf_append_str(out, v.boolean ? "true" : "false");
    case CEL_INT: return buf_append_decimal_signed(out, v.integer);
    case CEL_UINT: return buf_append_decimal(out, v.uinteger);
    case CEL_DOUBLE: return policy_cel_append_double(out, v.real, false);
    case CEL_DURATION: return policy_cel_duration_show(v.integer, out);
    case CEL_TIMESTAMP: return policy_cel_timestamp_show(v, out);
    default: return ERR_UNSUPPORTED;
    }
}

struct cel_value policy_cel_fn_to_string(const struct cel_args *in)
{
    struct cel_value v = in->args[0];
    struct buf out;
    if (v.kind == CEL_STRING)
        return v;
    if (v.kind == CEL_BYTES) {
        if (!policy_cel_pay_bytes(in->vm, v.size))
            return policy_cel_no_budget();
        return utf8_is_valid(policy_cel_bytes(v))
                   ? policy_cel_string(policy_cel_bytes(v))
                   : policy_cel_error(CEL_E_ARGUMENT, "invalid UTF-8 in bytes");
    }
    policy_cel_text_begin(in->vm, &out);
    enum err e = append_scalar(v, &out);
    return e == ERR_OK ? policy_cel_text_end(in->vm, &out) : policy_cel_of_err(e);
}

struct cel_value policy_cel_fn_to_bytes(const struct cel_args *in)
{
    struct cel_value v = in->args[0];
    if (v.kind != CEL_STRING && v.kind != CEL_BYTES)
        return policy_cel_no_overload();
    v.kind = CEL_BYTES;
    return v;
}

struct cel_value policy_cel_fn_to_duration(const struct cel_args *in)
{
    if (in->args[0].kind == CEL_DURATION)
        return in->args[0];
    return in->args[0].kind == CEL_STRING ? policy_cel_duration_parse(policy_cel_bytes(in->args[0]))
                                          : policy_cel_no_overload();
}

struct cel_value policy_cel_fn_to_timestamp(const struct cel_args *in)
{
    switch (in->args[0].kind) {
    case CEL_TIMESTAMP: return in->args[0];
    case CEL_INT: return policy_cel_timestamp(in->args[0].integer, 0);
    case CEL_STRING: return policy_cel_timestamp_parse(policy_cel_bytes(in->args[0]));
    default: return policy_cel_no_overload();
    }
}
