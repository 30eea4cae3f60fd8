/* Effects: what this step leaves for the shell, and which write each message waits for. One write a
 * step; it is closed at the end, when all parts of it are known, and so are the slices of records.
 */
#include "raft/inner.h"

#define LATEST RAFT_NEVER /* this step's write, or the last one that still waits */

/* --- durability */

bool raft_is_durable(const struct raft *r, uint64_t token)
{
    bool is_made = token <= r->token; /* the write of this very step is not */
    return is_made && (r->write_count == 0 || token < r->writes[r->write_head].token);
}

bool raft_has_room(const struct raft *r)
{
    return r->write_count + RAFT_WRITES_SPARE < RAFT_WRITES_MAX;
}

void raft_post_persisted(struct raft *r, uint64_t token)
{
    while (r->write_count && r->writes[r->write_head].token <= token) {
        r->log.durable = r->writes[r->write_head].last;
        r->write_head = (r->write_head + 1) % RAFT_WRITES_MAX;
        r->write_count--;
    }
}

/* --- single effects */

static void tell_known(const struct raft *r, const struct id *to, struct raft_message *m)
{
    const struct raft_known *k = raft_known(r, to);
    if (!k)
        return;
    m->known_store = k->store;
    m->known_boot = k->boot;
    m->known_draw = k->draw;
}

struct raft_message *raft_post(struct raft *r, enum raft_message_type type, const struct id *to,
                               uint64_t index)
{
    if (r->send_count == RAFT_SENDS_MAX || r->stop != ERR_OK)
        return NULL;
    struct raft_send *s = &r->sends[r->send_count++];
    *s = (struct raft_send){0};
    if (r->is_hard_dirty || index > r->log.durable)
        s->after = LATEST;
    else if (!raft_is_durable(r, r->hard_token))
        s->after = r->hard_token;
    struct raft_message *m = &s->message;
    m->type = type;
    m->from = r->cfg.self;
    m->to = *to;
    m->store = r->hard.store;
    m->boot = r->hard.boot;
    m->term = r->hard.term;
    memcpy(m->draws, r->hard.draws, sizeof(m->draws));
    tell_known(r, to, m);
    m->have = r->snapshot.base.index;
    r->counts.messages_out++;
    return m;
}

void raft_post_outcome(struct raft *r, uint64_t tag, enum err err, uint64_t index)
{
    struct raft_outcome *o = &r->outcomes[r->outcome_count++];
    *o = (struct raft_outcome){.tag = tag, .err = err, .index = index, .leader = r->leader};
    if (err == ERR_OK)
        o->term = r->hard.term;
    else if (r->is_handing)
        o->leader = r->hand_to;
}

void raft_post_result(struct raft *r, uint64_t tag, enum err err, uint64_t index)
{
    r->results[r->result_count++] = (struct raft_read_result){tag, index, err};
    r->counts.reads++;
    r->counts.reads_failed += err != ERR_OK;
}

void raft_post_change(struct raft *r, enum raft_reason reason)
{
    if (r->change_count == RAFT_CHANGES_MAX)
        r->change_count--; /* the newest matters */
    r->changes[r->change_count++] = (struct raft_change){r->role, r->hard.term, r->leader, reason};
}

void raft_refuse(struct raft *r, enum err reason)
{
    r->counts.refused[reason]++;
}

void raft_stop(struct raft *r, enum err err)
{
    if (r->stop != ERR_OK)
        return;
    r->stop = err;
    r->role = RAFT_STOPPED;
    r->leader = (struct id){{0}};
    raft_post_change(r, RAFT_REASON_FAILED);
}

struct raft_write *raft_post_write(struct raft *r)
{
    r->has_write = true;
    return &r->write;
}

/* --- a step's beginning and end */

void raft_post_begin(struct raft *r)
{
    raft_log_shrink(&r->log, r->commit);
    arena_reset(&r->arena);
    r->send_count = r->outcome_count = r->result_count = r->chunk_count = r->change_count = 0;
    r->write = (struct raft_write){0};
    r->has_write = r->wants_snapshot = false;
    r->install = NULL;
}

static void close_write(struct raft *r)
{
    struct raft_log *l = &r->log;
    if (r->is_hard_dirty || r->is_known_dirty) {
        r->hard_shown = r->hard;
        raft_post_write(r)->hard = &r->hard_shown;
    }
    if (l->last > l->written) {
        struct raft_write *w = raft_post_write(r);
        w->first_index = l->written + 1;
        w->record_count = raft_log_slice(l, w->first_index, l->last, SIZE_MAX, &w->records);
        CHECK(w->record_count == l->last - l->written);
        l->written = l->last;
    }
    if (!r->has_write)
        return;
    r->write.token = ++r->token;
    if (r->is_hard_dirty)
        r->hard_token = r->token;
    r->is_hard_dirty = r->is_known_dirty = false;
    CHECK(r->write_count < RAFT_WRITES_MAX);
    size_t at = (r->write_head + r->write_count++) % RAFT_WRITES_MAX;
    r->writes[at] = (struct raft_waiting_write){r->token, l->last};
    r->counts.writes++;
}

static void resolve_sends(struct raft *r)
{
    uint64_t latest = raft_is_durable(r, r->token) ? 0 : r->token;
    for (size_t i = 0; i < r->send_count; i++)
        if (r->sends[i].after == LATEST)
            r->sends[i].after = latest;
}

static void hand_to_apply(struct raft *r, struct raft_effects *ret_effects)
{
    const struct raft_log *l = &r->log;
    uint64_t last = r->commit < l->durable ? r->commit : l->durable;
    if (l->bad_last > r->handed && l->bad_first <= last)
        last = l->bad_first - 1;
    if (last <= r->handed || r->is_installing)
        return;
    ret_effects->apply_first = r->handed + 1;
    ret_effects->apply_last = r->handed = last;
}

void raft_post_end(struct raft *r, struct raft_effects *ret_effects)
{
    *ret_effects = (struct raft_effects){
        .stop = r->stop, .changes = r->changes, .change_count = r->change_count};
    if (r->stop != ERR_OK)
        return;
    close_write(r);
    resolve_sends(r);
    hand_to_apply(r, ret_effects);
    ret_effects->write = r->has_write ? &r->write : NULL;
    ret_effects->sends = r->sends;
    ret_effects->outcomes = r->outcomes;
    ret_effects->reads = r->results;
    ret_effects->chunks = r->chunks;
    ret_effects->send_count = r->send_count;
    ret_effects->outcome_count = r->outcome_count;
    ret_effects->read_count = r->result_count;
    ret_effects->chunk_count = r->chunk_count;
    ret_effects->install = r->install;
    ret_effects->wants_snapshot = r->wants_snapshot;
}
