/* Invariants, after every step and at every write, message and applied entry. What some node once
 * held for committed is the truth: all others have to agree with it for ever. */
#include "tests/sim/raft_parts.h"

#include <stdlib.h>

typedef unsigned long long ull;

/* --- the truth */

static void learn_truth(struct raft_world *w, const struct raft_entry *e, uint64_t digest,
                        uint64_t leader_term)
{
    uint64_t config_index = w->truth_count ? w->truth[w->truth_count - 1].config_index : 0;
    if (e->kind == RAFT_CONFIG)
        config_index = e->index;
    if (w->truth_count == w->truth_capacity) {
        w->truth_capacity = w->truth_capacity ? w->truth_capacity * 2 : 256;
        w->truth = realloc(w->truth, w->truth_capacity * sizeof(*w->truth));
        CHECK(w->truth);
    }
    CHECK(e->index == w->truth_count + 1);
    w->truth[w->truth_count++] = (struct raft_truth){e->term, digest, leader_term, config_index};
    w->stats.commits++;
}

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

static void check_committed(struct raft_node *n, uint64_t index, uint64_t now_term)
{
    struct raft_world *w = n->world;
    struct bytes record;
    struct raft_entry e;
    if (raft_record(n->core, index, &record) != ERR_OK)
        return; /* behind a snapshot, or unreadable */
    uint64_t digest = record_digest(record);
    struct bytes rest = record;
    CHECK(raft_entry_read(&rest, &e) == ERR_OK);
    if (index == w->truth_count + 1) {
        learn_truth(w, &e, digest, now_term);
        check_held(n, index, e.term);
    } else if (index > w->truth_count) {
        if (n != w->damaged) /* which may have been the first, of what it cannot read any more */
            world_break(w, "commits_without_gaps", "%s at %llu", n->name, (ull)index);
    } else if (w->truth[index - 1].digest != digest || w->truth[index - 1].term != e.term) {
        world_break(w, "state_machine_safety",
                    "%s commits another entry at %llu: term %llu not %llu", n->name, (ull)index,
                    (ull)e.term, (ull)w->truth[index - 1].term);
    }
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

static void check_leader(struct raft_node *n, const struct raft_status *s)
{
    struct raft_world *w = n->world;
    bool is_new = !n->has_seen || n->seen.role != RAFT_LEADER || n->seen.term != s->term;
    if (s->term >= sizeof(w->leader_terms) / sizeof(*w->leader_terms)) {
        world_break(w, "terms_are_few", "%llu", (ull)s->term);
        return;
    }
    uint64_t *leader = &w->leader_terms[s->term];
    if (*leader && *leader != n->number + 1)
        world_break(w, "election_safety", "s%llu and %s lead in term %llu", (ull)*leader, n->name,
                    (ull)s->term);
    *leader = n->number + 1;
    if (!is_new) {
        if (s->last < n->seen.last)
            world_break(w, "leader_append_only", "%s", n->name);
        return;
    }
    w->stats.elections++;
    if (s->unreadable_first)
        world_break(w, "leads_without_a_gap", "%s in term %llu", n->name, (ull)s->term);
    for (uint64_t index = s->base + 1; index <= w->truth_count; index++) {
        struct bytes record;
        if (w->truth[index - 1].leader_term >= s->term)
            return; /* by a later leader: this one won too late */
        bool is_readable = raft_record(n->core, index, &record) == ERR_OK;
        bool has = is_readable ? record_digest(record) == w->truth[index - 1].digest
                               : n == w->damaged && index <= s->last; /* rotten since it started */
        if (!has) {
            world_break(w, "leader_completeness", "%s leads in term %llu without entry %llu",
                        n->name, (ull)s->term, (ull)index);
            return;
        }
    }
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

static void check_monotone(struct raft_node *n, const struct raft_status *s)
{
    struct raft_world *w = n->world;
    if (s->term < n->disk.hard.term)
        world_break(w, "terms_never_go_back", "%s", n->name);
    if (!n->has_seen)
        return;
    if (s->term < n->seen.term)
        world_break(w, "terms_never_go_back", "%s", n->name);
    if (s->commit < n->seen.commit || s->applied < n->seen.applied)
        world_break(w, "commits_never_go_back", "%s: %llu after %llu", n->name, (ull)s->commit,
                    (ull)n->seen.commit);
    if (s->last < s->commit && !s->is_installing)
        world_break(w, "commits_are_in_the_log", "%s: %llu of %llu", n->name, (ull)s->commit,
                    (ull)s->last);
    bool is_same_term = s->term == n->seen.term;
    if (is_same_term && !id_is_zero(&n->seen.vote) && !id_equal(&n->seen.vote, &s->vote))
        world_break(w, "one_vote_a_term", "%s in term %llu", n->name, (ull)s->term);
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

/* Section 5.4.2: what a leader commits by counting is of its own term. */
static void check_counting(struct raft_node *n, const struct raft_status *s)
{
    bool has_led = n->has_seen && n->seen.role == RAFT_LEADER && n->seen.term == s->term;
    if (has_led && s->role == RAFT_LEADER && s->commit > n->seen.commit &&
        term_at(n, s->commit) != s->term)
        world_break(n->world, "counts_entries_of_its_own_term", "%s at %llu", n->name,
                    (ull)s->commit);
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
    if (s.role != RAFT_STOPPED) {
        check_monotone(n, &s);
        check_counting(n, &s);
        check_prevote(n, event, &s);
        uint64_t from = n->has_seen ? n->seen.commit : s.base;
        for (uint64_t index = from + 1; index <= s.commit; index++)
            check_committed(n, index, s.term);
        if (s.role == RAFT_LEADER)
            check_leader(n, &s);
        check_bounds(n, &s);
    }
    n->commit_before = n->has_seen ? n->seen.commit : 0;
    bool has_won = s.role == RAFT_LEADER &&
                   !(n->has_seen && n->seen.role == RAFT_LEADER && n->seen.term == s.term);
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

/* --- writes: log matching, and how configurations follow each other */

static uint64_t slot_of(const struct raft_world *w, uint64_t index, uint64_t term)
{
    return (index * 0x9e3779b97f4a7c15ull ^ term * 0xc2b2ae3d27d4eb4full) >> 20 &
           (w->seen_capacity - 1);
}

static void remember_record(struct raft_world *w, uint64_t index, uint64_t term, uint64_t digest,
                            struct raft_node *n);

static void grow_seen(struct raft_world *w)
{
    struct raft_seen_record *old = w->seen_records;
    size_t capacity = w->seen_capacity;
    w->seen_capacity = capacity ? capacity * 2 : 1024;
    w->seen_records = calloc(w->seen_capacity, sizeof(*old));
    CHECK(w->seen_records);
    w->seen_count = 0;
    for (size_t i = 0; i < capacity; i++)
        if (old[i].term)
            remember_record(w, old[i].index, old[i].term, old[i].digest, NULL);
    free(old);
}

/* Two entries of the same index and term are the same, and so is all before them: the chain says
 * so, whose hash is in the digest. */
static void remember_record(struct raft_world *w, uint64_t index, uint64_t term, uint64_t digest,
                            struct raft_node *n)
{
    if (w->seen_count * 2 >= w->seen_capacity)
        grow_seen(w);
    for (uint64_t at = slot_of(w, index, term);; at = (at + 1) & (w->seen_capacity - 1)) {
        struct raft_seen_record *s = &w->seen_records[at];
        if (s->term == term && s->index == index) {
            if (s->digest != digest)
                world_break(w, "log_matching", "%s has another entry %llu of term %llu",
                            n ? n->name : "?", (ull)index, (ull)term);
            return;
        }
        if (s->term)
            continue;
        *s = (struct raft_seen_record){index, term, digest};
        w->seen_count++;
        return;
    }
}

static void check_config(struct raft_node *n, const struct raft_entry *e)
{
    struct raft_config config;
    struct raft_world *w = n->world;
    if (raft_config_decode(e->payload, &config) != ERR_OK)
        world_break(w, "configurations_are_sound", "%s at %llu", n->name, (ull)e->index);
    w->stats.changes++;
    w->stats.joint += raft_config_is_joint(&config);
    /* A leader changes nothing while an earlier change is not committed. */
    if (n->seen.role != RAFT_LEADER || e->term != n->seen.term)
        return;
    if (term_at(n, n->seen.commit) != e->term)
        world_break(w, "changes_after_an_own_commit", "%s at %llu", n->name, (ull)e->index);
    for (uint64_t index = n->seen.commit + 1; index < e->index; index++) {
        struct bytes record;
        struct raft_entry other;
        if (raft_record(n->core, index, &record) == ERR_OK &&
            raft_entry_read(&record, &other) == ERR_OK && other.kind == RAFT_CONFIG)
            world_break(w, "one_change_at_a_time", "%s at %llu and %llu", n->name, (ull)index,
                        (ull)e->index);
    }
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
    if (base && base->index <= w->truth_count &&
        base->config_index != w->truth[base->index - 1].config_index)
        world_break(w, "bases_know_the_members", "%s at %llu", n->name, (ull)base->index);
}

/* What a member gave that need not lead: as it was here, or committed. */
static void check_repair(struct raft_node *n, const struct raft_entry *e)
{
    struct raft_world *w = n->world;
    const struct raft_stored *was = sim_disk_record(&n->disk, e->index);
    uint64_t digest = record_digest(e->record);
    bool is_truth = e->index <= w->truth_count && w->truth[e->index - 1].digest == digest;
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
        remember_record(n->world, e.index, e.term, record_digest(e.record), n);
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
    if (e->index != n->machine.applied + 1)
        world_break(w, "applied_in_order", "%s: %llu after %llu", n->name, (ull)e->index,
                    (ull)n->machine.applied);
    if (e->index > w->truth_count || w->truth[e->index - 1].digest != record_digest(e->record))
        world_break(w, "state_machine_safety", "%s applies another entry at %llu", n->name,
                    (ull)e->index);
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
