/* Facts over links: ours are encoded once a second and posted to every peer, theirs are read and
 * given to the table of peers. A peer that has not answered the last post is skipped: never more
 * than one is outstanding. */
#include "node/mesh/facts_exchange.h"

#include "node/mesh/core.h"

/* --- theirs */

static struct facts_exchange *exchange_in(struct mesh_stream *ms)
{
    return LIST_ENTRY(ms, struct facts_exchange, in);
}

static void in_on_data(struct mesh_stream *ms, struct bytes data)
{
    h2_consume(ms->h2, data.size);
    if (buf_append(&exchange_in(ms)->body, data) == ERR_OK)
        return;
    peer_slot_of(ms->peer)->mesh->counts.facts_bad++;
    mesh_stream_cancel(ms);
}

static void in_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    (void)trailers;
    enum err e = peer_facts(ms->peer, buf_bytes(&exchange_in(ms)->body));
    struct http_head head = {.status = e == ERR_OK ? 204 : 400, .content_length = -1};
    if (h2_respond(ms->h2, &head, true) != ERR_OK)
        mesh_stream_cancel(ms);
}

static void ignore_want(struct mesh_stream *ms)
{
    (void)ms;
}

static void ignore_closed(struct mesh_stream *ms, enum err reason)
{
    (void)ms;
    (void)reason;
}

static const struct mesh_stream_ops in_ops = {
    .on_data = in_on_data,
    .on_end = in_on_end,
    .on_want = ignore_want,
    .on_closed = ignore_closed,
};

enum err facts_exchange_accept(struct facts_exchange *x, const struct http_head *head, bool ended,
                               struct mesh_stream **ret_stream)
{
    if (x->in.h2)
        return ERR_LIMIT;
    if (head->method != HTTP_POST || ended)
        return ERR_PROTOCOL;
    buf_clear(&x->body);
    *ret_stream = &x->in;
    return ERR_OK;
}

/* --- ours */

static void out_on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    struct mesh *m = peer_slot_of(ms->peer)->mesh;
    (void)ended;
    if (head->status != 204)
        LOG(m->cfg.log, LOG_DEBUG, "facts_not_taken", LOG_STR("peer", ms->peer->name),
            LOG_INT("status", head->status));
}

static void out_on_data(struct mesh_stream *ms, struct bytes data)
{
    h2_consume(ms->h2, data.size);
}

static void out_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    (void)ms;
    (void)trailers;
}

static const struct mesh_stream_ops out_ops = {
    .on_head = out_on_head,
    .on_data = out_on_data,
    .on_end = out_on_end,
    .on_want = ignore_want,
    .on_closed = ignore_closed,
};

static enum err post(struct link *l, struct bytes wire)
{
    struct mesh_stream *ms = &l->facts.out;
    struct http_field type = {.id = HTTP_CONTENT_TYPE,
                              .name = BYTES("content-type"),
                              .value = BYTES("application/x-protobuf")};
    struct http_head head = {.method = HTTP_POST,
                             .target = BYTES(FACTS_EXCHANGE_TARGET),
                             .host = bytes_from_str(l->peer->name),
                             .content_length = -1,
                             .fields = &type,
                             .field_count = 1};
    if (ms->h2 || l->goaway)
        return ERR_OK;
    ms->peer = l->peer;
    TRY(h2_request(l->client, &head, false, ms, &ms->h2));
    TRY(h2_send(ms->h2, wire));
    return h2_end(ms->h2, NULL);
}

static void tell(struct link *l)
{
    struct mesh *m = l->mesh;
    enum err e = post(l, buf_bytes(&m->facts_wire));
    if (e == ERR_OK)
        return;
    mesh_stream_cancel(&l->facts.out);
    LOG(m->cfg.log, LOG_DEBUG, "facts_not_sent", LOG_STR("peer", l->peer->name), LOG_ERR(e));
}

static enum err encode(struct mesh *m)
{
    struct facts_backend backends[FACTS_BACKENDS_MAX];
    struct facts said;
    buf_clear(&m->facts_wire);
    facts_cut(m->ops->facts(m->owner), backends, &said);
    return facts_encode(&said, &m->facts_wire);
}

static void on_timer(struct io_timer *timer)
{
    struct mesh *m = LIST_ENTRY(timer, struct mesh, facts_timer);
    enum err e = m->peer_count ? encode(m) : ERR_OK;
    if (e != ERR_OK)
        LOG(m->cfg.log, LOG_ERROR, "facts_not_encoded", LOG_ERR(e));
    for (size_t i = 0; i < m->peer_count && e == ERR_OK; i++) {
        if (m->peers[i]->peer.link)
            tell(m->peers[i]->peer.link);
    }
    m->facts_pushed_ms = mesh_now_ms(m);
    io_timer_start(m->cfg.loop, &m->facts_timer, MESH_FACTS_INTERVAL_MS, on_timer);
}

void facts_exchange_greet(struct link *l)
{
    enum err e = encode(l->mesh);
    if (e == ERR_OK)
        tell(l);
    else
        LOG(l->mesh->cfg.log, LOG_ERROR, "facts_not_encoded", LOG_ERR(e));
}

void facts_exchange_start(struct mesh *m)
{
    io_timer_start(m->cfg.loop, &m->facts_timer, MESH_FACTS_INTERVAL_MS, on_timer);
}

void facts_exchange_stop(struct mesh *m)
{
    io_timer_stop(&m->facts_timer);
}

void mesh_facts_changed(struct mesh *m)
{
    uint64_t now_ms = mesh_now_ms(m);
    uint64_t earliest_ms = m->facts_pushed_ms + FACTS_PUSH_MIN_MS;
    uint64_t delay_ms = earliest_ms > now_ms ? earliest_ms - now_ms : 0;
    if (io_timer_is_running(&m->facts_timer) && m->facts_timer.deadline_ms > now_ms + delay_ms)
        io_timer_start(m->cfg.loop, &m->facts_timer, delay_ms, on_timer);
}

void facts_exchange_init(struct facts_exchange *x)
{
    *x = (struct facts_exchange){.out.ops = &out_ops, .in.ops = &in_ops};
    buf_init(&x->body, FACTS_WIRE_MAX);
}

void facts_exchange_fini(struct facts_exchange *x)
{
    buf_fini(&x->body);
}
