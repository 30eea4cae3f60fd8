/* Facts to protobuf and back (wire.proto). Encoding builds protobuf-c's structs in an arena of the
 * call; decoding lets protobuf-c unpack into such an arena, so that a hostile message is bounded by
 * it, and copies what is kept. */
#include "node/mesh/wire.h"

#include "node/mesh/wire.pb-c.h"

/* Above what the largest honest message unpacks to; hostile ones (two bytes per empty element) stop
 * here. */
#define SCRATCH_SIZE_MAX (2 * 1024 * 1024)

/* Of the figures that we say: an index, a mask, a code for each. */
#define FIGURE_CODES_MAX (FACTS_BACKENDS_MAX * (2 + FIGURES))

typedef Grapevine__Mesh__NodeFacts node_message;
typedef Grapevine__Mesh__Inventory inventory_message;
typedef Grapevine__Mesh__Backend backend_message;
typedef Grapevine__Mesh__Model model_message;
typedef Grapevine__Mesh__Label label_message;
typedef Grapevine__Mesh__Load load_message;
typedef Grapevine__Mesh__Rules rules_message;
typedef Grapevine__Mesh__RegionModel region_model_message;
typedef Grapevine__Mesh__Summary summary_message;

/* --- encoding */

static ProtobufCBinaryData data_of(struct bytes b)
{
    return (ProtobufCBinaryData){.len = b.size, .data = (uint8_t *)b.data};
}

static void model_to_message(const struct facts_model *model, model_message *ret_message)
{
    model_message message = GRAPEVINE__MESH__MODEL__INIT;
    message.name = data_of(model->name);
    message.version = data_of(model->version);
    message.owned_by = data_of(model->owned_by);
    message.created = model->created;
    message.loaded = model->loaded;
    message.context = model->context;
    message.slots = model->slots;
    *ret_message = message;
}

static enum err models_to_message(const struct facts_backend *b, struct arena *scratch,
                                  backend_message *message)
{
    model_message *models = arena_alloc(scratch, (b->model_count + 1) * sizeof(*models));
    message->models = arena_alloc(scratch, (b->model_count + 1) * sizeof(*message->models));
    if (!models || !message->models)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < b->model_count; i++) {
        model_to_message(&b->models[i], &models[i]);
        message->models[i] = &models[i];
    }
    message->n_models = b->model_count;
    return ERR_OK;
}

static enum err backend_to_message(const struct facts_backend *b, struct arena *scratch,
                                   backend_message *ret_message)
{
    backend_message message = GRAPEVINE__MESH__BACKEND__INIT;
    message.name = data_of(b->name);
    message.kind = data_of(b->kind);
    message.state = (uint32_t)b->state;
    message.concurrency = b->concurrency;
    message.hardware = (uint32_t)b->hardware;
    TRY(models_to_message(b, scratch, &message));
    *ret_message = message;
    return ERR_OK;
}

static enum err backends_to_message(const struct facts *f, struct arena *scratch,
                                    inventory_message *message)
{
    backend_message *backends = arena_alloc(scratch, (f->backend_count + 1) * sizeof(*backends));
    message->backends = arena_alloc(scratch, (f->backend_count + 1) * sizeof(*message->backends));
    if (!backends || !message->backends)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < f->backend_count; i++) {
        TRY(backend_to_message(&f->backends[i], scratch, &backends[i]));
        message->backends[i] = &backends[i];
    }
    message->n_backends = f->backend_count;
    return ERR_OK;
}

/* Appends a packed message of whichever type. */
static enum err pack(const ProtobufCMessage *message, struct buf *wire)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > FACTS_WIRE_MAX)
        return ERR_LIMIT;
    if (size == 0)
        return ERR_OK;
    TRY(buf_reserve(wire, size));
    wire->size += protobuf_c_message_pack(message, wire->data + wire->size);
    return ERR_OK;
}

enum err mesh_wire_node_encode(const struct facts_node *n, struct buf *wire)
{
    ProtobufCBinaryData via[GOSSIP_VIA_MAX];
    label_message labels[FACTS_LABELS_MAX], *label_rows[FACTS_LABELS_MAX];
    CHECK(n->label_count <= FACTS_LABELS_MAX);
    node_message message = GRAPEVINE__MESH__NODE_FACTS__INIT;
    message.name = data_of(n->name);
    message.region = data_of(n->region);
    message.zone = data_of(n->zone);
    message.tier = (uint32_t)n->tier;
    message.version = data_of(n->version);
    message.mesh_addr = data_of(n->mesh_addr);
    message.http_addr = data_of(n->http_addr);
    message.boot_ms = n->boot_ms;
    message.chain = data_of(n->chain);
    for (size_t i = 0; i < n->via_count; i++)
        via[i] = data_of(bytes_of(n->via[i].bytes, ID_SIZE));
    message.via = via;
    message.n_via = n->via_count;
    for (size_t i = 0; i < n->label_count; i++) {
        labels[i] = (label_message)GRAPEVINE__MESH__LABEL__INIT;
        labels[i].key = data_of(n->labels[i].key);
        labels[i].value = data_of(n->labels[i].value);
        label_rows[i] = &labels[i];
    }
    message.labels = label_rows;
    message.n_labels = n->label_count;
    message.spot = n->spot;
    return pack(&message.base, wire);
}

enum err mesh_wire_inventory_encode(const struct facts *f, struct buf *wire)
{
    struct arena scratch;
    inventory_message message = GRAPEVINE__MESH__INVENTORY__INIT;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    enum err e = backends_to_message(f, &scratch, &message);
    if (e == ERR_OK)
        e = pack(&message.base, wire);
    arena_fini(&scratch);
    return e;
}

static void rules_to_message(const struct facts_rules *r, rules_message *ret_message)
{
    rules_message message = GRAPEVINE__MESH__RULES__INIT;
    message.epoch = r->epoch;
    message.applied = r->applied;
    message.commit = r->commit;
    message.voter = r->is_voter;
    message.leader = r->is_leader;
    if (r->has_state_hash)
        message.state_hash = data_of(bytes_of(r->state_hash, sizeof(r->state_hash)));
    *ret_message = message;
}

/* A node has one backend more often than not. */
static bool is_like_its_node(const struct facts *f)
{
    return f->backend_count == 1 && f->backends[0].inflight == f->load.inflight &&
           f->backends[0].queued == f->load.queued;
}

/* How many codes there are. */
static size_t figures_to_codes(const struct facts *f, uint32_t codes[FIGURE_CODES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < f->backend_count; i++) {
        size_t size = figures_pack(&f->backends[i].figures, &codes[count + 1]);
        if (size == 0)
            continue;
        codes[count] = (uint32_t)i;
        count += 1 + size;
    }
    return count;
}

enum err mesh_wire_report_encode(const struct facts *f, struct buf *wire)
{
    uint32_t inflight[FACTS_BACKENDS_MAX], queued[FACTS_BACKENDS_MAX];
    uint32_t figures[FIGURE_CODES_MAX];
    uint64_t accused[FACTS_ACCUSED_MAX];
    rules_message rules;
    load_message message = GRAPEVINE__MESH__LOAD__INIT;
    message.inflight = f->load.inflight;
    message.queued = f->load.queued;
    message.capacity = f->load.capacity;
    message.draining = f->draining;
    rules_to_message(&f->rules, &rules);
    message.rules = f->rules.is_known ? &rules : NULL;
    for (size_t i = 0; i < f->backend_count; i++) {
        inflight[i] = f->backends[i].inflight;
        queued[i] = f->backends[i].queued;
    }
    message.backend_inflight = inflight;
    message.backend_queued = queued;
    message.n_backend_inflight = message.n_backend_queued =
        is_like_its_node(f) ? 0 : f->backend_count;
    message.figures = figures;
    message.n_figures = figures_to_codes(f, figures);
    message.accused = accused;
    message.n_accused = f->accused_count < FACTS_ACCUSED_MAX ? f->accused_count : FACTS_ACCUSED_MAX;
    if (message.n_accused > 0)
        memcpy(accused, f->accused, message.n_accused * sizeof accused[0]);
    return pack(&message.base, wire);
}

static void region_model_to_message(const struct summary_model *m,
                                    region_model_message *ret_message)
{
    region_model_message message = GRAPEVINE__MESH__REGION_MODEL__INIT;
    message.name = data_of(m->name);
    message.version = data_of(m->version);
    message.capacity = m->capacity;
    message.inflight = m->inflight;
    message.queued_p50 = m->queued_p50;
    message.queued_p95 = m->queued_p95;
    message.nodes = m->nodes;
    message.entries = data_of(bytes_of(m->entries[0], m->entry_count * SUMMARY_ENTRY_SIZE));
    *ret_message = message;
}

size_t mesh_wire_summary_model_size(const struct summary_model *m)
{
    region_model_message message;
    region_model_message *models = &message;
    summary_message summary = GRAPEVINE__MESH__SUMMARY__INIT;
    region_model_to_message(m, &message);
    summary.models = &models;
    summary.n_models = 1;
    return protobuf_c_message_get_packed_size(&summary.base);
}

enum err mesh_wire_summary_encode(const struct summary *s, struct buf *wire)
{
    region_model_message messages[SUMMARY_MODELS_MAX];
    region_model_message *models[SUMMARY_MODELS_MAX];
    summary_message summary = GRAPEVINE__MESH__SUMMARY__INIT;
    CHECK(s->model_count <= SUMMARY_MODELS_MAX);
    for (size_t i = 0; i < s->model_count; i++) {
        region_model_to_message(&s->models[i], &messages[i]);
        models[i] = &messages[i];
    }
    summary.models = models;
    summary.n_models = s->model_count;
    summary.left_out = s->left_out;
    bool fits = protobuf_c_message_get_packed_size(&summary.base) <= SUMMARY_WIRE_MAX;
    return fits ? pack(&summary.base, wire) : ERR_LIMIT;
}

/* --- decoding */

static void *scratch_alloc(void *ctx, size_t size)
{
    return arena_alloc(ctx, size ? size : 1);
}

static void scratch_free(void *ctx, void *data)
{
    (void)ctx;
    (void)data;
}

static enum err copy(struct arena *arena, ProtobufCBinaryData data, struct bytes *ret_bytes)
{
    struct bytes kept = arena_copy(arena, bytes_of(data.data, data.len));
    if (kept.size && !kept.data)
        return ERR_LIMIT;
    *ret_bytes = kept;
    return ERR_OK;
}

static enum err model_from_message(const model_message *message, struct arena *arena,
                                   struct facts_model *model)
{
    TRY(copy(arena, message->name, &model->name));
    TRY(copy(arena, message->version, &model->version));
    TRY(copy(arena, message->owned_by, &model->owned_by));
    model->created = message->created;
    model->loaded = message->loaded;
    model->context = message->context;
    model->slots = message->slots;
    return ERR_OK;
}

static enum err backend_from_message(const backend_message *message, struct arena *arena,
                                     struct facts_backend *backend)
{
    struct facts_model *models = arena_calloc(arena, (message->n_models + 1) * sizeof(*models));
    if (!models)
        return ERR_LIMIT;
    if (message->state > FACTS_BACKEND_DOWN || message->hardware > FACTS_HARDWARE_CPU)
        return ERR_INVALID;
    TRY(copy(arena, message->name, &backend->name));
    TRY(copy(arena, message->kind, &backend->kind));
    backend->state = (enum facts_backend_state)message->state;
    backend->concurrency = message->concurrency;
    backend->hardware = (enum facts_hardware)message->hardware;
    for (size_t i = 0; i < message->n_models; i++)
        TRY(model_from_message(message->models[i], arena, &models[i]));
    backend->models = models;
    backend->model_count = message->n_models;
    return ERR_OK;
}

static bool is_within_limits(const inventory_message *message)
{
    size_t models = 0;
    if (message->n_backends > FACTS_BACKENDS_MAX)
        return false;
    for (size_t i = 0; i < message->n_backends; i++)
        models += message->backends[i]->n_models;
    return models <= FACTS_MODELS_MAX;
}

static enum err via_from_message(const node_message *message, struct facts_node *n)
{
    if (message->n_via > GOSSIP_VIA_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < message->n_via; i++) {
        if (message->via[i].len != ID_SIZE)
            return ERR_INVALID;
        memcpy(n->via[i].bytes, message->via[i].data, ID_SIZE);
    }
    n->via_count = message->n_via;
    return ERR_OK;
}

static enum err labels_from_message(const node_message *message, struct arena *arena,
                                    struct facts_node *n)
{
    struct facts_label *labels = arena_calloc(arena, (FACTS_LABELS_MAX + 1) * sizeof(*labels));
    if (message->n_labels > FACTS_LABELS_MAX)
        return ERR_INVALID;
    if (!labels)
        return ERR_LIMIT;
    for (size_t i = 0; i < message->n_labels; i++) {
        TRY(copy(arena, message->labels[i]->key, &labels[i].key));
        TRY(copy(arena, message->labels[i]->value, &labels[i].value));
    }
    n->labels = labels;
    n->label_count = message->n_labels;
    return ERR_OK;
}

static enum err node_from_message(const node_message *message, struct arena *arena,
                                  struct facts_node *ret_node)
{
    struct facts_node n = {.tier = (enum tier)message->tier, .boot_ms = message->boot_ms};
    if (message->tier > TIER_CLOUD)
        return ERR_INVALID;
    TRY(copy(arena, message->name, &n.name));
    TRY(copy(arena, message->region, &n.region));
    TRY(copy(arena, message->zone, &n.zone));
    TRY(copy(arena, message->version, &n.version));
    TRY(copy(arena, message->mesh_addr, &n.mesh_addr));
    TRY(copy(arena, message->http_addr, &n.http_addr));
    TRY(copy(arena, message->chain, &n.chain));
    TRY(via_from_message(message, &n));
    TRY(labels_from_message(message, arena, &n));
    n.spot = message->spot;
    *ret_node = n;
    return ERR_OK;
}

static enum err inventory_from_message(const inventory_message *message, struct arena *arena,
                                       struct facts_inventory *ret_inventory)
{
    if (!is_within_limits(message))
        return ERR_INVALID;
    struct facts_backend *backends =
        arena_calloc(arena, (message->n_backends + 1) * sizeof(*backends));
    if (!backends)
        return ERR_LIMIT;
    for (size_t i = 0; i < message->n_backends; i++)
        TRY(backend_from_message(message->backends[i], arena, &backends[i]));
    *ret_inventory = (struct facts_inventory){backends, message->n_backends};
    return ERR_OK;
}

static enum err rules_from_message(const rules_message *message, struct facts_rules *ret_rules)
{
    struct facts_rules r = {.is_known = true,
                            .epoch = message->epoch,
                            .applied = message->applied,
                            .commit = message->commit,
                            .is_voter = message->voter,
                            .is_leader = message->leader,
                            .has_state_hash = message->state_hash.len > 0};
    if (r.has_state_hash && message->state_hash.len != sizeof(r.state_hash))
        return ERR_INVALID;
    if (r.has_state_hash)
        memcpy(r.state_hash, message->state_hash.data, sizeof(r.state_hash));
    *ret_rules = r;
    return ERR_OK;
}

/* Indices ascend, so that each backend comes once. */
static enum err figures_from_message(const load_message *message, struct facts_report *report)
{
    const uint32_t *codes = message->figures;
    size_t left = message->n_figures, next = 0;
    while (left > 0) {
        size_t index = codes[0], used;
        if (index < next || index >= FACTS_BACKENDS_MAX ||
            !figures_unpack(codes + 1, left - 1, &report->figures[index], &used))
            return ERR_INVALID;
        next = index + 1;
        codes += 1 + used;
        left -= 1 + used;
    }
    return ERR_OK;
}

static enum err report_from_message(const load_message *message, struct facts_report *ret_report)
{
    size_t count = message->n_backend_inflight;
    struct facts_rules rules = {.is_known = false};
    if (message->rules)
        TRY(rules_from_message(message->rules, &rules));
    if (count > FACTS_BACKENDS_MAX || message->n_backend_queued != count ||
        message->n_accused > FACTS_ACCUSED_MAX)
        return ERR_INVALID;
    *ret_report = (struct facts_report){
        .load = {message->inflight, message->queued, message->capacity},
        .draining = message->draining,
        .rules = rules,
        .backend_count = count,
        .accused_count = message->n_accused,
    };
    if (message->n_accused > 0)
        memcpy(ret_report->accused, message->accused,
               message->n_accused * sizeof ret_report->accused[0]);
    for (size_t i = 0; i < count; i++) {
        ret_report->backends[i].inflight = message->backend_inflight[i];
        ret_report->backends[i].queued = message->backend_queued[i];
    }
    return figures_from_message(message, ret_report);
}

enum err mesh_wire_node_decode(struct bytes wire, struct arena *arena, struct facts_node *ret_node)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &scratch};
    node_message *message = grapevine__mesh__node_facts__unpack(&allocator, wire.size, wire.data);
    enum err e = message ? node_from_message(message, arena, ret_node) : ERR_INVALID;
    arena_fini(&scratch);
    return e;
}

enum err mesh_wire_inventory_decode(struct bytes wire, struct arena *arena,
                                    struct facts_inventory *ret_inventory)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &scratch};
    inventory_message *message =
        grapevine__mesh__inventory__unpack(&allocator, wire.size, wire.data);
    enum err e = message ? inventory_from_message(message, arena, ret_inventory) : ERR_INVALID;
    arena_fini(&scratch);
    return e;
}

enum err mesh_wire_report_decode(struct bytes wire, struct facts_report *ret_report)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &scratch};
    load_message *message = grapevine__mesh__load__unpack(&allocator, wire.size, wire.data);
    enum err e = message ? report_from_message(message, ret_report) : ERR_INVALID;
    arena_fini(&scratch);
    return e;
}

static enum err region_model_from_message(const region_model_message *message, struct arena *arena,
                                          struct summary_model *m)
{
    size_t size = message->entries.len;
    if (size > sizeof(m->entries) || size % SUMMARY_ENTRY_SIZE != 0)
        return ERR_INVALID;
    TRY(copy(arena, message->name, &m->name));
    TRY(copy(arena, message->version, &m->version));
    m->capacity = message->capacity;
    m->inflight = message->inflight;
    m->queued_p50 = message->queued_p50;
    m->queued_p95 = message->queued_p95;
    m->nodes = message->nodes;
    if (size > 0)
        memcpy(m->entries, message->entries.data, size);
    m->entry_count = size / SUMMARY_ENTRY_SIZE;
    return ERR_OK;
}

static enum err summary_from_message(const summary_message *message, struct arena *arena,
                                     struct summary *ret_summary)
{
    if (message->n_models > SUMMARY_MODELS_MAX)
        return ERR_INVALID;
    struct summary_model *models = arena_calloc(arena, (message->n_models + 1) * sizeof(*models));
    if (!models)
        return ERR_LIMIT;
    for (size_t i = 0; i < message->n_models; i++)
        TRY(region_model_from_message(message->models[i], arena, &models[i]));
    *ret_summary = (struct summary){models, message->n_models, message->left_out};
    return ERR_OK;
}

enum err mesh_wire_summary_decode(struct bytes wire, struct arena *arena,
                                  struct summary *ret_summary)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &scratch};
    summary_message *message = grapevine__mesh__summary__unpack(&allocator, wire.size, wire.data);
    enum err e = message ? summary_from_message(message, arena, ret_summary) : ERR_INVALID;
    arena_fini(&scratch);
    return e;
}
