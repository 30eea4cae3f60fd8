/* The HTTP/1.1 request parser: any bytes, as whatever number of pipelined requests. See
 * http_fuzz.h. */
#include "tests/support/http_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(struct bytes raw, const struct http_record *r, bool http_1_1)
{
    if (bytes_starts_with(raw, BYTES("\r\n")))
        raw = bytes_skip(raw, 2);
    struct strict_message m = strict_head(raw, true);
    STRICT(m.hosts == 1 || !http_1_1);
    struct bytes body = bytes_skip(raw, m.head_size);
    struct buf decoded;
    buf_init(&decoded, raw.size);
    if (m.encodings)
        strict_chunks(body, &decoded);
    else
        STRICT(buf_append(&decoded, body) == ERR_OK);
    STRICT(m.encodings || (long long)body.size == (m.length < 0 ? 0 : m.length));
    STRICT(r->text.size >= decoded.size + 6); /* "body=", the body, a line end */
    size_t at = r->text.size - 1 - decoded.size;
    STRICT(memcmp(r->text.data + at - 5, "body=", 5) == 0);
    STRICT(bytes_equal(bytes_of(r->text.data + at, decoded.size), buf_bytes(&decoded)));
    buf_fini(&decoded);
}

static bool says_1_1(struct bytes raw)
{
    const char *version = (const char *)memmem(raw.data, raw.size, " HTTP/1.", 8);
    return version && version[8] == '1';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    if (fuzz_is_chosen(input, FUZZ_PIECES_RATIO))
        fuzz_same_in_pieces(HTTP_PARSE_REQUEST, false, input);
    struct http_record r;
    record_init(&r, HTTP_PARSE_REQUEST, FUZZ_HEAD_MAX, FUZZ_TARGET_MAX);
    for (enum err e = ERR_OK; input.size && e == ERR_OK;) {
        size_t used = 0, ends = r.ends;
        e = http_parser_feed(r.parser, input, &used);
        struct bytes raw = bytes_of(input.data, used);
        if (e == ERR_OK && r.ends > ends)
            check_request(raw, &r, says_1_1(raw));
        input = bytes_skip(input, used);
    }
    record_fini(&r);
    return 0;
}
