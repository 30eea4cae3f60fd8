/* Links of a swarm: one between two nodes at most, made when the first message wants it, in order,
 * closed for want of use. The shell's part is here, too: what it tells its core when a link comes
 * up, cannot be made or breaks.
 *
 * Happy path: dial -> half a round trip -> the host answers -> both shells hear of the link ->
 * messages, each as late as the network makes it, none before the one before it.
 * Failure modes: no process on a live host refuses at once; a silent host, a cut or a paused
 * process are given up after GIVE_UP_US; a killed process resets, a lost host is silent. */
#include "tests/sim/gossip_world.h"

#include <stdlib.h>

#define GIVE_UP_US (3 * SWARM_SECOND)
#define RETRY_US (250 * SWARM_MS)
#define UNUSED_US (60 * SWARM_SECOND)
#define HEADERS_SIZE 70 /* IP and TCP, and the seal of a record */

struct message {
    struct list queue;
    uint64_t sent_us, due_us;
    size_t size;
    uint8_t data[];
};

static struct swarm_link **slot_of(const struct swarm *s, size_t a, size_t b)
{
    return &s->links[(a < b ? a : b) * s->node_count + (a < b ? b : a)];
}

static struct swarm_link *link_of(struct swarm *s, size_t a, size_t b)
{
    struct swarm_link **slot = slot_of(s, a, b);
    if (!*slot) {
        *slot = calloc(1, sizeof **slot);
        CHECK(*slot);
        (*slot)->ends[0] = a < b ? a : b;
        (*slot)->ends[1] = a < b ? b : a;
        list_init(&(*slot)->queues[0]);
        list_init(&(*slot)->queues[1]);
    }
    return *slot;
}

static void later(struct swarm *s, struct swarm_link *l, uint64_t at_us, enum swarm_event_type type,
                  unsigned side)
{
    struct swarm_event *e = swarm_event(s, at_us, type, l->ends[side], bytes_of(NULL, 0));
    e->link = l;
    e->side = side;
    e->life = l->serial;
}

static void drop_queue(struct list *queue)
{
    for (struct list *it; (it = list_pop_front(queue));)
        free(LIST_ENTRY(it, struct message, queue));
}

static void close_link(struct swarm *s, struct swarm_link *l)
{
    s->links_open -= l->state == SWARM_LINK_UP;
    l->state = SWARM_LINK_CLOSED;
    l->serial++;
    drop_queue(&l->queues[0]);
    drop_queue(&l->queues[1]);
}

static bool lives(const struct swarm *s, const struct swarm_link *l, unsigned side)
{
    const struct swarm_node *n = &s->nodes[l->ends[side]];
    return n->gossip && n->life == l->lives[side];
}

/* The shell of `side` hears that the other end is lost. */
static void tell(struct swarm *s, const struct swarm_link *l, unsigned side, enum err reason,
                 uint64_t at_us)
{
    if (!lives(s, l, side))
        return;
    struct swarm_event *e = swarm_event(s, at_us, SWARM_EVIDENCE, l->ends[side], bytes_of(NULL, 0));
    e->other = l->ends[!side];
    e->life = l->lives[side];
    TRACE(&s->trace, s->identities[s->nodes[l->ends[side]].identity].name, "link_lost",
          LOG_UINT("to", e->other), LOG_ERR(reason));
}

static bool path_is_open(const struct swarm *s, const struct swarm_link *l)
{
    return !swarm_is_cut(s, l->ends[0], l->ends[1]) && !swarm_is_cut(s, l->ends[1], l->ends[0]);
}

/* --- dialling */

static void dial(struct swarm *s, struct swarm_link *l, unsigned side)
{
    l->state = SWARM_LINK_DIALING;
    l->serial++;
    l->dialer = side;
    l->dialed_us = l->used_us = s->now_us;
    l->is_kept = s->nodes[l->ends[side]].only_dials;
    l->lives[side] = s->nodes[l->ends[side]].life;
    l->lives[!side] = s->nodes[l->ends[!side]].life;
    uint64_t at_us = s->now_us + swarm_latency_us(s, l->ends[side], l->ends[!side]);
    later(s, l, at_us, SWARM_LINK_DIAL, side);
}

static void fail_dial(struct swarm *s, struct swarm_link *l, unsigned side, enum err reason)
{
    tell(s, l, side, reason, s->now_us);
    if (!list_is_empty(&l->queues[!side]))
        tell(s, l, !side, reason, s->now_us);
    close_link(s, l);
}

static void on_dial(struct swarm *s, struct swarm_link *l, unsigned side)
{
    const struct swarm_node *to = &s->nodes[l->ends[!side]];
    uint64_t back_us = s->now_us + swarm_latency_us(s, l->ends[!side], l->ends[side]);
    bool reaches = path_is_open(s, l) && to->host_is_up;
    if (!lives(s, l, side)) {
        close_link(s, l);
    } else if (reaches && !to->gossip) {
        fail_dial(s, l, side, ERR_REFUSED);
    } else if (reaches && !to->is_paused) {
        l->lives[!side] = to->life;
        later(s, l, back_us, SWARM_LINK_OPEN, side);
    } else if (s->now_us - l->dialed_us >= GIVE_UP_US) {
        fail_dial(s, l, side, ERR_TIMEOUT);
    } else {
        later(s, l, s->now_us + RETRY_US, SWARM_LINK_DIAL, side);
    }
}

static void on_open(struct swarm *s, struct swarm_link *l)
{
    if (!lives(s, l, 0) || !lives(s, l, 1)) {
        close_link(s, l);
        return;
    }
    l->state = SWARM_LINK_UP;
    s->links_open++;
    for (unsigned side = 0; side < 2; side++) {
        struct swarm_event *e =
            swarm_event(s, s->now_us, SWARM_UP, l->ends[side], bytes_of(NULL, 0));
        e->other = l->ends[!side];
        e->life = l->lives[side];
        e->argument = s->now_us - l->dialed_us;
        if (!list_is_empty(&l->queues[side]))
            later(s, l, s->now_us, SWARM_LINK_PUMP, side);
    }
}

/* --- messages */

/* What is lost comes late: TCP sends it again after 200 ms, 400 ms, ... Later than GIVE_UP_US it is
 * not waited for: the link's own pings, behind it in the stream, are missed before. */
static uint64_t message_latency_us(struct swarm *s, size_t from, size_t to)
{
    uint64_t late_us = swarm_latency_us(s, from, to);
    for (uint64_t pause_us = 200 * SWARM_MS; rng_chance(&s->rng, s->loss); pause_us *= 2)
        late_us += pause_us;
    return late_us;
}

void swarm_link_send(struct swarm_node *from, size_t to, struct bytes data)
{
    struct swarm *s = from->swarm;
    bool is_self =
        from->identity == s->nodes[to].identity; /* a twin's links end in the handshake */
    if (is_self || (from->only_dials && s->nodes[to].only_dials))
        return;
    struct swarm_link *l = link_of(s, from->index, to);
    unsigned side = l->ends[0] != from->index;
    if (l->state != SWARM_LINK_CLOSED && !lives(s, l, side)) /* an earlier process had it */
        close_link(s, l);
    if (s->nodes[to].only_dials && l->state != SWARM_LINK_UP && !from->only_dials) {
        s->stats.unreachable++; /* no address to dial: nothing failed, nothing is tried */
        return;
    }
    if (l->state == SWARM_LINK_CLOSED)
        dial(s, l, side);
    if (data.size == 0)
        return;
    struct message *m = malloc(sizeof *m + data.size);
    CHECK(m);
    *m = (struct message){.sent_us = s->now_us, .size = data.size};
    m->due_us = s->now_us + message_latency_us(s, from->index, to);
    memcpy(m->data, data.data, data.size);
    bool is_first = list_is_empty(&l->queues[side]);
    list_push_back(&l->queues[side], &m->queue);
    if (is_first && l->state == SWARM_LINK_UP)
        later(s, l, m->due_us, SWARM_LINK_PUMP, side);
    if (s->is_measuring) {
        s->stats.messages++;
        s->stats.message_bytes += data.size + HEADERS_SIZE;
    }
}

static void lose(struct swarm *s, struct swarm_link *l, enum err reason)
{
    for (unsigned side = 0; side < 2; side++)
        tell(s, l, side, reason, s->now_us + rng_below(&s->rng, SWARM_SECOND));
    close_link(s, l);
}

static void deliver(struct swarm *s, struct swarm_link *l, unsigned side, struct message *m)
{
    const struct swarm_node *to = &s->nodes[l->ends[!side]];
    struct swarm_event *e =
        swarm_event(s, s->now_us, SWARM_MESSAGE, to->index, bytes_of(m->data, m->size));
    e->other = l->ends[side];
    e->life = l->lives[!side];
    swarm_liar_hears(s, e);
    if (to->is_paused) /* nothing comes back: the sender's keepalive misses it */
        later(s, l, s->now_us + GIVE_UP_US, SWARM_LINK_SILENT, side);
    list_remove(&m->queue);
    free(m);
    l->used_us = s->now_us;
}

static void on_pump(struct swarm *s, struct swarm_link *l, unsigned side)
{
    if (list_is_empty(&l->queues[side]))
        return;
    struct message *m = LIST_ENTRY(l->queues[side].next, struct message, queue);
    bool is_whole = lives(s, l, !side) && path_is_open(s, l);
    uint64_t lost_us = m->sent_us + GIVE_UP_US;
    if (m->due_us > s->now_us && s->now_us < lost_us) {
        later(s, l, m->due_us < lost_us ? m->due_us : lost_us, SWARM_LINK_PUMP, side);
    } else if (m->due_us > s->now_us) {
        lose(s, l, ERR_TIMEOUT);
    } else if (is_whole) {
        deliver(s, l, side, m);
        if (!list_is_empty(&l->queues[side]))
            later(s, l, s->now_us, SWARM_LINK_PUMP, side);
    } else if (path_is_open(s, l) && s->nodes[l->ends[!side]].host_is_up) {
        lose(s, l, ERR_LINK_LOST); /* reset */
    } else if (s->now_us >= lost_us) {
        lose(s, l, ERR_TIMEOUT);
    } else {
        later(s, l, s->now_us + RETRY_US, SWARM_LINK_PUMP, side);
    }
}

void swarm_link_handle(struct swarm *s, struct swarm_event *e)
{
    struct swarm_link *l = e->link;
    if (l->serial != e->life)
        return;
    switch (e->type) {
    case SWARM_LINK_DIAL: on_dial(s, l, e->side); break;
    case SWARM_LINK_OPEN: on_open(s, l); break;
    case SWARM_LINK_PUMP: on_pump(s, l, e->side); break;
    default: /* SWARM_LINK_SILENT */
        if (s->nodes[l->ends[!e->side]].is_paused)
            lose(s, l, ERR_TIMEOUT);
    }
}

/* --- ends */

bool swarm_link_is_open(const struct swarm *s, size_t a, size_t b)
{
    const struct swarm_link *l = *slot_of(s, a, b);
    return l && l->state == SWARM_LINK_UP && lives(s, l, 0) && lives(s, l, 1);
}

void swarm_link_break(struct swarm *s, size_t a, size_t b, enum err reason)
{
    if (swarm_link_is_open(s, a, b))
        lose(s, *slot_of(s, a, b), reason);
}

void swarm_links_of_dead(struct swarm *s, size_t node)
{
    for (size_t i = 0; i < s->node_count; i++) {
        struct swarm_link *l = i == node ? NULL : *slot_of(s, i, node);
        if (!l || l->state != SWARM_LINK_UP)
            continue;
        unsigned side = l->ends[0] != node;
        drop_queue(&l->queues[side]);
        if (!s->nodes[node].host_is_up || !path_is_open(s, l))
            continue; /* silence: whoever sends next finds out */
        tell(s, l, !side, ERR_LINK_LOST, s->now_us + swarm_latency_us(s, node, i));
        close_link(s, l);
    }
}

void swarm_links_sweep(struct swarm *s)
{
    for (size_t i = 0; s->links_open && i < s->node_count * s->node_count; i++) {
        struct swarm_link *l = s->links[i];
        bool is_old = l && l->state == SWARM_LINK_UP && s->now_us - l->used_us > UNUSED_US;
        if (is_old && (!l->is_kept || !lives(s, l, 0) || !lives(s, l, 1)))
            close_link(s, l);
    }
}

void swarm_links_fini(struct swarm *s)
{
    for (size_t i = 0; i < s->node_count * s->node_count; i++) {
        if (!s->links[i])
            continue;
        close_link(s, s->links[i]);
        free(s->links[i]);
    }
}
