/* The table of functions and operators. A new function is a row here, a name in cel_lib.h, and its
 * code in the file of its library. */
#include "policy/cel_library.h"
#include "policy/cel_lib.h"

#define F(name) policy_cel_fn_##name
#define ORDERED "b:bb b:ii b:uu b:dd b:ss b:yy b:tt b:DD b:id b:di b:iu b:ui b:ud b:du"
#define EXTREME2 "i:ii u:uu d:dd *:iu *:id *:ui *:ud *:di *:du"

static const struct {
    const char *text;
    const char *signatures;
    cel_impl run;
} ops[] = {
    [CEL_OP_COND] = {"?:", "A:bAA", NULL},
    [CEL_OP_LT] = {"<", ORDERED, F(lt)},
    [CEL_OP_LE] = {"<=", ORDERED, F(le)},
    [CEL_OP_GT] = {">", ORDERED, F(gt)},
    [CEL_OP_GE] = {">=", ORDERED, F(ge)},
    [CEL_OP_EQ] = {"==", "b:AA", F(eq)},
    [CEL_OP_NE] = {"!=", "b:AA", F(ne)},
    [CEL_OP_IN] = {"in", "b:ALA b:AMAB", F(in)},
    [CEL_OP_ADD] = {"+", "i:ii u:uu d:dd s:ss y:yy LA:LALA t:tD t:Dt D:DD", F(add)},
    [CEL_OP_SUB] = {"-", "i:ii u:uu d:dd D:tt t:tD D:DD", F(sub)},
    [CEL_OP_MUL] = {"*", "i:ii u:uu d:dd", F(mul)},
    [CEL_OP_DIV] = {"/", "i:ii u:uu d:dd", F(div)},
    [CEL_OP_MOD] = {"%", "i:ii u:uu", F(mod)},
    [CEL_OP_NOT] = {"!", "b:b", F(not )},
    [CEL_OP_NEG] = {"-", "i:i d:d", F(neg)},
};

static const struct cel_builtin builtins[] = {
    {"size", false, 1, "i:s i:y i:LA i:MAB", F(size)},
    {"size", true, 1, "i:s i:y i:LA i:MAB", F(size)},
    {"type", false, 1, "TA:A", F(type)},
    {"dyn", false, 1, "*:A", F(dyn)},

    {"bool", false, 1, "b:b b:s", F(to_bool)},
    {"int", false, 1, "i:i i:u i:d i:s i:t", F(to_int)},
    {"uint", false, 1, "u:u u:i u:d u:s", F(to_uint)},
    {"double", false, 1, "d:d d:i d:u d:s", F(to_double)},
    {"string", false, 1, "s:s s:b s:i s:u s:d s:y s:t s:D", F(to_string)},
    {"bytes", false, 1, "y:y y:s", F(to_bytes)},
    {"duration", false, 1, "D:D D:s", F(to_duration)},
    {"timestamp", false, 1, "t:t t:s t:i", F(to_timestamp)},

    {"contains", true, 2, "b:ss", F(contains)},
    {"startsWith", true, 2, "b:ss", F(starts_with)},
    {"endsWith", true, 2, "b:ss", F(ends_with)},
    {"matches", true, 2, "b:ss", F(matches)},
    {"matches", false, 2, "b:ss", F(matches)},

    {"charAt", true, 2, "s:si", F(char_at)},
    {"indexOf", true, 2, "i:ss", F(index_of)},
    {"indexOf", true, 3, "i:ssi", F(index_of)},
    {"lastIndexOf", true, 2, "i:ss", F(last_index_of)},
    {"lastIndexOf", true, 3, "i:ssi", F(last_index_of)},
    {"substring", true, 2, "s:si", F(substring)},
    {"substring", true, 3, "s:sii", F(substring)},
    {"lowerAscii", true, 1, "s:s", F(lower)},
    {"upperAscii", true, 1, "s:s", F(upper)},
    {"trim", true, 1, "s:s", F(trim)},
    {"reverse", true, 1, "s:s", F(reverse)},
    {"replace", true, 3, "s:sss", F(replace)},
    {"replace", true, 4, "s:sssi", F(replace)},
    {"split", true, 2, "Ls:ss", F(split)},
    {"split", true, 3, "Ls:ssi", F(split)},
    {"join", true, 1, "s:Ls", F(join)},
    {"join", true, 2, "s:Lss", F(join)},
    {"format", true, 2, "s:sL*", F(format)},
    {"strings.quote", false, 1, "s:s", F(quote)},
    {"base64.encode", false, 1, "s:y", F(base64_encode)},
    {"base64.decode", false, 1, "y:s", F(base64_decode)},

    {"math.greatest", false, 1, "i:i u:u d:d i:Li u:Lu d:Ld", F(greatest)},
    {"math.greatest", false, 2, EXTREME2, F(greatest)},
    {"math.least", false, 1, "i:i u:u d:d i:Li u:Lu d:Ld", F(least)},
    {"math.least", false, 2, EXTREME2, F(least)},
    {"math.ceil", false, 1, "d:d", F(ceil)},
    {"math.floor", false, 1, "d:d", F(floor)},
    {"math.round", false, 1, "d:d", F(round)},
    {"math.trunc", false, 1, "d:d", F(trunc)},
    {"math.sqrt", false, 1, "d:d d:i d:u", F(sqrt)},
    {"math.abs", false, 1, "i:i u:u d:d", F(abs)},
    {"math.sign", false, 1, "i:i u:u d:d", F(sign)},
    {"math.isNaN", false, 1, "b:d", F(is_nan)},
    {"math.isInf", false, 1, "b:d", F(is_inf)},
    {"math.isFinite", false, 1, "b:d", F(is_finite)},
    {"math.bitAnd", false, 2, "i:ii u:uu", F(bit_and)},
    {"math.bitOr", false, 2, "i:ii u:uu", F(bit_or)},
    {"math.bitXor", false, 2, "i:ii u:uu", F(bit_xor)},
    {"math.bitNot", false, 1, "i:i u:u", F(bit_not)},
    {"math.bitShiftLeft", false, 2, "i:ii u:ui", F(shift_left)},
    {"math.bitShiftRight", false, 2, "i:ii u:ui", F(shift_right)},

    {"getFullYear", true, 1, "i:t", F(full_year)},
    {"getFullYear", true, 2, "i:ts", F(full_year)},
    {"getMonth", true, 1, "i:t", F(month)},
    {"getMonth", true, 2, "i:ts", F(month)},
    {"getDate", true, 1, "i:t", F(date)},
    {"getDate", true, 2, "i:ts", F(date)},
    {"getDayOfMonth", true, 1, "i:t", F(day_of_month)},
    {"getDayOfMonth", true, 2, "i:ts", F(day_of_month)},
    {"getDayOfWeek", true, 1, "i:t", F(day_of_week)},
    {"getDayOfWeek", true, 2, "i:ts", F(day_of_week)},
    {"getDayOfYear", true, 1, "i:t", F(day_of_year)},
    {"getDayOfYear", true, 2, "i:ts", F(day_of_year)},
    {"getHours", true, 1, "i:t i:D", F(hours)},
    {"getHours", true, 2, "i:ts", F(hours)},
    {"getMinutes", true, 1, "i:t i:D", F(minutes)},
    {"getMinutes", true, 2, "i:ts", F(minutes)},
    {"getSeconds", true, 1, "i:t i:D", F(seconds)},
    {"getSeconds", true, 2, "i:ts", F(seconds)},
    {"getMilliseconds", true, 1, "i:t i:D", F(milliseconds)},
    {"getMilliseconds", true, 2, "i:ts", F(milliseconds)},

    {"optional.none", false, 0, "OA:", F(optional_none)},
    {"optional.of", false, 1, "OA:A", F(optional_of)},
    {"optional.ofNonZeroValue", false, 1, "OA:A", F(optional_of_non_zero)},
    {"optional.unwrap", false, 1, "LA:LOA", F(unwrap)},
    {"unwrapOpt", true, 1, "LA:LOA", F(unwrap)},
    {"hasValue", true, 1, "b:OA", F(has_value)},
    {"value", true, 1, "A:OA", F(value)},
    {"or", true, 2, "OA:OAOA", NULL}, /* code of its own: cel_emit.c */
    {"orValue", true, 2, "A:OAA", NULL},
    {"first", true, 1, "OA:LA", F(first)},
    {"last", true, 1, "OA:LA", F(last)},
};
#define BUILTIN_COUNT (sizeof(builtins) / sizeof(builtins[0]))

const struct cel_builtin *policy_cel_builtin_at(size_t index)
{
    return index < BUILTIN_COUNT ? &builtins[index] : NULL;
}

const struct cel_builtin *policy_cel_builtin(struct bytes name, bool is_member, size_t arity)
{
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        if (builtins[i].is_member == is_member && builtins[i].arity == arity &&
            bytes_equal(bytes_from_str(builtins[i].name), name))
            return &builtins[i];
    return NULL;
}

bool policy_cel_builtin_named(struct bytes name, bool is_member)
{
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        if (builtins[i].is_member == is_member &&
            bytes_equal(bytes_from_str(builtins[i].name), name))
            return true;
    return false;
}

const char *policy_cel_op_signatures(enum cel_op op)
{
    return ops[op].signatures;
}

const char *policy_cel_op_text(enum cel_op op)
{
    return ops[op].text;
}

cel_impl policy_cel_op_impl(enum cel_op op)
{
    return ops[op].run;
}

const struct cel_function *policy_cel_declared(const struct cel_env *env,
                                               const struct cel_function *after, struct bytes name,
                                               bool is_member, size_t arity)
{
    size_t i = after ? (size_t)(after - env->functions) + 1 : 0;
    for (; i < env->function_count; i++)
        if (env->functions[i].is_member == is_member && env->functions[i].param_count == arity &&
            bytes_equal(bytes_from_str(env->functions[i].name), name))
            return &env->functions[i];
    return NULL;
}
