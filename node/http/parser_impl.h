/* The inside of one HTTP/1.1 parser, shared by parser*.c only. A message passes through
 *
 *   parser_lines.c   bytes -> whole lines of a head in the parser's buf; every control byte checked
 *   parser_head.c    lines -> struct http_head; grammar and framing rules checked
 *   parser_chunks.c  the framing bytes of a chunked body, checked one by one
 *   framing.c        llhttp's reading of a chunked message, which must agree
 *
 * with parser.c holding the states and calling the owner. Every error is decided by the bytes
 * before it alone, so it does not matter how the network cut them. */
#ifndef NODE_HTTP_PARSER_IMPL_H
#define NODE_HTTP_PARSER_IMPL_H

#include "node/http/framing.h"
#include "node/http/parser.h"

#define PARSER_FIELDS_KEPT 16 /* room that an idle parser keeps: 640 bytes, */
#define PARSER_HEAD_KEPT 1024 /* and this much of its buf */

enum parser_state {
    PARSER_IDLE,
    PARSER_HEAD,
    PARSER_BODY_LENGTH,  /* `remaining` bytes */
    PARSER_BODY_CHUNKED, /* chunk_state says where */
    PARSER_BODY_EOF,     /* an answer that lasts until the connection ends */
    PARSER_DONE,         /* the head is still readable */
    PARSER_FAILED
};

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_CR, /* after an extension */
    CHUNK_SIZE_LF,
    CHUNK_DATA, /* `remaining` bytes */
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the start of a trailer line, or of the empty one */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_END
};

struct http_parser {
    const struct http_parser_ops *ops;
    void *owner;
    struct http_parser_cfg cfg;
    enum parser_state state;
    enum err error; /* why it FAILED */
    const char *detail;
    struct framing *framing; /* from the first chunked message on */
    bool answer_to_head;
    unsigned interim_count; /* 1xx answers skipped before this one */

    /* Collecting a head. Lines in `buf` follow each other, each with its CRLF; the first starts at
     * head_start, then one field each, of fields[i].value.size bytes until they are parsed. */
    struct buf buf;
    size_t head_start; /* beyond an empty line that a sloppy client sent first */
    size_t line_start;
    size_t line_count;
    size_t start_line_size;
    bool start_line_checked;
    bool cr_pending;

    struct http_field *fields;
    size_t field_capacity;
    struct http_head head;

    enum chunk_state chunk_state;
    unsigned chunk_digits;
    size_t chunk_overhead; /* bytes of extensions and trailers in this message */
    uint64_t remaining;
};

/* Notes why and returns e. */
MUST_CHECK enum err http_parser_fail(struct http_parser *p, enum err e, const char *detail);
/* The same with the err that fits a malformed message of this kind. */
MUST_CHECK enum err http_parser_fail_malformed(struct http_parser *p, const char *detail);

/* Takes bytes of a head from `data` until its empty line. *ret_used counts them, on errors too. */
MUST_CHECK enum err http_parser_collect(struct http_parser *p, struct bytes data, size_t *ret_used,
                                        bool *ret_complete);
/* Forgets the head and keeps the memory. */
void http_parser_begin_head(struct http_parser *p);
struct bytes http_parser_start_line(const struct http_parser *p);

/* Start line alone, into p->head. */
MUST_CHECK enum err http_parser_read_start_line(struct http_parser *p);
/* All of the collected lines into p->head, except keep_alive. */
MUST_CHECK enum err http_parser_read_head(struct http_parser *p);

enum chunk_segment {
    CHUNK_SEGMENT_LINE, /* framing */
    CHUNK_SEGMENT_DATA,
    CHUNK_SEGMENT_DROPPED /* extensions and trailers */
};
/* Checks the next run of bytes of one sort, which may turn out empty. *ret_used counts those that
 * are in order, on errors too. chunk_state is CHUNK_END when the body is complete. */
MUST_CHECK enum err http_parser_chunk_segment(struct http_parser *p, struct bytes data,
                                              size_t *ret_used, enum chunk_segment *ret_segment);

/* True for the bytes of a field name or method (RFC 9110 section 5.6.2). */
bool http_parser_is_token(uint8_t byte);

#endif
