/* Bytes that go over a link: once per turn of the loop, when its signatures are made, what both
 * HTTP/2 sessions and the pings have to say is sealed into one buffer and written at once. While
 * the socket has not taken it, nothing more is pulled: it stays in the sessions, their windows
 * close, and the senders wait. */
#include "node/mesh/core.h"

#define REKEY_BYTES_DEFAULT (UINT64_C(1) << 30)
#define REKEY_MS_DEFAULT (UINT64_C(3600) * 1000)
#define ROUNDS_MAX 4 /* of LINK_OUT_MAX, before other links have their turn */

void link_output(struct link *l)
{
    if (link_is_open(l))
        io_task_post_last(l->mesh->cfg.loop, &l->flush);
}

void link_out_write(struct link *l)
{
    struct buf *out = &l->mesh->out;
    if (out->size) {
        struct bytes part = buf_bytes(out);
        l->mesh->counts.bytes_out += part.size;
        io_stream_write(l->stream, &part, 1);
    }
    buf_clear(out);
}

/* --- what is to be said */

static enum err put_rekey(struct link *l, struct buf *out)
{
    const struct mesh_cfg *cfg = &l->mesh->cfg;
    uint64_t now_ms = mesh_now_ms(l->mesh);
    bool is_due = l->writer.bytes >= (cfg->rekey_bytes ? cfg->rekey_bytes : REKEY_BYTES_DEFAULT) ||
                  now_ms - l->writer.keyed_ms >= (cfg->rekey_ms ? cfg->rekey_ms : REKEY_MS_DEFAULT);
    if (!is_due)
        return ERR_OK;
    l->mesh->counts.rekeys++;
    return record_put_rekey(&l->writer, out, now_ms);
}

static enum err put_pings(struct link *l, struct buf *out)
{
    struct link_ping *p = &l->ping;
    if (p->pong_is_due) {
        p->pong_is_due = false;
        TRY(record_put_whole(&l->writer, out, RECORD_PONG, bytes_of(p->pong, sizeof(p->pong))));
    }
    if (p->is_due) {
        uint64_t id = link_ping_take(l);
        uint8_t body[RECORD_PING_SIZE];
        for (int i = 0; i < RECORD_PING_SIZE; i++)
            body[i] = (uint8_t)(id >> (56 - 8 * i));
        TRY(record_put_whole(&l->writer, out, RECORD_PING, bytes_of(body, sizeof(body))));
    }
    return ERR_OK;
}

/* About one record's worth of one session. */
static enum err put_session(struct link *l, struct buf *out, struct h2 *session)
{
    bool dialler_is_client = (session == l->client) == l->dialled;
    enum record_type type = dialler_is_client ? RECORD_DIALLER : RECORD_ACCEPTOR;
    for (size_t taken = 0; taken < RECORD_BODY_MAX;) {
        struct bytes piece;
        TRY(h2_pull(session, &piece));
        if (!piece.size)
            break;
        taken += piece.size;
        TRY(record_put(&l->writer, out, type, piece));
    }
    return record_end(&l->writer, out);
}

static enum err fill(struct link *l, struct buf *out)
{
    TRY(put_rekey(l, out));
    TRY(put_pings(l, out));
    for (int silent = 0; silent < 2 && out->size < LINK_OUT_MAX;) {
        size_t before = out->size;
        TRY(put_session(l, out, l->server_first ? l->server : l->client));
        silent = out->size == before ? silent + 1 : 0;
        l->server_first = !l->server_first;
    }
    return ERR_OK;
}

/* --- writing it */

static bool is_drained(const struct link *l)
{
    return l->state == LINK_DRAINING && h2_stream_count(l->client) == 0 &&
           h2_stream_count(l->server) == 0;
}

/* True when there may be more. */
static bool run_round(struct link *l)
{
    struct buf *out = &l->mesh->out;
    buf_clear(out);
    enum err e = fill(l, out);
    if (e != ERR_OK) {
        l->is_mute =
            true; /* what was sealed is lost, and with it the place in the cipher's count */
        link_end(l, e);
        return false;
    }
    bool was_full = out->size >= LINK_OUT_MAX;
    link_out_write(l);
    if (!was_full && is_drained(l))
        link_end(l, ERR_DUPLICATE_LINK);
    return was_full;
}

void link_out_run(struct io_task *task)
{
    struct link *l = LIST_ENTRY(task, struct link, flush);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (!link_is_open(l) || io_stream_queued(l->stream) > 0 || !run_round(l))
            return; /* on_drain goes on, or whoever has something new to say */
    }
    link_output(l);
}

/* --- the last word */

static enum err put_close(struct link *l, enum err reason, struct buf *out)
{
    uint8_t code = record_reason_encode(reason);
    struct bytes body = bytes_of(&code, 1);
    if (!l->handshake)
        return record_put_whole(&l->writer, out, RECORD_CLOSE, body);
    if (!l->handshake->has_keys)
        return out->size ? ERR_OK : handshake_refuse(reason, out);
    struct record_writer writer;
    record_writer_init(&writer, &l->handshake->send, 0);
    enum err e = record_put_whole(&writer, out, RECORD_CLOSE, body);
    record_writer_fini(&writer);
    return e;
}

/* GOAWAY and the last answers go before it. */
void link_out_goodbye(struct link *l, enum err reason)
{
    struct buf *out = &l->mesh->out;
    enum err e = ERR_OK;
    if (link_is_open(l)) {
        buf_clear(out);
        e = fill(l, out);
    }
    if (e == ERR_OK)
        e = put_close(l, reason, out);
    if (e == ERR_OK)
        link_out_write(l);
    buf_clear(out);
}
