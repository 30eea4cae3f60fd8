/* The HTTP/1.1 answer parser: any bytes as answers, to HEAD when the first byte is odd. See
 * http_fuzz.h. */
#include "tests/support/http_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct strict_message skip_interim(struct bytes *raw)
{
    struct strict_message m = strict_head(*raw, false);
    while (raw->data[9] == '1') {
        STRICT(memcmp(raw->data + 9, "101", 3) != 0);
        *raw = bytes_skip(*raw, m.head_size);
        m = strict_head(*raw, false);
    }
    return m;
}

static void check_answer(struct bytes raw, bool to_head)
{
    struct strict_message m = skip_interim(&raw);
    struct bytes body = bytes_skip(raw, m.head_size);
    bool has_no_body =
        to_head || memcmp(raw.data + 9, "204", 3) == 0 || memcmp(raw.data + 9, "304", 3) == 0;
    if (has_no_body) {
        STRICT(body.size == 0);
        return;
    }
    struct buf decoded;
    buf_init(&decoded, raw.size);
    if (m.encodings)
        strict_chunks(body, &decoded);
    else
        STRICT((long long)body.size == m.length);
    buf_fini(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool to_head = data[0] & 1;
    struct bytes input = bytes_of(data + 1, size - 1);
    if (fuzz_is_chosen(input, FUZZ_PIECES_RATIO))
        fuzz_same_in_pieces(HTTP_PARSE_RESPONSE, to_head, input);
    struct http_record r;
    record_init(&r, HTTP_PARSE_RESPONSE, FUZZ_HEAD_MAX, FUZZ_TARGET_MAX);
    http_parser_reset(r.parser, to_head);
    for (enum err e = ERR_OK; input.size && e == ERR_OK;) {
        size_t used = 0, ends = r.ends;
        e = http_parser_feed(r.parser, input, &used);
        if (e == ERR_OK && r.ends > ends)
            check_answer(bytes_of(input.data, used), to_head && ends == 0);
        input = bytes_skip(input, used);
    }
    record_fini(&r);
    return 0;
}
