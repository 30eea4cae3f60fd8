/* One HTTP/2 session, client or server, by nghttp2, over any ordered byte channel (a link gives it
 * one per direction). No sockets here: bytes in by h2_feed, bytes out by h2_pull.
 *
 * Streams: a client opens with h2_request, a server is told of one by on_request. Both directions
 * stream with back-pressure: a sender is asked for bytes when the window has room (on_want), a
 * receiver returns credit with h2_consume after its own sink took them. The wire order is
 * nghttp2's.
 *
 * Callbacks may call any function here on any stream (h2_cancel on their own too) except h2_feed,
 * h2_pull and h2_destroy. They come from within h2_feed, h2_pull and h2_destroy only; on_output
 * also from the functions that make output, as their last act. */
#ifndef NODE_HTTP_H2_H
#define NODE_HTTP_H2_H

#include "node/http/http.h"

struct h2;
struct h2_stream;

struct h2_cfg {
    bool server;
    uint32_t streams_max;       /* concurrent; more of a peer's are refused */
    uint32_t stream_window;     /* bytes a peer may send per stream before credit returns */
    uint32_t connection_window; /* bytes over all streams */
    size_t head_max;            /* decoded bytes of one header block */
};

struct h2_ops {
    /* Session: there are bytes to send: call h2_pull until it is empty, soon. Not called again
     * before h2_pull was, nor from within it, nor by h2_create, whose first bytes go out with the
     * first others. */
    void (*on_output)(void *owner);
    /* Server: a request's head arrived. Pseudo-fields are in method, target, host; the others in
     * fields. The head is borrowed for the call. Set the stream's owner with h2_stream_set_owner.
     * ERR_OK, or an err: the stream is then refused (REFUSED_STREAM). `ended`: nothing follows, no
     * on_end either. */
    enum err (*on_request)(void *owner, struct h2_stream *s, const struct http_head *head,
                           bool ended);
    /* The peer asked to open no more streams (GOAWAY); running ones go on. */
    void (*on_goaway)(void *owner);

    /* Streams; `stream_owner` as set. After on_closed the stream is gone. */
    void (*on_head)(void *stream_owner, struct h2_stream *s, const struct http_head *head,
                    bool ended); /* client */
    void (*on_data)(void *stream_owner, struct h2_stream *s, struct bytes data);
    /* The peer's half is complete; trailers are in trailers->fields (may be none). Not called where
     * the head said `ended`. */
    void (*on_end)(void *stream_owner, struct h2_stream *s, const struct http_head *trailers);
    /* The send queue has run empty: see h2_send. Called by h2_pull, so only while the channel takes
     * more. */
    void (*on_want)(void *stream_owner, struct h2_stream *s);
    /* OK after both halves ended; CANCELLED: the peer gave it up; RESET: it failed there; REFUSED:
     * never processed, safe to retry; PROTOCOL; LINK_LOST: the session ends. */
    void (*on_closed)(void *stream_owner, struct h2_stream *s, enum err reason);
};

MUST_CHECK enum err h2_create(const struct h2_cfg *cfg, const struct h2_ops *ops, void *owner,
                              struct h2 **ret_h2);
/* Every open stream gets on_closed(LINK_LOST) first. */
void h2_destroy(struct h2 *h);

/* PROTOCOL: the session is broken, destroy it. Where nghttp2 tells the peer why (GOAWAY), h2_pull
 * still gives those bytes and only then fails itself. */
MUST_CHECK enum err h2_feed(struct h2 *h, struct bytes data);
/* Next piece to send, empty when there is none now; valid until the next h2_ call. */
MUST_CHECK enum err h2_pull(struct h2 *h, struct bytes *ret_data);

/* Client: opens a stream. `ended`: no body. ERR_LIMIT: as many as the peer allows are open;
 * DRAINING after GOAWAY, or when the session has used up its 2^30 stream numbers. head: method,
 * target, host, fields; copied. Fields that HTTP/2 has no place for (Host, Connection,
 * Transfer-Encoding, ...) are left out. */
MUST_CHECK enum err h2_request(struct h2 *h, const struct http_head *head, bool ended,
                               void *stream_owner, struct h2_stream **ret_stream);
/* Server: the answer's head. */
MUST_CHECK enum err h2_respond(struct h2_stream *s, const struct http_head *head, bool ended);
/* Body bytes: copied into the stream's bounded send queue (H2_SEND_QUEUE_MAX). While h2_send_queued
 * > 0 produce no more; on_want comes when it is empty again. Over the maximum: ERR_LIMIT, nothing
 * taken. INVALID after our half ended. */
#define H2_SEND_QUEUE_MAX (1024 * 1024)
MUST_CHECK enum err h2_send(struct h2_stream *s, struct bytes data);
size_t h2_send_queued(const struct h2_stream *s);
/* Ends our half after the queue, with trailers (NULL or fields; copied). */
MUST_CHECK enum err h2_end(struct h2_stream *s, const struct http_head *trailers);
/* The receiver has passed `size` bytes of on_data on: the peer may send as many more. What was not
 * consumed when a stream closes counts as consumed for the connection. */
void h2_consume(struct h2_stream *s, size_t size);
/* Gives the stream up now (RST_STREAM CANCEL); on_closed does not come any more. */
void h2_cancel(struct h2_stream *s);
void h2_stream_set_owner(struct h2_stream *s, void *stream_owner);
/* No new streams, running ones go on. A server tells the peer (GOAWAY); streams that it did not
 * know of are refused. */
void h2_drain(struct h2 *h);
size_t h2_stream_count(const struct h2 *h);
bool h2_can_request(const struct h2 *h);

const char *h2_library_version(void);

#endif
