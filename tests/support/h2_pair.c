/* See h2_pair.h. */
#include "tests/support/h2_pair.h"

#include <stdlib.h>

void pair_must(enum err e)
{
    CHECK(e == ERR_OK);
}

static void pair_text_fields(struct pair_side *side, const struct http_head *head)
{
    for (size_t i = 0; i < head->field_count; i++) {
        pair_must(buf_append_str(&side->text, " "));
        pair_must(buf_append(&side->text, head->fields[i].name));
        pair_must(buf_append_str(&side->text, ":"));
        pair_must(buf_append(&side->text, head->fields[i].value));
    }
    pair_must(buf_append_str(&side->text, "\n"));
}

static void pair_on_output(void *owner)
{
    ((struct pair_side *)owner)->outputs++;
}

static struct pair_stream *pair_new_stream(struct pair_side *side)
{
    CHECK(side->count < PAIR_STREAMS_MAX);
    struct pair_stream *ps = &side->streams[side->count++];
    *ps = (struct pair_stream){.side = side};
    buf_init(&ps->data, 64 << 20);
    return ps;
}

static enum err pair_on_request(void *owner, struct h2_stream *s, const struct http_head *head,
                                bool ended)
{
    struct pair_side *side = (struct pair_side *)owner;
    pair_must(buf_append(&side->text, http_method_text(head->method)));
    pair_must(buf_append_str(&side->text, " "));
    pair_must(buf_append(&side->text, head->target));
    pair_must(buf_append_str(&side->text, " host="));
    pair_must(buf_append(&side->text, head->host));
    pair_must(buf_printf(&side->text, " length=%lld%s%s", (long long)head->content_length,
                         head->expect_continue ? " continue" : "", ended ? " ended" : ""));
    pair_text_fields(side, head);
    if (side->refuse != ERR_OK || side->count == PAIR_STREAMS_MAX)
        return side->refuse == ERR_OK ? ERR_OVERLOADED : side->refuse;
    struct pair_stream *ps = pair_new_stream(side);
    ps->s = s;
    ps->head = true;
    ps->ended = ended;
    h2_stream_set_owner(s, ps);
    if (side->cancel_requests) {
        h2_cancel(s);
        ps->s = NULL;
    }
    return ERR_OK;
}

static void pair_on_goaway(void *owner)
{
    ((struct pair_side *)owner)->goaways++;
}

void pair_cancel(struct pair_stream *ps)
{
    struct h2_stream *s = ps->s;
    ps->s = NULL;
    h2_cancel(s);
}

static void pair_on_head(void *stream_owner, struct h2_stream *s, const struct http_head *head,
                         bool ended)
{
    struct pair_stream *ps = (struct pair_stream *)stream_owner;
    CHECK(ps->s == s && !ps->head && !ps->ended);
    ps->head = true;
    ps->ended = ended;
    ps->status = head->status;
    pair_must(buf_printf(&ps->side->text, "%d length=%lld%s", head->status,
                         (long long)head->content_length, ended ? " ended" : ""));
    pair_text_fields(ps->side, head);
    if (ps->cancel_on_head)
        pair_cancel(ps);
}

static void pair_on_data(void *stream_owner, struct h2_stream *s, struct bytes data)
{
    struct pair_stream *ps = (struct pair_stream *)stream_owner;
    CHECK(ps->s == s && ps->head && !ps->ended);
    pair_must(buf_append(&ps->data, data));
    if (!ps->hold_credit)
        h2_consume(s, data.size);
    if (ps->cancel_on_data)
        pair_cancel(ps);
}

static void pair_on_end(void *stream_owner, struct h2_stream *s, const struct http_head *trailers)
{
    struct pair_stream *ps = (struct pair_stream *)stream_owner;
    CHECK(ps->s == s && ps->head && !ps->ended);
    ps->ended = true;
    pair_must(buf_append_str(&ps->side->text, "end"));
    pair_text_fields(ps->side, trailers);
}

static void pair_on_want(void *stream_owner, struct h2_stream *s)
{
    static const uint8_t filler[16384] = {0};
    struct pair_stream *ps = (struct pair_stream *)stream_owner;
    CHECK(ps->s == s && h2_send_queued(s) == 0);
    ps->wants++;
    size_t size = ps->to_send < sizeof filler ? ps->to_send : sizeof filler;
    if (size == 0)
        return;
    ps->to_send -= size;
    pair_must(h2_send(s, bytes_of(filler, size)));
    if (ps->to_send == 0)
        pair_must(h2_end(s, NULL));
}

static void pair_on_closed(void *stream_owner, struct h2_stream *s, enum err reason)
{
    struct pair_stream *ps = (struct pair_stream *)stream_owner;
    CHECK(ps->s == s && !ps->closed);
    ps->closed = true;
    ps->s = NULL;
    ps->reason = reason;
}

static void pair_side_init(struct pair_side *side, struct h2_cfg cfg)
{
    static const struct h2_ops ops = {
        .on_output = pair_on_output,
        .on_request = pair_on_request,
        .on_goaway = pair_on_goaway,
        .on_head = pair_on_head,
        .on_data = pair_on_data,
        .on_end = pair_on_end,
        .on_want = pair_on_want,
        .on_closed = pair_on_closed,
    };
    buf_init(&side->text, 64 << 20);
    pair_must(h2_create(&cfg, &ops, side, &side->h));
}

struct pair *pair_create(struct h2_cfg client, struct h2_cfg server)
{
    struct pair *p = (struct pair *)calloc(1, sizeof *p);
    CHECK(p);
    client.server = false;
    server.server = true;
    pair_side_init(&p->client, client);
    pair_side_init(&p->server, server);
    return p;
}

static void pair_side_fini(struct pair_side *side)
{
    h2_destroy(side->h);
    side->h = NULL;
    for (size_t i = 0; i < side->count; i++) {
        CHECK(!side->streams[i].s);
        buf_fini(&side->streams[i].data);
    }
    buf_fini(&side->text);
}

void pair_destroy(struct pair *p)
{
    pair_side_fini(&p->client);
    pair_side_fini(&p->server);
    free(p);
}

enum err pair_move(struct pair_side *from, struct pair_side *to, bool *ret_moved)
{
    struct bytes piece;
    TRY(h2_pull(from->h, &piece));
    *ret_moved = piece.size > 0;
    return h2_feed(to->h, piece);
}

enum err pair_pump(struct pair *p)
{
    bool there = true, back = true;
    for (int i = 0; i < 100000 && (there || back); i++) {
        TRY(pair_move(&p->client, &p->server, &there));
        TRY(pair_move(&p->server, &p->client, &back));
    }
    return there || back ? ERR_INTERNAL : ERR_OK;
}

struct pair_stream *pair_request(struct pair *p, const struct http_head *head, bool ended)
{
    struct pair_stream *ps = pair_new_stream(&p->client);
    if (h2_request(p->client.h, head, ended, ps, &ps->s) == ERR_OK)
        return ps;
    p->client.count--;
    return NULL;
}
