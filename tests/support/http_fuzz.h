/* What the two HTTP/1.1 fuzz targets share: the same bytes, cut in any way, mean the same; and
 * every message that was accepted stands the strict reading of http_strict.h and ends where llhttp
 * ends it. */
#ifndef TESTS_SUPPORT_HTTP_FUZZ_H
#define TESTS_SUPPORT_HTTP_FUZZ_H

#include "node/http/framing.h"
#include "tests/support/http_record.h"
#include "tests/support/http_strict.h"

#define FUZZ_HEAD_MAX 1024
#define FUZZ_TARGET_MAX 128

/* Size of the next piece: everything, one byte, or from a generator that the input seeds. */
static inline size_t fuzz_piece(unsigned cut, uint32_t *rng, size_t left)
{
    if (cut == 0)
        return left;
    if (cut == 1)
        return 1;
    *rng = *rng * 1664525 + 1013904223;
    size_t size = 1 + (*rng >> 16) % (cut == 2 ? 4 : 64);
    return size < left ? size : left;
}

static inline void fuzz_transcript(enum http_parser_kind kind, bool to_head, struct bytes data,
                                   unsigned cut, struct http_record *r)
{
    uint32_t rng = (uint32_t)data.size * 2654435761u + (data.size ? data.data[data.size / 2] : 0);
    record_init(r, kind, FUZZ_HEAD_MAX, FUZZ_TARGET_MAX);
    http_parser_reset(r->parser, to_head);
    enum err e = ERR_OK;
    while (data.size && e == ERR_OK) {
        size_t size = fuzz_piece(cut, &rng, data.size);
        size_t used = 0;
        e = record_feed(r, bytes_of(data.data, size), &used);
        STRICT(e != ERR_OK || used == size);
        STRICT(used <= size);
        data = bytes_skip(data, size);
    }
    STRICT(e != ERR_INTERNAL && e != ERR_NO_MEMORY);
    record_close(r, e);
}

static inline void fuzz_same_in_pieces(enum http_parser_kind kind, bool to_head, struct bytes data)
{
    struct http_record whole;
    fuzz_transcript(kind, to_head, data, 0, &whole);
    for (unsigned cut = 1; cut < 4; cut++) {
        struct http_record pieces;
        fuzz_transcript(kind, to_head, data, cut, &pieces);
        STRICT(bytes_equal(buf_bytes(&whole.text), buf_bytes(&pieces.text)));
        record_fini(&pieces);
    }
    record_fini(&whole);
}

/* llhttp, where it accepts the head, must see the message end at the same byte. */
static inline void fuzz_compare_llhttp(struct bytes raw, const struct strict_message *m,
                                       bool answers)
{
    struct framing *f = framing_create(answers);
    STRICT(f);
    enum err e = ERR_OK;
    for (size_t i = 0; i < m->head_size && e == ERR_OK; i++) {
        STRICT(!framing_is_complete(f));
        e = framing_feed(f, bytes_of(raw.data + i, 1), 0);
    }
    for (size_t i = m->head_size; i < raw.size && e == ERR_OK; i++) {
        STRICT(!framing_is_complete(f));
        STRICT(framing_feed(f, bytes_of(raw.data + i, 1), 1) == ERR_OK);
    }
    STRICT(e != ERR_OK || framing_is_complete(f));
    framing_destroy(f);
}

#endif
