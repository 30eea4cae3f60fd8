/* UTF-8 checking and JSON escaping, one character at a time. base/buf and base/log_fields build
 * their longer loops on it. */
#include "base/utf8.h"

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The second byte is where overlong forms, surrogates and too large values show (RFC 3629, section
 * 4). */
static bool second_fits(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return is_continuation(second);
    }
}

static size_t size_from_first(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t utf8_size(struct bytes text)
{
    if (text.size == 0)
        return 0;
    size_t size = size_from_first(text.data[0]);
    if (size > text.size)
        return 0;
    if (size >= 2 && !second_fits(text.data[0], text.data[1]))
        return 0;
    for (size_t i = 2; i < size; i++)
        if (!is_continuation(text.data[i]))
            return 0;
    return size;
}

bool utf8_is_valid(struct bytes text)
{
    while (text.size) {
        size_t size = utf8_size(text);
        if (size == 0)
            return false;
        text = bytes_skip(text, size);
    }
    return true;
}

size_t utf8_plain_size(struct bytes text)
{
    size_t n = 0;
    while (n < text.size && utf8_is_plain(text.data[n]))
        n++;
    return n;
}

static size_t escape_control(unsigned code, uint8_t ret_escaped[UTF8_ESCAPED_SIZE_MAX])
{
    static const char short_names[] = "btn\0fr"; /* U+0008 to U+000D; U+000B has no short name */
    static const char digits[] = "0123456789abcdef";
    ret_escaped[0] = '\\';
    if (code >= 8 && code <= 13 && short_names[code - 8]) {
        ret_escaped[1] = (uint8_t)short_names[code - 8];
        return 2;
    }
    memcpy(ret_escaped + 1, "u00", 3);
    ret_escaped[4] = (uint8_t)digits[code >> 4];
    ret_escaped[5] = (uint8_t)digits[code & 15];
    return 6;
}

size_t utf8_take_escaped(struct bytes *text, uint8_t ret_escaped[UTF8_ESCAPED_SIZE_MAX])
{
    const uint8_t *p = text->data;
    size_t size = utf8_size(*text);
    *text = bytes_skip(*text, size ? size : 1);
    if (size == 0) {
        memcpy(ret_escaped, "\xef\xbf\xbd", 3);
        return 3;
    }
    if (p[0] < 0x20 || p[0] == 0x7f)
        return escape_control(p[0], ret_escaped);
    if (p[0] == 0xc2 && p[1] < 0xa0) /* C1: U+0080 to U+009F */
        return escape_control(p[1], ret_escaped);
    if (p[0] == '"' || p[0] == '\\') {
        ret_escaped[0] = '\\';
        ret_escaped[1] = p[0];
        return 2;
    }
    memcpy(ret_escaped, p, size);
    return size;
}
