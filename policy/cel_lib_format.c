/* "…".format([…]): %s %d %f %e %x %X %o %b and %%, with a precision for %f and %e. */
#include "policy/cel_lib.h"
#include "policy/cel_text.h"
#include "policy/cel_time.h"

#include <math.h>

#define PRECISION_DEFAULT 6
#define PRECISION_MAX 1000
#define DEPTH_MAX 256 /* of values in values */

struct format {
    struct cel_vm *vm;
    struct buf out;
    struct cel_value error; /* what went wrong, when an append gave ERR_INVALID */
};

static enum err fail(struct format *f, struct cel_value error)
{
    f->error = error;
    return ERR_INVALID;
}

static enum err refuse(struct format *f, const char *text)
{
    return fail(f, policy_cel_error(CEL_E_ARGUMENT, text));
}

static enum err append_any(struct format *f, struct cel_value v, unsigned depth);

/* Keys sort by their texts, which for numbers and bools fit here. */
#define KEY_TEXT_MAX 24
static struct bytes key_text(struct cel_value key, uint8_t storage[KEY_TEXT_MAX])
{
    struct buf b;
    if (key.kind == CEL_STRING)
        return policy_cel_bytes(key);
    buf_init_fixed(&b, storage, KEY_TEXT_MAX);
    enum err e = key.kind == CEL_BOOL  ? buf_append_str(&b, key.boolean ? "true" : "false")
                 : key.kind == CEL_INT ? buf_append_decimal_signed(&b, key.integer)
                                       : buf_append_decimal(&b, key.uinteger);
    CHECK(e == ERR_OK);
    return buf_bytes(&b);
}

/* Does entry a come before entry b? Of keys with the same text the one that was first. */
static bool precedes(struct cel_value map, uint32_t a, uint32_t b)
{
    uint8_t storage[2][KEY_TEXT_MAX];
    int order = bytes_compare(key_text(map.items[2 * a], storage[0]),
                              key_text(map.items[2 * b], storage[1]));
    return order < 0 || (order == 0 && a < b);
}

static enum err append_map(struct format *f, struct cel_value map, unsigned depth)
{
    uint32_t last = 0;
    if (!policy_cel_pay(f->vm, (uint64_t)map.size * map.size))
        return fail(f, policy_cel_no_budget());
    TRY(buf_append_byte(&f->out, '{'));
    for (uint32_t done = 0; done < map.size; done++) { /* the least that is behind the last one */
        uint32_t least = UINT32_MAX;
        for (uint32_t i = 0; i < map.size; i++)
            if ((!done || precedes(map, last, i)) &&
                (least == UINT32_MAX || precedes(map, i, least)))
                least = i;
        last = least;
        TRY(buf_append_str(&f->out, done ? ", " : ""));
        TRY(append_any(f, map.items[2 * least], depth + 1));
        TRY(buf_append_str(&f->out, ": "));
        TRY(append_any(f, map.items[2 * least + 1], depth + 1));
    }
    return buf_append_byte(&f->out, '}');
}

static enum err append_list(struct format *f, struct cel_value list, unsigned depth)
{
    TRY(buf_append_byte(&f->out, '['));
    for (uint32_t i = 0; i < list.size; i++) {
        TRY(buf_append_str(&f->out, i ? ", " : ""));
        TRY(append_any(f, list.items[i], depth + 1));
    }
    return buf_append_byte(&f->out, ']');
}

static enum err append_any(struct format *f, struct cel_value v, unsigned depth)
{
    if (!policy_cel_pay(f->vm, 1))
        return fail(f, policy_cel_no_budget());
    if (depth > DEPTH_MAX)
        return refuse(f, "nested too deeply to be formatted");
    switch (v.kind) {
    case CEL_NULL: return buf_append_str(&f->out, "null");
    case CEL_BOOL: return buf_append_str(&f->out, v.boolean ? "true" : "false");
    case CEL_INT: return buf_append_decimal_signed(&f->out, v.integer);
    case CEL_UINT: return buf_append_decimal(&f->out, v.uinteger);
    case CEL_DOUBLE: return policy_cel_append_double(&f->out, v.real, true);
    case CEL_STRING:
    case CEL_TYPE: return buf_append(&f->out, policy_cel_bytes(v));
    case CEL_BYTES:
        for (struct bytes rest = policy_cel_bytes(v); rest.size;)
            TRY(policy_cel_append_code(&f->out, policy_cel_take_code(&rest)));
        return ERR_OK;
    case CEL_DURATION: return policy_cel_duration_show(v.integer, &f->out);
    case CEL_TIMESTAMP: return policy_cel_timestamp_show(v, &f->out);
    case CEL_LIST: return append_list(f, v, depth);
    case CEL_MAP: return append_map(f, v, depth);
    default: return refuse(f, "%s does not take such a value");
    }
}

static enum err append_decimal(struct format *f, struct cel_value v)
{
    if (v.kind < CEL_INT || v.kind > CEL_DOUBLE)
        return refuse(f, "%d takes numbers");
    return append_any(f, v, 0);
}

static enum err append_real(struct format *f, struct cel_value v, char verb, int precision)
{
    double d = v.kind == CEL_DOUBLE ? v.real
               : v.kind == CEL_INT  ? (double)v.integer
                                    : (double)v.uinteger;
    if (v.kind < CEL_INT || v.kind > CEL_DOUBLE)
        return refuse(f, verb == 'f' ? "%f takes numbers" : "%e takes numbers");
    if (!isfinite(d))
        return policy_cel_append_double(&f->out, d, true);
    return verb == 'f' ? buf_printf(&f->out, "%.*f", precision, d)
                       : buf_printf(&f->out, "%.*e", precision, d);
}

/* The digits of an integer in a base that is a power of two. */
static enum err append_based(struct format *f, struct cel_value v, unsigned bits, bool is_upper)
{
    uint64_t u = v.kind == CEL_INT && v.integer < 0 ? 0 - v.uinteger : v.uinteger;
    char digits[64];
    size_t at = sizeof(digits);
    do {
        unsigned digit = u & ((1u << bits) - 1);
        digits[--at] = (is_upper ? "0123456789ABCDEF" : "0123456789abcdef")[digit];
        u >>= bits;
    } while (u);
    TRY(buf_append_str(&f->out, v.kind == CEL_INT && v.integer < 0 ? "-" : ""));
    return buf_append(&f->out, bytes_of(digits + at, sizeof(digits) - at));
}

static enum err append_bits(struct format *f, struct cel_value v, char verb)
{
    bool is_hex = verb == 'x' || verb == 'X';
    if (v.kind == CEL_INT || v.kind == CEL_UINT)
        return append_based(f, v, is_hex ? 4 : verb == 'o' ? 3 : 1, verb == 'X');
    if (v.kind == CEL_BOOL && verb == 'b')
        return buf_append_str(&f->out, v.boolean ? "1" : "0");
    if ((v.kind != CEL_STRING && v.kind != CEL_BYTES) || !is_hex)
        return refuse(f, verb == 'b'   ? "%b takes integers and bools"
                         : verb == 'o' ? "%o takes integers"
                                       : "%x takes integers, strings and bytes");
    for (uint32_t i = 0; i < v.size; i++)
        TRY(buf_printf(&f->out, verb == 'X' ? "%02X" : "%02x", v.data[i]));
    return ERR_OK;
}

/* ".3" off *text. */
static enum err take_precision(struct format *f, struct bytes *text, int *ret_precision)
{
    size_t digits = 0;
    *ret_precision = PRECISION_DEFAULT;
    if (!text->size || text->data[0] != '.')
        return ERR_OK;
    *text = bytes_skip(*text, 1);
    for (*ret_precision = 0; text->size && text->data[0] >= '0' && text->data[0] <= '9'; digits++) {
        *ret_precision = *ret_precision * 10 + (text->data[0] - '0');
        *text = bytes_skip(*text, 1);
        if (*ret_precision > PRECISION_MAX)
            return refuse(f, "a precision of more than 1000");
    }
    return digits ? ERR_OK : refuse(f, "a precision without digits");
}

static enum err append_clause(struct format *f, char verb, int precision, struct cel_value v)
{
    switch (verb) {
    case 's': return append_any(f, v, 0);
    case 'd': return append_decimal(f, v);
    case 'f':
    case 'e': return append_real(f, v, verb, precision);
    case 'x':
    case 'X':
    case 'o':
    case 'b': return append_bits(f, v, verb);
    default: return refuse(f, "an unknown clause after '%'");
    }
}

static enum err run(struct format *f, struct bytes text, struct cel_value list)
{
    uint32_t next = 0;
    while (text.size) {
        int precision;
        size_t plain = bytes_find(text, '%');
        TRY(buf_append(&f->out, bytes_of(text.data, plain)));
        text = bytes_skip(text, plain);
        if (!text.size)
            break;
        text = bytes_skip(text, 1);
        if (text.size && text.data[0] == '%') {
            TRY(buf_append_byte(&f->out, '%'));
            text = bytes_skip(text, 1);
            continue;
        }
        TRY(take_precision(f, &text, &precision));
        if (!text.size)
            return refuse(f, "the text ends after '%'");
        if (!strchr("sdfexXob", text.data[0]) || !text.data[0])
            return refuse(f, "an unknown clause after '%'");
        if (next == list.size)
            return refuse(f, "more clauses than values");
        TRY(append_clause(f, (char)text.data[0], precision, list.items[next++]));
        text = bytes_skip(text, 1);
    }
    return ERR_OK;
}

struct cel_value policy_cel_fn_format(const struct cel_args *in)
{
    struct format f = {.vm = in->vm};
    if (in->args[0].kind != CEL_STRING || in->args[1].kind != CEL_LIST)
        return policy_cel_no_overload();
    policy_cel_text_begin(in->vm, &f.out);
    enum err e = run(&f, policy_cel_bytes(in->args[0]), in->args[1]);
    if (e == ERR_INVALID)
        return f.error;
    return e == ERR_OK ? policy_cel_text_end(in->vm, &f.out) : policy_cel_of_err(e);
}
