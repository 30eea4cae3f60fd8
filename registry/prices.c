/* Which price sheet applies: the one that names most, in the order node, model, region, tier; of
 * equals the first by name. Called by the node's routing. */
#include "registry/impl.h"

struct search {
    const struct registry_node *node;
    struct bytes model;
    struct registry_row *best;
    int weight; /* of the best; -1: none */
};

static bool fits(struct bytes wanted, struct bytes there)
{
    return wanted.size == 0 || bytes_equal(wanted, there);
}

static bool on_sheet(void *ctx, const struct registry_row *row)
{
    struct search *s = ctx;
    const struct registry_price *p = &row->doc.price;
    if (!fits(p->node, s->node->name) || !fits(p->model, s->model) ||
        !fits(p->region, s->node->region) ||
        (p->tier != REGISTRY_TIER_ANY && p->tier != s->node->tier))
        return true;
    int weight = (p->node.size ? 8 : 0) + (p->model.size ? 4 : 0) + (p->region.size ? 2 : 0) +
                 (p->tier != REGISTRY_TIER_ANY);
    if (weight > s->weight) {
        s->weight = weight;
        *s->best = *row;
    }
    return true;
}

enum err registry_price_find(const struct registry_reader *reader, const struct registry_node *node,
                             struct bytes model, struct registry_row *ret_row)
{
    struct registry_row best;
    struct search search = {.node = node, .model = model, .best = &best, .weight = -1};
    TRY(registry_scan(reader, REGISTRY_PRICE, (struct bytes){0}, on_sheet, &search));
    if (search.weight < 0)
        return ERR_NOT_FOUND;
    *ret_row = best;
    return ERR_OK;
}
