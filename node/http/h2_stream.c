/* Streams: their objects (reused, so that a request costs no allocation), the bounded queue of what
 * is to be sent, credit, cancelling. nghttp2 asks for body bytes through read_source when windows
 * allow. */
#include "node/http/h2_impl.h"

#include <stdlib.h>

#define TRAILERS_MAX ((size_t)16 << 10)

static struct h2_stream *take_object(struct h2 *h)
{
    struct list *node = list_pop_front(&h->free);
    if (node) {
        h->free_count--;
        return LIST_ENTRY(node, struct h2_stream, node);
    }
    struct h2_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    buf_init(&s->queue, H2_SEND_QUEUE_MAX);
    buf_init(&s->trailers, TRAILERS_MAX);
    return s;
}

struct h2_stream *h2_stream_create(struct h2 *h)
{
    struct h2_stream *s = take_object(h);
    if (!s)
        return NULL;
    struct buf queue = s->queue, trailers = s->trailers;
    buf_clear(&queue);
    buf_clear(&trailers);
    *s = (struct h2_stream){.h2 = h, .queue = queue, .trailers = trailers};
    list_init(&s->want_node);
    list_init(&s->node);
    list_push_back(&h->streams, &s->node);
    h->stream_count++;
    return s;
}

void h2_stream_close(struct h2_stream *s)
{
    struct h2 *h = s->h2;
    s->closed = true;
    list_remove(&s->want_node);
    list_remove(&s->node);
    list_push_back(&h->dead, &s->node);
    h->stream_count--;
    nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
    if (s->unconsumed)
        nghttp2_session_consume_connection(h->session, s->unconsumed);
    s->unconsumed = 0;
}

static void free_object(struct h2_stream *s)
{
    buf_fini(&s->queue);
    buf_fini(&s->trailers);
    free(s);
}

static void shrink(struct buf *b, size_t kept, size_t size_max)
{
    if (b->capacity > kept) {
        buf_fini(b);
        buf_init(b, size_max);
    }
}

void h2_stream_recycle(struct h2 *h)
{
    for (struct list *node; (node = list_pop_front(&h->dead)) != NULL;) {
        struct h2_stream *s = LIST_ENTRY(node, struct h2_stream, node);
        if (h->free_count == H2_STREAMS_KEPT) {
            free_object(s);
            continue;
        }
        shrink(&s->queue, H2_QUEUE_KEPT, H2_SEND_QUEUE_MAX);
        shrink(&s->trailers, 0, TRAILERS_MAX);
        list_push_front(&h->free, node);
        h->free_count++;
    }
}

void h2_stream_free_all(struct h2 *h)
{
    h2_stream_recycle(h);
    for (struct list *node; (node = list_pop_front(&h->free)) != NULL;)
        free_object(LIST_ENTRY(node, struct h2_stream, node));
}

struct h2_stream *h2_stream_find(struct h2 *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->session, id);
}

/* --- sending */

size_t h2_send_queued(const struct h2_stream *s)
{
    return s->queue.size - s->queue_start;
}

static ssize_t end_source(nghttp2_session *session, struct h2_stream *s, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s->trailer_count == 0)
        return 0;
    struct h2_lines lines;
    h2_lines_of_trailers(&lines, s);
    if (nghttp2_submit_trailer(session, s->id, lines.lines, lines.count) != 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return 0;
}

static void take_queued(struct h2_stream *s, uint8_t *out, size_t size)
{
    memcpy(out, s->queue.data + s->queue_start, size);
    s->queue_start += size;
    if (s->queue_start < s->queue.size)
        return;
    buf_clear(&s->queue);
    s->queue_start = 0;
    if (!s->ended && !list_is_linked(&s->want_node))
        list_push_back(&s->h2->wanting, &s->want_node);
}

static ssize_t read_source(nghttp2_session *session, int32_t id, uint8_t *out, size_t size,
                           uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    (void)source;
    struct h2_stream *s = h2_stream_find((struct h2 *)user_data, id);
    if (!s) /* cancelled: its RST_STREAM is on the way */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t queued = h2_send_queued(s);
    if (queued == 0 && !s->ended) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (size > queued)
        size = queued;
    if (size)
        take_queued(s, out, size);
    if (s->ended && size == queued && end_source(session, s, flags) != 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return (ssize_t)size;
}

nghttp2_data_provider h2_stream_source(void)
{
    return (nghttp2_data_provider){.read_callback = read_source};
}

static void resume(struct h2_stream *s)
{
    if (!s->deferred)
        return;
    s->deferred = false;
    (void)nghttp2_session_resume_data(s->h2->session, s->id);
}

enum err h2_send(struct h2_stream *s, struct bytes data)
{
    size_t queued = h2_send_queued(s);
    if (s->closed || s->ended)
        return ERR_INVALID;
    if (data.size > H2_SEND_QUEUE_MAX - queued)
        return ERR_LIMIT;
    if (data.size == 0)
        return ERR_OK;
    if (data.size > s->queue.size_max - s->queue.size) {
        buf_consume(&s->queue, s->queue_start);
        s->queue_start = 0;
    }
    TRY(buf_append(&s->queue, data));
    resume(s);
    h2_tell_output(s->h2);
    return ERR_OK;
}

enum err h2_end(struct h2_stream *s, const struct http_head *trailers)
{
    if (s->closed || s->ended)
        return ERR_INVALID;
    if (trailers) {
        enum err e = h2_pack_trailers(s, trailers);
        if (e != ERR_OK) {
            buf_clear(&s->trailers);
            s->trailer_count = 0;
            return e;
        }
    }
    s->ended = true;
    list_remove(&s->want_node);
    resume(s);
    h2_tell_output(s->h2);
    return ERR_OK;
}

/* --- receiving, giving up */

void h2_consume(struct h2_stream *s, size_t size)
{
    if (s->closed)
        return;
    if (size > s->unconsumed)
        size = s->unconsumed;
    s->unconsumed -= size;
    (void)nghttp2_session_consume(s->h2->session, s->id, size);
    h2_tell_output(s->h2);
}

void h2_cancel(struct h2_stream *s)
{
    struct h2 *h = s->h2;
    if (s->closed)
        return;
    (void)nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
    h2_stream_close(s);
    if (!h->busy)
        h2_stream_recycle(h);
    h2_tell_output(h);
}

void h2_stream_set_owner(struct h2_stream *s, void *stream_owner)
{
    s->owner = stream_owner;
}
