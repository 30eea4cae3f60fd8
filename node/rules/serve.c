/* The committed log for those who do not vote: POST /mesh/v1/rules/log?from=N answers with records
 * from N on (checkpoint_range_*), or waits for the first, and POST /mesh/v1/rules/snapshot with
 * parts of the newest snapshot. Voters sign a checkpoint for the last record that they give; a
 * replica hands on the one that it was given, and lets its range end there.
 *
 * At most RULES_PULLERS_MAX wait at one node; whoever is one too many is told so (429) and asks
 * another. What is no longer kept is 410: a snapshot is to be fetched. */
#include "node/rules/inner.h"

#define RANGE_BYTES (256u * 1024)
#define HELD_MS 20000 /* then it is answered with nothing, and asks again */

static enum err read_record(struct rules *r, uint64_t index, struct bytes *ret_record)
{
    if (r->raft && raft_record(r->raft, index, ret_record) == ERR_OK)
        return ERR_OK;
    return raft_store_read(r->store, index, ret_record);
}

static bool is_voter(const struct rules *r)
{
    struct raft_status s;
    if (!r->raft)
        return false;
    raft_status(r->raft, &s);
    return s.is_voter;
}

/* --- ranges */

/* The last index worth giving: a replica's checkpoint ends its range. */
static uint64_t end_of(const struct rules *r, uint64_t from)
{
    uint64_t to = r->head.index;
    const struct checkpoint_signed *c = &r->serve.newest;
    return !r->raft && c->size > 0 && c->index >= from && c->index < to ? c->index : to;
}

static enum err take_records(struct rules *r, uint64_t from, uint64_t to, struct buf *records,
                             struct checkpoint *ret_last)
{
    *ret_last = (struct checkpoint){.mesh = r->cfg.identity->mesh};
    for (uint64_t i = from; i <= to && records->size < RANGE_BYTES; i++) {
        struct bytes record, rest;
        struct raft_entry entry;
        enum err e = read_record(r, i, &record);
        if (e != ERR_OK)
            return i == from ? e : ERR_OK;
        rest = record;
        TRY(raft_entry_read(&rest, &entry));
        TRY(buf_append(records, record));
        ret_last->index = i;
        ret_last->term = entry.term;
        raft_entry_hash(record, ret_last->chain);
    }
    return ERR_OK;
}

static enum err make_checkpoint(struct rules *r, struct checkpoint *last,
                                struct checkpoint_signed *ret_signed)
{
    *ret_signed = (struct checkpoint_signed){.size = 0};
    if (!is_voter(r)) {
        if (r->serve.newest.size > 0 && r->serve.newest.index == last->index)
            *ret_signed = r->serve.newest;
        return ERR_OK;
    }
    last->time_ms = io_wall_ms(r->cfg.loop);
    last->has_state = last->index == r->head.index;
    if (last->has_state) {
        memcpy(last->state_hash, r->head.hash, sizeof last->state_hash);
        last->epoch = r->head.epoch;
    }
    return checkpoint_sign(last, r->cfg.identity, ret_signed);
}

static enum err make_range(struct rules *r, uint64_t from, struct buf *out)
{
    struct rules_status status;
    struct checkpoint last;
    struct checkpoint_signed c = {.size = 0};
    struct buf records;
    buf_init(&records, RANGE_BYTES + RAFT_RECORD_MAX);
    enum err e = take_records(r, from, end_of(r, from), &records, &last);
    if (e == ERR_OK && records.size > 0)
        e = make_checkpoint(r, &last, &c);
    rules_status(r, &status);
    struct checkpoint_range range = {.commit = status.commit,
                                     .checkpoint = bytes_of(c.wire, c.size),
                                     .records = buf_bytes(&records)};
    if (e == ERR_OK)
        e = checkpoint_range_encode(&range, out);
    buf_fini(&records);
    return e;
}

static void answer(struct rules *r, struct rules_visit *v, uint64_t from)
{
    struct buf out;
    buf_init(&out, ASK_BODY_MAX);
    enum err e = make_range(r, from, &out);
    if (e == ERR_OK)
        ask_answer(v, 200, buf_bytes(&out));
    else if (e == ERR_NOT_FOUND)
        ask_answer(v, 410, bytes_from_str(err_word(ERR_COMPACTED)));
    else
        ask_refuse(v, e);
    buf_fini(&out);
}

/* --- waiting */

static void forget(struct rules *r, size_t at)
{
    struct rules_serve *s = &r->serve;
    s->waiting_count--;
    for (size_t i = at; i < s->waiting_count; i++)
        s->waiting[i] = s->waiting[i + 1];
}

static void on_gone(struct rules_visit *v)
{
    struct rules *r = v->rules;
    for (size_t i = r->serve.waiting_count; i-- > 0;)
        if (r->serve.waiting[i].visit == v)
            forget(r, i);
}

static enum err await(struct rules *r, struct rules_visit *v, uint64_t from)
{
    struct rules_serve *s = &r->serve;
    if (s->waiting_count == RULES_PULLERS_MAX) {
        s->refused++;
        return ERR_OVERLOADED;
    }
    s->waiting[s->waiting_count++] =
        (struct rules_puller){.visit = v, .from = from, .until_ms = rules_now_ms(r) + HELD_MS};
    v->on_gone = on_gone;
    return ERR_OK;
}

/* Those who have waited long enough are answered, with whatever there is. */
static void review(struct rules *r, bool is_news)
{
    struct rules_serve *s = &r->serve;
    for (size_t i = s->waiting_count; i-- > 0;) {
        struct rules_puller p = s->waiting[i];
        bool is_ready = p.from <= end_of(r, p.from) && is_news;
        if (!is_ready && rules_now_ms(r) < p.until_ms)
            continue;
        forget(r, i);
        answer(r, p.visit, p.from);
    }
}

void serve_on_applied(struct rules *r)
{
    review(r, true);
}

void serve_look(struct rules *r)
{
    review(r, true);
}

void serve_on_full(struct rules *r)
{
    while (r->serve.waiting_count > 0) {
        struct rules_visit *v = r->serve.waiting[0].visit;
        forget(r, 0);
        ask_refuse(v, ERR_OVERLOADED);
    }
}

enum err serve_accept(struct rules *r, struct rules_visit *v, struct bytes query)
{
    uint64_t from;
    TRY(rules_admit(r, &v->stream.peer->id));
    if (!bytes_starts_with(query, BYTES("from=")) || !bytes_to_u64(bytes_skip(query, 5), &from) ||
        from == 0)
        return ERR_INVALID_REQUEST;
    if (!rules_goes_on(r) || r->head.index == 0 || (r->raft && !is_voter(r)))
        return ERR_STARTING;
    if (from > r->head.index && room_is_full(r))
        return ERR_OVERLOADED;
    if (from > r->head.index)
        return await(r, v, from);
    answer(r, v, from);
    return ERR_OK;
}

/* --- snapshots */

static void on_chunk_gone(struct rules_visit *v)
{
    v->rules->serve.chunk_visit = NULL;
}

/* One part is read at a time: the others are told to come again. */
enum err serve_accept_snapshot(struct rules *r, struct rules_visit *v)
{
    struct raft_message get;
    struct raft_snapshot wanted;
    const struct raft_snapshot *own = &r->snapshot;
    TRY(rules_admit(r, &v->stream.peer->id));
    TRY(raft_message_decode(buf_bytes(&v->in), &get, &wanted));
    if (get.type != RAFT_GET)
        return ERR_INVALID_REQUEST;
    if (own->size == 0)
        return ERR_NOT_FOUND;
    if (r->serve.chunk_visit)
        return ERR_OVERLOADED;
    r->serve.chunk_snapshot = *own;
    bool is_other = get.index != 0 && (get.index != own->base.index ||
                                       memcmp(get.content, own->content, sizeof get.content) != 0);
    uint64_t offset = is_other ? 0 : get.offset;
    if (offset >= own->size)
        return ERR_INVALID_REQUEST;
    uint64_t left = own->size - offset;
    r->serve.chunk_visit = v;
    v->on_gone = on_chunk_gone;
    dump_read(r, &(struct raft_chunk_order){.tag = CORE_TAG_PULLER,
                                            .index = own->base.index,
                                            .offset = offset,
                                            .size = left < RANGE_BYTES ? left : RANGE_BYTES});
    r->serve.chunk_offset = offset;
    return ERR_OK;
}

void serve_on_chunk(struct rules *r, struct bytes data)
{
    struct rules_visit *v = r->serve.chunk_visit;
    struct raft_message chunk = {.type = RAFT_CHUNK,
                                 .snapshot = &r->serve.chunk_snapshot,
                                 .offset = r->serve.chunk_offset,
                                 .data = data};
    struct buf out;
    r->serve.chunk_visit = NULL;
    if (!v)
        return;
    buf_init(&out, RAFT_MESSAGE_MAX);
    if (data.size > 0 && raft_message_encode(&chunk, &out) == ERR_OK)
        ask_answer(v, 200, buf_bytes(&out));
    else
        ask_refuse(v, ERR_OVERLOADED);
    buf_fini(&out);
}

void serve_stop(struct rules *r)
{
    r->serve.waiting_count = 0;
    r->serve.chunk_visit = NULL;
}
