/* A process: one gossip core and a small model of the shell that will hold it. The shell obeys the
 * core's effects in the order of the contract (persist, send, then look), dials a contact until it
 * knows somebody, and publishes what a node publishes. How it starts and ends: gossip_life.c. */
#include "tests/sim/gossip_world.h"

#include <stdlib.h>

#define CONTACT_MINUTE 60     /* seconds */
#define DIAL_DOUBLINGS_MAX 3  /* of a second: MESH_BACKOFF_MAX_MS is 10 s */
#define REMEMBER_AFTER 3      /* dials of contacts in vain: they may all be dead */
#define RECEIVE_QUEUE_MAX 200 /* datagrams that wait for a paused process, as kernels have it */
#define REDIAL_US (200 * SWARM_MS)
#define WALL_OFF_MAX_MS 240000
#define SPINS_MAX 20
#define KEY_SETTLES_US (10 * SWARM_SECOND)

uint64_t swarm_node_clock_ms(const struct swarm_node *n)
{
    return (n->swarm->now_us + n->clock_us) / 1000;
}

uint64_t swarm_node_wall_ms(const struct swarm_node *n)
{
    return (uint64_t)((int64_t)(SWARM_WALL_MS + n->swarm->now_us / 1000) + n->wall_ms);
}

static struct swarm_event *post(struct swarm_node *n, uint64_t at_us, enum swarm_event_type type)
{
    struct swarm_event *e = swarm_event(n->swarm, at_us, type, n->index, bytes_of(NULL, 0));
    e->life = n->life;
    return e;
}

/* --- effects */

static void send(struct swarm_node *n, const struct gossip_send *send)
{
    struct swarm *s = n->swarm;
    swarm_check_send(n, send);
    uint64_t parts[3] = {s->digest, n->index, s->now_us};
    uint64_t hash = crypto_siphash((const uint8_t[16]){2}, send->data);
    s->digest = hash ^ crypto_siphash((const uint8_t[16]){3}, bytes_of(parts, sizeof parts));
    size_t peer = swarm_identity_of(s, &send->to);
    if (s->options.traces_packets)
        TRACE(&s->trace, s->identities[n->identity].name, "send", LOG_BOOL("link", send->over_link),
              LOG_STR("to", peer == SIZE_MAX ? "?" : s->identities[peer].name),
              LOG_UINT("size", send->data.size), LOG_UINT("hash", hash & 0xffffffff));
    if (!send->over_link) {
        swarm_datagram(n, &send->addr, send->data);
        return;
    }
    const struct gossip_member *m = gossip_find(n->gossip, &send->to);
    struct gossip_addr addr = {0};
    if (m && m->records[GOSSIP_NODE].payload.data)
        addr = swarm_payload_addr(m->records[GOSSIP_NODE].payload);
    bool is_linked = peer != SIZE_MAX && swarm_link_is_open(s, n->index, peer);
    size_t to =
        addr.size && !is_linked ? swarm_addr_node(s, &addr) : peer; /* where it is dialled */
    if (to == SIZE_MAX || s->nodes[to].identity != peer)
        s->stats.unreachable++; /* an old address, or another's now: its link comes to nothing */
    else
        swarm_link_send(n, to, send->data);
}

/* False: the process crashed between persisting and sending. */
static bool persist(struct swarm_node *n, uint64_t incarnation)
{
    struct swarm_identity *i = &n->swarm->identities[n->identity];
    if (incarnation == 0)
        return true;
    n->persisted = incarnation;
    if (i->incarnation_max < incarnation)
        i->incarnation_max = incarnation;
    TRACE(&n->swarm->trace, i->name, "persist", LOG_UINT("incarnation", incarnation));
    if (!n->crashes_at_persist)
        return true;
    n->crashes_at_persist = false;
    swarm_node_kill(n, false);
    return false;
}

static void note_newcomers(struct swarm_node *n, const struct gossip_effects *effects)
{
    for (size_t i = 0; i < effects->news_count; i++) {
        const struct gossip_news *news = &effects->news[i];
        if (news->kind == GOSSIP_NODE)
            CHECK(buf_append(&n->swarm->newcomers, bytes_of(news->owner.bytes, ID_SIZE)) == ERR_OK);
    }
}

static void watch_deadline(struct swarm_node *n)
{
    uint64_t deadline_us = gossip_deadline_ms(n->gossip);
    if (deadline_us > UINT64_MAX / 2000)
        return;
    deadline_us *= 1000;
    uint64_t at_us = deadline_us > n->clock_us ? deadline_us - n->clock_us : 0;
    if (at_us < n->swarm->now_us)
        at_us = n->swarm->now_us;
    if (at_us >= n->tick_us)
        return;
    at_us += rng_below(&n->swarm->rng, 1000); /* timers are late, never early */
    n->tick_us = at_us;
    post(n, at_us, SWARM_TICK);
}

static void step_one(struct swarm_node *n, struct gossip_event *event)
{
    struct gossip_effects effects = {0};
    event->now_ms = swarm_node_clock_ms(n);
    event->now_us = n->swarm->now_us + n->clock_us;
    event->wall_ms = swarm_node_wall_ms(n);
    gossip_step(n->gossip, event, &effects);
    n->swarm->stats.steps++;
    if (!persist(n, effects.persist_incarnation))
        return;
    for (size_t i = 0; i < effects.send_count; i++)
        send(n, &effects.sends[i]);
    swarm_check_step(n, &effects);
    note_newcomers(n, &effects);
    if (effects.wants_load && n->load_changes)
        post(n, n->swarm->now_us, SWARM_LOAD);
}

void swarm_node_step(struct swarm_node *n, struct gossip_event *event)
{
    struct swarm *s = n->swarm;
    buf_clear(&s->newcomers);
    step_one(n, event);
    for (size_t at = 0; n->gossip && at < s->newcomers.size; at += ID_SIZE) {
        struct gossip_event address = {.type = GOSSIP_ADDRESS};
        memcpy(address.id.bytes, s->newcomers.data + at, ID_SIZE);
        const struct gossip_member *m = gossip_find(n->gossip, &address.id);
        if (m && !m->is_self && m->records[GOSSIP_NODE].payload.data)
            address.addr = swarm_payload_addr(m->records[GOSSIP_NODE].payload);
        if (address.addr.size)
            step_one(n, &address);
    }
    if (n->gossip)
        watch_deadline(n);
}

/* --- shell */

void swarm_node_publish(struct swarm_node *n, enum gossip_kind kind)
{
    uint8_t storage[SWARM_PAYLOAD_MAX];
    struct gossip_event e = {.type = GOSSIP_PUBLISH, .kind = kind};
    e.data = swarm_payload(n, kind, storage);
    swarm_node_step(n, &e);
}

static const struct gossip_member *self_of(const struct swarm_node *n)
{
    return gossip_find(n->gossip, &n->swarm->identities[n->identity].id);
}

/* Of its own region: those abroad do not keep strangers, and may not know its region yet. */
static bool knows_somebody(const struct swarm_node *n)
{
    const struct gossip_member *self = self_of(n);
    for (size_t i = 0; i < gossip_member_count(n->gossip); i++) {
        const struct gossip_member *m = gossip_member(n->gossip, i);
        if (!m->is_self && m->state == GOSSIP_ALIVE && strcmp(m->region, self->region) == 0)
            return true;
    }
    return false;
}

/* The contacts must all have met, or the swarm begins as several; others need one of them, while
 * they know nobody. A contact that is not known to live is tried once a minute for ever: two
 * regions whose gateways all died while they were parted have nothing else to find each other by.
 * SIZE_MAX: none is needed. */
static size_t choose_contact(struct swarm_node *n)
{
    size_t count =
        n->swarm->identity_count < SWARM_CONTACTS ? n->swarm->identity_count : SWARM_CONTACTS;
    size_t contact = rng_below(&n->swarm->rng, count);
    if (n->life > 1 && n->dial_failures >= REMEMBER_AFTER &&
        !knows_somebody(n)) /* whom it remembers */
        return rng_below(&n->swarm->rng, n->swarm->identity_count);
    bool is_wanted = n->index < count ? !(n->met & 1u << contact) : !knows_somebody(n);
    const struct gossip_member *m = gossip_find(n->gossip, &n->swarm->identities[contact].id);
    bool is_alive = m && m->state == GOSSIP_ALIVE;
    is_wanted |= !is_alive && n->seconds % CONTACT_MINUTE == n->index % CONTACT_MINUTE;
    return is_wanted && contact != n->index ? contact : SIZE_MAX;
}

static void dial_contact(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    size_t contact = s->now_us < n->dial_us ? SIZE_MAX : choose_contact(n);
    if (contact == SIZE_MAX || contact == n->index)
        return;
    uint64_t wait_us = SWARM_SECOND << (n->dial_failures < DIAL_DOUBLINGS_MAX ? n->dial_failures
                                                                              : DIAL_DOUBLINGS_MAX);
    n->dial_failures++;
    n->dial_us = s->now_us + wait_us / 2 + rng_below(&s->rng, wait_us);
    swarm_link_send(n, contact, bytes_of(NULL, 0));
}

static size_t address_of(const struct swarm_node *n, const struct gossip_member *m)
{
    struct bytes node = m->records[GOSSIP_NODE].payload;
    struct gossip_addr addr = node.data ? swarm_payload_addr(node) : (struct gossip_addr){0};
    size_t at = addr.size ? swarm_addr_node(n->swarm, &addr) : SIZE_MAX;
    bool is_its =
        at != SIZE_MAX && n->swarm->nodes[at].identity == swarm_identity_of(n->swarm, &m->id);
    return is_its ? at : SIZE_MAX;
}

/* As node/mesh/upkeep.c does, about one of the whole swarm each two seconds: datagrams do not reach
 * a node that was started again and knows nobody, a link does. */
static void try_one_of_the_down(struct swarm_node *n)
{
    size_t chosen = SIZE_MAX, down = 0, alive = 0;
    for (size_t i = 0; i < gossip_member_count(n->gossip); i++) {
        const struct gossip_member *m = gossip_member(n->gossip, i);
        alive += m->state == GOSSIP_ALIVE;
        size_t at = m->state == GOSSIP_DOWN ? address_of(n, m) : SIZE_MAX;
        if (at != SIZE_MAX && rng_below(&n->swarm->rng, ++down) == 0)
            chosen = at;
    }
    if (chosen != SIZE_MAX && rng_below(&n->swarm->rng, alive) == 0)
        swarm_link_send(n, chosen, bytes_of(NULL, 0));
}

static bool may_be_via(const struct swarm_node *n, size_t i)
{
    const struct swarm *s = n->swarm;
    const struct gossip_member *m = gossip_find(n->gossip, &s->identities[i].id);
    return i != n->index && !s->nodes[i].only_dials && (!m || m->state == GOSSIP_ALIVE) &&
           s->identities[i].region == s->identities[n->identity].region;
}

/* A node that only dials out keeps links with those through whom it is reached. */
static void keep_links(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    size_t via[GOSSIP_VIA_MAX] = {0}, count = 0;
    for (size_t i = 0; i < s->identity_count && count < GOSSIP_VIA_MAX; i++)
        if (may_be_via(n, i))
            via[count++] = i;
    for (size_t i = 0; i < count; i++)
        if (!swarm_link_is_open(s, n->index, via[i]))
            swarm_link_send(n, via[i], bytes_of(NULL, 0));
    if (count == n->via_count && memcmp(via, n->via, sizeof via) == 0)
        return;
    memcpy(n->via, via, sizeof via);
    n->via_count = count;
    swarm_node_publish(n, GOSSIP_NODE);
}

static void redial(struct swarm *s, uint64_t node)
{
    struct swarm_node *n = &s->nodes[node];
    n->redials = false;
    if (swarm_node_runs(n) && !n->is_silent)
        keep_links(n);
}

/* As node/mesh/contact.c does: soon after a link was lost, not at once. */
static void redial_soon(struct swarm_node *n)
{
    if (!n->only_dials || n->redials)
        return;
    n->redials = true;
    swarm_at(n->swarm, n->swarm->now_us + rng_between(&n->swarm->rng, REDIAL_US / 2, REDIAL_US),
             redial, n->index);
}

static void take_keys(struct swarm_node *n, bool seals_with_older)
{
    uint8_t keys[GOSSIP_KEYS_MAX][32] = {{0}};
    swarm_gossip_keys(n, seals_with_older, keys);
    struct gossip_event e = {.type = GOSSIP_REKEY, .data = bytes_of(keys[0], sizeof keys)};
    n->seals_with_older = seals_with_older;
    swarm_node_step(n, &e);
}

static bool somebody_has_newer_key(const struct swarm_node *n)
{
    const struct swarm *s = n->swarm;
    for (size_t i = 0; i < s->identity_count; i++)
        if (s->nodes[i].key_number > n->key_number && swarm_node_runs(&s->nodes[i]) &&
            !swarm_is_cut(s, i, n->index) && !swarm_is_cut(s, n->index, i))
            return true;
    return false;
}

/* As node/mesh/keys.c does: a new key comes over links, is opened with at once, and sealed with
 * when everybody else who could be reached has had it for a while. */
static void keep_keys(struct swarm_node *n)
{
    if (n->key_number < n->swarm->key_number && somebody_has_newer_key(n))
        swarm_node_take_key(n);
    else if (n->seals_with_older && n->swarm->now_us - n->key_us > KEY_SETTLES_US)
        take_keys(n, false);
}

void swarm_node_take_key(struct swarm_node *n)
{
    n->key_number = n->swarm->key_number;
    n->key_us = n->swarm->now_us;
    take_keys(n, true);
}

/* As node/mesh/gossip_driver.c does: the core counts on from the clock at its start, so that a step
 * of the clock makes all begin anew, links too. */
static bool begins_anew(struct swarm_node *n)
{
    int64_t off_ms = n->wall_ms - n->start_wall_ms;
    if (n->is_silent || (off_ms < WALL_OFF_MAX_MS && off_ms > -WALL_OFF_MAX_MS))
        return false;
    swarm_node_kill(n, false);
    swarm_node_start(n);
    return true;
}

static void shell_second(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    if (begins_anew(n))
        return;
    post(n, s->now_us + SWARM_SECOND, SWARM_SHELL);
    n->seconds++;
    if (n->is_silent)
        return;
    keep_keys(n);
    if (!n->gossip)
        return;
    dial_contact(n);
    if (n->seconds % 2 == 0)
        try_one_of_the_down(n);
    if (n->only_dials && (n->seconds < 5 || n->seconds % 5 == 0))
        keep_links(n);
    if (!n->gossip)
        return;
    if (n->seconds == 1) /* from here on it is asked for */
        swarm_node_publish(n, GOSSIP_LOAD);
    const struct gossip_member *self = n->gossip ? self_of(n) : NULL;
    if (self && self->is_gateway && n->seconds % 2 == 0 &&
        (n->load_changes || !self->records[GOSSIP_SUMMARY].payload.data))
        swarm_node_publish(n, GOSSIP_SUMMARY);
    if (n->gossip && n->load_changes && rng_below(&s->rng, 120) == 0)
        swarm_node_publish(n, GOSSIP_INVENTORY);
}

void swarm_node_begin(struct swarm_node *n)
{
    struct swarm *s = n->swarm;
    n->tick_us = SWARM_NEVER;
    n->dial_us = 0;
    n->dial_failures = 0;
    n->met = 0;
    n->seconds = 0;
    swarm_node_publish(n, GOSSIP_NODE);
    if (!n->gossip)
        return;
    n->first_incarnation = self_of(n)->incarnation;
    swarm_node_publish(n, GOSSIP_INVENTORY);
    if (!n->gossip)
        return;
    dial_contact(n);
    post(n, s->now_us + rng_below(&s->rng, SWARM_SECOND), SWARM_SHELL);
}

/* --- events */

static void on_tick(struct swarm_node *n, const struct swarm_event *e)
{
    if (e->at_us != n->tick_us)
        return; /* an earlier one has come in between */
    n->tick_us = SWARM_NEVER;
    if (gossip_deadline_ms(n->gossip) > swarm_node_clock_ms(n)) {
        watch_deadline(n);
        return;
    }
    struct gossip_event tick = {.type = GOSSIP_TICK};
    swarm_node_step(n, &tick);
    if (!n->gossip)
        return;
    n->spins = gossip_deadline_ms(n->gossip) <= swarm_node_clock_ms(n) ? n->spins + 1 : 0;
    if (n->spins > SPINS_MAX)
        swarm_fail(n->swarm, "deadlines_move_on", "node %zu ticks without end", n->index);
}

static void on_event(struct swarm_node *n, const struct swarm_event *e)
{
    const struct swarm *s = n->swarm;
    struct gossip_event event = {.addr = e->addr, .data = bytes_of(e->data, e->size)};
    switch (e->type) {
    case SWARM_TICK: on_tick(n, e); return;
    case SWARM_SHELL: shell_second(n); return;
    case SWARM_LOAD:
        if (!n->is_silent)
            swarm_node_publish(n, GOSSIP_LOAD);
        return;
    case SWARM_DATAGRAM: event.type = GOSSIP_DATAGRAM; break;
    case SWARM_MESSAGE: event.type = GOSSIP_LINK_MESSAGE; break;
    case SWARM_UP: event.type = GOSSIP_LINK_UP; break;
    default: event.type = GOSSIP_EVIDENCE; break;
    }
    if (e->type != SWARM_DATAGRAM)
        event.id = s->identities[s->nodes[e->other].identity].id;
    swarm_node_step(n, &event);
    if (e->type == SWARM_EVIDENCE)
        redial_soon(n);
    if (e->type != SWARM_UP || !n->gossip)
        return;
    n->dial_failures = 0;
    n->met |= e->other < SWARM_CONTACTS ? 1u << e->other : 0;
    event.type = GOSSIP_MEASURED;
    event.rtt_us = e->argument;
    swarm_node_step(n, &event);
}

void swarm_node_obey(struct swarm_node *n, struct swarm_event *e)
{
    bool is_mine = n->gossip && (e->life == 0 || e->life == n->life);
    if (is_mine && n->is_paused) {
        bool overflows = e->type == SWARM_DATAGRAM && n->waiting_datagrams >= RECEIVE_QUEUE_MAX;
        if (!overflows) {
            n->waiting_datagrams += e->type == SWARM_DATAGRAM;
            list_push_back(&n->waiting, &e->wait);
            return;
        }
    } else if (is_mine) {
        on_event(n, e);
    }
    free(e);
}
