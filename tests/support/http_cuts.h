/* Feeds one input to an HTTP/1.1 parser whole, byte by byte, in odd pieces and cut in two at every
 * place: the transcript (http_record.h) must be the expected one each time. */
#ifndef TESTS_SUPPORT_HTTP_CUTS_H
#define TESTS_SUPPORT_HTTP_CUTS_H

#include "tests/support/http_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD_MAX 512
#define TARGET_MAX 64

/* Transcript of `input` fed in pieces: first `cut` bytes, then pieces of `piece` bytes (0: the
 * rest). */
static inline void cuts_run(enum http_parser_kind kind, bool answer_to_head, struct bytes input,
                            size_t cut, size_t piece, struct buf *out)
{
    struct http_record r;
    record_init(&r, kind, HEAD_MAX, TARGET_MAX);
    http_parser_reset(r.parser, answer_to_head);
    enum err e = ERR_OK;
    for (size_t at = 0, size = cut; at < input.size && e == ERR_OK; at += size, size = piece) {
        if (size == 0 || size > input.size - at)
            size = input.size - at;
        struct bytes data = bytes_of(input.data + at, size);
        uint8_t *copy = (uint8_t *)malloc(size); /* so that reading past a piece is seen */
        memcpy(copy, data.data, size);
        size_t used = 0;
        e = record_feed(&r, bytes_of(copy, size), &used);
        free(copy);
    }
    record_close(&r, e);
    assert_int_equal(buf_append(out, buf_bytes(&r.text)), ERR_OK);
    assert_int_equal(buf_append_byte(out, 0), ERR_OK);
    record_fini(&r);
}

static inline void cuts_check_cut(enum http_parser_kind kind, bool to_head, struct bytes input,
                                  size_t cut, size_t piece, const char *expected)
{
    struct buf got;
    buf_init(&got, 1 << 20);
    cuts_run(kind, to_head, input, cut, piece, &got);
    if (strcmp((char *)got.data, expected) != 0)
        print_error("input cut at %zu, pieces of %zu:\n%.*s\n", cut, piece, (int)input.size,
                    (const char *)input.data);
    assert_string_equal((char *)got.data, expected);
    buf_fini(&got);
}

static inline void cuts_check(enum http_parser_kind kind, bool to_head, struct bytes input,
                              const char *expected)
{
    cuts_check_cut(kind, to_head, input, 0, 0, expected);
    cuts_check_cut(kind, to_head, input, 1, 1, expected);
    cuts_check_cut(kind, to_head, input, 3, 7, expected);
    for (size_t cut = 1; cut < input.size; cut++)
        cuts_check_cut(kind, to_head, input, cut, 0, expected);
}

#define REQUEST(input, expected) cuts_check(HTTP_PARSE_REQUEST, false, BYTES(input), expected)
#define ANSWER(input, expected) cuts_check(HTTP_PARSE_RESPONSE, false, BYTES(input), expected)
#define ANSWER_TO_HEAD(input, expected)                                                            \
    cuts_check(HTTP_PARSE_RESPONSE, true, BYTES(input), expected)
#define REFUSES(input) REQUEST(input, "rest= invalid_request\n")
#define REFUSES_ANSWER(input) ANSWER(input, "rest= protocol\n")

#endif
