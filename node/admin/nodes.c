/* GET /mesh/v1/status and /mesh/v1/nodes (contract.md section 4). What is not known is null, never
 * 0. */
#include "node/admin/json.h"
#include "node/admin/roster.h"

/* What a row of `ls nodes` is made of, for this node and for peers alike. */
struct row {
    bool is_self;
    const char *name;
    const struct id *id;
    enum tier tier;
    const char *region;
    const char *state;
    uint64_t incarnation;          /* 0: not known */
    const struct facts *facts;     /* NULL: none came yet */
    int64_t age_ms;                /* of the facts; -1 not known */
    uint64_t rtt_us;               /* 0 not known */
    const struct facts_load *load; /* NULL: not known */
    const char *conflict;          /* NULL: none */
};

static uint64_t since(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static void put_load(struct json *j, const struct facts_load *load)
{
    json_key(j, "load");
    json_open(j, '{');
    json_put_count_or_null(j, "inflight", load ? (int64_t)load->inflight : -1);
    json_put_count_or_null(j, "queued", load ? (int64_t)load->queued : -1);
    json_key(j, "utilization");
    if (load && load->capacity)
        json_milli(j, (uint64_t)load->inflight * 1000 / load->capacity);
    else
        json_null(j);
    json_close(j, '}');
}

static void put_model(struct json *j, const struct facts_model *m)
{
    json_open(j, '{');
    json_put_text(j, "name", m->name);
    json_put_text_or_null(j, "version", m->version);
    json_put_bool(j, "loaded", m->loaded);
    json_put_count_or_null(j, "context", m->context);
    json_put_count_or_null(j, "slots", m->slots);
    json_close(j, '}');
}

/* A share that is kept in percent, or per mille. */
static void put_share(struct json *j, const char *key, const struct figures *f, enum figure which,
                      uint32_t milli_per_unit)
{
    uint32_t value;
    json_key(j, key);
    if (figures_get(f, which, &value))
        json_milli(j, (uint64_t)value * milli_per_unit);
    else
        json_null(j);
}

static void put_figure(struct json *j, const char *key, const struct figures *f, enum figure which)
{
    uint32_t value;
    json_put_count_or_null(j, key, figures_get(f, which, &value) ? (int64_t)value : -1);
}

static void put_figures(struct json *j, const struct figures *f)
{
    json_key(j, "gpu");
    json_open(j, '{');
    put_share(j, "load", f, FIGURE_GPU_LOAD, 10);
    put_share(j, "memory", f, FIGURE_GPU_MEMORY, 10);
    put_figure(j, "temperature_c", f, FIGURE_GPU_CELSIUS);
    json_close(j, '}');
    put_share(j, "kv", f, FIGURE_KV, 10);
    json_key(j, "ttft_ms");
    json_open(j, '{');
    put_figure(j, "p50", f, FIGURE_TTFT_P50);
    put_figure(j, "p99", f, FIGURE_TTFT_P99);
    json_close(j, '}');
    json_key(j, "latency_ms");
    json_open(j, '{');
    put_figure(j, "p50", f, FIGURE_LATENCY_P50);
    put_figure(j, "p99", f, FIGURE_LATENCY_P99);
    json_close(j, '}');
    put_figure(j, "tokens_per_s", f, FIGURE_TOKENS_PER_S);
    put_share(j, "error_rate", f, FIGURE_ERRORS, 1);
}

static void put_labels(struct json *j, const struct facts *f)
{
    json_key(j, "labels");
    if (!f) {
        json_null(j);
        json_put_null(j, "spot");
        return;
    }
    json_open(j, '{');
    for (size_t i = 0; i < f->label_count; i++) {
        json_key_text(j, f->labels[i].key);
        json_text(j, f->labels[i].value);
    }
    json_close(j, '}');
    json_put_bool(j, "spot", f->spot);
}

static void put_backends(struct json *j, const struct facts *f)
{
    json_key(j, "backends");
    if (!f) {
        json_null(j);
        return;
    }
    json_open(j, '[');
    for (size_t i = 0; i < f->backend_count; i++) {
        const struct facts_backend *b = &f->backends[i];
        json_open(j, '{');
        json_put_text(j, "name", b->name);
        json_put_text(j, "kind", b->kind);
        json_put_str(j, "state", facts_backend_state_name(b->state));
        json_key(j, "models");
        json_open(j, '[');
        for (size_t m = 0; m < b->model_count; m++)
            put_model(j, &b->models[m]);
        json_close(j, ']');
        json_put_text_or_null(j, "hardware", bytes_from_str(facts_hardware_name(b->hardware)));
        put_figures(j, &b->figures);
        json_close(j, '}');
    }
    json_close(j, ']');
}

/* The part that only facts tell. */
static void put_facts(struct json *j, const struct row *r)
{
    const struct facts *f = r->facts;
    if (f)
        json_put_text(j, "zone", f->zone);
    else
        json_put_null(j, "zone");
    json_put_str(j, "state", r->state);
    if (r->conflict)
        json_put_str(j, "conflict", r->conflict);
    else
        json_put_null(j, "conflict");
    json_put_count_or_null(j, "incarnation", r->incarnation ? (int64_t)r->incarnation : -1);
    json_put_count_or_null(j, "age_ms", r->age_ms);
    json_key(j, "rtt_ms");
    if (r->rtt_us)
        json_milli(j, r->rtt_us);
    else
        json_null(j);
    json_put_text_or_null(j, "version", f ? f->version : BYTES(""));
    json_put_text_or_null(j, "mesh", f ? f->mesh_addr : BYTES(""));
    json_put_text_or_null(j, "http", f ? f->http_addr : BYTES(""));
}

static void put_rules(struct json *j, const struct facts *f)
{
    const struct facts_rules *rules = f && f->rules.is_known ? &f->rules : NULL;
    json_put_count_or_null(j, "epoch", rules ? (int64_t)rules->epoch : -1);
    if (rules)
        json_put_bool(j, "voter", rules->is_voter);
    else
        json_put_null(j, "voter");
}

static void put_row(struct json *j, const struct row *r)
{
    char id_text[ID_TEXT_SIZE];
    id_to_text(r->id, id_text);
    json_open(j, '{');
    json_put_bool(j, "self", r->is_self);
    json_put_str(j, "name", r->name);
    json_put_str(j, "id", id_text);
    json_put_str(j, "tier", tier_name(r->tier));
    json_put_str(j, "region", r->region);
    put_facts(j, r);
    put_rules(j, r->facts);
    put_load(j, r->load);
    put_backends(j, r->facts);
    put_labels(j, r->facts);
    json_close(j, '}');
}

static bool is_live(const struct peer *p)
{
    return p->state == PEER_ALIVE || p->state == PEER_SUSPECT;
}

/* Of one name are neighbours in the roster, which is in the order of names. The dead do not count:
 * a machine that was set up anew often has its old name. */
static const char *conflict_of(const struct roster *roster, size_t i, const char *own_name)
{
    const struct peer *p = roster->peers[i];
    bool is_twice = strcmp(p->name, own_name) == 0;
    for (size_t k = i; k-- > 0 && strcmp(roster->peers[k]->name, p->name) == 0;)
        is_twice |= is_live(roster->peers[k]);
    for (size_t k = i + 1; k < roster->count && strcmp(roster->peers[k]->name, p->name) == 0; k++)
        is_twice |= is_live(roster->peers[k]);
    return is_twice && is_live(p) && *p->name ? "name" : NULL;
}

static const char *own_conflict(const struct admin_view *v, const struct roster *roster)
{
    for (size_t i = 0; i < roster->count && !v->has_conflict; i++)
        if (is_live(roster->peers[i]) &&
            strcmp(roster->peers[i]->name, v->identity->cert.name) == 0)
            return "name";
    return v->has_conflict ? "identity" : NULL;
}

static void put_self(struct json *j, const struct admin_view *v, const struct roster *roster)
{
    const struct cert *cert = &v->identity->cert;
    struct row row = {.is_self = true,
                      .name = cert->name,
                      .id = &v->identity->node,
                      .tier = cert->tier,
                      .region = cert->region,
                      .state = peer_state_name(PEER_ALIVE),
                      .incarnation = v->incarnation,
                      .facts = v->self,
                      .age_ms = v->self ? 0 : -1,
                      .load = v->self ? &v->self->load : NULL,
                      .conflict = own_conflict(v, roster)};
    put_row(j, &row);
}

static void put_peer(struct json *j, const struct admin_view *v, const struct peer *p,
                     const char *conflict)
{
    struct row row = {.name = p->name,
                      .id = &p->id,
                      .tier = p->tier,
                      .region = p->region,
                      .state = peer_state_name(p->state),
                      .incarnation = p->incarnation,
                      .facts = p->facts,
                      .age_ms = p->facts ? (int64_t)since(v->now_ms, p->facts_ms) : -1,
                      .rtt_us = p->rtt_us,
                      .load = p->load_ms ? &p->load : NULL,
                      .conflict = conflict};
    put_row(j, &row);
}

enum err admin_nodes_json(const struct admin_view *v, struct buf *out)
{
    struct roster roster;
    struct json j;
    roster_of(v, &roster);
    json_begin(&j, out);
    json_open(&j, '{');
    json_key(&j, "nodes");
    json_open(&j, '[');
    put_self(&j, v, &roster);
    for (size_t i = 0; i < roster.count; i++)
        put_peer(&j, v, roster.peers[i], conflict_of(&roster, i, v->identity->cert.name));
    json_close(&j, ']');
    json_close(&j, '}');
    return json_end(&j);
}
