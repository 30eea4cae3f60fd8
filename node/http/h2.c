/* One HTTP/2 session on nghttp2: creation with its settings, bytes in and out, opening and
 * answering streams. Used by node/mesh links, one session per direction. */
#include "node/http/h2_impl.h"

#include <stdlib.h>

#define RESET_BURST 16384 /* streams a peer may reset at once, and then per second */
#define RESETS_PER_S 8192

/* A stream that we reset counts for nghttp2 until its RST_STREAM is out, while for a peer that had
 * ended its half it may be over already: opening the next one then would break the session. So
 * nghttp2 is told of twice the streams that either side lets live. */
#define STREAMS_TOLD 2

enum err h2_err_of(int nghttp2_code)
{
    switch (nghttp2_code) {
    case 0: return ERR_OK;
    case NGHTTP2_ERR_NOMEM:
    case NGHTTP2_ERR_CALLBACK_FAILURE: /* our callbacks fail for want of memory only */
        return ERR_NO_MEMORY;
    case NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE:
    case NGHTTP2_ERR_START_STREAM_NOT_ALLOWED: return ERR_DRAINING;
    default: return ERR_PROTOCOL;
    }
}

void h2_tell_output(struct h2 *h)
{
    if (h->busy || h->output_told || !nghttp2_session_want_write(h->session))
        return;
    h->output_told = true;
    h->ops->on_output(h->owner);
}

/* --- creation */

static enum err new_session(struct h2 *h, nghttp2_session_callbacks *callbacks)
{
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0)
        return ERR_NO_MEMORY;
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    /* Until the peer's SETTINGS come: it is likely to take as many as we do. */
    nghttp2_option_set_peer_max_concurrent_streams(option, h->cfg.streams_max * STREAMS_TOLD);
#ifdef GV_NGHTTP2_RESET_LIMIT
    /* A busy peer passes on every client that goes away; only a flood beyond that is abuse. */
    nghttp2_option_set_stream_reset_rate_limit(option, RESET_BURST, RESETS_PER_S);
#endif
    int code = h->cfg.server ? nghttp2_session_server_new2(&h->session, callbacks, h, option)
                             : nghttp2_session_client_new2(&h->session, callbacks, h, option);
    nghttp2_option_del(option);
    return h2_err_of(code);
}

static enum err submit_settings(struct h2 *h)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->cfg.streams_max * STREAMS_TOLD},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h->cfg.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h->cfg.head_max},
    };
    size_t first = h->cfg.server ? 1 : 0; /* a server has no say in push */
    size_t count = sizeof entries / sizeof entries[0] - first;
    TRY(h2_err_of(nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries + first, count)));
    return h2_err_of(nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                           (int32_t)h->cfg.connection_window));
}

static enum err start(struct h2 *h)
{
    nghttp2_session_callbacks *callbacks = NULL;
    TRY(h2_callbacks_install(&callbacks));
    enum err e = new_session(h, callbacks);
    nghttp2_session_callbacks_del(callbacks);
    return e != ERR_OK ? e : submit_settings(h);
}

enum err h2_create(const struct h2_cfg *cfg, const struct h2_ops *ops, void *owner,
                   struct h2 **ret_h2)
{
    if (cfg->stream_window > INT32_MAX || cfg->connection_window > INT32_MAX ||
        cfg->streams_max > INT32_MAX || cfg->head_max == 0 || cfg->head_max > UINT32_MAX)
        return ERR_INVALID;
    struct h2 *h = calloc(1, sizeof *h);
    if (!h)
        return ERR_NO_MEMORY;
    h->cfg = *cfg;
    h->ops = ops;
    h->owner = owner;
    list_init(&h->streams);
    list_init(&h->wanting);
    list_init(&h->dead);
    list_init(&h->free);
    buf_init(&h->block.text, cfg->head_max);
    enum err e = start(h);
    if (e != ERR_OK) {
        h2_destroy(h);
        return e;
    }
    *ret_h2 = h;
    return ERR_OK;
}

void h2_destroy(struct h2 *h)
{
    if (!h)
        return;
    CHECK(!h->busy);
    h->busy = h->broken = true; /* no on_output and no new streams any more */
    while (!list_is_empty(&h->streams)) {
        struct h2_stream *s = LIST_ENTRY(h->streams.next, struct h2_stream, node);
        h2_stream_close(s);
        h->ops->on_closed(s->owner, s, ERR_LINK_LOST);
    }
    nghttp2_session_del(h->session);
    h2_stream_free_all(h);
    buf_fini(&h->block.text);
    free(h);
}

/* --- bytes */

static void leave(struct h2 *h)
{
    h->busy = false;
    h2_stream_recycle(h);
}

enum err h2_feed(struct h2 *h, struct bytes data)
{
    CHECK(!h->busy);
    if (h->broken)
        return ERR_PROTOCOL;
    if (data.size == 0)
        return ERR_OK;
    h->busy = true;
    ssize_t taken = nghttp2_session_mem_recv(h->session, data.data, data.size);
    leave(h);
    if (taken < 0)
        return h2_err_of((int)taken);
    h2_tell_output(h);
    return ERR_OK;
}

/* Owners whose queue ran empty produce more now that the channel asks for it. */
static void ask_wanting(struct h2 *h)
{
    struct list due;
    list_init(&due);
    for (struct list *node; (node = list_pop_front(&h->wanting)) != NULL;)
        list_push_back(&due, node);
    for (struct list *node; (node = list_pop_front(&due)) != NULL;) {
        struct h2_stream *s = LIST_ENTRY(node, struct h2_stream, want_node);
        if (h2_send_queued(s) == 0)
            h->ops->on_want(s->owner, s);
    }
}

enum err h2_pull(struct h2 *h, struct bytes *ret_data)
{
    CHECK(!h->busy);
    h->busy = true;
    h->output_told = false;
    ask_wanting(h);
    const uint8_t *data = NULL;
    ssize_t size = nghttp2_session_mem_send(h->session, &data);
    leave(h);
    if (size < 0)
        return h2_err_of((int)size);
    if (size == 0 && h->broken)
        return ERR_PROTOCOL;
    *ret_data = bytes_of(data, (size_t)size);
    return ERR_OK;
}

/* --- streams */

static bool may_open(const struct h2 *h)
{
    return !h->goaway_seen && !h->draining && !h->broken &&
           nghttp2_session_check_request_allowed(h->session);
}

bool h2_can_request(const struct h2 *h)
{
    uint32_t peer_max =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return !h->cfg.server && may_open(h) && h->stream_count < peer_max / STREAMS_TOLD;
}

static enum err check_can_request(const struct h2 *h)
{
    if (h->cfg.server)
        return ERR_INVALID;
    if (!may_open(h))
        return ERR_DRAINING;
    return h2_can_request(h) ? ERR_OK : ERR_LIMIT;
}

enum err h2_request(struct h2 *h, const struct http_head *head, bool ended, void *stream_owner,
                    struct h2_stream **ret_stream)
{
    struct h2_lines lines;
    TRY(check_can_request(h));
    TRY(h2_lines_of_request(&lines, head));
    struct h2_stream *s = h2_stream_create(h);
    if (!s)
        return ERR_NO_MEMORY;
    nghttp2_data_provider source = h2_stream_source();
    s->owner = stream_owner;
    s->ended = ended;
    s->has_source = !ended;
    s->id = nghttp2_submit_request(h->session, NULL, lines.lines, lines.count,
                                   ended ? NULL : &source, s);
    if (s->id < 0) {
        enum err e = h2_err_of(s->id);
        h2_stream_close(s);
        if (!h->busy)
            h2_stream_recycle(h);
        return e;
    }
    *ret_stream = s;
    h2_tell_output(h);
    return ERR_OK;
}

enum err h2_respond(struct h2_stream *s, const struct http_head *head, bool ended)
{
    struct h2 *h = s->h2;
    struct h2_lines lines;
    if (!h->cfg.server || s->closed || s->has_source || s->ended)
        return ERR_INVALID;
    TRY(h2_lines_of_answer(&lines, head));
    nghttp2_data_provider source = h2_stream_source();
    TRY(h2_err_of(nghttp2_submit_response(h->session, s->id, lines.lines, lines.count,
                                          ended ? NULL : &source)));
    s->ended = ended;
    s->has_source = !ended;
    h2_tell_output(h);
    return ERR_OK;
}

void h2_drain(struct h2 *h)
{
    if (h->draining)
        return;
    h->draining = true;
    if (!h->cfg.server) /* there is nothing to tell: the peer opens none anyway */
        return;
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    (void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    h2_tell_output(h);
}

size_t h2_stream_count(const struct h2 *h)
{
    return h->stream_count;
}

const char *h2_library_version(void)
{
    return nghttp2_version(0)->version_str;
}
