/* Key rings: what is made verifies, what was altered or signed by the wrong hand does not, and all
 * nodes agree which of two is the newer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/trust/wire.h"
#include "tests/support/trust_fixture.h"

#define NOW FIXTURE_NOW_MS

struct world {
    struct fixture f;
    uint8_t chain_space[CERT_CHAIN_SIZE_MAX];
    struct buf chain;
    struct keyring_author author;
    uint8_t space[2 * KEYRING_SIZE_MAX];
    struct buf out;
};

static void author_is(struct world *w, const struct fixture_key *key)
{
    w->author = (struct keyring_author){
        .seed = key->seed, .root = w->f.root.public_key, .chain = buf_bytes(&w->chain)};
}

static int setup(void **state)
{
    static struct world w;
    fixture_init(&w.f, 1);
    buf_init_fixed(&w.chain, w.chain_space, sizeof(w.chain_space));
    buf_init_fixed(&w.out, w.space, sizeof(w.space));
    fixture_chain(&w.f, 1, &w.chain);
    author_is(&w, &w.f.admin);
    *state = &w;
    return 0;
}

static struct keyring make(struct world *w, const struct keyring *previous, uint64_t now_ms)
{
    struct keyring ring;
    buf_clear(&w->out);
    assert_int_equal(keyring_make(&w->author, previous, now_ms, &w->out), ERR_OK);
    assert_int_equal(keyring_verify(buf_bytes(&w->out), w->f.root.public_key, now_ms, &ring),
                     ERR_OK);
    return ring;
}

static enum err verify(const struct world *w)
{
    struct keyring ring;
    return keyring_verify(buf_bytes(&w->out), w->f.root.public_key, NOW, &ring);
}

static void the_first_ring_has_one_random_key(void **state)
{
    struct world *w = *state;
    struct keyring a = make(w, NULL, NOW), b = make(w, NULL, NOW);
    struct id mesh = id_of_public_key(w->f.root.public_key);
    assert_int_equal(a.version, 1);
    assert_int_equal(a.key_count, 1);
    assert_int_equal(a.made_ms, NOW);
    assert_true(id_equal(&a.mesh, &mesh));
    assert_memory_not_equal(a.keys[0], b.keys[0], KEYRING_KEY_SIZE);
}

static void the_next_ring_keeps_the_last_key_to_open_with(void **state)
{
    struct world *w = *state;
    struct keyring one = make(w, NULL, NOW);
    struct keyring two = make(w, &one, NOW + 1);
    struct keyring three = make(w, &two, NOW + 2);
    assert_int_equal(three.version, 3);
    assert_int_equal(three.key_count, 2);
    assert_memory_equal(two.keys[1], one.keys[0], KEYRING_KEY_SIZE);
    assert_memory_equal(three.keys[1], two.keys[0], KEYRING_KEY_SIZE);
    assert_memory_not_equal(three.keys[0], two.keys[0], KEYRING_KEY_SIZE);
}

static void no_bit_of_a_ring_can_be_changed(void **state)
{
    struct world *w = *state;
    struct keyring one = make(w, NULL, NOW);
    make(w, &one, NOW);
    for (size_t i = 0; i < w->out.size; i++) {
        w->out.data[i] ^= 1;
        assert_int_not_equal(verify(w), ERR_OK);
        w->out.data[i] ^= 1;
    }
    assert_int_equal(verify(w), ERR_OK);
}

static void no_part_of_a_ring_is_a_ring(void **state)
{
    struct world *w = *state;
    make(w, NULL, NOW);
    size_t size = w->out.size;
    for (w->out.size = 0; w->out.size < size; w->out.size++)
        assert_int_not_equal(verify(w), ERR_OK);
    assert_int_equal(buf_append_byte(&w->out, 0), ERR_OK);
    assert_int_equal(verify(w), ERR_INVALID);
}

static void another_meshs_ring_is_refused(void **state)
{
    struct world *w = *state;
    struct fixture other;
    struct keyring ring;
    fixture_init(&other, 2);
    make(w, NULL, NOW);
    assert_int_equal(keyring_verify(buf_bytes(&w->out), other.root.public_key, NOW, &ring),
                     ERR_WRONG_MESH);
}

static void another_meshs_ring_is_not_continued(void **state)
{
    struct world *w = *state;
    struct keyring one = make(w, NULL, NOW);
    one.mesh.bytes[0] ^= 1;
    assert_int_equal(keyring_make(&w->author, &one, NOW, &w->out), ERR_WRONG_MESH);
}

static void a_key_that_is_not_the_certificates_cannot_make_one(void **state)
{
    struct world *w = *state;
    author_is(w, &w->f.node);
    assert_int_equal(keyring_make(&w->author, NULL, NOW, &w->out), ERR_BAD_SIGNATURE);
    assert_int_equal(w->out.size, 0);
}

static void a_node_cannot_make_one(void **state)
{
    struct world *w = *state;
    buf_clear(&w->chain);
    fixture_chain(&w->f, 3, &w->chain);
    author_is(w, &w->f.node);
    assert_int_equal(keyring_make(&w->author, NULL, NOW, &w->out), ERR_CERT_SCOPE);
}

/* Signed as it should be, but by a node's key and chain. */
static void a_ring_signed_by_a_node_is_refused(void **state)
{
    struct world *w = *state;
    struct trust_wire_signed s;
    uint8_t space[2 * KEYRING_SIZE_MAX], message[256];
    struct buf again;
    make(w, NULL, NOW);
    assert_int_equal(trust_wire_signed_decode(buf_bytes(&w->out), &s), ERR_OK);
    size_t context = sizeof("grapevine key ring 1");
    memcpy(message, "grapevine key ring 1", context);
    memcpy(message + context, s.record.data, s.record.size);
    crypto_sign(w->f.node.secret, bytes_of(message, context + s.record.size), s.signature);
    buf_clear(&w->chain);
    fixture_chain(&w->f, 3, &w->chain);
    s.certificates = buf_bytes(&w->chain);
    buf_init_fixed(&again, space, sizeof(space));
    assert_int_equal(trust_wire_signed_encode(&s, &again), ERR_OK);
    struct keyring ring;
    assert_int_equal(keyring_verify(buf_bytes(&again), w->f.root.public_key, NOW, &ring),
                     ERR_CERT_SCOPE);
}

static void an_administrator_of_one_region_or_tier_cannot_make_one(void **state)
{
    struct world *w = *state;
    FIXTURE_SET(w->f.admin_cert.region, "eu-west");
    buf_clear(&w->chain);
    fixture_chain(&w->f, 1, &w->chain);
    author_is(w, &w->f.admin);
    assert_int_equal(keyring_make(&w->author, NULL, NOW, &w->out), ERR_CERT_SCOPE);
    FIXTURE_SET(w->f.admin_cert.region, "");
    w->f.admin_cert.tier = TIER_EDGE;
    buf_clear(&w->chain);
    fixture_chain(&w->f, 1, &w->chain);
    author_is(w, &w->f.admin);
    assert_int_equal(keyring_make(&w->author, NULL, NOW, &w->out), ERR_CERT_SCOPE);
}

static void an_administrator_whose_time_is_over_is_not_believed(void **state)
{
    struct world *w = *state;
    struct keyring ring;
    uint64_t later_ms = w->f.admin_cert.not_after_ms + CERT_SKEW_MS + 1;
    make(w, NULL, NOW);
    assert_int_equal(keyring_verify(buf_bytes(&w->out), w->f.root.public_key, later_ms, &ring),
                     ERR_CERT_EXPIRED);
    assert_int_equal(keyring_make(&w->author, NULL, later_ms, &w->out), ERR_CERT_EXPIRED);
}

static enum err shape(struct world *w, const struct keyring *ring)
{
    uint8_t space[KEYRING_RECORD_MAX + 64];
    struct buf record;
    struct trust_wire_signed s = {.certificates = buf_bytes(&w->chain)};
    struct keyring back;
    buf_init_fixed(&record, space, sizeof(space));
    assert_int_equal(trust_wire_keyring_encode(ring, &record), ERR_OK);
    s.record = buf_bytes(&record);
    buf_clear(&w->out);
    assert_int_equal(trust_wire_signed_encode(&s, &w->out), ERR_OK);
    return keyring_decode(buf_bytes(&w->out), &back);
}

static void rings_out_of_shape_are_malformed(void **state)
{
    struct world *w = *state;
    struct keyring good = make(w, NULL, NOW), bad;
    assert_int_equal(shape(w, &good), ERR_OK);
    bad = good;
    bad.version = 0;
    assert_int_equal(shape(w, &bad), ERR_INVALID);
    bad.version = KEYRING_VERSION_MAX + 1;
    assert_int_equal(shape(w, &bad), ERR_INVALID);
    bad = good;
    bad.key_count = 0;
    assert_int_equal(shape(w, &bad), ERR_INVALID);
    bad.key_count = 2;
    memcpy(bad.keys[1], bad.keys[0], KEYRING_KEY_SIZE);
    assert_int_equal(shape(w, &bad), ERR_INVALID);
    bad = good;
    bad.made_ms = CERT_TIME_MS_MAX + 1;
    assert_int_equal(shape(w, &bad), ERR_INVALID);
}

static void of_two_rings_everybody_keeps_the_same_one(void **state)
{
    struct world *w = *state;
    struct keyring one = make(w, NULL, NOW);
    struct keyring early = make(w, &one, NOW + 1);
    struct keyring late = make(w, &one, NOW + 2);
    struct keyring twin = make(w, &one, NOW + 2);
    assert_true(keyring_is_newer(&early, &one));
    assert_false(keyring_is_newer(&one, &early));
    assert_true(keyring_is_newer(&late, &early));
    assert_false(keyring_is_newer(&early, &late));
    assert_true(keyring_is_newer(&twin, &late) != keyring_is_newer(&late, &twin));
    assert_false(keyring_is_newer(&late, &late));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_ring_has_one_random_key, setup),
        cmocka_unit_test_setup(the_next_ring_keeps_the_last_key_to_open_with, setup),
        cmocka_unit_test_setup(no_bit_of_a_ring_can_be_changed, setup),
        cmocka_unit_test_setup(no_part_of_a_ring_is_a_ring, setup),
        cmocka_unit_test_setup(another_meshs_ring_is_refused, setup),
        cmocka_unit_test_setup(another_meshs_ring_is_not_continued, setup),
        cmocka_unit_test_setup(a_key_that_is_not_the_certificates_cannot_make_one, setup),
        cmocka_unit_test_setup(a_node_cannot_make_one, setup),
        cmocka_unit_test_setup(a_ring_signed_by_a_node_is_refused, setup),
        cmocka_unit_test_setup(an_administrator_of_one_region_or_tier_cannot_make_one, setup),
        cmocka_unit_test_setup(an_administrator_whose_time_is_over_is_not_believed, setup),
        cmocka_unit_test_setup(rings_out_of_shape_are_malformed, setup),
        cmocka_unit_test_setup(of_two_rings_everybody_keeps_the_same_one, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
