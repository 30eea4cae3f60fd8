/* Bytes that came over a link: cut into frames, which are handshake messages first and sealed
 * records after, and those are handed to the HTTP/2 sessions, the pings, or end the link. Whatever
 * does not fit ends it with a reason. */
#include "node/mesh/core.h"

#include <stdlib.h>

static enum err feed(struct link *l, enum record_type type, struct bytes body)
{
    bool is_ours = (type == RECORD_DIALLER) == l->dialled;
    return h2_feed(is_ours ? l->client : l->server, body);
}

static void on_close(struct link *l, struct bytes body)
{
    l->is_mute = true;
    if (l->handshake)
        l->handshake->refused_by_peer = true;
    link_end(l, record_reason_decode(body.data[0]));
}

static enum err on_record(struct link *l, enum record_type type, struct bytes body)
{
    switch (type) {
    case RECORD_DIALLER:
    case RECORD_ACCEPTOR: return feed(l, type, body);
    case RECORD_PING:
        memcpy(l->ping.pong, body.data, sizeof(l->ping.pong));
        l->ping.pong_is_due = true;
        link_output(l);
        return ERR_OK;
    case RECORD_PONG: link_ping_on_pong(l, body); return ERR_OK;
    case RECORD_CLOSE: on_close(l, body); return ERR_OK;
    default: /* the rekey notice has done its work already */ return ERR_OK;
    }
}

/* A dialler's link is up only when the acceptor's first record shows that it liked our certificate:
 * no request is sent before, and a refusal is seen as one. */
static enum err confirm(struct link *l, enum record_type type)
{
    return l->handshake && type != RECORD_CLOSE ? link_up(l) : ERR_OK;
}

static enum err read_record(struct link *l, struct bytes frame)
{
    struct noise_cipher *cipher = l->handshake ? &l->handshake->receive : &l->receive;
    enum record_type type;
    struct bytes body;
    enum err e = record_open(cipher, frame, l->mesh->plain, &type, &body);
    if (e != ERR_OK) {
        l->mesh->counts.records_bad++;
        return e;
    }
    TRY(confirm(l, type));
    return on_record(l, type, body);
}

/* A refusal is what handshake_read left to be written. */
static void refuse(struct link *l, enum err reason)
{
    memcpy(l->static_key, l->handshake->noise.remote_static, sizeof(l->static_key));
    l->is_mute = l->is_mute || l->handshake->refused_by_peer;
    link_end(l, reason);
}

static enum err read_handshake(struct link *l, struct bytes frame)
{
    struct mesh *m = l->mesh;
    buf_clear(&m->out);
    enum err e = handshake_read(l->handshake, frame, io_wall_ms(m->cfg.loop), &m->out);
    if (e != ERR_OK) {
        refuse(l, e);
        return ERR_OK;
    }
    link_out_write(l);
    return l->handshake->is_done && !l->dialled ? link_up(l) : ERR_OK;
}

static enum err read_frame(struct link *l, struct bytes frame)
{
    bool is_message = l->handshake && !l->handshake->is_done;
    return is_message ? read_handshake(l, frame) : read_record(l, frame);
}

static enum err read_all(struct link *l, struct bytes data)
{
    bool found = true;
    struct bytes frame;
    while (l->state != LINK_GONE) {
        TRY(record_frames_next(&l->frames, &data, &found, &frame));
        if (!found)
            return ERR_OK;
        TRY(read_frame(l, frame));
    }
    return ERR_OK;
}

void link_on_read(void *owner, struct bytes data)
{
    struct link *l = owner;
    l->mesh->counts.bytes_in += data.size;
    link_ping_notice_stall(l);
    l->read_ms = mesh_now_ms(l->mesh);
    enum err e = read_all(l, data);
    if (e != ERR_OK)
        link_end(l, e);
    else if (l->state == LINK_DRAINING)
        link_output(l); /* it may have been the last stream's end */
}
