/* Tests of registry/tenants: tenants, API keys, quotas. */
#include "registry_world.h"

static struct registry_op op_quota(const char *tenant, const char *model, uint64_t requests)
{
    struct registry_op op = {.verb = REGISTRY_PUT, .kind = REGISTRY_QUOTA};
    op.doc.quota = (struct registry_quota){
        .tenant = TEXT(tenant), .model = TEXT(model), .requests_per_minute = requests};
    return op;
}

static void a_key_leads_to_its_tenant(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    uint8_t random[32] = {1, 2, 3}, hash[CRYPTO_HASH_SIZE];
    char text[REGISTRY_API_KEY_SIZE];
    registry_api_key_text(random, text);
    assert_int_equal(strlen(text), REGISTRY_API_KEY_SIZE - 1);
    assert_memory_equal(text, "gvk_", 4);
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_key("acme", text)), ERR_OK);
    registry_api_key_hash(TEXT(text), hash);
    struct registry_reader *reader = world_reader(w);
    assert_int_equal(
        registry_find(reader, REGISTRY_KEY_BY_HASH, bytes_of(hash, sizeof(hash)), &row), ERR_OK);
    assert_true(bytes_equal(row.doc.key.tenant, TEXT("acme")));
    assert_int_equal(row.doc.key.created_ms, NOW_MS);
    assert_int_equal(row.doc.key.state, REGISTRY_ACTIVE);
    hash[31] ^= 1;
    assert_int_equal(
        registry_find(reader, REGISTRY_KEY_BY_HASH, bytes_of(hash, sizeof(hash)), &row),
        ERR_NOT_FOUND);
    registry_reader_close(reader);
}

static void a_revoked_key_stays_and_stays_revoked(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    struct registry_op key = op_key("acme", "gvk_1");
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, key), ERR_OK);
    w->time_ms += HOUR_MS / 2;
    assert_int_equal(world_do(w, ALICE, op_move(key, REGISTRY_REVOKED)), ERR_OK);
    assert_int_equal(world_get(w, REGISTRY_KEY, TEXT("acme"), ID_BYTES(key.doc.key.id), &row),
                     ERR_OK);
    assert_int_equal(row.doc.key.state, REGISTRY_REVOKED);
    assert_int_equal(row.doc.key.created_ms, NOW_MS);
    assert_int_equal(row.time_ms, NOW_MS + HOUR_MS / 2);
    assert_int_equal(world_do(w, ALICE, op_move(key, REGISTRY_ACTIVE)), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, key), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_remove(key)), ERR_OK);
}

static void a_key_is_one_tenants(void **state)
{
    struct world *w = *state;
    struct registry_op key = op_key("acme", "gvk_1");
    assert_int_equal(world_do(w, ALICE, key), ERR_NOT_FOUND);
    assert_string_equal(w->result.fault.field, "ops[0].key.tenant");
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_tenant("other")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, key), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_key("other", "gvk_1")), ERR_EXISTS);
    key.doc.key.id.bytes[0] ^= 1;
    assert_int_equal(world_do(w, ALICE, key), ERR_INVALID);
}

static void a_tenant_goes_with_its_keys_and_quotas(void **state)
{
    struct world *w = *state;
    struct registry_head before = world_head(w);
    char text[16];
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_tenant("acme2")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_key("acme2", "gvk_z")), ERR_OK);
    for (int i = 0; i < 70; i++) {
        snprintf(text, sizeof(text), "gvk_%d", i);
        assert_int_equal(world_do(w, ALICE, op_key("acme", text)), ERR_OK);
    }
    assert_int_equal(world_do(w, ALICE, op_quota("acme", "", 5)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_quota("acme", "m", 5)), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_remove(op_tenant("acme"))), ERR_OK);
    assert_int_equal(w->result.changed,
                     1u << REGISTRY_TENANT | 1u << REGISTRY_KEY | 1u << REGISTRY_QUOTA);
    assert_int_equal(world_head(w).rows[REGISTRY_KEY], 1);
    assert_int_equal(world_head(w).rows[REGISTRY_QUOTA], before.rows[REGISTRY_QUOTA]);
}

static void a_tenant_has_a_bounded_number_of_keys(void **state)
{
    struct world *w = *state;
    struct registry_op *ops = calloc(REGISTRY_PER_TENANT_MAX + 1, sizeof(*ops));
    char texts[REGISTRY_PER_TENANT_MAX + 1][16];
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    for (int i = 0; i <= REGISTRY_PER_TENANT_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "gvk_%d", i);
        ops[i] = op_key("acme", texts[i]);
    }
    assert_int_equal(world_say(w, ALICE, ops, REGISTRY_PER_TENANT_MAX), ERR_OK);
    assert_int_equal(world_do(w, ALICE, ops[REGISTRY_PER_TENANT_MAX]), ERR_LIMIT);
    free(ops);
}

static void a_tenant_is_suspended_and_comes_back(void **state)
{
    struct world *w = *state;
    struct registry_row row;
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_move(op_tenant("acme"), REGISTRY_SUSPENDED)), ERR_OK);
    assert_int_equal(world_get(w, REGISTRY_TENANT, TEXT("acme"), NO_BYTES, &row), ERR_OK);
    assert_int_equal(row.doc.tenant.state, REGISTRY_SUSPENDED);
    assert_int_equal(world_do(w, ALICE, op_move(op_tenant("acme"), REGISTRY_TENANT_ACTIVE)),
                     ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_move(op_tenant("none"), REGISTRY_SUSPENDED)),
                     ERR_NOT_FOUND);
}

static enum err authenticate(struct world *w, const char *text, uint64_t now_ms)
{
    struct registry_row tenant;
    struct registry_reader *reader = world_reader(w);
    enum err e = registry_authenticate(reader, TEXT(text), now_ms, &tenant);
    if (e == ERR_OK)
        assert_true(bytes_equal(tenant.doc.tenant.name, TEXT("acme")));
    registry_reader_close(reader);
    return e;
}

static void a_key_opens_until_it_ends_is_revoked_or_its_tenant_suspended(void **state)
{
    struct world *w = *state;
    struct registry_op key = op_key("acme", "gvk_1"), ends = op_key("acme", "gvk_2");
    ends.doc.key.not_after_ms = NOW_MS + 10;
    assert_int_equal(world_do(w, ALICE, op_tenant("acme")), ERR_OK);
    assert_int_equal(authenticate(w, "gvk_1", NOW_MS), ERR_NOT_FOUND);
    assert_int_equal(world_do(w, ALICE, key), ERR_OK);
    assert_int_equal(world_do(w, ALICE, ends), ERR_OK);
    assert_int_equal(authenticate(w, "gvk_1", UINT64_MAX), ERR_OK);
    assert_int_equal(authenticate(w, "gvk_2", NOW_MS + 10), ERR_OK);
    assert_int_equal(authenticate(w, "gvk_2", NOW_MS + 11), ERR_EXPIRED);
    assert_int_equal(world_do(w, ALICE, op_move(op_tenant("acme"), REGISTRY_SUSPENDED)), ERR_OK);
    assert_int_equal(authenticate(w, "gvk_1", NOW_MS), ERR_REVOKED);
    assert_int_equal(world_do(w, ALICE, op_move(op_tenant("acme"), REGISTRY_TENANT_ACTIVE)),
                     ERR_OK);
    assert_int_equal(world_do(w, ALICE, op_move(key, REGISTRY_REVOKED)), ERR_OK);
    assert_int_equal(authenticate(w, "gvk_1", NOW_MS), ERR_REVOKED);
    assert_int_equal(authenticate(w, "gvk_2", NOW_MS), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_key_leads_to_its_tenant),
        IN_WORLD(a_revoked_key_stays_and_stays_revoked),
        IN_WORLD(a_key_is_one_tenants),
        IN_WORLD(a_tenant_goes_with_its_keys_and_quotas),
        IN_WORLD(a_tenant_has_a_bounded_number_of_keys),
        IN_WORLD(a_tenant_is_suspended_and_comes_back),
        IN_WORLD(a_key_opens_until_it_ends_is_revoked_or_its_tenant_suspended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
