/* Facts as values: their limits, and the load as text. The bytes are wire.c's; gossip_payload.c
 * judges others' by them, peer_facts.c puts them together again; the egress reads and writes
 * grapevine-load with facts_load_*. */
#include "node/mesh/facts.h"

#include "node/mesh/wire.h"

#define KIND_MAX 32

const char *facts_backend_state_name(enum facts_backend_state s)
{
    static const char *const names[] = {"unknown", "up", "loading", "down"};
    return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : names[0];
}

const char *facts_hardware_name(enum facts_hardware h)
{
    static const char *const names[] = {"", "gpu", "npu", "cpu"};
    return (unsigned)h < sizeof(names) / sizeof(names[0]) ? names[h] : names[0];
}

/* --- limits: the same for what we say and what we are told */

static bool model_fits(const struct facts_model *m)
{
    return m->name.size > 0 && m->name.size <= FACTS_MODEL_NAME_MAX &&
           m->version.size <= FACTS_MODEL_NAME_MAX && m->owned_by.size <= FACTS_MODEL_NAME_MAX &&
           m->created >= 0 && m->context >= -1 && m->slots >= -1;
}

static bool backend_fits(const struct facts_backend *b)
{
    if (b->name.size == 0 || b->name.size > FACTS_MODEL_NAME_MAX || b->kind.size > KIND_MAX)
        return false;
    for (size_t i = 0; i < b->model_count; i++) {
        if (!model_fits(&b->models[i]))
            return false;
    }
    return true;
}

static bool is_visible(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] >= 0x7f)
            return false;
    return text.size <= FACTS_LABEL_MAX;
}

static bool labels_fit(const struct facts_label *labels, size_t count)
{
    if (count > FACTS_LABELS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (labels[i].key.size == 0 || !is_visible(labels[i].key) || !is_visible(labels[i].value))
            return false;
        for (size_t k = 0; k < i; k++)
            if (bytes_equal(labels[i].key, labels[k].key))
                return false;
    }
    return true;
}

static bool node_fits(const struct facts_node *n)
{
    return cert_name_is_valid(n->name) && n->region.size <= CERT_NAME_MAX &&
           n->zone.size <= CERT_NAME_MAX && n->version.size <= CERT_NAME_MAX &&
           n->mesh_addr.size <= FACTS_ADDR_MAX && n->http_addr.size <= FACTS_ADDR_MAX &&
           n->chain.size <= CERT_CHAIN_SIZE_MAX && n->via_count <= GOSSIP_VIA_MAX &&
           labels_fit(n->labels, n->label_count);
}

static bool backends_fit(const struct facts_backend *backends, size_t count)
{
    size_t models = 0;
    if (count > FACTS_BACKENDS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        models += backends[i].model_count;
        if (models > FACTS_MODELS_MAX || !backend_fits(&backends[i]))
            return false;
    }
    return true;
}

/* --- what does not fit is left out */

/* Tags, lengths and numbers of wire.proto at their largest. */
#define MODEL_OVERHEAD 48
#define BACKEND_OVERHEAD 32

static size_t backend_size(const struct facts_backend *b)
{
    return BACKEND_OVERHEAD + b->name.size + b->kind.size;
}

static size_t model_size(const struct facts_model *m)
{
    return MODEL_OVERHEAD + m->name.size + m->version.size + m->owned_by.size;
}

static size_t models_that_fit(const struct facts_backend *b, size_t *room, size_t *models_left)
{
    size_t n = 0;
    for (; n<b->model_count && * models_left> 0 && model_size(&b->models[n]) <= *room; n++) {
        *room -= model_size(&b->models[n]);
        --*models_left;
    }
    return n;
}

void facts_cut(const struct facts *f, struct facts_backend backends[FACTS_BACKENDS_MAX],
               struct facts *ret_facts)
{
    size_t models_left = FACTS_MODELS_MAX;
    size_t room = FACTS_WIRE_MAX;
    CHECK(f->backend_count <= FACTS_BACKENDS_MAX);
    for (size_t i = 0; i < f->backend_count; i++) {
        size_t size = backend_size(&f->backends[i]);
        room -= size < room ? size : room;
    }
    for (size_t i = 0; i < f->backend_count; i++) {
        backends[i] = f->backends[i];
        backends[i].model_count = models_that_fit(&f->backends[i], &room, &models_left);
    }
    *ret_facts = *f;
    ret_facts->backends = backends;
}

/* --- bytes */

enum err facts_node_encode(const struct facts_node *n, struct buf *wire)
{
    return node_fits(n) ? mesh_wire_node_encode(n, wire) : ERR_LIMIT;
}

enum err facts_inventory_encode(const struct facts *f, struct buf *wire)
{
    bool fits = backends_fit(f->backends, f->backend_count);
    return fits ? mesh_wire_inventory_encode(f, wire) : ERR_LIMIT;
}

enum err facts_report_encode(const struct facts *f, struct buf *wire)
{
    return f->backend_count <= FACTS_BACKENDS_MAX ? mesh_wire_report_encode(f, wire) : ERR_LIMIT;
}

enum err facts_node_decode(struct bytes wire, struct arena *arena, struct facts_node *ret_node)
{
    struct facts_node n;
    if (wire.size > FACTS_WIRE_MAX)
        return ERR_LIMIT;
    TRY(mesh_wire_node_decode(wire, arena, &n));
    if (!node_fits(&n))
        return ERR_INVALID;
    *ret_node = n;
    return ERR_OK;
}

enum err facts_inventory_decode(struct bytes wire, struct arena *arena,
                                struct facts_inventory *ret_inventory)
{
    struct facts_inventory i;
    if (wire.size > FACTS_WIRE_MAX)
        return ERR_LIMIT;
    TRY(mesh_wire_inventory_decode(wire, arena, &i));
    if (!backends_fit(i.backends, i.backend_count))
        return ERR_INVALID;
    *ret_inventory = i;
    return ERR_OK;
}

enum err facts_report_decode(struct bytes wire, struct facts_report *ret_report)
{
    return wire.size > FACTS_WIRE_MAX ? ERR_LIMIT : mesh_wire_report_decode(wire, ret_report);
}

/* --- comparing */

const struct facts_model *facts_backend_model(const struct facts_backend *b, struct bytes model)
{
    for (size_t i = 0; i < b->model_count; i++)
        if (bytes_equal(b->models[i].name, model))
            return &b->models[i];
    return NULL;
}

bool facts_rules_equal(const struct facts_rules *a, const struct facts_rules *b)
{
    bool is_like = a->is_known == b->is_known && a->epoch == b->epoch && a->applied == b->applied &&
                   a->commit == b->commit && a->is_voter == b->is_voter &&
                   a->is_leader == b->is_leader && a->has_state_hash == b->has_state_hash;
    return is_like &&
           (!a->has_state_hash || memcmp(a->state_hash, b->state_hash, sizeof(a->state_hash)) == 0);
}

static bool backends_offer_the_same(const struct facts_backend *a, const struct facts_backend *b)
{
    if (a->state != b->state || a->model_count != b->model_count)
        return false;
    for (size_t i = 0; i < a->model_count; i++) {
        if (!bytes_equal(a->models[i].name, b->models[i].name))
            return false;
    }
    return true;
}

bool facts_offer_the_same(const struct facts *a, const struct facts *b)
{
    if (a->backend_count != b->backend_count)
        return false;
    for (size_t i = 0; i < a->backend_count; i++) {
        if (!backends_offer_the_same(&a->backends[i], &b->backends[i]))
            return false;
    }
    return true;
}

/* --- load as text */

void facts_load_to_text(const struct facts_load *l, char ret_text[40])
{
    struct buf text;
    buf_init_fixed(&text, (uint8_t *)ret_text, 40);
    const uint32_t values[] = {l->inflight, l->queued, l->capacity};
    for (int i = 0; i < 3; i++) {
        enum err e = i ? buf_append_byte(&text, '/') : ERR_OK;
        if (e == ERR_OK)
            e = buf_append_decimal(&text, values[i]);
        CHECK(e == ERR_OK); /* three times ten digits and two slashes */
    }
    ret_text[text.size] = 0;
}

static bool take_number(struct bytes *text, bool is_last, uint32_t *ret_value)
{
    size_t size = bytes_find(*text, '/');
    uint64_t value;
    if ((size == text->size) != is_last || size > 10 ||
        !bytes_to_u64(bytes_of(text->data, size), &value) || value > UINT32_MAX)
        return false;
    *text = bytes_skip(*text, size + 1);
    *ret_value = (uint32_t)value;
    return true;
}

enum err facts_load_parse(struct bytes text, struct facts_load *ret_load)
{
    struct facts_load load;
    bool is_good = take_number(&text, false, &load.inflight) &&
                   take_number(&text, false, &load.queued) &&
                   take_number(&text, true, &load.capacity);
    if (!is_good)
        return ERR_INVALID;
    *ret_load = load;
    return ERR_OK;
}
