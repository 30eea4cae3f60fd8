/* Looking into texts, and slices of them. Positions count characters, not bytes. */
#include "policy/cel_lib.h"
#include "policy/cel_text.h"

#include "base/utf8.h"

static struct bytes text_of(struct cel_value v)
{
    return policy_cel_bytes(v);
}

static bool both_texts(const struct cel_value *args)
{
    return args[0].kind == CEL_STRING && args[1].kind == CEL_STRING;
}

static struct cel_value bad_index(void)
{
    return policy_cel_error(CEL_E_ARGUMENT, "index out of range");
}

/* Offset of the first `what` at or after `from`; SIZE_MAX: none. */
static size_t find(struct bytes text, struct bytes what, size_t from)
{
    if (from > text.size)
        return SIZE_MAX;
    if (what.size == 0 || what.size > text.size - from)
        return what.size ? SIZE_MAX : from;
    const uint8_t *found = memmem(text.data + from, text.size - from, what.data, what.size);
    return found ? (size_t)(found - text.data) : SIZE_MAX;
}

/* Searching costs the text it runs over. */
static bool pay_search(struct cel_vm *vm, const struct cel_value *args)
{
    return policy_cel_pay_bytes(vm, (size_t)args[0].size + args[1].size);
}

struct cel_value policy_cel_fn_contains(const struct cel_args *in)
{
    if (!both_texts(in->args))
        return policy_cel_no_overload();
    if (!pay_search(in->vm, in->args))
        return policy_cel_no_budget();
    return policy_cel_bool(find(text_of(in->args[0]), text_of(in->args[1]), 0) != SIZE_MAX);
}

struct cel_value policy_cel_fn_starts_with(const struct cel_args *in)
{
    if (!both_texts(in->args))
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, in->args[1].size))
        return policy_cel_no_budget();
    return policy_cel_bool(bytes_starts_with(text_of(in->args[0]), text_of(in->args[1])));
}

struct cel_value policy_cel_fn_ends_with(const struct cel_args *in)
{
    if (!both_texts(in->args))
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, in->args[1].size))
        return policy_cel_no_budget();
    struct bytes end = in->args[0].size < in->args[1].size
                           ? (struct bytes){0}
                           : bytes_skip(text_of(in->args[0]), in->args[0].size - in->args[1].size);
    return policy_cel_bool(bytes_equal(end, text_of(in->args[1])));
}

/* Most searches take few steps and cost as much. Only those that do not end by then get the many
 * steps that there may be, and pay for them all, as nobody can say how many they took. */
#define STEPS_PER_UNIT 4
struct cel_value policy_cel_match(struct cel_vm *vm, const struct policy_cel_regex *regex,
                                  struct bytes text)
{
    bool found;
    uint32_t steps = 64 + (uint32_t)(text.size < 4096 ? text.size : 4096) * 4;
    if (!policy_cel_pay_bytes(vm, text.size + steps / STEPS_PER_UNIT))
        return policy_cel_no_budget();
    enum err e = policy_cel_regex_search(regex, vm->matcher, text, steps, &found);
    if (e != ERR_OK && policy_cel_pay(vm, CEL_REGEX_STEPS_MAX / STEPS_PER_UNIT))
        e = policy_cel_regex_search(regex, vm->matcher, text, CEL_REGEX_STEPS_MAX, &found);
    return e == ERR_OK ? policy_cel_bool(found) : policy_cel_no_budget();
}

/* With a pattern that is made at run time; constant ones are compiled beforehand (cel_emit.c). */
#define COMPILE_COST 1000
struct cel_value policy_cel_fn_matches(const struct cel_args *in)
{
    struct policy_cel_regex *regex;
    const char *why;
    if (!both_texts(in->args))
        return policy_cel_no_overload();
    if (!policy_cel_pay(in->vm, COMPILE_COST + (uint64_t)in->args[1].size * 4))
        return policy_cel_no_budget();
    enum err e = policy_cel_regex_create(text_of(in->args[1]), &regex, &why);
    if (e != ERR_OK)
        return e == ERR_INVALID ? policy_cel_error(CEL_E_ARGUMENT, why) : policy_cel_no_memory();
    struct cel_value v = policy_cel_match(in->vm, regex, text_of(in->args[0]));
    policy_cel_regex_destroy(regex);
    return v;
}

/* The byte offset of character args[i], which lies in the text or right behind it. */
static bool offset_of(const struct cel_value *args, size_t i, size_t *ret_offset)
{
    if (args[i].integer < 0)
        return false;
    *ret_offset = policy_cel_code_offset(text_of(args[0]), args[i].uinteger);
    return *ret_offset != SIZE_MAX;
}

struct cel_value policy_cel_fn_char_at(const struct cel_args *in)
{
    size_t at;
    if (in->args[0].kind != CEL_STRING || in->args[1].kind != CEL_INT)
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, in->args[0].size))
        return policy_cel_no_budget();
    if (!offset_of(in->args, 1, &at))
        return bad_index();
    struct bytes rest = bytes_skip(text_of(in->args[0]), at);
    return policy_cel_string(bytes_of(rest.data, utf8_size(rest)));
}

static struct cel_value position(struct bytes text, size_t offset)
{
    if (offset == SIZE_MAX)
        return policy_cel_int(-1);
    return policy_cel_int((int64_t)policy_cel_code_count(bytes_of(text.data, offset)));
}

struct cel_value policy_cel_fn_index_of(const struct cel_args *in)
{
    size_t from = 0;
    if (!both_texts(in->args) || (in->count == 3 && in->args[2].kind != CEL_INT))
        return policy_cel_no_overload();
    if (!pay_search(in->vm, in->args))
        return policy_cel_no_budget();
    if (in->count == 3 && !offset_of(in->args, 2, &from))
        return bad_index();
    return position(text_of(in->args[0]), find(text_of(in->args[0]), text_of(in->args[1]), from));
}

struct cel_value policy_cel_fn_last_index_of(const struct cel_args *in)
{
    struct bytes text, what;
    size_t at;
    if (!both_texts(in->args) || (in->count == 3 && in->args[2].kind != CEL_INT))
        return policy_cel_no_overload();
    text = text_of(in->args[0]);
    what = text_of(in->args[1]);
    if (!policy_cel_pay(in->vm, 1 + (uint64_t)text.size * (1 + what.size / 16)))
        return policy_cel_no_budget();
    at = text.size;
    if (in->count == 3 && !offset_of(in->args, 2, &at))
        return bad_index();
    if (what.size > text.size)
        return policy_cel_int(-1);
    if (at > text.size - what.size)
        at = text.size - what.size;
    while (at && !bytes_starts_with(bytes_skip(text, at), what))
        at--;
    return position(text, bytes_starts_with(bytes_skip(text, at), what) ? at : SIZE_MAX);
}

struct cel_value policy_cel_fn_substring(const struct cel_args *in)
{
    size_t start, end = in->args[0].size;
    if (in->args[0].kind != CEL_STRING || in->args[1].kind != CEL_INT ||
        (in->count == 3 && in->args[2].kind != CEL_INT))
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, in->args[0].size))
        return policy_cel_no_budget();
    if (!offset_of(in->args, 1, &start) || (in->count == 3 && !offset_of(in->args, 2, &end)) ||
        start > end)
        return bad_index();
    return policy_cel_string(bytes_of(text_of(in->args[0]).data + start, end - start));
}

struct cel_value policy_cel_fn_trim(const struct cel_args *in)
{
    struct bytes text = text_of(in->args[0]), kept;
    size_t end = 0;
    if (in->args[0].kind != CEL_STRING)
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, text.size))
        return policy_cel_no_budget();
    for (struct bytes rest = text; rest.size && policy_cel_is_space(policy_cel_take_code(&rest));)
        text = rest;
    for (struct bytes rest = text; rest.size;)
        if (!policy_cel_is_space(policy_cel_take_code(&rest)))
            end = text.size - rest.size;
    kept = bytes_of(text.data, end);
    return policy_cel_string(kept);
}

/* A copy of the text with its ASCII letters in the other case. */
static struct cel_value recase(struct cel_vm *vm, struct cel_value v, uint8_t from)
{
    if (v.kind != CEL_STRING)
        return policy_cel_no_overload();
    uint8_t *copy = policy_cel_alloc(vm, v.size);
    if (!copy)
        return policy_cel_no_memory();
    if (!policy_cel_pay_bytes(vm, v.size))
        return policy_cel_no_budget();
    for (uint32_t i = 0; i < v.size; i++) {
        bool is_letter = v.data[i] >= from && v.data[i] < from + 26;
        copy[i] = is_letter ? v.data[i] ^ 0x20 : v.data[i];
    }
    return policy_cel_string(bytes_of(copy, v.size));
}

struct cel_value policy_cel_fn_lower(const struct cel_args *in)
{
    return recase(in->vm, in->args[0], 'A');
}

struct cel_value policy_cel_fn_upper(const struct cel_args *in)
{
    return recase(in->vm, in->args[0], 'a');
}

struct cel_value policy_cel_fn_reverse(const struct cel_args *in)
{
    struct bytes text = text_of(in->args[0]);
    size_t at = text.size;
    if (in->args[0].kind != CEL_STRING)
        return policy_cel_no_overload();
    uint8_t *copy = policy_cel_alloc(in->vm, text.size);
    if (!copy)
        return policy_cel_no_memory();
    if (!policy_cel_pay_bytes(in->vm, text.size))
        return policy_cel_no_budget();
    while (text.size) {
        size_t size = utf8_size(text);
        size += !size;
        at -= size;
        memcpy(copy + at, text.data, size);
        text = bytes_skip(text, size);
    }
    return policy_cel_string(bytes_of(copy, in->args[0].size));
}
