/* Members: which configuration is in force (the newest in the log, committed or not), majorities of
 * it, and how it is changed (joint consensus, one at a time). */
#include "raft/inner.h"

#define CATCH_UP_ENTRIES 64 /* what a learner may lack and yet be made a voter */

const struct raft_config *raft_now(const struct raft *r)
{
    const struct raft_log *l = &r->log;
    return l->config_count ? &l->configs[l->config_count - 1].config : &l->base.config;
}

static uint64_t now_index(const struct raft *r)
{
    const struct raft_log *l = &r->log;
    return l->config_count ? l->configs[l->config_count - 1].index : l->base.config_index;
}

const struct raft_config *raft_config(const struct raft *r)
{
    return raft_now(r);
}

/* --- majorities */

uint64_t raft_rows_of(const struct raft *r, const struct id *id, uint64_t store, uint64_t boot)
{
    const struct raft_config *config = raft_now(r);
    uint64_t rows = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        bool votes = (m->is_voter || m->was_voter) && m->store == store && m->boot <= boot;
        if (votes && id_equal(&m->id, id))
            rows |= 1ull << i;
    }
    return rows;
}

bool raft_is_voter(const struct raft *r)
{
    return raft_rows_of(r, &r->cfg.self, r->hard.store, r->hard.boot) != 0;
}

static bool votes_in(const struct raft *r, const struct raft_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        if ((m->is_voter || m->was_voter) && m->store == r->hard.store && m->boot <= r->hard.boot &&
            id_equal(&m->id, &r->cfg.self))
            return true;
    }
    return false;
}

/* Whoever is no voter by a configuration that may not be committed can still be needed: nobody else
 * may have it (dissertation, 4.2.2). It then does not count itself. */
bool raft_may_be_needed(const struct raft *r)
{
    const struct raft_log *l = &r->log;
    for (size_t i = l->config_count; i-- > 0;) {
        if (votes_in(r, &l->configs[i].config))
            return true;
        if (l->configs[i].index <= r->commit)
            return false;
    }
    return votes_in(r, &l->base.config);
}

static bool is_majority(const struct raft_config *config, uint64_t rows, bool of_old)
{
    size_t all = 0, with = 0;
    for (size_t i = 0; i < config->count; i++) {
        bool votes = of_old ? config->members[i].was_voter : config->members[i].is_voter;
        all += votes;
        with += votes && (rows >> i & 1);
    }
    return with > all / 2;
}

bool raft_quorum(const struct raft *r, uint64_t rows)
{
    const struct raft_config *config = raft_now(r);
    return is_majority(config, rows, false) &&
           (!raft_config_is_joint(config) || is_majority(config, rows, true));
}

static uint64_t match_of(const struct raft *r, const struct raft_member *member)
{
    if (id_equal(&member->id, &r->cfg.self)) /* what is not yet on the own disk does not count */
        return member->store == r->hard.store ? r->log.durable : 0;
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_peer *p = &r->peers[i];
        if (id_equal(&p->id, &member->id))
            return p->store == member->store && p->boot >= member->boot ? p->match : 0;
    }
    return 0;
}

static uint64_t majority_index(const struct raft *r, bool of_old)
{
    const struct raft_config *config = raft_now(r);
    uint64_t matches[RAFT_MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        if (!(of_old ? m->was_voter : m->is_voter))
            continue;
        uint64_t match = match_of(r, m);
        size_t at = count++;
        for (; at > 0 && matches[at - 1] < match; at--)
            matches[at] = matches[at - 1];
        matches[at] = match;
    }
    return count ? matches[count / 2] : 0;
}

uint64_t raft_quorum_index(const struct raft *r)
{
    uint64_t index = majority_index(r, false);
    if (!raft_config_is_joint(raft_now(r)))
        return index;
    uint64_t old = majority_index(r, true);
    return old < index ? old : index;
}

/* --- a configuration comes into force: appended, or rolled back to */

bool raft_is_member(const struct raft_config *config, const struct id *id)
{
    for (size_t i = 0; i < config->count; i++)
        if (id_equal(&config->members[i].id, id))
            return true;
    return false;
}

static void add_peer(struct raft *r, const struct id *id)
{
    if (id_equal(id, &r->cfg.self) || raft_peer_find(r, id) || r->peer_count == RAFT_MEMBERS_MAX)
        return;
    struct raft_peer *p = &r->peers[r->peer_count++];
    p->id = *id;
    p->store = p->boot = p->match = p->context = p->have = 0;
    const struct raft_known *k = raft_known(r, id);
    if (k) {
        p->store = k->store;
        p->boot = k->boot;
    }
    p->heard_ms = r->now_ms;
    raft_peer_probe(p, r->log.last + 1);
}

void raft_config_changed(struct raft *r, enum raft_reason reason)
{
    const struct raft_config *config = raft_now(r);
    for (size_t i = r->peer_count; i-- > 0;)
        if (!raft_is_member(config, &r->peers[i].id))
            r->peers[i] = r->peers[--r->peer_count];
    for (size_t i = 0; i < config->count; i++)
        add_peer(r, &config->members[i].id);
    r->is_fenced = false;
    for (size_t i = 0; i < config->count; i++)
        if (id_equal(&config->members[i].id, &r->cfg.self) && config->members[i].store)
            r->is_fenced = !raft_is_voter(r);
    raft_post_change(r, reason);
}

static enum err append_config(struct raft *r, const struct raft_config *config)
{
    uint8_t storage[RAFT_CONFIG_SIZE_MAX];
    struct buf payload;
    buf_init_fixed(&payload, storage, sizeof(storage));
    TRY(raft_config_encode(config, &payload));
    TRY(raft_append(r, RAFT_CONFIG, buf_bytes(&payload)));
    raft_config_changed(r, RAFT_REASON_CONFIG);
    r->counts.changes++;
    return ERR_OK;
}

/* Out of the joint configuration: who only was a voter goes. */
static void leave_joint(struct raft *r)
{
    struct raft_config next = {0};
    const struct raft_config *config = raft_now(r);
    for (size_t i = 0; i < config->count; i++) {
        struct raft_member m = config->members[i];
        if (m.was_voter && !m.is_voter)
            continue;
        m.was_voter = false;
        next.members[next.count++] = m;
    }
    if (append_config(r, &next) != ERR_OK)
        raft_stop(r, ERR_NO_MEMORY);
}

void raft_config_committed(struct raft *r)
{
    if (r->role != RAFT_LEADER || now_index(r) > r->commit || r->commit < r->term_start)
        return;
    if (raft_config_is_joint(raft_now(r)))
        leave_joint(r);
    else if (!raft_is_voter(r))
        raft_follow(r, r->hard.term, NULL, RAFT_REASON_REMOVED);
}

/* --- a change is asked for */

static const struct raft_member *voter_row(const struct raft_config *config, const struct id *id)
{
    for (size_t i = 0; i < config->count; i++)
        if (config->members[i].is_voter && id_equal(&config->members[i].id, id))
            return &config->members[i];
    return NULL;
}

static bool is_caught_up(const struct raft *r, const struct raft_peer *p)
{
    return p && p->store && p->state == RAFT_REPLICATE &&
           p->match + CATCH_UP_ENTRIES >= r->log.last &&
           r->now_ms < p->heard_ms + r->cfg.election_ms;
}

/* The row of a voter that is wanted: as it is, or of the disk that it speaks from now. */
static enum err wanted_voter(struct raft *r, const struct id *id, struct raft_member *ret_row)
{
    const struct raft_config *config = raft_now(r);
    const struct raft_member *row = voter_row(config, id);
    const struct raft_peer *p = raft_peer_find(r, id);
    bool is_same = row && (!p || p->store == 0 || p->store == row->store);
    if (is_same) {
        *ret_row = *row;
        return ERR_OK;
    }
    if (!raft_is_member(config, id))
        return ERR_INVALID;
    if (!is_caught_up(r, p))
        return ERR_NOT_CAUGHT_UP;
    *ret_row =
        (struct raft_member){.id = *id, .store = p->store, .boot = p->boot, .is_voter = true};
    return ERR_OK;
}

static int compare(const struct raft_member *a, const struct raft_member *b)
{
    int order = id_compare(&a->id, &b->id);
    return order ? order : (a->store > b->store) - (a->store < b->store);
}

/* Rows of the same member and disk become one. */
static enum err insert(struct raft_config *config, const struct raft_member *row)
{
    size_t at = 0;
    while (at < config->count && compare(&config->members[at], row) < 0)
        at++;
    struct raft_member *m = &config->members[at];
    if (at < config->count && compare(m, row) == 0) {
        if (row->is_voter == m->is_voter && row->was_voter == m->was_voter)
            return ERR_INVALID; /* named twice */
        m->is_voter |= row->is_voter;
        m->was_voter |= row->was_voter;
        return ERR_OK;
    }
    if (config->count == RAFT_MEMBERS_MAX)
        return ERR_LIMIT;
    memmove(m + 1, m, (config->count - at) * sizeof(*m));
    *m = *row;
    config->count++;
    return ERR_OK;
}

static enum err add_targets(struct raft *r, const struct raft_event *e, struct raft_config *next)
{
    for (size_t i = 0; i < e->count; i++) {
        struct raft_member row = {.id = e->targets[i].id};
        if (e->targets[i].is_voter)
            TRY(wanted_voter(r, &e->targets[i].id, &row));
        for (size_t k = 0; k < i; k++)
            TRY(id_equal(&e->targets[k].id, &row.id) ? ERR_INVALID : ERR_OK);
        TRY(insert(next, &row));
    }
    return ERR_OK;
}

/* Voters old and new differ: then the next configuration is joint, and the old ones are in it. */
static enum err add_old(const struct raft_config *config, struct raft_config *next)
{
    size_t kept = 0, old = 0, new_voters = 0;
    for (size_t i = 0; i < next->count; i++)
        new_voters += next->members[i].is_voter;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        old += m->is_voter;
        for (size_t k = 0; k < next->count; k++)
            kept += m->is_voter && next->members[k].is_voter && !compare(m, &next->members[k]);
    }
    if (kept == old && kept == new_voters)
        return ERR_OK;
    for (size_t i = 0; i < config->count; i++) {
        struct raft_member row = config->members[i];
        row.is_voter = false;
        row.was_voter = true;
        if (config->members[i].is_voter)
            TRY(insert(next, &row));
    }
    return ERR_OK;
}

static bool is_equal(const struct raft_config *a, const struct raft_config *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (compare(&a->members[i], &b->members[i]) != 0 ||
            a->members[i].is_voter != b->members[i].is_voter)
            return false;
    return true;
}

static enum err change(struct raft *r, const struct raft_event *e)
{
    const struct raft_config *config = raft_now(r);
    struct raft_config next = {0};
    if (r->role != RAFT_LEADER || r->is_handing)
        return ERR_NOT_LEADER;
    if (!raft_has_room(r))
        return ERR_OVERLOADED;
    /* One at a time, and none before an entry of the own term is committed: else two leaders could
     * each change the same configuration and their majorities need not meet (Ongaro, 2015). */
    if (r->commit < r->term_start || now_index(r) > r->commit || raft_config_is_joint(config))
        return ERR_CHANGE_PENDING;
    TRY(add_targets(r, e, &next));
    if (is_equal(config, &next))
        return ERR_EXISTS;
    TRY(add_old(config, &next));
    return append_config(r, &next);
}

void raft_change_members(struct raft *r, const struct raft_event *e)
{
    enum err err = change(r, e);
    if (err == ERR_NO_MEMORY)
        raft_stop(r, err);
    raft_post_outcome(r, e->tag, err, err == ERR_OK ? r->log.last : 0);
}
