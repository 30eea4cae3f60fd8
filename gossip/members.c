/* The table of members: a row for everybody heard of, in the order of their ids, so that a row is
 * found by its id or the first bytes of it, and buckets are runs. Beside it what follows from
 * states: the ring of the live of our region, the shuffled order of probes, the buckets' hashes,
 * and the memory of those who were forgotten. */
#include "gossip/inner.h"

#include <stdlib.h>

#define START_MS 15000
#define LINK_LASTS_MS 60000 /* without a word over it */

static const struct state_row state_rows[] = {
    [GOSSIP_ALIVE] = {"alive",
                      STATE_BIT(GOSSIP_SUSPECT) | STATE_BIT(GOSSIP_DOWN) | STATE_BIT(GOSSIP_LEFT)},
    [GOSSIP_SUSPECT] = {"suspect",
                        STATE_BIT(GOSSIP_ALIVE) | STATE_BIT(GOSSIP_DOWN) | STATE_BIT(GOSSIP_LEFT)},
    [GOSSIP_DOWN] = {"down", STATE_BIT(GOSSIP_ALIVE) | STATE_BIT(GOSSIP_LEFT)},
    [GOSSIP_LEFT] = {"left", STATE_BIT(GOSSIP_ALIVE)},
};
static const struct state_table states = {"member", state_rows, 4};

const char *gossip_state_name(enum gossip_state s)
{
    return state_name(&states, (int)s);
}

/* --- finding */

size_t gossip_row_lower_bound(const struct gossip *g, const uint8_t *prefix, size_t size)
{
    size_t low = 0;
    size_t high = g->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(g->rows[middle]->member.id.bytes, prefix, size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct gossip_row *gossip_row_find(const struct gossip *g, const struct id *id)
{
    size_t at = gossip_row_lower_bound(g, id->bytes, sizeof(id->bytes));
    bool is_there = at < g->row_count && id_equal(&g->rows[at]->member.id, id);
    return is_there ? g->rows[at] : NULL;
}

static bool has_prefix(const struct gossip *g, size_t index, const struct gossip_ref *ref)
{
    return index < g->row_count &&
           memcmp(g->rows[index]->member.id.bytes, ref->bytes, sizeof(ref->bytes)) == 0;
}

struct gossip_row *gossip_row_by_ref(const struct gossip *g, struct gossip_ref ref)
{
    size_t at = gossip_row_lower_bound(g, ref.bytes, sizeof(ref.bytes));
    return has_prefix(g, at, &ref) && !has_prefix(g, at + 1, &ref) ? g->rows[at] : NULL;
}

/* --- what changed */

static void tell_change(struct gossip *g, const struct gossip_row *row, enum gossip_state from,
                        enum err reason, bool is_new, bool is_forgotten)
{
    if (row == g->self)
        return;
    if (g->change_count == GOSSIP_CHANGES_MAX) {
        g->overflow = true;
        return;
    }
    struct gossip_change *c = &g->changes[g->change_count++];
    *c = (struct gossip_change){.id = row->member.id,
                                .from = from,
                                .to = row->member.state,
                                .is_new = is_new,
                                .is_forgotten = is_forgotten,
                                .incarnation = row->member.incarnation,
                                .reason = reason,
                                .accuser_count = row->accusation_count};
    memcpy(c->name, row->member.name, sizeof(c->name));
    for (size_t i = 0; i < row->accusation_count; i++)
        c->accusers[i] = row->accusations[i].accuser;
}

/* Who is down or left counts for nothing, as if it were not known: newcomers need not hear of
 * it. */
static uint64_t digest_of(const struct gossip *g, const struct gossip_row *row)
{
    uint64_t parts[2 + 2 * GOSSIP_KINDS] = {0};
    size_t n = 0;
    memcpy(parts, row->member.id.bytes, sizeof(row->member.id.bytes));
    n += 2;
    for (int kind = 0; kind < GOSSIP_KINDS; kind++) {
        parts[n++] = row->member.records[kind].incarnation;
        parts[n++] = row->member.records[kind].version;
    }
    return crypto_siphash(g->cfg.mesh.bytes, bytes_of(parts, sizeof(parts)));
}

void gossip_row_digest(struct gossip *g, struct gossip_row *row)
{
    uint64_t digest = gossip_is_live(row) ? digest_of(g, row) : 0;
    g->buckets[row->member.id.bytes[0]] ^= row->digest ^ digest;
    row->digest = digest;
}

void gossip_row_move(struct gossip *g, struct gossip_row *row, enum gossip_state next,
                     enum err reason)
{
    enum gossip_state from = row->member.state;
    if (from == next)
        return;
    int state = (int)from;
    state_move(&states, &state, (int)next);
    row->member.state = next;
    row->member.since_ms = g->now_ms;
    g->counts.members[from]--;
    g->counts.members[next]++;
    if ((from == GOSSIP_ALIVE || from == GOSSIP_SUSPECT) != gossip_is_live(row))
        g->ring_stale = true;
    if (!gossip_is_live(row))
        gossip_probe_drop(g, row);
    gossip_row_digest(g, row);
    tell_change(g, row, from, reason, false, false);
}

/* --- coming */

/* Under this incarnation or a greater one, unless it has signed something since it went: then it
 * lives, behind a partition that lasted longer than our memory. */
static bool was_forgotten(const struct gossip *g, const struct id *id,
                          const struct gossip_signed *said)
{
    for (size_t i = 0; i < GOSSIP_FORGOTTEN_MAX; i++) {
        const struct gossip_forgotten *f = &g->forgotten[i];
        if (id_equal(&f->id, id) && said->incarnation <= f->incarnation &&
            said->issued_s <= f->gone_s + GOSSIP_SKEW_MS / 1000)
            return true;
    }
    return false;
}

static void forget(struct gossip *g, struct gossip_row *row);

/* The one that is down or gone for the longest time. */
static struct gossip_row *most_forgettable(const struct gossip *g)
{
    struct gossip_row *oldest = NULL;
    for (size_t i = 0; i < g->row_count; i++) {
        struct gossip_row *row = g->rows[i];
        if (!gossip_is_live(row) && (!oldest || row->member.since_ms < oldest->member.since_ms))
            oldest = row;
    }
    return oldest;
}

static void put_in_order(struct gossip *g, struct gossip_row *row)
{
    size_t at = gossip_row_lower_bound(g, row->member.id.bytes, sizeof(row->member.id.bytes));
    memmove(g->rows + at + 1, g->rows + at, (g->row_count - at) * sizeof(struct gossip_row *));
    g->rows[at] = row;
    g->row_count++;
}

/* While a mesh starts all at once, on machines that are busy with it, nobody is dead for being
 * slow: a node that is new itself accuses nobody until it has met nobody new for a while. */
static void stay_quiet(struct gossip *g)
{
    uint64_t until_ms = g->now_ms + GOSSIP_QUIET_MS;
    if (g->uptime_ms < START_MS && until_ms > g->quiet_until_ms)
        g->quiet_until_ms = until_ms;
}

enum err gossip_row_add(struct gossip *g, const struct id *id, const struct gossip_owner *owner,
                        const struct gossip_signed *said, struct gossip_row **ret_row)
{
    if (said && was_forgotten(g, id, said))
        return ERR_REPLAYED;
    if (g->row_count == g->cfg.members_max && !most_forgettable(g))
        return ERR_LIMIT;
    struct gossip_row *row = calloc(1, sizeof(*row));
    if (!row)
        return ERR_NO_MEMORY;
    if (g->row_count == g->cfg.members_max)
        forget(g, most_forgettable(g));
    row->member.id = *id;
    row->member.incarnation = said ? said->incarnation : 0;
    row->member.since_ms = g->now_ms;
    memcpy(row->member.key, owner->key, sizeof(row->member.key));
    memcpy(row->member.name, owner->name, sizeof(row->member.name));
    memcpy(row->member.region, owner->region, sizeof(row->member.region));
    uint64_t oldest_ms = g->wall_ms > GOSSIP_SKEW_MS ? g->wall_ms - GOSSIP_SKEW_MS : 0;
    gossip_window_init(&row->window, oldest_ms / 1000 << GOSSIP_SEQUENCE_SHIFT);
    gossip_scope_rank(g, row);
    put_in_order(g, row);
    g->counts.members[GOSSIP_ALIVE]++;
    g->ring_stale = true;
    if (g->self) { /* the first row is our own */
        tell_change(g, row, GOSSIP_ALIVE, ERR_OK, true, false);
        stay_quiet(g);
    }
    *ret_row = row;
    return ERR_OK;
}

/* --- going */

static void row_free(struct gossip_row *row)
{
    for (int kind = 0; kind < GOSSIP_KINDS; kind++)
        free(row->stored[kind].data);
    crypto_wipe(row->shared, sizeof(row->shared));
    crypto_wipe(row->keys, sizeof(row->keys));
    free(row);
}

static void forget(struct gossip *g, struct gossip_row *row)
{
    if (!gossip_is_live(row)) /* else it may come back as it is */
        g->forgotten[g->forgotten_next++ % GOSSIP_FORGOTTEN_MAX] =
            (struct gossip_forgotten){row->member.id, row->member.incarnation,
                                      (g->wall_ms - (g->now_ms - row->member.since_ms)) / 1000};
    tell_change(g, row, row->member.state, ERR_OK, false, true);
    gossip_rumours_drop(g, row);
    gossip_probe_drop(g, row);
    gossip_fanout_drop(g, row);
    g->buckets[row->member.id.bytes[0]] ^= row->digest;
    g->counts.members[row->member.state]--;
    size_t at = gossip_row_lower_bound(g, row->member.id.bytes, sizeof(row->member.id.bytes));
    g->row_count--;
    memmove(g->rows + at, g->rows + at + 1, (g->row_count - at) * sizeof(struct gossip_row *));
    g->ring_stale = true;
    gossip_ring_refresh(g);
    row_free(row);
}

bool gossip_has_expired(const struct gossip *g, const struct gossip_row *row)
{
    return g->wall_ms > row->not_after_ms + GOSSIP_SKEW_MS;
}

static void reap_row(struct gossip *g, struct gossip_row *row)
{
    uint64_t age_ms = g->now_ms - row->member.since_ms;
    if (gossip_is_live(row) && gossip_has_expired(g, row))
        gossip_row_move(g, row, GOSSIP_DOWN, ERR_CERT_EXPIRED);
    else if ((!gossip_is_live(row) && age_ms > GOSSIP_FORGET_MS) || gossip_is_stranger(g, row))
        forget(g, row);
}

void gossip_members_reap(struct gossip *g)
{
    for (size_t i = g->row_count; i-- > 0;)
        if (g->rows[i] != g->self)
            reap_row(g, g->rows[i]);
}

void gossip_members_free(struct gossip *g)
{
    for (size_t i = 0; i < g->row_count; i++)
        row_free(g->rows[i]);
    g->row_count = 0;
}

/* --- the ring and the order */

static void shuffle_order(struct gossip *g)
{
    for (size_t i = g->order_count; i > 1; i--) {
        size_t j = rng_below(&g->rng, i);
        struct gossip_row *row = g->order[j];
        g->order[j] = g->order[i - 1];
        g->order[i - 1] = row;
    }
}

/* The live of our region that can be dialled, or those that only dial, by id. */
static void put_in_ring(struct gossip *g, bool only_dials)
{
    for (size_t i = 0; i < g->row_count; i++) {
        struct gossip_row *row = g->rows[i];
        if (!gossip_is_live(row) || row->is_abroad || row->only_dials != only_dials)
            continue;
        row->ring_position = (uint32_t)g->ring_count;
        g->ring[g->ring_count++] = row;
        if (row != g->self)
            g->order[g->order_count++] = row;
    }
}

/* Whose first live go-between we are. */
static bool is_guest(const struct gossip *g, const struct gossip_row *row)
{
    for (size_t i = 0; i < row->via_count; i++) {
        const struct gossip_row *via = gossip_row_find(g, &row->via[i]);
        if (via && gossip_is_live(via))
            return via == g->self;
    }
    return false;
}

void gossip_ring_refresh(struct gossip *g)
{
    if (!g->ring_stale)
        return;
    g->ring_stale = false;
    g->ring_count = g->order_count = g->order_next = g->guest_count = 0;
    put_in_ring(g, false);
    g->grid_count = g->ring_count;
    put_in_ring(g, true);
    for (size_t i = g->grid_count; i < g->ring_count && g->guest_count < GOSSIP_GUESTS_MAX; i++)
        if (is_guest(g, g->ring[i]))
            g->guests[g->guest_count++] = g->ring[i];
    shuffle_order(g);
    gossip_scope_refresh(g);
}

/* Who only dials hears us over a link of its own, while that lasts. */
static bool can_be_told(const struct gossip *g, const struct gossip_row *row)
{
    bool is_linked = row->linked_ms && g->now_ms - row->linked_ms < LINK_LASTS_MS;
    return !row->only_dials || is_linked;
}

size_t gossip_members_pick(struct gossip *g, const struct gossip_row *but, size_t max,
                           struct gossip_row **ret_rows)
{
    gossip_ring_refresh(g);
    size_t count = 0;
    size_t at = rng_below(&g->rng, g->order_count); /* a run of what is shuffled already */
    for (size_t tries = 0; tries < g->order_count && count < max; tries++) {
        struct gossip_row *row = g->order[at];
        if (row != but && can_be_told(g, row))
            ret_rows[count++] = row;
        at = (at + 1) % g->order_count;
    }
    return count;
}
