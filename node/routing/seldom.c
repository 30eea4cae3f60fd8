/* See seldom.h. Called by candidates.c. */
#include "node/routing/seldom.h"

#include "node/egress/backend.h"
#include "node/lane.h"

#include <math.h>

#define NO_KEY bytes_of(NULL, 0)
#define MICRO 1e6 /* sheets are in micro-USD */

static struct bytes keep(struct lane *lane, struct bytes text)
{
    struct bytes copy = arena_copy(&lane->candidates.arena, text);
    return copy.data ? copy : NO_KEY;
}

static enum policy_tier tier_of(enum tier tier)
{
    return tier == TIER_EDGE       ? POLICY_EDGE
           : tier == TIER_REGIONAL ? POLICY_REGIONAL
           : tier == TIER_CLOUD    ? POLICY_CLOUD
                                   : POLICY_TIER_UNKNOWN;
}

static void keep_labels(struct lane *lane, const struct facts_label *labels, size_t count,
                        struct policy_static *f)
{
    struct policy_pair *pairs = arena_alloc(&lane->candidates.arena, (count + 1) * sizeof *pairs);
    if (!pairs)
        return;
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct policy_pair){keep(lane, labels[i].key), keep(lane, labels[i].value)};
    f->labels = pairs;
    f->label_count = count;
}

/* --- where it is */

static void fill_own(struct lane *lane, struct bytes model, const struct backend *b,
                     struct policy_static *f)
{
    f->node = bytes_from_str(lane->config->name);
    f->region = bytes_from_str(lane->identity->cert.region);
    f->zone = bytes_from_str(lane->config->zone);
    f->tier = tier_of(lane->config->tier);
    f->local = true;
    f->backend = bytes_from_str(b->cfg.name);
    f->kind = bytes_from_str(backend_kind_name(b->kind));
    f->spot = lane->config->spot;
    const struct facts *self = lane->facts(lane->owner);
    keep_labels(lane, self->labels, self->label_count, f);
    for (size_t i = 0; i < b->model_count; i++)
        if (bytes_equal(b->models[i].name, model))
            f->context = b->models[i].context;
}

static void fill_peer(struct lane *lane, struct bytes model, const struct peer *p,
                      struct policy_static *f)
{
    f->node = bytes_from_str(p->name);
    f->region = bytes_from_str(p->region);
    f->tier = tier_of(p->tier);
    if (!p->facts)
        return;
    f->zone = keep(lane, p->facts->zone);
    f->spot = p->facts->spot;
    keep_labels(lane, p->facts->labels, p->facts->label_count, f);
    for (size_t b = 0; b < p->facts->backend_count; b++) {
        const struct facts_backend *backend = &p->facts->backends[b];
        const struct facts_model *m = facts_backend_model(backend, model);
        if (!m || f->kind.size > 0)
            continue;
        f->backend = keep(lane, backend->name);
        f->kind = keep(lane, backend->kind);
        f->context = m->context;
    }
}

/* --- what the rules say */

static struct bytes stage_name(uint32_t stage)
{
    return stage == REGISTRY_STAGING      ? BYTES("staging")
           : stage == REGISTRY_PRODUCTION ? BYTES("production")
                                          : BYTES("archived");
}

static void fill_model(const struct registry_reader *reader, struct bytes model,
                       struct policy_static *f)
{
    struct registry_row row;
    if (registry_get(reader, REGISTRY_MODEL, model, NO_KEY, &row) != ERR_OK)
        return;
    if (row.doc.model.parameters > 0)
        f->parameters = (int64_t)row.doc.model.parameters;
    if (f->context < 0 && row.doc.model.context > 0)
        f->context = (int64_t)row.doc.model.context;
    if (f->version.size > 0 &&
        registry_get(reader, REGISTRY_VERSION, model, f->version, &row) == ERR_OK)
        f->stage = stage_name(row.doc.version.stage);
}

static uint32_t registry_tier_of(enum policy_tier tier)
{
    return tier == POLICY_EDGE       ? REGISTRY_TIER_EDGE
           : tier == POLICY_REGIONAL ? REGISTRY_TIER_REGIONAL
           : tier == POLICY_CLOUD    ? REGISTRY_TIER_CLOUD
                                     : REGISTRY_TIER_ANY;
}

static void fill_price(const struct registry_reader *reader, struct bytes model,
                       struct policy_static *f)
{
    struct registry_node node = {
        .name = f->node, .region = f->region, .tier = registry_tier_of(f->tier)};
    struct registry_row row;
    if (registry_price_find(reader, &node, model, &row) != ERR_OK)
        return;
    const struct registry_price *p = &row.doc.price;
    f->price_input = (double)p->per_1k_input_tokens / MICRO;
    f->price_output = (double)p->per_1k_output_tokens / MICRO;
    f->price_request = (double)p->per_request / MICRO;
    f->egress_price = (double)p->per_gib_egress / MICRO;
}

struct bytes seldom_task(struct lane *lane, struct bytes model)
{
    const struct registry_reader *reader = lane->rules ? rules_reader(lane->rules) : NULL;
    struct registry_row row;
    bool is_known = reader && registry_get(reader, REGISTRY_MODEL, model, NO_KEY, &row) == ERR_OK;
    return is_known ? keep(lane, row.doc.model.task) : NO_KEY;
}

void seldom_fill(struct lane *lane, struct bytes model, const struct candidate *c,
                 struct policy_static *ret_facts)
{
    const struct registry_reader *reader = lane->rules ? rules_reader(lane->rules) : NULL;
    struct policy_static *f = ret_facts;
    *f = (struct policy_static){.model = model,
                                .version = c->version,
                                .context = -1,
                                .parameters = -1,
                                .price_input = NAN,
                                .price_output = NAN,
                                .price_request = NAN,
                                .egress_price = NAN};
    if (c->backend)
        fill_own(lane, model, c->backend, f);
    else
        fill_peer(lane, model, c->peer, f);
    if (!reader)
        return;
    fill_model(reader, model, f);
    fill_price(reader, model, f);
}
