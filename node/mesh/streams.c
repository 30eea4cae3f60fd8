/* Requests on links: the HTTP/2 sessions' callbacks, handed on to whoever owns the stream. Only the
 * paths of gossip's messages and keys are ours. */
#include "node/mesh/core.h"

enum err mesh_stream_open(struct peer *p, const struct http_head *head, bool ended,
                          struct mesh_stream *ms)
{
    ms->peer = p;
    ms->h2 = NULL;
    if (!p->link)
        return ERR_LINK_LOST;
    TRY(h2_request(p->link->client, head, ended, ms, &ms->h2));
    link_ping_wake(p->link);
    return ERR_OK;
}

void mesh_stream_cancel(struct mesh_stream *ms)
{
    struct h2_stream *s = ms->h2;
    ms->h2 = NULL;
    if (s)
        h2_cancel(s);
}

static enum err accept_request(struct link *l, struct h2_stream *s, const struct http_head *head,
                               bool ended, struct mesh_stream **ret_stream)
{
    struct mesh *m = l->mesh;
    if (l->is_provisional && !bytes_starts_with(head->target, bytes_from_str(m->cfg.admission)))
        return ERR_NOT_ADMITTED;
    if (bytes_equal(head->target, BYTES(MAIL_TARGET)))
        return mail_accept(l, head, ended, ret_stream);
    if (bytes_equal(head->target, BYTES(KEYS_TARGET)))
        return keys_accept(l, head, ended, ret_stream);
    return m->ops->on_request(m->owner, l->peer, s, head, ended, ret_stream);
}

static enum err on_request(void *owner, struct h2_stream *s, const struct http_head *head,
                           bool ended)
{
    struct link *l = owner;
    struct mesh_stream *ms = NULL;
    TRY(accept_request(l, s, head, ended, &ms));
    CHECK(ms != NULL);
    ms->peer = l->peer;
    ms->h2 = s;
    h2_stream_set_owner(s, ms);
    link_ping_wake(l);
    return ERR_OK;
}

static void on_output(void *owner)
{
    link_output(owner);
}

static void on_goaway(void *owner)
{
    peer_link_goaway(owner);
}

static void on_head(void *owner, struct h2_stream *s, const struct http_head *head, bool ended)
{
    struct mesh_stream *ms = owner;
    (void)s;
    ms->ops->on_head(ms, head, ended);
}

static void on_data(void *owner, struct h2_stream *s, struct bytes data)
{
    struct mesh_stream *ms = owner;
    (void)s;
    ms->ops->on_data(ms, data);
}

static void on_end(void *owner, struct h2_stream *s, const struct http_head *trailers)
{
    struct mesh_stream *ms = owner;
    (void)s;
    ms->ops->on_end(ms, trailers);
}

static void on_want(void *owner, struct h2_stream *s)
{
    struct mesh_stream *ms = owner;
    (void)s;
    ms->ops->on_want(ms);
}

static void on_closed(void *owner, struct h2_stream *s, enum err reason)
{
    struct mesh_stream *ms = owner;
    (void)s;
    ms->h2 = NULL;
    ms->ops->on_closed(ms, reason);
}

const struct h2_ops mesh_h2_ops = {
    .on_output = on_output,
    .on_request = on_request,
    .on_goaway = on_goaway,
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
    .on_want = on_want,
    .on_closed = on_closed,
};
