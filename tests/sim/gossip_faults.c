/* What goes wrong in a swarm, and how it mends. A fault chooses its victim by the world's chance,
 * does its harm at once and plans its own healing; what healing has to undo is a trouble. */
#include "tests/sim/gossip_world.h"

#define HOUR_MS INT64_C(3600000)
#define EXPIRES_IN_US (3 * SWARM_SECOND)
#define ROTATION_US (30 * SWARM_SECOND) /* from one to the next: both keys are known that long */

static void trace(struct swarm *s, const char *event, enum swarm_fault_type type, size_t node)
{
    TRACE(&s->trace, NULL, event, LOG_UINT("type", type), LOG_UINT("victim", node));
}

/* A node that is well and may be harmed; SIZE_MAX: too few are left. */
static size_t choose(struct swarm *s)
{
    size_t able[SWARM_NODES_MAX], count = 0, running = 0;
    for (size_t i = 0; i < s->identity_count; i++) {
        const struct swarm_node *n = &s->nodes[i];
        bool is_self = s->identities[i].twin_until_us + 5 * SWARM_SECOND < s->now_us;
        running += swarm_node_runs(n) && !n->is_silent;
        if (n->is_well && !n->is_liar && is_self && n->wall_ms > -HOUR_MS / 2 &&
            n->wall_ms < HOUR_MS / 2 && !n->crashes_at_persist)
            able[count++] = i;
    }
    if (count == 0 || running * 2 <= s->identity_count)
        return SIZE_MAX;
    return able[rng_below(&s->rng, count)];
}

/* --- processes */

static void start(struct swarm *s, uint64_t node)
{
    s->starts_pending--;
    if (!s->nodes[node].gossip)
        swarm_node_start(&s->nodes[node]);
}

static void start_later(struct swarm *s, size_t node, uint64_t after_us)
{
    s->starts_pending++;
    swarm_at(s, s->now_us + after_us, start, node);
}

static void restart(struct swarm *s, enum swarm_fault_type type, size_t node, uint64_t for_us)
{
    struct swarm_node *n = &s->nodes[node];
    swarm_node_kill(n, rng_chance(&s->rng, 0.3));
    if (type == SWARM_FAULT_FORGET) {
        n->persisted = 0;
        s->identities[n->identity].may_conflict = true;
    }
    if (type == SWARM_FAULT_PERSIST) {
        n->crashes_at_persist = true;
        start_later(s, node, for_us + SWARM_SECOND);
    }
    start_later(s, node, rng_below(&s->rng, for_us));
}

static void wake(struct swarm *s, uint64_t node)
{
    if (s->nodes[node].is_paused)
        swarm_node_continue(&s->nodes[node]);
}

static bool are_many_left(const struct swarm *s)
{
    size_t running = 0;
    for (size_t i = 0; i < s->identity_count; i++)
        running += swarm_node_runs(&s->nodes[i]) && !s->nodes[i].is_silent;
    return running * 4 > s->identity_count * 3;
}

/* For good, as long as there are many; so that coming and going does not end. */
static void leave(struct swarm *s, size_t node, uint64_t for_us)
{
    swarm_node_goodbye(&s->nodes[node]);
    if (rng_chance(&s->rng, 0.5) || !are_many_left(s))
        start_later(s, node, SWARM_SECOND + for_us);
}

static void end_twin(struct swarm *s)
{
    struct swarm_node *twin = &s->nodes[s->identity_count];
    s->identities[twin->identity].twin_until_us = s->now_us;
    if (twin->gossip)
        swarm_node_kill(twin, false);
    s->disturbed_us = s->now_us;
}

static void begin_twin(struct swarm *s, size_t node)
{
    struct swarm_node *twin = &s->nodes[s->identity_count];
    twin->identity = node;
    twin->persisted = s->nodes[node].persisted;
    twin->key_number = s->nodes[node].key_number;
    s->identities[node].may_conflict = true;
    s->identities[node].twin_until_us = SWARM_NEVER / 2;
    swarm_node_start(twin);
}

/* --- identities, keys and addresses */

/* It says so itself, as a node that runs with a certificate that is about to end. */
static void expire(struct swarm *s, size_t node)
{
    struct swarm_identity *i = &s->identities[node];
    i->expired_us = s->now_us + EXPIRES_IN_US;
    i->not_after_ms = SWARM_WALL_MS + i->expired_us / 1000 - SWARM_SKEW_MS;
    swarm_node_publish(&s->nodes[node], GOSSIP_NODE);
}

/* Its operator brings it another one, and starts it with that. */
static void renew(struct swarm *s, size_t node)
{
    struct swarm_node *n = &s->nodes[node];
    s->identities[node].not_after_ms = UINT64_MAX / 4;
    s->identities[node].expired_us = 0;
    if (!n->gossip || n->is_silent)
        return;
    swarm_node_kill(n, false);
    start_later(s, node, SWARM_SECOND);
}

static void rekey(struct swarm *s, struct swarm_node *n)
{
    if (s->rotated_us && s->now_us - s->rotated_us < ROTATION_US)
        return;
    s->rotated_us = s->now_us;
    s->key_number++;
    swarm_node_take_key(n);
}

/* What is on its way to the dead reaches somebody else. */
static void reuse(struct swarm *s, size_t node, uint64_t for_us)
{
    struct swarm_node *dead = &s->nodes[node], *other;
    size_t chosen = choose(s);
    if (chosen == SIZE_MAX || chosen == node || dead->only_dials || s->nodes[chosen].only_dials)
        return;
    other = &s->nodes[chosen];
    size_t place = dead->place;
    unsigned generation = dead->address_generation;
    swarm_node_kill(dead, false);
    dead->place = other->place;
    dead->address_generation = other->address_generation;
    other->place = place;
    other->address_generation = generation;
    s->tenants[dead->place] = dead->index;
    s->tenants[other->place] = other->index;
    s->has_reused = true;
    s->disturbed_us = s->now_us;
    swarm_node_publish(other, GOSSIP_NODE);
    start_later(s, node, for_us);
}

/* --- troubles */

static bool is_member(const struct swarm_trouble *t, size_t node, unsigned of)
{
    struct rng rng;
    rng_init(&rng, t->seed + node);
    return rng_below(&rng, of) == 0;
}

static size_t region_of(const struct swarm *s, size_t node)
{
    return s->identities[s->nodes[node].identity].region;
}

static void apply_to_pair(struct swarm *s, const struct swarm_trouble *t, size_t a, size_t b,
                          int more)
{
    bool one = a == t->node;
    switch (t->type) {
    case SWARM_FAULT_CUT_ONE:
        if (one || b == t->node)
            swarm_cut(s, a, b, more);
        break;
    case SWARM_FAULT_CUT_GROUP:
        if (is_member(t, a, 3) != is_member(t, b, 3))
            swarm_cut(s, a, b, more);
        break;
    case SWARM_FAULT_CUT_REGION:
        if ((region_of(s, a) == region_of(s, t->node)) !=
            (region_of(s, b) == region_of(s, t->node)))
            swarm_cut(s, a, b, more);
        break;
    case SWARM_FAULT_CUT_ONE_WAY: /* it is not heard, or does not hear, by a third */
        if (t->seed % 2 ? one && is_member(t, b, 3) : b == t->node && is_member(t, a, 3))
            swarm_cut(s, a, b, more);
        break;
    case SWARM_FAULT_UDP:
        if (one && is_member(t, b, 2))
            swarm_udp_cut(s, a, b, more);
        break;
    default: break;
    }
}

static void apply(struct swarm *s, const struct swarm_trouble *t, int more)
{
    if (t->type == SWARM_FAULT_TWIN) {
        if (more > 0)
            begin_twin(s, t->node);
        else
            end_twin(s);
    } else if (t->type == SWARM_FAULT_EXPIRE) {
        if (more > 0)
            expire(s, t->node);
        else
            renew(s, t->node);
    } else if (t->type == SWARM_FAULT_CLOCK) {
        s->nodes[t->node].wall_ms += more * (t->seed % 2 ? HOUR_MS : -HOUR_MS);
    } else {
        for (size_t a = 0; a < s->identity_count; a++)
            for (size_t b = 0; b < s->identity_count; b++)
                if (a != b)
                    apply_to_pair(s, t, a, b, more);
    }
    swarm_truth_changed(s);
}

static void mend(struct swarm *s, uint64_t index)
{
    struct swarm_trouble *t = &s->troubles[index];
    if (!t->is_active)
        return;
    t->is_active = false;
    trace(s, "mend", (enum swarm_fault_type)t->type, t->node);
    apply(s, t, -1);
}

static void trouble(struct swarm *s, enum swarm_fault_type type, size_t node, uint64_t for_us)
{
    size_t free = SWARM_TROUBLES_MAX;
    for (size_t i = SWARM_TROUBLES_MAX; i-- > 0;) {
        const struct swarm_trouble *t = &s->troubles[i];
        if (!t->is_active)
            free = i;
        else if (t->type == SWARM_FAULT_TWIN && type == SWARM_FAULT_TWIN)
            return; /* there is one place for a twin */
    }
    if (free == SWARM_TROUBLES_MAX)
        return;
    s->troubles[free] = (struct swarm_trouble){true, type, node, rng_next(&s->rng)};
    apply(s, &s->troubles[free], 1);
    swarm_at(s, s->now_us + for_us, mend, free);
}

static void flap(struct swarm *s, uint64_t times)
{
    size_t a = rng_below(&s->rng, s->identity_count), b = rng_below(&s->rng, s->identity_count);
    s->flapped_us = s->now_us;
    for (size_t i = 0; i < s->identity_count && a != b; i++)
        if (i != a)
            swarm_link_break(s, a, i, ERR_LINK_LOST);
    if (times > 0)
        swarm_at(s, s->now_us + rng_below(&s->rng, SWARM_SECOND), flap, times - 1);
}

void swarm_fault(struct swarm *s, enum swarm_fault_type type, uint64_t for_us)
{
    size_t node = choose(s);
    if (node == SIZE_MAX)
        return;
    struct swarm_node *n = &s->nodes[node];
    s->stats.faults++;
    trace(s, "fault", type, node);
    switch (type) {
    case SWARM_FAULT_KILL: swarm_node_kill(n, false); break;
    case SWARM_FAULT_POWER: swarm_node_kill(n, true); break;
    case SWARM_FAULT_RESTART:
    case SWARM_FAULT_FORGET:
    case SWARM_FAULT_PERSIST: restart(s, type, node, for_us); break;
    case SWARM_FAULT_PAUSE:
        swarm_node_pause(n);
        swarm_at(s, s->now_us + for_us, wake, node);
        break;
    case SWARM_FAULT_FLAP: flap(s, 3 * for_us / SWARM_SECOND); break;
    case SWARM_FAULT_MOVE:
        if (!n->only_dials)
            swarm_node_move(n);
        break;
    case SWARM_FAULT_REKEY: rekey(s, n); break;
    case SWARM_FAULT_REUSE: reuse(s, node, for_us); break;
    case SWARM_FAULT_LEAVE: leave(s, node, for_us); break;
    default: trouble(s, type, node, for_us); break;
    }
}

void swarm_heal(struct swarm *s)
{
    for (size_t i = 0; i < SWARM_TROUBLES_MAX; i++)
        mend(s, i);
    for (size_t i = 0; i < s->identity_count; i++)
        wake(s, i);
    s->loss = s->loss > 0.02 ? 0.02 : s->loss;
    s->disturbed_us = s->now_us;
}
