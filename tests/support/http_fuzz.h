/* What the two HTTP/1.1 fuzz targets share: the same bytes, cut in any way, mean the same; and
 * every message that was accepted stands the strict reading of http_strict.h. */
#ifndef TESTS_SUPPORT_HTTP_FUZZ_H
#define TESTS_SUPPORT_HTTP_FUZZ_H

#include "tests/support/http_record.h"
#include "tests/support/http_strict.h"

#define FUZZ_HEAD_MAX 1024
#define FUZZ_TARGET_MAX 128

/* One input in this many is cut: that costs ten times one parse, and a fuzzer has better uses for
 * its time. Replays of a corpus cut them all. */
#define FUZZ_PIECES_RATIO 1
#ifdef __has_feature
#if __has_feature(coverage_sanitizer)
#undef FUZZ_PIECES_RATIO
#define FUZZ_PIECES_RATIO 16
#endif
#endif

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

/* True for one input in `ratio`, and always for the same ones. */
static inline bool fuzz_is_chosen(struct bytes data, unsigned ratio)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < data.size; i++)
        hash = (hash ^ data.data[i]) * 16777619u;
    return (hash >> 8) % ratio == 0;
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

#endif
