/* The door to llhttp, which reads every HTTP/1.1 message, head and body. parser*.c gives it whole
 * lines of heads that passed the scan of parser_lines.c, and bodies as they come; llhttp says what
 * the start line, the fields and the framing are.
 *
 * Only framing.c includes <llhttp.h>, whose constants clash with http.h's: nothing of either shows
 * here. */
#ifndef NODE_HTTP_FRAMING_H
#define NODE_HTTP_FRAMING_H

#include "base/bytes.h"
#include "base/err.h"

struct framing;

/* Views into what was fed. */
struct framing_start {
    struct bytes method, target; /* of a request, as they came */
    struct bytes reason;         /* of an answer; may be empty */
    int status;
    int major, minor;
};

/* Anything but ERR_OK ends the reading with that error. */
struct framing_ops {
    /* Before the fields. */
    enum err (*on_start)(void *owner, const struct framing_start *start);
    /* The value may have blanks at its end. Not called for trailers. */
    enum err (*on_field)(void *owner, struct bytes name, struct bytes value);
    enum err (*on_body)(void *owner, struct bytes data);
};

/* What the fields said, once the head is complete. */
struct framing_head {
    bool chunked;
    bool has_length;
    uint64_t length;
    bool close, keep_alive; /* options of Connection */
};

/* NULL when out of memory. `ops` must outlive it. */
struct framing *framing_create(bool answers, const struct framing_ops *ops, void *owner);
void framing_destroy(struct framing *f);

/* A message begins: its whole head, or its start line alone to see whether that is in order; CRLF
 * included. PROTOCOL, VERSION_NOT_SUPPORTED, or what a callback returned. */
MUST_CHECK enum err framing_begin(struct framing *f, struct bytes head);
/* From on_start: the message ends with its head, whatever that says. */
void framing_expect_no_body(struct framing *f);
/* The next bytes of its body. *ret_used is less than all only behind the end of the message or on
 * an error: PROTOCOL, or what a callback returned. */
MUST_CHECK enum err framing_feed(struct framing *f, struct bytes data, size_t *ret_used);
/* The connection ended: true if that ends the message. */
bool framing_finish(struct framing *f);

/* NULL until the head is complete. */
const struct framing_head *framing_head(const struct framing *f);
bool framing_is_complete(const struct framing *f);
/* True once after each size line of a chunk, with the size. */
bool framing_take_chunk(struct framing *f, uint64_t *ret_size);

/* Why llhttp refused what was fed last; NULL if it did not. */
const char *framing_detail(const struct framing *f);
const char *framing_library_version(void);

#endif
