/* Signed requests: RFC 9421's own example verifies, what we make verifies, and nothing that was
 * altered, left out or made too long ago does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/trust/http_signature.h"

#define NOW_MS 1800000000000ull

struct fields {
    const char *name, *value;
};

static struct bytes field_of(void *ctx, struct bytes name)
{
    for (const struct fields *f = ctx; f->name; f++)
        if (bytes_equal(name, bytes_from_str(f->name)))
            return bytes_from_str(f->value);
    return bytes_of(NULL, 0);
}

struct made {
    uint8_t public_key[32], secret[64];
    struct http_signature_request request;
    struct fields fields[2];
    char input[512], signature[256];
};

static void sign(struct made *m)
{
    struct buf input, signature;
    buf_init_fixed(&input, (uint8_t *)m->input, sizeof m->input - 1);
    buf_init_fixed(&signature, (uint8_t *)m->signature, sizeof m->signature - 1);
    assert_int_equal(http_signature_make(&m->request, m->secret, BYTES("admin-1"), BYTES("n0nce"),
                                         NOW_MS, &input, &signature),
                     ERR_OK);
    m->input[input.size] = m->signature[signature.size] = 0;
}

static void make(struct made *m)
{
    crypto_sign_keypair(m->public_key, m->secret);
    m->fields[0] = (struct fields){"content-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NM"
                                                     "pJWZG3hSuFU=:"};
    m->fields[1] = (struct fields){NULL, NULL};
    m->request = (struct http_signature_request){.method = BYTES("POST"),
                                                 .target = BYTES("/mesh/v1/commands?a=1"),
                                                 .field = field_of,
                                                 .ctx = m->fields,
                                                 .has_body = true};
    sign(m);
}

static enum err verify_at(const struct made *m, uint64_t wall_ms)
{
    struct http_signature s;
    const char *why = NULL;
    enum err e =
        http_signature_parse(bytes_from_str(m->input), bytes_from_str(m->signature), &s, &why);
    if (e == ERR_OK)
        e = http_signature_verify(&s, &m->request, m->public_key, wall_ms, &why);
    assert_non_null(why);
    return e;
}

static enum err verify(const struct made *m)
{
    return verify_at(m, NOW_MS);
}

static enum err parse(const char *input, const char *signature)
{
    struct http_signature s;
    const char *why;
    return http_signature_parse(bytes_from_str(input), bytes_from_str(signature), &s, &why);
}

/* Appendix B.2.6, with a nonce that it lacks: so its key signs here, and the base is the RFC's. */
static void the_base_is_that_of_the_rfc(void **state)
{
    static const char input[] = "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" "
                                "\"content-type\" \"content-length\");created=1618884473;"
                                "keyid=\"test-key-ed25519\";nonce=\"x\"";
    static const char base[] = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                               "\"@method\": POST\n"
                               "\"@path\": /foo\n"
                               "\"@authority\": example.com\n"
                               "\"content-type\": application/json\n"
                               "\"content-length\": 18\n"
                               "\"@signature-params\": (\"date\" \"@method\" \"@path\" "
                               "\"@authority\" \"content-type\" \"content-length\");"
                               "created=1618884473;keyid=\"test-key-ed25519\";nonce=\"x\"";
    static struct fields fields[] = {{"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
                                     {"content-type", "application/json"},
                                     {"content-length", "18"},
                                     {NULL, NULL}};
    struct http_signature_request request = {.method = BYTES("POST"),
                                             .target = BYTES("/foo"),
                                             .authority = BYTES("example.com"),
                                             .field = field_of,
                                             .ctx = fields};
    uint8_t public_key[32], secret[64], signature[64];
    char text[128];
    struct buf out;
    struct http_signature s;
    const char *why;
    crypto_sign_keypair(public_key, secret);
    crypto_sign(secret, bytes_from_str(base), signature);
    buf_init_fixed(&out, (uint8_t *)text, sizeof text - 1);
    assert_int_equal(buf_append_str(&out, "sig-b26=:"), ERR_OK);
    assert_int_equal(crypto_base64_padded_append(&out, bytes_of(signature, 64)), ERR_OK);
    assert_int_equal(buf_append_str(&out, ":"), ERR_OK);
    assert_int_equal(http_signature_parse(bytes_from_str(input), buf_bytes(&out), &s, &why),
                     ERR_OK);
    assert_int_equal(http_signature_verify(&s, &request, public_key, 1618884473000, &why), ERR_OK);
}

/* The same example as published: the key, the base and the signature are the RFC's. */
static void the_rfcs_signature_is_over_the_rfcs_base(void **state)
{
    static const char key[] = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";
    static const char signature[] = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgw"
                                    "UPiu4A0w6vuQv5lIp5WPpBKRCw==";
    static const char base[] = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                               "\"@method\": POST\n"
                               "\"@path\": /foo\n"
                               "\"@authority\": example.com\n"
                               "\"content-type\": application/json\n"
                               "\"content-length\": 18\n"
                               "\"@signature-params\": (\"date\" \"@method\" \"@path\" "
                               "\"@authority\" \"content-type\" \"content-length\");"
                               "created=1618884473;keyid=\"test-key-ed25519\"";
    uint8_t raw_key[32], raw_signature[64];
    struct buf out;
    buf_init_fixed(&out, raw_key, sizeof raw_key);
    assert_int_equal(crypto_base64_padded_decode(bytes_from_str(key), &out), ERR_OK);
    buf_init_fixed(&out, raw_signature, sizeof raw_signature);
    assert_int_equal(crypto_base64_padded_decode(bytes_from_str(signature), &out), ERR_OK);
    assert_true(crypto_verify(raw_key, bytes_from_str(base), raw_signature));
}

static void what_we_make_verifies(void **state)
{
    struct made m;
    make(&m);
    assert_int_equal(verify(&m), ERR_OK);
}

static void what_was_altered_does_not(void **state)
{
    struct made m;
    make(&m);
    m.request.method = BYTES("DELETE");
    assert_int_equal(verify(&m), ERR_BAD_SIGNATURE);
    make(&m);
    m.request.target = BYTES("/mesh/v1/commands?a=2");
    assert_int_equal(verify(&m), ERR_BAD_SIGNATURE);
    make(&m);
    m.fields[0].value = "sha-256=:AAAAQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    assert_int_equal(verify(&m), ERR_BAD_SIGNATURE);
    make(&m);
    *strstr(m.input, "n0nce") = 'm';
    assert_int_equal(verify(&m), ERR_BAD_SIGNATURE);
    make(&m);
    m.public_key[0] ^= 1;
    assert_int_equal(verify(&m), ERR_BAD_SIGNATURE);
}

static void a_covered_field_must_be_there(void **state)
{
    struct made m;
    make(&m);
    m.fields[0].name = NULL;
    assert_int_equal(verify(&m), ERR_INVALID);
}

static void time_bounds_it_both_ways(void **state)
{
    struct made m;
    make(&m);
    assert_int_equal(verify_at(&m, NOW_MS + HTTP_SIGNATURE_SKEW_MS), ERR_OK);
    assert_int_equal(verify_at(&m, NOW_MS + HTTP_SIGNATURE_SKEW_MS + 1), ERR_CLOCK_SKEW);
    assert_int_equal(verify_at(&m, NOW_MS - HTTP_SIGNATURE_SKEW_MS - 1), ERR_CLOCK_SKEW);
}

static void a_body_must_be_covered(void **state)
{
    struct made m;
    make(&m);
    m.request.has_body = false;
    sign(&m);
    assert_int_equal(verify(&m), ERR_OK);
    m.request.has_body = true;
    assert_int_equal(verify(&m), ERR_INVALID);
}

static void a_query_must_be_covered(void **state)
{
    static const char input[] = "s=(\"@method\" \"@path\");created=1800000000;keyid=\"a\";"
                                "nonce=\"b\"";
    struct http_signature_request request = {
        .method = BYTES("GET"), .target = BYTES("/p?x"), .field = field_of};
    uint8_t key[32] = {0};
    struct http_signature s;
    const char *why;
    char signature[128];
    struct buf out;
    buf_init_fixed(&out, (uint8_t *)signature, sizeof signature);
    assert_int_equal(buf_append_str(&out, "s=:"), ERR_OK);
    assert_int_equal(crypto_base64_padded_append(&out, bytes_of((uint8_t[64]){0}, 64)), ERR_OK);
    assert_int_equal(buf_append_str(&out, ":"), ERR_OK);
    assert_int_equal(http_signature_parse(bytes_from_str(input), buf_bytes(&out), &s, &why),
                     ERR_OK);
    assert_int_equal(http_signature_verify(&s, &request, key, NOW_MS, &why), ERR_INVALID);
    request.target = BYTES("/p");
    assert_int_equal(http_signature_verify(&s, &request, key, NOW_MS, &why), ERR_BAD_SIGNATURE);
}

static void what_is_malformed_is_refused(void **state)
{
    static const char *const inputs[] = {
        "",
        "s",
        "s=",
        "s=()",
        "s=();created=1;keyid=\"a\"",
        "s=();created=1;nonce=\"a\"",
        "s=();keyid=\"a\";nonce=\"b\"",
        "s=();created=0;keyid=\"a\";nonce=\"b\"",
        "s=(\"a\" \"a\");created=1;keyid=\"a\";nonce=\"b\"",
        "s=(\"a\";bs);created=1;keyid=\"a\";nonce=\"b\"",
        "s=(\"a\");created=1;keyid=\"a\";nonce=\"b\", t=()",
        "s=(\"a\");created=1;created=1;keyid=\"a\";nonce=\"b\"",
        "s=(\"a\");created=99999999999999999;keyid=\"a\";nonce=\"b\"",
        "s=(\"a\");created=1;keyid=\"a\";nonce=\"b\";alg",
        "s=(\"a);created=1;keyid=\"a\";nonce=\"b\"",
        "S=(\"a\");created=1;keyid=\"a\";nonce=\"b\"",
    };
    struct made m;
    make(&m);
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        assert_int_equal(parse(inputs[i], m.signature), ERR_INVALID);
    assert_int_equal(parse(m.input, "sig1=:AAAA:"), ERR_INVALID);
    assert_int_equal(parse(m.input, "sig2=:AAAA:"), ERR_INVALID);
    assert_int_equal(parse(m.input, ""), ERR_INVALID);
    assert_int_equal(
        parse("s=(\"a\");created=1;keyid=\"a\";nonce=\"b\";alg=\"rsa-pss-sha512\"", m.signature),
        ERR_UNSUPPORTED);
}

static void sizes_are_bounded(void **state)
{
    char input[HTTP_SIGNATURE_INPUT_MAX + 64];
    struct made m;
    make(&m);
    snprintf(input, sizeof input, "sig1=();created=1;keyid=\"%0*d\";nonce=\"b\"",
             HTTP_SIGNATURE_KEYID_MAX, 7);
    assert_int_equal(parse(input, m.signature), ERR_OK);
    snprintf(input, sizeof input, "sig1=();created=1;keyid=\"%0*d\";nonce=\"b\"",
             HTTP_SIGNATURE_KEYID_MAX + 1, 7);
    assert_int_equal(parse(input, m.signature), ERR_INVALID);
    snprintf(input, sizeof input, "sig1=();created=1;keyid=\"a\";nonce=\"b\";tag=\"%0*d\"",
             HTTP_SIGNATURE_INPUT_MAX, 7);
    assert_int_equal(parse(input, m.signature), ERR_INVALID);
}

static void a_digest_is_found_among_others(void **state)
{
    uint8_t hash[32], other[32];
    char value[128];
    struct buf out;
    crypto_random(hash, sizeof hash);
    memcpy(other, hash, sizeof other);
    other[31] ^= 1;
    buf_init_fixed(&out, (uint8_t *)value, sizeof value);
    assert_int_equal(buf_append_str(&out, "md5=:x:, "), ERR_OK);
    assert_int_equal(http_signature_digest(hash, &out), ERR_OK);
    assert_true(http_signature_digest_is(buf_bytes(&out), hash));
    assert_false(http_signature_digest_is(buf_bytes(&out), other));
    assert_false(http_signature_digest_is(bytes_of(NULL, 0), hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_is_that_of_the_rfc),
        cmocka_unit_test(the_rfcs_signature_is_over_the_rfcs_base),
        cmocka_unit_test(what_we_make_verifies),
        cmocka_unit_test(what_was_altered_does_not),
        cmocka_unit_test(a_covered_field_must_be_there),
        cmocka_unit_test(time_bounds_it_both_ways),
        cmocka_unit_test(a_body_must_be_covered),
        cmocka_unit_test(a_query_must_be_covered),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_digest_is_found_among_others),
    };
    if (crypto_init() != ERR_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
