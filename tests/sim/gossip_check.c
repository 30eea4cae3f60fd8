/* Verdicts on every step of every core: what it says of others must follow from what it said before
 * and must not be refuted by the truth. README.md has the list. */
#include "base/state.h"
#include "tests/sim/gossip_world.h"

#include <inttypes.h>

/* A verdict of *down* looks back so far: the longest suspicion, a round of probes before it, and
 * what a record takes to come round. */
#define WELL_US (12 * SWARM_SECOND)
#define SUSPICION_WELL_US (3 * SWARM_SECOND)

/* Whoever had a twin has the dead one's address at others until they heard better; loss delays it,
 * as it does the news of a death. */
#define TWIN_LOSS_US 40e6

#define RAISES_AT_ONCE 10
#define RAISES_PER_SECOND 3
#define SENDS_PER_SECOND_MAX 2000 /* and for each node of the world, whom all may meet at once: */
#define SENDS_PER_NODE_MAX 20

static const uint32_t successors[] = {
    [GOSSIP_ALIVE] = STATE_BIT(GOSSIP_SUSPECT) | STATE_BIT(GOSSIP_LEFT),
    [GOSSIP_SUSPECT] = STATE_BIT(GOSSIP_ALIVE) | STATE_BIT(GOSSIP_DOWN) | STATE_BIT(GOSSIP_LEFT),
    [GOSSIP_DOWN] = STATE_BIT(GOSSIP_ALIVE) | STATE_BIT(GOSSIP_LEFT),
    [GOSSIP_LEFT] = STATE_BIT(GOSSIP_ALIVE),
};

static const char *name_of(const struct swarm_node *n)
{
    return n->swarm->identities[n->identity].name;
}

static bool is_gone(enum gossip_state state)
{
    return state == GOSSIP_DOWN || state == GOSSIP_LEFT;
}

/* --- changes */

static bool is_abroad(const struct swarm_node *n, size_t identity)
{
    const struct swarm *s = n->swarm;
    return s->identities[n->identity].region != s->identities[identity].region;
}

/* Of what is abroad our gateways are the witnesses: no cut may lie between anybody. */
static bool both_are_well(const struct swarm_node *n, const struct swarm_node *m, uint64_t us)
{
    const struct swarm *s = n->swarm;
    size_t forth = n->index * s->node_count + m->index;
    size_t back = m->index * s->node_count + n->index;
    uint64_t clear_us =
        s->clear_us[forth] > s->clear_us[back] ? s->clear_us[forth] : s->clear_us[back];
    if (is_abroad(n, m->identity) && (s->cut_count > 0 || s->now_us < s->cut_us + us))
        return false;
    return swarm_is_well_for(s, n, us) && swarm_is_well_for(s, m, us) && s->cuts[forth] == 0 &&
           s->cuts[back] == 0 && s->now_us >= clear_us + us;
}

/* The process that the change is about ran, was well, and so was the observer. */
static bool is_false_alarm(const struct swarm_node *n, size_t identity,
                           const struct gossip_change *c, uint64_t us)
{
    const struct swarm *s = n->swarm;
    const struct swarm_node *m = &s->nodes[identity];
    uint64_t twin_us = us + (uint64_t)(s->loss * TWIN_LOSS_US);
    bool is_exempt = c->reason == ERR_CERT_EXPIRED || m->is_liar || m->is_silent ||
                     s->identities[identity].twin_until_us + twin_us > s->now_us ||
                     s->identities[n->identity].twin_until_us + twin_us > s->now_us;
    return m->gossip && !is_exempt && c->incarnation >= m->first_incarnation &&
           both_are_well(n, m, us);
}

static void note_death(struct swarm_node *n, size_t identity, const struct gossip_change *c)
{
    struct swarm *s = n->swarm;
    size_t death = s->nodes[identity].death;
    if (death == 0)
        return;
    struct swarm_death *d = &s->stats.deaths[death - 1];
    if (c->to == GOSSIP_SUSPECT && d->suspected_us == 0)
        d->suspected_us = s->now_us;
    if (c->to == GOSSIP_DOWN && d->down_us == 0)
        d->down_us = s->now_us;
    if (c->to == GOSSIP_DOWN && swarm_is_well_for(s, n, WELL_US))
        d->last_down_us = s->now_us;
}

static void judge_alarm(struct swarm_node *n, size_t identity, const struct gossip_change *c)
{
    struct swarm *s = n->swarm;
    note_death(n, identity, c);
    if (c->to == GOSSIP_SUSPECT) {
        bool is_false = is_false_alarm(n, identity, c, SUSPICION_WELL_US);
        s->stats.suspicions++;
        s->stats.false_suspicions += is_false;
        if (is_false && s->loses_nothing)
            swarm_fail(s, "no_false_suspicion", "%s suspects %s, and nothing is lost", name_of(n),
                       s->identities[identity].name);
        return;
    }
    s->stats.downs++;
    if (!is_false_alarm(n, identity, c, WELL_US))
        return;
    s->stats.false_downs++;
    swarm_fail(s, "no_false_down",
               "%s says that %s is down (incarnation %" PRIu64 ", %zu accusers)", name_of(n),
               s->identities[identity].name, c->incarnation, c->accuser_count);
}

static void check_accusers(struct swarm_node *n, const struct gossip_change *c)
{
    bool is_fine = c->accuser_count <= GOSSIP_ACCUSERS;
    for (size_t i = 0; is_fine && i < c->accuser_count; i++) {
        is_fine = !id_equal(&c->accusers[i], &c->id) &&
                  swarm_identity_of(n->swarm, &c->accusers[i]) != SIZE_MAX;
        for (size_t j = 0; is_fine && j < i; j++)
            is_fine = !id_equal(&c->accusers[i], &c->accusers[j]);
    }
    if (!is_fine)
        swarm_fail(n->swarm, "accusers_are_distinct_members", "%s about %s", name_of(n), c->name);
}

static bool follows(const struct swarm_node *n, size_t identity, const struct swarm_view *v,
                    const struct gossip_change *c)
{
    if (c->is_forgotten)
        return v->is_known && (is_gone(v->state) || is_abroad(n, identity));
    if (c->is_new)
        return !v->is_known && c->to == GOSSIP_ALIVE;
    bool expires = c->to == GOSSIP_DOWN && c->reason == ERR_CERT_EXPIRED;
    return v->is_known && v->state == c->from &&
           (expires || (successors[c->from] & STATE_BIT(c->to)));
}

static void check_move(struct swarm_node *n, size_t identity, const struct swarm_view *v,
                       const struct gossip_change *c)
{
    struct swarm *s = n->swarm;
    const struct swarm_identity *i = &s->identities[identity];
    const char *from = c->is_new ? "new" : gossip_state_name(c->from);
    const char *to = c->is_forgotten ? "forgotten" : gossip_state_name(c->to);
    if (!follows(n, identity, v, c))
        swarm_fail(s, "changes_follow_the_drawing", "%s: %s from %s to %s, was %s", name_of(n),
                   i->name, from, to, v->is_known ? gossip_state_name(v->state) : "unknown");
    if (c->incarnation < v->incarnation)
        swarm_fail(s, "incarnations_never_go_back", "%s: %s from %" PRIu64 " to %" PRIu64,
                   name_of(n), i->name, v->incarnation, c->incarnation);
    if (c->incarnation > i->incarnation_max)
        swarm_fail(s, "only_owners_raise_incarnations", "%s: %s had %" PRIu64 ", not %" PRIu64,
                   name_of(n), i->name, i->incarnation_max, c->incarnation);
    bool rises = c->to == GOSSIP_ALIVE && !c->is_forgotten && v->down_incarnation;
    if (rises && c->incarnation <= v->down_incarnation)
        swarm_fail(s, "the_gone_do_not_rise", "%s: %s rises as of %" PRIu64 ", gone as of %" PRIu64,
                   name_of(n), i->name, c->incarnation, v->down_incarnation);
    if (c->to == GOSSIP_LEFT && !c->is_forgotten && c->incarnation > i->left_incarnation)
        swarm_fail(s, "only_leavers_leave", "%s: %s left as of %" PRIu64, name_of(n), i->name,
                   c->incarnation);
}

static void check_change(struct swarm_node *n, const struct gossip_change *c)
{
    struct swarm *s = n->swarm;
    size_t identity = swarm_identity_of(s, &c->id);
    TRACE(&s->trace, name_of(n), "change", LOG_STR("member", c->name),
          LOG_STR("from", c->is_new ? "new" : gossip_state_name(c->from)),
          LOG_STR("to", c->is_forgotten ? "forgotten" : gossip_state_name(c->to)),
          LOG_UINT("incarnation", c->incarnation), LOG_ERR(c->reason),
          LOG_UINT("accusers", c->accuser_count));
    if (identity == SIZE_MAX) {
        swarm_fail(s, "members_are_real", "%s made up %s", name_of(n), c->name);
        return;
    }
    struct swarm_view *v = &n->views[identity];
    check_move(n, identity, v, c);
    check_accusers(n, c);
    bool was_live = v->is_known && !is_gone(v->state);
    if (c->is_forgotten && was_live) { /* a gateway no longer: not even remembered */
        *v = (struct swarm_view){0};
        return;
    }
    v->is_known = !c->is_forgotten;
    v->state = c->to;
    v->incarnation = c->incarnation;
    if (is_gone(c->to) && !c->is_forgotten) /* a renewed certificate is no new incarnation */
        v->down_incarnation = c->incarnation - (c->reason == ERR_CERT_EXPIRED);
    if (!c->is_forgotten && (c->to == GOSSIP_SUSPECT || c->to == GOSSIP_DOWN))
        judge_alarm(n, identity, c);
    if (c->from == GOSSIP_SUSPECT && c->to == GOSSIP_ALIVE && !c->is_new)
        s->stats.refutations++;
}

/* --- news */

static void note_age(struct swarm_node *n, enum gossip_kind kind, const struct gossip_record *r,
                     uint64_t made_us)
{
    struct swarm *s = n->swarm;
    uint64_t believed_us = r->made_ms * 1000 > n->clock_us ? r->made_ms * 1000 - n->clock_us : 0;
    if (s->is_measuring && kind == GOSSIP_SUMMARY)
        histogram_add(&s->stats.summary_delay, (s->now_us - made_us) / 1000);
    if (!s->is_measuring || kind != GOSSIP_LOAD)
        return;
    histogram_add(&s->stats.load_delay, (s->now_us - made_us) / 1000);
    histogram_add(&s->stats.age_error, believed_us > made_us ? (believed_us - made_us) / 1000 : 0);
}

static void check_news(struct swarm_node *n, const struct gossip_news *news)
{
    struct swarm *s = n->swarm;
    size_t identity = swarm_identity_of(s, &news->owner);
    const struct gossip_member *m = gossip_find(n->gossip, &news->owner);
    if (identity == SIZE_MAX || news->kind >= GOSSIP_KINDS)
        swarm_fail(s, "members_are_real", "%s has news of nobody", name_of(n));
    if (s->failures || !m || m->is_self)
        return;
    const struct gossip_record *r = &m->records[news->kind];
    struct swarm_view *v = &n->views[identity];
    uint64_t had = v->records[news->kind].incarnation, version = v->records[news->kind].version;
    uint64_t made_us = 0;
    if (r->incarnation < had || (r->incarnation == had && r->version < version))
        swarm_fail(s, "versions_never_go_back",
                   "%s: kind %u of %s from %" PRIu64 ".%" PRIu64 " to %" PRIu64 ".%" PRIu64,
                   name_of(n), news->kind, m->name, had, version, r->incarnation, r->version);
    v->records[news->kind].incarnation = r->incarnation;
    v->records[news->kind].version = r->version;
    if (!swarm_payload_is_true(s, identity, news->kind, r->payload, &made_us))
        swarm_fail(s, "records_are_their_owners", "%s: kind %u of %s", name_of(n), news->kind,
                   m->name);
    if (made_us)
        note_age(n, news->kind, r, made_us);
}

/* --- the rest of a step */

/* Among honest members nobody ever says what has to be refused for its form or signature. */
static void check_refusal(struct swarm_node *n, const struct gossip_refusal *r)
{
    bool is_other_key =
        r->reason == ERR_BAD_SIGNATURE && (n->swarm->key_number > 0 || n->swarm->has_reused);
    bool is_bad = r->reason == ERR_INVALID || r->reason == ERR_BAD_SIGNATURE ||
                  r->reason == ERR_CERT_SCOPE || r->reason == ERR_PROTOCOL;
    n->swarm->stats.refusals++;
    TRACE(&n->swarm->trace, name_of(n), "refusal", LOG_ID("from", &r->from), LOG_ERR(r->reason));
    if (is_bad && !is_other_key && n->swarm->liar == SIZE_MAX)
        swarm_fail(n->swarm, "the_honest_are_believed", "%s refuses: %s", name_of(n),
                   err_word(r->reason));
}

/* There were more changes than a step can tell: what is seen now has to do. */
static void look_at_all(struct swarm_node *n)
{
    const struct swarm *s = n->swarm;
    for (size_t i = 0; i < s->identity_count; i++) {
        const struct gossip_member *m = gossip_find(n->gossip, &s->identities[i].id);
        struct swarm_view *v = &n->views[i];
        v->is_known = m != NULL;
        if (!m)
            continue;
        v->state = m->state;
        v->incarnation = m->incarnation;
        if (is_gone(m->state))
            v->down_incarnation = m->incarnation;
    }
}

/* Whatever others say of it, or under its key: refutations and jumps have their pauses. */
static void check_own_incarnation(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    uint64_t incarnation = gossip_find(n->gossip, &s->identities[n->identity].id)->incarnation;
    n->raises += incarnation != n->own_incarnation;
    n->own_incarnation = incarnation;
    if (n->raises > RAISES_AT_ONCE + RAISES_PER_SECOND * (s->now_us - n->started_us) / SWARM_SECOND)
        swarm_fail(s, "incarnations_grow_slowly", "%s: %u in %" PRIu64 " ms", name_of(n), n->raises,
                   (s->now_us - n->started_us) / 1000);
}

void swarm_check_step(struct swarm_node *n, const struct gossip_effects *effects)
{
    struct swarm *s = n->swarm;
    if (effects->send_count > s->stats.sends_max)
        s->stats.sends_max = effects->send_count;
    if (n->is_liar || n->index >= s->identity_count)
        return;
    check_own_incarnation(n);
    for (size_t i = 0; i < effects->change_count && !s->failures; i++)
        check_change(n, &effects->changes[i]);
    for (size_t i = 0; i < effects->news_count && !s->failures; i++)
        check_news(n, &effects->news[i]);
    for (size_t i = 0; i < effects->refusal_count && !s->failures; i++)
        check_refusal(n, &effects->refusals[i]);
    if (effects->overflow && !s->failures)
        look_at_all(n);
    if (!effects->identity_conflict)
        return;
    s->stats.conflicts++;
    if (!s->identities[n->identity].may_conflict)
        swarm_fail(s, "conflicts_are_real", "%s sees another of its name", name_of(n));
}

/* Whatever others say to it, no node is made to talk without end. */
static void check_rate(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    if (s->now_us - n->rate_us >= SWARM_SECOND) {
        n->rate_us = s->now_us;
        n->rate_sends = 0;
    }
    if (++n->rate_sends > SENDS_PER_SECOND_MAX + SENDS_PER_NODE_MAX * s->identity_count &&
        s->failures == 0)
        swarm_fail(s, "talk_is_bounded", "%s sends %u messages in a second", name_of(n),
                   n->rate_sends);
}

void swarm_check_send(struct swarm_node *n, const struct gossip_send *send)
{
    struct swarm *s = n->swarm;
    check_rate(n);
    size_t max = send->over_link ? GOSSIP_MESSAGE_MAX : GOSSIP_DATAGRAM_MAX;
    if (send->data.size == 0 || send->data.size > max)
        swarm_fail(s, "sizes_are_bounded", "%s sends %zu bytes", name_of(n), send->data.size);
    if (id_equal(&send->to, &s->identities[n->identity].id))
        swarm_fail(s, "nobody_talks_to_itself", "%s", name_of(n));
    if (!send->over_link && send->addr.size != 4)
        swarm_fail(s, "datagrams_have_addresses", "%s", name_of(n));
}
