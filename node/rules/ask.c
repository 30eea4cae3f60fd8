/* Happy path of ours: open, send in pieces, the answer is collected, on_done. Failure modes: the
 * link ends (LINK_LOST), the peer refuses the stream (REFUSED), the answer is too long (LIMIT).
 * Happy path of theirs: head, body collected, looked at, answered. Failure modes: a body that is
 * too long (413), as many as may be open (refused), the peer gives up. */
#include "node/rules/ask.h"

#include "node/rules/inner.h"

#include <stdlib.h>

#define PIECE_MAX (256u * 1024)
#define VISITS_MAX 1024 /* of all peers together */
#define VISITS_PEER_MAX 256

/* --- bodies */

static enum err push(struct mesh_stream *ms, struct ask_body *body)
{
    while (body->sent < body->bytes.size && h2_send_queued(ms->h2) == 0) {
        size_t left = body->bytes.size - body->sent;
        size_t size = left < PIECE_MAX ? left : PIECE_MAX;
        TRY(h2_send(ms->h2, bytes_of(body->bytes.data + body->sent, size)));
        body->sent += size;
        if (body->sent == body->bytes.size)
            return h2_end(ms->h2, NULL);
    }
    return ERR_OK;
}

static enum err begin_body(struct mesh_stream *ms, struct ask_body *body)
{
    return body->bytes.size > 0 ? push(ms, body) : h2_end(ms->h2, NULL);
}

/* --- ours */

static void close_ask(struct rules_ask *ask)
{
    ask->is_open = false;
    list_remove(&ask->node);
    buf_fini(&ask->out.bytes);
    ask->out.sent = 0;
}

static void finish(struct rules_ask *ask, enum err e)
{
    struct buf in = ask->in;
    close_ask(ask);
    ask->on_done(ask, e);
    /* It may have been freed, or started again with a buffer of its own. */
    buf_fini(&in);
}

static struct rules_ask *ask_of(struct mesh_stream *ms)
{
    return LIST_ENTRY(ms, struct rules_ask, stream);
}

static void out_on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    (void)ended;
    ask_of(ms)->status = head->status;
}

static void out_on_data(struct mesh_stream *ms, struct bytes data)
{
    struct rules_ask *ask = ask_of(ms);
    h2_consume(ms->h2, data.size);
    if (buf_append(&ask->in, data) == ERR_OK)
        return;
    mesh_stream_cancel(ms);
    finish(ask, ERR_LIMIT);
}

static void out_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    (void)ms;
    (void)trailers;
}

static void out_on_want(struct mesh_stream *ms)
{
    struct rules_ask *ask = ask_of(ms);
    if (push(ms, &ask->out) == ERR_OK)
        return;
    mesh_stream_cancel(ms);
    finish(ask, ERR_LINK_LOST);
}

static void out_on_closed(struct mesh_stream *ms, enum err reason)
{
    struct rules_ask *ask = ask_of(ms);
    finish(ask, reason == ERR_OK && ask->status == 0 ? ERR_PROTOCOL : reason);
}

static const struct mesh_stream_ops out_ops = {
    .on_head = out_on_head,
    .on_data = out_on_data,
    .on_end = out_on_end,
    .on_want = out_on_want,
    .on_closed = out_on_closed,
};

static enum err open_stream(struct rules_ask *ask, struct bytes target)
{
    char text[160];
    struct buf path;
    struct http_field type = {.id = HTTP_CONTENT_TYPE,
                              .name = BYTES("content-type"),
                              .value = BYTES("application/octet-stream")};
    buf_init_fixed(&path, (uint8_t *)text, sizeof text);
    TRY(buf_append_str(&path, RULES_TARGET));
    TRY(buf_append(&path, target));
    struct http_head head = {.method = HTTP_POST,
                             .target = buf_bytes(&path),
                             .host = bytes_from_str(ask->peer->name),
                             .content_length = -1,
                             .fields = &type,
                             .field_count = 1};
    TRY(mesh_stream_open(ask->peer, &head, false, &ask->stream));
    enum err e = begin_body(&ask->stream, &ask->out);
    if (e != ERR_OK)
        mesh_stream_cancel(&ask->stream);
    return e;
}

enum err ask_start(struct rules *r, struct rules_ask *ask, struct peer *peer, struct bytes target,
                   struct bytes body, size_t answer_max,
                   void (*on_done)(struct rules_ask *ask, enum err e))
{
    CHECK(!ask->is_open);
    *ask = (struct rules_ask){.stream.ops = &out_ops, .rules = r, .peer = peer, .on_done = on_done};
    list_init(&ask->node);
    buf_init(&ask->out.bytes, ASK_BODY_MAX);
    buf_init(&ask->in, answer_max);
    enum err e = buf_append(&ask->out.bytes, body);
    if (e == ERR_OK)
        e = open_stream(ask, target);
    if (e != ERR_OK) {
        buf_fini(&ask->out.bytes);
        return e;
    }
    ask->is_open = true;
    list_push_back(&r->asks, &ask->node);
    return ERR_OK;
}

void ask_cancel(struct rules_ask *ask)
{
    if (!ask->is_open)
        return;
    mesh_stream_cancel(&ask->stream);
    close_ask(ask);
    buf_fini(&ask->in);
}

/* --- theirs */

static struct rules_visit *visit_of(struct mesh_stream *ms)
{
    return LIST_ENTRY(ms, struct rules_visit, stream);
}

static void release(struct rules_visit *v)
{
    list_remove(&v->node);
    buf_fini(&v->in);
    buf_fini(&v->out.bytes);
    free(v);
}

static void send_head(struct rules_visit *v, int status, bool ended)
{
    struct http_head head = {.status = status, .content_length = -1};
    enum err e = h2_respond(v->stream.h2, &head, ended);
    if (e == ERR_OK && !ended)
        e = begin_body(&v->stream, &v->out);
    if (e == ERR_OK)
        return;
    mesh_stream_cancel(&v->stream);
    release(v);
}

/* The object goes with its stream, or at once where there is none any more. */
void ask_answer(struct rules_visit *v, int status, struct bytes body)
{
    CHECK(!v->is_answered);
    v->is_answered = true;
    v->on_gone = NULL;
    v->order = NULL;
    buf_fini(&v->in);
    buf_init(&v->in, 0);
    bool has_room = buf_append(&v->out.bytes, body) == ERR_OK;
    if (!v->stream.h2)
        return; /* it is told in on_closed, which is above us */
    send_head(v, has_room ? status : 500, !has_room || body.size == 0);
}

void ask_refuse(struct rules_visit *v, enum err reason)
{
    int status = err_class(reason) == ERR_CLASS_RETRY ? 429 : 403;
    ask_answer(v, status, bytes_from_str(err_word(reason)));
}

static void route(struct rules_visit *v)
{
    struct rules *r = v->rules;
    struct bytes path = bytes_from_str(v->target);
    struct bytes query = bytes_skip(path, bytes_find(path, '?') + 1);
    path.size = bytes_find(path, '?');
    enum err e = ERR_NO_SUCH_PATH;
    if (r->is_closing)
        e = ERR_DRAINING;
    else if (bytes_equal(path, BYTES("raft")))
        e = post_accept(r, v);
    else if (bytes_equal(path, BYTES("command")))
        e = forward_accept(r, v, query, false);
    else if (bytes_equal(path, BYTES("read")))
        e = forward_accept(r, v, query, true);
    else if (bytes_equal(path, BYTES("member")))
        e = member_accept(r, v);
    else if (bytes_equal(path, BYTES("log")))
        e = serve_accept(r, v, query);
    else if (bytes_equal(path, BYTES("snapshot")))
        e = serve_accept_snapshot(r, v);
    if (e != ERR_OK)
        ask_refuse(v, e);
}

static void in_on_data(struct mesh_stream *ms, struct bytes data)
{
    struct rules_visit *v = visit_of(ms);
    h2_consume(ms->h2, data.size);
    if (!v->is_answered && buf_append(&v->in, data) != ERR_OK)
        ask_answer(v, 413, bytes_of(NULL, 0));
}

static void in_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct rules_visit *v = visit_of(ms);
    (void)trailers;
    v->is_whole = true;
    if (!v->is_answered)
        route(v);
}

static void in_on_want(struct mesh_stream *ms)
{
    struct rules_visit *v = visit_of(ms);
    if (!v->is_answered || push(ms, &v->out) == ERR_OK)
        return;
    mesh_stream_cancel(ms);
    release(v);
}

static void in_on_closed(struct mesh_stream *ms, enum err reason)
{
    struct rules_visit *v = visit_of(ms);
    (void)reason;
    if (v->on_gone)
        v->on_gone(v);
    release(v);
}

static const struct mesh_stream_ops in_ops = {
    .on_data = in_on_data,
    .on_end = in_on_end,
    .on_want = in_on_want,
    .on_closed = in_on_closed,
};

static bool has_room(const struct rules *r, const struct peer *peer)
{
    size_t all = 0, own = 0;
    LIST_EACH(it, &r->visits)
    {
        all++;
        own += LIST_ENTRY(it, struct rules_visit, node)->stream.peer == peer;
    }
    return all < VISITS_MAX && own < VISITS_PEER_MAX;
}

bool rules_owns(struct bytes target)
{
    return bytes_starts_with(target, BYTES(RULES_TARGET));
}

enum err rules_accept(struct rules *r, struct peer *peer, struct h2_stream *s,
                      const struct http_head *head, bool ended, struct mesh_stream **ret_stream)
{
    struct bytes rest = bytes_skip(head->target, sizeof(RULES_TARGET) - 1);
    (void)s;
    if (head->method != HTTP_POST || ended || rest.size >= sizeof((struct rules_visit *)0)->target)
        return ERR_PROTOCOL;
    if (!r->store)
        return ERR_UNSUPPORTED;
    if (!has_room(r, peer))
        return ERR_LIMIT;
    struct rules_visit *v = calloc(1, sizeof *v);
    if (!v)
        return ERR_NO_MEMORY;
    v->rules = r;
    v->stream.ops = &in_ops;
    v->stream.peer = peer;
    bytes_to_str(rest, v->target, sizeof v->target);
    buf_init(&v->in, ASK_BODY_MAX);
    buf_init(&v->out.bytes, ASK_BODY_MAX);
    list_push_back(&r->visits, &v->node);
    *ret_stream = &v->stream;
    return ERR_OK;
}

/* Links are gone by now, or have nothing to do with us any more: streams are cut. */
void ask_stop_all(struct rules *r)
{
    LIST_EACH_SAFE(it, tmp, &r->asks)
    ask_cancel(LIST_ENTRY(it, struct rules_ask, node));
    LIST_EACH_SAFE(it, tmp, &r->visits)
    {
        struct rules_visit *v = LIST_ENTRY(it, struct rules_visit, node);
        mesh_stream_cancel(&v->stream);
        release(v);
    }
}
