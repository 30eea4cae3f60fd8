/* Sorting peers and flattening everybody's facts into offers; the bounds are MESH_PEERS_MAX nodes
 * of FACTS_MODELS_MAX models. */
#include "node/admin/roster.h"

#include <stdlib.h>

static int compare_peers(const void *a, const void *b)
{
    const struct peer *left = *(const struct peer *const *)a;
    const struct peer *right = *(const struct peer *const *)b;
    int order = strcmp(left->name, right->name);
    return order ? order : id_compare(&left->id, &right->id);
}

void roster_of(const struct admin_view *v, struct roster *ret_roster)
{
    size_t count = v->mesh ? mesh_peer_count(v->mesh) : 0;
    if (count > MESH_PEERS_MAX)
        count = MESH_PEERS_MAX;
    ret_roster->count = 0;
    for (size_t i = 0; i < count; i++)
        if (mesh_peer_is_listed(mesh_peer(v->mesh, i)))
            ret_roster->peers[ret_roster->count++] = mesh_peer(v->mesh, i);
    if (ret_roster->count)
        qsort(ret_roster->peers, ret_roster->count, sizeof(ret_roster->peers[0]), compare_peers);
}

static bool peer_counts(const struct peer *p, enum roster_filter filter)
{
    if (!p->facts)
        return false;
    return filter == ROSTER_SERVED ? mesh_peer_is_usable(p)
                                   : p->state == PEER_ALIVE || p->state == PEER_SUSPECT;
}

static bool backend_counts(const struct facts_backend *b, enum roster_filter filter)
{
    return b->state == FACTS_BACKEND_UP ||
           (filter == ROSTER_KNOWN && b->state == FACTS_BACKEND_LOADING);
}

static size_t count_models(const struct facts *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->backend_count; i++)
        count += f->backends[i].model_count;
    return count;
}

static void add_node(struct roster_offers *offers, const struct facts *f, struct bytes node,
                     size_t rank, enum roster_filter filter)
{
    for (size_t i = 0; i < f->backend_count; i++) {
        const struct facts_backend *backend = &f->backends[i];
        for (size_t m = 0; backend_counts(backend, filter) && m < backend->model_count; m++)
            offers->items[offers->count++] = (struct roster_offer){
                .model = &backend->models[m], .backend = backend, .node = node, .rank = rank};
    }
}

/* --- other regions */

static bool region_counts(const struct roster *roster, const struct summary_region *r,
                          enum roster_filter filter)
{
    bool counts = filter == ROSTER_KNOWN;
    for (size_t i = 0; i < roster->count && !counts; i++)
        counts =
            summary_has_gateway(r, &roster->peers[i]->id) && mesh_peer_is_usable(roster->peers[i]);
    return counts;
}

static size_t count_region_models(const struct admin_view *v)
{
    size_t count = 0;
    for (size_t i = 0; v->abroad && i < v->abroad->region_count; i++)
        count += v->abroad->regions[i].believed.model_count;
    return count;
}

static void add_regions(struct roster_offers *offers, const struct admin_view *v,
                        const struct roster *roster, enum roster_filter filter)
{
    static const struct facts_backend unknown;
    size_t used = 0;
    for (size_t i = 0; v->abroad && i < v->abroad->region_count; i++) {
        const struct summary_region *r = &v->abroad->regions[i];
        if (!region_counts(roster, r, filter))
            continue;
        for (size_t m = 0; m < r->believed.model_count; m++) {
            struct facts_model *model = &offers->region_models[used++];
            *model = (struct facts_model){.name = r->believed.models[m].name,
                                          .version = r->believed.models[m].version,
                                          .context = -1,
                                          .slots = -1};
            offers->items[offers->count++] =
                (struct roster_offer){.model = model,
                                      .backend = &unknown,
                                      .region = bytes_from_str(r->name),
                                      .rank = roster->count + 1 + i};
        }
    }
}

/* --- all */

static int compare_offers(const void *a, const void *b)
{
    const struct roster_offer *left = a;
    const struct roster_offer *right = b;
    int order = bytes_compare(left->model->name, right->model->name);
    if (order == 0)
        order = bytes_compare(left->model->version, right->model->version);
    if (order == 0)
        order = (left->rank > right->rank) - (left->rank < right->rank);
    return order ? order : bytes_compare(left->backend->name, right->backend->name);
}

enum err roster_offers_collect(const struct admin_view *v, enum roster_filter filter,
                               struct roster_offers *ret_offers)
{
    struct roster roster;
    roster_of(v, &roster);
    size_t region_models = count_region_models(v);
    size_t count_max = region_models + (v->self ? count_models(v->self) : 0);
    for (size_t i = 0; i < roster.count; i++)
        if (peer_counts(roster.peers[i], filter))
            count_max += count_models(roster.peers[i]->facts);

    struct roster_offers offers = {.items = malloc((count_max + 1) * sizeof(struct roster_offer)),
                                   .region_models =
                                       malloc((region_models + 1) * sizeof(struct facts_model))};
    if (!offers.items || !offers.region_models) {
        roster_offers_fini(&offers);
        return ERR_NO_MEMORY;
    }
    if (v->self)
        add_node(&offers, v->self, v->self->name, 0, filter);
    for (size_t i = 0; i < roster.count; i++) {
        const struct peer *p = roster.peers[i];
        if (peer_counts(p, filter))
            add_node(&offers, p->facts, bytes_from_str(p->name), i + 1, filter);
    }
    add_regions(&offers, v, &roster, filter);
    qsort(offers.items, offers.count, sizeof(offers.items[0]), compare_offers);
    *ret_offers = offers;
    return ERR_OK;
}

void roster_offers_fini(struct roster_offers *offers)
{
    free(offers->items);
    free(offers->region_models);
    *offers = (struct roster_offers){0};
}
