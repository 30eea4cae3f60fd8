/* Values as an expression would write them, for people: errors, explanations, the command line. */
#include "policy/cel_text.h"
#include "policy/cel_time.h"
#include "policy/cel_vm.h"

#include "base/utf8.h"

#define DEPTH_MAX 512

static enum err show(struct cel_value v, unsigned depth, struct buf *out);

static enum err show_text(struct bytes text, struct buf *out)
{
    TRY(buf_append_byte(out, '"'));
    while (text.size) {
        size_t size = utf8_size(text);
        uint8_t c = text.data[0];
        if (c == '"' || c == '\\')
            TRY(buf_printf(out, "\\%c", c));
        else if (size == 0 || c < 0x20 || c == 0x7f)
            TRY(buf_printf(out, "\\x%02x", c));
        else
            TRY(buf_append(out, bytes_of(text.data, size)));
        text = bytes_skip(text, size ? size : 1);
    }
    return buf_append_byte(out, '"');
}

static enum err show_double(double value, struct buf *out)
{
    size_t start = out->size;
    TRY(policy_cel_append_double(out, value, false));
    struct bytes text = bytes_of(out->data + start, out->size - start);
    bool is_plain = bytes_find(text, '.') == text.size && bytes_find(text, 'e') == text.size &&
                    bytes_find(text, 'n') == text.size && bytes_find(text, 'N') == text.size;
    return buf_append_str(out, is_plain ? ".0" : "");
}

static enum err show_aggregate(struct cel_value v, unsigned depth, struct buf *out)
{
    bool is_map = v.kind == CEL_MAP;
    TRY(buf_append_str(out, is_map ? "{" : "["));
    for (uint32_t i = 0; i < v.size; i++) {
        TRY(buf_append_str(out, i ? ", " : ""));
        if (is_map) {
            TRY(show(v.items[2 * i], depth + 1, out));
            TRY(buf_append_str(out, ": "));
        }
        TRY(show(v.items[is_map ? 2 * i + 1 : i], depth + 1, out));
    }
    return buf_append_str(out, is_map ? "}" : "]");
}

static enum err show_optional(struct cel_value v, unsigned depth, struct buf *out)
{
    if (!v.size)
        return buf_append_str(out, "optional.none()");
    TRY(buf_append_str(out, "optional.of("));
    TRY(show(v.items[0], depth + 1, out));
    return buf_append_str(out, ")");
}

static enum err show(struct cel_value v, unsigned depth, struct buf *out)
{
    if (depth > DEPTH_MAX)
        return ERR_LIMIT;
    switch ((enum cel_kind)v.kind) {
    case CEL_NULL: return buf_append_str(out, "null");
    case CEL_BOOL: return buf_append_str(out, v.boolean ? "true" : "false");
    case CEL_INT: return buf_append_decimal_signed(out, v.integer);
    case CEL_UINT: TRY(buf_append_decimal(out, v.uinteger)); return buf_append_byte(out, 'u');
    case CEL_DOUBLE: return show_double(v.real, out);
    case CEL_STRING: return show_text(policy_cel_bytes(v), out);
    case CEL_BYTES: TRY(buf_append_byte(out, 'b')); return show_text(policy_cel_bytes(v), out);
    case CEL_TYPE: return buf_append(out, policy_cel_bytes(v));
    case CEL_DURATION:
        TRY(buf_append_str(out, "duration(\""));
        TRY(policy_cel_duration_show(v.integer, out));
        return buf_append_str(out, "\")");
    case CEL_TIMESTAMP:
        TRY(buf_append_str(out, "timestamp(\""));
        TRY(policy_cel_timestamp_show(v, out));
        return buf_append_str(out, "\")");
    case CEL_LIST:
    case CEL_MAP: return show_aggregate(v, depth, out);
    case CEL_OPTIONAL: return show_optional(v, depth, out);
    case CEL_ERROR: return buf_printf(out, "error: %s", v.text);
    case CEL_ABSENT: return buf_printf(out, "absent: %s", v.text ? v.text : "");
    }
    return ERR_INTERNAL;
}

enum err policy_cel_show(struct cel_value v, struct buf *out)
{
    return show(v, 0, out);
}
