/* Happy path: a datagram, a message, the timer or something told -> one step -> persist, send,
 * look. Failure modes: the incarnation cannot be written (nothing of that step is sent), a member
 * without a row (its message is dropped), another process that speaks under our key (said, the
 * core goes above it, and the younger of the two gives way), more changes than a step shows (all
 * rows are compared). */
#include "node/mesh/gossip_driver.h"

#include "node/mesh/core.h"

/* Below GOSSIP_SKEW_MS, beyond which records are refused; above what clocks drift. */
#define WALL_OFF_MAX_MS (4 * 60 * 1000)
#define TWIN_LIVES_MS 2000      /* another process that is heard for so long */
#define CONFLICT_SHOWN_MS 60000 /* in listings, after it was seen last */

static void on_timer(struct io_timer *timer);

/* --- addresses */

static void to_gossip_addr(const struct io_addr *addr, struct gossip_addr *ret_addr)
{
    *ret_addr = (struct gossip_addr){.port = addr->port};
    if (addr->family != IO_IPV4 && addr->family != IO_IPV6)
        return;
    ret_addr->size = addr->family == IO_IPV4 ? 4 : 16;
    memcpy(ret_addr->ip, addr->ip, ret_addr->size);
}

/* A socket of IPv6 speaks to IPv4 by mapped addresses (RFC 4291, section 2.5.5.2). */
static void to_io_addr(const struct mesh *m, const struct gossip_addr *addr,
                       struct io_addr *ret_addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_mapped = addr->size == 4 && m->listen.family == IO_IPV6;
    *ret_addr = (struct io_addr){
        .family = addr->size == 4 && !is_mapped ? IO_IPV4 : IO_IPV6,
        .port = addr->port,
    };
    if (is_mapped)
        memcpy(ret_addr->ip, mapped, sizeof(mapped));
    memcpy(ret_addr->ip + (is_mapped ? sizeof(mapped) : 0), addr->ip, addr->size);
}

/* --- effects */

/* The core asks once; until it is done, each step tries, and nothing leaves. */
static bool persist(struct mesh *m, uint64_t incarnation)
{
    struct gossip_driver *d = &m->gossip;
    if (incarnation > d->to_persist)
        d->to_persist = incarnation;
    if (d->to_persist == 0)
        return true;
    enum err e = ERR_OK;
    if (m->ops->persist_incarnation)
        e = m->ops->persist_incarnation(m->owner, d->to_persist);
    if (e != ERR_OK) {
        LOG(m->cfg.log, mesh_level(m, MESH_LINES_MEMBERS, LOG_ERROR), "incarnation_not_persisted",
            LOG_UINT("incarnation", d->to_persist), LOG_ERR(e));
        return false;
    }
    d->persisted = d->to_persist;
    d->to_persist = 0;
    return true;
}

static void send(struct mesh *m, const struct gossip_send *s)
{
    if (s->over_link) {
        struct peer *p = mesh_peer_find(m, &s->to);
        if (p)
            mail_send(p, s->data);
        else
            m->counts.messages_dropped++;
        return;
    }
    struct io_addr addr;
    to_io_addr(m, &s->addr, &addr);
    io_datagram_send(m->gossip.socket, &addr, s->data);
}

static void log_refusal(struct mesh *m, const struct gossip_refusal *r)
{
    const struct peer *p = mesh_peer_find(m, &r->from);
    LOG(m->cfg.log, mesh_level(m, MESH_LINES_REFUSALS, LOG_WARN), "gossip_refused",
        LOG_STR("from", p ? p->name : ""), LOG_ID("id", &r->from), LOG_ERR(r->reason));
}

static void note_event(struct mesh *m, const struct gossip_change *c)
{
    const char *names[GOSSIP_ACCUSERS];
    for (size_t i = 0; i < c->accuser_count; i++) {
        const struct peer *p = mesh_peer_find(m, &c->accusers[i]);
        bool is_own = id_equal(&c->accusers[i], &m->cfg.identity->node);
        names[i] = is_own ? mesh_own_name(m) : p ? p->name : "?";
    }
    events_add_change(&m->events, io_wall_ms(m->cfg.loop), c, names);
}

/* --- another process of this identity */

/* When it was started, as its NODE record says; 0: that says nothing. */
static uint64_t boot_of(struct bytes node)
{
    struct arena scratch;
    struct facts_node n;
    arena_init(&scratch, PEER_FACTS_SIZE_MAX);
    uint64_t boot_ms = facts_node_decode(node, &scratch, &n) == ERR_OK ? n.boot_ms : 0;
    arena_fini(&scratch);
    return boot_ms;
}

/* The one that was started later gives way. What is heard once could still be of its own past, in a
 * directory restored from a copy, with a clock that went back; what goes on lives. */
static void on_twin(struct mesh *m, struct bytes node)
{
    struct gossip_driver *d = &m->gossip;
    uint64_t boot_ms = boot_of(node), now_ms = mesh_now_ms(m);
    if (boot_ms == 0 || boot_ms >= m->ops->facts(m->owner)->boot_ms)
        return; /* ourselves, or one that is younger */
    if (d->twin_ms == 0)
        d->twin_ms = now_ms;
    if (now_ms - d->twin_ms < TWIN_LIVES_MS || d->has_given_way || !m->ops->on_identity_taken)
        return;
    d->has_given_way = true;
    LOG(m->cfg.log, LOG_ERROR, "identity_taken", LOG_ID("id", &m->cfg.identity->node));
    m->ops->on_identity_taken(m->owner);
}

static void on_conflict(struct mesh *m)
{
    struct gossip_driver *d = &m->gossip;
    uint64_t now_ms = mesh_now_ms(m);
    if (d->conflict_logged_ms == 0 || now_ms - d->conflict_logged_ms >= EVENTS_CONFLICT_MS) {
        LOG(m->cfg.log, LOG_WARN, "identity_used_twice", LOG_ID("id", &m->cfg.identity->node));
        d->conflict_logged_ms = now_ms;
    }
    events_add_conflict(&m->events, io_wall_ms(m->cfg.loop), &m->cfg.identity->node,
                        mesh_own_name(m));
    d->conflict_ms = now_ms;
}

bool mesh_has_conflict(const struct mesh *m)
{
    uint64_t seen_ms = m->gossip.conflict_ms;
    return seen_ms && mesh_now_ms(m) - seen_ms < CONFLICT_SHOWN_MS;
}

static void look(struct mesh *m, const struct gossip_effects *effects)
{
    for (size_t i = 0; i < effects->change_count; i++) {
        peer_on_change(m, &effects->changes[i]);
        note_event(m, &effects->changes[i]);
    }
    for (size_t i = 0; i < effects->news_count; i++)
        peer_on_news(m, &effects->news[i]);
    if (effects->overflow)
        peer_review_all(m);
    for (size_t i = 0; i < effects->refusal_count; i++)
        log_refusal(m, &effects->refusals[i]);
    if (effects->identity_conflict)
        on_conflict(m);
    if (effects->twin.size > 0)
        on_twin(m, effects->twin);
}

static void await_deadline(struct mesh *m)
{
    uint64_t deadline_ms = gossip_deadline_ms(m->gossip.core);
    uint64_t now_ms = mesh_now_ms(m);
    if (deadline_ms == UINT64_MAX)
        io_timer_stop(&m->gossip.timer);
    else
        io_timer_start(m->cfg.loop, &m->gossip.timer,
                       deadline_ms > now_ms ? deadline_ms - now_ms : 0, on_timer);
}

static void step(struct mesh *m, struct gossip_event *event)
{
    struct gossip_driver *d = &m->gossip;
    struct gossip_effects effects;
    CHECK(!d->is_stepping);
    d->is_stepping = true;
    event->now_ms = mesh_now_ms(m);
    event->now_us = io_now_us(m->cfg.loop);
    event->wall_ms = io_wall_ms(m->cfg.loop);
    gossip_step(d->core, event, &effects);
    bool may_send = persist(m, effects.persist_incarnation);
    for (size_t i = 0; i < effects.send_count && may_send; i++)
        send(m, &effects.sends[i]);
    look(m, &effects);
    d->is_stepping = false;
    if (effects.wants_load)
        publish_load(m);
    await_deadline(m);
}

/* --- events */

static void on_timer(struct io_timer *timer)
{
    step(LIST_ENTRY(timer, struct mesh, gossip.timer), &(struct gossip_event){.type = GOSSIP_TICK});
}

static void on_datagram(void *owner, const struct io_addr *from, struct bytes data)
{
    struct mesh *m = owner;
    struct gossip_event event = {.type = GOSSIP_DATAGRAM, .data = data};
    to_gossip_addr(from, &event.addr);
    if (m->gossip.core)
        step(m, &event);
}

void gossip_driver_on_message(struct peer *p, struct bytes message)
{
    struct mesh *m = peer_slot_of(p)->mesh;
    if (!m->closing)
        step(m, &(struct gossip_event){.type = GOSSIP_LINK_MESSAGE, .id = p->id, .data = message});
}

void gossip_driver_publish(struct mesh *m, enum gossip_kind kind, struct bytes payload,
                           bool is_urgent)
{
    step(m, &(struct gossip_event){
                .type = GOSSIP_PUBLISH, .kind = kind, .data = payload, .is_urgent = is_urgent});
}

void mesh_leave(struct mesh *m)
{
    if (m->has_left)
        return;
    m->has_left = true;
    step(m, &(struct gossip_event){.type = GOSSIP_GOODBYE});
}

void gossip_driver_rekey(struct mesh *m, struct bytes keys)
{
    struct gossip_driver *d = &m->gossip;
    CHECK(keys.size > 0 && keys.size <= sizeof(d->keys) && keys.size % sizeof(d->keys[0]) == 0);
    memcpy(d->keys, keys.data, keys.size);
    d->key_count = keys.size / sizeof(d->keys[0]);
    if (d->core)
        step(m, &(struct gossip_event){.type = GOSSIP_REKEY, .data = keys});
}

/* --- what others find out */

static void tell_one(struct mesh *m, struct peer_slot *slot)
{
    static const struct {
        unsigned bit;
        enum gossip_event_type type;
    } rows[] = {{GOSSIP_DRIVER_ENDPOINT, GOSSIP_ADDRESS},
                {GOSSIP_DRIVER_LINK_UP, GOSSIP_LINK_UP},
                {GOSSIP_DRIVER_MEASURED, GOSSIP_MEASURED},
                {GOSSIP_DRIVER_EVIDENCE, GOSSIP_EVIDENCE}};
    unsigned tells = slot->tells;
    slot->tells = 0;
    if (tells & GOSSIP_DRIVER_LINK_UP)
        publish_look(m);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gossip_event event = {.type = rows[i].type,
                                     .id = slot->peer.id,
                                     .addr = slot->endpoint,
                                     .rtt_us = slot->rtt_us};
        if (tells & rows[i].bit)
            step(m, &event);
    }
}

static void on_tell(struct io_task *task)
{
    struct mesh *m = LIST_ENTRY(task, struct mesh, gossip.tell);
    struct list telling;
    list_init(&telling);
    for (struct list *it; (it = list_pop_front(&m->gossip.telling));)
        list_push_back(&telling, it);
    for (struct list *it; (it = list_pop_front(&telling));)
        tell_one(m, LIST_ENTRY(it, struct peer_slot, telling));
}

void gossip_driver_tell(struct peer *p, enum gossip_driver_tell what)
{
    struct peer_slot *slot = peer_slot_of(p);
    struct mesh *m = slot->mesh;
    if (m->closing || !m->gossip.core)
        return;
    slot->tells |= what;
    if (!list_is_linked(&slot->telling))
        list_push_back(&m->gossip.telling, &slot->telling);
    io_task_post(m->cfg.loop, &m->gossip.tell);
}

void gossip_driver_tell_endpoint(struct peer *p, const struct io_addr *addr)
{
    to_gossip_addr(addr, &peer_slot_of(p)->endpoint);
    gossip_driver_tell(p, GOSSIP_DRIVER_ENDPOINT);
}

void gossip_driver_tell_rtt(struct peer *p, uint64_t rtt_us)
{
    peer_slot_of(p)->rtt_us = rtt_us;
    gossip_driver_tell(p, GOSSIP_DRIVER_MEASURED);
}

/* --- life */

void gossip_driver_init(struct mesh *m)
{
    list_init(&m->gossip.telling);
    io_task_init(&m->gossip.tell, on_tell);
}

enum err gossip_driver_bind(struct mesh *m, const struct io_addr *addr)
{
    return io_datagram_open(m->cfg.loop, addr, on_datagram, m, &m->gossip.socket);
}

static int64_t wall_ahead_ms(const struct mesh *m)
{
    return (int64_t)(io_wall_ms(m->cfg.loop) - mesh_now_ms(m));
}

static enum err make_core(struct mesh *m)
{
    const struct identity *own = m->cfg.identity;
    struct gossip_cfg cfg = {.mesh = own->mesh,
                             .name = own->cert.name,
                             .region = own->cert.region,
                             .seed = rng_next(&m->rng),
                             .incarnation = m->gossip.persisted,
                             .now_ms = mesh_now_ms(m),
                             .wall_ms = io_wall_ms(m->cfg.loop),
                             .members_max = MESH_PEERS_MAX,
                             .key_count = m->gossip.key_count,
                             .ops = &gossip_payload_ops,
                             .ctx = m};
    memcpy(cfg.key, own->public_key, sizeof(cfg.key));
    memcpy(cfg.keys, m->gossip.keys, sizeof(cfg.keys));
    enum err e = gossip_create(&cfg, &m->gossip.core);
    crypto_wipe(&cfg, sizeof(cfg));
    m->gossip.wall_ahead_ms = wall_ahead_ms(m);
    return e;
}

enum err gossip_driver_start(struct mesh *m)
{
    m->gossip.persisted = m->cfg.incarnation;
    if (m->gossip.key_count == 0)
        gossip_driver_rekey(m, bytes_of(m->cfg.gossip_key, sizeof(m->cfg.gossip_key)));
    crypto_sign_secret_to_dh(m->cfg.identity->secret, m->gossip.dh_secret);
    TRY(make_core(m));
    await_deadline(m);
    return ERR_OK;
}

/* Links bring everything back, and who is reached by none is met again by those. */
static void meet_again(struct peer *p)
{
    struct peer_slot *slot = peer_slot_of(p);
    slot->is_member = false;
    if (p->link)
        gossip_driver_tell(p, GOSSIP_DRIVER_LINK_UP);
    else
        peer_move(p, PEER_DOWN, ERR_CLOCK_SKEW);
    if (slot->endpoint.size > 0)
        gossip_driver_tell(p, GOSSIP_DRIVER_ENDPOINT);
}

/* Whether the clock is right now, or was before, the others know: links are made anew, with the
 * look at each other's clock that this takes. Who is wrong stays alone, instead of refusing what is
 * good and being refused at each request. */
static void link_anew(struct mesh *m)
{
    mesh_end_links(m, true, ERR_CLOCK_SKEW);
    for (size_t i = 0; i < m->contact_count; i++)
        contact_hurry(&m->contacts[i]);
    for (size_t i = 0; i < m->peer_count; i++)
        contact_hurry(&m->peers[i]->contact);
}

/* The core counts on from the clock at its start. Where that was wrong, our records bear times that
 * nobody believes, until it begins anew: under a greater incarnation, as after a restart. */
void gossip_driver_review_clock(struct mesh *m)
{
    struct gossip_driver *d = &m->gossip;
    int64_t off_ms = wall_ahead_ms(m) - d->wall_ahead_ms;
    if (m->has_left || (off_ms < WALL_OFF_MAX_MS && off_ms > -WALL_OFF_MAX_MS))
        return;
    struct gossip *old = d->core;
    if (make_core(m) != ERR_OK) {
        d->core = old; /* the next round tries again */
        return;
    }
    gossip_destroy(old);
    LOG(m->cfg.log, LOG_WARN, "clock_stepped", LOG_INT("by_ms", off_ms));
    link_anew(m);
    for (size_t i = 0; i < m->peer_count; i++)
        meet_again(&m->peers[i]->peer);
    mesh_facts_changed(m);
    await_deadline(m);
}

void gossip_driver_stop(struct mesh *m)
{
    struct gossip_driver *d = &m->gossip;
    io_task_cancel(&d->tell);
    if (d->core && m->draining)
        mesh_leave(m);
    io_timer_stop(&d->timer);
    if (d->socket)
        io_datagram_close(d->socket);
    gossip_destroy(d->core);
    d->core = NULL;
    d->socket = NULL;
    crypto_wipe(d->dh_secret, sizeof(d->dh_secret));
    crypto_wipe(d->keys, sizeof(d->keys));
}

/* --- questions */

const struct gossip_member *gossip_driver_member(const struct mesh *m, const struct id *id)
{
    return m->gossip.core ? gossip_find(m->gossip.core, id) : NULL;
}

uint64_t gossip_driver_distance_us(const struct mesh *m, const struct peer *p)
{
    const struct gossip_member *member = gossip_driver_member(m, &p->id);
    return member ? gossip_distance_us(m->gossip.core, member) : 0;
}

uint64_t mesh_incarnation(const struct mesh *m)
{
    const struct gossip_member *self = gossip_driver_member(m, &m->cfg.identity->node);
    return self ? self->incarnation : 0;
}

void mesh_gossip_counts(const struct mesh *m, struct gossip_counts *ret_counts)
{
    *ret_counts = (struct gossip_counts){0};
    if (m->gossip.core)
        gossip_counts(m->gossip.core, ret_counts);
}
