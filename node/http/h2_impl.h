/* The inside of an HTTP/2 session, shared by h2*.c only:
 *
 *   h2.c            life of the session, feed and pull, opening and answering streams
 *   h2_callbacks.c  what nghttp2 reports, turned into h2_ops calls
 *   h2_heads.c      struct http_head <-> header blocks
 *   h2_stream.c     stream objects, their send queue, credit, cancelling
 *
 * nghttp2 must not be re-entered by its own feed and pull: `busy` marks them, and stream objects
 * that end meanwhile are put aside on `dead` so that no pointer on the stack goes stale. */
#ifndef NODE_HTTP_H2_IMPL_H
#define NODE_HTTP_H2_IMPL_H

#include "base/list.h"
#include "node/http/h2.h"

#include <nghttp2/nghttp2.h>

#define H2_STREAMS_KEPT 32               /* free stream objects of a session */
#define H2_QUEUE_KEPT ((size_t)16 << 10) /* send queue memory that a free one keeps */
#define H2_SHARED_HEADS_MAX (HTTP_FIELDS_MAX + 4)
#define H2_BLOCK_MAX ((size_t)64 << 10) /* of a header block that nghttp2 sends */

/* The header block being received: there is one at a time (RFC 9113 section 4.3). */
struct h2_block {
    struct buf text; /* names and values; head_max reserved, so views stay valid */
    struct http_head head;
    struct http_field fields[HTTP_FIELDS_MAX];
    bool too_large;
};

struct h2 {
    struct h2_cfg cfg;
    const struct h2_ops *ops;
    void *owner;
    nghttp2_session *session;
    struct h2_block block;
    struct list streams;
    struct list wanting; /* want_node: on_want is due */
    struct list dead;
    struct list free;
    size_t stream_count;
    size_t free_count;
    bool busy;
    bool output_told;
    bool goaway_seen;
    bool draining; /* server: our GOAWAY named the last stream, later ones must not be processed */
    bool broken;   /* our GOAWAY with an error went out */
};

struct h2_stream {
    struct list node;
    struct list want_node;
    struct h2 *h2;
    void *owner;
    int32_t id;
    bool closed;
    bool sent;      /* client: the request's head went out; server: true */
    bool head_seen; /* client: the final answer's head came; server: true */
    bool ended;     /* our half: nothing more is queued */
    bool peer_ended;
    bool has_source; /* nghttp2 will ask for body bytes */
    bool deferred;   /* and was told to wait */
    enum err reason; /* why we reset it ourselves; OK: we did not */
    struct buf queue;
    size_t queue_start;
    size_t unconsumed;
    struct buf trailers; /* packed by h2_heads.c */
    size_t trailer_count;
};

/* Tells the owner of output, once. The last act of a function: the owner may do anything. */
void h2_tell_output(struct h2 *h);
enum err h2_err_of(int nghttp2_code);

MUST_CHECK enum err h2_callbacks_install(nghttp2_session_callbacks **ret_callbacks);

/* --- h2_stream.c */
struct h2_stream *h2_stream_create(struct h2 *h); /* NULL: out of memory */
/* Out of the session's lists; its unconsumed credit goes back to the connection. */
void h2_stream_close(struct h2_stream *s);
/* Makes dead objects free ones, when nghttp2 is not running. */
void h2_stream_recycle(struct h2 *h);
void h2_stream_free_all(struct h2 *h);
/* nghttp2's source of body bytes. */
nghttp2_data_provider h2_stream_source(void);
struct h2_stream *h2_stream_find(struct h2 *h, int32_t id);

/* --- h2_heads.c */
void h2_block_begin(struct h2 *h);
/* false: the block is too large or malformed. */
bool h2_block_add(struct h2 *h, struct bytes name, struct bytes value);
const struct http_head *h2_block_head(struct h2 *h);

struct h2_lines {
    nghttp2_nv lines[H2_SHARED_HEADS_MAX];
    size_t count;
    uint8_t status[3];
};
MUST_CHECK enum err h2_lines_of_request(struct h2_lines *l, const struct http_head *head);
MUST_CHECK enum err h2_lines_of_answer(struct h2_lines *l, const struct http_head *head);
MUST_CHECK enum err h2_pack_trailers(struct h2_stream *s, const struct http_head *trailers);
void h2_lines_of_trailers(struct h2_lines *l, const struct h2_stream *s);

#endif
