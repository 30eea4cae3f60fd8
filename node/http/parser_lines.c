/* Collects a head line by line in the parser's buf, whatever pieces it comes in. Line ends are
 * CRLF and nothing else; no other control byte but a tab passes. Bytes are looked at sixteen at
 * a time. */
#include "node/http/parser_impl.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK_SIZE 16

/* A bit for every control byte (below 0x20, or DEL) of a block. */
static unsigned control_bits(const uint8_t *block)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)block);
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, del));
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < BLOCK_SIZE; i++)
        bits |= (unsigned)(block[i] < 0x20 || block[i] == 0x7f) << i;
    return bits;
#endif
}

/* The same for the last bytes, fewer than a block. */
static unsigned control_bits_of_tail(const uint8_t *data, size_t size)
{
    uint8_t block[BLOCK_SIZE];
    memset(block, 'x', sizeof block);
    memcpy(block, data, size);
    return control_bits(block);
}

static enum err grow_fields(struct http_parser *p)
{
    size_t capacity = p->field_capacity ? p->field_capacity * 4 : PARSER_FIELDS_KEPT;
    if (capacity > HTTP_FIELDS_MAX)
        capacity = HTTP_FIELDS_MAX;
    if (capacity == p->field_capacity)
        return http_parser_fail(p, ERR_HEADER_TOO_LARGE, "too many header fields");
    struct http_field *fields = realloc(p->fields, capacity * sizeof *fields);
    if (!fields)
        return http_parser_fail(p, ERR_NO_MEMORY, "out of memory");
    p->fields = fields;
    p->field_capacity = capacity;
    return ERR_OK;
}

/* A line and its CRLF ended just before offset `next` of the buf. */
static inline enum err take_line(struct http_parser *p, size_t next)
{
    size_t size = next - 2 - p->line_start;
    size_t count = p->line_count++;
    p->line_start = next;
    if (count == 0) {
        p->start_line_size = size;
        return ERR_OK;
    }
    if (count > p->field_capacity)
        TRY(grow_fields(p));
    p->fields[count - 1].value.size = size;
    return ERR_OK;
}

/* The empty line. Before a request's first line one is forgiven (RFC 9112 section 2.2). */
static enum err take_empty_line(struct http_parser *p, size_t next, bool *ret_complete)
{
    if (p->line_count > 0) {
        *ret_complete = true;
        return ERR_OK;
    }
    if (p->cfg.kind != HTTP_PARSE_REQUEST || p->head_start > 0)
        return http_parser_fail_malformed(p, "an empty line where a message should begin");
    p->head_start = p->line_start = next;
    return ERR_OK;
}

static inline enum err take_line_end(struct http_parser *p, size_t next, bool *ret_complete)
{
    return next - 2 == p->line_start ? take_empty_line(p, next, ret_complete) : take_line(p, next);
}

/* A control byte that is not the CR of a whole CRLF. *ret_used stops before an offending byte. */
static enum err take_other_control(struct http_parser *p, struct bytes data, size_t at,
                                   size_t *ret_used)
{
    uint8_t byte = data.data[at];
    bool is_last = at + 1 == data.size;
    if (byte == '\t' || (byte == '\r' && is_last))
        return ERR_OK;
    *ret_used = byte == '\r' ? at + 1 : at;
    if (byte == '\r')
        return http_parser_fail_malformed(p, "a CR without LF");
    return http_parser_fail_malformed(p, byte == '\n' ? "an LF without CR"
                                                      : "a control byte in the header");
}

/* Walks the line ends up to the empty line. */
static enum err scan_blocks(struct http_parser *p, struct bytes data, size_t at, size_t *ret_used,
                            bool *ret_complete)
{
    size_t base = p->buf.size;
    size_t done = at; /* an LF before this was taken with its CR */
    for (size_t start = at; start < data.size; start += BLOCK_SIZE) {
        size_t left = data.size - start;
        unsigned bits = left >= BLOCK_SIZE ? control_bits(data.data + start)
                                           : control_bits_of_tail(data.data + start, left);
        for (; bits; bits &= bits - 1) {
            at = start + (unsigned)__builtin_ctz(bits);
            if (at < done)
                continue;
            if (data.data[at] != '\r' || at + 1 == data.size || data.data[at + 1] != '\n') {
                TRY(take_other_control(p, data, at, ret_used));
                continue;
            }
            *ret_used = done = at + 2;
            TRY(take_line_end(p, base + done, ret_complete));
            if (*ret_complete)
                return ERR_OK;
        }
    }
    *ret_used = data.size;
    p->cr_pending = data.data[data.size - 1] == '\r';
    return ERR_OK;
}

static enum err scan(struct http_parser *p, struct bytes data, size_t *ret_used, bool *ret_complete)
{
    if (data.size == 0)
        return ERR_OK;
    if (!p->cr_pending)
        return scan_blocks(p, data, 0, ret_used, ret_complete);
    if (data.data[0] != '\n')
        return http_parser_fail_malformed(p, "a CR without LF");
    p->cr_pending = false;
    *ret_used = 1;
    TRY(take_line_end(p, p->buf.size + 1, ret_complete));
    if (*ret_complete || data.size == 1)
        return ERR_OK;
    return scan_blocks(p, data, 1, ret_used, ret_complete);
}

static enum err too_large(struct http_parser *p)
{
    if (p->line_count == 0 && p->cfg.kind == HTTP_PARSE_REQUEST)
        return http_parser_fail(p, ERR_URI_TOO_LONG, "the request line is too long");
    return http_parser_fail(p, ERR_HEADER_TOO_LARGE, "the header is too large");
}

/* A broken start line is refused as soon as it is complete: no waiting for the rest of a head that
 * is none. */
static enum err check_start_line(struct http_parser *p)
{
    if (p->line_count == 0 || p->start_line_checked)
        return ERR_OK;
    p->start_line_checked = true;
    return http_parser_read_start_line(p);
}

enum err http_parser_collect(struct http_parser *p, struct bytes data, size_t *ret_used,
                             bool *ret_complete)
{
    size_t room = p->cfg.head_max - p->buf.size;
    bool cut = data.size > room;
    bool complete = false;
    size_t used = 0;
    enum err scanned = scan(p, cut ? bytes_of(data.data, room) : data, &used, &complete);
    *ret_used = used;
    if (buf_append(&p->buf, bytes_of(data.data, used)) != ERR_OK)
        return http_parser_fail(p, ERR_NO_MEMORY, "out of memory");
    const char *detail = p->detail;
    if (!complete)
        TRY(check_start_line(p));
    p->detail = detail;
    if (scanned == ERR_OK && !complete && cut)
        return too_large(p);
    *ret_complete = complete;
    return scanned;
}

void http_parser_begin_head(struct http_parser *p)
{
    buf_clear(&p->buf);
    p->head_start = p->line_start = p->line_count = 0;
    p->start_line_checked = p->cr_pending = false;
    p->head = (struct http_head){.content_length = -1};
}

struct bytes http_parser_start_line(const struct http_parser *p)
{
    return bytes_of(p->buf.data + p->head_start, p->start_line_size);
}
