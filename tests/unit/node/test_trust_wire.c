/* Canonical bytes: protobuf allows many encodings of one value, trust takes exactly one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/trust/wire.h"
#include "tests/support/trust_fixture.h"

#define SPACE 8192

struct text {
    uint8_t space[SPACE];
    struct buf buf;
};

static void empty(struct text *t)
{
    buf_init_fixed(&t->buf, t->space, SPACE);
}

static void append(struct text *t, struct bytes data)
{
    assert_int_equal(buf_append(&t->buf, data), ERR_OK);
}

static void cert_record(struct text *t)
{
    struct fixture f;
    fixture_init(&f, 1);
    empty(t);
    assert_int_equal(trust_wire_cert_encode(&f.node_cert, &t->buf), ERR_OK);
}

static enum err decode_cert(struct bytes record)
{
    struct cert cert;
    return trust_wire_cert_decode(record, &cert);
}

static void a_record_decodes_and_encodes_to_itself(void **state)
{
    struct text t, again;
    struct cert cert;
    cert_record(&t);
    assert_int_equal(trust_wire_cert_decode(buf_bytes(&t.buf), &cert), ERR_OK);
    empty(&again);
    assert_int_equal(trust_wire_cert_encode(&cert, &again.buf), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&t.buf), buf_bytes(&again.buf)));
}

static void unknown_fields_are_refused(void **state)
{
    static const char *const UNKNOWN[] = {"\x98\x06\x01", "\x9a\x06\x01x",
                                          "\x9d\x06\x01\x02\x03\x04", "\x78\x01"};
    for (size_t i = 0; i < sizeof(UNKNOWN) / sizeof(UNKNOWN[0]); i++) {
        struct text t;
        cert_record(&t);
        append(&t, bytes_from_str(UNKNOWN[i]));
        assert_int_equal(decode_cert(buf_bytes(&t.buf)), ERR_INVALID);
    }
}

static void a_field_given_twice_is_refused(void **state)
{
    struct text t;
    cert_record(&t);
    assert_memory_equal(t.space, "\x08\x03", 2); /* kind: node */
    append(&t, BYTES("\x08\x03"));
    assert_int_equal(decode_cert(buf_bytes(&t.buf)), ERR_INVALID);
}

static void fields_in_another_order_are_refused(void **state)
{
    struct text t, moved;
    cert_record(&t);
    empty(&moved);
    append(&moved, bytes_skip(buf_bytes(&t.buf), 2));
    append(&moved, bytes_of(t.space, 2));
    assert_int_equal(decode_cert(buf_bytes(&moved.buf)), ERR_INVALID);
}

static void longer_varints_than_needed_are_refused(void **state)
{
    static const char *const KINDS[] = {"\x08\x83\x00", "\x08\x83\x80\x00", "\x88\x00\x03"};
    static const size_t SIZES[] = {3, 4, 3};
    for (size_t i = 0; i < 3; i++) {
        struct text t, longer;
        cert_record(&t);
        empty(&longer);
        append(&longer, bytes_of(KINDS[i], SIZES[i]));
        append(&longer, bytes_skip(buf_bytes(&t.buf), 2));
        assert_int_equal(decode_cert(buf_bytes(&longer.buf)), ERR_INVALID);
    }
}

static void numbers_beyond_their_type_are_refused(void **state)
{
    struct text t, large;
    cert_record(&t);
    empty(&large);
    append(&large, BYTES("\x08\x83\x80\x80\x80\x10")); /* kind 3 + 2^32, read as 32 bits */
    append(&large, bytes_skip(buf_bytes(&t.buf), 2));
    assert_int_equal(decode_cert(buf_bytes(&large.buf)), ERR_INVALID);
}

static void a_default_spelt_out_is_refused(void **state)
{
    struct fixture f;
    struct text t;
    fixture_init(&f, 1);
    empty(&t);
    assert_int_equal(trust_wire_cert_encode(&f.node_cert, &t.buf), ERR_OK);
    append(&t, BYTES("\x60\x00")); /* join_until_ms: 0 */
    assert_int_equal(decode_cert(buf_bytes(&t.buf)), ERR_INVALID);
}

static void a_nul_inside_a_text_is_refused(void **state)
{
    struct text t;
    cert_record(&t);
    uint8_t *name = memmem(t.space, t.buf.size, "edge-1", 6);
    assert_non_null(name);
    name[3] = '\0';
    assert_int_equal(decode_cert(buf_bytes(&t.buf)), ERR_INVALID);
}

static void keys_ids_and_signatures_have_one_length(void **state)
{
    struct trust_wire_link links[CERT_CHAIN_MAX];
    struct text t;
    size_t count;
    empty(&t);
    append(&t, BYTES("\x0a\x06\x0a\x01r\x12\x01s")); /* a signature of one byte */
    assert_int_equal(trust_wire_chain_decode(buf_bytes(&t.buf), links, &count), ERR_INVALID);
    assert_int_equal(decode_cert(BYTES("\x08\x03")), ERR_INVALID); /* no keys at all */
    assert_int_equal(decode_cert((struct bytes){0}), ERR_INVALID);
}

static void a_record_larger_than_its_limit_is_refused_unread(void **state)
{
    struct text t;
    cert_record(&t);
    while (t.buf.size <= CERT_RECORD_MAX)
        append(&t, BYTES("\x78\x01"));
    assert_int_equal(decode_cert(buf_bytes(&t.buf)), ERR_INVALID);
}

/* Enough empty elements to overflow the decoder's own space: it spills, refuses and leaks
 * nothing. */
static void thousands_of_elements_are_refused_without_a_leak(void **state)
{
    static uint8_t wire[RECEIPT_CHAIN_WIRE_MAX];
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    struct trust_wire_link links[CERT_CHAIN_MAX];
    struct token token;
    size_t count;
    for (size_t i = 0; i + 1 < sizeof(wire); i += 2)
        memcpy(wire + i, "\x0a\x00", 2);
    assert_int_equal(
        trust_wire_receipts_decode(bytes_of(wire, sizeof(wire) & ~1ul), entries, &count),
        ERR_INVALID);
    assert_int_equal(trust_wire_chain_decode(bytes_of(wire, CERT_CHAIN_SIZE_MAX), links, &count),
                     ERR_INVALID);
    for (size_t i = 0; i + 1 < sizeof(wire); i += 2)
        memcpy(wire + i, "\x22\x00", 2); /* peers */
    assert_int_equal(trust_wire_token_decode(bytes_of(wire, TOKEN_TEXT_MAX), &token), ERR_INVALID);
}

static void a_sealed_envelope_carries_nothing_meant_for_receipts(void **state)
{
    struct fixture f;
    struct fixture_receipts chain;
    struct text sealed, with_signer;
    struct bytes record;
    struct batch_proof proof;
    fixture_init(&f, 1);
    fixture_receipts(&f, 1, &chain);
    empty(&sealed);
    assert_int_equal(
        trust_wire_sealed_encode(chain.entries[0].record, &chain.entries[0].proof, &sealed.buf),
        ERR_OK);
    assert_int_equal(trust_wire_sealed_decode(buf_bytes(&sealed.buf), &record, &proof), ERR_OK);
    empty(&with_signer);
    append(&with_signer, buf_bytes(&sealed.buf));
    append(&with_signer, BYTES("\x32\x01x"));
    assert_int_equal(trust_wire_sealed_decode(buf_bytes(&with_signer.buf), &record, &proof),
                     ERR_INVALID);
    empty(&with_signer);
    append(&with_signer, buf_bytes(&sealed.buf));
    append(&with_signer, BYTES("\x3a\x01x"));
    assert_int_equal(trust_wire_sealed_decode(buf_bytes(&with_signer.buf), &record, &proof),
                     ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_decodes_and_encodes_to_itself),
        cmocka_unit_test(unknown_fields_are_refused),
        cmocka_unit_test(a_field_given_twice_is_refused),
        cmocka_unit_test(fields_in_another_order_are_refused),
        cmocka_unit_test(longer_varints_than_needed_are_refused),
        cmocka_unit_test(numbers_beyond_their_type_are_refused),
        cmocka_unit_test(a_default_spelt_out_is_refused),
        cmocka_unit_test(a_nul_inside_a_text_is_refused),
        cmocka_unit_test(keys_ids_and_signatures_have_one_length),
        cmocka_unit_test(a_record_larger_than_its_limit_is_refused_unread),
        cmocka_unit_test(thousands_of_elements_are_refused_without_a_leak),
        cmocka_unit_test(a_sealed_envelope_carries_nothing_meant_for_receipts),
    };
    CHECK(crypto_init() == ERR_OK);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
