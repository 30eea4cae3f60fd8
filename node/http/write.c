/* Writing HTTP/1.1 heads and chunk sizes (declared in http.h): every answer and every request to a
 * backend goes through here, so there is no printf. */
#include "node/http/http.h"

#define DECIMAL_SIZE_MAX 20 /* digits of UINT64_MAX */

const char *http_status_text(int status)
{
    switch (status) {
#define STATUS(code, text)                                                                         \
    case code: return text
        STATUS(100, "Continue");
        STATUS(101, "Switching Protocols");
        STATUS(103, "Early Hints");
        STATUS(200, "OK");
        STATUS(201, "Created");
        STATUS(202, "Accepted");
        STATUS(203, "Non-Authoritative Information");
        STATUS(204, "No Content");
        STATUS(205, "Reset Content");
        STATUS(206, "Partial Content");
        STATUS(300, "Multiple Choices");
        STATUS(301, "Moved Permanently");
        STATUS(302, "Found");
        STATUS(303, "See Other");
        STATUS(304, "Not Modified");
        STATUS(307, "Temporary Redirect");
        STATUS(308, "Permanent Redirect");
        STATUS(400, "Bad Request");
        STATUS(401, "Unauthorized");
        STATUS(402, "Payment Required");
        STATUS(403, "Forbidden");
        STATUS(404, "Not Found");
        STATUS(405, "Method Not Allowed");
        STATUS(406, "Not Acceptable");
        STATUS(407, "Proxy Authentication Required");
        STATUS(408, "Request Timeout");
        STATUS(409, "Conflict");
        STATUS(410, "Gone");
        STATUS(411, "Length Required");
        STATUS(412, "Precondition Failed");
        STATUS(413, "Content Too Large");
        STATUS(414, "URI Too Long");
        STATUS(415, "Unsupported Media Type");
        STATUS(416, "Range Not Satisfiable");
        STATUS(417, "Expectation Failed");
        STATUS(421, "Misdirected Request");
        STATUS(422, "Unprocessable Content");
        STATUS(425, "Too Early");
        STATUS(426, "Upgrade Required");
        STATUS(428, "Precondition Required");
        STATUS(429, "Too Many Requests");
        STATUS(431, "Request Header Fields Too Large");
        STATUS(499, "Client Closed Request");
        STATUS(500, "Internal Server Error");
        STATUS(501, "Not Implemented");
        STATUS(502, "Bad Gateway");
        STATUS(503, "Service Unavailable");
        STATUS(504, "Gateway Timeout");
        STATUS(505, "HTTP Version Not Supported");
        STATUS(507, "Insufficient Storage");
        STATUS(529, "Site Is Overloaded");
#undef STATUS
    default: return "Unknown";
    }
}

/* Appends to a buf that has room for it. */
static void put(struct buf *out, struct bytes data)
{
    if (data.size)
        memcpy(out->data + out->size, data.data, data.size);
    out->size += data.size;
}

enum err http_write_status_line(struct buf *out, int status)
{
    if (status < 100 || status > 999)
        return ERR_INVALID;
    struct bytes text = bytes_from_str(http_status_text(status));
    TRY(buf_reserve(out, sizeof "HTTP/1.1 000 \r\n" - 1 + text.size));
    uint8_t digits[4] = {(uint8_t)('0' + status / 100), (uint8_t)('0' + status / 10 % 10),
                         (uint8_t)('0' + status % 10), ' '};
    put(out, BYTES("HTTP/1.1 "));
    put(out, bytes_of(digits, sizeof digits));
    put(out, text);
    put(out, BYTES("\r\n"));
    return ERR_OK;
}

enum err http_write_field(struct buf *out, struct bytes name, struct bytes value)
{
    TRY(buf_reserve(out, name.size + value.size + 4));
    put(out, name);
    put(out, BYTES(": "));
    put(out, value);
    put(out, BYTES("\r\n"));
    return ERR_OK;
}

enum err http_write_field_decimal(struct buf *out, struct bytes name, uint64_t value)
{
    uint8_t digits[DECIMAL_SIZE_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value);
    return http_write_field(out, name, bytes_of(digits + at, sizeof digits - at));
}

size_t http_chunk_head(size_t size, char out[HTTP_CHUNK_HEAD_MAX])
{
    unsigned digits = 1;
    while (digits < sizeof size * 2 && size >> (4 * digits))
        digits++;
    for (unsigned i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}
