/* Messages that go: g->message is built by the files that have something to say, and leaves here,
 * sealed into a datagram or bare for a link, which seals it itself. What does not fit into one
 * step's effects is dropped as a network would drop it. */
#include "gossip/inner.h"

struct buf *gossip_message(struct gossip *g)
{
    buf_clear(&g->message);
    return &g->message;
}

size_t gossip_message_room(const struct gossip *g)
{
    return g->message.size < GOSSIP_SEAL_PLAIN_MAX ? GOSSIP_SEAL_PLAIN_MAX - g->message.size : 0;
}

uint64_t gossip_post_sequence(struct gossip *g)
{
    uint64_t now = (g->first_incarnation << GOSSIP_SEQUENCE_SHIFT) + g->uptime_ms * 1000;
    g->sequence = now > g->sequence ? now : g->sequence + 1;
    return g->sequence;
}

bool gossip_post_keys(struct gossip *g, struct gossip_row *row)
{
    if (!row->has_shared)
        row->has_shared = g->cfg.ops->share(g->cfg.ctx, row->member.key, row->shared) == ERR_OK;
    if (!row->has_shared)
        return false;
    if (row->keys_made == g->keys_made)
        return true;
    for (size_t i = 0; i < g->cfg.key_count; i++)
        gossip_seal_key(g->cfg.keys[i], row->shared, &g->cfg.mesh, row->keys[i]);
    row->keys_made = g->keys_made;
    return true;
}

static void add_send(struct gossip *g, const struct gossip_send *s)
{
    g->sends[g->send_count++] = *s;
    if (s->over_link) {
        g->counts.link_messages_out++;
        g->counts.link_bytes_out += s->data.size;
        return;
    }
    g->counts.datagrams_out++;
    g->counts.bytes_out += s->data.size;
}

static bool has_room(const struct gossip *g, size_t size)
{
    bool fits = g->send_count < GOSSIP_SENDS_MAX && g->out.size + size <= GOSSIP_OUT_MAX;
    return fits && g->message.size > 0;
}

static void send_link(struct gossip *g, const struct id *to)
{
    size_t at = g->out.size;
    if (has_room(g, g->message.size) && buf_append(&g->out, buf_bytes(&g->message)) == ERR_OK)
        add_send(g, &(struct gossip_send){.over_link = true,
                                          .to = *to,
                                          .data = bytes_of(g->out.data + at, g->message.size)});
    buf_clear(&g->message);
}

static void send_datagram(struct gossip *g, struct gossip_row *row, const struct gossip_addr *to)
{
    size_t at = g->out.size;
    CHECK(g->message.size <= GOSSIP_SEAL_PLAIN_MAX);
    if (has_room(g, GOSSIP_DATAGRAM_MAX) && gossip_post_keys(g, row) &&
        gossip_seal(row->keys[0], &g->cfg.mesh, &g->self->member.id, gossip_post_sequence(g),
                    buf_bytes(&g->message), &g->out) == ERR_OK)
        add_send(g, &(struct gossip_send){.to = row->member.id,
                                          .addr = *to,
                                          .data = bytes_of(g->out.data + at, g->out.size - at)});
    buf_clear(&g->message);
}

void gossip_post(struct gossip *g, struct gossip_row *row)
{
    if (row->addr.size == 0 || row->datagram_misses >= GOSSIP_DATAGRAM_MISSES_MAX)
        send_link(g, &row->member.id);
    else
        send_datagram(g, row, &row->addr);
}

void gossip_post_datagram(struct gossip *g, struct gossip_row *row)
{
    send_datagram(g, row, &row->addr);
}

void gossip_post_link(struct gossip *g, struct gossip_row *row)
{
    send_link(g, &row->member.id);
}

void gossip_answer(struct gossip *g, const struct gossip_from *from)
{
    bool is_possible = (from->over_link || from->row) && g->answers_left > 0;
    if (!is_possible || g->message.size == 0) { /* forgotten meanwhile, or asked for too much */
        buf_clear(&g->message);
        return;
    }
    g->answers_left--;
    if (from->over_link)
        send_link(g, &from->id);
    else
        send_datagram(g, from->row, &from->addr);
}
