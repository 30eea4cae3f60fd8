/* One attempt at a peer: a signed envelope and the body over the link, the answer and its receipts
 * back.
 *
 * Happy path: encode the envelope, let this turn's batch be signed, open an HTTP/2 stream, send the
 * body as the window allows, relay the answer, take the receipts from its trailers. Failure modes:
 * the link goes (LINK_LOST), the peer refuses (its reason is in grapevine-reason), answers 429 or
 * 5xx, breaks off in the middle, or we give up (the stream is reset, and the peer gives up its own
 * work in turn). */
#include "node/egress/calls.h"

#include "node/egress/forward.h"
#include "node/http/octets.h"
#include "node/ingress/answer.h"
#include "node/ingress/exchange.h"
#include "node/lane.h"

#define SEND_PIECE (32 * 1024) /* body bytes handed to the link at once */

static struct attempt *of_stream(struct mesh_stream *ms)
{
    return LIST_ENTRY(ms, struct attempt, call.peer.stream);
}

/* It is over and holds nothing any more. */
static void leave(struct attempt *a)
{
    a->ops = NULL;
    a->call.peer.peer->inflight--;
}

static void call_failed(struct attempt *a, enum err e, uint64_t retry_after_ms)
{
    leave(a);
    attempt_failed(a, e, retry_after_ms);
}

/* Its answer cannot be passed on. */
static void refuse_answer(struct attempt *a)
{
    mesh_stream_cancel(&a->call.peer.stream);
    call_failed(a, ERR_PROTOCOL, 0);
}

/* Likewise over, before or after the answer began. */
static void call_broken(struct attempt *a, enum err e)
{
    leave(a);
    if (attempt_has_won(a))
        attempt_broken(a, e == ERR_LINK_LOST || e == ERR_DEADLINE ? e : ERR_BACKEND_FAILED);
    else
        attempt_failed(a, e, 0);
}

static void send_more(struct attempt *a)
{
    struct peer_call *call = &a->call.peer;
    while (!call->is_sent && call->stream.h2 && h2_send_queued(call->stream.h2) == 0) {
        struct bytes parts[4];
        size_t count = body_next(&call->cursor, parts, 4, SEND_PIECE);
        enum err e = ERR_OK;
        for (size_t i = 0; i < count && e == ERR_OK; i++)
            e = h2_send(call->stream.h2, parts[i]);
        if (e == ERR_OK && body_cursor_at_end(&call->cursor)) {
            call->is_sent = true;
            e = h2_end(call->stream.h2, NULL);
        }
        if (e != ERR_OK) {
            mesh_stream_cancel(&call->stream);
            call_broken(a, e);
            return;
        }
    }
}

/* True when the answer was not taken: the attempt has failed. */
static bool is_failure(struct attempt *a, const struct http_head *head)
{
    const struct http_field *reason = http_find(head, HTTP_GRAPEVINE_REASON);
    if (!reason && head->status != 429 && head->status < 500)
        return false;
    enum err e = reason                ? answer_reason_of(reason->value)
                 : head->status == 429 ? ERR_BACKEND_BUSY
                                       : ERR_BACKEND_FAILED;
    if (e == ERR_REQUEST_TIMEOUT) { /* our part of the way was slow: no fault of the client's */
        mesh_stream_cancel(&a->call.peer.stream);
        call_failed(a, ERR_TIMEOUT, 0);
        return true;
    }
    bool elsewhere = err_class(e) == ERR_CLASS_RETRY || e == ERR_MODEL_NOT_FOUND ||
                     e == ERR_CLOCK_SKEW; /* the peer's clock, or ours: not the client's */
    e = e == ERR_MODEL_NOT_FOUND ? ERR_NO_CANDIDATE : e;
    if (!elsewhere || !attempt_is_dispensable(a, e))
        return false;
    mesh_stream_cancel(&a->call.peer.stream);
    call_failed(a, e, forward_retry_after_ms(head));
    return true;
}

/* Names, from the peer that was asked to the node that executed, and no more of them than a request
 * may pass: nothing else reaches the client. */
static bool is_trail(const struct attempt *a, struct bytes path, struct bytes node)
{
    struct bytes name = bytes_from_str(a->call.peer.peer->name);
    if (!bytes_starts_with(path, name) ||
        !bytes_equal(name, bytes_of(path.data, bytes_find(path, ','))))
        return false;
    for (uint32_t hop = a->x->hop; hop < ENVELOPE_HOPS_MAX; hop++) {
        name = bytes_of(path.data, bytes_find(path, ','));
        if (!cert_name_is_valid(name))
            return false;
        if (name.size == path.size)
            return bytes_equal(name, node);
        path = bytes_skip(path, name.size + 1);
    }
    return false;
}

static void note_path(struct attempt *a, const struct http_head *head)
{
    struct exchange *x = a->x;
    const struct http_field *node = http_find(head, HTTP_GRAPEVINE_NODE);
    const struct http_field *path = http_find(head, HTTP_GRAPEVINE_PATH);
    if (!node && !path)
        return;
    if (!node || !path || !is_trail(a, path->value, node->value)) {
        x->lane->metrics.trails_refused++;
        LOG(x->lane->log, lane_level(x->lane, LANE_LINES_PEERS, LOG_WARN), "trail_refused",
            LOG_STR("id", x->request_id), LOG_STR("peer", a->call.peer.peer->name));
        return;
    }
    struct bytes own = bytes_from_str(x->lane->config->name);
    size_t size = own.size + 1 + path->value.size;
    uint8_t *text = arena_alloc(&x->arena, size);
    a->executor = arena_str(&x->arena, node->value);
    if (!text)
        return;
    memcpy(text, own.data, own.size);
    text[own.size] = ',';
    memcpy(text + own.size + 1, path->value.data, path->value.size);
    a->answer_path = bytes_of(text, size);
}

static void on_end(struct mesh_stream *ms, const struct http_head *trailers);

static void on_head(struct mesh_stream *ms, const struct http_head *head, bool ended)
{
    struct attempt *a = of_stream(ms);
    struct facts_load load;
    const struct http_field *field = http_find(head, HTTP_GRAPEVINE_LOAD);
    if (field && facts_load_parse(field->value, &load) == ERR_OK)
        mesh_peer_load(a->x->lane->mesh, ms->peer, &load);
    if (is_failure(a, head))
        return;
    note_path(a, head);
    if (attempt_head(a, head) != ERR_OK)
        refuse_answer(a);
    else if (ended)
        on_end(ms, NULL);
}

static void on_data(struct mesh_stream *ms, struct bytes data)
{
    struct attempt *a = of_stream(ms);
    struct peer_call *call = &a->call.peer;
    if (attempt_data(a, data) != ERR_OK)
        refuse_answer(a);
    else if (call->is_paused)
        call->unreturned += data.size;
    else
        h2_consume(ms->h2, data.size);
}

/* A peer must not make us keep, and sign on top of, what is about another request. Signatures are
 * checked by whoever doubts (`receipt verify`). */
static bool is_about(const struct attempt *a, const struct receipt_entry *entry)
{
    struct exchange *x = a->x;
    struct receipt r;
    return crypto_equal(entry->signer, a->call.peer.peer->key, CRYPTO_PUBLIC_SIZE) &&
           receipt_decode(entry->record, &r) == ERR_OK && r.hop == x->hop + 1 &&
           strcmp(r.request_id, x->request_id) == 0 &&
           crypto_equal(r.request_hash, exchange_body_hash(x), DIGEST_SIZE);
}

/* The chain as it came; certificates are completed when it is passed on or asked for. */
static void take_receipts(struct attempt *a, const struct http_head *trailers)
{
    struct exchange *x = a->x;
    const struct http_field *field = trailers ? http_find(trailers, HTTP_GRAPEVINE_RECEIPTS) : NULL;
    if (!field)
        return;
    struct buf *wire = &x->lane->scratch;
    buf_clear(wire);
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t count = 0;
    if (http_octets_unpack(field->value, wire) != ERR_OK ||
        receipt_chain_decode(buf_bytes(wire), entries, &count) != ERR_OK || count == 0 ||
        !is_about(a, &entries[0])) {
        LOG(x->lane->log, lane_level(x->lane, LANE_LINES_PEERS, LOG_WARN), "receipts_bad",
            LOG_STR("id", x->request_id), LOG_STR("peer", a->call.peer.peer->name));
        return;
    }
    struct bytes below = arena_copy(&x->arena, buf_bytes(wire));
    if (!below.data)
        return;
    a->below = below;
    batch_leaf(entries[0].record, a->below_leaf);
}

/* The peer's word for why its answer ends here without being whole; OK: it is whole. */
static enum err reason_of_end(const struct http_head *trailers)
{
    const struct http_field *f = trailers ? http_find(trailers, HTTP_GRAPEVINE_REASON) : NULL;
    if (!f)
        return ERR_OK;
    enum err e = answer_reason_of(f->value);
    return e == ERR_DEADLINE ? e : ERR_BACKEND_FAILED;
}

static void end(struct attempt *a)
{
    if (a->call.peer.failure != ERR_OK) {
        call_broken(a, a->call.peer.failure);
        return;
    }
    leave(a); /* what is left of our own half is not wanted any more */
    attempt_end(a);
}

static void on_end(struct mesh_stream *ms, const struct http_head *trailers)
{
    struct attempt *a = of_stream(ms);
    a->call.peer.failure = reason_of_end(trailers);
    take_receipts(a, trailers);
    a->call.peer.has_end = true;
    if (a->call.peer.is_sent)
        return; /* on_closed follows at once; a reset here would count as abuse */
    mesh_stream_cancel(ms);
    end(a);
}

static void on_want(struct mesh_stream *ms)
{
    send_more(of_stream(ms));
}

static void on_closed(struct mesh_stream *ms, enum err reason)
{
    struct attempt *a = of_stream(ms);
    if (a->call.peer.has_end)
        end(a);
    else
        call_broken(a, attempt_has_won(a)      ? reason
                       : reason == ERR_REFUSED ? ERR_NO_CANDIDATE
                                               : ERR_LINK_LOST);
}

static const struct mesh_stream_ops stream_ops = {on_head, on_data, on_end, on_want, on_closed};

static void cancel(struct attempt *a)
{
    signer_cancel(&a->call.peer.signing);
    mesh_stream_cancel(&a->call.peer.stream);
    leave(a);
}

static void pause_call(struct attempt *a)
{
    a->call.peer.is_paused = true;
}

static void resume_call(struct attempt *a)
{
    struct peer_call *call = &a->call.peer;
    size_t size = call->unreturned;
    call->is_paused = false;
    call->unreturned = 0;
    if (size > 0 && call->stream.h2)
        h2_consume(call->stream.h2, size);
}

static const struct attempt_ops ops = {cancel, pause_call, resume_call};

static enum err build_head(struct exchange *x, struct bytes envelope, struct http_head *ret_head)
{
    struct http_field *fields =
        arena_alloc(&x->arena, (x->head.field_count + HTTP_FIELDS_OWN) * sizeof *fields);
    size_t n = 0;
    if (!fields)
        return ERR_NO_MEMORY;
    fields[n++] = (struct http_field){HTTP_GRAPEVINE_ENVELOPE,
                                      http_name_text(HTTP_GRAPEVINE_ENVELOPE), envelope};
    for (size_t i = 0; i < x->head.field_count; i++) {
        const struct http_field *f = &x->head.fields[i];
        if (!forward_drops(&x->head, f))
            fields[n++] = *f; /* h2 makes names lower case */
    }
    *ret_head = (struct http_head){.method = x->head.method,
                                   .target = x->head.target,
                                   .host = BYTES("grapevine"),
                                   .fields = fields,
                                   .field_count = n};
    return ERR_OK;
}

static enum err open_stream(struct attempt *a, const struct batch_proof *proof)
{
    struct exchange *x = a->x;
    struct peer_call *call = &a->call.peer;
    struct buf *wire = &x->lane->scratch;
    struct http_head head;
    buf_clear(wire);
    TRY(envelope_seal(call->record, proof, wire));
    size_t size = http_octets_packed_size(wire->size);
    struct buf text;
    buf_init_fixed(&text, arena_alloc(&x->arena, size), size);
    if (!text.data)
        return ERR_NO_MEMORY;
    TRY(http_octets_pack(&text, buf_bytes(wire)));
    TRY(build_head(x, buf_bytes(&text), &head));
    call->stream.ops = &stream_ops;
    TRY(mesh_stream_open(call->peer, &head, x->body.size == 0, &call->stream));
    x->lane->metrics.hops_out++;
    call->is_sent = x->body.size == 0;
    body_cursor_init(&x->body, &call->cursor);
    return ERR_OK;
}

static void on_signed(struct signer_item *item, const struct batch_proof *proof)
{
    struct attempt *a = LIST_ENTRY(item, struct attempt, call.peer.signing);
    enum err e = open_stream(a, proof);
    if (e != ERR_OK)
        call_failed(a, e, 0);
    else
        send_more(a);
}

static enum err write_envelope(struct exchange *x, struct peer *p, struct bytes *ret_record)
{
    const struct lane *lane = x->lane;
    uint8_t space[ENVELOPE_RECORD_MAX];
    struct buf record;
    struct envelope e = {
        .mesh = lane->identity->mesh,
        .origin = x->origin,
        .sender = lane->identity->node,
        .receiver = p->id,
        .boot_ms = lane->boot_ms,
        .sequence = p->next_sequence++,
        .issued_ms = io_wall_ms(lane->loop),
        .deadline_ms = exchange_remaining_ms(x),
        .hop = x->hop + 1,
        .epoch = lane->epoch,
        .target = x->head.target,
        .model = exchange_model(x),
    };
    terms_give(x, &e);
    memcpy(e.request_id, x->request_id, sizeof e.request_id);
    memcpy(e.path, x->path, x->hop * sizeof e.path[0]);
    memcpy(e.path[x->hop], lane->config->name, sizeof e.path[0]);
    memcpy(e.body_hash, exchange_body_hash(x), CRYPTO_HASH_SIZE);
    buf_init_fixed(&record, space, sizeof space);
    enum err encoded = envelope_encode(&e, &record);
    if (encoded != ERR_OK) /* of what it holds, only the target may be that long */
        return encoded == ERR_LIMIT ? ERR_URI_TOO_LONG : encoded;
    *ret_record = arena_copy(&x->arena, buf_bytes(&record));
    return ret_record->data ? ERR_OK : ERR_NO_MEMORY;
}

enum err peer_call_start(struct attempt *a, struct peer *p)
{
    struct exchange *x = a->x;
    struct peer_call *call = &a->call.peer;
    *call = (struct peer_call){.peer = p};
    list_init(&call->signing.node);
    TRY(write_envelope(x, p, &call->record));
    p->inflight++;
    a->ops = &ops;
    call->signing.on_signed = on_signed;
    signer_post(&x->lane->signer, BATCH_ENVELOPE, call->record, &call->signing);
    return ERR_OK;
}
