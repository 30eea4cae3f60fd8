/* Snapshots. Serving: the shell reads parts of the newest one, for any member that asks. Fetching:
 * whoever the leader told that the log no longer has what it lacks pulls the parts, one after
 * another, at a bounded rate, from the member named; each is durable before the whole is installed,
 * so a crash costs one part. Making: the shell is told when, and the log is cut behind it. */
#include "raft/inner.h"

#define FAILURES_MAX 3 /* unanswered questions, then another source is waited for */

static bool is_same(const struct raft_snapshot *a, const struct raft_snapshot *b)
{
    return a->base.index == b->base.index && a->base.term == b->base.term && a->size == b->size &&
           memcmp(a->content, b->content, sizeof(a->content)) == 0;
}

/* --- making */

void raft_snapshot_made(struct raft *r, const struct raft_event *e)
{
    struct raft_snapshot s = {.size = e->size};
    r->is_snapshot_ordered = false;
    if (e->size == 0 || e->index <= r->snapshot.base.index || e->index > r->applied)
        return;
    if (raft_log_base_at(&r->log, e->index, &s.base) != ERR_OK)
        return;
    memcpy(s.content, e->content, sizeof(s.content));
    r->snapshot = s;
    raft_post_write(r)->made = &r->snapshot;
    r->counts.snapshots++;
    uint64_t keep = r->log.bad_first ? 0 : r->cfg.keep_entries;
    uint64_t to = e->index > keep ? e->index - keep : 0;
    if (to <= r->log.base.index || raft_log_base_at(&r->log, to, &r->base_shown) != ERR_OK)
        return;
    raft_log_trim(&r->log, &r->base_shown);
    raft_post_write(r)->trim = &r->base_shown;
}

/* When enough was applied; or at once when a member can be helped by nothing else, or unreadable
 * records are only needed for the past. */
static void order(struct raft *r)
{
    bool is_useful = r->applied > r->snapshot.base.index && !r->is_snapshot_ordered;
    bool is_time = r->applied >= r->snapshot.base.index + r->cfg.snapshot_entries;
    bool is_past = r->log.bad_first && r->log.bad_last <= r->applied;
    if (!is_useful || r->is_installing || r->is_full || !(is_time || is_past || r->needs_snapshot))
        return;
    r->is_snapshot_ordered = r->wants_snapshot = true;
    r->needs_snapshot = false;
}

/* --- offering */

static bool choose_source(struct raft *r, const struct raft_peer *p, struct id *ret_source)
{
    uint64_t needed = r->log.base.index;
    for (size_t i = 0; i < r->peer_count; i++) { /* the leader has enough to do */
        const struct raft_peer *other = &r->peers[r->next_source++ % r->peer_count];
        bool is_alive = r->now_ms < other->heard_ms + r->cfg.election_ms;
        if (other == p || other->have < needed || other->have == 0 || !is_alive)
            continue;
        *ret_source = other->id;
        return true;
    }
    *ret_source = r->cfg.self;
    return r->snapshot.base.index && r->snapshot.base.index >= needed;
}

void raft_offer(struct raft *r, struct raft_peer *p)
{
    struct id source = {{0}};
    raft_peer_probe(p, p->next);
    p->state = RAFT_SNAPSHOT;
    if (!choose_source(r, p, &source)) {
        source = (struct id){{0}};
        r->needs_snapshot = true;
    }
    struct raft_message *m = raft_post(r, RAFT_OFFER, &p->id, 0);
    if (!m)
        return;
    m->index = r->log.base.index;
    m->source = source;
    m->context = r->round;
    r->counts.offers_out++;
}

/* --- fetching */

void raft_snapshot_forget(struct raft *r)
{
    r->fetch = (struct raft_fetch){0};
}

void raft_on_offer(struct raft *r, const struct raft_message *m)
{
    struct raft_fetch *f = &r->fetch;
    uint64_t match = r->commit < r->log.durable ? r->commit : r->log.durable;
    if (r->log.bad_first && match >= r->log.bad_first)
        match = r->log.bad_first - 1;
    struct raft_message *reply = raft_post(r, RAFT_APPEND_REPLY, &m->from, match);
    if (reply) {
        reply->ok = true;
        reply->index = match;
        reply->context = m->context;
    }
    bool can = !r->is_installing && !r->is_full && !id_is_zero(&m->source) &&
               !id_equal(&m->source, &r->cfg.self);
    if (m->index <= match || !can || f->is_active || f->is_staged)
        return;
    f->is_active = true;
    f->is_asked = false;
    f->failures = 0;
    f->source = m->source;
    f->due_ms = r->now_ms;
}

static void ask_part(struct raft *r)
{
    struct raft_fetch *f = &r->fetch;
    struct raft_message *m = raft_post(r, RAFT_GET, &f->source, 0);
    if (!m)
        return;
    m->index = f->snapshot.base.index;
    m->offset = f->offset;
    memcpy(m->content, f->snapshot.content, sizeof(m->content));
    f->is_asked = true;
    f->due_ms = r->now_ms + r->cfg.election_ms;
}

/* Unreadable records of the past need not be fetched when it is known what was at their end: the
 * log then begins behind them. */
static void skip_unreadable(struct raft *r, const struct raft_base *base)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    bool is_ours = r->log.bad_first && base->index >= r->log.bad_last &&
                   base->index <= r->applied && raft_log_term(&r->log, base->index) == base->term &&
                   raft_log_hash(&r->log, base->index, hash) == ERR_OK &&
                   memcmp(hash, base->hash, sizeof(hash)) == 0;
    if (!is_ours || r->repair_token)
        return;
    r->base_shown = *base;
    raft_log_trim(&r->log, &r->base_shown);
    raft_post_write(r)->trim = &r->base_shown;
    raft_config_changed(r, RAFT_REASON_CONFIG);
}

/* The log caught up by itself, and nothing must be installed over it. With unreadable records what
 * is committed need not be there: then what was applied decides. */
static bool is_superseded(struct raft *r, const struct raft_snapshot *s)
{
    if (r->log.bad_first)
        return s->base.index <= r->handed;
    if (s->base.index <= r->commit)
        return true;
    if (raft_log_term(&r->log, s->base.index) != s->base.term)
        return false;
    r->commit = s->base.index; /* a snapshot is of what was committed */
    return true;
}

static void install_when_durable(struct raft *r)
{
    struct raft_fetch *f = &r->fetch;
    bool is_ready = f->is_staged && !r->is_installing && r->role == RAFT_FOLLOWER &&
                    (f->token == 0 || raft_is_durable(r, f->token));
    if (!is_ready)
        return;
    if (is_superseded(r, &f->snapshot)) {
        raft_snapshot_forget(r);
        return;
    }
    r->is_installing = true;
    r->install = &f->snapshot;
}

void raft_snapshot_run(struct raft *r)
{
    struct raft_fetch *f = &r->fetch;
    order(r);
    install_when_durable(r);
    if (!f->is_active || r->now_ms < f->due_ms)
        return;
    if (f->is_asked && ++f->failures == FAILURES_MAX)
        f->is_active = false; /* what is staged stays, for another source */
    else
        ask_part(r);
}

uint64_t raft_snapshot_due_ms(const struct raft *r)
{
    return r->fetch.is_active ? r->fetch.due_ms : RAFT_NEVER;
}

static bool is_next_part(struct raft_fetch *f, const struct raft_message *m)
{
    const struct raft_snapshot *s = m->snapshot;
    if (m->data.size == 0 || m->offset > s->size || m->data.size > s->size - m->offset)
        return false;
    if (is_same(s, &f->snapshot))
        return m->offset == f->offset;
    if (m->offset != 0)
        return false;
    f->snapshot = *s;
    f->offset = 0;
    return true;
}

void raft_on_chunk(struct raft *r, const struct raft_message *m)
{
    struct raft_fetch *f = &r->fetch;
    if (!f->is_active || !id_equal(&m->from, &f->source) || !f->is_asked)
        return;
    if (!m->snapshot || r->is_full) {
        f->is_active = false;
        return;
    }
    if (is_superseded(r, m->snapshot)) {
        raft_snapshot_forget(r);
        skip_unreadable(r, &m->snapshot->base);
        return;
    }
    if (!is_next_part(f, m)) {
        raft_refuse(r, ERR_INVALID);
        return;
    }
    struct bytes data = arena_copy(&r->arena, m->data);
    if (!data.data)
        return;
    struct raft_write *w = raft_post_write(r);
    w->part = &f->snapshot;
    w->offset = f->offset;
    w->data = data;
    f->offset += data.size;
    f->token = r->token + 1; /* of the write of this step */
    f->is_asked = false;
    f->failures = 0;
    f->due_ms = r->now_ms + data.size * 1000 / r->cfg.snapshot_bytes_per_s;
    f->is_staged = f->offset == f->snapshot.size;
    f->is_active = !f->is_staged;
    r->counts.chunks_in++;
}

/* What follows the snapshot in the log and was acknowledged stays: where the log agrees with it, or
 * ends in unreadable records there, which the leader will send. */
static void begin_log_after(struct raft *r, const struct raft_base *base)
{
    struct raft_log *l = &r->log;
    bool is_inside = base->index < l->last && base->index > l->base.index;
    bool is_unreadable = l->bad_first && base->index >= l->bad_first && base->index <= l->bad_last;
    if (is_inside && (is_unreadable || raft_log_term(l, base->index) == base->term)) {
        raft_log_trim(l, base);
        raft_post_write(r)->trim = base;
        return;
    }
    raft_log_reset(l, base);
    for (size_t i = 0; i < r->write_count; i++)
        r->writes[(r->write_head + i) % RAFT_WRITES_MAX].last = base->index;
    raft_post_write(r)->reset = base;
}

void raft_installed(struct raft *r, enum err err)
{
    struct raft_base *base = &r->base_shown;
    if (!r->is_installing)
        return;
    r->is_installing = false;
    *base = r->fetch.snapshot.base;
    raft_snapshot_forget(r);
    if (err != ERR_OK)
        return;
    begin_log_after(r, base);
    r->handed = r->applied = base->index;
    if (r->commit < base->index)
        r->commit = base->index;
    raft_config_changed(r, RAFT_REASON_CONFIG);
    struct raft_message *m =
        id_is_zero(&r->leader) ? NULL : raft_post(r, RAFT_APPEND_REPLY, &r->leader, RAFT_NEVER);
    if (!m)
        return;
    m->ok = true;
    m->index = base->index;
}

/* --- serving */

static void post_none(struct raft *r, const struct id *to)
{
    (void)raft_post(r, RAFT_CHUNK, to, 0);
}

static struct raft_serving *serving_slot(struct raft *r, const struct id *to)
{
    struct raft_serving *slot = NULL;
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        struct raft_serving *s = &r->serving[i];
        if (s->is_used && id_equal(&s->to, to))
            return s;
        if (!s->is_used && !slot)
            slot = s;
    }
    return slot;
}

void raft_on_get(struct raft *r, const struct raft_message *m)
{
    const struct raft_snapshot *s = &r->snapshot;
    struct raft_serving *slot = s->base.index ? serving_slot(r, &m->from) : NULL;
    if (!slot) {
        post_none(r, &m->from);
        return;
    }
    bool is_resumed = m->index == s->base.index && m->offset < s->size &&
                      memcmp(m->content, s->content, sizeof(m->content)) == 0;
    uint64_t offset = is_resumed ? m->offset : 0;
    uint64_t size = s->size - offset < r->cfg.chunk_size ? s->size - offset : r->cfg.chunk_size;
    *slot = (struct raft_serving){true, m->from, ++r->chunk_tag, offset, *s};
    r->chunks[r->chunk_count++] = (struct raft_chunk_order){slot->tag, s->base.index, offset, size};
}

void raft_chunk_read(struct raft *r, const struct raft_event *e)
{
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        struct raft_serving *s = &r->serving[i];
        if (!s->is_used || s->tag != e->tag)
            continue;
        s->is_used = false;
        struct bytes data = arena_copy(&r->arena, e->data);
        struct raft_message *m =
            e->data.size && data.data ? raft_post(r, RAFT_CHUNK, &s->to, 0) : NULL;
        if (!m) {
            post_none(r, &s->to);
            return;
        }
        m->snapshot = &s->snapshot;
        m->offset = s->offset;
        m->data = data;
        r->counts.chunks_out++;
        return;
    }
}
