/* What gossip brings, row by row: states, and the three records of a node put together into one
 * `struct facts`. Payloads were judged by gossip_payload.c before they were believed, so that here
 * only memory can be short: then the row keeps what it had. */
#include "node/mesh/core.h"

/* --- states */

static enum peer_state state_of(enum gossip_state s)
{
    static const enum peer_state states[] = {[GOSSIP_ALIVE] = PEER_ALIVE,
                                             [GOSSIP_SUSPECT] = PEER_SUSPECT,
                                             [GOSSIP_DOWN] = PEER_DOWN,
                                             [GOSSIP_LEFT] = PEER_LEFT};
    return states[s];
}

static void names_of(const struct mesh *m, const struct gossip_change *c, struct buf *names)
{
    for (size_t i = 0; i < c->accuser_count; i++) {
        const struct peer *p = mesh_peer_find(m, &c->accusers[i]);
        bool is_own = id_equal(&c->accusers[i], &m->cfg.identity->node);
        const char *name = is_own ? mesh_own_name(m) : p ? p->name : "?";
        enum err e = i ? buf_append_byte(names, ',') : ERR_OK;
        if (e == ERR_OK)
            e = buf_append_str(names, name);
        CHECK(e == ERR_OK); /* GOSSIP_ACCUSERS names and commas */
    }
}

static void log_change(struct mesh *m, const struct gossip_change *c)
{
    static const char *const events[] = {[GOSSIP_ALIVE] = "peer_back",
                                         [GOSSIP_SUSPECT] = "peer_suspect",
                                         [GOSSIP_DOWN] = "peer_down",
                                         [GOSSIP_LEFT] = "peer_left"};
    uint8_t place[GOSSIP_ACCUSERS * (GOSSIP_NAME_MAX + 1)];
    struct buf names;
    buf_init_fixed(&names, place, sizeof(place));
    names_of(m, c, &names);
    const char *event = c->is_forgotten                      ? "peer_forgotten"
                        : c->is_new && c->to == GOSSIP_ALIVE ? "peer_joined"
                                                             : events[c->to];
    LOG(m->cfg.log, mesh_level(m, MESH_LINES_MEMBERS, LOG_INFO), event, LOG_STR("peer", c->name),
        LOG_BYTES("by", buf_bytes(&names)), LOG_UINT("incarnation", c->incarnation),
        LOG_ERR(c->reason));
}

/* The row of a member, made if need be; NULL: there is no room, and it is unknown to the node. */
static struct peer *row_of(struct mesh *m, const struct gossip_member *member)
{
    struct peer *p = NULL;
    enum err e = peer_row(m, &member->id, member->key, &p);
    if (e != ERR_OK) {
        LOG(m->cfg.log, mesh_level(m, MESH_LINES_MEMBERS, LOG_WARN), "peer_has_no_room",
            LOG_STR("peer", member->name), LOG_ERR(e));
        return NULL;
    }
    peer_slot_of(p)->is_member = peer_slot_of(p)->was_member = true;
    return p;
}

/* A link to it may go on, but nobody tells us any more what it serves. */
static void forget(struct peer *p)
{
    peer_slot_of(p)->is_member = false;
    p->facts = NULL;
    peer_changed(p);
}

void peer_on_change(struct mesh *m, const struct gossip_change *c)
{
    const struct gossip_member *member = gossip_driver_member(m, &c->id);
    log_change(m, c);
    if (!member || member->is_self) {
        struct peer *p = mesh_peer_find(m, &c->id);
        if (p)
            forget(p);
        return;
    }
    struct peer *p = row_of(m, member);
    if (!p)
        return;
    if (!*p->name)
        bytes_to_str(bytes_from_str(member->name), p->name, sizeof(p->name));
    p->incarnation = member->incarnation;
    if (!peer_slot_of(p)->is_revoked)
        peer_move(p, state_of(c->to), c->reason);
}

/* --- facts */

static enum err decode(const struct gossip_member *member, struct arena *arena,
                       struct facts_node *ret_node, struct facts_inventory *ret_inventory)
{
    TRY(facts_node_decode(member->records[GOSSIP_NODE].payload, arena, ret_node));
    return facts_inventory_decode(member->records[GOSSIP_INVENTORY].payload, arena, ret_inventory);
}

static void fill(struct peer_slot *slot, const struct facts_node *n,
                 const struct facts_inventory *i)
{
    struct facts *f = &slot->facts;
    *f = (struct facts){.name = n->name,
                        .region = n->region,
                        .zone = n->zone,
                        .tier = n->tier,
                        .version = n->version,
                        .mesh_addr = n->mesh_addr,
                        .http_addr = n->http_addr,
                        .boot_ms = n->boot_ms,
                        .labels = n->labels,
                        .label_count = n->label_count,
                        .spot = n->spot,
                        .draining = f->draining,
                        .rules = f->rules,
                        .load = f->load,
                        .backends = i->backends,
                        .backend_count = i->backend_count};
    slot->backends = i->backends;
}

/* A load that was signed before the node's last start is about another life. */
static bool is_of_this_life(const struct gossip_member *member)
{
    const struct gossip_record *load = &member->records[GOSSIP_LOAD];
    return load->version != 0 && load->incarnation >= member->records[GOSSIP_NODE].incarnation;
}

/* They are left out of most loads; what an earlier one of this life said stays. */
static void take_rules(struct peer_slot *slot, const struct facts_report *report, uint64_t life)
{
    const struct mesh *m = slot->mesh;
    if (!report->rules.is_known && slot->rules_life == life)
        return;
    bool is_news = !facts_rules_equal(&slot->facts.rules, &report->rules);
    slot->facts.rules = report->rules;
    slot->rules_life = life;
    if (is_news && m->ops->on_rules)
        m->ops->on_rules(m->owner, &slot->peer);
}

static void take_backends(struct peer_slot *slot, const struct facts_report *report)
{
    bool is_like_its_node = slot->facts.backend_count == 1 && report->backend_count == 0;
    for (size_t i = 0; i < slot->facts.backend_count; i++) {
        bool is_known = i < report->backend_count;
        slot->backends[i].inflight = is_known ? report->backends[i].inflight : 0;
        slot->backends[i].queued = is_known ? report->backends[i].queued : 0;
        slot->backends[i].figures = report->figures[i];
    }
    if (is_like_its_node) {
        slot->backends[0].inflight = report->load.inflight;
        slot->backends[0].queued = report->load.queued;
    }
}

static void take_load(struct peer_slot *slot, const struct gossip_member *member)
{
    struct facts_report report = {0};
    slot->has_report = is_of_this_life(member) &&
                       facts_report_decode(member->records[GOSSIP_LOAD].payload, &report) == ERR_OK;
    slot->reported = slot->facts.load = report.load;
    take_rules(slot, &report, slot->has_report ? slot->facts.boot_ms : 0);
    slot->facts.draining = report.draining;
    take_backends(slot, &report);
    struct peer *p = &slot->peer;
    uint64_t made_ms = slot->has_report ? member->records[GOSSIP_LOAD].made_ms : 0;
    if (!slot->has_report || made_ms >= p->load_ms) { /* an answer may have brought a newer one */
        p->load = report.load;
        p->load_ms = made_ms;
    }
    peer_review_draining(p);
    const struct mesh *m = slot->mesh;
    if (report.accused_count > 0 && m->ops->on_accused)
        m->ops->on_accused(m->owner, p, report.accused, report.accused_count, made_ms);
}

/* True when routing should know. */
static bool take_offers(struct peer_slot *slot, const struct gossip_member *member)
{
    struct arena arena;
    struct facts_node node;
    struct facts_inventory inventory;
    struct peer *p = &slot->peer;
    bool is_whole =
        member->records[GOSSIP_NODE].version && member->records[GOSSIP_INVENTORY].version;
    arena_init(&arena, PEER_FACTS_SIZE_MAX);
    if (!is_whole || decode(member, &arena, &node, &inventory) != ERR_OK) {
        arena_fini(&arena);
        return false;
    }
    struct facts next = {.backends = inventory.backends, .backend_count = inventory.backend_count};
    bool is_news = !p->facts || !facts_offer_the_same(p->facts, &next);
    struct arena old = slot->arena;
    slot->arena = arena;
    fill(slot, &node, &inventory);
    arena_fini(&old);
    p->facts = &slot->facts;
    p->facts_ms = member->records[GOSSIP_INVENTORY].made_ms;
    return is_news;
}

static void take_node(struct peer_slot *slot, const struct gossip_member *member)
{
    struct arena scratch;
    struct facts_node node;
    struct cert_chain chain;
    arena_init(&scratch, PEER_FACTS_SIZE_MAX);
    enum err e = facts_node_decode(member->records[GOSSIP_NODE].payload, &scratch, &node);
    if (e == ERR_OK)
        e = cert_chain_decode(node.chain, &chain);
    if (e == ERR_OK) {
        peer_take_identity(&slot->peer, cert_leaf(&chain), node.chain);
        contact_set(&slot->contact, node.mesh_addr);
    }
    arena_fini(&scratch);
}

static void take(struct peer *p, const struct gossip_member *member, enum gossip_kind kind)
{
    struct peer_slot *slot = peer_slot_of(p);
    bool was_draining = p->draining, could_execute = p->load.capacity > 0;
    bool is_news = false;
    p->incarnation = member->incarnation;
    if (kind == GOSSIP_NODE)
        take_node(slot, member);
    if (kind == GOSSIP_NODE || kind == GOSSIP_INVENTORY)
        is_news = take_offers(slot, member);
    take_load(slot, member);
    bool is_changed = p->draining != was_draining || (p->load.capacity > 0) != could_execute;
    if (is_news || is_changed)
        peer_changed(p);
}

void peer_on_news(struct mesh *m, const struct gossip_news *news)
{
    const struct gossip_member *member = gossip_driver_member(m, &news->owner);
    struct peer *p = member && !member->is_self ? row_of(m, member) : NULL;
    if (p && news->kind != GOSSIP_LEAVE && news->kind != GOSSIP_SUMMARY) /* abroad.c reads those */
        take(p, member, news->kind);
}

void peer_review_all(struct mesh *m)
{
    for (size_t i = 0; i < m->peer_count; i++)
        peer_slot_of(&m->peers[i]->peer)->is_member =
            gossip_driver_member(m, &m->peers[i]->peer.id) != NULL;
    size_t count = gossip_member_count(m->gossip.core);
    for (size_t i = 0; i < count; i++) {
        const struct gossip_member *member = gossip_member(m->gossip.core, i);
        struct peer *p = member->is_self ? NULL : row_of(m, member);
        if (!p)
            continue;
        peer_move(p, state_of(member->state), ERR_OK);
        take(p, member, GOSSIP_NODE);
    }
}

/* --- age */

static void confirm(struct peer_slot *slot, uint64_t now_ms)
{
    struct peer *p = &slot->peer;
    const struct gossip_member *member = gossip_driver_member(slot->mesh, &p->id);
    if (!member || p->state != PEER_ALIVE || p->is_late)
        return;
    if (!p->link)
        p->rtt_us = member->rtt_us;
    uint64_t then_ms = now_ms - PEER_SILENCE_MS;
    if (p->facts && p->facts_ms < then_ms)
        p->facts_ms = then_ms;
    if (!slot->has_report || p->load_ms >= then_ms)
        return;
    p->load = slot->reported; /* an answer's report has had its time */
    p->load_ms = then_ms;
}

void peer_confirm_all(struct mesh *m)
{
    uint64_t now_ms = mesh_now_ms(m);
    for (size_t i = 0; i < m->peer_count && now_ms > PEER_SILENCE_MS; i++)
        confirm(m->peers[i], now_ms);
}

bool mesh_peer_load_made_ms(const struct mesh *m, const struct peer *p, uint64_t *ret_ms)
{
    const struct gossip_member *member = gossip_driver_member(m, &p->id);
    if (!member || member->records[GOSSIP_LOAD].version == 0)
        return false;
    *ret_ms = member->records[GOSSIP_LOAD].made_ms;
    return true;
}
