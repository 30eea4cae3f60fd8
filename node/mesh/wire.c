/* Facts to protobuf and back (wire.proto). Encoding builds protobuf-c's structs in an arena of the
 * call; decoding lets protobuf-c unpack into such an arena, so that a hostile message is bounded by
 * it, and copies what is kept. */
#include "node/mesh/wire.h"

#include "node/mesh/wire.pb-c.h"

/* Above what the largest honest message unpacks to; hostile ones (two bytes per empty element) stop
 * here. */
#define SCRATCH_SIZE_MAX (2 * 1024 * 1024)

typedef Grapevine__Mesh__Facts facts_message;
typedef Grapevine__Mesh__Backend backend_message;
typedef Grapevine__Mesh__Model model_message;
typedef Grapevine__Mesh__Load load_message;

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
    message.inflight = b->inflight;
    message.queued = b->queued;
    message.concurrency = b->concurrency;
    TRY(models_to_message(b, scratch, &message));
    *ret_message = message;
    return ERR_OK;
}

static enum err backends_to_message(const struct facts *f, struct arena *scratch,
                                    facts_message *message)
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

static void own_to_message(const struct facts *f, facts_message *message)
{
    message->name = data_of(f->name);
    message->region = data_of(f->region);
    message->zone = data_of(f->zone);
    message->tier = (uint32_t)f->tier;
    message->version = data_of(f->version);
    message->mesh_addr = data_of(f->mesh_addr);
    message->http_addr = data_of(f->http_addr);
    message->boot_ms = f->boot_ms;
    message->epoch = f->epoch;
    message->draining = f->draining;
}

static enum err pack(const facts_message *message, struct buf *wire)
{
    size_t size = grapevine__mesh__facts__get_packed_size(message);
    if (size > FACTS_WIRE_MAX)
        return ERR_LIMIT;
    TRY(buf_reserve(wire, size));
    wire->size += grapevine__mesh__facts__pack(message, wire->data + wire->size);
    return ERR_OK;
}

static enum err encode(const struct facts *f, struct arena *scratch, struct buf *wire)
{
    facts_message message = GRAPEVINE__MESH__FACTS__INIT;
    load_message load = GRAPEVINE__MESH__LOAD__INIT;
    load.inflight = f->load.inflight;
    load.queued = f->load.queued;
    load.capacity = f->load.capacity;
    message.load = &load;
    own_to_message(f, &message);
    TRY(backends_to_message(f, scratch, &message));
    return pack(&message, wire);
}

enum err mesh_wire_facts_encode(const struct facts *f, struct buf *wire)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    enum err e = encode(f, &scratch, wire);
    arena_fini(&scratch);
    return e;
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
    if (message->state > FACTS_BACKEND_DOWN)
        return ERR_INVALID;
    TRY(copy(arena, message->name, &backend->name));
    TRY(copy(arena, message->kind, &backend->kind));
    backend->state = (enum facts_backend_state)message->state;
    backend->inflight = message->inflight;
    backend->queued = message->queued;
    backend->concurrency = message->concurrency;
    for (size_t i = 0; i < message->n_models; i++)
        TRY(model_from_message(message->models[i], arena, &models[i]));
    backend->models = models;
    backend->model_count = message->n_models;
    return ERR_OK;
}

static enum err own_from_message(const facts_message *message, struct arena *arena, struct facts *f)
{
    if (message->tier > TIER_CLOUD)
        return ERR_INVALID;
    TRY(copy(arena, message->name, &f->name));
    TRY(copy(arena, message->region, &f->region));
    TRY(copy(arena, message->zone, &f->zone));
    TRY(copy(arena, message->version, &f->version));
    TRY(copy(arena, message->mesh_addr, &f->mesh_addr));
    TRY(copy(arena, message->http_addr, &f->http_addr));
    f->tier = (enum tier)message->tier;
    f->boot_ms = message->boot_ms;
    f->epoch = message->epoch;
    f->draining = message->draining;
    return ERR_OK;
}

static bool is_within_limits(const facts_message *message)
{
    size_t models = 0;
    if (message->n_backends > FACTS_BACKENDS_MAX)
        return false;
    for (size_t i = 0; i < message->n_backends; i++)
        models += message->backends[i]->n_models;
    return models <= FACTS_MODELS_MAX;
}

static enum err from_message(const facts_message *message, struct arena *arena,
                             struct facts *ret_facts)
{
    struct facts f = {0};
    if (!is_within_limits(message))
        return ERR_INVALID;
    struct facts_backend *backends =
        arena_calloc(arena, (message->n_backends + 1) * sizeof(*backends));
    if (!backends)
        return ERR_LIMIT;
    TRY(own_from_message(message, arena, &f));
    if (message->load)
        f.load = (struct facts_load){message->load->inflight, message->load->queued,
                                     message->load->capacity};
    for (size_t i = 0; i < message->n_backends; i++)
        TRY(backend_from_message(message->backends[i], arena, &backends[i]));
    f.backends = backends;
    f.backend_count = message->n_backends;
    *ret_facts = f;
    return ERR_OK;
}

enum err mesh_wire_facts_decode(struct bytes wire, struct arena *arena, struct facts *ret_facts)
{
    struct arena scratch;
    arena_init(&scratch, SCRATCH_SIZE_MAX);
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, &scratch};
    facts_message *message = grapevine__mesh__facts__unpack(&allocator, wire.size, wire.data);
    enum err e = message ? from_message(message, arena, ret_facts) : ERR_INVALID;
    arena_fini(&scratch);
    return e;
}
