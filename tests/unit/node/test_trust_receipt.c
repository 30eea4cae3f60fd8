/* Receipt chains: one to four hops verify; re-arranged, shortened, altered or forged ones do
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/trust_fixture.h"

static struct fixture the_mesh(void)
{
    struct fixture f;
    fixture_init(&f, 1);
    return f;
}

static enum err verify(const struct receipt_entry *entries, size_t count)
{
    struct fixture f = the_mesh();
    const char *detail = NULL;
    enum err e = receipt_chain_verify(entries, count, f.root.public_key, &detail);
    assert_true((e == ERR_OK) == (detail == NULL));
    return e;
}

static void make(size_t count, struct fixture_receipts *ret_chain)
{
    struct fixture f = the_mesh();
    fixture_receipts(&f, count, ret_chain);
}

/* --- records --- */

static void a_receipt_comes_back_as_it_was(void **state)
{
    struct fixture_receipts chain;
    struct receipt back;
    make(2, &chain);
    const struct receipt *r = &chain.receipts[1];
    assert_int_equal(receipt_decode(chain.entries[1].record, &back), ERR_OK);
    assert_string_equal(back.request_id, r->request_id);
    assert_true(id_equal(&back.mesh, &r->mesh) && id_equal(&back.node, &r->node));
    assert_int_equal(back.role, RECEIPT_EXECUTOR);
    assert_string_equal(back.name, "node-1");
    assert_string_equal(back.region, "eu-west");
    assert_int_equal(back.hop, 1);
    assert_int_equal(back.epoch, 7);
    assert_true(bytes_equal(back.model, r->model) && bytes_equal(back.backend, r->backend));
    assert_true(bytes_equal(back.reason, r->reason));
    assert_int_equal(back.attempts, 1);
    assert_int_equal(back.status, 200);
    assert_int_equal(back.facts_age_ms, 250);
    assert_int_equal(back.started_ms, r->started_ms);
    assert_int_equal(back.first_byte_ms, 20);
    assert_int_equal(back.duration_ms, 399);
    assert_int_equal(back.request_bytes, 1024);
    assert_int_equal(back.answer_bytes, 2048);
    assert_memory_equal(back.request_hash, r->request_hash, CRYPTO_HASH_SIZE);
    assert_memory_equal(back.answer_hash, r->answer_hash, CRYPTO_HASH_SIZE);
    assert_memory_equal(back.previous, r->previous, CRYPTO_HASH_SIZE);
}

static void assert_not_encoded(const struct receipt *r)
{
    uint8_t space[RECEIPT_RECORD_MAX];
    struct buf record;
    buf_init_fixed(&record, space, sizeof(space));
    assert_int_equal(receipt_encode(r, &record), ERR_INVALID);
    assert_int_equal(record.size, 0);
}

static void a_receipt_out_of_shape_is_not_encoded(void **state)
{
    struct fixture_receipts chain;
    make(1, &chain);
    struct receipt r = chain.receipts[0];
    r.role = (enum receipt_role)4;
    assert_not_encoded(&r);
    r = chain.receipts[0];
    r.request_id[0] = '\0';
    assert_not_encoded(&r);
    r = chain.receipts[0];
    FIXTURE_SET(r.name, "Node");
    assert_not_encoded(&r);
    r = chain.receipts[0];
    r.reason = BYTES("two\nlines");
    assert_not_encoded(&r);
    r = chain.receipts[0];
    r.hop = RECEIPT_HOPS_MAX;
    assert_not_encoded(&r);
    r = chain.receipts[0];
    r.answer_bytes = RECEIPT_NUMBER_MAX + 1;
    assert_not_encoded(&r);
    r = chain.receipts[0];
    r.status = 1000;
    assert_not_encoded(&r);
}

static void the_longest_fields_fit_into_a_record(void **state)
{
    struct fixture_receipts chain;
    uint8_t space[RECEIPT_RECORD_MAX];
    struct buf record;
    static char model[256], backend[63];
    make(1, &chain);
    struct receipt r = chain.receipts[0];
    memset(model, 'm', sizeof(model));
    memset(backend, 'b', sizeof(backend));
    memset(r.request_id, 'r', REQUEST_ID_MAX);
    memset(r.name, 'n', CERT_NAME_MAX);
    memset(r.region, 'g', CERT_NAME_MAX);
    r.model = bytes_of(model, sizeof(model));
    r.backend = bytes_of(backend, sizeof(backend));
    r.epoch = r.facts_age_ms = r.started_ms = r.first_byte_ms = r.duration_ms = r.request_bytes =
        r.answer_bytes = RECEIPT_NUMBER_MAX;
    buf_init_fixed(&record, space, sizeof(space));
    assert_int_equal(receipt_encode(&r, &record), ERR_OK);
}

/* --- chains that hold --- */

static void chains_of_one_to_four_hops_verify(void **state)
{
    for (size_t count = 1; count <= RECEIPT_HOPS_MAX; count++) {
        struct fixture_receipts chain;
        make(count, &chain);
        assert_int_equal(verify(chain.entries, count), ERR_OK);
    }
}

static void a_chain_verifies_after_travelling(void **state)
{
    for (size_t count = 1; count <= RECEIPT_HOPS_MAX; count++) {
        struct fixture_receipts chain;
        struct receipt_entry back[RECEIPT_HOPS_MAX];
        struct buf wire;
        size_t back_count;
        make(count, &chain);
        buf_init(&wire, RECEIPT_CHAIN_WIRE_MAX);
        assert_int_equal(receipt_chain_encode(chain.entries, count, &wire), ERR_OK);
        assert_int_equal(receipt_chain_decode(buf_bytes(&wire), back, &back_count), ERR_OK);
        assert_int_equal(back_count, count);
        assert_int_equal(verify(back, count), ERR_OK);
        buf_fini(&wire);
    }
}

static void receipts_of_one_batch_verify_in_different_chains(void **state)
{
    struct fixture_receipts chains[3];
    struct batch batch;
    batch_init(&batch, BATCH_RECEIPT);
    for (int i = 0; i < 3; i++) {
        uint8_t leaf[CRYPTO_HASH_SIZE];
        uint32_t index;
        make(1, &chains[i]);
        snprintf(chains[i].receipts[0].request_id, REQUEST_ID_MAX, "req-%d", i);
        fixture_receipts_sign(&chains[i]);
        batch_leaf(chains[i].entries[0].record, leaf);
        assert_int_equal(batch_add(&batch, leaf, &index), ERR_OK);
    }
    batch_sign(&batch, chains[0].nodes[0].secret);
    for (uint32_t i = 0; i < 3; i++) {
        batch_prove(&batch, i, &chains[i].entries[0].proof);
        assert_int_equal(verify(chains[i].entries, 1), ERR_OK);
    }
    chains[0].entries[0].proof = chains[1].entries[0].proof;
    assert_int_equal(verify(chains[0].entries, 1), ERR_BAD_SIGNATURE);
}

static void certificates_may_stay_away_on_a_link_but_not_for_the_check(void **state)
{
    struct fixture_receipts chain;
    struct receipt_entry back[RECEIPT_HOPS_MAX];
    struct buf wire;
    size_t count;
    make(2, &chain);
    chain.entries[0].certificates = chain.entries[1].certificates = (struct bytes){0};
    buf_init(&wire, RECEIPT_CHAIN_WIRE_MAX);
    assert_int_equal(receipt_chain_encode(chain.entries, 2, &wire), ERR_OK);
    assert_int_equal(receipt_chain_decode(buf_bytes(&wire), back, &count), ERR_OK);
    assert_int_equal(back[1].certificates.size, 0);
    assert_int_equal(verify(back, 2), ERR_INVALID);
    buf_fini(&wire);
}

static void a_chain_as_old_as_its_certificates_still_verifies(void **state)
{
    struct fixture_receipts chain;
    make(1, &chain);
    chain.receipts[0].started_ms = chain.nodes[0].cert.not_before_ms;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 1), ERR_OK);
    chain.receipts[0].started_ms = chain.nodes[0].cert.not_after_ms + CERT_SKEW_MS + 1;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 1), ERR_CERT_EXPIRED);
}

/* --- chains that do not --- */

static void swapped_hops_are_refused(void **state)
{
    struct fixture_receipts chain;
    make(RECEIPT_HOPS_MAX, &chain);
    for (size_t i = 0; i < RECEIPT_HOPS_MAX; i++) {
        for (size_t k = 0; k < RECEIPT_HOPS_MAX; k++) {
            struct receipt_entry entries[RECEIPT_HOPS_MAX];
            memcpy(entries, chain.entries, sizeof(entries));
            entries[i] = chain.entries[k];
            entries[k] = chain.entries[i];
            enum err e = verify(entries, RECEIPT_HOPS_MAX);
            assert_true((e == ERR_OK) == (i == k));
        }
    }
}

static void a_dropped_hop_is_missed(void **state)
{
    for (size_t count = 2; count <= RECEIPT_HOPS_MAX; count++) {
        struct fixture_receipts chain;
        make(count, &chain);
        for (size_t gone = 0; gone < count; gone++) {
            struct receipt_entry entries[RECEIPT_HOPS_MAX];
            size_t kept = 0;
            for (size_t i = 0; i < count; i++)
                if (i != gone)
                    entries[kept++] = chain.entries[i];
            assert_int_equal(verify(entries, kept), ERR_INVALID);
        }
    }
}

static void a_doubled_hop_or_no_hop_is_refused(void **state)
{
    struct fixture_receipts chain;
    make(2, &chain);
    struct receipt_entry entries[] = {chain.entries[0], chain.entries[0], chain.entries[1]};
    assert_int_equal(verify(entries, 3), ERR_INVALID);
    assert_int_equal(verify(entries, 0), ERR_INVALID);
    assert_int_equal(verify(entries, RECEIPT_HOPS_MAX + 1), ERR_INVALID);
}

static void hops_of_two_requests_do_not_mix(void **state)
{
    struct fixture_receipts one, two;
    make(3, &one);
    make(3, &two);
    for (size_t i = 0; i < 3; i++)
        FIXTURE_SET(two.receipts[i].request_id, "another");
    fixture_receipts_sign(&two);
    assert_int_equal(verify(two.entries, 3), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        struct receipt_entry entries[] = {one.entries[0], one.entries[1], one.entries[2]};
        entries[i] = two.entries[i];
        assert_int_equal(verify(entries, 3), ERR_INVALID);
    }
    /* not even where the forwarder links to the other request's receipt */
    FIXTURE_SET(one.receipts[2].request_id, "another");
    fixture_receipts_sign(&one);
    assert_int_equal(verify(one.entries, 3), ERR_INVALID);
}

static void a_body_that_changed_on_the_way_is_noticed(void **state)
{
    struct fixture_receipts chain;
    make(3, &chain);
    chain.receipts[2].request_hash[5] ^= 1;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);

    make(3, &chain); /* and on the way back */
    chain.receipts[1].answer_hash[5] ^= 1;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);
}

static void wrong_numbers_roles_and_links_are_refused_though_well_signed(void **state)
{
    struct fixture_receipts chain;
    make(3, &chain);
    chain.receipts[1].hop = 2;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);

    make(3, &chain);
    chain.receipts[1].role = RECEIPT_EXECUTOR;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);

    make(3, &chain);
    chain.receipts[2].role = RECEIPT_FORWARDER;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);

    make(3, &chain);
    chain.receipts[2].previous[0] = 1;
    fixture_receipt_sign(&chain, 2);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);

    make(3, &chain);
    chain.receipts[0].previous[0] ^= 1;
    fixture_receipt_sign(&chain, 0);
    assert_int_equal(verify(chain.entries, 3), ERR_INVALID);
}

static void a_refusal_ends_a_chain_as_an_execution_does(void **state)
{
    struct fixture_receipts chain;
    make(2, &chain);
    chain.receipts[1].role = RECEIPT_REFUSER;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 2), ERR_OK);

    make(2, &chain); /* nobody executes below a refusal */
    chain.receipts[0].role = RECEIPT_REFUSER;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 2), ERR_INVALID);
}

static void a_node_cannot_sign_for_another(void **state)
{
    struct fixture_receipts chain;
    make(2, &chain);
    struct identity executor = chain.nodes[1];
    chain.nodes[1] = chain.nodes[0]; /* signs with its own key and certificates */
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 2), ERR_BAD_SIGNATURE);

    chain.entries[1].certificates = bytes_of(executor.chain, executor.chain_size);
    assert_int_equal(verify(chain.entries, 2), ERR_BAD_SIGNATURE);
    memcpy(chain.entries[1].signer, executor.public_key, CRYPTO_PUBLIC_SIZE);
    assert_int_equal(verify(chain.entries, 2), ERR_BAD_SIGNATURE);

    make(1, &chain);
    FIXTURE_SET(chain.receipts[0].name, "node-1"); /* its own key, another's name */
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 1), ERR_CERT_SCOPE);
    make(1, &chain);
    FIXTURE_SET(chain.receipts[0].region, "us-east");
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 1), ERR_CERT_SCOPE);
}

static void a_chain_under_another_root_is_refused(void **state)
{
    struct fixture other;
    struct fixture_receipts chain, foreign;
    const char *detail = NULL;
    fixture_init(&other, 2);
    make(2, &chain);
    assert_int_equal(receipt_chain_verify(chain.entries, 2, other.root.public_key, &detail),
                     ERR_WRONG_MESH);
    /* our node, that signs for another mesh */
    chain.receipts[0].mesh = chain.receipts[1].mesh = id_of_public_key(other.root.public_key);
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 2), ERR_WRONG_MESH);
    make(2, &chain);
    /* it claims our mesh; its certificates cannot */
    fixture_receipts(&other, 2, &foreign);
    foreign.receipts[0].mesh = foreign.receipts[1].mesh = chain.receipts[0].mesh;
    fixture_receipts_sign(&foreign);
    assert_int_equal(verify(foreign.entries, 2), ERR_WRONG_MESH);
}

static void something_that_is_no_node_cannot_sign_receipts(void **state)
{
    struct fixture f = the_mesh();
    struct fixture_receipts chain;
    struct buf admin;
    make(1, &chain);
    struct identity *node = &chain.nodes[0];
    memcpy(node->public_key, f.admin.public_key, CRYPTO_PUBLIC_SIZE);
    memcpy(node->secret, f.admin.secret, CRYPTO_SECRET_SIZE);
    chain.receipts[0].node = id_of_public_key(f.admin.public_key);
    FIXTURE_SET(chain.receipts[0].name, "admin");
    chain.receipts[0].region[0] = '\0';
    buf_init_fixed(&admin, node->chain, sizeof(node->chain));
    fixture_chain(&f, 1, &admin);
    node->chain_size = admin.size;
    fixture_receipts_sign(&chain);
    assert_int_equal(verify(chain.entries, 1), ERR_CERT_SCOPE);
}

static void any_altered_byte_of_a_chain_is_refused(void **state)
{
    struct fixture_receipts chain;
    struct receipt_entry back[RECEIPT_HOPS_MAX];
    struct buf wire;
    size_t count = 0;
    make(2, &chain);
    buf_init(&wire, RECEIPT_CHAIN_WIRE_MAX);
    assert_int_equal(receipt_chain_encode(chain.entries, 2, &wire), ERR_OK);
    for (size_t i = 0; i < wire.size; i++) {
        wire.data[i] ^= (uint8_t)(1u << i % 8);
        if (receipt_chain_decode(buf_bytes(&wire), back, &count) == ERR_OK)
            assert_int_not_equal(verify(back, count), ERR_OK);
        wire.data[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(receipt_chain_decode(buf_bytes(&wire), back, &count), ERR_OK);
    assert_int_equal(verify(back, count), ERR_OK);
    buf_fini(&wire);
}

static void a_chain_cut_inside_an_entry_is_malformed(void **state)
{
    struct fixture_receipts chain;
    struct receipt_entry back[RECEIPT_HOPS_MAX];
    struct buf one, wire;
    make(2, &chain);
    buf_init(&one, RECEIPT_CHAIN_WIRE_MAX);
    buf_init(&wire, RECEIPT_CHAIN_WIRE_MAX);
    assert_int_equal(receipt_chain_encode(chain.entries, 1, &one), ERR_OK);
    assert_int_equal(receipt_chain_encode(chain.entries, 2, &wire), ERR_OK);
    for (size_t size = 0; size <= wire.size; size++) {
        size_t count = 99;
        enum err e = receipt_chain_decode(bytes_of(wire.data, size), back, &count);
        bool is_whole = size == one.size || size == wire.size;
        assert_int_equal(e, is_whole ? ERR_OK : ERR_INVALID);
        assert_int_equal(count, size == one.size ? 1 : size == wire.size ? 2 : 99);
    }
    buf_fini(&one);
    buf_fini(&wire);
}

static void more_hops_than_allowed_are_malformed(void **state)
{
    struct fixture_receipts chain;
    struct receipt_entry back[RECEIPT_HOPS_MAX];
    struct buf wire;
    size_t count;
    make(1, &chain);
    buf_init(&wire, RECEIPT_CHAIN_WIRE_MAX);
    for (int i = 0; i <= RECEIPT_HOPS_MAX; i++)
        assert_int_equal(receipt_chain_encode(chain.entries, 1, &wire), ERR_OK);
    assert_int_equal(receipt_chain_decode(buf_bytes(&wire), back, &count), ERR_INVALID);
    assert_int_equal(receipt_chain_encode(chain.entries, 0, &wire), ERR_INVALID);
    assert_int_equal(receipt_chain_encode(chain.entries, RECEIPT_HOPS_MAX + 1, &wire), ERR_INVALID);
    buf_fini(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_comes_back_as_it_was),
        cmocka_unit_test(a_receipt_out_of_shape_is_not_encoded),
        cmocka_unit_test(the_longest_fields_fit_into_a_record),
        cmocka_unit_test(chains_of_one_to_four_hops_verify),
        cmocka_unit_test(a_chain_verifies_after_travelling),
        cmocka_unit_test(receipts_of_one_batch_verify_in_different_chains),
        cmocka_unit_test(certificates_may_stay_away_on_a_link_but_not_for_the_check),
        cmocka_unit_test(a_chain_as_old_as_its_certificates_still_verifies),
        cmocka_unit_test(swapped_hops_are_refused),
        cmocka_unit_test(a_dropped_hop_is_missed),
        cmocka_unit_test(a_doubled_hop_or_no_hop_is_refused),
        cmocka_unit_test(hops_of_two_requests_do_not_mix),
        cmocka_unit_test(a_body_that_changed_on_the_way_is_noticed),
        cmocka_unit_test(wrong_numbers_roles_and_links_are_refused_though_well_signed),
        cmocka_unit_test(a_refusal_ends_a_chain_as_an_execution_does),
        cmocka_unit_test(a_node_cannot_sign_for_another),
        cmocka_unit_test(a_chain_under_another_root_is_refused),
        cmocka_unit_test(something_that_is_no_node_cannot_sign_receipts),
        cmocka_unit_test(any_altered_byte_of_a_chain_is_refused),
        cmocka_unit_test(a_chain_cut_inside_an_entry_is_malformed),
        cmocka_unit_test(more_hops_than_allowed_are_malformed),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
