/* See raft_rules.h. */
#include "tests/sim/raft_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned long long ull;

void rules_init(struct rules *r, rules_broken_fn broken, void *ctx)
{
    *r = (struct rules){.broken = broken, .ctx = ctx};
}

void rules_fini(struct rules *r)
{
    free(r->truth);
    free(r->seen);
}

__attribute__((format(printf, 3, 4))) static void break_rule(struct rules *r, const char *invariant,
                                                             const char *format, ...)
{
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    r->broken(r->ctx, invariant, why);
}

static uint64_t term_at(const struct rules_server *s, uint64_t index)
{
    struct rules_entry e;
    return s->entry(s, index, &e) ? e.term : 0;
}

/* --- commits */

static void learn_truth(struct rules *r, const struct rules_entry *e, uint64_t leader_term)
{
    uint64_t config_index = r->truth_count ? r->truth[r->truth_count - 1].config_index : 0;
    if (e->is_config)
        config_index = e->index;
    if (r->truth_count == r->truth_capacity) {
        r->truth_capacity = r->truth_capacity ? r->truth_capacity * 2 : 256;
        r->truth = realloc(r->truth, r->truth_capacity * sizeof(*r->truth));
        CHECK(r->truth);
    }
    CHECK(e->index == r->truth_count + 1);
    r->truth[r->truth_count++] =
        (struct rules_truth){e->term, e->digest, leader_term, config_index};
}

static void check_committed(struct rules *r, const struct rules_server *s, uint64_t index)
{
    struct rules_entry e;
    if (!s->entry(s, index, &e))
        return; /* behind a snapshot, or unreadable */
    if (index == r->truth_count + 1) {
        learn_truth(r, &e, s->term);
    } else if (index > r->truth_count) {
        if (!s->has_lost) /* which may have been the first, of what it cannot read any more */
            break_rule(r, "commits_without_gaps", "%s at %llu", s->name, (ull)index);
    } else if (r->truth[index - 1].digest != e.digest || r->truth[index - 1].term != e.term) {
        break_rule(r, "state_machine_safety",
                   "%s commits another entry at %llu: term %llu not %llu", s->name, (ull)index,
                   (ull)e.term, (ull)r->truth[index - 1].term);
    }
}

/* Section 5.4.2: what a leader commits by counting is of its own term. */
static void check_counting(struct rules *r, const struct rules_server *before,
                           const struct rules_server *now)
{
    bool has_led = before && before->is_leader && before->term == now->term;
    if (has_led && now->is_leader && now->commit > before->commit &&
        term_at(now, now->commit) != now->term)
        break_rule(r, "counts_entries_of_its_own_term", "%s at %llu", now->name, (ull)now->commit);
}

/* --- leaders */

static void check_completeness(struct rules *r, const struct rules_server *s)
{
    for (uint64_t index = s->base + 1; index <= r->truth_count; index++) {
        struct rules_entry e;
        if (r->truth[index - 1].leader_term >= s->term)
            return; /* by a later leader: this one won too late */
        bool is_readable = s->entry(s, index, &e);
        bool has = is_readable ? e.digest == r->truth[index - 1].digest
                               : s->has_lost && index <= s->last; /* rotten since it started */
        if (!has) {
            break_rule(r, "leader_completeness", "%s leads in term %llu without entry %llu",
                       s->name, (ull)s->term, (ull)index);
            return;
        }
    }
}

static void check_leader(struct rules *r, const struct rules_server *before,
                         const struct rules_server *now)
{
    if (now->term >= RULES_TERMS) {
        break_rule(r, "terms_are_few", "%llu", (ull)now->term);
        return;
    }
    uint64_t *leader = &r->leaders[now->term];
    if (*leader && *leader != now->number + 1)
        break_rule(r, "election_safety", "s%llu and %s lead in term %llu", (ull)*leader, now->name,
                   (ull)now->term);
    *leader = now->number + 1;
    bool has_led = before && before->is_leader && before->term == now->term;
    if (!has_led)
        check_completeness(r, now);
    else if (now->last < before->last)
        break_rule(r, "leader_append_only", "%s", now->name);
}

/* --- each step */

static void check_monotone(struct rules *r, const struct rules_server *before,
                           const struct rules_server *now)
{
    if (now->term < before->term)
        break_rule(r, "terms_never_go_back", "%s", now->name);
    if (now->commit < before->commit || now->applied < before->applied)
        break_rule(r, "commits_never_go_back", "%s: %llu after %llu", now->name, (ull)now->commit,
                   (ull)before->commit);
    if (now->last < now->commit && !now->is_installing)
        break_rule(r, "commits_are_in_the_log", "%s: %llu of %llu", now->name, (ull)now->commit,
                   (ull)now->last);
    bool is_same_term = now->term == before->term;
    if (is_same_term && !id_is_zero(&before->vote) && !id_equal(&before->vote, &now->vote))
        break_rule(r, "one_vote_a_term", "%s in term %llu", now->name, (ull)now->term);
}

void rules_step(struct rules *r, const struct rules_server *before, const struct rules_server *now)
{
    if (before)
        check_monotone(r, before, now);
    check_counting(r, before, now);
    uint64_t from = before ? before->commit : now->base;
    for (uint64_t index = from + 1; index <= now->commit; index++)
        check_committed(r, now, index);
    if (now->is_leader)
        check_leader(r, before, now);
}

/* --- log matching, and how configurations follow each other */

static uint64_t slot_of(const struct rules *r, uint64_t index, uint64_t term)
{
    return (index * 0x9e3779b97f4a7c15ull ^ term * 0xc2b2ae3d27d4eb4full) >> 20 &
           (r->seen_capacity - 1);
}

/* The slot of this entry, or the free one where it belongs. */
static struct rules_seen *find_seen(struct rules *r, uint64_t index, uint64_t term)
{
    uint64_t at = slot_of(r, index, term);
    while (r->seen[at].term && (r->seen[at].term != term || r->seen[at].index != index))
        at = (at + 1) & (r->seen_capacity - 1);
    return &r->seen[at];
}

static void grow_seen(struct rules *r)
{
    struct rules_seen *old = r->seen;
    size_t capacity = r->seen_capacity;
    r->seen_capacity = capacity ? capacity * 2 : 1024;
    r->seen = calloc(r->seen_capacity, sizeof(*old));
    CHECK(r->seen);
    for (size_t i = 0; i < capacity; i++)
        if (old[i].term)
            *find_seen(r, old[i].index, old[i].term) = old[i];
    free(old);
}

/* Two entries of the same index and term are the same, and so is all before them: the chain says
 * so, whose hash is in the digest. */
void rules_store(struct rules *r, const char *name, const struct rules_entry *e)
{
    if (r->seen_count * 2 >= r->seen_capacity)
        grow_seen(r);
    struct rules_seen *s = find_seen(r, e->index, e->term);
    if (!s->term) {
        *s = (struct rules_seen){e->index, e->term, e->digest};
        r->seen_count++;
    } else if (s->digest != e->digest) {
        break_rule(r, "log_matching", "%s has another entry %llu of term %llu", name, (ull)e->index,
                   (ull)e->term);
    }
}

/* A leader changes nothing while an earlier change is not committed, nor before it has committed
 * an entry of its term: the majorities of two leaders' changes might not meet. */
void rules_change(struct rules *r, const struct rules_server *s, const struct rules_entry *e)
{
    if (!s->is_leader || e->term != s->term)
        return;
    if (term_at(s, s->commit) != e->term)
        break_rule(r, "changes_after_an_own_commit", "%s at %llu", s->name, (ull)e->index);
    for (uint64_t index = s->commit + 1; index < e->index; index++) {
        struct rules_entry other;
        if (s->entry(s, index, &other) && other.is_config)
            break_rule(r, "one_change_at_a_time", "%s at %llu and %llu", s->name, (ull)index,
                       (ull)e->index);
    }
}

/* --- applied entries */

void rules_apply(struct rules *r, const char *name, uint64_t applied, const struct rules_entry *e)
{
    if (e->index != applied + 1)
        break_rule(r, "applied_in_order", "%s: %llu after %llu", name, (ull)e->index, (ull)applied);
    if (e->index > r->truth_count || r->truth[e->index - 1].digest != e->digest)
        break_rule(r, "state_machine_safety", "%s applies another entry at %llu", name,
                   (ull)e->index);
}
