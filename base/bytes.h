/* Borrowed byte strings. A struct bytes never owns; whoever hands one out says how long it lives.
 * Every module speaks them; base/buf owns and grows. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

/* A string literal, without its NUL. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){(const uint8_t *)data, size};
}

static inline struct bytes bytes_from_str(const char *str)
{
    return (struct bytes){(const uint8_t *)str, strlen(str)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_starts_with(struct bytes b, struct bytes prefix)
{
    return b.size >= prefix.size &&
           (prefix.size == 0 || memcmp(b.data, prefix.data, prefix.size) == 0);
}

/* The rest of b after its first n bytes (n is clamped). */
static inline struct bytes bytes_skip(struct bytes b, size_t n)
{
    if (n > b.size)
        n = b.size;
    return (struct bytes){n ? b.data + n : b.data, b.size - n};
}

/* ASCII case-insensitive equality (HTTP field names). */
bool bytes_equal_nocase(struct bytes a, struct bytes b);
/* The number that buf_append_u16, _u32 and _u64 write; size <= 8. */
static inline uint64_t bytes_big_endian(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

/* Index of the first `byte`, or b.size. */
size_t bytes_find(struct bytes b, uint8_t byte);
/* b without spaces and tabs at both ends. */
struct bytes bytes_trim(struct bytes b);
/* Lexicographic order as memcmp, shorter first. */
int bytes_compare(struct bytes a, struct bytes b);
/* Copies into `out` with a NUL, cut to `size` - 1 bytes. size >= 1. */
void bytes_to_str(struct bytes b, char *out, size_t size);
/* Decimal digits only, no sign, no overflow; false otherwise, *ret_value untouched. */
bool bytes_to_u64(struct bytes b, uint64_t *ret_value);
/* Levenshtein distance of two short strings (<= 64 bytes each; longer ones are UINT_MAX apart):
 * used to offer near names in error messages. */
unsigned bytes_distance(struct bytes a, struct bytes b);

#endif
