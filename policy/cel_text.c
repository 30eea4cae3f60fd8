/* Characters and numbers as text; see cel_text.h. */
#include "policy/cel_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

#define DOUBLE_DIGITS_MAX 17 /* enough for every double */
#define DOUBLE_TEXT_MAX 512  /* DBL_MIN without an exponent has 340 characters */

enum err policy_cel_append_code(struct buf *out, uint32_t code)
{
    uint8_t utf8[4];
    size_t size;
    if (code < 0x80) {
        utf8[0] = (uint8_t)code;
        size = 1;
    } else if (code < 0x800) {
        utf8[0] = (uint8_t)(0xc0 | code >> 6);
        size = 2;
    } else if (code < 0x10000) {
        utf8[0] = (uint8_t)(0xe0 | code >> 12);
        size = 3;
    } else {
        utf8[0] = (uint8_t)(0xf0 | code >> 18);
        size = 4;
    }
    for (size_t i = 1; i < size; i++)
        utf8[i] = (uint8_t)(0x80 | (code >> (6 * (size - 1 - i)) & 0x3f));
    return buf_append(out, bytes_of(utf8, size));
}

uint32_t policy_cel_take_code(struct bytes *text)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t size = utf8_size(*text);
    uint32_t code = size ? text->data[0] & masks[size] : 0xfffd;
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (text->data[i] & 0x3f);
    *text = bytes_skip(*text, size ? size : 1);
    return code;
}

size_t policy_cel_code_count(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

size_t policy_cel_code_offset(struct bytes text, uint64_t index)
{
    size_t at = 0;
    for (; index && at < text.size; index--)
        do
            at++;
        while (at < text.size && (text.data[at] & 0xc0) == 0x80);
    return index ? SIZE_MAX : at;
}

bool policy_cel_is_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

/* digits[0].digits[1..] × 10^exponent, the fewest digits that read back as `value` > 0. */
static int shortest(double value, char digits[DOUBLE_DIGITS_MAX + 1], int *ret_exponent)
{
    char text[64];
    for (int precision = 0; precision < DOUBLE_DIGITS_MAX; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    int count = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++)
        if (*at != '.')
            digits[count++] = *at;
    digits[count] = 0;
    *ret_exponent = (int)strtol(at + 1, NULL, 10);
    return count;
}

static enum err append_plain(struct buf *out, const char *digits, int count, int exponent)
{
    char text[DOUBLE_TEXT_MAX];
    int size = 0;
    if (exponent < 0) {
        text[size++] = '0';
        text[size++] = '.';
        for (int i = exponent + 1; i < 0; i++)
            text[size++] = '0';
    }
    for (int i = 0; i < count || i <= exponent; i++) {
        if (i == exponent + 1 && exponent >= 0)
            text[size++] = '.';
        text[size++] = i < count ? digits[i] : '0';
    }
    return buf_append(out, bytes_of(text, (size_t)size));
}

enum err policy_cel_append_double(struct buf *out, double value, bool plain)
{
    char digits[DOUBLE_DIGITS_MAX + 1];
    int exponent;
    if (isnan(value))
        return buf_append_str(out, "NaN");
    if (signbit(value))
        TRY(buf_append_byte(out, '-'));
    value = fabs(value);
    if (isinf(value))
        return buf_append_str(out, "Infinity");
    if (value == 0)
        return buf_append_byte(out, '0');
    int count = shortest(value, digits, &exponent);
    if (plain || (exponent >= -4 && exponent < 6))
        return append_plain(out, digits, count, exponent);
    return buf_printf(out, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "", digits + 1,
                      exponent < 0 ? '-' : '+', abs(exponent));
}

static bool is_decimal(const char *text)
{
    size_t digits;
    text += *text == '-' || *text == '+';
    digits = strspn(text, "0123456789");
    text += digits;
    if (*text == '.') {
        size_t more = strspn(text + 1, "0123456789");
        digits += more;
        text += 1 + more;
    }
    if (digits && (*text == 'e' || *text == 'E')) {
        text += text[1] == '-' || text[1] == '+' ? 2 : 1;
        digits = strspn(text, "0123456789");
        text += digits;
    }
    return digits && !*text;
}

bool policy_cel_parse_double(struct bytes text, double *ret_value)
{
    char copy[DOUBLE_TEXT_MAX];
    static const struct {
        const char *name;
        double value;
    } names[] = {{"nan", NAN},
                 {"inf", INFINITY},
                 {"+inf", INFINITY},
                 {"-inf", -INFINITY},
                 {"infinity", INFINITY},
                 {"+infinity", INFINITY},
                 {"-infinity", -INFINITY}};
    if (text.size >= sizeof(copy) || bytes_find(text, 0) != text.size)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bytes_equal_nocase(text, bytes_from_str(names[i].name))) {
            *ret_value = names[i].value;
            return true;
        }
    }
    bytes_to_str(text, copy, sizeof(copy));
    if (!is_decimal(copy))
        return false;
    double value = strtod(copy, NULL);
    if (isinf(value))
        return false;
    *ret_value = value;
    return true;
}

bool policy_cel_parse_int(struct bytes text, int64_t *ret_value)
{
    bool negative = text.size && text.data[0] == '-';
    uint64_t magnitude;
    struct bytes digits = bytes_skip(text, negative || (text.size && text.data[0] == '+'));
    if (!bytes_to_u64(digits, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}
