/* From what llhttp read in a head to a struct http_head: the rules of RFC 9110 and 9112 that llhttp
 * leaves to its users, and those where it is looser than we can afford (parser.h). Views point into
 * the parser's buf. */
#include "node/http/parser_impl.h"

#include <stdlib.h>

/* What RFC 3986 allows in a host, with brackets and the port's colon. */
static const bool host_bytes[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true,
    ['_'] = true,         ['~'] = true,         ['%'] = true,         ['!'] = true, ['$'] = true,
    ['&'] = true,         ['\''] = true,        ['('] = true,         [')'] = true, ['*'] = true,
    ['+'] = true,         [';'] = true,         ['='] = true,         [':'] = true, ['['] = true,
    [']'] = true,
};

static bool is_host(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!host_bytes[text.data[i]])
            return false;
    return true;
}

/* --- start line */

#define VERSION_SIZE (sizeof " HTTP/1.1\r\n" - 1) /* at the end of a request line */

static enum err read_version(struct http_parser *p, const struct framing_start *start)
{
    if (start->major != 1 || start->minor > 1)
        return http_parser_fail(
            p, p->cfg.kind == HTTP_PARSE_REQUEST ? ERR_VERSION_NOT_SUPPORTED : ERR_PROTOCOL,
            "only HTTP/1.0 and HTTP/1.1 are understood");
    p->head.minor_version = start->minor;
    return ERR_OK;
}

/* http://host/path: the path becomes the target, the authority waits in head.host for the Host
 * field. */
static enum err read_absolute_target(struct http_parser *p, struct bytes target)
{
    struct bytes scheme = BYTES("http://");
    if (target.size <= scheme.size ||
        !bytes_equal_nocase(bytes_of(target.data, scheme.size), scheme))
        return http_parser_fail_malformed(p, "the request target is neither a path nor http://");
    struct bytes rest = bytes_skip(target, scheme.size);
    size_t slash = bytes_find(rest, '/');
    p->head.host = bytes_of(rest.data, slash);
    if (slash == 0 || !is_host(p->head.host))
        return http_parser_fail_malformed(p, "the request target names no valid host");
    p->head.target = bytes_skip(rest, slash);
    if (p->head.target.size == 0)
        p->head.target = p->head.method == HTTP_OPTIONS ? BYTES("*") : BYTES("/");
    return ERR_OK;
}

static enum err read_target(struct http_parser *p, struct bytes target)
{
    if (bytes_find(target, '#') < target.size)
        return http_parser_fail_malformed(p, "the request target has a fragment");
    if (target.size > p->cfg.target_max)
        return http_parser_fail(p, ERR_URI_TOO_LONG, "the request target is too long");
    p->head.target = target;
    if (target.data[0] == '/')
        return ERR_OK;
    if (target.size == 1 && target.data[0] == '*') {
        if (p->head.method != HTTP_OPTIONS)
            return http_parser_fail_malformed(p, "the target * goes with OPTIONS only");
        return ERR_OK;
    }
    return read_absolute_target(p, target);
}

/* Nothing but single blanks between the three: llhttp skips any number. */
static bool is_spaced_once(const struct framing_start *start, size_t line_size)
{
    struct bytes method = start->method, target = start->target;
    return method.size > 0 && method.data[method.size - 1] != ' ' &&
           method.size + 1 + target.size + VERSION_SIZE == line_size;
}

static enum err take_request_line(struct http_parser *p, const struct framing_start *start)
{
    if (!is_spaced_once(start, p->start_line_size))
        return http_parser_fail_malformed(p, "the request line is malformed");
    TRY(read_version(p, start));
    if (bytes_equal(start->method, BYTES("CONNECT")))
        return http_parser_fail(p, ERR_UNSUPPORTED, "CONNECT is not supported");
    p->head.method = http_method_of(start->method);
    return read_target(p, start->target);
}

/* "HTTP/1.1 200 OK"; the reason and even the space before it may be missing. llhttp takes a status
 * of any number of digits. */
static enum err take_status_line(struct http_parser *p, const struct framing_start *start)
{
    const uint8_t *line = p->buf.data;
    TRY(read_version(p, start));
    if (line[8] != ' ' || (line[12] != ' ' && line[12] != '\r'))
        return http_parser_fail_malformed(p, "the status line is malformed");
    if (start->status < 100 || start->status > 599)
        return http_parser_fail_malformed(p, "the status is not between 100 and 599");
    if (start->status == 101)
        return http_parser_fail_malformed(p, "a change of protocol that nobody asked for");
    p->head.status = start->status;
    p->head.reason = start->reason;
    return ERR_OK;
}

enum err http_parser_take_start(void *parser, const struct framing_start *start)
{
    struct http_parser *p = parser;
    if (p->cfg.kind == HTTP_PARSE_REQUEST)
        return take_request_line(p, start);
    TRY(take_status_line(p, start));
    if (p->answer_to_head || http_status_has_no_body(start->status))
        framing_expect_no_body(p->framing);
    return ERR_OK;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* llhttp says the same of a version that is none. */
static bool names_a_version(const struct http_parser *p)
{
    const uint8_t *version = p->buf.data + p->start_line_size - VERSION_SIZE;
    return p->start_line_size > VERSION_SIZE && memcmp(version, " HTTP/", 6) == 0 &&
           is_digit(version[6]) && version[7] == '.' && is_digit(version[8]);
}

/* Gives llhttp the first `size` bytes of the head. */
static enum err begin(struct http_parser *p, size_t size)
{
    p->head = (struct http_head){.content_length = -1};
    p->host_seen = p->coding_seen = false;
    enum err e = framing_begin(p->framing, bytes_of(p->buf.data, size));
    if (e == ERR_OK || !framing_detail(p->framing))
        return e;
    if (e == ERR_VERSION_NOT_SUPPORTED && p->cfg.kind == HTTP_PARSE_REQUEST && names_a_version(p))
        return http_parser_fail(p, e, framing_detail(p->framing));
    return http_parser_fail_malformed(p, framing_detail(p->framing));
}

enum err http_parser_check_start_line(struct http_parser *p)
{
    return begin(p, p->start_line_size);
}

/* --- fields */

static enum err take_coding(struct http_parser *p, struct bytes value)
{
    if (p->coding_seen)
        return http_parser_fail_malformed(p, "Transfer-Encoding is given twice");
    if (p->head.minor_version == 0)
        return http_parser_fail_malformed(p, "HTTP/1.0 has no Transfer-Encoding");
    if (!bytes_equal_nocase(value, BYTES("chunked")))
        return http_parser_fail_malformed(p, "the only transfer coding understood is chunked");
    p->coding_seen = true;
    return ERR_OK;
}

static enum err take_expect(struct http_parser *p, struct bytes value)
{
    if (!bytes_equal_nocase(value, BYTES("100-continue")))
        return http_parser_fail(p, ERR_EXPECTATION_FAILED, "only 100-continue can be expected");
    p->head.expect_continue = p->head.minor_version > 0;
    return ERR_OK;
}

static enum err take_host(struct http_parser *p, struct bytes value)
{
    if (p->host_seen)
        return http_parser_fail_malformed(p, "Host is given twice");
    p->host_seen = true;
    if (!is_host(value))
        return http_parser_fail_malformed(p, "Host is not a host name and port");
    if (p->head.host.size && !bytes_equal_nocase(p->head.host, value))
        return http_parser_fail_malformed(p, "Host differs from the request target's");
    p->head.host = value;
    return ERR_OK;
}

static __attribute__((noinline)) enum err grow_fields(struct http_parser *p)
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

/* The few fields that say how to read the message. */
static __attribute__((noinline)) enum err take_special(struct http_parser *p,
                                                       const struct http_field *field)
{
    if (field->id == HTTP_TRANSFER_ENCODING)
        return take_coding(p, field->value);
    if (p->cfg.kind == HTTP_PARSE_RESPONSE)
        return ERR_OK;
    return field->id == HTTP_HOST ? take_host(p, field->value) : take_expect(p, field->value);
}

enum err http_parser_take_field(void *parser, struct bytes name, struct bytes value)
{
    struct http_parser *p = parser;
    if (p->head.field_count == p->field_capacity)
        TRY(grow_fields(p));
    struct http_field *field = &p->fields[p->head.field_count++];
    while (value.size > 0 &&
           (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
        value.size--;
    field->name = name;
    field->value = value;
    field->id = http_name_of(name);
    switch (field->id) {
    case HTTP_EXPECT:
    case HTTP_HOST:
    case HTTP_TRANSFER_ENCODING: return take_special(p, field);
    default: return ERR_OK;
    }
}

/* --- the whole */

/* Framing as llhttp sees it. */
static enum err take_framing(struct http_parser *p, const struct framing_head *framing)
{
    if (framing->chunked != p->coding_seen)
        return http_parser_fail_malformed(p, "a malformed Transfer-Encoding");
    if (framing->has_length && framing->length > INT64_MAX)
        return http_parser_fail_malformed(p, "Content-Length is too large");
    p->head.chunked = framing->chunked;
    if (framing->has_length)
        p->head.content_length = (int64_t)framing->length;
    p->head.keep_alive = !framing->close && (p->head.minor_version > 0 || framing->keep_alive);
    return ERR_OK;
}

enum err http_parser_read_head(struct http_parser *p)
{
    TRY(begin(p, p->buf.size)); /* from the start: the buf may have moved */
    p->head.fields = p->fields;
    const struct framing_head *framing = framing_head(p->framing);
    if (!framing)
        return http_parser_fail_malformed(p, "two readings of the header's end differ");
    if (p->cfg.kind == HTTP_PARSE_REQUEST && !p->host_seen && p->head.minor_version > 0)
        return http_parser_fail_malformed(p, "HTTP/1.1 requests carry a Host");
    return take_framing(p, framing);
}
