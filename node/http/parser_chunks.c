/* Leads a chunked body to llhttp, which reads and checks it (RFC 9112 section 7.1), and steps in
 * where llhttp 8.1 is too loose (line ends and controls in trailers, endless sizes) or refuses what
 * is in order: chunk extensions, which are checked, bounded and go no further. A chunk and the size
 * line behind it go to llhttp together. */
#include "node/http/parser_impl.h"

#define SIZE_DIGITS_MAX 16 /* of 64 bits, leading zeros included */
#define CRLF_SIZE 2

static bool is_text(uint8_t byte)
{
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static enum err fail_overhead(struct http_parser *p)
{
    return http_parser_fail(p, ERR_HEADER_TOO_LARGE, "chunk extensions and trailers are too large");
}

void http_parser_begin_chunks(struct http_parser *p)
{
    p->chunk_state = CHUNK_SIZE;
    p->chunk_digits = 0;
    p->chunk_overhead = 0;
    p->remaining = 0;
}

/* Length of what llhttp is to see of a size line, up to its end or its extension. */
static size_t size_line(struct http_parser *p, struct bytes data, bool *ret_too_long)
{
    for (size_t i = 0; i < data.size; i++) {
        uint8_t byte = data.data[i];
        if (byte == '\n')
            return i + 1;
        if (byte == ';' && p->chunk_digits > 0) {
            p->chunk_state = CHUNK_EXTENSION;
            return i;
        }
        if (byte != '\r' && ++p->chunk_digits > SIZE_DIGITS_MAX) {
            *ret_too_long = true;
            return i;
        }
    }
    return data.size;
}

static enum err begin_chunk(struct http_parser *p, uint64_t size)
{
    p->chunk_digits = 0;
    if (size > INT64_MAX)
        return http_parser_fail_malformed(p, "a chunk size too large");
    if (size > 0) {
        p->remaining = size + CRLF_SIZE;
        return ERR_OK;
    }
    p->chunk_state = CHUNK_TRAILERS;
    http_parser_begin_lines(&p->lines);
    return ERR_OK;
}

static enum err take_chunk(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    size_t size = data.size;
    bool too_long = false;
    if (size > p->remaining)
        size = (size_t)p->remaining;
    p->remaining -= size;
    if (p->remaining == 0)
        size += size_line(p, bytes_skip(data, size), &too_long);
    TRY(http_parser_frame(p, bytes_of(data.data, size), ret_used));
    if (too_long)
        return http_parser_fail_malformed(p, "a chunk size with too many digits");
    uint64_t chunk_size = 0;
    return framing_take_chunk(p->framing, &chunk_size) ? begin_chunk(p, chunk_size) : ERR_OK;
}

static enum err skip_extension(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    for (size_t i = 0; i < data.size; i++) {
        *ret_used = i;
        if (data.data[i] == '\r') {
            p->chunk_state = CHUNK_SIZE;
            return ERR_OK;
        }
        if (++p->chunk_overhead > p->cfg.head_max)
            return fail_overhead(p);
        if (!is_text(data.data[i]))
            return http_parser_fail_malformed(p, "a control byte in a chunk extension");
    }
    *ret_used = data.size;
    return ERR_OK;
}

static enum err take_trailers(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    size_t room = p->cfg.head_max - p->chunk_overhead;
    bool cut = data.size > room;
    struct line_scan scan;
    http_parser_scan_lines(&p->lines, cut ? bytes_of(data.data, room) : data, &scan);
    p->chunk_overhead += scan.used;
    TRY(http_parser_frame(p, bytes_of(data.data, scan.used), ret_used));
    if (scan.refused)
        return http_parser_fail_malformed(p, scan.refused);
    if (scan.complete != framing_is_complete(p->framing) || *ret_used != scan.used)
        return http_parser_fail_malformed(p, "two readings of the message's end differ");
    return cut && !scan.complete ? fail_overhead(p) : ERR_OK;
}

enum err http_parser_take_chunks(struct http_parser *p, struct bytes data, size_t *ret_used)
{
    switch (p->chunk_state) {
    case CHUNK_EXTENSION: return skip_extension(p, data, ret_used);
    case CHUNK_TRAILERS: return take_trailers(p, data, ret_used);
    default: return take_chunk(p, data, ret_used);
    }
}
