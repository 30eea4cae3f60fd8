/* Loads: one record a second from everybody to everybody in the region, too much for an epidemic
 * (each would arrive several times). The live members of a region, in the order of their ids, form
 * a grid of about sqrt(N) columns. An owner sends its load to one relay in each column (of its own
 * row), each relay hands what it got to its column: every record arrives once, by two hops. So that
 * a relay hands a whole row's loads on in one datagram per member, the owners of a row keep time by
 * each other: who hears a neighbour's load when its own is nearly due publishes at once (pulse
 * coupling; Mirollo and Strogatz, 1990). Where a relay is missing, repair fills the gap.
 *
 * The payload is asked for at that moment, so that it is fresh. Silent when nothing moved; at once
 * on a sharp change or a refutation. */
#include "gossip/inner.h"

#define URGENT_MS 100     /* between two publications, however sharp the changes */
#define NEARLY_DUE_MS 700 /* of the interval: a neighbour's load makes it due */
#define DELAY_MS 200      /* at most, towards the moment of a neighbour before us in the row */
#define ANSWER_MS 50      /* the shell's time to bring the payload */
#define RELAY_MS 40       /* a relay waits as long for the rest of the row */

static void relay_later(struct gossip *g, struct gossip_row *row, enum gossip_kind kind,
                        bool is_for_column)
{
    bool is_needed = g->guest_count > 0 || is_for_column;
    for (size_t i = 0; i < g->onward_count; i++)
        if (g->onward[i].row == row && g->onward[i].kind == kind) {
            g->onward[i].is_for_column |= is_for_column;
            return;
        }
    if (!is_needed || g->onward_count == GOSSIP_ONWARD_MAX)
        return; /* repair will bring it */
    g->onward[g->onward_count++] = (struct gossip_onward){row, kind, is_for_column};
    gossip_sooner(&g->relay_due_ms, g->now_ms + RELAY_MS);
}

static size_t column_count(const struct gossip *g)
{
    size_t columns = 1;
    while (columns * columns < g->grid_count)
        columns++;
    return columns;
}

static bool is_in_grid(const struct gossip *g, const struct gossip_row *row)
{
    return row->ring_position < g->grid_count;
}

/* --- publishing */

/* Who is not in the grid, because nobody can dial it, borrows a row of it. */
static void send_to_relays(struct gossip *g, struct gossip_row *owner, enum gossip_kind kind)
{
    gossip_ring_refresh(g);
    size_t columns = column_count(g);
    size_t row = g->grid_count ? g->self->ring_position % g->grid_count / columns : 0;
    for (size_t c = 0; c < columns; c++) {
        size_t at = row * columns + c;
        if (at >= g->grid_count && row > 0)
            at -= columns; /* the last row has gaps: the row above helps out */
        if (at >= g->grid_count || g->ring[at] == g->self)
            continue;
        (void)gossip_message(g);
        if (gossip_records_put(g, owner, kind, 1, gossip_message_room(g)))
            gossip_post(g, g->ring[at]);
    }
    relay_later(g, owner, kind, is_in_grid(g, g->self));
}

/* One of the region whose gateways begin at `at`: they stand together. NULL: none has spoken. */
static struct gossip_row *choose_gateway(struct gossip *g, size_t at, size_t *ret_next)
{
    const char *region = g->abroad[at]->member.region;
    struct gossip_row *chosen = NULL;
    size_t seen = 0;
    size_t i = at;
    for (; i < g->abroad_count && strcmp(g->abroad[i]->member.region, region) == 0; i++)
        if (g->abroad[i]->has_spoken && rng_below(&g->rng, ++seen) == 0)
            chosen = g->abroad[i];
    *ret_next = i;
    return chosen;
}

void gossip_fanout_abroad(struct gossip *g, enum gossip_kind kind)
{
    gossip_ring_refresh(g);
    for (size_t i = 0, next; i < g->abroad_count && g->self->member.is_gateway; i = next) {
        struct gossip_row *gateway = choose_gateway(g, i, &next);
        if (!gateway)
            continue;
        (void)gossip_message(g);
        if (gossip_records_put(g, g->self, kind, 2, gossip_message_room(g)))
            gossip_post(g, gateway);
    }
}

static void publish(struct gossip *g)
{
    gossip_records_publish(g, GOSSIP_LOAD, buf_bytes(&g->load));
    g->has_load = false;
    g->load_published_ms = g->load_moment_ms = g->now_ms;
    g->load_due_ms = g->now_ms + GOSSIP_LOAD_INTERVAL_MS;
    send_to_relays(g, g->self, GOSSIP_LOAD);
    gossip_fanout_abroad(g, GOSSIP_LOAD);
}

static bool is_as_published(const struct gossip *g, struct bytes payload)
{
    return gossip_has_record(g->self, GOSSIP_LOAD) &&
           bytes_equal(payload, g->self->member.records[GOSSIP_LOAD].payload);
}

void gossip_fanout_publish(struct gossip *g, struct bytes payload, bool is_urgent)
{
    buf_clear(&g->load);
    if (buf_append(&g->load, payload) != ERR_OK) {
        gossip_refuse(g, &g->self->member.id, ERR_LIMIT);
        return;
    }
    g->has_load = !is_as_published(g, payload);
    if (!g->has_load)
        return;
    bool is_first = !gossip_has_record(g->self, GOSSIP_LOAD);
    if (is_first || g->now_ms < g->load_asked_until_ms)
        publish(g);
    else if (is_urgent)
        gossip_sooner(&g->load_due_ms, g->load_published_ms + URGENT_MS);
}

void gossip_fanout_refute(struct gossip *g)
{
    publish(g);
    gossip_rumour_add(g, g->self, GOSSIP_LOAD);
}

/* --- relaying */

static void keep_time(struct gossip *g, const struct gossip_row *row)
{
    gossip_ring_refresh(g);
    size_t columns = column_count(g);
    uint64_t left_ms = g->load_due_ms > g->now_ms ? g->load_due_ms - g->now_ms : 0;
    if (row->ring_position / columns != g->self->ring_position / columns)
        return;
    if (left_ms < GOSSIP_LOAD_INTERVAL_MS - NEARLY_DUE_MS)
        g->load_due_ms = g->now_ms;
    else if (row->ring_position < g->self->ring_position && left_ms < GOSSIP_LOAD_INTERVAL_MS)
        g->load_due_ms += DELAY_MS < GOSSIP_LOAD_INTERVAL_MS - left_ms
                              ? DELAY_MS
                              : GOSSIP_LOAD_INTERVAL_MS - left_ms;
    gossip_sooner(&g->load_due_ms, g->load_moment_ms + GOSSIP_LOAD_INTERVAL_MS + DELAY_MS);
}

void gossip_fanout_on_record(struct gossip *g, struct gossip_row *row, enum gossip_kind kind,
                             uint32_t hop)
{
    if (hop == 2) {
        send_to_relays(g, row, kind);
        return;
    }
    if (hop == 1 && kind == GOSSIP_LOAD && !row->is_abroad)
        keep_time(g, row);
    relay_later(g, row, kind, hop == 1);
}

static void relay_to(struct gossip *g, struct gossip_row *peer, bool is_guest)
{
    (void)gossip_message(g);
    for (size_t i = 0; i < g->onward_count; i++) {
        const struct gossip_onward *o = &g->onward[i];
        if (o->row == peer || !(o->is_for_column || is_guest) ||
            gossip_records_put(g, o->row, o->kind, 0, gossip_message_room(g)))
            continue;
        gossip_post(g, peer);
        (void)gossip_records_put(g, o->row, o->kind, 0, gossip_message_room(g));
    }
    gossip_post(g, peer);
}

static void relay(struct gossip *g)
{
    gossip_ring_refresh(g);
    size_t columns = column_count(g);
    size_t first = is_in_grid(g, g->self) ? g->self->ring_position % columns : g->grid_count;
    for (size_t at = first; at < g->grid_count; at += columns)
        if (g->ring[at] != g->self)
            relay_to(g, g->ring[at], false);
    for (size_t i = 0; i < g->guest_count; i++)
        relay_to(g, g->guests[i], true);
    g->onward_count = 0;
    g->relay_due_ms = UINT64_MAX;
}

static void on_moment(struct gossip *g)
{
    g->load_moment_ms = g->now_ms;
    g->load_due_ms = g->now_ms + GOSSIP_LOAD_INTERVAL_MS;
    if (g->has_load) {
        publish(g);
        return;
    }
    g->wants_load = true;
    g->load_asked_until_ms = g->now_ms + ANSWER_MS;
}

void gossip_fanout_run(struct gossip *g)
{
    if (g->now_ms >= g->load_due_ms)
        on_moment(g);
    if (g->now_ms >= g->relay_due_ms)
        relay(g);
}

uint64_t gossip_fanout_deadline_ms(const struct gossip *g)
{
    return g->load_due_ms < g->relay_due_ms ? g->load_due_ms : g->relay_due_ms;
}

void gossip_fanout_drop(struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = g->onward_count; i-- > 0;)
        if (g->onward[i].row == row)
            g->onward[i] = g->onward[--g->onward_count];
}
