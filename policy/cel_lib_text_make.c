/* Texts made of others: replace, split, join, quote, base64. They are built in the vm's memory. */
#include "policy/cel_lib.h"
#include "policy/cel_text.h"

#include "base/utf8.h"

/* Takes what stands before the next `separator` off *text, and the separator; an empty one stands
 * behind every character. False: it does not occur any more. */
static bool take_piece(struct bytes *text, struct bytes separator, struct bytes *ret_piece)
{
    size_t at = utf8_size(*text);
    if (separator.size) {
        const uint8_t *found =
            text->size ? memmem(text->data, text->size, separator.data, separator.size) : NULL;
        if (!found)
            return false;
        at = (size_t)(found - text->data);
    } else if (at == text->size) {
        return false;
    }
    *ret_piece = bytes_of(text->data, at);
    *text = bytes_skip(*text, at + separator.size);
    return true;
}

static enum err replace(struct bytes text, struct bytes what, struct bytes with, int64_t limit,
                        struct buf *out)
{
    struct bytes piece;
    if (what.size == 0 && limit) { /* before every character, and at the end */
        TRY(buf_append(out, with));
        limit--;
    }
    while (limit && take_piece(&text, what, &piece)) {
        TRY(buf_append(out, piece));
        TRY(buf_append(out, with));
        limit--;
    }
    if (what.size == 0 && limit && text.size) {
        TRY(buf_append(out, text));
        return buf_append(out, with);
    }
    return buf_append(out, text);
}

struct cel_value policy_cel_fn_replace(const struct cel_args *in)
{
    struct buf out;
    if (in->args[0].kind != CEL_STRING || in->args[1].kind != CEL_STRING ||
        in->args[2].kind != CEL_STRING || (in->count == 4 && in->args[3].kind != CEL_INT))
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, (size_t)in->args[0].size + in->args[1].size))
        return policy_cel_no_budget();
    policy_cel_text_begin(in->vm, &out);
    enum err e =
        replace(policy_cel_bytes(in->args[0]), policy_cel_bytes(in->args[1]),
                policy_cel_bytes(in->args[2]), in->count == 4 ? in->args[3].integer : -1, &out);
    return e == ERR_OK ? policy_cel_text_end(in->vm, &out) : policy_cel_of_err(e);
}

struct cel_value policy_cel_fn_split(const struct cel_args *in)
{
    struct cel_value list = {.kind = CEL_LIST};
    if (in->args[0].kind != CEL_STRING || in->args[1].kind != CEL_STRING ||
        (in->count == 3 && in->args[2].kind != CEL_INT))
        return policy_cel_no_overload();
    if (!policy_cel_pay_bytes(in->vm, (size_t)in->args[0].size + in->args[1].size))
        return policy_cel_no_budget();
    struct bytes text = policy_cel_bytes(in->args[0]), piece;
    int64_t limit = in->count == 3 ? in->args[2].integer : -1;
    if (limit == 0 || (text.size == 0 && in->args[1].size == 0))
        return list;
    while (limit != 1 && take_piece(&text, policy_cel_bytes(in->args[1]), &piece)) {
        if (!policy_cel_append(in->vm, &list, policy_cel_string(piece)))
            return policy_cel_no_memory();
        limit -= limit > 0;
    }
    return policy_cel_append(in->vm, &list, policy_cel_string(text)) ? list
                                                                     : policy_cel_no_memory();
}

struct cel_value policy_cel_fn_join(const struct cel_args *in)
{
    struct buf out;
    struct bytes separator = in->count == 2 ? policy_cel_bytes(in->args[1]) : (struct bytes){0};
    if (in->args[0].kind != CEL_LIST || (in->count == 2 && in->args[1].kind != CEL_STRING))
        return policy_cel_no_overload();
    if (!policy_cel_pay(in->vm, in->args[0].size))
        return policy_cel_no_budget();
    policy_cel_text_begin(in->vm, &out);
    for (uint32_t i = 0; i < in->args[0].size; i++) {
        if (in->args[0].items[i].kind != CEL_STRING)
            return policy_cel_no_overload();
        enum err e = i ? buf_append(&out, separator) : ERR_OK;
        if (e == ERR_OK)
            e = buf_append(&out, policy_cel_bytes(in->args[0].items[i]));
        if (e != ERR_OK)
            return policy_cel_of_err(e);
    }
    return policy_cel_text_end(in->vm, &out);
}

static enum err quote(struct bytes text, struct buf *out)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"";
    static const char names[] = "abfnrtv\\\"";
    TRY(buf_append_byte(out, '"'));
    while (text.size) {
        const char *found = text.data[0] ? strchr(plain, text.data[0]) : NULL;
        if (found) {
            TRY(buf_append_byte(out, '\\'));
            TRY(buf_append_byte(out, (uint8_t)names[found - plain]));
            text = bytes_skip(text, 1);
        } else {
            TRY(policy_cel_append_code(out, policy_cel_take_code(&text)));
        }
    }
    return buf_append_byte(out, '"');
}

struct cel_value policy_cel_fn_quote(const struct cel_args *in)
{
    struct buf out;
    if (in->args[0].kind != CEL_STRING)
        return policy_cel_no_overload();
    policy_cel_text_begin(in->vm, &out);
    enum err e = quote(policy_cel_bytes(in->args[0]), &out);
    return e == ERR_OK ? policy_cel_text_end(in->vm, &out) : policy_cel_of_err(e);
}

/* --- base64 as in RFC 4648 section 4 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct cel_value policy_cel_fn_base64_encode(const struct cel_args *in)
{
    struct buf out;
    enum err e = ERR_OK;
    if (in->args[0].kind != CEL_BYTES)
        return policy_cel_no_overload();
    policy_cel_text_begin(in->vm, &out);
    for (size_t i = 0; i < in->args[0].size && e == ERR_OK; i += 3) {
        size_t have = in->args[0].size - i < 3 ? in->args[0].size - i : 3;
        uint32_t bits = 0;
        char text[4];
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? in->args[0].data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            text[k] = k <= have ? digits[bits >> (18 - 6 * k) & 63] : '=';
        e = buf_append(&out, bytes_of(text, 4));
    }
    return e == ERR_OK ? policy_cel_text_end(in->vm, &out) : policy_cel_of_err(e);
}

/* Padding may be left out, and nothing else may be wrong. */
static enum err decode(struct bytes text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    if (text.size % 4 == 0)
        for (size_t cut = 0; cut < 2 && text.size && text.data[text.size - 1] == '='; cut++)
            text.size--;
    for (size_t i = 0; i < text.size; i++) {
        const char *found = text.data[i] ? strchr(digits, text.data[i]) : NULL;
        if (!found)
            return ERR_INVALID;
        bits = bits << 6 | (uint32_t)(found - digits);
        count += 6;
        if (count >= 8) {
            count -= 8;
            TRY(buf_append_byte(out, (uint8_t)(bits >> count)));
        }
    }
    bool leaves = count >= 6 || (bits & ((1u << count) - 1)) != 0;
    return leaves ? ERR_INVALID : ERR_OK;
}

struct cel_value policy_cel_fn_base64_decode(const struct cel_args *in)
{
    struct buf out;
    if (in->args[0].kind != CEL_STRING)
        return policy_cel_no_overload();
    policy_cel_text_begin(in->vm, &out);
    enum err e = decode(policy_cel_bytes(in->args[0]), &out);
    if (e == ERR_INVALID)
        return policy_cel_error(CEL_E_ARGUMENT, "not base64");
    if (e != ERR_OK)
        return policy_cel_of_err(e);
    struct cel_value v = policy_cel_text_end(in->vm, &out);
    v.kind = v.kind == CEL_STRING ? CEL_BYTES : v.kind;
    return v;
}
