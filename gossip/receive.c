/* Messages that came. A datagram is opened, whoever says it is from; then its parts are handed to
 * the files that know them. Nothing is answered to strangers. A part that does not parse ends its
 * message: what stood before it has been taken. */
#include "gossip/inner.h"

#define TELL_MS 500 /* two who do not believe each other must not keep each other busy */

static void take_part(struct gossip *g, struct gossip_from *from, struct bytes *message,
                      struct gossip_part *part, enum err *ret_err)
{
    bool is_about_records = part->type == GOSSIP_PART_RECORD || part->type >= GOSSIP_PART_DIGEST;
    if (is_about_records && gossip_is_blamed(g, from->row)) {
        *ret_err = ERR_OVERLOADED;
        return;
    }
    switch (part->type) {
    case GOSSIP_PART_RECORD: gossip_records_on_record(g, from, part); return;
    case GOSSIP_PART_DIGEST: gossip_repair_on_digest(g, from, message, part, ret_err); return;
    case GOSSIP_PART_VERSIONS: gossip_repair_on_versions(g, from, message, part, ret_err); return;
    case GOSSIP_PART_WANT: gossip_repair_on_want(g, from, message, part, ret_err); return;
    default: break;
    }
    bool is_for_strangers = part->type == GOSSIP_PART_PING || part->type == GOSSIP_PART_ACCUSATION;
    if (!from->row && !is_for_strangers) /* at the other end of a link; its record may never come */
        return;
    switch (part->type) {
    case GOSSIP_PART_PING: gossip_probe_on_ping(g, from, part->cookie); return;
    case GOSSIP_PART_ACK: gossip_probe_on_ack(g, from, part); return;
    case GOSSIP_PART_NACK: gossip_probe_on_nack(g, part->cookie); return;
    case GOSSIP_PART_PING_REQ: gossip_probe_on_request(g, from, part); return;
    case GOSSIP_PART_ACCUSATION: gossip_suspicion_on_accusation(g, from, part); return;
    default: return;
    }
}

/* Its record under the incarnation that it is judged by: without it the accused does not know what
 * to go above, where another process spoke under its key, or it forgot. */
static void put_proof(struct gossip *g, const struct gossip_row *row)
{
    static const enum gossip_kind kinds[] = {GOSSIP_LEAVE, GOSSIP_LOAD, GOSSIP_NODE};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (row->member.records[kinds[i]].incarnation == row->member.incarnation &&
            gossip_records_put(g, row, kinds[i], 0, gossip_message_room(g)))
            return;
}

/* A member that speaks while it is suspect, down or left does not know what is said of it. */
static void tell_what_is_said(struct gossip *g, const struct gossip_from *from)
{
    struct gossip_row *row = from->row;
    if (!row || row->member.state == GOSSIP_ALIVE || g->now_ms - row->told_ms < TELL_MS)
        return;
    row->told_ms = g->now_ms;
    (void)gossip_message(g);
    if (!gossip_is_live(row))
        put_proof(g, row);
    gossip_suspicion_put(g, row);
    gossip_answer(g, from);
}

static void take_message(struct gossip *g, struct gossip_from *from, struct bytes message)
{
    enum err e = ERR_OK;
    g->answers_left = from->over_link ? GOSSIP_LINK_ANSWERS_MAX : GOSSIP_ANSWERS_MAX;
    if (from->row) {
        from->row->has_spoken = true;
        from->row->member.heard_ms = g->now_ms;
        if (from->over_link)
            from->row->linked_ms = g->now_ms;
    }
    while (message.size > 0 && e == ERR_OK) {
        struct gossip_part part;
        e = gossip_wire_next(&message, &part);
        if (e == ERR_OK)
            take_part(g, from, &message, &part, &e);
        from->row = gossip_row_find(g, &from->id); /* it may have come, or been forgotten */
        if (!from->row && !from->over_link)
            return;
    }
    if (e != ERR_OK)
        gossip_refuse(g, &from->id, e);
    tell_what_is_said(g, from);
}

static enum err open_datagram(struct gossip *g, const struct gossip_event *e,
                              struct gossip_from *from, struct bytes *ret_plain)
{
    struct gossip_ref ref;
    uint64_t sequence;
    TRY(gossip_seal_head(e->data, &ref, &sequence));
    struct gossip_row *row = gossip_row_by_ref(g, ref);
    if (!row || row == g->self)
        return ERR_NOT_FOUND;
    from->row = row;
    from->id = row->member.id;
    TRY(gossip_window_check(&row->window, sequence));
    if (!gossip_post_keys(g, row))
        return ERR_BAD_SIGNATURE;
    enum err result = ERR_BAD_SIGNATURE;
    for (size_t i = 0; i < g->cfg.key_count && result != ERR_OK; i++)
        result = gossip_seal_open(row->keys[i], &g->cfg.mesh, &row->member.id, e->data, g->plain,
                                  ret_plain);
    TRY(result);
    gossip_window_take(&row->window, sequence);
    return ERR_OK;
}

void gossip_receive_datagram(struct gossip *g, const struct gossip_event *e)
{
    struct gossip_from from = {.addr = e->addr};
    struct bytes plain;
    g->counts.datagrams_in++;
    g->counts.bytes_in += e->data.size;
    enum err result = open_datagram(g, e, &from, &plain);
    if (result != ERR_OK) {
        g->counts.datagrams_refused++;
        if (result == ERR_NOT_FOUND) /* whom we have not heard of yet */
            g->counts.refused[result]++;
        else
            gossip_refuse(g, from.row ? &from.id : NULL, result);
        return;
    }
    take_message(g, &from, plain);
}

void gossip_receive_link(struct gossip *g, const struct gossip_event *e)
{
    struct gossip_from from = {.row = gossip_row_find(g, &e->id), .id = e->id, .over_link = true};
    g->counts.link_messages_in++;
    g->counts.link_bytes_in += e->data.size;
    if (from.row == g->self || e->data.size > GOSSIP_MESSAGE_MAX) {
        gossip_refuse(g, &e->id, from.row == g->self ? ERR_SELF_LINK : ERR_LIMIT);
        return;
    }
    take_message(g, &from, e->data);
}
