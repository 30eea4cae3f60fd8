/* Reads engines' control answers by cJSON, see inventory.h. Called by probe.c. */
#include "node/egress/inventory.h"

#include <cjson/cJSON.h>

static struct bytes text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? bytes_from_str(item->valuestring) : bytes_of(NULL, 0);
}

static int64_t number_of(const cJSON *object, const char *key, int64_t otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 9e15)
        return otherwise;
    return (int64_t)item->valuedouble;
}

static bool is_known(const struct facts_model *models, size_t count, struct bytes name)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(models[i].name, name))
            return true;
    return false;
}

struct reader {
    struct arena *arena;
    struct facts_model *models;
    size_t count;
    int64_t slots;
    struct bytes version;
};

static void add(struct reader *r, const cJSON *entry, struct bytes name)
{
    if (name.size == 0 || name.size > FACTS_MODEL_NAME_MAX || r->count == FACTS_MODELS_MAX ||
        is_known(r->models, r->count, name))
        return;
    const cJSON *meta = cJSON_GetObjectItemCaseSensitive(entry, "meta");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(entry, "status");
    struct bytes loaded = text_of(status, "value");
    struct bytes owner = text_of(entry, "owned_by");
    struct facts_model m = {
        .name = arena_copy(r->arena, name),
        .version = r->version,
        .owned_by = arena_copy(r->arena, owner.size <= FACTS_MODEL_NAME_MAX ? owner : BYTES("")),
        .created = number_of(entry, "created", 0),
        .loaded = loaded.size == 0 || bytes_equal(loaded, BYTES("loaded")),
        .context = number_of(entry, "max_model_len",
                             number_of(meta, "n_ctx", number_of(meta, "n_ctx_train", -1))),
        .slots = r->slots,
    };
    if (m.name.data)
        r->models[r->count++] = m;
}

enum err inventory_parse_models(struct bytes body, int64_t slots, struct bytes version,
                                struct arena *arena, struct inventory *ret_inventory)
{
    cJSON *root = cJSON_ParseWithLength((const char *)body.data, body.size);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(root, "data");
    struct reader r = {.arena = arena, .slots = slots, .version = arena_copy(arena, version)};
    if (cJSON_IsArray(data))
        r.models = arena_calloc(arena, FACTS_MODELS_MAX * sizeof *r.models);
    if (!r.models) {
        cJSON_Delete(root);
        return ERR_PROTOCOL;
    }
    struct inventory found = {.models = r.models};
    const cJSON *entry;
    cJSON_ArrayForEach(entry, data)
    {
        add(&r, entry, text_of(entry, "id"));
        const cJSON *alias;
        cJSON_ArrayForEach(
            alias, cJSON_GetObjectItemCaseSensitive(entry, "aliases")) if (cJSON_IsString(alias))
            add(&r, entry, bytes_from_str(alias->valuestring));
        found.is_llamacpp |= bytes_equal(text_of(entry, "owned_by"), BYTES("llamacpp"));
    }
    cJSON_Delete(root);
    found.count = r.count;
    *ret_inventory = found;
    return ERR_OK;
}

enum err inventory_parse_slots(struct bytes body, int64_t *ret_slots)
{
    cJSON *root = cJSON_ParseWithLength((const char *)body.data, body.size);
    bool ok = cJSON_IsArray(root);
    if (ok)
        *ret_slots = cJSON_GetArraySize(root);
    cJSON_Delete(root);
    return ok ? ERR_OK : ERR_PROTOCOL;
}
