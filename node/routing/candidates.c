/* Builds the index of candidates.h from the lane's backends and the peers' newest facts. */
#include "node/routing/candidates.h"

#include "node/egress/backend.h"
#include "node/lane.h"
#include "node/routing/live.h"
#include "node/routing/seldom.h"
#include "node/routing/terms.h"

void candidates_init(struct candidates *c, const uint8_t seed[16])
{
    *c = (struct candidates){.stale = true};
    map_init(&c->by_model, seed, CANDIDATES_MODELS_MAX);
    arena_init(&c->arena, CANDIDATES_ARENA_MAX);
    deployments_init(&c->deployments, seed);
}

static void clear(struct candidates *c)
{
    size_t cursor = 0;
    struct candidate_set *set;
    while ((set = map_next(&c->by_model, &cursor)))
        policy_pools_clear(&set->policy);
    map_fini(&c->by_model);
}

void candidates_fini(struct candidates *c)
{
    clear(c);
    arena_fini(&c->arena);
    deployments_fini(&c->deployments);
}

void candidates_invalidate(struct candidates *c)
{
    c->stale = true;
}

static struct candidate_set *set_of(struct candidates *c, struct bytes model)
{
    struct candidate_set *set = map_get(&c->by_model, model);
    if (set)
        return set;
    set = arena_calloc(&c->arena, sizeof *set);
    if (!set)
        return NULL;
    set->model = arena_copy(&c->arena, model);
    if (!set->model.data || map_put(&c->by_model, set->model, set) != ERR_OK)
        return NULL;
    return set;
}

/* The rows for policy at once, so that who is in the index can be decided about. */
static bool grow(struct candidates *c, struct candidate_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 1;
    struct candidate *items = arena_alloc(&c->arena, capacity * sizeof *items);
    struct policy_candidate *rows = arena_alloc(&c->arena, capacity * sizeof *rows);
    if (!items || !rows)
        return false;
    if (set->count > 0)
        memcpy(items, set->items, set->count * sizeof *items);
    set->items = items;
    set->policy.items = rows;
    set->capacity = capacity;
    return true;
}

/* Past a bound (a lying peer with endless models) the rest is left out: served less, never grown.
 */
static void add(struct candidates *c, struct bytes model, struct candidate item)
{
    struct candidate_set *set = set_of(c, model);
    if (!set)
        return;
    struct candidate *last = set->count > 0 ? &set->items[set->count - 1] : NULL;
    bool is_same = last && item.peer && last->peer == item.peer && last->barred == item.barred &&
                   bytes_equal(last->version, item.version);
    if (is_same) { /* several backends of one peer */
        last->is_gateway |= item.is_gateway && !last->is_up;
        last->is_up |= item.is_up;
        return;
    }
    if (set->count == set->capacity && !grow(c, set))
        return;
    item.set = set;
    set->items[set->count++] = item;
}

/* What the rules say of it; a version that cannot be kept bars it. */
static void judge(struct lane *lane, struct bytes model, struct bytes version, const char *region,
                  const struct id *node, struct candidate *item)
{
    struct terms_deployment d = {.reader = lane->rules ? rules_reader(lane->rules) : NULL,
                                 .model = model,
                                 .version = version,
                                 .region = region,
                                 .node = node};
    item->barred = terms_judge(&d, &version);
    item->version = arena_copy(&lane->candidates.arena, version);
    if (version.size > 0 && !item->version.data)
        item->barred = ERR_NO_MEMORY;
}

/* Also what cannot be reached now: such models exist, and asking for them is no mistake. */
static void add_peer(struct lane *lane, struct peer *p)
{
    if (!p->facts)
        return;
    for (size_t b = 0; b < p->facts->backend_count; b++) {
        const struct facts_backend *backend = &p->facts->backends[b];
        bool is_up = backend->state == FACTS_BACKEND_UP;
        for (size_t m = 0; m < backend->model_count; m++) {
            struct candidate item = {.peer = p, .is_up = is_up};
            judge(lane, backend->models[m].name, backend->models[m].version, p->region, &p->id,
                  &item);
            add(&lane->candidates, backend->models[m].name, item);
        }
    }
}

static bool offers(const struct peer *p, struct bytes model)
{
    for (size_t b = 0; p->facts && b < p->facts->backend_count; b++)
        for (size_t m = 0; m < p->facts->backends[b].model_count; m++)
            if (bytes_equal(p->facts->backends[b].models[m].name, model))
                return true;
    return false;
}

/* A gateway of another region leads to all its region serves. What it has itself it says better
 * itself. */
static void add_region(struct lane *lane, const struct summary_view *view, struct peer *p)
{
    const struct summary_region *r = summary_region_find(view, p->region);
    if (!r || !summary_has_gateway(r, &p->id))
        return;
    for (size_t i = 0; i < r->believed.model_count; i++) {
        const struct summary_model *m = &r->believed.models[i];
        struct candidate item = {.peer = p, .is_up = true, .is_gateway = true};
        if (summary_is_only_at(m, &p->id) && offers(p, m->name))
            continue;
        judge(lane, m->name, m->version, p->region, NULL, &item);
        add(&lane->candidates, m->name, item);
    }
}

/* --- for policy */

/* Before it has answered: by what it runs on, where that is said. Else all are taken for the same,
 * and soon told apart by what was measured. */
static struct policy_prior prior_of(const struct candidate *c, enum policy_tier tier,
                                    struct bytes model)
{
    switch (live_hardware(c, model)) {
    case FACTS_HARDWARE_GPU: return policy_prior_of(POLICY_GPU, tier);
    case FACTS_HARDWARE_NPU: return policy_prior_of(POLICY_NPU, tier);
    case FACTS_HARDWARE_CPU: return policy_prior_of(POLICY_CPU, tier);
    default: return policy_prior_of(POLICY_GPU, POLICY_EDGE);
    }
}

static void prepare(struct lane *lane, struct candidate_set *set)
{
    struct candidates *c = &lane->candidates;
    struct policy_candidate *items = set->policy.items;
    set->policy.count = set->count;
    set->task = seldom_task(lane, set->model);
    for (size_t i = 0; i < set->count; i++) {
        struct candidate *item = &set->items[i];
        const struct id *node = item->peer ? &item->peer->id : &lane->identity->node;
        items[i] = (struct policy_candidate){.barred = item->barred, .owner = item};
        seldom_fill(lane, set->model, item, &items[i].facts);
        struct bytes own = bytes_from_str(item->backend ? item->backend->cfg.name : "");
        item->deployment =
            deployments_get(&c->deployments, node, set->model, item->version, own,
                            prior_of(item, items[i].facts.tier, set->model), io_now_ms(lane->loop));
    }
}

static void prepare_all(struct lane *lane)
{
    size_t cursor = 0;
    struct candidate_set *set;
    while ((set = map_next(&lane->candidates.by_model, &cursor)))
        prepare(lane, set);
}

static void rebuild(struct lane *lane)
{
    struct candidates *c = &lane->candidates;
    uint8_t seed[16];
    memcpy(seed, c->by_model.seed, sizeof seed);
    clear(c);
    deployments_sweep(&c->deployments, io_now_ms(lane->loop));
    map_init(&c->by_model, seed, CANDIDATES_MODELS_MAX);
    arena_reset(&c->arena);
    for (size_t i = 0; i < lane->backend_count; i++) {
        struct backend *b = lane->backends[i];
        bool is_up = b->state == BACKEND_UP;
        for (size_t m = 0; m < b->model_count; m++) {
            struct candidate item = {.backend = b, .is_up = is_up};
            judge(lane, b->models[m].name, b->models[m].version, lane->identity->cert.region,
                  &lane->identity->node, &item);
            add(c, b->models[m].name, item);
        }
    }
    for (size_t i = 0; i < mesh_peer_count(lane->mesh); i++) {
        add_peer(lane, mesh_peer(lane->mesh, i));
        add_region(lane, mesh_abroad(lane->mesh), mesh_peer(lane->mesh, i));
    }
    prepare_all(lane);
    c->stale = false;
    c->rebuilds++;
}

struct candidate_set *candidates_find(struct lane *lane, struct bytes model)
{
    if (lane->candidates.stale)
        rebuild(lane);
    return map_get(&lane->candidates.by_model, model);
}

bool candidates_has(struct lane *lane, struct bytes model, struct bytes version)
{
    const struct candidate_set *set = candidates_find(lane, model);
    for (size_t i = 0; set && i < set->count; i++) {
        const struct candidate *c = &set->items[i];
        if (c->is_up && c->barred == ERR_OK && bytes_equal(c->version, version))
            return true;
    }
    return false;
}
