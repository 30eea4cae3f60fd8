/* Certificate chains: what verifies, and for every way to forge one, why it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/trust/wire.h"
#include "tests/support/trust_fixture.h"

struct chain_text {
    uint8_t space[CERT_CHAIN_SIZE_MAX];
    struct buf buf;
};

static void empty(struct chain_text *c)
{
    buf_init_fixed(&c->buf, c->space, sizeof(c->space));
}

static void make_chain(const struct fixture *f, size_t count, struct chain_text *ret_chain)
{
    empty(ret_chain);
    fixture_chain(f, count, &ret_chain->buf);
}

static enum err verify_at(const struct fixture *f, const struct chain_text *c, uint64_t now_ms)
{
    struct cert_chain chain;
    return cert_chain_verify(buf_bytes(&c->buf), f->root.public_key, now_ms, &chain);
}

/* Verifies the chain of a fixture whose certificates were bent. */
static enum err verify_bent(const struct fixture *f)
{
    struct chain_text c;
    make_chain(f, 3, &c);
    return verify_at(f, &c, FIXTURE_NOW_MS);
}

/* --- what holds --- */

static void a_chain_verifies_and_decodes_to_what_was_issued(void **state)
{
    struct fixture f;
    struct chain_text c;
    struct cert_chain chain;
    fixture_init(&f, 1);
    for (size_t count = 1; count <= 3; count++) {
        make_chain(&f, count, &c);
        assert_int_equal(
            cert_chain_verify(buf_bytes(&c.buf), f.root.public_key, FIXTURE_NOW_MS, &chain),
            ERR_OK);
        assert_int_equal(chain.count, count);
        assert_memory_equal(chain.root, f.root.public_key, CRYPTO_PUBLIC_SIZE);
    }
    const struct cert *node = cert_leaf(&chain);
    assert_int_equal(node->kind, CERT_NODE);
    assert_string_equal(node->name, "edge-1");
    assert_string_equal(node->region, "eu-west");
    assert_int_equal(node->tier, TIER_EDGE);
    assert_memory_equal(node->subject, f.node.public_key, CRYPTO_PUBLIC_SIZE);
    assert_memory_equal(node->issuer, f.invitation.public_key, CRYPTO_PUBLIC_SIZE);
    assert_int_equal(node->not_after_ms, f.node_cert.not_after_ms);
    assert_int_equal(chain.certs[1].uses, 1);
    assert_int_equal(chain.certs[1].join_until_ms, f.invitation_cert.join_until_ms);
    assert_true(id_equal(&node->serial, &f.node_cert.serial));
}

static void the_same_certificate_has_the_same_bytes(void **state)
{
    struct fixture f;
    struct chain_text a, b;
    fixture_init(&f, 1);
    make_chain(&f, 3, &a);
    make_chain(&f, 3, &b);
    assert_true(bytes_equal(buf_bytes(&a.buf), buf_bytes(&b.buf)));
}

static void a_scope_may_narrow_along_the_chain(void **state)
{
    struct fixture f;
    fixture_init(&f, 1);
    f.invitation_cert.tier = TIER_EDGE;
    FIXTURE_SET(f.invitation_cert.region, "eu-west");
    assert_int_equal(verify_bent(&f), ERR_OK);
    FIXTURE_SET(f.admin_cert.region, "eu-west");
    f.admin_cert.tier = TIER_EDGE;
    assert_int_equal(verify_bent(&f), ERR_OK);
}

static void validity_tolerates_the_skew_of_clocks_and_no_more(void **state)
{
    struct fixture f;
    struct chain_text c;
    fixture_init(&f, 1);
    make_chain(&f, 3, &c);
    uint64_t first_ms = f.node_cert.not_before_ms, last_ms = f.node_cert.not_after_ms;
    assert_int_equal(verify_at(&f, &c, first_ms - CERT_SKEW_MS), ERR_OK);
    assert_int_equal(verify_at(&f, &c, first_ms - CERT_SKEW_MS - 1), ERR_CERT_EXPIRED);
    assert_int_equal(verify_at(&f, &c, last_ms + CERT_SKEW_MS), ERR_OK);
    assert_int_equal(verify_at(&f, &c, last_ms + CERT_SKEW_MS + 1), ERR_CERT_EXPIRED);
    assert_int_equal(verify_at(&f, &c, 0), ERR_CERT_EXPIRED);
    assert_int_equal(verify_at(&f, &c, UINT64_MAX), ERR_CERT_EXPIRED);
}

/* --- forgeries --- */

static void any_altered_byte_is_refused(void **state)
{
    struct fixture f;
    struct chain_text c;
    fixture_init(&f, 1);
    make_chain(&f, 3, &c);
    for (size_t i = 0; i < c.buf.size; i++) {
        for (unsigned bit = 0; bit < 8; bit += 3) {
            c.space[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_OK);
            c.space[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_OK);
}

static void a_chain_cut_in_a_certificate_is_malformed(void **state)
{
    struct fixture f;
    struct chain_text c;
    struct cert_chain chain = {.count = 99};
    fixture_init(&f, 1);
    make_chain(&f, 1, &c);
    size_t one = c.buf.size;
    make_chain(&f, 2, &c);
    size_t two = c.buf.size;
    make_chain(&f, 3, &c);
    for (size_t size = 0; size < c.buf.size; size++) {
        enum err expected = size == one || size == two ? ERR_OK : ERR_INVALID;
        uint8_t *exact = test_malloc(size ? size : 1); /* a read past the end is seen */
        memcpy(exact, c.space, size);
        assert_int_equal(cert_chain_decode(bytes_of(exact, size), &chain), expected);
        test_free(exact);
        if (size < one)
            assert_int_equal(chain.count, 99); /* untouched on failure */
    }
}

static void a_certificate_signed_by_another_key_is_refused(void **state)
{
    struct fixture f;
    struct fixture_key stranger;
    struct chain_text c;
    fixture_init(&f, 1);
    fixture_key(200, &stranger);
    memcpy(f.node_cert.issuer, stranger.public_key, CRYPTO_PUBLIC_SIZE);
    make_chain(&f, 2, &c);
    fixture_issue(&f.node_cert, &stranger, &c.buf);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_BAD_SIGNATURE);
}

/* cert_issue would not make it, so it is signed by hand, over the bytes that cert.h promises. */
static void sign_by_hand(const struct cert *cert, const struct fixture_key *key, struct buf *chain)
{
    uint8_t message[24 + CERT_RECORD_MAX] = "grapevine certificate 1";
    struct trust_wire_link link;
    struct buf record;
    buf_init_fixed(&record, message + 24, CERT_RECORD_MAX);
    assert_int_equal(trust_wire_cert_encode(cert, &record), ERR_OK);
    link.record = buf_bytes(&record);
    crypto_sign(key->secret, bytes_of(message, 24 + record.size), link.signature);
    assert_int_equal(trust_wire_chain_append(&link, chain), ERR_OK);
}

static void a_certificate_that_names_another_issuer_is_refused(void **state)
{
    struct fixture f;
    struct chain_text c;
    fixture_init(&f, 1);
    make_chain(&f, 2, &c);
    sign_by_hand(&f.node_cert, &f.invitation, &c.buf);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_OK);
    f.node_cert.issuer[0] ^= 1;
    make_chain(&f, 2, &c);
    sign_by_hand(&f.node_cert, &f.invitation, &c.buf);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_BAD_SIGNATURE);
}

static void a_well_signed_certificate_out_of_shape_is_malformed(void **state)
{
    struct fixture f;
    struct chain_text c;
    struct cert_chain chain;
    fixture_init(&f, 1);
    FIXTURE_SET(f.node_cert.name, "Edge 1");
    make_chain(&f, 2, &c);
    sign_by_hand(&f.node_cert, &f.invitation, &c.buf);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_INVALID);
    assert_int_equal(cert_chain_decode(buf_bytes(&c.buf), &chain), ERR_INVALID);
}

static void a_chain_under_a_stranger_who_claims_the_mesh_is_refused(void **state)
{
    struct fixture f, forger;
    struct chain_text c;
    fixture_init(&f, 1);
    fixture_init(&forger, 2);
    forger.admin_cert.mesh = forger.invitation_cert.mesh = forger.node_cert.mesh = f.node_cert.mesh;
    make_chain(&forger, 3, &c);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_BAD_SIGNATURE);
}

static void a_chain_of_another_mesh_says_so(void **state)
{
    struct fixture f, other;
    struct chain_text c;
    fixture_init(&f, 1);
    fixture_init(&other, 2);
    make_chain(&other, 3, &c);
    assert_int_equal(verify_at(&other, &c, FIXTURE_NOW_MS), ERR_OK);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_WRONG_MESH);
}

static void one_certificate_of_another_mesh_in_the_chain_is_refused(void **state)
{
    struct fixture f;
    fixture_init(&f, 1);
    f.node_cert.mesh.bytes[3] ^= 1;
    assert_int_equal(verify_bent(&f), ERR_WRONG_MESH);
}

static void a_wider_tier_or_region_is_refused(void **state)
{
    struct fixture f;
    fixture_init(&f, 1);
    f.invitation_cert.tier = TIER_CLOUD;
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
    fixture_init(&f, 1);
    FIXTURE_SET(f.invitation_cert.region, "us-east");
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
    fixture_init(&f, 1);
    FIXTURE_SET(f.invitation_cert.region, "eu-west");
    f.node_cert.region[0] = '\0';
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
    fixture_init(&f, 1);
    f.admin_cert.tier = TIER_EDGE; /* the invitation says "any" */
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
    fixture_init(&f, 1);
    FIXTURE_SET(f.admin_cert.region, "eu-west");
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
}

static void a_longer_validity_is_refused(void **state)
{
    struct fixture f;
    fixture_init(&f, 1);
    f.node_cert.not_after_ms = f.invitation_cert.not_after_ms + 1;
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
    fixture_init(&f, 1);
    f.node_cert.not_before_ms = f.invitation_cert.not_before_ms - 1;
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
    fixture_init(&f, 1);
    f.invitation_cert.not_after_ms = f.admin_cert.not_after_ms + 1;
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
}

static void a_node_that_joined_after_the_invitation_closed_is_refused(void **state)
{
    struct fixture f;
    fixture_init(&f, 1);
    f.invitation_cert.join_until_ms = FIXTURE_NOW_MS - 1000;
    f.node_cert.not_before_ms = FIXTURE_NOW_MS - 1000;
    assert_int_equal(verify_bent(&f), ERR_OK);
    f.node_cert.not_before_ms = FIXTURE_NOW_MS - 999;
    assert_int_equal(verify_bent(&f), ERR_CERT_SCOPE);
}

static void an_expired_link_anywhere_expires_the_chain(void **state)
{
    uint64_t past_ms = FIXTURE_NOW_MS - CERT_SKEW_MS - 1;
    struct fixture f;
    fixture_init(&f, 1);
    f.node_cert.not_after_ms = past_ms;
    assert_int_equal(verify_bent(&f), ERR_CERT_EXPIRED);
    f.invitation_cert.not_after_ms = past_ms;
    f.invitation_cert.join_until_ms = 0;
    assert_int_equal(verify_bent(&f), ERR_CERT_EXPIRED);
    f.admin_cert.not_after_ms = past_ms;
    assert_int_equal(verify_bent(&f), ERR_CERT_EXPIRED);
}

static void kinds_out_of_order_are_refused(void **state)
{
    struct fixture f;
    struct chain_text c;
    fixture_init(&f, 1);

    memcpy(f.node_cert.issuer, f.admin.public_key, CRYPTO_PUBLIC_SIZE);
    empty(&c);
    fixture_issue(&f.admin_cert, &f.root, &c.buf);
    fixture_issue(&f.node_cert, &f.admin, &c.buf); /* no invitation between */
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_CERT_SCOPE);

    fixture_init(&f, 1);
    memcpy(f.invitation_cert.issuer, f.root.public_key, CRYPTO_PUBLIC_SIZE);
    empty(&c);
    fixture_issue(&f.invitation_cert, &f.root, &c.buf); /* straight from the root */
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_CERT_SCOPE);
}

static void an_administrator_can_certify_another(void **state)
{
    struct fixture f;
    struct chain_text c;
    struct fixture_key other;
    fixture_init(&f, 1);
    fixture_key(77, &other);
    struct cert another = f.admin_cert;
    memcpy(another.subject, other.public_key, CRYPTO_PUBLIC_SIZE);
    memcpy(another.issuer, f.admin.public_key, CRYPTO_PUBLIC_SIZE);
    memcpy(f.invitation_cert.issuer, other.public_key, CRYPTO_PUBLIC_SIZE);
    empty(&c);
    fixture_issue(&f.admin_cert, &f.root, &c.buf);
    fixture_issue(&another, &f.admin, &c.buf);
    fixture_issue(&f.invitation_cert, &other, &c.buf);
    fixture_issue(&f.node_cert, &f.invitation, &c.buf);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_OK);
}

static void a_node_cannot_sign_certificates(void **state)
{
    struct fixture f;
    struct chain_text c;
    fixture_init(&f, 1);
    const struct cert *next[] = {&f.node_cert, &f.invitation_cert, &f.admin_cert};
    for (size_t i = 0; i < 3; i++) {
        struct cert forged = *next[i];
        memcpy(forged.issuer, f.node.public_key, CRYPTO_PUBLIC_SIZE);
        make_chain(&f, 3, &c);
        fixture_issue(&forged, &f.node, &c.buf);
        assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_CERT_SCOPE);
    }
}

static void more_certificates_than_a_chain_holds_are_malformed(void **state)
{
    struct fixture f;
    struct chain_text c;
    fixture_init(&f, 1);
    empty(&c);
    for (int i = 0; i <= CERT_CHAIN_MAX; i++)
        fixture_issue(&f.admin_cert, &f.root, &c.buf);
    assert_int_equal(verify_at(&f, &c, FIXTURE_NOW_MS), ERR_INVALID);
}

/* --- issuing --- */

static void assert_not_issued(const struct fixture *f, const struct cert *cert)
{
    struct chain_text c;
    empty(&c);
    const struct fixture_key *issuer = cert->kind == CERT_NODE ? &f->invitation : &f->admin;
    assert_int_equal(cert_issue(cert, issuer->secret, &c.buf), ERR_INVALID);
    assert_int_equal(c.buf.size, 0);
}

static void certificates_out_of_shape_are_not_issued(void **state)
{
    struct fixture f;
    fixture_init(&f, 1);
    struct cert cert = f.node_cert;
    cert.tier = TIER_ANY;
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.name[0] = '\0';
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    FIXTURE_SET(cert.region, "EU");
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.uses = 1;
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.not_after_ms = cert.not_before_ms;
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.not_after_ms = CERT_TIME_MS_MAX + 1;
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.join_until_ms = FIXTURE_NOW_MS;
    assert_not_issued(&f, &cert);
    cert = f.invitation_cert;
    cert.uses = 0;
    assert_not_issued(&f, &cert);
    cert = f.invitation_cert;
    FIXTURE_SET(cert.name, "name");
    assert_not_issued(&f, &cert);
    cert = f.invitation_cert;
    cert.join_until_ms = cert.not_after_ms + 1;
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.kind = (enum cert_kind)4;
    assert_not_issued(&f, &cert);
    cert = f.node_cert;
    cert.issuer[0] ^= 1; /* not the key that signs */
    assert_not_issued(&f, &cert);
}

static void names_are_labels_as_in_dns(void **state)
{
    static const char *const GOOD[] = {"a", "0", "edge-1", "a--b", "eu-west"};
    static const char *const BAD[] = {"", "-a", "a-", "A", "a.b", "a b", "a_b", "\xc3\xa9", "-"};
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        assert_true(cert_name_is_valid(bytes_from_str(GOOD[i])));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_false(cert_name_is_valid(bytes_from_str(BAD[i])));
    assert_false(cert_name_is_valid(bytes_of("a\0b", 3)));
    char longest[CERT_NAME_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    assert_true(cert_name_is_valid(bytes_of(longest, CERT_NAME_MAX)));
    assert_false(cert_name_is_valid(bytes_of(longest, CERT_NAME_MAX + 1)));
}

static void tiers_have_names_both_ways(void **state)
{
    for (int t = TIER_ANY; t <= TIER_CLOUD; t++) {
        enum tier back = TIER_ANY;
        assert_int_equal(tier_parse(bytes_from_str(tier_name((enum tier)t)), &back), ERR_OK);
        assert_int_equal(back, t);
    }
    enum tier untouched = TIER_CLOUD;
    assert_int_equal(tier_parse(BYTES("moon"), &untouched), ERR_INVALID);
    assert_int_equal(tier_parse(BYTES("Edge"), &untouched), ERR_INVALID);
    assert_int_equal(untouched, TIER_CLOUD);
}

/* --- identity --- */

static void an_identity_joins_key_and_certificates(void **state)
{
    struct fixture f;
    struct chain_text c;
    struct identity identity;
    fixture_init(&f, 1);
    make_chain(&f, 3, &c);
    assert_int_equal(
        identity_init(&identity, f.node.seed, f.root.public_key, buf_bytes(&c.buf), FIXTURE_NOW_MS),
        ERR_OK);
    struct id node = id_of_public_key(f.node.public_key);
    assert_true(id_equal(&identity.node, &node));
    assert_true(id_equal(&identity.mesh, &f.node_cert.mesh));
    assert_string_equal(identity.cert.name, "edge-1");
    assert_true(bytes_equal(bytes_of(identity.chain, identity.chain_size), buf_bytes(&c.buf)));
    assert_memory_equal(identity.secret, f.node.secret, CRYPTO_SECRET_SIZE);

    identity_wipe(&identity);
    struct identity nothing;
    memset(&nothing, 0, sizeof(nothing));
    assert_memory_equal(&identity, &nothing, sizeof(nothing));
}

static void an_identity_of_anything_but_its_own_node_certificate_is_refused(void **state)
{
    struct fixture f, other;
    struct chain_text c;
    struct identity identity;
    fixture_init(&f, 1);
    fixture_init(&other, 2);
    make_chain(&f, 3, &c);
    struct bytes chain = buf_bytes(&c.buf);
    const uint8_t *root = f.root.public_key;
    assert_int_equal(identity_init(&identity, f.admin.seed, root, chain, FIXTURE_NOW_MS),
                     ERR_INVALID);
    assert_int_equal(
        identity_init(&identity, f.node.seed, other.root.public_key, chain, FIXTURE_NOW_MS),
        ERR_WRONG_MESH);
    assert_int_equal(identity_init(&identity, f.node.seed, root, chain, 0), ERR_CERT_EXPIRED);
    make_chain(&f, 2, &c);
    assert_int_equal(
        identity_init(&identity, f.invitation.seed, root, buf_bytes(&c.buf), FIXTURE_NOW_MS),
        ERR_CERT_SCOPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_verifies_and_decodes_to_what_was_issued),
        cmocka_unit_test(the_same_certificate_has_the_same_bytes),
        cmocka_unit_test(a_scope_may_narrow_along_the_chain),
        cmocka_unit_test(validity_tolerates_the_skew_of_clocks_and_no_more),
        cmocka_unit_test(any_altered_byte_is_refused),
        cmocka_unit_test(a_chain_cut_in_a_certificate_is_malformed),
        cmocka_unit_test(a_certificate_signed_by_another_key_is_refused),
        cmocka_unit_test(a_certificate_that_names_another_issuer_is_refused),
        cmocka_unit_test(a_well_signed_certificate_out_of_shape_is_malformed),
        cmocka_unit_test(a_chain_under_a_stranger_who_claims_the_mesh_is_refused),
        cmocka_unit_test(a_chain_of_another_mesh_says_so),
        cmocka_unit_test(one_certificate_of_another_mesh_in_the_chain_is_refused),
        cmocka_unit_test(a_wider_tier_or_region_is_refused),
        cmocka_unit_test(a_longer_validity_is_refused),
        cmocka_unit_test(a_node_that_joined_after_the_invitation_closed_is_refused),
        cmocka_unit_test(an_expired_link_anywhere_expires_the_chain),
        cmocka_unit_test(kinds_out_of_order_are_refused),
        cmocka_unit_test(an_administrator_can_certify_another),
        cmocka_unit_test(a_node_cannot_sign_certificates),
        cmocka_unit_test(more_certificates_than_a_chain_holds_are_malformed),
        cmocka_unit_test(certificates_out_of_shape_are_not_issued),
        cmocka_unit_test(names_are_labels_as_in_dns),
        cmocka_unit_test(tiers_have_names_both_ways),
        cmocka_unit_test(an_identity_joins_key_and_certificates),
        cmocka_unit_test(an_identity_of_anything_but_its_own_node_certificate_is_refused),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
