/* Rules of models, their versions, and aliases; and what those imply for requests. Called by op.c;
 * the pure helpers by the node's routing. */
#include "registry/turn.h"

static enum err get(const struct registry_turn *t, enum registry_kind kind, struct bytes first,
                    struct bytes second, struct registry_row *ret_row, bool *ret_is_there)
{
    enum err e = registry_get(registry_turn_reader(t), kind, first, second, ret_row);
    *ret_is_there = e == ERR_OK;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* --- models --- */

enum err registry_models_put(struct registry_turn *t, const struct registry_row *old,
                             struct registry_row *next)
{
    struct registry_row alias;
    bool is_there;
    (void)old;
    TRY(get(t, REGISTRY_ALIAS, next->doc.model.name, (struct bytes){0}, &alias, &is_there));
    if (is_there)
        return registry_refuse(t, ERR_EXISTS, "name", "an alias has it: remove that, or choose");
    return ERR_OK;
}

static bool note_any(void *ctx, const struct registry_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return false;
}

enum err registry_models_remove(struct registry_turn *t, const struct registry_row *old,
                                struct registry_row *next)
{
    bool has_versions = false;
    (void)next;
    TRY(registry_scan(registry_turn_reader(t), REGISTRY_VERSION, old->doc.model.name, note_any,
                      &has_versions));
    if (has_versions)
        return registry_refuse(t, ERR_IN_USE, NULL, "it has versions: remove those before");
    return ERR_OK;
}

/* --- versions --- */

enum err registry_versions_put(struct registry_turn *t, const struct registry_row *old,
                               struct registry_row *next)
{
    struct registry_row model;
    bool is_there;
    TRY(get(t, REGISTRY_MODEL, next->doc.version.model, (struct bytes){0}, &model, &is_there));
    if (!is_there)
        return registry_refuse(t, ERR_NOT_FOUND, "model", "no such model: put the model before");
    return old ? registry_versions_move(t, old, next) : ERR_OK;
}

struct wanted {
    const struct registry_version *version;
    bool is_found;
};

static bool note_target(void *ctx, const struct registry_row *row)
{
    struct wanted *wanted = ctx;
    const struct registry_alias *alias = &row->doc.alias;
    for (size_t i = 0; i < alias->target_count; i++)
        if (bytes_equal(alias->targets[i].model, wanted->version->model) &&
            bytes_equal(alias->targets[i].version, wanted->version->name))
            wanted->is_found = true;
    return !wanted->is_found;
}

static enum err check_unaliased(struct registry_turn *t, const struct registry_version *version)
{
    struct wanted wanted = {.version = version};
    TRY(registry_find_all(registry_turn_reader(t), REGISTRY_ALIAS_BY_MODEL, version->model,
                          note_target, &wanted));
    if (wanted.is_found)
        return registry_refuse(t, ERR_IN_USE, NULL,
                               "an alias leads to it: set that alias before, or revoke it");
    return ERR_OK;
}

/* Revoking is for emergencies: then the alias leads to what is left of its targets. */
enum err registry_versions_move(struct registry_turn *t, const struct registry_row *old,
                                struct registry_row *next)
{
    bool retires =
        next->doc.version.stage == REGISTRY_ARCHIVED && old->doc.version.stage != REGISTRY_ARCHIVED;
    return retires ? check_unaliased(t, &old->doc.version) : ERR_OK;
}

enum err registry_versions_remove(struct registry_turn *t, const struct registry_row *old,
                                  struct registry_row *next)
{
    (void)next;
    return check_unaliased(t, &old->doc.version);
}

bool registry_version_is_routable(const struct registry_version *version)
{
    return version->stage == REGISTRY_STAGING || version->stage == REGISTRY_PRODUCTION;
}

bool registry_version_fits_hardware(const struct registry_version *version,
                                    const struct registry_node *node)
{
    if (version->accelerator_count == 0)
        return node->memory_bytes == 0 || version->memory_bytes <= node->memory_bytes;
    for (size_t i = 0; i < node->accelerator_count; i++) {
        const struct registry_accelerator *a = &node->accelerators[i];
        bool is_large = a->memory_bytes == 0 || version->memory_bytes <= a->memory_bytes;
        for (size_t k = 0; k < version->accelerator_count; k++)
            if (is_large && bytes_equal(a->kind, version->accelerators[k]))
                return true;
    }
    return false;
}

bool registry_region_is_allowed(const struct bytes *regions, size_t count, struct bytes region)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(regions[i], region))
            return true;
    return count == 0;
}

/* --- aliases --- */

static enum err check_target(struct registry_turn *t, const struct registry_alias *alias,
                             size_t index)
{
    const struct registry_target *target = &alias->targets[index];
    struct registry_row version;
    bool is_there;
    TRY(get(t, REGISTRY_VERSION, target->model, target->version, &version, &is_there));
    if (!is_there)
        return registry_refuse(t, ERR_NOT_FOUND, "targets",
                               "target %zu is no version: put that version before", index);
    if (!registry_version_is_routable(&version.doc.version))
        return registry_refuse(t, ERR_INVALID, "targets",
                               "target %zu is archived or revoked: promote it, or leave it out",
                               index);
    for (size_t i = 0; i < index; i++)
        if (bytes_equal(alias->targets[i].model, target->model) &&
            bytes_equal(alias->targets[i].version, target->version))
            return registry_refuse(t, ERR_INVALID, "targets", "target %zu is named twice", index);
    return ERR_OK;
}

enum err registry_aliases_put(struct registry_turn *t, const struct registry_row *old,
                              struct registry_row *next)
{
    const struct registry_alias *alias = &next->doc.alias;
    struct registry_row model;
    bool is_there;
    (void)old;
    TRY(get(t, REGISTRY_MODEL, alias->name, (struct bytes){0}, &model, &is_there));
    if (is_there)
        return registry_refuse(t, ERR_EXISTS, "name", "a model has it: choose another one");
    for (size_t i = 0; i < alias->target_count; i++)
        TRY(check_target(t, alias, i));
    return ERR_OK;
}

size_t registry_alias_choose(const struct registry_alias *alias, uint64_t hash, uint32_t usable)
{
    uint64_t total = 0;
    for (size_t i = 0; i < alias->target_count; i++)
        total += usable >> i & 1 ? alias->targets[i].weight : 0;
    if (total == 0)
        return alias->target_count;
    uint64_t point = hash % total; /* at most 16,000,000: the bias is nothing */
    for (size_t i = 0; i < alias->target_count; i++) {
        uint64_t weight = usable >> i & 1 ? alias->targets[i].weight : 0;
        if (point < weight)
            return i;
        point -= weight;
    }
    return alias->target_count;
}
