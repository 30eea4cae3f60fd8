/* What is believed of a gossip record's payload: what its owner's certificate allows, well formed
 * and within the limits. And the secrets that two nodes share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node/mesh/core.h"
#include "tests/support/trust_fixture.h"

static struct mesh mesh, other;
static struct identity own, owner;
static struct fixture f;

static struct id revoked;

static enum err admit(void *whose, const struct id *node)
{
    (void)whose;
    return id_equal(node, &revoked) ? ERR_REVOKED : ERR_NOT_ADMITTED;
}

static const struct mesh_ops ops = {.admit = admit};

static int set_up(void **state)
{
    assert_int_equal(crypto_init(), ERR_OK);
    fixture_init(&f, 1);
    fixture_identity(&f, 50, "edge-1", TIER_EDGE, "eu-west", &own);
    fixture_identity(&f, 51, "rack-1", TIER_REGIONAL, "eu-west", &owner);
    mesh.ops = other.ops = &ops;
    revoked = (struct id){.bytes = {0}};
    mesh.cfg.identity = &own;
    other.cfg.identity = &owner;
    crypto_sign_secret_to_dh(own.secret, mesh.gossip.dh_secret);
    crypto_sign_secret_to_dh(owner.secret, other.gossip.dh_secret);
    return 0;
}

static struct facts_node node_of(const struct identity *i)
{
    return (struct facts_node){.name = bytes_from_str(i->cert.name),
                               .region = bytes_from_str(i->cert.region),
                               .tier = i->cert.tier,
                               .mesh_addr = BYTES("10.0.0.1:7300"),
                               .chain = bytes_of(i->chain, i->chain_size)};
}

static enum err check_bytes(enum gossip_kind kind, struct bytes payload,
                            struct gossip_owner *ret_owner)
{
    return gossip_payload_ops.check(&mesh, kind, "rack-1", "eu-west", payload, FIXTURE_NOW_MS,
                                    ret_owner);
}

static enum err check_node(const struct facts_node *n, uint64_t wall_ms,
                           struct gossip_owner *ret_owner)
{
    struct buf wire;
    buf_init(&wire, FACTS_WIRE_MAX);
    assert_int_equal(facts_node_encode(n, &wire), ERR_OK);
    enum err e = gossip_payload_ops.check(&mesh, GOSSIP_NODE, NULL, NULL, buf_bytes(&wire), wall_ms,
                                          ret_owner);
    buf_fini(&wire);
    return e;
}

static void a_node_within_its_certificate_is_believed(void **state)
{
    struct gossip_owner got;
    struct facts_node n = node_of(&owner);
    n.via[0] = own.node;
    n.via_count = 1;
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_OK);
    assert_memory_equal(got.key, owner.public_key, sizeof(got.key));
    assert_string_equal(got.name, "rack-1");
    assert_string_equal(got.region, "eu-west");
    assert_int_equal(got.not_after_ms, owner.cert.not_after_ms);
    assert_false(got.only_dials);
    assert_int_equal(got.via_count, 1);
    assert_true(id_equal(&got.via[0], &own.node));
    n.mesh_addr = BYTES("");
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_OK);
    assert_true(got.only_dials);
}

static void whoever_claims_more_than_its_certificate_is_not(void **state)
{
    struct gossip_owner got;
    struct facts_node n = node_of(&owner);
    n.name = BYTES("rack-2");
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_CERT_SCOPE);
    n = node_of(&owner);
    n.region = BYTES("us-east");
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_CERT_SCOPE);
    n = node_of(&owner);
    n.tier = TIER_CLOUD;
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_CERT_SCOPE);
}

static void a_revoked_node_is_not_believed(void **state)
{
    struct gossip_owner got;
    struct facts_node n = node_of(&owner);
    revoked = owner.node;
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_REVOKED);
    revoked = own.node;
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_OK);
}

static void a_chain_that_does_not_hold_is_not_believed(void **state)
{
    struct gossip_owner got;
    struct fixture stranger;
    struct identity strange;
    uint8_t place[CERT_CHAIN_SIZE_MAX];
    struct buf admins;
    struct facts_node n = node_of(&owner);
    assert_int_equal(check_node(&n, owner.cert.not_after_ms + 2 * CERT_SKEW_MS, &got),
                     ERR_CERT_EXPIRED);
    fixture_init(&stranger, 2);
    fixture_identity(&stranger, 51, "rack-1", TIER_REGIONAL, "eu-west", &strange);
    n = node_of(&strange);
    assert_true(check_node(&n, FIXTURE_NOW_MS, &got) != ERR_OK);
    buf_init_fixed(&admins, place, sizeof(place));
    fixture_chain(&f, 1, &admins); /* an administrator is no node */
    n = node_of(&owner);
    n.chain = buf_bytes(&admins);
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_CERT_SCOPE);
    n.chain = BYTES("");
    assert_int_equal(check_node(&n, FIXTURE_NOW_MS, &got), ERR_INVALID);
}

static void other_kinds_are_judged_by_their_form(void **state)
{
    assert_int_equal(check_bytes(GOSSIP_LEAVE, BYTES(""), NULL), ERR_OK);
    assert_int_equal(check_bytes(GOSSIP_LEAVE, BYTES("x"), NULL), ERR_INVALID);
    assert_int_equal(check_bytes(GOSSIP_LOAD, BYTES(""), NULL), ERR_OK);
    assert_int_equal(check_bytes(GOSSIP_LOAD, BYTES("\x08\x05\x10\x06"), NULL), ERR_OK);
    assert_int_equal(check_bytes(GOSSIP_LOAD, BYTES("\xff\xff\xff"), NULL), ERR_INVALID);
    assert_int_equal(check_bytes(GOSSIP_INVENTORY, BYTES(""), NULL), ERR_OK);
    assert_int_equal(check_bytes(GOSSIP_INVENTORY, BYTES("\x0a\x01"), NULL), ERR_INVALID);
    assert_int_equal(check_bytes(GOSSIP_SUMMARY, BYTES(""), NULL), ERR_OK);
    assert_int_equal(check_bytes(GOSSIP_SUMMARY, BYTES("\x0a\x01"), NULL), ERR_INVALID);
}

static void two_nodes_share_a_secret_that_no_third_has(void **state)
{
    struct identity third;
    uint8_t here[32], there[32], elsewhere[32];
    fixture_identity(&f, 52, "rack-2", TIER_REGIONAL, "eu-west", &third);
    assert_int_equal(gossip_payload_ops.share(&mesh, owner.public_key, here), ERR_OK);
    assert_int_equal(gossip_payload_ops.share(&other, own.public_key, there), ERR_OK);
    assert_memory_equal(here, there, sizeof(here));
    assert_int_equal(gossip_payload_ops.share(&mesh, third.public_key, elsewhere), ERR_OK);
    assert_memory_not_equal(here, elsewhere, sizeof(here));
}

static void a_key_that_is_no_point_shares_nothing(void **state)
{
    static const uint8_t zero[CRYPTO_PUBLIC_SIZE];
    uint8_t secret[32];
    assert_int_equal(gossip_payload_ops.share(&mesh, zero, secret), ERR_INVALID);
}

static void a_signature_is_its_owner_s(void **state)
{
    uint8_t signature[CRYPTO_SIGNATURE_SIZE];
    gossip_payload_ops.sign(&mesh, BYTES("said"), signature);
    assert_true(gossip_payload_ops.verify(&other, own.public_key, BYTES("said"), signature));
    assert_false(gossip_payload_ops.verify(&other, own.public_key, BYTES("else"), signature));
    assert_false(gossip_payload_ops.verify(&other, owner.public_key, BYTES("said"), signature));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_within_its_certificate_is_believed),
        cmocka_unit_test(whoever_claims_more_than_its_certificate_is_not),
        cmocka_unit_test(a_chain_that_does_not_hold_is_not_believed),
        cmocka_unit_test(a_revoked_node_is_not_believed),
        cmocka_unit_test(other_kinds_are_judged_by_their_form),
        cmocka_unit_test(two_nodes_share_a_secret_that_no_third_has),
        cmocka_unit_test(a_key_that_is_no_point_shares_nothing),
        cmocka_unit_test(a_signature_is_its_owner_s),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
