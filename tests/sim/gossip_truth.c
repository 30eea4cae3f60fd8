/* What is true of a swarm: who is well since when, who is dead; and what must follow from it after
 * a while: the dead are known, tables are bounded, and when all is healed everybody sees the
 * same. */
#include "tests/sim/gossip_world.h"

#include <inttypes.h>
#include <stdlib.h>

#define ABROAD_US (15 * SWARM_SECOND) /* only gateways probe across regions */
#define STRANGER_MS 21000 /* one that was down, and rises, goes after 10 s, looked at every 10 s */
#define CALM_US (15 * SWARM_SECOND)
#define EXPIRY_LOOK_US (10 * SWARM_SECOND) /* the core looks so often whose time is over */
#define EXPIRY_CLOCK_MS 5000 /* a clock that is so late takes the ended for good so much longer */
#define FRESH_US (2500 * SWARM_MS) /* published each second; the rest is for the way */

/* --- who is well */

static size_t region_of(const struct swarm *s, size_t node)
{
    return s->identities[s->nodes[node].identity].region;
}

/* It can talk, both ways, to most of those of its region that run. */
static bool reaches_most(const struct swarm *s, size_t node)
{
    size_t running = 0, reached = 0;
    if (s->cut_count == 0)
        return true;
    for (size_t i = 0; i < s->identity_count; i++) {
        if (i == node || region_of(s, i) != region_of(s, node) || !swarm_node_runs(&s->nodes[i]))
            continue;
        running++;
        reached += !swarm_is_cut(s, node, i) && !swarm_is_cut(s, i, node);
    }
    return running == 0 || 2 * reached > running;
}

/* It goes by the clock of the others: else its records are refused, or it refuses theirs. */
static bool has_time(const struct swarm_node *n)
{
    return llabs(n->wall_ms) < (int64_t)SWARM_SKEW_MS &&
           llabs(n->start_wall_ms) < (int64_t)SWARM_SKEW_MS;
}

void swarm_truth_changed(struct swarm *s)
{
    for (size_t i = 0; i < s->identity_count; i++) {
        struct swarm_node *n = &s->nodes[i];
        bool is_well = swarm_node_runs(n) && !n->is_silent && reaches_most(s, i) &&
                       s->identities[i].expired_us == 0 && has_time(n);
        if (is_well && !n->is_well)
            n->well_us = s->now_us;
        n->is_well = is_well;
    }
}

bool swarm_is_well_for(const struct swarm *s, const struct swarm_node *n, uint64_t for_us)
{
    return n->is_well && s->now_us - n->well_us >= for_us;
}

bool swarm_identity_is_dead(const struct swarm *s, size_t identity, uint64_t *ret_since_us)
{
    const struct swarm_node *n = &s->nodes[identity];
    const struct swarm_node *twin = &s->nodes[s->identity_count];
    bool has_twin = twin->gossip && twin->identity == identity;
    if (swarm_node_runs(n) || has_twin || n->life == 0)
        return false;
    uint64_t twin_us = s->identities[identity].twin_until_us;
    *ret_since_us = n->dead_us > twin_us ? n->dead_us : twin_us;
    return true;
}

/* --- bounds */

/* From the moment when the dead is dead, the observer well and nothing else amiss. A lonely
 * observer waits for its own probe and the longest suspicion; loss costs probes and tellings. */
static uint64_t bound_us(const struct swarm *s, size_t region)
{
    uint64_t well = 0, all = 0;
    for (size_t i = 0; i < s->identity_count; i++) {
        all += region_of(s, i) == region;
        well += region_of(s, i) == region && s->nodes[i].is_well;
    }
    uint64_t us = 10 * SWARM_SECOND + (uint64_t)(s->loss * 40e6) + s->tail_us;
    if (well < 5)
        us += 10 * SWARM_SECOND;
    return us + SWARM_SECOND * 4 * all / (well + 1);
}

static void check_dead(struct swarm *s, size_t identity, uint64_t since_us)
{
    const struct swarm_identity *i = &s->identities[identity];
    uint64_t limit_us = bound_us(s, i->region);
    uint64_t from_us = since_us > s->disturbed_us ? since_us : s->disturbed_us;
    for (size_t o = 0; o < s->identity_count && !s->failures; o++) {
        const struct swarm_node *n = &s->nodes[o];
        uint64_t due_us = limit_us + (region_of(s, o) == i->region ? 0 : ABROAD_US);
        bool is_due = n->is_well && !n->is_liar && s->now_us > from_us + due_us &&
                      s->now_us > n->well_us + due_us;
        if (!is_due)
            continue;
        const struct gossip_member *m = gossip_find(n->gossip, &i->id);
        if (m && (m->state == GOSSIP_ALIVE || m->state == GOSSIP_SUSPECT))
            swarm_fail(s, "the_dead_are_known", "n%zu takes %s for %s, dead for %" PRIu64 " ms", o,
                       i->name, gossip_state_name(m->state), (s->now_us - since_us) / 1000);
    }
}

/* It was replaced by one that ends sooner, as none is in life: who did not hear of it in time goes
 * by the earlier one. */
static bool knows_the_end(const struct swarm *s, const struct gossip_member *m)
{
    struct bytes node = m->records[GOSSIP_NODE].payload;
    return swarm_payload_not_after_ms(node) <= SWARM_WALL_MS + s->now_us / 1000;
}

/* Whose certificate has ended is taken for alive by nobody at home whose clock is right. */
static void check_expired(struct swarm *s, size_t identity)
{
    const struct swarm_identity *i = &s->identities[identity];
    uint64_t limit_us = bound_us(s, i->region) + EXPIRY_LOOK_US;
    for (size_t o = 0; o < s->identity_count && !s->failures; o++) {
        const struct swarm_node *n = &s->nodes[o];
        bool is_due = n->is_well && !n->is_liar && region_of(s, o) == i->region &&
                      n->start_wall_ms > -EXPIRY_CLOCK_MS && s->now_us > n->well_us + limit_us &&
                      s->now_us > i->expired_us + limit_us;
        const struct gossip_member *m = is_due ? gossip_find(n->gossip, &i->id) : NULL;
        bool is_live = m && !m->is_self && (m->state == GOSSIP_ALIVE || m->state == GOSSIP_SUSPECT);
        if (is_live && knows_the_end(s, m))
            swarm_fail(s, "the_expired_are_out", "n%zu takes %s for %s, expired for %" PRIu64 " ms",
                       o, i->name, gossip_state_name(m->state), (s->now_us - i->expired_us) / 1000);
    }
}

/* All have been well for long, and nothing is lost or late. A broken link is no matter where
 * datagrams go; to and from who only dials, what was in it is lost. */
static bool is_calm(const struct swarm *s)
{
    bool calm = s->is_measuring && s->loss == 0 && s->tail == 0 && s->mtu == 0 &&
                s->liar == SIZE_MAX && s->cut_count == 0 && s->now_us > s->disturbed_us + CALM_US;
    for (size_t i = 0; i < SWARM_TROUBLES_MAX; i++)
        calm &= !s->troubles[i].is_active;
    for (size_t i = 0; calm && i < s->identity_count; i++)
        calm = swarm_is_well_for(s, &s->nodes[i], CALM_US) &&
               (!s->nodes[i].only_dials || s->now_us > s->flapped_us + CALM_US);
    return calm;
}

static void note_load(struct swarm *s, const struct swarm_node *n, const struct gossip_member *m,
                      bool calm)
{
    size_t identity = swarm_identity_of(s, &m->id);
    const struct gossip_record *load = &m->records[GOSSIP_LOAD];
    uint64_t made_us = 0;
    bool counts = s->is_measuring && load->payload.size && m->state == GOSSIP_ALIVE &&
                  s->identities[identity].region == region_of(s, n->index) &&
                  swarm_is_well_for(s, &s->nodes[identity], 5 * SWARM_SECOND) &&
                  swarm_is_well_for(s, n, 5 * SWARM_SECOND) && n->load_changes;
    if (!counts || !swarm_payload_is_true(s, identity, GOSSIP_LOAD, load->payload, &made_us))
        return;
    histogram_add(&s->stats.load_age, (s->now_us - made_us) / 1000);
    if (calm && s->now_us - made_us > FRESH_US)
        swarm_fail(s, "loads_are_fresh", "to n%zu, the load of %s is %" PRIu64 " ms old", n->index,
                   m->name, (s->now_us - made_us) / 1000);
}

static void check_table(struct swarm *s, const struct swarm_node *n, bool calm)
{
    struct gossip_counts counts;
    gossip_counts(n->gossip, &counts);
    size_t members = gossip_member_count(n->gossip);
    if (members > s->stats.members_max)
        s->stats.members_max = members;
    if (counts.rumours > s->stats.rumours_max)
        s->stats.rumours_max = counts.rumours;
    if (members > s->identity_count + 8)
        swarm_fail(s, "tables_are_bounded", "n%zu has %zu members", n->index, members);
    for (size_t i = 0; i < members && !s->failures; i++) {
        const struct gossip_member *m = gossip_member(n->gossip, i);
        size_t identity = swarm_identity_of(s, &m->id);
        if (m->is_self || n->is_liar)
            continue;
        if (identity == SIZE_MAX) {
            swarm_fail(s, "members_are_real", "n%zu has made up %s", n->index, m->name);
            return;
        }
        const struct swarm_view *v = &n->views[identity];
        bool was_told = v->is_known && v->state == m->state && v->incarnation <= m->incarnation;
        if (!was_told)
            swarm_fail(s, "changes_are_told", "n%zu holds %s for %s and did not say so", n->index,
                       m->name, gossip_state_name(m->state));
        note_load(s, n, m, calm);
    }
}

void swarm_check_bounds(struct swarm *s)
{
    uint64_t since_us;
    bool calm = is_calm(s);
    for (size_t i = 0; i < s->identity_count && !s->failures; i++) {
        if (s->checks_bounds && swarm_identity_is_dead(s, i, &since_us))
            check_dead(s, i, since_us);
        if (s->checks_bounds && s->identities[i].expired_us &&
            s->now_us > s->identities[i].expired_us)
            check_expired(s, i);
        if (s->nodes[i].gossip && !s->failures)
            check_table(s, &s->nodes[i], calm);
    }
}

/* --- the same for all */

static const struct gossip_member *self_of(const struct swarm *s, size_t identity)
{
    return gossip_find(s->nodes[identity].gossip, &s->identities[identity].id);
}

static bool same_record(const struct gossip_member *a, const struct gossip_member *b,
                        enum gossip_kind kind)
{
    const struct gossip_record *x = &a->records[kind], *y = &b->records[kind];
    return x->incarnation == y->incarnation && x->version == y->version &&
           bytes_equal(x->payload, y->payload);
}

/* A liar is one of the gateways to the observer, as it may be to nobody at home, where it cannot
 * refute what is said of it, as nobody listens to it any more. Then the last of those at home is
 * none abroad, and only that one: the other two are known. */
static bool liar_stands_for_one(const struct swarm *s, size_t observer, size_t region)
{
    const struct gossip *g = s->nodes[observer].gossip;
    size_t gateways = 0;
    if (s->liar == SIZE_MAX || region_of(s, s->liar) != region)
        return false;
    for (size_t i = 0; i < s->identity_count; i++) {
        const struct gossip_member *m = gossip_find(g, &s->identities[i].id);
        gateways += m && m->is_gateway && m->state == GOSSIP_ALIVE && region_of(s, i) == region;
    }
    const struct gossip_member *liar = gossip_find(g, &s->identities[s->liar].id);
    return liar && liar->is_gateway && gateways == GOSSIP_GATEWAYS;
}

/* NULL: the observer sees it as it is. */
static const char *difference(const struct swarm *s, size_t observer, size_t identity)
{
    const struct gossip_member *m =
        gossip_find(s->nodes[observer].gossip, &s->identities[identity].id);
    if (!swarm_node_runs(&s->nodes[identity]) || s->nodes[identity].is_silent)
        return m && (m->state == GOSSIP_ALIVE || m->state == GOSSIP_SUSPECT) ? "is taken for alive"
                                                                             : NULL;
    const struct gossip_member *self = self_of(s, identity);
    bool is_near = region_of(s, observer) == region_of(s, identity);
    if (!is_near && !self->is_gateway)
        return NULL;
    if (!is_near && (!m || !m->is_gateway) &&
        liar_stands_for_one(s, observer, region_of(s, identity)))
        return NULL;
    if (!m)
        return "is not known";
    if (m->state != GOSSIP_ALIVE)
        return gossip_state_name(m->state);
    if (m->incarnation != self->incarnation)
        return "has an older incarnation";
    if (!same_record(m, self, GOSSIP_NODE))
        return "has an older node record";
    if (is_near && !same_record(m, self, GOSSIP_INVENTORY))
        return "has an older inventory";
    if (is_near && !m->records[GOSSIP_LOAD].payload.data)
        return "has no load";
    if (!is_near && !m->is_gateway)
        return "is no gateway";
    if (self->records[GOSSIP_SUMMARY].payload.data && !m->records[GOSSIP_SUMMARY].payload.data)
        return "has no summary";
    return NULL;
}

bool swarm_strangers_are_forgotten(const struct swarm *s, char *ret_why, size_t why_size)
{
    for (size_t o = 0; o < s->identity_count; o++)
        for (size_t i = 0; i < s->identity_count; i++) {
            const struct swarm_node *n = &s->nodes[o];
            bool counts = swarm_node_runs(n) && !n->is_liar && !n->is_silent &&
                          region_of(s, o) != region_of(s, i);
            const struct gossip_member *m =
                counts ? gossip_find(n->gossip, &s->identities[i].id) : NULL;
            if (!m || m->is_gateway || m->state != GOSSIP_ALIVE ||
                swarm_node_clock_ms(n) - m->since_ms < STRANGER_MS)
                continue;
            snprintf(ret_why, why_size, "n%zu has n%zu yet, no gateway", o, i);
            return false;
        }
    return true;
}

/* As the gateways themselves see it. */
static size_t count_gateways(const struct swarm *s, size_t region, size_t *ret_wanted)
{
    size_t running = 0, gateways = 0;
    for (size_t i = 0; i < s->identity_count; i++) {
        if (region_of(s, i) != region || !swarm_node_runs(&s->nodes[i]) || s->nodes[i].is_silent)
            continue;
        running++;
        gateways += self_of(s, i)->is_gateway;
    }
    *ret_wanted = running < GOSSIP_GATEWAYS ? running : GOSSIP_GATEWAYS;
    return gateways;
}

bool swarm_is_equal(struct swarm *s, char *ret_why, size_t why_size)
{
    for (size_t r = 0; r < s->region_count && s->liar == SIZE_MAX;
         r++) { /* a liar may be one more */
        size_t wanted, gateways = count_gateways(s, r, &wanted);
        if (gateways == wanted)
            continue;
        snprintf(ret_why, why_size, "region r%zu has %zu gateways", r, gateways);
        return false;
    }
    for (size_t o = 0; o < s->identity_count; o++) {
        if (!swarm_node_runs(&s->nodes[o]) || s->nodes[o].is_liar || s->nodes[o].is_silent)
            continue;
        for (size_t i = 0; i < s->identity_count; i++) {
            const char *why = i == o || s->nodes[i].is_liar ? NULL : difference(s, o, i);
            if (!why)
                continue;
            snprintf(ret_why, why_size, "to n%zu, n%zu %s", o, i, why);
            return false;
        }
    }
    return true;
}
