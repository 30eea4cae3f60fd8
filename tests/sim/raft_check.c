/* Invariants, after every step and at every write, message and applied entry. What every Raft has
 * to keep is in raft_rules.c, which is told of our core here; what this core promises beyond that
 * is here. */
#include "tests/sim/raft_parts.h"

typedef unsigned long long ull;

/* --- facts for the rules */

static struct rules_entry facts_of(const struct raft_entry *e)
{
    return (struct rules_entry){e->index, e->term, record_digest(e->record),
                                e->kind == RAFT_CONFIG};
}

static bool read_entry(const struct rules_server *s, uint64_t index, struct rules_entry *ret_entry)
{
    const struct raft_node *n = s->ctx;
    struct bytes record;
    struct raft_entry e;
    if (raft_record(n->core, index, &record) != ERR_OK || raft_entry_read(&record, &e) != ERR_OK)
        return false;
    *ret_entry = facts_of(&e);
    return true;
}

static struct rules_server describe(struct raft_node *n, const struct raft_status *s)
{
    return (struct rules_server){.name = n->name,
                                 .number = n->number,
                                 .term = s->term,
                                 .commit = s->commit,
                                 .applied = s->applied,
                                 .last = s->last,
                                 .base = s->base,
                                 .vote = s->vote,
                                 .is_leader = s->role == RAFT_LEADER,
                                 .is_installing = s->is_installing,
                                 .has_lost = n == n->world->damaged,
                                 .entry = read_entry,
                                 .ctx = n};
}

/* --- what is durable */

/* Is it on the disk of this member, or was it when that disk was still there? */
static bool is_held(struct raft_world *w, const struct raft_member *m, uint64_t index,
                    uint64_t term)
{
    struct raft_node *n = world_node(w, &m->id);
    if (!n || n == w->damaged || n->disk.hard.store != m->store)
        return true;
    if (index <= n->disk.base.index || index <= n->disk.machine.applied)
        return true;
    struct raft_stored *s = sim_disk_record(&n->disk, index);
    return s && s->term == term;
}

static bool is_majority_held(struct raft_world *w, const struct raft_config *config, bool of_old,
                             uint64_t index, uint64_t term)
{
    size_t all = 0, with = 0;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        if (!(of_old ? m->was_voter : m->is_voter))
            continue;
        all++;
        with += is_held(w, m, index, term);
    }
    return with > all / 2 || all == 0;
}

/* A commit that nobody knew of before: a majority must have it on disk now. */
static void check_held(struct raft_node *n, uint64_t index, uint64_t term)
{
    const struct raft_config *config = raft_config(n->core);
    if (!raft_is_leader(n->core))
        return;
    if (!is_majority_held(n->world, config, false, index, term) ||
        (raft_config_is_joint(config) && !is_majority_held(n->world, config, true, index, term)))
        world_break(n->world, "committed_only_when_durable", "%s counts %llu of term %llu", n->name,
                    (ull)index, (ull)term);
}

static uint64_t term_at(struct raft_node *n, uint64_t index)
{
    struct bytes record;
    struct raft_entry e;
    if (raft_record(n->core, index, &record) != ERR_OK || raft_entry_read(&record, &e) != ERR_OK)
        return 0;
    return e.term;
}

/* --- each step */

/* Does the member's disk say, now, that it may have voted for this leader in this term? */
static bool may_have_voted(struct raft_world *w, const struct raft_member *m,
                           struct raft_node *leader)
{
    struct raft_node *n = world_node(w, &m->id);
    if (!n || n == w->damaged || n->disk.hard.store != m->store)
        return true;
    const struct raft_hard *h = &n->disk.hard;
    return h->term > leader->seen.term ||
           (h->term == leader->seen.term && id_equal(&h->vote, &leader->id));
}

static void check_elected(struct raft_node *n)
{
    const struct raft_config *config = raft_config(n->core);
    size_t all[2] = {0}, with[2] = {0};
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        bool voted = may_have_voted(n->world, m, n);
        all[0] += m->is_voter;
        all[1] += m->was_voter;
        with[0] += m->is_voter && voted;
        with[1] += m->was_voter && voted;
    }
    if (with[0] <= all[0] / 2 || (all[1] && with[1] <= all[1] / 2))
        world_break(n->world, "elected_by_durable_majorities", "%s in term %llu", n->name,
                    (ull)n->seen.term);
}

static void check_bounds(struct raft_node *n, const struct raft_status *s)
{
    struct raft_world *w = n->world;
    size_t most = w->features.small_windows ? 1500 + 2048 : 100000 + 2048;
    if (s->role == RAFT_LEADER && n->seen.role == RAFT_LEADER && s->uncommitted_bytes > most &&
        s->uncommitted_bytes > n->seen.uncommitted_bytes && s->last > n->seen.last + 2)
        world_break(w, "queues_are_bounded", "%s: %zu bytes not committed", n->name,
                    s->uncommitted_bytes);
    if (s->role == RAFT_LEADER && s->is_full)
        world_break(w, "full_disks_do_not_lead", "%s", n->name);
    if (s->reads_waiting > 16)
        world_break(w, "queues_are_bounded", "%s: %zu reads", n->name, s->reads_waiting);
}

static void check_common(struct raft_node *n, const struct raft_status *s, bool has_won)
{
    struct raft_world *w = n->world;
    size_t known = w->rules.truth_count;
    if (s->term < n->disk.hard.term)
        world_break(w, "terms_never_go_back", "%s", n->name);
    struct rules_server before = describe(n, &n->seen), now = describe(n, s);
    rules_step(&w->rules, n->has_seen ? &before : NULL, &now);
    w->stats.commits += w->rules.truth_count - known;
    for (size_t i = known; i < w->rules.truth_count; i++)
        check_held(n, i + 1, w->rules.truth[i].term);
    w->stats.elections += has_won;
    if (has_won && s->unreadable_first)
        world_break(w, "leads_without_a_gap", "%s in term %llu", n->name, (ull)s->term);
}

static void note(struct raft_node *n, const struct raft_effects *e)
{
    struct raft_world *w = n->world;
    for (size_t i = 0; i < e->change_count; i++)
        world_trace(w, n, raft_reason_name(e->changes[i].reason));
    if (e->write && e->write->truncate_from)
        w->stats.truncations++;
    if (e->write && e->write->is_repair)
        w->stats.repairs++;
}

static void check_prevote(struct raft_node *n, const struct raft_event *event,
                          const struct raft_status *s)
{
    bool is_prevote = event->type == RAFT_MESSAGE && event->message->type == RAFT_PREVOTE &&
                      s->is_fenced == n->seen.is_fenced; /* it may tell that our disk is old */
    if (is_prevote && n->has_seen && (s->term != n->seen.term || s->role != n->seen.role) &&
        n->now_before_ms == event->now_ms)
        world_break(n->world, "prevote_changes_nothing", "%s", n->name);
    n->now_before_ms = event->now_ms;
}

/* Check-quorum: whoever hears no majority leads no longer than three election time-outs. */
static void check_contact(struct raft_node *n, const struct raft_event *event,
                          const struct raft_effects *e, bool has_won)
{
    const struct raft_config *config = raft_config(n->core);
    size_t all = 0, heard = 0;
    if (event->type == RAFT_MESSAGE)
        n->heard_ms[world_node(n->world, &event->message->from)->number] = event->now_ms;
    for (size_t i = 0; i < e->change_count; i++)
        has_won |= e->changes[i].reason == RAFT_REASON_CONFIG;
    if (has_won)
        n->led_since_ms = event->now_ms; /* or with these members */
    if (n->seen.role != RAFT_LEADER || event->now_ms < n->led_since_ms + 3 * RAFT_ELECTION_MS)
        return;
    for (size_t i = 0; i < config->count; i++) {
        const struct raft_member *m = &config->members[i];
        size_t number = world_node(n->world, &m->id)->number;
        all += m->is_voter;
        heard += m->is_voter && (number == n->number ||
                                 event->now_ms < n->heard_ms[number] + 3 * RAFT_ELECTION_MS);
    }
    if (heard <= all / 2)
        world_break(n->world, "leads_with_a_majority", "%s in term %llu", n->name,
                    (ull)n->seen.term);
}

/* Whoever is voted for lacks nothing of what the voter took, durable or not: its end must be known.
 */
static void check_grant(struct raft_node *n, const struct raft_event *event,
                        const struct raft_effects *e)
{
    const struct raft_message *m = event->message;
    if (event->type != RAFT_MESSAGE || m->type != RAFT_VOTE)
        return;
    for (size_t i = 0; i < e->send_count; i++) {
        const struct raft_message *reply = &e->sends[i].message;
        if (reply->type != RAFT_VOTE_REPLY || !reply->ok)
            continue;
        uint64_t last = n->seen.last, term = term_at(n, last);
        bool is_fresh = m->log_term > term || (m->log_term == term && m->index >= last);
        bool has_end = !n->seen.unreadable_last || n->seen.unreadable_last < last;
        bool is_known = term || last == n->seen.base;
        if (!has_end || (is_known && !is_fresh))
            world_break(n->world, "votes_go_to_fresh_logs", "%s in term %llu", n->name,
                        (ull)n->seen.term);
    }
}

void check_step(struct raft_node *n, const struct raft_event *event, const struct raft_effects *e)
{
    struct raft_status s;
    raft_status(n->core, &s);
    bool has_won = s.role == RAFT_LEADER &&
                   !(n->has_seen && n->seen.role == RAFT_LEADER && n->seen.term == s.term);
    if (s.role != RAFT_STOPPED) {
        check_common(n, &s, has_won);
        check_prevote(n, event, &s);
        check_bounds(n, &s);
    }
    n->commit_before = n->has_seen ? n->seen.commit : 0;
    n->seen = s;
    n->has_seen = true;
    if (has_won)
        check_elected(n);
    check_grant(n, event, e);
    check_contact(n, event, e, has_won);
    n->was_fetched = event->type == RAFT_MESSAGE && event->message->type == RAFT_FETCHED;
    note(n, e);
}

void check_start(struct raft_node *n)
{
    n->has_seen = false;
    raft_status(n->core, &n->seen);
    world_trace(n->world, n, "start");
}

/* --- writes: what is stored, and how configurations follow each other */

static void check_config(struct raft_node *n, const struct raft_entry *e)
{
    struct raft_config config;
    struct raft_world *w = n->world;
    if (raft_config_decode(e->payload, &config) != ERR_OK)
        world_break(w, "configurations_are_sound", "%s at %llu", n->name, (ull)e->index);
    w->stats.changes++;
    w->stats.joint += raft_config_is_joint(&config);
    struct rules_server s = describe(n, &n->seen);
    struct rules_entry facts = facts_of(e);
    rules_change(&w->rules, &s, &facts);
}

/* The configuration in force is the newest in the log. */
static void check_members(struct raft_node *n)
{
    struct raft_config config;
    for (uint64_t index = n->seen.last; index > n->seen.base; index--) {
        struct bytes record;
        struct raft_entry e;
        if (raft_record(n->core, index, &record) != ERR_OK ||
            raft_entry_read(&record, &e) != ERR_OK)
            return; /* unreadable: it may be another */
        if (e.kind != RAFT_CONFIG)
            continue;
        if (raft_config_decode(e.payload, &config) != ERR_OK ||
            memcmp(&config, raft_config(n->core), sizeof(config)) != 0)
            world_break(n->world, "members_are_those_of_the_log", "%s at %llu", n->name,
                        (ull)index);
        return;
    }
}

/* Whoever cuts a log off at its head must not forget who the members are. */
static void check_base(struct raft_node *n, const struct raft_base *base)
{
    struct raft_world *w = n->world;
    if (base && base->index <= w->rules.truth_count &&
        base->config_index != w->rules.truth[base->index - 1].config_index)
        world_break(w, "bases_know_the_members", "%s at %llu", n->name, (ull)base->index);
}

/* What a member gave that need not lead: as it was here, or committed. */
static void check_repair(struct raft_node *n, const struct raft_entry *e)
{
    struct raft_world *w = n->world;
    const struct raft_stored *was = sim_disk_record(&n->disk, e->index);
    uint64_t digest = record_digest(e->record);
    bool is_truth =
        e->index <= w->rules.truth_count && w->rules.truth[e->index - 1].digest == digest;
    if (n->was_fetched && was && was->digest != digest && !is_truth)
        world_break(w, "repairs_restore", "%s at %llu", n->name, (ull)e->index);
}

void check_write(struct raft_node *n, const struct raft_write *write)
{
    check_base(n, write->trim);
    check_base(n, write->reset);
    check_base(n, write->made ? &write->made->base : NULL);
    if (write->truncate_from)
        check_members(n);
    struct bytes rest = write->records;
    uint64_t index = write->first_index;
    if (write->truncate_from && write->truncate_from <= n->commit_before)
        world_break(n->world, "commits_are_not_undone", "%s from %llu", n->name,
                    (ull)write->truncate_from);
    if (n->seen.role == RAFT_LEADER && write->truncate_from && write->hard == NULL)
        world_break(n->world, "leader_append_only", "%s", n->name);
    while (rest.size) {
        struct raft_entry e;
        if (raft_entry_read(&rest, &e) != ERR_OK || e.index != index++) {
            world_break(n->world, "records_are_in_order", "%s", n->name);
            return;
        }
        struct rules_entry facts = facts_of(&e);
        rules_store(&n->world->rules, n->name, &facts);
        if (write->is_repair)
            check_repair(n, &e);
        if (e.kind == RAFT_CONFIG && !write->is_repair)
            check_config(n, &e);
    }
}

/* --- messages: nothing is said that is not durable */

static bool is_on_disk(struct raft_node *n, uint64_t index)
{
    return index <= sim_disk_last(&n->disk) || index <= n->disk.machine.applied;
}

void check_send(struct raft_node *n, const struct raft_message *m)
{
    struct raft_world *w = n->world;
    const struct raft_hard *hard = &n->disk.hard;
    if (m->term > hard->term)
        world_break(w, "terms_are_durable_before_use", "%s sends %s of term %llu", n->name,
                    raft_message_name(m->type), (ull)m->term);
    if (m->type == RAFT_VOTE_REPLY && m->ok && m->term == hard->term &&
        !id_equal(&hard->vote, &m->to))
        world_break(w, "votes_are_durable_before_use", "%s in term %llu", n->name, (ull)m->term);
    if (m->type == RAFT_VOTE && m->term == hard->term && !id_equal(&hard->vote, &n->id))
        world_break(w, "votes_are_durable_before_use", "%s in term %llu", n->name, (ull)m->term);
    bool campaigns = m->type == RAFT_VOTE && n->seen.role == RAFT_CANDIDATE;
    bool is_promise = (m->type == RAFT_APPEND_REPLY && m->ok) || campaigns;
    if (is_promise && m->term == hard->term && !is_on_disk(n, m->index))
        world_break(w, "acknowledged_only_when_durable", "%s sends %s for %llu", n->name,
                    raft_message_name(m->type), (ull)m->index);
}

/* --- applied entries */

void check_apply(struct raft_node *n, const struct raft_entry *e)
{
    struct raft_world *w = n->world;
    if (n->seen.is_installing)
        world_break(w, "installed_alone", "%s applies %llu meanwhile", n->name, (ull)e->index);
    struct rules_entry facts = facts_of(e);
    rules_apply(&w->rules, n->name, n->machine.applied, &facts);
}

/* --- the end: all who are members have come to the same state */

static void check_same(struct raft_world *w, const struct raft_node *leader)
{
    const struct raft_config *config = raft_config(leader->core);
    for (size_t i = 0; i < config->count; i++) {
        struct raft_node *n = world_node(w, &config->members[i].id);
        if (n->machine.applied == leader->machine.applied &&
            memcmp(&n->machine, &leader->machine, sizeof(n->machine)) == 0)
            continue;
        world_break(w, "replicas_are_equal", "%s at %llu and %s at %llu", n->name,
                    (ull)n->machine.applied, leader->name, (ull)leader->machine.applied);
    }
}

void check_end(struct raft_world *w)
{
    struct raft_node *leader = world_leader(w);
    if (!leader) {
        world_break(w, "a_leader_comes", "none, %llu ms after all was mended", (ull)w->now_ms);
        return;
    }
    if (!leader->seen.is_voter)
        world_break(w, "removed_leaders_step_down", "%s", leader->name);
    check_same(w, leader);
    for (uint64_t key = 0; key < RAFT_KEYS && !w->broken; key++)
        if (!linear_check(w->ops, w->op_count, key, &w->stats.linear_states))
            world_break(w, "linearizability", "key %llu", (ull)key);
}
