/* A growing byte buffer with a fixed maximum. The caller owns it: buf_init, then buf_fini. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"
#include "base/err.h"

struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
};

/* Allocates nothing yet. */
void buf_init(struct buf *b, size_t size_max);
/* On `size` bytes that the caller keeps: never allocates, needs no buf_fini. */
void buf_init_fixed(struct buf *b, uint8_t *storage, size_t size);
void buf_fini(struct buf *b);
/* Empties it and keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->size = 0;
}

static inline struct bytes buf_bytes(const struct buf *b)
{
    return bytes_of(b->data, b->size);
}

/* The slow half of buf_reserve. */
MUST_CHECK enum err buf_grow(struct buf *b, size_t extra);

/* Makes room for `extra` more bytes. ERR_LIMIT beyond size_max, ERR_NO_MEMORY; b is then unchanged,
 * here and in every append below. */
MUST_CHECK static inline enum err buf_reserve(struct buf *b, size_t extra)
{
    return extra <= b->capacity - b->size ? ERR_OK : buf_grow(b, extra);
}

/* `data` does not lie inside b. */
MUST_CHECK static inline enum err buf_append(struct buf *b, struct bytes data)
{
    TRY(buf_reserve(b, data.size));
    if (data.size)
        memcpy(b->data + b->size, data.data, data.size);
    b->size += data.size;
    return ERR_OK;
}

MUST_CHECK static inline enum err buf_append_str(struct buf *b, const char *str)
{
    return buf_append(b, bytes_from_str(str));
}

MUST_CHECK static inline enum err buf_append_byte(struct buf *b, uint8_t byte)
{
    TRY(buf_reserve(b, 1));
    b->data[b->size++] = byte;
    return ERR_OK;
}

/* Big-endian integers. */
MUST_CHECK enum err buf_append_u16(struct buf *b, uint16_t value);
MUST_CHECK enum err buf_append_u32(struct buf *b, uint32_t value);
MUST_CHECK enum err buf_append_u64(struct buf *b, uint64_t value);
/* Decimal text, no printf. */
MUST_CHECK enum err buf_append_decimal(struct buf *b, uint64_t value);
MUST_CHECK enum err buf_append_decimal_signed(struct buf *b, int64_t value);
MUST_CHECK enum err buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `text` as the inside of a JSON string (no quotes around): escapes per RFC 8259; bytes that are
 * not UTF-8 become U+FFFD. */
MUST_CHECK enum err buf_append_json_escaped(struct buf *b, struct bytes text);
/* Removes the first n bytes (n <= size). */
void buf_consume(struct buf *b, size_t n);

#endif
