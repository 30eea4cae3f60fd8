/* UTF-8 as it arrives from outside: checking it, and making it safe to print. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

/* Bytes of the well-formed character that `text` starts with (1 to 4); 0 when it starts with none:
 * overlong forms, surrogates and values past U+10FFFF are not characters (RFC 3629). */
size_t utf8_size(struct bytes text);
bool utf8_is_valid(struct bytes text);

#define UTF8_ESCAPED_SIZE_MAX 6

/* True when `byte` stands for itself inside a JSON string: printable ASCII but not a quote or
 * backslash. */
static inline bool utf8_is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* How many plain bytes `text` starts with. */
size_t utf8_plain_size(struct bytes text);

/* Takes the first character off *text (which is not empty) and writes it as it stands inside a
 * JSON string; returns the bytes written. Control characters, DEL and C1 among them, are escaped,
 * so that no text can drive a terminal; a byte that is not UTF-8 becomes U+FFFD. */
size_t utf8_take_escaped(struct bytes *text, uint8_t ret_escaped[UTF8_ESCAPED_SIZE_MAX]);

#endif
