/* The object and its step: an event is handed to the file that knows it, then whatever has come due
 * is run, and the effects that the files left are shown. */
#include "gossip/gossip.h"

#include "gossip/inner.h"

#include <stdlib.h>

#define REAP_INTERVAL_MS 10000

void gossip_refuse(struct gossip *g, const struct id *from, enum err reason)
{
    g->counts.refused[reason]++;
    if (g->refusal_count == GOSSIP_REFUSALS_MAX)
        return;
    struct gossip_refusal *r = &g->refusals[g->refusal_count++];
    *r = (struct gossip_refusal){.reason = reason};
    if (from)
        r->from = *from;
}

void gossip_tell_news(struct gossip *g, const struct gossip_row *row, enum gossip_kind kind)
{
    if (g->news_count == GOSSIP_NEWS_MAX)
        g->overflow = true;
    else
        g->news[g->news_count++] = (struct gossip_news){row->member.id, kind};
}

/* --- life */

static enum err allocate(struct gossip *g)
{
    size_t rows = g->cfg.members_max + 1;
    g->rows = calloc(rows, sizeof(*g->rows));
    g->ring = calloc(rows, sizeof(*g->ring));
    g->order = calloc(rows, sizeof(*g->order));
    g->forgotten = calloc(GOSSIP_FORGOTTEN_MAX, sizeof(*g->forgotten));
    g->to_verify = malloc(GOSSIP_TO_SIGN_HEAD + GOSSIP_SIGNED_MAX);
    bool is_whole = g->rows && g->ring && g->order && g->forgotten && g->to_verify;
    TRY(is_whole ? ERR_OK : ERR_NO_MEMORY);
    TRY(buf_reserve(&g->message, GOSSIP_MESSAGE_MAX));
    return buf_reserve(&g->out, GOSSIP_OUT_MAX);
}

static enum err add_self(struct gossip *g)
{
    struct gossip_owner owner = {.not_after_ms = UINT64_MAX - GOSSIP_SKEW_MS};
    struct id id = id_of_public_key(g->cfg.key);
    memcpy(owner.key, g->cfg.key, sizeof(owner.key));
    bytes_to_str(bytes_from_str(g->cfg.name), owner.name, sizeof(owner.name));
    bytes_to_str(bytes_from_str(g->cfg.region), owner.region, sizeof(owner.region));
    struct gossip_row *row;
    TRY(gossip_row_add(g, &id, &owner, NULL, &row));
    row->member.is_self = true;
    row->not_after_ms = owner.not_after_ms;
    g->self = row;
    gossip_row_digest(g, row);
    return ERR_OK;
}

/* Above every incarnation that this identity ever spoke under, as long as the disk or the clock
 * tells the truth: both would have to be lost for a restart to go unseen. */
static void choose_incarnation(struct gossip *g)
{
    uint64_t wall_s = g->cfg.wall_ms / 1000;
    uint64_t next = g->cfg.incarnation + 1;
    g->first_incarnation = next > wall_s ? next : wall_s;
    g->self->member.incarnation = g->first_incarnation;
    g->incarnation_ceiling = g->cfg.incarnation;
}

void gossip_persist_ahead(struct gossip *g)
{
    uint64_t used = g->first_incarnation + g->uptime_ms / 1000; /* by sequences of datagrams */
    if (g->self->member.incarnation > used)
        used = g->self->member.incarnation;
    if (used <= g->incarnation_ceiling)
        return;
    g->incarnation_ceiling = used + GOSSIP_INCARNATIONS_AHEAD;
    g->persist = g->incarnation_ceiling;
}

static void init(struct gossip *g, const struct gossip_cfg *cfg)
{
    g->cfg = *cfg;
    bytes_to_str(bytes_from_str(cfg->region), g->region, sizeof(g->region));
    rng_init(&g->rng, cfg->seed);
    g->now_ms = cfg->now_ms;
    g->wall_ms = cfg->wall_ms;
    g->keys_made = 1;
    g->put_stamp = 1;
    g->refute_due_ms = UINT64_MAX;
    buf_init(&g->message, GOSSIP_MESSAGE_MAX);
    buf_init(&g->out, GOSSIP_OUT_MAX);
    buf_init(&g->load, GOSSIP_PAYLOAD_MAX);
    buf_init(&g->twin, GOSSIP_PAYLOAD_MAX);
    gossip_coordinate_init(&g->coordinate);
    g->quiet_until_ms = cfg->now_ms + GOSSIP_QUIET_MS;
    g->probe_due_ms = cfg->now_ms + rng_below(&g->rng, GOSSIP_PROBE_INTERVAL_MS);
    g->announce_due_ms = cfg->now_ms + GOSSIP_ANNOUNCE_MS;
    g->reap_due_ms = cfg->now_ms + REAP_INTERVAL_MS;
    g->load_due_ms = cfg->now_ms + rng_below(&g->rng, GOSSIP_LOAD_INTERVAL_MS);
    g->suspicion_due_ms = g->rumours_due_ms = g->relay_due_ms = UINT64_MAX;
}

enum err gossip_create(const struct gossip_cfg *cfg, struct gossip **ret_gossip)
{
    if (cfg->key_count == 0 || cfg->key_count > GOSSIP_KEYS_MAX || cfg->members_max == 0)
        return ERR_INVALID;
    struct gossip *g = calloc(1, sizeof(*g));
    if (!g)
        return ERR_NO_MEMORY;
    init(g, cfg);
    enum err e = allocate(g);
    if (e == ERR_OK)
        e = add_self(g);
    if (e != ERR_OK) {
        gossip_destroy(g);
        return e;
    }
    choose_incarnation(g);
    g->deadline_ms = gossip_deadline_ms(g);
    *ret_gossip = g;
    return ERR_OK;
}

void gossip_destroy(struct gossip *g)
{
    if (!g)
        return;
    gossip_members_free(g);
    free(g->rows);
    free(g->ring);
    free(g->order);
    free(g->forgotten);
    free(g->to_verify);
    buf_fini(&g->message);
    buf_fini(&g->out);
    buf_fini(&g->load);
    buf_fini(&g->twin);
    crypto_wipe(g->cfg.keys, sizeof(g->cfg.keys));
    free(g);
}

/* --- events */

static void rekey(struct gossip *g, struct bytes keys)
{
    size_t count = keys.size / 32;
    if (keys.size % 32 != 0 || count == 0 || count > GOSSIP_KEYS_MAX)
        return;
    memcpy(g->cfg.keys, keys.data, keys.size);
    g->cfg.key_count = count;
    g->keys_made++;
}

static void set_address(struct gossip *g, const struct gossip_event *e)
{
    struct gossip_row *row = gossip_row_find(g, &e->id);
    if (!row || row == g->self)
        return;
    row->addr = e->addr;
    row->datagram_misses = 0;
}

static void on_evidence(struct gossip *g, const struct gossip_event *e)
{
    struct gossip_row *row = gossip_row_find(g, &e->id);
    if (row)
        row->linked_ms = 0;
    if (row && row != g->self && row->member.state == GOSSIP_ALIVE)
        gossip_probe_now(g, row);
}

static void on_measured(struct gossip *g, const struct gossip_event *e)
{
    struct gossip_row *row = gossip_row_find(g, &e->id);
    if (row && e->rtt_us > 0)
        row->member.rtt_us =
            row->member.rtt_us ? (row->member.rtt_us * 7 + e->rtt_us) / 8 : e->rtt_us;
}

static void on_link_up(struct gossip *g, const struct gossip_event *e)
{
    struct gossip_from to = {.row = gossip_row_find(g, &e->id), .id = e->id, .over_link = true};
    gossip_repair_sync(g, &to);
}

/* A few are told at once; they tell the others after we have fallen silent. */
static void say_goodbye(struct gossip *g)
{
    gossip_records_publish(g, GOSSIP_LEAVE, bytes_of(NULL, 0));
    gossip_rumours_run(g);
    g->has_left = true;
}

static void publish(struct gossip *g, const struct gossip_event *e)
{
    if (e->kind == GOSSIP_LOAD)
        gossip_fanout_publish(g, e->data, e->is_urgent);
    else
        gossip_records_publish(g, e->kind, e->data);
}

static void dispatch(struct gossip *g, const struct gossip_event *e)
{
    switch (e->type) {
    case GOSSIP_TICK: break;
    case GOSSIP_DATAGRAM: gossip_receive_datagram(g, e); break;
    case GOSSIP_LINK_MESSAGE: gossip_receive_link(g, e); break;
    case GOSSIP_LINK_UP: on_link_up(g, e); break;
    case GOSSIP_EVIDENCE: on_evidence(g, e); break;
    case GOSSIP_MEASURED: on_measured(g, e); break;
    case GOSSIP_ADDRESS: set_address(g, e); break;
    case GOSSIP_PUBLISH: publish(g, e); break;
    case GOSSIP_REKEY: rekey(g, e->data); break;
    case GOSSIP_GOODBYE: say_goodbye(g); break;
    }
}

/* --- time */

/* A process that was stopped, or starved, finds answers late and timers overdue. What it then knows
 * of others is about itself (Lifeguard, section 3). */
static void notice_stall(struct gossip *g)
{
    bool is_due = g->deadline_ms != 0 && g->now_ms > g->deadline_ms;
    if (g->has_left || !is_due || g->now_ms - g->deadline_ms <= GOSSIP_STALL_MS)
        return;
    uint64_t stalled_ms = g->now_ms - g->deadline_ms;
    g->counts.stalls++;
    g->quiet_until_ms = g->now_ms + GOSSIP_QUIET_MS;
    gossip_health_add(g, 1);
    gossip_probe_on_stall(g, stalled_ms);
    gossip_suspicion_on_stall(g, stalled_ms);
}

static void take_time(struct gossip *g, const struct gossip_event *e)
{
    g->now_ms = e->now_ms > g->now_ms ? e->now_ms : g->now_ms;
    g->now_us = e->now_us;
    g->uptime_ms = g->now_ms - g->cfg.now_ms;
    uint64_t wall_ms = g->cfg.wall_ms + g->uptime_ms;
    g->wall_ms = wall_ms;
    g->latest_wall_ms = e->wall_ms > wall_ms ? e->wall_ms : wall_ms;
}

static void run_due(struct gossip *g)
{
    gossip_probe_run(g);
    if (g->now_ms >= g->refute_due_ms)
        gossip_refute(g);
    if (g->now_ms >= g->suspicion_due_ms)
        gossip_suspicion_run(g);
    gossip_fanout_run(g);
    if (g->now_ms >= g->rumours_due_ms)
        gossip_rumours_run(g);
    if (g->now_ms < g->reap_due_ms)
        return;
    g->reap_due_ms = g->now_ms + REAP_INTERVAL_MS;
    gossip_members_reap(g);
    gossip_records_refresh(g);
}

uint64_t gossip_deadline_ms(const struct gossip *g)
{
    if (g->has_left)
        return UINT64_MAX;
    uint64_t due_ms = gossip_probe_deadline_ms(g);
    gossip_sooner(&due_ms, gossip_fanout_deadline_ms(g));
    gossip_sooner(&due_ms, g->refute_due_ms);
    gossip_sooner(&due_ms, g->suspicion_due_ms);
    gossip_sooner(&due_ms, g->rumours_due_ms);
    gossip_sooner(&due_ms, g->reap_due_ms);
    return due_ms;
}

static void clear(struct gossip *g)
{
    buf_clear(&g->out);
    buf_clear(&g->message);
    buf_clear(&g->twin);
    g->send_count = g->change_count = g->news_count = g->refusal_count = 0;
    g->persist = 0;
    g->answers_left = GOSSIP_LINK_ANSWERS_MAX;
    g->identity_conflict = g->overflow = g->wants_load = false;
}

void gossip_step(struct gossip *g, const struct gossip_event *event,
                 struct gossip_effects *ret_effects)
{
    clear(g);
    take_time(g, event);
    notice_stall(g);
    if (!g->has_left) {
        gossip_persist_ahead(g);
        dispatch(g, event);
        if (!g->has_left)
            run_due(g);
    }
    g->deadline_ms = gossip_deadline_ms(g);
    g->counts.rumours = (unsigned)g->rumour_count;
    g->counts.health = g->health;
    *ret_effects = (struct gossip_effects){.persist_incarnation = g->persist,
                                           .sends = g->sends,
                                           .send_count = g->send_count,
                                           .changes = g->changes,
                                           .change_count = g->change_count,
                                           .news = g->news,
                                           .news_count = g->news_count,
                                           .refusals = g->refusals,
                                           .refusal_count = g->refusal_count,
                                           .wants_load = g->wants_load,
                                           .identity_conflict = g->identity_conflict,
                                           .twin = buf_bytes(&g->twin),
                                           .overflow = g->overflow};
}

/* --- queries */

size_t gossip_member_count(const struct gossip *g)
{
    return g->row_count;
}

const struct gossip_member *gossip_member(const struct gossip *g, size_t index)
{
    return &g->rows[index]->member;
}

const struct gossip_member *gossip_find(const struct gossip *g, const struct id *id)
{
    const struct gossip_row *row = gossip_row_find(g, id);
    return row ? &row->member : NULL;
}

uint64_t gossip_distance_us(const struct gossip *g, const struct gossip_member *m)
{
    const struct gossip_row *row = (const struct gossip_row *)m;
    if (m->rtt_us || !row->has_coordinate)
        return m->rtt_us;
    return (uint64_t)gossip_coordinate_distance_us(&g->coordinate.own, &row->coordinate);
}

void gossip_counts(const struct gossip *g, struct gossip_counts *ret_counts)
{
    *ret_counts = g->counts;
}
