/* Rules of tenants, their API keys and quotas, called by op.c; and whose key a request brings, for
 * the node's ingress. */
#include "registry/turn.h"

static enum err check_tenant(struct registry_turn *t, struct bytes name)
{
    struct registry_row row;
    enum err e =
        registry_get(registry_turn_reader(t), REGISTRY_TENANT, name, (struct bytes){0}, &row);
    if (e != ERR_NOT_FOUND)
        return e;
    return registry_refuse(t, e, "tenant", "no such tenant: put the tenant before");
}

enum err registry_tenants_remove(struct registry_turn *t, const struct registry_row *old,
                                 struct registry_row *next)
{
    (void)next;
    TRY(registry_turn_remove_all(t, REGISTRY_KEY, old->doc.tenant.name));
    return registry_turn_remove_all(t, REGISTRY_QUOTA, old->doc.tenant.name);
}

/* --- keys --- */

struct count {
    size_t count, max;
};

static bool count_row(void *ctx, const struct registry_row *row)
{
    struct count *c = ctx;
    (void)row;
    return ++c->count < c->max;
}

static enum err check_room(struct registry_turn *t, enum registry_kind kind, struct bytes tenant)
{
    struct count c = {.max = REGISTRY_PER_TENANT_MAX};
    TRY(registry_scan(registry_turn_reader(t), kind, tenant, count_row, &c));
    if (c.count < c.max)
        return ERR_OK;
    return registry_refuse(t, ERR_LIMIT, "tenant", "it has %zu of them: remove some", c.count);
}

static enum err check_hash(struct registry_turn *t, const struct registry_key *key)
{
    struct registry_row other;
    if (memcmp(key->id.bytes, key->hash, ID_SIZE) != 0)
        return registry_refuse(t, ERR_INVALID, "id", "it is not the first half of the hash");
    enum err e = registry_find(registry_turn_reader(t), REGISTRY_KEY_BY_HASH,
                               bytes_of(key->hash, CRYPTO_HASH_SIZE), &other);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && bytes_equal(other.doc.key.tenant, key->tenant)))
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    return registry_refuse(t, ERR_EXISTS, "hash", "another tenant has this key: make a new one");
}

enum err registry_keys_put(struct registry_turn *t, const struct registry_row *old,
                           struct registry_row *next)
{
    struct registry_key *key = &next->doc.key;
    TRY(check_tenant(t, key->tenant));
    TRY(check_hash(t, key));
    if (old)
        return ERR_OK;
    key->created_ms = registry_turn_now_ms(t);
    return check_room(t, REGISTRY_KEY, key->tenant);
}

enum err registry_quotas_put(struct registry_turn *t, const struct registry_row *old,
                             struct registry_row *next)
{
    TRY(check_tenant(t, next->doc.quota.tenant));
    return old ? ERR_OK : check_room(t, REGISTRY_QUOTA, next->doc.quota.tenant);
}

/* --- a request's key --- */

enum err registry_authenticate(const struct registry_reader *reader, struct bytes text,
                               uint64_t now_ms, struct registry_row *ret_tenant)
{
    struct registry_row key, tenant;
    uint8_t hash[CRYPTO_HASH_SIZE];
    registry_api_key_hash(text, hash);
    TRY(registry_find(reader, REGISTRY_KEY_BY_HASH, bytes_of(hash, sizeof(hash)), &key));
    if (key.doc.key.state != REGISTRY_ACTIVE)
        return ERR_REVOKED;
    if (key.doc.key.not_after_ms && now_ms > key.doc.key.not_after_ms)
        return ERR_EXPIRED;
    TRY(registry_get(reader, REGISTRY_TENANT, key.doc.key.tenant, (struct bytes){0}, &tenant));
    if (tenant.doc.tenant.state != REGISTRY_TENANT_ACTIVE)
        return ERR_REVOKED;
    *ret_tenant = tenant;
    return ERR_OK;
}
