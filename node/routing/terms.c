/* See terms.h. Called by the pipeline when a request is whole. Each look-up is a read in LMDB's
 * map; nothing is copied but the few names that a request keeps. */
#include "node/routing/terms.h"

#include "node/ingress/exchange.h"
#include "node/lane.h"

#include <math.h>

#define NO_KEY bytes_of(NULL, 0)
#define MICRO 1e6
#define COST_USD_MAX 1e9 /* more is no bound */

static const struct registry_reader *reader_of(const struct exchange *x)
{
    return x->lane->rules ? rules_reader(x->lane->rules) : NULL;
}

static enum err keep(struct exchange *x, struct bytes text, struct bytes *ret_text)
{
    *ret_text = arena_copy(&x->arena, text);
    return text.size > 0 && !ret_text->data ? ERR_NO_MEMORY : ERR_OK;
}

/* --- the tenant */

bool terms_allow_region(const struct terms *t, struct bytes region)
{
    return registry_region_is_allowed(t->regions, t->region_count, region);
}

static enum err keep_regions(struct exchange *x, const struct registry_tenant *tenant)
{
    struct bytes *regions = arena_alloc(&x->arena, (tenant->region_count + 1) * sizeof *regions);
    if (!regions)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < tenant->region_count; i++)
        TRY(keep(x, tenant->regions[i], &regions[i]));
    x->terms.regions = regions;
    x->terms.region_count = tenant->region_count;
    return ERR_OK;
}

/* Also for a request that only passes: this node holds its data meanwhile. */
static enum err set_tenant(struct exchange *x, const struct registry_reader *reader,
                           struct registry_row *ret_row)
{
    if (x->terms.tenant.size == 0)
        return ERR_OK;
    if (registry_get(reader, REGISTRY_TENANT, x->terms.tenant, NO_KEY, ret_row) != ERR_OK ||
        ret_row->doc.tenant.state != REGISTRY_TENANT_ACTIVE)
        return ERR_TENANT;
    TRY(keep_regions(x, &ret_row->doc.tenant));
    return terms_allow_region(&x->terms, bytes_from_str(x->lane->identity->cert.region))
               ? ERR_OK
               : ERR_RESIDENCY;
}

static bool may_name(const struct registry_tenant *tenant, struct bytes model)
{
    for (size_t i = 0; i < tenant->model_count; i++)
        if (bytes_equal(tenant->models[i], model))
            return true;
    return tenant->model_count == 0;
}

/* --- names */

static enum err put_model(struct exchange *x, struct bytes model)
{
    uint8_t space[2 * REGISTRY_MODEL_MAX * 6];
    struct buf text;
    struct scan *s = &x->scan;
    if (bytes_equal(model, exchange_model(x)))
        return ERR_OK;
    buf_init_fixed(&text, space, sizeof space);
    TRY(buf_append_byte(&text, '"'));
    TRY(buf_append_json_escaped(&text, model));
    TRY(buf_append_byte(&text, '"'));
    TRY(body_splice(&x->body, (size_t)s->model_start, (size_t)s->model_end, buf_bytes(&text)));
    bytes_to_str(model, s->model, sizeof s->model);
    s->model_size = model.size;
    x->has_body_hash = false; /* it was of the body before */
    return ERR_OK;
}

/* Versions that may serve, and of those the ones that somebody serves now, unless nobody does. */
static uint32_t usable_targets(struct exchange *x, const struct registry_reader *reader,
                               const struct registry_alias *alias)
{
    uint32_t routable = 0, served = 0;
    for (size_t i = 0; i < alias->target_count; i++) {
        const struct registry_target *t = &alias->targets[i];
        struct registry_row row;
        if (registry_get(reader, REGISTRY_VERSION, t->model, t->version, &row) != ERR_OK ||
            !registry_version_is_routable(&row.doc.version))
            continue;
        routable |= 1u << i;
        if (candidates_has(x->lane, t->model, t->version))
            served |= 1u << i;
    }
    return served ? served : routable;
}

/* What the client named, for policies, once the body's model is to be another. */
static enum err keep_asked(struct exchange *x)
{
    return x->terms.asked_model.size > 0 ? ERR_OK
                                         : keep(x, exchange_model(x), &x->terms.asked_model);
}

static enum err take_alias(struct exchange *x, const struct registry_reader *reader,
                           const struct registry_alias *alias)
{
    static const uint8_t key[16] = {0}; /* the same choice on every node */
    uint64_t hash = crypto_siphash(key, bytes_from_str(x->request_id));
    size_t chosen = registry_alias_choose(alias, hash, usable_targets(x, reader, alias));
    if (chosen == alias->target_count)
        return ERR_NO_CANDIDATE;
    const struct registry_target *target = &alias->targets[chosen];
    TRY(keep(x, target->version, &x->terms.version));
    TRY(keep_asked(x));
    return put_model(x, target->model);
}

/* "llama/v2": only where nobody serves a model of that very name. */
static enum err take_version(struct exchange *x, const struct registry_reader *reader)
{
    struct bytes name = exchange_model(x);
    struct registry_row row;
    size_t cut = name.size;
    while (cut > 0 && name.data[cut - 1] != '/')
        cut--;
    if (cut < 2 || cut == name.size || candidates_find(x->lane, name))
        return ERR_OK;
    struct bytes model = bytes_of(name.data, cut - 1), version = bytes_skip(name, cut);
    if (registry_get(reader, REGISTRY_VERSION, model, version, &row) != ERR_OK)
        return ERR_OK;
    TRY(keep(x, version, &x->terms.version));
    TRY(keep_asked(x));
    TRY(keep(x, model, &model)); /* put_model writes where it stands */
    return put_model(x, model);
}

static enum err resolve(struct exchange *x, const struct registry_reader *reader)
{
    struct registry_row row;
    enum err e = registry_get(reader, REGISTRY_ALIAS, exchange_model(x), NO_KEY, &row);
    if (e == ERR_OK)
        return take_alias(x, reader, &row.doc.alias);
    return e == ERR_NOT_FOUND || e == ERR_INVALID ? take_version(x, reader) : e;
}

enum err terms_set(struct exchange *x)
{
    const struct registry_reader *reader = reader_of(x);
    struct registry_row row;
    x->terms.cost_max_usd = NAN;
    if (!reader)
        return x->terms.tenant.size == 0 ? ERR_OK : ERR_TENANT;
    TRY(set_tenant(x, reader, &row));
    if (x->terms.tenant.size > 0 && !may_name(&row.doc.tenant, exchange_model(x)))
        return ERR_TENANT;
    return resolve(x, reader);
}

enum err terms_check(struct exchange *x, uint64_t epoch)
{
    const struct registry_reader *reader = reader_of(x);
    struct registry_row row;
    if (epoch > x->lane->epoch)
        return ERR_EPOCH_BEHIND;
    if (!reader)
        return x->terms.tenant.size == 0 ? ERR_OK : ERR_TENANT;
    return set_tenant(x, reader, &row);
}

/* --- over a hop */

void terms_take(struct exchange *x, const struct envelope *e)
{
    struct terms *t = &x->terms;
    t->tenant = e->tenant;
    t->version = e->version;
    t->asked_model = e->asked_model;
    struct bytes region = arena_copy(&x->arena, bytes_from_str(e->region));
    t->region = region.data ? region : NO_KEY;
    t->cost_max_usd = e->cost_left == 0 ? NAN : (double)(e->cost_left - 1) / MICRO;
}

void terms_give(const struct exchange *x, struct envelope *e)
{
    const struct terms *t = &x->terms;
    struct bytes region = x->from ? t->region : bytes_from_str(x->lane->identity->cert.region);
    double left_usd = t->cost_max_usd - t->spent_usd; /* NAN: no bound */
    e->tenant = t->tenant;
    e->version = t->version;
    e->asked_model = t->asked_model;
    bytes_to_str(region, e->region, sizeof e->region);
    e->cost_left = 0;
    if (left_usd < COST_USD_MAX)
        e->cost_left = 1 + (left_usd > 0 ? (uint64_t)(left_usd * MICRO) : 0);
}

/* --- attempts */

enum err terms_set_rule(struct exchange *x, const struct policy_rule *rule)
{
    struct terms *t = &x->terms;
    if (t->rule_version != rule->version || !bytes_equal(t->rule, rule->name))
        TRY(keep(x, rule->name, &t->rule));
    t->rule_version = rule->version;
    return ERR_OK;
}

enum err terms_follow(struct exchange *x, const struct choice *choice)
{
    struct terms *t = &x->terms;
    const struct policy_rule *rule = choice->rule;
    TRY(terms_set_rule(x, rule));
    t->step = choice->step;
    t->attempts_max = rule->limits.attempts;
    if (rule->limits.deadline_ms >= 0)
        exchange_limit_time(x, x->started_us / 1000 + (uint64_t)rule->limits.deadline_ms);
    t->cost_max_usd = fmin(t->cost_max_usd, rule->limits.cost_max_usd); /* NAN: the other one */
    if (choice->cost_usd > 0)
        t->spent_usd += choice->cost_usd;
    if (bytes_equal(choice->model, exchange_model(x)))
        return t->version.size > 0 ? ERR_OK : keep(x, choice->version, &t->version);
    TRY(keep_asked(x));
    t->version = NO_KEY; /* it was of the model asked for */
    return put_model(x, choice->model);
}

/* --- deployments */

struct versions {
    struct bytes only;
    size_t count;
};

static bool on_version(void *ctx, const struct registry_row *row)
{
    struct versions *v = ctx;
    v->only = row->doc.version.name;
    return ++v->count < 2;
}

/* The node does not say which version: clear where there is one only. */
static enum err find_version(const struct terms_deployment *d, struct bytes *ret_version)
{
    struct versions v = {.count = 0};
    *ret_version = d->version;
    if (d->version.size > 0)
        return ERR_OK;
    TRY(registry_scan(d->reader, REGISTRY_VERSION, d->model, on_version, &v));
    *ret_version = v.only;
    return v.count < 2 ? ERR_OK : ERR_NOT_ALLOWED;
}

static enum err judge_node(const struct terms_deployment *d, const struct registry_version *version)
{
    struct registry_row row;
    if (!d->node)
        return ERR_OK; /* its own region's nodes judge */
    if (registry_get(d->reader, REGISTRY_NODE, bytes_of(d->node->bytes, ID_SIZE), NO_KEY, &row) !=
        ERR_OK)
        return ERR_NOT_ALLOWED;
    if (row.doc.node.state == REGISTRY_NODE_REVOKED)
        return ERR_REVOKED;
    if (row.doc.node.state == REGISTRY_DRAINED)
        return ERR_DRAINING;
    return !version || registry_version_fits_hardware(version, &row.doc.node) ? ERR_OK
                                                                              : ERR_NOT_ALLOWED;
}

static enum err judge_version(const struct terms_deployment *d, struct bytes name)
{
    struct registry_row row;
    const struct registry_version *version = &row.doc.version;
    if (registry_get(d->reader, REGISTRY_VERSION, d->model, name, &row) != ERR_OK)
        return ERR_NOT_ALLOWED;
    if (!registry_version_is_routable(version))
        return ERR_REVOKED;
    if (!registry_region_is_allowed(version->regions, version->region_count,
                                    bytes_from_str(d->region)))
        return ERR_RESIDENCY;
    return judge_node(d, version);
}

enum err terms_judge(const struct terms_deployment *d, struct bytes *ret_version)
{
    struct registry_row row;
    uint64_t registered_only = 0;
    *ret_version = d->version;
    if (!d->reader)
        return ERR_OK;
    enum err e = registry_get(d->reader, REGISTRY_MODEL, d->model, NO_KEY, &row);
    if (e == ERR_NOT_FOUND || e == ERR_INVALID) {
        TRY(registry_setting_number(d->reader, "models.registered_only", &registered_only));
        return registered_only ? ERR_NOT_ALLOWED : judge_node(d, NULL);
    }
    TRY(e);
    TRY(find_version(d, ret_version));
    return ret_version->size > 0 ? judge_version(d, *ret_version) : judge_node(d, NULL);
}
