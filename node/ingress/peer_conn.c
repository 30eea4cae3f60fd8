/* See peer_conn.h. One object per stream, from the request's head until the stream is gone.
 *
 * Happy path: envelope verified, body stored, digest compared, submitted; answer and trailers sent;
 * closed. Failure modes: no place (429), no or a bad envelope (403 with the reason, nothing runs),
 * a body that is too slow (408) or not the one promised, the peer gives up or the link goes (the
 * exchange is abandoned, which cancels the work below). */
#include "node/ingress/peer_conn.h"

#include "node/http/octets.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"

#include <stdlib.h>

#define SENT_TOGETHER (16 * 1024)

struct peer_conn {
    struct list node; /* lane's peer streams */
    struct mesh_stream stream;
    struct io_task broken; /* gives up what can no longer be answered, outside of the sink's call */
    struct io_idle slow;   /* while the request arrives */
    size_t arrived;        /* body bytes since that was last looked at */
    struct lane *lane;
    struct exchange *x; /* NULL: answered, or refused */
    bool is_opening;    /* inside peer_conn_open */
    bool may_end;       /* the answer has begun, without an announced length */
};

static struct peer_conn *of_stream(struct mesh_stream *ms)
{
    return LIST_ENTRY(ms, struct peer_conn, stream);
}
static struct peer_conn *of_exchange(const struct exchange *x)
{
    return x->sink_owner;
}

/* --- the answer */

/* Ours to write. A reason says that nobody executed the request, and would send it elsewhere: an
 * engine's answer cannot bring one. */
static bool drops(const struct exchange *x, const struct http_head *answer,
                  const struct http_field *f)
{
    if (f->id == HTTP_GRAPEVINE_REASON)
        return x->executor != NULL;
    return f->id == HTTP_CONTENT_LENGTH || http_is_ours(f->id) || http_is_hop_by_hop(answer, f);
}

static struct http_field own_field(enum http_name id, struct bytes value)
{
    return (struct http_field){id, http_name_text(id), value};
}

static struct facts_load load_of(const struct lane *lane)
{
    return lane->facts(lane->owner)->load;
}

/* An answer is not sent before its stream has ended: a draining node waits for that, too. */
static void release(struct peer_conn *pc)
{
    struct lane *lane = pc->lane;
    io_task_cancel(&pc->broken);
    io_idle_stop(&pc->slow);
    list_remove(&pc->node);
    lane->peer_stream_count--;
    free(pc);
    if (lane->state == LANE_DRAINING && lane->on_exchange_done)
        lane->on_exchange_done(lane->owner);
}

static void on_broken(struct io_task *task)
{
    struct peer_conn *pc = LIST_ENTRY(task, struct peer_conn, broken);
    if (pc->x)
        exchange_abandon(pc->x, ERR_CLIENT_GONE);
    release(pc);
}

/* The answer cannot be sent: the stream goes now, the work below as soon as this call is over. */
static void give_up(struct peer_conn *pc)
{
    mesh_stream_cancel(&pc->stream);
    if (!pc->is_opening)
        io_task_post(pc->lane->loop, &pc->broken);
}

static enum err sink_begin(struct exchange *x, const struct http_head *answer)
{
    struct peer_conn *pc = of_exchange(x);
    char load_text[40];
    char length_text[24];
    struct facts_load load = load_of(x->lane);
    size_t room = answer->field_count + HTTP_FIELDS_OWN;
    struct http_field *fields = arena_alloc(&x->arena, room * sizeof *fields);
    size_t n = 0;
    if (!fields)
        return ERR_NO_MEMORY;
    facts_load_to_text(&load, load_text);
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct http_field *f = &answer->fields[i];
        if (!drops(x, answer, f))
            fields[n++] = *f; /* h2 makes names lower case */
    }
    fields[n++] = own_field(HTTP_GRAPEVINE_LOAD, bytes_from_str(load_text));
    if (x->executor) {
        fields[n++] = own_field(HTTP_GRAPEVINE_NODE, bytes_from_str(x->executor));
        fields[n++] = own_field(HTTP_GRAPEVINE_PATH, x->answer_path);
    }
    if (answer->content_length >= 0) {
        struct buf text;
        buf_init_fixed(&text, (uint8_t *)length_text, sizeof length_text);
        CHECK(buf_append_decimal(&text, (uint64_t)answer->content_length) == ERR_OK);
        fields[n++] = own_field(HTTP_CONTENT_LENGTH, buf_bytes(&text));
    }
    struct http_head head = {.status = answer->status,
                             .content_length = answer->content_length,
                             .fields = fields,
                             .field_count = n};
    if (!pc->stream.h2)
        return ERR_OK; /* the peer is gone, which on_broken will tell */
    TRY(h2_respond(pc->stream.h2, &head, false));
    pc->may_end = answer->content_length < 0;
    return ERR_OK;
}

static void sink_data(struct exchange *x, struct bytes data)
{
    struct peer_conn *pc = of_exchange(x);
    if (pc->stream.h2 && h2_send(pc->stream.h2, data) != ERR_OK)
        give_up(pc);
}

/* A cancelled stream tells us nothing more: its object goes when its exchange does. */
static void part(struct peer_conn *pc)
{
    pc->x = NULL;
    if (!pc->stream.h2 && !pc->is_opening)
        release(pc);
}

static void sink_end(struct exchange *x, struct bytes receipts)
{
    struct peer_conn *pc = of_exchange(x);
    struct http_head trailers = {0};
    struct http_field field;
    struct buf text;
    buf_init(&text, receipts.size * 2 + 4);
    if (receipts.size > 0 && http_octets_pack(&text, receipts) == ERR_OK) {
        field = own_field(HTTP_GRAPEVINE_RECEIPTS, buf_bytes(&text));
        trailers = (struct http_head){.fields = &field, .field_count = 1};
    }
    if (pc->stream.h2 && h2_end(pc->stream.h2, trailers.field_count ? &trailers : NULL) != ERR_OK)
        mesh_stream_cancel(&pc->stream);
    buf_fini(&text);
    part(pc);
}

static void sink_abort(struct exchange *x, enum err reason)
{
    struct peer_conn *pc = of_exchange(x);
    /* Said behind what was sent before. Where a length was announced a reset says it: an end before
     * that length would be an offence against HTTP/2. */
    struct http_field why = own_field(HTTP_GRAPEVINE_REASON, bytes_from_str(err_word(reason)));
    struct http_head trailers = {.fields = &why, .field_count = 1};
    if (pc->stream.h2 && (!pc->may_end || h2_end(pc->stream.h2, &trailers) != ERR_OK))
        mesh_stream_cancel(&pc->stream);
    part(pc);
}

static size_t sink_queued(const struct exchange *x)
{
    const struct peer_conn *pc = of_exchange(x);
    size_t queued = pc->stream.h2 ? h2_send_queued(pc->stream.h2) : 0;
    return queued < SENT_TOGETHER ? 0 : queued; /* less is on its way at the end of this turn */
}

static const struct sink_ops sink_ops = {sink_begin, sink_data, sink_end, sink_abort, sink_queued};

/* --- the request */

static void on_data(struct mesh_stream *ms, struct bytes data)
{
    struct peer_conn *pc = of_stream(ms);
    enum err e = pc->x && pc->x->state == EXCHANGE_ARRIVING ? exchange_body(pc->x, data) : ERR_OK;
    pc->arrived += data.size;
    h2_consume(ms->h2, data.size); /* stored, or not wanted any more */
    if (e != ERR_OK)
        exchange_fail(pc->x, e, NULL); /* may be the end of pc */
}

static void on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct peer_conn *pc = of_stream(ms);
    struct exchange *x = pc->x;
    uint8_t hash[CRYPTO_HASH_SIZE];
    (void)trailers;
    io_idle_stop(&pc->slow);
    if (!x || x->state != EXCHANGE_ARRIVING)
        return;
    body_hash(&x->body, hash);
    if (!crypto_equal(hash, x->body_hash, sizeof hash)) {
        exchange_fail(x, ERR_BAD_SIGNATURE, "the body is not the one that the envelope names");
        return;
    }
    exchange_submit(x);
}

static void on_want(struct mesh_stream *ms)
{
    struct peer_conn *pc = of_stream(ms);
    if (pc->x)
        exchange_drained(pc->x);
}

static void on_closed(struct mesh_stream *ms, enum err reason)
{
    struct peer_conn *pc = of_stream(ms);
    (void)reason;
    if (pc->x)
        exchange_abandon(pc->x, ERR_CLIENT_GONE);
    release(pc);
}

static const struct mesh_stream_ops stream_ops = {NULL, on_data, on_end, on_want, on_closed};

/* --- time-outs */

static void on_slow(struct io_idle *idle)
{
    struct peer_conn *pc = LIST_ENTRY(idle, struct peer_conn, slow);
    bool is_slow = pc->arrived < BODY_STEP;
    if (!pc->x) { /* it got its answer long ago, and goes on sending */
        mesh_stream_cancel(&pc->stream);
        release(pc);
        return;
    }
    pc->arrived = 0;
    io_idle_touch(&pc->lane->header_timeouts, idle, on_slow);
    if (is_slow && pc->x->state == EXCHANGE_ARRIVING)
        exchange_fail(pc->x, ERR_REQUEST_TIMEOUT, NULL); /* may be the end of pc */
}

/* --- the request's head */

/* The head lives only for the call: a copy in the exchange's arena. */
static enum err copy_head(struct exchange *x, const struct http_head *head)
{
    struct http_field *fields = arena_alloc(&x->arena, (head->field_count + 1) * sizeof *fields);
    if (!fields)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *f = &head->fields[i];
        fields[i].id = f->id;
        fields[i].name =
            f->id == HTTP_OTHER ? arena_copy(&x->arena, f->name) : http_name_text(f->id);
        fields[i].value = arena_copy(&x->arena, f->value);
        if (!fields[i].name.data || (f->value.size > 0 && !fields[i].value.data))
            return ERR_HEADER_TOO_LARGE;
    }
    x->head = *head;
    x->head.fields = fields;
    x->head.target = arena_copy(&x->arena, head->target);
    x->head.host = bytes_of(NULL, 0);
    return x->head.target.data ? ERR_OK : ERR_NO_MEMORY;
}

/* One that cannot be read is none. */
static enum err read_envelope(struct exchange *x, struct peer *peer, struct envelope *ret_envelope)
{
    const struct http_field *field = http_find(&x->head, HTTP_GRAPEVINE_ENVELOPE);
    struct buf wire;
    if (!field)
        return ERR_BAD_SIGNATURE;
    uint8_t *room = arena_alloc(&x->arena, ENVELOPE_WIRE_MAX);
    if (!room)
        return ERR_NO_MEMORY;
    buf_init_fixed(&wire, room, ENVELOPE_WIRE_MAX);
    enum err e = http_octets_unpack(field->value, &wire);
    if (e == ERR_OK)
        e = envelope_open(buf_bytes(&wire), peer->key, &peer->envelope_cache, ret_envelope);
    return e == ERR_INVALID || e == ERR_LIMIT ? ERR_BAD_SIGNATURE : e;
}

static enum err open_envelope(struct exchange *x, struct peer *peer, struct envelope *ret_envelope)
{
    const struct lane *lane = x->lane;
    TRY(read_envelope(x, peer, ret_envelope));
    struct envelope_expect expect = {.mesh = lane->identity->mesh,
                                     .self = lane->identity->node,
                                     .peer = peer->id,
                                     .wall_ms = io_wall_ms(lane->loop)};
    TRY(envelope_check(ret_envelope, &expect, &peer->window));
    return bytes_equal(ret_envelope->target, x->head.target) ? ERR_OK : ERR_BAD_SIGNATURE;
}

static void take_envelope(struct exchange *x, const struct envelope *e)
{
    memcpy(x->request_id, e->request_id, sizeof x->request_id);
    memcpy(x->path, e->path, sizeof x->path);
    memcpy(x->body_hash, e->body_hash, sizeof x->body_hash);
    x->has_body_hash = true;
    x->hop = e->hop;
    x->origin = e->origin;
    x->epoch = e->epoch;
    terms_take(x, e); /* texts are the envelope's, which are in the arena */
    if (e->deadline_ms < exchange_remaining_ms(x))
        exchange_limit_time(x, io_now_ms(x->lane->loop) + e->deadline_ms);
}

static enum err admit(struct exchange *x, struct peer *peer, const struct http_head *head)
{
    struct envelope envelope;
    TRY(copy_head(x, head));
    TRY(open_envelope(x, peer, &envelope));
    take_envelope(x, &envelope);
    if (!x->endpoint)
        return ERR_NO_SUCH_PATH;
    if (!(x->endpoint->methods & 1u << x->head.method))
        return ERR_METHOD_NOT_ALLOWED;
    return ERR_OK;
}

/* Without a place it is made all the same, to say so. */
static enum err create(struct lane *lane, struct peer *peer, const struct http_head *head,
                       struct peer_conn *pc, bool *ret_has_place)
{
    enum err e =
        exchange_create(lane, api_find(head->target, API_PEER), peer, &sink_ops, pc, &pc->x);
    *ret_has_place = e != ERR_OVERLOADED;
    return *ret_has_place ? e : exchange_create(lane, NULL, peer, &sink_ops, pc, &pc->x);
}

enum err peer_conn_open(struct lane *lane, struct peer *peer, struct h2_stream *s,
                        const struct http_head *head, bool ended, struct mesh_stream **ret_stream)
{
    struct peer_conn *pc = calloc(1, sizeof *pc);
    bool has_place = true;
    if (!pc)
        return ERR_NO_MEMORY;
    enum err e = create(lane, peer, head, pc, &has_place);
    if (e != ERR_OK) {
        free(pc);
        return e;
    }
    pc->lane = lane;
    io_task_init(&pc->broken, on_broken);
    list_push_back(&lane->peer_streams, &pc->node);
    lane->peer_stream_count++;
    pc->is_opening = true;
    pc->stream = (struct mesh_stream){.ops = &stream_ops, .peer = peer, .h2 = s};
    lane->metrics.hops_in++;
    *ret_stream = &pc->stream;
    if (!ended)
        io_idle_touch(&lane->header_timeouts, &pc->slow, on_slow);
    e = has_place ? admit(pc->x, peer, head) : ERR_OVERLOADED;
    if (e != ERR_OK) {
        LOG(lane->log, lane_level(lane, LANE_LINES_PEERS, LOG_WARN), "forward_refused",
            LOG_STR("peer", peer->name), LOG_STR("id", pc->x->request_id), LOG_ERR(e));
        exchange_fail(pc->x, e, NULL);
    }
    if (ended)
        on_end(&pc->stream, NULL);
    pc->is_opening = false;
    if (pc->stream.h2)
        return ERR_OK;
    if (pc->x)
        exchange_abandon(pc->x, ERR_CLIENT_GONE);
    release(pc); /* not even the refusal could be sent */
    return ERR_INTERNAL;
}

void peer_conn_close_all(struct lane *lane)
{
    LIST_EACH_SAFE(it, tmp, &lane->peer_streams)
    on_broken(&LIST_ENTRY(it, struct peer_conn, node)->broken);
}
