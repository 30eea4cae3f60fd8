/* Characters and numbers as text: UTF-8 by code point, doubles in their shortest form. Used by the
 * lexer, the library and whoever shows values. */
#ifndef POLICY_CEL_TEXT_H
#define POLICY_CEL_TEXT_H

#include "base/buf.h"

/* A Unicode scalar value as UTF-8. */
MUST_CHECK enum err policy_cel_append_code(struct buf *out, uint32_t code);
/* Takes the first character off *text, which is not empty; a byte that is not UTF-8 is U+FFFD. */
uint32_t policy_cel_take_code(struct bytes *text);
/* Number of characters. */
size_t policy_cel_code_count(struct bytes text);
/* Where character `index` starts; text.size for index == count, SIZE_MAX beyond. */
size_t policy_cel_code_offset(struct bytes text, uint64_t index);
/* Space, in the sense of Unicode's White_Space. */
bool policy_cel_is_space(uint32_t code);

/* The shortest digits that read back as the same double; "1e+06" style outside [1e-4, 1e6), as the
 * reference implementation does. With `plain`, never an exponent. NaN and Infinity by name. */
MUST_CHECK enum err policy_cel_append_double(struct buf *out, double value, bool plain);
/* Decimal text of a double, whole, no blanks; Infinity and NaN by name. */
bool policy_cel_parse_double(struct bytes text, double *ret_value);
/* Decimal text with an optional sign. */
bool policy_cel_parse_int(struct bytes text, int64_t *ret_value);

#endif
