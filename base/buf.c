/* Growing buffers: growth, numbers as text, JSON text. The short appends are inline in buf.h,
 * because whole responses are built from them. */
#include "base/buf.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_MIN 64
#define DECIMAL_SIZE_MAX 20 /* digits of UINT64_MAX */
#define PRINTF_SIZE 512     /* longer texts take a detour over the heap */

void buf_init(struct buf *b, size_t size_max)
{
    *b = (struct buf){.size_max = size_max};
}

void buf_init_fixed(struct buf *b, uint8_t *storage, size_t size)
{
    *b = (struct buf){.data = storage, .capacity = size, .size_max = size};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

enum err buf_grow(struct buf *b, size_t extra)
{
    if (b->size > b->size_max || extra > b->size_max - b->size)
        return ERR_LIMIT;
    size_t needed = b->size + extra;
    if (needed <= b->capacity)
        return ERR_OK;
    size_t capacity = b->capacity > SIZE_MAX / 2 ? SIZE_MAX : b->capacity * 2;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    if (capacity < needed)
        capacity = needed;
    if (capacity > b->size_max)
        capacity = b->size_max;
    uint8_t *data = realloc(b->data, capacity);
    if (!data)
        return ERR_NO_MEMORY;
    b->data = data;
    b->capacity = capacity;
    return ERR_OK;
}

static enum err append_big_endian(struct buf *b, uint64_t value, unsigned size)
{
    uint8_t out[8];
    for (unsigned i = size; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return buf_append(b, bytes_of(out, size));
}

enum err buf_append_u16(struct buf *b, uint16_t value)
{
    return append_big_endian(b, value, 2);
}

enum err buf_append_u32(struct buf *b, uint32_t value)
{
    return append_big_endian(b, value, 4);
}

enum err buf_append_u64(struct buf *b, uint64_t value)
{
    return append_big_endian(b, value, 8);
}

/* Writes the digits so that they end just before `end`; returns their start. */
static uint8_t *decimal_before(uint8_t *end, uint64_t value)
{
    do {
        *--end = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value);
    return end;
}

enum err buf_append_decimal(struct buf *b, uint64_t value)
{
    uint8_t out[DECIMAL_SIZE_MAX];
    uint8_t *end = out + sizeof out;
    uint8_t *start = decimal_before(end, value);
    return buf_append(b, bytes_of(start, (size_t)(end - start)));
}

enum err buf_append_decimal_signed(struct buf *b, int64_t value)
{
    uint8_t out[1 + DECIMAL_SIZE_MAX];
    uint8_t *end = out + sizeof out;
    uint8_t *start = decimal_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--start = '-';
    return buf_append(b, bytes_of(start, (size_t)(end - start)));
}

__attribute__((format(printf, 3, 0))) static enum err printf_long(struct buf *b, size_t size,
                                                                  const char *format, va_list args)
{
    TRY(buf_reserve(b, size));
    char *text = malloc(size + 1);
    if (!text)
        return ERR_NO_MEMORY;
    vsnprintf(text, size + 1, format, args);
    enum err e = buf_append(b, bytes_of(text, size));
    free(text);
    return e;
}

enum err buf_printf(struct buf *b, const char *format, ...)
{
    char text[PRINTF_SIZE];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(text, sizeof text, format, args);
    enum err e = size < 0                     ? ERR_INVALID
                 : (size_t)size < sizeof text ? buf_append(b, bytes_of(text, (size_t)size))
                                              : printf_long(b, (size_t)size, format, again);
    va_end(again);
    va_end(args);
    return e;
}

static enum err append_escaped_char(struct buf *b, struct bytes *text)
{
    uint8_t escaped[UTF8_ESCAPED_SIZE_MAX];
    size_t size = utf8_take_escaped(text, escaped);
    return buf_append(b, bytes_of(escaped, size));
}

enum err buf_append_json_escaped(struct buf *b, struct bytes text)
{
    size_t size_before = b->size;
    enum err e = ERR_OK;
    while (text.size && e == ERR_OK) {
        size_t run = utf8_plain_size(text);
        e = buf_append(b, bytes_of(text.data, run));
        text = bytes_skip(text, run);
        if (text.size && e == ERR_OK)
            e = append_escaped_char(b, &text);
    }
    if (e != ERR_OK)
        b->size = size_before;
    return e;
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= b->size);
    b->size -= n;
    if (n && b->size)
        memmove(b->data, b->data + n, b->size);
}
