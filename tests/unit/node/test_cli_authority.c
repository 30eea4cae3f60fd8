/* Founding a mesh, inviting and joining, with clocks of this test's choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/cli/dir/authority.h"

#define NOW_MS 1800000000000ull
#define HOUR_MS (3600ull * 1000)

struct world {
    struct keyfile root;
    struct keyfile admin;
};

static int setup(void **state)
{
    static struct world w;
    assert_int_equal(crypto_init(), ERR_OK);
    assert_int_equal(authority_found(NOW_MS, &w.root, &w.admin), ERR_OK);
    *state = &w;
    return 0;
}

static struct authority_scope scope(enum tier tier, const char *region)
{
    return (struct authority_scope){tier, region, 24 * HOUR_MS, 1};
}

static enum err join_at(const struct token *token, uint64_t now_ms, enum tier tier,
                        const char *region, struct keyfile *ret_node)
{
    struct token_request request = {"n", tier, region, now_ms,
                                    AUTHORITY_NODE_DAYS * AUTHORITY_DAY_MS};
    return authority_join(token, &request, ret_node);
}

static void a_joined_node_has_an_identity_of_the_mesh(void **state)
{
    struct world *w = *state;
    struct authority_scope any = scope(TIER_ANY, "");
    struct token token;
    struct keyfile node;
    struct identity identity;
    assert_int_equal(authority_invite(&w->admin, &any, NOW_MS, &token), ERR_OK);
    assert_int_equal(join_at(&token, NOW_MS + HOUR_MS, TIER_CLOUD, "us", &node), ERR_OK);
    assert_int_equal(identity_init(&identity, node.seed, node.root,
                                   bytes_of(node.chain, node.chain_size),
                                   NOW_MS + 300 * AUTHORITY_DAY_MS),
                     ERR_OK);
    struct id mesh = id_of_public_key(w->root.root);
    assert_true(id_equal(&identity.mesh, &mesh));
    assert_string_equal(identity.cert.name, "n");
    assert_int_equal(identity.cert.tier, TIER_CLOUD);
    assert_string_equal(identity.cert.region, "us");
    assert_memory_not_equal(node.seed, token.seed, sizeof(node.seed));
}

static void an_expired_invitation_is_refused(void **state)
{
    struct world *w = *state;
    struct authority_scope any = scope(TIER_ANY, "");
    struct token token;
    struct keyfile node;
    assert_int_equal(authority_invite(&w->admin, &any, NOW_MS, &token), ERR_OK);
    assert_int_equal(join_at(&token, NOW_MS + 24 * HOUR_MS, TIER_EDGE, "eu", &node), ERR_OK);
    assert_int_equal(join_at(&token, NOW_MS + 25 * HOUR_MS, TIER_EDGE, "eu", &node),
                     ERR_CERT_EXPIRED);
    assert_int_equal(join_at(&token, NOW_MS - HOUR_MS, TIER_EDGE, "eu", &node), ERR_CERT_EXPIRED);
    assert_string_equal(authority_reason(ERR_CERT_EXPIRED),
                        "it has expired, or the clock of this machine is wrong");
}

static void an_invitation_allows_only_its_tier_and_region(void **state)
{
    struct world *w = *state;
    struct authority_scope narrow = scope(TIER_CLOUD, "eu");
    struct token token;
    struct keyfile node;
    assert_int_equal(authority_invite(&w->admin, &narrow, NOW_MS, &token), ERR_OK);
    assert_int_equal(join_at(&token, NOW_MS, TIER_CLOUD, "eu", &node), ERR_OK);
    assert_int_equal(join_at(&token, NOW_MS, TIER_EDGE, "eu", &node), ERR_CERT_SCOPE);
    assert_int_equal(join_at(&token, NOW_MS, TIER_CLOUD, "us", &node), ERR_CERT_SCOPE);
}

static void a_token_of_another_mesh_is_refused(void **state)
{
    struct world *w = *state;
    struct authority_scope any = scope(TIER_ANY, "");
    struct world other;
    struct token token;
    struct keyfile node;
    assert_int_equal(authority_found(NOW_MS, &other.root, &other.admin), ERR_OK);
    assert_int_equal(authority_invite(&w->admin, &any, NOW_MS, &token), ERR_OK);
    memcpy(token.root, other.root.root, sizeof(token.root));
    assert_int_equal(join_at(&token, NOW_MS, TIER_EDGE, "eu", &node), ERR_WRONG_MESH);
}

static void an_invitation_needs_the_administrators_own_key(void **state)
{
    struct world *w = *state;
    struct authority_scope any = scope(TIER_ANY, "");
    struct keyfile thief = w->admin;
    struct token token;
    thief.seed[0] ^= 1;
    assert_int_equal(authority_invite(&thief, &any, NOW_MS, &token), ERR_BAD_SIGNATURE);
    thief = w->admin;
    thief.chain[thief.chain_size - 1] ^= 1;
    assert_int_not_equal(authority_invite(&thief, &any, NOW_MS, &token), ERR_OK);
}

static void an_administrator_invites_for_ten_years_and_not_longer(void **state)
{
    struct world *w = *state;
    struct authority_scope any = scope(TIER_ANY, "");
    struct token token;
    struct keyfile node;
    uint64_t late_ms = NOW_MS + (AUTHORITY_ADMIN_DAYS - 2) * AUTHORITY_DAY_MS;
    assert_int_equal(authority_invite(&w->admin, &any, late_ms, &token), ERR_OK);
    assert_int_equal(join_at(&token, late_ms, TIER_EDGE, "eu", &node), ERR_OK);
    late_ms = NOW_MS + (AUTHORITY_ADMIN_DAYS + 1) * AUTHORITY_DAY_MS;
    assert_int_equal(authority_invite(&w->admin, &any, late_ms, &token), ERR_CERT_EXPIRED);
    any.expires_ms = AUTHORITY_ADMIN_DAYS * AUTHORITY_DAY_MS + 1;
    assert_int_equal(authority_invite(&w->admin, &any, NOW_MS, &token), ERR_CERT_EXPIRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_joined_node_has_an_identity_of_the_mesh),
        cmocka_unit_test(an_expired_invitation_is_refused),
        cmocka_unit_test(an_invitation_allows_only_its_tier_and_region),
        cmocka_unit_test(a_token_of_another_mesh_is_refused),
        cmocka_unit_test(an_invitation_needs_the_administrators_own_key),
        cmocka_unit_test(an_administrator_invites_for_ten_years_and_not_longer),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
