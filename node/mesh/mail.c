/* Happy path: send, post on the peer's link, 204. Failure modes: no link (the message waits, the
 * peer is dialled; contact.c drops it when that fails), no stream to be had (it waits for one to
 * end), the link ends under it (lost: gossip repairs), a message longer than any may be (400). */
#include "node/mesh/mail.h"

#include "node/mesh/core.h"

#include <stdlib.h>

struct message {
    struct list waiting;
    size_t size;
    uint8_t data[];
};

/* --- theirs */

static void in_done(struct mail_in *in)
{
    buf_fini(&in->body);
    buf_init(&in->body, GOSSIP_MESSAGE_MAX);
    in->is_too_long = false;
}

static void in_on_data(struct mesh_stream *ms, struct bytes data)
{
    struct mail_in *in = LIST_ENTRY(ms, struct mail_in, stream);
    h2_consume(ms->h2, data.size);
    if (in->is_too_long || buf_append(&in->body, data) == ERR_OK)
        return;
    in->is_too_long = true;
    buf_clear(&in->body);
}

static void in_on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct mail_in *in = LIST_ENTRY(ms, struct mail_in, stream);
    struct http_head head = {.status = in->is_too_long ? 400 : 204, .content_length = -1};
    (void)trailers;
    if (h2_respond(ms->h2, &head, true) != ERR_OK)
        mesh_stream_cancel(ms);
    if (!in->is_too_long)
        gossip_driver_on_message(ms->peer, buf_bytes(&in->body));
    in_done(in);
}

static void ignore_want(struct mesh_stream *ms)
{
    (void)ms;
}

static void in_on_closed(struct mesh_stream *ms, enum err reason)
{
    (void)reason;
    in_done(LIST_ENTRY(ms, struct mail_in, stream));
}

static const struct mesh_stream_ops in_ops = {
    .on_data = in_on_data,
    .on_end = in_on_end,
    .on_want = ignore_want,
    .on_closed = in_on_closed,
};

enum err mail_accept(struct link *l, const struct http_head *head, bool ended,
                     struct mesh_stream **ret_stream)
{
    if (head->method != HTTP_POST || ended)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < MAIL_STREAMS_MAX; i++) {
        struct mail_in *in = &l->mail.in[i];
        if (in->stream.h2)
            continue;
        in_done(in);
        *ret_stream = &in->stream;
        return ERR_OK;
    }
    return ERR_LIMIT;
}

/* --- ours */

static void out_on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    (void)ended;
    if (head->status != 204)
        LOG(peer_slot_of(ms->peer)->mesh->cfg.log, LOG_DEBUG, "message_not_taken",
            LOG_STR("peer", ms->peer->name), LOG_INT("status", head->status));
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

static void out_on_closed(struct mesh_stream *ms, enum err reason)
{
    if (reason != ERR_LINK_LOST) /* else peer.c knows whether there is another link */
        mail_flush(ms->peer);
}

static const struct mesh_stream_ops out_ops = {
    .on_head = out_on_head,
    .on_data = out_on_data,
    .on_end = out_on_end,
    .on_want = ignore_want,
    .on_closed = out_on_closed,
};

static enum err post(struct peer *p, struct mesh_stream *ms, struct bytes message)
{
    struct http_field type = {.id = HTTP_CONTENT_TYPE,
                              .name = BYTES("content-type"),
                              .value = BYTES("application/octet-stream")};
    struct http_head head = {.method = HTTP_POST,
                             .target = BYTES(MAIL_TARGET),
                             .host = bytes_from_str(p->name),
                             .content_length = -1,
                             .fields = &type,
                             .field_count = 1};
    ms->ops = &out_ops;
    TRY(mesh_stream_open(p, &head, false, ms));
    enum err e = h2_send(ms->h2, message);
    if (e == ERR_OK)
        e = h2_end(ms->h2, NULL);
    if (e != ERR_OK)
        mesh_stream_cancel(ms);
    return e;
}

static struct mesh_stream *free_stream(struct link *l)
{
    for (size_t i = 0; i < MAIL_STREAMS_MAX; i++)
        if (!l->mail.out[i].h2)
            return &l->mail.out[i];
    return NULL;
}

/* --- what waits */

static void drop_first(struct mailbox *box)
{
    struct message *first = LIST_ENTRY(list_pop_front(&box->waiting), struct message, waiting);
    box->count--;
    box->bytes -= first->size;
    free(first);
}

static void drop_oldest(struct peer *p)
{
    drop_first(&peer_slot_of(p)->mail);
    peer_slot_of(p)->mesh->counts.messages_dropped++;
}

void mail_drop(struct peer *p)
{
    while (peer_slot_of(p)->mail.count > 0)
        drop_oldest(p);
}

void mail_flush(struct peer *p)
{
    struct mailbox *box = &peer_slot_of(p)->mail;
    while (p->link && box->count > 0) {
        struct mesh_stream *ms = free_stream(p->link);
        const struct message *first = LIST_ENTRY(box->waiting.next, struct message, waiting);
        enum err e = ms ? post(p, ms, bytes_of(first->data, first->size)) : ERR_LIMIT;
        if (e == ERR_LIMIT)
            return; /* a stream that ends goes on here, or the next message */
        if (e == ERR_OK)
            drop_first(box);
        else
            drop_oldest(p);
    }
}

void mail_send(struct peer *p, struct bytes message)
{
    struct peer_slot *slot = peer_slot_of(p);
    struct mailbox *box = &slot->mail;
    struct message *copy = malloc(sizeof(*copy) + message.size);
    if (!copy) {
        slot->mesh->counts.messages_dropped++;
        return;
    }
    copy->size = message.size;
    memcpy(copy->data, message.data, message.size);
    list_push_back(&box->waiting, &copy->waiting);
    box->count++;
    box->bytes += message.size;
    while (box->count > MAIL_WAITING_MAX || box->bytes > MAIL_BYTES_MAX)
        drop_oldest(p);
    mail_flush(p);
    if (!p->link)
        upkeep_dial(p);
}

/* --- life */

void mail_init(struct mailbox *box)
{
    *box = (struct mailbox){.count = 0};
    list_init(&box->waiting);
}

void mail_link_init(struct mail_link *ml)
{
    for (size_t i = 0; i < MAIL_STREAMS_MAX; i++) {
        ml->out[i] = (struct mesh_stream){.ops = &out_ops};
        ml->in[i] = (struct mail_in){.stream.ops = &in_ops};
        buf_init(&ml->in[i].body, GOSSIP_MESSAGE_MAX);
    }
}

void mail_link_fini(struct mail_link *ml)
{
    for (size_t i = 0; i < MAIL_STREAMS_MAX; i++)
        buf_fini(&ml->in[i].body);
}
