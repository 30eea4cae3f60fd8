/* From the lines of a head to a struct http_head, by RFC 9112's grammar without its tolerances.
 * Views point into the parser's buf, whose lines all end in CRLF, so that a walk over a token needs
 * no bound. parser_lines.c made sure that the only control bytes in a line are tabs. */
#include "node/http/parser_impl.h"

enum { TOKEN = 1, TARGET = 2, HOST = 4 };

/* Later entries win; 0x21 to 0x7e are a target's bytes, except '#' (a fragment is never sent). */
static const uint8_t byte_classes[256] = {
    ['!'] = TOKEN | TARGET | HOST,
    ['"'] = TARGET,
    ['$'] = TOKEN | TARGET | HOST,
    ['%'] = TOKEN | TARGET | HOST,
    ['&'] = TOKEN | TARGET | HOST,
    ['\''] = TOKEN | TARGET | HOST,
    ['('] = TARGET | HOST,
    [')'] = TARGET | HOST,
    ['*'] = TOKEN | TARGET | HOST,
    ['+'] = TOKEN | TARGET | HOST,
    [','] = TARGET,
    ['-'] = TOKEN | TARGET | HOST,
    ['.'] = TOKEN | TARGET | HOST,
    ['/'] = TARGET,
    ['0' ... '9'] = TOKEN | TARGET | HOST,
    [':'] = TARGET | HOST,
    [';'] = TARGET | HOST,
    ['<'] = TARGET,
    ['='] = TARGET | HOST,
    ['>'] = TARGET,
    ['?'] = TARGET,
    ['@'] = TARGET,
    ['A' ... 'Z'] = TOKEN | TARGET | HOST,
    ['['] = TARGET | HOST,
    ['\\'] = TARGET,
    [']'] = TARGET | HOST,
    ['^'] = TOKEN | TARGET,
    ['_'] = TOKEN | TARGET | HOST,
    ['`'] = TOKEN | TARGET,
    ['a' ... 'z'] = TOKEN | TARGET | HOST,
    ['{'] = TARGET,
    ['|'] = TOKEN | TARGET,
    ['}'] = TARGET,
    ['~'] = TOKEN | TARGET | HOST,
    ['#'] = TOKEN,
};

bool http_parser_is_token(uint8_t byte)
{
    return byte_classes[byte] & TOKEN;
}

/* Length of the run of bytes of a class; some byte after it, at the latest the line's CR, ends
 * it. */
static size_t run_of(const uint8_t *data, uint8_t class)
{
    size_t n = 0;
    while (byte_classes[data[n]] & class)
        n++;
    return n;
}

static bool all_of(struct bytes text, uint8_t class)
{
    for (size_t i = 0; i < text.size; i++)
        if (!(byte_classes[text.data[i]] & class))
            return false;
    return true;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* "HTTP/1.0" or "HTTP/1.1". */
static enum err read_version(struct http_parser *p, struct bytes text)
{
    if (text.size != 8 || memcmp(text.data, "HTTP/", 5) != 0 || !is_digit(text.data[5]) ||
        text.data[6] != '.' || !is_digit(text.data[7]))
        return http_parser_fail_malformed(p, "the start line has no HTTP version");
    if (text.data[5] != '1' || text.data[7] > '1')
        return http_parser_fail(
            p, p->cfg.kind == HTTP_PARSE_REQUEST ? ERR_VERSION_NOT_SUPPORTED : ERR_PROTOCOL,
            "only HTTP/1.0 and HTTP/1.1 are understood");
    p->head.minor_version = text.data[7] - '0';
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
    if (slash == 0 || !all_of(p->head.host, HOST))
        return http_parser_fail_malformed(p, "the request target names no valid host");
    p->head.target = bytes_skip(rest, slash);
    if (p->head.target.size == 0)
        p->head.target = p->head.method == HTTP_OPTIONS ? BYTES("*") : BYTES("/");
    return ERR_OK;
}

static enum err read_target(struct http_parser *p, struct bytes target)
{
    if (target.size > p->cfg.target_max)
        return http_parser_fail(p, ERR_URI_TOO_LONG, "the request target is too long");
    p->head.target = target;
    p->head.host = (struct bytes){0};
    if (target.data[0] == '/')
        return ERR_OK;
    if (target.size == 1 && target.data[0] == '*') {
        if (p->head.method != HTTP_OPTIONS)
            return http_parser_fail_malformed(p, "the target * goes with OPTIONS only");
        return ERR_OK;
    }
    return read_absolute_target(p, target);
}

static enum err read_request_line(struct http_parser *p, struct bytes line)
{
    size_t method_size = run_of(line.data, TOKEN);
    if (method_size == 0 || line.data[method_size] != ' ')
        return http_parser_fail_malformed(p, "the request line has no method");
    struct bytes method = bytes_of(line.data, method_size);
    struct bytes rest = bytes_skip(line, method_size + 1);
    size_t target_size = run_of(rest.data, TARGET);
    if (target_size == 0 || rest.data[target_size] != ' ')
        return http_parser_fail_malformed(p, "the request line has no valid target and version");
    TRY(read_version(p, bytes_skip(rest, target_size + 1)));
    if (bytes_equal(method, BYTES("CONNECT")))
        return http_parser_fail(p, ERR_UNSUPPORTED, "CONNECT is not supported");
    p->head.method = http_method_of(method);
    return read_target(p, bytes_of(rest.data, target_size));
}

/* "HTTP/1.1 200 OK"; the reason and even the space before it may be missing. */
static enum err read_status_line(struct http_parser *p, struct bytes line)
{
    const uint8_t *code = bytes_skip(line, 9).data;
    if (line.size < 12 || line.data[8] != ' ' || !is_digit(code[0]) || !is_digit(code[1]) ||
        !is_digit(code[2]) || (line.size > 12 && code[3] != ' '))
        return http_parser_fail_malformed(p, "the status line is malformed");
    TRY(read_version(p, bytes_of(line.data, 8)));
    p->head.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
    if (p->head.status < 100 || p->head.status > 599)
        return http_parser_fail_malformed(p, "the status is not between 100 and 599");
    if (p->head.status == 101)
        return http_parser_fail_malformed(p, "a change of protocol that nobody asked for");
    p->head.reason = bytes_skip(line, 13);
    return ERR_OK;
}

enum err http_parser_read_start_line(struct http_parser *p)
{
    struct bytes line = http_parser_start_line(p);
    return p->cfg.kind == HTTP_PARSE_REQUEST ? read_request_line(p, line)
                                             : read_status_line(p, line);
}

static enum err read_content_length(struct http_parser *p, struct bytes value)
{
    uint64_t length = 0;
    if (p->head.content_length >= 0)
        return http_parser_fail_malformed(p, "Content-Length is given twice");
    if (!bytes_to_u64(value, &length) || length > INT64_MAX)
        return http_parser_fail_malformed(p, "Content-Length is not a number");
    p->head.content_length = (int64_t)length;
    return ERR_OK;
}

static enum err read_transfer_encoding(struct http_parser *p, struct bytes value)
{
    if (p->head.chunked)
        return http_parser_fail_malformed(p, "Transfer-Encoding is given twice");
    if (p->head.minor_version == 0)
        return http_parser_fail_malformed(p, "HTTP/1.0 has no Transfer-Encoding");
    if (!bytes_equal_nocase(value, BYTES("chunked")))
        return http_parser_fail_malformed(p, "the only transfer coding understood is chunked");
    p->head.chunked = true;
    return ERR_OK;
}

static enum err read_expect(struct http_parser *p, struct bytes value)
{
    if (!bytes_equal_nocase(value, BYTES("100-continue")))
        return http_parser_fail(p, ERR_EXPECTATION_FAILED, "only 100-continue can be expected");
    p->head.expect_continue = p->head.minor_version > 0;
    return ERR_OK;
}

static enum err read_host(struct http_parser *p, struct bytes value, bool *host_seen)
{
    if (*host_seen)
        return http_parser_fail_malformed(p, "Host is given twice");
    *host_seen = true;
    if (!all_of(value, HOST))
        return http_parser_fail_malformed(p, "Host is not a host name and port");
    if (p->head.host.size && !bytes_equal_nocase(p->head.host, value))
        return http_parser_fail_malformed(p, "Host differs from the request target's");
    p->head.host = value;
    return ERR_OK;
}

/* The name is not one of ours, or is no name: look at every byte. */
static enum err check_name(struct http_parser *p, struct bytes line, size_t name_size)
{
    size_t token_size = run_of(line.data, TOKEN);
    if (token_size > 0 && token_size == name_size && name_size < line.size)
        return ERR_OK;
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return http_parser_fail_malformed(p, "a folded header line");
    if (name_size == 0)
        return http_parser_fail_malformed(p, "a header line without a name");
    return http_parser_fail_malformed(p, name_size == line.size
                                             ? "a header line without a colon"
                                             : "a byte in a field name that is not allowed there");
}

static struct bytes trimmed(const uint8_t *start, const uint8_t *end)
{
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (start < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return bytes_of(start, (size_t)(end - start));
}

/* Splits "name: value". */
static enum err split_field(struct http_parser *p, struct bytes line, struct http_field *ret_field)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    size_t name_size = colon ? (size_t)(colon - line.data) : line.size;
    struct bytes name = bytes_of(line.data, name_size);
    enum http_name id = http_name_of(name);
    if (id == HTTP_OTHER || !colon)
        TRY(check_name(p, line, name_size));
    ret_field->id = id;
    ret_field->name = name;
    ret_field->value = trimmed(line.data + name_size + 1, line.data + line.size);
    return ERR_OK;
}

static enum err read_field(struct http_parser *p, const struct http_field *field, bool *host_seen)
{
    bool is_request = p->cfg.kind == HTTP_PARSE_REQUEST;
    switch (field->id) {
    case HTTP_CONTENT_LENGTH: return read_content_length(p, field->value);
    case HTTP_TRANSFER_ENCODING: return read_transfer_encoding(p, field->value);
    case HTTP_EXPECT: return is_request ? read_expect(p, field->value) : ERR_OK;
    case HTTP_HOST: return is_request ? read_host(p, field->value, host_seen) : ERR_OK;
    default: return ERR_OK;
    }
}

enum err http_parser_read_head(struct http_parser *p)
{
    TRY(http_parser_read_start_line(p));
    bool host_seen = false;
    size_t offset = p->head_start + p->start_line_size + 2;
    for (size_t i = 0; i + 1 < p->line_count; i++) {
        struct http_field *field = &p->fields[i];
        struct bytes line = bytes_of(p->buf.data + offset, field->value.size);
        offset += line.size + 2;
        TRY(split_field(p, line, field));
        TRY(read_field(p, field, &host_seen));
    }
    p->head.fields = p->fields;
    p->head.field_count = p->line_count - 1;
    if (p->cfg.kind == HTTP_PARSE_REQUEST && !host_seen && p->head.minor_version > 0)
        return http_parser_fail_malformed(p, "HTTP/1.1 requests carry a Host");
    if (p->head.chunked && p->head.content_length >= 0)
        return http_parser_fail_malformed(p, "Content-Length together with Transfer-Encoding");
    return ERR_OK;
}
