/* Request bodies: held whole until the answer begins, so that a request survives the loss of the
 * node it was sent to. Segments come from one pool per lane whose bound is the memory all bodies
 * may take together. */
#ifndef NODE_INGRESS_BODY_H
#define NODE_INGRESS_BODY_H

#include "base/bytes.h"
#include "base/digest.h"
#include "base/err.h"

#define BODY_SEGMENT_SIZE (16 * 1024)
#define BODY_STEP 1024 /* one that arrives must bring as much per limits.header_timeout */
#define BODY_IDLE_SEGMENTS_MAX 64 /* kept for reuse: 1 MiB */
#define BODY_TRIM_BYTES (64 * 1024 * 1024)

struct body_segment;

struct body_pool {
    struct body_segment *idle;
    size_t idle_count;
    size_t used_bytes; /* segments handed out */
    size_t max_bytes;
    size_t freed_bytes; /* since the system got memory back */
};
void body_pool_init(struct body_pool *pool, size_t max_bytes);
void body_pool_fini(struct body_pool *pool); /* every body was cleared */

struct body {
    struct body_pool *pool;
    struct body_segment *first;
    struct body_segment *last;
    size_t size;
    size_t size_max;
};
void body_init(struct body *b, struct body_pool *pool, size_t size_max);
/* BODY_TOO_LARGE beyond size_max; OVERLOADED when the pool is used up. */
MUST_CHECK enum err body_append(struct body *b, struct bytes data);
/* Gives the segments back. */
void body_clear(struct body *b);
/* Puts `text` (not empty) in the place of the bytes from `start` (not 0) to `end` (greater). Copies
 * at most one segment beside it. Errors of body_append; the body is then unchanged. */
MUST_CHECK enum err body_splice(struct body *b, size_t start, size_t end, struct bytes text);
void body_hash(const struct body *b, uint8_t ret_hash[DIGEST_SIZE]);

/* Reading it in pieces; the body stays. */
struct body_cursor {
    const struct body_segment *segment;
    size_t offset; /* in the segment */
};
void body_cursor_init(const struct body *b, struct body_cursor *c);
/* Up to parts_max pieces, up to about bytes_max bytes, and moves on; 0 at the end. */
size_t body_next(struct body_cursor *c, struct bytes *parts, size_t parts_max, size_t bytes_max);
static inline bool body_cursor_at_end(const struct body_cursor *c)
{
    return c->segment == NULL;
}

#endif
