/* The inside of one HTTP/1.1 parser, shared by parser*.c only. A message passes through
 *
 *   parser_lines.c   bytes -> a whole head in the parser's buf; line ends and control bytes checked
 *   framing.c        llhttp: start line, fields, framing, body
 *   parser_head.c    what llhttp read -> struct http_head; the rules it does not know
 *   parser_chunks.c  chunk extensions taken out, trailers checked like a head
 *
 * with parser.c holding the states and calling the owner. Every error is decided by the bytes
 * before it alone, so it does not matter how the network cut them. */
#ifndef NODE_HTTP_PARSER_IMPL_H
#define NODE_HTTP_PARSER_IMPL_H

#include "node/http/framing.h"
#include "node/http/parser.h"

#define PARSER_FIELDS_KEPT 14 /* room that an idle parser keeps: 560 bytes, */
#define PARSER_HEAD_KEPT 1024 /* and this much of its buf */

enum parser_state {
    PARSER_IDLE,
    PARSER_HEAD,
    PARSER_BODY,         /* of a given length, or until the connection ends: llhttp knows */
    PARSER_BODY_CHUNKED, /* chunk_state says where */
    PARSER_DONE,         /* the head is still readable */
    PARSER_FAILED
};

enum chunk_state {
    CHUNK_SIZE, /* `remaining` bytes of the chunk before, then a size line */
    CHUNK_EXTENSION,
    CHUNK_TRAILERS
};

/* What the bytes of a head or of trailers so far end with. */
struct line_state {
    bool cr;    /* a CR */
    bool fresh; /* a line of which there is no byte yet, apart from that CR */
};

struct line_scan {
    size_t used;         /* bytes in order */
    size_t first_end;    /* offset behind the first line that ended, or 0 */
    bool complete;       /* an empty line ended just before `used` */
    const char *refused; /* what is wrong with the byte at `used`, or NULL */
};

struct http_parser {
    const struct http_parser_ops *ops;
    void *owner;
    struct http_parser_cfg cfg;
    enum parser_state state;
    enum err error; /* why it FAILED */
    const char *detail;
    struct framing *framing;
    unsigned interim_count; /* 1xx answers skipped before this one */

    struct line_state lines;
    struct buf buf;         /* the head */
    size_t start_line_size; /* with its CRLF; 0: not there yet */
    bool answer_to_head;
    bool empty_line_seen; /* before the start line */
    bool start_line_checked;
    bool host_seen;
    bool coding_seen; /* Transfer-Encoding: chunked */

    enum chunk_state chunk_state;
    unsigned chunk_digits;
    size_t chunk_overhead; /* bytes of extensions and trailers in this message */
    uint64_t remaining;    /* of the chunk at hand and its CRLF */

    struct http_field *fields;
    size_t field_capacity;
    struct http_head head;
};

/* Notes why and returns e. */
MUST_CHECK enum err http_parser_fail(struct http_parser *p, enum err e, const char *detail);
/* The same with the err that fits a malformed message of this kind. */
MUST_CHECK enum err http_parser_fail_malformed(struct http_parser *p, const char *detail);
/* Gives llhttp the next bytes of the body. */
MUST_CHECK enum err http_parser_frame(struct http_parser *p, struct bytes data, size_t *ret_used);

/* A section of lines begins. */
void http_parser_begin_lines(struct line_state *state);
/* Looks at `data` up to the end of the section or the first byte out of order. */
void http_parser_scan_lines(struct line_state *state, struct bytes data,
                            struct line_scan *ret_scan);

/* Takes bytes of a head from `data` until its empty line. *ret_used counts them, on errors too. */
MUST_CHECK enum err http_parser_collect(struct http_parser *p, struct bytes data, size_t *ret_used,
                                        bool *ret_complete);
/* Forgets the head and keeps the memory. */
void http_parser_begin_head(struct http_parser *p);

/* All of the collected head into p->head. */
MUST_CHECK enum err http_parser_read_head(struct http_parser *p);
/* Looks at the start line alone. */
MUST_CHECK enum err http_parser_check_start_line(struct http_parser *p);
/* For framing_ops. */
enum err http_parser_take_start(void *parser, const struct framing_start *start);
enum err http_parser_take_field(void *parser, struct bytes name, struct bytes value);

void http_parser_begin_chunks(struct http_parser *p);
/* Takes some bytes of a chunked body. */
MUST_CHECK enum err http_parser_take_chunks(struct http_parser *p, struct bytes data,
                                            size_t *ret_used);

#endif
