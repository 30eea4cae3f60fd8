/* Our own facts. NODE and INVENTORY are published when their bytes change; of the load the core
 * knows best when it is worth a record, only sharp changes are told to be so. */
#include "node/mesh/publish.h"

#include "node/mesh/core.h"

#define RULES_NEWS_MS 3000
#define RULES_EVERY 16

static bool is_published(const struct mesh *m, enum gossip_kind kind, struct bytes payload)
{
    const struct gossip_member *self = gossip_driver_member(m, &m->cfg.identity->node);
    const struct gossip_record *r = &self->records[kind];
    return r->version != 0 && bytes_equal(r->payload, payload);
}

static void say(struct mesh *m, enum gossip_kind kind, enum err e, bool is_urgent)
{
    /* Publishing one may ask for our load at once, which is encoded meanwhile. */
    struct buf payload = m->publish.payload;
    buf_init(&m->publish.payload, FACTS_WIRE_MAX);
    if (e != ERR_OK)
        LOG(m->cfg.log, LOG_ERROR, "facts_not_encoded", LOG_UINT("kind", kind), LOG_ERR(e));
    else if (kind == GOSSIP_LOAD || !is_published(m, kind, buf_bytes(&payload)))
        gossip_driver_publish(m, kind, buf_bytes(&payload), is_urgent);
    buf_fini(&payload);
}

static void say_node(struct mesh *m, const struct facts *f)
{
    const struct identity *own = m->cfg.identity;
    struct facts_node n = {.name = f->name,
                           .region = f->region,
                           .zone = f->zone,
                           .tier = f->tier,
                           .version = f->version,
                           .mesh_addr = bytes_from_str(m->advertised),
                           .http_addr = f->http_addr,
                           .boot_ms = f->boot_ms,
                           .labels = f->labels,
                           .label_count = f->label_count,
                           .spot = f->spot,
                           .chain = bytes_of(own->chain, own->chain_size),
                           .via_count = m->publish.via_count};
    memcpy(n.via, m->publish.via, sizeof(n.via));
    say(m, GOSSIP_NODE, facts_node_encode(&n, &m->publish.payload), false);
}

/* Who leads and who votes matters at once; how far the log is, with the next load. */
static bool has_new_part(const struct facts_rules *was, const struct facts_rules *is)
{
    return is->is_known != was->is_known || is->is_leader != was->is_leader ||
           is->is_voter != was->is_voter;
}

static bool has_sharp_figures(const struct publish *p, const struct facts *f)
{
    for (size_t i = 0; i < f->backend_count; i++)
        if (figures_is_sharp(&f->backends[i].figures, &p->figures[i]))
            return true;
    return false;
}

static bool is_sharp(const struct publish *p, const struct facts *f)
{
    const struct facts_load *was = &p->load, *is = &f->load;
    bool was_full = was->inflight >= was->capacity, is_full = is->inflight >= is->capacity;
    return f->draining != p->draining || has_new_part(&p->rules, &f->rules) ||
           is->capacity != was->capacity || (is->queued > 0) != (was->queued > 0) ||
           is_full != was_full || f->accused_count > p->accused_count || has_sharp_figures(p, f);
}

/* Rules are longer than a load and change seldom. They are said while they are news, when the load
 * stands still, and otherwise in one of RULES_EVERY loads, for those who missed the news. */
static bool says_rules(struct publish *p, const struct facts *f, uint64_t now_ms)
{
    bool is_still = memcmp(&f->load, &p->load, sizeof(p->load)) == 0;
    if (!facts_rules_equal(&f->rules, &p->rules)) {
        p->rules = f->rules;
        p->rules_ms = now_ms;
    }
    bool is_news = now_ms - p->rules_ms < RULES_NEWS_MS;
    return f->rules.is_known && (is_news || is_still || ++p->loads % RULES_EVERY == 0);
}

/* Figures that tremble stay as they were said. */
static void settle(struct publish *p, struct facts_backend *backends, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        figures_settle(&backends[i].figures, &p->figures[i]);
        p->figures[i] = backends[i].figures;
    }
}

/* `backends` are those that f borrows. */
static void say_load(struct mesh *m, const struct facts *f, struct facts_backend *backends)
{
    struct publish *p = &m->publish;
    struct facts said = *f;
    bool is_urgent = is_sharp(p, f);
    said.rules.is_known = says_rules(p, f, mesh_now_ms(m));
    settle(p, backends, f->backend_count);
    p->load = f->load;
    p->draining = f->draining;
    p->accused_count = f->accused_count;
    say(m, GOSSIP_LOAD, facts_report_encode(&said, &p->payload), is_urgent);
}

static void own_facts(struct mesh *m, struct facts_backend backends[FACTS_BACKENDS_MAX],
                      struct facts *ret_facts)
{
    facts_cut(m->ops->facts(m->owner), backends, ret_facts);
    ret_facts->rules = m->rules;
}

void publish_look(struct mesh *m)
{
    struct facts_backend backends[FACTS_BACKENDS_MAX];
    struct facts f;
    own_facts(m, backends, &f);
    say_node(m, &f);
    say(m, GOSSIP_INVENTORY, facts_inventory_encode(&f, &m->publish.payload), false);
    if (is_sharp(&m->publish, &f)) /* else the core asks when its moment has come */
        say_load(m, &f, backends);
    m->publish.looked_ms = mesh_now_ms(m);
}

void publish_load(struct mesh *m)
{
    struct facts_backend backends[FACTS_BACKENDS_MAX];
    struct facts f;
    own_facts(m, backends, &f);
    say_load(m, &f, backends);
}

static void on_timer(struct io_timer *timer)
{
    struct mesh *m = LIST_ENTRY(timer, struct mesh, publish.timer);
    publish_look(m);
    peer_confirm_all(m);
    abroad_look(m);
    io_timer_start(m->cfg.loop, timer, MESH_FACTS_INTERVAL_MS, on_timer);
}

void mesh_set_rules(struct mesh *m, const struct facts_rules *rules)
{
    bool is_new_part = has_new_part(&m->rules, rules);
    CHECK(rules->is_known);
    m->rules = *rules;
    if (is_new_part)
        mesh_facts_changed(m);
}

const struct facts_rules *mesh_rules(const struct mesh *m)
{
    return &m->rules;
}

void mesh_facts_changed(struct mesh *m)
{
    struct io_timer *timer = &m->publish.timer;
    uint64_t now_ms = mesh_now_ms(m);
    uint64_t earliest_ms = m->publish.looked_ms + PUBLISH_MIN_MS;
    uint64_t delay_ms = earliest_ms > now_ms ? earliest_ms - now_ms : 0;
    if (io_timer_is_running(timer) && timer->deadline_ms > now_ms + delay_ms)
        io_timer_start(m->cfg.loop, timer, delay_ms, on_timer);
}

void publish_review_via(struct mesh *m)
{
    struct publish *p = &m->publish;
    struct id via[GOSSIP_VIA_MAX] = {0};
    size_t count = upkeep_via(m, via);
    if (count == p->via_count && memcmp(via, p->via, sizeof(via)) == 0)
        return;
    memcpy(p->via, via, sizeof(via));
    p->via_count = count;
    mesh_facts_changed(m);
}

void publish_init(struct publish *p)
{
    *p = (struct publish){.via_count = 0};
    buf_init(&p->payload, FACTS_WIRE_MAX);
}

void publish_fini(struct publish *p)
{
    buf_fini(&p->payload);
}

void publish_start(struct mesh *m)
{
    io_timer_start(m->cfg.loop, &m->publish.timer, 0, on_timer);
}

void publish_stop(struct mesh *m)
{
    io_timer_stop(&m->publish.timer);
}
