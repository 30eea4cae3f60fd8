/* Checks the framing bytes of a chunked body one by one (RFC 9112 section 7.1), because llhttp lets
 * line ends and blanks pass that others read differently. Data bytes are only counted. Extensions
 * and trailers are checked and go no further: llhttp 8.1 refuses some that are in order. */
#include "node/http/parser_impl.h"

#define SIZE_DIGITS_MAX 16 /* of 64 bits, leading zeros included */

static bool hex_value(uint8_t byte, unsigned *ret_value)
{
    uint8_t lower = byte | 0x20;
    if (byte >= '0' && byte <= '9')
        *ret_value = byte - (unsigned)'0';
    else if (lower >= 'a' && lower <= 'f')
        *ret_value = lower - (unsigned)'a' + 10;
    else
        return false;
    return true;
}

static bool is_text(uint8_t byte)
{
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static enum err take_size_byte(struct http_parser *p, uint8_t byte)
{
    unsigned digit = 0;
    if (hex_value(byte, &digit)) {
        if (++p->chunk_digits > SIZE_DIGITS_MAX)
            return http_parser_fail_malformed(p, "a chunk size with too many digits");
        p->remaining = p->remaining << 4 | digit;
        return p->remaining > INT64_MAX ? http_parser_fail_malformed(p, "a chunk size too large")
                                        : ERR_OK;
    }
    if (p->chunk_digits == 0 || byte != '\r')
        return http_parser_fail_malformed(p, "a malformed chunk size");
    p->chunk_state = CHUNK_SIZE_LF;
    return ERR_OK;
}

/* Extensions and trailers cost the sender little and us a walk: bounded over the whole body. */
static enum err count_overhead(struct http_parser *p)
{
    if (++p->chunk_overhead > p->cfg.head_max)
        return http_parser_fail(p, ERR_HEADER_TOO_LARGE,
                                "chunk extensions and trailers are too large");
    return ERR_OK;
}

static enum err take_text_byte(struct http_parser *p, uint8_t byte)
{
    TRY(count_overhead(p));
    if (!is_text(byte))
        return http_parser_fail_malformed(p, "a control byte in a chunk extension or trailer");
    return ERR_OK;
}

static enum err take_trailer_value_byte(struct http_parser *p, uint8_t byte)
{
    if (byte != '\r')
        return take_text_byte(p, byte);
    p->chunk_state = CHUNK_TRAILER_LF;
    return count_overhead(p);
}

static enum err take_trailer_name_byte(struct http_parser *p, uint8_t byte)
{
    TRY(count_overhead(p));
    if (p->chunk_state == CHUNK_TRAILER && byte == '\r') {
        p->chunk_state = CHUNK_END_LF;
    } else if (p->chunk_state == CHUNK_TRAILER_NAME && byte == ':') {
        p->chunk_state = CHUNK_TRAILER_VALUE;
    } else {
        if (!http_parser_is_token(byte))
            return http_parser_fail_malformed(p, "a malformed trailer");
        p->chunk_state = CHUNK_TRAILER_NAME;
    }
    return ERR_OK;
}

static enum err expect_byte(struct http_parser *p, uint8_t byte, uint8_t expected,
                            enum chunk_state next)
{
    if (byte != expected)
        return http_parser_fail_malformed(p, expected == '\r' ? "a chunk longer than its size"
                                                              : "a CR without LF in a chunk");
    p->chunk_state = next;
    return ERR_OK;
}

static void begin_size(struct http_parser *p)
{
    p->remaining = 0;
    p->chunk_digits = 0;
}

static enum err take_byte(struct http_parser *p, uint8_t byte)
{
    switch (p->chunk_state) {
    case CHUNK_SIZE: return take_size_byte(p, byte);
    case CHUNK_EXTENSION: return take_text_byte(p, byte);
    case CHUNK_SIZE_CR: return expect_byte(p, byte, '\r', CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return expect_byte(p, byte, '\n', p->remaining ? CHUNK_DATA : CHUNK_TRAILER);
    case CHUNK_DATA_CR: return expect_byte(p, byte, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF: begin_size(p); return expect_byte(p, byte, '\n', CHUNK_SIZE);
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_NAME: return take_trailer_name_byte(p, byte);
    case CHUNK_TRAILER_VALUE: return take_trailer_value_byte(p, byte);
    case CHUNK_TRAILER_LF: return expect_byte(p, byte, '\n', CHUNK_TRAILER);
    case CHUNK_END_LF: return expect_byte(p, byte, '\n', CHUNK_END);
    default: return ERR_INTERNAL;
    }
}

static enum chunk_segment segment_of(enum chunk_state state)
{
    if (state == CHUNK_DATA)
        return CHUNK_SEGMENT_DATA;
    return state == CHUNK_EXTENSION || state >= CHUNK_TRAILER ? CHUNK_SEGMENT_DROPPED
                                                              : CHUNK_SEGMENT_LINE;
}

/* Where an extension begins and ends is known by the byte after the segment. */
static void look_ahead(struct http_parser *p, uint8_t byte)
{
    if (p->chunk_state == CHUNK_SIZE && byte == ';' && p->chunk_digits > 0)
        p->chunk_state = CHUNK_EXTENSION;
    else if (p->chunk_state == CHUNK_EXTENSION && byte == '\r')
        p->chunk_state = CHUNK_SIZE_CR;
}

static size_t skip_data(struct http_parser *p, size_t size)
{
    if (size > p->remaining)
        size = (size_t)p->remaining;
    p->remaining -= size;
    if (p->remaining == 0)
        p->chunk_state = CHUNK_DATA_CR;
    return size;
}

enum err http_parser_chunk_segment(struct http_parser *p, struct bytes data, size_t *ret_used,
                                   enum chunk_segment *ret_segment)
{
    enum chunk_segment segment = segment_of(p->chunk_state);
    *ret_segment = segment;
    *ret_used = 0;
    if (segment == CHUNK_SEGMENT_DATA) {
        *ret_used = skip_data(p, data.size);
        return ERR_OK;
    }
    for (size_t i = 0; i < data.size && segment_of(p->chunk_state) == segment; i++) {
        look_ahead(p, data.data[i]);
        if (segment_of(p->chunk_state) != segment)
            break;
        TRY(take_byte(p, data.data[i]));
        *ret_used = i + 1;
        if (p->chunk_state == CHUNK_END)
            break;
    }
    return ERR_OK;
}
