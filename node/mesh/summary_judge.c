/* What is believed of a region by its gateways' summaries, and questions about it. The claims are
 * in one order (summary.c refuses others), so they are walked side by side. */
#include "node/mesh/summary.h"

#define EXCESS 2 /* times the believed capacity: more is no difference of a moment */

const char *summary_verdict_name(enum summary_verdict v)
{
    static const char *const names[] = {"used", "stale", "outvoted"};
    CHECK((unsigned)v < SUMMARY_VERDICTS);
    return names[v];
}

/* --- judging */

struct walk {
    struct summary_claim *claims[GOSSIP_GATEWAYS]; /* the fresh ones */
    size_t at[GOSSIP_GATEWAYS];
    size_t count;
};

/* Those that name one model. */
struct claimants {
    const struct summary_model *models[GOSSIP_GATEWAYS]; /* NULL: it says nothing of it */
    size_t count;
};

static int compare(const struct summary_model *a, const struct summary_model *b)
{
    int order = bytes_compare(a->name, b->name);
    return order ? order : bytes_compare(a->version, b->version);
}

static const struct summary_model *head_of(const struct walk *w, size_t i)
{
    const struct summary *s = w->claims[i]->summary;
    return w->at[i] < s->model_count ? &s->models[w->at[i]] : NULL;
}

/* The next model by name and who claims it; false: that was the last. */
static bool next(struct walk *w, struct claimants *ret_claimants)
{
    struct claimants c = {.count = 0};
    const struct summary_model *least = NULL;
    for (size_t i = 0; i < w->count; i++) {
        const struct summary_model *head = head_of(w, i);
        if (head && (!least || compare(head, least) < 0))
            least = head;
    }
    for (size_t i = 0; i < w->count && least; i++) {
        const struct summary_model *head = head_of(w, i);
        if (!head || compare(head, least) != 0)
            continue;
        c.models[i] = head;
        c.count++;
        w->at[i]++;
    }
    *ret_claimants = c;
    return least != NULL;
}

/* Of three the middle one, of two the smaller or the larger. */
static uint32_t middle(uint32_t *values, size_t count, bool smaller)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && values[k - 1] > values[k]; k--) {
            uint32_t value = values[k];
            values[k] = values[k - 1];
            values[k - 1] = value;
        }
    return values[smaller ? (count - 1) / 2 : count / 2];
}

static void settle(const struct claimants *c, struct summary_model *ret_model)
{
    uint32_t capacity[GOSSIP_GATEWAYS], inflight[GOSSIP_GATEWAYS], p50[GOSSIP_GATEWAYS],
        p95[GOSSIP_GATEWAYS], nodes[GOSSIP_GATEWAYS];
    size_t n = 0;
    for (size_t i = 0; i < GOSSIP_GATEWAYS; i++) {
        const struct summary_model *m = c->models[i];
        if (!m)
            continue;
        capacity[n] = m->capacity;
        inflight[n] = m->inflight;
        p50[n] = m->queued_p50;
        p95[n] = m->queued_p95;
        nodes[n++] = m->nodes;
    }
    uint32_t believed = middle(capacity, n, true);
    for (size_t i = 0; i < GOSSIP_GATEWAYS; i++)
        if (c->models[i] && c->models[i]->capacity == believed)
            *ret_model = *c->models[i]; /* names and entries: of one that is believed */
    ret_model->inflight = middle(inflight, n, false);
    ret_model->queued_p50 = middle(p50, n, false);
    ret_model->queued_p95 = middle(p95, n, false);
    ret_model->nodes = middle(nodes, n, true);
}

/* Who of three is alone with what it says; `believed` NULL: only one named it. */
static void mark(const struct walk *w, const struct claimants *c,
                 const struct summary_model *believed)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct summary_model *m = c->models[i];
        bool boasts = m && (!believed || m->capacity / EXCESS > believed->capacity);
        bool denies = !m && believed && w->claims[i]->summary->left_out == 0;
        if (boasts || denies)
            w->claims[i]->verdict = SUMMARY_OUTVOTED;
    }
}

static void begin(struct summary_claim *claims, size_t count, struct walk *ret_walk)
{
    *ret_walk = (struct walk){.count = 0};
    CHECK(count <= GOSSIP_GATEWAYS);
    for (size_t i = 0; i < count; i++) {
        claims[i].verdict = claims[i].age_ms > SUMMARY_STALE_MS ? SUMMARY_STALE : SUMMARY_USED;
        if (claims[i].verdict == SUMMARY_USED)
            ret_walk->claims[ret_walk->count++] = &claims[i];
    }
}

enum err summary_judge(struct summary_claim *claims, size_t count, struct arena *arena,
                       struct summary *ret_believed)
{
    struct walk w;
    struct claimants c;
    uint32_t left_out[GOSSIP_GATEWAYS] = {0};
    size_t room = 1, n = 0;
    begin(claims, count, &w);
    for (size_t i = 0; i < w.count; i++) {
        room += w.claims[i]->summary->model_count;
        left_out[i] = w.claims[i]->summary->left_out;
    }
    struct summary_model *models = arena_alloc(arena, room * sizeof(*models));
    if (!models)
        return ERR_NO_MEMORY;
    while (next(&w, &c)) {
        bool is_outvoted = w.count == GOSSIP_GATEWAYS && c.count == 1;
        if (!is_outvoted)
            settle(&c, &models[n]);
        if (w.count == GOSSIP_GATEWAYS)
            mark(&w, &c, is_outvoted ? NULL : &models[n]);
        n += !is_outvoted;
    }
    *ret_believed = (struct summary){models, n, w.count ? middle(left_out, w.count, false) : 0};
    return ERR_OK;
}

/* --- questions */

const struct summary_region *summary_region_find(const struct summary_view *v, const char *name)
{
    for (size_t i = 0; i < v->region_count; i++)
        if (strcmp(v->regions[i].name, name) == 0)
            return &v->regions[i];
    return NULL;
}

bool summary_has_gateway(const struct summary_region *r, const struct id *id)
{
    for (size_t i = 0; i < r->gateway_count; i++)
        if (id_equal(&r->gateways[i], id))
            return true;
    return false;
}

bool summary_is_only_at(const struct summary_model *m, const struct id *id)
{
    return m->nodes == 1 && m->entry_count == 1 &&
           memcmp(m->entries[0], id->bytes, SUMMARY_ENTRY_SIZE) == 0;
}

static size_t first_of(const struct summary *s, struct bytes model)
{
    size_t low = 0, high = s->model_count;
    while (low < high) {
        size_t half = low + (high - low) / 2;
        if (bytes_compare(s->models[half].name, model) < 0)
            low = half + 1;
        else
            high = half;
    }
    return low;
}

static uint32_t sum(uint64_t a, uint64_t b)
{
    return a + b > UINT32_MAX ? UINT32_MAX : (uint32_t)(a + b);
}

bool summary_load_of(const struct summary_region *r, struct bytes model,
                     struct summary_load *ret_load)
{
    const struct summary *s = &r->believed;
    struct summary_load load = {0};
    for (size_t i = first_of(s, model); i < s->model_count && bytes_equal(s->models[i].name, model);
         i++) {
        const struct summary_model *m = &s->models[i];
        load.capacity = sum(load.capacity, m->capacity);
        load.inflight = sum(load.inflight, m->inflight);
        load.queued = sum(load.queued, (uint64_t)m->queued_p50 * m->nodes);
    }
    if (load.capacity == 0)
        return false;
    *ret_load = load;
    return true;
}

static bool is_at_the_same(const struct summary_model *a, const struct summary_model *b)
{
    if ((a->nodes == 1) != (b->nodes == 1))
        return false;
    return a->nodes != 1 || (a->entry_count == b->entry_count &&
                             memcmp(a->entries, b->entries, sizeof(a->entries)) == 0);
}

static bool regions_offer_the_same(const struct summary_region *a, const struct summary_region *b)
{
    const struct summary *left = &a->believed, *right = &b->believed;
    if (strcmp(a->name, b->name) != 0 || a->gateway_count != b->gateway_count ||
        left->model_count != right->model_count)
        return false;
    for (size_t i = 0; i < a->gateway_count; i++)
        if (!id_equal(&a->gateways[i], &b->gateways[i]))
            return false;
    for (size_t i = 0; i < left->model_count; i++)
        if (!bytes_equal(left->models[i].name, right->models[i].name) ||
            !is_at_the_same(&left->models[i], &right->models[i]))
            return false;
    return true;
}

bool summary_offers_the_same(const struct summary_view *a, const struct summary_view *b)
{
    if (a->region_count != b->region_count)
        return false;
    for (size_t i = 0; i < a->region_count; i++)
        if (!regions_offer_the_same(&a->regions[i], &b->regions[i]))
            return false;
    return true;
}
