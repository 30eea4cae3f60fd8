/* Secondary keys: under (index, value, zero, row's key) stands the row's key. They follow from
 * the rows, so neither the state's hash nor snapshots hold them. Called by rows.c and load.c. */
#include "registry/impl.h"

static enum err add_key(struct registry_index_keys *keys, enum registry_index index,
                        struct bytes value, struct bytes row_key)
{
    return registry_row_key((uint8_t)index, value, row_key, 2, &keys->keys[keys->count++]);
}

static enum err keys_of_alias(const struct registry_alias *alias, struct bytes row_key,
                              struct registry_index_keys *keys)
{
    for (size_t i = 0; i < alias->target_count; i++)
        TRY(add_key(keys, REGISTRY_ALIAS_BY_MODEL, alias->targets[i].model, row_key));
    return ERR_OK;
}

enum err registry_index_keys_of(const struct registry_row *row,
                                struct registry_index_keys *ret_keys)
{
    struct registry_key_bytes own;
    ret_keys->count = 0;
    TRY(registry_row_key_of(row->kind, &row->doc, &own));
    struct bytes key = registry_key_view(&own);
    switch (row->kind) {
    case REGISTRY_NODE:
        if (row->doc.node.state != REGISTRY_NODE_REVOKED)
            TRY(add_key(ret_keys, REGISTRY_NODE_BY_NAME, row->doc.node.name, key));
        return add_key(ret_keys, REGISTRY_NODE_BY_REGION, row->doc.node.region, key);
    case REGISTRY_ADMIN:
        if (row->doc.admin.state != REGISTRY_ACTIVE)
            return ERR_OK;
        return add_key(ret_keys, REGISTRY_ADMIN_BY_NAME, row->doc.admin.name, key);
    case REGISTRY_KEY:
        return add_key(ret_keys, REGISTRY_KEY_BY_HASH,
                       bytes_of(row->doc.key.hash, CRYPTO_HASH_SIZE), key);
    case REGISTRY_ALIAS: return keys_of_alias(&row->doc.alias, key, ret_keys);
    default: return ERR_OK;
    }
}

static bool holds(const struct registry_index_keys *keys, const struct registry_key_bytes *key)
{
    for (size_t i = 0; i < keys->count; i++)
        if (bytes_equal(registry_key_view(&keys->keys[i]), registry_key_view(key)))
            return true;
    return false;
}

enum err registry_index_update(struct registry *r, const struct registry_index_keys *before,
                               const struct registry_index_keys *after, struct bytes key)
{
    for (size_t i = 0; i < before->count; i++)
        if (!holds(after, &before->keys[i]))
            TRY(registry_rows_delete(r, r->indexes, registry_key_view(&before->keys[i])));
    for (size_t i = 0; i < after->count; i++)
        if (!holds(before, &after->keys[i]))
            TRY(registry_rows_write(r, r->indexes, registry_key_view(&after->keys[i]), key));
    return ERR_OK;
}
