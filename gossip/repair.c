/* What the epidemic missed. Rows fall into buckets by the first bits of their ids, about eight to a
 * bucket; each ping and ack shows the hash of one bucket, in turn. Who finds that its own differs
 * answers with the versions it has there; who sees newer ones asks for them, who has newer ones
 * sends them. So an exchange costs the same in a mesh of ten and of a thousand, and two views that
 * differ in much (a newcomer, a healed partition) begin with all hashes at once, over a link. */
#include "gossip/inner.h"

#define BUCKET_MEMBERS 8
#define LINK_ROOM (GOSSIP_MESSAGE_MAX - 2048)
#define ABROAD_AT_A_TIME 4
#define COARSER_MAX 2      /* views of one region differ that much when one is new */
#define DATAGRAM_BUCKETS 2 /* that one datagram is answered for */
#define GIVEN_MS 8000
#define NARROW_MAX 500 /* bytes that pass wherever IPv4 does, headers beside them */
#define NARROW_MS 60000
#define DOUBT_MS 1000 /* the ack shows another difference, whose answer the next doubt */
#define WANTED_MS 400 /* as long is nobody else asked for the same */
#define WANTS_PER_MESSAGE 48

/* The same again before it can have arrived, as when both sides saw a difference, says nothing. */
static bool is_lost(const struct gossip *g, const struct gossip_given *given, uint32_t tag)
{
    uint32_t age_ms = (uint32_t)g->now_ms - given->at_ms;
    return given->tag == tag && age_ms > WANTED_MS && age_ms < GIVEN_MS;
}

/* What one member needs twice within a moment did not arrive: by loss, or because the datagrams
 * that it was in are too long for the way, where each of several short things may pass alone. */
static void note_given(struct gossip *g, struct gossip_row *peer)
{
    for (size_t i = 0; i < g->giving_count; i++)
        for (size_t k = 0; k < GOSSIP_GIVEN_MAX; k++)
            if (is_lost(g, &peer->given[k], g->giving[i]))
                peer->narrow_until_ms = g->now_ms + NARROW_MS;
    for (size_t i = 0; i < g->giving_count; i++)
        peer->given[peer->given_next++ % GOSSIP_GIVEN_MAX] =
            (struct gossip_given){g->giving[i], (uint32_t)g->now_ms};
}

/* Paths of less than 1,400 bytes exist, and tell nobody. Half of what is long for one that seems to
 * be so goes over a link: not all, since a link leads where the member's record says, and a
 * datagram is answered to where it came from. */
static void answer(struct gossip *g, const struct gossip_from *to)
{
    bool is_long = to->row && !to->over_link && g->message.size > NARROW_MAX;
    if (is_long)
        note_given(g, to->row);
    g->giving_count = 0;
    if (!is_long || g->now_ms >= to->row->narrow_until_ms || rng_below(&g->rng, 2)) {
        gossip_answer(g, to);
        return;
    }
    struct gossip_from by_link = {.row = to->row, .id = to->id, .over_link = true};
    gossip_answer(g, &by_link);
}

/* A tag tells things apart, not for certain: a link is no harm. */
static void giving(struct gossip *g, const struct id *owner, uint64_t what, uint64_t version)
{
    uint64_t parts[2] = {what, version};
    uint64_t hash = crypto_siphash(owner->bytes, bytes_of(parts, sizeof(parts)));
    if (g->giving_count < GOSSIP_GIVEN_MAX)
        g->giving[g->giving_count++] = (uint32_t)(hash | 1); /* 0: free */
}

static uint32_t exponent_of(const struct gossip *g)
{
    uint32_t exponent = 0;
    while (exponent < 8 && g->row_count >> exponent > BUCKET_MEMBERS)
        exponent++;
    return exponent;
}

static uint64_t hash_of(const struct gossip *g, uint32_t exponent, uint32_t index)
{
    uint64_t hash = 0;
    size_t width = GOSSIP_BUCKETS >> exponent;
    for (size_t i = index * width; i < (index + 1) * width; i++)
        hash ^= g->buckets[i];
    return hash;
}

void gossip_repair_put_digest(struct gossip *g, const struct gossip_row *peer)
{
    if (peer->is_abroad) {
        gossip_scope_put_versions(g, ABROAD_AT_A_TIME, gossip_message_room(g));
        return;
    }
    uint32_t exponent = exponent_of(g);
    uint32_t index = g->digest_next++ & ((1u << exponent) - 1);
    if (gossip_message_room(g) < GOSSIP_LIST_HEAD_MAX + GOSSIP_BUCKET_SIZE_MAX)
        return;
    CHECK(gossip_wire_put_digest(&g->message, exponent, 1) == ERR_OK);
    CHECK(gossip_wire_put_bucket(&g->message, index, hash_of(g, exponent, index)) == ERR_OK);
}

void gossip_repair_sync(struct gossip *g, const struct gossip_from *to)
{
    uint32_t exponent = exponent_of(g);
    struct buf *b = gossip_message(g);
    g->counts.syncs++;
    (void)gossip_records_put(g, g->self, GOSSIP_NODE, 0, LINK_ROOM);
    CHECK(gossip_wire_put_digest(b, exponent, 1u << exponent) == ERR_OK);
    for (uint32_t i = 0; i < 1u << exponent; i++)
        CHECK(gossip_wire_put_bucket(b, i, hash_of(g, exponent, i)) == ERR_OK);
    gossip_ring_refresh(g);
    gossip_scope_put_versions(g, GOSSIP_ENTRIES_MAX, LINK_ROOM - b->size);
    answer(g, to);
}

/* --- versions */

void gossip_repair_entry(const struct gossip_row *row, struct gossip_entry *ret_entry)
{
    *ret_entry = (struct gossip_entry){.ref = gossip_ref_of(&row->member.id),
                                       .flags = gossip_is_live(row) ? 0 : GOSSIP_ENTRY_DOWN,
                                       .incarnation = row->member.incarnation};
    for (int kind = 0; kind < GOSSIP_KINDS; kind++) {
        if (!gossip_has_record(row, kind))
            continue;
        ret_entry->kinds |= 1u << kind;
        ret_entry->versions[kind].incarnation = row->member.records[kind].incarnation;
        ret_entry->versions[kind].version = row->member.records[kind].version;
    }
}

static size_t room_for(const struct gossip *g, const struct gossip_from *to)
{
    size_t room = to->over_link ? LINK_ROOM : GOSSIP_SEAL_PLAIN_MAX;
    return g->message.size < room ? room - g->message.size : 0;
}

/* Rows [at, end) of the table, as many as a message takes at a time. */
static size_t put_versions(struct gossip *g, size_t at, size_t end, const struct gossip_from *to)
{
    size_t fit = (room_for(g, to) - GOSSIP_LIST_HEAD_MAX) / GOSSIP_ENTRY_SIZE_MAX;
    size_t count = end - at < fit ? end - at : fit;
    if (count > GOSSIP_ENTRIES_MAX)
        count = GOSSIP_ENTRIES_MAX;
    CHECK(gossip_wire_put_versions(&g->message, (uint32_t)count) == ERR_OK);
    for (size_t i = at; i < at + count; i++) {
        struct gossip_entry entry;
        gossip_repair_entry(g->rows[i], &entry);
        CHECK(gossip_wire_put_entry(&g->message, &entry) == ERR_OK);
    }
    return at + count;
}

static void put_bucket(struct gossip *g, const struct gossip_from *to, uint32_t exponent,
                       uint32_t index)
{
    size_t width = GOSSIP_BUCKETS >> exponent;
    uint8_t first = (uint8_t)(index * width);
    size_t at = gossip_row_lower_bound(g, &first, 1);
    size_t end = g->row_count;
    if ((index + 1) * width < GOSSIP_BUCKETS) {
        uint8_t next = (uint8_t)((index + 1) * width);
        end = gossip_row_lower_bound(g, &next, 1);
    }
    while (at < end) {
        if (room_for(g, to) < GOSSIP_LIST_HEAD_MAX + GOSSIP_ENTRY_SIZE_MAX)
            answer(g, to);
        at = put_versions(g, at, end, to);
    }
    giving(g, &g->self->member.id, GOSSIP_KINDS + index, 0);
}

void gossip_repair_on_digest(struct gossip *g, struct gossip_from *from, struct bytes *message,
                             struct gossip_part *part, enum err *ret_err)
{
    uint32_t exponent = part->exponent;
    uint32_t left = from->over_link ? GOSSIP_BUCKETS : DATAGRAM_BUCKETS;
    uint8_t seen[GOSSIP_BUCKETS] = {0};
    if (from->has_digest || exponent + COARSER_MAX < exponent_of(g))
        left = 0; /* one a message, and no question about half of the table by one number */
    from->has_digest = true;
    (void)gossip_message(g);
    while (part->count > 0 && *ret_err == ERR_OK) {
        uint32_t index = 0;
        uint64_t hash = 0;
        *ret_err = gossip_wire_bucket(message, part, &index, &hash);
        bool is_at_home = from->row && !from->row->is_abroad;
        if (*ret_err != ERR_OK || !is_at_home || left == 0 || seen[index]++ ||
            hash == hash_of(g, exponent, index))
            continue;
        put_bucket(g, from, exponent, index);
        left--;
    }
    if (g->message.size > 0)
        answer(g, from);
}

/* --- wants */

static int order_of(const struct gossip_entry *e, int kind, const struct gossip_row *row)
{
    const struct gossip_wire_version *v = &e->versions[kind];
    return gossip_order(v->incarnation, v->version, &row->member.records[kind]);
}

/* Kinds that the entry has newer than the row (all, without one), and the other way round. */
static uint32_t newer_there(const struct gossip_entry *e, const struct gossip_row *row)
{
    uint32_t kinds = 0;
    for (int kind = 0; kind < GOSSIP_KINDS; kind++)
        if ((e->kinds & 1u << kind) && (!row || order_of(e, kind, row) > 0))
            kinds |= 1u << kind;
    return kinds;
}

static uint32_t newer_here(const struct gossip_entry *e, const struct gossip_row *row)
{
    uint32_t kinds = 0;
    for (int kind = 0; kind < GOSSIP_KINDS; kind++)
        if (gossip_has_record(row, kind) &&
            (!(e->kinds & 1u << kind) || order_of(e, kind, row) < 0))
            kinds |= 1u << kind;
    return kinds;
}

/* Several tell of the same thing within a moment: the first two are asked. */
static uint32_t not_wanted_yet(struct gossip *g, struct gossip_ref ref, uint32_t kinds)
{
    struct gossip_wanted *w = &g->wanted[(ref.bytes[0] ^ ref.bytes[1] << 1) % GOSSIP_WANTED_MAX];
    bool is_same = memcmp(&w->ref, &ref, sizeof(ref)) == 0 && g->now_ms < w->until_ms;
    if (!is_same)
        *w = (struct gossip_wanted){.ref = ref, .until_ms = g->now_ms + WANTED_MS};
    bool is_second = w->asked == 1; /* the first may have lied, or be slow */
    uint32_t left = is_second ? kinds : kinds & ~w->kinds;
    w->asked += left != 0;
    w->kinds |= kinds;
    return left;
}

/* Sends the records of these kinds; long ones over a link. */
static void give(struct gossip *g, const struct gossip_from *to, struct gossip_row *row,
                 uint32_t kinds)
{
    for (int kind = 0; kind < GOSSIP_KINDS && gossip_may_know(g, to->row, row); kind++) {
        if (!(kinds & 1u << kind) || !gossip_has_record(row, kind))
            continue;
        size_t size = gossip_records_size(row, kind);
        if (size > room_for(g, to))
            answer(g, to);
        struct gossip_from by_link = {.row = to->row, .id = to->id, .over_link = true};
        bool fits = size <= room_for(g, to);
        const struct gossip_from *way = fits ? to : &by_link;
        giving(g, &row->member.id, (unsigned)kind, row->member.records[kind].version);
        if (gossip_records_put(g, row, kind, 0, room_for(g, way)) && !fits)
            answer(g, way);
    }
}

static void take_entry(struct gossip *g, const struct gossip_from *from,
                       const struct gossip_entry *e, struct gossip_entry *ret_want,
                       struct gossip_row **ret_doubtful)
{
    struct gossip_row *row = gossip_row_by_ref(g, e->ref);
    *ret_want = (struct gossip_entry){.ref = e->ref};
    if (row == g->self) {
        give(g, from, row, newer_here(e, row));
        uint32_t kinds = newer_there(e, row); /* our past, or somebody with our key */
        if (kinds)
            ret_want->kinds = not_wanted_yet(g, e->ref, kinds);
        return;
    }
    bool is_down_there = e->flags & GOSSIP_ENTRY_DOWN;
    if (!row && is_down_there)
        return;
    ret_want->kinds = not_wanted_yet(g, e->ref, newer_there(e, row));
    if (!row)
        return;
    give(g, from, row, newer_here(e, row));
    bool is_down_here = row->member.state == GOSSIP_DOWN;
    if (e->incarnation != row->member.incarnation || is_down_here == is_down_there)
        return;
    if (is_down_here)
        gossip_suspicion_put(g, row); /* the evidence, not the verdict */
    else if (row->member.state == GOSSIP_ALIVE)
        *ret_doubtful = row;
}

struct wants {
    struct gossip_entry items[WANTS_PER_MESSAGE];
    size_t count;
};

static void ask(struct gossip *g, const struct gossip_from *from, struct wants *w)
{
    if (w->count > 0 &&
        room_for(g, from) < GOSSIP_LIST_HEAD_MAX + w->count * GOSSIP_WANTED_SIZE_MAX)
        answer(g, from);
    if (w->count > 0)
        CHECK(gossip_wire_put_want(&g->message, (uint32_t)w->count) == ERR_OK);
    for (size_t i = 0; i < w->count; i++)
        CHECK(gossip_wire_put_wanted(&g->message, w->items[i].ref, w->items[i].kinds) == ERR_OK);
    w->count = 0;
    if (g->message.size > 0)
        answer(g, from);
}

void gossip_repair_on_versions(struct gossip *g, const struct gossip_from *from,
                               struct bytes *message, struct gossip_part *part, enum err *ret_err)
{
    struct wants wants = {.count = 0};
    struct gossip_row *doubtful = NULL; /* down to them, alive to us: one of a message is probed */
    (void)gossip_message(g);
    while (part->count > 0 && *ret_err == ERR_OK) {
        struct gossip_entry entry;
        *ret_err = gossip_wire_entry(message, part, &entry);
        if (*ret_err != ERR_OK)
            break;
        take_entry(g, from, &entry, &wants.items[wants.count], &doubtful);
        wants.count += wants.items[wants.count].kinds != 0;
        if (wants.count == WANTS_PER_MESSAGE)
            ask(g, from, &wants);
    }
    ask(g, from, &wants);
    if (!doubtful || g->now_ms - doubtful->doubted_ms < DOUBT_MS)
        return;
    doubtful->doubted_ms = g->now_ms;
    gossip_probe_now(g, doubtful);
}

void gossip_repair_on_want(struct gossip *g, const struct gossip_from *from, struct bytes *message,
                           struct gossip_part *part, enum err *ret_err)
{
    (void)gossip_message(g);
    while (part->count > 0 && *ret_err == ERR_OK) {
        struct gossip_entry entry;
        *ret_err = gossip_wire_entry(message, part, &entry);
        struct gossip_row *row = *ret_err == ERR_OK ? gossip_row_by_ref(g, entry.ref) : NULL;
        if (row)
            give(g, from, row, entry.kinds);
    }
    if (g->message.size > 0)
        answer(g, from);
}
