/* What nghttp2 reports, turned into h2_ops calls. After each call of an owner the stream may be
 * cancelled: only `closed` may be read then (its object outlives the callback, see h2_impl.h). */
#include "node/http/h2_impl.h"

static int reset(struct h2 *h, int32_t id, uint32_t code)
{
    if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, code) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

/* --- header blocks */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    (void)frame;
    h2_block_begin((struct h2 *)user_data);
    return 0;
}

/* TEMPORAL_CALLBACK_FAILURE makes nghttp2 reset the stream and keep the compression state in
 * step. */
static int refuse_block(struct h2 *h, int32_t id)
{
    struct h2_stream *s = h2_stream_find(h, id);
    if (s)
        s->reason = ERR_PROTOCOL;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user_data)
{
    struct h2 *h = (struct h2 *)user_data;
    (void)session;
    (void)flags;
    if (h2_block_add(h, bytes_of(name, name_size), bytes_of(value, value_size)))
        return 0;
    return refuse_block(h, frame->hd.stream_id);
}

/* nghttp2 would drop the field and go on; a peer that sends it is broken or worse. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_size, const uint8_t *value,
                             size_t value_size, uint8_t flags, void *user_data)
{
    (void)session;
    (void)name;
    (void)name_size;
    (void)value;
    (void)value_size;
    (void)flags;
    return refuse_block((struct h2 *)user_data, frame->hd.stream_id);
}

static bool is_last(const nghttp2_frame *frame)
{
    return frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
}

static int take_request(struct h2 *h, const nghttp2_frame *frame)
{
    const struct http_head *head = h2_block_head(h);
    int32_t id = frame->hd.stream_id;
    if (head->target.size == 0) /* CONNECT */
        return reset(h, id, NGHTTP2_PROTOCOL_ERROR);
    if (h->draining || h->stream_count >= h->cfg.streams_max)
        return reset(h, id, NGHTTP2_REFUSED_STREAM);
    struct h2_stream *s = h2_stream_create(h);
    if (!s)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    s->id = id;
    s->sent = s->head_seen = true;
    s->peer_ended = is_last(frame);
    nghttp2_session_set_stream_user_data(h->session, id, s);
    if (h->ops->on_request(h->owner, s, head, s->peer_ended) == ERR_OK || s->closed)
        return 0;
    h2_stream_close(s);
    return reset(h, id, NGHTTP2_REFUSED_STREAM);
}

static void take_answer(struct h2 *h, struct h2_stream *s, const nghttp2_frame *frame)
{
    const struct http_head *head = h2_block_head(h);
    if (head->status < 200) /* interim; nghttp2 has checked that no END_STREAM is with it */
        return;
    s->head_seen = true;
    s->peer_ended = is_last(frame);
    h->ops->on_head(s->owner, s, head, s->peer_ended);
}

static void take_end(struct h2 *h, struct h2_stream *s, const struct http_head *trailers)
{
    s->peer_ended = true;
    h->ops->on_end(s->owner, s, trailers);
}

static int take_headers(struct h2 *h, const nghttp2_frame *frame)
{
    if (h->cfg.server && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return take_request(h, frame);
    struct h2_stream *s = h2_stream_find(h, frame->hd.stream_id);
    if (!s)
        return 0;
    if (!s->head_seen)
        take_answer(h, s, frame);
    else if (is_last(frame) && !s->peer_ended)
        take_end(h, s, h2_block_head(h));
    return 0;
}

static void take_data_end(struct h2 *h, int32_t id)
{
    static const struct http_head no_trailers = {.content_length = -1};
    struct h2_stream *s = h2_stream_find(h, id);
    if (s && !s->peer_ended)
        take_end(h, s, &no_trailers);
}

static void take_goaway(struct h2 *h)
{
    if (h->goaway_seen)
        return;
    h->goaway_seen = true;
    if (h->ops->on_goaway)
        h->ops->on_goaway(h->owner);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2 *h = (struct h2 *)user_data;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: return take_headers(h, frame);
    case NGHTTP2_DATA:
        if (is_last(frame))
            take_data_end(h, frame->hd.stream_id);
        return 0;
    case NGHTTP2_GOAWAY: take_goaway(h); return 0;
    default: return 0;
    }
}

/* --- the rest */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *user_data)
{
    struct h2 *h = (struct h2 *)user_data;
    struct h2_stream *s = h2_stream_find(h, id);
    (void)flags;
    if (!s) { /* cancelled meanwhile */
        (void)nghttp2_session_consume(session, id, size);
        return 0;
    }
    s->unconsumed += size;
    h->ops->on_data(s->owner, s, bytes_of(data, size));
    return 0;
}

static enum err reason_of(const struct h2_stream *s, uint32_t code)
{
    if (s->reason != ERR_OK)
        return s->reason;
    if (!s->sent) /* held back until the peer said GOAWAY */
        return ERR_REFUSED;
    switch (code) {
    case NGHTTP2_NO_ERROR: return s->peer_ended && s->ended ? ERR_OK : ERR_RESET;
    case NGHTTP2_CANCEL: return ERR_CANCELLED;
    case NGHTTP2_REFUSED_STREAM: return ERR_REFUSED;
    case NGHTTP2_PROTOCOL_ERROR:
    case NGHTTP2_FLOW_CONTROL_ERROR:
    case NGHTTP2_STREAM_CLOSED:
    case NGHTTP2_FRAME_SIZE_ERROR:
    case NGHTTP2_COMPRESSION_ERROR: return ERR_PROTOCOL;
    default: return ERR_RESET;
    }
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct h2 *h = (struct h2 *)user_data;
    struct h2_stream *s = h2_stream_find(h, id);
    (void)session;
    if (!s)
        return 0;
    enum err reason = reason_of(s, code);
    h2_stream_close(s);
    h->ops->on_closed(s->owner, s, reason);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2 *h = (struct h2 *)user_data;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        h->broken = true;
    if (frame->hd.type == NGHTTP2_HEADERS && !h->cfg.server) {
        struct h2_stream *s = h2_stream_find(h, frame->hd.stream_id);
        if (s)
            s->sent = true;
    }
    return 0;
}

enum err h2_callbacks_install(nghttp2_session_callbacks **ret_callbacks)
{
    nghttp2_session_callbacks *c = NULL;
    if (nghttp2_session_callbacks_new(&c) != 0)
        return ERR_NO_MEMORY;
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
    *ret_callbacks = c;
    return ERR_OK;
}
