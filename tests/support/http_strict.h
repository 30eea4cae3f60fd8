/* A second, slow reading of one raw HTTP/1.1 message, written from RFC 9112's grammar and sharing
 * no code with node/http. The fuzz targets hold every message that the parser accepted against it:
 * a message that is not exactly in order, or ends elsewhere, aborts. */
#ifndef TESTS_SUPPORT_HTTP_STRICT_H
#define TESTS_SUPPORT_HTTP_STRICT_H

#include "base/buf.h"

#include <stdlib.h>
#include <strings.h>

#define STRICT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

struct strict_message {
    size_t head_size;
    size_t lengths, encodings, hosts; /* fields seen */
    long long length;
};

static inline bool strict_is_token(unsigned char c)
{
    return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static inline void strict_value(struct strict_message *m, const char *name, size_t name_size,
                                struct bytes value)
{
    if (name_size == 4 && strncasecmp(name, "host", 4) == 0)
        m->hosts++;
    if (name_size == 17 && strncasecmp(name, "transfer-encoding", 17) == 0) {
        m->encodings++;
        STRICT(value.size == 7 && strncasecmp((const char *)value.data, "chunked", 7) == 0);
    }
    if (name_size == 14 && strncasecmp(name, "content-length", 14) == 0) {
        m->lengths++;
        STRICT(value.size > 0);
        m->length = 0;
        for (size_t i = 0; i < value.size; i++) {
            STRICT(value.data[i] >= '0' && value.data[i] <= '9');
            m->length = m->length * 10 + (value.data[i] - '0');
        }
    }
}

static inline void strict_field(struct strict_message *m, const uint8_t *line, size_t size)
{
    size_t name_size = 0;
    while (name_size < size && line[name_size] != ':')
        STRICT(strict_is_token(line[name_size++]));
    STRICT(name_size > 0 && name_size < size);
    size_t from = name_size + 1, to = size;
    while (from < to && (line[from] == ' ' || line[from] == '\t'))
        from++;
    while (from < to && (line[to - 1] == ' ' || line[to - 1] == '\t'))
        to--;
    strict_value(m, (const char *)line, name_size, bytes_of(line + from, to - from));
}

static inline void strict_request_line(const uint8_t *line, size_t size)
{
    STRICT(size >= 12);
    STRICT(memcmp(line + size - 9, " HTTP/1.", 8) == 0);
    STRICT(line[size - 1] == '0' || line[size - 1] == '1');
    size_t spaces = 0;
    for (size_t i = 0; i < size; i++) {
        STRICT(line[i] >= 0x20 && line[i] < 0x7f);
        spaces += line[i] == ' ';
        STRICT(spaces > 0 || strict_is_token(line[i]));
    }
    STRICT(spaces == 2);
    STRICT(memcmp(line, "CONNECT ", 8) != 0);
}

static inline void strict_status_line(const uint8_t *line, size_t size)
{
    STRICT(size >= 12);
    STRICT(memcmp(line, "HTTP/1.1 ", 9) == 0 || memcmp(line, "HTTP/1.0 ", 9) == 0);
    STRICT(line[9] >= '1' && line[9] <= '5');
    STRICT(line[10] >= '0' && line[10] <= '9' && line[11] >= '0' && line[11] <= '9');
    STRICT(size == 12 || line[12] == ' ');
}

/* Reads the head at the start of `raw`. */
static inline struct strict_message strict_head(struct bytes raw, bool is_request)
{
    struct strict_message m = {.length = -1};
    size_t start = 0;
    for (size_t line = 0;; line++) {
        size_t end = start;
        while (end < raw.size && raw.data[end] != '\n')
            end++;
        STRICT(end < raw.size && end > start && raw.data[end - 1] == '\r');
        size_t size = end - 1 - start;
        for (size_t i = start; i < end - 1; i++)
            STRICT((raw.data[i] >= 0x20 && raw.data[i] != 0x7f) || raw.data[i] == '\t');
        if (size == 0 && line > 0) {
            m.head_size = end + 1;
            break;
        }
        if (line > 0)
            strict_field(&m, raw.data + start, size);
        else if (is_request)
            strict_request_line(raw.data, size);
        else
            strict_status_line(raw.data, size);
        start = end + 1;
    }
    STRICT(m.lengths + m.encodings <= 1);
    STRICT(m.hosts <= 1 || !is_request);
    return m;
}

static inline int strict_hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* End of the line at `at`, whose CRLF is required. */
static inline size_t strict_line_end(struct bytes raw, size_t at)
{
    while (at < raw.size && raw.data[at] != '\r') {
        STRICT((raw.data[at] >= 0x20 && raw.data[at] != 0x7f) || raw.data[at] == '\t');
        at++;
    }
    STRICT(at + 1 < raw.size && raw.data[at + 1] == '\n');
    return at;
}

/* Decodes the chunked body that is all of `raw`. */
static inline void strict_chunks(struct bytes raw, struct buf *body)
{
    size_t at = 0;
    for (size_t size = 1; size > 0;) {
        STRICT(at < raw.size && strict_hex(raw.data[at]) >= 0);
        for (size = 0; strict_hex(raw.data[at]) >= 0; at++)
            size = size * 16 + (size_t)strict_hex(raw.data[at]);
        STRICT(raw.data[at] == '\r' || raw.data[at] == ';');
        at = strict_line_end(raw, at) + 2;
        if (size > 0) {
            STRICT(size < raw.size && at + size + 2 < raw.size);
            STRICT(buf_append(body, bytes_of(raw.data + at, size)) == ERR_OK);
            at += size;
            STRICT(raw.data[at] == '\r' && raw.data[at + 1] == '\n');
            at += 2;
        }
    }
    for (size_t end; (end = strict_line_end(raw, at)) > at; at = end + 2) {
        struct bytes line = bytes_of(raw.data + at, end - at);
        size_t colon = bytes_find(line, ':');
        STRICT(colon > 0 && colon < line.size);
        for (size_t i = 0; i < colon; i++)
            STRICT(strict_is_token(line.data[i]));
    }
    STRICT(at + 2 == raw.size);
}

#endif
